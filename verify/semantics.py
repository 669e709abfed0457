"""The driver model: one table of micro-steps, and the transition system that it defines.

`RULES` and `FAULT_RULES` are data: every guard and every effect is a word of a small vocabulary
(`Atom`, `Effect`), so that the Python model below, the native explorer, the checker of native
traces and the Promela export are all made from them.  The Lean development and the tests' search
are written by hand and compared with this table edge by edge.

A thread is idle or in one operation, (kind, encoder), at a program point (`POINTS`).  Two facts
about the driver explain most of the faults: it puts a context block back on its freelist *before*
it clears the encoder's `_impl` pointer, and it reads `_impl` twice while it encodes.

A thread whose next step would be a fault has no step; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from verify.spec import FAULTS, KINDS, Environment, LockScheme, Request

POINTS = (
    "idle",
    "dispatched",  # the message is sent, the guard has not run
    "entered",  # the locks are held
    "loaded",  # encode: read `_impl`
    "taken",  # destroy, complete: read `_impl`
    "pushed",  # the block is back on the freelist, `_impl` still points to it
    "checked",  # create: `_impl` was NULL
    "peeked",  # the head of a racy freelist was read
    "popped",  # the block belongs to the encoder
    "published",  # `_impl` points to the block, which is not initialised
    "finished",
)
"""Program points, idle first."""

HOLDING = frozenset({"loaded", "taken", "peeked", "popped", "published"})
"""The points at which a thread remembers a block."""

EVENTS = (
    "dispatch",
    "acquire",
    "load",
    "deref",
    "push",
    "clear",
    "check",
    "pop",
    "peek",
    "claim",
    "publish",
    "init",
    "release",
    "drop",
)
"""The names of steps."""


class Atom(Enum):
    """What a guard can ask.

    `_impl` is the encoder's pointer; the held block is the one that the thread remembers.
    """

    # About the scheme and the environment: known before anything runs.
    CHECK = "the guard checks liveness under its locks"
    HANDLERS_TEAR_DOWN = "completion handlers tear contexts down"
    ATOMIC_FREELIST = "the freelist is atomic"
    CALLERS_RETAIN = "callers own a reference while they send a message"
    SHARED_ENCODERS = "encoders are shared between threads"
    CREATE_RETURNS = "nobody uses an encoder before its create has returned, and it is made once"
    HOME = "the thread owns the encoder"
    # About memory.
    ALIVE = "the encoder object has not been released"
    IMPL = "_impl is not NULL"
    IMPL_OWNED = "the block at _impl belongs to the encoder"
    IMPL_READY = "the block at _impl is initialised"
    HELD_OWNED = "the held block belongs to the encoder"
    BLOCK_FREE = "the chosen block lies on the freelist"
    # About the other threads.
    UNBLOCKED = "no other thread past its acquire holds a lock that excludes a requested one"
    UNUSED = "no thread is in an operation on the encoder"
    UNMADE = "no thread is in a create on the encoder"
    ACCOMPANIED = "another thread is at the same point on the same encoder"


STATIC = frozenset(
    {
        Atom.CHECK,
        Atom.HANDLERS_TEAR_DOWN,
        Atom.ATOMIC_FREELIST,
        Atom.CALLERS_RETAIN,
        Atom.SHARED_ENCODERS,
        Atom.CREATE_RETURNS,
        Atom.HOME,
    }
)
"""Atoms that no step changes."""

CONTEXTUAL = frozenset({Atom.UNBLOCKED, Atom.UNUSED, Atom.UNMADE, Atom.ACCOMPANIED})
"""Atoms about the other threads; the rest is about the thread itself and memory."""


@dataclass(frozen=True)
class Test:
    """One condition of a guard: the atom has this value."""

    __test__ = False  # no test case, whatever pytest makes of the name

    atom: Atom
    value: bool = True


class Block(Enum):
    """The block that a step is about."""

    NONE = "none"
    IMPL = "the one at _impl"
    HELD = "the one that the thread holds"
    ANY = "any block"


class Effect(Enum):
    """What a step writes; the encoder is the operation's, the block is `Rule.block`."""

    OWN = "owner of the block := the encoder"
    FREE = "owner of the block := none"
    SPOIL = "the block is not initialised"
    INITIALISE = "the block is initialised"
    POINT = "_impl := the block"
    CLEAR = "_impl := NULL"
    KILL = "the encoder object is released"


@dataclass(frozen=True)
class Rule:
    """A micro-step.

    Attributes:
        event: One of `EVENTS`.
        kinds: The kinds of operation that have it; empty for `drop`, which no thread does.
        source, target: Program points; None for `drop`.
        guard: All of it must hold.
        block: What the step is about; the thread remembers it if the target is in `HOLDING`.
        effects: What it writes, in any order: they write different cells.
    """

    event: str
    kinds: tuple[str, ...]
    source: str | None
    target: str | None
    guard: tuple[Test, ...] = ()
    block: Block = Block.NONE
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class FaultRule:
    """A fault: what a thread's next step would be.

    Attributes:
        fault: One of `verify.spec.FAULTS`.
        kinds, source, guard: As in `Rule`.
        event: The step that goes wrong.
    """

    fault: str
    kinds: tuple[str, ...]
    source: str
    event: str
    guard: tuple[Test, ...]


