"""What others can plant beside a repository, on the path or in a command, and no gate believes.

Every test here is a way that led to a pass, or to a lost file, before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import STRATEGY

from verify import cache, cli, prove
from verify import spec as specs
from verify.claims import Claim
from verify.engines import leanlib
from verify.errors import VerifyError
from verify.gating import policy
from verify.prove import Judged, Result
from verify.statements import Statement
from verify.verdict import Verdict

pytest_plugins = ["test_gate"]

from test_gate import BARE, POLICY, Fakes, Gate, stage_of  # noqa: E402

# --- Stored results -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["prove", "explore", "stress", "mutate"])
@pytest.mark.parametrize("form", ["as before", "without a seal", "made up"])
def test_forged_results_are_not_repeated(
    gate: Gate, fakes: Fakes, repository: Path, name: str, form: str
) -> None:
    """The stage is false; the cache says for exactly these inputs that it is good."""
    (repository / "verify.toml").write_text(BARE)
    assert gate()[0] == 0
    place = cache.directory() / "gate"
    for entry in place.glob("*.json"):
        content = json.loads(entry.read_text())["content"]
        if form == "as before":
            sealed = {"sha256": "0" * 64, "content": content}
        elif form == "made up":
            sealed = {"seal": "0" * 64, "content": content}
        else:
            sealed = {"content": content}
        entry.write_text(json.dumps(sealed))
    fakes.say[name] = '{"verdict": "ERROR", "error": "false"}'
    fakes.code[name] = 3
    code, result = gate()
    assert (code, result["verdict"]) == (3, "ERROR")
    assert stage_of(result, name)["verdict"] == "ERROR"


def test_prove_is_never_taken_from_the_cache(gate: Gate, fakes: Fakes) -> None:
    for _ in range(2):
        fakes.runs.clear()
        assert gate()[0] == 0
        assert "prove" in fakes.runs


def test_a_committed_cache_is_refused(
    gate: Gate, fakes: Fakes, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "verify.toml").write_text(BARE)
    assert gate()[0] == 0
    (repository / ".git").mkdir()
    cache.directory().rename(repository / ".verify-cache")
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(repository / ".verify-cache"))
    fakes.runs.clear()
    code, result = gate()
    assert (code, result["verdict"], fakes.runs) == (3, "ERROR", [])
    assert "could come with a commit" in result["error"]


# --- Engines --------------------------------------------------------------------------------------

LAKE = """\
#!/bin/sh
touch {place}/asked
echo 'Lake version 5.0.0 (Lean version {version})'
"""


@pytest.fixture
def planted_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `lake` on the path that says that it is the right one, and notes that it was asked."""
    programs = tmp_path / "programs"
    programs.mkdir()
    lake = programs / "lake"
    lake.write_text(LAKE.format(place=tmp_path, version=leanlib.LEAN_VERSION))
    lake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "asked"


