"""`verify explain STRATEGY`: why a strategy is safe or not, from proved facts.

What `verify prove` has judged is shown as it is.  Everything else (which pairs of operations
overlap, the runs to faults, what the other assumptions do) is found here, stated for Lean, and
shown only if Lean's kernel has accepted it.

Its pictures (`--diagram`, `--graph`, `--html`) show runs of the model.  Of those, the page's say
whether Lean's kernel has accepted them; the others ask no Lean.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from verify import claims, criterion, options, project, resources, views
from verify import prove as gate
from verify import spec as specs
from verify import trace as traces
from verify.claims import Claim
from verify.deadlock import ENGLISH
from verify.engines.base import Engine
from verify.english import steps_text
from verify.errors import EngineMissing, VerifyError
from verify.files import refuse_overwriting, save_file
from verify.prove import Row
from verify.semantics import Bounds
from verify.spec import FAULTS, FLAGS, Environment, Strategy
from verify.statements import Statement, rooted, word
from verify.trace import Trace
from verify.verdict import Verdict, combine
from verify.views import Counterexample

if TYPE_CHECKING:
    from verify import page

ASSUMPTIONS: Mapping[str, str] = {
    "handlersIntercepted": "completion handlers' teardown goes through the guard",
    "handlersTearDown": "completion handlers tear contexts down",
    "atomicFreelist": "the driver takes a block from its freelist in one step",
    "callersRetain": "callers own a reference while they send a message",
    "sharedEncoders": "any thread may use any encoder",
    "createReturns": "an encoder may be used before its create has returned, and made again",
}
"""The Booleans of an environment, in English, as they are in the default one."""

CONTRARY: Mapping[str, str] = {
    "handlersIntercepted": "completion handlers bypass the guard",
    "handlersTearDown": "completion handlers tear nothing down",
    "atomicFreelist": "the driver's freelist is read and claimed in two steps",
    "callersRetain": "callers own no reference while they send a message",
    "sharedEncoders": "each encoder is used by its home thread only",
    "createReturns": "nobody uses an encoder before its create has returned, and each is made once",
}
"""The same Booleans, when they are the other way round."""


@dataclass(frozen=True)
class Assumption:
    """What becomes of a strategy in the default environment with one Boolean turned round.

    Attributes:
        name: The Boolean.
        faults: The exact set of reachable faults without it, as proved; None where it is not.
        decisive: Whether the verdict changes without it.
    """

    name: str
    faults: tuple[str, ...] | None
    decisive: bool

    def json(self) -> dict[str, object]:
        """The assumption as `--json` prints it."""
        return {
            "assumption": self.name,
            "english": ASSUMPTIONS[self.name],
            "without": CONTRARY[self.name],
            "faults_without": None if self.faults is None else list(self.faults),
            "changes_verdict": self.decisive,
        }


@dataclass(frozen=True)
class Run:
    """A run to a fault that Lean has accepted, with its steps in English.

    It is as `verify.views.possible` finds it: no theorem says that none is shorter.
    """

    fault: str
    steps: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """The run as `--json` prints it."""
        return {"fault": self.fault, "steps": list(self.steps)}


@dataclass(frozen=True)
class Explanation:
    """All that is known of one strategy.

    Attributes:
        row: What `verify prove` found.
        statement: What the main theorem states, in Lean.
        module: The Lean module with the main theorem.
        overlaps: The pairs of kinds that two threads can be in at once on one encoder, in the
            order of `verify.spec.KINDS`; None where Lean did not confirm them.
        claimed: A shortest run that was found to the fault that the spec claims, if it claims one.
        shortest: A shortest run that was found to any fault.
        assumptions: One for each Boolean of an environment.
        problems: What was found here and not confirmed by Lean.
        verdict: That on the strategy's claims; an error if something was not confirmed.
    """

    row: Row
    statement: str
    module: str
    overlaps: tuple[tuple[str, str], ...] | None
    claimed: Run | None
    shortest: Run | None
    assumptions: tuple[Assumption, ...]
    problems: tuple[str, ...]
    verdict: Verdict

    @property
    def file(self) -> str:
        """The file of the main theorem; for the user's own spec it is made on the fly."""
        return f"{self.module.replace('.', '/')}.lean"

    def json(self) -> dict[str, object]:
        """The explanation as `--json` prints it."""
        row = self.row
        return {
            "verdict": self.verdict.value,
            "strategy": row.strategy.name,
            "english": row.strategy.english,
            "safe": row.safe,
            "parallel": row.parallel,
            "theorem": row.theorem,
            "statement": self.statement,
            "file": self.file,
            "axioms": list(row.axioms),
            "deadlock_free": row.never_deadlocks,
            "deadlock_free_by_policy": dict(row.deadlock_free) or None,
            "deadlock": list(row.deadlock) or None,
            "deadlock_run": list(row.deadlock_run) or None,
            "check": row.strategy.scheme.check,
            "first_overlap": list(self.overlaps[0]) if self.overlaps else None,
            "overlaps": None if self.overlaps is None else [list(pair) for pair in self.overlaps],
            "claimed_fault": self.claimed.json() if self.claimed else None,
            "shortest": self.shortest.json() if self.shortest else None,
            "faults": {
                name: None if faults is None else list(faults)
                for name, faults in row.faults.items()
            },
            "assumptions": [assumption.json() for assumption in self.assumptions],
            "note": row.strategy.claims.note,
            "problems": list(self.problems),
        }


