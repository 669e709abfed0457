"""The guard and the Metal driver for macOS, cross-compiled from Linux.

`python -m verify.macos DIR` writes them for both architectures.  It needs PyPI's `ziglang`, a C++
compiler with macOS headers, and for the Metal driver metal-cpp, which PyPI's `mlx-metal` carries
for macOS (`pip download --no-deps --platform macosx_14_0_arm64 --only-binary=:all: mlx-metal`).
What comes out has been compiled and linked, never run by us.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from verify import native, resources
from verify import spec as specs
from verify.errors import EngineMissing, VerifyError

ARCHITECTURES = ("aarch64", "x86_64")
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
    source = resources.root() / "native"
    found = metal_cpp is not None and (metal_cpp / "Metal" / "Metal.hpp").is_file()
    if target is native.METAL and not found:
        raise EngineMissing(
            "metal-cpp is missing: name the directory with Metal/Metal.hpp by --metal-cpp"
        )
    command = [sys.executable, "-m", "ziglang", "c++", "-target", f"{architecture}-macos"]
    command += ["-std=c++17", "-O2", *native.WARNINGS, "-fvisibility=hidden", f"-I{source}"]
    if metal_cpp is not None:
        command += ["-isystem", str(metal_cpp), "-isystem", str(source / "drivers/metal/stubs")]
        # metal-cpp's constants are weak imports: without an SDK only the loader knows which exist.
        command += ["-Wl,-undefined,dynamic_lookup"]
    command += ["-shared"] if target.shared else []
    command += [str(source / name) for name in target.sources]
    command += [str(source / "objc" / "libobjc.tbd"), "-o", str(output)]
    with tempfile.TemporaryDirectory() as scratch:
        header = Path(scratch) / "strategies.hpp"
        header.write_text(native.strategies_header(spec), encoding="utf-8")
        output.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*command, f"-I{scratch}"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        lines = [x for x in done.stderr.splitlines() if "error" in x] or ["no message"]
        raise VerifyError(f"{output.name} does not compile for {architecture}: {lines[0]}")
    return output


def main(arguments: list[str] | None = None) -> int:
    """Write everything for both architectures; the exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m verify.macos", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--metal-cpp", type=Path)
    options = parser.parse_args(arguments)
    spec = specs.load()
    try:
        for architecture in ARCHITECTURES:
            directory = options.directory / architecture
            guard = directory / "libmpsv_guard.dylib"
            sys.stdout.write(f"{build(native.GUARD, architecture, spec, guard)}\n")
            if options.metal_cpp is not None:
                metal = directory / "mpsv_metal"
                build(native.METAL, architecture, spec, metal, options.metal_cpp)
                sys.stdout.write(f"{metal}\n")
    except VerifyError as error:
        sys.stderr.write(f"verify.macos: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
