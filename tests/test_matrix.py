"""The proved matrix, the criterion and users' own strategies, against an independent search.

What Lean proves about any number of threads is compared with what `independent_search`, which
shares no line with it, finds in an instance of two threads, two encoders and two blocks: over all
maps from threads to streams, from encoders to queues and from encoders to home threads.

That the criterion of all 13,122 schemes without locks per queue agrees in all 32 environments is
not taken from a Python copy of it: a Lean module states every answer, and Lean's kernel evaluates
the criterion.  One scheme stands for all that permit the same pairs of operations; that this is
enough is proved in the same module, and which pairs a request excludes is evaluated there as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import independent_search as hand
import pytest

from verify import resources, spec
from verify.engines.embedded import EmbeddedEngine
from verify.prove import prove, record
from verify.records.base import as_json
from verify.spec import LockScheme
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
SCOPES = ("global", "stream", "operation", "encoder")
REQUESTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    *(((scope, mode),) for scope in SCOPES for mode in spec.MODES),
)
PAIRS = tuple(itertools.product(range(4), repeat=2))
BITS = (hand.INTERCEPTED, hand.TEAR_DOWN, hand.ATOMIC, hand.RETAIN, hand.SHARED, hand.PATIENT)
"""The Booleans of the Lean structure `Env`, in its order."""
FLAGS = [flags | patient for patient in (0, hand.PATIENT) for flags in range(32)]
"""All environments."""


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand.build(tmp_path_factory.mktemp("independent_search"))


# --- What the search says -------------------------------------------------------------------------


def variants(scheme: LockScheme) -> list[hand.Locks]:
    """A scheme for each way in which queues can be shared.

    With two encoders a lock per queue is a lock per encoder, or one for both of them.
    """
    locks = tuple(tuple((r.scope, r.mode) for r in scheme.locks[kind]) for kind in hand.KINDS)
    used = {scope for requests in locks for scope, _ in requests}
    if "queue" not in used:
        return [locks]
    assert not used & {"global", "encoder"}, "a lock per queue would meet another lock's name"
    return [
        tuple(tuple((name, mode) for _, mode in requests) for requests in locks)
        for name in ("global", "encoder")
    ]


def exact_faults(searcher: Path, scheme: LockScheme, flags: int) -> frozenset[str]:
    """The faults that some client of a small instance can run into."""
    flags |= hand.CHECK if scheme.check else 0
    jobs = [
        job
        for locks in variants(scheme)
        for job in hand.jobs_of(2, 2, 2, flags, hand.relation(locks))
    ]
    return frozenset[str]().union(*(found.faults for found in hand.search(searcher, jobs)))


# --- (i) The matrix -------------------------------------------------------------------------------


def test_the_proved_matrix_is_that_of_the_search(engine: EmbeddedEngine, searcher: Path) -> None:
    result = as_json(record(prove(None, engine)))
    rows = [*result["strategies"], *result["extensions"]]
    assert [row["strategy"] for row in rows] == [s.name for s in SHIPPED.strategies]
    assert len(result["strategies"]) == 7
    assert len(result["extensions"]) == 3
    cells = 0
    for row, strategy in zip(rows, SHIPPED.strategies, strict=True):
        assert set(row["faults"]) == set(hand.ENVIRONMENTS)
        for name, faults in row["faults"].items():
            searched = exact_faults(searcher, strategy.scheme, hand.ENVIRONMENTS[name])
            assert faults is not None, (strategy.name, name)
            assert frozenset(faults) == searched, (strategy.name, name)
            assert len(faults) == len(searched)
            cells += 1
    assert cells == 70


# --- (ii) All schemes, all environments -----------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """All that the criterion can see of a scheme in an environment.

    Attributes:
        overlaps: The pairs of kinds that different threads can be in at once on one encoder.
        creates_apart: Creates exclude each other wherever they are.
        check: The guard checks liveness.
    """

    overlaps: frozenset[tuple[int, int]]
    creates_apart: bool
    check: bool


def meet(flags: int, k: int, n: int) -> bool:
    """Whether such operations of different threads can happen on one encoder at all."""
    create, complete = hand.KINDS.index("create"), hand.KINDS.index("complete")
    if flags & hand.PATIENT and create in (k, n):
        return False
    return bool(flags & (hand.TEAR_DOWN if complete in (k, n) else hand.SHARED))


def seen(flags: int, relation: hand.Relation, check: bool) -> Seen:
    """What the criterion sees, from the hand-written conflict relation."""
    effective = hand.effective(flags, relation)
    free = [(k, n) for k, n in PAIRS if not effective.same0 >> (4 * k + n) & 1]
    overlaps = frozenset(pair for pair in free if meet(flags, *pair))
    return Seen(overlaps, bool(effective.other0 & 1), check)


def canonical(jobs: Iterable[hand.Job]) -> set[hand.Job]:
    """The jobs without those that are others with threads, streams or encoders renamed.

    Two threads on one stream are two threads on different ones, under the relation of that case.
    """
    result = set()
    for job in jobs:
        assert (job.threads, job.encoders) == (2, 2)
        r, flags, homes = job.relation, job.flags, job.homes
        if job.streams[0] == job.streams[1]:
            r = hand.Relation(r.same1, r.same1, r.other1, r.other1)
        else:
            r = hand.Relation(r.same0, r.same0, r.other0, r.other0)
        if not flags & hand.TEAR_DOWN:
            flags |= hand.INTERCEPTED  # what never happens is not intercepted either
        homes = (0, int(homes[0] != homes[1]))
        result.add(dataclasses.replace(job, flags=flags, relation=r, streams=(0, 1), homes=homes))
    return result


def search_all(
    searcher: Path, wanted: Mapping[tuple[int, hand.Relation], Sequence[hand.Job]]
) -> dict[tuple[int, hand.Relation], frozenset[str]]:
    """The union of the faults of each group of jobs; equal jobs are run once."""
    jobs = sorted({job for group in wanted.values() for job in group}, key=hand.Job.line)
    found = dict(zip(jobs, hand.search(searcher, jobs), strict=True))
    return {
        key: frozenset[str]().union(*(found[job].faults for job in group))
        for key, group in wanted.items()
    }


def literal(locks: hand.Locks, check: bool) -> str:
    """A scheme as a Lean term."""
    return f"⟨{', '.join(map(requests_literal, locks))}, {str(check).lower()}⟩"


def requests_literal(requests: Iterable[tuple[str, str]]) -> str:
    return "[" + ", ".join(f"⟨.{scope}, .{mode}⟩" for scope, mode in requests) + "]"


def env_literal(flags: int) -> str:
    return "⟨" + ", ".join(str(bool(flags & bit)).lower() for bit in BITS) + "⟩"


def number(bits: Iterable[bool]) -> int:
    return sum(1 << i for i, bit in enumerate(bits) if bit)


LAWS = """\
import MPSVerify.Spec.Criterion
namespace MPSVerify.Agreement

