"""Exhaustive breadth-first search of the driver model, within bounds, in Python.

`explore` visits every reachable state of a scheme in an environment, for all maps that the model
leaves open (streams, homes, queues), and finds the exact set of reachable faults with a shortest
counterexample for each.  The result holds within the bounds; for any number of threads, encoders
and blocks the verdict is the proof's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from verify.packed import PackedModel
from verify.question import Limits, Progress, Question
from verify.rules import TABLE, Table
from verify.semantics import Bounds, Event, FaultAt, is_past_acquire
from verify.spec import FAULTS
from verify.symmetry import Symmetry
from verify.trace import Trace
from verify.walk import Walk, follow

PYTHON_STATE = 300
"""Bytes that a visited state takes in the Python search, about."""


@dataclass
class Exploration:
    """What a search found, over all instances that it visited.

    Attributes:
        instances: The instances; together they cover all maps up to renaming.
        counterexamples: For each reachable fault, in the order of `FAULTS`, a shortest trace.
        states, edges: How many were visited, in all instances together.
        parallel: A run to a fault-free state with two threads past their acquires.
        encodes_in_parallel: The same with both in `encode`.
        skip: A run whose last step skips a call because its encoder has no context.
        deadlock: A run to a state in which a thread is busy, none of the busy ones can step, and
            there is no fault.
        exhausted: A run to a state in which a create found the freelist empty: with more blocks
            there may be more to see.
        complete: Whether every reachable state was visited.
    """

    instances: list[Bounds] = field(default_factory=list)
    counterexamples: dict[str, Trace] = field(default_factory=dict)
    states: int = 0
    edges: int = 0
    parallel: Trace | None = None
    encodes_in_parallel: Trace | None = None
    skip: Trace | None = None
    deadlock: Trace | None = None
    exhausted: Trace | None = None
    complete: bool = True

    @property
    def faults(self) -> frozenset[str]:
        """The faults that were reached."""
        return frozenset(self.counterexamples)

    @property
    def bound_hit(self) -> bool:
        """Whether the search saw less than the whole model at this number of threads."""
        return not self.complete or self.exhausted is not None


def explore(
    question: Question,
    *,
    first_fault: bool = False,
    progress: Progress | None = None,
    table: Table = TABLE,
) -> Exploration:
    """Visit all reachable states.

    Args:
        question: What to explore.
        first_fault: Stop at the first fault.
        progress: Told now and then how far it is.
        table: The rules.

    Returns:
        What was found.  A shortest counterexample is shortest over all instances.
    """
    result = Exploration()
    limits = question.limits
    begin = time.monotonic()
    for bounds in question.each():
        left = limits.seconds - (time.monotonic() - begin if result.instances else 0)
        if left <= 0 and result.instances:
            result.complete = False
            break
        result.instances.append(bounds)
        packed = PackedModel(question.scheme, question.env, bounds, table)
        search = _Search(packed, result, question.symmetry)
        search.run(first_fault, replace(limits, seconds=left), progress)
        if first_fault and result.counterexamples:
            result.complete = False
            break
    found = result.counterexamples
    result.counterexamples = {fault: found[fault] for fault in FAULTS if fault in found}
    return result


class _Search:
    """A breadth-first search of one instance; what it finds goes into `result`."""

    def __init__(self, packed: PackedModel, result: Exploration, symmetry: bool) -> None:
        self._packed = packed
        self._result = result
        self._canonical: Callable[[int], int] | None = None
        if symmetry:
            self._canonical = Symmetry(self._packed).representative
        self._walk = Walk(self._packed.initial)

    def run(self, first_fault: bool, limits: Limits, progress: Progress | None) -> None:
        """Visit everything, or stop early as told."""
        begin = time.monotonic()
        max_states = min(limits.states, limits.memory // PYTHON_STATE)
        canonical, walk, result = self._canonical, self._walk, self._result
        edges = 0
        for number, word in enumerate(walk):
            if number % 64 == 0:
                seconds = time.monotonic() - begin
                if seconds > limits.seconds:
                    result.complete = False
                    break
                if progress is not None and number % 1024 == 0:
                    progress(len(walk), edges, seconds)
            steps, faults, moving, exhausted = self._packed.expand(word)
            edges += len(steps)
            for fault in faults:
                self._found(word, fault)
            if faults and first_fault:
                break
            self._look(word, steps, faults, moving, exhausted)
            walk.reach(word, [canonical(after) if canonical else after for after, _ in steps])
            if len(walk) > max_states:
                result.complete = False
                break
        result.states += len(walk)
        result.edges += edges

    def _found(self, word: int, fault: FaultAt) -> None:
        known = self._result.counterexamples.get(fault.fault)
        if known is None or known.bounds != self._packed.bounds:
            trace = self._trace(word, fault)
            if known is None or len(trace.events) < len(known.events):
                self._result.counterexamples[fault.fault] = trace

    def _look(
        self,
        word: int,
        steps: list[tuple[int, Event]],
        faults: list[FaultAt],
        moving: bool,
        exhausted: bool,
    ) -> None:
        """Collect the witnesses that are still missing."""
        result = self._result
        if exhausted and result.exhausted is None:
            result.exhausted = self._trace(word)
        if faults:
            return
        if result.skip is None and any(is_skip(event) for _, event in steps):
            last, events = self._run(word)
            skip = next(event for _, event in self._packed.expand(last)[0] if is_skip(event))
            result.skip = Trace(self._packed.bounds, (*events, skip))
        if not moving and not exhausted and result.deadlock is None and self._busy(word):
            result.deadlock = self._trace(word)
        if result.parallel is None or result.encodes_in_parallel is None:
            inside = [a for a in self._packed.packing.unpack(word).threads if is_past_acquire(a)]
            if len(inside) >= 2 and result.parallel is None:
                result.parallel = self._trace(word)
            if sum(a is not None and a.kind == "encode" for a in inside) >= 2:
                result.encodes_in_parallel = result.encodes_in_parallel or self._trace(word)

    def _busy(self, word: int) -> bool:
        return word >> self._packed.packing.memory_bits != 0

    def _trace(self, word: int, fault: FaultAt | None = None) -> Trace:
        """The run to a visited state, with the fault of that name there."""
        last, events = self._run(word)
        if fault is not None:
            # In a symmetric state it is another thread's.
            faults = self._packed.expand(last)[1]
            fault = next(f for f in faults if f.fault == fault.fault)
        return Trace(self._packed.bounds, tuple(events), fault)

    def _run(self, word: int) -> tuple[int, list[Event]]:
        """The run to a visited state, or to one that it represents, and that state."""
        way, name = self._walk.way(word), self._canonical or (lambda after: after)
        events, last = follow(way, lambda here: self._packed.expand(here)[0], name)
        return last, events


def is_skip(event: Event) -> bool:
    """Whether a step is a call that the guard skips because the encoder has no context."""
    return (event.kind, event.event, event.pc) == ("encode", "load", "finished")
