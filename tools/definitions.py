"""The definitions of Lean's core library that the sources rest on, as Lean prints them.

Types (`tools.names`) do not say what `decide` computes, nor what a tactic may unfold.
So this module lists what is no theorem, with its value and its marks for unfolding.

An entry is `-- NAME` and what Lean prints of it; of a recursive function also its equation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tools import names
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

OPTIONS = "".join(
    f"set_option {option} {value}\n"
    for option, value in (("pp.notation", "false"), ("pp.fieldNotation", "false"))
)

_THEOREM = re.compile(r"(@\[[^\]]*\] )?((private|protected|noncomputable) )*(theorem|axiom) ")
_RECURSIVE = re.compile(r" def [^:]*:.*\.brecOn\b|^def [^:]*:.*\.brecOn\b", re.S)


def command(name: str) -> str:
    """What prints an entry: `NAME` is printed whole, `NAME.eq_def` has a type that says it all."""
    verb = "#check @" if name.endswith(".eq_def") else "#print "
    return f"{verb}{names.quoted(name)}\n"


def lean_file(asked: Iterable[str]) -> str:
    """A Lean file that prints entries, in this order."""
    return OPTIONS + "".join(map(command, asked))


def read(asked: Sequence[str], output: str) -> dict[str, str]:
    """What `lean --json` printed of each entry.

    Raises:
        VerifyError: The output has another number of entries.
    """
    messages = map(json.loads, filter(str.strip, output.splitlines()))
    shown = [m["data"].strip() for m in messages if m["severity"] in ("information", "error")]
    if len(shown) != len(asked):
        raise VerifyError(f"definitions: lean printed {len(shown)} entries, not {len(asked)}")
    return dict(zip(asked, shown, strict=True))


def listing(engine: EmbeddedEngine, root: Path, module: str = "MPSVerify") -> dict[str, str]:
    """What Lean prints of all that the sources rest on and that is no theorem, by name."""
    asked = names.used(engine, root, module, values=True)
    printed = read(asked, names.lean(engine, lean_file(asked)))
    found = {name: text for name, text in printed.items() if not _THEOREM.match(text)}
    recursive = [f"{name}.eq_def" for name, text in found.items() if _RECURSIVE.search(text)]
    found |= read(recursive, names.lean(engine, lean_file(recursive)))
    return dict(sorted(found.items()))


def dump(entries: Mapping[str, str]) -> str:
    """A list as text."""
    return "".join(f"-- {name}\n{text}\n\n" for name, text in entries.items())


def parse(text: str) -> dict[str, str]:
    """A list out of its text."""
    parts = re.split(r"^-- (\S+)\n", text, flags=re.M)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def write(engine: EmbeddedEngine, root: Path) -> str:
    """The list of a checkout as text."""
    return dump(listing(engine, root))


def to_lean(listed: str) -> str:
    """The Lean file that prints a list again."""
    return lean_file(parse(listed))


def compare(listed: str, output: str) -> bool:
    """Print how the output of `lean --json` differs from a list; whether it does.

    Raises:
        VerifyError: The output is not about this list.
    """
    entries = parse(listed)
    found = read(list(entries), output)
    different = [name for name, text in entries.items() if found[name] != text]
    for name in different:
        sys.stdout.write(f"-- {name}: listed\n{entries[name]}\n-- found\n{found[name]}\n\n")
    sys.stdout.write(f"{len(different)} of {len(entries)} definitions differ\n")
    return bool(different)
