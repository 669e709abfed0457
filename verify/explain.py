"""`verify explain STRATEGY`: why a strategy is safe or not, from proved facts.

What `verify prove` has judged is shown as it is.  Everything else (which pairs of operations
overlap, the runs to faults, what the other assumptions do) is found here, stated for Lean, and
shown only if Lean's kernel has accepted it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from verify import claims, options, project, views
from verify import prove as gate
from verify import spec as specs
from verify.claims import Claim
from verify.engines.base import Engine
from verify.prove import Row
from verify.spec import FLAGS, KINDS, Environment, LockScheme, Strategy
from verify.trace import Trace, steps_text
from verify.verdict import Verdict, combine
from verify.views import Counterexample

ASSUMPTIONS: Mapping[str, str] = {
    "handlersIntercepted": "completion handlers' teardown goes through the guard",
    "handlersTearDown": "completion handlers tear contexts down",
    "atomicFreelist": "the driver takes a block from its freelist in one step",
    "callersRetain": "callers own a reference while they send a message",
    "sharedEncoders": "any thread may use any encoder",
}
"""The Booleans of an environment, in English, as they are in the default one."""

CONTRARY: Mapping[str, str] = {
    "handlersIntercepted": "completion handlers bypass the guard",
    "handlersTearDown": "completion handlers tear nothing down",
    "atomicFreelist": "the driver's freelist is read and claimed in two steps",
    "callersRetain": "callers own no reference while they send a message",
    "sharedEncoders": "each encoder is used by its home thread only",
}
"""The same Booleans, when they are false."""


@dataclass(frozen=True)
class Assumption:
    """What becomes of a strategy in the default environment with one Boolean false.

    Attributes:
        name: The Boolean.
        faults: The exact set of reachable faults without it, as proved; None where it is not.
        decisive: Whether the verdict changes without it.
    """

    name: str
    faults: tuple[str, ...] | None
    decisive: bool

    def json(self) -> dict[str, object]:
        """The assumption as `--json` prints it."""
        return {
            "assumption": self.name,
            "english": ASSUMPTIONS[self.name],
            "without": CONTRARY[self.name],
            "faults_without": None if self.faults is None else list(self.faults),
            "changes_verdict": self.decisive,
        }


@dataclass(frozen=True)
class Run:
    """A shortest run to a fault that Lean has accepted, with its steps in English."""

    fault: str
    steps: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """The run as `--json` prints it."""
        return {"fault": self.fault, "steps": list(self.steps)}


@dataclass(frozen=True)
class Explanation:
    """All that is known of one strategy.

    Attributes:
        row: What `verify prove` found.
        statement: What the main theorem states, in Lean.
        module: The Lean module with the main theorem.
        overlaps: The pairs of kinds that two threads can be in at once on one encoder, in the
            order of `verify.spec.KINDS`; None where Lean did not confirm them.
        claimed: The shortest run to the fault that the spec claims, if it claims one.
        shortest: The shortest run to any fault.
        assumptions: One for each Boolean of an environment.
        problems: What was found here and not confirmed by Lean.
        verdict: That on the strategy's claims; an error if something was not confirmed.
    """

    row: Row
    statement: str
    module: str
    overlaps: tuple[tuple[str, str], ...] | None
    claimed: Run | None
    shortest: Run | None
    assumptions: tuple[Assumption, ...]
    problems: tuple[str, ...]
    verdict: Verdict

    @property
    def file(self) -> str:
        """The file of the main theorem; for the user's own spec it is made on the fly."""
        return f"{self.module.replace('.', '/')}.lean"

    def json(self) -> dict[str, object]:
        """The explanation as `--json` prints it."""
        row = self.row
        return {
            "verdict": self.verdict.value,
            "strategy": row.strategy.name,
            "english": row.strategy.english,
            "safe": row.safe,
            "parallel": row.parallel,
            "theorem": row.theorem,
            "statement": self.statement,
            "file": self.file,
            "axioms": list(row.axioms),
            "check": row.strategy.scheme.check,
            "first_overlap": list(self.overlaps[0]) if self.overlaps else None,
            "overlaps": None if self.overlaps is None else [list(pair) for pair in self.overlaps],
            "claimed_fault": self.claimed.json() if self.claimed else None,
            "shortest": self.shortest.json() if self.shortest else None,
            "faults": {
                name: None if faults is None else list(faults)
                for name, faults in row.faults.items()
            },
            "assumptions": [assumption.json() for assumption in self.assumptions],
            "note": row.strategy.claims.note,
            "problems": list(self.problems),
        }


