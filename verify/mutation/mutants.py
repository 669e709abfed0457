"""Mutants as data: what can be changed in a spec, and what a changed rule looks like.

A *spec mutant* is a strategy with one lock, one check or one claim changed; there are as many as
the spec has places, for any user's spec.  A *semantic mutant* (`verify.mutation.semantic` lists
them) is one rule of the model changed, in each place where that rule is written down.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verify import criterion, rules
from verify.rules import Rule
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

# --- Spec mutants ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claims:
    """What is claimed of a strategy; None and absence claim nothing.

    Attributes:
        safe: In the default environment, it has no fault (False: it has one).
        fault: In the default environment, this one can be reached.
        race: `nullDeref` can be reached by a teardown between a load and its use.
        parallel: In the default environment, two operations can overlap (False: none can).
        faults: The exact set of reachable faults, by the name of the environment.
        one_queue: The same as `parallel` for the clients whose encoders are all in one queue.
    """

    safe: bool | None = None
    fault: str | None = None
    race: bool = False
    parallel: bool | None = None
    faults: Mapping[str, frozenset[str]] = field(default_factory=dict)
    one_queue: bool | None = None

    def __hash__(self) -> int:
        faults = tuple(sorted((name, tuple(sorted(f))) for name, f in self.faults.items()))
        return hash((self.safe, self.fault, self.race, self.parallel, faults, self.one_queue))

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
            and other.one_queue in (None, self.one_queue)
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


def claims_about_rules(strategy: Strategy, environments: Mapping[str, Environment]) -> Claims:
    """What a changed rule is held against: the same, and what is proved by hand about queues.

    A scheme each of whose calls takes the lock of its queue alone, exclusively, lets two calls
    overlap only if they are on encoders of different queues (`striped_permits_iff`).
    """
    alone = (Request("queue", "exclusive"),)
    serial = all(strategy.scheme.locks[kind] == alone for kind in KINDS)
    found = claims_of(strategy, environments)
    return dataclasses.replace(found, one_queue=False) if serial else found


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


# --- Semantic mutants -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """A replacement in a source file: `old` occurs in it exactly once.

    Attributes:
        file: Below `MPSVerify/Spec` or below `native`.
        old, new: Texts.
    """

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with the change.

        Raises:
            ValueError: If the place is not there, or not the only one.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {text.count(self.old)} places read {self.old!r}")
        return text.replace(self.old, self.new)


def apply(edits: Iterable[Edit], root: Path) -> None:
    """Change files in place.

    Args:
        edits: The changes, in order.
        root: The directory that their paths are relative to.

    Raises:
        ValueError: If a place is not there, or not the only one.
    """
    for edit in edits:
        path = root / edit.file
        path.write_text(edit.apply(path.read_text(encoding="utf-8")), encoding="utf-8")


class Table(rules.Table):
    """The rules of a model, and ways to have others."""

    def change(
        self, event: str, kind: str | None = None, source: str | None = None,
        target: str | None = None, **changes: object,
    ) -> Table:  # fmt: skip
        """The table with other fields in the rules of an event.

        Args:
            event: Their name.
            kind: Only the rules of this kind of operation.
            source, target: Only those from and to these program points.
            changes: New values of fields; a function gets the old value.

        Raises:
            ValueError: If there is no such rule: the change would change nothing.
        """
        found = 0
        rules = []
        for rule in self.rules:
            wanted = (
                rule.event == event
                and (kind is None or kind in rule.kinds)
                and source in (None, rule.source)
                and target in (None, rule.target)
            )
            found += wanted
            values = {
                name: value(getattr(rule, name)) if callable(value) else value
                for name, value in changes.items()
            }
            rules.append(dataclasses.replace(rule, **values) if wanted else rule)  # type: ignore[arg-type]  # values have the fields' types
        if not found:
            raise ValueError(f"the table has no such rule: {event} {kind} {source} {target}")
        return dataclasses.replace(self, rules=tuple(rules))

    def add(self, *rules: Rule) -> Table:
        """The table with more rules."""
        return dataclasses.replace(self, rules=(*self.rules, *rules))

    def without(self, event: str, kind: str) -> Table:
        """The table without the rules of an event of a kind of operation."""
        kept = tuple(r for r in self.rules if r.event != event or kind not in r.kinds)
        return dataclasses.replace(self, rules=kept)

    def never(self, fault: str) -> Table:
        """The table without a fault.

        Raises:
            ValueError: If there is no such fault.
        """
        kept = tuple(rule for rule in self.faults if rule.fault != fault)
        if kept == self.faults:
            raise ValueError(f"the table has no fault {fault}")
        return dataclasses.replace(self, faults=kept)


SHIPPED = Table(rules.RULES, rules.FAULT_RULES)
"""The rules as they are."""


@dataclass(frozen=True)
class SemanticMutant:
    """A changed rule.

    Attributes:
        name: A plain identifier.
        english: What is different.
        lean: The change below `MPSVerify/Spec`.
        table: The same change of the table of micro-steps; None if the table does not have the
            rule (then `scheme` or `environment` has it) or nothing else than Lean does.
        scheme, environment: The rules that are no micro-steps, what excludes what and who takes
            locks: a change of what they are asked about that amounts to the same, for the same
            clients.
        native: The same change below `native`; empty if it cannot be made there.
        reason: Why a side cannot express it.
    """

    name: str
    english: str
    lean: tuple[Edit, ...]
    table: Callable[[Table], Table] | None = None
    scheme: Callable[[LockScheme], LockScheme] | None = None
    environment: Callable[[Environment], Environment] | None = None
    native: tuple[Edit, ...] = ()
    reason: str = ""

    @property
    def searchable(self) -> bool:
        """Whether the explorer has the rule; if not, it is one of the criteria."""
        return (self.table or self.scheme or self.environment) is not None

    @property
    def group(self) -> str:
        """`rule`, or `criterion` for what describes the system and is no part of it."""
        return "rule" if self.searchable else "criterion"
