"""`verify explore`: the exhaustive bounded search as a command."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verify import options, resources
from verify.children import terminable
from verify.deadlock import ENGLISH, Finding, findings, takes_several
from verify.english import steps_text
from verify.errors import VerifyError
from verify.explore import Exploration, explore
from verify.files import refuse_overwriting, save_file
from verify.question import Limits, Question
from verify.records import explore as records
from verify.records.base import Event
from verify.semantics import Bounds
from verify.spec import FAULTS, Environment, Spec, Strategy, load
from verify.trace import Trace, dump
from verify.verdict import Verdict, agreement, combine

if TYPE_CHECKING:
    from verify.promela import SpinResult


@dataclass(frozen=True)
class Row:
    """One strategy in one environment.

    Attributes:
        strategy, environment: What was explored.
        faults, states, edges, complete, exhausted: As in `Exploration`; edges None: not counted.
        result: All of it, unless the engine was SPIN, which finds no shortest runs.
        verdict: HOLDS if the spec's claims agree with what was seen within the bounds, REFUTED
            if they do not, UNDETERMINED if more would have to be seen; None without a claim.
        reason: What the verdict rests on.
        deadlocks: By policy of the locks, what is known of calls that take several locks, one
            after another; empty where no call does.
    """

    strategy: Strategy
    environment: Environment
    faults: frozenset[str]
    states: int
    edges: int | None
    complete: bool
    exhausted: bool
    result: Exploration | None
    verdict: Verdict | None
    reason: str
    deadlocks: Mapping[str, Finding] = field(default_factory=dict)

    @property
    def deadlock(self) -> bool | None:
        """Whether threads can wait for each other for ever; None where this cannot be said."""
        found = [self.deadlocks[p].free for p in self.strategy.policies if p in self.deadlocks]
        stuck = self.result is not None and self.result.deadlock is not None
        if stuck or False in found:
            return True
        return None if self.result is None or None in found else False

    @property
    def bound_hit(self) -> bool:
        """Whether there may be more to see at this number of threads."""
        return not self.complete or self.exhausted


@dataclass(frozen=True)
class _Options:
    """The command's options that say how to search."""

    threads: int
    encoders: int
    blocks: int
    engine: str
    limits: Limits
    symmetry: bool
    instances: list[Bounds] | None
    quiet: bool
    said: set[str] = field(default_factory=set)
    """Why the native engine cannot search, as far as it has been said."""

    def question(self, strategy: Strategy, environment: Environment) -> Question:
        """What is asked about a strategy."""
        return Question(
            strategy.scheme, environment, self.threads, self.encoders, self.blocks,
            self.instances, self.symmetry, self.limits,
        )  # fmt: skip


strategies_option = click.option(
    "--strategy", "strategies", multiple=True, help="Only this one; may be repeated."
)
environments_option = click.option(
    "--environment",
    "environments",
    multiple=True,
    default=("default",),
    show_default=True,
    help="In this one, or 'all'; may be repeated.",
)


