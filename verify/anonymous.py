"""Texts without what they would say of this machine and its user."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from verify import cache, resources

_ANYBODY: Final = frozenset("root user admin runner build ubuntu debian nobody localhost".split())
"""Names that identify nobody."""

Secret = tuple[str, str, re.Pattern[str]]
"""A text, what stands for it, and where it is found."""


def hidden(work: Sequence[Path] = (), persons: bool = True) -> list[Secret]:
    """What says something of this machine and its user, directories first.

    Args:
        work: More directories.
        persons: The names of users, too; not where they could be words of the text.
    """
    return [*_places(work), *_named(persons)]


def _places(work: Sequence[Path]) -> Iterator[Secret]:
    """Longer directories come first: the home is often the beginning of the others."""
    places = {str(path): "<work>" for path in work}
    places |= {
        str(Path(sys.prefix)): "<python>",
        str(Path(sys.base_prefix)): "<python>",
        str(resources.root()): "<mps-verify>",
        str(cache.directory()): "<cache>",
        str(Path.cwd()): "<here>",
        str(Path.home()): "<home>",
        tempfile.gettempdir(): "<tmp>",
    }
    for path, name in list(places.items()):
        places.setdefault(os.path.realpath(path), name)
    for path in sorted(places, key=len, reverse=True):
        if len(path) > 1 and path != "/usr":
            # As it is, and as JSON may write it.
            written = "|".join(map(re.escape, dict.fromkeys((path, json.dumps(path)[1:-1]))))
            yield path, places[path], re.compile(rf"(?:{written})(?![A-Za-z0-9_])")


def _named(persons: bool) -> Iterator[Secret]:
    for text, name in [*_hosts(), *(_users() if persons else ())]:
        if len(text) > 2 and text.lower() not in _ANYBODY:
            yield text, name, re.compile(rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])", re.I)


def _hosts() -> Iterator[tuple[str, str]]:
    host = socket.gethostname()
    for text in dict.fromkeys((host, host.partition(".")[0], os.environ.get("HOSTNAME", ""))):
        yield text, "<host>"


def _users() -> Iterator[tuple[str, str]]:
    variables = ("USER", "LOGNAME", "USERNAME", "SUDO_USER")
    users = [os.environ.get(name, "") for name in variables]
    with contextlib.suppress(OSError, KeyError):  # an id without a name, as in containers
        users.append(getpass.getuser())
    users.append(Path.home().name)
    for text in dict.fromkeys(users):
        yield text, "<user>"


def cleaned(text: str, secrets: Sequence[Secret]) -> str:
    """A text without them."""
    for _, name, pattern in secrets:
        text = pattern.sub(name, text)
    return text
