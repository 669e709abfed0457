"""`verify replay`: a recorded trace as a theorem for Lean's kernel, or the event that it rejects.

The trace is cut into pieces.  For each piece one theorem says that replaying it turns one snapshot
into the next; the snapshots are written down, so that the kernel's work grows linearly with the
trace.  They are computed here, and believed by nobody: a wrong one makes its theorem false.  By
`LockScheme.replay?_sound` the last snapshot is then a reachable state of the proved model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from verify import claims, options, project, statements, trace, views
from verify import spec as specs
from verify.engines.base import Engine
from verify.errors import VerifyError
from verify.rules import HOLDING
from verify.semantics import Activity, Bounds, Event, Model, State
from verify.spec import Environment, LockScheme
from verify.statements import Statement, rooted, word
from verify.verdict import Verdict

PIECE = 100
"""Events a theorem: the kernel's memory grows faster than linearly within one."""

MODULE = claims.RECORDED


@dataclass(frozen=True)
class Replayed:
    """What became of a trace.

    Attributes:
        verdict: PROVED: the kernel accepts every event.  REFUTED: an event is no step (the kernel
            accepts those before it and rejects this one).  ERROR otherwise.
        events: How many events the kernel accepted.
        reason: For a trace that is not accepted, what is wrong with its first event that is no
            step, or with its fault.
        axioms: What the theorem depends on.
        seconds: Time of the elaboration and the kernel, without start-up of the audit.
        line: Of the file, where that event or fault is; None for an accepted trace.
        states: The model's state before that event, and the state that the event claims: the
            same, but for what it says of its thread.
    """

    verdict: Verdict
    events: int
    reason: str | None
    axioms: tuple[str, ...]
    seconds: float
    line: int | None = None
    states: tuple[State, ...] = ()


class _Snapshots:
    """The finite maps of `MPSVerify.Snapshot`, as Lean's `FMap.set` would build them.

    A Python dictionary keeps a key where it was first set, and so does `FMap.set`.
    """

    def __init__(self) -> None:
        self.impl: dict[int, int | None] = {}
        self.owner: dict[int, int | None] = {}
        self.ready: dict[int, bool] = {}
        self.alive: dict[int, bool] = {}
        self.threads: dict[int, str] = {}

    def step(self, event: Event) -> None:
        """Follow one step."""
        e, b, t = event.e, event.b, event.t
        if t is None:
            self.alive[e] = False
            return
        if event.event == "push" and b is not None:
            self.owner[b] = None
        elif event.event == "clear":
            self.impl[e] = None
        elif event.event in ("pop", "claim") and b is not None:
            self.owner[b] = e
            self.ready[b] = False
        elif event.event == "publish":
            self.impl[e] = b
        elif event.event == "init" and b is not None:
            self.ready[b] = True
        if event.event == "release":
            self.threads[t] = ".none"
        else:
            self.threads[t] = f".some ⟨.{event.kind}, {e}, {_point(event)}⟩"

    def lean(self) -> str:
        """The snapshot as a Lean term."""

        def entries(pairs: Sequence[tuple[int, str]]) -> str:
            return "[" + ", ".join(f"({key}, {value})" for key, value in pairs) + "]"

        def optional(value: int | None) -> str:
            return ".none" if value is None else f".some {value}"

        impl = entries([(k, optional(v)) for k, v in self.impl.items()])
        owner = entries([(k, optional(v)) for k, v in self.owner.items()])
        ready = entries([(k, f".{str(v).lower()}") for k, v in self.ready.items()])
        alive = entries([(k, f".{str(v).lower()}") for k, v in self.alive.items()])
        threads = entries(list(self.threads.items()))
        return f"⟨⟨{impl}, {owner}, {ready}⟩, {alive}, {threads}⟩"


def _point(event: Event) -> str:
    return f".{event.pc} {event.b}" if event.pc in HOLDING else f".{event.pc}"


