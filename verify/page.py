"""The page of `verify explain --html`: one file on which a run is followed step by step.

Everything on it is computed here and by `verify.frames`; its script only shows one step at a time.
Without a script the page has every step as a table.  It loads nothing: a policy in it forbids the
browser to, and allows the one style sheet and the one script that it was made with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from verify import criterion, diagram, english
from verify.explore import explore
from verify.frames import NOTHING, Film, Frame, Group, Part
from verify.question import Question
from verify.render import printable
from verify.semantics import Bounds, Event, Model
from verify.spec import FAULTS, KINDS, Environment, LockScheme, Strategy
from verify.trace import Trace
from verify.views import BOUNDS

_FILES = Path(__file__).parent / "pages"

# In the default environment the first shows every fault; a freelist that is not atomic is shared
# by encoders, so its faults need two.
_INSTANCES = (BOUNDS, Bounds(2, 2, 2), Bounds(2, 2, 3))

UNGUARDED = LockScheme(dict.fromkeys(KINDS, ()), check=False)
"""The driver as it is, to compare with."""


@dataclass(frozen=True)
class Shown:
    """A run on the page.

    Attributes:
        id: Its address on the page, a word.
        name: In the list of runs.
        heading: Above it.
        basis: Who says that it is a run.
        film: It, with everything that is seen.
    """

    id: str
    name: str
    heading: str
    basis: str
    film: Film

    @property
    def explanation(self) -> tuple[str, ...]:
        """Why its end is a fault."""
        return self.film.cause.lines if self.film.cause else ()

    @property
    def cause(self) -> int | None:
        """The step that made it one."""
        return self.film.cause.step if self.film.cause else None

    @property
    def svg(self) -> Markup:
        """Its diagram; `verify.diagram` escapes what it quotes."""
        return Markup(diagram.svg(self.film, embedded=True))  # noqa: S704


@dataclass(frozen=True)
class RunGroup:
    """Runs under a common heading."""

    title: str
    lead: str
    runs: tuple[Shown, ...]


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes:
        heading, lead: The strategy and its English.
        judgement: `safe`, `not safe`, or empty where nobody has judged.
        facts: Names and values: the verdict, the theorem, the instance.
        reasons: Sentences.
        groups: The runs; at least one.
        unreachable: The faults that cannot be reached: name, meaning, what they would take.
        footer: A sentence.
    """

    heading: str
    lead: str
    groups: tuple[RunGroup, ...]
    judgement: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    unreachable: tuple[tuple[str, str, str], ...] = ()
    footer: str = ""

    @property
    def mood(self) -> str:
        """How the judgement looks."""
        return {"safe": "good", "not safe": "bad"}.get(self.judgement, "open")

    @property
    def unreachable_title(self) -> str:
        """Above the faults that cannot be reached."""
        return "Why no fault can be reached" if self.judgement == "safe" else "Not reachable here"


# --- Runs -----------------------------------------------------------------------------------------


def counterexamples(scheme: LockScheme, environment: Environment) -> dict[str, Trace]:
    """A shortest run to each fault, in the smallest instance that has one, that a program can have.

    Args:
        scheme: The locks.
        environment: The assumptions.

    Returns:
        By fault, in the order of `verify.spec.FAULTS`.
    """
    found: dict[str, Trace] = {}
    # First the runs that a program can have: it uses no encoder before its create has returned.
    for env in (replace(environment, createReturns=True), environment):
        expected = criterion.faults(scheme, env)  # only to know when to stop looking
        for bounds in _INSTANCES:
            if all(fault in found for fault in expected):
                break
            for fault, trace in explore(
                Question(scheme, env, instances=[bounds])
            ).counterexamples.items():
                found.setdefault(fault, trace)
    return {fault: found[fault] for fault in FAULTS if fault in found}


def played(schedule: Trace, scheme: LockScheme, environment: Environment) -> Trace:
    """What becomes of another scheme's run under this one: the same calls, and who must, waits.

    Threads move in the order of the schedule; one that cannot loses its turn.  Then they take
    turns until all are done.  A call for which there is no longer anything to use is not made.

    Args:
        schedule: A run of another scheme.
        scheme, environment: What is played.

    Returns:
        The run, with the fault that it meets, if it meets one.
    """
    model = Model(scheme, environment, schedule.bounds)
    state, events = model.initial(), list[Event]()
    calls: dict[int, list[tuple[str | None, int]]] = {}
    for event in schedule.events:
        if event.t is not None and event.event == "dispatch":
            calls.setdefault(event.t, []).append((event.kind, event.e))

    def turn(thread: int | None, like: Event | None) -> bool:
        nonlocal state
        steps = [(e, after) for e, after in model.enabled(state) if e.t == thread]
        if thread is None:
            steps = [(e, after) for e, after in steps if e == like]
        elif state.threads[thread] is None:
            wanted = calls[thread][0] if calls.get(thread) else None
            steps = [(e, after) for e, after in steps if (e.kind, e.e) == wanted]
        if not steps:
            return False
        event, state = next((s for s in steps if s[0] == like), steps[0])
        events.append(event)
        if event.event == "dispatch" and thread is not None:
            calls[thread].pop(0)
        return True

    for event in schedule.events:
        turn(event.t, event)
        faults = model.faults(state)
        if faults:
            return Trace(schedule.bounds, tuple(events), faults[0])
    while any(state.threads) or any(calls.values()):
        moved = [turn(thread, None) for thread in range(schedule.bounds.threads)]
        if model.faults(state):
            return Trace(schedule.bounds, tuple(events), model.faults(state)[0])
        if not any(moved):
            left = [thread for thread, queue in calls.items() if queue]
            if not left:
                break
            calls[left[0]].pop(0)
    return Trace(schedule.bounds, tuple(events))


