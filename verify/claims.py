"""What the gate asks of Lean, written from the spec and from nothing else.

Each claim is a statement with the scheme and the environment as literals, so that what is proved
is about the very locks that the spec names, whatever the templates made of them.  The theorem that
the spec names must prove it; the kernel compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from verify import deadlock, statements, views
from verify.errors import VerifyError
from verify.spec import KINDS, Environment, LockScheme, Spec, Strategy
from verify.statements import Statement, rooted, word
from verify.views import Counterexample, StrategyView

AGX = "MPSVerify.AGX"
GATE = "MPSVerify.Gate"
"""The module that holds the claims as theorems, one a line."""

HAND_WRITTEN = "MPSVerify.Claims"
"""The module with the claims that a person has written."""

RECORDED = "MPSVerify.Recorded"
"""The module that states that a trace is a run."""

PINNED = "MPSVerify.Pinned"
"""The module that says of the generated definitions that they are those of the spec."""

OWN = (GATE, HAND_WRITTEN, RECORDED, PINNED)
"""The modules with statements: nobody else may declare anything in their namespaces."""

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
    statement: Statement
    english: str
    environment: str = "default"
    proofs: tuple[str, str] = (EVALUATION, EVALUATION)
    policy: str = ""

    @property
    def negation(self) -> Statement:
        """The statement that refutes it."""
        return self.statement.negation


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

    def claim(what: str, theorem: str, text: str, english: str) -> Claim:
        statement = Statement(text)
        return Claim(name, what, f"{AGX}.{theorem}", module, statement, f"{name} {english}")

    claims: list[Claim] = []
    if expect.safe:
        claims.append(claim("safe", view.theorem, f"{word('Safe')} {env} {scheme}", "is safe"))
    else:
        if expect.race:
            claims.append(
                claim(
                    "race",
                    view.theorem,
                    f"{word('TeardownRace')} {env} {scheme}",
                    "allows a teardown between load and use",
                )
            )
        elif expect.fault:
            claims.append(
                claim(
                    "fault",
                    view.theorem,
                    f"{word('CanReach')} {env} {scheme} .{expect.fault}",
                    f"can run into {expect.fault}",
                )
            )
        unsafe = view.unsafe_theorem if claims else view.theorem
        claims.append(claim("unsafe", unsafe, f"¬ {word('Safe')} {env} {scheme}", "is not safe"))
    parallel = f"{word('Parallel')} {env} {scheme}"
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
                Statement(f"{word('DeadlockFree')} .{policy} {env} {scheme}"),
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
                Statement(
                    f"{word('ExactFaults')} {environment_literal(other)} {scheme} [{listed}]"
                ),
                f"{name}, {other.name}: exactly {', '.join(faults) or 'no fault'}",
                other.name,
            )
        )
    return claims


def _deadlock_proofs(found: deadlock.Finding) -> tuple[str, str]:
    """That the locks can be ordered, or the run into a deadlock."""
    free = f"{rooted('MPSVerify.deadlock_free_of_orderable')} ({EVALUATION})"
    run = found.run
    if run is None:
        return free, EVALUATION
    listed = ", ".join(map(views.lean_sequential_label, run.events))
    maps = " ".join(str(list(m)) for m in (run.bounds.streams, run.bounds.homes, run.bounds.queues))
    sound = rooted("MPSVerify.LockScheme.leadsToDeadlock_sound")
    return free, (
        f"{sound} (c := {rooted('MPSVerify.Client.listed')} {maps}) "
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
    statement = Statement(
        f"{word('LockScheme.leadsTo')} {scheme_literal(strategy.scheme)} "
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
        text.append(statements.theorem(f"claim{index}", statement, str(proof)))
        names.append(f"{GATE}.claim{index}")
    text.append("end MPSVerify.Gate")
    return "\n".join(text) + "\n", names


@dataclass(frozen=True)
class Pins:
    """That the generated definitions are those of the spec.

    Hand-written claims mention them by name, and templates are not trusted.

    Attributes:
        source: The module `PINNED`.
        theorems: Its theorems.
        definitions: The constants that they are about.
    """

    source: str
    theorems: tuple[str, ...]
    definitions: tuple[str, ...]


def pins(spec: Spec) -> Pins:
    """The module that pins the generated definitions of a spec."""
    stated: list[tuple[str, str]] = []
    definitions = []
    for environment in spec.environments.values():
        name = f"MPSVerify.Env.{environment.name}"
        definitions.append(name)
        stated.append((f"{rooted(name)} = {environment_literal(environment)}", "rfl"))
    for strategy in spec.strategies:
        name = f"{AGX}.{strategy.name}"
        definitions.append(name)
        stated.append((f"{rooted(name)} = {scheme_literal(strategy.scheme)}", "rfl"))
    counted = [strategy for strategy in spec.strategies if not strategy.extension]
    type_ = f"{AGX}.Strategy"
    definitions += [type_, f"{type_}.scheme", *(f"{type_}.{s.name}" for s in counted)]
    for strategy in counted:
        scheme = scheme_literal(strategy.scheme)
        stated.append((f"{rooted(f'{type_}.scheme')} .{strategy.name} = {scheme}", "rfl"))
    members = " ∨ ".join(f"s = .{strategy.name}" for strategy in counted)
    if members:
        whole = f"∀ s : {rooted(type_)}, {members}"
        stated.append((whole, "by intro s; cases s <;> decide"))
    lines = [f"import {AGX}", f"namespace {PINNED}"]
    lines += [
        statements.theorem(f"pin{i}", Statement(text), proof)
        for i, (text, proof) in enumerate(stated)
    ]
    lines += [f"end {PINNED}", ""]
    theorems = tuple(f"{PINNED}.pin{i}" for i in range(len(stated)))
    return Pins("\n".join(lines), theorems, tuple(definitions))


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
        (f"{HAND_WRITTEN}.{name}", f"MPSVerify.{proof.removeprefix('MPSVerify.')}")
        for name, proof in found
    ]


def hand_written(name: str, theorem: str) -> Claim:
    """A claim that a person has written: a constant, and the theorem that it restates."""
    return Claim("", "restated", theorem, HAND_WRITTEN, Statement(statements.rooted(name)), name)


def of_spec(spec: Spec, strategy_views: Iterable[StrategyView]) -> dict[str, list[Claim]]:
    """The claims of a spec, by strategy."""
    by_name = {view.name: view for view in strategy_views}
    return {s.name: about(s, spec.environments, by_name[s.name]) for s in spec.strategies}
