"""`verify mutate`: one change, three sides, and what is said when they do not agree."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import independent_search as hand
import pytest
import test_matrix as matrix
from conftest import STRATEGY, type_of_run
from support.rule_edits import apply
from support.rule_mutants import BY_NAME

from verify import cli, generate, prove, resources, semantics, spec
from verify.engines.embedded import EmbeddedEngine
from verify.errors import EngineMissing, VerifyError
from verify.mutation import Judgement, Mutation, campaign, mutants, observers, run
from verify.mutation.campaign import compare, judge
from verify.mutation.command import show
from verify.mutation.mutants import Claims, SpecMutant
from verify.semantics import Bounds
from verify.spec import FAULTS, KINDS, LockScheme, Request
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

SHIPPED = spec.load()
ENVIRONMENTS = SHIPPED.environments
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def mutant(strategy: str, change: str) -> SpecMutant:
    """The mutant of a shipped strategy."""
    (found,) = (
        m
        for m in mutants.of_strategy(SHIPPED.strategy(strategy), ENVIRONMENTS)
        if m.change == change
    )
    return found


SHARED = mutant("globalMutex", "encode takes global shared, not global exclusive")
"""It lets two threads encode at once; whoever takes shared for exclusive does not see it."""


# --- What is changed ------------------------------------------------------------------------------


def test_every_place_of_every_strategy_is_changed() -> None:
    for strategy in SHIPPED.strategies:
        found = list(mutants.schemes(strategy.scheme))
        # Four kinds, ten locks or none instead of what is there, and the check.
        assert len(found) == 4 * 10 + 1
        assert len(dict(found)) == len({scheme for _, scheme in found}) == len(found)
        for _, scheme in found:
            old = strategy.scheme
            changed = [kind for kind in KINDS if scheme.locks[kind] != old.locks[kind]]
            assert len(changed) + (scheme.check != old.check) == 1


def test_lists_of_locks_lose_one_and_change_places() -> None:
    a, b = Request("global", "shared"), Request("encoder", "exclusive")
    scheme = LockScheme({**dict.fromkeys(KINDS, (b,)), "encode": (a, b)}, True)
    found = dict(mutants.schemes(scheme))
    assert found["encode does not take global shared"].locks["encode"] == (b,)
    assert found["encode does not take encoder exclusive"].locks["encode"] == (a,)
    assert found["encode takes encoder exclusive before global shared"].locks["encode"] == (b, a)
    other = found["encode takes global exclusive, not global shared"].locks["encode"]
    assert other == (Request("global", "exclusive"), b)
    # No lock twice: the spec would be refused.
    assert all(
        len({r.scope for r in s.locks["encode"]}) == len(s.locks["encode"]) for s in found.values()
    )


def test_every_claim_is_turned_round() -> None:
    own = mutants.claims_of(SHIPPED.strategy("perStream"), ENVIRONMENTS)
    found = dict(mutants.flips(own))
    assert found["claimed safe"] == Claims(safe=True)
    assert found["claimed sequential"] == Claims(parallel=False)
    assert sum("claimed to reach" in words and " in " not in words for words in found) >= 7
    cells = [words for words in found if words.startswith("in ")]
    assert len(cells) == len(ENVIRONMENTS) * len(FAULTS)
    for claims in found.values():
        assert claims != own
    assert "claimed to have the teardown race" in dict(mutants.flips(Claims(safe=True)))


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    def sample(seed: int) -> list[str]:
        every = mutants.of_strategy(SHIPPED.strategy("rwLock"), ENVIRONMENTS)
        chosen = campaign._sampled(every, random.Random(seed))
        assert Counter(m.group for m in chosen) == {
            "scheme": campaign.QUICK_SCHEMES, "claim": campaign.QUICK_CLAIMS,
        }  # fmt: skip
        return [m.name for m in chosen]

    assert sample(1) == sample(1)
    assert len({tuple(sample(seed)) for seed in range(5)}) > 1


# --- What is said ---------------------------------------------------------------------------------


def said(proof: bool | None, explorer: bool | None, native: bool | None) -> dict[str, Judgement]:
    answers = {"lean": proof, "explorer": explorer, "native": native}
    return {side: Judgement(killed) for side, killed in answers.items() if killed is not None}


@pytest.mark.parametrize(
    ("proof", "explorer", "native", "alone"),
    [(True, False, False, "lean"), (False, True, False, "explorer"), (True, True, False, "native"),
     (False, False, True, "native"), (True, False, True, "explorer"), (False, True, True, "lean")],
)  # fmt: skip
def test_who_stands_alone(proof: bool, explorer: bool, native: bool, alone: str) -> None:
    row = compare("m", "scheme", "g", "a change", said(proof, explorer, native))
    assert row.verdict is Verdict.REFUTED
    assert row.finding is not None
    assert row.finding.startswith(f"m: {alone} stands alone")


def test_of_two_sides_nobody_stands_alone() -> None:
    row = compare("m", "scheme", "g", "a change", said(True, None, False))
    assert row.finding is not None
    assert row.finding.startswith("m: the sides disagree: lean kills it; native sees no difference")


def test_killed_equivalent_survivor_open() -> None:
    killed = compare("m", "scheme", "g", "c", said(True, True, True))
    assert (killed.verdict, killed.equivalent) == (Verdict.PASSED, False)
    equivalent = compare("m", "scheme", "g", "c", said(False, False, False))
    assert (equivalent.verdict, equivalent.equivalent) == (Verdict.PASSED, True)
    # The native run is a search of all states, too; a proof is none.
    assert compare("m", "scheme", "g", "c", said(False, None, False)).equivalent is True
    survivor = compare("m", "scheme", "g", "c", said(False, None, None))
    assert (survivor.verdict, survivor.equivalent) == (Verdict.UNDETERMINED, None)
    assert survivor.open is not None
    assert survivor.open.startswith("survives (lean)")
    undecided = compare(
        "m", "scheme", "g", "c", {**said(None, True, True), "lean": Judgement(None, "?")}
    )
    assert (undecided.verdict, undecided.open) == (Verdict.UNDETERMINED, "lean: ?")


def test_the_same_kill_for_another_reason_is_a_disagreement() -> None:
    seen = {
        "explorer": observers.Difference("default", "lostContext is reached"),
        "native": observers.Difference("default", "nullDeref is reached"),
    }
    row = compare("m", "scheme", "g", "c", said(True, True, True), seen)
    assert row.finding is not None
    assert "killed, but not for one reason" in row.finding


def test_the_first_false_claim_is_found() -> None:
    class Fixed(observers.Observer):
        def look(
            self,
            scheme: LockScheme,  # noqa: ARG002
            environment: spec.Environment,  # noqa: ARG002
            bounds: Bounds,  # noqa: ARG002
        ) -> observers.Seen:
            return observers.Seen(frozenset({"nullDeref"}), parallel=True)

        def race(self, scheme: LockScheme, environment: spec.Environment) -> bool:  # noqa: ARG002
            return False

    def first(claims: Claims) -> str:
        scheme = SHIPPED.strategies[0].scheme
        return str(observers.contradiction(Fixed(), scheme, claims, ENVIRONMENTS) or "")

    assert first(Claims(safe=True)) == "default: nullDeref is reached"
    assert first(Claims(safe=False, fault="nullDeref", parallel=True)) == ""
    assert first(Claims(fault="doubleFree")) == "default: doubleFree is not reached"
    assert first(Claims(parallel=False)) == "default: two calls overlap"
    assert first(Claims(race=True)) == "default: there is no teardown race"
    exact = {"confined": frozenset({"doubleFree"})}
    assert (
        first(Claims(faults=exact)) == "confined: nullDeref is reached, doubleFree is not reached"
    )


# --- A planted bug in each side -------------------------------------------------------------------


def assert_alone(side: str, report: Mutation) -> str:
    (row,) = report.rows
    assert report.verdict is Verdict.REFUTED, row
    assert row.finding is not None
    assert f"{side} stands alone" in row.finding, row.finding
    return row.finding


@needs_compiler
def test_the_sides_agree(engine: EmbeddedEngine) -> None:
    report = judge(SHIPPED, [SHARED], engine=engine)
    assert report.verdict is Verdict.PASSED, report.findings
    assert report.total.killed == dict.fromkeys(campaign.SIDES, 1)
    assert report.total.kill_rate == 1.0


@needs_compiler
def test_a_bug_in_the_explorer(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def excludes(
        model: semantics.Model, held: tuple[int, str, int], wanted: tuple[int, str, int]
    ) -> bool:
        locks = {model.lock(*held, request) for request in model.requests(held[1])}
        return any(model.lock(*wanted, request) in locks for request in model.requests(wanted[1]))

    monkeypatch.setattr(semantics.Model, "excludes", excludes)
    assert_alone("explorer", judge(SHIPPED, [SHARED], engine=engine))


@needs_compiler
def test_a_bug_in_the_generator(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "lean_request", lambda request: f"⟨.{request.scope}, .exclusive⟩")
    finding = assert_alone("lean", judge(SHIPPED, [SHARED], engine=engine))
    assert "what `verify generate` writes is not the scheme that the spec names" in finding


@pytest.mark.slow  # it builds the guard anew; a bug of each other side is in the ordinary run
@needs_compiler
def test_a_bug_in_the_guard(engine: EmbeddedEngine, tmp_path: Path) -> None:
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    apply(BY_NAME["shared_excludes_shared"].native, source)
    assert_alone("native", judge(SHIPPED, [SHARED], engine=engine, source=source))


# --- What is missing or false ---------------------------------------------------------------------


def test_a_missing_side_is_undetermined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_: str) -> None:
        raise EngineMissing("no Lean here")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(prove, "choose_engine", missing)
    report = judge(SHIPPED, [SHARED])
    assert report.verdict is Verdict.UNDETERMINED
    assert {name: side.state for name, side in report.sides.items()} == {
        "lean": "missing", "explorer": "asked", "native": "missing",
    }  # fmt: skip
    show(report)
    out = capsys.readouterr().out
    assert "lean is missing: no Lean here" in out
    assert "native is missing: no C++ compiler found" in out
    # Of nothing at all nothing is said.
    assert judge(SHIPPED, [], sides=("explorer",)).verdict is Verdict.UNDETERMINED


def test_a_false_claim_comes_before_its_mutants(spec_file: Callable[[str], Path]) -> None:
    loaded = spec.load(
        spec_file("format = 1\n" + STRATEGY.replace('"encoder exclusive"', '"none"'))
    )
    own = mutants.originals(loaded)
    report = judge(loaded, [], own=own, sides=("explorer",))
    assert report.verdict is Verdict.REFUTED
    (finding,) = report.findings
    assert finding.startswith("mine: what is claimed of it does not hold as it is (explorer:")


def test_the_strategies_as_they_are_hold() -> None:
    own = [o for o in mutants.originals(SHIPPED) if o.strategy in ("perEncoder", "rwLock")]
    report = judge(SHIPPED, [SHARED], own=own, sides=("explorer",))
    assert report.findings == ()
    assert [row.kind for row in report.originals] == ["original", "original"]


# --- The command ----------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["mutate", "--strategy", "globalMutex", "--quick", "--seed", "3"]
    assert cli.run([*arguments, "--sides", "explorer", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "PASSED"
    assert result["exit_code"] == 0
    assert result["sides"]["native"]["state"] == "not asked"
    assert (
        len(result["rows"]) == result["mutants"] == campaign.QUICK_SCHEMES + campaign.QUICK_CLAIMS
    )
    assert {group["group"] for group in result["groups"]} == {
        "globalMutex: locks", "globalMutex: claims",
    }  # fmt: skip
    assert cli.run([*arguments, "--sides", "explorer"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "kill rate" in shown.out
    assert "a sample, --seed 3" in shown.out.splitlines()[-1]


def test_bad_options_are_one_line(verify: type_of_run) -> None:
    for arguments, what in (
        (("--sides", "lean,oracle"), "'oracle' is no side"),
        (("--only", "semantic"), "pytest -m slow tests/test_semantic_mutants.py"),
        (("--strategy", "nobody"), "unknown strategy 'nobody'"),
    ):
        done = verify("mutate", *arguments)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.count("\n") == 1
        assert what in done.stderr


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(VerifyError, match="unknown strategy"):
        run(SHIPPED, strategies=["nobody"])


# --- All of them ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_mutant_is_killed_by_all_three(
    engine: EmbeddedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = SHIPPED.strategies
    report = judge(
        SHIPPED,
        [m for s in chosen for m in mutants.of_strategy(s, ENVIRONMENTS)],
        mutants.originals(SHIPPED),
        engine=engine,
        sampled=False,
    )
    with capsys.disabled():
        show(report, equivalent=True)
    assert report.findings == ()
    assert report.verdict is Verdict.PASSED
    assert {name: side.state for name, side in report.sides.items()} == dict.fromkeys(
        campaign.SIDES, "asked"
    )
    total = report.total
    assert total.kill_rate == 1.0
    assert set(total.killed.values()) == {total.mutants - total.equivalent}
    assert 0 < total.equivalent < total.mutants
    # What counts as equivalent, against the law of the independent search.
    by_name = {row.name: row for row in report.rows}
    for strategy in chosen:
        for found in mutants.of_strategy(strategy, ENVIRONMENTS):
            requests = [
                r for s in (strategy.scheme, found.scheme) for k in KINDS for r in s.locks[k]
            ]
            if found.group != "scheme" or any(r.scope == "queue" for r in requests):
                continue
            alike = all(
                faults_by_hand(found.scheme, name) == faults_by_hand(strategy.scheme, name)
                for name in ENVIRONMENTS
            )
            if not alike:
                assert by_name[found.name].equivalent is False, found.name
            elif by_name[found.name].equivalent is False:
                # The same faults, but not the same answer to whether calls run in parallel.
                assert "overlap" in str(by_name[found.name].sides["explorer"].why), found.name


def faults_by_hand(scheme: LockScheme, environment: str) -> frozenset[str]:
    (locks,) = matrix.variants(scheme)
    flags = hand.ENVIRONMENTS[environment] | (hand.CHECK if scheme.check else 0)
    return hand.law(flags, hand.relation(locks))
