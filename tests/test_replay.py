"""`verify replay`: what it accepts, what it rejects and where, and what is no trace at all."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from verify import cli, spec, trace
from verify.engines.embedded import EmbeddedEngine
from verify.explore import explore
from verify.question import Question
from verify.replay import PIECE, Replayed, lean_module, replay
from verify.rules import EVENTS
from verify.semantics import Bounds, Event, Model
from verify.trace import Recorded, Trace
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]
DOCUMENT = Path(__file__).parent.parent / "docs" / "traces.md"


def example() -> str:
    """The example of the documentation."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition("```json\n")[2].partition("```")[0]


def replayed(recorded: Recorded, engine: EmbeddedEngine) -> Replayed:
    scheme = SHIPPED.strategy(recorded.strategy).scheme
    return replay(recorded, scheme, SHIPPED.environments[recorded.environment], engine)


def random_run(events: int, seed: int = 1) -> Trace:
    """A run of `perEncoder` with three threads that never ends."""
    generator = random.Random(seed)
    model = Model(SHIPPED.strategy("perEncoder").scheme, DEFAULT, Bounds(3, 2, 8))
    state = model.initial()
    run: list[Event] = []
    while len(run) < events:
        steps = [step for step in model.enabled(state) if step[0].event != "drop"]
        event, state = generator.choice(steps)
        run.append(event)
    return Trace(model.bounds, tuple(run))


# --- Accepted and rejected ------------------------------------------------------------------------


def test_the_example_of_the_documentation_is_a_run(tmp_path: Path) -> None:
    file = tmp_path / "example.ndjson"
    file.write_text(example(), encoding="utf-8")
    recorded = trace.load(file)
    scheme = SHIPPED.strategy(recorded.strategy).scheme
    assert trace.check(recorded.trace, scheme, DEFAULT) is None
    # The document's tables have every event, kind and field.
    text = DOCUMENT.read_text(encoding="utf-8")
    for word in (*EVENTS, *spec.KINDS, *Event._fields, "streams", "homes", "queues"):
        assert f"`{word}`" in text, word


