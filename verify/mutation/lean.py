"""What Lean says about mutants.

A mutant is judged by a theorem: its claims hold, or their negation is proved; hundreds of them go
into one module, which is then replayed and audited like the gate's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from verify import claims, generate, project
from verify.claims import Claim, Line
from verify.engines.base import Engine
from verify.mutation.mutants import Claims, SpecMutant, claims_of_scheme
from verify.spec import FAULTS, Environment, LockScheme
from verify.statements import Statement, word

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
