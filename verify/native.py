"""The native guard, its scheduler and its harness: built on first use, bound with ctypes.

What needs a C++ compiler is built where there is one (`verify.cxx`), into the user's cache, under a
key of everything that goes into it: sources, the strategy table generated from the spec, compiler,
options.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from verify import cxx, resources
from verify.errors import VerifyError
from verify.records.stress import Schedules
from verify.rules import HOLDING
from verify.semantics import Activity, Bounds, Event, Memory, State
from verify.spec import KINDS, MODES, SCOPES, Environment, LockScheme, Spec

ABI = 1
NONE = 255
_LETTERS = dict(zip(KINDS, "cedk", strict=True))

_CORE = ("core/guard.cpp", "core/lock.cpp", "core/lock_table.cpp", "core/thread.cpp")
_FAKE = ("drivers/fake/fake_driver.cpp",)


@dataclass(frozen=True)
class Target:
    """Something to build from `native/`.

    Attributes:
        name: Of the file that is made.
        sources: Relative to `native/`.
        options: For compiling and linking, beyond the common ones.
        libraries: After the sources.
        shared: Whether it is a shared library.
    """

    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    shared: bool = False


LIBRARY = Target(
    "libmpsv.dylib" if sys.platform == "darwin" else "libmpsv.so",
    (
        *_CORE,
        *_FAKE,
        "sched/fiber.cpp",
        "sched/session.cpp",
        "sched/schedule.cpp",
        "sched/explorer.cpp",
        "sched/graph.cpp",
        "capi/mpsv.cpp",
    ),
    ("-O2",),
    shared=True,
)
"""The guard under the deterministic scheduler, for ctypes."""

STRESS = Target(
    "mpsv_stress",
    (
        *_CORE,
        *_FAKE,
        "drivers/fake/free_run.cpp",
        "drivers/fake/record.cpp",
        "capi/stress_main.cpp",
    ),
    ("-O2",),
)
"""The free-running harness."""

STRESS_TSAN = Target("mpsv_stress_tsan", STRESS.sources, ("-O1", "-g", "-fsanitize=thread"))
"""The same under ThreadSanitizer, in a process of its own."""

OBJC = Target(
    "mpsv_objc",
    (
        *_CORE,
        *_FAKE,
        "objc/block.cpp",
        "objc/encoding.cpp",
        "objc/interpose.cpp",
        "drivers/fake_objc/agx_fake.mm",
        "drivers/fake_objc/blocks.cpp",
        "capi/objc_main.mm",
    ),
    ("-O1",),
    ("-lobjc",),
)
"""The interposed guard on the fake driver's Objective-C classes, and its audit."""

_GUARD = (
    *_CORE,
    "objc/block.cpp",
    "objc/encoding.cpp",
    "objc/interpose.cpp",
    "capi/guard.cpp",
)

GUARD = Target(
    "libmpsv_guard.dylib" if sys.platform == "darwin" else "libmpsv_guard.so",
    _GUARD,
    ("-O2",),
    ("-lobjc",),
    shared=True,
)
"""The guard for programs that use Metal, by insertion or with `native/capi/guard.h`."""

METAL = Target("mpsv_metal", (*_GUARD, "drivers/metal/metal_main.cpp"), ("-O2",), ("-lobjc",))
"""The guard on Metal itself (macOS, with metal-cpp; see `verify.macos`)."""

VULKAN = Target("mpsv_vulkan", (*_CORE, "drivers/vulkan/vulkan_main.cpp"), ("-O1",), ("-lvulkan",))
"""The guard on Vulkan's command buffers, judged by the validation layer."""

BENCH = Target("mpsv_bench", (*_CORE, "capi/bench_main.cpp"), ("-O2",))
"""What a guarded call costs; its argument is the most threads of the scaling part."""


