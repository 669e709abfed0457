"""What there is to see at each step of a run: the frames of every picture.

All of it is computed here, from the table of micro-steps (`verify.semantics`); a picture lays out
what a frame says and works nothing out by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from verify import english
from verify.rules import CRASHING
from verify.semantics import Activity, Event, FaultAt, Model, State, is_past_acquire
from verify.spec import Environment, LockScheme
from verify.trace import Trace, states

NOTHING = "–"
"""What a cell shows when there is nothing to show."""


@dataclass(frozen=True)
class Part:
    """One thing of the model, with what can be seen of it.

    Attributes:
        key: `t0` for thread 0, `l0` for the first lock, `e0` for encoder 0, `b0` for block 0.
        name: What it is called.
        fields: What is seen of it; the cell has the key `KEY.FIELD`.
    """

    key: str
    name: str
    fields: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The keys of its cells."""
        return tuple(f"{self.key}.{field}" for field in self.fields)


@dataclass(frozen=True)
class Group:
    """All things of one sort; `headings` name the fields of each."""

    title: str
    headings: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Frame:
    """What is seen after a step.

    Attributes:
        number: 0 is the start, then the steps from 1, as they are numbered everywhere.
        event: The step that led here; None at the start and for the fault.
        text: The step in English.
        cells: What every cell shows.
        changed: The cells that the step changed, with what they showed before.
        fault: Whether this is the fault: the step that goes wrong, so nothing else moves.
    """

    number: int
    event: Event | None
    text: str
    cells: Mapping[str, str]
    changed: Mapping[str, str]
    fault: bool = False


@dataclass(frozen=True)
class Cause:
    """Why a fault is one.

    Attributes:
        step: The number of the step without which the fault's step would have been in order;
            None if there is none (the encoder never had a context).
        lines: The explanation, a sentence each.
    """

    step: int | None
    lines: tuple[str, ...]


