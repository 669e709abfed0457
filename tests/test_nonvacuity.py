"""Main theorems, and companions that inhabit their hypotheses, are among what the gate audits."""

from __future__ import annotations

import re

import pytest

from verify import claims, resources
from verify.engines.embedded import EmbeddedEngine
from verify.prove import prove
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

CLAIMS = resources.root() / "MPSVerify" / "Claims.lean"

# A hand-written claim with hypotheses -> the claim that shows that they can be met.
COMPANIONS = {
    "mutex_prevents_race": "global_mutex_complete_run",
    "per_encoder_mutex_sufficient": "per_encoder_complete_run",
    "per_encoder_mutex_parallel": "per_encoder_encodes_in_parallel",
    "per_encoder_is_maximal": "maximality_inhabited",
    "per_encoder_runs_all": "runs_inhabited",
    "per_encoder_runs_all_there": "runs_inhabited",
    "async_bypass_defeats_every_lock": "bypass_inhabited",
    "handlers_must_be_awaited": "bypass_inhabited",
    "late_unchecked_faults": "late_inhabited",
    "no_work_lost": "confinement_inhabited",
    "one_thread_is_safe": "one_thread_inhabited",
    "confinement_suffices": "confinement_inhabited",
    "atomic_bodies_suffice": "atomic_bodies_inhabited",
}

# What may not quietly go from the hand-written claims: the theorems of the seed, and the theory.
REQUIRED = """
safe_iff_criterion parallel_iff_criterion teardown_race_iff_criterion can_reach_iff_criterion
race_condition_exists mutex_prevents_race per_stream_mutex_insufficient per_op_mutex_insufficient
rw_lock_insufficient per_encoder_mutex_sufficient per_encoder_mutex_parallel lock_free_insufficient
safe_strategies_exactly_two all_strategies_classified safe_iff_permits_subset per_encoder_is_maximal
per_encoder_is_optimal better_than_global_mutex same_encoder_overlap_is_unsafe mutex_is_minimal
exactly_three_safe_schemes memory_safe_schemes_exactly_six per_encoder_uniquely_optimal
exactly_two_safe_and_parallel only_per_encoder_permits_most exactly_twenty_four_safe_confined
singleRequests_length singleRequests_distinct mem_singleSchemes singleSchemes_length
singleSchemes_distinct safe_schemes_distinct safe_schemes_counted confinedSafe_counted
rw_lock_only_overlap async_bypass_defeats_every_lock handlers_must_be_awaited per_stream_safe_iff
per_encoder_runs_all safe_iff_reaches_subset state_guard_permits_more skip_possible_iff
racy_freelist_defeats_per_encoder dispatch_window_defeats_every_lock confinement_suffices
atomic_encode_insufficient atomic_bodies_suffice no_work_lost progress reachable_iff_replay
one_thread_is_safe
""".split()


def stated() -> dict[str, str]:
    """The hand-written claims, with the theorem that each restates."""
    found = claims.restated(CLAIMS)
    return {claim.removeprefix("MPSVerify.Claims."): theorem for claim, theorem in found}


@pytest.mark.parametrize("name", REQUIRED)
def test_it_is_claimed(name: str) -> None:
    assert name in stated()
    assert stated()[name].endswith(f".{name}")  # and restates the theorem of that name


@pytest.mark.parametrize("theorem", COMPANIONS)
def test_it_is_inhabited(theorem: str) -> None:
    assert theorem in stated()
    assert COMPANIONS[theorem] in stated()


def test_no_claim_is_trivial() -> None:
    text = re.sub(r"/-.*?-/|--[^\n]*", "", CLAIMS.read_text(), flags=re.S)
    for statement in re.findall(r"^theorem\s+\w+(.*?):=", text, flags=re.S | re.M):
        assert not re.search(r":\s*True\s*$", statement)


def test_all_of_them_are_audited(engine: EmbeddedEngine) -> None:
    judged = {
        j.claim.english.removeprefix("MPSVerify.Claims."): j for j in prove(None, engine).restated
    }
    assert set(judged) == set(stated())
    assert {*REQUIRED, *COMPANIONS.values()} <= set(judged)
    for j in judged.values():
        assert j.verdict is Verdict.PROVED, j.reason
        assert j.theorem is not None
        assert set(j.axioms) <= {"propext", "Quot.sound", "Classical.choice"}
