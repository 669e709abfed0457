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

from verify import cli, generate, prove, resources, rules, semantics, spec
from verify.engines.embedded import EmbeddedEngine
from verify.errors import EngineMissing, VerifyError
from verify.mutation import Judgement, campaign, lean, mutants, observers, run, semantic
from verify.mutation.campaign import compare, judge
from verify.mutation.command import show
from verify.mutation.mutants import Claims, SpecMutant
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


def test_rules_are_changed_where_they_are_written_down() -> None:
    table = mutants.SHIPPED
    native = resources.root() / "native"
    assert len(semantic.BY_NAME) == len(semantic.MUTANTS) >= 30
    for rule in semantic.MUTANTS:
        if rule.table is not None:
            assert rule.table(table) != table, rule.name
        texts: dict[str, str] = {}
        for edit in rule.native:
            text = texts.get(edit.file) or (native / edit.file).read_text(encoding="utf-8")
            texts[edit.file] = edit.apply(text)
        assert bool(rule.native) == rule.searchable, rule.name
    with pytest.raises(ValueError, match="no such rule"):
        table.change("push", "create")
    with pytest.raises(ValueError, match="no fault"):
        table.never("divisionByZero")


def test_rules_are_held_against_the_shipped_strategies_too() -> None:
    """perEncoder takes no lock per queue, so it does not see what a queue is."""
    own = [SHIPPED.strategy("perEncoder")]
    assert [s.name for s in campaign.against(own)] == ["perEncoder"] + [
        s.name for s in SHIPPED.strategies if s.name != "perEncoder"
    ]
    rule = [semantic.BY_NAME["queue_per_encoder"]]
    for strategies, killed in ((own, False), (campaign.against(own), True)):
        report = judge(SHIPPED, [], rule, strategies=strategies, sides=("explorer",))
        (row,) = report.rows
        assert row.sides["explorer"].killed is killed


def test_what_is_claimed_of_queues() -> None:
    """Of a scheme all of whose calls take the lock of their queue alone, and of no other."""
    claimed = {s.name: mutants.claims_about_rules(s, ENVIRONMENTS) for s in SHIPPED.strategies}
    assert {name for name, c in claimed.items() if c.one_queue is not None} == {"striped"}
    assert claimed["striped"].one_queue is False
    seen = observers.Explorer().see(SHIPPED.strategy("striped").scheme, ENVIRONMENTS["default"])
    assert (seen.faults, seen.parallel, seen.one_queue) == (frozenset(), True, False)


def test_other_rules_change_nobody_elses() -> None:
    """Mutants are judged side by side: each model has the rules that it was given."""
    scheme, env = SHIPPED.strategy("perEncoder").scheme, ENVIRONMENTS["default"]
    changed = observers.Explorer(semantic.BY_NAME["acquire_ignores_locks"])
    before = rules.RULES, rules.FAULT_RULES
    assert changed.see(scheme, env).faults
    assert changed.race(scheme, env)
    assert not observers.Explorer().see(scheme, env).faults
    assert not observers.Explorer().race(scheme, env)
    assert before == (rules.RULES, rules.FAULT_RULES)


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
    # A proof that fails shows no difference by itself, but the other way round it would.
    script = compare("m", "rule", "g", "c", said(True, False, False))
    assert (script.verdict, script.equivalent) == (Verdict.PASSED, True)
    assert compare("m", "rule", "g", "c", said(False, True, True)).verdict is Verdict.REFUTED
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
    class Fixed:
        def see(self, scheme: LockScheme, environment: spec.Environment) -> observers.Seen:  # noqa: ARG002
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


def assert_alone(side: str, report: campaign.Report) -> str:
    (row,) = report.rows
    assert report.verdict is Verdict.REFUTED, row
    assert row.finding is not None
    assert f"{side} stands alone" in row.finding, row.finding
    return row.finding


