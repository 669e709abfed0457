"""The Lean sources can be read: short files, short lines, and English on what matters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verify import resources

SOURCES = sorted((resources.root() / "MPSVerify").rglob("*.lean"))
MOST_LINES = 300
MOST_CLAIMS = 500  # lines of Claims.lean, a list of statements without proofs
MOST_COLUMNS = 100
DOCUMENTED = re.compile(r"^(?:inductive|structure|abbrev|def) ([\w.?']+)", re.M)
COMMENT = re.compile(r"/-.*?-/|--[^\n]*", re.S)
BARE_SIMP = re.compile(
    r"(?<![\w.@\[])(?:d?simp|simpa|simp_all|simp_arith)\b[?!]*(?!(?:\s+[+-]\w+)*\s+only\b)"
)
SELF_EXPLANATORY = {"Thread", "Encoder", "Stream", "Queue", "Block", "Mode", "Op"}


def test_there_are_sources() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_can_be_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= (MOST_CLAIMS if path.name == "Claims.lean" else MOST_LINES)
    assert [i for i, line in enumerate(lines, 1) if len(line) > MOST_COLUMNS] == []
    assert "/-!" in text or path.parent.name == "MPSVerify", "what is in this file?"


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parent.name == "Spec"], ids=lambda path: path.stem
)
def test_definitions_of_the_model_are_explained(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bare = []
    for found in DOCUMENTED.finditer(text):
        before = text[: found.start()].rstrip()
        if not before.endswith("-/") and found[1] not in SELF_EXPLANATORY:
            bare.append(found[1])
    assert bare == []


def bare_simps(text: str) -> list[int]:
    """The lines of a source on which simp may use whatever the core library marks for it."""
    code = COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    return [code.count("\n", 0, found.start()) + 1 for found in BARE_SIMP.finditer(code)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_simp_names_its_lemmas(path: Path) -> None:
    """Lean's own core marks more lemmas for simp than the reduced core of the embedded engine: a
    simp that does not name its lemmas may end elsewhere under lake."""
    remedy = "write `simp only [...]` on these lines"
    assert bare_simps(path.read_text(encoding="utf-8")) == [], remedy


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("by simp", [1]),
        ("by\n  cases k <;> simp [f]", [2]),
        ("by simp at h", [1]),
        ("by simpa using h", [1]),
        ("by simp_all [f]", [1]),
        ("by dsimp", [1]),
        ("by simp? [f]", [1]),
        ("by simp +contextual [f]", [1]),
        ("by simp -- simp only\n  simp only [f]", [1]),
        ("/- by simp\n -/ -- by simp", []),
        ("by simp only [f] at h", []),
        ("by simpa only [f] using h", []),
        ("by simp_all only [f]", []),
        ("by simp +contextual only [f]", []),
        ("@[simp] theorem simple : simpler", []),
    ],
)
def test_what_a_bare_simp_is(text: str, lines: list[int]) -> None:
    assert bare_simps(text) == lines
