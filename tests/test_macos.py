"""What is built for macOS: looked into here, never run here."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from verify import guard, macos, native, resources, spec
from verify.errors import EngineMissing, VerifyError

pytest_plugins = ["mac_fixtures"]

SPEC = spec.load()
CPU_TYPES = {"aarch64": 0x0100000C, "x86_64": 0x01000007}
SHIPPED = "verify/_data/lib/libmpsv_guard.dylib"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, metal_cpp: Path) -> Path:
    """Everything, as the command writes it."""
    directory = tmp_path_factory.mktemp("macos")
    command = [sys.executable, "-m", "verify.macos", str(directory), "--wheels"]
    done = subprocess.run(
        [*command, "--metal-cpp", str(metal_cpp)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert len(written) == 6
    assert all(path.is_file() for path in written)
    return directory


def _macholib(module: str) -> Any:
    """A module of macholib, which has no types and comes with the extra `full` only."""
    return importlib.import_module(f"macholib.{module}")


def _commands(path: Path) -> dict[int, Any]:
    """The load commands of a Mach-O file by number, with its CPU and file type as 0 and -1."""
    (header,) = _macholib("MachO").MachO(str(path)).headers
    found: dict[int, Any] = {load.cmd: command for load, command, _ in header.commands}
    return {**found, 0: header.header.cputype, -1: header.header.filetype}


def _exports(path: Path) -> set[str]:
    table = _macholib("SymbolTable").SymbolTable(_macholib("MachO").MachO(str(path)))
    if table.extdefsyms:
        return {name.decode() for _, name in table.extdefsyms}
    external, kind, undefined = 0x01, 0x0E, 0x00  # of n_type, <mach-o/nlist.h>
    return {
        name.decode()
        for entry, name in table.nlists
        if entry.n_type & external and entry.n_type & kind != undefined
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("architecture", macos.ARCHITECTURES)
def test_the_library_is_one_that_a_mac_can_load(built: Path, architecture: str) -> None:
    mach_o = _macholib("mach_o")
    path = built / architecture / "libmpsv_guard.dylib"
    commands = _commands(path)
    assert commands[0] == CPU_TYPES[architecture]
    assert commands[-1] == mach_o.MH_DYLIB
    # A Mac with Apple's processors loads nothing that is not signed, be it ad hoc.
    assert mach_o.LC_CODE_SIGNATURE in commands or architecture == "x86_64"
    version = commands[mach_o.LC_BUILD_VERSION]
    assert version.minos == 11 << 16
    functions = {"install", "require", "statistics", "audit"}
    # Neither the C++ library that is linked in, nor its operator new: only the linker's own names.
    exported = _exports(path) - {"___dso_handle", "__mh_dylib_header"}
    assert exported == {f"_mpsv_guard_{name}" for name in functions}
    assert b"/tmp/" not in path.read_bytes()
    assert str(resources.root()).encode() not in path.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("architecture", macos.ARCHITECTURES)
def test_the_metal_driver_is_linked(built: Path, architecture: str) -> None:
    mach_o = _macholib("mach_o")
    commands = _commands(built / architecture / "mpsv_metal")
    assert commands[0] == CPU_TYPES[architecture]
    assert commands[-1] == mach_o.MH_EXECUTE


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("architecture", macos.ARCHITECTURES)
def test_the_wheel_carries_the_library(built: Path, architecture: str, tmp_path: Path) -> None:
    platform = macos.ARCHITECTURES[architecture]
    (wheel,) = built.glob(f"*-py3-none-{platform}.whl")
    library = (built / architecture / "libmpsv_guard.dylib").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(SHIPPED) == library
        (info,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        lines = archive.read(info).decode().splitlines()
        record = archive.read(info.replace("WHEEL", "RECORD")).decode()
    assert f"Tag: py3-none-{platform}" in lines
    assert "Root-Is-Purelib: false" in lines
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(record))}
    digest = base64.urlsafe_b64encode(hashlib.sha256(library).digest()).rstrip(b"=").decode()
    assert rows[SHIPPED] == [f"sha256={digest}", str(len(library))]
    # pip takes it for a newer Mac of this kind, and for no other machine.
    for target, code in ((platform.replace("11_0", "14_0"), 0), ("manylinux_2_28_x86_64", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
             "--platform", target, "--target", tmp_path / target, wheel],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert (tmp_path / target / SHIPPED).is_file() == (code == 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_another_wheel_carries_no_library(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(resources.root())], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert SHIPPED not in names
    assert "verify/_data/native/objc/libobjc.tbd" in names


def test_without_ziglang_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert macos.main([str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_metal_needs_metal_cpp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(EngineMissing, match="--metal-cpp"):
        macos.build(native.METAL, "aarch64", SPEC, tmp_path / "mpsv_metal", tmp_path)


def test_a_shipped_library_is_preferred_on_a_mac(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = tmp_path / "lib" / "libmpsv_guard.dylib"
    shipped.parent.mkdir()
    shipped.write_bytes(b"")
    monkeypatch.setattr(resources, "root", lambda: tmp_path)
    monkeypatch.setattr(native, "build", lambda *_: Path("built"))
    monkeypatch.setattr(spec, "load", lambda: SPEC)
    assert guard.library_path() == Path("built")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert guard.library_path() == shipped
    with pytest.raises(VerifyError, match="cannot be loaded"):
        guard.install()
