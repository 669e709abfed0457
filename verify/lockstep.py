"""The native session and the model side by side, and what they show: counterexamples.

A counterexample is a schedule: it is saved, shrunk and run again on both sides, and every native
event is checked to be an enabled step of the model with the same outcome.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from verify import answers, trace
from verify.english import event_text, letter, state_lines
from verify.errors import VerifyError
from verify.files import read_start, save_file
from verify.library import load_library
from verify.records.base import as_json, read
from verify.records.stress import FORMAT, Counterexample
from verify.rules import CRASHING, FAULT_RULES
from verify.semantics import Bounds, Event, FaultAt, Model, State
from verify.session import Session, StepResult, schedule_text
from verify.spec import Spec
from verify.verdict import Verdict, agreement

RUN = "run"
"""What a trace without a fault shows: that it can be followed."""


class DivergenceError(Exception):
    """The native system did something that the model does not do.

    Attributes:
        what: In one sentence.
        model, native: Both states.
    """

    def __init__(self, what: str, model: State, native: State) -> None:
        super().__init__(what)
        self.what, self.model, self.native = what, model, native

    def lines(self) -> list[str]:
        """The sentence and both states, for a person."""
        shown = [self.what]
        for name, state in (("model ", self.model), ("native", self.native)):
            shown += [f"{name}: {line}" for line in state_lines(state)]
        return shown


Memo: TypeAlias = dict[State, tuple[list[tuple[Event, State]], list[FaultAt]]]
"""What the model says about a state; runs pass through the same states again and again."""


class Lockstep:
    """The native session and the model, side by side.

    Args:
        session: In its initial state.
        model: Of the same scheme, environment and bounds.
        memo: What is known about the model's states; runs of one model may share it.
    """

    def __init__(self, session: Session, model: Model, memo: Memo | None = None) -> None:
        self.session, self.model = session, model
        self.memo: Memo = {} if memo is None else memo
        self.state = model.initial()
        self.events: list[Event] = []
        self.attempt = ""
        """The try that was not a step, if it was the last thing done."""

    def dispatch(self, thread: int, kind: str, encoder: int) -> StepResult:
        """Dispatch an operation on both sides.

        Raises:
            DivergenceError: They disagree.
        """
        return self._compare(self.session.dispatch(thread, kind, encoder), thread, kind, encoder)

    def drop(self, encoder: int) -> StepResult:
        """Release an encoder object on both sides; raises as `dispatch`."""
        return self._compare(self.session.drop(encoder), None, None, encoder)

    def step(self, thread: int, block: int | None = None) -> StepResult:
        """Take (or try) a thread's next step on both sides; raises as `dispatch`."""
        return self._compare(self.session.step(thread, block), thread, None, None)

    def _facts(self) -> tuple[list[tuple[Event, State]], list[FaultAt]]:
        facts = self.memo.get(self.state)
        if facts is None:
            facts = self.model.enabled(self.state), self.model.faults(self.state)
            self.memo[self.state] = facts
        return facts

    def follow(self, event: Event) -> StepResult:
        """Do what an event says, as far as it is possible here; raises as `dispatch`."""
        if event.t is None:
            return self.drop(event.e)
        if event.event == "dispatch":
            return self.dispatch(event.t, event.kind or "", event.e)
        if self.state.threads[event.t] is None:
            return StepResult("impossible")
        choices = self.session.choices(event.t)
        return self.step(event.t, event.b if event.b in choices else None)

    def schedule(self) -> str:
        """What was done so far, in a form that can be pasted."""
        return schedule_text(self.events) + self.attempt

    def _compare(
        self, result: StepResult, thread: int | None, kind: str | None, encoder: int | None
    ) -> StepResult:
        fresh = self.session.trace(len(self.events))
        for event in fresh:
            self.events.append(event)
            self.attempt = ""
            after = [state for label, state in self._facts()[0] if label == event]
            if not after:
                self._diverge(f"the model has no such step: {event_text(event)}")
            self.state = after[0]
        if result.stepped != bool(fresh):
            self._diverge(f"the native side says {result.word} and reports {len(fresh)} events")
        if self.session.state() != self.state:
            what = event_text(fresh[-1]) if fresh else "a try that was no step"
            self._diverge(f"the states differ after {what}")
        if not result.stepped:
            self._explain(result.word, thread, kind, encoder)
        return result

    def _explain(
        self, word: str, thread: int | None, kind: str | None, encoder: int | None
    ) -> None:
        """Check that the model has no step either, and the same crash."""
        possible = [
            event
            for event, _ in self._facts()[0]
            if event.t == thread
            and (kind is None or event.kind == kind)
            and (encoder is None or event.e == encoder)
        ]
        idle = thread is not None and self.state.threads[thread] is None
        if possible and not (idle and kind is None):
            self._diverge(f"native: {word}; the model can step: {event_text(possible[0])}")
        crashes = {f.fault for f in self._facts()[1] if f.t == thread} & CRASHING
        found = set()
        if word == "faulty" and thread is not None:
            found = {self.session.crashing()[thread]}
        if thread is not None and word != "impossible":
            self.attempt = f"{letter(thread)}!"
            if found != crashes:
                self._diverge(f"native: {sorted(found)} here; the model: {sorted(crashes)}")

    def check_skips(self) -> None:
        """Raise a DivergenceError if the guard skipped a call whose context was alive."""
        skipped, unexplained = self.session.skipped()
        if unexplained:
            self._diverge(f"{unexplained} of {skipped} skipped calls had a live context")

    def _diverge(self, what: str) -> None:
        raise DivergenceError(what, self.state, self.session.state())