def strategies_header(spec: Spec) -> str:
    """The native strategy table, `strategies.hpp`.

    Args:
        spec: Its strategies are the table, in its order.
    """
    rows = []
    for strategy in spec.strategies:
        locks = []
        for kind in KINDS:
            requests = strategy.scheme.locks[kind]
            words = ", ".join(f"{{Scope::{r.scope}, Mode::{r.mode}}}" for r in requests)
            locks.append(f"        /* {kind} */ {{{len(requests)}, {{{words}}}}},")
        check = "true" if strategy.scheme.check else "false"
        rows += [f'    {{"{strategy.name}", {{{check}, {{', *locks, "    }}},"]
    return "\n".join(
        [
            "// Generated from the spec by verify.native; do not edit.",
            "#pragma once",
            "",
            '#include "core/scheme.hpp"',
            "",
            "namespace mpsverify {",
            "",
            "inline constexpr Strategy kStrategies[] = {",
            *rows,
            "};",
            "",
            "}  // namespace mpsverify",
            "",
        ]
    )


def build(target: Target, spec: Spec, source: Path | None = None) -> Path:
    """Build a target, or find it built.

    Args:
        target: What to build.
        spec: Its strategies become the table.
        source: A directory like `native/`; None for the shipped one.

    Returns:
        The file, in the user's cache.

    Raises:
        EngineMissing: There is no compiler, or it cannot do what the target needs.
        VerifyError: The sources do not compile, or the cache cannot be written.
    """
    source = source or resources.root() / "native"
    if not (source / target.sources[0]).is_file():
        raise VerifyError(f"{source}: no {target.sources[0]}; install mps-verify again")
    arguments = [*cxx.STANDARD, "-fPIC", "-fvisibility=hidden", "-pthread", *target.options]
    arguments += ["-I{sources}", "-I{generated}", *(["-shared"] if target.shared else [])]
    arguments += [name if Path(name).is_absolute() else f"{{sources}}/{name}"
                  for name in target.sources]  # fmt: skip
    return cxx.build(
        target.name,
        [*arguments, *target.libraries],
        contents(source, target.sources),
        {"strategies.hpp": strategies_header(spec)},
        sources=source,
    )


def contents(source: Path, names: Sequence[str]) -> list[str | bytes]:
    """Names and contents of all that a build may read below `native/`.

    Args:
        source: The directory.
        names: Of the sources, relative to it.  Which headers they include is the compiler's
            business: all files count.
    """
    files = {p for p in source.rglob("*") if p.suffix in (".hpp", ".cpp", ".h", ".mm", ".inc")}
    files |= {source / name for name in names}
    parts: list[str | bytes] = []
    for path in sorted(files):
        try:
            parts += [os.path.relpath(path, source), path.read_bytes()]
        except OSError as error:
            raise VerifyError(f"{path}: {error.strerror}; install mps-verify again") from None
    return parts


# --- The C ABI: the structures of native/capi/mpsv.h -------------------------------------------


class CScheme(ctypes.Structure):
    """`mpsv_scheme`."""

    _fields_ = (
        ("check", ctypes.c_uint8),
        ("count", ctypes.c_uint8 * 4),
        ("scope", (ctypes.c_uint8 * 4) * 4),
        ("mode", (ctypes.c_uint8 * 4) * 4),
    )


class CConfig(ctypes.Structure):
    """`mpsv_config`."""

    _fields_ = (
        ("threads", ctypes.c_uint32),
        ("encoders", ctypes.c_uint32),
        ("blocks", ctypes.c_uint32),
        ("handlers_intercepted", ctypes.c_uint8),
        ("handlers_tear_down", ctypes.c_uint8),
        ("atomic_freelist", ctypes.c_uint8),
        ("callers_retain", ctypes.c_uint8),
        ("shared_encoders", ctypes.c_uint8),
        ("create_returns", ctypes.c_uint8),
        ("assert_held", ctypes.c_uint8),
        ("stream", ctypes.c_uint32 * 8),
        ("home", ctypes.c_uint32 * 8),
        ("queue", ctypes.c_uint32 * 8),
    )


class CEvent(ctypes.Structure):
    """`mpsv_event`."""

    _fields_ = tuple(
        (name, ctypes.c_uint8)
        for name in ("thread", "encoder", "kind", "step", "pc", "block", "skipped", "unused")
    )


class CState(ctypes.Structure):
    """`mpsv_state`."""

    _fields_ = (
        ("impl", ctypes.c_uint8 * 8),
        ("alive", ctypes.c_uint8 * 8),
        ("owner", ctypes.c_uint8 * 16),
        ("ready", ctypes.c_uint8 * 16),
        ("pc", ctypes.c_uint8 * 8),
        ("kind", ctypes.c_uint8 * 8),
        ("encoder", ctypes.c_uint8 * 8),
        ("block", ctypes.c_uint8 * 8),
    )


