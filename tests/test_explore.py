"""The exhaustive search against an independent one, against the theory's counts, and itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import independent_search as hand
import pytest

from verify import spec, trace
from verify.explore import Exploration, explore
from verify.packed import PackedModel, edges_of
from verify.question import Limits, Question, each_instance
from verify.semantics import Bounds, Model
from verify.spec import Environment, LockScheme, Request
from verify.symmetry import Symmetry

SHIPPED = spec.load()
ENVIRONMENTS = SHIPPED.environments
SEVEN = ("noSync", "globalMutex", "perStream", "perOp", "perEncoder", "rwLock", "lockFree")
ALL_BUT_DEAD = frozenset(spec.FAULTS) - {"deadDispatch"}
HANDLER = frozenset({"nullDeref", "staleContext", "doubleFree", "writeAfterFree"})


def hand_locks(scheme: LockScheme) -> hand.Locks:
    return tuple(tuple((r.scope, r.mode) for r in scheme.locks[kind]) for kind in hand.KINDS)


def hand_flags(scheme: LockScheme, env: Environment) -> int:
    return hand.flags_of(env.flags, scheme.check)


def lock_scheme(locks: hand.Locks, check: bool) -> LockScheme:
    return LockScheme(
        {
            kind: tuple(Request(scope, mode) for scope, mode in requests)
            for kind, requests in zip(hand.KINDS, locks, strict=True)
        },
        check,
    )


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand.build(tmp_path_factory.mktemp("independent_search"))


@cache
def explored(strategy: str, environment: str, symmetry: bool = False) -> Exploration:
    """The search at 2 x 2 x 2; several tests look at it."""
    scheme = SHIPPED.strategy(strategy).scheme
    return explore(Question(scheme, ENVIRONMENTS[environment], symmetry=symmetry))


# --- The seven strategies -------------------------------------------------------------------------


def assert_same_outcome(
    searcher: Path, scheme: LockScheme, env: Environment, encoders: int, ours: Exploration
) -> None:
    """Our exploration (2 threads, 2 blocks) is what the other search finds."""
    relation, flags = hand.relation(hand_locks(scheme)), hand_flags(scheme, env)
    theirs = hand.search(
        searcher,
        [hand.Job(2, encoders, 2, flags, relation, b.streams, b.homes) for b in ours.instances],
    )
    assert ours.complete
    assert ours.faults == frozenset().union(*(o.faults for o in theirs))
    assert ours.states == sum(o.states for o in theirs)
    assert ours.edges == sum(o.edges for o in theirs)
    assert (ours.exhausted is not None) == any(o.exhausted for o in theirs)
    # All maps, not only those that our side thinks are enough.
    every = hand.search(searcher, hand.jobs_of(2, encoders, 2, flags, relation))
    assert ours.faults == frozenset().union(*(o.faults for o in every))


FOUR_SCOPES = [
    strategy
    for strategy in SHIPPED.strategies
    # The other search knows the scopes of the theory, without queues.
    if not any(r.scope == "queue" for kind in spec.KINDS for r in strategy.scheme.locks[kind])
]


def test_the_two_searches_agree_with_one_encoder(searcher: Path) -> None:
    for strategy, env in itertools.product(FOUR_SCOPES, ENVIRONMENTS.values()):
        ours = explore(Question(strategy.scheme, env, 2, 1, 2))
        assert_same_outcome(searcher, strategy.scheme, env, 1, ours)


@pytest.mark.parametrize("environment", ["default", "racyFreelist", "confined"])
def test_the_two_searches_agree(searcher: Path, environment: str) -> None:
    for name in ("noSync", "perStream", "perEncoder"):
        scheme, env = SHIPPED.strategy(name).scheme, ENVIRONMENTS[environment]
        assert_same_outcome(searcher, scheme, env, 2, explored(name, environment))


@pytest.mark.slow
def test_the_two_searches_agree_everywhere(searcher: Path) -> None:
    for strategy, env in itertools.product(FOUR_SCOPES, ENVIRONMENTS.values()):
        ours = explored(strategy.name, env.name)
        assert_same_outcome(searcher, strategy.scheme, env, 2, ours)


def test_safe_and_unsafe_are_as_claimed() -> None:
    for strategy in SHIPPED.strategies:
        found = explored(strategy.name, "default")
        assert (not found.faults) == strategy.claims.safe, strategy.name
        if strategy.claims.fault is not None:
            assert strategy.claims.fault in found.faults
        if strategy.claims.parallel is not None:
            assert (found.parallel is not None) == strategy.claims.parallel


@pytest.mark.parametrize(
    ("strategy", "environment", "faults"),
    [
        ("noSync", "default", ALL_BUT_DEAD),
        ("perStream", "default", ALL_BUT_DEAD),
        ("perOp", "default", HANDLER | {"uninitialised"}),
        ("rwLock", "default", {"encoderOverlap"}),
        ("rwLock", "handlersBypass", HANDLER | {"encoderOverlap"}),
        ("globalMutex", "handlersBypass", HANDLER),
        ("perEncoder", "handlersBypass", HANDLER),
        ("perEncoder", "racyFreelist", {"staleContext", "doubleFree", "writeAfterFree"}),
        ("globalMutex", "racyFreelist", set()),
        ("perEncoder", "noRetain", {"deadDispatch"}),
        ("noSync", "confined", HANDLER),
        ("noSync", "confinedNoHandlers", set()),
    ],
)
def test_fault_sets_of_the_theory(strategy: str, environment: str, faults: Iterable[str]) -> None:
    found = explored(strategy, environment)
    assert found.faults == set(faults)


def test_parallelism_and_lost_work() -> None:
    environments = ("default", "handlersBypass", "confined", "confinedNoHandlers")
    for name, env in itertools.product(SEVEN, map(ENVIRONMENTS.__getitem__, environments)):
        scheme = SHIPPED.strategy(name).scheme
        found = explored(name, env.name)
        parallel = name != "globalMutex" or not env.handlersIntercepted
        assert (found.parallel is not None) == parallel, (name, env.name)
        encodes = name not in ("globalMutex", "perOp")
        assert (found.encodes_in_parallel is not None) == encodes, (name, env.name)
        skips = scheme.check and env.name != "confinedNoHandlers"
        assert (found.skip is not None) == skips, (name, env.name)
        assert found.deadlock is None


# --- All 29,282 single-request schemes ------------------------------------------------------------

SCHEMES = frozenset(itertools.product(hand.all_schemes(queues=True), (False, True)))


def relations(flags: int) -> dict[tuple[hand.Relation, bool], list[tuple[hand.Locks, bool]]]:
    """The schemes by what matters about them in an environment.

    A scheme with a lock per queue stands twice: the two encoders have one queue, or one each.
    """
    groups: dict[tuple[hand.Relation, bool], list[tuple[hand.Locks, bool]]] = {}
    for locks in hand.all_schemes(queues=True):
        for relation in {hand.relation(locks, one_queue) for one_queue in (False, True)}:
            for check in (False, True):
                group = hand.effective(flags, relation), check
                groups.setdefault(group, []).append((locks, check))
    return groups


def test_the_table_of_safe_schemes(searcher: Path) -> None:
    """How many of the 29,282 are safe in each environment, and which."""
    mutexes = {s: (((((s, "exclusive"),),) * 4), True) for s in ("global", "encoder", "queue")}
    assert len(SCHEMES) == 29_282
    safe: dict[str, frozenset[tuple[hand.Locks, bool]]] = {}
    for name, flags in hand.ENVIRONMENTS.items():
        groups = relations(flags)
        assert {s for group in groups.values() for s in group} == SCHEMES
        jobs, owners = [], []
        for (relation, check), schemes in groups.items():
            found = hand.jobs_of(2, 2, 2, flags | hand.CHECK * check, relation, hand.TO_FIRST_FAULT)
            jobs += found
            owners += [schemes] * len(found)
        unsafe = {
            id(schemes)
            for schemes, outcome in zip(owners, hand.search(searcher, jobs), strict=True)
            if outcome.faults
        }
        # Unsafe is what some client can be harmed with: one map of queues is enough.
        safe[name] = SCHEMES - {s for g in groups.values() if id(g) in unsafe for s in g}
    assert safe["default"] == set(mutexes.values())
    assert safe["handlersBypass"] == set()
    assert safe["racyFreelist"] == {mutexes["global"]}
    assert safe["noRetain"] == set()
    assert safe["confined"] == {
        ((*((((scope, mode),)) for mode in modes), ((scope, "exclusive"),)), True)
        for scope in ("global", "encoder", "queue")
        for modes in itertools.product(("shared", "exclusive"), repeat=3)
    }
    assert len(safe["confined"]) == 24
    assert safe["confinedNoHandlers"] == SCHEMES


def check_law(searcher: Path, flags: int, blocks: int) -> None:
    """Compare the closed form with the search, for every relation and environment `flags`."""
    # On streams of their own threads permit the most, so one stream map is enough here.
    distinct = {(r.same0, r.other0): r for r, _ in relations(flags)}
    jobs, owners = [], []
    for relation in distinct.values():
        found = hand.jobs_of(2, 2, blocks, flags, relation, streams=[(0, 1)])
        jobs += found
        owners += [relation] * len(found)
    faults: dict[hand.Relation, frozenset[str]] = {}
    for relation, outcome in zip(owners, hand.search(searcher, jobs), strict=True):
        faults[relation] = faults.get(relation, frozenset()) | outcome.faults
    assert len(faults) > 50
    for relation, found_faults in faults.items():
        assert found_faults == hand.law(flags, relation), relation


@pytest.mark.parametrize(
    "flags",
    [
        hand.DEFAULT | hand.CHECK,
        hand.ENVIRONMENTS["confined"] & ~hand.ATOMIC,
        hand.ENVIRONMENTS["confinedNoHandlers"] & ~hand.ATOMIC & ~hand.RETAIN,
    ],
)
def test_the_closed_form_of_the_fault_sets(searcher: Path, flags: int) -> None:
    """Every scheme, in environments that between them have every clause of the form."""
    check_law(searcher, flags, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("flags", range(64))
def test_the_closed_form_everywhere(searcher: Path, flags: int) -> None:
    """All 29,282 schemes in all 32 environments: `flags` has the liveness check as well."""
    check_law(searcher, flags, 2)
    check_law(searcher, flags, 3)


def test_memory_safe_schemes_are_exactly_six() -> None:
    """Without overlap as a fault, three more: the readers-writer locks."""
    flags = hand.DEFAULT
    memory_safe = {
        (locks, check)
        for locks, check in SCHEMES
        if all(
            hand.law(flags | hand.CHECK * check, hand.relation(locks, one)) <= {"encoderOverlap"}
            for one in (False, True)
        )
    }
    scopes = ("global", "encoder", "queue")
    exclusive = [((scope, "exclusive"),) for scope in scopes]
    shared = [((scope, "shared"),) for scope in scopes]
    expected = {
        ((x, e, x, x), True) for x, s in zip(exclusive, shared, strict=True) for e in (x, s)
    }
    assert memory_safe == expected
    assert len(expected) == 6


@pytest.mark.parametrize(
    "direction", ["neither", "handlers wait for nobody", "nobody waits for handlers"]
)
def test_waiting_for_handlers_in_one_direction_is_not_enough(
    searcher: Path, direction: str
) -> None:
    """All exclude all, in either order; but handlers wait for nobody, or nobody for handlers.

    No lock scheme is like this: locks exclude both ways.  A discipline need not.
    """
    complete, kinds = hand.KINDS.index("complete"), range(4)
    cleared = {
        "neither": 0,
        "handlers wait for nobody": sum(1 << 4 * held + complete for held in kinds),
        "nobody waits for handlers": sum(1 << 4 * complete + wanted for wanted in kinds),
    }[direction]
    excludes = hand.Relation(*(4 * (0xFFFF & ~cleared,)))
    jobs = hand.jobs_of(2, 1, 2, hand.DEFAULT | hand.CHECK, excludes)
    found = hand.search(searcher, jobs)
    assert any(outcome.race for outcome in found) == (direction != "neither")
    faults = frozenset[str]().union(*(outcome.faults for outcome in found))
    assert ("nullDeref" in faults) == (direction != "neither")
    assert direction != "neither" or not faults


# --- The search itself ----------------------------------------------------------------------------


def assert_witnesses(found: Exploration, scheme: LockScheme, env: Environment) -> None:
    for fault, example in found.counterexamples.items():
        assert example.fault is not None
        assert example.fault.fault == fault
        assert trace.check(example, scheme, env) is None, fault
    for witness in (found.parallel, found.skip, found.exhausted, found.encodes_in_parallel):
        if witness is not None:
            assert trace.check(witness, scheme, env) is None


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("environment", ["default", "racyFreelist", "confined"])
def test_every_counterexample_is_a_run(environment: str, symmetry: bool) -> None:
    for name in ("noSync", "perStream", "perEncoder"):
        found = explored(name, environment, symmetry)
        assert_witnesses(found, SHIPPED.strategy(name).scheme, ENVIRONMENTS[environment])


def test_counterexamples_are_shortest() -> None:
    """No run with fewer steps reaches the fault: breadth first over plain states says so."""
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["default"]
    found = explored("noSync", "default").counterexamples
    model = Model(scheme, env, Bounds(2, 2, 2))
    level, seen, depth = {model.initial()}, {model.initial()}, 0
    shortest: dict[str, int] = {}
    while depth <= 9:
        for state in level:
            for fault in model.faults(state):
                shortest.setdefault(fault.fault, depth)
        level = {after for state in level for _, after in model.enabled(state)} - seen
        seen |= level
        depth += 1
    assert shortest
    assert shortest == {f: len(t.events) for f, t in found.items() if len(t.events) <= 9}


def test_symmetry_changes_the_counts_only() -> None:
    for name in ("noSync", "perStream", "perEncoder"):
        for environment in ("default", "racyFreelist", "confined"):
            plain, reduced = explored(name, environment), explored(name, environment, True)
            assert reduced.faults == plain.faults
            lengths = {f: len(t.events) for f, t in plain.counterexamples.items()}
            assert lengths == {f: len(t.events) for f, t in reduced.counterexamples.items()}
            assert reduced.states < plain.states / 2
            for witness in ("parallel", "encodes_in_parallel", "skip", "deadlock", "exhausted"):
                assert (getattr(plain, witness) is None) == (getattr(reduced, witness) is None)


def test_the_orbits_of_the_reduced_states_are_all_states() -> None:
    scheme, env = SHIPPED.strategy("perOp").scheme, ENVIRONMENTS["default"]
    packed = PackedModel(scheme, env, Bounds(2, 2, 2))
    symmetry = Symmetry(packed)
    states = {packed.initial}
    for _, _, after in edges_of(packed):
        states.add(after)
    reduced = explore(Question(scheme, env, symmetry=True))
    assert len({symmetry.representative(word) for word in states}) == reduced.states


@pytest.mark.parametrize(
    ("strategy", "environment", "maps"),
    [
        ("noSync", "confined", {"homes": (0, 0)}),
        ("perStream", "default", {"streams": (0, 0, 1)}),
        ("perOp", "confined", {"homes": (0, 1)}),
    ],
)
def test_renamed_states_are_reachable(
    strategy: str, environment: str, maps: dict[str, tuple[int, ...]]
) -> None:
    """A renaming that the instance does not allow leads out of the reachable states."""
    bounds = Bounds(len(maps.get("streams", (0, 1))), 2 if "homes" in maps else 1, 2, **maps)
    scheme = SHIPPED.strategy(strategy).scheme
    packed = PackedModel(scheme, ENVIRONMENTS[environment], bounds)
    symmetry = Symmetry(packed)
    states = {packed.initial} | {after for _, _, after in edges_of(packed)}
    assert states >= {symmetry.representative(word) for word in states}


def test_packing_is_faithful() -> None:
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["racyFreelist"]
    packed = PackedModel(scheme, env, Bounds(2, 2, 2))
    model = packed.model
    for number, (word, _, _) in enumerate(edges_of(packed)):
        if number % 200:
            continue
        state = packed.packing.unpack(word)
        assert packed.packing.pack(state) == word
        steps, faults, _, _ = packed.expand(word)
        ours = {(event, packed.packing.unpack(after)) for after, event in steps}
        assert ours == set(model.enabled(state))
        assert set(faults) == set(model.faults(state))


def test_maps_that_do_not_matter_are_not_multiplied() -> None:
    default, confined = ENVIRONMENTS["default"], ENVIRONMENTS["confined"]
    per_encoder = SHIPPED.strategy("perEncoder").scheme
    per_stream = SHIPPED.strategy("perStream").scheme
    assert len(list(each_instance(per_encoder, default, 3, 2, 3))) == 1
    assert [b.streams for b in each_instance(per_stream, default, 3, 1, 3)] == [
        (0, 1, 2),
        (0, 0, 1),
        (0, 0, 0),
    ]
    homes = {tuple(sorted(b.homes)) for b in each_instance(per_encoder, confined, 2, 2, 2)}
    assert len(homes) == 2  # one thread owns both, or each owns one
    striped = LockScheme(dict.fromkeys(spec.KINDS, (Request("queue", "exclusive"),)), True)
    assert len(list(each_instance(striped, default, 2, 3, 2))) == 3


def test_an_empty_freelist_is_reported_and_is_no_deadlock() -> None:
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["default"]
    found = explore(Question(scheme, env, 2, 1, 1))
    assert found.exhausted is not None
    assert found.bound_hit
    assert found.deadlock is None
    assert explore(Question(scheme, env, 2, 1, 3)).exhausted is None


def test_a_limit_on_states_is_reported() -> None:
    scheme, env = SHIPPED.strategy("noSync").scheme, ENVIRONMENTS["default"]
    found = explore(Question(scheme, env, limits=Limits(states=100)))
    assert not found.complete
    assert found.bound_hit
    assert found.states < 200


def test_striped_locks_are_safe_and_an_unlocked_teardown_is_not() -> None:
    env = ENVIRONMENTS["default"]
    queue = (Request("queue", "exclusive"),)
    striped = LockScheme(dict.fromkeys(spec.KINDS, queue), True)
    assert explore(Question(striped, env)).faults == frozenset()
    for kind in spec.KINDS:
        weaker = LockScheme({**dict.fromkeys(spec.KINDS, queue), kind: ()}, True)
        assert explore(Question(weaker, env), first_fault=True).faults, kind


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_threads_have_no_further_faults(searcher: Path) -> None:
    """3 x 2 x 3 for the seven: the sets of 2 x 2 x 2, in all environments."""
    for name, (environment, flags) in itertools.product(SEVEN, hand.ENVIRONMENTS.items()):
        scheme = SHIPPED.strategy(name).scheme
        flags |= hand.CHECK * scheme.check  # noqa: PLW2901
        relation = hand.relation(hand_locks(scheme))
        jobs = hand.jobs_of(3, 2, 3, flags, relation, streams=[(0, 1, 2)])
        faults = frozenset().union(*(o.faults for o in hand.search(searcher, jobs)))
        assert faults == explore(Question(scheme, ENVIRONMENTS[environment])).faults
