"""Deadlocks of calls that take their locks one after another.

A deadlock is a circle of calls, each of which waits for the next one.  The body of a call waits for
nobody, so only locks matter: `find` goes through all circles of so many threads, over all maps that
the model leaves open, and makes a run of the model of the cheapest.  Nothing here is believed: Lean
judges that locks can be ordered, and it replays the run (`MPSVerify/Spec/Sequential.lean`,
`MPSVerify/Spec/SeqReplay.lean`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from verify import english
from verify import trace as traces
from verify.criterion import meet
from verify.semantics import Bounds, Event, Model
from verify.spec import POLICIES, Environment, LockScheme, Request

THREADS = 4
"""Threads of a circle, at most, where nobody asks for more."""

ENGLISH: Mapping[str, str] = {
    "readersPass": "if a reader passes a waiting writer",
    "readersWait": "if a reader waits behind a waiting writer",
}
"""The policies of locks (`LockPolicy` in Lean), in words."""


class Wait(NamedTuple):
    """A place at which a call waits: what it holds there and what it wants."""

    kind: str
    held: tuple[Request, ...]
    wanted: Request

    def __str__(self) -> str:
        held = " and ".join(map(str, self.held)) or "nothing"
        return f"{self.kind} holds {held} and waits for {self.wanted}"


@dataclass(frozen=True)
class Deadlock:
    """A run into a deadlock.

    Attributes:
        policy: Of the locks, one of `POLICIES`.
        bounds: The instance; its threads are those of the circle.
        waits: Of the threads, in order: each waits for the next, the last one for the first.
        events: The steps: those of the model, where a call takes its next lock `take`.
    """

    policy: str
    bounds: Bounds
    waits: tuple[Wait, ...]
    events: tuple[Event, ...]

    def steps(self, scheme: LockScheme, env: Environment) -> tuple[str, ...]:
        """The run in English, its lines numbered.

        Args:
            scheme, env: What it is a run of.
        """
        return _steps(self, scheme, env)

    def circle(self, scheme: LockScheme, env: Environment) -> tuple[str, ...]:
        """Who waits for whom after the run, in English.

        Args:
            scheme, env: What it is a run of.
        """
        return _circle(self, scheme, env)


@dataclass(frozen=True)
class Finding:
    """What is known of the deadlocks of a scheme, with locks of one policy.

    Attributes:
        knot: The waits that lead into a circle of waits; with none, the locks can be ordered.
        run: A run into a deadlock; None if there is none of so few threads.
        threads: How many threads a circle had at most.
    """

    knot: tuple[Wait, ...]
    run: Deadlock | None
    threads: int

    @property
    def free(self) -> bool | None:
        """Whether there is no deadlock; None where this cannot be said."""
        if self.run is not None:
            return False
        return None if self.knot else True


def takes_several(scheme: LockScheme) -> bool:
    """Whether some call takes several locks."""
    return any(len(requests) > 1 for requests in scheme.locks.values())


@cache
def find(scheme: LockScheme, env: Environment, policy: str, threads: int = THREADS) -> Finding:
    """Look for a deadlock.

    Args:
        scheme: The locks, taken by each call in the order of its list.
        env: The assumptions.
        policy: Of the locks, one of `POLICIES`.
        threads: How many threads a circle has at most.
    """
    left = knot(scheme, env, policy)
    for number in range(1, threads + 1):
        # Not among those that are left only: then the search would say what the knot says.
        circles = _circles(waits_of(scheme, env), env, policy, number)
        for circle in sorted(circles, key=lambda circle: _cost(circle, scheme)):
            run = _run(circle, scheme, env, policy)
            if run is not None:
                return Finding(left, run, threads)
    return Finding(left, None, threads)


def findings(scheme: LockScheme, env: Environment, threads: int = THREADS) -> dict[str, Finding]:
    """`find` for each policy."""
    return {policy: find(scheme, env, policy, threads) for policy in POLICIES}


def waits_of(scheme: LockScheme, env: Environment) -> tuple[Wait, ...]:
    """All waits of the calls that can happen."""
    waits = []
    for kind, requests in scheme.locks.items():
        if kind != "complete" or (env.handlersTearDown and env.handlersIntercepted):
            waits += [Wait(kind, requests[:i], request) for i, request in enumerate(requests)]
    return tuple(waits)


def knot(scheme: LockScheme, env: Environment, policy: str) -> tuple[Wait, ...]:
    """The waits that are left when those for nobody are pruned, again and again.

    This is `LockScheme.knot` of `MPSVerify/Spec/Sequential.lean` once more; Lean decides.
    """

    def common(scope: str, kind: str) -> tuple[str, str]:
        return (scope, kind if scope == "operation" else "")

    def wants(wait: Wait, kind: str, request: Request) -> bool:
        return common(request.scope, kind) == common(wait.wanted.scope, wait.kind) and (
            request.scope != "encoder" or wait.kind == kind or meet(env, wait.kind, kind)
        )

    def waits_for(wait: Wait, other: Wait) -> bool:
        held = any(wants(wait, other.kind, r) and r.excludes(wait.wanted) for r in other.held)
        behind = policy == "readersWait" and (wait.wanted.mode, other.wanted.mode) == (
            "shared",
            "exclusive",
        )
        return held or (behind and wants(wait, other.kind, other.wanted))

    waits = waits_of(scheme, env)
    for _ in range(len(waits)):
        waits = tuple(wait for wait in waits if any(waits_for(wait, other) for other in waits))
    return waits


# --- Circles --------------------------------------------------------------------------------------


class _Call(NamedTuple):
    """A thread of a circle: where it waits, on which encoder, and its place in the maps."""

    wait: Wait
    encoder: int
    stream: int
    queue: int

    def lock(self, request: Request) -> tuple[str, str | int]:
        """The lock instance that a request of this call names."""
        which: dict[str, str | int] = {
            "global": 0,
            "stream": self.stream,
            "operation": self.wait.kind,
            "encoder": self.encoder,
            "queue": self.queue,
        }
        return request.scope, which[request.scope]

    def wants(self, other: _Call, request: Request) -> bool:
        """Whether another call's request names the lock that this one wants."""
        return other.lock(request) == self.lock(self.wait.wanted)