@needs_compiler
def test_the_sides_agree(engine: EmbeddedEngine) -> None:
    report = judge(SHIPPED, [SHARED], engine=engine)
    assert report.verdict is Verdict.PASSED, report.findings
    assert report.total().killed == dict.fromkeys(campaign.SIDES, 1)
    assert report.total().kill_rate == 1.0


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


@pytest.mark.slow  # single rules and single bugs are in the ordinary run
@needs_compiler
def test_a_bug_in_the_guard_and_a_changed_rule(engine: EmbeddedEngine, tmp_path: Path) -> None:
    rule = semantic.BY_NAME["shared_excludes_shared"]
    source = tmp_path / "native"
    shutil.copytree(resources.root() / "native", source)
    mutants.apply(rule.native, source)
    assert_alone("native", judge(SHIPPED, [SHARED], engine=engine, source=source))
    # The same bug on every side is a mutant, and every side kills it.
    report = judge(SHIPPED, [], [rule], engine=engine, strategies=[SHIPPED.strategy("rwLock")])
    assert report.verdict is Verdict.PASSED, report.findings
    (row,) = report.rows
    assert row.equivalent is False
    assert {side: j.killed for side, j in row.sides.items()} == dict.fromkeys(campaign.SIDES, True)


def test_a_changed_criterion_is_held_against_what_was_seen(engine: EmbeddedEngine) -> None:
    rule = semantic.BY_NAME["criterion_without_retain"]
    chosen = [SHIPPED.strategy("perEncoder")]
    report = judge(
        SHIPPED, [], [rule], engine=engine, strategies=chosen, sides=("lean", "explorer")
    )
    (row,) = report.rows
    assert row.verdict is Verdict.PASSED
    assert row.sides["explorer"] == Judgement(True, "noRetain: seen deadDispatch")


def test_a_broken_development_kills_nothing(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    for part in ("MPSVerify", "model"):
        shutil.copytree(resources.root() / part, root / part)
    for name in ("lakefile.lean", "lean-toolchain"):
        shutil.copy(resources.root() / name, root / name)
    with (root / "MPSVerify" / "Spec" / "Driver.lean").open("a", encoding="utf-8") as file:
        file.write("theorem wrong : 1 = 2 := by decide\n")
    monkeypatch.setattr(resources, "root", lambda: root)
    rule = semantic.BY_NAME["clear_does_nothing"]
    report = judge(SHIPPED, [], [rule], engine=engine, strategies=[], sides=("lean",))
    (row,) = report.rows
    assert row.verdict is Verdict.UNDETERMINED
    assert row.open is not None
    assert "the development does not check as it is: MPSVerify/Spec/Driver.lean" in row.open


def test_a_lean_that_breaks_off_kills_nothing(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "timeout", 0.001)
    edit = mutants.Edit("Driver.lean", "end MPSVerify", "\nend MPSVerify")
    checks, why = lean.development([edit], engine)
    assert checks is None
    assert "Lean: " in why


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
    assert report.findings == []
    assert [row.kind for row in report.originals] == ["original", "original"]


# --- The command ----------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["mutate", "--strategy", "globalMutex", "--only", "spec", "--quick", "--seed", "3"]
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
        semantic.MUTANTS,
        mutants.originals(SHIPPED),
        engine=engine,
        sampled=False,
    )
    with capsys.disabled():
        show(report, equivalent=True)
    assert report.findings == []
    assert report.verdict is Verdict.PASSED
    assert {name: side.state for name, side in report.sides.items()} == dict.fromkeys(
        campaign.SIDES, "asked"
    )
    total = report.total()
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
                assert "overlap" in by_name[found.name].sides["explorer"].why, found.name


def faults_by_hand(scheme: LockScheme, environment: str) -> frozenset[str]:
    (locks,) = matrix.variants(scheme)
    flags = hand.ENVIRONMENTS[environment] | (hand.CHECK if scheme.check else 0)
    return hand.law(flags, hand.relation(locks))
