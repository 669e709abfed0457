"""Recorded runs of free threads: every event a step of the model, and broken runs are none."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import mostly_slow, type_of_run

from verify import native, resources, spec, trace
from verify.errors import VerifyError
from verify.lockstep import DivergenceError
from verify.recorded import BOUNDS, Run, check, check_runs, record
from verify.semantics import Model

SPEC = spec.load()
DEFAULT = SPEC.environments["default"]
ENCODER = SPEC.strategy("perEncoder")
MODEL = Model(ENCODER.scheme, DEFAULT, BOUNDS)


@pytest.fixture(scope="module")
def executable() -> Path:
    return native.build(native.STRESS, SPEC)


@pytest.fixture(scope="module")
def run(executable: Path) -> Run:
    (run,) = record(executable, "perEncoder", DEFAULT, 1, 1)
    return run


@pytest.mark.parametrize(
    "strategy",
    mostly_slow(
        SPEC.strategies, *map(SPEC.strategy, ("noSync", "globalMutex", "perEncoder", "rwLock"))
    ),
    ids=lambda s: s.name,
)
def test_free_threads_do_what_the_model_does(executable: Path, strategy: spec.Strategy) -> None:
    result = check_runs(record(executable, strategy.name, DEFAULT, 8, 1), strategy, DEFAULT)
    assert result.trouble == ""
    assert result.runs == 8
    assert (result.overlapping > 0) == strategy.claims.parallel
    if strategy.claims.safe:
        assert result.faults == {}
        assert result.events > 1000
    else:
        assert result.faults.keys() == {"default"}


@pytest.mark.parametrize("environment", SPEC.environments)
def test_in_every_environment(executable: Path, environment: str) -> None:
    env = SPEC.environments[environment]
    for name in ("noSync", "striped"):
        strategy = SPEC.strategy(name)
        result = check_runs(record(executable, name, env, 3, 5), strategy, env)
        assert result.trouble == ""
        assert result.events > 50


def test_a_run_is_a_trace_file(executable: Path, tmp_path: Path, verify: type_of_run) -> None:
    """What was recorded can be judged by every checker of traces, and driven again."""
    (found,) = record(executable, "rwLock", DEFAULT, 1, 3, events=60)
    file = tmp_path / "run.ndjson"
    file.write_text(trace.dump("rwLock", "default", found.trace), encoding="utf-8")
    read = trace.load(file)
    assert trace.check(read.trace, SPEC.strategy("rwLock").scheme, DEFAULT) is None
    assert read.trace.events == found.trace.events
    done = verify("stress", "--replay", file)
    assert done.returncode == 0, done.stdout + done.stderr


def _cut(run: Run, at: int) -> Run:
    events = run.trace.events
    trace = replace(run.trace, events=events[:at] + events[at + 1 :])
    return replace(run, trace=trace, memories=run.memories[:at] + run.memories[at + 1 :])


def test_a_missing_event_is_seen(run: Run) -> None:
    check(run, MODEL)
    for at in range(10):
        with pytest.raises(DivergenceError, match=r"is no step|states differ"):
            check(_cut(run, at), MODEL)


def test_an_event_out_of_order_is_seen(run: Run) -> None:
    """An acquire before the release that it waits for."""
    at = next(i for i, event in enumerate(run.trace.events) if event.event == "release")
    events, memories = list(run.trace.events), list(run.memories)
    events.insert(at - 1, events.pop(at))
    memories.insert(at - 1, memories.pop(at))
    broken = replace(run, trace=replace(run.trace, events=tuple(events)), memories=tuple(memories))
    with pytest.raises(DivergenceError):
        check(broken, MODEL)


def test_other_memory_is_seen_and_both_states_are_shown(run: Run) -> None:
    memories = list(run.memories)
    memories[20] = memories[20]._replace(ready=tuple(not r for r in memories[20].ready))
    with pytest.raises(DivergenceError, match="differ after event 21") as caught:
        check(replace(run, memories=tuple(memories)), MODEL)
    assert {line.split(":")[0].strip() for line in caught.value.lines()[1:]} == {"model", "native"}


def test_a_fault_that_the_model_does_not_have_is_seen(executable: Path) -> None:
    (found,) = record(executable, "noSync", DEFAULT, 1, 1)
    model = Model(SPEC.strategy("noSync").scheme, DEFAULT, BOUNDS)
    check(found, model)
    assert found.trace.fault is not None
    other = found.trace.fault._replace(fault="deadDispatch")
    with pytest.raises(DivergenceError, match="native: deadDispatch"):
        check(replace(found, trace=replace(found.trace, fault=other)), model)


def test_a_run_of_another_strategy_is_none_of_this_one(executable: Path) -> None:
    runs = record(executable, "noSync", DEFAULT, 3, 1)
    # A lock that nobody took shows at once, or not before the fault that it would have prevented.
    trouble = check_runs(runs, ENCODER, DEFAULT).trouble
    assert re.search(r"is no step of the model|nullDeref .* the model: none", trouble), trouble


BUGS = (
    # Only threads that really wait meet this one: the deterministic scheduler waits for itself.
    pytest.param(
        "core/guard.cpp",
        "        if (lock.try_lock(mode)) return;\n    }\n",
        "        if (lock.try_lock(mode)) return;\n    }\n    if (thread.number != 999) return;\n",
        "acquire",
        id="a wait that gives up",
    ),
    pytest.param(
        "core/guard.cpp",
        "    // Only encoding touches the context",
        "    while (count_ > 0) give_back(thread_, locks_[--count_]);\n"
        "    // Only encoding touches the context",
        "acquire",
        id="unlock before the original call",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "drivers/fake/fake_driver.cpp",
        "                block->owner = nullptr;\n",
        "                block->owner = nullptr;\n                cell.impl = nullptr;\n",
        "states differ",
        id="a pointer that is cleared too early",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "core/guard.cpp",
        "        lock->unlock(mode);\n        return;",
        "        if (thread.held == 99) lock->unlock(mode);\n        return;",
        "deadlock",
        id="skipped release",
        marks=pytest.mark.slow,
    ),
)


@pytest.mark.parametrize(("file", "old", "new", "sign"), BUGS)
def test_a_planted_bug_is_seen(file: str, old: str, new: str, sign: str, tmp_path: Path) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    text = (source / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, "the place to plant the bug has changed"
    (source / file).write_text(text.replace(old, new), encoding="utf-8")
    planted = native.build(native.STRESS, SPEC, source)
    runs = record(planted, "perEncoder", DEFAULT, 20, 1, seconds=5)
    assert sign in check_runs(runs, ENCODER, DEFAULT).trouble


def test_a_broken_recording_is_an_error(executable: Path, tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="bad argument"):
        record(executable, "nobody", DEFAULT, 1, 1)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho '{\"runs\": ['\n")
    program.chmod(0o755)
    with pytest.raises(VerifyError, match="the recording is broken"):
        record(program, "perEncoder", DEFAULT, 1, 1)
