"""The guard for macOS, cross-compiled from Linux, and wheels that carry it.

    python -m verify.macos DIR --metal-cpp PATH --wheels

writes, for arm64 and x86_64, the guard's library, the Metal driver of `verify stress` and a wheel
with both that needs no compiler where it is installed.  It needs PyPI's `ziglang`, a C++ compiler
with macOS headers; for the Metal driver metal-cpp, which PyPI's `mlx-metal` carries for macOS
(`pip download --no-deps --only-binary=:all: --platform macosx_14_0_arm64 mlx-metal`); and for the
wheels a checkout.  What comes out has been compiled and linked, never run by us.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from verify import cxx, native, resources
from verify import spec as specs
from verify.children import tied
from verify.errors import EngineMissing, VerifyError

ARCHITECTURES = {"aarch64": "macosx_11_0_arm64", "x86_64": "macosx_11_0_x86_64"}
"""By the compiler's name, the platform tag of wheels: the first macOS that ran on arm64."""

_MACOS = "11.0"
_SECONDS = 900


def build(
    target: native.Target, architecture: str, spec: specs.Spec, output: Path,
    metal_cpp: Path | None = None,
) -> Path:  # fmt: skip
    """Cross-compile a target.

    Args:
        target: `native.GUARD` or `native.METAL`.
        architecture: One of `ARCHITECTURES`.
        spec: Its strategies become the table.
        output: The file to write.
        metal_cpp: The directory that has `Metal/Metal.hpp`; needed for `native.METAL`.

    Raises:
        EngineMissing: `ziglang` or metal-cpp is not there.
        VerifyError: It does not compile, or the file cannot be written.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise EngineMissing("ziglang is not installed: pip install ziglang")
    found = metal_cpp is not None and (metal_cpp / "Metal" / "Metal.hpp").is_file()
    if target is native.METAL and not found:
        raise EngineMissing(
            "metal-cpp is missing: name the directory with Metal/Metal.hpp by --metal-cpp"
        )
    zig = (sys.executable, "-m", "ziglang", "c++", "-target", f"{architecture}-macos.{_MACOS}")
    # Asked for its version it leaves a file; the first time it builds its C++ library as well.
    compiler = cxx.Compiler(zig, importlib.metadata.version("ziglang"), seconds=_SECONDS)
    sources, options, libraries = target.sources, target.options, ["objc/libobjc.tbd"]
    if metal_cpp is not None:
        target = native.with_metal(target, metal_cpp)
        # metal-cpp's constants are weak imports: without an SDK only the loader knows which exist.
        libraries += ["-Wl,-undefined,dynamic_lookup"]
    if target.shared:
        # Without local symbols, which would name the files of this machine.
        libraries += ["-s", f"-Wl,-install_name,@rpath/{output.name}"]
        options = (*options, "-fvisibility-global-new-delete=force-hidden")
        sources = (*sources, "capi/allocation.cpp")
    made = replace(
        target, name=output.name, sources=sources, options=options, libraries=tuple(libraries)
    )
    built = native.build(made, spec, found=compiler)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, output)
    except OSError as error:
        raise VerifyError(
            f"{output}: {error.strerror or error}; name another directory, or make room"
        ) from None
    return output


def wheel(guard: Path, architecture: str, directory: Path, metal: Path | None = None) -> Path:
    """Build a wheel of the checkout that carries a library (see `hatch_build.py`).

    Args:
        guard: The library, built for the architecture.
        architecture: One of `ARCHITECTURES`.
        directory: Where the wheel goes.
        metal: The program `mpsv_metal` for the same architecture; None leaves it out.

    Raises:
        VerifyError: This is no checkout, or the wheel cannot be built.
    """
    root = resources.root()
    if not (root / "pyproject.toml").is_file():
        raise VerifyError("wheels are built from a checkout; this is an installed package")
    platform = ARCHITECTURES[architecture]
    variables = {"MPSV_GUARD_DYLIB": str(guard.resolve()), "MPSV_GUARD_PLATFORM": platform}
    # Also when it is left out: this process may have been given one.
    variables["MPSV_METAL_PROGRAM"] = "" if metal is None else str(metal.resolve())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", str(root)]
    _run([*command, "--wheel-dir", str(directory)], "no wheel was built", variables)
    return max(directory.glob(f"*-{platform}.whl"), key=lambda path: path.stat().st_mtime)


def _run(command: list[str], complaint: str, variables: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            tied(command), capture_output=True, text=True, errors="replace", timeout=_SECONDS,
            check=False, env={**os.environ, **(variables or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise VerifyError(
            f"{complaint}: no end after {_SECONDS} s; try on an idle machine"
        ) from None
    if done.returncode != 0:
        lines = [x for x in done.stderr.splitlines() if "error" in x.lower()] or ["no message"]
        raise VerifyError(f"{complaint}: {lines[0].strip()}")


def main(arguments: list[str] | None = None) -> int:
    """Write everything for both architectures; the exit code of the command."""
    summary = "The guard for macOS, cross-compiled: libraries, the Metal driver and wheels."
    parser = argparse.ArgumentParser(prog="python -m verify.macos", description=summary)
    parser.add_argument("directory", type=Path, help="where everything is written")
    parser.add_argument(
        "--metal-cpp", type=Path, metavar="PATH", help="has Metal/Metal.hpp: the Metal driver, too"
    )
    parser.add_argument("--wheels", action="store_true", help="wheels, too")
    options = parser.parse_args(arguments)
    spec = specs.load()
    try:
        for architecture in ARCHITECTURES:
            directory = options.directory / architecture
            guard = build(native.GUARD, architecture, spec, directory / "libmpsv_guard.dylib")
            sys.stdout.write(f"{guard}\n")
            metal = None
            if options.metal_cpp is not None:
                metal = directory / "mpsv_metal"
                build(native.METAL, architecture, spec, metal, options.metal_cpp)
                sys.stdout.write(f"{metal}\n")
            if options.wheels:
                sys.stdout.write(f"{wheel(guard, architecture, options.directory, metal)}\n")
    except VerifyError as error:
        sys.stderr.write(f"verify.macos: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
