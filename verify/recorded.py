"""Recorded runs of free-running threads, checked against the model.

The scheduled arms of `verify stress` choose every interleaving themselves.  Here the operating
system chooses: the threads run freely, wait for real locks, and write each micro-step down in the
same critical section in which it happens (`native/runs/record.hpp`).  Every event must be
an enabled step of the model, in the order of the log, and memory must be the model's after each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verify import answers
from verify.children import command_line, run_child
from verify.english import event_text
from verify.errors import VerifyError
from verify.library import NONE
from verify.lockstep import DivergenceError, Memo
from verify.rules import FAULT_RULES, HOLDING
from verify.semantics import Activity, Bounds, Event, FaultAt, Memory, Model, State
from verify.spec import Environment, Strategy
from verify.trace import Trace

BOUNDS = Bounds(5, 3, 6)
"""The instance that is recorded; its last thread runs completion handlers only."""

EVENTS = 300
"""Events of one run, at most: a run begins with a new guard and fresh encoders."""

_STUCK = 4


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Attributes:
        trace: Its events and the fault that ended it, if one did.
        memories: The driver's memory after each event.
        trouble: A deadlock, or what the guard reported; empty for none.
    """

    trace: Trace
    memories: tuple[Memory, ...]
    trouble: str = ""


def record(
    executable: Path, strategy: str, env: Environment, runs: int, seed: int,
    bounds: Bounds = BOUNDS, events: int = EVENTS, seconds: float = 10.0, guarded: bool = True,
) -> list[Run]:  # fmt: skip
    """Record runs of free threads, in a process of their own.

    Args:
        executable: A built `native.STRESS`.
        strategy: A name of the table that is compiled in.
        env: What the driver and the clients do.
        runs: How many.
        seed: Of the first run's choices; the interleaving is the operating system's.
        bounds: At most 16 encoders and blocks; its maps are not used, the default ones are.
        events: Of each run, at most.
        seconds: So long without any event is a deadlock.
        guarded: False is the control: no thread takes a lock.

    Raises:
        VerifyError: The program failed.
    """
    arguments = {
        "strategy": strategy, "record": events, "runs": runs, "seed": seed, "seconds": seconds,
        "guarded": int(guarded), "threads": bounds.threads, "encoders": bounds.encoders,
        "blocks": bounds.blocks,
        **{flag: int(value) for flag, value in env.flags.items()},
    }  # fmt: skip
    limit = 60 + 30 * seconds + runs
    done = run_child(command_line(executable, arguments), timeout=limit)
    if done.timed_out:
        raise VerifyError(f"{executable.name}: no end after {limit:.0f} s")
    try:
        if done.returncode not in (0, _STUCK):
            raise ValueError(f"exit code {done.returncode}: {done.stderr.strip()[-200:]}")
        return [_run(run, bounds) for run in answers.loads(done.stdout)["runs"]]
    except (*answers.ODD, StopIteration) as error:
        raise VerifyError(f"{executable.name}: the recording is broken: {error}") from None


def _run(data: dict[str, Any], bounds: Bounds) -> Run:
    events, memories = [], []
    for m in data["moments"]:
        drop = m["t"] == NONE
        kind, point = (None, None) if drop else (m["kind"], m["pc"])
        thread = None if drop else m["t"]
        events.append(Event(thread, m["e"], kind, m["event"], _none(m["b"]), point))
        memories.append(
            Memory(
                tuple(map(_none, m["impl"])), tuple(map(_none, m["owner"])),
                tuple(map(bool, m["ready"])), tuple(map(bool, m["alive"])),
            )
        )  # fmt: skip
    fault = None
    if (end := data["fault"]) is not None:
        fault = _fault(events, end["fault"], end["t"], end["e"])
    trouble = "deadlock: threads did not end" if data["stuck"] else str(data["failure"])
    return Run(Trace(bounds, tuple(events), fault), tuple(memories), trouble)


def _fault(events: Sequence[Event], name: str, thread: int, encoder: int) -> FaultAt:
    """The fault with its kind and event, which its thread's last event tells."""
    last = next(event for event in reversed(events) if event.t == thread)
    rules = [rule for rule in FAULT_RULES if rule.fault == name]
    rule = next((rule for rule in rules if rule.source == last.pc), rules[0])
    return FaultAt(name, thread, encoder, last.kind or "", rule.event)


