"""What the page says: sections of text, tables and plots, made from recorded results.

Both templates (HTML and Markdown) show the same `Page`; neither decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verify import english, resources
from verify import spec as specs
from verify.errors import VerifyError
from verify.records.bench import Benches
from verify.records.compare import Comparison
from verify.records.explore import Exploration
from verify.records.prove import Claim, Proofs, ProvedStrategy
from verify.records.stress import Findings, Stress, Stressed, Vulkan
from verify.reporting import benches
from verify.reporting.blocks import (
    LETTERS,
    Alert,
    Block,
    Cell,
    Folded,
    Heading,
    Missing,
    Page,
    Prose,
    Section,
    Steps,
    Table,
    Text,
    Tile,
    agrees_cell,
    mood,
    name_cell,
    names,
    number,
    said,
    yes_no,
)
from verify.reporting.plots import quantity
from verify.reporting.records import KINDS, Kind, Records, conflicts
from verify.spec import FAULTS, Strategy
from verify.verdict import Verdict, agreement, combine

# --- The page -------------------------------------------------------------------------------------


def page(records: Records) -> Page:
    """What recorded results say.

    Args:
        records: All of them.
    """
    sections = [
        _proofs(records),
        _matrix(records),
        _stress(records),
        *benches.sections(records),
        _environment(records),
        _trust(records),
    ]
    alerts = _alerts(records)
    missing = [b for section in sections for b in section.blocks if isinstance(b, Missing)]
    parts = [file.verdict for file in records.files] + [alert.verdict for alert in alerts]
    if missing:
        parts.append(Verdict.UNDETERMINED)
    verdict = combine(parts)
    dates = sorted(
        {m.recorded[:10] for m in records.manifests} | {b.recorded[:10] for b in records.benches}
    )
    return Page(
        "Which lock is safe, and how fast is it?",
        verdict,
        _sentence(records, verdict, missing),
        f"recorded {' and '.join(dates)}" if dates else "recorded without a date",
        _tiles(records),
        alerts,
        missing,
        _answer(records),
        sections,
    )


def _sentence(records: Records, verdict: Verdict, missing: Sequence[Missing]) -> str:
    """The answer, in words, as far as the results give one."""
    parts = []
    if records.proofs is not None:
        safe = [row.strategy for row in records.proofs.strategies if row.safe]
        both = [r.strategy for r in records.proofs.strategies if r.safe and r.parallel]
        count = len(records.proofs.strategies)
        parts.append(f"Of {count} strategies, {_listed(safe)} proved safe;")
        parts.append(f"{_listed(both)} parallel as well.")
    if verdict in (Verdict.REFUTED, Verdict.ERROR):
        parts.append("Not everything holds: see below.")
    elif missing:
        parts.append("Some parts were not recorded: see below.")
    elif verdict is Verdict.UNDETERMINED:
        parts.append("Something is undecided: see below.")
    return " ".join(parts)


def _listed(names: Sequence[str]) -> str:
    """A, B and C are."""
    if len(names) <= 1:
        return f"{names[0] if names else 'none'} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def _alerts(records: Records) -> list[Alert]:
    """Everything that is not as claimed."""
    alerts: list[Alert] = []
    proofs = records.proofs
    if proofs is not None:
        for row in proofs.rows:
            alerts += [
                Alert(c.verdict, "verify prove", f"{c.claim}: {c.reason or 'no reason is given'}")
                for c in row.claims
                if c.verdict is not Verdict.PROVED
            ]
        alerts += [
            Alert(c.verdict, "verify prove", f"{c.claim}: {c.reason or 'no reason is given'}")
            for c in proofs.restated
            if c.verdict is not Verdict.PROVED
        ]
        alerts += [Alert(Verdict.ERROR, "verify prove", error) for error in proofs.errors]
    for exploration in records.of(Exploration):
        alerts += [
            Alert(row.verdict, "verify explore", f"{row.strategy}, {row.environment}: {row.reason}")
            for row in exploration.rows
            if row.verdict is not None and not row.verdict.good
        ]
    stressed: list[tuple[str, Stressed | Findings]] = [
        *(("verify stress", row) for s in records.of(Stress) for row in s.strategies),
        *(("verify stress --driver vulkan", r) for v in records.of(Vulkan) for r in v.strategies),
    ]
    for command, run in stressed:
        if not run.agrees:
            text = f"{run.strategy}: {'; '.join(run.reasons) or 'no reason is given'}"
            alerts.append(Alert(agreement(run.agrees), command, text))
    for comparison in records.of(Comparison):
        alerts += [
            Alert(row.verdict, "verify compare", f"{row.strategy}: {names(row.notes, 'undecided')}")
            for row in comparison.strategies
            if not row.verdict.good
        ]
    for bench in records.benches:
        where = f"verify bench {bench.command} ({bench.device_name})"
        alerts += [
            Alert(check.verdict, where, f"{check.name}: {check.text}")
            for check in bench.every_check
            if not check.ok
        ]
    for part in records.of(Benches):
        found = combine([Verdict.PASSED, *(bench.verdict for bench in part.results)])
        whole = part.judged
        if whole is not found:  # slower than a baseline, or no device at all
            slower = [f"slower than the baseline: {row.key}" for row in part.slower]
            reason = "; ".join(slower or part.missing) or "nothing was measured"
            alerts.append(Alert(whole, "verify bench", reason))
    alerts += [Alert(Verdict.REFUTED, c.command, c.text) for c in conflicts(records)]
    alerts += [
        Alert(file.verdict, file.kind.command, file.refusal.error)
        for file in records.files
        if file.refusal is not None
    ]
    order = (Verdict.ERROR, Verdict.REFUTED, Verdict.UNDETERMINED)
    return sorted(alerts, key=lambda alert: order.index(alert.verdict))


# --- The first screen -----------------------------------------------------------------------------


def _tiles(records: Records) -> list[Tile]:
    tiles = []
    proofs = records.proofs
    if proofs is None:
        tiles.append(Tile("Proofs", "not recorded", "verify prove", "open"))
    else:
        best = [row.strategy for row in proofs.strategies if _best(row, records)]
        judged = [*proofs.claims, *proofs.restated]
        proved = sum(claim.verdict is Verdict.PROVED for claim in judged)
        tiles.append(
            Tile(
                "Safe and parallel",
                names(best),
                f"of {len(proofs.strategies)} strategies",
                "good" if best else "open",
            )
        )
        tiles.append(
            Tile(
                "Claims proved",
                f"{proved} of {len(judged)}",
                "by Lean's kernel; safety is for any number of threads",
                "good" if proved == len(judged) else "bad",
            )
        )
    tiles.append(_stress_tile(records))
    tiles.append(_speed_tile(records))
    return tiles


def _stress_tile(records: Records) -> Tile:
    rows = [row for stress in records.of(Stress) for row in stress.strategies]
    name = "Under stress"
    if not rows:
        return Tile(name, "not recorded", "verify stress", "open")
    safe = [row for row in rows if row.claim == "safe"]
    operations = sum(row.free.operations + row.schedules.schedules for row in safe)
    faults = sum(sum(row.free.faults.values()) + sum(row.schedules.faults.values()) for row in safe)
    caught = sum(row.agrees is True for row in rows if row.claim != "safe")
    verdict = combine(agreement(row.agrees) for row in rows)
    against = [row.strategy for row in rows if row.agrees is False]
    if against:
        return Tile(
            name, f"{len(against)} disagree{'s' * (len(against) == 1)}", names(against), "bad"
        )
    return Tile(
        name,
        f"{faults} fault{'s' * (faults != 1)}",
        f"in {quantity(operations)} runs and operations of safe guards; {caught} of "
        f"{len(rows) - len(safe)} unsafe ones caught",
        mood(verdict),
    )


def _speed_tile(records: Records) -> Tile:
    name = "Speed with the guard"
    for bench in benches.preferred(records, "scaling"):
        ratios = benches.at_most_threads(bench)
        for strategy in _safe_and_parallel(records):
            if strategy in ratios:
                ratio, threads = ratios[strategy]
                where = f"{strategy}, {threads} threads, {bench.device_name}"
                if not ratio.says:
                    span = f"{ratio.low:.0%} to {ratio.high:.0%}"
                    text = f"{span} of the unguarded throughput: {where}"
                    return Tile(name, "undetermined", text, "open")
                half = f"±{50 * (ratio.high - ratio.low):.1f}"
                value = f"{ratio.median:.1%}"
                return Tile(name, value, f"{half}, of the unguarded throughput: {where}")
    return Tile(name, "not recorded", "verify bench scaling", "open")


def _safe_and_parallel(records: Records) -> list[str]:
    if records.proofs is None:
        return ["perEncoder"]
    return [row.strategy for row in records.proofs.rows if _best(row, records)]


def _best(row: ProvedStrategy, records: Records) -> bool:
    """Whether a strategy is what one looks for: safe and parallel, with all its claims proved, and
    nothing that was run speaks against it."""
    proved = bool(row.safe and row.parallel) and row.verdict is Verdict.PROVED
    return proved and row.strategy not in _contradicted(records)


def _contradicted(records: Records) -> set[str]:
    """The strategies that some run or search shows not to be as claimed."""
    runs: list[tuple[str, Verdict]] = [
        *((r.strategy, agreement(r.agrees)) for s in records.of(Stress) for r in s.strategies),
        *((r.strategy, agreement(r.agrees)) for v in records.of(Vulkan) for r in v.strategies),
        *((r.strategy, r.verdict) for c in records.of(Comparison) for r in c.strategies),
        *((r.strategy, r.verdict) for e in records.of(Exploration) for r in e.rows if r.verdict),
        *((conflict.strategy, Verdict.REFUTED) for conflict in conflicts(records)),
    ]
    return {strategy for strategy, verdict in runs if verdict is Verdict.REFUTED}


def _answer(records: Records) -> Table | None:
    """Each strategy in one line: safe, parallel, stressed, fast."""
    proofs = records.proofs
    if proofs is None:
        return None
    stressed = {row.strategy: row for s in records.of(Stress) for row in s.strategies}
    bench = next(iter(benches.preferred(records, "scaling")), None)
    ratios = {} if bench is None else benches.at_most_threads(bench)
    threads = max((n for _, n in ratios.values()), default=0)
    english = {s.name: s.english for s in _shipped(proofs)}
    rows = []
    for row in proofs.rows:
        run, speed = stressed.get(row.strategy), ratios.get(row.strategy)
        if run is None:
            stress = Cell("not recorded", "open")
        elif not run.agrees:
            stress = agrees_cell(run.agrees, run.reasons)
        elif run.claim == "safe":
            stress = Cell(f"no fault in {run.free.operations:,} operations", "good")
        else:
            kinds = len(run.found)
            stress = Cell(f"caught: {kinds} kind{'s' * (kinds != 1)} of fault", "bad")
        beside = " (extension)" if row in proofs.extensions else ""
        rows.append(
            [
                name_cell(row.strategy, f"{english.get(row.strategy, '')}{beside}".strip()),
                _safe(row),
                yes_no(row.parallel, "yes", "no"),
                number(None)
                if speed is None
                else number(0, f"{speed[0].median:.1%}" if speed[0].says else "undetermined"),
                stress,
            ]
        )
    title = "Throughput was not recorded."
    if bench is not None:
        title = (
            f"Throughput: share of the unguarded device's ({bench.device_name}, {threads} threads, "
            "a queue each)."
        )
    best = [i for i, row in enumerate(proofs.rows) if _best(row, records)]
    columns = ["strategy", "safe?", "parallel?", "throughput", "under stress"]
    return Table(columns, rows, title, best)


def _shipped(proofs: Proofs) -> list[Strategy]:
    """Those strategies of the shipped spec that the proofs are about.

    A result names strategies and theorems; what they are in English, and in which file, is not
    in it.
    """
    proved = {(row.strategy, row.theorem) for row in proofs.rows}
    return [s for s in specs.load(None).strategies if (s.name, s.claims.theorem) in proved]


def _safe(row: ProvedStrategy) -> Cell:
    if row.verdict is Verdict.PROVED:
        return yes_no(row.safe, "safe", "not safe", judged=True)
    words = {True: "safe", False: "not safe", None: "not decided"}
    return Cell(row.verdict.value, mood(row.verdict), small=words[row.safe])


# --- Proofs ---------------------------------------------------------------------------------------


def _proofs(records: Records) -> Section:
    title = "Proofs"
    proofs = records.proofs
    if proofs is None:
        return Section("proofs", title, [_missing(records, "prove", "The proofs")])
    files = {s.name: s.claims.file for s in _shipped(proofs)}
    extensions = {row.strategy for row in proofs.extensions}
    table = Table(
        ["strategy", "safe?", "parallel?", "verdict", "main theorem", "file", "axioms"],
        [
            [
                name_cell(row.strategy, "extension" if row.strategy in extensions else ""),
                _safe(row),
                yes_no(row.parallel, "yes", "no"),
                said(row.verdict),
                name_cell(row.theorem, row.note or ""),
                name_cell(_file(row, files)),
                Cell(names(row.axioms)),
            ]
            for row in proofs.rows
        ],
    )
    restated = Table(
        ["theorem", "verdict", "axioms"],
        [
            [name_cell(c.theorem or c.claim), said(c.verdict), Cell(names(c.axioms))]
            for c in proofs.restated
        ],
    )
    every = Table(
        ["claim", "verdict", "theorem"],
        [[Cell(c.claim), said(c.verdict), name_cell(c.theorem or "–")] for c in proofs.claims],
    )
    blocks: list[Block] = [
        Text(
            "The verdict is on what is claimed: a strategy that is proved unsafe, as claimed, is "
            "PROVED."
        ),
        table,
        Text(
            f"{_proved(proofs.claims)} claims about {len(proofs.rows)} strategies, "
            f"{_proved(proofs.restated)} hand-written ones; the kernel replayed "
            f"{proofs.constants:,} constants. Engine: {_engine(proofs.engine)}."
        ),
        Folded(
            "A run to a fault of each unsafe strategy",
            [
                block
                for row in proofs.rows
                if row.counterexample
                for block in (Heading(row.strategy), Steps(row.counterexample))
            ],
        ),
        Folded("Every claim about a strategy", [every]),
        Folded("The hand-written theorems", [restated]),
    ]
    lead = "What Lean's kernel accepted. Safety is for any number of threads, encoders and steps."
    return Section("proofs", title, blocks, lead)


def _proved(claims: Sequence[Claim]) -> str:
    verdicts = [claim.verdict for claim in claims]
    return f"{verdicts.count(Verdict.PROVED)} of {len(claims)}"


def _engine(text: str) -> str:
    """Its name without the place where it is installed."""
    return text.split(" (", maxsplit=1)[0]


def _file(row: ProvedStrategy, files: Mapping[str, str | None]) -> str:
    module = row.claims[0].module if row.claims else None
    if module is not None:
        return f"{module.replace('.', '/')}.lean"
    name = files.get(row.strategy)
    return f"AGX/{name}.lean" if name else "–"


# --- The matrix -----------------------------------------------------------------------------------


def _matrix(records: Records) -> Section:
    title = "Faults, by strategy and environment"
    proofs = records.proofs
    blocks: list[Block] = []
    if proofs is None:
        blocks.append(_missing(records, "prove", "The fault matrix"))
    else:
        names = list(dict.fromkeys(name for row in proofs.rows for name in row.faults))
        rows = []
        for row in proofs.rows:
            cells = [name_cell(row.strategy)]
            for name in names:
                faults = row.faults.get(name)
                if faults is None:
                    cells.append(Cell("not decided", "open"))
                else:
                    cells.append(Cell(faults=faults, mood="bad" if faults else "good"))
            rows.append(cells)
        blocks.append(Table(["strategy", *names], rows))
        blocks.append(
            Folded(
                "What the letters and the environments mean",
                [
                    Table(
                        ["letter", "fault", "meaning"],
                        [
                            [Cell(LETTERS[f]), name_cell(f), Cell(english.FAULTS[f].sentence)]
                            for f in FAULTS
                        ],
                    ),
                    Table(
                        ["environment", "assumption"],
                        [[name_cell(n), Cell(_english(n))] for n in names],
                    ),
                ],
            )
        )
    explorations = records.of(Exploration)
    if not explorations:
        blocks.append(_missing(records, "explore", "The exhaustive search beside the proofs"))
    blocks += [Text(_explored(records, exploration)) for exploration in explorations]
    lead = (
        "Exactly the faults that can be reached, one theorem a cell: some client can reach each of "
        "these, and none any other."
    )
    return Section("matrix", title, blocks, lead)


def _english(environment: str) -> str:
    known = specs.load(None).environments.get(environment)
    return known.english if known is not None else "–"


def _explored(records: Records, exploration: Exploration) -> str:
    """How a bounded search compares with the proofs."""
    rows = exploration.rows
    states = sum(row.states for row in rows)
    bounds = (
        f"{exploration.threads} threads, {exploration.encoders} encoders and "
        f"{exploration.blocks} blocks"
    )
    text = (
        f"A search of every reachable state within {bounds} (verify explore; "
        f"{quantity(states)} states, {len(rows)} cells"
    )
    cut = [row for row in rows if not row.complete or row.exhausted]
    text += f"; {len(cut)} cells were cut short by a bound)" if cut else ")"
    if records.proofs is None:
        return f"{text} found faults in {sum(bool(row.faults) for row in rows)} cells."
    proved = {(r.strategy, e): f for r in records.proofs.rows for e, f in r.faults.items()}
    same, fewer, more = [], [], []
    for row in rows:
        wanted = proved.get((row.strategy, row.environment))
        if wanted is None:
            continue
        place = f"{row.strategy} in {row.environment}"
        if set(row.faults) == set(wanted):
            same.append(place)
        elif set(row.faults) < set(wanted):
            fewer.append(place)
        else:
            more.append(place)
    text += f" found exactly the proved set in {len(same)}"
    text += f", a part of it in {len(fewer)} ({', '.join(fewer)})" if fewer else ""
    text += f", and CONTRADICTS the proof in {len(more)} ({', '.join(more)})" if more else ""
    return f"{text}."


# --- Stress ---------------------------------------------------------------------------------------


def _stress(records: Records) -> Section:
    blocks: list[Block] = []
    for stress in records.of(Stress):
        blocks.append(
            Table(
                [
                    "strategy", "claim", "result", "faults found", "schedules", "deadlocks",
                    "checked events", "free operations", "faults in them", "TSan races",
                    "control arm: faults",
                ],
                [
                    [
                        name_cell(row.strategy),
                        Cell(row.claim),
                        agrees_cell(row.agrees, row.reasons),
                        Cell(faults=row.found),
                        number(row.schedules.schedules),
                        number(row.schedules.deadlocks),
                        number(row.campaign.events),
                        number(row.free.operations),
                        number(sum(row.free.faults.values())),
                        number(None if row.races is None else row.races.races),
                        number(row.control.schedules + sum(row.control.free.faults.values())),
                    ]
                    for row in stress.strategies
                ],
                f"The real guard on the fake driver; {stress.threads} threads, seed {stress.seed}.",
            )
        )  # fmt: skip
        blocks.append(
            Text(
                "Free operations: threads that the operating system schedules. TSan races: data "
                "races that ThreadSanitizer reported in the same run. Control arm: the same "
                "without the guard; an oracle that finds nothing there would prove nothing."
            )
        )
    if not records.of(Stress):
        blocks.append(_missing(records, "stress", "Stress on the fake driver"))
    for vulkan in records.of(Vulkan):
        devices = sorted({row.own_pools.device for row in vulkan.strategies} - {""})
        blocks.append(
            Table(
                [
                    "strategy", "claim", "result", "operations", "misuse", "crashes",
                    "one pool: misuse", "control arm: misuse",
                ],
                [
                    [
                        name_cell(row.strategy),
                        Cell("safe" if row.claim_safe else "unsafe"),
                        agrees_cell(row.agrees, row.reasons),
                        number(row.own_pools.operations),
                        number(row.own_pools.threading + row.own_pools.other),
                        number(row.own_pools.crashes),
                        number(row.one_pool.threading + row.one_pool.other + row.one_pool.crashes),
                        number(row.control.threading + row.control.other + row.control.crashes),
                    ]
                    for row in vulkan.strategies
                ],
                f"Vulkan's validation layer on {names(devices, 'a device without a name')}; "
                f"{vulkan.threads} threads, seed {vulkan.seed}.",
            )
        )  # fmt: skip
        blocks.append(
            Text(
                "Misuse: messages of the layer. One pool for all is the environment racyFreelist "
                "and is not judged here. The control arm counts crashed runs too."
            )
        )
    if not records.of(Vulkan):
        blocks.append(_missing(records, "stress-vulkan", "Stress on a Vulkan device"))
    for comparison in records.of(Comparison):
        blocks.append(
            Table(
                [
                    "strategy",
                    "verdict",
                    "proved",
                    "runs show",
                    "TSan races",
                    "Vulkan",
                    "differences",
                ],
                [
                    [
                        name_cell(row.strategy),
                        said(row.verdict),
                        Cell("not decided", "open") if row.lean is None else Cell(faults=row.lean),
                        Cell(faults=row.scheduled),
                        number(row.races),
                        Cell(row.vulkan or "–"),
                        Cell("; ".join(row.notes)),
                    ]
                    for row in comparison.strategies
                ],
                "The oracles side by side.",
            )
        )
    if not records.of(Comparison):
        blocks.append(_missing(records, "compare", "The oracles side by side"))
    lead = "Does the real guard, in C++, do what was proved about its model?"
    return Section("stress", "The guard under stress", blocks, lead)


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def _missing(records: Records, name: str, what: str) -> Missing:
    kind = _kind(name)
    refusals = records.refusals(kind.model)
    command = f"{kind.command} --json > DIR/{name}.json"
    return Missing(what, command, refusals[0].error if refusals else "")


# --- Environment, trust ---------------------------------------------------------------------------


def _environment(records: Records) -> Section:
    blocks: list[Block] = []
    if not records.manifests:
        blocks.append(Missing("The environment of the runs here", "verify report --record DIR"))
    for manifest in records.manifests:
        rows = [[Cell(name), Cell(str(value))] for name, value in manifest.environment.items()]
        title = f"Recorded {manifest.recorded} by verify report --record."
        blocks.append(Table(["here", "value"], rows, title))
    seen = set()
    for bench in records.benches:
        key = (bench.driver, bench.device_name, bench.recorded[:10])
        if key in seen:
            continue
        seen.add(key)
        facts = {**bench.device, **bench.environment}
        table = Table(
            [bench.driver, "value"],
            [[Cell(name), Cell(str(value))] for name, value in facts.items()],
        )
        blocks.append(Folded(f"{bench.device_name}, {bench.recorded[:10]}", [table]))
    files = []
    for file in records.files:
        run = records.run_of(file)
        files.append(
            [
                name_cell(file.name),
                Cell(run.command if run else file.command),
                said(file.verdict),
                Cell("as recorded" if run else "added by hand"),
                name_cell(file.sha256[:12]),
            ]
        )
    blocks.append(
        Table(
            ["file", "command", "result", "provenance", "SHA-256"],
            files,
            "The recorded results; everything on this page is made of them.",
        )
    )
    return Section("environment", "Environment and sources", blocks)


def _trust(records: Records) -> Section:
    notes = [
        "CUDA is thread-safe: benchmarked operations are no evidence that a strategy is safe.",
        "The sim driver is a queueing model: what it says is a prediction, never a measurement.",
    ]
    if not any(bench.driver == "metal" for bench in records.benches):
        notes.append("Metal is untried: no driver and no GPU of Apple has run any of this.")
    if records.proofs is None or records.proofs.engine.startswith("embedded"):
        notes.append(
            "The lake path is untried: the proofs were checked by the embedded engine, not by an "
            "installed Lean toolchain."
        )
    blocks: list[Block] = [Text(note) for note in notes]
    blocks.append(Folded("What is trusted, assumed, and not covered", [Prose(_trust_text())]))
    lead = "The theorems are about a model; this stands between them and a program."
    return Section("trust", "Trust", blocks, lead)


def _trust_text() -> str:
    path = resources.root() / "TRUST.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror or error}; install mps-verify again") from None