class Film:
    """A run with everything that can be seen of it.

    Args:
        trace: A run of the model, and the fault that it shows, if any.
        strategy: The name of what it is a run of.
        scheme, environment: The same.

    Raises:
        ValueError: If the trace is no run.
    """

    def __init__(
        self, trace: Trace, strategy: str, scheme: LockScheme, environment: Environment
    ) -> None:
        self.trace, self.strategy, self.environment = trace, strategy, environment
        self.model = Model(scheme, environment, trace.bounds)
        self.states: Sequence[State] = states(trace, scheme, environment)
        self._texts = english.step_lines(trace, scheme, environment)

    @property
    def fault(self) -> FaultAt | None:
        """The fault that the run ends in."""
        return self.trace.fault

    @cached_property
    def locks(self) -> tuple[tuple[str, str | int], ...]:
        """Every lock that the run takes or waits for, in the order in which it is asked for."""
        found: dict[tuple[str, str | int], None] = {}
        for event in self.trace.events:
            if event.t is not None and event.kind is not None and event.event == "dispatch":
                for request in self.model.requests(event.kind):
                    found[self.model.lock(event.t, event.kind, event.e, request)] = None
        return tuple(found)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All that is seen, in the order in which it is shown."""
        bounds = self.trace.bounds
        numbered = (
            ("Threads", "t", "thread", bounds.threads, _THREAD),
            ("Encoders", "e", "encoder", bounds.encoders, _ENCODER),
            ("Blocks", "b", "block", bounds.blocks, _BLOCK),
        )
        threads, encoders, blocks = (
            Group(
                title,
                tuple(fields.values()),
                tuple(Part(f"{key}{i}", f"{word} {i}", tuple(fields)) for i in range(count)),
            )
            for title, key, word, count, fields in numbered
        )
        parts = (
            Part(f"l{i}", english.lock_name(lock), tuple(_LOCK))
            for i, lock in enumerate(self.locks)
        )
        locks = Group("Locks", tuple(_LOCK.values()), tuple(parts))
        return (threads, *([locks] if self.locks else []), encoders, blocks)

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """The start, a frame for each step, and one for the fault if there is one."""
        cells = self._cells(self.states[0], None)
        found = [Frame(0, None, "Nothing has happened: no context, all blocks free.", cells, {})]
        steps = list(zip(self.trace.events, self.states[1:], strict=True))
        for number, (event, state) in enumerate(steps, 1):
            before, cells = cells, self._cells(state, None)
            changed = _changes(before, cells)
            found.append(Frame(number, event, self._texts[number - 1], cells, changed))
        if self.fault is not None:
            before, cells = cells, self._cells(self.states[-1], self.fault)
            number = len(found)
            text, changed = self._texts[number - 1], _changes(before, cells)
            found.append(Frame(number, None, text, cells, changed, fault=True))
        return tuple(found)

    def holders(self, state: State, lock: tuple[str, str | int]) -> dict[int, str]:
        """The threads that hold a lock in a state, with their modes."""
        return {
            thread: mode
            for thread, activity in enumerate(state.threads)
            if activity is not None and is_past_acquire(activity)
            for held, mode in self._requests(thread, activity)
            if held == lock
        }

    def waiting(self, state: State) -> dict[int, dict[tuple[str, str | int], list[int]]]:
        """The threads that another one keeps out: for which locks, and who holds these."""
        found: dict[int, dict[tuple[str, str | int], list[int]]] = {}
        for thread, activity in enumerate(state.threads):
            if activity is None or activity.point != "dispatched":
                continue
            for lock, mode in self._requests(thread, activity):
                others = [
                    other
                    for other, held in self.holders(state, lock).items()
                    if other != thread and "exclusive" in (held, mode)
                ]
                if others:
                    found.setdefault(thread, {})[lock] = others
        return found

    def _requests(self, thread: int, activity: Activity) -> list[tuple[tuple[str, str | int], str]]:
        model, kind = self.model, activity.kind
        return [
            (model.lock(thread, kind, activity.encoder, request), request.mode)
            for request in model.requests(kind)
        ]

    def _cells(self, state: State, fault: FaultAt | None) -> dict[str, str]:
        cells: dict[str, str] = {}
        waiting = self.waiting(state)
        crashed: dict[int, list[str]] = {}
        for at in self.model.faults(state):
            if at.fault in CRASHING:
                crashed.setdefault(at.t, []).append(at.fault)
        for thread, activity in enumerate(state.threads):
            held = self._requests(thread, activity) if activity else []
            past = is_past_acquire(activity)
            if fault is not None and fault.t == thread:
                waits = f"FAULT: {fault.fault}"
            elif thread in crashed:
                waits = f"would fault: {' or '.join(crashed[thread])}"
            elif thread in waiting:
                waits = "; ".join(
                    f"{english.lock_name(lock)}, held by {_threads(others)}"
                    for lock, others in waiting[thread].items()
                )
            else:
                waits = NOTHING
            block = activity.block if activity else None
            cells |= {
                f"t{thread}.operation": f"{activity.kind} on encoder {activity.encoder}"
                if activity
                else NOTHING,
                f"t{thread}.pc": activity.point if activity else "idle",
                f"t{thread}.block": NOTHING if block is None else f"block {block}",
                f"t{thread}.holds": ", ".join(english.lock_name(lock) for lock, _ in held)
                if past and held
                else NOTHING,
                f"t{thread}.waits": waits,
            }
        for index, lock in enumerate(self.locks):
            holders = self.holders(state, lock)
            modes = sorted(set(holders.values()))
            cells[f"l{index}.holders"] = _threads(holders) if holders else "free"
            cells[f"l{index}.mode"] = " and ".join(modes) or NOTHING
            queue = [thread for thread, locks in waiting.items() if lock in locks]
            cells[f"l{index}.waiting"] = _threads(queue) if queue else NOTHING
        memory = state.memory
        for encoder, impl in enumerate(memory.impl):
            cells[f"e{encoder}.impl"] = "NULL" if impl is None else f"block {impl}"
            cells[f"e{encoder}.sound"] = self._soundness(state, encoder)
            cells[f"e{encoder}.alive"] = "alive" if memory.alive[encoder] else "released"
        for number, owner in enumerate(memory.owner):
            cells[f"b{number}.owner"] = "free" if owner is None else f"encoder {owner}"
            cells[f"b{number}.ready"] = "yes" if memory.ready[number] else "no"
        return cells

    def _soundness(self, state: State, encoder: int) -> str:
        """What the encoder's pointer is worth."""
        memory = state.memory
        impl = memory.impl[encoder]
        if impl is None:
            return "no context"
        owner = memory.owner[impl]
        if owner is None:
            return "dangling: the block is free"
        if owner != encoder:
            return f"dangling: the block is encoder {owner}'s"
        return "its own, ready" if memory.ready[impl] else "its own, not initialised"

    # --- Why the fault is one ---------------------------------------------------------------------

    @cached_property
    def cause(self) -> Cause | None:
        """Why the run's fault is one; None for a run without a fault."""
        fault = self.fault
        if fault is None:
            return None
        step = self._culprit(fault)
        lines = [f"{english.FAULTS[fault.fault].sentence}."]
        if step is None:
            lines.append(f"Encoder {fault.e} never had a context, and the guard did not check.")
            return Cause(None, tuple(lines))
        event = self.trace.events[step - 1]
        if event.t is None or event.kind is None:
            lines.append(
                f"Step {step} released the object while thread {fault.t} was about to use it."
            )
            return Cause(step, tuple(lines))
        verb = f"Step {step} made it so: {self._texts[step - 1]}."
        lines.append(verb)
        if event.t != fault.t:
            lines += self._gap(fault, event.t, step)
        return Cause(step, tuple(lines))

    def _culprit(self, fault: FaultAt) -> int | None:
        """The last step that changed what the fault's guard looks at."""
        state = self.states[-1]
        victim = state.threads[fault.t]
        held = victim.block if victim else None
        watched = {
            "nullDeref": f"e{fault.e}.impl",
            "lostContext": f"e{fault.e}.impl",
            "staleContext": f"b{state.memory.impl[fault.e]}.owner",
            "uninitialised": f"b{state.memory.impl[fault.e]}.ready",
            "doubleFree": f"b{held}.owner",
            "writeAfterFree": f"b{held}.owner",
            "deadDispatch": f"e{fault.e}.alive",
        }
        if fault.fault == "encoderOverlap":
            return next(
                step
                for step, event in reversed(list(enumerate(self.trace.events, 1)))
                if event.t != fault.t and event.e == fault.e and event.pc == "loaded"
            )
        if fault.fault == "uninitialised":  # it never was: who put the pointer there?
            watched["uninitialised"] = f"e{fault.e}.impl"
        key = watched[fault.fault]
        changing = [frame.number for frame in self.frames if key in frame.changed]
        return changing[-1] if changing else None

    def _gap(self, fault: FaultAt, other: int, step: int) -> list[str]:
        """Why no lock stood between two threads."""

        def locks(thread: int, state: State) -> tuple[str, str]:
            activity = state.threads[thread]
            if activity is None:
                return "", ""
            held = self._requests(thread, activity)
            names = " and ".join(f"the {english.lock_name(lock)} ({mode})" for lock, mode in held)
            return activity.kind, names or "no lock"

        kind, held = locks(other, self.states[step - 1])
        mine, wanted = locks(fault.t, self.states[-1])
        if fault.fault == "nullDeref" and self.states[-1].threads[fault.t] is not None:
            point = self.states[-1].threads[fault.t]
            if point is not None and point.point == "entered":
                return [
                    f"Thread {fault.t}'s {mine} came after it, and the guard does not check under "
                    "its locks whether the context is still there."
                ]
        bypass = kind == "complete" and not self.environment.handlersIntercepted
        return [
            f"Thread {other}'s {kind} holds {held}; thread {fault.t}'s {mine} holds {wanted}. "
            + (
                "The completion handler bypasses the guard, so no lock can keep it out."
                if bypass
                else "No lock keeps one out while the other is inside."
            )
        ]


_THREAD = {
    "operation": "operation",
    "pc": "program counter",
    "block": "block in hand",
    "holds": "holds",
    "waits": "waits for",
}
_LOCK = {"holders": "held by", "mode": "mode", "waiting": "waiting"}
_ENCODER = {"impl": "_impl", "sound": "which is", "alive": "object"}
_BLOCK = {"owner": "owner", "ready": "initialised"}


def _threads(numbers: Sequence[int] | Mapping[int, object]) -> str:
    return " and ".join(f"thread {number}" for number in numbers)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    return {key: before[key] for key, text in after.items() if before[key] != text}
