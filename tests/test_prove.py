"""`verify prove` as a user sees it: table, JSON, exit codes, speed, what is checked again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import STRATEGY

from verify import cli, resources, spec
from verify.engines import leanlib
from verify.engines.base import ModuleResult
from verify.engines.embedded import EmbeddedEngine
from verify.errors import EngineMissing
from verify.prove import prove
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures", "prove_fixtures"]

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Edit = Callable[[str, str, str], None]

# The seed's verdicts (its section 1.6): safe, parallel, theorem.
SEVEN = {
    "noSync": (False, True, "race_condition_exists"),
    "globalMutex": (True, False, "mutex_prevents_race"),
    "perStream": (False, True, "per_stream_mutex_insufficient"),
    "perOp": (False, True, "per_op_mutex_insufficient"),
    "perEncoder": (True, True, "per_encoder_mutex_sufficient"),
    "rwLock": (False, True, "rw_lock_insufficient"),
    "lockFree": (False, True, "lock_free_insufficient"),
}
ALLOWED = {"propext", "Quot.sound", "Classical.choice"}


@pytest.fixture
def command(lean_cache: Path) -> Command:
    """Run `verify` in a process of its own, over the cache of the session."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        cwd = environment.pop("cwd", None)
        return subprocess.run(
            [sys.executable, "-m", "verify", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=250,
            cwd=cwd,
            env={**os.environ, "VERIFY_CACHE_DIR": str(lean_cache), **environment},
        )

    return run


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's spec without claims."""
    path = tmp_path / "mine.toml"
    path.write_text(STRATEGY)
    return path


# --- The shipped spec -----------------------------------------------------------------------------


def rows_by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["strategy"]: row for row in found["strategies"]}


