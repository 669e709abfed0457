"""What `verify explore` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verify.records.base import Count, Event, Faults, Record, once, own_word, stated
from verify.verdict import Verdict, combine


@dataclass(frozen=True)
class Deadlock(Record):
    """What the search for a deadlock of calls that take several locks found.

    Attributes:
        deadlock: Whether there is one; None if that is not known.
        threads: Of the circles that were tried, at most.
        run, circle: The steps that lead there, and who waits for whom.
    """

    deadlock: bool | None
    threads: Count
    run: tuple[str, ...] | None
    circle: tuple[str, ...] | None


@dataclass(frozen=True)
class Explored(Record):
    """The search of one strategy in one environment.

    Attributes:
        counterexamples: By fault, a shortest run, where it is known.
        parallel: Whether operations overlap; None if the search did not say.
        deadlock: Whether the program can deadlock; None if that is not known.
        deadlocks: By policy of the locks.
        complete: Whether every state was seen.
        exhausted: Whether a create found the freelist empty.
        verdict: None where the spec claims nothing.
    """

    strategy: str
    environment: str
    faults: Faults
    counterexamples: Mapping[str, tuple[Event, ...]]
    parallel: bool | None
    deadlock: bool | None
    deadlocks: Mapping[str, Deadlock]
    states: Count
    edges: Count | None
    complete: bool
    exhausted: bool
    verdict: Verdict | None
    reason: str


@dataclass(frozen=True)
class Exploration(Record):
    """The whole."""

    verdict: Verdict
    threads: Count
    encoders: Count
    blocks: Count
    rows: tuple[Explored, ...]

    def check(self) -> None:
        own_word(self.verdict, Verdict.HOLDS, Verdict.PASSED)
        super().check()
        once(f"{row.strategy} in {row.environment}" for row in self.rows)
        for row in self.rows:
            own_word(row.verdict, Verdict.HOLDS)
            if not row.states:
                where = f"{row.strategy} in {row.environment}"
                raise ValueError(f"{where}: not one state was seen: nothing was tried")
        found = combine([row.verdict for row in self.rows if row.verdict] or [Verdict.PASSED])
        stated("the verdict", self.verdict, found)
