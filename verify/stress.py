"""`verify stress`: does the real guard do what was proved about its model?

Five arms per strategy, each with its own oracle and its own negative control: a fault that is
planted for it, and that it must report (`verify.controls`).  An arm that does not is no evidence.

* *schedules*: every interleaving of small programs on the real guard and the fake driver, up to a
  bound on preemptions, under the deterministic scheduler;
* *campaign*: Hypothesis chooses workload, environment and schedule, and every native event is
  checked to be an enabled step of the model (`Lockstep`); what it finds is shrunk;
* *recorded*: free-running threads whose micro-steps are written down, every one of them checked
  to be an enabled step of the model, and memory to be the model's after it;
* *free*: free-running threads at full speed, and the driver's own fault counter;
* *races*: the same under ThreadSanitizer, which also sees overlaps that crash nothing.

A strategy that is caught as its claim says agrees with it, and agreement is exit code 0.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click

from verify import answers, native, options, resources, trace
from verify import spec as specs
from verify.campaign import DEEP, CampaignResult, campaign, programs, run_programs
from verify.children import command_line, run_child
from verify.controls import UNGUARDED, campaign_control, recorder_control
from verify.deadlock import takes_several
from verify.english import event_text, state_lines
from verify.errors import EngineMissing, VerifyError
from verify.files import refuse_overwriting, save_file
from verify.library import Library, load_library
from verify.lockstep import (
    replay,
    save,
    save_trace,
)
from verify.metal import MetalDriver
from verify.packed import PackedModel, edges_of
from verify.recorded import RecordedResult, check_runs, record
from verify.records import stress as records
from verify.records.base import as_json
from verify.records.stress import Counterexample, Coverage, Findings, FreeResult
from verify.render import console, print_json, printable, progress, steps, table
from verify.semantics import Bounds
from verify.session import Outcome, Session
from verify.spec import FAULTS, Environment, Spec, Strategy
from verify.verdict import Verdict, combine
from verify.vulkan import VulkanDriver

BOUNDS = Bounds(2, 2, 3)
"""The instance of the scheduled arms."""

FREE_OPERATIONS = 42_000
"""The predecessor's figure: what a free-running arm does at least."""

CONTROL_OPERATIONS = 2_000
"""Of the control under ThreadSanitizer, which ends with the first race."""

MISSED = 3
"""Sleeps beside a free lock with which a thread gives up; each has lasted a second."""

RECORDED_RUNS = 4
"""Of a batch."""

_COUNTS = (
    "operations", "skipped", "unexplained", "released", "handlers", "met", "contentions", "waits",
    "missed",
)  # fmt: skip
"""What the program counts."""

_BATCHES = 8
"""Of recorded runs at most, until two threads have overlapped."""

TSAN_EXIT = 66
_STAGES = 7
"""Steps of the progress bar for each strategy, at most."""

_Row = TypeVar("_Row")


