"""Fixtures of the tests that run Lean: core library and development, compiled once for all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from filelock import FileLock

from verify import resources
from verify.engines.embedded import EmbeddedEngine


@pytest.fixture(scope="session")
def lean_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory with the compiled core and development, not that of the user.

    One worker compiles them for all. Each works on a copy: some tests damage what they find.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    seed = shared / "lean-seed"
    with FileLock(shared / "lean-seed.lock"):
        seed.mkdir(mode=0o700, exist_ok=True)
        engine = EmbeddedEngine(cache=seed)
        engine.core()
        engine.build(resources.root(), ["MPSVerify"])  # what fails fails its own tests
    return Path(shutil.copytree(seed, tmp_path_factory.mktemp("lean-cache"), dirs_exist_ok=True))


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