class CEdge(ctypes.Structure):
    """`mpsv_edge`."""

    _fields_ = (("source", ctypes.c_uint32), ("target", ctypes.c_uint32), ("event", CEvent))


class COutcome(ctypes.Structure):
    """`mpsv_outcome`."""

    _fields_ = (
        ("schedules", ctypes.c_uint64),
        ("steps", ctypes.c_uint64),
        ("deadlocks", ctypes.c_uint64),
        ("skipped", ctypes.c_uint64),
        ("unexplained", ctypes.c_uint64),
        ("failures", ctypes.c_uint64),
        ("parallel", ctypes.c_uint64),
        ("faults", ctypes.c_uint64 * 8),
        ("complete", ctypes.c_uint8),
        ("seconds", ctypes.c_double),
        ("first", (ctypes.c_char * 512) * 8),
        ("deadlock", ctypes.c_char * 512),
        ("failure", ctypes.c_char * 128),
    )


_MEMORY = CState.pc.offset
_STEP, _BLOCK = CEvent.step.offset, CEvent.block.offset


class Outcome(Schedules):
    """What running schedules has shown; outcomes of several programs add up."""

    def add(self, other: Outcome) -> None:
        """Add another outcome to this one."""
        for name in (
            "schedules", "steps", "deadlocks", "failures", "skipped", "unexplained", "parallel",
            "seconds",
        ):  # fmt: skip
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


