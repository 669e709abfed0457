"""The names of Lean's core library that the Lean sources use: listed, checkable, looked up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tools import names
from tools._names import generated
from verify import resources
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

pytest_plugins = ["engine_fixtures"]

GOLDEN = Path(__file__).parent / "golden" / "core_names.txt"
LOOKED_UP = resources.root() / "docs" / "core-names.md"
LINES = GOLDEN.read_text(encoding="utf-8").splitlines()


def test_the_list_is_current(engine: EmbeddedEngine) -> None:
    found = names.listing(engine, resources.root())
    assert len(found) > 100
    remedy = "run `python -m tools names > tests/golden/core_names.txt`"
    assert found == LINES, remedy


def test_the_list_checks_against_the_reduced_core(engine: EmbeddedEngine) -> None:
    """What the lake job does with Lean's own core, and that it prints the list again."""
    printed = names.lean(engine, names.lean_file(LINES))
    assert names.read(names.names_of(LINES), printed) == names.named(LINES)


@pytest.mark.parametrize(
    "line",
    [
        "And.symm : ∀ {a b : Prop}, And a b → And a b",
        "And.symmetric : ∀ {a b : Prop}, And a b → And b a",
        "Nat.zero_ne_one : Ne 0 2",
        "instance : {α : Type u_1} → DecidableEq (List α)",
        "simproc : reduceItself",
        "Bool.not_false : Eq (Bool.not false) false",
    ],
)
def test_a_wrong_line_is_refused(engine: EmbeddedEngine, line: str) -> None:
    with pytest.raises(VerifyError, match="lean refuses the list"):
        names.lean(engine, names.lean_file([*LINES, line]))


def test_words_of_sources() -> None:
    text = """
    open Nat Bool in -- not this
    theorem _root_.List.x : f.g := by simp only [Eq.symm.trans, h'] /- nor this -/
    """
    found = names.written([text])
    assert {"List.x", "f", "f.g", "Eq.symm", "Nat.h'", "Bool.h'", "h'"} <= found
    assert not found & {"this", "not", "nor", "g", "symm", "_root_.List.x", "h"}


def test_procedures_of_simp() -> None:
    texts = [
        "simp only [↓reduceIte, Nat.reduceAdd] -- reduceThis",
        "simp only [reduceIte, xreduceIt]",
    ]
    assert names.simprocs(texts) == ["Nat.reduceAdd", "reduceIte"]


def test_names_that_only_a_source_says(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """simp proves the first step by computing: the term does not mention the equation."""
    (tmp_path / "Said.lean").write_text(
        "theorem said : (false && true) = false := by simp only [Bool.false_and]\n"
    )
    assert "Bool.false_and" in names.used(engine, tmp_path, "Said")
    (tmp_path / "Unsaid.lean").write_text("theorem unsaid : (false && true) = false := rfl\n")
    assert "Bool.false_and" not in names.used(engine, tmp_path, "Unsaid")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("∀ {a b : Prop}, And a b → And b a", "∀ {p q : Prop}, And p q → And q p", True),
        ("∀ {a b : Prop}, And a b → And b a", "∀ (a b : Prop), And a b → And b a", False),
        ("∀ {a b : Prop}, And a b → And b a", "∀ {a b : Prop}, And a b → And a b", False),
        ("(α : Type u_1) → [inst : C α] → α", "(β : Type u_1) → [self : C β] → β", True),
        ("(α : Type u_1) → [inst : C α] → α", "(α : Type u_1) → {inst : C α} → α", False),
        ("Exists fun x => P x", "Exists fun y => P y", True),
        ("Exists fun x => P x", "Exists fun y => P x", False),
        ("∀ a, P a", "∀ b, P b", True),
    ],
)
def test_shapes(one: str, other: str, same: bool) -> None:
    assert (names.shape(one) == names.shape(other)) == same


def test_names_of_bound_variables_do_not_matter(engine: EmbeddedEngine) -> None:
    lines = ["And.symm : ∀ {p q : Prop}, And p q → And q p"]
    printed = names.lean(engine, names.lean_file(lines))
    assert names.read(["And.symm"], printed) == ["And.symm : ∀ {a b : Prop}, And a b → And b a"]


