"""`verify compare`: contradictions between oracles are found, differences explained."""

from __future__ import annotations

import json

import pytest
from conftest import type_of_run

from verify.compare import compare
from verify.records.stress import FreeResult, VulkanRow, VulkanRun
from verify.session import Outcome
from verify.stress import Row
from verify.verdict import Verdict


def _row(faults: list[str], races: int | None = 0) -> Row:
    return Row(
        "x",
        "",
        scheduled=Outcome(faults=dict.fromkeys(faults, 1)),
        races=None if races is None else FreeResult(races=races),
    )


def test_agreement_needs_no_words() -> None:
    line = compare("x", (), _row([]), VulkanRow("x", True))
    assert (line.notes, line.verdict) == ((), Verdict.AGREES)


@pytest.mark.parametrize(
    ("lean", "row", "vulkan"),
    [
        ((), _row(["nullDeref"]), VulkanRun()),
        (("encoderOverlap",), _row(["encoderOverlap", "nullDeref"]), VulkanRun(threading=1)),
        (("nullDeref",), _row([]), VulkanRun()),
        ((), _row([], races=3), VulkanRun()),
        ((), _row([]), VulkanRun(threading=2)),
        ((), _row([]), VulkanRun(crashes=1)),
    ],
)
def test_a_contradiction_is_refuted(lean: tuple[str, ...], row: Row, vulkan: VulkanRun) -> None:
    line = compare("x", lean, row, VulkanRow("x", True, own_pools=vulkan))
    assert line.verdict is Verdict.REFUTED


def test_a_missing_oracle_is_undetermined() -> None:
    vulkan = VulkanRow("x", True)
    assert compare("x", (), _row([]), vulkan).verdict is Verdict.AGREES
    assert compare("x", None, _row([]), vulkan).verdict is Verdict.UNDETERMINED
    assert compare("x", (), _row([], races=None), vulkan).verdict is Verdict.UNDETERMINED
    assert compare("x", (), _row([]), None).verdict is Verdict.UNDETERMINED


def test_differences_are_explained() -> None:
    vulkan = VulkanRow("x", False, own_pools=VulkanRun(threading=1))
    overlap = compare("x", ("encoderOverlap",), _row(["encoderOverlap"], races=2), vulkan)
    assert any("nothing is ever NULL" in note for note in overlap.notes)
    order = compare("x", ("nullDeref",), _row(["nullDeref"]), vulkan)
    assert any("no race" in note for note in order.notes)
    assert overlap.verdict is order.verdict is Verdict.AGREES


@pytest.mark.slow
def test_the_oracles_do_not_contradict_each_other(verify: type_of_run) -> None:
    done = verify("compare", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["strategy"]: row for row in json.loads(done.stdout)["strategies"]}
    assert rows["rwLock"]["lean"] == rows["rwLock"]["scheduled"] == ["encoderOverlap"]
    assert rows["perEncoder"]["lean"] == rows["perEncoder"]["scheduled"] == []
