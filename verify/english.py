"""Events, states, locks and faults in English: everything that a person reads of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from verify.semantics import Event, Model, State
from verify.spec import Environment, LockScheme, Request
from verify.trace import Trace, states


class Saying(NamedTuple):
    """A fault in English.

    Attributes:
        sentence: What it is.
        step: The same as the end of a step: what the call does.
    """

    sentence: str
    step: str


FAULTS: Mapping[str, Saying] = {
    "nullDeref": Saying("The call dereferences _impl, which is NULL", "reads _impl = NULL"),
    "staleContext": Saying(
        "The call uses a context block that does not belong to its encoder (any more)",
        "uses a context that is not the encoder's",
    ),
    "uninitialised": Saying(
        "The call uses a context block that nobody has initialised yet",
        "uses a context that is not initialised",
    ),
    "doubleFree": Saying(
        "The teardown gives back a block that is not its encoder's any more",
        "frees a context that is not the encoder's any more",
    ),
    "lostContext": Saying(
        "The create overwrites an _impl that another create has set: that context is lost",
        "overwrites an _impl that is not NULL",
    ),
    "writeAfterFree": Saying(
        "The create initialises a block that is not its encoder's any more",
        "initialises a context that is not the encoder's any more",
    ),
    "encoderOverlap": Saying(
        "Two threads encode on one encoder at the same time", "encodes while another thread does"
    ),
    "deadDispatch": Saying(
        "The message goes to an encoder object that has been released",
        "sends a message to a released object",
    ),
}
"""By name, in the order of `spec.FAULTS`."""

_CALL = {
    "create": "computeCommandEncoder",
    "encode": "setComputePipelineState",
    "destroy": "endEncoding",
    "complete": "completion handler's teardown",
}


def steps_text(trace: Trace, scheme: LockScheme, env: Environment) -> list[str]:
    """A run as numbered lines of plain English.

    Args:
        trace: A run of the model; its fault, if any, is the last line.
        scheme, env: What it is a run of.

    Raises:
        ValueError: If the trace is no run.
    """
    return numbered(step_lines(trace, scheme, env))


def step_lines(trace: Trace, scheme: LockScheme, env: Environment) -> list[str]:
    """The lines of `steps_text`, without their numbers."""
    model = Model(scheme, env, trace.bounds)
    before = states(trace, scheme, env)
    lines = [
        _step_text(model, state, event) for state, event in zip(before, trace.events, strict=False)
    ]
    if trace.fault is not None:
        fault = trace.fault
        activity = before[-1].threads[fault.t]
        kind = activity.kind if activity else fault.kind
        what = FAULTS[fault.fault].step
        lines.append(f"thread {fault.t}: {_CALL[kind]}: {what} -> {fault.fault}")
    return lines


def _step_text(model: Model, state: State, event: Event) -> str:
    encoder, block = f"encoder {event.e}", f"block {event.b}"
    if event.t is None or event.kind is None:
        return f"{encoder} is released"
    who, call = f"thread {event.t}", _CALL[event.kind]
    impl = state.memory.impl[event.e]
    early = any(
        other is not None and (other.kind, other.encoder) == ("create", event.e)
        for other in state.threads
    )
    texts = {
        "dispatch": f"{event.kind} on {encoder} is dispatched"
        f"{', before its create has returned' if early else ''}: {call}",
        "acquire": f"acquire ({_locks_text(model, event)})",
        "release": f"release: {event.kind} on {encoder} returns",
        "deref": f"{call}: reads _impl = block {impl} again: encodes",
        "push": f"{call}: puts {block} back on the freelist",
        "clear": f"{call}: clears _impl of {encoder}",
        "pop": f"{call}: takes {block} from the freelist",
        "peek": f"{call}: sees {block} at the head of the freelist",
        "claim": f"{call}: takes {block}, whoever has it by now",
        "publish": f"{call}: _impl of {encoder} := {block}",
        "init": f"{call}: initialises {block}",
    }
    if event.event in ("load", "check"):
        value = "NULL" if impl is None else f"block {impl}"
        nothing = {"encode": "the call is skipped", "create": "nothing to do"}
        done = f": {nothing.get(event.kind, 'nothing to do')}" if event.pc == "finished" else ""
        return f"{who}: {call}: reads _impl of {encoder} = {value}{done}"
    return f"{who}: {texts[event.event]}"


def _locks_text(model: Model, event: Event) -> str:
    if event.t is None or event.kind is None:
        return ""
    call = (event.t, event.kind, event.e)
    requests = model.requests(event.kind)
    return " and ".join(lock_text(model, call, request) for request in requests) or "no lock"


def lock_text(model: Model, call: tuple[int, str, int], request: Request) -> str:
    """A request of a call (thread, kind, encoder), with the lock that it names."""
    scope, which = model.lock(*call, request)
    return f"{scope} {request.mode}" if scope == "global" else f"{scope} {which} {request.mode}"


def lock_name(lock: tuple[str, str | int]) -> str:
    """The name of a lock instance: `global lock`, `encoder 0 lock`, `destroy lock`."""
    scope, which = lock
    if scope == "global":
        return "global lock"
    return f"{which} lock" if scope == "operation" else f"{scope} {which} lock"


def numbered(lines: Sequence[str]) -> list[str]:
    """Lines with their numbers, from 1."""
    width = max(2, len(str(len(lines))))
    return [f"{number:>{width}}. {line}" for number, line in enumerate(lines, 1)]


# --- In short -------------------------------------------------------------------------------------


def letter(thread: int) -> str:
    """A thread as schedules name it."""
    return chr(ord("A") + thread)


def event_text(event: Event) -> str:
    """An event in words, its thread as schedules name it."""
    if event.t is None:
        return f"encoder {event.e} is released"
    block = "" if event.b is None else f" (block {event.b})"
    return f"{letter(event.t)} {event.kind} {event.e}: {event.event}{block}, now {event.pc}"


def event_label(event: Event) -> str:
    """An event in two or three words."""
    if event.t is None:
        return f"drop e{event.e}"
    name = event.event if event.event != "dispatch" else event.kind
    return f"t{event.t} {name}" + ("" if event.b is None else f" b{event.b}")


def thread_texts(state: State, name: Callable[[int], str] = "t{}".format) -> list[str]:
    """What each thread is at."""
    return [
        f"{name(thread)} idle"
        if activity is None
        else f"{name(thread)} {activity.kind} e{activity.encoder} {activity.point}"
        + ("" if activity.block is None else f" b{activity.block}")
        for thread, activity in enumerate(state.threads)
    ]


def memory_texts(state: State, idle: bool = True) -> tuple[list[str], list[str]]:
    """What the encoders' pointers, and the blocks, are.

    Args:
        state: Of which.
        idle: Tell of blocks that are free and not initialised, too.
    """
    memory = state.memory
    encoders = [
        f"e{encoder} {'NULL' if impl is None else f'b{impl}'}"
        + ("" if memory.alive[encoder] else " released")
        for encoder, impl in enumerate(memory.impl)
    ]
    blocks = [
        f"b{block} {'free' if owner is None else f'of e{owner}'}"
        + (" ready" if memory.ready[block] else "")
        for block, owner in enumerate(memory.owner)
        if idle or owner is not None or memory.ready[block]
    ]
    return encoders, blocks


def state_lines(state: State) -> list[str]:
    """A state in two lines: the threads, as schedules name them, and memory."""
    encoders, blocks = memory_texts(state)
    return ["; ".join(thread_texts(state, letter)), "; ".join(encoders + blocks)]
