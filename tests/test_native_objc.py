"""The interposed guard on Objective-C classes, and the audit of what it intercepts."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from conftest import type_of_run

from verify import audit_selectors, native, resources, spec
from verify.errors import EngineMissing, VerifyError
from verify.verdict import Verdict

pytest_plugins = ["mac_fixtures"]

SPEC = spec.load()
TABLE = resources.root() / "native" / audit_selectors.TABLE


@pytest.fixture(scope="module")
def executable() -> Path:
    try:
        return native.build(native.OBJC, SPEC)
    except EngineMissing as missing:
        pytest.skip(str(missing))


def _run(executable: Path, **arguments: object) -> dict[str, Any]:
    words = [f"{name}={value}" for name, value in arguments.items()]
    done = subprocess.run(
        [executable, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found["faults"] = {fault: n for fault, n in found["faults"].items() if n}
    return dict(found)


@pytest.mark.parametrize("strategy", SPEC.strategies, ids=lambda s: s.name)
def test_message_sends_go_through_the_guard(executable: Path, strategy: spec.Strategy) -> None:
    found = _run(executable, strategy=strategy.name, operations=11_000)
    assert found["operations"] == 44_000
    assert found["calls"] > 44_000  # nested ones count
    if strategy.claims.safe:
        assert found["faults"] == {}
        assert found["skipped"] > 0
    elif strategy.claims.fault in ("nullDeref", "encoderOverlap"):
        assert strategy.claims.fault in found["faults"]


def test_the_control_arm_is_not_empty(executable: Path) -> None:
    found = _run(executable, guarded=0, operations=11_000)
    assert found["intercepted"] == 0
    assert found["faults"]["nullDeref"] > 0


@pytest.mark.parametrize("strategy", ["perEncoder", "rwLock", "lockFree"])
def test_teardowns_in_handlers_are_completions(executable: Path, strategy: str) -> None:
    """What a handler ends is of the kind `complete`, whether it is the driver's or a client's.

    The driver's own calls destroyImpl; a client's is a block that calls endEncoding, and
    destroyImpl inside.  lockFree holds no lock by which a nested call could be told.
    """
    found = _run(executable, strategy=strategy, operations=11_000)
    assert found["in_blocks"] > 100
    assert found["handlers"] > 100
    assert found["completes"] == found["handlers"] + 2 * found["in_blocks"]
    assert found["live_blocks"] == 0
    assert found["wrappers"] == 1


@pytest.mark.slow
def test_an_unwrapped_handler_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    table = source / audit_selectors.TABLE
    text = table.read_text(encoding="utf-8")
    planted = text.replace('"addCompletedHandler:", handler', '"addCompletedHandler:", pass')
    assert planted != text
    table.write_text(planted, encoding="utf-8")
    executable = native.build(native.OBJC, SPEC, source)
    found = _run(executable, strategy="perEncoder", operations=11_000)
    assert found["completes"] == found["handlers"]


def test_installing_twice_changes_nothing(executable: Path) -> None:
    found = _run(executable, strategy="perEncoder", operations=100)
    assert found["intercepted"] > 10
    assert found["again"] == 0


def test_locks_go_with_their_objects(executable: Path) -> None:
    found = _run(executable, strategy="perEncoder", operations=11_000)
    # Three encoders are alive at the end, and three command buffers.
    assert found["entries"] <= 6


def test_every_method_of_the_fake_driver_is_intercepted(executable: Path) -> None:
    findings = audit_selectors.audit(SPEC)
    assert audit_selectors.verdict_of(findings) is Verdict.PASSED
    classes = {finding.class_name for finding in findings}
    assert classes == {
        "AGXFakeBlitContext",
        "AGXFakeCommandBuffer",
        "AGXFakeComputeContext",
        "AGXFakeDebugComputeContext",
    }
    intercepted = {f.selector for f in findings if f.state == "intercepted"}
    assert {"endEncoding", "destroyImpl", "dealloc", "commit", "waitUntilCompleted"} <= intercepted


@pytest.mark.parametrize(
    ("selector", "change", "why"),
    [
        ("setBuffer:offset:atIndex:", "", "not in the table"),
        ("fillBuffer:range:value:", "float", "signature"),
        ("destroyImpl", "", ""),
    ],
)
def test_a_selector_missing_from_the_table_is_found(
    executable: Path, tmp_path: Path, selector: str, change: str, why: str
) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    table = source / audit_selectors.TABLE
    if selector == "destroyImpl":
        table = source / "objc" / "interpose.cpp"
    lines = table.read_text(encoding="utf-8").splitlines()
    number = next(i for i, line in enumerate(lines) if f'"{selector}"' in line)
    lines[number] = lines[number].replace("std::uint8_t", change) if change else ""
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    findings = audit_selectors.audit(SPEC, source)
    assert audit_selectors.verdict_of(findings) is Verdict.REFUTED
    missed = [f for f in findings if f.state == "not intercepted"]
    assert {f.selector for f in missed} == {selector}
    assert all(why in f.why for f in missed)


def test_no_class_found_is_undetermined() -> None:
    assert audit_selectors.verdict_of([]) is Verdict.UNDETERMINED


def test_the_command_says_it(verify: type_of_run, executable: Path) -> None:
    assert executable.is_file()
    done = verify("audit", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["classes"]["AGXFakeComputeContext"]["not intercepted"] == 0
    done = verify("audit", CXX="no-such-compiler")
    assert done.returncode == 2


# --- The guard as a library -------------------------------------------------------------------


@pytest.fixture(scope="module")
def guard_library(executable: Path) -> Path:
    assert executable.is_file()  # the same compiler and runtime
    return native.build(native.GUARD, SPEC)


@pytest.mark.parametrize(
    ("environment", "strategy", "result", "message"),
    [
        ({}, "b'perEncoder'", 0, ""),
        ({}, "None", 0, ""),
        ({"MPSV_GUARD_STRATEGY": "rwLock", "MPSV_GUARD_VERBOSE": "1"}, "None", 0, "rwLock"),
        ({"MPSV_GUARD_VERBOSE": "1"}, "None", 0, "perEncoder, 0 methods"),
        ({"MPSV_GUARD_DISABLE": "1"}, "None", -2, ""),
        ({"MPSV_GUARD_STRATEGY": "nobody"}, "None", -1, "unknown strategy 'nobody'"),
    ],
)
def test_ctypes_installs_the_guard(
    guard_library: Path, environment: dict[str, str], strategy: str, result: int, message: str
) -> None:
    """In a process without driver classes: late installation must not fail there."""
    code = (
        "import ctypes, sys\n"
        f"guard = ctypes.CDLL({str(guard_library)!r})\n"
        "guard.mpsv_guard_install.restype = ctypes.c_int64\n"
        f"print(guard.mpsv_guard_install({strategy}))\n"
        "statistics = (ctypes.c_uint64 * 14)()\n"
        "guard.mpsv_guard_statistics(statistics)\n"
        "print(sum(statistics))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert done.stdout.split() == [str(result), "0"]
    assert message in done.stderr
    assert message or not done.stderr


def test_assertion_mode_aborts_on_an_unguarded_call(guard_library: Path) -> None:
    code = (
        "import ctypes\n"
        f"guard = ctypes.CDLL({str(guard_library)!r})\n"
        "guard.mpsv_guard_install(None)\n"
        "guard.mpsv_guard_require(1, ctypes.c_void_p(4096))\n"
    )
    for mode, expected in (("1", -signal.SIGABRT), ("0", 0)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "MPSV_GUARD_ASSERT": mode},
        )
        assert done.returncode == expected
        assert ("unguarded call" in done.stderr) == (mode == "1")


def test_python_installs_the_guard(guard_library: Path) -> None:
    assert guard_library.is_file()
    code = (
        "from verify import guard\n"
        "print(guard.install('rwLock'), guard.install(), sum(guard.statistics().values()))\n"
        "guard.install('nobody')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", "0", "0"]
    assert "the guard knows no strategy 'nobody'; use one of noSync, globalMutex" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "verify.guard"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{guard_library}\n"


# --- The table ---------------------------------------------------------------------------------


def test_the_table_covers_the_encoders() -> None:
    text = TABLE.read_text(encoding="utf-8")
    rows = re.findall(r'MPSV_SELECTOR\((\w+), "([^"]+)", (\w+), ', text)
    assert len(rows) == len(set(rows)) > 100
    roles = {(protocol, selector): role for protocol, selector, role in rows}
    assert roles["CommandEncoder", "endEncoding"] == "destroy"
    assert roles["ComputeCommandEncoder", "setBytes:length:atIndex:"] == "encode"
    assert roles["BlitCommandEncoder", "synchronizeResource:"] == "encode"
    assert roles["CommandBuffer", "computeCommandEncoderWithDispatchType:"] == "create"
    assert roles["CommandBuffer", "waitUntilCompleted"] == "wait"
    for (protocol, selector), role in roles.items():
        assert role == audit_selectors.role_of(protocol, selector)
        assert protocol == "CommandBuffer" or role in ("encode", "destroy")


@pytest.mark.slow
def test_the_table_is_what_metal_cpp_says(metal_cpp: Path) -> None:
    rows = audit_selectors.selectors(metal_cpp / "Metal")
    assert audit_selectors.render(rows) == TABLE.read_text(encoding="utf-8")


def test_a_directory_that_is_not_metal_cpp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="metal-cpp"):
        audit_selectors.selectors(tmp_path)


SHAPES = """\
#include <cstdio>
#include "objc/encoding.hpp"
int main() {
    using namespace mpsverify::objc;
    const char* const encodings[] = {
        "v16@0:8", "v40@0:8@16Q24Q32", "v64@0:8{?=QQQ}16{?=QQQ}40", "v@:{?={?=QQQ}{?=QQQ}}",
        "v@:r^@{_NSRange=QQ}C", "@24@0:8@?16", "v@:@ffQ", "B16@0:8", "v@:^{CGRect={P=dd}}",
        "v@:@\\"<MTLBuffer>\\"Q", "v@:[4I]i",
    };
    for (const char* encoding : encodings) std::puts(shape_of_encoding(encoding).c_str());
    std::puts((shape_of<void, Pointer, UInteger, UInteger>()).c_str());
    std::puts((shape_of<void, Size, Size>()).c_str());
    std::puts((shape_of<bool>()).c_str());
}
"""


def test_signatures_are_compared_by_what_is_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "cache"))
    main = tmp_path / "main.cpp"
    main.write_text(SHAPES, encoding="utf-8")
    program = native.build(native.Target("shapes", (str(main), "objc/encoding.cpp")), SPEC)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [
        "vpp", "vppp88", "vpp{888}{888}", "vpp{{888}{888}}", "vppp{88}1", "pppp", "vpppff8", "1pp",
        "vppp", "vppp8", "vppp4", "vppp88", "vpp{888}{888}", "1pp",
    ]  # fmt: skip


@pytest.mark.slow
def test_every_signature_is_the_one_that_pyobjc_knows(
    monkeypatch: pytest.MonkeyPatch, pyobjc_metadata: Path
) -> None:
    """Two sources that were made independently: Apple's metal-cpp, and PyObjC's metadata."""
    known: dict[str, Any] = {}
    stub = MagicMock()
    stub.arch = "arm64"
    stub.registerMetaDataForSelector = lambda _, name, data: known.update({name.decode(): data})
    monkeypatch.setitem(sys.modules, "objc", stub)
    runpy.run_path(str(pyobjc_metadata))
    pattern = re.compile(r'MPSV_SELECTOR\(\w+, "([^"]+)", \w+, ([^)]*)\)')
    rows = pattern.findall(TABLE.read_text(encoding="utf-8"))
    assert len(rows) > 100
    for selector, types in rows:
        data = known[selector]
        result = data.get("retval", {}).get("type", b"@")
        given = data.get("arguments", {})
        arguments = [given.get(i + 2, {}).get("type", b"@") for i in range(selector.count(":"))]
        theirs = [_passed(encoding) for encoding in (result, *arguments)]
        assert [_PASSED[word] for word in types.split(", ")] == theirs, selector


_PASSED = {
    "void": "v", "Pointer": "p", "UInteger": "8", "Integer": "8", "bool": "1", "float": "f",
    "double": "d", "std::uint8_t": "1", "std::uint32_t": "4", "std::uint64_t": "8",
    "Range": "{88}", "Size": "{888}", "Origin": "{888}", "Region": "{{888}{888}}",
}  # fmt: skip


def _passed(encoding: bytes | str) -> str:
    """How a value of a type encoding is passed: size of an integer, p, f, d, or a structure."""
    text = encoding.decode() if isinstance(encoding, bytes) else encoding
    text = text.lstrip("rnNoORV")
    if text[0] in "@#:*^":
        return "p"
    if text[0] == "{":
        return re.sub(r"\{[^={}]*=", "{", text).translate(str.maketrans("Qq", "88"))
    sizes = {**dict.fromkeys("Qq", "8"), **dict.fromkeys("Ii", "4"), **dict.fromkeys("CczZBt", "1")}
    return sizes.get(text[0], text[0])
