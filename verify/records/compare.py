"""What `verify compare` prints."""

from __future__ import annotations

from dataclasses import dataclass

from verify.records.base import Count, Faults, Record, once, stated
from verify.verdict import Verdict, combine


@dataclass(frozen=True)
class Compared(Record):
    """What each oracle says about one strategy; None where it could not be asked.

    Attributes:
        strategy: Its name.
        lean: The exact set of reachable faults, as proved, empty for a safe one.
        scheduled: The faults that schedules and free runs of the native guard showed.
        races: Data races that ThreadSanitizer reported.
        vulkan: What the validation layer reported.
        notes: Each difference between them, explained; the word CONFLICT begins one that is not.
    """

    strategy: str
    lean: Faults | None
    scheduled: Faults
    races: Count | None
    vulkan: str | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """REFUTED if two oracles contradict each other, UNDETERMINED if one was not asked."""
        if any(note.startswith("CONFLICT") for note in self.notes):
            return Verdict.REFUTED
        missing = self.lean is None or self.races is None or self.vulkan is None
        return Verdict.UNDETERMINED if missing else Verdict.AGREES


@dataclass(frozen=True)
class Comparison(Record):
    """The whole.

    Attributes:
        no_vulkan: Why Vulkan was not asked; empty if it was.
    """

    verdict: Verdict
    exit_code: int
    no_vulkan: str
    strategies: tuple[Compared, ...]

    def check(self) -> None:
        super().check()
        once(row.strategy for row in self.strategies)
        found = combine(row.verdict for row in self.strategies)
        stated("exit code", self.exit_code, found.exit_code)
        stated("the verdict", self.verdict, found)
