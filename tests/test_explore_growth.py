"""The table of growth: what is measured, and that a disagreement cannot be overlooked."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from verify import cli, growth, spec
from verify.explore_native import Performance
from verify.growth import Point
from verify.promela import SpinResult
from verify.question import Limits
from verify.semantics import Bounds

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]
STRATEGY = SHIPPED.strategy("rwLock")
LIMITS = Limits(memory=1 << 30)

POINT = Point(
    Bounds(3, 2, 3),
    Performance(states=10_000_000, edges=25_000_000, seconds=4.0, bytes=300_000_000),
    Performance(states=200_000, edges=500_000, seconds=0.5, bytes=6_000_000),
    SpinResult(frozenset(), 10_000_000, True, 20.0, 700_000_000),
    True,
)


@pytest.mark.skipif(
    any(shutil.which(program) is None for program in ("g++", "spin", "gcc")),
    reason="needs g++, spin and gcc",
)
def test_both_engines_are_measured_on_the_same_instance() -> None:
    (point,) = growth.measure(STRATEGY, DEFAULT, LIMITS, [(2, 1, 2)])
    assert point.agree
    assert point.spin is not None
    assert point.native.states == point.spin.states > point.reduced.states > 0
    assert min(point.native.seconds, point.native.bytes, point.spin.state_bytes) > 0


def test_the_table_has_the_figures() -> None:
    text = growth.table([POINT], STRATEGY, DEFAULT, LIMITS)
    row = next(line for line in text.splitlines() if line.startswith("| 3, 2, 3 |"))
    assert row == (
        "| 3, 2, 3 | 10,000,000 | 25,000,000 | 4.00 | 2.50 | 30.0 | 20.00 | 0.50 | 70.0 | 5.0 "
        "| 200,000 | 0.50 | 50.0 |"
    )
    assert "5.0 to 5.0 times SPIN's" in text
    assert "agree in every row" in text


def test_a_disagreement_and_a_limit_are_said() -> None:
    wrong = dataclasses.replace(POINT, agree=False)
    assert "**The engines disagree**" in growth.table([wrong], STRATEGY, DEFAULT, LIMITS)
    stopped = dataclasses.replace(POINT.native, out_of_memory=True)
    text = growth.table([dataclasses.replace(POINT, native=stopped)], STRATEGY, DEFAULT, LIMITS)
    assert "more than 10,000,000" in text
    assert "stopped at 3 threads, 2 encoders, 3 blocks: the limit on memory was hit" in text


def test_one_strategy_is_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["explore", "--growth", str(tmp_path / "x.md")]) == 3
    assert "give --strategy NAME" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
