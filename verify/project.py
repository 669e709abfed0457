"""A directory of Lean sources that an engine can check, and the decision of claims in it.

`verify prove`, `verify explain` and `verify replay` ask Lean different questions about the same
model; what they share is here: where the sources come from, the gate's module with one claim a
line, and the trial of a claim that is not known to be true.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from verify import cache, claims, resources
from verify.claims import GATE, Claim, Line, Pins
from verify.engines.base import Audit, Build, Engine, ModuleResult, Trust
from verify.errors import short
from verify.files import write_file

MODEL = ("Spec", "Thm")
"""The parts of `MPSVerify/` that every question is about."""

TRUSTED = "MPSVerify.Spec."
"""What the modules begin with whose definitions statements may rest on."""

_LEAN = 300
"""Characters of Lean's own text that are quoted."""

_ROUNDS = 3
"""A claim is tried as it stands, then negated, then given up."""


@contextmanager
def directory(engine: Engine, name: str) -> Iterator[Path]:
    """A directory for a question; lake's stays in the cache, so that it builds what changed only.

    Args:
        engine: What will check it.
        name: Of the question: two that differ in their files must not share lake's directory.
    """
    with tempfile.TemporaryDirectory(prefix=f"verify-{name}-") as scratch:
        if engine.name == "lake":
            yield cache.directory() / "lake" / name
        else:
            yield Path(scratch)


def sources(parts: Iterable[str] = MODEL, files: Iterable[str] = ()) -> dict[Path, str]:
    """The hand-written Lean of this project, by path below its root, with lake's two files.

    Args:
        parts: Folders of `MPSVerify/`.
        files: More files, below `MPSVerify/`.
    """
    root = resources.root()
    paths = [root / "lakefile.lean", root / "lean-toolchain"]
    for part in parts:
        paths += sorted((root / "MPSVerify" / part).rglob("*.lean"))
    paths += [root / "MPSVerify" / file for file in files]
    return {path.relative_to(root): path.read_text(encoding="utf-8") for path in paths}


def write(root: Path, wanted: Mapping[Path, str]) -> None:
    """Write files below a directory; one that has its text already keeps its time."""
    for path, text in wanted.items():
        target = root / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_file(target, text)


def build(
    root: Path,
    engine: Engine,
    lines: Sequence[Line],
    roots: Sequence[str] = (),
    progress: Callable[[ModuleResult], None] | None = None,
) -> Build:
    """Check the gate's module with these claims, and other modules.

    Args:
        root: The directory.
        engine: What checks it.
        lines: What the gate's module states.
        roots: Modules to check besides it.
        progress: Called for each module that the engine has judged.
    """
    source, _ = claims.gate_module(lines)
    write(root, {Path("MPSVerify/Gate.lean"): source})
    return engine.build(root, [*roots, GATE], progress)


def audit(
    engine: Engine,
    built: Build,
    lines: Sequence[Line],
    restated: Sequence[tuple[str, str]] = (),
    pinned: Pins | None = None,
) -> Audit:
    """Audit the claims of the gate's module, and the theorems that prove them.

    Args:
        engine: What checked it.
        built: The outcome of `build`.
        lines: What the gate's module stated.
        restated: Pairs of a hand-written claim and its theorem.
        pinned: What hand-written claims may mention of the generated definitions.
    """
    _, names = claims.gate_module(lines)
    own = [line.claim.theorem for line in lines if line.by_theorem and line.claim.theorem]
    named = [name for pair in restated for name in pair]
    pins = pinned.theorems if pinned is not None else ()
    return engine.audit(
        built,
        [*names, *dict.fromkeys([*own, *named, *pins])],
        restated,
        trust(
            [*names, *(claim for claim, _ in restated), *pins],
            definitions=pinned.definitions if pinned is not None else (),
        ),
    )


def trust(
    stated: Iterable[str], modules: Iterable[str] = (), definitions: Iterable[str] = ()
) -> Trust:
    """What statements may rest on: the model, and what is pinned.

    Args:
        stated: The theorems that state them.
        modules: Modules that this program has written, if statements rest on theirs.
        definitions: Generated definitions, each pinned by a theorem.
    """
    return Trust(
        tuple(stated),
        (TRUSTED, *modules),
        tuple(definitions),
        tuple((module, module) for module in claims.OWN),
    )


def complaint(module: ModuleResult) -> str | None:
    """The first error of a module, if it has one."""
    errors = (str(m) for m in module.messages if m.severity == "error")
    found = next(errors, None)
    return None if found is None else short(" ".join(found.split()), _LEAN)


def settle(root: Path, engine: Engine, lines: Sequence[Line]) -> tuple[list[Line], dict[int, str]]:
    """Find, for each line, the form that Lean accepts: as it stands or negated.

    Returns:
        The lines in their last form, and why each line that was given up failed, by its number.
    """
    lines = list(lines)
    failed: dict[int, str] = {}
    for _ in range(_ROUNDS):
        kept = [index for index in range(len(lines)) if index not in failed]
        source, _ = claims.gate_module([lines[index] for index in kept])
        built = build(root, engine, [lines[index] for index in kept])
        gate = next((m for m in built.modules if m.module == GATE), None)
        if gate is None or (not gate.ok and complaint(gate) is None):
            return lines, dict.fromkeys(range(len(lines)), "the gate's module was not judged")
        if gate.ok:
            return lines, failed
        first = claims.first_line(source)
        complaints: dict[int, str] = {}  # a line may have several
        for message in gate.messages:
            if message.severity != "error":
                continue
            place = message.line - first
            if not 0 <= place < len(kept):
                return lines, {i: str(message) for i in range(len(lines))}
            complaints.setdefault(kept[place], message.text)
        for index, text in complaints.items():
            line = lines[index]
            if line.by_theorem:
                failed[index] = f"{line.claim.theorem} does not prove it: {short(text, _LEAN)}"
            elif line.negated:
                failed[index] = "neither the claim nor its negation could be decided"
            else:
                lines[index] = Line(line.claim, negated=True, by_theorem=False)
    return lines, {i: failed.get(i, "undecided") for i in range(len(lines))}


def confirmed(engine: Engine, asked: Mapping[str, Claim]) -> set[str]:
    """Those of some claims that Lean's kernel accepts, each proved by evaluation.

    Args:
        engine: What decides.
        asked: The claims, by a key of the caller's.

    Returns:
        The keys of the claims that are proved; none if the audit finds anything wrong.
    """
    with directory(engine, "explain") as root:
        write(root, sources())
        keys = list(asked)
        lines = [Line(claim, by_theorem=False) for claim in asked.values()]
        built = build(root, engine, lines)
        if not built.ok:
            lines, failed = settle(root, engine, lines)
            true = [i for i, line in enumerate(lines) if i not in failed and not line.negated]
            keys, lines = [keys[i] for i in true], [lines[i] for i in true]
            built = build(root, engine, lines)
        return set(keys) if audit(engine, built, lines).ok else set()