def explain(name: str, spec_path: Path | None, engine: Engine) -> Explanation:
    """Explain a strategy of a spec.

    Args:
        name: The strategy.
        spec_path: The spec; None for the shipped one.
        engine: What checks the facts.

    Raises:
        VerifyError: If there is no such strategy, or the spec is bad.
    """
    result = gate.prove(spec_path, engine)
    strategy = result.spec.strategy(name)
    row = next(row for row in result.rows if row.strategy == strategy)
    default = result.spec.environments["default"]
    main = row.judged[0].claim

    pairs = criterion.overlapping(strategy.scheme, default)
    wanted = strategy.claims
    runs = {
        "claimed": views.possible(strategy.scheme, default, wanted.fault, wanted.race)
        if wanted.fault
        else None,
        "shortest": views.possible(strategy.scheme, default, None),
    }
    without = {
        flag: Environment(f"no_{flag}", CONTRARY[flag], **{**default.flags, flag: not value})
        for flag, value in default.flags.items()
    }
    faults = {flag: criterion.faults(strategy.scheme, env) for flag, env in without.items()}
    asked = {
        "overlaps": _overlap_claim(strategy, default, pairs),
        **{
            what: claims.counterexample(strategy, default, run, None, main.module)
            for what, run in runs.items()
            if run is not None
        },
        **{flag: _faults_claim(strategy, env, faults[flag]) for flag, env in without.items()},
    }
    confirmed = project.confirmed(engine, asked)
    problems = [f"Lean did not confirm: {asked[key].english}" for key in asked.keys() - confirmed]

    def run_of(what: str) -> Run | None:
        run = runs[what]
        return _run(run, strategy, default) if run is not None and what in confirmed else None

    return Explanation(
        row,
        main.statement,
        main.module,
        pairs if "overlaps" in confirmed else None,
        run_of("claimed"),
        run_of("shortest"),
        tuple(_assumption(flag, faults[flag], flag in confirmed, row.safe) for flag in FLAGS),
        tuple(sorted(problems)),
        combine([row.verdict, *(Verdict.ERROR for _ in (*result.errors, *problems))]),
    )


def _overlap_claim(
    strategy: Strategy, environment: Environment, pairs: Sequence[tuple[str, str]]
) -> Claim:
    env = claims.environment_literal(environment)
    scheme = claims.scheme_literal(strategy.scheme)
    listed = ", ".join(f"(.{kind}, .{other})" for kind, other in pairs)
    kinds, overlaps = word("allKinds"), word("LockScheme.overlaps")
    found = f"{rooted('Decidable.decide')} ((k, n) ∈ [{listed}])" if pairs else ".false"
    statement = Statement(f"∀ k ∈ {kinds}, ∀ n ∈ {kinds}, {overlaps} {scheme} {env} k n = {found}")
    english = f"{strategy.name}: which pairs of operations are not excluded"
    return Claim(strategy.name, "overlaps", None, claims.AGX, statement, english)


