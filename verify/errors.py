"""The errors that end a command with one line instead of a traceback."""

from __future__ import annotations

LONGEST = 480
"""Characters of a message, which has `verify: ` before it: lines stay under 500."""


def short(message: str, longest: int = LONGEST) -> str:
    """A message of limited length: what is left out (Lean's own text) stands in the middle.

    The beginning says where (file and line) and what, the end what to do about it.
    """
    if len(message) <= longest:
        return message
    _, found, remedy = message.rpartition("; ")
    tail = f"{found}{remedy}" if found and len(remedy) < longest // 2 else message[-longest // 4 :]
    return f"{message[: longest - len(tail) - 5]} ... {tail}"


class VerifyError(Exception):
    """Something the user can put right; its message is a single line of less than 500 characters.

    The message names the file, the line and the offending value where there are any, and the
    remedy.  Line breaks and other control characters in it (they can come from a file name or a
    spec) are escaped, so that a message is one line whatever it quotes.

    Args:
        message: The line to print.
    """

    exit_code = 3
    """The exit code of a command that ends with this error."""

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
        super().__init__(short(line))


class EngineMissing(VerifyError):  # noqa: N818 - what is wrong, not that something is
    """No Lean engine can run here, so nothing was decided (exit code 2, undetermined)."""

    exit_code = 2