@click.command("explore")
@options.spec
@strategies_option
@environments_option
@click.option("--threads", type=click.IntRange(1, 8), default=2, show_default=True)
@click.option("--encoders", type=click.IntRange(1, 8), default=2, show_default=True)
@click.option(
    "--blocks",
    type=click.IntRange(1, 16),
    help="Context blocks in the driver; by default threads + encoders, then no create runs dry.",
)
@click.option("--streams", help="The stream of each thread, as in 0,0,1; by default all maps.")
@click.option("--homes", help="The owner of each encoder, under confinement; by default all maps.")
@click.option("--queues", help="The queue of each encoder; by default all maps.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "python", "native", "spin"]),
    default="auto",
    show_default=True,
    help="Generated C++ (native), SPIN, or neither compiler nor tool needed (python).",
)
@click.option(
    "--memory",
    type=options.Finite(min=0.001),
    default=4.0,
    show_default=True,
    help="GiB for states.",
)
@click.option(
    "--time",
    "seconds",
    type=options.Finite(min=0.001),
    default=1e9,
    show_default="none",
    help="Seconds for each strategy in an environment.",
)
@click.option("--symmetry", is_flag=True, help="States up to renaming (not for SPIN).")
@click.option("--steps", is_flag=True, help="Print a shortest run to each fault.")
@click.option(
    "--traces",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a shortest run to each fault there, for `verify replay`.",
)
@click.option(
    "--promela",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the models for SPIN there instead, one for each instance.",
)
@click.option(
    "--growth",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Measure growing instances (native engine beside SPIN) instead; write a Markdown table.",
)
@options.json_output
@options.quiet
def command(
    spec: Path | None,
    strategies: tuple[str, ...],
    environments: tuple[str, ...],
    threads: int,
    encoders: int,
    blocks: int | None,
    streams: str | None,
    homes: str | None,
    queues: str | None,
    engine: str,
    memory: float,
    seconds: float,
    symmetry: bool,
    steps: bool,
    traces: Path | None,
    promela: Path | None,
    growth: Path | None,
    json_output: bool,
    quiet: bool,
) -> Verdict:
    """Search every reachable state within bounds, for every fault."""
    refuse_overwriting({"--growth": growth}, {"the spec": spec or resources.shipped_spec()})
    if symmetry and engine == "spin":
        raise VerifyError("--symmetry is not for --engine spin; use --engine native")
    loaded = load(spec)
    blocks = blocks or threads + encoders
    bounds = None
    if streams or homes or queues:
        maps = [_map("streams", streams), _map("homes", homes), _map("queues", queues)]
        try:
            bounds = [Bounds(threads, encoders, blocks, *maps)]
        except ValueError as error:
            raise VerifyError(f"--streams, --homes, --queues: {error}") from None
    limits = Limits(memory=int(memory * (1 << 30)), seconds=seconds)
    how = _Options(threads, encoders, blocks, engine, limits, symmetry, bounds, quiet)
    cells = list(
        itertools.product(
            chosen_strategies(loaded, strategies), chosen_environments(loaded, environments)
        )
    )
    if promela is not None:
        return _export(promela, cells, how)
    with terminable():
        if growth is not None:
            return _growth(growth, cells, how)
        rows = [_row(strategy, environment, how) for strategy, environment in cells]
    if traces is not None:
        _write(traces, rows)
    if json_output:
        from verify.render import print_json

        print_json(_record(rows, how))
    else:
        _print(rows, how, steps)
    return _verdict(rows)


def chosen_strategies(spec: Spec, names: tuple[str, ...]) -> list[Strategy]:
    """What `strategies_option` names; all if it is not given."""
    return [spec.strategy(name) for name in names] or list(spec.strategies)


def chosen_environments(spec: Spec, names: tuple[str, ...]) -> list[Environment]:
    """What `environments_option` names.

    Raises:
        VerifyError: If there is no such environment.
    """
    if "all" in names:
        return list(spec.environments.values())
    for name in names:
        if name not in spec.environments:
            known = ", ".join((*spec.environments, "all"))
            raise VerifyError(f"{spec.path}: unknown environment {name!r}; use one of {known}")
    return [spec.environments[name] for name in names]