def test_no_source_writes_the_name_of_an_instance() -> None:
    """Their names differ between the two core libraries."""
    sources = list((resources.root() / "MPSVerify").rglob("*.lean"))
    assert sources
    for source in sources:
        code = re.sub(r"/-.*?-/|--[^\n]*", "", source.read_text(encoding="utf-8"), flags=re.S)
        assert not re.findall(r"\binst[A-Z]\w*", code), source


def test_no_source_opens_a_namespace_of_the_core() -> None:
    """Which of its names are protected is not compared with Lean's own core."""
    spaces = {name.rpartition(".")[0] for name in names.names_of(LINES)} - {""}
    assert "List" in spaces
    texts = names.texts(resources.root(), "MPSVerify")
    assert not names.opened(texts) & spaces
    assert names.opened([*texts, "open List in"]) & spaces


def test_every_name_is_in_the_table_of_lookups_once() -> None:
    text = LOOKED_UP.read_text(encoding="utf-8")
    text = text[text.index("## Compared") : text.index("## Known differences")]
    cells = [row.split("|")[3] for row in text.splitlines() if row.startswith("| ")][2:]
    entries = [row for row in text.splitlines() if row.startswith("- ")]
    counted = Counter(name for part in (*cells, *entries) for name in re.findall(r"`(.+?)`", part))
    assert sorted(set(names.names_of(LINES)) - counted.keys()) == []
    assert {name: n for name, n in counted.items() if n > 1} == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nat.rec", True),
        ("Nat.casesOn", True),
        ("Option.some.inj", True),
        ("List.map.match_1", True),
        ("List.map.eq_2", True),
        ("Nat.add._sunfold", True),
        ("_private.Init.Core.0.x", True),
        ("ite.congr_simp", True),
        ("Bool.rec_eq", False),
        ("Iff.elim", False),
        ("Exists.elim", False),
        ("eq_self", False),
        ("Nat.add", False),
    ],
)
def test_what_lean_makes_by_itself(name: str, expected: bool) -> None:
    assert generated(name, frozenset({"Nat", "Option", "Option.some", "Bool", "List"})) == expected


def message(data: str, severity: str = "information") -> str:
    return json.dumps({"severity": severity, "data": data})


def test_reading() -> None:
    output = "\n".join(
        [
            message("@And.symm : ∀ {a b : Prop},\n  x"),
            message("true : Bool"),
            message("?", "warning"),
        ]
    )
    assert names.read(["And.symm", "Bool.true"], output) == [
        "And.symm : ∀ {a b : Prop}, x",
        "Bool.true : Bool",
    ]


@pytest.mark.parametrize("shown", [[], ["And.symm"], ["Bool.true", "And.symm"]])
def test_an_answer_about_other_names_is_refused(shown: list[str]) -> None:
    output = "\n".join(message(f"{name} : x") for name in shown)
    with pytest.raises(VerifyError, match="not about the names"):
        names.read(["And.symm", "Bool.true"], output)


def test_a_project_that_does_not_compile(engine: EmbeddedEngine, tmp_path: Path) -> None:
    (tmp_path / "Bad.lean").write_text("theorem x : True := 1\n")
    with pytest.raises(VerifyError, match="Bad: does not compile"):
        names.listing(engine, tmp_path, "Bad")


def test_the_command_line(tmp_path: Path) -> None:
    """As the lake job of the workflow runs it; no Lean is needed for this part."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools", "names", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=250)

    made = run("--lean", GOLDEN)
    assert made.stdout == names.lean_file(LINES)
    output = tmp_path / "core_names.json"
    output.write_text("\n".join(message(line) for line in names.named(LINES)))
    same = run("--read", GOLDEN, output)
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines() == names.named(LINES)
    explicit = [line.replace("{a b : Prop}", "(a b : Prop)") for line in names.named(LINES)]
    output.write_text("\n".join(map(message, explicit)))
    different = run("--read", GOLDEN, output)
    assert different.returncode == 1
    assert "found    And.symm : ∀ (a b : Prop)" in different.stderr
    output.write_text("")
    refused = run("--read", GOLDEN, output)
    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1
    assert run("--nonsense").returncode == 3