def overlapping(scheme: LockScheme, environment: Environment) -> tuple[tuple[str, str], ...]:
    """The pairs of kinds that different threads can be in at once on one encoder.

    This is `LockScheme.overlaps` of `MPSVerify/Spec/Criterion.lean` once more; Lean is asked to
    confirm what it finds.

    Args:
        scheme: The locks.
        environment: The assumptions.
    """

    def excluded(kind: str, other: str) -> bool:
        bypassing = not environment.handlersIntercepted and "complete" in (kind, other)
        return not bypassing and any(
            held.scope == wanted.scope
            and (held.scope in ("global", "encoder", "queue"))
            | (held.scope == "operation" and kind == other)
            and "exclusive" in (held.mode, wanted.mode)
            for held in scheme.locks[kind]
            for wanted in scheme.locks[other]
        )

    def meet(kind: str, other: str) -> bool:
        handlers = "complete" in (kind, other)
        return environment.handlersTearDown if handlers else environment.sharedEncoders

    return tuple((k, n) for k in KINDS for n in KINDS if meet(k, n) and not excluded(k, n))


def explain(name: str, spec_path: Path | None, engine: Engine) -> Explanation:
    """Explain a strategy of a spec.

    Args:
        name: The strategy.
        spec_path: The spec; None for the shipped one.
        engine: What checks the facts.

    Raises:
        VerifyError: If there is no such strategy, or the spec is bad.
    """
    result = gate.prove(spec_path, engine)
    strategy = result.spec.strategy(name)
    row = next(row for row in result.rows if row.strategy == strategy)
    default = result.spec.environments["default"]
    main = row.judged[0].claim

    pairs = overlapping(strategy.scheme, default)
    wanted = strategy.claims
    runs = {
        "claimed": views.shortest(strategy.scheme, default, wanted.fault, wanted.race)
        if wanted.fault
        else None,
        "shortest": views.shortest(strategy.scheme, default, None),
    }
    without = {
        flag: Environment(f"no_{flag}", CONTRARY[flag], **{**default.flags, flag: False})
        for flag in FLAGS
    }
    faults = {flag: views.guess_faults(strategy.scheme, env) for flag, env in without.items()}
    asked = {
        "overlaps": _overlap_claim(strategy, default, pairs),
        **{
            what: claims.counterexample(strategy, default, run, None, main.module)
            for what, run in runs.items()
            if run is not None
        },
        **{flag: _faults_claim(strategy, env, faults[flag]) for flag, env in without.items()},
    }
    confirmed = project.confirmed(engine, asked)
    problems = [f"Lean did not confirm: {asked[key].english}" for key in asked.keys() - confirmed]

    def run_of(what: str) -> Run | None:
        run = runs[what]
        return _run(run, strategy, default) if run is not None and what in confirmed else None

    return Explanation(
        row,
        main.statement,
        main.module,
        pairs if "overlaps" in confirmed else None,
        run_of("claimed"),
        run_of("shortest"),
        tuple(_assumption(flag, faults[flag], flag in confirmed, row.safe) for flag in FLAGS),
        tuple(sorted(problems)),
        combine([row.verdict, *(Verdict.ERROR for _ in (*result.errors, *problems))]),
    )


def _overlap_claim(
    strategy: Strategy, environment: Environment, pairs: Sequence[tuple[str, str]]
) -> Claim:
    env = claims.environment_literal(environment)
    scheme = claims.scheme_literal(strategy.scheme)
    listed = ", ".join(f"(.{kind}, .{other})" for kind, other in pairs)
    statement = (
        "∀ k ∈ allKinds, ∀ n ∈ allKinds, "
        f"LockScheme.overlaps {scheme} {env} k n = decide ((k, n) ∈ [{listed}])"
        if pairs
        else f"∀ k ∈ allKinds, ∀ n ∈ allKinds, LockScheme.overlaps {scheme} {env} k n = false"
    )
    english = f"{strategy.name}: which pairs of operations are not excluded"
    return Claim(strategy.name, "overlaps", None, claims.AGX, statement, english)


def _faults_claim(strategy: Strategy, environment: Environment, faults: Sequence[str]) -> Claim:
    statement = (
        f"ExactFaults {claims.environment_literal(environment)} "
        f"{claims.scheme_literal(strategy.scheme)} [{', '.join(f'.{f}' for f in faults)}]"
    )
    english = f"{strategy.name}, {environment.name}: exactly {', '.join(faults) or 'no fault'}"
    return Claim(strategy.name, "faults", None, claims.AGX, statement, english, environment.name)