def _map(name: str, text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise VerifyError(f"--{name} is {text!r}; give numbers, as in 0,0,1") from None


def _row(strategy: Strategy, environment: Environment, how: _Options) -> Row:
    found: Exploration | SpinResult
    if how.engine == "spin":
        from verify import promela

        found, result = promela.explore(how.question(strategy, environment)), None
        # SPIN does not say; with fewer blocks than these a create may find none.
        edges, exhausted = None, how.blocks < how.threads + how.encoders
    else:
        found = result = _search(strategy, environment, how)
        edges, exhausted = result.edges, result.exhausted is not None
    row = Row(
        strategy, environment, found.faults, found.states, edges, found.complete, exhausted,
        result, None, "", _deadlocks(strategy, environment),
    )  # fmt: skip
    return _judged(row, how.threads < 2)


def _deadlocks(strategy: Strategy, environment: Environment) -> dict[str, Finding]:
    """The search for deadlocks of calls that take one lock after another."""
    if not takes_several(strategy.scheme):
        return {}
    return findings(strategy.scheme, environment)


def _search(strategy: Strategy, environment: Environment, how: _Options) -> Exploration:
    question = how.question(strategy, environment)
    with _progress(f"{strategy.name}, {environment.name}", how.quiet) as report:
        if how.engine != "python":
            from verify import explore_native

            try:
                return explore_native.explore(question, progress=report)
            except explore_native.CANNOT as error:
                if how.engine == "native":
                    raise
                reason = str(error).partition("; ")[0]
                if reason not in how.said:
                    how.said.add(reason)
                    click.echo(f"{reason}: searched in Python instead", err=True)
        return explore(question, progress=report)


def _export(
    directory: Path, cells: Iterable[tuple[Strategy, Environment]], how: _Options
) -> Verdict:
    """Write the models for SPIN; their names on standard output."""
    from verify import promela

    for strategy, environment in cells:
        for number, bounds in enumerate(how.question(strategy, environment).each(), 1):
            path = directory / f"{strategy.name}-{environment.name}-{number}.pml"
            save_file(path, promela.export(strategy.scheme, environment, bounds))
            click.echo(path)
    return Verdict.PASSED


def _growth(file: Path, cells: list[tuple[Strategy, Environment]], how: _Options) -> Verdict:
    """Write the table of growth."""
    if len(cells) != 1:
        raise VerifyError("--growth is about one strategy in one environment; give --strategy NAME")
    from verify import growth
    from verify.render import note, progress

    agree = growth.write(file, *cells[0], how.limits, lambda text: progress(text, how.quiet))
    note(f"{file}: {'the engines agree' if agree else 'THE ENGINES DISAGREE'}")
    return agreement(agree)


@contextlib.contextmanager
def _progress(what: str, quiet: bool) -> Iterator[Any]:
    """A line on the terminal that goes away; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return

    def report(states: int, edges: int, seconds: float) -> None:
        rate = states / max(seconds, 1e-9) / 1e6
        line = f"{what}: {states:,} states, {edges:,} edges, {rate:.1f} M states/s"
        click.echo(f"\r{line:<79}", nl=False, err=True)

    try:
        yield report
    finally:
        click.echo(f"\r{'':79}\r", nl=False, err=True)


def _judged(row: Row, alone: bool) -> Row:
    """The row with its verdict: the claims of the spec are about the default environment.

    A strategy without `expect` is claimed to be safe, as `verify prove` has it.
    """
    verdict, reason = None, ""
    if row.environment.name == "default":
        claims = row.strategy.claims
        parallel = None if row.result is None else row.result.parallel is not None
        known = row.deadlocks
        free_of = {p: known[p].free for p in row.strategy.policies if p in known}
        if claims.safe and row.faults:
            verdict, reason = Verdict.REFUTED, "claimed safe"
        elif claims.parallel is False and parallel:
            verdict, reason = Verdict.REFUTED, "claimed not to let operations overlap"
        elif refuted := [p for p, free in free_of.items() if free is False]:
            verdict, reason = Verdict.REFUTED, f"claimed deadlock-free {ENGLISH[refuted[0]]}"
        elif claims.safe and row.bound_hit:
            verdict, reason = Verdict.UNDETERMINED, "a bound was hit"
        elif alone:
            verdict, reason = Verdict.UNDETERMINED, "one thread meets nobody; use --threads 2"
        elif not claims.safe and not row.faults:
            verdict, reason = Verdict.UNDETERMINED, "claimed unsafe; no fault within the bounds"
        elif claims.fault is not None and claims.fault not in row.faults:
            verdict, reason = Verdict.UNDETERMINED, f"{claims.fault} not within the bounds"
        elif claims.parallel and parallel is False:
            verdict, reason = Verdict.UNDETERMINED, "no overlap within the bounds"
        elif None in free_of.values():
            verdict, reason = Verdict.UNDETERMINED, "locks in no order, and no deadlock found"
        else:
            verdict, reason = Verdict.HOLDS, "as claimed"
    elif row.bound_hit:
        verdict, reason = Verdict.UNDETERMINED, "a bound was hit"
    return replace(row, verdict=verdict, reason=reason)


def _verdict(rows: Sequence[Row]) -> Verdict:
    """The verdict on all rows that have one; without a claim nothing can hold, only pass."""
    return combine([row.verdict for row in rows if row.verdict] or [Verdict.PASSED])


def _faults(row: Row) -> list[str]:
    return [fault for fault in FAULTS if fault in row.faults]


def _counterexamples(row: Row) -> dict[str, Trace]:
    """The shortest runs that are known: memory may not have done for the search that finds them."""
    found = {} if row.result is None else row.result.counterexamples
    return {fault: run for fault, run in found.items() if run.events}


def _print(rows: list[Row], how: _Options, steps: bool) -> None:
    from verify.render import table

    table(
        ("strategy", "environment", "faults (steps)", "overlap", "states", "edges", "claim"),
        [
            (
                row.strategy.name,
                row.environment.name,
                _faults_text(row),
                None if row.result is None else row.result.parallel is not None,
                f"{row.states:,}",
                None if row.edges is None else f"{row.edges:,}",
                None if row.verdict is None else f"{row.verdict} ({row.reason})",
            )
            for row in rows
        ],
        title=f"{how.threads} threads, {how.encoders} encoders, {how.blocks} blocks",
    )
    for row in rows:
        if row.exhausted:
            found = "found" if row.result is not None else "may have found"
            click.echo(
                f"{row.strategy.name}, {row.environment.name}: a create {found} the freelist "
                f"empty; use more than {how.blocks} blocks to see what follows"
            )
        for policy, known in row.deadlocks.items():
            text = _deadlock_text(known, policy)
            click.echo(f"{row.strategy.name}, {row.environment.name}: {text}")
            if known.run is not None:
                of = row.strategy.scheme, row.environment
                for line in (*(known.run.steps(*of) if steps else ()), *known.run.circle(*of)):
                    click.echo(f"  {line}")
        for fault, trace in _counterexamples(row).items() if steps else ():
            click.echo(f"\n{row.strategy.name}, {row.environment.name}: {fault}")
            for line in steps_text(trace, row.strategy.scheme, row.environment):
                click.echo(f"  {line}")


def _deadlock_text(found: Finding, policy: str) -> str:
    """What the search for deadlocks found, for locks of one policy."""
    if found.free is False:
        return f"one lock after another, its calls can deadlock {ENGLISH[policy]}"
    circles = f"no circle of up to {found.threads} threads is a deadlock {ENGLISH[policy]}"
    return circles if found.free else f"{circles}, but its locks are in no order: more threads may"


def _deadlock(row: Row, found: Finding) -> records.Deadlock:
    of = row.strategy.scheme, row.environment
    return records.Deadlock(
        None if found.free is None else not found.free,
        found.threads,
        None if found.run is None else tuple(found.run.steps(*of)),
        None if found.run is None else tuple(found.run.circle(*of)),
    )


def _faults_text(row: Row) -> str:
    found = _counterexamples(row)
    texts = [
        f"{fault} ({len(found[fault].events)})" if fault in found else fault
        for fault in _faults(row)
    ]
    least = "at least " if texts and row.bound_hit else ""
    return least + (", ".join(texts) or ("none so far" if row.bound_hit else "none"))


def _record(rows: Sequence[Row], how: _Options) -> records.Exploration:
    """The result as `--json` prints it."""
    explored = [
        records.Explored(
            strategy=row.strategy.name,
            environment=row.environment.name,
            faults=tuple(_faults(row)),
            counterexamples={
                fault: tuple(Event(*event) for event in trace.events)
                for fault, trace in _counterexamples(row).items()
            },
            parallel=None if row.result is None else row.result.parallel is not None,
            deadlock=row.deadlock,
            deadlocks={policy: _deadlock(row, found) for policy, found in row.deadlocks.items()},
            states=row.states,
            edges=row.edges,
            complete=row.complete,
            exhausted=row.exhausted,
            verdict=row.verdict,
            reason=row.reason,
        )
        for row in rows
    ]
    return records.Exploration(
        _verdict(rows), how.threads, how.encoders, how.blocks, tuple(explored)
    )


def _write(directory: Path, rows: list[Row]) -> None:
    """Write every counterexample, each whole or not at all."""
    for row in rows:
        for fault, trace in _counterexamples(row).items():
            name = f"{row.strategy.name}-{row.environment.name}-{fault}.ndjson"
            save_file(directory / name, dump(row.strategy.name, row.environment.name, trace))