def save(example: Counterexample, directory: Path) -> Path:
    """Save a counterexample under a name that says what it is; an old one is replaced.

    Raises:
        VerifyError: The file cannot be written.
    """
    path = directory / f"{example.strategy}-{example.environment}-{example.shows}.json"
    save_file(path, json.dumps(as_json(example), indent=2) + "\n")
    return path


def load_counterexample(path: Path) -> Counterexample:
    """Read a saved counterexample, or a trace file of the model.

    Raises:
        VerifyError: The file is neither.
    """
    try:
        text = read_start(path, trace.MAX_BYTES).removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise VerifyError(
            f"{path}: {error.strerror or error}; name a saved counterexample"
        ) from None
    if text.lstrip()[:9].replace(b" ", b"") == b'{"trace":':
        return _from_trace(trace.load(path))
    try:
        data = answers.loads(text)
    except ValueError:
        raise VerifyError(f"{path}: not JSON; name a file that verify stress saved") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise VerifyError(f"{path}: not a counterexample of this version; expected {FORMAT!r}")
    try:
        return read(Counterexample, data)
    except ValueError as error:
        raise VerifyError(f"{path}: {error}; save it again") from None


def _from_trace(recorded: trace.Recorded) -> Counterexample:
    fault = recorded.trace.fault
    schedule = schedule_text(recorded.trace.events)
    if fault is not None and fault.fault in CRASHING:
        schedule += f"{letter(fault.t)}!"
    return Counterexample(
        strategy=recorded.strategy,
        environment=recorded.environment,
        bounds=recorded.trace.bounds,
        schedule=schedule,
        shows=RUN if fault is None else fault.fault,
    )


def save_trace(path: Path, example: Counterexample, run: trace.Trace) -> None:
    """Write the events of a replay as a trace file, the form that the model's checkers read.

    Raises:
        VerifyError: The file cannot be written.
    """
    save_file(path, trace.dump(example.strategy, example.environment, run))