def check(run: Run, model: Model, memo: Memo | None = None) -> None:
    """Follow a recorded run in the model.

    Args:
        run: What was recorded.
        model: Of the same scheme, environment and bounds.
        memo: What is known about the model's states; runs of one model may share it.

    Raises:
        DivergenceError: An event is no enabled step, memory differs after it, or the fault is
            none of the last state; it carries both states.
    """
    memo = {} if memo is None else memo
    state = model.initial()
    threads = list(state.threads)

    def facts() -> tuple[list[tuple[Event, State]], list[FaultAt]]:
        found = memo.get(state)
        if found is None:
            found = memo[state] = model.enabled(state), model.faults(state)
        return found

    for number, (event, memory) in enumerate(zip(run.trace.events, run.memories, strict=True), 1):
        if event.t is not None:
            idle = event.pc == "idle"
            held = event.b if event.pc in HOLDING else None
            activity = Activity(event.kind or "", event.e, event.pc or "", held)
            threads[event.t] = None if idle else activity
        native = State(tuple(threads), memory)
        after = next((target for label, target in facts()[0] if label == event), None)
        if after is None:
            what = f"event {number} is no step of the model: {event_text(event)}"
            raise DivergenceError(what, state, native)
        state = after
        if state != native:
            what = f"the states differ after event {number}: {event_text(event)}"
            raise DivergenceError(what, state, native)
    fault = run.trace.fault
    if fault is not None:
        faults = {(f.fault, f.t, f.e) for f in facts()[1]}
        if (fault.fault, fault.t, fault.e) not in faults:
            names = ", ".join(sorted({name for name, _, _ in faults})) or "none"
            what = f"native: {fault.fault} after {len(run.trace.events)} events; the model: {names}"
            raise DivergenceError(what, state, State(tuple(threads), state.memory))


@dataclass
class RecordedResult:
    """What recorded runs of one strategy showed.

    Attributes:
        runs, events: How many were checked, each event against the model.
        overlapping: Runs in which two threads were past their acquires at once.
        faults: By environment, the faults that ended runs, each confirmed by the model.
        trouble: The first divergence, deadlock or report of the guard, in words.
        example: A run and its environment: the one that has the trouble; otherwise the first.
    """

    runs: int = 0
    events: int = 0
    overlapping: int = 0
    faults: dict[str, set[str]] = field(default_factory=dict)
    trouble: str = ""
    example: tuple[str, Trace] | None = None

    def add(self, other: RecordedResult) -> None:
        """Add what other runs of the strategy showed."""
        self.runs += other.runs
        self.events += other.events
        self.overlapping += other.overlapping
        for environment, faults in other.faults.items():
            self.faults.setdefault(environment, set()).update(faults)
        if self.example is None or (other.trouble and not self.trouble):
            self.example = other.example
        self.trouble = self.trouble or other.trouble


def check_runs(runs: Sequence[Run], strategy: Strategy, env: Environment) -> RecordedResult:
    """Check recorded runs of a strategy, up to the first that is no run of the model."""
    result = RecordedResult()
    memo: Memo = {}
    for run in runs:
        result.runs += 1
        result.events += len(run.trace.events)
        result.overlapping += overlaps(run.trace.events)
        result.example = result.example or (env.name, run.trace)
        trouble = run.trouble
        try:
            check(run, Model(strategy.scheme, env, run.trace.bounds), memo)
        except DivergenceError as divergence:
            trouble = "; ".join(divergence.lines())
        if trouble:
            result.trouble, result.example = f"{env.name}: {trouble}", (env.name, run.trace)
            break
        if run.trace.fault is not None:
            result.faults.setdefault(env.name, set()).add(run.trace.fault.fault)
    return result


def overlaps(events: Sequence[Event]) -> bool:
    """Whether two threads are past their acquires at once."""
    inside: set[int] = set()
    for event in events:
        if event.t is not None and event.event == "acquire":
            inside.add(event.t)
        elif event.t is not None and event.event == "release":
            inside.discard(event.t)
        if len(inside) > 1:
            return True
    return False


def _none(value: int) -> int | None:
    return None if value == NONE else value
