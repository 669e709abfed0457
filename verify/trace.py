"""Runs of the model: their file format, the check that they are runs, and their English.

A trace file has one JSON object a line.  The first says what ran:

    {"trace": 1, "strategy": "perEncoder", "environment": "default", "threads": 2,
     "encoders": 2, "blocks": 4, "streams": [0, 1], "homes": [0, 1], "queues": [0, 1]}

then comes a line per step, in order,

    {"t": 0, "e": 1, "kind": "encode", "event": "load", "b": 3, "pc": "loaded"}

and the last line counts the steps, so that a truncated file is not mistaken for a shorter run,
and names the fault that the run ended in, if any:

    {"end": 12, "fault": "nullDeref", "t": 0, "e": 1}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from verify import answers
from verify.errors import VerifyError
from verify.files import read_start
from verify.rules import CRASHING, EVENTS, FAULT_RULES, POINTS
from verify.semantics import Bounds, Event, FaultAt, Model, State
from verify.spec import FAULTS, KINDS, Environment, LockScheme

FORMAT = 1
MAX_BYTES = 200_000_000
"""Larger traces are not read: a step takes about 80 bytes."""

MAX_SIZE = 1000
"""Threads, encoders or blocks of a trace, at most."""

_SIZES = ("threads", "encoders", "blocks")
_MAPS = ("streams", "homes", "queues")
_NAMES = ("strategy", "environment")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Trace:
    """A run from the initial state.

    Attributes:
        bounds: The instance in which it runs.
        events: Its steps, in order.
        fault: The fault of the state that it reaches, if that is what it shows.
    """

    bounds: Bounds
    events: tuple[Event, ...]
    fault: FaultAt | None = None


@dataclass(frozen=True)
class Recorded:
    """A trace as it was read from a file, with the names of what it claims to be a run of."""

    strategy: str
    environment: str
    trace: Trace


@dataclass(frozen=True)
class Divergence:
    """The first place where a trace is no run of the model.

    Attributes:
        step: The index of the event that is no step there, or the number of events if the
            trace's fault is not one of the state that it ends in.
        event: That event; None for the fault.
        state: The model's state before it.
        reason: What is wrong, in English.
        expected: The steps of the same thread that the model has there.
    """

    step: int
    event: Event | None
    state: State
    reason: str
    expected: tuple[Event, ...]


def check(trace: Trace, scheme: LockScheme, env: Environment) -> Divergence | None:
    """Follow a trace in the model.

    An event that leaves out its block is accepted where the program point after it holds none:
    who records a trace may not know which block a dereference met.

    Args:
        trace: The run to check; an empty one diverges at once.
        scheme, env: What it claims to be a run of.

    Returns:
        None if every event is a step in the order given, and the fault, if any, is one of the
        last state; otherwise the first divergence.
    """
    model = Model(scheme, env, trace.bounds)
    state = model.initial()
    if not trace.events:
        return Divergence(0, None, state, "the trace is empty", ())
    for index, event in enumerate(trace.events):
        steps = model.enabled_of(event.t, state)
        after = next((target for label, target in steps if same(label, event)), None)
        if after is None:
            expected = tuple(label for label, _ in steps)
            return Divergence(index, event, state, _reason(model, state, event), expected)
        state = after
    fault = trace.fault
    if fault is not None:
        faults = {(f.fault, f.t, f.e) for f in model.faults(state)}
        if (fault.fault, fault.t, fault.e) not in faults:
            names = ", ".join(sorted(f"{name} (thread {t})" for name, t, _ in faults)) or "none"
            reason = f"{fault.fault} of thread {fault.t} is no fault of the last state: {names}"
            return Divergence(len(trace.events), None, state, reason, ())
    return None


def states(trace: Trace, scheme: LockScheme, env: Environment) -> list[State]:
    """The states of a run, the initial one first.

    Raises:
        ValueError: If the trace is no run.
    """
    model = Model(scheme, env, trace.bounds)
    found = [model.initial()]
    for index, event in enumerate(trace.events):
        steps = model.enabled_of(event.t, found[-1])
        after = [target for label, target in steps if same(label, event)]
        if not after:
            raise ValueError(f"event {index} is no step: {event}")
        found.append(after[0])
    return found


def same(label: Event, event: Event) -> bool:
    """Whether a recorded event is the model's; it may leave out a block that nobody holds."""
    if label[:4] != event[:4] or label.pc != event.pc:
        return False
    return label.b == event.b or (event.b is None and label.pc in ("finished", "pushed"))