def free_run(
    executable: Path, strategy: str, env: Environment, threads: int, operations: int, seed: int,
    guarded: bool = True, seconds: float = 10.0, crash: bool = False, assert_held: bool = False,
    first_race: bool = False,
) -> FreeResult:  # fmt: skip
    """Run free threads in a process of their own: it may crash or hang.

    Args:
        executable: A built `native.STRESS` or `native.STRESS_TSAN`.
        strategy: A name of the table that is compiled in.
        env: What the driver and the clients do.
        threads: How many clients; completion handlers have one more.
        operations: Of all threads together.
        seed: Of the threads' choices; the operating system's are its own.
        guarded: False is the control arm.
        seconds: So long without any progress is a deadlock.
        crash: A fault is a real SIGSEGV.
        assert_held: Guard-held assertion mode.
        first_race: End with the first race, and count nothing else.
    """
    # Some choices turn out to be no operation (nothing to retain): ask for more.
    each = operations * 5 // 4 // threads + 1
    arguments = {
        "strategy": strategy, "threads": threads, "operations": each,
        "seed": seed, "guarded": int(guarded), "seconds": seconds, "crash": int(crash),
        "assertHeld": int(assert_held), **{f: int(v) for f, v in env.flags.items()},
    }  # fmt: skip
    limit = 30 * seconds  # the program itself sees when nothing gets on
    sanitizer = f"exitcode={TSAN_EXIT} history_size=4"
    if first_race:
        sanitizer += " halt_on_error=1 symbolize=0"
    environment = {**os.environ, "TSAN_OPTIONS": sanitizer}
    done = run_child(command_line(executable, arguments), timeout=limit, environment=environment)
    if done.timed_out:
        return FreeResult(trouble=f"hung: no end after {limit:.0f} s", seconds=limit)
    if "FATAL: ThreadSanitizer" in done.stderr:
        line = next(x for x in done.stderr.splitlines() if "FATAL: ThreadSanitizer" in x)
        raise EngineMissing(f"ThreadSanitizer cannot run here: {line.strip()}")
    races = done.stderr.count("WARNING: ThreadSanitizer: data race")
    if done.returncode < 0:
        return FreeResult(races=races, trouble=f"crashed with signal {-done.returncode}")
    if first_race and races:
        return FreeResult(races=races)
    ended = f"{executable.name} ended with {done.returncode} ({done.last_line[:200]}) and"
    with answers.taken_from(ended, "see verify doctor"):
        data = answers.loads(done.stdout)
        counts = {word: answers.get(data, word, int) for word in _COUNTS}
        found = answers.get(data, "faults", dict)
        faults = {fault: answers.get(found, fault, int) for fault in found}
        if strange := set(faults) - set(FAULTS):
            raise ValueError(f"{min(strange)[:60]!r} is no fault")
        stuck = answers.get(data, "stuck", bool)
        failure = answers.get(data, "failure", str)
        return FreeResult(
            **counts,
            faults={fault: count for fault, count in faults.items() if count},
            races=races,
            trouble="deadlock: threads did not end" if stuck else failure,
            seconds=answers.seconds(data),
        )


def coverage(library: Library, strategy: Strategy, env: Environment) -> Coverage:
    """Drive the native side through every state it can reach, and compare with the model.

    Args:
        library: The native library.
        strategy: What the guard does.
        env: What the driver and the client do.
    """
    with Session(library, strategy.scheme, env, BOUNDS) as session:
        graph = session.graph()
    packed = PackedModel(strategy.scheme, env, BOUNDS)
    words = [packed.packing.pack(state) for state in graph.states]
    ours = {(words[source], event, words[target]) for source, event, target in graph.edges}
    theirs = set(edges_of(packed))
    differing = next(iter(ours ^ theirs), None)
    first = ""
    if differing is not None:
        side = "native" if differing in ours else "model"
        before = "; ".join(state_lines(packed.packing.unpack(differing[0])))
        first = f"only the {side} has: {event_text(differing[1])}, from {before}"
    return Coverage(len(theirs), len(ours), len(ours & theirs), first)


@dataclass
class Row(Findings):
    """The findings about one strategy.

    Attributes:
        claim: What the spec claims, in words.
        found: What was found, in words.
        scheduled, programs, all_programs: What the explored schedules showed, and how many of the
            programs were explored to the end.
        campaign: What Hypothesis' campaign showed.
        recorded: What recorded runs of free threads showed.
        unrecorded: Why there are no more of them, if the recorder failed.
        free, races: Free threads, without and with ThreadSanitizer.
        control_schedules, control_free: The same arms without the guard.
        coverage: The native graph beside the model's, if that was asked for.
        examples: The files that were saved.
        lists: Whether some call takes several locks. The guard takes them all or none: deadlocks of
            a program that takes them one after another are not looked for.
    """

    claim: str
    found: str = ""
    scheduled: Outcome = field(default_factory=Outcome)
    programs: int = 0
    all_programs: int = 0
    campaign: CampaignResult = field(default_factory=CampaignResult)
    recorded: RecordedResult = field(default_factory=RecordedResult)
    unrecorded: str = ""
    free: FreeResult = field(default_factory=FreeResult)
    races: FreeResult | None = None
    control_schedules: int = 0
    control_free: FreeResult = field(default_factory=FreeResult)
    coverage: Coverage | None = None
    examples: list[str] = field(default_factory=list)
    lists: bool = False

    @property
    def controls_seen(self) -> bool:
        """Whether schedules and free runs have reported the faults of their unguarded controls."""
        return self.control_schedules > 0 and any(self.control_free.faults.values())


