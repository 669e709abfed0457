"""`verify explain`: every line of it is a proved fact."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import independent_search as hand
import pytest
from conftest import mostly_slow, type_of_run

from verify import claims, criterion, explain, page, spec, views
from verify import prove as gate
from verify.engines.embedded import EmbeddedEngine
from verify.explain import Explanation
from verify.trace import Trace
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
NAMES = [strategy.name for strategy in SHIPPED.strategies]

STRATEGY = """\
format = 1
[[strategy]]
name = "mine"
english = "an encoder lock on everything but complete"
check = true
[strategy.locks]
create = "encoder exclusive"
encode = "encoder exclusive"
destroy = "encoder exclusive"
complete = "none"
"""


def permitted(name: str) -> tuple[tuple[str, str], ...]:
    """The pairs of kinds that do not exclude each other, from the hand-written relation."""
    locks = tuple(
        tuple((r.scope.replace("queue", "encoder"), r.mode) for r in requests)
        for requests in SHIPPED.strategy(name).scheme.locks.values()
    )
    same = hand.relation(locks).same0
    numbered = [(k, n) for k in range(4) for n in range(4) if not same >> (4 * k + n) & 1]
    return tuple((hand.KINDS[k], hand.KINDS[n]) for k, n in numbered)


@pytest.mark.parametrize("name", mostly_slow(NAMES, "perEncoder", "lockFree"))
def test_what_is_said_of_a_strategy(name: str, engine: EmbeddedEngine) -> None:
    told = explain.explain(name, None, engine)
    expect = SHIPPED.strategy(name).claims
    assert told.problems == ()
    assert told.verdict is Verdict.PROVED
    assert told.row.safe is expect.safe
    assert told.file.startswith("MPSVerify/AGX/")
    text = (Path(__file__).parents[1] / told.file).read_text()
    assert f"theorem {told.row.theorem}" in text
    assert told.overlaps == permitted(name)
    # A shortest run is at most as long as one to the fault that is claimed.
    assert (told.shortest is None) is expect.safe
    assert (told.claimed is None) is (expect.fault is None)
    if told.claimed and told.shortest:
        assert told.claimed.fault == expect.fault
        assert len(told.shortest.steps) <= len(told.claimed.steps)
        assert told.claimed.steps[-1].endswith(f"-> {expect.fault}")
        assert told.claimed.steps == told.row.counterexample
    assert {a.name for a in told.assumptions} == set(spec.FLAGS)
    for assumption in told.assumptions:
        # Dropping an assumption on the driver never helps; a restricted client never harms.
        assert assumption.faults is not None
        assert assumption.decisive is (expect.safe is bool(assumption.faults))
        if assumption.name in ("handlersTearDown", "sharedEncoders", "createReturns"):
            assert not (expect.safe and assumption.decisive)
        else:
            assert expect.safe or not assumption.decisive
    assert told.row.faults.keys() == SHIPPED.environments.keys()
    by_name = {a.name: a.faults for a in told.assumptions}
    for flag, environment in (
        ("handlersIntercepted", "handlersBypass"),
        ("atomicFreelist", "racyFreelist"),
        ("callersRetain", "noRetain"),
        ("sharedEncoders", "confined"),
        ("createReturns", "afterCreate"),
    ):
        assert by_name[flag] == told.row.faults[environment]


def decisive(told: Explanation) -> set[str]:
    return {assumption.name for assumption in told.assumptions if assumption.decisive}


def test_the_assumptions_of_the_two_safe_ones(engine: EmbeddedEngine) -> None:
    # A racy freelist is harmless if one lock stands before every create.
    assert decisive(explain.explain("globalMutex", None, engine)) == {
        "handlersIntercepted",
        "callersRetain",
    }
    assert decisive(explain.explain("perEncoder", None, engine)) == {
        "handlersIntercepted",
        "callersRetain",
        "atomicFreelist",
    }


# --- Nothing is said that Lean does not accept ----------------------------------------------------


def test_a_wrong_overlap_is_not_shown(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(criterion, "overlapping", lambda *_: (("create", "create"),))
    told = explain.explain("perEncoder", None, engine)
    assert told.overlaps is None
    assert told.verdict is Verdict.ERROR
    assert told.problems == (
        "Lean did not confirm: perEncoder: which pairs of operations are not excluded",
    )
    assert None not in [assumption.faults for assumption in told.assumptions]


def test_a_wrong_run_is_not_shown(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    right = claims.counterexample

    def cut_short(*arguments: Any) -> claims.Claim:
        strategy, environment, run, *rest = arguments
        short = views.Counterexample(run.at, run.events[:-1])
        return right(strategy, environment, short, *rest)

    monkeypatch.setattr(claims, "counterexample", cut_short)
    told = explain.explain("rwLock", None, engine)
    assert (told.claimed, told.shortest) == (None, None)
    assert told.verdict is Verdict.ERROR


def test_wrong_faults_are_not_shown(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = gate.prove(None, engine)
    monkeypatch.setattr(gate, "prove", lambda *_: result)
    monkeypatch.setattr(criterion, "faults", lambda *_: ("lostContext",))
    told = explain.explain("perEncoder", None, engine)
    assert {assumption.faults for assumption in told.assumptions} == {None}
    assert decisive(told) == set()
    assert told.verdict is Verdict.ERROR
    assert told.overlaps == ()


# --- A user's own ---------------------------------------------------------------------------------


def test_a_strategy_of_ones_own(engine: EmbeddedEngine, spec_file: Callable[[str], Path]) -> None:
    told = explain.explain("mine", spec_file(STRATEGY), engine)
    # It claims to be safe, for it claims nothing else; it is not.
    assert told.verdict is Verdict.REFUTED
    assert told.row.safe is False
    assert told.problems == ()
    assert told.overlaps is not None
    assert told.overlaps[0] == ("create", "complete")
    assert told.shortest is not None
    assert told.shortest.fault in spec.FAULTS
    assert decisive(told) == {"handlersTearDown"}


# --- The command ----------------------------------------------------------------------------------


def test_the_command(verify: type_of_run, lean_cache: Path) -> None:
    shown = verify("explain", "rwLock", VERIFY_CACHE_DIR=str(lean_cache))
    assert shown.returncode == 0, shown.stderr
    for words in (
        "rwLock (one reader-writer lock: encoding reads, everything else writes) is not safe.",
        "PROVED: theorem rw_lock_insufficient in MPSVerify/AGX/RWLock.lean",
        "The first pair that is not excluded: encode with encode, by different threads on one "
        "encoder (0 more such pairs).",
        "encodes while another thread does -> encoderOverlap",
        "It would be safe if each encoder is used by its home thread only.",
    ):
        assert words in shown.stdout
    assert shown.stderr == ""
    safe = verify("explain", "perEncoder", VERIFY_CACHE_DIR=str(lean_cache))
    assert (
        "Every pair of operations that different threads can have on one encoder is excluded."
        in safe.stdout
    )
    unchecked = verify("explain", "perEncoderUnchecked", VERIFY_CACHE_DIR=str(lean_cache))
    assert "The guard does not check whether the context is alive." in unchecked.stdout


def test_json(verify: type_of_run, lean_cache: Path) -> None:
    shown = verify("explain", "noSync", "--json", VERIFY_CACHE_DIR=str(lean_cache))
    value = json.loads(shown.stdout)
    assert shown.returncode == 0
    assert value["verdict"] == "PROVED"
    assert value["theorem"] == "race_condition_exists"
    assert value["file"] == "MPSVerify/AGX/Race.lean"
    assert value["first_overlap"] == ["create", "create"]
    assert len(value["overlaps"]) == 16
    assert value["claimed_fault"]["fault"] == "nullDeref"
    assert len(value["shortest"]["steps"]) < len(value["claimed_fault"]["steps"])
    assert value["faults"]["confinedNoHandlers"] == []
    assert [a["assumption"] for a in value["assumptions"]] == list(spec.FLAGS)


def test_an_unknown_strategy_is_one_line(verify: type_of_run, tmp_path: Path) -> None:
    shown = verify("explain", "perEncodr", VERIFY_CACHE_DIR=str(tmp_path))
    assert shown.returncode == 3
    assert shown.stdout == ""
    assert shown.stderr.count("\n") == 1
    assert "unknown strategy 'perEncodr'" in shown.stderr
    assert "did you mean 'perEncoder'?" in shown.stderr
    assert list(tmp_path.iterdir()) == []  # found out before any Lean was asked


# --- The page, with what Lean says ----------------------------------------------------------------


def asked_for(name: str, environment: str = "default") -> explain._Asked:
    environments = SHIPPED.environments
    return explain._Asked(SHIPPED.strategy(name), environments[environment], None, None, None)


def test_the_page_of_an_unsafe_strategy(engine: EmbeddedEngine) -> None:
    verdict, content = explain._strategy_page(asked_for("rwLock"), engine)
    assert verdict is Verdict.PROVED
    assert content.judgement == "not safe"
    assert dict(content.facts)["exactly these faults, proved"] == "encoderOverlap"
    (group,) = content.groups
    assert [run.basis for run in group.runs] == ["Lean's kernel accepts this run."]
    assert "It would be safe if each encoder is used by its home thread only." in content.reasons
    # What Lean proves to be reachable and what the page gives reasons for make up all faults.
    closed = [fault for fault, _, _ in content.unreachable]
    assert sorted([*closed, "encoderOverlap"]) == sorted(spec.FAULTS)


def test_the_page_of_a_safe_strategy(engine: EmbeddedEngine) -> None:
    verdict, content = explain._strategy_page(asked_for("perEncoder"), engine)
    assert verdict is Verdict.PROVED
    assert (content.judgement, content.mood) == ("safe", "good")
    verdict, content = explain._strategy_page(asked_for("perEncoder", "racyFreelist"), engine)
    assert (verdict, content.judgement) == (Verdict.PROVED, "not safe")
    (group,) = content.groups  # with two encoders, which Lean accepts as well
    assert [run.name for run in group.runs] == ["staleContext", "doubleFree", "writeAfterFree"]
    assert {run.basis for run in group.runs} == {"Lean's kernel accepts this run."}


def test_a_run_that_lean_rejects_is_an_error(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = page.counterexamples

    def cut_short(*arguments: Any) -> dict[str, Trace]:
        found = right(*arguments)
        run = found["nullDeref"]
        # A run of the model as far as it goes; it ends a step too early.
        found["nullDeref"] = Trace(run.bounds, run.events[:-1], run.fault)
        return found

    monkeypatch.setattr(page, "counterexamples", cut_short)
    verdict, content = explain._strategy_page(asked_for("perStream"), engine)
    assert verdict is Verdict.ERROR
    assert "ERROR: Lean did not accept the run to nullDeref." in content.reasons
    bases = {run.name: run.basis for run in content.groups[0].runs}
    assert bases.pop("nullDeref") == page.FOLLOWED
    assert set(bases.values()) == {"Lean's kernel accepts this run."}
