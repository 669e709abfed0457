"""`verify mutate`: the campaign as a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from verify import options
from verify.mutation.campaign import SIDES, Progress
from verify.records.mutate import Group, Mutant, Mutation
from verify.verdict import Verdict


def _sides(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in SIDES:
            raise click.BadParameter(f"{name!r} is no side; use some of {', '.join(SIDES)}")
    return names


def _only(_: click.Context, __: click.Parameter, what: str | None) -> None:
    if what not in (None, "spec"):
        raise click.BadParameter(
            f"{what!r} went away: changes of the model's own rules are tests of this product "
            "(pytest -m slow tests/test_semantic_mutants.py in a checkout)"
        )


@click.command("mutate")
@options.spec
@click.option("--strategy", "strategies", multiple=True, help="Only this one; may be repeated.")
@click.option("--only", callback=_only, expose_value=False, hidden=True)
@click.option(
    "--sides",
    default=",".join(SIDES),
    show_default=True,
    callback=_sides,
    help="Who judges, separated by commas.",
)
@click.option("--quick", is_flag=True, help="A sample of them, the same for the same seed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@click.option("--equivalent", is_flag=True, help="Print equivalent mutants as well.")
@options.engine
@options.json_output
@options.quiet
def command(
    spec: Path | None,
    strategies: tuple[str, ...],
    sides: tuple[str, ...],
    quick: bool,
    seed: int,
    equivalent: bool,
    engine: str,
    json_output: bool,
    quiet: bool,
) -> Verdict:
    """Change one thing at a time; Lean, the explorer and a native run must all see it.

    Exit code 0 if each of them kills every mutant that is not equivalent, 1 if one survives or
    they disagree, 2 if one of them cannot run here.
    """
    from verify import spec as specs
    from verify.mutation.campaign import run
    from verify.render import print_json

    loaded = specs.load(spec)
    with _bar(quiet or json_output) as progress:
        report = run(
            loaded,
            strategies=strategies,
            sides=sides,
            quick=quick,
            seed=seed,
            engine=engine,
            progress=progress,
        )
    if json_output:
        print_json(report)
    else:
        show(report, equivalent=equivalent, quiet=quiet)
    return report.verdict


@contextlib.contextmanager
def _bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar on standard error, on a terminal."""
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from verify.render import console

    columns = (
        TextColumn("mutants"), BarColumn(), MofNCompleteColumn(), TextColumn("judgements"),
        TimeElapsedColumn(),
    )  # fmt: skip
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=console(sys.stderr), transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)


def show(report: Mutation, equivalent: bool = False, quiet: bool = False) -> None:
    """Print a report: a table, what was found, and a line that sums it up.

    Args:
        report: What to print.
        equivalent: Name the equivalent mutants, which nobody can kill.
        quiet: Print no notes.
    """
    from verify.render import note, table

    asked = [side for side in SIDES if report.sides[side].state == "asked"]
    groups = report.groups
    table(
        ("mutants of", "changes", "equivalent", *(f"killed: {s}" for s in asked), "kill rate"),
        [_cells(group, asked) for group in [*groups, *([report.total] if groups else [])]],
    )
    for row in (*report.originals, *report.rows):
        if row.finding is not None:
            note(f"{row.finding}; {_how(row)}")
        elif row.open is not None:
            note(f"{row.name}: not decided: {row.open}")
        elif equivalent and row.equivalent and row.kind != "original":
            words = "" if row.change in row.name else f" ({row.change})"
            note(f"equivalent: {row.name}{words}")
    for name, side in report.sides.items():
        if side.state == "missing":
            note(f"{name} is missing: {side.reason}")
    total = report.total
    if not quiet:
        took = ", ".join(f"{side} {report.sides[side].seconds:.0f} s" for side in asked)
        note(f"at the same time: {took}")
    sample = f" (a sample, --seed {report.seed})" if report.quick else ""
    note(
        f"{report.verdict}: {total.killed_by_all} of {total.mutants - total.equivalent} mutants "
        f"killed by {_and(asked)}, {total.equivalent} equivalent{sample}"
    )


def _cells(group: Group, asked: list[str]) -> tuple[object, ...]:
    rate = group.kill_rate
    return (
        group.group,
        group.mutants,
        group.equivalent,
        *(group.killed.get(side, 0) for side in asked),
        None if rate is None else f"{100 * rate:.0f} %",
    )


def _how(row: Mutant) -> str:
    """How to look at a mutant."""
    strategy = row.name.partition(":")[0]
    if row.kind == "original":
        return f"see verify explain {strategy}"
    return (
        f"change {strategy} in a copy of the spec, then verify prove and verify explore --spec it"
    )


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "nobody"