def _faults_claim(strategy: Strategy, environment: Environment, faults: Sequence[str]) -> Claim:
    statement = Statement(
        f"{word('ExactFaults')} {claims.environment_literal(environment)} "
        f"{claims.scheme_literal(strategy.scheme)} [{', '.join(f'.{f}' for f in faults)}]"
    )
    english = f"{strategy.name}, {environment.name}: exactly {', '.join(faults) or 'no fault'}"
    return Claim(strategy.name, "faults", None, claims.AGX, statement, english, environment.name)


def _run(run: Counterexample, strategy: Strategy, environment: Environment) -> Run:
    trace = Trace(views.BOUNDS, run.events, run.at)
    return Run(run.fault, tuple(steps_text(trace, strategy.scheme, environment)))


def _assumption(
    flag: str, faults: tuple[str, ...], confirmed: bool, safe: bool | None
) -> Assumption:
    return Assumption(
        flag,
        faults if confirmed else None,
        confirmed and safe is not None and safe == bool(faults),
    )


# --- The command ----------------------------------------------------------------------------------


_PICTURE = ("text", "svg", "mermaid")


@dataclass(frozen=True)
class _Asked:
    """What a picture is to show."""

    strategy: Strategy
    environment: Environment
    fault: str | None
    trace: Trace | None
    spec: Path | None


@click.command("explain", help="Say why a strategy is safe or not, from proved facts.")
@click.argument("strategy", required=False)
@options.spec
@click.option(
    "--diagram",
    type=click.Choice(["none", *_PICTURE]),
    default=None,
    help="Draw one run as a sequence diagram instead, without asking Lean.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page on which every run is followed step by step.",
)
@click.option(
    "--graph",
    type=click.Choice(["dot", "svg", "mermaid"]),
    help="Draw the state graph of a small instance instead.",
)
@click.option("--fault", type=click.Choice(FAULTS), metavar="NAME", help="The run to this fault.")
@click.option("--environment", metavar="NAME", help="In this environment, not the default one.")
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw this recorded run (of `verify explore --traces`, `verify stress`, or your own).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the picture there, not to standard output.",
)
@click.option("--threads", type=click.IntRange(1, 4), default=2, help="Of the graph; 2.")
@click.option("--encoders", type=click.IntRange(1, 4), default=1, help="Of the graph; 1.")
@click.option("--blocks", type=click.IntRange(1, 8), default=1, help="Of the graph; 1.")
@click.option("--symmetry", is_flag=True, help="Of the graph: one node for states up to renaming.")
@options.json_output
def command(
    strategy: str | None,
    spec: Path | None,
    diagram: str | None,
    html: Path | None,
    graph: str | None,
    fault: str | None,
    environment: str | None,
    trace_file: Path | None,
    output: Path | None,
    threads: int,
    encoders: int,
    blocks: int,
    symmetry: bool,
    json_output: bool,
) -> Verdict | None:
    """Print the explanation of a strategy, or a picture of a run."""
    from verify import render

    diagram = None if diagram == "none" else diagram
    given = {"--diagram": diagram, "--html": html, "--graph": graph}
    pictures = [name for name, value in given.items() if value]
    if len(pictures) > 1:
        raise click.UsageError(f"{' and '.join(pictures)} draw different things; give one of them")
    if html and output:
        raise click.UsageError("--html names its file already; leave --output out")
    if graph and trace_file:
        raise click.UsageError("--graph draws all runs; leave --trace out")
    refuse_overwriting(
        {"--html": html, "--output": output},
        {"the spec": spec or resources.shipped_spec(), "the trace": trace_file},
    )
    if not pictures and (fault or environment or trace_file or output):
        diagram = "text"  # these say which run to draw
    asked = _asked(strategy, spec, environment, fault, trace_file)
    if html:
        return _draw_page(asked, html, json_output)
    if graph:
        from verify import graph as graphs

        bounds = Bounds(threads, encoders, blocks)
        drawn = graphs.draw(
            graph, asked.strategy.name, asked.strategy.scheme, asked.environment, bounds, symmetry
        )
        _deliver(asked, graph, None, drawn, output, json_output)
        return None
    if diagram:
        _draw_diagram(asked, diagram, output, json_output)
        return None
    explanation = explain(asked.strategy.name, spec, gate.choose_engine("embedded"))
    if json_output:
        render.print_json(explanation.json())
    else:
        _print(explanation)
    return explanation.verdict


# --- Pictures -------------------------------------------------------------------------------------


