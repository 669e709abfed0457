"""The verdict and its arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from verify import verdict
from verify.verdict import Verdict, agreement, combine

E, R, U, P = Verdict.ERROR, Verdict.REFUTED, Verdict.UNDETERMINED, Verdict.PROVED
GOOD = (P, Verdict.HOLDS, Verdict.AGREES, Verdict.PASSED)


def test_exit_codes() -> None:
    assert {v: v.exit_code for v in Verdict} == {**dict.fromkeys(GOOD, 0), R: 1, U: 2, E: 3}
    assert [str(v) for v in (P, R, U, E)] == ["PROVED", "REFUTED", "UNDETERMINED", "ERROR"]
    assert {v for v in Verdict if v.good} == set(GOOD)


def test_a_whole_is_proved_only_of_proved_parts() -> None:
    for one in GOOD:
        for other in GOOD:
            assert combine([one, other]) is (one if one is other else Verdict.PASSED)


def test_agreement_is_no_proof() -> None:
    assert [agreement(x) for x in (True, False, None)] == [Verdict.AGREES, R, U]


def test_nothing_checked_is_undetermined() -> None:
    assert combine([]) is U


def test_every_pair() -> None:
    order = [P, U, R, E]
    for i, one in enumerate(order):
        for j, other in enumerate(order):
            assert combine([one, other]) is order[max(i, j)]


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_proved_needs_every_part_and_order_does_not_matter(verdicts: list[Verdict]) -> None:
    whole = combine(verdicts)
    assert (whole is P) == all(v is P for v in verdicts)
    assert (whole.exit_code == 0) == all(v.exit_code == 0 for v in verdicts)
    assert combine(reversed(verdicts)) is whole


def test_proved_is_for_theorems() -> None:
    """Only what Lean's kernel has judged is called so, and what reports such results."""
    sources = Path(verdict.__file__).parent
    said = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if re.search(r"Verdict\.PROVED", path.read_text(encoding="utf-8"))
    }
    assert said == {
        "prove.py",
        "replay.py",
        "explain.py",  # looks at what prove says
        "crosscheck.py",  # looks at what replay says
        "gating/stages.py",  # reads prove, and what the policy requires of it
        "records/prove.py",  # what prove says
        "reporting/page.py",
    }
