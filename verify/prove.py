"""`verify prove`: every claim of the spec, judged by Lean's kernel.

The order of things: assemble a project (hand-written Lean, generated modules, the gate's claims),
let the engine check it, audit the result.  Where a strategy's module does not compile, its claims
are decided one by one: a claim whose negation is proved is REFUTED; a module that fails although
none of its claims is refuted is an ERROR.  No verdict comes from anywhere but a theorem that the
audit has accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from verify import claims, generate, resources, views
from verify import project as projects
from verify import spec as specs
from verify.claims import GATE, Claim, Line
from verify.deadlock import ENGLISH, THREADS, Finding
from verify.engines.base import Audit, Engine, ModuleResult
from verify.engines.sources import imports
from verify.engines.sources import path_of as module_path
from verify.errors import VerifyError
from verify.records import prove as records
from verify.records.base import Event, FaultAt, Run
from verify.spec import Spec, Strategy
from verify.verdict import Verdict, combine

_OWN = ("Theory",)
"""The parts of `MPSVerify/` that are about the shipped strategies."""


@dataclass(frozen=True)
class Judged:
    """A claim and what became of it, as in `records.Claim`."""

    claim: Claim
    verdict: Verdict
    theorem: str | None = None
    axioms: tuple[str, ...] = ()
    reason: str | None = None

    def record(self) -> records.Claim:
        """As `--json` prints it."""
        return records.Claim(
            self.claim.english,
            self.claim.module,
            self.claim.statement,
            self.verdict,
            self.theorem,
            self.axioms,
            self.reason,
        )


@dataclass(frozen=True)
class Row:
    """A strategy's line in the table: as in `records.ProvedStrategy`, but for

    Attributes:
        counterexample, run: Both empty, or None, for a safe one.
        deadlock_free: By policy of the locks; none where no call takes several.
    """

    strategy: Strategy
    judged: tuple[Judged, ...]
    safe: bool | None
    parallel: bool | None
    theorem: str
    faults: Mapping[str, tuple[str, ...] | None]
    counterexample: tuple[str, ...]
    seconds: float
    deadlock_free: Mapping[str, bool | None] = field(default_factory=dict)
    deadlock: tuple[str, ...] = ()
    deadlock_run: tuple[str, ...] = ()
    run: views.Counterexample | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict on all its claims."""
        return combine(judged.verdict for judged in self.judged)

    @property
    def axioms(self) -> tuple[str, ...]:
        """The axioms that the main theorem depends on."""
        return self.judged[0].axioms

    @property
    def never_deadlocks(self) -> bool | None:
        """Whether it is deadlock-free with every policy that is claimed; None if not known."""
        known = list(self.deadlock_free.values())
        if not known or (None in known and False not in known):
            return None
        return False not in known

    def record(self) -> records.ProvedStrategy:
        """As `--json` prints it."""
        return records.ProvedStrategy(
            strategy=self.strategy.name,
            safe=self.safe,
            parallel=self.parallel,
            verdict=self.verdict,
            theorem=self.theorem,
            axioms=self.axioms,
            counterexample=self.counterexample or None,
            seconds=round(self.seconds, 3),
            note=self.strategy.claims.note,
            deadlock_free=self.never_deadlocks,
            deadlock_free_by_policy=dict(self.deadlock_free) or None,
            deadlock=self.deadlock or None,
            deadlock_run=self.deadlock_run or None,
            faults=self.faults,
            claims=tuple(judged.record() for judged in self.judged),
            run=None if self.run is None else _run(self.run),
        )


