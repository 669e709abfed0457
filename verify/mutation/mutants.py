"""Mutants as data: a strategy with one lock, one check or one claim changed.

There are as many as the spec has places, for any user's spec.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from verify import criterion
from verify.spec import (
    FAULTS,
    KINDS,
    MODES,
    SCOPES,
    Environment,
    LockScheme,
    Request,
    Spec,
    Strategy,
)

Requests = tuple[Request, ...]


@dataclass(frozen=True)
class Claims:
    """What is claimed of a strategy; None and absence claim nothing.

    Attributes:
        safe: In the default environment, it has no fault (False: it has one).
        fault: In the default environment, this one can be reached.
        race: `nullDeref` can be reached by a teardown between a load and its use.
        parallel: In the default environment, two operations can overlap (False: none can).
        faults: The exact set of reachable faults, by the name of the environment.
    """

    safe: bool | None = None
    fault: str | None = None
    race: bool = False
    parallel: bool | None = None
    faults: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        faults = tuple(sorted((name, tuple(sorted(f))) for name, f in self.faults.items()))
        return hash((self.safe, self.fault, self.race, self.parallel, faults))

    def imply(self, other: Claims) -> bool:
        """Whether other claims hold where these exact fault sets, and this `parallel`, do.

        A race is taken to be there where `nullDeref` and `staleContext` are.
        """
        default = self.faults["default"]
        return (
            other.safe in (None, not default)
            and (other.fault is None or other.fault in default)
            and (not other.race or {"nullDeref", "staleContext"} <= default)
            and other.parallel in (None, self.parallel)
            and all(self.faults[name] == faults for name, faults in other.faults.items())
        )


@dataclass(frozen=True)
class SpecMutant:
    """A strategy with one change.

    Attributes:
        strategy: The name of the original.
        group: `scheme` (another lock or check under the old claims) or `claim` (another claim
            about the old locks).
        change: What is different, in words: unique among the mutants of a strategy.
        scheme: The locks.
        claims: What they are held against.
    """

    strategy: str
    group: str
    change: str
    scheme: LockScheme
    claims: Claims

    @property
    def name(self) -> str:
        """`STRATEGY: CHANGE`."""
        return f"{self.strategy}: {self.change}"


def claims_of(strategy: Strategy, environments: Mapping[str, Environment]) -> Claims:
    """All that the gate states about a strategy: its claims, and its exact faults everywhere.

    The exact sets are those of the matrix that `verify prove` proves; what the spec says nothing
    about (`parallel`) is claimed as the gate claims it.
    """
    written, facts = strategy.claims, claims_of_scheme(strategy.scheme, environments)
    parallel = facts.parallel if written.parallel is None else written.parallel
    return Claims(written.safe, written.fault, written.race, parallel, facts.faults)


def claims_of_scheme(scheme: LockScheme, environments: Mapping[str, Environment]) -> Claims:
    """What the proved law says about a scheme, evaluated in Python: claims, to be judged."""
    faults = {
        name: frozenset(criterion.faults(scheme, environment))
        for name, environment in environments.items()
    }
    parallel = criterion.parallel(scheme, environments["default"])
    return Claims(parallel=parallel, faults=faults)


def schemes(scheme: LockScheme) -> Iterator[tuple[str, LockScheme]]:
    """Every scheme that differs from this one in one place, with the difference in words.

    The places: each lock of each kind (another scope, another mode, none; a lock where there was
    none), the order of two locks of a list that follow each other, and the liveness check.
    """
    for kind in KINDS:
        for words, requests in _lists(scheme.locks[kind]):
            yield f"{kind} {words}", LockScheme({**scheme.locks, kind: requests}, scheme.check)
    words = "no liveness check" if scheme.check else "a liveness check"
    yield words, LockScheme(scheme.locks, not scheme.check)


def _lists(old: Requests) -> Iterator[tuple[str, Requests]]:
    every = [Request(scope, mode) for scope, mode in itertools.product(SCOPES, MODES)]
    if not old:
        yield from ((f"takes {request}", (request,)) for request in every)
    for i, request in enumerate(old):
        others = old[:i] + old[i + 1 :]
        for new in every:
            # A list names each scope once.
            if new != request and new.scope not in [other.scope for other in others]:
                yield f"takes {new}, not {request}", (*old[:i], new, *old[i + 1 :])
        yield f"does not take {request}", others
    for i in range(len(old) - 1):
        a, b = old[i : i + 2]
        yield f"takes {b} before {a}", (*old[:i], b, a, *old[i + 2 :])


def flips(claims: Claims) -> Iterator[tuple[str, Claims]]:
    """Every single claim that says the opposite, or names another fault, with it in words."""
    if claims.safe is not None:
        yield f"claimed {'unsafe' if claims.safe else 'safe'}", Claims(safe=not claims.safe)
    if claims.parallel is not None:
        word = "sequential" if claims.parallel else "parallel"
        yield f"claimed {word}", Claims(parallel=not claims.parallel)
    if claims.fault is not None:
        for fault in FAULTS:
            if fault != claims.fault:
                yield f"claimed to reach {fault}", Claims(fault=fault)
    if not claims.race:
        yield "claimed to have the teardown race", Claims(race=True)
    for name, faults in claims.faults.items():
        for fault in FAULTS:
            words = "not to reach" if fault in faults else "to reach"
            yield f"in {name} claimed {words} {fault}", Claims(faults={name: faults ^ {fault}})


def of_strategy(strategy: Strategy, environments: Mapping[str, Environment]) -> list[SpecMutant]:
    """All mutants of a strategy.

    Args:
        strategy: From a spec.
        environments: Those of the spec.
    """
    claims = claims_of(strategy, environments)
    changed = [
        SpecMutant(strategy.name, "scheme", words, scheme, claims)
        for words, scheme in schemes(strategy.scheme)
    ]
    flipped = [
        SpecMutant(strategy.name, "claim", words, strategy.scheme, other)
        for words, other in flips(claims)
    ]
    return changed + flipped


def originals(spec: Spec, environments: Iterable[str] | None = None) -> list[SpecMutant]:
    """The strategies as they are: if these do not hold, their mutants say nothing.

    Args:
        spec: Its strategies.
        environments: Names of those in which exact fault sets are claimed; all by default.
    """
    names = list(spec.environments if environments is None else environments)
    chosen = {name: spec.environments[name] for name in names}
    return [
        SpecMutant(s.name, "original", "as it is", s.scheme, claims_of(s, chosen))
        for s in spec.strategies
    ]
