"""Sessions: the real guard and the fake driver, step by step, schedule by schedule, or all states.

The engine behind each is the library of `verify.library`.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import NamedTuple, Self

from verify.errors import VerifyError
from verify.library import NONE, CConfig, CEdge, CEvent, COutcome, CState, Library, c_scheme
from verify.records.stress import Schedules
from verify.rules import HOLDING
from verify.semantics import Activity, Bounds, Event, Memory, State
from verify.spec import KINDS, Environment, LockScheme

_LETTERS = dict(zip(KINDS, "cedk", strict=True))
_MEMORY = CState.pc.offset
_STEP, _BLOCK = CEvent.step.offset, CEvent.block.offset


_SUMS = (
    "schedules", "steps", "deadlocks", "failures", "skipped", "unexplained", "parallel", "seconds"
)  # fmt: skip


class Outcome(Schedules):
    """What running schedules has shown; outcomes of several programs add up."""

    def add(self, other: Outcome) -> None:
        """Add another outcome to this one."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for fault, count in other.faults.items():
            self.faults[fault] = self.faults.get(fault, 0) + count
        for fault, schedule in other.first.items():
            best = self.first.get(fault)
            if best is None or len(schedule) < len(best):
                self.first[fault] = schedule
        self.complete = self.complete and other.complete
        self.failure = self.failure or other.failure


class Graph(NamedTuple):
    """The native transition graph.

    Attributes:
        states: The initial one first.
        edges: Source, label and target; states by their index.
        faults: State, thread, and the fault that its next step would be.
    """

    states: list[State]
    edges: list[tuple[int, Event, int]]
    faults: list[tuple[int, int, str]]


class StepResult(NamedTuple):
    """What became of a try: "stepped", or why not."""

    word: str

    @property
    def stepped(self) -> bool:
        """Whether the step was taken; otherwise nothing has changed."""
        return self.word == "stepped"


RESULTS = ("stepped", "blocked", "starved", "faulty", "impossible")


