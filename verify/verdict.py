"""The verdict behind every output and every exit code.

A verdict speaks of a *claim* ("noSync is unsafe"), never of a strategy: a strategy that is proved
unsafe as claimed is PROVED.  Four words are good news, one for each kind of evidence, and all have
exit code 0: PROVED is said of theorems alone, that is by `verify prove`, by `verify replay`, and by
what reports their results.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """What became of a claim, or of a set of claims.

    The value is the word in every output; `exit_code` is the exit code of a command that ends so.

    Attributes:
        PROVED: Lean's kernel has accepted a theorem.
        HOLDS: A search saw every state within bounds, and all is as claimed.
        AGREES: Runs were compared with the model or with a claim, and none differed.
        PASSED: Everything that was checked is in order; also of a whole whose parts rest on
            several kinds of evidence.
        REFUTED: Something shows that it is not so.
        UNDETERMINED: Nothing was shown.
        ERROR: It could not be judged.
    """

    PROVED = "PROVED"
    HOLDS = "HOLDS WITHIN BOUNDS"
    AGREES = "AGREES"
    PASSED = "PASSED"
    REFUTED = "REFUTED"
    UNDETERMINED = "UNDETERMINED"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> int:
        """0 proved, or what else is good; 1 refuted, 2 undetermined, 3 error."""
        return _EXIT_CODES.get(self, 0)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong or open."""
        return self.exit_code == 0

    def __str__(self) -> str:
        return self.value


_EXIT_CODES = {Verdict.REFUTED: 1, Verdict.UNDETERMINED: 2, Verdict.ERROR: 3}

# An error comes before a refutation: with one of its parts unjudged, the whole was not judged.
# Exit codes cannot serve as this order: a refutation is worse than an undetermined claim.
_SEVERITY = (Verdict.UNDETERMINED, Verdict.REFUTED, Verdict.ERROR)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a whole from the verdicts on its parts.

    Args:
        verdicts: Any number of verdicts.

    Returns:
        The most severe (ERROR > REFUTED > UNDETERMINED).  If all are good: their word if it is the
        same, else PASSED.  Of no verdicts at all it is UNDETERMINED: nothing was checked.
    """
    found = set(verdicts)
    if bad := found.intersection(_SEVERITY):
        return max(bad, key=_SEVERITY.index)
    if not found:
        return Verdict.UNDETERMINED
    return found.pop() if len(found) == 1 else Verdict.PASSED


def agreement(agrees: bool | None) -> Verdict:
    """The verdict of an oracle that compares with a claim: True, False, or None if undecided."""
    return {True: Verdict.AGREES, False: Verdict.REFUTED, None: Verdict.UNDETERMINED}[agrees]