def _asked(
    name: str | None,
    spec: Path | None,
    environment: str | None,
    fault: str | None,
    trace_file: Path | None,
) -> _Asked:
    """What the command line asks for; wrong names need not wait for Lean."""
    loaded = specs.load(spec)
    if trace_file is None:
        if name is None:
            raise click.UsageError("name a strategy, or a trace with --trace")
        env = _environment(environment or "default", loaded, "--environment")
        return _Asked(loaded.strategy(name), env, fault, None, spec)
    recorded = traces.load(trace_file)
    for what, wanted, has in (
        ("strategy", name, recorded.strategy),
        ("environment", environment, recorded.environment),
        ("fault", fault, recorded.trace.fault and recorded.trace.fault.fault),
    ):
        if wanted is not None and wanted != has:
            raise VerifyError(
                f"{trace_file}: the trace's {what} is {has or 'none'}, not {wanted}; leave it out"
            )
    strategy = loaded.strategy(recorded.strategy)
    env = _environment(recorded.environment, loaded, str(trace_file))
    found = traces.check(recorded.trace, strategy.scheme, env)
    if found is not None:
        # The header is line 1.
        raise VerifyError(f"{trace_file}:{found.step + 2}: {found.reason}; record the run again")
    return _Asked(strategy, env, fault, recorded.trace, spec)


def _environment(name: str, spec: specs.Spec, where: str) -> Environment:
    if name not in spec.environments:
        known = ", ".join(spec.environments)
        raise VerifyError(f"{where}: unknown environment {name!r}; use one of {known}")
    return spec.environments[name]


def _chosen(asked: _Asked) -> Trace:
    """The run to draw: the recorded one, that to the fault, the claimed one, or any."""
    from verify import page

    if asked.trace is not None:
        return asked.trace
    scheme, env, claimed = asked.strategy.scheme, asked.environment, asked.strategy.claims
    if asked.fault is None and env.name == "default" and claimed.fault is not None:
        run = views.possible(scheme, env, claimed.fault, claimed.race)
        if run is not None:
            return Trace(views.BOUNDS, run.events, run.at)
    found = page.counterexamples(scheme, env)
    if asked.fault is not None and asked.fault not in found:
        needs = {name: words for name, _, words in page.unreachable(scheme, env)}
        why = needs.get(asked.fault, "more threads, encoders or blocks than a picture has")
        raise VerifyError(
            f"{asked.strategy.name} has no run to {asked.fault} in {env.name}: it would take "
            f"{why}; leave --fault out"
        )
    if asked.fault is not None:
        return found[asked.fault]
    if found:
        return min(found.values(), key=lambda trace: len(trace.events))
    return page.groups_of(asked.strategy, env, {})[0].runs[0].film.trace


def _draw_diagram(asked: _Asked, kind: str, output: Path | None, json_output: bool) -> None:
    from verify import diagram
    from verify.frames import Film

    trace = _chosen(asked)
    film = Film(trace, asked.strategy.name, asked.strategy.scheme, asked.environment)
    if kind == "svg":
        drawn = diagram.svg(film)
    elif kind == "mermaid":
        drawn = diagram.mermaid(film)
    else:
        # A file is UTF-8 whatever the terminal can show.
        shown = output is not None or json_output or diagram.can_show(sys.stdout.encoding)
        drawn = diagram.text(film, ascii_only=not shown)
    _deliver(asked, kind, trace.fault and trace.fault.fault, drawn, output, json_output)


def _deliver(
    asked: _Asked, kind: str, fault: str | None, drawn: str, output: Path | None, json_output: bool
) -> None:
    """Write a picture to where it is wanted."""
    from verify import render

    if output is not None:
        save_file(output, drawn, parents=False)
    if json_output:
        where = {"file": str(output)} if output is not None else {"picture": drawn}
        render.print_json(
            {
                "strategy": asked.strategy.name,
                "environment": asked.environment.name,
                "fault": fault,
                "format": kind,
                **where,
            }
        )
    elif output is None:
        click.echo(drawn, nl=False)
    else:
        render.note(f"{output}: written")