/-! The criteria depend on a scheme through `Seen` alone. -/

theorem overlapsTeardown_by_seen {env : Env} {σ τ : LockScheme}
    (h : ∀ k k', σ.overlaps env k k' = τ.overlaps env k k') (k : Kind) :
    σ.overlapsTeardown env k = τ.overlapsTeardown env k := by
  simp only [LockScheme.overlapsTeardown, h]

theorem criterion_by_seen {env : Env} {σ τ : LockScheme} (hc : σ.check = τ.check)
    (h : ∀ k k', σ.overlaps env k k' = τ.overlaps env k k')
    (ha : σ.excludesAnywhere env .create .create = τ.excludesAnywhere env .create .create) :
    criterion env σ = criterion env τ := by
  simp only [criterion, h, ha, hc]

theorem faultCriterion_by_seen {env : Env} {σ τ : LockScheme} (hc : σ.check = τ.check)
    (h : ∀ k k', σ.overlaps env k k' = τ.overlaps env k k')
    (ha : σ.excludesAnywhere env .create .create = τ.excludesAnywhere env .create .create)
    (f : Fault) : faultCriterion env σ f = faultCriterion env τ f := by
  cases f <;> simp only [faultCriterion, raceCriterion, LockScheme.stealsBlocks,
    overlapsTeardown_by_seen h, h, ha, hc]

/-! `Seen` is made of facts about pairs of requests. -/

theorem overlaps_by_pair (env : Env) (σ : LockScheme) (k k' : Kind) : σ.overlaps env k k' =
    (env.meet k k' && !anyExcludes (Scope.sameOnEncoder k k') (σ.requestsIn env k)
      (σ.requestsIn env k')) := rfl

theorem creates_by_pair (env : Env) (σ : LockScheme) : σ.excludesAnywhere env .create .create =
    anyExcludes (Scope.sameAnywhere .create .create) (σ.requestsIn env .create)
      (σ.requestsIn env .create) := rfl

theorem requests_bypassed {env : Env} (σ : LockScheme) (h : env.handlersIntercepted = false) :
    σ.requestsIn env .complete = [] := by simp [LockScheme.requestsIn, h]

theorem requests_intercepted {env : Env} (σ : LockScheme) (h : env.handlersIntercepted = true)
    (k : Kind) : σ.requestsIn env k = σ.requests k := by simp [LockScheme.requestsIn, h]

theorem requests_of_callers {env : Env} (σ : LockScheme) {k : Kind} (h : k ≠ .complete) :
    σ.requestsIn env k = σ.requests k := by simp [LockScheme.requestsIn, h]

def bits (bs : List Bool) : Nat := bs.foldr (fun b n => n + n + cond b 1 0) 0

/-- Bits 0 to 7: the faults; bit 8: safe. -/
def answers (env : Env) (σ : LockScheme) : Nat :=
  bits (allFaults.map (faultCriterion env σ) ++ [criterion env σ])
"""


def pair_facts() -> list[str]:
    """Which requests exclude each other, and which operations meet, as Lean theorems."""
    lines = [
        f"def requests : List (List Request) := [{', '.join(map(requests_literal, REQUESTS))}]"
    ]

    def relation(k: int, r: int, n: int, q: int) -> hand.Relation:
        locks: list[tuple[tuple[str, str], ...]] = [(), (), (), ()]
        locks[k], locks[n] = REQUESTS[r], REQUESTS[q]
        return hand.relation(tuple(locks))

    numbers = range(len(REQUESTS))
    for k, n in PAIRS:
        name = f"{hand.KINDS[k]}_{hand.KINDS[n]}"
        bit = 1 << 4 * k + n
        call = f"anyExcludes (Scope.sameOnEncoder .{hand.KINDS[k]} .{hand.KINDS[n]})"
        if k == n:
            value = number(bool(relation(k, r, k, r).same0 & bit) for r in numbers)
            statement = f"bits (requests.map fun r => {call} r r) = {value}"
        else:
            rows = [
                number(bool(relation(k, r, n, q).same0 & bit) for q in numbers) for r in numbers
            ]
            statement = f"(requests.map fun r => bits (requests.map fun q => {call} r q)) = {rows}"
        lines.append(f"theorem {name} : {statement} := by decide +kernel")
    value = number(bool(relation(0, r, 0, r).other0 & 1) for r in numbers)
    call = "anyExcludes (Scope.sameAnywhere .create .create)"
    lines.append(
        f"theorem creates : bits (requests.map fun r => {call} r r) = {value} := by decide +kernel"
    )
    for flags in FLAGS:
        value = number(meet(flags, k, n) for k, n in PAIRS)
        lines.append(
            f"theorem meet{flags} : bits (allKinds.flatMap fun k => allKinds.map fun n => "
            f"Env.meet {env_literal(flags)} k n) = {value} := by decide +kernel"
        )
    return lines


@dataclass(frozen=True)
class Campaign:
    """What was compared.

    Attributes:
        schemes: How many pairs of a scheme (with or without check) and an environment.
        searches: How many different instances were searched to the end.
        evaluations: How many schemes Lean's kernel evaluated.
        safe: The number of safe schemes in each environment.
        modules: The Lean modules by name.
    """

    schemes: int
    searches: int
    evaluations: int
    safe: Mapping[int, int]
    modules: Mapping[str, str]


def campaign(searcher: Path, every: Iterable[int], schemes: Sequence[hand.Locks]) -> Campaign:
    """Search all schemes in all given environments, and write down the answers for Lean."""
    every = list(every)
    relations = {locks: hand.relation(locks) for locks in schemes}
    distinct = set(relations.values())
    wanted: dict[tuple[int, hand.Relation], Sequence[hand.Job]] = {}
    for flags in every:
        for bit in (0, hand.CHECK):
            for relation in {hand.effective(flags, r) for r in distinct}:
                jobs = hand.jobs_of(2, 2, 2, flags | bit, relation)
                wanted[flags | bit, relation] = sorted(canonical(jobs), key=hand.Job.line)
    found = search_all(searcher, wanted)
    evaluations = count = 0
    safe: Counter[int] = Counter()
    modules = {"Laws": "\n".join([LAWS, *pair_facts(), "end MPSVerify.Agreement"])}
    for flags in every:
        classes: dict[Seen, tuple[str, frozenset[str]]] = {}
        for locks, relation in relations.items():
            for bit in (0, hand.CHECK):
                faults = found[flags | bit, hand.effective(flags, relation)]
                entry = (literal(locks, bool(bit)), faults)
                kept = classes.setdefault(seen(flags, relation, bool(bit)), entry)
                assert kept[1] == faults, f"{entry} and {kept} differ in environment {flags}"
                safe[flags] += not faults
                count += 1
        evaluations += len(classes)
        answers = [
            number([*(fault in faults for fault in hand.FAULTS), not faults])
            for _, faults in classes.values()
        ]
        listed = ",\n  ".join(scheme for scheme, _ in classes.values())
        modules[f"Env{flags}"] = "\n".join(
            [
                "import Laws",
                f"namespace MPSVerify.Agreement.Env{flags}",
                f"def schemes : List LockScheme := [\n  {listed}]",
                f"theorem agree : schemes.map (answers {env_literal(flags)}) = {answers} := "
                "by decide +kernel",
                f"end MPSVerify.Agreement.Env{flags}",
            ]
        )
    searches = len({job for group in wanted.values() for job in group})
    return Campaign(count, searches, evaluations, dict(safe), modules)


def judge(engine: EmbeddedEngine, root: Path, modules: Mapping[str, str]) -> list[str]:
    """The complaints of Lean's kernel about the modules, replayed and audited.

    Args:
        root: A directory that gets the specification and the modules.
    """
    source = resources.root()
    shutil.copytree(source / "MPSVerify" / "Spec", root / "MPSVerify" / "Spec", dirs_exist_ok=True)
    for name, text in modules.items():
        (root / f"{name}.lean").write_text(text, encoding="utf-8")
    build = engine.build(root, list(modules))
    errors = [str(m) for module in build.modules for m in module.messages if m.severity == "error"]
    if not build.ok:
        return errors or ["the build failed"]
    asked = [f"MPSVerify.Agreement.{name}.agree" for name in modules if name != "Laws"]
    asked += [f"MPSVerify.Agreement.{name}" for name in ("criterion_by_seen", "creates", "meet31")]
    return list(engine.audit(build, asked, []).problems)


def representatives(number_of: int) -> list[hand.Locks]:
    """The schemes of the seven, and some others: the same in every run."""
    own = [variants(s.scheme)[-1] for s in SHIPPED.strategies]
    others = list(hand.all_schemes())
    return [*dict.fromkeys([*own, *random.Random(3).sample(others, number_of)])]


def test_the_criterion_agrees_with_the_search(
    engine: EmbeddedEngine, searcher: Path, tmp_path: Path
) -> None:
    done = campaign(searcher, hand.ENVIRONMENTS.values(), representatives(12))
    assert judge(engine, tmp_path, done.modules) == []
    assert len(done.modules) == 8
    # A wrong answer does not pass: one bit of one answer.
    module = done.modules["Env31"]
    head, _, tail = module.rpartition(") = [")
    first, _, rest = tail.partition(",")
    wrong = {**done.modules, "Env31": f"{head}) = [{int(first) ^ 1},{rest}"}
    (complaint,) = judge(engine, tmp_path, wrong)
    assert "Env31.lean" in complaint
    assert "is false" in complaint


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_criterion_agrees_with_the_search_everywhere(
    engine: EmbeddedEngine,
    searcher: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    done = campaign(searcher, FLAGS, list(hand.all_schemes()))
    assert done.schemes == 64 * 13_122
    named = {name: done.safe[flags] for name, flags in hand.ENVIRONMENTS.items()}
    # The counts that Theory/Counting.lean and Theory/Environments.lean prove, less what has a
    # lock per queue: test_explore.py counts those as well.
    assert named == {
        "default": 2,
        "handlersBypass": 0,
        "racyFreelist": 1,
        "noRetain": 0,
        "confined": 16,
        "confinedNoHandlers": 13_122,
        "afterCreate": 18,
    }
    record_property("safe", named)
    record_property("searches", done.searches)
    record_property("evaluations", done.evaluations)
    print(done.schemes, done.searches, done.evaluations, named)  # noqa: T201
    assert judge(engine, tmp_path, done.modules) == []


# --- (iii) Users' own strategies ------------------------------------------------------------------

EIGHTH: Mapping[str, Mapping[str, str | list[str]]] = {
    "encoderRW": {
        "create": "encoder exclusive",
        "encode": "encoder shared",
        "destroy": "encoder exclusive",
        "complete": "encoder exclusive",
    },
    "notOnComplete": {
        "create": "encoder exclusive",
        "encode": "encoder exclusive",
        "destroy": "encoder exclusive",
        "complete": "none",
    },
    "createByOperation": {
        "create": "operation exclusive",
        "encode": "encoder exclusive",
        "destroy": "encoder exclusive",
        "complete": "encoder exclusive",
    },
    "twoPerStripe": dict.fromkeys(hand.KINDS, "queue exclusive"),
    "globalThenEncoder": {kind: ["global exclusive", "encoder exclusive"] for kind in hand.KINDS},
}


def toml(name: str, locks: Mapping[str, str | list[str]]) -> str:
    lines = "\n".join(f"{kind} = {requests!r}" for kind, requests in locks.items())
    return (
        f'[[strategy]]\nname = "{name}"\nenglish = "an eighth one"\ncheck = true\n'
        f"[strategy.locks]\n{lines}\n"
    )


def test_an_eighth_strategy_gets_its_verdict(
    engine: EmbeddedEngine, searcher: Path, spec_file: Callable[[str], Path]
) -> None:
    text = "format = 1\n" + "".join(toml(name, locks) for name, locks in EIGHTH.items())
    result = prove(spec_file(text), engine)
    assert result.errors == ()
    assert [row.strategy.name for row in result.rows] == list(EIGHTH)
    safe = {}
    for row in result.rows:
        scheme = row.strategy.scheme
        faults = exact_faults(searcher, scheme, hand.DEFAULT)
        safe[row.strategy.name] = not faults
        # Without claims of its own a strategy is claimed to be safe.
        assert row.safe is (not faults), row.strategy.name
        main = row.judged[0]
        assert main.claim.what == "safe"
        assert main.verdict is (Verdict.REFUTED if faults else Verdict.PROVED)
        assert main.theorem is not None  # of the claim, or of its negation
        assert bool(row.counterexample) == bool(faults)
        if faults:
            assert row.counterexample[-1].rpartition(" -> ")[2] in faults
        for name, proved in row.faults.items():
            if proved is not None:
                searched = exact_faults(searcher, scheme, hand.ENVIRONMENTS[name])
                assert frozenset(proved) == searched, (row.strategy.name, name)
        assert None not in row.faults.values()
    # Both answers occur, or the comparison above has no teeth.
    assert set(safe.values()) == {True, False}
    assert result.verdict is Verdict.REFUTED
