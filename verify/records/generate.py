"""What `verify generate` prints."""

from __future__ import annotations

from dataclasses import dataclass

from verify.records.base import Count, Record, stated
from verify.verdict import Verdict


@dataclass(frozen=True)
class Change(Record):
    """A file that was not what the spec implies."""

    file: str
    status: str
    diff: str


@dataclass(frozen=True)
class Generated(Record):
    """The whole.

    Attributes:
        files: How many the spec implies.
        written: Whether they were written, not only compared.
    """

    verdict: Verdict
    files: Count
    written: bool
    changes: tuple[Change, ...]

    def check(self) -> None:
        found = Verdict.REFUTED if self.changes and not self.written else Verdict.PASSED
        stated("the verdict", self.verdict, found)
