"""The guard in this process: for programs that use Metal through Python.

    from verify import guard
    guard.install("perEncoder")

puts the guard between callers and the driver's Objective-C classes.  To have it in a process from
the start, insert the library instead; `python -m verify.guard` prints where it is:

    DYLD_INSERT_LIBRARIES="$(python -m verify.guard)" python train.py
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from verify import native, resources
from verify import spec as specs
from verify.errors import VerifyError

STATISTICS = (
    "calls", "acquisitions", "contentions", "parks", "nested", "skipped", "waits", "timeouts",
    "entries", "allocated", "creates", "encodes", "destroys", "completes",
)  # fmt: skip
"""The fields of `mpsv_guard_statistics_t`, in order."""

_DISABLED = -2
_loaded: dict[Path, ctypes.CDLL] = {}


def library_path() -> Path:
    """The guard's library: the one that came with a macOS wheel, or one that is built now.

    Raises:
        EngineMissing: There is none and no compiler to build it.
        VerifyError: It does not compile.
    """
    shipped = resources.root() / "lib" / "libmpsv_guard.dylib"
    if sys.platform == "darwin" and shipped.is_file():
        return shipped
    return native.build(native.GUARD, specs.load())


def install(strategy: str | None = None) -> int | None:
    """Install the guard, or extend it to classes that were loaded since.

    Args:
        strategy: A strategy of the shipped spec; None for `MPSV_GUARD_STRATEGY`, or perEncoder.
            The first installation decides.

    Returns:
        The number of methods that were intercepted now; None if `MPSV_GUARD_DISABLE` is set.

    Raises:
        VerifyError: There is no such strategy, or the library cannot be built or loaded.
    """
    library = _library()
    library.mpsv_guard_install.restype = ctypes.c_int64
    count = library.mpsv_guard_install(None if strategy is None else strategy.encode())
    if count == _DISABLED:
        return None
    if count < 0:
        names = ", ".join(s.name for s in specs.load().strategies)
        raise VerifyError(f"the guard knows no strategy {strategy!r}; use one of {names}")
    return int(count)


def statistics() -> dict[str, int]:
    """The guard's counters, by the names of `STATISTICS`; zeros before `install`.

    Raises:
        VerifyError: The library cannot be built or loaded.
    """
    values = (ctypes.c_uint64 * len(STATISTICS))()
    _library().mpsv_guard_statistics(values)
    return dict(zip(STATISTICS, values, strict=True))


def _library() -> ctypes.CDLL:
    path = library_path()
    if path not in _loaded:
        try:
            _loaded[path] = ctypes.CDLL(str(path))
        except OSError as error:
            raise VerifyError(f"{path}: cannot be loaded: {error}; install again") from None
    return _loaded[path]


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{library_path()}\n")
    except VerifyError as problem:
        sys.stderr.write(f"verify.guard: {problem}\n")
        sys.exit(problem.exit_code)
