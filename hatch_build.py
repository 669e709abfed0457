"""Puts what was built for macOS into a wheel: the guard, and the Metal driver (`verify.macos`).

Without these variables a wheel is the same for every platform, and the guard is compiled on first
use:

* `MPSV_GUARD_DYLIB`: the built library;
* `MPSV_METAL_PROGRAM`: the Metal driver of `verify stress`, if that goes into the wheel as well;
* `MPSV_GUARD_PLATFORM`: the platform tag that says where it runs, such as `macosx_11_0_arm64`.
"""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GuardHook(BuildHookInterface):
    """Adds the library, and the Metal driver beside it, below `verify/_data/lib`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """What hatchling calls before a wheel is built."""
        library = os.environ.get("MPSV_GUARD_DYLIB")
        if library:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{os.environ['MPSV_GUARD_PLATFORM']}"
            build_data["force_include"][library] = "verify/_data/lib/libmpsv_guard.dylib"
            metal = os.environ.get("MPSV_METAL_PROGRAM")
            if metal:
                build_data["force_include"][metal] = "verify/_data/lib/mpsv_metal"
