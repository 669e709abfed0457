"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from verify.errors import VerifyError


def refuse_overwriting(
    outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]
) -> None:
    """Refuse to write a file that is also read, or two files under one name.

    To be called before anything is written, and before old files are removed.

    Args:
        outputs: By the option that names each; None where it is not given.
        inputs: By what each is.

    Raises:
        VerifyError: Two are the same file, by whatever name or link.
    """
    known = {what: path for what, path in inputs.items() if path is not None}
    for option, path in outputs.items():
        if path is None:
            continue
        for what, other in known.items():
            if _same(path, other):
                raise VerifyError(f"{option} {path}: this is {what}; name another file")
        known[f"the file of {option}"] = path


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:  # one of them is not there
        return a.resolve() == b.resolve()


def write_file(path: Path, text: str) -> None:
    """Write a file so that it is never seen half-written.

    Args:
        path: Its directory is made if it is not there.
        text: Written as UTF-8 with the line ends it has.

    Raises:
        OSError: If it cannot be written; the old file is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        umask = os.umask(0)  # mkstemp's files are private; there is no other way to read the mask
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
