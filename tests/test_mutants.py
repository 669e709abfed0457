"""Mutants of the spec: does `verify prove` go red exactly where the truth changes?

The mutants are those of `verify.mutation` without locks per queue: every single change of a lock
of the seven strategies (7 x 4 places, each with the 8 other values of {none} + {global, stream,
operation, encoder} x {exclusive, shared}: 224 mutants) and of their liveness checks (7 more), each
with the claims of the original.  The truth of every claim comes from the exhaustive search in
`independent_search`, which shares no line with `verify`.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import independent_search as hand
import pytest

from verify import spec
from verify.engines.embedded import EmbeddedEngine
from verify.mutation import mutants
from verify.prove import Row, prove
from verify.spec import Expect, LockScheme, Strategy
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
SEVEN = ("noSync", "globalMutex", "perStream", "perOp", "perEncoder", "rwLock", "lockFree")

Truth = dict[str, bool]
"""What a claim says (`verify.claims.Claim.what`) to whether it is so."""


@dataclass(frozen=True)
class Mutant:
    """One of the seven with one change, and the claims of the original."""

    original: Strategy
    name: str
    scheme: LockScheme

    @property
    def claims(self) -> Expect:
        """Those of the original."""
        return self.original.claims

    def under_its_own_name(self) -> Strategy:
        """The mutant as a strategy of its own; the names of the original's theorems are taken."""
        claims = dataclasses.replace(
            self.claims,
            theorem=None,
            parallel_theorem=None,
            file=f"Mutants_{self.original.name}",
            note=None,
        )
        return Strategy(self.name, f"a mutant of {self.original.name}", self.scheme, claims)

    def in_place(self) -> Strategy:
        """The original with the change."""
        return dataclasses.replace(self.original, scheme=self.scheme)


def mutants_of(original: Strategy) -> Iterable[Mutant]:
    for words, scheme in mutants.schemes(original.scheme):
        if "queue" not in words:  # the independent search knows no queues
            name = re.sub(r"\W+", "_", f"{original.name} {words.partition(',')[0]}")
            yield Mutant(original, name, scheme)


MUTANTS = tuple(m for name in SEVEN for m in mutants_of(SHIPPED.strategy(name)))
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def truth(searcher: Path, scheme: LockScheme, claims: Expect) -> Truth:
    """What an exhaustive search of all clients of a small instance says of each claim."""
    locks = tuple(tuple((r.scope, r.mode) for r in scheme.locks[kind]) for kind in hand.KINDS)
    flags = hand.DEFAULT | (hand.CHECK if scheme.check else 0)
    found = hand.search(searcher, hand.jobs_of(2, 2, 2, flags, hand.relation(locks)))
    faults = frozenset[str]().union(*(outcome.faults for outcome in found))
    parallel = any(outcome.parallel for outcome in found)
    return {
        "safe": not faults,
        "unsafe": bool(faults),
        "fault": claims.fault in faults,
        "race": any(outcome.race for outcome in found),
        "parallel": parallel,
        "sequential": not parallel,
        # Not from the spec, but from the mutant itself: a run that was found, and the faults in
        # each environment.
        "counterexample": True,
        "faults": True,
    }


def by_law(scheme: LockScheme, environment: str) -> frozenset[str]:
    """The faults in an environment, by the law that `test_explore.py` holds against the search."""
    locks = tuple(tuple((r.scope, r.mode) for r in scheme.locks[kind]) for kind in hand.KINDS)
    flags = hand.ENVIRONMENTS[environment] | (hand.CHECK if scheme.check else 0)
    return hand.law(flags, hand.relation(locks))


def claimed(claims: Expect) -> set[str]:
    """The claims that the expectation of one of the seven amounts to."""
    parallel = "parallel" if claims.parallel else "sequential"
    if claims.safe:
        return {"safe", parallel}
    return {"unsafe", "race" if claims.race else "fault", parallel}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand.build(tmp_path_factory.mktemp("independent_search"))


def assert_judged_rightly(row: Row, true: Truth, claims: Expect) -> None:
    """Exactly the false claims are refuted, by name; all others are proved."""
    judged = {j.claim.what for j in row.judged}
    assert judged - {"counterexample", "faults"} == claimed(claims), row.strategy.name
    for j in row.judged:
        wanted = Verdict.PROVED if true[j.claim.what] else Verdict.REFUTED
        assert j.verdict is wanted, f"{j.claim.english}: {j.verdict} ({j.reason})"
        assert re.match(rf"{row.strategy.name}\b", j.claim.english)
        assert j.theorem is not None
    wrong = any(not true[what] for what in judged)
    assert row.verdict is (Verdict.REFUTED if wrong else Verdict.PROVED)
    assert row.safe is true["safe"]
    assert row.parallel is true["parallel"]
    for environment, faults in row.faults.items():
        assert faults is not None
        assert set(faults) == by_law(row.strategy.scheme, environment)
    # Whoever is told that a strategy is not safe is told why.
    assert bool(row.counterexample) == (not true["safe"])