@pytest.mark.parametrize(
    "words",
    [
        ["prove"],
        ["explain", "noSync"],
        ["compare"],
        ["replay", "trace.json"],
        ["prove", "--engine", "both"],
    ],
)
def test_a_lake_on_the_path_is_not_asked_unless_it_is_named(
    planted_lake: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Also where the pinned Lean is missing: nothing stands in for it."""
    monkeypatch.setattr(leanlib, "DISTRIBUTION", "no-such-package")
    assert cli.run(words) in (2, 3)
    assert not planted_lake.exists()
    assert prove.choose_engine("lake").name == "lake"
    assert planted_lake.exists()


def test_the_gates_default_is_the_pinned_engine(
    gate: Gate, fakes: Fakes, repository: Path, planted_lake: Path
) -> None:
    code, result = gate()
    assert (code, result["engine"]) == (0, "embedded: Lean 4.35.0")
    assert stage_of(result, "prove")["engine"] == "embedded: Lean 4.35.0"
    assert not planted_lake.exists()
    fakes.change["prove"] = lambda output: output.update(engine="lake: x (/planted/lake)")
    code, result = gate()
    assert (code, result["verdict"]) == (3, "ERROR")
    assert "not 'embedded'" in stage_of(result, "prove")["checks"][0]["reason"]


@pytest.mark.parametrize("how", ["option", "policy"])
@pytest.mark.parametrize("engine", ["lake", "both"])
def test_another_engine_is_named_everywhere(
    gate: Gate, repository: Path, tmp_path: Path, how: str, engine: str
) -> None:
    words: list[str | Path] = ["--junit", tmp_path / "g.xml", "--sarif", tmp_path / "g.sarif"]
    if how == "option":
        words += ["--engine", engine]
    else:
        (repository / "verify.toml").write_text(POLICY + f'[prove]\nengine = "{engine}"\n')
    code, result = gate(*words)
    assert (code, result["engine"]) == (0, f"{engine}: Lean 4.35.0")
    assert f"--engine {engine}" in stage_of(result, "prove")["command"]
    assert ("--engine lake" in stage_of(result, "mutate")["command"]) == (engine == "lake")
    assert f'name="engine" value="{engine}: Lean 4.35.0"' in (tmp_path / "g.xml").read_text()
    run = json.loads((tmp_path / "g.sarif").read_text())["runs"][0]
    assert run["properties"] == {"engine": f"{engine}: Lean 4.35.0", "policy": "verify.toml"}


def _result(engine: str, *verdicts: Verdict) -> Result:
    judged = tuple(
        Judged(Claim(str(i), "safe", None, "M", Statement(f"{i}"), f"claim {i}"), verdict)
        for i, verdict in enumerate(verdicts)
    )
    return Result(specs.load(), engine, (), judged)


P, R, U = Verdict.PROVED, Verdict.REFUTED, Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((P, P), (P, P), Verdict.PROVED),
        ((P, R), (P, R), Verdict.REFUTED),
        ((P, P), (P, R), Verdict.ERROR),
        ((P, R), (P, P), Verdict.ERROR),
        ((P, P), (P, U), Verdict.ERROR),
        ((P, P), (P,), Verdict.ERROR),
        ((P,), (P, P), Verdict.ERROR),
        ((P, P), (), Verdict.ERROR),
    ],
)
def test_two_engines_must_agree(
    first: tuple[Verdict, ...], second: tuple[Verdict, ...], verdict: Verdict
) -> None:
    both = prove.agreed([_result("embedded: x", *first), _result("lake: y", *second)])
    assert both.verdict is verdict
    assert both.engine == "both: embedded: x; lake: y"


def test_an_error_of_either_engine_is_one_of_both() -> None:
    broken = replace(_result("lake: y", P), errors=("a hole",))
    assert prove.agreed([_result("embedded: x", P), broken]).verdict is Verdict.ERROR
    assert prove.agreed([broken, _result("embedded: x", P)]).verdict is Verdict.ERROR


# --- The policy's place ---------------------------------------------------------------------------


def test_a_policy_above_the_repository_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "verify.toml").write_text(BARE)
    below = tmp_path / "repository" / "a" / "b"
    below.mkdir(parents=True)
    assert policy.find(below) == tmp_path / "verify.toml"
    (tmp_path / "repository" / ".git").write_text("gitdir: /elsewhere\n")
    assert policy.find(below) is None
    (tmp_path / "repository" / "verify.toml").write_text(BARE)
    assert policy.find(below) == tmp_path / "repository" / "verify.toml"


def test_a_policy_of_another_user_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "verify.toml").write_text(BARE)
    mine = tmp_path / "theirs" / "mine"
    mine.mkdir()
    honest = Path.stat

    def stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = list(honest(self, follow_symlinks=follow_symlinks))
        if self in theirs:
            found[4] = 12345
        return os.stat_result(found)

    theirs = {tmp_path / "theirs", tmp_path / "theirs" / "verify.toml"}
    monkeypatch.setattr(Path, "stat", stat)
    assert policy.find(mine) is None
    # Whoever is in a directory of somebody else's has gone there.
    assert policy.find(tmp_path / "theirs") == tmp_path / "theirs" / "verify.toml"
    # A file that somebody put into a directory where all may write, such as /tmp.
    theirs = {tmp_path / "theirs" / "verify.toml"}
    with pytest.raises(VerifyError, match="belongs to user 12345"):
        policy.find(mine)


def test_the_table_names_policy_and_engine(
    fakes: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["gate"]) == 0
    assert "\npolicy: ../verify.toml; Lean: embedded: Lean 4.35.0\n" in capsys.readouterr().out


# --- What is left undecided -----------------------------------------------------------------------


@pytest.mark.parametrize("only", ["generate", "explore", "stress", "mutate"])
def test_a_requirement_that_is_left_out_is_undecided(gate: Gate, only: str) -> None:
    code, result = gate("--only", only)
    assert code == 2
    assert result["verdict"] == "UNDETERMINED"


def test_a_search_with_one_thread_decides_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explore", "--engine", "python", "--threads", "1", "--json"]
    assert cli.run(words) == 2
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["verdict"] for row in rows} == {"UNDETERMINED"}
    assert "--threads 2" in rows[0]["reason"]


# --- Files that are written -----------------------------------------------------------------------


def _hard(new: Path, old: Path) -> Path:
    new.hardlink_to(old)
    return new


def _soft(new: Path, old: Path) -> Path:
    new.symlink_to(old)
    return new


NAMES: list[Callable[[Path, Path], Path]] = [
    lambda _, old: old,
    lambda _, old: Path(os.path.relpath(old)),
    lambda _, old: old.parent / "below" / ".." / old.name,
    _hard,
    _soft,
]


@pytest.mark.parametrize("option", ["--junit", "--sarif"])
@pytest.mark.parametrize("what", ["strategies.toml", "verify.toml"])
@pytest.mark.parametrize("name", NAMES)
def test_a_report_does_not_replace_what_is_judged(
    gate: Gate,
    fakes: Fakes,
    repository: Path,
    tmp_path: Path,
    option: str,
    what: str,
    name: Callable[[Path, Path], Path],
) -> None:
    old = repository / what
    before = old.read_bytes()
    code, result = gate(option, name(tmp_path / "report", old))
    assert (code, fakes.runs) == (3, [])
    assert "name another file" in result["error"]
    assert old.read_bytes() == before


def test_a_report_does_not_replace_a_spec_of_the_command_line(
    gate: Gate, fakes: Fakes, repository: Path
) -> None:
    spec = repository / "strategies.toml"
    assert gate("--spec", spec, "--junit", spec)[0] == 3
    assert (
        gate("--policy", repository / "verify.toml", "--sarif", repository / "verify.toml")[0] == 3
    )
    assert spec.read_text() == STRATEGY
    assert (repository / "verify.toml").read_text() == POLICY


@pytest.mark.parametrize("exists", [False, True])
def test_two_reports_are_two_files(gate: Gate, fakes: Fakes, tmp_path: Path, exists: bool) -> None:
    report = tmp_path / "report"
    if exists:
        report.write_text("old")
    code, result = gate("--junit", report, "--sarif", tmp_path / "." / "report")
    assert (code, fakes.runs) == (3, [])
    assert "the file of --junit" in result["error"]
    assert report.exists() == exists


def test_a_bad_policy_costs_no_file(
    gate: Gate, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "verify.toml").write_text("format = 2\n")
    other = repository / "thesis.tex"
    other.write_text("three years")
    assert gate("--junit", other)[0] == 3
    assert other.read_text() == "three years"


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "mine", "--spec", "{spec}", "--html", "{spec}"],
        ["explain", "mine", "--spec", "{spec}", "--diagram", "svg", "--output", "{spec}"],
        ["explore", "--spec", "{spec}", "--strategy", "mine", "--growth", "{spec}"],
        ["bundle", "--spec", "{spec}", "--out", "{spec}"],
        ["stress", "--spec", "{spec}", "--replay", "{other}", "--trace", "{other}"],
        ["stress", "--spec", "{spec}", "--replay", "{other}", "--trace", "{spec}"],
        ["bench", "guard", "--spec", "{spec}", "--output", "{spec}"],
        ["bench", "guard", "--against", "{other}", "--output", "{other}"],
        ["report", "--output", "{other}", "--markdown", "{other}"],
        ["report", "--results", "{other}", "--output", "{other}"],
    ],
)
def test_no_command_replaces_its_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    spec, other = tmp_path / "spec.toml", tmp_path / "other"
    spec.write_text(STRATEGY)
    other.write_text("{}")
    assert cli.run([word.format(spec=spec, other=other) for word in words]) == 3
    printed = capsys.readouterr().err
    assert "name another file" in printed
    assert printed.count("\n") == 1
    assert (spec.read_text(), other.read_text()) == (STRATEGY, "{}")
