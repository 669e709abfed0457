"""Bugs planted in the native guard, each one that a predecessor had; `verify stress` finds each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from verify import resources, spec, stress
from verify.verdict import Verdict


@dataclass(frozen=True)
class Bug:
    """One change of the native sources.

    Attributes:
        name: What it is.
        file: Below `native/`.
        old, new: Replaced once.
        sign: A word of the reason that `verify stress` must give.
    """

    name: str
    file: str
    old: str
    new: str
    sign: str


BUGS = (
    Bug(
        "unlock before the original call",
        "core/guard.cpp",
        "    // Only encoding touches the context",
        "    while (count_ > 0) give_back(thread_, locks_[--count_]);\n"
        "    // Only encoding touches the context",
        "faults:",
    ),
    Bug(
        "two mutexes for one encoder",
        "core/lock_table.cpp",
        "(std::memory_order_relaxed) == key) return *e;\n    }\n    Entry* e = fresh",
        "(std::memory_order_relaxed) == 0) return *e;\n    }\n    Entry* e = fresh",
        "ThreadSanitizer:",
    ),
    Bug(
        "lock keyed by selector",
        "core/guard.cpp",
        "            key = key_of(object);\n            break;",
        "            key = 2 * (1 + static_cast<std::uintptr_t>(kind));\n            break;",
        "faults:",
    ),
    Bug(
        "no liveness check",
        "core/guard.cpp",
        "if (guard.scheme_.check && kind",
        "if (guard.scheme_.check && guard_.options_.assert_held && kind",
        "nullDeref",
    ),
    Bug(
        "handler not intercepted",
        "sched/session.cpp",
        "if (kind == Kind::complete && !config_.handlers_intercepted) {",
        "if (kind == Kind::complete) {",
        "faults:",
    ),
    Bug(
        "skipped release",
        "core/guard.cpp",
        "        lock->unlock(mode);\n        return;",
        "        if (lock->is_held() && thread.held == 99) lock->unlock(mode);\n        return;",
        "deadlock",
    ),
    Bug(
        "non-recursive lock",
        "core/guard.cpp",
        "if (Hold* hold = thread.find(found.lock)) {\n            // Nested",
        "if (Hold* hold = thread.find(nullptr)) {\n            // Nested",
        "deadlock",
    ),
    Bug(
        "calls dropped on live encoders",
        "core/guard.cpp",
        "admitted_ = guard.options_.alive(object, guard.options_.user);",
        "admitted_ = thread_.counters.calls[1].read() % 7 != 0 &&\n"
        "                    guard.options_.alive(object, guard.options_.user);",
        "skipped calls with a live context",
    ),
    Bug(
        "driver clears the pointer before the block is free",
        "drivers/fake/fake_driver.cpp",
        "                block->owner = nullptr;\n",
        "                block->owner = nullptr;\n                cell.impl = nullptr;\n",
        "divergence",
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    path = source / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.old) == 1, "the place to plant the bug has changed"
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    loaded = spec.load()
    runner = stress.FakeDriver(loaded, threads=4, seed=1, source=source)
    row = runner.run(loaded.strategy("perEncoder"), 4.0, lambda _: None)
    assert row.verdict is Verdict.REFUTED
    assert any(bug.sign in reason for reason in row.reasons), row.reasons
    if bug.sign == "divergence":
        found = stress.coverage(runner.library, loaded.strategy("perEncoder"), runner.env)
        assert not found.complete
        assert found.first