def lean_module(
    events: Sequence[Event],
    scheme: LockScheme,
    environment: Environment,
    bounds: Bounds,
    fault: tuple[str, int] | None = None,
    rejected: Event | None = None,
) -> str:
    """The Lean module that states that a trace is a run.

    Args:
        events: The steps, each with its block.
        scheme, environment: What they are steps of.
        bounds: Their maps of streams, homes and queues.
        fault: A fault that the last state is said to show, and the thread.
        rejected: An event that is said to be no step of the last state.

    Returns:
        The source; the theorem `accepted` says that the last snapshot is reachable.
    """

    def own(name: str) -> str:
        return rooted(f"{MODULE}.{name}")

    def term(name: str, *arguments: str) -> str:
        return f"{word(name)} {' '.join(arguments)}"

    def apply(theorem: str, *arguments: str) -> str:
        return f"{rooted(f'MPSVerify.{theorem}')} {' '.join(arguments)}"

    def define(name: str, type_: str, value: str) -> str:
        return statements.definition(name, Statement(type_), Statement(value))

    def prove(name: str, statement: str, proof: str) -> str:
        return statements.theorem(name, Statement(statement), proof)

    maps = [
        term("FMap.get", "0 [" + ", ".join(f"({i}, {v})" for i, v in enumerate(values)) + "]")
        for values in (bounds.streams, bounds.homes, bounds.queues)
    ]
    system = own("scheme"), own("env"), own("client")
    config = f"({term('LockScheme.config', *system)})"
    snapshots, last = _Snapshots(), 0

    def reachable() -> str:
        return term("Reachable", config, f"({term('Snapshot.state', own(f'snapshot{last}'))})")

    lines = [
        "import MPSVerify.Thm.Replay",
        "namespace MPSVerify.Recorded",
        define("scheme", word("LockScheme"), claims.scheme_literal(scheme)),
        define("env", word("Env"), claims.environment_literal(environment)),
        define("client", word("Client"), f"⟨{', '.join(maps)}⟩"),
        define("snapshot0", word("Snapshot"), ".initial"),
        prove("reachable0", reachable(), ".initial"),
    ]
    for start in range(0, len(events), PIECE):
        piece = events[start : start + PIECE]
        for event in piece:
            snapshots.step(event)
        before = own(f"snapshot{last}")
        last += 1
        after = own(f"snapshot{last}")
        labels = ", ".join(map(views.lean_label, piece))
        replayed = term("LockScheme.replay?", *system, before, own(f"piece{last}"))
        lines += [
            define(f"piece{last}", f"{rooted('List')} {word('Label')}", f"[{labels}]"),
            define(f"snapshot{last}", word("Snapshot"), snapshots.lean()),
            prove(f"step{last}", f"{replayed} = .some {after}", "by decide +kernel"),
            prove(
                f"reachable{last}",
                reachable(),
                apply("LockScheme.replay?_sound", own(f"step{last}"), own(f"reachable{last - 1}")),
            ),
        ]
    snapshot, known = own(f"snapshot{last}"), own(f"reachable{last}")
    if fault is not None:
        check = f"({term('LockScheme.check', own('scheme'))})"
        shown = term("Snapshot.shows", snapshot, check, f".{fault[0]} {fault[1]}")
        faulty = term("Faulty", config, f".{fault[0]} ({term('Snapshot.state', snapshot)})")
        lines += [
            prove("shows", f"{shown} = .true", "by decide +kernel"),
            prove(
                "accepted",
                f"{reachable()} ∧ {faulty}",
                f"⟨{known}, {apply('Snapshot.shows_sound', own('shows'))}⟩",
            ),
        ]
    elif rejected is not None:
        step = term("LockScheme.step?", *system, snapshot, f"({views.lean_label(rejected)})")
        lines += [
            prove(
                "accepted",
                f"{reachable()} ∧ {rooted('Option.isSome')} ({step}) = .false",
                f"⟨{known}, by decide +kernel⟩",
            )
        ]
    else:
        lines += [prove("accepted", reachable(), known)]
    return "\n".join([*lines, "end MPSVerify.Recorded", ""])


def _labels(model: Model, events: Sequence[Event]) -> tuple[list[Event], State]:
    """The model's own labels of a run (a recorder may leave out a block), and its last state."""
    state, labels = model.initial(), []
    for event in events:
        label, state = next(
            (found, after)
            for found, after in model.enabled_of(event.t, state)
            if trace.same(found, event)
        )
        labels.append(label)
    return labels, state


def _rejected(divergence: trace.Divergence) -> Event | None:
    """The event that is no step, if Lean can be asked about it.

    A label of Lean's model says less than an event, and an event can contradict itself: it may
    name a step that exists and another encoder than its thread's, or a point without its block.
    """
    event = divergence.event
    if event is None:
        return None
    if event.event not in ("dispatch", "acquire", "release", "drop"):
        outside = event.pc in ("idle", "dispatched", "entered")
        if outside or (event.pc in HOLDING and event.b is None):
            return None
    label = views.lean_label(event)
    return None if label in map(views.lean_label, divergence.expected) else event


