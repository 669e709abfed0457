"""Fixtures of the tests of the whole pipeline: a copy of what is shipped, to be tampered with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from verify import resources

Edit = Callable[[str, str, str], None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped data, which `verify` in this process takes for the shipped one.

    It is no checkout, so nothing compares the generated modules with the spec.
    """
    source, copy = resources.root(), tmp_path / "tree"
    for name in ("model", "MPSVerify"):
        shutil.copytree(source / name, copy / name)
    for name in ("lakefile.lean", "lean-toolchain"):
        shutil.copy(source / name, copy / name)
    monkeypatch.setattr(resources, "root", lambda: copy)
    return copy


@pytest.fixture
def edit(tree: Path) -> Edit:
    """Replace a text in a file of the copy, which must be there."""

    def change(file: str, old: str, new: str) -> None:
        path = tree / file
        text = path.read_text()
        assert old in text, f"{file} has changed: {old!r} is not there any more"
        path.write_text(text.replace(old, new))

    return change
