"""What the gate asks of Lean, written from the spec and from nothing else.

Each claim is a statement with the scheme and the environment as literals, so that what is proved
is about the very locks that the spec names, whatever the templates made of them.  The theorem that
the spec names must prove it; the kernel compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from verify import deadlock, views
from verify.errors import VerifyError
from verify.spec import KINDS, Environment, LockScheme, Spec, Strategy
from verify.views import Counterexample, StrategyView

AGX = "MPSVerify.AGX"
GATE = "MPSVerify.Gate"
"""The module that holds the claims as theorems, one a line."""

_WORDS = "_root_.MPSVerify."
"""Before each word of a claim: a module may declare a name that is nearer to the gate's claims
than ours is, in the gate's own namespace for one.  For the same reason it is `.true`, by the
type that is expected, and not `true`."""

_IMPORTS = ("MPSVerify.Thm.Faults", "MPSVerify.Thm.Parallel", "MPSVerify.Thm.Replay")
"""What a claim needs to be decided without the strategy's own module."""


EVALUATION = "by decide +kernel"
"""The proof of a statement that is decided by evaluation."""


@dataclass(frozen=True)
class Claim:
    """One statement about one strategy.

    Attributes:
        strategy: Its name.
        what: `safe`, `unsafe`, `race`, `fault`, `parallel`, `sequential`, `counterexample`,
            `deadlockFree`, or `faults` for a cell of the matrix.
        theorem: The constant that must prove it; None if no module is expected to state it.
        module: The module with that constant.
        statement: In Lean, closed, with literals.
        english: The same for a reader.
        environment: The environment that it is about.
        proofs: How to decide it without its theorem: a proof of it, and of its negation.
        policy: Of the locks, for `deadlockFree`: one of `verify.spec.POLICIES`.
    """

    strategy: str
    what: str
    theorem: str | None
    module: str
    statement: str
    english: str
    environment: str = "default"
    proofs: tuple[str, str] = (EVALUATION, EVALUATION)
    policy: str = ""

    @property
    def negation(self) -> str:
        """The statement that refutes it."""
        return f"¬ ({self.statement})"


def environment_literal(environment: Environment) -> str:
    """An environment as a Lean term of type `Env`."""
    return f"⟨{', '.join(_boolean(value) for value in environment.flags.values())}⟩"


def scheme_literal(scheme: LockScheme) -> str:
    """A lock scheme as a Lean term of type `LockScheme`."""
    locks = (
        "[" + ", ".join(f"⟨.{r.scope}, .{r.mode}⟩" for r in scheme.locks[kind]) + "]"
        for kind in KINDS
    )
    return f"⟨{', '.join(locks)}, {_boolean(scheme.check)}⟩"


def _boolean(value: bool) -> str:
    return ".true" if value else ".false"


def about(
    strategy: Strategy, environments: Mapping[str, Environment], view: StrategyView
) -> list[Claim]:
    """All claims about a strategy; the first is the main one.

    Args:
        strategy: From the spec.
        environments: Those of the spec; the claims of `expect` are about `default`.
        view: The names of its theorems.
    """
    environment = environments["default"]
    env, scheme = environment_literal(environment), scheme_literal(strategy.scheme)
    name, expect, module = strategy.name, strategy.claims, f"{AGX}.{view.file}"

    def claim(what: str, theorem: str, statement: str, english: str) -> Claim:
        return Claim(name, what, f"{AGX}.{theorem}", module, statement, f"{name} {english}")

    claims: list[Claim] = []
    if expect.safe:
        claims.append(claim("safe", view.theorem, f"{_WORDS}Safe {env} {scheme}", "is safe"))
    else:
        if expect.race:
            claims.append(
                claim(
                    "race",
                    view.theorem,
                    f"{_WORDS}TeardownRace {env} {scheme}",
                    "allows a teardown between load and use",
                )
            )
        elif expect.fault:
            claims.append(
                claim(
                    "fault",
                    view.theorem,
                    f"{_WORDS}CanReach {env} {scheme} .{expect.fault}",
                    f"can run into {expect.fault}",
                )
            )
        unsafe = view.unsafe_theorem if claims else view.theorem
        claims.append(claim("unsafe", unsafe, f"¬ {_WORDS}Safe {env} {scheme}", "is not safe"))
    parallel = f"{_WORDS}Parallel {env} {scheme}"
    if view.parallel:
        claims.append(claim("parallel", view.parallel_theorem, parallel, "is parallel"))
    else:
        negated = f"¬ {parallel}"
        claims.append(claim("sequential", view.parallel_theorem, negated, "is not parallel"))
    if view.counterexample is not None:
        claims.append(
            counterexample(
                strategy, environment, view.counterexample, f"{AGX}.{name}.counterexample", module
            )
        )
    for policy, found in view.deadlocks.items():
        claims.append(
            Claim(
                name,
                "deadlockFree",
                f"{AGX}.{name}.deadlock_free_{policy}" if found.free else None,
                module,
                f"{_WORDS}DeadlockFree .{policy} {env} {scheme}",
                f"{name}, whose calls take several locks, is deadlock-free "
                f"{deadlock.ENGLISH[policy]}",
                proofs=_deadlock_proofs(found),
                policy=policy,
            )
        )
    for other in environments.values():
        faults = view.faults[other.name]
        listed = ", ".join(f".{fault}" for fault in faults)
        claims.append(
            Claim(
                name,
                "faults",
                f"{AGX}.{name}.faults_{other.name}",
                f"{AGX}.Matrix",
                f"{_WORDS}ExactFaults {environment_literal(other)} {scheme} [{listed}]",
                f"{name}, {other.name}: exactly {', '.join(faults) or 'no fault'}",
                other.name,
            )
        )
    return claims


