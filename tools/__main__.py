"""The one command line of the maintainers' lists.

python -m tools names                      core names that the sources use, with their types
python -m tools names --lean LIST          a Lean file that checks such a list
python -m tools names --read LIST OUTPUT   the types that `lean --json` printed of that file; exit
                                           code 1 if they differ
python -m tools definitions ...            the same for the definitions that the sources rest on
python -m tools trusted                    what a reader has to believe, with hashes
python -m tools trusted --write            write that, and the list in TRUST.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tools import definitions, names, trusted
from verify import resources
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

_LISTS = {"names": names, "definitions": definitions}


def main(arguments: Sequence[str]) -> int:
    """See the module's text."""
    match arguments:
        case [("names" | "definitions") as name]:
            sys.stdout.write(_LISTS[name].write(EmbeddedEngine(), resources.root()))
        case [("names" | "definitions") as name, "--lean", path]:
            sys.stdout.write(_LISTS[name].to_lean(Path(path).read_text(encoding="utf-8")))
        case [("names" | "definitions") as name, "--read", path, output]:
            texts = [Path(file).read_text(encoding="utf-8") for file in (path, output)]
            return int(_LISTS[name].compare(*texts))
        case ["trusted"]:
            lines = trusted.lines(EmbeddedEngine(), resources.root())
            sys.stdout.write("".join(f"{line}\n" for line in lines))
        case ["trusted", "--write"]:
            trusted.write(EmbeddedEngine(), resources.root())
        case _:
            sys.stderr.write(__doc__ or "")
            return 3
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VerifyError as error:
        sys.exit(f"tools: {error}")
