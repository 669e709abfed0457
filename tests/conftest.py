"""What several test files share."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    deadline=None,  # the machines that run this are shared, so times say nothing
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # directories are overwritten
)
# In CI the same examples each time: a failure there must be one that can be repeated.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

T = TypeVar("T")
TOGETHER = ("tests/test_wheel.py", "tests/test_stress.py")
"""Files of one worker each, at the beginning: what their tests share takes longer than they do, a
fresh virtual environment and a report of all strategies.  xdist's own groups are none under
pytest 9: it writes them into the names of tests, where pytest does not look any more."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each test goes to the next free worker, but those of the files above stay together."""
    made = importlib.import_module("xdist.scheduler").LoadScopeScheduling(config, log)

    def split(nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid

    made._split_scope = split
    return made


type_of_run = Callable[..., "subprocess.CompletedProcess[str]"]

STRATEGY = """\
[[strategy]]
name = "mine"
english = "my guard"
check = true
[strategy.locks]
create = "encoder exclusive"
encode = "encoder exclusive"
destroy = "encoder exclusive"
complete = "encoder exclusive"
"""
"""The shortest valid spec: a strategy without claims, on lines 1 to 9."""


@pytest.fixture
def verify() -> type_of_run:
    """Run `verify` in a process of its own, as a user does."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "verify", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=800,
            env={**os.environ, **environment},
        )

    return run


@pytest.fixture
def spec_file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a spec to a file."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "spec.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def mostly_slow(values: Iterable[T], *quick: T) -> list[Any]:
    """The parameters of a test of which the ordinary run takes some, and the slow tests the rest.

    Args:
        values: All of them; what is no text needs an identifier from the test.
        quick: Those that stand for one kind each.
    """
    every = list(values)
    assert all(value in every for value in quick), "a kind is gone"
    return [pytest.param(v, marks=[pytest.mark.slow] * (v not in quick)) for v in every]


def children(parent: int) -> list[int]:
    """The processes whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
