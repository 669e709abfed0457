"""Odd inputs: byte order marks, numbers that are none, programs that print garbage, long messages.

Each ends in one line of less than 500 characters with an exit code that is no success; nobody
sees a traceback.
"""

from __future__ import annotations

import codecs
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import STRATEGY

from verify import answers, cli, errors, generate, prove, render, resources, spec, stress, trace
from verify.bench import record
from verify.engines.audit import judge
from verify.engines.base import Message, ModuleResult
from verify.engines.embedded import parse_messages
from verify.errors import VerifyError
from verify.explore import explore
from verify.gating import policy
from verify.lockstep import load_counterexample
from verify.project import complaint
from verify.question import Question
from verify.records.stress import FORMAT

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]

Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command that must fail; what it said, one line on standard error."""

    def run(*words: str | Path, code: int = 3) -> str:
        assert cli.run(list(map(str, words))) == code
        text = capsys.readouterr().err
        assert "Traceback" not in text
        assert text.count("\n") == 1, text
        assert len(text) < 500, text
        return text

    return run


# --- A byte order mark ----------------------------------------------------------------------------


def test_a_spec_with_a_byte_order_mark(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.toml", tmp_path / "marked.toml"
    plain.write_text(STRATEGY)
    marked.write_bytes(codecs.BOM_UTF8 + STRATEGY.encode())
    assert spec.load(marked) == spec.load(plain)
    marked.write_bytes(codecs.BOM_UTF8 + STRATEGY.replace("check = true", "check = 7").encode())
    with pytest.raises(VerifyError, match=r"marked.toml:4: .*check is 7"):
        spec.load(marked)


def test_a_policy_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "strategies.toml").write_text(STRATEGY)
    file = tmp_path / "verify.toml"
    file.write_bytes(codecs.BOM_UTF8 + b'spec = "strategies.toml"\n')
    assert policy.load(file)[0].spec == tmp_path / "strategies.toml"


def test_traces_with_a_byte_order_mark(tmp_path: Path) -> None:
    run = explore(Question(SHIPPED.strategy("noSync").scheme, DEFAULT, 2, 1, 2)).counterexamples[
        "nullDeref"
    ]
    text = trace.dump("noSync", "default", run)
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    plain.write_text(text)
    marked.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert trace.load(marked) == trace.load(plain)
    assert load_counterexample(marked) == load_counterexample(plain)


def test_templates_with_a_byte_order_mark(tmp_path: Path) -> None:
    shutil.copytree(resources.root() / "model" / "templates", tmp_path / "templates")
    for file in (tmp_path / "templates").iterdir():
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert generate.render(SHIPPED, tmp_path / "templates") == generate.render(SHIPPED)


# --- Numbers that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "+nan"])
@pytest.mark.parametrize(
    "line",
    ["format = {}", "[[strategy]]\nname = {}", "[environments.x]\natomicFreelist = {}",
     "[kinds]\ncreate = {}", STRATEGY.replace("true", "{}")],
)  # fmt: skip
def test_numbers_in_a_spec(said: Said, tmp_path: Path, line: str, number: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(line.format(number))
    text = said("generate", "--spec", file, "--out", tmp_path / "out")
    assert f"{file}:" in text
    assert number.strip("+-") in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line",
    ["format = nan", "spec = inf", "[explore]\nthreads = nan", "[stress]\nbudget = inf",
     "[stress]\nseed = nan", "[prove]\nlimit = nan", "[off]\nstress = nan",
     "[require]\ntheorems = [nan]"],
)  # fmt: skip
def test_numbers_in_a_policy(said: Said, tmp_path: Path, line: str) -> None:
    (tmp_path / "s.toml").write_text(STRATEGY)
    named = "" if line.startswith("spec") else "spec = 's.toml'\n"
    (tmp_path / "verify.toml").write_text(named + line)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        text = said("gate")
    assert "verify.toml:" in text
    assert "nan" in text or "inf" in text


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "words",
    [("explore", "--time"), ("explore", "--memory"), ("stress", "--budget"),
     ("compare", "--seconds"), ("bench", "scaling", "--time"), ("bench", "guard", "--tolerance")],
    ids=" ".join,
)  # fmt: skip
def test_numbers_of_options(said: Said, words: tuple[str, ...], number: str) -> None:
    text = said(*words, number)
    assert number.strip("-") in text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_numbers_in_a_trace(said: Said, tmp_path: Path, number: str) -> None:
    run = explore(Question(SHIPPED.strategy("noSync").scheme, DEFAULT, 2, 1, 2)).counterexamples[
        "nullDeref"
    ]
    lines = trace.dump("noSync", "default", run).splitlines()
    for index, old in ((0, '"threads": 2'), (1, '"e": 0'), (len(lines) - 1, '"t": ')):
        name = old.partition(":")[0]
        changed = list(lines)
        assert old in changed[index]
        before, _, rest = changed[index].partition(f"{name}:")
        changed[index] = f"{before}{name}: {number}{rest[rest.index(',') :]}"
        file = tmp_path / "trace.ndjson"
        file.write_text("\n".join(changed) + "\n")
        assert f"{file}:{index + 1}: " in said("replay", file)


@pytest.mark.parametrize(
    "bounds",
    [{"threads": float("nan")}, {"threads": []}, {"threads": 2**90}, 7, [], "x", None],
    ids=str,
)
def test_numbers_in_a_saved_run(said: Said, tmp_path: Path, bounds: Any) -> None:
    words = ("strategy", "environment", "schedule", "shows", "detail")
    example = {"format": FORMAT, **dict.fromkeys(words, "x"), "bounds": bounds}
    file = tmp_path / "saved.json"
    file.write_text(json.dumps(example))
    assert str(file) in said("stress", "--replay", file)


def test_numbers_in_results(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for text in ('{"format": NaN, "results": []}', '{"format": Infinity}', "[" * 100_000):
        file.write_text(text)
        with pytest.raises(VerifyError, match="not JSON") as caught:
            record.read(file)
        assert str(file) in str(caught.value)


# --- Programs that print something else -----------------------------------------------------------

RUN: dict[str, object] = {
    **dict.fromkeys(stress._COUNTS, 1),
    "faults": {"nullDeref": 0}, "seconds": 0.1, "stuck": False, "failure": "",
}  # fmt: skip
GARBAGE = ["", "garbage", "[]", "null", "7", '"x"', '{"a": 1', "[" * 100_000, "{}", "\xff\x00"]
ODD_RUNS = [
    *GARBAGE,
    *(json.dumps(RUN | {"operations": value}) for value in ("1", -1, 1.5, True, None, 2**80)),
    json.dumps(RUN | {"seconds": float("nan")}),
    json.dumps(RUN | {"seconds": "long"}),
    json.dumps(RUN | {"faults": []}),
    json.dumps(RUN | {"faults": {"nullDeref": "often"}}),
    json.dumps(RUN | {"faults": {"noFault": 1}}),
    json.dumps(RUN | {"stuck": 0}),
    json.dumps(RUN | {"failure": {}}),
    json.dumps({key: value for key, value in RUN.items() if key != "met"}),
]


def program(directory: Path, output: str) -> Path:
    (directory / "output").write_text(output + "\n")
    file = directory / "program"
    file.write_text(f"#!/bin/sh\ncat {directory}/output\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("output", ODD_RUNS, ids=range(len(ODD_RUNS)))
def test_odd_output_of_the_driver(tmp_path: Path, output: str) -> None:
    with pytest.raises(VerifyError, match="program ended with 0") as error:
        stress.free_run(program(tmp_path, output), "perEncoder", DEFAULT, 2, 10, 1)
    assert len(str(error.value)) < 500


def test_a_proper_output_of_the_driver(tmp_path: Path) -> None:
    found = stress.free_run(program(tmp_path, json.dumps(RUN)), "perEncoder", DEFAULT, 2, 10, 1)
    assert (found.operations, found.faults, found.trouble) == (1, {}, "")


LINE: dict[str, object] = {"severity": "error", "pos": {"line": 1, "column": 0}, "data": "x"}


@pytest.mark.parametrize(
    "line",
    [
        *(text for text in GARBAGE if text),
        json.dumps(LINE | {"severity": "fine"}),
        json.dumps(LINE | {"severity": None}),
        json.dumps(LINE | {"pos": {"line": float("inf"), "column": 0}}),
        json.dumps(LINE | {"pos": {"line": float("nan"), "column": 0}}),
        json.dumps(LINE | {"pos": {"line": "1", "column": 0}}),
        json.dumps(LINE | {"pos": []}),
        json.dumps({"severity": "error"}),
    ],
)
def test_odd_output_of_lean(line: str) -> None:
    assert parse_messages(json.dumps(LINE), "f")[1] is None
    assert parse_messages(f"{json.dumps(LINE)}\n{line}", "f")[1] is not None


AUDIT: dict[str, Any] = {
    "errors": [], "findings": [], "constants": 1, "declared": 1, "skipped": 0, "pairs": [],
    "theorems": [{"name": "t", "kind": "theorem", "axioms": [], "statement": "True"}],
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"constants": float("nan")}, {"constants": float("inf")}, {"constants": "many"},
        {"constants": None}, {"constants": -1}, {"errors": None}, {"findings": 7},
        {"theorems": None}, {"theorems": [7]}, {"theorems": [{}]}, {"theorems": [None]},
        {"pairs": [7]}, {"skipped": []}, {"declared": float("inf")},
    ],
    ids=str,
)  # fmt: skip
def test_odd_answers_of_the_audit(change: dict[str, Any]) -> None:
    assert judge(AUDIT, ["t"], [], 0, 0).ok
    assert not judge({**AUDIT, **change}, ["t"], [], 0, 0).ok


@pytest.mark.parametrize("error", answers.ODD)
def test_what_taking_apart_raises_is_one_line(error: type[Exception]) -> None:
    with (
        pytest.raises(VerifyError, match=r"^prog printed no proper answer: .*; do this$") as caught,
        answers.taken_from("prog", "do this"),
    ):
        raise error("x\ny" * 1000)
    assert len(str(caught.value)) < 500


# --- Long messages --------------------------------------------------------------------------------


def test_a_long_message_keeps_place_and_remedy() -> None:
    line = f"/a/spec.toml:17: strategy 'x': {'Lean said a lot. ' * 200}; do that"
    message = str(VerifyError(line))
    assert len(message) <= errors.LONGEST
    assert message.startswith("/a/spec.toml:17: strategy 'x': Lean said")
    assert message.endswith("; do that")
    assert " ... " in message
    assert str(VerifyError("short; do that")) == "short; do that"
    assert len(str(VerifyError("\x00" * 400))) <= errors.LONGEST  # after escaping
    assert len(errors.short("x; " + "y" * 5000)) <= errors.LONGEST


def test_long_arguments_are_one_short_line(said: Said) -> None:
    long = "x" * 5000
    for words in ((long,), ("prove", f"--{long}"), ("prove", "--engine", long), ("prove", long)):
        said(*words)
    said("explore", "--strategy", long)
    said("stress", "--budget", long)


def test_long_names_in_a_spec(said: Said, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("".join(STRATEGY.replace('"mine"', f'"{"n" * 60}{i}"') for i in range(99)))
    text = said("explore", "--spec", file, "--strategy", "nobody")
    assert str(file) in text


def test_leans_own_text_is_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    long = Message("error", "f.lean", 7, 2, "failed to decide\n" + "s = .a ∨ " * 2000)
    found = complaint(ModuleResult("M", False, False, 0, 0, (long,)))
    assert found is not None
    assert found.startswith("f.lean:7:2: error: failed to decide")
    assert len(found) <= 300
    render.note(f"ERROR: {'x' * 5000}")
    assert len(capsys.readouterr().out) < 500


def test_a_command_that_fails_with_a_long_error(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises it: click, this program, the system."""
    for error in (
        click.ClickException("y" * 5000),
        click.BadParameter("y" * 5000),
        VerifyError("y" * 5000),
        OSError(2, "y" * 5000, "/z"),
    ):

        def fails(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(prove, "prove_command", fails)
        said("prove")


# --- The shipped spec is known by what it says ----------------------------------------------------


def test_the_shipped_spec_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a wheel beside a checkout: another file that says the same."""
    copy = tmp_path / "strategies.toml"
    shutil.copy(resources.shipped_spec(), copy)
    (tmp_path / "verify.toml").write_text(
        'spec = "strategies.toml"\n[require]\ntheorems = ["safe_iff_criterion"]\n'
    )
    assert resources.is_shipped(copy)
    chosen, loaded = policy.load(tmp_path / "verify.toml")
    assert chosen.spec is None
    assert chosen.theorems == ("safe_iff_criterion",)
    assert loaded == SHIPPED
    projects: list[Any] = []
    monkeypatch.setattr(prove, "_judge", lambda project, *_: projects.append(project))

    class Engine:
        name = "embedded"

    prove.prove(copy, Engine())  # type: ignore[arg-type]
    copy.write_text(copy.read_text() + "# changed\n")
    assert not resources.is_shipped(copy)
    prove.prove(copy, Engine())  # type: ignore[arg-type]
    assert [project.shipped for project in projects] == [True, False]
    with pytest.raises(VerifyError):  # its theorems are about the shipped strategies
        policy.load(tmp_path / "verify.toml")


def test_what_is_no_file_is_not_shipped(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path("/dev/null"), Path("a\0b")):
        assert not resources.is_shipped(path)
