"""The one verdict behind every output and every exit code.

A verdict speaks of a *claim* ("noSync is unsafe"), never of a strategy: a strategy that is proved
unsafe as claimed is PROVED.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """What became of a claim, or of a set of claims.

    The value is the word in every output; `exit_code` is the exit code of a command that ends so.
    """

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDETERMINED = "UNDETERMINED"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> int:
        """0 proved, 1 refuted, 2 undetermined, 3 error."""
        return _EXIT_CODES[self]

    def __str__(self) -> str:
        return self.value


_EXIT_CODES = {
    Verdict.PROVED: 0,
    Verdict.REFUTED: 1,
    Verdict.UNDETERMINED: 2,
    Verdict.ERROR: 3,
}

# An error comes before a refutation: with one of its parts unjudged, the whole was not judged.
# Exit codes cannot serve as this order: a refutation is worse than an undetermined claim.
_SEVERITY = (Verdict.PROVED, Verdict.UNDETERMINED, Verdict.REFUTED, Verdict.ERROR)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a whole from the verdicts on its parts: the most severe of them.

    Args:
        verdicts: Any number of verdicts.

    Returns:
        The most severe (ERROR > REFUTED > UNDETERMINED > PROVED).  Of no verdicts at all it is
        UNDETERMINED: nothing was checked, so nothing was proved.
    """
    return max(verdicts, key=_SEVERITY.index, default=Verdict.UNDETERMINED)
