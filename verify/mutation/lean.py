"""What Lean says about mutants.

A spec mutant is judged by a theorem: its claims hold, or their negation is proved; hundreds of them
go into one module, which is then replayed and audited like the gate's.  A semantic mutant is judged
by the development itself: with the rule changed, some proof must fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from verify import claims, generate, project, statements
from verify.claims import Claim, Line
from verify.engines.base import Engine, ModuleResult
from verify.errors import VerifyError
from verify.mutation.mutants import (
    Claims,
    Edit,
    SemanticMutant,
    SpecMutant,
    apply,
    claims_of_scheme,
)
from verify.mutation.observers import Seen
from verify.spec import FAULTS, Environment, LockScheme
from verify.statements import Statement, rooted, word

# That there is a race is decided by a theorem on it; the rest has instances.
_RACE = (f"by simp only [teardown_race_iff_criterion]; {claims.EVALUATION[3:]}",) * 2
_CHUNK = 80
"""Claims in one module: Lean gives up on a file after a hundred errors."""


def statement(
    scheme: LockScheme, claimed: Claims, environments: Mapping[str, Environment]
) -> Statement:
    """Claims as one Lean proposition, about the scheme as the generator writes it."""
    term = generate.lean_scheme(scheme)
    default = claims.environment_literal(environments["default"])
    parts = []
    if claimed.safe is not None:
        parts.append(f"{'' if claimed.safe else '¬ '}{word('Safe')} {default} {term}")
    if claimed.fault is not None:
        parts.append(f"{word('CanReach')} {default} {term} .{claimed.fault}")
    if claimed.race:
        parts.append(f"{word('TeardownRace')} {default} {term}")
    if claimed.parallel is not None:
        parts.append(f"{'' if claimed.parallel else '¬ '}{word('Parallel')} {default} {term}")
    for name, faults in claimed.faults.items():
        environment = claims.environment_literal(environments[name])
        listed = ", ".join(f".{fault}" for fault in FAULTS if fault in faults)
        parts.append(f"{word('ExactFaults')} {environment} {term} [{listed}]")
    return Statement(" ∧ ".join(f"({part})" for part in parts))


def same_scheme(scheme: LockScheme) -> Statement:
    """That the generator writes the scheme that the spec names, as a Lean proposition."""
    written = f"({generate.lean_scheme(scheme)} : {word('LockScheme')})"
    return Statement(f"{written} = {claims.scheme_literal(scheme)}")


def decide(
    propositions: Sequence[Statement],
    guesses: Sequence[bool],
    engine: Engine,
    progress: Callable[[int], None] = lambda _: None,
) -> list[bool | str]:
    """What Lean's kernel says of propositions: true, false, or why it was not decided.

    Args:
        propositions: Closed and decided by evaluation.
        guesses: For each, whether it seems to be true: a wrong guess costs time, nothing else.
        engine: What checks them.
        progress: Told how many have been decided.
    """
    answers: list[bool | str] = []
    with project.directory(engine, "mutate") as root:
        project.write(root, project.sources())
        for start in range(0, len(propositions), _CHUNK):
            part = slice(start, start + _CHUNK)
            answers += _decide(propositions[part], guesses[part], root, engine)
            progress(len(answers))
    return answers


def _decide(
    propositions: Sequence[Statement], guesses: Sequence[bool], root: Path, engine: Engine
) -> list[bool | str]:
    asked = [
        Claim(
            "", "mutant", None, claims.GATE, text if guess else text.negation, text,
            proofs=_RACE if "TeardownRace" in text else (claims.EVALUATION, claims.EVALUATION),
        )
        for text, guess in zip(propositions, guesses, strict=True)
    ]  # fmt: skip
    lines, failed = project.settle(root, engine, [Line(c, by_theorem=False) for c in asked])
    kept = [line for index, line in enumerate(lines) if index not in failed]
    problems: Sequence[str] = ()
    if kept:
        # What is believed is what the audit has replayed, not that there was no message.
        problems = project.audit(engine, project.build(root, engine, kept), kept).problems
    if problems:
        return [problems[0]] * len(lines)
    return [
        failed.get(index, guess is not line.negated)
        for index, (line, guess) in enumerate(zip(lines, guesses, strict=True))
    ]


def guess(mutant: SpecMutant, environments: Mapping[str, Environment]) -> bool:
    """Whether the claims of a mutant seem to hold."""
    return claims_of_scheme(mutant.scheme, environments).imply(mutant.claims)


# --- Semantic mutants -----------------------------------------------------------------------------


class _Red(Exception):  # noqa: N818 - what is known, not that something went wrong
    """A module does not check: that decides it."""

    def __init__(self, module: ModuleResult) -> None:
        super().__init__(module.module)
        self.module = module


def development(edits: Iterable[Edit], engine: Engine) -> tuple[bool | None, str]:
    """Whether the development checks with changes below `MPSVerify/Spec`.

    Args:
        edits: The changes; none for the development as it is.
        engine: What checks it; it is stopped at the first failure.

    Returns:
        True if it does, False if it does not, None if Lean broke off (a limit was hit, a child
        died); with the first complaint.
    """

    def stop(module: ModuleResult) -> None:
        if not module.ok:
            raise _Red(module)

    with project.directory(engine, "mutate-rules") as root:
        project.write(root, project.sources(("Spec", "Thm", "Theory", "AGX"), _ROOTS))
        apply(edits, root / "MPSVerify" / "Spec")
        failed: list[ModuleResult]
        try:
            built = engine.build(root, _modules(root), stop)
            if built.ok:
                return True, ""
            failed = [module for module in built.modules if not module.ok]
        except _Red as red:
            failed = [red.module]
        errors = [m for module in failed for m in module.messages if m.severity == "error"]
        # A complaint without a place is not about the text: Lean itself has failed.
        placed = [message for message in errors if message.line > 0]
        text = str((placed or errors)[0]) if errors else "Lean gives no reason"
        return False if placed else None, text.splitlines()[0].removeprefix(f"{root}/")


_ROOTS = ("AGX.lean", "Claims.lean")


def _modules(root: Path) -> list[str]:
    paths = sorted((root / "MPSVerify").rglob("*.lean"))
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in paths]


Cell: TypeAlias = tuple[LockScheme, Environment, Seen]
"""What was seen of a scheme in an environment."""


def criterion_answer(mutant: SemanticMutant, cells: Sequence[Cell], engine: Engine) -> int | None:
    """The first cell in which a changed criterion says something else than was seen, if any.

    Args:
        mutant: Whose criterion.
        cells: What was seen.
        engine: What evaluates the criterion.

    Raises:
        VerifyError: If Lean gives no answer.
    """
    text = ["import MPSVerify.Spec.Criterion", "namespace MPSVerify.Cells"]
    first = len(text) + 1
    for number, (scheme, environment, seen) in enumerate(cells):
        env, term = claims.environment_literal(environment), claims.scheme_literal(scheme)
        bits = ", ".join(".true" if fault in seen.faults else ".false" for fault in FAULTS)
        safe = ".false" if seen.faults else ".true"
        told = f"{rooted('List.map')} ({word('faultCriterion')} {env} {term}) {word('allFaults')}"
        cell = f"{told} = [{bits}] ∧ {word('criterion')} {env} {term} = {safe}"
        text.append(statements.theorem(f"cell{number}", Statement(cell), "by decide +kernel"))
    text += ["end MPSVerify.Cells", ""]
    with project.directory(engine, f"mutate-{mutant.name}-cells") as root:
        project.write(root, project.sources(("Spec",)))
        apply(mutant.lean, root / "MPSVerify" / "Spec")
        project.write(root, {Path("MPSVerify/Cells.lean"): "\n".join(text)})
        build = engine.build(root, ["MPSVerify.Cells"])
    errors = [m for r in build.modules for m in r.messages if m.severity == "error"]
    if build.ok:
        return None
    false = [m.line - first for m in errors if "is false" in m.text]
    if not false:
        raise VerifyError(f"{mutant.name}: {errors[0] if errors else 'Lean gives no answer'}")
    return min(false)