_Chain = tuple[_Call, ...]


def _withheld(call: _Call, other: _Call) -> bool:
    """Whether another call holds what this one waits for."""
    return any(call.wants(other, r) and r.excludes(call.wait.wanted) for r in other.wait.held)


def _behind(call: _Call, other: _Call) -> bool:
    """Whether this call waits to read what another one waits to write."""
    modes = (call.wait.wanted.mode, other.wait.wanted.mode)
    return modes == ("shared", "exclusive") and call.wants(other, other.wait.wanted)


def _compatible(call: _Call, other: _Call) -> bool:
    """Whether two calls can hold at once what they hold."""
    return not any(
        call.lock(r) == other.lock(q) and r.excludes(q)
        for r in call.wait.held
        for q in other.wait.held
    )


def _circles(
    waits: Sequence[Wait], env: Environment, policy: str, threads: int
) -> Iterator[_Chain]:
    """All circles of so many calls, up to the names of encoders, streams and queues."""
    scopes = {r.scope for wait in waits for r in (*wait.held, wait.wanted)}

    def keeps(call: _Call, other: _Call) -> bool:
        return _withheld(call, other) or (policy == "readersWait" and _behind(call, other))

    def extended(chain: _Chain) -> Iterator[_Chain]:
        if len(chain) == threads:
            if keeps(chain[-1], chain[0]):
                yield chain
            return
        for call in _calls(chain, waits, env, scopes):
            if (not chain or keeps(chain[-1], call)) and all(_compatible(call, c) for c in chain):
                yield from extended((*chain, call))

    yield from extended(())


def _calls(
    chain: _Chain, waits: Sequence[Wait], env: Environment, scopes: set[str]
) -> Iterator[_Call]:
    """The calls that can come next, with old names or the first new one."""

    def names(used: Sequence[int], matter: bool) -> range:
        return range(max(used, default=-1) + 2) if matter else range(1)

    queues = {call.encoder: call.queue for call in chain}
    # Under confinement an encoder is its home thread's, and that does one thing at a time.
    taken = {c.encoder for c in chain if c.wait.kind != "complete" and not env.sharedEncoders}
    confined = not env.sharedEncoders
    for wait in waits:
        for encoder in names([*queues], confined or bool(scopes & {"encoder", "queue"})):
            if encoder in taken and wait.kind != "complete":
                continue
            known = encoder in queues
            choice = [queues[encoder]] if known else names([*queues.values()], "queue" in scopes)
            for queue in choice:
                for stream in names([c.stream for c in chain], "stream" in scopes):
                    yield _Call(wait, encoder, stream, queue)


