"""Searches that do not get to their end: limits, interrupts, and what they leave behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import children

from verify import cli, explore_cli, promela, spec
from verify.explore import explore
from verify.question import Limits, Question

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]
NO_SYNC = SHIPPED.strategy("noSync").scheme

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
needs_spin = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None, reason="needs spin and gcc"
)

LARGE = ["explore", "--threads", "3", "--encoders", "2", "--blocks", "3"]
"""Millions of states for an unsafe strategy, hundreds of thousands for a safe one."""


@pytest.mark.parametrize(
    ("engine", "limit"),
    [
        ("python", ["--memory", "0.004"]),
        ("python", ["--time", "0.03"]),
        pytest.param("native", ["--memory", "0.004"], marks=needs_compiler),
        pytest.param("native", ["--time", "0.03"], marks=needs_compiler),
        pytest.param("spin", ["--time", "0.03"], marks=needs_spin),
    ],
)
def test_a_limit_is_undetermined(
    capsys: pytest.CaptureFixture[str], engine: str, limit: list[str]
) -> None:
    """A safe strategy of which not everything was seen is not said to be safe."""
    arguments = [*LARGE, "--strategy", "perEncoder", "--engine", engine, *limit, "--json"]
    assert cli.run(arguments) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "UNDETERMINED"
    (row,) = answer["rows"]
    assert (row["verdict"], row["reason"]) == ("UNDETERMINED", "a bound was hit")
    assert row["complete"] is False
    assert row["faults"] == []


def test_faults_of_an_unfinished_search_are_some_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [*LARGE, "--strategy", "noSync", "--engine", "python", "--time", "0.5"]
    arguments += ["--environment", "noRetain"]
    assert cli.run(arguments) == 2
    out = capsys.readouterr().out
    assert "at least " in out
    assert "UNDETERMINED (a bound was hit)" in out


@needs_spin
def test_too_few_blocks_are_undetermined_for_spin_too(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explore", "--engine", "spin", "--strategy", "globalMutex", "--encoders", "1"]
    assert cli.run([*arguments, "--blocks", "1"]) == 2
    assert "may have found the freelist empty" in capsys.readouterr().out


def test_limits_of_the_python_search() -> None:
    everything = explore(Question(NO_SYNC, DEFAULT, 2, 1, 2))
    assert everything.complete
    assert not explore(Question(NO_SYNC, DEFAULT, 2, 1, 2, limits=Limits(states=500))).complete
    assert not explore(Question(NO_SYNC, DEFAULT, 2, 1, 2, limits=Limits(memory=100_000))).complete
    assert not explore(Question(NO_SYNC, DEFAULT, 2, 1, 2, limits=Limits(seconds=0))).complete


@needs_spin
def test_limits_of_spin() -> None:
    found = promela.explore(Question(NO_SYNC, DEFAULT, 2, 2, 3), optimise="-O0", depth=1000)
    assert not found.complete
    limits = Limits(memory=8 << 20)
    found = promela.explore(
        Question(NO_SYNC, DEFAULT, 2, 2, 3, limits=limits),
        optimise="-O0",
        depth=10_000,
        hash_bits=18,
    )
    assert not found.complete
    assert 0 < found.states < 163_840


def test_progress_says_how_many_states_a_second(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with explore_cli._progress("perEncoder, default", quiet=False) as report:
        report(3_000_000, 7_000_000, 2.0)
    line = "perEncoder, default: 3,000,000 states, 7,000,000 edges, 1.5 M states/s"
    assert line in capsys.readouterr().err
    with explore_cli._progress("perEncoder, default", quiet=True) as report:
        assert report is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("engine", "number", "code"),
    [
        ("python", signal.SIGINT, 130),
        ("python", signal.SIGTERM, 143),
        pytest.param("native", signal.SIGINT, 130, marks=needs_compiler),
        pytest.param("native", signal.SIGTERM, 143, marks=needs_compiler),
        pytest.param("spin", signal.SIGTERM, 143, marks=needs_spin),
    ],
)
def test_an_interrupt_ends_the_search_and_leaves_nothing(
    tmp_path: Path, engine: str, number: signal.Signals, code: int
) -> None:
    scratch, traces = tmp_path / "scratch", tmp_path / "traces"
    scratch.mkdir()
    arguments = [*LARGE, "--strategy", "noSync", "--engine", engine, "--traces", str(traces)]
    with subprocess.Popen(
        [sys.executable, "-m", "verify", *arguments, "--memory", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    ) as process:
        # The engine searches when its program runs; the Python search has none.
        searcher = {"native": "engine", "spin": "pan"}.get(engine)
        pid = None
        while process.poll() is None and pid is None:
            time.sleep(0.1)
            pid = next((p for p in children(process.pid) if searcher and _runs(p, searcher)), None)
            if searcher is None and _processor_seconds(process.pid) > _STARTED:
                break
        assert (pid is None) == (searcher is None)
        assert process.poll() is None, "the search was over before it was interrupted"
        process.send_signal(number)
        out, err = process.communicate(timeout=250)
    assert process.returncode == code
    assert out == ""
    assert err.count("\n") <= 1
    assert "Traceback" not in err
    assert list(scratch.iterdir()) == []
    assert not traces.exists()
    assert pid is None or not Path(f"/proc/{pid}").exists()


_STARTED = 2.0
"""Seconds of a processor, not of a clock: the start takes less, however busy the machine is."""


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _runs(pid: int, program: str) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.startswith(program)
    except OSError:
        return False


@needs_compiler
def test_the_models_for_spin_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["explore", "--strategy", "perStream", "--encoders", "1", "--blocks", "2"]
    assert cli.run([*arguments, "--promela", str(tmp_path)]) == 0
    names = ["perStream-default-1.pml", "perStream-default-2.pml"]  # two maps of streams
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    assert "active proctype T0()" in (tmp_path / names[0]).read_text()
    assert cli.run([*arguments, "--promela", "/dev/null/x"]) == 3
    assert "name another place" in capsys.readouterr().err