class FakeDriver:
    """The campaign on the fake driver.

    Args:
        spec: The strategies.
        threads: Clients of the free-running arms.
        seed: Of everything that is random.
        save_to: Where counterexamples go; None keeps none.
        source: A directory like `native/`; None for the shipped one.
        database: Hypothesis' example database; None for none.
        coverage: Also compare the whole native transition graph with the model's.

    Raises:
        EngineMissing: There is no compiler.
    """

    def __init__(
        self, spec: Spec, threads: int, seed: int, save_to: Path | None = None,
        source: Path | None = None, database: Path | None = None, coverage: bool = False,
    ) -> None:  # fmt: skip
        self.coverage = coverage
        self.spec, self.threads, self.seed = spec, threads, seed
        self.save_to, self.database = save_to, database
        self.library = load_library(spec, source)
        self.executable = native.build(native.STRESS, spec, source)
        self.no_tsan = ""
        self.tsan: Path | None = None
        try:
            self.tsan = native.build(native.STRESS_TSAN, spec, source)
        except VerifyError as error:  # the same sources have just been built without it
            self.no_tsan = str(error)
        self.env = spec.environments["default"]
        self.patience = 10.0  # seconds without progress that are a deadlock
        self._blind: list[str] | None = None

    def blind(self) -> list[str]:
        """What is wrong with the arms themselves, found out once by their controls."""
        if self._blind is None:
            found = [
                campaign_control(self.library, self.spec, self.env, self.seed),
                recorder_control(self.executable, self.spec, self.env, self.seed),
                self._races_control(),
            ]
            self._blind = [complaint for complaint in found if complaint]
        return self._blind

    def _races_control(self) -> str:
        """ThreadSanitizer on threads without the guard."""
        if self.tsan is None:
            return ""
        try:
            found = free_run(
                self.tsan, self.spec.strategies[0].name, self.env, self.threads, CONTROL_OPERATIONS,
                self.seed, guarded=False, first_race=True,
            )  # fmt: skip
        except EngineMissing as error:
            self.tsan, self.no_tsan = None, str(error)
            return ""
        except VerifyError as error:
            return f"ThreadSanitizer's control failed: {error}"
        if found.trouble:
            return f"ThreadSanitizer's control failed: {found.trouble}"
        return "" if found.races else "ThreadSanitizer is blind: threads without locks do not race"

    def run(self, strategy: Strategy, seconds: float, note: Callable[[str], None]) -> Row:
        """All arms of one strategy.

        Args:
            strategy: What the guard does.
            seconds: About how long.
            note: Told what is being done.
        """
        start = time.monotonic()
        claims = strategy.claims
        row = Row(strategy.name, claim_text(strategy), lists=takes_several(strategy.scheme))
        note("controls")
        self.blind()
        note("schedules")
        self._schedules(row, strategy, time.monotonic() + 0.35 * seconds)
        note("campaign")
        # Only a fault that the claim speaks of ends the campaign; every other one is compared.
        hunted = frozenset(FAULTS if claims.safe else [claims.fault] if claims.fault else FAULTS)
        row.campaign = campaign(
            self.library, self.spec, strategy, [self.env], hunted, self.seed,
            0.2 * seconds, self.database,
        )  # fmt: skip
        others = [env for env in self.spec.environments.values() if env is not self.env]
        if others and row.campaign.example is None:
            more = campaign(
                self.library, self.spec, strategy, others, frozenset(), self.seed + 1,
                0.1 * seconds, self.database,
            )  # fmt: skip
            row.campaign.runs += more.runs
            row.campaign.events += more.events
            row.campaign.example = more.example
        if self.coverage:
            note("coverage")
            row.coverage = coverage(self.library, strategy, self.env)
        note("recorded threads")
        self._record(row, strategy, 0.1 * seconds)
        note("free-running threads")
        row.free = self._free(self.executable, strategy, FREE_OPERATIONS)
        try:
            row.control_free = self._free(self.executable, strategy, FREE_OPERATIONS, guarded=False)
        except VerifyError as error:
            row.control_free = FreeResult(trouble=str(error))
        if self.tsan is not None:
            note("ThreadSanitizer")
            try:
                row.races = self._free(self.tsan, strategy, FREE_OPERATIONS)
            except EngineMissing as error:
                self.no_tsan = str(error)
        row.seconds = time.monotonic() - start
        self._judge(row, strategy)
        self._save(row, strategy)
        return row

    def _schedules(self, row: Row, strategy: Strategy, deadline: float) -> None:
        names = programs(self.seed)
        row.all_programs = len(names)
        deep, preemptions = DEEP
        with Session(self.library, strategy.scheme, self.env, BOUNDS) as session:
            row.scheduled = session.explore(deep, preemptions, seconds=deadline - time.monotonic())
            outcome, row.programs = run_programs(session, names, 2, deadline)
            row.scheduled.add(outcome)
        with Session(self.library, UNGUARDED, self.env, BOUNDS) as session:
            control = session.explore(deep, preemptions, seconds=5)
            row.control_schedules = sum(control.faults.values())

    def _record(self, row: Row, strategy: Strategy, seconds: float) -> None:
        """Batches of recorded runs: in the default environment, then in the others in turn."""
        deadline = time.monotonic() + seconds
        others = [env for env in self.spec.environments.values() if env is not self.env]
        environments = itertools.chain([self.env], itertools.cycle([*others, self.env]))
        result = row.recorded
        for batch, env in enumerate(environments):
            late = batch > 0 and time.monotonic() > deadline
            overlap = result.overlapping or not strategy.claims.parallel or batch >= _BATCHES
            if result.trouble or (late and overlap):
                return
            seed = self.seed * 1_000_003 + batch * RECORDED_RUNS
            try:
                runs = record(self.executable, strategy.name, env, RECORDED_RUNS, seed)
            except VerifyError as error:
                row.unrecorded = str(error)
                return
            result.add(check_runs(runs, strategy, env))

    def _free(
        self, executable: Path, strategy: Strategy, operations: int, guarded: bool = True
    ) -> FreeResult:
        return free_run(
            executable, strategy.name, self.env, self.threads, operations, self.seed, guarded,
            self.patience,
        )  # fmt: skip

    def _judge(self, row: Row, strategy: Strategy) -> None:
        claims = strategy.claims
        wrong: list[str] = []
        undecided: list[str] = []
        scheduled, free, races = row.scheduled, row.free, row.races
        recorded = row.recorded.faults.get(self.env.name, set())
        found = set(scheduled.faults) | row.campaign.faults | set(free.faults) | recorded
        example = row.campaign.example
        if example is not None and example.shows in ("divergence", "failure"):
            wrong.append(f"{example.shows}: {example.detail}")
        if row.recorded.trouble:
            wrong.append(f"recorded threads: {row.recorded.trouble}")
        if scheduled.deadlocks:
            wrong.append(f"deadlock: {scheduled.first['deadlock']}")
        if row.coverage is not None and not row.coverage.complete:
            wrong.append(f"{row.coverage} of the model's edges: {row.coverage.first}")
        if scheduled.failures:
            wrong.append(f"the guard reports: {scheduled.failure}")
        if scheduled.unexplained:
            wrong.append(f"{scheduled.unexplained} skipped calls with a live context")
        if free.trouble:
            wrong.append(free.trouble)
        if free.missed >= MISSED:
            wrong.append(f"{free.missed} threads slept on beside a free lock: nobody woke them")
        if claims.parallel is False and scheduled.parallel:
            wrong.append("two operations overlapped under the guard")
        if claims.parallel and not scheduled.parallel:
            undecided.append("no two operations overlapped")
        if claims.safe:
            if found:
                wrong.append(f"faults: {', '.join(sorted(found))}")
            if free.unexplained:
                wrong.append(f"{free.unexplained} free-running calls skipped with a live context")
            if free.met:
                wrong.append(f"{free.met} times two threads inside an encoder new to both")
            if races is not None and (races.races or races.trouble or races.faults):
                what = races.trouble or f"{races.races} data races"
                wrong.append(f"ThreadSanitizer: {what}")
            if races is None:
                undecided.append(f"no ThreadSanitizer: {self.no_tsan}")
        else:
            wanted = {claims.fault} if claims.fault else set(FAULTS)
            if not found & wanted:
                undecided.append(f"no {claims.fault or 'fault'} was found")
            if claims.fault == "encoderOverlap" and races is not None and not races.races:
                undecided.append("ThreadSanitizer saw no race")
        undecided += self.blind()
        undecided += self._nothing_seen(row, strategy)
        if row.unrecorded:
            undecided.append(f"the recorder failed: {row.unrecorded}")
        if row.control_schedules == 0:
            undecided.append("the control arm without the guard shows no fault under schedules")
        if row.control_free.trouble:
            undecided.append(f"the control arm of free runs failed: {row.control_free.trouble}")
        elif not row.control_free.faults:
            undecided.append("the control arm without the guard shows no fault in free runs")
        if free.operations < FREE_OPERATIONS and not free.trouble:
            undecided.append(f"only {free.operations} free-running operations")
        row.found = ", ".join(sorted(found, key=FAULTS.index)) or "no fault"
        row.judge(wrong, undecided)

    def _nothing_seen(self, row: Row, strategy: Strategy) -> list[str]:
        """Which arms were not put to the test."""
        free, recorded = row.free, row.recorded
        shared = strategy.claims.safe and self.env.flags["sharedEncoders"] and not free.trouble
        handlers = self.env.flags["handlersTearDown"] and not free.trouble
        found = {
            "no schedule was run": row.scheduled.schedules == 0,
            "the campaign checked no event": row.campaign.events == 0,
            "nothing was recorded": recorded.events == 0 and not recorded.trouble,
            "no two recorded threads overlapped": bool(strategy.claims.parallel)
            and not recorded.overlapping
            and not recorded.trouble,
            "no free-running thread met another at a lock": shared and free.contentions == 0,
            "no two clients of the control arm were inside an encoder at once": not (
                row.control_free.met or row.control_free.trouble
            ),
            "no call waited for a handler in free runs": handlers and free.waits == 0,
        }
        return [text for text, true in found.items() if true]

    def _save(self, row: Row, strategy: Strategy) -> None:
        if self.save_to is None:
            return
        found = [] if row.campaign.example is None else [row.campaign.example]
        shown = {example.shows for example in found}
        first = row.scheduled.first
        found += [
            Counterexample(strategy.name, self.env.name, BOUNDS, schedule, shows)
            for shows, schedule in first.items()
            if shows not in shown
        ]
        row.examples = [str(save(example, self.save_to)) for example in found]
        if (recorded := row.recorded.example) is not None:
            environment, run = recorded
            path = self.save_to / f"{strategy.name}-{environment}-recorded.ndjson"
            save_file(path, trace.dump(strategy.name, environment, run))
            row.examples.append(str(path))


