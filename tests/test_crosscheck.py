"""The model drives the native guard, and the guard's runs go back through Lean's kernel."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from verify import cli, crosscheck, resources, rules, semantics, spec, trace
from verify.crosscheck import (
    Quotient,
    covering_runs,
    cross_check,
    drive_counterexamples,
    drive_edges,
    random_run,
    replay_runs,
)
from verify.engines.embedded import EmbeddedEngine
from verify.explore import Exploration, explore
from verify.library import Library, load_library
from verify.packed import PackedModel, edges_of
from verify.question import Question
from verify.rules import Effect
from verify.semantics import Bounds
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

SHIPPED = spec.load()
ENVIRONMENTS = SHIPPED.environments
CELLS = list(itertools.product(SHIPPED.strategies, ENVIRONMENTS.values()))


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(SHIPPED)


# --- The runs themselves --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "environment"), [("noSync", "racyFreelist"), ("rwLock", "noRetain")]
)
def test_the_runs_take_every_step_up_to_renaming_blocks(strategy: str, environment: str) -> None:
    """Judged by all edges, renamed in every way: no use of the quotient."""
    packed = PackedModel(
        SHIPPED.strategy(strategy).scheme, ENVIRONMENTS[environment], Bounds(2, 1, 2)
    )
    taken = set()
    for run in covering_runs(packed, Quotient(packed)):
        here = packed.initial
        for event in run:
            after = next(a for a, label in packed.expand(here)[0] if label == event)
            taken.add((here, event, after))
            here = after

    def swapped(edge: tuple[int, semantics.Event, int]) -> tuple[int, semantics.Event, int]:
        source, event, target = edge
        block = None if event.b is None else 1 - event.b
        return _swap(packed, source), event._replace(b=block), _swap(packed, target)

    every = set(edges_of(packed))
    assert taken <= every
    assert len(taken) < len(every)  # the other half is a renaming away
    assert taken | set(map(swapped, taken)) == every


def _swap(packed: PackedModel, word: int) -> int:
    """The state with its two blocks renamed to each other."""
    state = packed.packing.unpack(word)
    memory = state.memory
    return packed.packing.pack(
        semantics.State(
            tuple(
                a if a is None or a.block is None else a._replace(block=1 - a.block)
                for a in state.threads
            ),
            memory._replace(
                impl=tuple(None if b is None else 1 - b for b in memory.impl),
                owner=memory.owner[::-1],
                ready=memory.ready[::-1],
            ),
        )
    )


# --- From the model to the native side ------------------------------------------------------------


def test_every_counterexample_ends_in_its_fault_on_the_native_side(library: Library) -> None:
    """With one encoder, and with two where a fault needs them."""
    shown: Counter[str] = Counter()
    for strategy, env in CELLS:
        found = explore(Question(strategy.scheme, env, 2, 1, 2))
        if (strategy.name, env.name) == ("perEncoder", "racyFreelist"):
            assert not found.faults
            found = explore(Question(strategy.scheme, env, 2, 2, 2))
        driven = drive_counterexamples(library, strategy, env, found)
        assert driven.problems == []
        assert driven.faults == list(found.counterexamples)
        shown.update(driven.faults)
    assert set(shown) == set(spec.FAULTS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_counterexample_with_two_encoders(library: Library) -> None:
    for strategy, env in CELLS:
        found = explore(Question(strategy.scheme, env, 2, 2, 2))
        driven = drive_counterexamples(library, strategy, env, found)
        assert driven.problems == []
        assert driven.faults == list(found.counterexamples)


@pytest.mark.parametrize(
    ("strategy", "environment"),
    [("noSync", "racyFreelist"), ("rwLock", "noRetain"), ("perStream", "confined")],
)
def test_the_native_side_takes_every_step(
    library: Library, strategy: str, environment: str
) -> None:
    env = ENVIRONMENTS[environment]
    driven = drive_edges(library, SHIPPED.strategy(strategy), env, (2, 1, 2))
    assert driven.problems == []
    assert driven.covered == driven.edges > 500
    assert driven.steps >= driven.edges


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strategy", SHIPPED.strategies, ids=lambda strategy: strategy.name)
def test_the_native_side_takes_every_step_at_two_two_three(
    library: Library, strategy: spec.Strategy
) -> None:
    driven = drive_edges(library, strategy, ENVIRONMENTS["default"])
    assert driven.problems == []
    assert driven.covered == driven.edges > 10_000


def test_another_fault_and_another_step_are_reported(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, env = SHIPPED.strategy("noSync"), ENVIRONMENTS["default"]
    found = explore(Question(strategy.scheme, env, 2, 1, 2))
    swapped = Exploration(counterexamples={"doubleFree": found.counterexamples["nullDeref"]})
    (problem,) = drive_counterexamples(library, strategy, env, swapped).problems
    assert "the native side shows ['nullDeref']" in problem
    # A model whose teardown forgets to put the block back.
    wrong = tuple(
        dataclasses.replace(rule, effects=()) if Effect.FREE in rule.effects else rule
        for rule in rules.RULES
    )
    assert wrong != rules.RULES
    other = functools.partial(PackedModel, table=rules.Table(wrong, rules.FAULT_RULES))
    monkeypatch.setattr(crosscheck, "PackedModel", other)
    (problem,) = drive_edges(library, strategy, env, (2, 1, 2)).problems
    assert "the states differ after " in problem
    assert "destroy 0: push (block" in problem
    assert "; model : " in problem
    assert "; native: " in problem


def test_a_step_that_no_run_takes_is_reported(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        crosscheck,
        "covering_runs",
        lambda packed, graph: itertools.islice(covering_runs(packed, graph), 2),
    )
    strategy = SHIPPED.strategy("perEncoder")
    driven = drive_edges(library, strategy, ENVIRONMENTS["default"], (2, 1, 2))
    assert driven.covered < driven.edges
    (problem,) = driven.problems
    assert problem.startswith("never taken: ")


PLANTED = [
    (
        "core/guard.cpp",
        "            key = key_of(object);\n            break;",
        "            key = 2 * (1 + static_cast<std::uintptr_t>(kind));\n            break;",
        "native: blocked; the model can step",
    ),
    (
        "core/guard.cpp",
        "if (guard.scheme_.check && kind",
        "if (guard.scheme_.check && guard_.options_.assert_held && kind",
        "native: faulty; the model can step",
    ),
    (
        "drivers/fake/fake_driver.cpp",
        "                block->owner = nullptr;\n",
        "                block->owner = nullptr;\n                cell.impl = nullptr;\n",
        "the states differ after",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "sign"), PLANTED)
def test_a_planted_bug_is_found(tmp_path: Path, file: str, old: str, new: str, sign: str) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    text = (source / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, "the place to plant the bug has changed"
    (source / file).write_text(text.replace(old, new), encoding="utf-8")
    row = cross_check(
        SHIPPED, SHIPPED.strategy("perEncoder"), ENVIRONMENTS["default"], source=source
    )
    assert row.verdict is Verdict.REFUTED
    assert sign in row.problems[0]


# --- From the native side to the kernel -----------------------------------------------------------


def test_random_native_runs_are_runs_of_the_model(library: Library) -> None:
    events: Counter[str] = Counter()
    for number, (strategy, env) in enumerate(CELLS):
        run = random_run(library, strategy, env, Bounds(2, 2, 3), seed=number)
        assert trace.check(run, strategy.scheme, env) is None
        assert run == random_run(library, strategy, env, Bounds(2, 2, 3), seed=number)
        events.update(event.event for event in run.events)
    assert set(events) == set(rules.EVENTS)


def test_the_kernel_replays_a_native_run(library: Library, engine: EmbeddedEngine) -> None:
    strategy, env = SHIPPED.strategy("perEncoder"), ENVIRONMENTS["default"]
    run = random_run(library, strategy, env, Bounds(2, 2, 3), seed=1)
    assert replay_runs([run], strategy, env, engine) == (len(run.events), [])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_kernel_replays_native_runs_everywhere(
    library: Library, engine: EmbeddedEngine
) -> None:
    total = 0
    for number, (strategy, env) in enumerate(CELLS):
        run = random_run(library, strategy, env, Bounds(3, 2, 4), seed=number)
        assert replay_runs([run], strategy, env, engine) == (len(run.events), [])
        total += len(run.events)
    assert total > 3000


# --- The command ----------------------------------------------------------------------------------


def test_nothing_compared_is_undetermined(capsys: pytest.CaptureFixture[str]) -> None:
    """A safe strategy has no counterexample to follow."""
    arguments = ["crosscheck", "--strategy", "perEncoder", "--quick", "--runs", "0"]
    assert cli.run(arguments) == 2
    assert "UNDETERMINED" in capsys.readouterr().out


def test_the_command_says_what_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["crosscheck", "--strategy", "rwLock", "--quick", "--runs", "0"]
    assert cli.run(arguments) == 0
    assert "rwLock" in capsys.readouterr().out
    assert cli.run([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "AGREES"
    (row,) = answer["rows"]
    assert row["faults"] == ["encoderOverlap"]
    assert (row["edges"], row["replayed"], row["problems"]) == (None, None, [])