def _draw_page(asked: _Asked, path: Path, json_output: bool) -> Verdict | None:
    """Write the page; the verdict is that of the explanation, UNDETERMINED without Lean."""
    from verify import page, render

    if not path.parent.is_dir():  # before the minute that Lean may take
        raise VerifyError(f"{path}: {path.parent} is no directory; name a file that can be written")
    verdict: Verdict | None
    if asked.trace is not None:
        verdict, content = None, _trace_page(asked, asked.trace)
    else:
        _chosen(asked)  # a fault that has no run
        try:
            engine: Engine | None = gate.choose_engine("embedded")
        except EngineMissing as error:
            engine = None
            render.progress(f"the page has no verdict: {error}")
        verdict, content = _strategy_page(asked, engine)
    save_file(path, page.render(content), parents=False)
    if json_output:
        render.print_json(
            {
                "verdict": verdict and verdict.value,
                "strategy": asked.strategy.name,
                "environment": asked.environment.name,
                "runs": [run.id for group in content.groups for run in group.runs],
                "format": "html",
                "file": str(path),
            }
        )
    else:
        runs = sum(len(group.runs) for group in content.groups)
        render.note(f"{path}: written, with {runs} run{'' if runs == 1 else 's'}")
    return verdict


def _trace_page(asked: _Asked, trace: Trace) -> page.Page:
    from verify import page
    from verify.frames import Film

    strategy = asked.strategy
    name = trace.fault.fault if trace.fault else "the run"
    heading = f"A recorded run to {name}" if trace.fault else "A recorded run"
    film = Film(trace, strategy.name, strategy.scheme, asked.environment)
    shown = page.Shown("run-recorded", name, heading, page.FOLLOWED, film)
    return page.Page(
        heading=strategy.name,
        lead=strategy.english,
        groups=(page.RunGroup("Recorded", "", (shown,)),),
        facts=(("environment", _in_words(asked.environment)), ("instance", str(trace.bounds))),
        footer="Whether Lean's kernel accepts the run: verify replay.",
    )


def _strategy_page(asked: _Asked, engine: Engine | None) -> tuple[Verdict, page.Page]:
    from verify import page

    strategy, env = asked.strategy, asked.environment
    facts = [("environment", _in_words(env))]
    verdict, judgement, reasons, basis = Verdict.UNDETERMINED, "", list[str](), dict[str, str]()
    if engine is not None:
        told = explain(strategy.name, asked.spec, engine)
        found = page.counterexamples(strategy.scheme, env)
        basis = _accepted(strategy, env, found, engine)
        proved = told.row.faults.get(env.name)
        verdict, reasons = told.verdict, _page_reasons(told, env)
        if proved is not None:
            judgement = "not safe" if proved else "safe"
            facts.append(("exactly these faults, proved", ", ".join(proved) or "none"))
            unseen = [fault for fault in proved if fault not in found]
            if unseen:
                reasons.append(f"Proved to be reachable, but in no picture: {', '.join(unseen)}.")
        if len(basis) < len(found):
            verdict = combine([verdict, Verdict.ERROR])
            missing = ", ".join(fault for fault in found if fault not in basis)
            reasons.append(f"ERROR: Lean did not accept the run to {missing}.")
        facts.append(("theorem", f"{told.row.theorem} in {told.file}: {told.row.verdict}"))
        facts.append(("axioms", ", ".join(told.row.axioms) or "none"))
    else:
        reasons.append("Nobody has judged this: no Lean was found. `verify doctor` says more.")
    groups = page.groups_of(strategy, env, basis)
    if asked.fault is not None:
        groups = page.first(groups, f"run-{asked.fault}")
    return verdict, page.Page(
        heading=strategy.name,
        lead=strategy.english,
        groups=groups,
        judgement=judgement,
        facts=tuple(facts),
        reasons=tuple(reasons),
        unreachable=page.unreachable(strategy.scheme, env),
        footer=f"By verify explain {strategy.name}, from the spec and proved facts.",
    )


def _in_words(environment: Environment) -> str:
    return f"{environment.name}: {environment.english}"


def _page_reasons(told: Explanation, environment: Environment) -> list[str]:
    lines = [f"ERROR: {problem}" for problem in told.problems]
    if environment.name == "default":
        lines += [*_reasons(told), *_assumption_lines(told)]
    if told.row.strategy.claims.note:
        lines.append(f"Note: {told.row.strategy.claims.note}")
    return lines