def claim_text(strategy: Strategy) -> str:
    """The claim about a strategy, in words."""
    claims = strategy.claims
    if claims.safe:
        return "safe"
    return f"unsafe: {claims.fault}" if claims.fault else "unsafe"


def _budget(_: click.Context, __: click.Parameter, value: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    text = value.strip()
    unit = units.get(text[-1:], 0)
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        seconds = -1
    if not 0 < seconds <= 7 * 86400:
        raise click.BadParameter(f"{value!r} is no time span; write for example 20s, 5m or 1h")
    return seconds


@click.command("stress")
@options.spec
@click.option(
    "--driver",
    type=click.Choice(["fake", "vulkan", "metal"]),
    default="fake",
    show_default=True,
    help="What is guarded: the fake AGX driver, Vulkan on a software device, or Metal (macOS).",
)
@click.option(
    "--strategy", "names", multiple=True, metavar="NAME", help="Only this one; repeatable."
)
@click.option(
    "--threads", type=click.IntRange(2, 64), default=4, show_default=True,
    help="Free-running client threads.",
)  # fmt: skip
@click.option(
    "--budget", default="20s", show_default=True, callback=_budget, metavar="TIME",
    help="About how long the search may take in all, builds not counted.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32), default=1, show_default=True)
@click.option(
    "--coverage", is_flag=True,
    help="Also compare every edge of the native transition graph with the model's (minutes).",
)  # fmt: skip
@click.option(
    "--save", "save_to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Save shrunk counterexamples there.",
)  # fmt: skip
@click.option(
    "--database", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Hypothesis' example database; several processes and machines may share one.",
)  # fmt: skip
@click.option(
    "--replay", "replay_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Run a saved counterexample, or a trace of verify explore, on the real guard.",
)  # fmt: skip
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="With --replay: record the native events there, one JSON object a line.",
)  # fmt: skip
@options.json_output
@options.quiet
def command(
    spec: Path | None, driver: str, names: tuple[str, ...], threads: int, budget: float, seed: int,
    coverage: bool, save_to: Path | None, database: Path | None, replay_file: Path | None,
    trace_file: Path | None, json_output: bool, quiet: bool,
) -> Verdict:  # fmt: skip
    """Run the real guard against its model, with and without threads.

    Exit code 0 if every strategy behaves as the spec claims (an unsafe one is caught), 1 if one
    does not, 2 if that was not decided (a compiler or driver is missing, nothing was found).
    """
    loaded = specs.load(spec)
    chosen = [loaded.strategy(name) for name in names] or list(loaded.strategies)
    refuse_overwriting(
        {"--trace": trace_file},
        {"the spec": spec or resources.shipped_spec(), "the file of --replay": replay_file},
    )
    if replay_file is not None:
        return _replay(replay_file, loaded, trace_file, json_output)
    if trace_file is not None:
        raise click.UsageError("--trace records a replay; give --replay FILE as well")
    quiet = quiet or json_output
    if driver == "metal":
        return _metal(chosen, threads, seed, budget, json_output, quiet)
    if driver == "vulkan":
        return _vulkan(loaded, chosen, threads, seed, budget, json_output, quiet)
    progress("building the native part (once)", quiet)
    runner = FakeDriver(loaded, threads, seed, save_to, None, database, coverage)
    rows = list(_with_progress(runner.run, chosen, budget, quiet))
    verdict = combine(row.verdict for row in rows)
    if json_output:
        head = driver, seed, threads, budget, verdict, verdict.exit_code
        print_json(records.Stress(*head, tuple(map(_record, rows))))
    else:
        _show(rows, runner)
    return verdict


def _with_progress(
    run: Callable[[Strategy, float, Callable[[str], None]], _Row],
    chosen: Sequence[Strategy],
    budget: float,
    quiet: bool,
) -> Iterator[_Row]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    terminal = console(sys.stderr)
    with Progress(
        *columns, console=terminal, transient=True, disable=quiet or not terminal.is_terminal
    ) as bar:
        task = bar.add_task("stress", total=_STAGES * len(chosen))
        for number, strategy in enumerate(chosen):
            stage = 0

            def note(what: str, name: str = strategy.name, base: int = _STAGES * number) -> None:
                nonlocal stage
                bar.update(task, completed=base + stage, description=f"{name}: {what}")
                stage += 1

            yield run(strategy, budget / len(chosen), note)
        bar.update(task, completed=_STAGES * len(chosen))


def _show(rows: Sequence[Row], runner: FakeDriver) -> None:
    cells: list[list[object]] = []
    for row in rows:
        races = "-" if row.races is None else row.races.races
        share = f"{row.programs}/{row.all_programs}"
        cells.append(
            [
                row.strategy, row.claim, row.found, f"{row.scheduled.schedules:,}", share,
                "not looked for" if row.lists and not row.scheduled.deadlocks
                else row.scheduled.deadlocks,
                f"{row.campaign.events:,}", f"{row.recorded.events:,}",
                f"{row.free.operations:,}",
                sum(row.free.faults.values()), races, sum(row.control_free.faults.values()),
                row.verdict,
            ]
        )  # fmt: skip
    table(
        [
            "strategy", "claim", "found", "schedules", "programs", "deadlocks", "checked events",
            "recorded", "free ops", "faults", "races", "control", "result",
        ],
        cells,
    )  # fmt: skip
    if not runner.blind() and not runner.no_tsan and all(row.controls_seen for row in rows):
        click.echo("each arm has reported the fault that was planted for it.")
    click.echo("recorded: events of free threads, each checked to be a step of the model.")
    click.echo("control: faults of the same free run without the guard; races: ThreadSanitizer.")
    for row in rows:
        if row.lists:
            click.echo(
                f"{row.strategy}: the guard takes the locks of a call all or none, so deadlocks of "
                "a program that takes them one after another are not looked for here: verify prove"
            )
        if row.coverage is not None:
            click.echo(
                f"{row.strategy}: {row.coverage} of the model's {row.coverage.model:,} edges at "
                f"{BOUNDS} are native steps, {row.coverage.native - row.coverage.both} others"
            )
    for row in rows:
        example = row.campaign.example
        if example is not None:
            click.echo(f"{row.strategy}: {example.shows} after {example.schedule}")
        for reason in row.reasons:
            click.echo(f"{row.strategy}: {printable(reason)}")
        for path in row.examples:
            click.echo(f"{row.strategy}: saved {printable(path)}")
    if runner.no_tsan:
        click.echo(f"no ThreadSanitizer: {printable(runner.no_tsan)}")


def _record(row: Row) -> records.Stressed:
    """The row as `--json` prints it."""
    recorded = row.recorded
    return records.Stressed(
        strategy=row.strategy,
        claim=row.claim,
        agrees=row.agrees,
        reasons=tuple(row.reasons),
        found=tuple(row.found.split(", ")) if row.found != "no fault" else (),
        schedules=row.scheduled,
        looks_for_lock_order=not row.lists,
        programs=row.programs,
        all_programs=row.all_programs,
        campaign=records.Campaign(
            row.campaign.runs,
            row.campaign.events,
            tuple(sorted(row.campaign.faults)),
            row.campaign.example,
        ),
        recorded=records.Recorded(
            recorded.runs,
            recorded.events,
            recorded.overlapping,
            {env: tuple(sorted(faults)) for env, faults in recorded.faults.items()},
            recorded.trouble,
        ),
        free=row.free,
        coverage=row.coverage,
        races=row.races,
        control=records.Control(row.control_schedules, row.control_free),
        saved=tuple(row.examples),
        seconds=round(row.seconds, 3),
    )


def _replay(path: Path, spec: Spec, trace_file: Path | None, json_output: bool) -> Verdict:
    verdict, example, lines, run = replay(path, spec)
    if trace_file is not None:
        save_trace(trace_file, example, run)
    if json_output:
        print_json(
            {
                **as_json(example),
                "verdict": verdict.value,
                "reproduced": verdict.good,
                "events": [event.json() for event in run.events],
                "lines": lines,
            }
        )
    else:
        steps(f"{example.strategy}, {example.environment}, {example.bounds}", lines)
        said = "shown again" if verdict.good else "NOT shown"
        click.echo(f"{example.shows}: {said}")
    return verdict


def _vulkan(
    spec: Spec, chosen: Sequence[Strategy], threads: int, seed: int, budget: float,
    json_output: bool, quiet: bool,
) -> Verdict:  # fmt: skip
    progress("building the Vulkan harness (once)", quiet)
    runner = VulkanDriver(spec, threads, seed)
    rows = list(_with_progress(runner.run, chosen, budget, quiet))
    verdict = combine(row.verdict for row in rows)
    if json_output:
        head = "vulkan", seed, threads, budget, verdict, verdict.exit_code
        print_json(records.Vulkan(*head, tuple(rows)))
        return verdict
    table(
        ["strategy", "claim", "operations", "a pool each", "one pool", "control", "result"],
        [
            [
                row.strategy, "safe" if row.claim_safe else "unsafe",
                f"{row.own_pools.operations:,}", row.own_pools, row.one_pool, row.control,
                row.verdict,
            ]
            for row in rows
        ],
    )  # fmt: skip
    click.echo("one pool: the shared registry of the environment racyFreelist; not judged here.")
    for row in rows:
        for reason in row.reasons:
            click.echo(f"{row.strategy}: {printable(reason)}")
    return verdict


def _metal(
    chosen: Sequence[Strategy], threads: int, seed: int, budget: float,
    json_output: bool, quiet: bool,
) -> Verdict:  # fmt: skip
    runner = MetalDriver(threads, seed)
    rows = list(_with_progress(runner.run, chosen, budget, quiet))
    verdict = combine(row.verdict for row in rows)
    if json_output:
        head = "metal", seed, threads, budget, verdict, verdict.exit_code
        print_json(records.Metal(*head, tuple(rows)))
        return verdict
    table(
        [
            "strategy", "claim", "intercepted", "operations", "plain", "debug layer", "control",
            "result",
        ],
        [
            [
                row.strategy, "safe" if row.claim_safe else "unsafe", row.intercepted,
                f"{row.operations:,}", row.plain, row.debug_layer, row.control, row.verdict,
            ]
            for row in rows
        ],
    )  # fmt: skip
    click.echo("operations: of the runs that came to their end; control: without the guard.")
    for row in rows:
        for reason in row.reasons:
            click.echo(f"{row.strategy}: {printable(reason)}")
    return verdict