def test_the_kernel_accepts_a_counterexample_with_its_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """From the search to the kernel, through the command line and a file."""
    monkeypatch.setattr("verify.prove.choose_engine", lambda _: engine)
    arguments = ["explore", "--strategy", "noSync", "--environment", "noRetain"]
    arguments += ["--encoders", "1", "--engine", "python", "--traces", str(tmp_path)]
    cli.run(arguments)
    capsys.readouterr()
    file = tmp_path / "noSync-noRetain-deadDispatch.ndjson"
    assert cli.run(["replay", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "PROVED"
    assert answer["events"] == len(trace.load(file).trace.events)
    assert set(answer["axioms"]) <= {"propext", "Quot.sound", "Classical.choice"}


def test_the_first_event_that_is_no_step_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By its number and line, with both states; the kernel accepts what is before it."""
    monkeypatch.setattr("verify.prove.choose_engine", lambda _: engine)
    lines = example().splitlines()
    # The destroy gets the lock before the encode gives it back.
    lines[12:15] = [lines[14], lines[12], lines[13]]
    file = tmp_path / "wrong.ndjson"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert cli.run(["replay", str(file)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{file}:13: event 12: thread 0 is at dispatched of destroy on 0 and")
    assert "another thread's lock excludes it" in out[0]
    assert "the model before it: A destroy e0 dispatched; B encode e0 loaded b0" in out[1]
    assert "it says: A destroy e0 entered; B encode e0 loaded b0" in out[3]
    assert out[-1].startswith("REFUTED: the kernel accepts 11 of 14 events")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("number", "change"),
    [
        (4, {"e": 1}),  # another encoder than its thread's: Lean's label does not say which
        (4, {"kind": "encode"}),
        (4, {"event": "peek"}),
        (4, {"b": None}),  # a point that holds a block
        (4, {"pc": "finished"}),
        (4, {"pc": "idle"}),
        (4, {"pc": "entered"}),
        (4, {"t": 1}),
        (1, {"pc": "idle"}),
        (7, {"pc": "dispatched"}),
        (10, {"b": 1}),
    ],
)
def test_an_event_that_says_something_else_is_refuted(
    tmp_path: Path, engine: EmbeddedEngine, number: int, change: dict[str, object]
) -> None:
    lines = example().replace('"encoders": 1', '"encoders": 2').splitlines()
    lines[0] = lines[0].replace('"homes": [0], "queues": [0]', '"homes": [0, 1], "queues": [0, 1]')
    lines[number] = json.dumps(json.loads(lines[number]) | change)
    file = tmp_path / "wrong.ndjson"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = replayed(trace.load(file), engine)
    assert result.verdict is Verdict.REFUTED, result
    assert (result.line, result.events) == (number + 1, number - 1)
    assert len(result.states) == 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fault_that_is_not_there_is_refuted(engine: EmbeddedEngine) -> None:
    found = explore(Question(SHIPPED.strategy("perOp").scheme, DEFAULT)).counterexamples
    run, other = found["nullDeref"], found["doubleFree"]
    result = replayed(
        Recorded("perOp", "default", Trace(run.bounds, run.events, other.fault)), engine
    )
    assert result.verdict is Verdict.REFUTED
    assert result.events == len(run.events)
    assert result.line == len(run.events) + 2
    assert result.reason is not None
    assert "its fault: doubleFree" in result.reason


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_events(engine: EmbeddedEngine) -> None:
    for events in (100, 1_000, 10_000):
        result = replayed(Recorded("perEncoder", "default", random_run(events)), engine)
        assert (result.verdict, result.events) == (Verdict.PROVED, events)
        print(f"{events} events: {result.seconds:.2f} s")  # noqa: T201 - measured, not judged


def test_the_kernels_work_grows_linearly() -> None:
    """Ten times the events: ten times the theorems, each about as long as before."""
    scheme = SHIPPED.strategy("perEncoder").scheme
    sizes = {}
    for events in (1_000, 10_000):
        run = random_run(events)
        text = lean_module(run.events, scheme, DEFAULT, run.bounds)
        assert len(re.findall(r"^theorem step\d+ ", text, flags=re.M)) == events // PIECE
        sizes[events] = len(text)
    assert sizes[10_000] < 11 * sizes[1_000]


# --- No trace at all ------------------------------------------------------------------------------


def edited(number: int, **fields: object) -> Callable[[list[str]], list[str]]:
    """Change fields of a line of the example."""

    def change(lines: list[str]) -> list[str]:
        value = json.loads(lines[number]) | fields
        return [*lines[:number], json.dumps(value), *lines[number + 1 :]]

    return change


def replaced(number: int, text: str) -> Callable[[list[str]], list[str]]:
    """Put another text for a line of the example."""
    return lambda lines: [*lines[:number], text, *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (lambda _: [], 1, "the file is empty"),
        (lambda lines: lines[1:], 1, 'no "trace": 1'),
        (lambda lines: lines[:1], 1, "truncated"),
        (lambda lines: lines[:-1], 15, "truncated"),
        (lambda lines: [*lines[:5], *lines[6:]], 15, "14 steps are announced, 13 are there"),
        (lambda lines: [*lines, lines[-1]], 16, "the keys are end, fault"),
        (lambda lines: [*lines, ""], 17, "truncated"),
        (lambda lines: [*lines, "garbage"], 17, "truncated"),
        (replaced(3, '{"t": 0,'), 4, "not JSON"),
        (replaced(3, ""), 4, "not JSON"),
        (replaced(3, "[" * 100_000), 4, "not JSON"),
        (replaced(3, "[1]"), 4, "[1] is no object"),
        (replaced(3, '{"t": 0, "t": 1}'), 4, "'t' is there twice"),
        (replaced(3, '{"t": ' + "9" * 5000 + "}"), 4, "not JSON"),
        (edited(0, trace=2), 1, 'no "trace": 1'),
        (edited(0, trace=True), 1, 'no "trace": 1'),
        (edited(0, threads=0), 1, "threads is 0"),
        (edited(0, threads=-1), 1, "threads is -1"),
        (edited(0, threads="2"), 1, "threads is '2'"),
        (edited(0, threads=2.0), 1, "threads is 2.0"),
        (edited(0, blocks=10**18), 1, "blocks is 1000000000000000000; give an integer from 1 to"),
        (edited(0, streams=[0]), 1, "streams has 1 entries"),
        (edited(0, streams="01"), 1, "streams is '01'"),
        (edited(0, homes=[5]), 1, "homes has the thread 5"),
        (edited(0, queues=[-1]), 1, "queues has the entry -1"),
        (edited(0, strategy=None), 1, "strategy is None"),
        (edited(0, colour="red"), 1, "unknown field 'colour'"),
        (edited(4, colour="red"), 5, "the keys are t, e, kind, event, b, pc, colour"),
        (edited(4, t=2), 5, "t is 2; give an integer from 0 to 1"),
        (edited(4, t=-1), 5, "t is -1"),
        (edited(4, t=None), 5, "t is None"),
        (edited(4, t=True), 5, "t is True"),
        (edited(4, e=1), 5, "e is 1"),
        (edited(4, b=2), 5, "b is 2"),
        (edited(4, b="0"), 5, "b is '0'"),
        (edited(4, kind="make"), 5, "kind is 'make'; use one of create, encode"),
        (edited(4, kind=[]), 5, "kind is []"),
        (edited(4, event="lode"), 5, "event is 'lode'; use one of dispatch"),
        (edited(4, pc="home"), 5, "pc is 'home'; use one of idle"),
        (edited(4, event="drop"), 5, "drop has a thread, a kind or a pc"),
        (edited(15, end=-1), 16, "end is -1"),
        (edited(15, end=13), 16, "13 steps are announced, 14 are there"),
        (edited(15, fault="boom"), 16, "fault is 'boom'; use one of nullDeref"),
        (edited(15, fault="nullDeref"), 16, "t is None"),
        (edited(15, colour="red"), 16, "unknown field 'colour'"),
    ],
)  # fmt: skip
def test_a_malformed_trace_is_one_clear_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[list[str]], list[str]],
    line: int,
    message: str,
) -> None:
    file = tmp_path / "bad.ndjson"
    file.write_text("".join(f"{text}\n" for text in change(example().splitlines())))
    assert cli.run(["replay", str(file)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"verify: {file}:{line}: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe{}\n", ":1: not UTF-8"),
        (b'{"trace": 1}\n\x80\n', ":2: not UTF-8"),
        (b"\x00" * 100, ":1: not JSON"),
        (b"\xef\xbb\xbf{}\n", ':1: the first line has no "trace": 1'),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}\n", ":1: not JSON"),
    ],
)
def test_bytes_that_are_no_text_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, message: str
) -> None:
    file = tmp_path / "bad.ndjson"
    file.write_bytes(data)
    assert cli.run(["replay", str(file)]) == 3
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("name", ["missing.ndjson", "."])
def test_a_file_that_cannot_be_read_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.run(["replay", str(tmp_path / name)]) == 3
    captured = capsys.readouterr()
    assert "name a readable trace file" in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"strategy": "perEncoder"', '"strategy": "nobody"', "unknown strategy 'nobody'"),
        ('"environment": "default"', '"environment": "moon"', "unknown environment 'moon'"),
    ],
)
def test_names_that_the_spec_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    file = tmp_path / "other.ndjson"
    file.write_text(example().replace(old, new), encoding="utf-8")
    assert cli.run(["replay", str(file)]) == 3
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_trace_of_verify_stress_goes_through_the_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Explorer to native guard to kernel: the native side's own events."""
    monkeypatch.setattr("verify.prove.choose_engine", lambda _: engine)
    arguments = ["explore", "--strategy", "perOp", "--engine", "python", "--traces", str(tmp_path)]
    cli.run(arguments)
    file, recorded = tmp_path / "perOp-default-doubleFree.ndjson", tmp_path / "native.ndjson"
    assert cli.run(["stress", "--replay", str(file), "--trace", str(recorded)]) == 0
    assert cli.run(["replay", str(recorded)]) == 0
    assert "PROVED: the kernel accepts" in capsys.readouterr().out
