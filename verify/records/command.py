"""`verify schema`: the published form of what the commands print."""

from __future__ import annotations

import click

from verify.records import MODELS, schema
from verify.render import print_json


@click.command("schema")
@click.argument("result", metavar="COMMAND", type=click.Choice(list(MODELS)))
def command(result: str) -> None:
    """Print the JSON schema of what COMMAND prints with --json, if it could do its work.

    A command that cannot begin prints an object with the keys verdict and error instead.
    """
    print_json(schema(result))