def _cost(circle: _Chain, scheme: LockScheme) -> int:
    """The number of steps of the run into a circle: encoders have to be made first."""
    made = {call.encoder for call in circle if call.wait.kind != "create"}
    own = sum(1 + len(call.wait.held) for call in circle)
    return own + len(made) * (8 + len(scheme.locks["create"]))


# --- Runs -----------------------------------------------------------------------------------------


def _run(circle: _Chain, scheme: LockScheme, env: Environment, policy: str) -> Deadlock | None:
    """The run into a circle; None if the model has none."""
    encoders = max(call.encoder for call in circle) + 1
    homes = [0] * encoders
    for thread, call in enumerate(circle):
        if call.wait.kind != "complete":
            homes[call.encoder] = thread
    queues = {call.encoder: call.queue for call in circle}
    bounds = Bounds(
        len(circle),
        encoders,
        encoders,
        tuple(call.stream for call in circle),
        tuple(homes),
        tuple(queues[encoder] for encoder in range(encoders)),
    )
    model = Model(scheme, env, bounds)
    state, events = model.initial(), list[Event]()
    for encoder in sorted({call.encoder for call in circle if call.wait.kind != "create"}):
        # Nobody else is busy: a create goes through, whatever it takes.
        thread, kind = homes[encoder], "create"
        dispatched = False
        while not dispatched or state.threads[thread] is not None:
            steps = [
                (event, after)
                for event, after in model.enabled_of(thread, state)
                if event.e == encoder and event.kind == kind
            ]
            if not steps:
                return None
            event, state = steps[0]
            if event.event == "acquire":
                events += [_take(thread, encoder, kind)] * len(model.requests(kind))
            events.append(event)
            dispatched = True
    # Who holds nothing yet comes last: a writer that waits was not there before the readers.
    for thread in sorted(range(len(circle)), key=lambda thread: not circle[thread].wait.held):
        call, kind = circle[thread], circle[thread].wait.kind
        steps = [
            (event, after)
            for event, after in model.enabled_of(thread, state)
            if (event.e, event.kind) == (call.encoder, kind)
        ]
        if not steps:
            return None
        event, state = steps[0]
        events += [event, *[_take(thread, call.encoder, kind)] * len(call.wait.held)]
    return Deadlock(policy, bounds, tuple(call.wait for call in circle), tuple(events))


def _take(thread: int, encoder: int, kind: str) -> Event:
    return Event(thread, encoder, kind, "take", None, "dispatched")


def _steps(deadlock: Deadlock, scheme: LockScheme, env: Environment) -> tuple[str, ...]:
    model = Model(scheme, env, deadlock.bounds)
    plain = tuple(event for event in deadlock.events if event.event != "take")
    texts = iter(english.step_lines(traces.Trace(deadlock.bounds, plain), scheme, env))
    taken: dict[int, int] = {}
    lines = []
    for event in deadlock.events:
        if event.t is None or event.kind is None:
            raise ValueError(f"{event} is no step of a thread")
        if event.event == "take":
            request = model.requests(event.kind)[taken[event.t]]
            lock = english.lock_text(model, (event.t, event.kind, event.e), request)
            lines.append(f"thread {event.t}: takes {lock}")
            taken[event.t] += 1
            continue
        text = next(texts)
        if event.event == "dispatch":
            taken[event.t] = 0
        elif event.event == "acquire":
            text = f"thread {event.t}: has all its locks"
        lines.append(text)
    return tuple(english.numbered(lines))


def _circle(deadlock: Deadlock, scheme: LockScheme, env: Environment) -> tuple[str, ...]:
    model = Model(scheme, env, deadlock.bounds)
    encoders = {event.t: event.e for event in deadlock.events}  # of each thread's last call
    calls = [(t, wait.kind, encoders[t]) for t, wait in enumerate(deadlock.waits)]
    lines = []
    for call, wait in zip(calls, deadlock.waits, strict=True):
        thread, kind, encoder = call
        other = (thread + 1) % len(calls)
        held = " and ".join(english.lock_text(model, call, r) for r in wait.held) or "nothing"
        wanted = model.lock(*call, wait.wanted)
        holds = any(
            model.lock(*calls[other], r) == wanted and r.excludes(wait.wanted)
            for r in deadlock.waits[other].held
        )
        why = f"thread {other} holds" if holds else f"thread {other} waits to write"
        lines.append(
            f"thread {thread} ({kind} on encoder {encoder}) holds {held} and waits for "
            f"{english.lock_text(model, call, wait.wanted)}, which {why}"
        )
    return tuple(lines)
