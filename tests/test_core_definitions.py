"""The definitions of the core library that the sources rest on: listed, and compared with text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import definitions, names
from verify import resources
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

pytest_plugins = ["engine_fixtures"]

GOLDEN = Path(__file__).parent / "golden" / "core_definitions.txt"
LISTED = definitions.parse(GOLDEN.read_text(encoding="utf-8"))


def output(entries: dict[str, str]) -> str:
    shown = ({"severity": "information", "data": f"{text}\n"} for text in entries.values())
    return "\n".join(map(json.dumps, shown))


def test_the_list_is_current(engine: EmbeddedEngine) -> None:
    found = definitions.listing(engine, resources.root())
    assert len(found) > 150
    remedy = (
        "run `python -m tools definitions > tests/golden/core_definitions.txt`, and "
        "compare what changed with Lean's own core (docs/core-names.md)"
    )
    assert found == LISTED, remedy


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Bool.and", "@[implicit_reducible] def Bool.and"),
        ("Bool.and", "Bool.rec false y x"),
        ("ite", "dite c (fun x => t) fun x => e"),
        ("instDecidableAnd", "decide := and (decide p) (decide q)"),
        ("Nat.decEq", "@[reducible] protected def Nat.decEq"),
        ("List.instDecidableMemOfLawfulBEq", "[LawfulBEq α]"),
        ("List.all.eq_def", "and (p h) (List.all t p)"),
    ],
)
def test_what_a_proof_by_evaluation_rests_on(name: str, part: str) -> None:
    assert part in LISTED[name]


def test_no_theorem_is_listed_and_nothing_that_failed() -> None:
    assert not [name for name, text in LISTED.items() if "theorem " in text or "error" in text]
    assert not {"Nat.le_trans", "propext"} & LISTED.keys()


def test_another_definition_is_seen(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """What a file that shadows nothing but means something else would print."""
    asked = ["Bool.not", "List.all.eq_def"]
    printed = definitions.read(asked, names.lean(engine, definitions.lean_file(asked)))
    assert printed == {name: LISTED[name] for name in asked}
    changed = {**LISTED, "Bool.not": LISTED["Bool.not"].replace("true false", "false true")}
    assert changed != LISTED
    recorded = tmp_path / "core_definitions.json"

    def compare() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools", "definitions", "--read", GOLDEN, recorded]
        return subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, timeout=60
        )

    recorded.write_text(output(LISTED), encoding="utf-8")
    same = compare()
    assert (same.returncode, same.stdout) == (0, f"0 of {len(LISTED)} definitions differ\n")
    recorded.write_text(output(changed), encoding="utf-8")
    different = compare()
    assert different.returncode == 1
    assert different.stdout.startswith("-- Bool.not: listed\n")
    assert different.stdout.endswith(f"1 of {len(LISTED)} definitions differ\n")
    recorded.write_text(output({"Bool.not": ""}), encoding="utf-8")
    assert compare().returncode != 0


def test_a_list_is_read_back() -> None:
    assert definitions.parse(definitions.dump(LISTED)) == LISTED
    with pytest.raises(VerifyError, match="printed 0 entries, not 1"):
        definitions.read(["Bool.not"], "")