def _reason(model: Model, state: State, event: Event) -> str:
    """Why an event is no step of a state."""
    if event.t is None:
        return f"encoder {event.e} cannot be released here"
    if not 0 <= event.t < model.bounds.threads:
        return f"there is no thread {event.t}"
    faults = [f.fault for f in model.faults(state) if f.t == event.t and f.fault in CRASHING]
    if faults:
        return f"thread {event.t} has no step: its next one is {' or '.join(faults)}"
    activity = state.threads[event.t]
    if activity is None:
        return f"thread {event.t} is idle and cannot {event.event} here"
    doing = f"thread {event.t} is at {activity.point} of {activity.kind} on {activity.encoder}"
    if activity.point == "dispatched" and event.event == "acquire":
        return f"{doing} and cannot acquire: another thread's lock excludes it"
    return f"{doing} and has no such step"


# --- Files ----------------------------------------------------------------------------------------


def dump(strategy: str, environment: str, trace: Trace) -> str:
    """The text of a trace file, as `load` reads it."""
    bounds = trace.bounds
    header = {
        "trace": FORMAT,
        "strategy": strategy,
        "environment": environment,
        "threads": bounds.threads,
        "encoders": bounds.encoders,
        "blocks": bounds.blocks,
        "streams": list(bounds.streams),
        "homes": list(bounds.homes),
        "queues": list(bounds.queues),
    }
    end: dict[str, object] = {"end": len(trace.events), "fault": None}
    if trace.fault is not None:
        end |= {"fault": trace.fault.fault, "t": trace.fault.t, "e": trace.fault.e}
    lines = [header, *(event.json() for event in trace.events), end]
    return "".join(json.dumps(line) + "\n" for line in lines)


def load(path: Path) -> Recorded:
    """Read a trace file.

    Raises:
        VerifyError: If it cannot be read, is empty, truncated or not in the format; the message
            has the form `FILE:LINE: what; remedy`.
    """
    try:
        data = read_start(path, MAX_BYTES + 1)
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror}; name a readable trace file") from None
    if len(data) > MAX_BYTES:
        raise VerifyError(f"{path}: larger than {MAX_BYTES} bytes; record a shorter run")
    return _Reader(path, data).read()


