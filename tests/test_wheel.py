"""An installed wheel, without a checkout: what a newcomer does first, in a fresh environment.

`docs/first-run.txt` is the transcript; it is replayed here.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["engine_fixtures"]

ROOT = Path(__file__).resolve().parent.parent
TRANSCRIPT = ROOT / "docs" / "first-run.txt"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", out, ROOT], check=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `verify` of a fresh virtual environment that has the wheel and its dependencies."""
    top = tmp_path_factory.mktemp("fresh")
    venv.create(top, with_pip=True)
    pip = [str(top / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", str(wheel)], check=True, timeout=300)
    return top / "bin" / "verify"


@pytest.fixture
def run(installed: Path, tmp_path: Path, lean_cache: Path) -> Run:
    """Run a command in an empty directory, with the reduced core that this session has built."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    environment.pop("GITHUB_STEP_SUMMARY", None)
    environment |= {
        "VERIFY_CACHE_DIR": str(lean_cache),
        "PATH": f"{installed.parent}:/usr/bin:/bin",
    }

    def in_work(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=work,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return in_work


def test_the_wheel_carries_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "verify/_data/model/strategies.toml",
        "verify/_data/model/templates/_strategy.lean.j2",
        "verify/_data/MPSVerify/Claims.lean",
        "verify/_data/native/core/guard.cpp",
        "verify/_data/lean-toolchain",
        "verify/engines/core/Init.lean",
    ):
        assert any(name == wanted for name in names), wanted
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_the_first_run_is_as_recorded(run: Run) -> None:
    """Green from `verify init` to `verify gate`, and what is printed is the transcript."""
    replayed, gate_seconds = [], []
    recorded = TRANSCRIPT.read_text(encoding="utf-8")
    recorded = recorded[recorded.index("$ ") :]
    for line in recorded.splitlines():
        if not line.startswith("$ "):
            continue
        start = time.monotonic()
        done = run(*line[2:].split())
        gate_seconds.append(time.monotonic() - start)
        replayed += [line, *done.stdout.splitlines()]
        assert done.returncode == 0, done.stderr
    assert normalised("\n".join(replayed)) == normalised(recorded)
    # The last gate repeats the one before it, whose results it can use.  The best of two, for the
    # machine may be busy.
    start = time.monotonic()
    again = run("verify", "gate", "--json")
    assert min(gate_seconds[-1], time.monotonic() - start) < 2
    stages = {stage["stage"]: stage for stage in json.loads(again.stdout)["stages"]}
    assert stages["prove"]["cached"]
    assert len(stages["prove"]["checks"]) == 8


def normalised(text: str) -> list[str]:
    """The text without what differs between two runs: times, widths of columns."""
    text = re.sub(r"\d+\.\d+ s\b", "# s", text)
    text = re.sub(r"replayed \d+ constants", "replayed # constants", text)
    text = re.sub(r"[─ ]+", " ", text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_refuted_spec_is_red(run: Run, tmp_path: Path) -> None:
    assert run("verify", "init").returncode == 0
    spec = tmp_path / "work" / "strategies.toml"
    text = spec.read_text()
    changed = text.replace('complete = "encoder exclusive"', 'complete = "none"')
    assert changed != text
    spec.write_text(changed)
    done = run("verify", "gate", "--only", "prove", "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["verdict"] == "REFUTED"
    refuted = [c for c in result["stages"][1]["checks"] if c["verdict"] == "REFUTED"]
    assert refuted[0]["strategy"] == "myGuard"
    assert "writeAfterFree" in refuted[0]["steps"][-1]


def test_help_is_quick(run: Run) -> None:
    def processor_seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(5):
        # Processor time: what it takes on an idle machine, also on a busy one.
        start = processor_seconds()
        assert run("verify", "--help").returncode == 0
        times.append(processor_seconds() - start)
    assert min(times) < 0.15
