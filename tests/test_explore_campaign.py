"""Lean, the explorers and SPIN on every strategy everywhere, and on random schemes.

Lean's answer is about any number of threads, encoders and blocks and comes from the criterion,
evaluated by the kernel; the searches visit every state of 2 x 2 x 2, over all maps of streams,
queues and homes.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from verify import claims, explore_native, project, promela, spec
from verify.claims import Claim
from verify.engines.embedded import EmbeddedEngine
from verify.explore import Exploration, explore
from verify.question import Question
from verify.spec import FAULTS, KINDS, MODES, SCOPES, Environment, LockScheme, Request
from verify.statements import Statement, word

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
RANDOM = 200
SEED = 5
PARTS = 8
"""A part takes minutes; a run that is cut short is resumed with `-k`."""

needs_engines = pytest.mark.skipif(
    any(shutil.which(program) is None for program in ("g++", "spin", "gcc")),
    reason="needs g++, spin and gcc",
)

Cell = tuple[str, LockScheme, Environment]
"""What is compared: a name, and a scheme in an environment."""


def random_scheme(generator: random.Random) -> LockScheme:
    """A scheme whose calls take no lock, one, or several."""
    requests = [Request(scope, mode) for scope in SCOPES for mode in MODES]
    locks = {
        kind: tuple(generator.sample(requests, generator.choice((0, 1, 1, 1, 2, 3))))
        for kind in KINDS
    }
    return LockScheme(locks, generator.random() < 0.7)


def random_cells(count: int, seed: int) -> list[Cell]:
    """So many random schemes, each in a random one of all 32 environments."""
    generator = random.Random(seed)
    cells = []
    for number in range(count):
        scheme = random_scheme(generator)
        env = Environment("any", "", *(generator.random() < 0.7 for _ in range(5)))
        cells.append((f"random{number}", scheme, env))
    return cells


def searched(cells: Sequence[Cell]) -> tuple[list[str], dict[str, Claim], Exploration]:
    """Search each cell with the three engines.

    Returns:
        A line for each disagreement, the claims for Lean, and the sum of what was visited.
    """
    lines = []
    total = Exploration()
    asked = {}
    for name, scheme, env in cells:
        what = f"{name} in {env.name} {env.flags}: {scheme}"
        python = explore(Question(scheme, env, 2, 2, 2))
        native = explore_native.explore(Question(scheme, env, 2, 2, 2))
        spin = promela.explore(
            Question(scheme, env, 2, 2, 2), optimise="-O0", hash_bits=18, depth=1_000_000
        )
        assert python.complete
        assert native.complete
        assert spin.complete
        if (python.states, python.edges) != (native.states, native.edges):
            lines.append(f"{what}: states, edges of Python and native")
        if native.states != spin.states:
            lines.append(f"{what}: states of native and SPIN: {native.states}, {spin.states}")
        if not python.faults == native.faults == spin.faults:
            faults = python.faults, native.faults, spin.faults
            lines.append(f"{what}: faults of Python, native and SPIN: {faults}")
        total.states += native.states
        total.edges += native.edges
        total.instances += native.instances
        listed = ", ".join(f".{fault}" for fault in FAULTS if fault in native.faults)
        statement = Statement(
            f"{word('ExactFaults')} {claims.environment_literal(env)} "
            f"{claims.scheme_literal(scheme)} [{listed}]"
        )
        asked[what] = Claim(name, "faults", None, claims.GATE, statement, what, env.name)
    return lines, asked, total


@pytest.mark.slow
@pytest.mark.timeout(7200)
@needs_engines
@pytest.mark.parametrize("part", range(PARTS))
def test_four_judges_on_the_strategies_and_on_random_schemes(
    engine: EmbeddedEngine, part: int
) -> None:
    shipped = itertools.product(SHIPPED.strategies, SHIPPED.environments.values())
    every = [(strategy.name, strategy.scheme, env) for strategy, env in shipped]
    assert len(every) >= 60
    every += random_cells(RANDOM, SEED)
    assert sum(len(locks) > 1 for _, s, _ in every for locks in s.locks.values()) > 200
    size = -(-len(every) // PARTS)
    cells = every[part * size : (part + 1) * size]
    lines, asked, total = searched(cells)
    assert lines == []
    assert len(asked) == len(cells)
    assert project.confirmed(engine, asked) == set(asked)
    sys.stdout.write(
        f"{len(cells)} cells, {len(total.instances)} instances, {total.states} states, "
        f"{total.edges} edges\n"
    )


@pytest.mark.slow
def test_lean_does_not_accept_another_fault_set(engine: EmbeddedEngine) -> None:
    strategy = SHIPPED.strategy("rwLock")
    cells = [(strategy.name, strategy.scheme, SHIPPED.environments["default"])]
    _, asked, _ = searched(cells)
    ((what, right),) = asked.items()
    wrong = dataclasses.replace(
        right, statement=Statement(right.statement.replace("[.encoderOverlap]", "[]"))
    )
    assert wrong != right
    assert project.confirmed(engine, {what: wrong}) == set()


@needs_engines
def test_a_search_that_forgets_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: right on one cell, and red when an engine is wrong."""
    strategy = SHIPPED.strategy("rwLock")
    cells = [(strategy.name, strategy.scheme, SHIPPED.environments["default"])]
    lines, _, total = searched(cells)
    assert lines == []
    assert total.states == 8408
    honest = explore_native.explore

    def forgetful(*arguments: Any) -> Exploration:
        found = honest(*arguments)
        found.counterexamples.clear()
        found.states += 1
        return found

    monkeypatch.setattr(explore_native, "explore", forgetful)
    lines, _, _ = searched(cells)
    for text in ("edges of Python and native", "states of native and SPIN", "faults of Python"):
        assert any(text in line for line in lines), text
