"""`verify crosscheck`: the model's runs on the native guard, and the guard's runs in the kernel.

Forwards, the deterministic scheduler makes the real guard and the fake driver do what the model
does, step by step, with the same state after each: a shortest run to each reachable fault, which
must end in that fault, and a set of runs that take every step of every reachable state, up to
renaming blocks.  Backwards, runs of the guard under random schedules are recorded and replayed by
Lean's kernel.  What the native side can do beyond the model `verify stress --coverage` finds.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import click

from verify import options
from verify import spec as specs
from verify.engines.base import Engine
from verify.english import event_text
from verify.errors import EngineMissing, VerifyError
from verify.explore import Exploration, explore
from verify.explore_cli import (
    chosen_environments,
    chosen_strategies,
    environments_option,
    strategies_option,
)
from verify.library import Library, load_library
from verify.lockstep import DivergenceError, Lockstep, Memo
from verify.packed import PackedModel
from verify.question import Question
from verify.rules import CRASHING
from verify.semantics import Bounds, Event, Model
from verify.session import Session
from verify.spec import KINDS, Environment, Spec, Strategy
from verify.symmetry import block_renaming
from verify.trace import Recorded, Trace
from verify.verdict import Verdict, agreement, combine
from verify.walk import Walk, follow

Sizes: TypeAlias = tuple[int, int, int]
"""Numbers of threads, encoders and blocks."""

SIZES: Sizes = (2, 2, 3)
"""Of the instances whose steps are all driven."""

LENGTH = 200
"""Steps of a recorded run, at most: a client that has released its encoders is done."""


# --- From the model to the native side ------------------------------------------------------------


def covering_runs(packed: PackedModel, graph: Quotient) -> Iterator[tuple[Event, ...]]:
    """Runs that together take every step of every reachable state, up to renaming blocks.

    A run goes to the first state with a step that none has taken, takes it, and goes on to the
    next such step as long as there is one nearby.

    Args:
        packed: The model.
        graph: Of the model.

    Returns:
        The runs, each from the initial state, computed one by one.
    """
    left = {node: set(range(len(steps))) for node, steps in graph.steps.items()}
    for target in graph.steps:  # breadth first
        while left[target]:
            events, here = [], packed.initial
            way = [*graph.way_from_start(target), min(left[target])]
            while way:
                for choice in way:
                    node, names = graph.place(here)
                    left[node].discard(choice)
                    event = _renamed(graph.steps[node][choice][0], names.__getitem__)
                    here = next(after for after, label in packed.expand(here)[0] if label == event)
                    events.append(event)
                way = graph.way_nearby(graph.place(here)[0], left)
            yield tuple(events)


def _renamed(event: Event, name: Callable[[int], int]) -> Event:
    return event if event.b is None else event._replace(b=name(event.b))


class Quotient:
    """The reachable states up to renaming blocks.

    Args:
        packed: The model.

    Attributes:
        steps: For each representative, breadth first, its steps: the event, and the
            representative after it.
    """

    _NEARBY = 300
    """Representatives that `way_nearby` looks at: starting again is cheaper than a long search."""

    def __init__(self, packed: PackedModel) -> None:
        self._rename = block_renaming(packed)
        self.steps: dict[int, list[tuple[Event, int]]] = {}
        self._walk = Walk(packed.initial)
        for node in self._walk:
            found = [(event, self.place(after)[0]) for after, event in packed.expand(node)[0]]
            self.steps[node] = found
            self._walk.reach(node, (after for _, after in found))

    def place(self, word: int) -> tuple[int, tuple[int, ...]]:
        """The representative of a state, and for each of its blocks the state's name of it."""
        return self._rename(word)

    def way_from_start(self, node: int) -> list[int]:
        """The choices that lead from the initial state to one."""
        return self._choices(self._walk.way(node))

    def way_nearby(self, node: int, left: dict[int, set[int]]) -> list[int]:
        """The choices that lead to the nearest step that is left; none if it is far."""
        walk = Walk(node)
        for here in walk:
            if len(walk) >= self._NEARBY:
                break
            if left[here]:
                return [*self._choices(walk.way(here)), min(left[here])]
            walk.reach(here, (after for _, after in self.steps[here]))
        return []

    def _choices(self, way: Sequence[int]) -> list[int]:
        def steps(node: int) -> Iterator[tuple[int, int]]:
            return ((after, choice) for choice, (_, after) in enumerate(self.steps[node]))

        return follow(way, steps)[0]


@dataclass
class Driven:
    """What became of the model's runs on the native side.

    Attributes:
        faults: The reachable faults whose shortest run ended in that fault.
        runs, steps: Covering runs and their steps.
        covered, edges: Steps of the model (up to renaming blocks) that were taken, and all.
        problems: What differed, a line each.
    """

    faults: list[str] = field(default_factory=list)
    runs: int = 0
    steps: int = 0
    covered: int = 0
    edges: int = 0
    problems: list[str] = field(default_factory=list)