def write(path: Path, strategies: Sequence[Strategy]) -> Path:
    path.write_text(spec.dump(dataclasses.replace(SHIPPED, strategies=tuple(strategies))))
    return path


# --- The mutants themselves -----------------------------------------------------------------------


def test_the_mutants_are_all_there() -> None:
    assert len(MUTANTS) == len(BY_NAME) == 224 + 7
    assert Counter(mutant.original.name for mutant in MUTANTS) == dict.fromkeys(SEVEN, 33)
    for mutant in MUTANTS:
        old, new = mutant.original.scheme, mutant.scheme
        changed = [kind for kind in spec.KINDS if old.locks[kind] != new.locks[kind]]
        assert len(changed) + (old.check != new.check) == 1


def test_the_seven_are_as_they_claim(searcher: Path) -> None:
    for name in SEVEN:
        strategy = SHIPPED.strategy(name)
        true = truth(searcher, strategy.scheme, strategy.claims)
        assert all(true[what] for what in claimed(strategy.claims)), name


def test_what_the_changes_do_to_the_truth(searcher: Path) -> None:
    refuted: Counter[tuple[str, str]] = Counter()
    red: Counter[str] = Counter()
    for mutant in MUTANTS:
        true = truth(searcher, mutant.scheme, mutant.claims)
        wrong = sorted(what for what in claimed(mutant.claims) if not true[what])
        refuted.update((mutant.original.name, what) for what in wrong)
        red[mutant.original.name] += bool(wrong)
    # The two safe ones are fragile: no lock of theirs can be another one, and both need the check.
    # The five unsafe ones are not saved by any single change, but rwLock: with an exclusive lock
    # for encoding it is globalMutex; with another exclusive one encodes at least exclude each
    # other (its claim is the overlap), while teardown is let in.
    assert red == dict.fromkeys(SEVEN, 0) | {"globalMutex": 33, "perEncoder": 33, "rwLock": 3}
    assert refuted == {
        ("globalMutex", "safe"): 33,
        ("globalMutex", "sequential"): 32,
        ("perEncoder", "safe"): 33,
        ("rwLock", "unsafe"): 1,
        ("rwLock", "fault"): 3,
        ("rwLock", "parallel"): 1,
    }


# --- All at once ----------------------------------------------------------------------------------


@pytest.mark.slow  # one mutant at a time is judged in the ordinary run, for each kind of change
@pytest.mark.timeout(1800)
def test_all_mutants_in_one_spec(engine: EmbeddedEngine, searcher: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "mutants.toml", [m.under_its_own_name() for m in MUTANTS])
    result = prove(path, engine)
    assert result.errors == ()
    assert len(result.rows) == len(MUTANTS)
    for row in result.rows:
        mutant = BY_NAME[row.strategy.name]
        assert_judged_rightly(row, truth(searcher, mutant.scheme, mutant.claims), mutant.claims)
    assert result.verdict is Verdict.REFUTED


# --- One at a time: the shipped seven with one of them changed ------------------------------------


def judged_alone(mutant: Mutant, engine: EmbeddedEngine, searcher: Path, scratch: Path) -> None:
    strategies = [
        mutant.in_place() if name == mutant.original.name else SHIPPED.strategy(name)
        for name in SEVEN
    ]
    result = prove(write(scratch / "mutant.toml", strategies), engine)
    assert result.errors == ()
    assert [row.strategy.name for row in result.rows] == list(SEVEN)
    for row in result.rows:
        scheme = row.strategy.scheme
        assert_judged_rightly(
            row, truth(searcher, scheme, row.strategy.claims), row.strategy.claims
        )
    wrong = [row.strategy.name for row in result.rows if row.verdict is not Verdict.PROVED]
    assert wrong in ([], [mutant.original.name])
    assert result.verdict is (Verdict.REFUTED if wrong else Verdict.PROVED)


@pytest.mark.parametrize(
    "name",
    [
        "globalMutex_encode_takes_global_shared",  # not safe any more
        "lockFree_encode_takes_global_exclusive",  # one lock alone changes nothing
    ],
)
def test_single_mutants(name: str, engine: EmbeddedEngine, searcher: Path, tmp_path: Path) -> None:
    judged_alone(BY_NAME[name], engine, searcher, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_every_mutant_alone(
    name: str, engine: EmbeddedEngine, searcher: Path, tmp_path: Path
) -> None:
    judged_alone(BY_NAME[name], engine, searcher, tmp_path)
