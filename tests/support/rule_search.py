"""The explorer and the native guard with a rule of the model changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.rule_edits import SHIPPED, SemanticMutant, apply
from verify import resources
from verify.mutation.mutants import claims_of
from verify.mutation.observers import SIZE, Explorer, Guard, Observer, Seen, contradiction
from verify.question import Question
from verify.rules import TABLE
from verify.semantics import Bounds
from verify.spec import KINDS, Environment, LockScheme, Request, Spec, Strategy


class ChangedExplorer(Explorer):
    """The explorer with a rule changed.  The clients are those of the scheme as it is."""

    def __init__(self, mutant: SemanticMutant) -> None:
        super().__init__(TABLE if mutant.table is None else mutant.table(SHIPPED))
        self._mutant = mutant

    def look(self, scheme: LockScheme, environment: Environment, bounds: Bounds) -> Seen:
        """What there is to see in an instance."""
        if self._mutant.scheme is not None:
            scheme = self._mutant.scheme(scheme)
        if self._mutant.environment is not None:
            environment = self._mutant.environment(environment)
        return super().look(scheme, environment, bounds)


def changed_guard(mutant: SemanticMutant, spec: Spec, scratch: Path) -> Guard:
    """The native guard, built below `scratch` with the rule changed."""
    source = scratch / "native"
    shutil.copytree(resources.root() / "native", source)
    apply(mutant.native, source)
    return Guard(spec, source)


def per_queue(scheme: LockScheme) -> bool:
    """Whether each call takes the lock of its queue alone, exclusively.

    Then two calls overlap only if they are on encoders of different queues; that is proved by hand
    (`striped_permits_iff`).
    """
    return all(scheme.locks[kind] == (Request("queue", "exclusive"),) for kind in KINDS)


def contradicted(
    observer: Observer, strategies: Sequence[Strategy], environments: Mapping[str, Environment]
) -> str:
    """The first of all that is claimed of strategies that an observer sees to be false, or ''."""
    default = environments["default"]
    for strategy in strategies:
        scheme = strategy.scheme
        claims = claims_of(strategy, environments)
        difference = contradiction(observer, scheme, claims, environments)
        if difference is not None:
            return f"{strategy.name} in {difference}"
        one_queue = [
            bounds
            for bounds in Question(scheme, default, *SIZE).each()
            if per_queue(scheme) and len(set(bounds.queues)) == 1
        ]
        if any(observer.look(scheme, default, bounds).parallel for bounds in one_queue):
            return f"{strategy.name} in default: with one queue two calls overlap"
    return ""
