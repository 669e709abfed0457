"""The deterministic scheduler on the real guard and the fake driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import mostly_slow

from verify import spec
from verify.campaign import DEEP, programs, run_programs
from verify.errors import VerifyError
from verify.library import Library, load_library
from verify.packed import PackedModel
from verify.rules import CRASHING
from verify.semantics import Bounds, Event
from verify.session import Session, schedule_text
from verify.spec import Strategy

SPEC = spec.load()
DEFAULT = SPEC.environments["default"]
BOUNDS = Bounds(2, 2, 3)
NAMES = [strategy.name for strategy in SPEC.strategies]


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(SPEC)


@pytest.fixture
def session(library: Library, request: pytest.FixtureRequest) -> Iterator[Session]:
    name = getattr(request, "param", "perEncoder")
    with Session(library, SPEC.strategy(name).scheme, DEFAULT, BOUNDS) as opened:
        yield opened


@pytest.mark.parametrize(
    "strategy",
    mostly_slow(
        SPEC.strategies,
        *map(SPEC.strategy, ("noSync", "globalMutex", "perEncoder", "rwLock", "perOp")),
    ),
    ids=NAMES,
)
def test_every_small_program_agrees_with_the_claim(library: Library, strategy: Strategy) -> None:
    with Session(library, strategy.scheme, DEFAULT, BOUNDS) as opened:
        outcome, done = run_programs(opened, programs(), 2, deadline=float("inf"))
        deep, preemptions = DEEP
        outcome.add(opened.explore(deep, preemptions))
    assert done == len(programs()) > 10_000
    assert outcome.complete
    assert outcome.schedules > 100_000
    assert (outcome.deadlocks, outcome.unexplained, outcome.failures) == (0, 0, 0)
    claims = strategy.claims
    if claims.safe:
        assert outcome.faults == {}
    else:
        assert claims.fault in outcome.faults
    assert (outcome.parallel > 0) == claims.parallel


@pytest.mark.parametrize("strategy", SPEC.strategies, ids=NAMES)
def test_random_schedules_catch_each_unsafe_strategy_with_every_seed(
    library: Library, strategy: Strategy
) -> None:
    with Session(library, strategy.scheme, DEFAULT, BOUNDS) as opened:
        for seed in range(20):
            outcome = opened.walk("c0e0d0,c0e0d0", seed, 2000)
            found = strategy.claims.fault in outcome.faults
            assert found != strategy.claims.safe, (seed, outcome)


@pytest.mark.parametrize(
    ("name", "environment"),
    # Every environment once, and three kinds of locks; all pairs are in the slow test.
    [*(("perEncoder", e) for e in SPEC.environments), ("rwLock", "default"), ("perOp", "default")],
)
def test_the_native_graph_is_the_model_graph(library: Library, name: str, environment: str) -> None:
    env = SPEC.environments[environment]
    # The two environments with the most states have their full bounds in the slow test.
    bounds = Bounds(2, 2, 2) if environment in ("racyFreelist", "noRetain") else BOUNDS
    _compare_graphs(library, name, environment, bounds)
    assert env.name == environment


@pytest.mark.slow
@pytest.mark.parametrize("environment", SPEC.environments)
@pytest.mark.parametrize("name", NAMES)
def test_the_native_graph_is_the_model_graph_at_full_bounds(
    library: Library, name: str, environment: str
) -> None:
    _compare_graphs(library, name, environment, BOUNDS)


def _compare_graphs(library: Library, name: str, environment: str, bounds: Bounds) -> None:
    """Every edge and every crash, in both directions."""
    env, scheme = SPEC.environments[environment], SPEC.strategy(name).scheme
    with Session(library, scheme, env, bounds) as opened:
        graph = opened.graph()
    packed = PackedModel(scheme, env, bounds)
    words = [packed.packing.pack(state) for state in graph.states]
    assert len(set(words)) == len(words)
    steps: list[list[tuple[int, Event]]] = [[] for _ in words]
    for source, event, target in graph.edges:
        steps[source].append((words[target], event))
    crashes: list[set[tuple[int, str]]] = [set() for _ in words]
    for source, thread, fault in graph.faults:
        crashes[source].add((thread, fault))
    # Both sides begin in the same state; where every state has the same steps on both, they
    # reach the same states.
    assert words[0] == packed.initial
    for word, ours, crashing in zip(words, steps, crashes, strict=True):
        theirs, faults, *_ = packed.expand(word)
        assert len(ours) == len(theirs) and set(ours) == set(theirs), packed.packing.unpack(word)
        expected = {(fault.t, fault.fault) for fault in faults if fault.fault in CRASHING}
        assert crashing == expected, packed.packing.unpack(word)
    assert len(graph.edges) > 1000


@pytest.mark.parametrize("session", ["noSync", "perOp", "rwLock", "perStream"], indirect=True)
def test_a_found_schedule_shows_its_fault_again(session: Session) -> None:
    first = session.explore("c0e0d0,c0e0d0", 3).first
    assert first
    for fault, schedule in first.items():
        session.run(schedule)
        assert fault in session.faults(), schedule
        session.run(schedule_text(session.trace()))  # the text form loses nothing


def test_more_preemptions_mean_more_schedules(session: Session) -> None:
    counts = [session.explore("c0e0d0,c0e0d0", bound).schedules for bound in range(5)]
    assert counts == sorted(set(counts))


def test_exploration_stops_when_told(session: Session) -> None:
    outcome = session.explore("c0e0d0,c0e0d0", 4, schedules=10)
    assert outcome.schedules == 10
    assert not outcome.complete


def test_a_run_is_the_same_every_time(library: Library) -> None:
    scheme = SPEC.strategy("noSync").scheme
    with Session(library, scheme, DEFAULT, BOUNDS) as opened:
        one = opened.walk("c0e0d0,c0k0e0", 7, 500)
        other = opened.walk("c0e0d0,c0k0e0", 7, 500)
    assert (one.faults, one.first, one.steps) == (other.faults, other.first, other.steps)


def test_the_schedule_picks_the_block(session: Session) -> None:
    for block in range(3):
        session.run(f"Ac0A2Ap{block}A3")
        assert session.state().memory.impl[0] == block


def test_assertion_mode_sees_an_unguarded_handler_with_one_thread(
    library: Library,
) -> None:
    scheme = SPEC.strategy("perEncoder").scheme
    bypass = SPEC.environments["handlersBypass"]
    for env, fails in ((bypass, True), (DEFAULT, False)):
        with Session(library, scheme, env, Bounds(1, 1, 1), assert_held=True) as opened:
            opened.run("Ac0A6Ak0A5")
            assert (opened.failure() is not None) == fails


def test_a_search_counts_the_same_schedules_each_time(library: Library) -> None:
    scheme = SPEC.strategy("perEncoder").scheme
    with Session(library, scheme, DEFAULT, BOUNDS) as opened:
        outcomes = [opened.explore("c0e0d0,c0e0d0", 4) for _ in range(2)]
    assert outcomes[0].schedules == outcomes[1].schedules > 100


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("Zc0", "column 1: 'Z' names no thread"),
        ("Ac9", "column 1: 'Ac9' names no encoder"),
        ("Ac0A99", "column 4: 'A99' is not possible"),
        ("Ae0", "column 1: 'Ae0' is not possible"),
        ("Ac0A?", "column 4: 'A' is no step"),
        ("Ac0A2Ap7", "column 6: 'Ap7' names no block"),
        ("Ac0A!", "is a step that can be taken"),
        ("x7", "column 1: 'x7' names no encoder"),
        ("Ac0A2\x00", "column"),
    ],
)
def test_a_schedule_that_cannot_be_followed_says_where(
    session: Session, schedule: str, message: str
) -> None:
    with pytest.raises(VerifyError) as caught:
        session.run(schedule)
    assert message in str(caught.value)


@pytest.mark.parametrize("program", ["q0", "c", "c5", "c0,c0,c0", "c0|e0|e0"])
def test_a_program_that_makes_no_sense_is_refused(session: Session, program: str) -> None:
    with pytest.raises(VerifyError, match="program"):
        session.explore(program, 1)
