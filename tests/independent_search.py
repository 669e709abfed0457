"""A second, independent exhaustive search of the driver model.

It shares no line with `verify`: the model is written by hand in `independent_search.cpp`, and the
conflict relation of a lock scheme is written by hand here.  Schemes are plain data: for each of
the four kinds, in order, a tuple of (scope, mode) pairs.  Thousands of schemes have few hundred
different conflict relations, and each relation is searched once.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS = ("create", "encode", "destroy", "complete")
FAULTS = (
    "nullDeref",
    "staleContext",
    "uninitialised",
    "doubleFree",
    "lostContext",
    "writeAfterFree",
    "encoderOverlap",
    "deadDispatch",
)
EVENTS = (
    "dispatch acquire load deref push clear check pop peek claim publish init release drop"
).split()
POINTS = (
    "idle dispatched entered finished loaded taken pushed checked popped peeked published"
).split()

# The bits of an environment, as independent_search.cpp has them.
INTERCEPTED, TEAR_DOWN, ATOMIC, RETAIN, SHARED, CHECK, PATIENT = (1 << i for i in range(7))
DEFAULT = INTERCEPTED | TEAR_DOWN | ATOMIC | RETAIN | SHARED
ENVIRONMENTS = {
    "default": DEFAULT,
    "handlersBypass": DEFAULT & ~INTERCEPTED,
    "racyFreelist": DEFAULT & ~ATOMIC,
    "noRetain": DEFAULT & ~RETAIN,
    "confined": DEFAULT & ~SHARED,
    "confinedNoHandlers": DEFAULT & ~SHARED & ~TEAR_DOWN,
    "afterCreate": DEFAULT | PATIENT,
}

TO_THE_END, TO_FIRST_FAULT = 512, 0


def flags_of(booleans: Mapping[str, bool], check: bool) -> int:
    """The bits of an environment, given by the names of its Booleans, and of the liveness check."""
    bits = {
        "handlersIntercepted": INTERCEPTED,
        "handlersTearDown": TEAR_DOWN,
        "atomicFreelist": ATOMIC,
        "callersRetain": RETAIN,
        "sharedEncoders": SHARED,
        "createReturns": PATIENT,
    }
    assert set(booleans) == set(bits)
    return sum(bits[name] for name, value in booleans.items() if value) | CHECK * check


Locks = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class Relation:
    """Which kinds exclude each other: 16-bit matrices, bit 4 k + k'.

    On the same or another encoder, on different streams (0) and on one stream (1).
    """

    same0: int
    same1: int
    other0: int
    other1: int


@dataclass(frozen=True)
class Job:
    """One search: an instance of the model, and when to stop."""

    threads: int
    encoders: int
    blocks: int
    flags: int
    relation: Relation
    streams: tuple[int, ...]
    homes: tuple[int, ...]
    target: int = TO_THE_END

    def line(self) -> str:
        """The job as the searcher reads it."""
        r = self.relation
        matrices = " ".join(f"{m:x}" for m in (r.same0, r.same1, r.other0, r.other1))
        streams, homes = ("".join(map(str, m)) for m in (self.streams, self.homes))
        sizes = f"{self.threads} {self.encoders} {self.blocks} {self.flags}"
        return f"{sizes} {matrices} {streams} {homes} {self.target}\n"


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes:
        stuck: The number of states in which only drops are left.
        parallel: Two threads were past their acquires at once in a state without a fault.
        race: A thread had loaded a context that another's teardown was about to clear.
    """

    faults: frozenset[str]
    states: int
    edges: int
    stuck: int
    exhausted: int
    parallel: bool
    race: bool


def build(directory: Path) -> Path:
    """Compile the searcher into a directory."""
    source = Path(__file__).with_suffix(".cpp")
    program = directory / "independent_search"
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, str(source), "-o", str(program)], check=True)
    return program


def search(program: Path, jobs: Iterable[Job]) -> list[Outcome]:
    """Run jobs, in order."""
    text = "".join(job.line() for job in jobs)
    done = subprocess.run([str(program)], input=text, capture_output=True, text=True, check=True)
    outcomes = []
    for line in done.stdout.splitlines():
        mask, states, edges, stuck, exhausted, _, parallel, race = map(int, line.split())
        found = frozenset(fault for i, fault in enumerate(FAULTS) if mask >> i & 1)
        outcomes.append(Outcome(found, states, edges, stuck, exhausted, parallel == 1, race == 1))
    assert len(outcomes) == text.count("\n")
    return outcomes


def edges(program: Path, job: Job) -> bytes:
    """All edges of a job: state, label, state, each 8 bytes, as `pack` and `label` make them."""
    command = [str(program), "edges"]
    return subprocess.run(
        command, input=job.line().encode(), capture_output=True, check=True
    ).stdout


