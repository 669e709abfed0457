"""The native engine, SPIN and the command against the Python search."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from verify import cli, explore_native, promela, spec, trace
from verify.cxx import NoCompilerError
from verify.errors import VerifyError
from verify.explore import Exploration, explore
from verify.explore_source import source
from verify.packed import PackedModel
from verify.question import Limits, Question
from verify.semantics import Bounds
from verify.spec import Environment, LockScheme, Request

SHIPPED = spec.load()
ENVIRONMENTS = SHIPPED.environments

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
needs_spin = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None, reason="needs spin and gcc"
)

CELLS = [
    ("noSync", "noRetain"),
    ("perStream", "confined"),
    ("perEncoder", "racyFreelist"),
    ("rwLock", "handlersBypass"),
    ("globalMutex", "default"),
    ("noSync", "confinedNoHandlers"),  # a thread that owns no encoder can do nothing
]
SMALL: dict[str, Any] = {"optimise": "-O0", "hash_bits": 18, "depth": 1_000_000}
"""pan for small instances, where compiling and zeroing its memory takes the time."""

QUEUE = LockScheme(dict.fromkeys(spec.KINDS, (Request("queue", "exclusive"),)), True)


def assert_same(ours: Exploration, theirs: Exploration) -> None:
    assert (ours.states, ours.edges) == (theirs.states, theirs.edges)
    lengths = {fault: len(found.events) for fault, found in ours.counterexamples.items()}
    assert lengths == {fault: len(found.events) for fault, found in theirs.counterexamples.items()}
    for witness in ("parallel", "encodes_in_parallel", "deadlock", "exhausted"):
        assert (getattr(ours, witness) is None) == (getattr(theirs, witness) is None), witness
    assert ours.complete == theirs.complete


@needs_compiler
@pytest.mark.parametrize(("strategy", "environment"), CELLS)
def test_the_native_engine_sees_what_the_python_search_sees(
    strategy: str, environment: str
) -> None:
    scheme, env = SHIPPED.strategy(strategy).scheme, ENVIRONMENTS[environment]
    native = explore_native.explore(Question(scheme, env))
    assert_same(native, explore(Question(scheme, env)))
    for fault, found in native.counterexamples.items():
        assert found.fault is not None
        assert found.fault.fault == fault
        assert trace.check(found, scheme, env) is None


@needs_compiler
def test_an_empty_freelist_is_no_deadlock_for_either() -> None:
    scheme, env = SHIPPED.strategy("globalMutex").scheme, ENVIRONMENTS["default"]
    native = explore_native.explore(Question(scheme, env, 2, 2, 1))
    assert_same(native, explore(Question(scheme, env, 2, 2, 1)))
    assert native.exhausted is not None
    assert native.deadlock is None


@needs_compiler
@pytest.mark.parametrize(
    ("strategy", "environment", "bounds"),
    [
        # Each but the last has a map that not every renaming leaves as it is.
        ("noSync", "confined", Bounds(2, 2, 2, homes=(0, 0))),
        ("perStream", "default", Bounds(3, 1, 2, streams=(0, 0, 1))),
        ("striped", "default", Bounds(2, 3, 1, queues=(0, 0, 1))),
        ("perEncoder", "noRetain", Bounds(2, 2, 2)),
    ],
)
def test_symmetry_changes_the_counts_only(strategy: str, environment: str, bounds: Bounds) -> None:
    """As many classes as the Python search, which tries every renaming, and the same findings."""
    scheme, env = SHIPPED.strategy(strategy).scheme, ENVIRONMENTS[environment]
    reduced = explore_native.explore(Question(scheme, env, instances=[bounds], symmetry=True))
    assert_same(reduced, explore(Question(scheme, env, instances=[bounds], symmetry=True)))
    plain = explore_native.explore(Question(scheme, env, instances=[bounds]))
    assert reduced.faults == plain.faults
    assert reduced.states < plain.states / 2
    for fault, found in reduced.counterexamples.items():
        assert found.fault is not None
        assert found.fault.fault == fault
        assert len(found.events) == len(plain.counterexamples[fault].events)
        assert trace.check(found, scheme, env) is None


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_symmetry_everywhere() -> None:
    for strategy, env in itertools.product(SHIPPED.strategies, ENVIRONMENTS.values()):
        reduced = explore_native.explore(Question(strategy.scheme, env, 2, 2, 2, symmetry=True))
        assert_same(reduced, explore(Question(strategy.scheme, env, 2, 2, 2, symmetry=True)))
        plain = explore_native.explore(Question(strategy.scheme, env, 2, 2, 2))
        assert reduced.faults == plain.faults
    noisy = SHIPPED.strategy("noSync").scheme
    reduced = explore_native.explore(
        Question(noisy, ENVIRONMENTS["default"], 3, 2, 3, symmetry=True)
    )
    assert (reduced.states, reduced.edges) == (213_063, 573_135)
    assert reduced.faults == explore(Question(noisy, ENVIRONMENTS["default"])).faults


@needs_compiler
def test_queues_and_larger_instances() -> None:
    env = ENVIRONMENTS["default"]
    assert_same(explore_native.explore(Question(QUEUE, env)), explore(Question(QUEUE, env)))
    safe = SHIPPED.strategy("perEncoder").scheme
    found = explore_native.explore(Question(safe, env, 3, 2, 3))
    assert (found.states, found.edges, found.faults) == (632_410, 1_971_270, frozenset())


@needs_compiler
def test_a_limit_ends_the_search_and_says_so() -> None:
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["default"]
    cost = explore_native.Performance()
    found = explore_native.explore(
        Question(scheme, env, 2, 2, 3, limits=Limits(memory=2 << 20)), performance=cost
    )
    assert not found.complete
    assert cost.out_of_memory
    assert cost.bytes <= 2 << 20
    assert found.bound_hit
    assert not explore_native.explore(Question(scheme, env, limits=Limits(states=1000))).complete


@needs_compiler
def test_progress_is_reported() -> None:
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["racyFreelist"]
    reports: list[tuple[int, int, float]] = []
    found = explore_native.explore(
        Question(scheme, env, 2, 3, 3),
        traces=False,
        progress=lambda states, edges, seconds: reports.append((states, edges, seconds)),
    )
    assert reports == sorted(reports)
    assert reports
    assert reports[-1][0] <= found.states


def test_too_large_an_instance_is_one_clear_line() -> None:
    packed = PackedModel(QUEUE, ENVIRONMENTS["default"], Bounds(6, 4, 8))
    with pytest.raises(VerifyError, match=r"a state has \d+ bits, the native engine takes 62"):
        source(packed)


def test_no_compiler_is_undetermined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NoCompilerError, match="apt-get install g") as error:
        explore_native.explore(Question(QUEUE, ENVIRONMENTS["default"]))
    assert error.value.exit_code == 2
    with pytest.raises(promela.NoSpinError, match="apt install spin"):
        promela.explore(Question(QUEUE, ENVIRONMENTS["default"]))


@needs_compiler
def test_a_program_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    text = source(PackedModel(QUEUE, ENVIRONMENTS["default"], Bounds(1, 1, 1)))
    program = explore_native.build(text)
    before = program.stat().st_mtime_ns
    assert explore_native.build(text).stat().st_mtime_ns == before
    assert explore_native.build(text + "// changed\n") != program
    # Nothing half-written stays behind.
    assert sorted(path.is_file() for path in program.parent.iterdir()) == [True, True]
    with pytest.raises(VerifyError, match="does not compile"):
        explore_native.build(text + "nonsense;\n")


# --- SPIN -----------------------------------------------------------------------------------------


@needs_spin
@pytest.mark.parametrize(("strategy", "environment"), CELLS[3:])
def test_spin_stores_the_same_states(strategy: str, environment: str) -> None:
    scheme, env = SHIPPED.strategy(strategy).scheme, ENVIRONMENTS[environment]
    ours, theirs = (
        explore(Question(scheme, env, 2, 2, 2)),
        promela.explore(Question(scheme, env, 2, 2, 2), **SMALL),
    )
    assert (theirs.states, theirs.faults) == (ours.states, ours.faults)
    assert theirs.complete


@needs_spin
@needs_compiler
def test_three_engines_with_queues_and_three_threads() -> None:
    env = Environment("any", "", atomicFreelist=False, sharedEncoders=False)
    instances = [Bounds(3, 2, 2, homes=(0, 0), queues=(0, 0))]
    ours = explore(Question(QUEUE, env, instances=instances))
    theirs = promela.explore(Question(QUEUE, env, instances=instances), **SMALL)
    assert (theirs.states, theirs.faults) == (ours.states, ours.faults)
    assert_same(explore_native.explore(Question(QUEUE, env, instances=instances)), ours)


@pytest.mark.slow
@needs_spin
@needs_compiler
def test_less_memory_for_a_state_than_spin() -> None:
    """One run after the other on the same model; pan's hash table is sized for it."""
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["default"]
    instances = [Bounds(3, 2, 3)]
    cost = explore_native.Performance()
    ours = explore_native.explore(
        Question(scheme, env, instances=instances), traces=False, performance=cost
    )
    theirs = promela.explore(
        Question(scheme, env, instances=instances, limits=Limits(memory=12 << 30))
    )
    assert ours.states == theirs.states == 12_920_992
    rates = ours.states / cost.seconds, theirs.states / theirs.seconds
    print(f"states a second: {rates[0]:.0f}, SPIN {rates[1]:.0f}")  # noqa: T201 - not judged
    assert cost.bytes / ours.states < theirs.state_bytes / theirs.states