def shrink(
    session: Session, model: Model, example: Counterexample, events: list[Event]
) -> Counterexample:
    """A shorter schedule that shows the same.

    Hypothesis could do this, but it knows nothing of schedules: this one removes runs of steps and
    renames threads, and tries 10,000 schedules in the time in which Hypothesis tries 100.

    Args:
        session, model: Of the example.
        example: What to shrink.
        events: The steps of its schedule.
    """
    memo: Memo = {}

    def attempt(candidate: Sequence[Event]) -> tuple[list[Event], str, str] | None:
        """Follow a candidate as far as it goes: its events, schedule and detail if it shows it."""
        session.reset()
        pair = Lockstep(session, model, memo)
        try:
            for event in (*candidate, *_tries(model.bounds)):
                if pair.follow(event).word == "faulty" and example.shows not in session.faults():
                    pair.attempt = ""
                if example.shows in session.faults() or (
                    example.shows == "failure" and session.failure()
                ):
                    return pair.events, pair.schedule(), state_lines(pair.state)[0]
            pair.check_skips()
        except DivergenceError as divergence:
            if example.shows == "divergence":
                return pair.events, pair.schedule(), "; ".join(divergence.lines())
        return None

    best = attempt(events)
    if best is None:
        return example
    size = max(len(best[0]) // 2, 1)
    while size >= 1:
        before = len(best[0])
        at = 0
        while at < len(best[0]):
            shorter = attempt(best[0][:at] + best[0][at + size :])
            if shorter is not None and len(shorter[0]) < len(best[0]):
                best = shorter
            else:
                at += size
        if size > 1 or len(best[0]) == before:
            size //= 2
    order = list(dict.fromkeys(event.t for event in best[0] if event.t is not None))
    names = {old: new for new, old in enumerate(order)}
    renamed = [e if e.t is None else e._replace(t=names[e.t]) for e in best[0]]
    best = attempt(renamed) or best
    return replace(example, schedule=best[1], detail=best[2])


def _tries(bounds: Bounds) -> list[Event]:
    """One more step of each thread, to see which of them crashes."""
    return [Event(t, 0, None, "try", None, None) for t in range(bounds.threads)]


def replay(
    path: Path, spec: Spec, source: Path | None = None
) -> tuple[Verdict, Counterexample, list[str], trace.Trace]:
    """Run a saved counterexample again, on the native side and the model.

    Returns:
        AGREES if it shows what it says, REFUTED if not; the counterexample; what happened, line
        by line; and the native events with the fault that they end in.

    Raises:
        VerifyError: The file is no counterexample, or its schedule cannot be followed.
    """
    example = load_counterexample(path)
    strategy = spec.strategy(example.strategy)
    if example.environment not in spec.environments:
        names = ", ".join(spec.environments)
        raise VerifyError(
            f"{path}: unknown environment {example.environment!r}; use one of {names}"
        )
    env = spec.environments[example.environment]
    library = load_library(spec, source)
    with Session(library, strategy.scheme, env, example.bounds) as session:
        try:
            session.run(example.schedule)
        except VerifyError as error:
            raise VerifyError(f"{path}: {error}; the schedule is of another version") from None
        events = session.trace()
        lines = [event_text(event) for event in events]
        shown = set(session.faults())
        for thread, fault in session.crashing().items():
            lines.append(f"{letter(thread)}: the next step is {fault}")
        if "encoderOverlap" in shown:
            lines.append("two threads are encoding on one encoder: encoderOverlap")
        if session.failure() is not None:
            shown.add("failure")
            lines.append(f"the guard reports: {session.failure()}")
        if _is_deadlock(session):
            shown.add("deadlock")
            lines.append("every busy thread waits for a lock: deadlock")
        run = trace.Trace(example.bounds, tuple(events), _fault(session, example.shows))
        divergence = trace.check(run, strategy.scheme, env) if events else None
        if divergence is not None:
            shown.add("divergence")
            lines.append(f"step {divergence.step + 1} is no step of the model: {divergence.reason}")
            lines += [f"model: {line}" for line in state_lines(divergence.state)]
            lines += [f"native: {line}" for line in state_lines(session.state())]
        elif events:
            shown.add(RUN)
    verdict = agreement(example.shows in shown)
    return verdict, example, lines, run


def _fault(session: Session, shows: str) -> FaultAt | None:
    """The fault of the session's state, if that is what is to be shown."""
    state = session.state()
    crashing = session.crashing()
    for thread, activity in enumerate(state.threads):
        if activity is None:
            continue
        overlap = shows == "encoderOverlap" and activity.point == "loaded"
        if crashing.get(thread) == shows or (overlap and shows in session.faults()):
            here = (shows, activity.point)
            event = next(r.event for r in FAULT_RULES if (r.fault, r.source) == here)
            return FaultAt(shows, thread, activity.encoder, activity.kind, event)
    return None


def _is_deadlock(session: Session) -> bool:
    busy = [t for t, activity in enumerate(session.state().threads) if activity is not None]
    return bool(busy) and all(session.step(thread).word == "blocked" for thread in busy)