def _accepted(
    strategy: Strategy, environment: Environment, found: Mapping[str, Trace], engine: Engine
) -> dict[str, str]:
    """For each run that Lean's kernel accepts, by fault, the words that say so."""
    asked = {
        fault: claims.counterexample(
            strategy, environment, Counterexample(trace.fault, trace.events), None, claims.AGX
        )
        for fault, trace in found.items()
        if trace.fault is not None
    }
    accepted = project.confirmed(engine, asked) if asked else set()
    return {fault: "Lean's kernel accepts this run." for fault in found if fault in accepted}


def _print(explanation: Explanation) -> None:
    from verify import render

    row, strategy = explanation.row, explanation.row.strategy
    safe = {True: "safe", False: "not safe", None: "neither proved safe nor proved unsafe"}
    render.note(f"{strategy.name} ({strategy.english}) is {safe[row.safe]}{_deadlocks(row)}.")
    render.note(f"{row.verdict}: theorem {row.theorem} in {explanation.file}")
    render.note(f"it states: {explanation.statement}")
    render.note(f"axioms: {', '.join(row.axioms) or 'none'}")
    for judged in row.judged:
        if judged.verdict is not Verdict.PROVED:
            render.note(f"{judged.verdict}: {judged.claim.english}: {judged.reason}")
    for line in _reasons(explanation):
        render.note(line)
    if strategy.claims.note:
        render.note(f"note: {strategy.claims.note}")
    if row.deadlock:
        click.echo()
        render.plain("A run into a deadlock:", (*row.deadlock_run, *row.deadlock))
    claimed, shortest = explanation.claimed, explanation.shortest
    if claimed is not None:
        words = "as claimed: a teardown between load and use" if strategy.claims.race else "claimed"
        click.echo()
        render.plain(f"A run to {claimed.fault} ({words}), found by search:", claimed.steps)
    if shortest is not None and (claimed is None or shortest.steps != claimed.steps):
        click.echo()
        render.plain(f"A run to any fault ({shortest.fault}), found by search:", shortest.steps)
    click.echo()
    render.table(
        ("environment", "exact faults"),
        [
            (name, "?" if faults is None else ", ".join(faults) or "none: safe")
            for name, faults in row.faults.items()
        ],
    )
    render.table(
        ("assumption", "without it", "exact faults then", "changes the verdict"),
        [
            (
                ASSUMPTIONS[a.name],
                CONTRARY[a.name],
                "?" if a.faults is None else ", ".join(a.faults) or "none: safe",
                a.decisive,
            )
            for a in explanation.assumptions
        ],
    )
    for line in _assumption_lines(explanation):
        render.note(line)
    for problem in explanation.problems:
        render.note(f"ERROR: {problem}")


def _deadlocks(row: Row) -> str:
    """What is known of deadlocks, after the word on safety."""
    if not row.deadlock_free:
        return ""
    if row.never_deadlocks is False:
        return f"{', but' if row.safe else ', and'} its calls {gate.can_deadlock(row)}"
    if row.never_deadlocks is None:
        return "; whether its calls can deadlock could not be decided"
    only = f" {ENGLISH['readersPass']}" if "readersWait" not in row.deadlock_free else ""
    return f"{', and' if row.safe else ', but'} its calls cannot deadlock{only}"


def _reasons(explanation: Explanation) -> list[str]:
    """What the locks exclude, in words."""
    check = explanation.row.strategy.scheme.check
    checked = "" if check else " The guard does not check whether the context is alive."
    if explanation.overlaps is None:
        return []
    if not explanation.overlaps:
        return [
            "Every pair of operations that different threads can have on one encoder is excluded."
            + checked
        ]
    kind, other = explanation.overlaps[0]
    more = len({frozenset(pair) for pair in explanation.overlaps}) - 1
    return [
        f"The first pair that is not excluded: {kind} with {other}, by different threads on one "
        f"encoder ({more} more such pair{'' if more == 1 else 's'}).{checked}"
    ]


def _assumption_lines(explanation: Explanation) -> list[str]:
    decisive = [a.name for a in explanation.assumptions if a.decisive]
    if explanation.row.safe:
        words = "; ".join(ASSUMPTIONS[name] for name in decisive)
        return [
            f"If any of these fails, it is not safe: {words}."
            if decisive
            else "It stays safe if any one of the assumptions fails."
        ]
    if explanation.row.safe is False:
        words = "; or if ".join(CONTRARY[name] for name in decisive)
        return [
            f"It would be safe if {words}."
            if decisive
            else "No assumption that fails by itself makes it safe."
        ]
    return []
