"""Bugs planted in the native guard, and blind arms: `verify stress` notices all of them.

Each is a change of a copy of the sources, or of a seam of the Python side; an arm that is blind
must leave its strategies undecided, whatever the others say.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import mostly_slow
from planted import Bug

from verify import campaign, controls, native, spec, stress
from verify.errors import EngineMissing
from verify.library import Library
from verify.lockstep import Lockstep
from verify.records.stress import FreeResult
from verify.session import Outcome, Session, StepResult
from verify.spec import LockScheme
from verify.verdict import Verdict

KINDS = ("create", "encode", "destroy", "complete")


def _strategy(name: str, **locks: str) -> str:
    """A strategy that claims to be safe."""
    rows = [f"{kind} = {locks.get(kind, locks['others'])}" for kind in KINDS]
    head = f'[[strategy]]\nname = "{name}"\nenglish = "one of ours"\ncheck = true\n'
    return "\n".join([head, "[strategy.locks]", *rows, ""])


TABLE = "format = 1\n" + "".join(
    (
        _strategy("mine", others='"encoder exclusive"'),
        _strategy("keeper", others='["encoder exclusive", "stream shared"]'),
        _strategy("taker", others='["stream shared", "encoder exclusive"]'),
        _strategy(
            "readers", encode='["global shared", "encoder exclusive"]', others='"global exclusive"'
        ),
    )
)
"""One table for all, so that what includes it is compiled once."""

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
        "if (kind == Kind::complete && !config_.handlersIntercepted) {",
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
    Bug(
        "a wait that keeps one of two locks",
        "core/guard.cpp",
        "    for (std::uint32_t i = held; i-- > 0;) {\n        if (holds[i].mode",
        "    for (std::uint32_t i = held; i-- > 1;) {\n        if (holds[i].mode",
        "deadlock",
        "keeper",
    ),
    Bug(
        "a wait that does not retake its locks",
        "core/guard.cpp",
        "Guard::Unlocked::~Unlocked() {\n    for (std::uint32_t i = 0; i < held; ++i) {",
        "Guard::Unlocked::~Unlocked() {\n    held = 0;\n"
        "    for (std::uint32_t i = 0; i < held; ++i) {",
        "faults:",
    ),
    Bug(
        "a wait that retakes one of two locks",
        "core/guard.cpp",
        "Guard::Unlocked::~Unlocked() {\n    for (std::uint32_t i = 0; i < held; ++i) {",
        "Guard::Unlocked::~Unlocked() {\n    held = held > 1 ? 1 : 0;\n"
        "    for (std::uint32_t i = 0; i < held; ++i) {",
        "faults:",
        "taker",
    ),
    Bug(
        "nobody is woken",
        "core/lock.cpp",
        "    bucket.changed.notify_all();\n",
        "    static_cast<void>(bucket);\n",
        "nobody woke them",
    ),
    Bug(
        "wake without its mutex",
        "core/lock.cpp",
        "    { const std::lock_guard<std::mutex> held(bucket.mutex); }\n",
        "",
        "nobody woke them",
    ),
    Bug(
        "the last reader wakes no writer",
        "core/lock.hpp",
        "_relaxed);\n            wake();\n",
        "_relaxed);\n",
        "nobody woke them",
        "readers",
    ),
    Bug(
        "a recycled entry is taken unchecked",
        "core/guard.cpp",
        "        if (found.entry != nullptr &&\n"
        "            found.entry->key.load(std::memory_order_relaxed) != found.key) {",
        "        if (found.entry != nullptr && found.key == 0) {",
        "new to both",
    ),
    Bug(
        "retire keeps the key",
        "core/lock_table.cpp",
        "        e->key.store(0, std::memory_order_release);\n",
        "",
        "new to both",
    ),
    Bug(
        "a shared lock lets a writer in",
        "core/lock.hpp",
        "            return (seen & ~kWaiters) == 0 &&\n",
        "            return (seen & kExclusive) == 0 &&\n",
        "faults:",
        "readers",
    ),
)


_build = native.build


def _build_unsanitized(target: native.Target, spec: spec.Spec, source: Path | None = None) -> Path:
    if target is native.STRESS_TSAN:
        raise EngineMissing("not built for this test")
    return _build(target, spec, source)


def driver(
    source: Path | None, tmp_path: Path, patch: pytest.MonkeyPatch, tsan: bool
) -> stress.FakeDriver:
    """The campaign on a copy of the sources, with less of everything."""
    if not tsan:
        patch.setattr(native, "build", _build_unsanitized)
    patch.setattr(stress, "FREE_OPERATIONS", 12_000)
    file = tmp_path / "table.toml"
    file.write_text(TABLE)
    made = stress.FakeDriver(spec.load(file), threads=4, seed=1, source=source)
    made.patience = 4.0
    return made


def run(made: stress.FakeDriver, name: str, seconds: float = 1.5) -> stress.Row:
    return made.run(made.spec.strategy(name), seconds, lambda _: None)


SLOW = {
    "a wait that keeps one of two locks",
    "retire keeps the key",
    # Beside each stands a quicker one of the same kind.
    "calls dropped on live encoders",
    "lock keyed by selector",
    "a shared lock lets a writer in",
    "the last reader wakes no writer",
    "a recorder of one thread",
    "a sanitizer whose reports are suppressed",
    "a control arm that crashes",
    "free threads whose faults are not counted",
    "non-recursive lock",
    "two mutexes for one encoder",
    "skipped release",
    "unlock before the original call",
    "a wait that retakes one of two locks",
    "a scheduler that notes no fault",
    "a sanitizer that reports nothing",
    "a control arm that hangs",
}


def _params(bugs: Sequence[Bug]) -> list[Any]:
    return [
        pytest.param(bug, id=bug.name, marks=[pytest.mark.slow] * (bug.name in SLOW))
        for bug in bugs
    ]


# --- Bugs of the guard ----------------------------------------------------------------------------


@pytest.mark.parametrize("bug", _params(BUGS))
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tsan = bug.sign == "ThreadSanitizer:"
    made = driver(bug.plant(tmp_path), tmp_path, monkeypatch, tsan)
    made._blind = []  # whether the arms can see is another test's business
    row = run(made, bug.strategy)
    assert row.verdict is Verdict.REFUTED, row.reasons
    assert any(bug.sign in reason for reason in row.reasons), row.reasons
    if bug.sign == "divergence":
        found = stress.coverage(made.library, made.spec.strategy("mine"), made.env)
        assert not found.complete
        assert found.first


@pytest.mark.parametrize(
    "name",
    mostly_slow(["mine", "taker", "keeper", "readers"], "mine"),
)
def test_without_a_bug_all_agrees(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driver(None, tmp_path, monkeypatch, tsan=True)
    row = run(made, name)
    assert row.verdict is Verdict.AGREES, row.reasons
    assert made.blind() == []


def test_a_handler_wrapped_twice_is_seen(tmp_path: Path) -> None:
    """Each time it would count as a handler inside a handler."""
    bug = Bug(
        "wrapped twice",
        "objc/interpose.cpp",
        "        return original(self, command, &wrapped.block);",
        "        HandlerBlock twice(&wrapped.block);\n"
        "        return original(self, command, &twice.block);",
        "",
    )
    try:
        program = native.build(native.OBJC, spec.load(), bug.plant(tmp_path))
    except EngineMissing:
        pytest.skip("no Objective-C++ compiler")
    done = subprocess.run(
        [program, "strategy=perEncoder", "operations=4000"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["wrappers"] == 2  # 1 in tests/test_native_objc.py


# --- Blind arms: the native side ------------------------------------------------------------------

BLIND = (
    Bug(
        "a recorder that records nothing",
        "runs/record.cpp",
        "        log.push_back(moment);\n        progress.store(log.size());\n"
        "        over = log.size() >= limit;\n",
        "        static_cast<void>(moment);\n"
        "        progress.store(progress.load() + 1);\n        over = progress.load() >= limit;\n",
        "the recorder",
    ),
    Bug(
        "a recorder of one thread",
        "runs/record.cpp",
        "        while (dispatch()) operation();\n",
        "        while (number_ == 0 && dispatch()) operation();\n",
        "no two threads that overlap",
    ),
    Bug(
        "a recorder that lets one thread in at a time",
        "runs/record.cpp",
        "    void operation() {\n        Cell& cell",
        "    void operation() {\n        static std::mutex one;\n"
        "        const std::lock_guard<std::mutex> held(one);\n        Cell& cell",
        "no two threads that overlap",
    ),
    Bug(
        "a sanitizer that reports nothing",
        "mains/stress.cpp",
        "using namespace mpsverify;\n",
        "using namespace mpsverify;\n"
        'extern "C" __attribute__((visibility("default"))) const char*\n'
        '__tsan_default_options() { return "report_bugs=0"; }\n',
        "ThreadSanitizer is blind",
    ),
    Bug(
        "a sanitizer whose reports are suppressed",
        "mains/stress.cpp",
        "using namespace mpsverify;\n",
        "using namespace mpsverify;\n"
        'extern "C" __attribute__((visibility("default"))) const char*\n'
        '__tsan_default_suppressions() { return "race:*\\n"; }\n',
        "ThreadSanitizer is blind",
    ),
    Bug(
        "a scheduler that runs one thread only",
        "sched/explorer.cpp",
        "        for (std::uint32_t t = 0; t < threads; ++t) {\n            if (t != node.last)",
        "        for (std::uint32_t t = 0; t < threads && node.last == kNone; ++t) {\n"
        "            if (t != node.last)",
        "shows no fault under schedules",
    ),
    Bug(
        "a scheduler that notes no fault",
        "sched/session.hpp",
        "std::uint32_t faults() const noexcept { return faults_; }",
        "std::uint32_t faults() const noexcept { return 0 & faults_; }",
        "shows no fault under schedules",
    ),
    Bug(
        "free threads that run one after another",
        "runs/free_run.cpp",
        "            if (client) {\n                runner.run_client();",
        "            static std::mutex one;\n            if (client) {\n"
        "                const std::lock_guard<std::mutex> held(one);\n"
        "                runner.run_client();",
        "no two clients",
    ),
    Bug(
        "free threads that wait for no handler",
        "runs/free_run.cpp",
        "config_.handlersTearDown && draw(64) == 0) {",
        "config_.handlersTearDown && draw(64) == 64) {",
        "no call waited for a handler",
    ),
    Bug(
        "free threads whose faults are not counted",
        "runs/free_run.cpp",
        "outcome.faults[f] = totals.faults[f].load();",
        "outcome.faults[f] = 0 * totals.faults[f].load();",
        "shows no fault in free runs",
    ),
    Bug(
        "a control arm that does not run",
        "runs/free_run.cpp",
        "            config_.guarded && (kind != Kind::complete || config_.handlersIntercepted);",
        "            kind != Kind::complete || config_.handlersIntercepted;",
        "shows no fault in free runs",
    ),
    Bug(
        "a control arm that hangs",
        "runs/free_run.cpp",
        "        if (!through_guard) {\n            body(object, kind);",
        "        while (!config_.guarded) std::this_thread::yield();\n"
        "        if (!through_guard) {\n            body(object, kind);",
        "control arm of free runs failed",
    ),
    Bug(
        "a control arm that crashes",
        "runs/free_run.cpp",
        "        if (!through_guard) {\n            body(object, kind);",
        "        if (!config_.guarded) *static_cast<volatile int*>(nullptr) = 0;\n"
        "        if (!through_guard) {\n            body(object, kind);",
        "control arm of free runs failed",
    ),
)


@pytest.mark.parametrize("bug", _params(BLIND))
def test_a_blind_arm_is_no_evidence(
    bug: Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tsan = "ThreadSanitizer" in bug.sign
    made = driver(bug.plant(tmp_path), tmp_path, monkeypatch, tsan)
    row = run(made, "mine", 0.5)
    assert row.verdict is Verdict.UNDETERMINED, row.reasons
    assert any(bug.sign in reason for reason in row.reasons), row.reasons


# --- Blind arms: the Python side ------------------------------------------------------------------


def _says(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


def _no_sanitizer(patch: pytest.MonkeyPatch) -> None:
    options = tuple(o for o in native.STRESS_TSAN.options if "sanitize" not in o)
    patch.setattr(native, "STRESS_TSAN", replace(native.STRESS_TSAN, options=options))


def _itself(pair: Lockstep, *_: object) -> object:
    """The comparison of the native side with itself."""
    pair.state = pair.session.state()
    return StepResult("stepped")


def _one_lock(library: Library, scheme: LockScheme, *where: Any) -> Session:
    planted = scheme == controls.UNGUARDED
    return Session(library, controls.ONE_LOCK if planted else scheme, *where)


real_free = stress.FakeDriver._free


def _failing_control(patch: pytest.MonkeyPatch) -> None:
    real = stress.free_run

    def hangs(*given: Any, **more: Any) -> FreeResult:
        if more.get("first_race"):
            return FreeResult(races=3, trouble="hung: no end after 60 s")
        return real(*given, **more)

    patch.setattr(stress, "free_run", hangs)


SEAMS: dict[str, tuple[Callable[[pytest.MonkeyPatch], object], str]] = {
    "a sanitizer that is not compiled in": (_no_sanitizer, "ThreadSanitizer is blind"),
    "a sanitizer's control that hangs": (_failing_control, "ThreadSanitizer's control failed"),
    "a recorder's check that always says yes": (
        lambda p: p.setattr(controls, "check", _says(None)),
        "the recorder is blind",
    ),
    "a recorder that is not run": (
        lambda p: (
            p.setattr(stress, "record", _says([])), p.setattr(controls, "record", _says([]))
        ),
        "nothing was recorded",
    ),
    "a campaign whose control has no fault in it": (
        lambda p: p.setattr(campaign, "Session", _one_lock),
        "the campaign is blind",
    ),
    "a campaign that compares with itself": (
        lambda p: p.setattr(Lockstep, "_compare", _itself),
        "the campaign is blind",
    ),
    "a campaign that is not run": (
        lambda p: p.setattr(stress, "campaign", _says(campaign.CampaignResult())),
        "the campaign checked no event",
    ),
    "schedules that are not run": (
        lambda p: p.setattr(Session, "explore", _says(Outcome())),
        "no schedule was run",
    ),
    "a control that is not run": (
        lambda p: p.setattr(
            stress.FakeDriver, "_free",
            lambda self, *given, guarded=True: real_free(self, *given)
            if guarded
            else FreeResult(),
        ),
        "shows no fault in free runs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("seam", SEAMS)
def test_a_blind_oracle_is_no_evidence(
    seam: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, sign = SEAMS[seam]
    plant(monkeypatch)
    made = driver(None, tmp_path, monkeypatch, tsan=True)
    row = run(made, "mine", 0.3)
    assert row.verdict is Verdict.UNDETERMINED, row.reasons
    assert any(sign in reason for reason in row.reasons), row.reasons