def _claimed(state: State, event: Event) -> State:
    """The state after an event, as far as the event says."""
    threads, memory = list(state.threads), state.memory
    if event.t is None:
        alive = tuple(a and e != event.e for e, a in enumerate(memory.alive))
        memory = memory._replace(alive=alive)
    elif event.pc == "idle":
        threads[event.t] = None
    else:
        threads[event.t] = Activity(event.kind or "", event.e, event.pc or "", event.b)
    return State(tuple(threads), memory)


def replay(
    recorded: trace.Recorded, scheme: LockScheme, environment: Environment, engine: Engine
) -> Replayed:
    """Let Lean's kernel judge a trace.

    Args:
        recorded: The trace.
        scheme, environment: What it claims to be a run of.
        engine: What checks the module.

    Raises:
        VerifyError: If the trace is empty, or the engine cannot work.
    """
    run = recorded.trace
    divergence = trace.check(run, scheme, environment)
    accepted = run.events if divergence is None else run.events[: divergence.step]
    if divergence is not None and divergence.event is None and divergence.step == 0:
        raise VerifyError(f"{divergence.reason}; record at least one step")
    labels, _ = _labels(Model(scheme, environment, run.bounds), accepted)
    fault = (run.fault.fault, run.fault.t) if run.fault and divergence is None else None
    rejected = None if divergence is None else _rejected(divergence)
    source = lean_module(labels, scheme, environment, run.bounds, fault, rejected)
    with project.directory(engine, "replay") as root:
        project.write(root, {**project.sources(), Path("MPSVerify/Recorded.lean"): source})
        build = engine.build(root, [MODULE])
        # The last snapshot could be reached by another run: each piece must be this one.
        pieces = range(1, -(-len(labels) // PIECE) + 1)
        stated = [f"{MODULE}.accepted", *(f"{MODULE}.step{piece}" for piece in pieces)]
        audit = engine.audit(build, stated, [], project.trust(stated, [MODULE]))
    module = next((m for m in build.modules if m.module == MODULE), None)
    seconds = module.seconds if module is not None else 0.0
    if not audit.ok:
        errors = [str(m) for m in (module.messages if module else ()) if m.severity == "error"]
        return Replayed(Verdict.ERROR, 0, (errors or list(audit.problems))[0], (), seconds)
    axioms = tuple(sorted({axiom for theorem in audit.theorems for axiom in theorem.axioms}))
    if divergence is None:
        return Replayed(Verdict.PROVED, len(labels), None, axioms, seconds)
    what = "its fault"
    states: tuple[State, ...] = (divergence.state,)
    if divergence.event is not None:
        what = f"event {divergence.step + 1}"
        states = divergence.state, _claimed(divergence.state, divergence.event)
    return Replayed(
        Verdict.REFUTED,
        len(labels),
        f"{what}: {divergence.reason}",
        axioms,
        seconds,
        divergence.step + 2,  # after the header
        states,
    )


@click.command("replay")
@click.argument("path", metavar="TRACE", type=click.Path(path_type=Path))
@options.spec
@options.engine
@options.json_output
@options.quiet
def command(
    path: Path, spec: Path | None, engine: str, json_output: bool, quiet: bool
) -> Verdict | int | None:
    """Let Lean's kernel accept a recorded trace, or name the first event that is no step.

    TRACE is a file of one JSON object a line: a header, the steps, and an end line that counts
    them; docs/traces.md documents the format.
    """
    from verify import render
    from verify.english import state_lines
    from verify.prove import choose_engine

    recorded = trace.load(path)
    loaded = specs.load(spec)
    strategy = loaded.strategy(recorded.strategy)
    if recorded.environment not in loaded.environments:
        raise VerifyError(
            f"{path}: unknown environment {recorded.environment!r}; "
            f"use one of {', '.join(loaded.environments)}"
        )
    environment = loaded.environments[recorded.environment]
    result = replay(recorded, strategy.scheme, environment, choose_engine(engine))
    if json_output:
        render.print_json(
            {
                "verdict": result.verdict.value,
                "events": result.events,
                "line": result.line,
                "reason": result.reason,
                "states": [state_lines(state) for state in result.states],
                "axioms": list(result.axioms),
                "seconds": round(result.seconds, 3),
            }
        )
    else:
        if result.reason is not None and not quiet:
            where = path if result.line is None else f"{path}:{result.line}"
            render.note(f"{where}: {result.reason}")
            for name, state in zip(("the model before it", "it says"), result.states, strict=False):
                for line in state_lines(state):
                    render.note(f"  {name}: {line}")
        render.note(
            f"{result.verdict}: the kernel accepts {result.events} of "
            f"{len(recorded.trace.events)} events of {strategy.name} in {environment.name}"
        )
    return result.verdict
