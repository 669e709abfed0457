"""The native guard, its scheduler and its harness: built on first use, bound with ctypes.

The targets are described here and nowhere else; `verify.cxx` builds them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from verify import cxx, resources
from verify.spec import KINDS, Spec

CORE = ("core/guard.cpp", "core/lock.cpp", "core/lock_table.cpp", "core/thread.cpp")
_OBJC = ("objc/block.cpp", "objc/encoding.cpp", "objc/interpose.cpp")
_FAKE = ("drivers/fake/fake_driver.cpp",)


@dataclass(frozen=True)
class Target:
    """Something to build from `native/`.

    Attributes:
        name: Of the file that is made.
        sources: Relative to `native/`.
        options: For compiling and linking, beyond the common ones.
        libraries: For linking, after the objects.
        shared: Whether it is a shared library.
        system: Directories of other people's headers.
    """

    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    shared: bool = False
    system: tuple[str, ...] = ()


LIBRARY = Target(
    "libmpsv.dylib" if sys.platform == "darwin" else "libmpsv.so",
    (
        *CORE,
        *_FAKE,
        "sched/fiber.cpp",
        "sched/session.cpp",
        "sched/schedule.cpp",
        "sched/explorer.cpp",
        "sched/graph.cpp",
        "capi/mpsv.cpp",
    ),
    shared=True,
)
"""The guard under the deterministic scheduler, for ctypes."""

STRESS = Target(
    "mpsv_stress",
    (*CORE, *_FAKE, "runs/free_run.cpp", "runs/record.cpp", "mains/stress.cpp"),
)
"""The free-running harness."""

STRESS_TSAN = Target("mpsv_stress_tsan", STRESS.sources, ("-O1", "-g", "-fsanitize=thread"))
"""The same under ThreadSanitizer, in a process of its own."""

OBJC = Target(
    "mpsv_objc",
    (
        *CORE,
        *_FAKE,
        *_OBJC,
        "drivers/fake_objc/agx_fake.mm",
        "drivers/fake_objc/blocks.cpp",
        "mains/objc.mm",
    ),
    libraries=("-lobjc",),
)
"""The interposed guard on the fake driver's Objective-C classes, and its audit."""

_GUARD = (*CORE, *_OBJC, "capi/guard.cpp")

GUARD = Target(
    "libmpsv_guard.dylib" if sys.platform == "darwin" else "libmpsv_guard.so",
    _GUARD,
    libraries=("-lobjc",),
    shared=True,
)
"""The guard for programs that use Metal, by insertion or with `native/capi/guard.h`."""

METAL = Target("mpsv_metal", (*_GUARD, "mains/metal.cpp"), libraries=("-lobjc",))
"""The guard on Metal itself (macOS, with metal-cpp; see `verify.macos`)."""

VULKAN = Target("mpsv_vulkan", (*CORE, "mains/vulkan.cpp"), libraries=("-lvulkan",))
"""The guard on Vulkan's command buffers, judged by the validation layer."""


def with_metal(target: Target, metal_cpp: Path) -> Target:
    """A target that includes metal-cpp, whose directory has `Metal/Metal.hpp`."""
    stubs = resources.root() / "native" / "objc" / "metal_stubs"
    return replace(target, system=(str(metal_cpp), str(stubs)))


def strategies_header(spec: Spec) -> str:
    """The native strategy table, `strategies.hpp`.

    Args:
        spec: Its strategies are the table, in its order.
    """
    rows = []
    for strategy in spec.strategies:
        locks = []
        for kind in KINDS:
            requests = strategy.scheme.locks[kind]
            words = ", ".join(f"{{Scope::{r.scope}, Mode::{r.mode}}}" for r in requests)
            locks.append(f"        /* {kind} */ {{{len(requests)}, {{{words}}}}},")
        check = "true" if strategy.scheme.check else "false"
        rows += [f'    {{"{strategy.name}", {{{check}, {{', *locks, "    }}},"]
    table = "\n".join(rows)
    return f"""\
// Generated from the spec by verify.native; do not edit.
#pragma once

#include "core/scheme.hpp"

namespace mpsverify {{

inline constexpr Strategy kStrategies[] = {{
{table}
}};

}}  // namespace mpsverify
"""


def build(
    target: Target, spec: Spec, source: Path | None = None, found: cxx.Compiler | None = None
) -> Path:
    """Build a target, or find it built.

    Args:
        target: What to build.
        spec: Its strategies become the table.
        source: A directory like `native/`; None for the shipped one.
        found: The compiler; None for that of this machine.

    Returns:
        The file, in the user's cache.

    Raises:
        EngineMissing: There is no compiler, or it cannot do what the target needs.
        VerifyError: The sources do not compile, or the cache cannot be written.
    """
    tree = cxx.Tree(
        source or resources.root() / "native",
        {"strategies.hpp": strategies_header(spec)},
        target.system,
    )
    return cxx.build(
        target.name,
        target.sources,
        tree,
        options=target.options,
        linking=(*(["-shared"] if target.shared else []), *target.libraries),
        found=found,
    )