def relation(locks: Locks, one_queue: bool = False) -> Relation:
    """The conflict relation of a lock scheme.

    Args:
        locks: Its requests.
        one_queue: The encoders share one queue; else each has its own.
    """

    def clash(k: int, n: int, same_encoder: bool, same_stream: bool) -> bool:
        for scope, mode in locks[k]:
            for scope2, mode2 in locks[n]:
                if scope != scope2 or mode == mode2 == "shared":
                    continue
                if scope == "global":
                    return True
                if scope == "stream" and same_stream:
                    return True
                if scope == "operation" and k == n:
                    return True
                if scope == "encoder" and same_encoder:
                    return True
                if scope == "queue" and (same_encoder or one_queue):
                    return True
        return False

    def matrix(same_encoder: bool, same_stream: bool) -> int:
        pairs = itertools.product(range(4), repeat=2)
        return sum(1 << 4 * k + n for k, n in pairs if clash(k, n, same_encoder, same_stream))

    return Relation(
        matrix(True, False), matrix(True, True), matrix(False, False), matrix(False, True)
    )


def all_schemes(queues: bool = False) -> Iterator[Locks]:
    """The schemes with at most one request per kind: 9^4, and with locks per queue 11^4."""
    scopes = ("global", "stream", "operation", "encoder", *(("queue",) if queues else ()))
    requests = [(), *(((s, m),) for s in scopes for m in ("exclusive", "shared"))]
    yield from itertools.product(requests, repeat=4)


def jobs_of(
    threads: int,
    encoders: int,
    blocks: int,
    flags: int,
    scheme: Relation,
    target: int = TO_THE_END,
    streams: Iterable[tuple[int, ...]] | None = None,
) -> list[Job]:
    """The jobs that together cover a scheme: all stream maps, all maps of homes."""
    if streams is None:
        streams = itertools.product(range(threads), repeat=threads)
    all_streams = {_renamed(s) for s in streams}
    all_homes = {(0,) * encoders}
    if not flags & SHARED:
        all_homes = set(itertools.product(range(threads), repeat=encoders))
    return [
        Job(threads, encoders, blocks, flags, scheme, s, h, target)
        for s in sorted(all_streams)
        for h in sorted(all_homes)
    ]


def _renamed(classes: tuple[int, ...]) -> tuple[int, ...]:
    first = {c: classes.index(c) for c in classes}
    order = sorted(first.values())
    return tuple(order.index(first[c]) for c in classes)


# Kinds of one operation each, as bits of the effective relation.
_COMPLETE = sum(1 << 4 * k + n for k in range(4) for n in range(4) if 3 in (k, n))


def effective(flags: int, scheme: Relation) -> Relation:
    """The part of a relation that can matter in an environment."""
    if flags & INTERCEPTED and flags & TEAR_DOWN:
        return scheme
    return Relation(
        scheme.same0 & ~_COMPLETE,
        scheme.same1 & ~_COMPLETE,
        scheme.other0 & ~_COMPLETE,
        scheme.other1 & ~_COMPLETE,
    )


def law(flags: int, scheme: Relation) -> frozenset[str]:
    """The faults of a scheme by the closed form, from its permitted pairs alone.

    A pair is permitted if two different threads can be past their acquires with it on one
    encoder at once.  The form was read off the searches and is checked against all of them; it
    is for threads on streams of their own, which permit the most.
    """
    create, encode, destroy, complete = range(4)
    teardown = (destroy, complete)
    scheme = effective(flags, scheme)

    def permitted(k: int, n: int) -> bool:
        if flags & PATIENT and create in (k, n):
            return False
        possible = flags & (TEAR_DOWN if complete in (k, n) else SHARED)
        return bool(possible) and not scheme.same0 >> (4 * k + n) & 1

    def some_teardown(k: int) -> bool:
        return any(permitted(k, n) for n in teardown)

    tt = any(some_teardown(n) for n in teardown)
    et, ct = some_teardown(encode), some_teardown(create)
    ce, cc, ee = permitted(create, encode), permitted(create, create), permitted(encode, encode)
    race = not flags & ATOMIC and not scheme.other0 & 1
    others_tear_down = bool(flags & (SHARED | TEAR_DOWN))
    faults = {
        "nullDeref": et or (not flags & CHECK and others_tear_down),
        "staleContext": et or race or (ce and ct and tt),
        "uninitialised": ce,
        "doubleFree": tt or race,
        "lostContext": cc,
        "writeAfterFree": ct or race,
        "encoderOverlap": ee,
        "deadDispatch": not flags & RETAIN,
    }
    return frozenset(fault for fault, reachable in faults.items() if reachable)
