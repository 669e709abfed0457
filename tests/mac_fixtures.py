"""Packages for macOS that slow tests look into: downloaded once, or named by the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from verify import cache

# Apple's metal-cpp is in no package of its own; mlx-metal's wheel for macOS has it.
METAL_CPP = "mlx-metal==0.32.4"
# PyObjC's metadata, which knows each selector's type encoding.
PYOBJC = "pyobjc-framework-Metal==12.2.2"
PLATFORMS = ("macosx_14_0_arm64", "macosx_10_13_universal2")


def _download(requirement: str) -> Path:
    """The contents of a macOS wheel."""
    directory = cache.directory() / "test-downloads" / requirement
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        if directory.is_dir():
            return directory
        scratch = directory.with_name(f".{directory.name}")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", "3.12", "--dest", str(scratch)]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        done = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
        wheels = list(scratch.glob("*.whl"))
        if done.returncode != 0 or not wheels:
            pytest.fail(f"{requirement} cannot be downloaded: {done.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheels[0]) as archive:
            archive.extractall(scratch)
        wheels[0].unlink()
        scratch.rename(directory)
    return directory


@pytest.fixture(scope="session")
def metal_cpp() -> Path:
    """The directory that has `Metal/Metal.hpp`; `$METAL_CPP` names another one."""
    if given := os.environ.get("METAL_CPP"):
        return Path(given)
    (header,) = _download(METAL_CPP).rglob("Metal/Metal.hpp")
    return header.parent.parent


@pytest.fixture(scope="session")
def pyobjc_metadata() -> Path:
    """PyObjC's `Metal/_metadata.py`; `$PYOBJC_METAL` names another one."""
    if given := os.environ.get("PYOBJC_METAL"):
        return Path(given)
    (file,) = _download(PYOBJC).rglob("Metal/_metadata.py")
    return file
