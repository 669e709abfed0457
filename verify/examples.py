"""What `verify COMMAND --help` ends with: command lines to start from.

A command may have an epilog of its own; these are for the others.  `tests/test_init.py` parses
every line of both.
"""

from __future__ import annotations

from typing import Final

EXAMPLES: Final = {
    "prove": (
        ("verify prove", "the spec of verify.toml, or the shipped one"),
        ("verify prove --spec locks.toml --matrix", "exact fault sets in each environment"),
        ("verify prove --json --quiet", "for a script"),
    ),
    "explain": (
        ("verify explain", "every strategy in a line"),
        ("verify explain perStream", "what decides its verdict, and a run"),
        ("verify explain perStream --diagram text", "that run as a diagram"),
    ),
    "explore": (
        ("verify explore", "two threads, two encoders, every strategy"),
        ("verify explore --strategy rwLock --steps", "a shortest run to each fault"),
        ("verify explore --threads 3 --environment all", "more of it"),
        ("verify explore --traces runs", "runs to be replayed"),
    ),
    "generate": (
        ("verify generate --check", "is MPSVerify/AGX what the spec implies?"),
        ("verify generate --spec locks.toml --out lean", "modules for a spec of your own"),
    ),
    "stress": (
        ("verify stress", "20 s on the fake driver"),
        ("verify stress --strategy perEncoder --budget 5m --save found", "a longer hunt"),
        ("verify stress --replay found/x.ndjson", "a counterexample again"),
    ),
    "crosscheck": (
        ("verify crosscheck --quick", "counterexamples on the native guard, and in Lean"),
        ("verify crosscheck --strategy perEncoder --runs 10", "random native runs as well"),
    ),
    "bench": (
        ("verify bench guard", "nanoseconds of one guarded call"),
        ("verify bench scaling --help", "the options of one measurement"),
    ),
    "compare": (("verify compare --seconds 5", "every oracle, 5 s a strategy"),),
    "audit": (("verify audit --all", "every selector, intercepted or not"),),
    "mutate": (
        ("verify mutate --quick", "a sample, as verify gate takes it"),
        ("verify mutate --strategy perEncoder --sides lean,explorer", "without a compiler"),
    ),
    "replay": (("verify replay runs/noSync-default-nullDeref.ndjson", "one run, judged by Lean"),),
    "schema": (("verify schema prove", "what a script finds in verify prove --json"),),
    "report": (("verify report --record results", "run what can run here, then make the page"),),
}

_CODES: Final = "Exit codes: 0 proved, 1 refuted, 2 undetermined, 3 error, 130 interrupted."


def epilog(name: str) -> str | None:
    """The end of a command's help.

    Args:
        name: The command.

    Returns:
        Text for click, whose lines stay as they are; None if there is no example.
    """
    lines = EXAMPLES.get(name)
    if lines is None:
        return None
    width = max(len(line) for line, _ in lines)
    shown = "\n".join(f"  {line:<{width}}  {what}" for line, what in lines)
    return f"\b\nExamples:\n{shown}\n\n{_CODES}"