def _deadlock_proofs(found: deadlock.Finding) -> tuple[str, str]:
    """That the locks can be ordered, or the run into a deadlock."""
    free = f"{_WORDS}deadlock_free_of_orderable ({EVALUATION})"
    run = found.run
    if run is None:
        return free, EVALUATION
    listed = ", ".join(map(views.lean_sequential_label, run.events))
    maps = " ".join(str(list(m)) for m in (run.bounds.streams, run.bounds.homes, run.bounds.queues))
    return free, (
        f"{_WORDS}LockScheme.leadsToDeadlock_sound (c := {_WORDS}Client.listed {maps}) "
        f"(run := [{listed}]) (ts := {list(range(run.bounds.threads))}) ({EVALUATION})"
    )


def counterexample(
    strategy: Strategy,
    environment: Environment,
    run: Counterexample,
    theorem: str | None,
    module: str,
) -> Claim:
    """The claim that a run is one of the strategy and ends in its fault."""
    labels = ", ".join(map(views.lean_label, run.events))
    statement = (
        f"{_WORDS}LockScheme.leadsTo {scheme_literal(strategy.scheme)} "
        f"{environment_literal(environment)} .distinct [{labels}] .{run.fault} {run.thread} = .true"
    )
    english = f"{strategy.name} has a run to {run.fault}"
    return Claim(strategy.name, "counterexample", theorem, module, statement, english)


@dataclass(frozen=True)
class Line:
    """A theorem of the gate's module: a claim or its negation, and how it is to be proved.

    Attributes:
        claim: What it is about.
        negated: Whether the negation is stated.
        by_theorem: Proved by the theorem that the claim names; otherwise by evaluation.
    """

    claim: Claim
    negated: bool = False
    by_theorem: bool = True


def gate_module(lines: Iterable[Line], extra: Iterable[str] = ()) -> tuple[str, list[str]]:
    """The gate's module, with one theorem a line, in order, and their full names.

    Args:
        lines: What to state.
        extra: Modules to import besides those that the lines need.

    Returns:
        The source; theorem `i` is on line `first_line() + i` of it.
    """
    lines = list(lines)
    modules = {line.claim.module for line in lines if line.by_theorem}
    if any(line.claim.what == "deadlockFree" for line in lines):
        modules |= {"MPSVerify.Thm.Deadlock", "MPSVerify.Thm.Deadlock.Replay"}
    imports = [*_IMPORTS, *sorted({*modules, *extra})]
    text = [f"import {module}" for module in imports]
    text += ["namespace MPSVerify.Gate"]
    names = []
    for index, line in enumerate(lines):
        statement = line.claim.negation if line.negated else line.claim.statement
        proof = line.claim.theorem if line.by_theorem else line.claim.proofs[line.negated]
        text.append(f"theorem claim{index} : {statement} := {proof}")
        names.append(f"{GATE}.claim{index}")
    text.append("end MPSVerify.Gate")
    return "\n".join(text) + "\n", names


def first_line(source: str) -> int:
    """The line of the first theorem of a gate module."""
    return source.splitlines().index("namespace MPSVerify.Gate") + 2


def restated(claims_file: Path) -> list[tuple[str, str]]:
    """The hand-written claims: (constant, theorem that it restates).

    Each is `theorem NAME … := PROOF`, where the proof is a theorem's name, applied or not.

    Args:
        claims_file: `MPSVerify/Claims.lean`.

    Raises:
        VerifyError: If there is a theorem that cannot be told apart: it would go unjudged.
    """
    import re

    text = re.sub(r"/-.*?-/|--[^\n]*", "", claims_file.read_text(encoding="utf-8"), flags=re.S)
    found = re.findall(r"^theorem\s+(\w+)\b.*?:=\s*([\w.]+)", text, flags=re.S | re.M)
    declared = len(re.findall(r"\b(?:theorem|lemma|def|instance|example|abbrev)\b", text))
    if declared != len(found):
        raise VerifyError(
            f"{claims_file}: {declared} declarations, but {len(found)} of the form "
            "`theorem NAME … := PROOF`; write each claim in that form"
        )
    return [
        (f"MPSVerify.Claims.{name}", f"MPSVerify.{proof.removeprefix('MPSVerify.')}")
        for name, proof in found
    ]


def of_spec(spec: Spec, strategy_views: Iterable[StrategyView]) -> dict[str, list[Claim]]:
    """The claims of a spec, by strategy."""
    by_name = {view.name: view for view in strategy_views}
    return {s.name: about(s, spec.environments, by_name[s.name]) for s in spec.strategies}
