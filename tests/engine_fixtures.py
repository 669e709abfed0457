"""Fixtures of the tests that run Lean: core library and development, compiled once for all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from verify import cache as caches
from verify import resources
from verify.engines.embedded import EmbeddedEngine, Store


class _Copying(Store):
    """Takes what it lacks from another cache, which is only read; seals and hashes still count."""

    def __init__(self, directory: Path, other: Path) -> None:
        super().__init__(directory)
        self.directory, self.other = directory, other

    def get(self, key: str, module: str) -> Any:
        entry = f"index/{key}.json"
        content = caches.read(self.other / entry)
        if content is not None:
            for name in (f"objects/{content['sha256']}.olean", entry):
                with contextlib.suppress(OSError):  # gone: it is compiled here
                    shutil.copyfile(self.other / name, self.directory / name)
        return super().get(key, module)


class _Seeding(EmbeddedEngine):
    """Fills a cache, with what the user's own holds where it can."""

    @property
    def store(self) -> Store:
        return _Copying(self.cache, caches.directory())


@pytest.fixture(scope="session")
def lean_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory with the compiled core and development, not that of the user.

    One worker compiles them for all, or copies what `verify prove` has left in the user's cache.
    Each works on a copy: some tests damage what they find.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    seed = shared / "lean-seed"
    with FileLock(shared / "lean-seed.lock"):
        seed.mkdir(mode=0o700, exist_ok=True)
        engine = _Seeding(cache=seed)
        core = Path("core", engine.core_key)
        if not (seed / core).exists() and (caches.directory() / core).is_dir():
            shutil.copytree(caches.directory() / core, seed / core)
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
