"""What a person sees: tables, steps, progress, JSON.

Colour is used on a terminal only, and not with NO_COLOR set (rich sees to both).
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from verify.errors import short
from verify.records.base import Record, as_json
from verify.verdict import Verdict

_BAD_STYLES = {
    Verdict.REFUTED: "bold red",
    Verdict.UNDETERMINED: "yellow",
    Verdict.ERROR: "bold red",
}
_STYLES = {verdict.value: _BAD_STYLES.get(verdict, "green") for verdict in Verdict}
_FILE_WIDTH = 200
"""Columns for output that goes to a file or a log, where folded names cannot be searched for."""


class _Console(Console):
    """A console that leaves a broken pipe to the command line, which knows the exit code."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def console(stream: TextIO | None = None) -> Console:
    """A console that leaves words alone: no markup, no emoji, no highlighting of numbers.

    Args:
        stream: Where it writes; None for standard output.
    """
    stream = stream or sys.stdout
    width = None if stream.isatty() else max(_FILE_WIDTH, shutil.get_terminal_size().columns)
    return _Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a table to standard output.

    Args:
        columns: The headings.
        rows: One cell a column.  True, False and None are shown as yes, no and a dash; tuples as
            lines; verdicts in their colour; everything else as its text, whatever it holds.
        title: A line above the table.
    """
    grid = Table(*columns, box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    console().print(grid)


def _cell(value: object) -> Text:
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, tuple):
        return Text("\n".join(printable(str(part)) for part in value))
    text = printable(str(value))
    return Text(text, style=_STYLES.get(text, ""))


def printable(text: str) -> str:
    """The text with control and format characters escaped; a spec's English may hold any."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def steps(title: str, lines: Sequence[str]) -> None:
    """Print a counterexample: a title, then its steps, numbered from 1."""
    click.echo(printable(title))
    width = len(str(len(lines)))
    for number, line in enumerate(lines, start=1):
        click.echo(f"  {number:>{width}}. {printable(line)}")


def plain(title: str, lines: Sequence[str]) -> None:
    """Print a title and lines that carry their own numbers."""
    click.echo(printable(title))
    for line in lines:
        click.echo(f"  {printable(line)}")


def note(text: str) -> None:
    """Print one line of the result to standard output; a long one is shortened in the middle."""
    click.echo(short(printable(" ".join(text.split()))))


def progress(message: str, quiet: bool = False) -> None:
    """Print a progress line to standard error, which leaves standard output to the result."""
    if not quiet:
        click.echo(printable(message), err=True)


def print_json(value: Mapping[str, object] | Record) -> None:
    """Print one JSON object to standard output, in ASCII: readable under every locale."""
    click.echo(json.dumps(as_json(value), indent=2, ensure_ascii=True, allow_nan=False))
