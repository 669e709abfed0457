"""The guard that looks at the state, of `MPSVerify/Spec/StateGuard.lean`, by exhaustive search.

That it is safe and permits more than perEncoder is proved for any number of threads.  Here the
same is seen in small instances, and what the proof does not say: neither the context, nor who
enters beside whom, may be left out of its condition.  A guard is a test of the state before an
acquire; all else is the model without any lock.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verify import spec
from verify.semantics import Bounds, Model, State, is_past_acquire
from verify.spec import LockScheme

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]
FREE = LockScheme(dict.fromkeys(spec.KINDS, ()), check=True)

Beside = Callable[[str, str, bool], bool]
"""May an operation of the first kind enter beside one of the second on its encoder, which has a
context or not?"""

GUARDS: dict[str, Beside] = {
    "per encoder": lambda _enters, _inside, _live: False,
    "as defined": lambda enters, inside, live: (enters, inside) == ("create", "encode") and live,
    "without context": lambda enters, inside, _live: (enters, inside) == ("create", "encode"),
    "encode beside create": lambda enters, inside, live: (
        {enters, inside} == {"create", "encode"} and live
    ),
    "anything beside encode": lambda _enters, inside, live: inside == "encode" and live,
}


def explore(beside: Beside, bounds: Bounds) -> tuple[set[State], set[str]]:
    """All states that can be reached under a guard, and the faults in them."""
    model = Model(FREE, DEFAULT, bounds)

    def admits(state: State, thread: int) -> bool:
        mine = state.threads[thread]
        assert mine is not None
        live = state.memory.impl[mine.encoder] is not None
        return all(
            beside(mine.kind, other.kind, live)
            for t, other in enumerate(state.threads)
            if t != thread and other is not None and is_past_acquire(other)
            if other.encoder == mine.encoder
        )

    states, frontier, faults = {model.initial()}, [model.initial()], set()
    for state in frontier:  # grows
        faults |= {found.fault for found in model.faults(state)}
        for event, after in model.enabled(state):
            if event.event == "acquire" and event.t is not None and not admits(state, event.t):
                continue
            if after not in states:
                states.add(after)
                frontier.append(after)
    return states, faults


@pytest.mark.parametrize("bounds", [Bounds(2, 2, 2), Bounds(3, 1, 2)], ids=str)
def test_it_is_safe_and_reaches_more_than_per_encoder(bounds: Bounds) -> None:
    states, faults = explore(GUARDS["as defined"], bounds)
    fewer, none = explore(GUARDS["per encoder"], bounds)
    assert faults == none == set()
    assert fewer < states


def test_the_search_with_locks_per_encoder_is_that_of_per_encoder() -> None:
    """The guard as a test of states, and the model's own locks: the same states."""
    bounds = Bounds(2, 1, 2)
    model = Model(SHIPPED.strategy("perEncoder").scheme, DEFAULT, bounds)
    states, frontier = {model.initial()}, [model.initial()]
    for state in frontier:  # grows
        for _, after in model.enabled(state):
            if after not in states:
                states.add(after)
                frontier.append(after)
    assert explore(GUARDS["per encoder"], bounds)[0] == states


@pytest.mark.parametrize(
    ("guard", "fault"),
    [
        ("without context", "uninitialised"),
        ("encode beside create", "uninitialised"),
        ("anything beside encode", "nullDeref"),
    ],
)
def test_what_may_not_be_left_out(guard: str, fault: str) -> None:
    assert fault in explore(GUARDS[guard], Bounds(2, 1, 2))[1]
