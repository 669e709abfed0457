"""The Lean sources can be read: short files, short lines, and English on what matters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verify import resources

SOURCES = sorted((resources.root() / "MPSVerify").rglob("*.lean"))
MOST_LINES = 300
MOST_COLUMNS = 100
DOCUMENTED = re.compile(r"^(?:inductive|structure|abbrev|def) ([\w.?']+)", re.M)
SELF_EXPLANATORY = {"Thread", "Encoder", "Stream", "Queue", "Block", "Mode", "Op"}


def test_there_are_sources() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_can_be_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= MOST_LINES
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
