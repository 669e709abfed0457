"""No statement leaves a name to Lean's name resolution."""

from __future__ import annotations

import re

import pytest

from verify import claims, criterion, explain, replay, spec, statements, views
from verify.errors import VerifyError
from verify.semantics import Bounds
from verify.spec import Environment, Spec
from verify.statements import Statement, rooted, word


@pytest.mark.parametrize(
    "text",
    [
        "DeadlockFree ⟨.true⟩ ⟨[], .true⟩",
        f"{word('Safe')} Env.default",
        f"{word('Safe')} true",
        f"{word('Safe')} ⟨⟩ ∧ True",
        f"∀ k ∈ allKinds, {word('Safe')} k",
        f"∀ k ∈ {word('allKinds')}, decide k",
        f"∀ k ∈ {word('allKinds')}, k.tearsDown",
        f"fun k => {word('Safe')} kk",
        "Nat",
        "_root_",
        "MPSVerify.Safe",
        f"{word('Safe')} -- a",
        f"{word('Safe')} /- a -/",
        f"{word('Safe')}\n",
        f'{word("Safe")} "a"',
        f"{word('Safe')} «a»",
        f"{word('Safe')} (by decide)",
        f"{word('Safe')} := sorry",
        f"{word('Safe')} `a",
        f"{word('Safe')} ; x",
        f"{word('Safe')} #eval",
        f"{word('Safe')} !x",
    ],
)
def test_a_bare_name_is_refused(text: str) -> None:
    with pytest.raises(VerifyError, match="statement: "):
        Statement(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{word('Safe')} ⟨.true, .false⟩ ⟨[⟨.encoder, .exclusive⟩], .true⟩",
        f"¬ ({word('LockScheme.replay?')} .initial [.body 0 (.loaded 1)] = .true)",
        f"∀ k n ∈ {word('allKinds')}, {rooted('Decidable.decide')} ((k, n) ∈ [])",
        f"({{ create := [], check := .true }} : {word('LockScheme')}) = .true",
    ],
)
def test_a_rooted_statement_is_taken(text: str) -> None:
    assert Statement(text) == text


BOUND = {"k", "n"}
BARE = re.compile(r"(?<![\w.'?!])[^\W\d][\w'?!]*(?!\w)(?! :=)")


def bare(text: str) -> set[str]:
    """Names that begin without a dot: another reading of the grammar than `Statement` has."""
    return {found[0] for found in BARE.finditer(text)} - BOUND - {"_root_", "fun"}


def shipped() -> Spec:
    return spec.load()


def several() -> spec.Strategy:
    return spec.Strategy(
        "two",
        "",
        spec.LockScheme(
            {
                kind: (spec.Request("global", "exclusive"), spec.Request("encoder", "shared"))
                for kind in spec.KINDS
            },
            True,
        ),
    )


def test_every_statement_of_every_command_is_rooted() -> None:
    loaded = shipped()
    default = loaded.environments["default"]
    asked: list[claims.Claim] = []
    for strategy in (*loaded.strategies, several()):
        view = views.strategy_view(strategy, loaded.environments)
        asked += claims.about(strategy, loaded.environments, view)
        pairs = criterion.overlapping(strategy.scheme, default)
        asked += [explain._overlap_claim(strategy, default, pairs)]
        asked += [explain._faults_claim(strategy, default, view.faults["default"])]
    assert {claim.what for claim in asked} >= {
        "safe", "unsafe", "race", "fault", "parallel", "sequential", "counterexample", "faults",
        "deadlockFree", "overlaps",
    }  # fmt: skip
    for claim in asked:
        assert isinstance(claim.statement, Statement)
        assert isinstance(claim.negation, Statement)
        assert bare(claim.statement) == set()
        assert "_root_.MPSVerify." in claim.statement


def declarations(source: str) -> list[str]:
    """What a generated module states and defines, without proofs and names."""
    lines = [line for line in source.splitlines() if line.startswith(("theorem ", "def "))]
    parts = []
    for line in lines:
        head, _, rest = line.partition(" : ")
        type_, _, value = rest.partition(" := ")
        parts += [type_, *([value] if head.startswith("def ") else [])]
    assert len(lines) > 5
    return parts


@pytest.mark.parametrize("kind", ["accepted", "fault", "rejected"])
def test_the_statements_of_a_replay_are_rooted(kind: str) -> None:
    loaded = shipped()
    environment: Environment = loaded.environments["default"]
    strategy = loaded.strategy("noSync")
    run = views.shortest(strategy.scheme, environment, None)
    assert run is not None
    source = replay.lean_module(
        run.events,
        strategy.scheme,
        environment,
        Bounds(2, 1, 2),
        (run.fault, run.thread) if kind == "fault" else None,
        run.events[0] if kind == "rejected" else None,
    )
    for text in declarations(source):
        assert bare(text) == set(), text


def test_the_gate_takes_no_text_for_a_statement() -> None:
    claim = claims.Claim("s", "safe", None, claims.GATE, Statement(word("Safe")), "")
    source, _ = claims.gate_module([claims.Line(claim, by_theorem=False)])
    assert statements.theorem("claim0", claim.statement, claims.EVALUATION) in source