@dataclass(frozen=True)
class Result:
    """What a run of `verify prove` found.

    Attributes:
        rows: One a strategy.
        restated: The hand-written claims, for the shipped spec: each proved or an error.
        errors: What concerns the whole.
        constants: How many constants the kernel replayed.
    """

    spec: Spec
    engine: str
    rows: tuple[Row, ...]
    restated: tuple[Judged, ...] = ()
    errors: tuple[str, ...] = ()
    constants: int = 0
    modules: tuple[ModuleResult, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on everything."""
        parts = [row.verdict for row in self.rows]
        parts += [judged.verdict for judged in self.restated]
        parts += [Verdict.ERROR for _ in self.errors]
        return combine(parts)


@dataclass
class _Project:
    """A directory with everything that the engine needs for one spec."""

    root: Path
    spec: Spec
    shipped: bool
    views: Mapping[str, views.StrategyView] = field(default_factory=dict)
    pins: claims.Pins | None = None
    """For the shipped spec: what its hand-written claims may mention."""

    def roots(self) -> list[str]:
        """What is checked besides the gate's module; first what no spec changes.

        The kernel's replay is remembered up to the first module that has changed.
        """
        if not self.shipped:
            return ["MPSVerify.AGX"]
        text = (self.root / "MPSVerify.lean").read_text(encoding="utf-8")
        model = [m for m in imports(text) if m.startswith(("MPSVerify.Spec.", "MPSVerify.Thm."))]
        return [*model, "MPSVerify", claims.PINNED]


def prove(
    spec_path: Path | None,
    engine: Engine,
    progress: Callable[[ModuleResult], None] | None = None,
) -> Result:
    """Prove the claims of a spec.

    Args:
        spec_path: The spec; None for the shipped one.
        engine: What checks the modules.
        progress: Called for each module that the engine has judged.

    Raises:
        VerifyError: If the spec is bad, or the generated modules are not what it implies.
    """
    spec = specs.load(spec_path)
    shipped = spec_path is None or resources.is_shipped(spec_path)
    with _assembled(spec, shipped, engine) as project:
        return _judge(project, engine, progress)


@contextmanager
def _assembled(spec: Spec, shipped: bool, engine: Engine) -> Iterator[_Project]:
    """The project for a spec."""
    with projects.directory(engine, "shipped" if shipped else "spec") as root:
        if shipped:
            wanted = projects.sources((*projects.MODEL, *_OWN), ["Claims.lean"])
        else:
            wanted = projects.sources()
        projects.write(root, wanted)
        context = views.context(spec)
        generated = generate.files(spec, root, context=context)
        source = resources.root()
        if shipped and resources.is_checkout() and generate.compare(generated, source):
            raise VerifyError(
                f"{source / 'MPSVerify'}: not what {spec.path.name} implies; run `verify generate`"
            )
        projects.write(root, generated)
        pins = claims.pins(spec) if shipped else None
        if pins is not None:
            projects.write(root, {module_path(claims.PINNED): pins.source})
        by_name = {view.name: view for view in context["all_strategies"]}
        yield _Project(root, spec, shipped, by_name, pins)


def _judge(
    project: _Project, engine: Engine, progress: Callable[[ModuleResult], None] | None
) -> Result:
    spec = project.spec
    by_strategy = claims.of_spec(spec, project.views.values())
    lines = [_first(claim) for own in by_strategy.values() for claim in own]
    restated = (
        claims.restated(project.root / "MPSVerify" / "Claims.lean") if project.shipped else []
    )
    build = projects.build(project.root, engine, lines, project.roots(), progress)
    errors: list[str] = []
    broken = {m.module: m for m in build.modules if projects.complaint(m) is not None}
    failed: dict[int, str] = {}
    unjudged: list[tuple[str, str]] = []
    if not build.ok:
        # Something is wrong: judge claim by claim, and tell a false claim from a broken module.
        lines = [
            replace(line, by_theorem=line.by_theorem and line.claim.module not in broken)
            for line in lines
        ]
        lines, failed = projects.settle(project.root, engine, lines)
        unjudged, restated = restated, []
    kept = [line for index, line in enumerate(lines) if index not in failed]
    if not build.ok:
        build = projects.build(project.root, engine, kept)
    pinned = project.pins if restated else None
    audit = projects.audit(engine, build, kept, restated, pinned)
    errors += [*audit.errors, *audit.findings]
    judged = _verdicts(project, lines, failed, kept, audit, broken)
    errors += _pins(project, bool(restated), audit) + _unexplained(judged, broken)
    seconds = {m.module: m.seconds for m in (*build.modules, *broken.values())}
    rows = tuple(_row(project, strategy, judged, seconds) for strategy in spec.strategies)
    rows = _explained(project, engine, rows)
    return Result(
        spec,
        engine.describe(),
        rows,
        _restated(restated, unjudged, audit, project),
        tuple(dict.fromkeys(errors)),
        audit.constants,
        build.modules,
    )


def _first(claim: Claim) -> Line:
    """How a claim is tried first: by its theorem, if a module states it.

    A claim without one is tried by its negation where a run into a deadlock is known.
    """
    return Line(claim, negated=claim.theorem is None, by_theorem=claim.theorem is not None)


def _verdicts(
    project: _Project,
    lines: Sequence[Line],
    failed: Mapping[int, str],
    kept: Sequence[Line],
    audit: Audit,
    broken: Mapping[str, ModuleResult],
) -> dict[str, list[Judged]]:
    """A verdict for every claim, by strategy."""
    audited = {theorem.name: theorem for theorem in audit.theorems}
    _, names = claims.gate_module(kept)
    name_of = {id(line): name for line, name in zip(kept, names, strict=True)}
    unusable = bool(audit.errors or audit.findings)
    result: dict[str, list[Judged]] = {strategy.name: [] for strategy in project.spec.strategies}
    for index, line in enumerate(lines):
        claim = line.claim
        asked = [name_of[id(line)]] if index not in failed else []
        if line.by_theorem and claim.theorem:
            asked.append(claim.theorem)
        if index in failed:
            judged = Judged(claim, _failure(line), reason=_undecided(line, failed[index]))
        elif unusable:
            judged = Judged(claim, Verdict.ERROR, reason=(*audit.errors, *audit.findings)[0])
        else:
            problems = [
                audited[name].problem if name in audited else f"{name}: not audited"
                for name in asked
            ]
            problem = next((p for p in problems if p), None)
            axioms = tuple(sorted({a for n in asked if n in audited for a in audited[n].axioms}))
            if problem is not None:
                judged = Judged(claim, Verdict.ERROR, axioms=axioms, reason=problem)
            elif line.negated:
                judged = Judged(claim, Verdict.REFUTED, asked[0], axioms, "its negation is proved")
            else:
                judged = Judged(claim, Verdict.PROVED, asked[-1], axioms)
        result[claim.strategy].append(judged)
    return _with_broken_modules(result, broken)


def _failure(line: Line) -> Verdict:
    """A theorem that does not prove its claim is an error; what could not be decided is open."""
    return Verdict.ERROR if line.by_theorem else Verdict.UNDETERMINED


def can_deadlock(row: Row) -> str:
    """What is proved of a strategy that can deadlock; any deadlock of holders is one for all."""
    if row.deadlock_free.get("readersPass") is False:
        return "can deadlock"
    return f"can deadlock {ENGLISH['readersWait']}"


def _undecided(line: Line, complaint: str) -> str:
    """Why a claim could not be decided."""
    if line.by_theorem or line.claim.what != "deadlockFree":
        return complaint
    return (
        "neither an order of its locks nor a run into a deadlock was found, "
        f"with circles of up to {THREADS} threads"
    )


def _unexplained(
    judged: Mapping[str, Sequence[Judged]], broken: Mapping[str, ModuleResult]
) -> list[str]:
    """What fails of itself although nothing that is claimed of it is false.

    The gate's module is left out: its claims are judged one by one.
    """
    false = {j.claim.module for own in judged.values() for j in own if j.verdict is Verdict.REFUTED}
    return [
        f"{name} fails: {projects.complaint(module)}"
        for name, module in broken.items()
        if name not in (*false, GATE) and not _skipped(module)
    ]


def _skipped(module: ModuleResult) -> bool:
    """Whether a module was not tried, for something that it imports fails."""
    return any(m.line == 0 and m.text.startswith("not checked: ") for m in module.messages)


def _pins(project: _Project, restated: bool, audit: Audit) -> list[str]:
    """What is wrong with the pins, without which hand-written claims say nothing."""
    if project.pins is None or not restated:
        return []
    audited = {theorem.name: theorem for theorem in audit.theorems}
    problems = (
        audited[name].problem if name in audited else f"{name}: not audited"
        for name in project.pins.theorems
    )
    return [problem for problem in problems if problem]


def _unjudged(pair: tuple[str, str]) -> Judged:
    """A hand-written claim that was not reached, because some module does not compile."""
    return Judged(
        claims.hand_written(*pair),
        Verdict.UNDETERMINED,
        reason="not judged: a module does not compile",
    )


def _with_broken_modules(
    judged: dict[str, list[Judged]], broken: Mapping[str, ModuleResult]
) -> dict[str, list[Judged]]:
    """A module that fails must be explained by a claim of it that is refuted.

    One that was not tried says nothing: its claims are decided without it.
    """
    everything = [j for own in judged.values() for j in own]
    explained = {j.claim.module for j in everything if j.verdict is Verdict.REFUTED}
    result = {}
    for strategy, own in judged.items():
        result[strategy] = [
            Judged(
                j.claim, Verdict.ERROR, reason=f"its module fails: {projects.complaint(broken[m])}"
            )
            if (m := j.claim.module) in broken and m not in explained and not _skipped(broken[m])
            else j
            for j in own
        ]
    return result


def _row(
    project: _Project,
    strategy: Strategy,
    judged: Mapping[str, Sequence[Judged]],
    seconds: Mapping[str, float],
) -> Row:
    own = tuple(judged[strategy.name])
    view = project.views[strategy.name]
    claimed = [j.verdict for j in own if j.claim.what == "counterexample"]
    run = view.counterexample if Verdict.PROVED in claimed else None
    return Row(
        strategy,
        own,
        _fact(own, "safe", "unsafe"),
        _fact(own, "parallel", "sequential"),
        view.theorem,
        {
            j.claim.environment: (
                view.faults[j.claim.environment] if j.verdict is Verdict.PROVED else None
            )
            for j in own
            if j.claim.what == "faults"
        },
        _steps(strategy, project.spec, run),
        seconds.get(f"{claims.AGX}.{view.file}", 0.0),
        free := {
            policy: _fact([j for j in own if j.claim.policy == policy], "deadlockFree", "")
            for policy in view.deadlocks
        },
        *_deadlock(strategy, project.spec, [view.deadlocks[p] for p in free if free[p] is False]),
        run,
    )


def _deadlock(
    strategy: Strategy, spec: Spec, found: Sequence[Finding]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first deadlock of those that Lean has accepted: who waits for whom, and the run."""
    run = next((finding.run for finding in found if finding.run is not None), None)
    if run is None:
        return (), ()
    of = strategy.scheme, spec.environments["default"]
    return run.circle(*of), run.steps(*of)


def _fact(judged: Sequence[Judged], true: str, false: str) -> bool | None:
    """What the theorems say: a proved or refuted claim, of either form."""
    for j in judged:
        if j.claim.what in (true, false) and j.verdict in (Verdict.PROVED, Verdict.REFUTED):
            return (j.claim.what == true) == (j.verdict is Verdict.PROVED)
    return None


def _steps(strategy: Strategy, spec: Spec, run: views.Counterexample | None) -> tuple[str, ...]:
    if run is None:
        return ()
    from verify.english import steps_text
    from verify.trace import Trace

    environment = spec.environments["default"]
    return tuple(steps_text(Trace(views.BOUNDS, run.events, run.at), strategy.scheme, environment))


def _explained(project: _Project, engine: Engine, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Give strategies that were wrongly claimed to be safe a counterexample that Lean accepts."""
    environment = project.spec.environments["default"]
    runs = {
        row.strategy.name: run
        for row in rows
        if row.safe is False and not row.counterexample
        if (run := views.possible(row.strategy.scheme, environment, None)) is not None
    }
    if not runs:
        return tuple(rows)
    asked = [
        claims.counterexample(project.spec.strategy(name), environment, run, None, claims.AGX)
        for name, run in runs.items()
    ]
    lines = [Line(claim, by_theorem=False) for claim in asked]
    build = projects.build(project.root, engine, lines)
    if not projects.audit(engine, build, lines).ok:
        return tuple(rows)
    return tuple(
        replace(row, counterexample=_steps(row.strategy, project.spec, run), run=run)
        if (run := runs.get(row.strategy.name))
        else row
        for row in rows
    )


def _run(run: views.Counterexample) -> Run:
    return Run(tuple(Event(*event) for event in run.events), FaultAt(*run.at))


def _restated(
    restated: Sequence[tuple[str, str]],
    unjudged: Sequence[tuple[str, str]],
    audit: Audit,
    project: _Project,
) -> tuple[Judged, ...]:
    """The hand-written claims: all there, each exactly what its theorem states."""
    if not project.shipped:
        return ()
    audited = {theorem.name: theorem for theorem in audit.theorems}
    pairs = {(pair.claim, pair.theorem): pair for pair in audit.pairs}
    result = []
    for claim_name, theorem in restated:
        claim = claims.hand_written(claim_name, theorem)
        pair = pairs.get((claim_name, theorem))
        problems = [
            pair.problem if pair else f"{claim_name}: not compared",
            *(
                audited[name].problem if name in audited else f"{name}: not audited"
                for name in (claim_name, theorem)
            ),
        ]
        problem = next((p for p in problems if p), None)
        if problem is not None or audit.errors or audit.findings:
            result.append(Judged(claim, Verdict.ERROR, reason=problem or "the audit failed"))
        else:
            result.append(Judged(claim, Verdict.PROVED, theorem, audited[theorem].axioms))
    result += map(_unjudged, unjudged)
    named = {theorem for _, theorem in (*restated, *unjudged)}
    for view in project.views.values():
        if f"{claims.AGX}.{view.theorem}" not in named:
            claim = claims.hand_written(f"{claims.HAND_WRITTEN}.{view.theorem}", view.theorem)
            reason = f"MPSVerify/Claims.lean does not restate {view.theorem}"
            result.append(Judged(claim, Verdict.ERROR, reason=reason))
    return tuple(result)


# --- The command ----------------------------------------------------------------------------------


def choose_engine(name: str, *, anew: bool = False) -> Engine:
    """The engine of a name, `embedded` or `lake`.

    None stands in for another: whoever can put a program on the `PATH` could answer for Lean.

    Args:
        name: One of `ENGINES`.
        anew: Let the kernel judge again what it judged before; lake always does.

    Raises:
        EngineMissing: If it cannot run here.
    """
    from verify.engines.embedded import EmbeddedEngine
    from verify.engines.lake import LakeEngine

    if name == "lake":
        return LakeEngine(resources.root())
    engine = EmbeddedEngine(anew=anew)
    engine.describe()  # finds the library, or says what is missing
    return engine


ENGINES = ("embedded", "lake")


def agreed(results: Sequence[Result]) -> Result:
    """One result for those of several engines: an error wherever they do not say the same.

    Args:
        results: About one spec.
    """
    first = results[0]
    errors = list(first.errors)
    for other in results[1:]:
        errors += other.errors
        errors += [
            f"the engines disagree on {claim}: {said or 'nothing'} by {first.engine}, "
            f"{_verdicts_of(other).get(claim, 'nothing')} by {other.engine}"
            for claim, said in _verdicts_of(first).items()
            if _verdicts_of(other).get(claim) != said
        ]
        if set(_verdicts_of(other)) - set(_verdicts_of(first)):
            errors.append(f"{other.engine} decided claims that {first.engine} did not")
    if len(results) == 1:
        return first
    engine = f"both: {'; '.join(result.engine for result in results)}"
    return replace(first, engine=engine, errors=tuple(dict.fromkeys(errors)))


def _verdicts_of(result: Result) -> dict[str, str]:
    judged = [*(j for row in result.rows for j in row.judged), *result.restated]
    return {f"{j.claim.english} ({j.claim.statement})": j.verdict.value for j in judged}


def prove_command(
    spec: Path | None,
    engine: str,
    json_output: bool,
    quiet: bool,
    matrix: bool = False,
    anew: bool = False,
) -> Verdict | int | None:
    """`verify prove`: print the table, or JSON, and return the verdict."""
    from verify import render

    def report(module: ModuleResult) -> None:
        if not module.cached:
            state = "checked" if module.ok else "FAILED "
            render.progress(f"{state} {module.module} ({module.seconds:.2f} s)", quiet)

    chosen = [name for name in ENGINES if engine in (name, "both")]
    engines = [choose_engine(name, anew=anew) for name in chosen]
    result = agreed([prove(spec, each, report) for each in engines])
    if json_output:
        render.print_json(record(result))
    else:
        if matrix:
            _print_matrix(result)
        else:
            _print(result)
        _print_conclusion(result, quiet)
    return result.verdict


def record(result: Result) -> records.Proofs:
    """The result as `--json` prints it."""
    rows = [(row.strategy.extension, row.record()) for row in result.rows]
    return records.Proofs(
        verdict=result.verdict,
        engine=result.engine,
        spec=str(result.spec.path),
        constants=result.constants,
        strategies=tuple(row for extension, row in rows if not extension),
        extensions=tuple(row for extension, row in rows if extension),
        restated=tuple(judged.record() for judged in result.restated),
        errors=result.errors,
        modules=tuple(
            records.Module(m.module, m.ok, m.cached, round(m.seconds, 3), round(m.peak_mb, 1))
            for m in result.modules
        ),
    )


def _print(result: Result) -> None:
    from verify import render

    rows = [row for row in result.rows if not row.strategy.extension]
    for row in rows:
        if row.counterexample:
            render.plain(f"{row.strategy.name} is not safe:", row.counterexample)
        if row.deadlock:
            lines = (*row.deadlock_run, *row.deadlock)
            render.plain(f"{row.strategy.name} {can_deadlock(row)}:", lines)
    render.table(
        ("strategy", "safe", "parallel", "verdict", "theorem", "axioms", "time"),
        [
            (
                row.strategy.name,
                row.safe,
                row.parallel,
                row.verdict,
                row.theorem,
                ", ".join(row.axioms) or "none",
                f"{row.seconds:.2f} s",
            )
            for row in rows
        ],
    )


def _print_matrix(result: Result) -> None:
    from verify import render

    names = list(result.spec.environments)

    def cell(row: Row, environment: str) -> tuple[str, ...]:
        faults = row.faults.get(environment)
        return ("?",) if faults is None else faults or ("safe",)

    render.table(
        ("strategy", *names),
        [
            (row.strategy.name + (" (extension)" if row.strategy.extension else ""),
             *(cell(row, name) for name in names))
            for row in result.rows
        ],
        "exact fault sets, one theorem a cell",
    )  # fmt: skip


def _strategies(number: int) -> str:
    return "1 strategy" if number == 1 else f"{number} strategies"


def _print_conclusion(result: Result, quiet: bool) -> None:
    from verify import render

    everything = [
        *((j.claim.english, j) for row in result.rows for j in row.judged),
        *((j.claim.english, j) for j in result.restated),
    ]
    for english, judged in everything:
        if judged.verdict is not Verdict.PROVED:
            render.note(f"{judged.verdict}: {english}: {judged.reason}")
    for error in result.errors:
        render.note(f"ERROR: {error}")
    if not quiet:
        for row in result.rows:
            if row.strategy.claims.note:
                render.note(f"{row.strategy.name}: {row.strategy.claims.note}")
    proved = sum(j.verdict is Verdict.PROVED for row in result.rows for j in row.judged)
    total = sum(len(row.judged) for row in result.rows)
    restated = sum(j.verdict is Verdict.PROVED for j in result.restated)
    render.note(
        f"{result.verdict}: {proved} of {total} claims about {_strategies(len(result.rows))}, "
        f"{restated} of {len(result.restated)} hand-written claims; the kernel replayed "
        f"{result.constants} constants ({result.engine.split(' (')[0]})"
    )
