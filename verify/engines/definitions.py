"""The definitions of Lean's core library that the sources rest on, as Lean prints them.

Types (`verify.engines.names`) do not say what `decide` computes, nor what a tactic may unfold.
So this module lists what is no theorem, with its value and its marks for unfolding:

    python -m verify.engines.definitions                      the list, out of the compiled modules
    python -m verify.engines.definitions --lean LIST          a Lean file that prints the same again
    python -m verify.engines.definitions --read LIST OUTPUT   how that differs, from the output of
                                                              `lean --json`; exit code 1 if it does

An entry is `-- NAME` and what Lean prints of it; of a recursive function also its equation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from verify.engines import names
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


def write(entries: Mapping[str, str]) -> str:
    """A list as text."""
    return "".join(f"-- {name}\n{text}\n\n" for name, text in entries.items())


def parse(text: str) -> dict[str, str]:
    """A list out of its text."""
    parts = re.split(r"^-- (\S+)\n", text, flags=re.M)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def main(arguments: Sequence[str]) -> int:
    """See the module's text."""
    from verify import resources

    match arguments:
        case []:
            sys.stdout.write(write(listing(EmbeddedEngine(), resources.root())))
        case ["--lean", path]:
            sys.stdout.write(lean_file(parse(Path(path).read_text(encoding="utf-8"))))
        case ["--read", path, output]:
            listed = parse(Path(path).read_text(encoding="utf-8"))
            found = read(list(listed), Path(output).read_text(encoding="utf-8"))
            different = [name for name, text in listed.items() if found[name] != text]
            for name in different:
                sys.stdout.write(f"-- {name}: listed\n{listed[name]}\n-- found\n{found[name]}\n\n")
            sys.stdout.write(f"{len(different)} of {len(listed)} definitions differ\n")
            return 1 if different else 0
        case _:
            sys.stderr.write(
                "usage: python -m verify.engines.definitions [--lean LIST | --read LIST OUTPUT]\n"
            )
            return 3
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VerifyError as error:
        sys.exit(f"definitions: {error}")