def _run(run: Counterexample, strategy: Strategy, environment: Environment) -> Run:
    trace = Trace(views.BOUNDS, run.events, run.at)
    return Run(run.fault, tuple(steps_text(trace, strategy.scheme, environment)))


def _assumption(
    flag: str, faults: tuple[str, ...], confirmed: bool, safe: bool | None
) -> Assumption:
    return Assumption(
        flag,
        faults if confirmed else None,
        confirmed and safe is not None and safe == bool(faults),
    )


# --- The command ----------------------------------------------------------------------------------


@click.command("explain", help="Say why a strategy is safe or not, from proved facts.")
@click.argument("strategy")
@options.spec
@options.json_output
def command(strategy: str, spec: Path | None, json_output: bool) -> Verdict:
    """Print the explanation of a strategy."""
    from verify import render

    specs.load(spec).strategy(strategy)  # a wrong name need not wait for Lean
    explanation = explain(strategy, spec, gate.choose_engine("auto"))
    if json_output:
        render.print_json(explanation.json())
    else:
        _print(explanation)
    return explanation.verdict


def _print(explanation: Explanation) -> None:
    from verify import render

    row, strategy = explanation.row, explanation.row.strategy
    safe = {True: "safe", False: "not safe", None: "neither proved safe nor proved unsafe"}
    render.note(f"{strategy.name} ({strategy.english}) is {safe[row.safe]}.")
    render.note(f"{row.verdict}: theorem {row.theorem} in {explanation.file}")
    render.note(f"it states: {explanation.statement}")
    render.note(f"axioms: {', '.join(row.axioms) or 'none'}")
    for judged in row.judged:
        if judged.verdict is not Verdict.PROVED:
            render.note(f"{judged.verdict}: {judged.claim.english}: {judged.reason}")
    for line in _reasons(explanation):
        render.note(line)
    if strategy.claims.note:
        render.note(f"note: {strategy.claims.note}")
    claimed, shortest = explanation.claimed, explanation.shortest
    if claimed is not None:
        words = "as claimed: a teardown between load and use" if strategy.claims.race else "claimed"
        click.echo()
        render.plain(f"The shortest run to {claimed.fault} ({words}):", claimed.steps)
    if shortest is not None and (claimed is None or shortest.steps != claimed.steps):
        click.echo()
        render.plain(f"The shortest run to any fault ({shortest.fault}):", shortest.steps)
    click.echo()
    render.table(
        ("environment", "exact faults"),
        [
            (name, "?" if faults is None else ", ".join(faults) or "none: safe")
            for name, faults in row.faults.items()
        ],
    )
    render.table(
        ("assumption", "without it", "exact faults then", "changes the verdict"),
        [
            (
                ASSUMPTIONS[a.name],
                CONTRARY[a.name],
                "?" if a.faults is None else ", ".join(a.faults) or "none: safe",
                a.decisive,
            )
            for a in explanation.assumptions
        ],
    )
    for line in _assumption_lines(explanation):
        render.note(line)
    for problem in explanation.problems:
        render.note(f"ERROR: {problem}")


def _reasons(explanation: Explanation) -> list[str]:
    """What the locks exclude, in words."""
    check = explanation.row.strategy.scheme.check
    checked = "" if check else " The guard does not check whether the context is alive."
    if explanation.overlaps is None:
        return []
    if not explanation.overlaps:
        everything = "Every pair of operations of different threads on one encoder is excluded."
        return [everything + checked]
    kind, other = explanation.overlaps[0]
    more = len({frozenset(pair) for pair in explanation.overlaps}) - 1
    return [
        f"The first pair that is not excluded: {kind} with {other}, by different threads on one "
        f"encoder ({more} more such pair{'' if more == 1 else 's'}).{checked}"
    ]


def _assumption_lines(explanation: Explanation) -> list[str]:
    decisive = [a.name for a in explanation.assumptions if a.decisive]
    if explanation.row.safe:
        words = "; ".join(ASSUMPTIONS[name] for name in decisive)
        return [f"The proof needs: {words or 'none of the assumptions'}."]
    if explanation.row.safe is False:
        words = "; or if ".join(CONTRARY[name] for name in decisive)
        return [f"It would be safe if {words}." if decisive else "No one change makes it safe."]
    return []
