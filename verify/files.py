"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from verify.errors import VerifyError


def refuse_overwriting(
    outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]
) -> None:
    """Refuse to write a file that is also read, or two files under one name.

    To be called before anything is written, and before old files are removed.

    What is always an input: the policy of the working directory, and the program's own files.

    Args:
        outputs: By the option that names each; None where it is not given.
        inputs: By what each is; nothing is written below one that is a directory.

    Raises:
        VerifyError: Two are the same file, by whatever name or link.
    """
    if all(path is None for path in outputs.values()):
        return
    known = {what: path for what, path in inputs.items() if path is not None}
    known |= {what: path for what, path in _standing().items() if what not in known}
    for option, path in outputs.items():
        if path is None:
            continue
        for what, other in known.items():
            if _same(path, other):
                raise VerifyError(f"{option} {path}: this is {what}; name another file")
        known[f"the file of {option}"] = path


def _standing() -> dict[str, Path]:
    """What no command may write over, whatever else it reads."""
    from verify import resources
    from verify.gating import policy

    own = [Path(__file__).resolve().parent]
    own += [resources.root() / part for part in resources.PARTS]
    found = {f"part of this program ({path})": path for path in own}
    with contextlib.suppress(OSError, VerifyError):  # whoever needs it will say what is wrong
        if (here := policy.find(Path.cwd())) is not None:
            found["the policy"] = here
    return found


def _same(path: Path, known: Path) -> bool:
    """Whether writing one would change the other."""
    if known.is_dir():
        # As it is named, and as it is resolved: a link in there is replaced, not its target.
        places = (path.parent.resolve() / path.name, path.resolve())
        return any(place.is_relative_to(known.resolve()) for place in places)
    try:
        return path.samefile(known)
    except OSError:  # one of them is not there
        return path.resolve() == known.resolve()


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a file, a device or a pipe.

    A pipe that nobody writes to is empty; opening it would wait for a writer.

    Args:
        path: Its name.
        most: So many bytes at most.

    Raises:
        OSError: It cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        os.set_blocking(handle, True)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(most)
    finally:
        os.close(handle)


def write_file(
    path: Path, content: str | bytes, *, parents: bool = True, private: bool = False
) -> None:
    """Write a file so that it is never seen half-written.

    Args:
        path: The file, or a device or a pipe.
        content: A text is written as UTF-8 with the line ends it has.
        parents: Make its directory if it is not there.
        private: For nobody else to read.

    Raises:
        OSError: If it cannot be written; the old file is then as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        # A device or a pipe is written to: put in its place, a file would be there for everybody.
        with path.open("wb") as stream:
            stream.write(data)
        return
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        if not private:  # as mkstemp's files are
            umask = os.umask(0)  # there is no other way to read the mask
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def save_file(path: Path, text: str, *, parents: bool = True) -> None:
    """`write_file` for a file that a user has named.

    Raises:
        VerifyError: It cannot be written.
    """
    try:
        write_file(path, text, parents=parents)
    except OSError as error:
        raise VerifyError(
            f"{path}: {error.strerror or error}; name another place, or make room"
        ) from None