class Session:
    """The real guard and the fake driver under the deterministic scheduler.

    Args:
        library: The built library.
        scheme: The guard's locks.
        env: What the driver and the client do.
        bounds: At most 8 threads, 8 encoders, 16 blocks.
        assert_held: Guard-held assertion mode.

    Raises:
        VerifyError: The bounds are too large.
    """

    def __init__(
        self,
        library: Library,
        scheme: LockScheme,
        env: Environment,
        bounds: Bounds,
        assert_held: bool = False,
    ) -> None:
        self.library, self.bounds = library, bounds
        self._c = library.c
        self._memories: dict[bytes, Memory] = {}
        self._activities: dict[bytes, Activity | None] = {}
        config = CConfig(
            threads=bounds.threads,
            encoders=bounds.encoders,
            blocks=bounds.blocks,
            assert_held=assert_held,
            **env.flags,
        )
        maps = (("stream", bounds.streams), ("home", bounds.homes), ("queue", bounds.queues))
        for name, values in maps:
            for i, value in enumerate(values[:8]):
                getattr(config, name)[i] = value
        locks = c_scheme(scheme)
        self._session = self._c.mpsv_session_new(ctypes.byref(config), ctypes.byref(locks))
        if not self._session:
            raise VerifyError(f"{bounds}: out of range; at most 8 threads, 8 encoders, 16 blocks")

    def close(self) -> None:
        """Free the session; it cannot be used any more."""
        if self._session:
            self._c.mpsv_session_free(self._session)
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Back to the initial state."""
        self._c.mpsv_session_reset(self._session)

    def dispatch(self, thread: int, kind: str, encoder: int) -> StepResult:
        """Dispatch an operation."""
        code = self._c.mpsv_dispatch(self._session, thread, KINDS.index(kind), encoder)
        return StepResult(RESULTS[code])

    def step(self, thread: int, block: int | None = None) -> StepResult:
        """Try the next step of a thread; `block` is the one to pick if it picks one."""
        code = self._c.mpsv_step(self._session, thread, NONE if block is None else block)
        return StepResult(RESULTS[code])

    def drop(self, encoder: int) -> StepResult:
        """Release an encoder object."""
        return StepResult(RESULTS[self._c.mpsv_drop(self._session, encoder)])

    def can_dispatch(self, thread: int, kind: str, encoder: int) -> bool:
        """Whether the client may dispatch this now."""
        return bool(self._c.mpsv_can_dispatch(self._session, thread, KINDS.index(kind), encoder))

    def can_drop(self, encoder: int) -> bool:
        """Whether the encoder object may be released now."""
        return bool(self._c.mpsv_can_drop(self._session, encoder))

    def choices(self, thread: int) -> tuple[int, ...]:
        """The free blocks among which the thread's next step picks, if it picks one."""
        blocks = (ctypes.c_uint8 * 16)()
        count = self._c.mpsv_choices(self._session, thread, blocks)
        return tuple(blocks[:count])

    def act(self, event: Event) -> StepResult:
        """Do what an event of the model says."""
        if event.t is None:
            return self.drop(event.e)
        if event.event == "dispatch":
            return self.dispatch(event.t, event.kind or "", event.e)
        picks = event.event in ("pop", "peek")
        return self.step(event.t, event.b if picks else None)

    def state(self) -> State:
        """The present state, as the model has it."""
        c = CState()
        self._c.mpsv_get_state(self._session, ctypes.byref(c))
        return self._decode(bytes(c))

    def _decode(self, raw: bytes) -> State:
        """A `CState`, as bytes; equal parts of states are one object."""
        memory = self._memories.get(raw[:_MEMORY])
        if memory is None:
            memory = self._memories[raw[:_MEMORY]] = self._memory(CState.from_buffer_copy(raw))
        threads = []
        for t in range(_MEMORY, _MEMORY + self.bounds.threads):
            key = raw[t : t + 25 : 8]  # pc, kind, encoder and block of a thread lie 8 bytes apart
            if key not in self._activities:
                self._activities[key] = self._activity(*key)
            threads.append(self._activities[key])
        return State(tuple(threads), memory)

    def _activity(self, pc: int, kind: int, encoder: int, block: int) -> Activity | None:
        point = self.library.points[pc]
        if point == "idle":
            return None
        held = _number(block) if point in HOLDING else None
        return Activity(self.library.kinds[kind], encoder, point, held)

    def _memory(self, c: CState) -> Memory:
        bounds = self.bounds
        return Memory(
            tuple(_number(c.impl[e]) for e in range(bounds.encoders)),
            tuple(_number(c.owner[b]) for b in range(bounds.blocks)),
            tuple(bool(c.ready[b]) for b in range(bounds.blocks)),
            tuple(bool(c.alive[e]) for e in range(bounds.encoders)),
        )

    def graph(self, max_states: int = 2_000_000) -> Graph:
        """Every state that any client and any schedule can reach, and every step from each.

        Raises:
            VerifyError: There are more states than `max_states`.
        """
        states, edges = self.raw_graph(max_states)
        size = ctypes.sizeof(CState)
        found = Graph(
            [self._decode(states[i : i + size]) for i in range(0, len(states), size)], [], []
        )
        events: dict[bytes, Event] = {}  # few different ones
        for source, target, label in struct.iter_unpack("=II8s", edges):
            if label[_STEP] == NONE:
                found.faults.append((source, label[0], self.library.faults[label[_BLOCK]]))
                continue
            event = events.get(label)
            if event is None:
                event = events[label] = self._event(CEvent.from_buffer_copy(label))
            found.edges.append((source, event, target))
        return found

    def raw_graph(self, max_states: int) -> tuple[bytes, bytes]:
        """The same as arrays of `CState` and of `CEdge`."""
        states, edges = ctypes.POINTER(CState)(), ctypes.POINTER(CEdge)()
        n_states, n_edges = ctypes.c_uint64(), ctypes.c_uint64()
        complete = self._c.mpsv_graph(
            self._session, max_states, ctypes.byref(states), ctypes.byref(n_states),
            ctypes.byref(edges), ctypes.byref(n_edges),
        )  # fmt: skip
        if not complete:
            raise VerifyError(f"{self.bounds}: more than {max_states} states; use smaller bounds")
        return (
            ctypes.string_at(states, n_states.value * ctypes.sizeof(CState)),
            ctypes.string_at(edges, n_edges.value * ctypes.sizeof(CEdge)),
        )

    def crashing(self) -> dict[int, str]:
        """The threads whose last try crashed, each with its fault."""
        codes = [self._c.mpsv_thread_fault(self._session, t) for t in range(self.bounds.threads)]
        return {t: self.library.faults[code] for t, code in enumerate(codes) if code != NONE}

    def trace(self, since: int = 0) -> list[Event]:
        """The events since the last reset, from number `since` on."""
        count = ctypes.c_uint64()
        events = self._c.mpsv_trace(self._session, ctypes.byref(count))
        return [self._event(events[i]) for i in range(since, count.value)]

    def _event(self, c: CEvent) -> Event:
        name = self.library.steps[c.step]
        if c.thread == NONE:
            return Event(None, c.encoder, None, name, None, None)
        kind, point = self.library.kinds[c.kind], self.library.points[c.pc]
        return Event(c.thread, c.encoder, kind, name, _number(c.block), point)

    def faults(self) -> set[str]:
        """The faults seen since the last reset."""
        seen = self._c.mpsv_faults(self._session)
        return {fault for i, fault in enumerate(self.library.faults) if seen >> i & 1}

    def failure(self) -> str | None:
        """What the guard reported since the last reset."""
        text = self._c.mpsv_failure(self._session)
        return None if text is None else str(text.decode())

    def skipped(self) -> tuple[int, int]:
        """The calls that the guard skipped, and how many of them with a live context."""
        unexplained = ctypes.c_uint64()
        skipped = self._c.mpsv_skipped(self._session, ctypes.byref(unexplained))
        return int(skipped), unexplained.value

    def run(self, schedule: str) -> None:
        """Run a schedule from the initial state.

        Raises:
            VerifyError: It is no schedule, or cannot be followed; the message has the column.
        """
        self._check(self._c.mpsv_run(self._session, _ascii(schedule)))

    def explore(
        self,
        program: str,
        preemptions: int,
        schedules: int = 2**63,
        seconds: float = 1e9,
    ) -> Outcome:
        """Run every schedule of a program with at most so many preemptions.

        Args:
            program: Set-up and threads, like `c0|e0d0,e0`.
            preemptions: Switches away from a thread that could go on.
            schedules, seconds: When to give up (the outcome is not `complete` then).

        Raises:
            VerifyError: The program makes no sense.
        """
        c = COutcome()
        arguments = (_ascii(program), preemptions, schedules, seconds, ctypes.byref(c))
        self._check(self._c.mpsv_explore(self._session, *arguments))
        return self._outcome(c)

    def walk(self, program: str, seed: int, schedules: int, seconds: float = 1e9) -> Outcome:
        """Run random schedules of a program; the same seed, the same schedules."""
        c = COutcome()
        arguments = (_ascii(program), seed, schedules, seconds, ctypes.byref(c))
        self._check(self._c.mpsv_walk(self._session, *arguments))
        outcome = self._outcome(c)
        outcome.complete = True  # as many as were asked for, or the time was up
        return outcome

    @staticmethod
    def _check(message: bytes | None) -> None:
        if message is not None:
            raise VerifyError(message.decode())

    def _outcome(self, c: COutcome) -> Outcome:
        names = self.library.faults
        first = {f: c.first[i].value.decode() for i, f in enumerate(names) if c.faults[i]}
        if c.deadlocks:
            first["deadlock"] = c.deadlock.decode()
        return Outcome(
            **{name: getattr(c, name) for name in _SUMS},
            faults={f: c.faults[i] for i, f in enumerate(names) if c.faults[i]},
            complete=bool(c.complete),
            first=first,
            failure=c.failure.decode(),
        )


def schedule_text(events: Sequence[Event]) -> str:
    """Events as a schedule string, the form that `Session.run` takes.

    Args:
        events: Steps in order; each pick of a block is written down.
    """
    words: list[str] = []
    last, count = None, 0
    for event in events:
        thread = "" if event.t is None else chr(ord("A") + event.t)
        plain = thread and event.event not in ("dispatch", "pop", "peek")
        if plain and event.t == last:
            count += 1
            words[-1] = f"{thread}{count}"
            continue
        last, count = (event.t, 1) if plain else (None, 0)
        if not thread:
            words.append(f"x{event.e}")
        elif event.event == "dispatch":
            words.append(f"{thread}{_LETTERS[event.kind or '']}{event.e}")
        elif plain:
            words.append(f"{thread}1")
        else:
            words.append(f"{thread}p{event.b}")
    return "".join(words)


def _number(code: int) -> int | None:
    return None if code == NONE else int(code)


def _ascii(text: str) -> bytes:
    return text.encode("ascii", errors="replace").replace(b"\0", b"?")
