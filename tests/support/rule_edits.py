"""How a rule of the model is changed, in each place where it is written down.

A rule is written down three times, on purpose: as an inductive rule in `MPSVerify/Spec`, as a row
of the table in `verify/rules.py` (from which the explorers are made) and as the code of the
native guard and of the driver that it is tried on.  A semantic mutant (`rule_mutants` lists them)
is the same change of all three.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from verify import rules
from verify.rules import Atom, Rule, Test
from verify.spec import Environment, LockScheme, Request


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


# --- Changes in short ----------------------------------------------------------------------------


def body(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Body.lean", old, new),)


def step(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Step.lean", old, new),)


def criterion(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Criterion.lean", old, new),)


def native(file: str, *places: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple(Edit(file, old, new) for old, new in places)


def without(*atoms: Atom) -> object:
    """A change of a guard: these tests are not made."""
    return lambda guard: tuple(test for test in guard if test.atom not in atoms)


def with_more(*tests: Test) -> object:
    """A change of a guard: these tests are made as well."""
    return lambda guard: (*guard, *tests)


def everything_exclusive(scheme: LockScheme) -> LockScheme:
    """Shared requests as exclusive ones."""
    locks = {
        kind: tuple(Request(request.scope, "exclusive") for request in requests)
        for kind, requests in scheme.locks.items()
    }
    return LockScheme(locks, scheme.check)


def for_queue(scope: str) -> Callable[[LockScheme], LockScheme]:
    """Another lock where a call takes that of its queue."""

    def changed(scheme: LockScheme) -> LockScheme:
        locks = {
            kind: tuple(
                Request(scope if request.scope == "queue" else request.scope, request.mode)
                for request in requests
            )
            for kind, requests in scheme.locks.items()
        }
        return LockScheme(locks, scheme.check)

    return changed


def intercepted(environment: Environment) -> Environment:
    """Handlers are intercepted."""
    return dataclasses.replace(environment, handlersIntercepted=True)