def drive_counterexamples(
    library: Library, strategy: Strategy, env: Environment, found: Exploration
) -> Driven:
    """Make the native side follow each counterexample of a search, to the same fault."""
    result = Driven()
    for fault, run in found.counterexamples.items():
        with Session(library, strategy.scheme, env, run.bounds) as session:
            pair = Lockstep(session, Model(strategy.scheme, env, run.bounds))
            problem = _follow(pair, run.events)
            if problem is None and run.fault is not None:
                problem = _ends_in(pair, run.fault.t, fault)
        if problem is None:
            result.faults.append(fault)
        else:
            result.problems.append(f"the shortest run to {fault}: {problem}")
    return result


def drive_edges(
    library: Library, strategy: Strategy, env: Environment, sizes: Sizes = SIZES
) -> Driven:
    """Make the native side take every step of the model, in every instance of that size.

    What was covered is counted in the native side's own states and events.
    """
    result = Driven()
    for bounds in Question(strategy.scheme, env, *sizes).each():
        if result.problems:  # each would show them again
            break
        _drive_instance(library, PackedModel(strategy.scheme, env, bounds), result)
    return result


def _drive_instance(library: Library, packed: PackedModel, result: Driven) -> None:
    graph = Quotient(packed)
    wanted = {(node, event) for node, steps in graph.steps.items() for event, _ in steps}
    covered: set[tuple[int, Event]] = set()
    memo: Memo = {}
    model = packed.model
    with Session(library, model.scheme, model.env, packed.bounds) as session:
        for run in covering_runs(packed, graph):
            session.reset()
            pair = Lockstep(session, model, memo)
            before = packed.packing.pack(session.state())
            result.runs += 1
            for event in run:
                problem = _follow(pair, [event])
                if problem is not None:
                    result.problems.append(f"after {pair.schedule()}: {problem}")
                    return
                node, names = graph.place(before)
                done = pair.events[-1]
                covered.add((node, _renamed(done, names.index)))
                before = packed.packing.pack(session.state())
                result.steps += 1
    result.edges += len(wanted)
    result.covered += len(covered & wanted)
    if not wanted <= covered:
        missing = min(wanted - covered, key=str)
        result.problems.append(f"never taken: {event_text(missing[1])}")


def _follow(pair: Lockstep, events: Sequence[Event]) -> str | None:
    """Do what the events say; None, or what went wrong."""
    for event in events:
        before = len(pair.events)
        try:
            if event.t is None:
                result = pair.drop(event.e)
            elif event.event == "dispatch":
                result = pair.dispatch(event.t, event.kind or "", event.e)
            else:
                picks = event.event in ("pop", "peek")
                result = pair.step(event.t, event.b if picks else None)
        except DivergenceError as divergence:
            return "; ".join(divergence.lines())
        if pair.events[before:] != [event]:
            return f"no such native step ({result.word}): {event_text(event)}"
    return None


def _ends_in(pair: Lockstep, thread: int, fault: str) -> str | None:
    """Whether the native side shows a fault; None, or what it shows."""
    if fault in CRASHING:
        try:
            pair.step(thread)
        except DivergenceError as divergence:
            return "; ".join(divergence.lines())
    shown = pair.session.faults()
    return None if fault in shown else f"the native side shows {sorted(shown) or 'no fault'}"


# --- From the native side to the kernel -----------------------------------------------------------


def random_run(
    library: Library, strategy: Strategy, env: Environment, bounds: Bounds, seed: int
) -> Trace:
    """Run random operations under a random schedule on the native side, and record them.

    Args:
        library, strategy, env, bounds: What runs.
        seed: Of the choices; the same seed, the same run.

    Raises:
        VerifyError: If nothing could be run.
    """
    generator = random.Random(seed)  # noqa: S311  # no secret
    calls = list(itertools.product(range(bounds.threads), KINDS, range(bounds.encoders)))
    with Session(library, strategy.scheme, env, bounds) as session:
        for _ in range(LENGTH):
            # Mostly work; a client that releases its encoders early has nothing left to do.
            if generator.random() < 0.01:
                session.drop(generator.randrange(bounds.encoders))
            possible = [call for call in calls if session.can_dispatch(*call)]
            if possible and generator.random() < 0.3:
                session.dispatch(*generator.choice(possible))
            else:
                thread = generator.randrange(bounds.threads)
                choices = session.choices(thread)
                session.step(thread, generator.choice(choices) if choices else None)
        events = session.trace()
    if not events:
        raise VerifyError(f"{strategy.name} in {env.name}: the native side did nothing")
    return Trace(bounds, tuple(events))


def replay_runs(
    runs: Sequence[Trace], strategy: Strategy, env: Environment, engine: Engine
) -> tuple[int, list[str]]:
    """Let Lean's kernel replay recorded runs.

    Returns:
        How many events it accepted, and a line for each run that it did not accept.
    """
    from verify.replay import replay

    accepted, problems = 0, []
    for number, run in enumerate(runs):
        result = replay(Recorded(strategy.name, env.name, run), strategy.scheme, env, engine)
        accepted += result.events
        if result.verdict is not Verdict.PROVED:
            problems.append(f"native run {number}: {result.verdict}: {result.reason}")
    return accepted, problems


