"""The criteria of `MPSVerify/Spec/Criterion.lean`, function by function, in the same order.

Nothing here is believed.  It says which theorem Lean is asked to prove, and when a search has seen
all that there is; a wrong answer does not compile.  `tests/test_criterion.py` has Lean's kernel
compare each function with its namesake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from verify.spec import FAULTS, KINDS, Environment, LockScheme, Request

TEARDOWNS = ("destroy", "complete")
"""The kinds that tear a context down: `Kind.tearsDown`."""


def happens(env: Environment, kind: str) -> bool:
    """`Env.happens`: whether operations of this kind can happen at all."""
    return kind != "complete" or env.handlersTearDown


def beside(env: Environment, kind: str, other: str) -> bool:
    """`Env.beside`: whether such calls can be under way on one encoder at once."""
    return not env.createReturns or "create" not in (kind, other)


def meet(env: Environment, kind: str, other: str) -> bool:
    """`Env.meet`: the same, for calls of different threads."""
    shared = env.sharedEncoders or "complete" in (kind, other)
    return happens(env, kind) and happens(env, other) and shared and beside(env, kind, other)


def same_on_encoder(kind: str, other: str, held: str, wanted: str) -> bool:
    """`Scope.sameOnEncoder`: whether two scopes name one lock, of such calls on one encoder."""
    always = held in ("global", "encoder", "queue") or (held == "operation" and kind == other)
    return held == wanted and always


def same_anywhere(kind: str, other: str, held: str, wanted: str) -> bool:
    """`Scope.sameAnywhere`: the same, of such calls on different encoders."""
    return held == wanted and (held == "global" or (held == "operation" and kind == other))


def any_excludes(
    same: Callable[[str, str], bool], held: Iterable[Request], wanted: Iterable[Request]
) -> bool:
    """`anyExcludes`: whether some two requests for one lock exclude each other."""
    wanted = tuple(wanted)
    return any(same(r.scope, q.scope) and r.excludes(q) for r in held for q in wanted)


def excludes_on_encoder(scheme: LockScheme, env: Environment, kind: str, other: str) -> bool:
    """`LockScheme.excludesOnEncoder`: whether such calls on one encoder exclude each other."""
    requests = scheme.requests_in(env, kind), scheme.requests_in(env, other)
    return any_excludes(partial(same_on_encoder, kind, other), *requests)


def excludes_anywhere(scheme: LockScheme, env: Environment, kind: str, other: str) -> bool:
    """`LockScheme.excludesAnywhere`: whether they exclude each other wherever they are."""
    requests = scheme.requests_in(env, kind), scheme.requests_in(env, other)
    return any_excludes(partial(same_anywhere, kind, other), *requests)


def overlaps(scheme: LockScheme, env: Environment, kind: str, other: str) -> bool:
    """`LockScheme.overlaps`: whether they can be past their acquires at once on one encoder."""
    return meet(env, kind, other) and not excludes_on_encoder(scheme, env, kind, other)


def overlapping(scheme: LockScheme, env: Environment) -> tuple[tuple[str, str], ...]:
    """The pairs of kinds that overlap, in the order of `verify.spec.KINDS`."""
    return tuple((k, n) for k in KINDS for n in KINDS if overlaps(scheme, env, k, n))


def parallel(scheme: LockScheme, env: Environment) -> bool:
    """`parallelCriterion`: whether some two calls do not exclude each other everywhere."""
    kinds = [kind for kind in KINDS if happens(env, kind)]
    return any(not excludes_anywhere(scheme, env, k, n) for k in kinds for n in kinds)


def overlaps_teardown(scheme: LockScheme, env: Environment, kind: str) -> bool:
    """`LockScheme.overlapsTeardown`: whether calls of this kind overlap with some teardown."""
    return any(overlaps(scheme, env, kind, teardown) for teardown in TEARDOWNS)


def steals_blocks(scheme: LockScheme, env: Environment) -> bool:
    """`LockScheme.stealsBlocks`: whether two creates can see one free block."""
    return not env.atomicFreelist and not excludes_anywhere(scheme, env, "create", "create")


def ways(scheme: LockScheme, env: Environment) -> dict[str, tuple[tuple[str, bool], ...]]:
    """`faultCriterion`, one disjunct after another.

    Args:
        scheme: The locks.
        env: The assumptions.

    Returns:
        By fault, in the order of `verify.spec.FAULTS`, what can lead to it: in English, and
        whether this way is open.
    """

    def overlap(kind: str, other: str) -> bool:
        return overlaps(scheme, env, kind, other)

    def torn(kind: str) -> bool:
        return overlaps_teardown(scheme, env, kind)

    race = ("a teardown during an encode on the same encoder", torn("encode"))
    steal = (
        "two creates at once, on whatever encoders, with a freelist that is not atomic",
        steals_blocks(scheme, env),
    )
    unchecked = (
        "a call after a teardown, and a guard that does not check under its locks",
        not scheme.check and (env.handlersTearDown or env.sharedEncoders),
    )
    remade = (
        "a create during an encode and during a teardown that another teardown overlaps",
        overlap("create", "encode")
        and any(overlap("create", teardown) and torn(teardown) for teardown in TEARDOWNS),
    )
    early = ("an encode during a create on the same encoder", overlap("create", "encode"))
    twice = ("a teardown during another teardown on the same encoder", any(map(torn, TEARDOWNS)))
    remakes = ("two creates at once on the same encoder", overlap("create", "create"))
    unmade = ("a teardown during a create on the same encoder", torn("create"))
    encodes = ("two encodes at once on the same encoder", overlap("encode", "encode"))
    released = ("callers that own no reference while they send a message", not env.callersRetain)
    return {
        "nullDeref": (race, unchecked),
        "staleContext": (race, remade, steal),
        "uninitialised": (early,),
        "doubleFree": (twice, steal),
        "lostContext": (remakes,),
        "writeAfterFree": (unmade, steal),
        "encoderOverlap": (encodes,),
        "deadDispatch": (released,),
    }


def faults(scheme: LockScheme, env: Environment) -> tuple[str, ...]:
    """The faults of which `faultCriterion` says that they can be reached.

    Args:
        scheme: The locks.
        env: The assumptions.

    Returns:
        Some of `verify.spec.FAULTS`, in that order; none exactly if `criterion` says safe.
    """
    found = ways(scheme, env)
    return tuple(fault for fault in FAULTS if any(is_open for _, is_open in found[fault]))
