"""`verify stress --driver metal`, with a stand-in for `mpsv_metal`: there is no Metal here."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import type_of_run

from verify import cli, macos, metal, resources, spec
from verify.errors import EngineMissing

# What the stand-in does once the arguments are read; `given` holds them as strings, `debug` says
# whether there is a debug layer.
COUNTS = """
did = int(given["operations"]) * int(given["threads"])
guarded = given["guarded"] == "1"
counts = {"intercepted": 40 * guarded, "operations": did, "calls": did * guarded, "skipped": 0,
          "contentions": 0, "seconds": 0.1}
"""
PRINT = "print(json.dumps(counts))\n"
CRASH = 'print("use after end", file=sys.stderr, flush=True); os.kill(os.getpid(), {signal})\n'
SEGV = CRASH.format(signal="signal.SIGSEGV")
ABORT = CRASH.format(signal="signal.SIGABRT")
CONTROL = "if not guarded and did:\n    " + SEGV
"""A control arm that shows that the oracle finds something."""
GUARDED = "if guarded and did:\n    "
UNSAFE = 'if given["strategy"] == "noSync":\n    guarded = False\n'


@dataclass(frozen=True)
class Result:
    """What the command returned and wrote."""

    exit_code: int
    output: str
    stderr: str


run_metal = Callable[..., Result]


@pytest.fixture
def stress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> run_metal:
    """Run the command with a stand-in whose body is given; strategies by name."""

    def run(body: str, *names: str, spec_file: Path | None = None) -> Result:
        stand_in = tmp_path / "mpsv_metal"
        stand_in.write_text(
            f"#!{sys.executable} -S\nimport json, os, signal, sys, time\n"
            'given = dict(word.split("=") for word in sys.argv[1:])\n'
            'debug = os.environ.get("MTL_DEBUG_LAYER") == "1"\n'
            f'with open({str(tmp_path / "log")!r}, "a") as log:\n'
            '    print(json.dumps({**given, "debug": debug}), file=log)\n' + COUNTS + body
        )
        stand_in.chmod(0o755)
        monkeypatch.setenv("MPSV_METAL", str(stand_in))
        words = ["stress", "--driver", "metal", "--budget", "0.1s", "--json", "--threads", "3"]
        words += [] if spec_file is None else ["--spec", str(spec_file)]
        code = cli.run([*words, *(word for name in names for word in ("--strategy", name))])
        return Result(code, *capsys.readouterr())

    return run


def _row(done: Result) -> dict[str, object]:
    (row,) = json.loads(done.output)["strategies"]
    assert isinstance(row, dict)
    return row


def test_safe_and_unsafe_strategies_agree(stress: run_metal, tmp_path: Path) -> None:
    done = stress(CONTROL + UNSAFE + "if not guarded and did:\n    " + SEGV + PRINT,
                  "perEncoder", "noSync")  # fmt: skip
    assert done.exit_code == 0, done.output
    safe, unsafe = json.loads(done.output)["strategies"]
    assert safe["agrees"] and unsafe["agrees"]
    assert safe["intercepted"] == 40
    assert safe["plain"]["operations"] >= metal.SEEDS * 3 * metal.OPERATIONS
    assert safe["debug_layer"]["calls"] >= metal.SEEDS * 3 * metal.OPERATIONS
    assert unsafe["plain"]["signals"] == {"SIGSEGV": 1}
    runs = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {run["threads"] for run in runs} == {"3"}
    guarded = [run for run in runs if run["strategy"] == "perEncoder" and run["guarded"] == "1"]
    tried = {(run["seed"], run["debug"]) for run in guarded if run["operations"] != "0"}
    assert tried >= {(seed, debug) for seed in ("1", "2") for debug in (False, True)}
    # One control for all strategies.
    assert sum(run["guarded"] == "0" for run in runs) == 1


@pytest.mark.parametrize(
    ("body", "arm", "signals"),
    [
        (GUARDED + SEGV, "plain", {"SIGSEGV": 1}),
        (GUARDED + f"if debug: {ABORT}", "debug_layer", {"SIGABRT": 1}),
    ],
)
def test_a_crash_refutes_a_safe_claim(
    stress: run_metal, body: str, arm: str, signals: dict[str, int]
) -> None:
    done = stress(CONTROL + body.replace("debug: ", "debug:\n        ") + PRINT, "perEncoder")
    assert done.exit_code == 1, done.output
    row = _row(done)
    assert row["agrees"] is False
    assert "use after end" in str(row["reasons"])
    runs = row[arm]
    assert isinstance(runs, dict)
    assert runs["signals"] == signals


def test_a_hang_refutes_a_safe_claim(stress: run_metal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metal, "HANG", 1.0)
    done = stress(CONTROL + GUARDED + "time.sleep(30)\n" + PRINT, "perEncoder")
    assert done.exit_code == 1, done.output
    assert _row(done)["reasons"] == ["seed 1 hung: no end after 1 s"]


@pytest.mark.parametrize("name", ["perEncoder", "noSync"])
def test_a_deadlock_of_the_guard_is_never_as_claimed(stress: run_metal, name: str) -> None:
    message = 'print("mps-verify guard: deadlock: threads wait", file=sys.stderr, flush=True)'
    done = stress(CONTROL + GUARDED + f"{message}; {ABORT}" + PRINT, name)
    assert done.exit_code == 1, done.output
    assert "deadlock" in str(_row(done)["reasons"])


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        (CONTROL, "noSync", "nothing was found in"),
        ("", "perEncoder", "control arm without the guard shows nothing"),
        (CONTROL + 'counts["operations"] = 0\n', "perEncoder", "no operation was done"),
    ],
)
def test_nothing_found_decides_nothing(
    stress: run_metal, body: str, name: str, reason: str
) -> None:
    done = stress(body + PRINT, name)
    assert done.exit_code == 2, done.output
    row = _row(done)
    assert row["agrees"] is None
    assert any(reason in word for word in row["reasons"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('print("{")\n', "no counts"),
        ('print("[]")\n', "no counts"),
        ('del counts["calls"]\n' + PRINT, "no counts"),
        ('counts["operations"] = "many"\n' + PRINT, "no counts"),
        (PRINT + "sys.exit(3)\n", "ended with 3"),
        ("counts['intercepted'] = 0\n" + CONTROL + PRINT, "the guard is not installed"),
        ("counts['calls'] = 0\n" + CONTROL + PRINT, "the guard is not installed"),
        ("counts['calls'] = 1\n" + PRINT, "the control arm made 1 guarded calls"),
        (SEGV, "fails before it does anything"),
        (CRASH.format(signal="signal.SIGKILL"), "ended from outside by SIGKILL"),
    ],
)
def test_a_run_that_cannot_be_judged_is_an_error(stress: run_metal, body: str, words: str) -> None:
    done = stress(body, "perEncoder")
    assert done.exit_code == 3, done.output
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_metal_nothing_is_decided(stress: run_metal) -> None:
    done = stress('print("mpsv_metal: no Metal device", file=sys.stderr); sys.exit(5)\n')
    assert done.exit_code == 2, done.output
    assert "no Metal device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_program_for_another_machine_decides_nothing(tmp_path: Path, verify: type_of_run) -> None:
    stand_in = tmp_path / "mpsv_metal"
    stand_in.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))
    for mode, words in ((0o644, "no executable file"), (0o755, "build it for this machine")):
        stand_in.chmod(mode)
        done = verify("stress", "--driver", "metal", MPSV_METAL=str(stand_in))
        assert done.returncode == 2, done.stdout
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_strategy_that_the_program_does_not_have_decides_nothing(
    stress: run_metal, tmp_path: Path
) -> None:
    text = resources.shipped_spec().read_text(encoding="utf-8")
    changed = tmp_path / "strategies.toml"
    changed.write_text(text.replace("check = true", "check = false"), encoding="utf-8")
    assert stress(CONTROL + PRINT, "perEncoder").exit_code == 0
    done = stress(CONTROL + PRINT, "perEncoder", spec_file=changed)
    assert done.exit_code == 2, done.output
    assert "shipped spec" in done.stderr


def test_the_environment_cannot_guard_the_control(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DYLD_INSERT_LIBRARIES", "MPSV_GUARD_DISABLE", "MTL_DEBUG_LAYER"):
        monkeypatch.setenv(name, "1")
    assert not {"DYLD_INSERT_LIBRARIES", "MPSV_GUARD_DISABLE", "MTL_DEBUG_LAYER"} & set(
        metal._environment(debug=False)
    )
    assert metal._environment(debug=True)["MTL_DEBUG_LAYER"] == "1"


def test_a_shipped_program_is_found_on_a_mac_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = tmp_path / "lib" / "mpsv_metal"
    shipped.parent.mkdir()
    shipped.write_bytes(b"")
    monkeypatch.delenv("MPSV_METAL", raising=False)
    monkeypatch.setattr(resources, "root", lambda: tmp_path)
    with pytest.raises(EngineMissing, match="needs macOS"):
        metal.program()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert metal.program() == shipped
    shipped.unlink()
    with pytest.raises(EngineMissing, match="let MPSV_METAL name"):
        metal.program()


def test_a_wheel_carries_the_program(tmp_path: Path) -> None:
    guard, program = tmp_path / "libmpsv_guard.dylib", tmp_path / "mpsv_metal"
    for path in (guard, program):
        path.write_bytes(path.name.encode())
        path.chmod(0o755)
    wheel = macos.wheel(guard, "aarch64", tmp_path / "wheels", program)
    with zipfile.ZipFile(wheel) as archive:
        info = archive.getinfo("verify/_data/lib/mpsv_metal")
        assert archive.read(info) == b"mpsv_metal"
        assert info.external_attr >> 16 & stat.S_IXUSR
    # pip leaves it executable, where the command looks for it.
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
         "--platform", "macosx_14_0_arm64", "--target", tmp_path / "site", wheel], check=True,
    )  # fmt: skip
    assert os.access(tmp_path / "site" / "verify" / "_data" / "lib" / "mpsv_metal", os.X_OK)


def test_every_strategy_of_the_spec_is_tried(stress: run_metal) -> None:
    unsafe = [strategy.name for strategy in spec.load().strategies if not strategy.claims.safe]
    done = stress(CONTROL + f'if did and given["strategy"] in {unsafe}:\n    {SEGV}' + PRINT)
    assert done.exit_code == 0, done.output
    names = [row["strategy"] for row in json.loads(done.output)["strategies"]]
    assert names == [strategy.name for strategy in spec.load().strategies]
