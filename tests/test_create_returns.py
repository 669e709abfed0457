"""`createReturns`: nobody uses an encoder before its create has returned, and it is made once."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from verify import criterion, english, explore_native, promela, rules, trace, views
from verify import spec as specs
from verify.errors import VerifyError
from verify.packed import PackedModel
from verify.question import Question
from verify.rules import Atom, Rule
from verify.semantics import Bounds, Model, State
from verify.spec import Environment, LockScheme, Request
from verify.walk import Walk

SHIPPED = specs.load()
PATIENT = SHIPPED.environments["afterCreate"]
DEFAULT = SHIPPED.environments["default"]
EARLY = {"lostContext", "uninitialised", "writeAfterFree"}
NO_LOCK_ON_CREATE = LockScheme(
    {**SHIPPED.strategy("perEncoder").scheme.locks, "create": ()}, check=True
)
PER_ENCODER = (Request("encoder", "exclusive"),)


def reachable(
    env: Environment, bounds: Bounds, table: rules.Table = rules.TABLE
) -> Iterator[State]:
    """All states without any lock."""
    packed = PackedModel(SHIPPED.strategy("noSync").scheme, env, bounds, table)
    walk = Walk(packed.initial)
    for word in walk:
        yield packed.packing.unpack(word)
        walk.reach(word, (after for after, _ in packed.expand(word)[0]))


def beside_a_create(state: State) -> bool:
    busy = [activity for activity in state.threads if activity is not None]
    return any(
        "create" in (a.kind, b.kind) and a.encoder == b.encoder
        for a, b in itertools.combinations(busy, 2)
    )


def test_nothing_is_beside_a_create() -> None:
    assert not any(beside_a_create(state) for state in reachable(PATIENT, Bounds(2, 1, 2)))
    assert any(beside_a_create(state) for state in reachable(DEFAULT, Bounds(2, 1, 2)))


@pytest.mark.parametrize("atom", [Atom.UNMADE, Atom.UNUSED, Atom.IMPL])
def test_each_part_of_the_rule_matters(atom: Atom) -> None:
    """Without it, a create is beside something, or an encoder is made twice."""

    def without(rule: Rule) -> Rule:
        mine = rule.event == "dispatch" and any(
            test.atom is Atom.CREATE_RETURNS and test.value for test in rule.guard
        )
        if not mine or (atom is Atom.IMPL and rule.kinds != ("create",)):
            return rule
        return dataclasses.replace(
            rule, guard=tuple(test for test in rule.guard if test.atom is not atom)
        )

    def odd(table: rules.Table) -> bool:
        twice = False
        for state in reachable(PATIENT, Bounds(2, 1, 2), table):
            twice = twice or any(
                activity is not None
                and (activity.kind, activity.point) == ("create", "dispatched")
                and state.memory.impl[activity.encoder] is not None
                for activity in state.threads
            )
            if beside_a_create(state):
                return True
        return twice

    assert not odd(rules.TABLE)
    assert odd(rules.Table(tuple(map(without, rules.RULES)), rules.FAULT_RULES))


@pytest.mark.parametrize("strategy", ["noSync", "perOp", "rwLock"])
def test_three_faults_are_gone(strategy: str) -> None:
    scheme = SHIPPED.strategy(strategy).scheme
    general = set(explore_native.explore(Question(scheme, DEFAULT)).faults)
    patient = set(explore_native.explore(Question(scheme, PATIENT)).faults)
    assert patient == general - EARLY
    assert patient == set(criterion.faults(scheme, PATIENT))


def test_create_needs_no_lock() -> None:
    assert not explore_native.explore(Question(NO_LOCK_ON_CREATE, PATIENT)).faults
    assert set(explore_native.explore(Question(NO_LOCK_ON_CREATE, DEFAULT)).faults) >= EARLY


def test_spin_counts_the_same_states() -> None:
    try:
        found = promela.explore(Question(SHIPPED.strategy("lockFree").scheme, PATIENT, 2, 1, 2))
    except VerifyError as error:
        if error.exit_code != 2:
            raise
        pytest.skip(str(error))
    ours = explore_native.explore(Question(SHIPPED.strategy("lockFree").scheme, PATIENT, 2, 1, 2))
    assert set(found.faults) == set(ours.faults)
    assert found.states == ours.states


def test_a_run_that_a_program_can_have_is_preferred() -> None:
    locks = {**dict.fromkeys(specs.KINDS, PER_ENCODER), "complete": ()}
    scheme = LockScheme(locks, check=True)
    shortest, possible = (
        views.shortest(scheme, DEFAULT, None),
        views.possible(scheme, DEFAULT, None),
    )
    assert shortest is not None
    assert possible is not None
    assert shortest.fault in EARLY
    assert possible.fault not in EARLY
    model = Model(scheme, PATIENT, views.BOUNDS)
    state = model.initial()
    for event in possible.events:
        state = dict(model.enabled(state))[event]
    assert possible.fault in {fault.fault for fault in model.faults(state)}
    early, fine = (
        english.step_lines(trace.Trace(views.BOUNDS, run.events, run.at), scheme, DEFAULT)
        for run in (shortest, possible)
    )
    assert any("before its create has returned" in line for line in early)
    assert not any("before its create has returned" in line for line in fine)
    # Where no program can have one, the general client's is shown, and says so.
    only = views.possible(NO_LOCK_ON_CREATE, DEFAULT, None)
    assert only is not None
    assert only.fault in EARLY


def test_old_specs_mean_what_they_meant(spec_file: Callable[[str], Path]) -> None:
    text = (
        'format = 1\n[environments.hostile]\nenglish = ""\natomicFreelist = false\n'
        '[[strategy]]\nname = "mine"\nenglish = ""\ncheck = true\n[strategy.locks]\n'
        + "".join(f'{kind} = "encoder exclusive"\n' for kind in specs.KINDS)
    )
    assert specs.load(spec_file(text)).environments["hostile"].createReturns is False


def test_an_environment_is_not_named_like_a_boolean(spec_file: Callable[[str], Path]) -> None:
    text = 'format = 1\n[environments.createReturns]\nenglish = ""\n'
    with pytest.raises(
        VerifyError, match="declared for environments by the model; choose another"
    ) as caught:
        specs.load(spec_file(text))
    assert caught.value.exit_code == 3
    assert len(str(caught.value)) < 500
