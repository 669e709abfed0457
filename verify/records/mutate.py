"""What `verify mutate` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from verify.records.base import Count, Record, own_word, stated, tried
from verify.verdict import Verdict, combine


@dataclass(frozen=True)
class Side(Record):
    """A side of the campaign.

    Attributes:
        state: `asked`, `missing` (it was asked and cannot run here) or `not asked`.
        reason: What is missing.
        seconds: What it took.
    """

    state: str
    reason: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Judgement(Record):
    """What a side says of a mutant.

    Attributes:
        killed: Whether it contradicts what is claimed of the original; None if the side did not
            decide.
        why: The contradiction, or why there is no answer.
    """

    killed: bool | None
    why: str | None = None


@dataclass(frozen=True)
class Mutant(Record):
    """A mutant and its judges; a strategy as it is, too.

    Attributes:
        name: `STRATEGY: CHANGE`.
        kind: `scheme` or `claim`; `original` for a strategy as it is.
        group: Its line of the table.
        change: In English.
        equivalent: Whether the exhaustive search sees no difference; None if it was not asked.
        sides: What each side that was asked says.
        finding: What is wrong: sides that disagree, or one that lets it survive.
        open: Why it is not decided.
    """

    name: str
    kind: str
    group: str
    change: str
    equivalent: bool | None
    sides: Mapping[str, Judgement]
    verdict: Verdict
    finding: str | None = None
    open: str | None = None

    def but(self, finding: str | None = None, open: str | None = None) -> Mutant:  # noqa: A002
        """The same with a finding, or undecided."""
        verdict = Verdict.PASSED if open is None else Verdict.UNDETERMINED
        verdict = verdict if finding is None else Verdict.REFUTED
        return replace(self, verdict=verdict, finding=finding, open=open)

    def judged(self, asked: Sequence[str]) -> Verdict:
        """What follows from the judgements.

        Args:
            asked: The sides that had to judge.
        """
        if self.finding is not None:
            return Verdict.REFUTED
        if self.equivalent:
            return Verdict.PASSED
        killed = [self.sides[name].killed if name in self.sides else None for name in asked]
        if self.equivalent is None or not killed or None in killed:
            return Verdict.UNDETERMINED
        return Verdict.PASSED if all(killed) else Verdict.REFUTED


@dataclass(frozen=True)
class Group(Record):
    """Mutants that have something in common.

    Attributes:
        group: What that is.
        mutants, equivalent: How many there are.
        killed: For each side that was asked, how many of those that are not equivalent.
        killed_by_all: How many of those are killed by each side.
        kill_rate: Their part of those that are not equivalent; None of none.
    """

    group: str
    mutants: Count
    equivalent: Count
    killed: Mapping[str, Count]
    killed_by_all: Count
    kill_rate: float | None


@dataclass(frozen=True)
class Mutation(Record):
    """The whole.

    Attributes:
        quick: Whether it was a sample, of `seed`.
        sides: By name, all three.
        mutants, equivalent, killed, killed_by_all, kill_rate: As in `Group`, of all.
        originals: The strategies as they are: where their own claims fail, mutants say nothing.
        findings: Survivors and disagreements, one line each.
    """

    verdict: Verdict
    exit_code: int
    spec: str
    quick: bool
    seed: int
    seconds: float
    sides: Mapping[str, Side]
    mutants: Count
    equivalent: Count
    killed: Mapping[str, Count]
    killed_by_all: Count
    kill_rate: float | None
    groups: tuple[Group, ...]
    originals: tuple[Mutant, ...]
    rows: tuple[Mutant, ...]
    findings: tuple[str, ...]

    @property
    def asked(self) -> list[str]:
        """The sides that judged."""
        return [name for name, side in self.sides.items() if side.state == "asked"]

    @property
    def missing(self) -> dict[str, str]:
        """Why sides that were asked cannot run here."""
        return {n: str(side.reason) for n, side in self.sides.items() if side.state == "missing"}

    @property
    def total(self) -> Group:
        """Of all mutants."""
        counts = self.mutants, self.equivalent, self.killed, self.killed_by_all, self.kill_rate
        return Group("all", *counts)

    def check(self) -> None:
        super().check()
        own_word(self.verdict, Verdict.PASSED)
        tried(self.mutants, "mutants")
        stated("mutants:", self.mutants, len(self.rows))
        if self.verdict.good and not any(row.equivalent is False for row in self.rows):
            raise ValueError("it killed no mutant")
        parts = [row.judged(self.asked) for row in self.rows]
        parts += [Verdict.UNDETERMINED for _ in self.missing]
        parts += [Verdict.REFUTED for _ in self.findings]
        stated("the verdict", self.verdict, combine(parts))
        stated("exit code", self.exit_code, self.verdict.exit_code)
