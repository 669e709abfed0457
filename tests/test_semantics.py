"""The table of micro-steps: its shape, its state graph edge by edge, and traces over it."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import independent_search as hand
import pytest
from conftest import mostly_slow

from verify import english, rules, semantics, spec, trace
from verify.errors import VerifyError
from verify.explore import explore
from verify.packed import PackedModel, edges_of
from verify.question import Question
from verify.rules import Atom
from verify.semantics import Activity, Bounds, Event, FaultAt, Memory, Model, State
from verify.spec import Environment, LockScheme, Request

SHIPPED = spec.load()
ENVIRONMENTS = SHIPPED.environments
NOTHING = 7  # independent_search.cpp: no block, no encoder


def flags_of(scheme: LockScheme, env: Environment) -> int:
    return hand.flags_of(env.flags, scheme.check)


def locks_of(scheme: LockScheme) -> hand.Locks:
    return tuple(tuple((r.scope, r.mode) for r in scheme.locks[kind]) for kind in hand.KINDS)


def pack(state: State) -> int:
    """A state as independent_search.cpp packs it."""
    word = 0
    for activity in state.threads:
        part = 0
        if activity is not None:
            block = NOTHING if activity.block is None else activity.block
            part = hand.POINTS.index(activity.point) | hand.KINDS.index(activity.kind) << 4
            part |= activity.encoder << 6 | block << 8
        word = word << 11 | part
    memory = state.memory
    encoders = zip(memory.impl, memory.alive, strict=True)
    blocks = zip(memory.owner, memory.ready, strict=True)
    for pointer, bit in itertools.chain(encoders, blocks):
        word = word << 4 | (NOTHING if pointer is None else pointer) << 1 | bit
    return word


@cache
def label(event: Event) -> int:
    """An event as independent_search.cpp packs it."""
    thread = 4 if event.t is None else event.t
    kind = 0 if event.kind is None else hand.KINDS.index(event.kind)
    block = NOTHING if event.b is None else event.b
    number = hand.EVENTS.index(event.event)
    return number | thread << 4 | kind << 8 | event.e << 12 | block << 16


def assert_same_edges(program: Path, scheme: LockScheme, env: Environment, bounds: Bounds) -> None:
    job = hand.Job(
        bounds.threads,
        bounds.encoders,
        bounds.blocks,
        flags_of(scheme, env),
        hand.relation(locks_of(scheme)),
        bounds.streams,
        bounds.homes,
    )
    theirs = set(struct.iter_unpack("<QQQ", hand.edges(program, job)))
    packed = PackedModel(scheme, env, bounds)

    @cache
    def state(word: int) -> int:
        return pack(packed.packing.unpack(word))

    ours = [(state(a), label(event), state(b)) for a, event, b in edges_of(packed)]
    assert len(ours) == len(set(ours)), "an edge was listed twice"
    assert set(ours) == theirs
    assert len(ours) > 100


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand.build(tmp_path_factory.mktemp("independent_search"))


# --- The shape of the table -----------------------------------------------------------------------


def test_the_faults_are_those_of_the_spec_in_its_order() -> None:
    order = list(dict.fromkeys(rule.fault for rule in rules.FAULT_RULES))
    assert tuple(order) == spec.FAULTS


def test_every_event_and_every_point_occurs() -> None:
    assert {rule.event for rule in rules.RULES} == set(rules.EVENTS)
    points = {rule.source for rule in rules.RULES} | {rule.target for rule in rules.RULES}
    assert points - {None} == set(rules.POINTS)


def memories(encoders: int, blocks: int) -> list[Memory]:
    return [
        Memory(impl, owner, ready, alive)
        for impl in itertools.product([None, *range(blocks)], repeat=encoders)
        for owner in itertools.product([None, *range(encoders)], repeat=blocks)
        for ready in itertools.product([False, True], repeat=blocks)
        for alive in itertools.product([False, True], repeat=encoders)
    ]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_a_body_step_or_a_crash_and_never_both(check: bool, atomic: bool) -> None:
    """In every memory a thread inside an operation has either a crash or a step.

    A step is unique but for the block that a create takes; only an empty freelist leaves nothing.
    """
    scheme = LockScheme(dict.fromkeys(spec.KINDS, ()), check)
    env = Environment("any", "", atomicFreelist=atomic)
    model = Model(scheme, env, Bounds(1, 2, 2))
    sources = {rule.source for rule in rules.RULES} - {None, "idle", "dispatched"}
    count = 0
    for memory in memories(2, 2):
        for kind, point in itertools.product(spec.KINDS, sorted(filter(None, sources))):
            if not any(r.source == point and kind in r.kinds for r in rules.RULES):
                continue
            for block in (0, 1) if point in rules.HOLDING else (None,):
                activity = Activity(kind, 0, point, block)
                crashes = [f for f, tests in model.thread_faults(0, activity, memory) if not tests]
                steps = model.thread_steps(0, activity, memory)
                count += 1
                if point == "checked":
                    assert not crashes
                    assert len(steps) == memory.owner.count(None)
                else:
                    assert len(crashes) + len(steps) == 1, (activity, memory)
    assert count > 1000


def test_contextual_atoms_are_the_only_ones_about_other_threads() -> None:
    about_memory = set(Atom) - rules.STATIC - rules.CONTEXTUAL
    assert about_memory == set(semantics._MEMORY_ATOMS)


# --- Edge by edge ---------------------------------------------------------------------------------


MIXED = LockScheme(
    {
        "create": (Request("encoder", "exclusive"),),
        "encode": (Request("encoder", "shared"), Request("operation", "shared")),
        "destroy": (Request("encoder", "exclusive"), Request("stream", "exclusive")),
        "complete": (Request("stream", "exclusive"), Request("global", "shared")),
    },
    True,
)


@pytest.mark.parametrize(
    "name", mostly_slow(ENVIRONMENTS, "default", "handlersBypass", "racyFreelist", "noRetain")
)
def test_the_edges_are_those_written_by_hand(searcher: Path, name: str) -> None:
    environment = ENVIRONMENTS[name]
    for streams, homes in (((0, 1), (0, 1)), ((0, 0), (1, 1))):
        assert_same_edges(searcher, MIXED, environment, Bounds(2, 2, 2, streams, homes))
    no_sync = SHIPPED.strategy("noSync").scheme
    assert_same_edges(searcher, no_sync, environment, Bounds(2, 1, 3))


def test_the_edges_are_those_written_by_hand_with_three_blocks(searcher: Path) -> None:
    bounds = Bounds(2, 2, 3)
    assert_same_edges(searcher, SHIPPED.strategy("rwLock").scheme, ENVIRONMENTS["default"], bounds)


@pytest.mark.slow
@pytest.mark.parametrize("flags", range(32))
def test_the_edges_are_those_written_by_hand_everywhere(searcher: Path, flags: int) -> None:
    env = Environment("any", "", *(bool(flags >> i & 1) for i in range(5)))
    for strategy in SHIPPED.strategies:
        for streams, homes in (((0, 1), (0, 1)), ((0, 0), (1, 1))):
            bounds = Bounds(2, 2, 3, streams, homes)
            assert_same_edges(searcher, strategy.scheme, env, bounds)


# --- Traces ---------------------------------------------------------------------------------------


def counterexample() -> tuple[trace.Trace, LockScheme, Environment]:
    scheme, env = SHIPPED.strategy("perOp").scheme, ENVIRONMENTS["default"]
    return explore(Question(scheme, env)).counterexamples["nullDeref"], scheme, env


def test_a_trace_survives_its_file_and_is_a_run(tmp_path: Path) -> None:
    found, scheme, env = counterexample()
    file = tmp_path / "run.ndjson"
    file.write_text(trace.dump("perOp", "default", found), encoding="utf-8")
    read = trace.load(file)
    assert (read.strategy, read.environment) == ("perOp", "default")
    assert (read.trace.bounds, read.trace.events) == (found.bounds, found.events)
    assert trace.check(read.trace, scheme, env) is None


def test_the_first_event_that_is_no_step_is_named() -> None:
    found, scheme, env = counterexample()
    for index in range(len(found.events)):
        shorter = (*found.events[:index], *found.events[index + 1 :])
        divergence = trace.check(trace.Trace(found.bounds, shorter, found.fault), scheme, env)
        assert divergence is not None
        assert divergence.step >= index
    held = Event(1, 0, "destroy", "acquire", None, "entered")
    at = found.events.index(held)
    divergence = trace.check(
        trace.Trace(found.bounds, found.events), SHIPPED.strategy("perEncoder").scheme, env
    )
    assert divergence is not None
    assert (divergence.step, divergence.event) == (at, held)
    assert "lock excludes it" in divergence.reason


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("t", 1),
        ("e", 1),
        ("kind", "encode"),
        ("event", "peek"),
        ("b", 1),
        ("pc", "peeked"),
    ],
)
def test_an_event_that_says_something_else_is_no_step(key: str, wrong: Any) -> None:
    found, scheme, env = counterexample()
    index = next(i for i, event in enumerate(found.events) if event.event == "pop")
    events = list(found.events)
    events[index] = events[index]._replace(**{key: wrong})
    divergence = trace.check(trace.Trace(found.bounds, tuple(events)), scheme, env)
    assert divergence is not None
    # Another free block is as good; the run then differs where that block is used.
    assert divergence.step == (index + 1 if key == "b" else index)


def test_a_fault_that_is_not_there_is_a_divergence() -> None:
    found, scheme, env = counterexample()
    wrong = FaultAt("doubleFree", 0, 0, "destroy", "push")
    divergence = trace.check(trace.Trace(found.bounds, found.events, wrong), scheme, env)
    assert divergence is not None
    assert "doubleFree" in divergence.reason
    assert "nullDeref (thread 0)" in divergence.reason
    assert trace.check(trace.Trace(found.bounds, ()), scheme, env) is not None


def test_a_thread_that_crashes_has_no_step() -> None:
    found, scheme, env = counterexample()
    more = (*found.events, Event(0, 0, "encode", "deref", 0, "finished"))
    divergence = trace.check(trace.Trace(found.bounds, more), scheme, env)
    assert divergence is not None
    assert "its next one is nullDeref" in divergence.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", "1: the file is empty"),
        (lambda text: text[: text.index("\n") + 1], "1: the trace is truncated"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "16: the trace is truncated"),
        (lambda text: text[:-20], "17: not JSON"),
        (lambda text: "\n".join(text.splitlines()[:5] + text.splitlines()[6:]), "steps are anno"),
        (lambda text: text.replace('"t": 1', '"t": 2'), "t is 2; give an integer from 0 to 1"),
        (lambda text: text.replace('"load"', '"lode"', 1), "event is 'lode'; use one of"),
        (lambda text: text.replace('"threads": 2', '"threads": 0'), "1: threads is 0"),
        (lambda text: text.replace('"streams": [0, 1]', '"streams": [0]'), "streams has 1 entr"),
        (lambda text: text.replace('"trace": 1', '"trace": 2'), "1: the first line has no"),
        (lambda text: "[]\n" + text, "1: [] is no object"),
    ],
)
def test_a_malformed_trace_is_one_clear_line(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    found, _, _ = counterexample()
    file = tmp_path / "run.ndjson"
    file.write_text(change(trace.dump("perOp", "default", found)), encoding="utf-8")
    with pytest.raises(VerifyError) as error:
        trace.load(file)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{file}:")
    assert "\n" not in str(error.value)


def test_a_counterexample_reads_as_english() -> None:
    found, scheme, env = counterexample()
    lines = english.steps_text(found, scheme, env)
    assert lines[1] == " 2. thread 0: acquire (operation create exclusive)"
    crash = "thread 0: setComputePipelineState: reads _impl = NULL -> nullDeref"
    assert lines[-1] == f"{len(lines)}. {crash}"
    assert len(lines) == len(found.events) + 1