def test_json(command: Command) -> None:
    done = command("prove", "--json", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["verdict"] == "PROVED"
    assert found["errors"] == []
    assert found["constants"] > 1000
    assert [row["strategy"] for row in found["strategies"]][:7] == list(SEVEN)
    for name, (safe, parallel, theorem) in SEVEN.items():
        row = rows_by_name(found)[name]
        assert (row["safe"], row["parallel"], row["theorem"]) == (safe, parallel, theorem)
        assert row["verdict"] == "PROVED"
        assert isinstance(row["seconds"], float)
        assert row["axioms"]
        assert set(row["axioms"]) <= ALLOWED
        assert (row["counterexample"] is None) == safe
        for number, step in enumerate(row["counterexample"] or [], start=1):
            assert re.match(rf" *{number}\. \S", step)
        assert {claim["verdict"] for claim in row["claims"]} == {"PROVED"}
    assert "not implementable" in rows_by_name(found)["lockFree"]["note"]
    assert {claim["verdict"] for claim in found["restated"]} == {"PROVED"}
    for module in found["modules"]:
        assert module["ok"]
        assert module["peak_mb"] < 500, module


def test_the_table(command: Command) -> None:
    done = command("prove")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout  # no terminal, no colour
    assert "Traceback" not in done.stderr
    for name, (safe, parallel, theorem) in SEVEN.items():
        words = [name, "yes" if safe else "no", "yes" if parallel else "no", "PROVED", theorem]
        assert any(line.split()[:5] == words for line in done.stdout.splitlines()), name
        assert (f"{name} is not safe:" in done.stdout) == (not safe)
    assert "lockFree: not implementable" in done.stdout
    assert re.search(r"^ +1\. thread 0: ", done.stdout, flags=re.M)
    last = done.stdout.strip().splitlines()[-1]
    assert re.match(r"PROVED: (\d+) of \1 claims about \d+ strategies, (\d+) of \2 hand-wr", last)
    quiet = command("prove", "--quiet", NO_COLOR="1")
    assert quiet.returncode == 0
    assert quiet.stderr == ""
    assert "lockFree: not implementable" not in quiet.stdout
    assert "perEncoder" in quiet.stdout


def test_lean_is_not_asked_again_when_nothing_changed(command: Command) -> None:
    assert command("prove").returncode == 0
    done = command("prove", "--json")
    assert done.stderr == ""
    modules = json.loads(done.stdout)["modules"]
    assert len(modules) > 50
    assert all(module["cached"] for module in modules)


def test_it_works_anywhere(command: Command, tmp_path: Path) -> None:
    done = command("prove", "--json", cwd=str(tmp_path))
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


# --- From nothing ---------------------------------------------------------------------------------


@pytest.mark.slow  # half a minute; .ci/run begins with a `verify prove` from nothing
def test_from_nothing(tmp_path: Path) -> None:
    """The first run on a machine: core, development, audit, with two processes at once."""
    engine = EmbeddedEngine(cache=tmp_path / "cache")
    result = prove(None, engine)
    assert result.verdict is Verdict.PROVED
    assert not any(module.cached for module in result.modules)
    names = [module.module for module in result.modules]
    assert len(names) == len(set(names)) > 50  # each once
    assert max(module.peak_mb for module in result.modules) < 500


def test_the_audit_stays_small(engine: EmbeddedEngine) -> None:
    build = engine.build(resources.root(), ["MPSVerify.AGX.Race"])
    audit = engine.audit(build, ["MPSVerify.AGX.race_condition_exists"], [])
    assert audit.ok
    assert 0 < audit.peak_mb < 500


def test_only_what_changed_is_checked_again(edit: Edit, engine: EmbeddedEngine) -> None:
    assert prove(None, engine).verdict is Verdict.PROVED
    edit("MPSVerify/Thm/Parallel.lean", "namespace MPSVerify", "-- a change\nnamespace MPSVerify")
    seen: list[ModuleResult] = []
    assert prove(None, engine, seen.append).verdict is Verdict.PROVED
    fresh = {module.module for module in seen if not module.cached}
    assert {"MPSVerify.Thm.Parallel", "MPSVerify.AGX.Race", "MPSVerify.Gate"} <= fresh
    kept = {module.module for module in seen if module.cached}
    assert {"MPSVerify.Spec.Step", "MPSVerify.Thm.Safety", "MPSVerify.Thm.Replay"} <= kept
    assert len(fresh) < len(seen)


# --- A user's own spec ----------------------------------------------------------------------------


def test_a_spec_without_claims_is_expected_to_be_safe(command: Command, mine: Path) -> None:
    done = command("prove", "--spec", mine, "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["restated"] == []
    (row,) = found["strategies"]
    assert (row["safe"], row["parallel"], row["verdict"]) == (True, True, "PROVED")
    mine.write_text(STRATEGY.replace('destroy = "encoder', 'destroy = "stream'))
    done = command("prove", "--spec", mine)
    assert done.returncode == 1
    assert "REFUTED: mine is safe: its negation is proved" in done.stdout
    assert "mine is not safe:\n" in done.stdout
    assert re.search(r"^ +1\. thread 0: ", done.stdout, flags=re.M)


def test_an_unsafe_strategy_that_is_claimed_to_be_unsafe(
    engine: EmbeddedEngine, mine: Path
) -> None:
    text = STRATEGY.replace("encoder exclusive", "none") + "[strategy.expect]\nsafe = false\n"
    mine.write_text(text)
    result = prove(mine, engine)
    assert result.verdict is Verdict.PROVED
    assert result.rows[0].safe is False
    assert result.rows[0].counterexample
    mine.write_text(text + 'fault = "deadDispatch"\n')
    result = prove(mine, engine)
    assert result.verdict is Verdict.REFUTED
    (refuted,) = [j for j in result.rows[0].judged if j.verdict is not Verdict.PROVED]
    assert refuted.claim.english == "mine can run into deadDispatch"


def test_a_read_only_place(command: Command, mine: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in mine.parent.rglob("*")}
    mine.parent.chmod(0o555)
    try:
        assert command("prove", "--spec", mine, cwd=str(mine.parent)).returncode == 0
    finally:
        mine.parent.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in mine.parent.rglob("*")} == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("this is not TOML", "not TOML"),
        (STRATEGY.replace("encoder exclusive", "encodr exclusive"), "did you mean 'encoder'?"),
        (STRATEGY.replace('create = "encoder exclusive"\n', ""), "kind 'create' is missing"),
        (STRATEGY + STRATEGY, "is taken"),
        (STRATEGY.replace('"mine"', '"my guard"'), "no plain identifier"),
        ("#" * 10_000_000, "larger than"),
        (None, "is a directory"),
    ],
    ids=["not TOML", "scope", "kind", "duplicate", "name", "10 MB", "directory"],
)
def test_bad_specs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "spec.toml"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    assert cli.run(["prove", "--spec", str(path), "--engine", "embedded"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert not (tmp_path / "cache" / "core").exists()
    assert not (tmp_path / "cache" / "index").exists()


# --- Engines --------------------------------------------------------------------------------------


def test_lake_where_there_is_none(command: Command, tmp_path: Path) -> None:
    done = command("prove", "--engine", "lake", "--json", PATH=str(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 2
    assert json.loads(done.stdout)["verdict"] == "UNDETERMINED"
    assert done.stderr.count("\n") == 1
    assert "install elan" in done.stderr


def test_no_engine_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(leanlib, "DISTRIBUTION", "no-such-package")
    for words in ([], ["--engine", "embedded"], ["--engine", "both"]):
        assert cli.run(["prove", *words]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert "no-such-package" in printed.err


def test_the_exit_code_is_about_claims(mine: Path, engine: EmbeddedEngine) -> None:
    # Two claims of one module, one of them false: each has its own verdict.
    two = STRATEGY.replace('"mine"', '"yours"').replace("encoder exclusive", "stream exclusive")
    mine.write_text(STRATEGY + two)
    result = prove(mine, engine)
    assert [row.verdict for row in result.rows] == [Verdict.PROVED, Verdict.REFUTED]
    assert result.verdict.exit_code == 1


def test_an_engine_is_needed_before_anything_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise EngineMissing("gone")

    monkeypatch.setattr(EmbeddedEngine, "describe", lambda _: missing())
    assert cli.run(["prove", "--engine", "embedded"]) == 2


def test_the_claims_of_the_spec_are_those_of_the_seed() -> None:
    loaded = spec.load()
    for name, (safe, parallel, theorem) in SEVEN.items():
        claims = loaded.strategy(name).claims
        assert (claims.safe, claims.parallel, claims.theorem) == (safe, parallel, theorem)


def test_the_checkout_is_left_alone(command: Command, tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    for name in ("verify", "model", "MPSVerify"):
        shutil.copytree(
            resources.root() / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("MPSVerify.lean", "lakefile.lean", "lean-toolchain"):
        shutil.copy(resources.root() / name, copy / name)
    before = sorted(path for path in copy.rglob("*"))
    done = command("prove", cwd=str(copy), PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert sorted(path for path in copy.rglob("*")) == before
