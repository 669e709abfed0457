"""What a reader has to believe of the Lean sources: definitions and hand-written statements.

A claim and its theorem can be weakened together, by another definition of a word that both use.
No check can tell that from an improvement; a person can.  So each definition that a statement rests
on, and each hand-written statement, has a line in `tests/golden/trusted.txt` with a hash of the
compiled term, and a change of meaning is a change of that file:

    python -m verify.engines.trusted             the lines, out of the compiled modules
    python -m verify.engines.trusted --write     write them, and the list in TRUST.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from verify import claims, project, resources, spec, statements
from verify.children import run_child
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError
from verify.files import write_file

TIMEOUT = 120.0
"""Seconds for the child process."""

GOLDEN = Path("tests") / "golden" / "trusted.txt"
PAGE = Path("TRUST.md")
BEGIN = "<!-- trusted: `python -m verify.engines.trusted --write` writes this list -->"
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
    build = engine.build(root, [module])
    if not build.ok:
        bad = next((m.module for m in build.modules if not m.ok), module)
        raise VerifyError(f"{bad}: does not compile, so nothing is known of its definitions")
    request = {
        "core": [[m, str(p), build.core_hashes[m]] for m, p in build.core_oleans.items()],
        "project": [[m, str(p), build.olean_hashes[m]] for m, p in build.oleans.items()],
        "statements": list(stated),
        "words": sorted(f"MPSVerify.{word}" for word in words),
        "trusted": project.TRUSTED,
        "known": claims.pins(spec.load()).definitions,
    }
    done = run_child(
        [sys.executable, "-P", "-m", "verify.engines._trusted", str(engine.library.path)],
        timeout=TIMEOUT,
        stdin=json.dumps(request),
    )
    if done.returncode != 0:
        raise VerifyError(f"trusted: {done.failure() or done.stderr.strip().splitlines()[-1:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
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


def main(arguments: Sequence[str]) -> int:
    """See the module's text."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python -m verify.engines.trusted [--write]\n")
        return 3
    root = resources.root()
    golden = lines(EmbeddedEngine(), root)
    if arguments:
        write_file(root / GOLDEN, "".join(f"{line}\n" for line in golden))
        text = (root / PAGE).read_text(encoding="utf-8")
        write_file(root / PAGE, page(text, golden))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in golden))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VerifyError as error:
        sys.exit(f"trusted: {error}")
