"""The native part: building it, the table that goes into it, and what its core promises."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from verify import cxx, native, resources, spec
from verify.errors import EngineMissing, VerifyError
from verify.library import CConfig, CEdge, CEvent, COutcome, CScheme, CState, c_scheme, load_library
from verify.spec import KINDS, MODES, SCOPES

SPEC = spec.load()
CORE_TEST = native.Target(
    "core_test",
    (*native.CORE, str(Path(__file__).parent / "native" / "core_test.cpp")),
)


def test_the_core_keeps_its_promises() -> None:
    executable = native.build(CORE_TEST, SPEC)
    done = subprocess.run([executable], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "0 failed\n", done.stdout + done.stderr
    assert done.returncode == 0


def test_the_core_has_no_data_race() -> None:
    target = replace(CORE_TEST, name="core_test_tsan", options=("-O1", "-g", "-fsanitize=thread"))
    executable = native.build(target, SPEC)
    done = subprocess.run(
        [executable],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={"TSAN_OPTIONS": "exitcode=66 detect_deadlocks=0"},
    )
    if "FATAL: ThreadSanitizer" in done.stderr:
        pytest.skip("ThreadSanitizer does not run on this kernel")
    assert "WARNING: ThreadSanitizer" not in done.stderr, done.stderr[:3000]
    assert done.stdout == "0 failed\n"


def test_the_compiled_table_is_the_spec() -> None:
    table = load_library(SPEC).strategies()
    assert list(table) == [strategy.name for strategy in SPEC.strategies]
    for strategy in SPEC.strategies:
        compiled = table[strategy.name]
        assert bool(compiled.check) == strategy.scheme.check
        for k, kind in enumerate(KINDS):
            requests = [
                (SCOPES[compiled.scope[k][i]], MODES[compiled.mode[k][i]])
                for i in range(compiled.count[k])
            ]
            assert requests == [(r.scope, r.mode) for r in strategy.scheme.locks[kind]]


def test_a_scheme_crosses_the_abi_unchanged() -> None:
    table = load_library(SPEC).strategies()
    for strategy in SPEC.strategies:
        assert bytes(c_scheme(strategy.scheme)) == bytes(table[strategy.name])


def test_the_words_are_the_vocabulary() -> None:
    from verify.rules import EVENTS, POINTS
    from verify.spec import FAULTS

    library = load_library(SPEC)
    assert library.kinds == KINDS
    assert library.faults == FAULTS
    assert set(library.points) == set(POINTS)
    assert set(library.steps) == {*EVENTS, "liveness"}


def test_structures_have_the_size_that_c_gives_them(tmp_path: Path) -> None:
    pairs = {
        "mpsv_scheme": CScheme,
        "mpsv_config": CConfig,
        "mpsv_event": CEvent,
        "mpsv_state": CState,
        "mpsv_edge": CEdge,
        "mpsv_outcome": COutcome,
    }
    lines = [f'printf("%zu\\n", sizeof({name}));' for name in pairs]
    source = tmp_path / "sizes.c"
    source.write_text(
        '#include <stdio.h>\n#include "capi/mpsv.h"\nint main(void) {' + "".join(lines) + "}",
        encoding="utf-8",
    )
    program = tmp_path / "sizes"
    include = resources.root() / "native"
    subprocess.run(
        [*cxx.compiler().command, "-x", "c", f"-I{include}", str(source), "-o", str(program)],
        check=True,
    )
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert [int(size) for size in printed] == [ctypes.sizeof(s) for s in pairs.values()]


def test_without_a_compiler_nothing_is_decided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    with pytest.raises(EngineMissing) as caught:
        load_library(SPEC)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "native").exists()


def test_sources_that_do_not_compile_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    bad = tmp_path / "bad.cpp"
    bad.write_text("int main() { return nonsense; }\n", encoding="utf-8")
    with pytest.raises(VerifyError, match="nonsense") as caught:
        native.build(native.Target("bad", (str(bad),)), SPEC)
    assert caught.value.exit_code == 3
    assert not any(path.is_file() for path in (tmp_path / "native").rglob("*"))


def test_a_changed_spec_is_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    main = tmp_path / "main.cpp"
    main.write_text(
        '#include <cstdio>\n#include "strategies.hpp"\n'
        "int main() { std::puts(mpsverify::kStrategies[0].name); }\n",
        encoding="utf-8",
    )
    target = native.Target("name", (str(main),))
    first = native.build(target, SPEC)
    assert native.build(target, SPEC) == first
    other = replace(SPEC, strategies=SPEC.strategies[1:])
    second = native.build(target, other)
    for path, name in ((first, "noSync"), (second, "globalMutex")):
        done = subprocess.run([path], capture_output=True, text=True, check=True)
        assert done.stdout == f"{name}\n"


def test_editors_are_told_what_compiles(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "tools" / "compile_commands.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    written = (tmp_path / "compile_commands.json").read_text(encoding="utf-8")
    rows = {row["file"]: row for row in json.loads(written)}
    assert set(rows) > {*native.CORE, "mains/stress.cpp", "mains/vulkan.cpp"}
    row = rows["capi/mpsv.cpp"]  # includes the strategy table
    subprocess.run([*row["arguments"], "-fsyntax-only"], cwd=row["directory"], check=True)


def test_two_builds_at_once_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    main = tmp_path / "main.cpp"
    main.write_text("int main() {}\n", encoding="utf-8")
    target = native.Target("empty", (str(main),))
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(native.build(target, SPEC))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4
    made = [path for path in (tmp_path / "native").rglob("*") if path.name != "record.json"]
    assert sorted(path.name for path in made if path.is_file()) == ["empty", "main.o"]
    assert len(made) == 4  # with a directory for each


@pytest.mark.skipif(sys.platform != "linux", reason="the linker's option is GNU's")
def test_nothing_but_the_abi_is_exported() -> None:
    path = native.build(native.LIBRARY, SPEC)
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    names -= {name for name in names if name.startswith("_Z")}  # of the standard library
    assert names and all(name.startswith("mpsv_") for name in names), names
