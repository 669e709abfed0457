"""The user's cache: where it is, who may have written it, what of it is believed, what is kept.

Everything that this program keeps for the next run lies below one directory.  Two things keep
others from planting a result there:

- the directory is refused unless it belongs to the user alone and lies outside of every checkout,
  so that a pull request cannot bring one along;
- what is believed without being made again (compiled Lean, compiled programs, results of the gate)
  is sealed with a key that lies outside of the cache.  An entry without its seal is made again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from verify.errors import VerifyError
from verify.files import write_file

VARIABLE: Final = "VERIFY_CACHE_DIR"
KEY_VARIABLE: Final = "VERIFY_CACHE_KEY"
"""A secret to seal with instead of the user's own key, for a cache that several machines share."""

_REMEDY: Final = f"set {VARIABLE} to another directory, or to one that is not there yet"

_CHECKOUTS: Final = (".git", ".hg", ".jj", ".svn")
_JOBS: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where a CI service has put the checkout, which need not have a `.git`."""


def directory() -> Path:
    """The cache directory, which is made if need be; `VERIFY_CACHE_DIR` overrides the user's own.

    One that cannot be made is returned all the same: whoever writes there will say so.

    Raises:
        VerifyError: If anybody but the user could have put something there.
    """
    given = os.environ.get(VARIABLE)
    if given:
        path = Path(given).absolute()
    else:
        import platformdirs

        path = platformdirs.user_cache_path("mps-verify")
        _close(path)
    check(path)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        check(path)  # once more: somebody may have been quicker
        _prune_daily(path)
    return path


def _close(path: Path) -> None:
    """Earlier versions made the directory for all to read; nobody else could write there."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if own and found.st_mode & 0o077 and not found.st_mode & 0o022:
            path.chmod(0o700)