# --- The command ----------------------------------------------------------------------------------

MINE = """\
format = 1
[[strategy]]
name = "mine"
english = "my guard"
check = true
[strategy.locks]
create = "encoder exclusive"
encode = "{encode}"
destroy = "encoder exclusive"
complete = "encoder exclusive"
[strategy.expect]
safe = {safe}
"""


@pytest.mark.parametrize(
    ("encode", "safe", "code", "word"),
    [
        ("encoder exclusive", "true", 0, "HOLDS WITHIN BOUNDS"),
        ("encoder shared", "true", 1, "REFUTED"),
        ("encoder shared", "false", 0, "encoderOverlap"),
        ("encoder exclusive", "false", 2, "no fault within the bounds"),
    ],
)
def test_the_command_compares_with_the_claims(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    encode: str,
    safe: str,
    code: int,
    word: str,
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.format(encode=encode, safe=safe), encoding="utf-8")
    arguments = ["explore", "--spec", str(file), "--engine", "python", "--blocks", "2"]
    assert cli.run(arguments) == code
    assert word in capsys.readouterr().out


def test_the_command_shows_and_saves_counterexamples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["explore", "--strategy", "rwLock", "--engine", "python", "--blocks", "2"]
    assert cli.run([*arguments, "--steps", "--traces", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1. thread 0: create on encoder 0 is dispatched" in out
    assert "encodes while another thread does -> encoderOverlap" in out
    (file,) = tmp_path.iterdir()
    read = trace.load(file)
    scheme = SHIPPED.strategy(read.strategy).scheme
    assert trace.check(read.trace, scheme, ENVIRONMENTS[read.environment]) is None
    assert cli.run([*arguments, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["faults"] == ["encoderOverlap"]
    assert len(row["counterexamples"]["encoderOverlap"]) == len(read.trace.events)


def test_the_fields_of_the_json_output_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parent.parent / "docs" / "explore.md").read_text(encoding="utf-8")
    arguments = ["explore", "--strategy", "rwLock", "--engine", "python", "--blocks", "2", "--json"]
    assert cli.run(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    for name in (*answer, *answer["rows"][0]):
        assert f"`{name}`" in text.partition("## `--json`")[2], name


def test_an_empty_freelist_is_undetermined(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explore", "--strategy", "globalMutex", "--engine", "python"]
    assert cli.run([*arguments, "--blocks", "1", "--encoders", "2"]) == 2
    assert "found the freelist empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--streams", "0,x"], "--streams is '0,x'; give numbers"),
        (["--streams", "0"], "streams has 1 entries; give 2"),
        (["--homes", "0,7"], "homes has the thread 7; there are 2"),
        (["--environment", "nowhere"], "unknown environment 'nowhere'; use one of default"),
        (["--strategy", "nobody"], "unknown strategy 'nobody'"),
        (["--symmetry", "--engine", "spin"], "use --engine native"),
        (["--threads", "0"], "0 is not in the range"),
        (["--traces", "/dev/null/x", "--strategy", "rwLock"], "name another place"),
    ],
)
def test_bad_options_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.run(["explore", "--blocks", "2", "--engine", "python", *arguments]) == 3
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
