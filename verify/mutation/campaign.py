"""The campaign: every mutant before every side, and where the sides disagree."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verify.engines.base import Engine
from verify.errors import EngineMissing
from verify.mutation import lean
from verify.mutation.mutants import SpecMutant, of_strategy, originals
from verify.mutation.observers import Difference, Explorer, Guard, Observer, contradiction
from verify.records.mutate import Group, Judgement, Mutant, Mutation, Side
from verify.spec import Spec
from verify.verdict import Verdict, combine

SIDES = ("lean", "explorer", "native")

Progress = Callable[[int, int], None]
"""Told how many judgements there are, and how many there will be."""

QUICK_SCHEMES, QUICK_CLAIMS = 6, 6
"""The sample of `quick`: so many changes of locks and of claims."""


def _mutation(
    spec: Spec, originals: Sequence[Mutant], rows: Sequence[Mutant], sides: Mapping[str, Side],
    quick: bool, seed: int, seconds: float,
) -> Mutation:  # fmt: skip
    """The whole: PASSED if every side kills every mutant that is not equivalent."""
    verdicts = [row.verdict for row in (*originals, *rows)]
    verdicts += [Verdict.UNDETERMINED for side in sides.values() if side.state == "missing"]
    verdict = combine(verdicts if rows else [*verdicts, Verdict.UNDETERMINED])
    names = dict.fromkeys(row.group for row in rows)
    groups = [_group(name, [row for row in rows if row.group == name]) for name in names]
    total = {name: value for name, value in vars(_group("all", rows)).items() if name != "group"}
    return Mutation(
        verdict=verdict,
        exit_code=verdict.exit_code,
        spec=str(spec.path),
        groups=tuple(groups),
        originals=tuple(originals),
        rows=tuple(rows),
        findings=tuple(row.finding for row in (*originals, *rows) if row.finding is not None),
        sides=sides,
        quick=quick,
        seed=seed,
        seconds=round(seconds, 3),
        **total,
    )


def _group(name: str, rows: Sequence[Mutant]) -> Group:
    different = [row for row in rows if row.equivalent is not True]
    asked = dict.fromkeys(side for row in rows for side in row.sides)
    killed = {side: sum(_kills(row, side) for row in different) for side in asked}
    by_all = len([row for row in different if row.verdict.good])
    rate = by_all / len(different) if different else None
    return Group(name, len(rows), len(rows) - len(different), killed, by_all, rate)


def _kills(row: Mutant, side: str) -> bool:
    return side in row.sides and row.sides[side].killed is True


# --- Comparing ------------------------------------------------------------------------------------


def compare(
    name: str,
    kind: str,
    group: str,
    english: str,
    sides: Mapping[str, Judgement],
    differences: Mapping[str, Difference | None] | None = None,
) -> Mutant:
    """Put the judgements on one mutant together.

    Args:
        name, kind, group, english: As in `Mutant`.
        sides: What each side says.
        differences: What the searching sides saw first, where they must see the very same.

    Returns:
        The row, with a finding if two sides disagree.
    """
    # Either search is exhaustive; where both were made they must agree anyway.
    searched = [sides[s].killed for s in ("explorer", "native") if s in sides]
    equivalent = next((not killed for killed in searched if killed is not None), None)
    row = Mutant(name, kind, group, english, equivalent, sides, Verdict.PASSED)
    answers = {side: j.killed for side, j in sides.items() if j.killed is not None}
    if len(set(answers.values())) > 1:
        return row.but(finding=f"{name}: {_odd_one_out(sides, answers)}")
    seen = {side: d for side, d in (differences or {}).items() if d is not None}
    if len(set(seen.values())) > 1:
        said = "; ".join(f"{side} sees in {difference}" for side, difference in seen.items())
        return row.but(finding=f"{name}: killed, but not for one reason: {said}")
    undecided = [f"{s}: {j.why}" for s, j in sides.items() if j.killed is None]
    if undecided:
        return row.but(open="; ".join(undecided))
    if equivalent is None and not any(answers.values()):
        return row.but(open=f"survives ({', '.join(answers)}); only a search tells the rest")
    return row


def _odd_one_out(sides: Mapping[str, Judgement], answers: Mapping[str, bool]) -> str:
    """Which side stands alone, and what each says."""
    said = "; ".join(
        f"{side} {'kills it' if killed else 'sees no difference'}"
        + (f" ({sides[side].why})" if sides[side].why else "")
        for side, killed in answers.items()
    )
    alone = [
        side
        for side, killed in answers.items()
        if len(answers) > 2 and list(answers.values()).count(killed) == 1
    ]
    return f"{alone[0]} stands alone: {said}" if alone else f"the sides disagree: {said}"


# --- Running --------------------------------------------------------------------------------------


class Campaign:
    """Mutants, and the sides that judge them, each in a thread of its own.

    Args:
        spec: Whose environments.
        mutants: What they judge, the originals among them.
        progress: Told how far they all are.
    """

    def __init__(
        self,
        spec: Spec,
        mutants: Sequence[SpecMutant],
        progress: Progress = lambda _done, _all: None,
    ) -> None:
        self.mutants, self.environments = mutants, spec.environments
        self._progress = progress
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}

    def judge(self, sides: Mapping[str, Callable[[], _Said]]) -> dict[str, _Said]:
        """Let all sides judge, at the same time: one waits for Lean, one for C++, one computes."""
        from concurrent.futures import ThreadPoolExecutor

        def ask(side: Callable[[], _Said]) -> _Said:
            start = time.monotonic()
            said = side()
            said.seconds = time.monotonic() - start
            return said

        self._done = dict.fromkeys(sides, 0)
        with ThreadPoolExecutor(max(1, len(sides))) as pool:
            try:
                futures = {name: pool.submit(ask, side) for name, side in sides.items()}
                return {name: future.result() for name, future in futures.items()}
            except BaseException:  # an error or an interrupt: the others need not go on
                self._stop.set()
                raise

    def _tell(self, side: str, done: int) -> None:
        if self._stop.is_set():
            raise _StoppedError
        with self._lock:
            self._done[side] = done
            self._progress(sum(self._done.values()), len(self._done) * len(self.mutants))

    def lean(self, engine: Engine) -> _Said:
        """Lean's judgements, of the schemes as the generator writes them."""
        mutants, environments = self.mutants, self.environments
        schemes = list(dict.fromkeys(mutant.scheme for mutant in mutants))
        statements = [lean.statement(m.scheme, m.claims, environments) for m in mutants]
        guesses = [lean.guess(mutant, environments) for mutant in mutants]
        statements += [lean.same_scheme(scheme) for scheme in schemes]
        guesses += [True] * len(schemes)
        answers = lean.decide(
            statements, guesses, engine, lambda n: self._tell("lean", min(n, len(mutants)))
        )
        written = dict(zip(schemes, answers[len(mutants) :], strict=True))
        said = _Said()
        for mutant, answer in zip(mutants, answers, strict=False):
            why = None if answer is True else "the negation of the claims is proved"
            if written[mutant.scheme] is False:
                why = "what `verify generate` writes is not the scheme that the spec names"
            killed = None if isinstance(answer, str) else not answer
            said.mutants.append(Judgement(killed, answer if isinstance(answer, str) else why))
        return said

    def search(self, side: str, observer: Observer) -> _Said:
        """The judgements of a side that looks at all states.

        Args:
            side: Its name.
            observer: How it looks.
        """
        said = _Said()
        for number, mutant in enumerate(self.mutants):
            self._tell(side, number)
            difference = contradiction(observer, mutant.scheme, mutant.claims, self.environments)
            why = str(difference) if difference else None
            said.mutants.append(Judgement(difference is not None, why))
            said.differences.append(difference)
        return said


