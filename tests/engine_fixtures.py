"""Fixtures of the tests that run Lean: one core library for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from verify.engines.embedded import EmbeddedEngine


@pytest.fixture(scope="session")
def lean_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory with the compiled core, not that of the user."""
    cache = tmp_path_factory.mktemp("lean-cache")
    EmbeddedEngine(cache=cache).core()
    return cache


@pytest.fixture
def engine(lean_cache: Path) -> EmbeddedEngine:
    """The embedded engine over the core of this session."""
    return EmbeddedEngine(cache=lean_cache)


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes source files (relative path -> text) and returns their root."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "project"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        return root

    return write