_TEARDOWN = ("destroy", "complete")
_IMPL, _NO_IMPL = Test(Atom.IMPL), Test(Atom.IMPL, False)
_ALIVE = Test(Atom.ALIVE)
_SHARED = Test(Atom.SHARED_ENCODERS)
_CONFINED = (Test(Atom.SHARED_ENCODERS, False), Test(Atom.HOME))
_GENERAL, _RETURNS = Test(Atom.CREATE_RETURNS, False), Test(Atom.CREATE_RETURNS)
_OWNED, _STOLEN = Test(Atom.HELD_OWNED), Test(Atom.HELD_OWNED, False)
_ATOMIC, _RACY = Test(Atom.ATOMIC_FREELIST), Test(Atom.ATOMIC_FREELIST, False)
_FREE = Test(Atom.BLOCK_FREE)
_CLAIM = (Effect.OWN, Effect.SPOIL)

RULES: tuple[Rule, ...] = (
    # The client: it uses what it was given, and only while there is something to use.  A context is
    # there before its create has returned; a client may wait for that, and make each encoder once.
    *(
        Rule("dispatch", kinds, "idle", "dispatched", (*allowed, *client, _ALIVE, *needed))
        for kinds, everybody, needed, asked in (
            (("create",), (), (), (_NO_IMPL, Test(Atom.UNUSED))),
            (("encode", "destroy"), (), (_IMPL,), (Test(Atom.UNMADE),)),
            (("complete",), (Test(Atom.HANDLERS_TEAR_DOWN),), (_IMPL,), (Test(Atom.UNMADE),)),
        )
        for allowed in ([everybody] if everybody else [(_SHARED,), _CONFINED])
        for client in ((_GENERAL,), (_RETURNS, *asked))
    ),
    # The guard.
    Rule("acquire", KINDS, "dispatched", "entered", (_ALIVE, Test(Atom.UNBLOCKED))),
    Rule("release", KINDS, "finished", "idle"),
    # encode: a call on an encoder without a context is skipped if the guard checks for that.
    Rule("load", ("encode",), "entered", "loaded", (_IMPL,), Block.IMPL),
    Rule("load", ("encode",), "entered", "finished", (_NO_IMPL, Test(Atom.CHECK))),
    Rule(
        "deref",
        ("encode",),
        "loaded",
        "finished",
        (_IMPL, Test(Atom.IMPL_OWNED), Test(Atom.IMPL_READY)),
        Block.IMPL,
    ),
    # destroy, complete: the driver unlocks its freelist before it clears `_impl`.
    Rule("load", _TEARDOWN, "entered", "taken", (_IMPL,), Block.IMPL),
    Rule("load", _TEARDOWN, "entered", "finished", (_NO_IMPL,)),
    Rule("push", _TEARDOWN, "taken", "pushed", (_OWNED,), Block.HELD, (Effect.FREE,)),
    Rule("clear", _TEARDOWN, "pushed", "finished", (), Block.NONE, (Effect.CLEAR,)),
    # create
    Rule("check", ("create",), "entered", "checked", (_NO_IMPL,)),
    Rule("check", ("create",), "entered", "finished", (_IMPL,)),
    Rule("pop", ("create",), "checked", "popped", (_ATOMIC, _FREE), Block.ANY, _CLAIM),
    Rule("peek", ("create",), "checked", "peeked", (_RACY, _FREE), Block.ANY),
    Rule("claim", ("create",), "peeked", "popped", (), Block.HELD, _CLAIM),
    Rule("publish", ("create",), "popped", "published", (_NO_IMPL,), Block.HELD, (Effect.POINT,)),
    Rule("init", ("create",), "published", "finished", (_OWNED,), Block.HELD, (Effect.INITIALISE,)),
    # The last reference goes away; the context, if there is one, is leaked.
    Rule(
        "drop",
        (),
        None,
        None,
        (Test(Atom.CALLERS_RETAIN), _ALIVE, Test(Atom.UNUSED)),
        Block.NONE,
        (Effect.KILL,),
    ),
    Rule(
        "drop",
        (),
        None,
        None,
        (Test(Atom.CALLERS_RETAIN, False), _ALIVE),
        Block.NONE,
        (Effect.KILL,),
    ),
)
"""Every micro-step of the model."""

FAULT_RULES: tuple[FaultRule, ...] = (
    FaultRule("nullDeref", ("encode",), "entered", "load", (_NO_IMPL, Test(Atom.CHECK, False))),
    FaultRule("nullDeref", ("encode",), "loaded", "deref", (_NO_IMPL,)),
    FaultRule(
        "staleContext", ("encode",), "loaded", "deref", (_IMPL, Test(Atom.IMPL_OWNED, False))
    ),
    FaultRule(
        "uninitialised",
        ("encode",),
        "loaded",
        "deref",
        (_IMPL, Test(Atom.IMPL_OWNED), Test(Atom.IMPL_READY, False)),
    ),
    FaultRule("doubleFree", _TEARDOWN, "taken", "push", (_STOLEN,)),
    FaultRule("lostContext", ("create",), "popped", "publish", (_IMPL,)),
    FaultRule("writeAfterFree", ("create",), "published", "init", (_STOLEN,)),
    FaultRule("encoderOverlap", ("encode",), "loaded", "deref", (Test(Atom.ACCOMPANIED),)),
    FaultRule("deadDispatch", KINDS, "dispatched", "acquire", (Test(Atom.ALIVE, False),)),
)
"""Every fault of the model, in the order of `verify.spec.FAULTS`."""

CRASHING = frozenset(FAULTS) - {"encoderOverlap"}
"""The faults at which the thread stops; an overlap is a data race, after which both go on."""


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
    """

    def __init__(self, scheme: LockScheme, env: Environment, bounds: Bounds) -> None:
        self.scheme, self.env, self.bounds = scheme, env, bounds

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
        for rule in RULES:
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
            for rule in RULES
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
            for rule in FAULT_RULES
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