def unreachable(scheme: LockScheme, environment: Environment) -> tuple[tuple[str, str, str], ...]:
    """The faults that cannot be reached: name, meaning, and what they would take."""
    return tuple(
        (fault, english.FAULTS[fault].sentence, "; or ".join(text for text, _ in needs))
        for fault, needs in criterion.ways(scheme, environment).items()
        if not any(is_open for _, is_open in needs)
    )


def groups_of(
    strategy: Strategy, environment: Environment, confirmed: Mapping[str, str]
) -> tuple[RunGroup, ...]:
    """The runs that explain a strategy: to each of its faults, or, if it has none, the schedules
    that break the driver without a guard, beside what becomes of them.

    Args:
        strategy: The strategy.
        environment: The assumptions.
        confirmed: For faults whose run somebody has checked, who.
    """
    found = counterexamples(strategy.scheme, environment)
    if found:
        return (faults_group(strategy, environment, found, confirmed),)
    ours, bare = [], []
    for fault, schedule in counterexamples(UNGUARDED, environment).items():
        trace = played(schedule, strategy.scheme, environment)
        ours.append(
            Shown(
                f"run-{fault}",
                f"schedule of {fault}",
                f"The schedule that ends in {fault} without a guard, under {strategy.name}",
                FOLLOWED,
                Film(trace, strategy.name, strategy.scheme, environment),
            )
        )
        bare.append(
            Shown(
                f"bare-{fault}",
                f"no guard: {fault}",
                f"Without a guard: {fault}",
                FOLLOWED,
                Film(schedule, "no guard", UNGUARDED, environment),
            )
        )
    if not ours:  # not even an unguarded driver faults: any run will do
        whole = _whole_run(strategy.scheme, environment)
        film = Film(whole, strategy.name, strategy.scheme, environment)
        name = "a complete run"
        alone = Shown("run-complete", name, f"A complete run under {strategy.name}", FOLLOWED, film)
        return (RunGroup("A run", "Here even a driver without a guard has no fault.", (alone,)),)
    return (
        RunGroup(
            "A run for each fault, and what becomes of it",
            "Each of these schedules breaks the driver without a guard. Here the same calls come "
            "in the same order, and whoever must wait, waits.",
            tuple(ours),
        ),
        RunGroup("What if there were no guard?", "The same schedules, unguarded.", tuple(bare)),
    )


FOLLOWED = "A run of the model, followed in the table of its micro-steps."
"""The basis of a run that Lean was not asked about."""


def first(groups: Sequence[RunGroup], id_: str) -> tuple[RunGroup, ...]:
    """The groups with one run moved to the front of its group: the page starts with it."""
    return tuple(
        replace(group, runs=tuple(sorted(group.runs, key=lambda run: run.id != id_)))
        for group in groups
    )


def faults_group(
    strategy: Strategy,
    environment: Environment,
    found: Mapping[str, Trace],
    confirmed: Mapping[str, str],
) -> RunGroup:
    """A strategy's runs to its faults; arguments as for `groups_of`."""
    return RunGroup(
        "A run to each fault",
        "",
        tuple(
            Shown(
                f"run-{fault}",
                fault,
                f"A run to {fault}",
                confirmed.get(fault, FOLLOWED),
                Film(trace, strategy.name, strategy.scheme, environment),
            )
            for fault, trace in found.items()
        ),
    )


def _whole_run(scheme: LockScheme, environment: Environment) -> Trace:
    """An encoder's life: create, encode, destroy."""
    calls = [Event(0, 0, kind, "dispatch", None, "dispatched") for kind in KINDS[:3]]
    return played(Trace(BOUNDS, tuple(calls)), scheme, environment)


# --- The file -------------------------------------------------------------------------------------


def summary(frame: Frame, group: Group, part: Part) -> str:
    """A part of a frame in a few lines, for the table of all steps."""
    lines = []
    for heading, key in zip(group.headings, part.cells, strict=True):
        value = frame.cells[key]
        if value == NOTHING:
            continue
        mark = "◆ " if key in frame.changed else ""
        lines.append(f"{mark}{heading}: {value}")
    return "\n".join(lines)


def data(runs: Sequence[Shown]) -> Markup:
    """The steps of all runs as JSON that no HTML parser takes for markup."""
    value = {
        run.id: [
            {
                "text": printable(frame.text),
                "cells": frame.cells,
                "changed": frame.changed,
                "fault": frame.fault,
            }
            for frame in run.film.frames
        ]
        for run in runs
    }
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - it has no character left that means anything in HTML


def render(page: Page) -> str:
    """The page as HTML.

    Args:
        page: What it says; any text in it may come from a user.
    """
    from jinja2 import Environment as Templates
    from jinja2 import FileSystemLoader, StrictUndefined

    templates = Templates(
        loader=FileSystemLoader(_FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = _file("page.css") + diagram.STYLE
    script = _file("page.js")
    clean = replace(
        page,
        heading=printable(page.heading),
        lead=printable(page.lead),
        facts=tuple((name, printable(value)) for name, value in page.facts),
        reasons=tuple(map(printable, page.reasons)),
    )
    runs = [run for group in page.groups for run in group.runs]
    return templates.get_template("page.html.j2").render(
        page=clean,
        runs=runs,
        data=data(runs),
        summary=summary,
        style=Markup(style),  # noqa: S704 - ours
        style_hash=_hash(style),
        script=Markup(script),  # noqa: S704 - ours
        script_hash=_hash(script),
    )


def _file(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