# --- The command ----------------------------------------------------------------------------------


@dataclass
class Row:
    """What was found about a strategy in an environment.

    Attributes:
        strategy, environment: Names.
        examples: From `drive_counterexamples`.
        driven: From `drive_edges`; None if only the counterexamples were driven.
        replayed: Native events that the kernel accepted; None if it was not asked.
        problems: All that differed.
    """

    strategy: str
    environment: str
    examples: Driven
    driven: Driven | None
    replayed: int | None
    problems: list[str]

    @property
    def verdict(self) -> Verdict:
        """AGREES if something was compared and nothing differed."""
        driven = self.driven is not None and self.driven.steps > 0
        compared = bool(self.examples.faults or driven or self.replayed)
        return agreement(False if self.problems else compared or None)


def cross_check(
    spec: Spec,
    strategy: Strategy,
    env: Environment,
    *,
    edges: bool = True,
    runs: int = 0,
    seed: int = 1,
    engine: Engine | None = None,
    source: Path | None = None,
) -> Row:
    """Compare the model and the native guard in both directions.

    Args:
        spec: Where the strategy is from.
        strategy, env: What to compare.
        edges: Whether to drive every step at `SIZES`.
        runs: How many native runs the kernel replays, if there is an engine.
        seed: Of those runs.
        engine: For Lean; None replays nothing.
        source: A directory like `native/`; None for the shipped one.

    Raises:
        EngineMissing: There is no compiler.
    """
    library = load_library(spec, source)
    examples = drive_counterexamples(
        library, strategy, env, explore(Question(strategy.scheme, env))
    )
    driven = drive_edges(library, strategy, env) if edges else None
    problems = [*examples.problems, *(driven.problems if driven else ())]
    replayed = None
    if engine is not None and runs:
        traces = [random_run(library, strategy, env, Bounds(*SIZES), seed + i) for i in range(runs)]
        replayed, more = replay_runs(traces, strategy, env, engine)
        problems += more
    return Row(strategy.name, env.name, examples, driven, replayed, problems)


@click.command("crosscheck")
@options.spec
@strategies_option
@environments_option
@click.option(
    "--runs",
    type=click.IntRange(0, 1000),
    default=1,
    show_default=True,
    help="Random native runs that Lean's kernel replays, for each strategy and environment.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of those runs.")
@click.option("--quick", is_flag=True, help="Counterexamples only, not every step.")
@options.engine
@options.json_output
@options.quiet
def command(
    spec: Path | None,
    strategies: tuple[str, ...],
    environments: tuple[str, ...],
    runs: int,
    seed: int,
    quick: bool,
    engine: str,
    json_output: bool,
    quiet: bool,
) -> Verdict:
    """Drive the native guard along the model, and replay its runs in Lean's kernel."""
    from verify import render
    from verify.prove import choose_engine

    loaded = specs.load(spec)
    lean: Engine | None = None
    missing = ""
    if runs:
        try:
            lean = choose_engine(engine)
        except EngineMissing as error:
            missing = str(error)
    rows = []
    for strategy in chosen_strategies(loaded, strategies):
        for env in chosen_environments(loaded, environments):
            render.progress(f"{strategy.name}, {env.name}", quiet or not sys.stderr.isatty())
            rows.append(
                cross_check(
                    loaded, strategy, env, edges=not quick, runs=runs, seed=seed, engine=lean
                )
            )
    verdict = combine([*(row.verdict for row in rows), *([Verdict.UNDETERMINED] * bool(missing))])
    if json_output:
        render.print_json(
            {"verdict": verdict.value, "missing": missing, "rows": [_json(row) for row in rows]}
        )
        return verdict
    render.table(
        ("strategy", "environment", "faults", "steps covered", "runs", "replayed", "verdict"),
        [
            (
                row.strategy,
                row.environment,
                len(row.examples.faults),
                None if row.driven is None else f"{row.driven.covered} of {row.driven.edges}",
                None if row.driven is None else row.driven.runs,
                row.replayed,
                row.verdict,
            )
            for row in rows
        ],
        title=f"model and native guard, {Bounds(*SIZES)}",
    )
    for row in rows:
        for problem in row.problems:
            render.note(f"{row.strategy}, {row.environment}: {problem}")
    if missing:
        render.note(f"no native run was replayed: {missing}")
    return verdict


def _json(row: Row) -> dict[str, object]:
    driven = row.driven
    return {
        "strategy": row.strategy,
        "environment": row.environment,
        "verdict": row.verdict.value,
        "faults": row.examples.faults,
        "edges": None if driven is None else driven.edges,
        "covered": None if driven is None else driven.covered,
        "runs": None if driven is None else driven.runs,
        "steps": None if driven is None else driven.steps,
        "replayed": row.replayed,
        "problems": row.problems,
    }