class _Reader:
    """Reads one file; every complaint names the file and the line."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._line = 1
        try:
            text = data.decode("utf-8-sig")  # some editors write a byte order mark
        except UnicodeDecodeError as error:
            self._line += data.count(b"\n", 0, error.start)
            self._fail("not UTF-8", "save the file as UTF-8")
        self._lines = text.split("\n")
        if self._lines[-1] == "":
            self._lines.pop()

    def read(self) -> Recorded:
        """The trace."""
        if not self._lines:
            self._fail("the file is empty", "record a run with at least one step")
        header = self._object(0)
        if header.get("trace") != FORMAT or isinstance(header["trace"], bool):
            self._fail('the first line has no "trace": 1', "start with the header line")
        self._known(header, ("trace", *_NAMES, *_SIZES, *_MAPS))
        sizes = [self._number(header, name, 1, MAX_SIZE + 1) for name in _SIZES]
        maps = [self._numbers(header, name) for name in _MAPS]
        try:
            bounds = Bounds(sizes[0], sizes[1], sizes[2], *maps)
        except ValueError as error:
            self._fail(str(error), "correct the header line")
        names = [self._text(header, name) for name in _NAMES]
        if len(self._lines) < 2 or '"end"' not in self._lines[-1]:
            self._line = len(self._lines)
            self._fail("the trace is truncated", 'its last line must be {"end": STEPS, ...}')
        events = tuple(self._event(i, bounds) for i in range(1, len(self._lines) - 1))
        return Recorded(names[0], names[1], Trace(bounds, events, self._end(len(events), bounds)))

    def _event(self, index: int, bounds: Bounds) -> Event:
        value = self._object(index)
        if set(value) != set(Event._fields):
            self._fail(f"the keys are {', '.join(value)}", f"give {', '.join(Event._fields)}")
        name = self._one_of(value, "event", EVENTS)
        thread = kind = point = None
        if name != "drop":
            thread = self._number(value, "t", 0, bounds.threads)
            kind = self._one_of(value, "kind", KINDS)
            point = self._one_of(value, "pc", POINTS)
        elif (value["t"], value["kind"], value["pc"]) != (None, None, None):
            self._fail("drop has a thread, a kind or a pc", "make them null")
        encoder = self._number(value, "e", 0, bounds.encoders)
        block = None if value["b"] is None else self._number(value, "b", 0, bounds.blocks)
        return Event(thread, encoder, kind, name, block, point)

    def _end(self, steps: int, bounds: Bounds) -> FaultAt | None:
        value = self._object(len(self._lines) - 1)
        self._known(value, ("end", "fault", "t", "e"))
        if self._number(value, "end", 0) != steps:
            self._fail(f"{value['end']} steps are announced, {steps} are there", "record it again")
        if not steps:
            self._fail("the trace has no steps", "record a run with at least one step")
        if value.get("fault") is None:
            return None
        fault = self._one_of(value, "fault", FAULTS)
        thread = self._number(value, "t", 0, bounds.threads)
        encoder = self._number(value, "e", 0, bounds.encoders)
        rule = next(rule for rule in FAULT_RULES if rule.fault == fault)
        return FaultAt(fault, thread, encoder, rule.kinds[0], rule.event)

    def _object(self, index: int) -> dict[str, Any]:
        self._line = index + 1
        try:
            value = json.loads(
                self._lines[index], object_pairs_hook=_unique, parse_constant=answers.no_number
            )
        except _DuplicateError as error:
            self._fail(f"{error.key!r:.40} is there twice", "name each field once")
        except (ValueError, RecursionError):
            self._fail("not JSON", "give one object a line; the file may be truncated")
        if not isinstance(value, dict):
            self._fail(f"{value!r:.40} is no object", "give one object a line")
        return value

    def _known(self, value: dict[str, Any], names: Sequence[str]) -> None:
        unknown = next((name for name in value if name not in names), None)
        if unknown is not None:
            self._fail(f"unknown field {unknown!r:.40}", f"use {', '.join(names)}")

    def _number(self, value: dict[str, Any], name: str, least: int, end: int | None = None) -> int:
        number = value.get(name)
        if type(number) is not int or number < least or (end is not None and number >= end):
            limit = f"at least {least}" if end is None else f"from {least} to {end - 1}"
            self._fail(f"{name} is {number!r:.40}", f"give an integer {limit}")
        return number

    def _numbers(self, value: dict[str, Any], name: str) -> tuple[int, ...]:
        numbers = value.get(name, [])
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            self._fail(f"{name} is {numbers!r:.40}", "give a list of integers")
        return tuple(numbers)

    def _text(self, value: dict[str, Any], name: str) -> str:
        text = value.get(name)
        if not isinstance(text, str):
            self._fail(f"{name} is {text!r:.40}", "give a text")
        return text

    def _one_of(self, value: dict[str, Any], name: str, words: Sequence[str]) -> str:
        word = value.get(name)
        if word not in words:
            self._fail(f"{name} is {word!r:.40}", f"use one of {', '.join(words)}")
        return str(word)

    def _fail(self, what: str, remedy: str) -> NoReturn:
        raise VerifyError(f"{self._path}:{self._line}: {what}; {remedy}") from None


class _DuplicateError(Exception):
    """A field that an object has twice: two readers would read two different traces."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateError(key)
        found[key] = value
    return found
