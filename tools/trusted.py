"""What a reader has to believe of the Lean sources: definitions and hand-written statements.

A claim and its theorem can be weakened together, by another definition of a word that both use.
No check can tell that from an improvement; a person can.  So each definition that a statement rests
on, and each hand-written statement, has a line in `tests/golden/trusted.txt` with a hash of the
compiled term, and a change of meaning is a change of that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools import compiled
from verify import claims, project, spec, statements
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError
from verify.files import write_file

GOLDEN = Path("tests") / "golden" / "trusted.txt"
PAGE = Path("TRUST.md")
BEGIN = "<!-- trusted: `python -m tools trusted --write` writes this list -->"
END = "<!-- end of trusted -->"


def lines(engine: EmbeddedEngine, root: Path) -> list[str]:
    """The lines of the golden file of a checkout; see `of_module`."""
    stated = [name for name, _ in claims.restated(root / "MPSVerify" / "Claims.lean")]
    return of_module(engine, root, "MPSVerify", stated, statements.WORDS)


def of_module(
    engine: EmbeddedEngine, root: Path, module: str, stated: Sequence[str], words: Iterable[str]
) -> list[str]:
    """What some statements and words rest on, with hashes.

    Args:
        engine: What compiles the modules.
        root: The directory that module names are relative to.
        module: What imports all of them.
        stated: The statements.
        words: Constants below `MPSVerify` that others state something with.

    Raises:
        VerifyError: A module does not compile, or the child process failed.
    """
    build = compiled.build(engine, root, module)
    request = {
        "core": [[m, str(p), build.core_hashes[m]] for m, p in build.core_oleans.items()],
        "project": [[m, str(p), build.olean_hashes[m]] for m, p in build.oleans.items()],
        "statements": list(stated),
        "words": sorted(f"MPSVerify.{word}" for word in words),
        "trusted": project.TRUSTED,
        "known": claims.pins(spec.load()).definitions,
    }
    answer = compiled.ask(engine, "_trusted.py", request)
    definitions = sorted((home, name, digest) for name, (home, digest)
                         in answer["definitions"].items())  # fmt: skip
    result = [f"definition {name} in {home}: {digest}" for home, name, digest in definitions]
    result += [f"statement {name}: {digest}" for name, digest in answer["statements"].items()]
    return result


def markdown(golden: Sequence[str]) -> str:
    """The list of TRUST.md: the definitions, by file.

    Args:
        golden: The lines of the golden file.
    """
    files: dict[str, list[str]] = {}
    for line in golden:
        if found := re.fullmatch(r"definition MPSVerify\.(\S+) in (\S+): \w+", line):
            files.setdefault(found[2].replace(".", "/") + ".lean", []).append(f"`{found[1]}`")
    rows = [f"- [{Path(file).name}]({file}): {', '.join(names)}." for file, names in files.items()]
    return "\n".join([BEGIN, "", *rows, "", END])


def page(text: str, golden: Sequence[str]) -> str:
    """TRUST.md with its list brought up to date.

    Raises:
        VerifyError: The place of the list is gone.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise VerifyError(f"{PAGE}: the list has no place; put back {BEGIN!r} and {END!r}")
    return head + markdown(golden) + tail


def write(engine: EmbeddedEngine, root: Path) -> None:
    """Bring the golden file and TRUST.md of a checkout up to date."""
    golden = lines(engine, root)
    write_file(root / GOLDEN, "".join(f"{line}\n" for line in golden))
    text = (root / PAGE).read_text(encoding="utf-8")
    write_file(root / PAGE, page(text, golden))