class Library:
    """The built shared library.

    Args:
        path: The file.

    Raises:
        VerifyError: It cannot be loaded or has another ABI.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.c = ctypes.CDLL(str(path))
        except OSError as error:
            raise VerifyError(
                f"{path}: cannot be loaded: {error}; delete it and try again"
            ) from None
        self._declare()
        found = self.c.mpsv_abi()
        if found != ABI:
            raise VerifyError(f"{path}: has ABI {found}, not {ABI}; delete it and try again")
        self.steps = self._names(self.c.mpsv_step_name)
        self.points = self._names(self.c.mpsv_pc_name)
        self.faults = self._names(self.c.mpsv_fault_name)
        self.kinds = self._names(self.c.mpsv_kind_name)

    def _declare(self) -> None:
        c, u32, u64, session = self.c, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
        text, pointer = ctypes.c_char_p, ctypes.POINTER
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "mpsv_abi": (u32, []),
            "mpsv_strategy_count": (u32, []),
            "mpsv_strategy_name": (text, [u32]),
            "mpsv_strategy_scheme": (None, [u32, pointer(CScheme)]),
            "mpsv_step_name": (text, [u32]),
            "mpsv_pc_name": (text, [u32]),
            "mpsv_fault_name": (text, [u32]),
            "mpsv_kind_name": (text, [u32]),
            "mpsv_session_new": (session, [pointer(CConfig), pointer(CScheme)]),
            "mpsv_session_free": (None, [session]),
            "mpsv_session_reset": (None, [session]),
            "mpsv_dispatch": (ctypes.c_int, [session, u32, u32, u32]),
            "mpsv_step": (ctypes.c_int, [session, u32, u32]),
            "mpsv_drop": (ctypes.c_int, [session, u32]),
            "mpsv_can_dispatch": (ctypes.c_int, [session, u32, u32, u32]),
            "mpsv_can_drop": (ctypes.c_int, [session, u32]),
            "mpsv_choices": (u32, [session, u32, ctypes.c_uint8 * 16]),
            "mpsv_get_state": (None, [session, pointer(CState)]),
            "mpsv_thread_fault": (u32, [session, u32]),
            "mpsv_graph": (
                ctypes.c_int,
                [
                    session,
                    u64,
                    pointer(pointer(CState)),
                    pointer(u64),
                    pointer(pointer(CEdge)),
                    pointer(u64),
                ],
            ),
            "mpsv_trace": (pointer(CEvent), [session, pointer(u64)]),
            "mpsv_faults": (u32, [session]),
            "mpsv_failure": (text, [session]),
            "mpsv_skipped": (u64, [session, pointer(u64)]),
            "mpsv_run": (text, [session, text]),
            "mpsv_explore": (text, [session, text, u32, u64, ctypes.c_double, pointer(COutcome)]),
            "mpsv_walk": (text, [session, text, u64, u64, ctypes.c_double, pointer(COutcome)]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(c, name)
            function.restype, function.argtypes = result, arguments

    @staticmethod
    def _names(name: Any) -> tuple[str, ...]:
        names: list[str] = []
        while (word := name(len(names))) is not None:
            names.append(word.decode())
        return tuple(names)

    def strategies(self) -> dict[str, CScheme]:
        """The strategy table that was compiled in."""
        table = {}
        for i in range(self.c.mpsv_strategy_count()):
            scheme = CScheme()
            self.c.mpsv_strategy_scheme(i, ctypes.byref(scheme))
            table[self.c.mpsv_strategy_name(i).decode()] = scheme
        return table


def library(spec: Spec, source: Path | None = None) -> Library:
    """The shared library with the strategy table of a spec, built if need be.

    Raises:
        EngineMissing: There is no compiler.
        VerifyError: It cannot be built or loaded.
    """
    return Library(build(LIBRARY, spec, source))


def c_scheme(scheme: LockScheme) -> CScheme:
    """A scheme for the C ABI.

    Raises:
        VerifyError: It asks for more than four locks in one call.
    """
    c = CScheme()
    c.check = scheme.check
    for k, kind in enumerate(KINDS):
        requests = scheme.locks[kind]
        if len(requests) > 4:
            raise VerifyError(f"{kind} asks for {len(requests)} locks; the guard takes at most 4")
        c.count[k] = len(requests)
        for i, request in enumerate(requests):
            c.scope[k][i] = SCOPES.index(request.scope)
            c.mode[k][i] = MODES.index(request.mode)
    return c


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
            handlers_intercepted=env.handlersIntercepted,
            handlers_tear_down=env.handlersTearDown,
            atomic_freelist=env.atomicFreelist,
            callers_retain=env.callersRetain,
            shared_encoders=env.sharedEncoders,
            create_returns=env.createReturns,
            assert_held=assert_held,
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
        return self._state(c)

    def _state(self, c: CState) -> State:
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
        states, edges = ctypes.POINTER(CState)(), ctypes.POINTER(CEdge)()
        n_states, n_edges = ctypes.c_uint64(), ctypes.c_uint64()
        complete = self._c.mpsv_graph(
            self._session, max_states, ctypes.byref(states), ctypes.byref(n_states),
            ctypes.byref(edges), ctypes.byref(n_edges),
        )  # fmt: skip
        if not complete:
            raise VerifyError(f"{self.bounds}: more than {max_states} states; use smaller bounds")
        size = ctypes.sizeof(CState)
        raw = ctypes.string_at(states, n_states.value * size)
        found = Graph([self._decode(raw[i : i + size]) for i in range(0, len(raw), size)], [], [])
        raw = ctypes.string_at(edges, n_edges.value * ctypes.sizeof(CEdge))
        events: dict[bytes, Event] = {}  # few different ones
        for source, target, label in struct.iter_unpack("=II8s", raw):
            if label[_STEP] == NONE:
                found.faults.append((source, label[0], self.library.faults[label[_BLOCK]]))
                continue
            event = events.get(label)
            if event is None:
                event = events[label] = self._event(CEvent.from_buffer_copy(label))
            found.edges.append((source, event, target))
        return found

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
            schedules=c.schedules,
            steps=c.steps,
            faults={f: c.faults[i] for i, f in enumerate(names) if c.faults[i]},
            deadlocks=c.deadlocks,
            failures=c.failures,
            skipped=c.skipped,
            unexplained=c.unexplained,
            parallel=c.parallel,
            complete=bool(c.complete),
            seconds=c.seconds,
            first=first,
            failure=c.failure.decode(),
        )


@contextmanager
def session(
    library: Library,
    scheme: LockScheme,
    env: Environment,
    bounds: Bounds,
    assert_held: bool = False,
) -> Iterator[Session]:
    """A `Session` that is closed at the end of the block."""
    opened = Session(library, scheme, env, bounds, assert_held)
    try:
        yield opened
    finally:
        opened.close()


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