class _StoppedError(Exception):
    """Another side has failed, or the user has had enough."""


@dataclass
class _Said:
    """What a side said of the mutants, in their order; if it searched, what it saw first."""

    mutants: list[Judgement] = field(default_factory=list)
    differences: list[Difference | None] = field(default_factory=list)
    seconds: float = 0.0


def run(
    spec: Spec,
    *,
    strategies: Iterable[str] = (),
    sides: Iterable[str] = SIDES,
    quick: bool = False,
    seed: int = 0,
    engine: str = "embedded",
    source: Path | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Mutation:
    """Judge mutants by every side.

    Args:
        spec: Whose mutants.
        strategies: Only these; all if empty.
        sides: Some of `SIDES`.
        quick: A sample; the same seed, the same sample.
        seed: Of the sample.
        engine: Which Lean, as for `verify prove`.
        source: A directory like `native/`; None for the shipped one.
        progress: Told now and then how far it is.

    Returns:
        What every side says of every mutant.  A side that cannot run here is missing in it, and
        its verdict is then UNDETERMINED.

    Raises:
        VerifyError: If a strategy is unknown, or a side that can run fails.
    """
    chosen = [spec.strategy(name) for name in strategies] or list(spec.strategies)
    sample = random.Random(seed) if quick else None  # noqa: S311 - a sample, no secret
    mutants = [m for s in chosen for m in of_strategy(s, spec.environments)]
    if sample is not None:
        mutants = _sampled(mutants, sample)
    names = {strategy.name for strategy in chosen}
    own = [
        original
        for original in originals(spec, ["default"] if quick else spec.environments)
        if original.strategy in names
    ]
    return judge(
        spec, mutants, own, sides=sides, engine=engine, source=source, progress=progress,
        sampled=quick, seed=seed,
    )  # fmt: skip


def judge(
    spec: Spec,
    mutants: Sequence[SpecMutant],
    own: Sequence[SpecMutant] = (),
    *,
    sides: Iterable[str] = SIDES,
    engine: str | Engine = "embedded",
    source: Path | None = None,
    progress: Progress = lambda _done, _all: None,
    sampled: bool = True,
    seed: int = 0,
) -> Mutation:
    """Judge these mutants; the rest is as for `run`.

    Args:
        mutants: Which.
        own: The strategies as they are.
        sampled, seed: How they were chosen.
    """
    start = time.monotonic()
    asked = [side for side in SIDES if side in set(sides)]
    every = [*own, *mutants]
    campaign = Campaign(spec, every, progress)
    ready: dict[str, Callable[[], _Said]] = {}
    missing: dict[str, str] = {}
    lean_engine = _engine(engine, missing)
    if "lean" in asked and lean_engine is not None:
        ready["lean"] = lambda: campaign.lean(lean_engine)
    if "explorer" in asked:
        ready["explorer"] = lambda: campaign.search("explorer", Explorer())
    if "native" in asked:
        try:
            guard = Guard(spec, source)
            ready["native"] = lambda: campaign.search("native", guard)
        except EngineMissing as error:
            missing["native"] = str(error)
    said = campaign.judge(ready)
    rows = []
    for number, mutant in enumerate(every):
        group = f"{mutant.strategy}: {'claims' if mutant.group == 'claim' else 'locks'}"
        judgements = {side: answers.mutants[number] for side, answers in said.items()}
        seen = {s: a.differences[number] for s, a in said.items() if a.differences}
        row = compare(mutant.name, mutant.group, group, mutant.change, judgements, seen)
        rows.append(_as_original(row) if number < len(own) else row)
    states = {
        side: Side(
            "not asked" if side not in asked else "asked" if side in said else "missing",
            missing.get(side) if side in asked else None,
            round(said[side].seconds, 3) if side in said else 0.0,
        )
        for side in SIDES
    }
    return _mutation(
        spec,
        rows[: len(own)],
        rows[len(own) :],
        states,
        sampled,
        seed,
        time.monotonic() - start,
    )


def _engine(engine: str | Engine, missing: dict[str, str]) -> Engine | None:
    from verify.prove import choose_engine

    try:
        return choose_engine(engine) if isinstance(engine, str) else engine
    except EngineMissing as error:
        missing["lean"] = str(error)
        return None


def _sampled(mutants: Sequence[SpecMutant], sample: random.Random) -> list[SpecMutant]:
    chosen = []
    for group, size in (("scheme", QUICK_SCHEMES), ("claim", QUICK_CLAIMS)):
        some = [mutant for mutant in mutants if mutant.group == group]
        places = sorted(sample.sample(range(len(some)), min(size, len(some))))
        chosen += [some[place] for place in places]
    return chosen


def _as_original(row: Mutant) -> Mutant:
    """A strategy as it is must not be killed: what is claimed of it would be false."""
    killers = [f"{side}: {j.why}" for side, j in row.sides.items() if j.killed]
    if not killers:  # nothing was changed, so nothing can survive
        decided = all(judgement.killed is not None for judgement in row.sides.values())
        return row.but(finding=row.finding) if decided else row
    name = row.name.partition(":")[0]
    text = f"{name}: what is claimed of it does not hold as it is ({'; '.join(killers)})"
    return row.but(finding=row.finding or text, open=row.open)
