"""The driver model's rules: one table of micro-steps.

`RULES` and `FAULT_RULES` are data: every guard and every effect is a word of a small vocabulary
(`Atom`, `Effect`), so that the Python model (`verify.semantics`), the native explorer, the checker
of native traces and the Promela export are all made from them.  The Lean development and the tests'
search are written by hand and compared with this table edge by edge.

A thread is idle or in one operation, (kind, encoder), at a program point (`POINTS`).  Two facts
about the driver explain most of the faults: it puts a context block back on its freelist *before*
it clears the encoder's `_impl` pointer, and it reads `_impl` twice while it encodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from verify.criterion import TEARDOWNS
from verify.spec import FAULTS, KINDS

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
    Rule("load", TEARDOWNS, "entered", "taken", (_IMPL,), Block.IMPL),
    Rule("load", TEARDOWNS, "entered", "finished", (_NO_IMPL,)),
    Rule("push", TEARDOWNS, "taken", "pushed", (_OWNED,), Block.HELD, (Effect.FREE,)),
    Rule("clear", TEARDOWNS, "pushed", "finished", (), Block.NONE, (Effect.CLEAR,)),
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
    FaultRule("doubleFree", TEARDOWNS, "taken", "push", (_STOLEN,)),
    FaultRule("lostContext", ("create",), "popped", "publish", (_IMPL,)),
    FaultRule("writeAfterFree", ("create",), "published", "init", (_STOLEN,)),
    FaultRule("encoderOverlap", ("encode",), "loaded", "deref", (Test(Atom.ACCOMPANIED),)),
    FaultRule("deadDispatch", KINDS, "dispatched", "acquire", (Test(Atom.ALIVE, False),)),
)
"""Every fault of the model, in the order of `verify.spec.FAULTS`."""

CRASHING = frozenset(FAULTS) - {"encoderOverlap"}
"""The faults at which the thread stops; an overlap is a data race, after which both go on."""


@dataclass(frozen=True)
class Table:
    """The rules of a model.

    Attributes:
        rules: The micro-steps.
        faults: What the next step of a thread can be instead.
    """

    rules: tuple[Rule, ...]
    faults: tuple[FaultRule, ...]


TABLE = Table(RULES, FAULT_RULES)
"""The rules as they are; `verify mutate` hands others to a model."""
