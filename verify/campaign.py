"""What is run on the native guard: small programs, and Hypothesis' stateful tests."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from verify import cache
from verify.english import state_lines
from verify.errors import EngineMissing
from verify.library import Library
from verify.lockstep import DivergenceError, Lockstep, Memo, shrink
from verify.records.stress import Counterexample
from verify.semantics import Bounds, Event, Model
from verify.session import Outcome, Session, StepResult
from verify.spec import KINDS, Environment, LockScheme, Spec, Strategy

SETUPS = ("", "c0|", "c0c1|")
DEEP = ("c0e0d0,c0e0d0", 4)
"""A program that is explored with more preemptions than the others, and with how many."""


def programs(seed: int | None = None) -> list[str]:
    """Every program of 2 threads × 2 operations on 2 encoders, up to renaming both.

    Args:
        seed: Shuffles them, so that a run that stops early has seen a sample; None keeps the order.
    """
    operations = [f"{kind}{e}" for e in (0, 1) for kind in "cedkx"]
    pairs = ["".join(pair) for pair in itertools.product(operations, repeat=2)]
    found: dict[str, None] = {}
    other_encoder = str.maketrans("01", "10")
    for setup in SETUPS:
        for a, b in itertools.product(pairs, repeat=2):
            same = [(a, b), (b, a)]
            if setup != "c0|":  # after that one the encoders differ
                c, d = a.translate(other_encoder), b.translate(other_encoder)
                same += [(c, d), (d, c)]
            if (a, b) == min(same):
                found[f"{setup}{a},{b}"] = None
    result = list(found)
    if seed is not None:
        random.Random(seed).shuffle(result)  # noqa: S311  # no secret
    return result


def run_programs(
    session: Session, names: Sequence[str], preemptions: int, deadline: float
) -> tuple[Outcome, int]:
    """Explore programs until the deadline.

    Returns:
        The sum of the outcomes, and how many programs were explored.
    """
    total = Outcome()
    done = 0
    for name in names:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        outcome = session.explore(name, preemptions, seconds=max(left, 0.01))
        total.add(outcome)
        done += outcome.complete
    total.complete = done == len(names)
    return total, done


class CaughtError(Exception):
    """A run of the campaign showed something; carries the counterexample and its events."""

    def __init__(self, example: Counterexample, events: list[Event]) -> None:
        super().__init__(f"{example.shows}: {example.schedule}")
        self.example, self.events = example, events


@dataclass
class CampaignResult:
    """What a Hypothesis campaign has done and found.

    Attributes:
        runs, events: How many machines ran, and their native events, each checked.
        faults: The faults seen.
        example: The shrunk counterexample, if one was found.
    """

    runs: int = 0
    events: int = 0
    faults: set[str] = field(default_factory=set)
    example: Counterexample | None = None


def campaign(
    library: Library,
    spec: Spec,
    strategy: Strategy,
    environments: Sequence[Environment],
    hunted: frozenset[str],
    seed: int,
    seconds: float,
    database: Path | None = None,
    native_side: LockScheme | None = None,
) -> CampaignResult:
    """Run Hypothesis' stateful tests of one strategy against its model.

    Args:
        library: The native library.
        spec: Where the strategy comes from.
        strategy: What the guard does.
        environments: Among which the campaign chooses.
        hunted: Faults that end the campaign with a shrunk counterexample; others are only noted.
            A divergence from the model always does.
        seed: The same seed, the same campaign.
        seconds: When to stop.
        database: Hypothesis' example database, a directory that machines can share; None: none.
        native_side: What the native guard does, if not what the strategy says (a control).

    Raises:
        EngineMissing: Hypothesis is not installed.
    """
    try:
        import hypothesis
        from hypothesis import configuration
        from hypothesis import strategies as st
        from hypothesis.database import DirectoryBasedExampleDatabase
        from hypothesis.stateful import (
            RuleBasedStateMachine,
            initialize,
            rule,
            run_state_machine_as_test,
        )
    except ImportError:
        raise EngineMissing("hypothesis is not installed: pip install hypothesis") from None

    # Hypothesis keeps what it learns about the sources; not in the user's working directory.
    configuration.set_hypothesis_home_dir(cache.directory() / "hypothesis")
    result = CampaignResult()
    deadline = time.monotonic() + seconds
    last: list[CaughtError] = []
    sessions: dict[tuple[str, int, int], tuple[Session, Model, Memo]] = {}

    def opened(env: Environment, encoders: int, blocks: int) -> tuple[Session, Model, Memo]:
        key = (env.name, encoders, blocks)
        if key not in sessions:
            bounds = Bounds(3, encoders, blocks)
            session = Session(library, native_side or strategy.scheme, env, bounds)
            sessions[key] = session, Model(strategy.scheme, env, bounds), {}
        return sessions[key]

    threads, blocks = st.integers(0, 2), st.integers(0, 2)

    class Machine(RuleBasedStateMachine):
        """Workload, environment and schedule of one run."""

        @initialize(
            env=st.sampled_from(list(environments)), encoders=st.integers(1, 2),
            blocks=st.integers(1, 3),
        )  # fmt: skip
        def begin(self, env: Environment, encoders: int, blocks: int) -> None:
            session, model, memo = opened(env, encoders, blocks)
            session.reset()
            self.env = env
            self.encoders = encoders
            self.pair = Lockstep(session, model, memo)
            result.runs += 1

        @rule(thread=threads, what=st.integers(0, 7), count=st.integers(0, 7), block=blocks)
        def go(self, thread: int, what: int, count: int, block: int) -> None:
            # An idle thread begins something that it may; every rule gets something done.
            session = self.pair.session
            if self.pair.state.threads[thread] is None:
                objects = range(self.encoders)
                possible: list[Callable[[], StepResult]] = [
                    partial(self.pair.dispatch, thread, kind, encoder)
                    for kind in KINDS
                    for encoder in objects
                    if session.can_dispatch(thread, kind, encoder)
                ]
                possible += [partial(self.pair.drop, e) for e in objects if session.can_drop(e)]
                if not possible:
                    return
                self.done(possible[what % len(possible)])
            for _ in range(count):
                if self.pair.state.threads[thread] is None:
                    break
                choices = session.choices(thread)
                pick = choices[block % len(choices)] if choices else None
                if not self.done(partial(self.pair.step, thread, pick)):
                    break

        def done(self, act: Callable[[], StepResult]) -> bool:
            before = len(self.pair.events)
            try:
                outcome = act()
                self.pair.check_skips()
            except DivergenceError as divergence:
                self.catch("divergence", "; ".join(divergence.lines()))
            finally:
                result.events += len(self.pair.events) - before
            faults = self.pair.session.faults()
            result.faults |= faults
            for fault in sorted(faults & hunted):
                self.catch(fault, state_lines(self.pair.state)[0])
            failure = self.pair.session.failure()
            if failure is not None:
                self.catch("failure", failure)
            return outcome.stepped

        def catch(self, shows: str, detail: str) -> None:
            last[:] = [CaughtError(self.example(shows, detail), self.pair.events)]
            raise last[0]

        def example(self, shows: str, detail: str) -> Counterexample:
            bounds = self.pair.session.bounds
            schedule = self.pair.schedule()
            return Counterexample(strategy.name, self.env.name, bounds, schedule, shows, detail)

    settings = hypothesis.settings(
        max_examples=40,
        stateful_step_count=20,
        deadline=None,
        database=DirectoryBasedExampleDatabase(database) if database else None,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        # Found schedules are shrunk by `shrink`.
        phases=[hypothesis.Phase.reuse, hypothesis.Phase.generate],
        print_blob=False,
    )
    try:
        for batch in itertools.count():
            if time.monotonic() >= deadline and batch > 0:
                break
            hypothesis.seed(seed * 1_000_003 + batch)(Machine)
            try:
                run_state_machine_as_test(Machine, settings=settings)
            except (CaughtError, hypothesis.errors.Flaky) as error:
                # Flaky: the native side did not do the same twice, which is a finding as well.
                caught = error if isinstance(error, CaughtError) else last[0]
                example = caught.example
                env = spec.environments[example.environment]
                session, model, _ = opened(env, example.bounds.encoders, example.bounds.blocks)
                result.example = shrink(session, model, example, caught.events)
                break
    finally:
        for session, _, _ in sessions.values():
            session.close()
    return result
