"""The verdict and its arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verify.verdict import Verdict, combine

E, R, U, P = Verdict.ERROR, Verdict.REFUTED, Verdict.UNDETERMINED, Verdict.PROVED


def test_exit_codes() -> None:
    assert [v.exit_code for v in (P, R, U, E)] == [0, 1, 2, 3]
    assert [str(v) for v in (P, R, U, E)] == ["PROVED", "REFUTED", "UNDETERMINED", "ERROR"]


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
