"""Does the gate go red when a rule of the transition system changes, and why?

Each mutant of `support.rule_mutants` is proved with the shipped spec and the shipped theorems.
Then it is asked whether a *statement* has become false, or only a proof script does not fit any
more:

1. The same change is made to the independent search.  What it finds of the shipped strategies, in
   every environment, is compared with what is claimed of them: exact faults, parallelism, the
   teardown race, progress, and that one thread alone is safe.
2. If all of that still holds, the changed criterion is evaluated by Lean and compared with the
   changed search.
3. In the long campaign the explorer and the native guard get the same change, where they have the
   rule: they must agree, and what they see must be a difference to the independent search too.

A mutant that changes nothing of this, for all schemes of a larger sample, is equivalent: that too
is found by search, and no list of such mutants is kept by hand.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import independent_search as hand
import pytest
import test_matrix as matrix
from conftest import mostly_slow
from semantic_mutants import CPP, PY, QUEUES, SEARCH
from support.rule_edits import SHIPPED as TABLE
from support.rule_edits import Edit, SemanticMutant, apply
from support.rule_mutants import BY_NAME, MUTANTS
from support.rule_search import (
    ChangedExplorer,
    changed_guard,
    contradicted,
    per_queue,
)

from verify import resources, rules, spec, views
from verify.engines.embedded import EmbeddedEngine
from verify.mutation.observers import Explorer, Observer
from verify.prove import prove
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

HERE = Path(__file__).parent
SHIPPED = spec.load()


def rows(lock: str | None = None) -> dict[str, tuple[list[hand.Locks], bool]]:
    """What the search is asked about the shipped strategies.

    Args:
        lock: The lock that a queue's is taken for.
    """
    found: dict[str, tuple[list[hand.Locks], bool]] = {}
    for strategy in spec.load().strategies:
        ways, check = matrix.variants(strategy.scheme), strategy.scheme.check
        queues = len(ways) > 1
        if queues and lock is not None:
            changed = (tuple(tuple((lock, m) for _, m in rs) for rs in way) for way in ways)
            ways = list(changed)
        found[strategy.name] = ways, check
        if queues:
            found[f"{strategy.name} with one queue"] = ways[:1], check
    return found


ROWS = rows()
SAMPLE: Mapping[str, tuple[list[hand.Locks], bool]] = {
    matrix.literal(locks, check): ([locks], check)
    for locks in matrix.representatives(40)
    for check in (True, False)
}

# Where and how the search is made to say more: the depth at which it first sees each fault, and a
# state in which no busy thread can go on though none is faulty and blocks have not run out.
INSTRUMENTS = (
    Edit(
        CPP,
        "    for (std::size_t i = 0; i < queue_.size(); ++i) {\n",
        "    std::size_t end = 1;\n    for (std::size_t i = 0; i < queue_.size(); ++i) {\n"
        "      if (i == end) end = queue_.size(), ++depth_;\n",
    ),
    Edit(CPP, "    faults_ |= 1u << f;\n", "    faults_ |= 1u << f;\n    seen(f);\n"),
    Edit(
        CPP,
        "  bool allowed(int t, int kind, int e) const {\n",
        "  void seen(int what) { if (first_[what] < 0) first_[what] = depth_; }\n\n"
        "  bool allowed(int t, int kind, int e) const {\n",
    ),
    Edit(
        CPP,
        "  bool parallel_ = false, race_ = false;\n",
        "  bool parallel_ = false, race_ = false, dry_ = false;\n"
        "  int depth_ = 0, first_[9] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};\n",
    ),
    Edit(
        CPP,
        "      move(s, t);\n    }\n",
        "      const std::size_t earlier = edges_;\n      move(s, t);\n"
        "      worked += edges_ - earlier;\n    }\n"
        "    if (busy && worked == 0 && !faulty_ && !dry_) seen(8);\n",
    ),
    Edit(CPP, "    bool busy = false;\n", "    std::size_t worked = 0;\n    bool busy = false;\n"),
    Edit(CPP, "    faulty_ = false;\n", "    faulty_ = dry_ = false;\n"),
    Edit(CPP, "exhausted_ += !any;", "exhausted_ += !any;\n        dry_ = dry_ || !any;"),
    Edit(
        CPP,
        '    std::printf("%u %zu %zu %zu %zu %u %d %d\\n", '
        "faults_, queue_.size(), edges_, deadlocks_,\n"
        "                exhausted_, together_, parallel_, race_);\n",
        '    std::printf("%d %d", parallel_, race_);\n'
        '    for (int depth : first_) std::printf(" %d", depth);\n'
        '    std::printf("\\n");\n',
    ),
)


@dataclass(frozen=True)
class Cell:
    """What the search finds of a scheme in an environment, over all small clients.

    Attributes:
        faults: Each fault with the number of steps of the shortest run to it.
        stuck: The number of steps to a state in which nobody can go on, if there is one.
        alone: The same as `faults` with one thread.
    """

    faults: Mapping[str, int]
    parallel: bool
    race: bool
    stuck: int | None
    alone: Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """A statement that holds of the system as it is and not of the changed one.

    Attributes:
        statement: Which.
        steps: The number of steps of a shortest run against it; None if what is refuted is that
            something can be reached: no run of the small instance reaches it.
    """

    statement: str
    steps: int | None

    def __str__(self) -> str:
        return self.statement


class Searcher:
    """The independent search, instrumented, with the changes of a mutant.

    Args:
        directory: Where it is built.
        edits: The changes.
    """

    def __init__(self, directory: Path, edits: Iterable[Edit]) -> None:
        directory.mkdir()
        texts = {name: (HERE / name).read_text(encoding="utf-8") for name in (CPP, PY)}
        for edit in (*edits, *INSTRUMENTS):
            texts[edit.file] = edit.apply(texts[edit.file])
        for name, text in texts.items():
            (directory / name).write_text(text, encoding="utf-8")
        self.module = _load(directory / PY)
        self.program: Path = self.module.build(directory)

    def cells(
        self, schemes: Mapping[str, tuple[list[hand.Locks], bool]]
    ) -> dict[tuple[str, str], Cell]:
        """What there is to see of schemes, by name and environment."""
        groups: dict[tuple[str, str, int], list[hand.Job]] = {}
        for name, (variants, check) in schemes.items():
            for environment, flags in hand.ENVIRONMENTS.items():
                flags |= hand.CHECK if check else 0  # noqa: PLW2901
                for threads in (1, 2):
                    groups[name, environment, threads] = [
                        job
                        for locks in variants
                        for job in self.module.jobs_of(
                            threads, 2, 2, flags, self.module.relation(locks)
                        )
                    ]
        jobs = list(dict.fromkeys(job.line() for group in groups.values() for job in group))
        done = subprocess.run(
            [str(self.program)], input="".join(jobs), capture_output=True, text=True, check=True
        )
        rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        found = dict(zip(jobs, rows, strict=True))
        return {
            (name, environment): _cell(
                [found[job.line()] for job in groups[name, environment, 2]],
                [found[job.line()] for job in groups[name, environment, 1]],
            )
            for name, environment, threads in groups
            if threads == 2
        }


def _load(path: Path) -> ModuleType:
    """A module from a file, under a name of its own."""
    name = f"mutated_{path.parent.name}_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # its dataclasses look themselves up there
    try:
        found.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def _cell(two: Sequence[tuple[int, ...]], one: Sequence[tuple[int, ...]]) -> Cell:
    def first(rows: Sequence[tuple[int, ...]], what: int) -> int | None:
        return min((row[2 + what] for row in rows if row[2 + what] >= 0), default=None)

    def faults(rows: Sequence[tuple[int, ...]]) -> dict[str, int]:
        depths = {fault: first(rows, i) for i, fault in enumerate(hand.FAULTS)}
        return {fault: depth for fault, depth in depths.items() if depth is not None}

    stuck = first(two, len(hand.FAULTS))
    return Cell(faults(two), any(r[0] for r in two), any(r[1] for r in two), stuck, faults(one))


def differences(
    before: Mapping[tuple[str, str], Cell], after: Mapping[tuple[str, str], Cell]
) -> list[Difference]:
    """What is claimed, holds before, and does not hold after; shortest counterexamples first."""
    found = []
    for key, old in before.items():
        new, where = after[key], " in ".join(key)
        for fault in new.faults.keys() - old.faults.keys():
            found.append(Difference(f"{where} has no {fault}", new.faults[fault]))
        for fault in old.faults.keys() - new.faults.keys():
            found.append(Difference(f"{where} can run into {fault}", None))
        if old.parallel != new.parallel:
            word = "parallel" if old.parallel else "sequential"
            found.append(Difference(f"{where} is {word}", None))
        if old.race and not new.race:
            found.append(Difference(f"{where} has the teardown race", None))
        if old.stuck is None and new.stuck is not None:
            found.append(Difference(f"{where} makes progress", new.stuck))
        if not old.alone and new.alone:
            fault, steps = min(new.alone.items(), key=lambda item: item[1])
            found.append(Difference(f"{where} has no {fault} with one thread", steps))
    return sorted(found, key=lambda d: (d.steps is None, d.steps or 0))


@dataclass(frozen=True)
class Report:
    """What became of a mutant.

    Attributes:
        gate: The verdict of `verify prove`.
        differences: The statements that have become false.
        equivalent: No difference, not even for the larger sample of schemes.
    """

    mutant: SemanticMutant
    gate: Verdict
    differences: tuple[Difference, ...]
    equivalent: bool

    def line(self) -> str:
        """A line of the table."""
        if self.differences:
            first = self.differences[0]
            what = f"false: {first}" + (
                f" (+{len(self.differences) - 1})" * (len(self.differences) > 1)
            )
            steps = "unreachable" if first.steps is None else str(first.steps)
        else:
            what, steps = ("equivalent" if self.equivalent else "proof script only"), "-"
        return f"| {self.mutant.name} | {self.gate} | {what} | {steps} |"


def mutated_root(mutant: SemanticMutant, scratch: Path) -> Path:
    """A copy of the shipped data with the change."""
    source, root = resources.root(), scratch / "root"
    for part in ("MPSVerify", "model"):
        shutil.copytree(source / part, root / part)
    for name in ("MPSVerify.lean", "lakefile.lean", "lean-toolchain"):
        shutil.copy(source / name, root / name)
    apply(mutant.lean, root / "MPSVerify" / "Spec")
    return root


def criterion_differences(
    engine: EmbeddedEngine, scratch: Path, cells: Mapping[tuple[str, str], Cell]
) -> list[Difference]:
    """Where the criterion, as Lean evaluates it now, is not what the search finds."""
    root = scratch / "criterion"
    shutil.copytree(resources.root() / "MPSVerify" / "Spec", root / "MPSVerify" / "Spec")
    (root / "Laws.lean").write_text(matrix.LAWS.split("/-! `Seen` is")[0] + ANSWERS)

    def false(statements: Sequence[str]) -> list[int]:
        """The numbers of the statements that Lean finds false."""
        lines = ["import Laws", "namespace MPSVerify.Agreement.Cells"]
        first = len(lines) + 1
        for number, statement in enumerate(statements):
            lines.append(f"theorem cell{number} : {statement} := by decide +kernel")
        (root / "Cells.lean").write_text("\n".join([*lines, "end MPSVerify.Agreement.Cells"]))
        build = engine.build(root, ["Cells"])
        errors = [m for r in build.modules for m in r.messages if m.severity == "error"]
        assert build.ok == (not errors)
        judged = [m for m in errors if not m.text.startswith("maximum number of errors")]
        assert all("is false" in m.text for m in judged), errors
        return sorted({m.line - first for m in judged})

    def answer(place: tuple[str, str]) -> str:
        scheme, environment = place
        faults = cells[place].faults
        bits = [*(fault in faults for fault in hand.FAULTS), not faults]
        env = matrix.env_literal(hand.ENVIRONMENTS[environment])
        return f"answers {env} {scheme} = {matrix.number(bits)}"

    places = list(cells)
    wrong = [places[number] for number in false([answer(place) for place in places])]
    single: list[tuple[str, Difference]] = []
    for place in wrong[:MOST]:
        where, faults = " in ".join(place), cells[place].faults
        arguments = f"{matrix.env_literal(hand.ENVIRONMENTS[place[1]])} {place[0]}"
        for fault in hand.FAULTS:
            statement = f"faultCriterion {arguments} .{fault} = {str(fault in faults).lower()}"
            single.append(
                (statement, Difference(f"criterion of {fault}: {where}", faults.get(fault)))
            )
        shortest = min(faults.values(), default=None)
        statement = f"criterion {arguments} = {str(not faults).lower()}"
        single.append((statement, Difference(f"criterion of safety: {where}", shortest)))
    found = [single[number][1] for number in false([statement for statement, _ in single])]
    assert bool(found) == bool(wrong)
    return sorted(found, key=lambda d: (d.steps is None, d.steps or 0))


MOST = 12
"""So many schemes on which a criterion is wrong are looked at more closely."""

ANSWERS = "def bits" + matrix.LAWS.split("def bits")[1] + "\nend MPSVerify.Agreement\n"


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return Searcher(tmp_path_factory.mktemp("search") / "unchanged", ())


Judge = Callable[[str], Report]


@pytest.fixture
def judge(
    engine: EmbeddedEngine, unchanged: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Judge:
    return partial(judged, engine, unchanged, tmp_path, monkeypatch)


def judged(
    engine: EmbeddedEngine,
    unchanged: Searcher,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> Report:
    """Prove with the mutant, and find out what it has made false."""
    mutant = BY_NAME[name]
    root = mutated_root(mutant, scratch)
    monkeypatch.setattr(resources, "root", lambda: root)
    result = prove(None, engine)
    gate = result.verdict
    # A complaint without a place is not about the text: Lean itself has failed, and saw nothing.
    errors = [m for module in result.modules for m in module.messages if m.severity == "error"]
    assert gate is not Verdict.ERROR or any(m.line > 0 for m in errors), errors
    search = SEARCH.get(name, ())
    changed = Searcher(scratch / name, search) if search else unchanged
    found = []
    if name in SEARCH:
        found = differences(unchanged.cells(ROWS), changed.cells(rows(QUEUES.get(name))))
    equivalent = False
    if not found:
        sample = changed.cells(SAMPLE)
        found = criterion_differences(engine, scratch, sample)
        equivalent = not found and sample == unchanged.cells(SAMPLE)
    return Report(mutant, gate, tuple(found), equivalent)


def assert_red(report: Report) -> None:
    """A change is seen, unless it changes nothing."""
    assert report.gate is not Verdict.PROVED or report.equivalent, report.line()


def seen_by(observer: Observer, names: Sequence[str] = ()) -> str:
    """The first claim of the shipped strategies, or of these, that an observer sees to be false."""
    strategies = [SHIPPED.strategy(name) for name in names] or SHIPPED.strategies
    return contradicted(observer, strategies, SHIPPED.environments)


# --- The mutants themselves -----------------------------------------------------------------------


def test_the_mutants_are_different() -> None:
    assert len(MUTANTS) == len(BY_NAME)
    assert len(MUTANTS) >= 30
    assert len({m.lean for m in MUTANTS}) == len(MUTANTS)
    # What is no criterion is changed in every place where it is written down.
    assert set(SEARCH) == {m.name for m in MUTANTS if m.searchable}
    assert {m.name for m in MUTANTS if m.native} == set(SEARCH)
    # Every hand-written rule has its place in exactly one file, or `Edit.apply` raises.
    for mutant in MUTANTS:
        for edit in mutant.lean:
            path = resources.root() / "MPSVerify" / "Spec" / edit.file
            text = path.read_text(encoding="utf-8")
            assert edit.apply(text) != text
        texts: dict[str, str] = {}
        for edit in mutant.native:
            path = resources.root() / "native" / edit.file
            text = texts.get(edit.file) or path.read_text(encoding="utf-8")
            texts[edit.file] = edit.apply(text)
        if mutant.table is not None:
            assert mutant.table(TABLE) != TABLE, mutant.name


def test_a_change_that_changes_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no such rule"):
        TABLE.change("push", "create")
    with pytest.raises(ValueError, match="no fault"):
        TABLE.never("divisionByZero")


def test_other_rules_change_nobody_elses() -> None:
    scheme, env = SHIPPED.strategy("perEncoder").scheme, SHIPPED.environments["default"]
    changed = ChangedExplorer(BY_NAME["acquire_ignores_locks"])
    before = rules.RULES, rules.FAULT_RULES
    assert changed.see(scheme, env).faults
    assert changed.race(scheme, env)
    assert not Explorer().see(scheme, env).faults
    assert not Explorer().race(scheme, env)
    assert before == (rules.RULES, rules.FAULT_RULES)


def test_queues_are_seen_by_what_is_proved_of_striped() -> None:
    """Neither a fault nor parallelism shows that a queue is no encoder."""
    assert [s.name for s in SHIPPED.strategies if per_queue(s.scheme)] == ["striped"]
    nothing = SemanticMutant("none", "nothing is different", ())
    changed = ChangedExplorer(BY_NAME["queue_per_encoder"])
    assert seen_by(ChangedExplorer(nothing), ["striped"]) == ""
    assert seen_by(changed, ["perEncoder"]) == ""
    assert seen_by(changed, ["striped"]) == "striped in default: with one queue two calls overlap"


def test_the_instruments_do_not_change_the_search(unchanged: Searcher, tmp_path: Path) -> None:
    cells = unchanged.cells(ROWS)
    program = hand.build(tmp_path)
    for (name, environment), cell in cells.items():
        variants, check = ROWS[name]
        flags = hand.ENVIRONMENTS[environment] | (hand.CHECK if check else 0)
        jobs = [job for v in variants for job in hand.jobs_of(2, 2, 2, flags, hand.relation(v))]
        found = hand.search(program, jobs)
        assert set(cell.faults) == set[str]().union(*(outcome.faults for outcome in found))
        assert cell.parallel == any(outcome.parallel for outcome in found)
        assert cell.race == any(outcome.race for outcome in found)
        # Without a fault nobody is ever stuck, and the claims on one thread hold.
        assert cell.stuck is None
        assert not cell.alone or "noRetain" in environment
    # The depths are those of the shortest runs that `verify` finds.
    shipped = spec.load()
    for strategy in shipped.strategies:
        for fault, steps in cells[strategy.name, "default"].faults.items():
            run = views.shortest(strategy.scheme, shipped.environments["default"], fault)
            assert run is not None
            assert len(run.events) == steps, (strategy.name, fault)


def test_the_unchanged_rules_are_proved(
    engine: EmbeddedEngine, unchanged: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = mutated_root(SemanticMutant("none", "nothing is different", ()), tmp_path)
    monkeypatch.setattr(resources, "root", lambda: root)
    assert prove(None, engine).verdict is Verdict.PROVED
    assert criterion_differences(engine, tmp_path, unchanged.cells(SAMPLE)) == []


def test_every_difference_is_found() -> None:
    place = ("mine", "default")
    before = Cell({"nullDeref": 9}, True, True, None, {})
    changes: dict[str, tuple[Cell, int | None]] = {
        "has no doubleFree": (
            dataclasses.replace(before, faults={"nullDeref": 9, "doubleFree": 7}), 7,
        ),
        "can run into nullDeref": (dataclasses.replace(before, faults={}), None),
        "is parallel": (dataclasses.replace(before, parallel=False), None),
        "has the teardown race": (dataclasses.replace(before, race=False), None),
        "makes progress": (dataclasses.replace(before, stuck=3), 3),
        "has no nullDeref with one thread": (
            dataclasses.replace(before, alone={"nullDeref": 5}), 5,
        ),
    }  # fmt: skip
    for words, (after, steps) in changes.items():
        assert differences({place: before}, {place: after}) == [
            Difference(f"mine in default {words}", steps)
        ]
    assert differences({place: before}, {place: before}) == []
    # What is shorter now but was there before is no false statement.
    shorter = dataclasses.replace(before, faults={"nullDeref": 2})
    assert differences({place: before}, {place: shorter}) == []


@pytest.mark.parametrize(
    "name",
    # A rule and the criterion: each is found in another way.
    mostly_slow(
        ["clear_does_nothing", "shared_excludes_shared", "criterion_without_freelist"],
        "clear_does_nothing",
        "criterion_without_freelist",
    ),
)
def test_some_mutants(name: str, judge: Judge) -> None:
    report = judge(name)
    assert_red(report)
    assert report.differences, report.line()


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_every_mutant(name: str, judge: Judge, tmp_path: Path) -> None:
    explorer = guard = ""
    if BY_NAME[name].searchable:
        explorer = seen_by(ChangedExplorer(BY_NAME[name]))
        guard = seen_by(changed_guard(BY_NAME[name], SHIPPED, tmp_path))
    report = judge(name)
    print(report.line())  # noqa: T201
    assert_red(report)
    assert bool(guard) == bool(explorer), (guard, explorer)
    assert report.differences or not explorer, explorer
