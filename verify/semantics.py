"""The driver model: the transition system that the table of micro-steps defines.

A thread whose next step would be a fault has no step; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from verify.rules import CONTEXTUAL, HOLDING, STATIC, TABLE, Atom, Block, Effect, Table, Test
from verify.spec import Environment, LockScheme, Request


@dataclass(frozen=True)
class Bounds:
    """An instance of the model: how many of each, and the maps that the model leaves open.

    Attributes:
        threads, encoders, blocks: How many there are, each at least 1.
        streams: The stream of each thread; by default each has its own.
        homes: The thread that owns each encoder, under confinement; by default in turn.
        queues: The queue of each encoder; by default each has its own.

    Raises:
        ValueError: If a number or a map does not make sense; the message says which.
    """

    threads: int
    encoders: int
    blocks: int
    streams: tuple[int, ...] = ()
    homes: tuple[int, ...] = ()
    queues: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("threads", "encoders", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; there must be at least one")
        defaults = {
            "streams": tuple(range(self.threads)),
            "homes": tuple(encoder % self.threads for encoder in range(self.encoders)),
            "queues": tuple(range(self.encoders)),
        }
        for name, default in defaults.items():
            given = getattr(self, name) or default
            if len(given) != len(default):
                raise ValueError(f"{name} has {len(given)} entries; give {len(default)}")
            if min(given) < 0:
                raise ValueError(f"{name} has the entry {min(given)}; count from 0")
            object.__setattr__(self, name, tuple(given))
        if max(self.homes) >= self.threads:
            raise ValueError(f"homes has the thread {max(self.homes)}; there are {self.threads}")

    def __str__(self) -> str:
        return f"{self.threads} threads, {self.encoders} encoders, {self.blocks} blocks"


class Activity(NamedTuple):
    """What a busy thread is doing; `block` is the held one, None outside `HOLDING`."""

    kind: str
    encoder: int
    point: str
    block: int | None = None


class Memory(NamedTuple):
    """The driver's memory.

    `impl` and `alive` are indexed by encoder, `owner` and `ready` by block; an `owner` of None
    means that the block lies on the freelist.
    """

    impl: tuple[int | None, ...]
    owner: tuple[int | None, ...]
    ready: tuple[bool, ...]
    alive: tuple[bool, ...]


class State(NamedTuple):
    """A state: what each thread does (None: idle), and memory."""

    threads: tuple[Activity | None, ...]
    memory: Memory


class Event(NamedTuple):
    """A labelled step; as JSON, one line of a trace.

    Attributes:
        t: The thread; None for `drop`.
        e: The encoder.
        kind: The operation; None for `drop`.
        event: One of `EVENTS`.
        b: The block that the step is about, if any.
        pc: The program point after it; None for `drop`.
    """

    t: int | None
    e: int
    kind: str | None
    event: str
    b: int | None
    pc: str | None

    def json(self) -> dict[str, int | str | None]:
        """The event as an object of the trace format."""
        return dict(self._asdict())


class FaultAt(NamedTuple):
    """A fault of a state: the thread whose next step it is, and the encoder."""

    fault: str
    t: int
    e: int
    kind: str
    event: str


class Step(NamedTuple):
    """A step as far as one thread and memory tell; `tests` are about the other threads."""

    event: Event
    activity: Activity | None
    memory: Memory
    tests: tuple[Test, ...]


class Model:
    """The transition system of a scheme in an environment, interpreted from the table.

    Args:
        scheme: The locks.
        env: The assumptions.
        bounds: The instance.
        table: The rules.
    """

    def __init__(
        self, scheme: LockScheme, env: Environment, bounds: Bounds, table: Table = TABLE
    ) -> None:
        self.scheme, self.env, self.bounds, self.table = scheme, env, bounds, table

    @cached_property
    def flags(self) -> Mapping[Atom, bool]:
        """The atoms that the scheme and the environment decide."""
        return {
            Atom.CHECK: self.scheme.check,
            Atom.HANDLERS_TEAR_DOWN: self.env.handlersTearDown,
            Atom.ATOMIC_FREELIST: self.env.atomicFreelist,
            Atom.CALLERS_RETAIN: self.env.callersRetain,
            Atom.SHARED_ENCODERS: self.env.sharedEncoders,
            Atom.CREATE_RETURNS: self.env.createReturns,
        }

    def initial(self) -> State:
        """All threads idle, no contexts, all blocks free, all encoder objects alive."""
        encoders, blocks = self.bounds.encoders, self.bounds.blocks
        memory = Memory((None,) * encoders, (None,) * blocks, (False,) * blocks, (True,) * encoders)
        return State((None,) * self.bounds.threads, memory)

    def enabled(self, state: State) -> list[tuple[Event, State]]:
        """The steps from a state, each with its label."""
        threads = (*range(self.bounds.threads), None)
        return [step for thread in threads for step in self.enabled_of(thread, state)]

    def enabled_of(self, thread: int | None, state: State) -> list[tuple[Event, State]]:
        """The steps of one thread from a state, each with its label; None: of no thread."""
        found = (
            self.drops(state.memory)
            if thread is None
            else self.thread_steps(thread, state.threads[thread], state.memory)
        )
        steps = []
        for step in found:
            if self._context_holds(step.tests, state, thread, step.event.e):
                threads = list(state.threads)
                if thread is not None:
                    threads[thread] = step.activity
                steps.append((step.event, State(tuple(threads), step.memory)))
        return steps

    def faults(self, state: State) -> list[FaultAt]:
        """The faults of a state: what the next step of some thread would be."""
        return [
            fault
            for thread, activity in enumerate(state.threads)
            if activity is not None
            for fault, tests in self.thread_faults(thread, activity, state.memory)
            if self._context_holds(tests, state, thread, activity.encoder)
        ]

    def requests(self, kind: str) -> tuple[Request, ...]:
        """The locks that an operation takes: none for a handler that bypasses the guard."""
        return self.scheme.requests_in(self.env, kind)

    def lock(self, thread: int, kind: str, encoder: int, request: Request) -> tuple[str, str | int]:
        """The lock instance that a request names: its scope, and which one of that scope."""
        which: dict[str, str | int] = {
            "global": 0,
            "stream": self.bounds.streams[thread],
            "operation": kind,
            "encoder": encoder,
            "queue": self.bounds.queues[encoder],
        }
        return request.scope, which[request.scope]

    def excludes(self, held: tuple[int, str, int], wanted: tuple[int, str, int]) -> bool:
        """Whether the locks of one (thread, kind, encoder) keep another one out."""
        return any(
            self.lock(*held, h) == self.lock(*wanted, w) and h.excludes(w)
            for h in self.requests(held[1])
            for w in self.requests(wanted[1])
        )

    def thread_steps(self, thread: int, activity: Activity | None, memory: Memory) -> list[Step]:
        """The steps of one thread, but for the tests about other threads."""
        steps = []
        source = activity.point if activity else "idle"
        for rule in self.table.rules:
            if rule.source != source or rule.target is None:
                continue
            for kind, encoder in self._operations(rule.kinds, activity):
                held = activity.block if activity else None
                for block in self._blocks(rule.block, encoder, held, memory):
                    where = _Where(thread, encoder, held, block, memory)
                    if not self._holds(rule.guard, where):
                        continue
                    after = None
                    if rule.target != "idle":
                        kept = block if rule.target in HOLDING else None
                        after = Activity(kind, encoder, rule.target, kept)
                    event = Event(thread, encoder, kind, rule.event, block, rule.target)
                    changed = _apply(rule.effects, memory, encoder, block)
                    steps.append(Step(event, after, changed, _context(rule.guard)))
        return steps

    def drops(self, memory: Memory) -> list[Step]:
        """The releases of encoder objects, but for the tests about threads."""
        return [
            Step(
                Event(None, encoder, None, rule.event, None, None),
                None,
                _apply(rule.effects, memory, encoder, None),
                _context(rule.guard),
            )
            for rule in self.table.rules
            if rule.source is None
            for encoder in range(self.bounds.encoders)
            if self._holds(rule.guard, _Where(None, encoder, None, None, memory))
        ]

    def thread_faults(
        self, thread: int, activity: Activity, memory: Memory
    ) -> list[tuple[FaultAt, tuple[Test, ...]]]:
        """The faults of one thread, each with the tests about other threads that remain."""
        kind, encoder, point, block = activity
        where = _Where(thread, encoder, block, None, memory)
        return [
            (FaultAt(rule.fault, thread, encoder, kind, rule.event), _context(rule.guard))
            for rule in self.table.faults
            if rule.source == point and kind in rule.kinds and self._holds(rule.guard, where)
        ]

    def _operations(self, kinds: Iterable[str], activity: Activity | None) -> list[tuple[str, int]]:
        if activity is None:
            return [(kind, e) for kind in kinds for e in range(self.bounds.encoders)]
        return [(activity.kind, activity.encoder)] if activity.kind in kinds else []

    def _blocks(
        self, block: Block, encoder: int, held: int | None, memory: Memory
    ) -> Iterable[int | None]:
        if block is Block.ANY:
            return range(self.bounds.blocks)
        return ({Block.NONE: None, Block.IMPL: memory.impl[encoder], Block.HELD: held}[block],)

    def _holds(self, guard: Iterable[Test], where: _Where) -> bool:
        """Whether the part of a guard holds that is not about other threads."""
        for test in guard:
            if test.atom in CONTEXTUAL:
                continue
            if test.atom is Atom.HOME:
                value = self.bounds.homes[where.encoder] == where.thread
            elif test.atom in STATIC:
                value = self.flags[test.atom]
            else:
                value = _MEMORY_ATOMS[test.atom](where)
            if value != test.value:
                return False
        return True

    def _context_holds(
        self, tests: Iterable[Test], state: State, thread: int | None, encoder: int
    ) -> bool:
        """Whether the tests about other threads hold."""
        others = [
            (t, activity)
            for t, activity in enumerate(state.threads)
            if t != thread and activity is not None
        ]
        mine = None if thread is None else state.threads[thread]
        for test in tests:
            if test.atom is Atom.UNUSED:
                value = all(other.encoder != encoder for _, other in others)
            elif test.atom is Atom.UNMADE:
                value = all(
                    (other.kind, other.encoder) != ("create", encoder) for _, other in others
                )
            elif thread is None or mine is None:
                raise ValueError(f"{test.atom.name} asks about a busy thread; there is none")
            elif test.atom is Atom.UNBLOCKED:
                wanted = (thread, mine.kind, encoder)
                value = not any(
                    self.excludes((t, other.kind, other.encoder), wanted)
                    for t, other in others
                    if is_past_acquire(other)
                )
            else:
                value = any(
                    (other.encoder, other.point) == (encoder, mine.point) for _, other in others
                )
            if value != test.value:
                return False
        return True


def is_past_acquire(activity: Activity | None) -> bool:
    """Whether a thread is past its acquire: at any point of an operation but `dispatched`."""
    return activity is not None and activity.point != "dispatched"


class _Where(NamedTuple):
    """What the atoms about memory look at."""

    thread: int | None
    encoder: int
    held: int | None
    block: int | None
    memory: Memory


def _impl_owner(where: _Where) -> int | None:
    impl = where.memory.impl[where.encoder]
    return None if impl is None else where.memory.owner[impl]


def _impl_ready(where: _Where) -> bool:
    impl = where.memory.impl[where.encoder]
    return impl is not None and where.memory.ready[impl]


_MEMORY_ATOMS: Mapping[Atom, Callable[[_Where], bool]] = {
    Atom.ALIVE: lambda where: where.memory.alive[where.encoder],
    Atom.IMPL: lambda where: where.memory.impl[where.encoder] is not None,
    Atom.IMPL_OWNED: lambda where: _impl_owner(where) == where.encoder,
    Atom.IMPL_READY: _impl_ready,
    Atom.HELD_OWNED: lambda where: (
        where.held is not None and where.memory.owner[where.held] == where.encoder
    ),
    Atom.BLOCK_FREE: lambda where: (
        where.block is not None and where.memory.owner[where.block] is None
    ),
}


def _context(guard: Iterable[Test]) -> tuple[Test, ...]:
    return tuple(test for test in guard if test.atom in CONTEXTUAL)


def _apply(effects: Iterable[Effect], memory: Memory, encoder: int, block: int | None) -> Memory:
    impl, owner = list(memory.impl), list(memory.owner)
    ready, alive = list(memory.ready), list(memory.alive)
    for effect in effects:
        if effect is Effect.KILL:
            alive[encoder] = False
        elif effect is Effect.CLEAR:
            impl[encoder] = None
        elif block is None:
            raise ValueError(f"{effect.name} writes to a block; the step has none")
        elif effect is Effect.POINT:
            impl[encoder] = block
        elif effect in (Effect.OWN, Effect.FREE):
            owner[block] = encoder if effect is Effect.OWN else None
        else:
            ready[block] = effect is Effect.INITIALISE
    return Memory(tuple(impl), tuple(owner), tuple(ready), tuple(alive))
