"""The errors that end a command with one line instead of a traceback."""

from __future__ import annotations


class VerifyError(Exception):
    """Something the user can put right; its message is a single line.

    The message names the file, the line and the offending value where there are any, and the
    remedy.  Line breaks and other control characters in it (they can come from a file name or a
    spec) are escaped, so that a message is one line whatever it quotes.

    Args:
        message: The line to print.
    """

    exit_code = 3
    """The exit code of a command that ends with this error."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class EngineMissing(VerifyError):  # noqa: N818 - what is wrong, not that something is
    """No Lean engine can run here, so nothing was decided (exit code 2, undetermined)."""

    exit_code = 2
