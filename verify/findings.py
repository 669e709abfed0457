"""What a campaign found about one strategy, whatever the driver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from verify.verdict import Verdict, agreement


@dataclass
class Findings:
    """The common part of the rows of `verify stress`.

    Attributes:
        strategy: Its name.
        agrees: Whether it behaves as claimed: True, False, or None when that was not decided.
        reasons: Why it does not agree, or what is undecided.
        seconds: Wall time.
    """

    strategy: str
    agrees: bool | None = field(default=None, kw_only=True)
    reasons: list[str] = field(default_factory=list, kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)

    @property
    def verdict(self) -> Verdict:
        """For the table and the exit code."""
        return agreement(self.agrees)

    def judge(self, wrong: Iterable[str], undecided: Iterable[str]) -> None:
        """Set the result: what is wrong outweighs what is undecided."""
        wrong, undecided = list(wrong), list(undecided)
        self.agrees = False if wrong else None if undecided else True
        self.reasons = wrong + undecided
