"""`verify completion`: the script that lets a shell complete this program's words."""

from __future__ import annotations

from typing import Final

import click

_EPILOG: Final = """\b
Examples:
  verify completion bash > ~/.local/share/bash-completion/completions/verify
  verify completion zsh > ~/.zfunc/_verify         with ~/.zfunc in fpath
  verify completion fish > ~/.config/fish/completions/verify.fish
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from verify import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise RuntimeError(f"click has no completion for {shell}")
    script = kind(cli.group, {}, cli.PROGRAM, cli._COMPLETE).source_vars()
    click.echo(kind.source_template % script)