def check(path: Path) -> None:
    """Refuse a directory in which somebody else could have planted something.

    Args:
        path: Need not exist.

    Raises:
        VerifyError: It lies in a checkout, is a symbolic link, or is open to others.
    """
    if (checkout := _checkout(path)) is not None:
        raise VerifyError(
            f"{path}: a cache below the checkout {checkout} could come with a commit; {_REMEDY}"
        )
    try:
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise VerifyError(f"{path}: a cache must not be a symbolic link; {_REMEDY}")
    if not stat.S_ISDIR(found.st_mode):
        return
    if found.st_uid != os.geteuid():
        raise VerifyError(
            f"{path}: the cache belongs to user {found.st_uid}, not to you ({os.geteuid()}); "
            f"{_REMEDY}"
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise VerifyError(
            f"{path}: the cache has mode {mode:04o}, so it is open to others; remove it, or `chmod "
            f"700` it if nobody else can have written there (or {_REMEDY})"
        )


def _checkout(path: Path) -> Path | None:
    """The checkout that a path lies in, as it is written or as it is resolved."""
    places = {path.absolute(): None, path.resolve(): None}
    for place in places:
        for above in (place, *place.parents):
            if any((above / mark).exists() for mark in _CHECKOUTS):
                return above
    for name in _JOBS:
        job = os.environ.get(name)
        if job and any(place.is_relative_to(Path(job).resolve()) for place in places):
            return Path(job)
    return None


def unwritable(error: OSError, path: Path) -> VerifyError:
    """One line for a cache that is read-only, full or no directory."""
    return VerifyError(
        f"{error.filename or path}: {error.strerror or error}; the cache must be writable and have "
        f"about 100 MB free: set {VARIABLE} to another directory"
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see either the old or the new content, never a part.

    Raises:
        OSError: It cannot be written.
    """
    write_file(path, content, private=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def touch(path: Path) -> None:
    """Note that an entry was used; times decide what is kept, never what is believed."""
    with contextlib.suppress(OSError):
        if abs(time.time() - path.stat().st_mtime) > _RECENT / 4:
            os.utime(path)


# --- Sealed entries -------------------------------------------------------------------------------


def read(path: Path) -> Any:
    """The content of a sealed entry; None if it is absent, damaged, or not sealed by this user.

    Args:
        path: Its name, with that of its directory, is part of what is sealed: an entry that is
            moved or copied to another name is none.
    """
    try:
        entry = json.loads(path.read_bytes())
        content, seal = entry["content"], str(entry["seal"])
        if hmac.compare_digest(seal.encode(), _seal(path, content).encode()):
            return content
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def write(path: Path, content: object, place: Path | None = None) -> None:
    """Write a sealed entry.

    Args:
        path: The file.
        content: What JSON can express.
        place: Where it will be read, if it is moved there.

    Raises:
        OSError: It cannot be written.
    """
    entry = {"seal": _seal(place or path, content), "content": content}
    write_atomically(path, json.dumps(entry).encode())


def _seal(path: Path, content: object) -> str:
    text = json.dumps([path.parent.name, path.name, content], sort_keys=True)
    return hmac.new(_secret(), text.encode(), hashlib.sha256).hexdigest()


def _secret() -> bytes:
    """The key of all seals: the user's own, made on first use, or that of `VERIFY_CACHE_KEY`."""
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return hashlib.sha256(given.encode(errors="surrogateescape")).digest()
    import platformdirs

    return _own_secret(platformdirs.user_state_path("mps-verify") / "cache-key")


@functools.cache
def _own_secret(path: Path) -> bytes:
    if (checkout := _checkout(path)) is not None:
        raise VerifyError(
            f"{path}: the key of the cache lies in the checkout {checkout}; set XDG_STATE_HOME to "
            f"another directory, or {KEY_VARIABLE} to a secret"
        )
    try:
        if not os.path.lexists(path):
            write_atomically(path, secrets.token_bytes(32))  # for the user alone: mode 0600
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            found = os.fstat(stream.fileno())
            secret = stream.read(64)
    except OSError:
        # Nowhere to keep one: what this process makes is good for this process.
        return secrets.token_bytes(32)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or len(secret) != 32:
        raise VerifyError(
            f"{path}: no key of 32 bytes that you alone can read; remove it (a new one is made)"
        )
    return secret


# --- Compiled programs ----------------------------------------------------------------------------


def program(name: str, inputs: Iterable[str | bytes], make: Callable[[Path], object]) -> Path:
    """A compiled program: one that was made of the same inputs, or a new one.

    It is executed, so it is taken only with a record, sealed by this user, of its whole content.

    Args:
        name: Of the file.
        inputs: Everything that it is made of: sources, compiler, options.
        make: Makes it at a path, in a directory of its own; two processes may do so at once.

    Raises:
        VerifyError: The cache cannot be written, or is refused; and what `make` raises.
    """
    total = hashlib.sha256()
    for part in (name, *inputs):
        data = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    place = directory() / "native" / total.hexdigest()
    file, record = place / name, place / "record.json"
    if _recorded(file, record):
        touch(place)
        return file
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=place.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            make(made / name)
            write(made / record.name, sha256_of(made / name), record)
            _put(made, place, lambda: _recorded(file, record))
    except OSError as error:
        raise unwritable(error, place) from None
    return file


def _recorded(file: Path, record: Path) -> bool:
    try:
        return file.is_file() and read(record) == sha256_of(file)
    except OSError:
        return False


def _put(made: Path, place: Path, good: Callable[[], bool]) -> None:
    """Move a directory to its place, unless another process has put a good one there."""
    for _ in range(10):
        try:
            made.rename(place)
            return
        except OSError:
            if good():
                return
            # Damaged, or planted: out of the way, in one step.
            aside = Path(tempfile.mkdtemp(prefix=".build-", dir=place.parent))
            with contextlib.suppress(OSError):
                place.rename(aside / "old")
            shutil.rmtree(aside, ignore_errors=True)
    made.rename(place)


# --- What is kept ---------------------------------------------------------------------------------

_DAY: Final = 24 * 3600.0
_RECENT: Final = 3600.0
"""Seconds in which an entry counts as in use, by whatever process."""

UNUSED: Final = 30 * _DAY
"""Seconds after which an entry that nobody used is removed."""

MOST: Final = 2 * 10**9
"""Bytes that are kept; beyond them, what was used longest ago is removed first."""

_ENTRIES: Final = {
    # Nothing but what has the form of an entry is ever removed.
    "index": r"[0-9a-f]{64}\.json",
    "objects": r"[0-9a-f]{64}\.olean",
    "audits": r"[0-9a-f]{64}\.json",
    "accepted": r"[0-9a-f]{64}\.json",
    "core": r"[0-9a-f]{64}(\.lock)?",
    "gate": r"[0-9a-f]{64}\.(json|lock)",
    "native": r"[0-9a-f]{64}",
    "lake": r"[a-z]+",
}
_LEFT: Final = re.compile(r"\.((build|check)-\w+|[0-9a-f]{64}\..*)")
"""What a process that was killed leaves behind."""
_FORMER: Final = {
    # Of earlier versions of this program; nothing reads them.
    "explore": r"engine-[0-9a-f]{24}",
    "native": r"(cuda-)?[0-9a-f]{32}",
}


def _prune_daily(cache: Path) -> None:
    stamp = cache / "pruned"
    now = time.time()
    if not stamp.exists() or now - stamp.stat().st_mtime > _DAY:
        stamp.touch()
        prune(cache, now)


def prune(cache: Path, now: float, most: int = MOST) -> int:
    """Remove what was not used for a month, and what is too much.

    Args:
        cache: The directory.
        now: Seconds since the epoch.
        most: Bytes that may stay.

    Returns:
        How many entries were removed.  One that is needed again is made again.
    """
    for path in _matching(cache, _FORMER):
        _remove(path)
    for folder in (cache, *(cache / part for part in _ENTRIES)):
        for path in _listed(folder):
            with contextlib.suppress(OSError):
                if _LEFT.fullmatch(path.name) and now - path.stat().st_mtime > _DAY:
                    _remove(path)
    entries = []
    for path in _matching(cache, _ENTRIES):
        with contextlib.suppress(OSError):  # gone already
            entries.append((path.stat().st_mtime, _size(path), path))
    total = sum(size for _, size, _ in entries)
    removed = 0
    for used, size, path in sorted(entries):
        if now - used > UNUSED or (total > most and now - used > _RECENT):
            _remove(path)
            total -= size
            removed += 1
    return removed


def _matching(cache: Path, forms: dict[str, str]) -> Iterator[Path]:
    for part, form in forms.items():
        yield from (p for p in _listed(cache / part) if re.fullmatch(form, p.name))


def _listed(folder: Path) -> list[Path]:
    if folder.is_symlink():
        return []  # an archive that was restored may hold links; what they name is not the cache's
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.lstat().st_size for file in files if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
