"""The sections about measurements: throughput, cost of the guard, limits, predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from verify.bench.model import UNGUARDED
from verify.bench.statistics import WIDE
from verify.records.bench import Bench, Benches, Interval, Measured
from verify.reporting.blocks import (
    Block,
    Cell,
    Figures,
    Folded,
    Heading,
    Missing,
    Section,
    Table,
    Text,
    name_cell,
    number,
)
from verify.reporting.plots import MOST, Dots, Limit, Plot, Point, Series, quantity
from verify.reporting.records import Records

_COMPARED = ("perEncoder", "globalMutex", "mutexSubmission")
"""What is drawn beside the unguarded device; the tables have all."""

# --- Benches --------------------------------------------------------------------------------------

TITLES: Mapping[str, tuple[str, str]] = {
    "scaling": (
        "Throughput and threads",
        "One operation in flight for each thread; a queue that all share, or a queue each.",
    ),
    "pipeline": (
        "Throughput and operations in flight",
        "Asynchronous submission: a thread waits only when it has so many operations in flight.",
    ),
    "batch": (
        "Batching against threads",
        "Many operations in one launch of one thread, beside many threads with one each.",
    ),
    "guard": (
        "What a guarded call costs",
        "Nanoseconds of one call of one thread, beside raw lock primitives.",
    ),
}


def sections(records: Records) -> list[Section]:
    made = []
    for command, (title, lead) in TITLES.items():
        benches = [b for b in records.benches if b.command == command and not b.measured]
        benches = preferred(records, command) + benches
        blocks = [block for bench in benches for block in of_bench(bench)]
        blocks += [
            Text(f"Not measured there: {reason}.")
            for part in records.of(Benches)
            if part.results and part.results[0].command == command
            for reason in part.missing
        ]
        if not any(bench.measured for bench in benches):
            reasons = [
                file.refusal.error
                for file in records.files
                if file.refusal is not None and file.name.startswith(f"bench-{command}")
            ]
            line = f"verify bench {command} --output DIR/bench-{command}.json"
            blocks.insert(0, Missing(f"{title}: a measurement", line, "; ".join(reasons)))
        made.append(Section(f"bench-{command}", title, blocks, lead))
    return made


def preferred(records: Records, command: str) -> list[Bench]:
    """Measurements of a command, those of real devices first; predictions are left out."""
    measured = [b for b in records.benches if b.command == command and b.measured]
    order = {"cuda": 0, "metal": 0}
    return sorted(measured, key=lambda bench: order.get(bench.driver, 1))


def at_most_threads(bench: Bench) -> dict[str, tuple[Interval, int]]:
    """Each strategy's share of the unguarded throughput, with the most threads on private queues,
    in the first workload."""
    workload = bench.workloads[0].name if bench.workloads else ""
    found: dict[str, tuple[Interval, int]] = {}
    for ratio in bench.ratios:
        if (ratio.workload, ratio.queues, ratio.depth) == (workload, "private", 1):
            before = found.get(ratio.strategy)
            if before is None or before[1] < ratio.threads:
                found[ratio.strategy] = ratio, ratio.threads
    return found


def figures(bench: Bench) -> list[Block]:
    """What a bench found: plots and tables, without its checks."""
    made = {"scaling": _scaling, "pipeline": _pipeline, "batch": _batch, "guard": _cost}
    return [*made[bench.command](bench), *_common(bench)]


def of_bench(bench: Bench) -> list[Block]:
    """All that is said of a bench."""
    blocks = [*figures(bench), *_checks(bench)]
    if not bench.measured:
        note = Text("A queueing model with round constants; no device was asked.")
        return [
            Folded(f"PREDICTION by the {bench.driver} driver, not a measurement", [note, *blocks])
        ]
    head: list[Block] = [Heading(f"{bench.device_name} ({bench.driver})")]
    if bench.driver == "cuda":
        head.append(
            Text(
                "CUDA is thread-safe: that these operations went well is no evidence that a "
                "strategy is safe. Their outputs were verified to show that the work was done."
            )
        )
    return [*head, *blocks]


def _rows(bench: Bench, **wanted: object) -> list[Measured]:
    return [r for r in bench.rows if all(getattr(r, k) == v for k, v in wanted.items())]


def _usual_wait(bench: Bench) -> str:
    """The kind of wait of the main tables: that of the first row."""
    return bench.rows[0].wait


def _line(name: str, rows: Sequence[Measured], x: Callable[[Measured], float]) -> Series:
    points = [Point(x(r), r.median, r.low, r.high) for r in rows]
    return Series(name, sorted(points, key=lambda point: point.x))


def _predicted(
    bench: Bench, rows: Sequence[Measured], x: Callable[[Measured], float]
) -> list[Series]:
    """What the model says of the same configurations, if it says something of two at least."""
    if bench.predictions is None:
        return []
    known = {p.key: p.predicted for p in bench.predictions.compared}
    points = [Point(x(r), v, v, v) for r in rows if (v := known.get(r.key)) is not None]
    points.sort(key=lambda point: point.x)
    return [Series("predicted", points, predicted=True)] if len(points) > 1 else []


def _limit(bench: Bench, workload: str) -> list[Limit]:
    return [
        Limit(f"limit: {b.binding.split(' (')[0]}", b.limit)
        for b in bench.limits
        if b.workload == workload
    ]


def _span(row: Interval | None) -> Cell:
    """A median with half its interval in per cent."""
    if row is None:
        return number(None)
    if not row.says:
        return _undetermined(row, "{:,.0f}")
    half = (row.high - row.low) / 2 / row.median
    return Cell(f"{row.median:,.0f} ±{half:.1%}", style="number")


def _undetermined(row: Interval, form: str) -> Cell:
    """An interval that says nothing, without the median that it does not pin down."""
    small = f"{form.format(row.low)} to {form.format(row.high)}"
    return Cell("undetermined", "open", style="number", small=small)


def _share(value: float | None, text: str = "{:.1%}") -> Cell:
    return Cell("–" if value is None else text.format(value), style="number")


def _factor(row: Measured | None, base: Measured | None) -> Cell:
    if row and base and not (row.says and base.says):
        return Cell("undetermined", "open", style="number")
    return _share(row.median / base.median if row and base else None, "{:.2f}×")


def _one(rows: Sequence[Measured], **wanted: object) -> Measured | None:
    return next((r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())), None)


def _scaling(bench: Bench) -> list[Block]:
    wait = _usual_wait(bench)
    plots: list[Plot | Dots] = []
    tables: list[Block] = []
    for workload in bench.workloads:
        name = workload.name
        rows = _rows(bench, workload=name, depth=1, batch=1, wait=wait)
        plain = [r for r in rows if r.strategy == UNGUARDED]
        private = [r for r in plain if r.queues == "private"]
        shared = [r for r in plain if r.queues == "shared"]
        guarded = [
            _line(s, found, _threads)
            for s in _COMPARED
            if (found := [r for r in rows if r.strategy == s and r.queues == "private"])
        ]
        if private:
            lines = [_line("no guard", private, _threads), *guarded]
            if shared:
                lines.append(_line("no guard, 1 queue", shared, _threads))
            plots.append(
                Plot(
                    f"{name}: {workload.elements:,} elements, {workload.iterations} iterations",
                    "threads",
                    "operations/s",
                    [*lines, *_predicted(bench, private, _threads)],
                    _limit(bench, name),
                )
            )
        base = _one(private, threads=1)
        every_wait = _rows(bench, workload=name, depth=1, batch=1, strategy=UNGUARDED)
        others = list(dict.fromkeys(r.wait for r in every_wait if r.wait != wait))
        body = []
        for row in private:
            known = base is not None and base.says and row.says
            factor = row.median / base.median if base is not None and known else None
            body.append(
                [
                    number(row.threads),
                    _span(_one(shared, threads=row.threads)),
                    _span(row),
                    _share(factor, "{:.2f}×"),
                    _share(factor and factor / row.threads, "{:.0%}"),
                    *(_span(_one(every_wait, threads=row.threads, wait=o)) for o in others),
                ]
            )
        columns = ["threads", "one queue (ops/s)", "a queue each (ops/s)", "scaling", "of ideal"]
        tables.append(
            Table(
                [*columns, *(f"wait: {other} (ops/s)" for other in others)],
                body,
                f"{name}, no guard, wait: {wait}. Median and half of its 95 % interval.",
            )
        )
        for queues, words in (("private", "a queue each"), ("shared", "one queue")):
            title = f"{name}, {words}"
            table = _shares(bench, title, name, "threads", queues=queues, depth=1)
            if table is None:
                continue
            tables.append(
                table if queues == "private" else Folded(table.title, [replace(table, title="")])
            )
    return [Figures(plots), *tables, *map(Text, _laws(bench))]


def _threads(row: Measured) -> float:
    return row.threads


def _depth(row: Measured) -> float:
    return row.depth


def _shares(bench: Bench, title: str, workload: str, by: str, **wanted: object) -> Table | None:
    """Each strategy's share of the unguarded throughput."""
    ratios = [
        r
        for r in bench.ratios
        if r.workload == workload and all(getattr(r, k) == v for k, v in wanted.items())
    ]
    columns = sorted({getattr(r, by) for r in ratios})
    table = {(r.strategy, getattr(r, by)): r for r in ratios}
    if not ratios:
        return None
    rows = []
    for name in dict.fromkeys(r.strategy for r in ratios):
        cells = [name_cell(name)]
        for column in columns:
            r = table.get((name, column))
            if r is not None and not r.says:
                cells.append(_undetermined(r, "{:.0%}"))
                continue
            half = "" if r is None else f" ±{50 * (r.high - r.low):.1f}"
            cells.append(_share(r.median if r else None, f"{{:.1%}}{half}"))
        rows.append(cells)
    unit = {"threads": "thr.", "depth": "in flight"}[by]
    return Table(
        ["strategy", *(f"{column} {unit}" for column in columns)],
        rows,
        f"{title}: share of the unguarded throughput; ± half of its 95 % interval.",
    )


def _laws(bench: Bench) -> list[str]:
    texts = []
    for law in bench.fits:
        if law.saturation_threads is None or law.peak is None:
            end = "no saturation"
        else:
            end = f"saturates at {law.saturation_threads:.1f} threads, {quantity(law.peak)}/s"
        texts.append(
            f"Fitted law of scalability, {law.workload}, {law.queues} queues: {end}; contention "
            f"{law.contention:.3f}, coherency {law.coherency:.4f}, error {law.error:.1%}."
        )
    return texts


def _pipeline(bench: Bench) -> list[Block]:
    usual = _usual_wait(bench)
    plots: list[Plot | Dots] = []
    tables: list[Block] = []
    for workload in bench.workloads:
        rows = _rows(bench, workload=workload.name, queues="private", batch=1)
        for n in sorted({r.threads for r in rows}):
            mine = [r for r in rows if r.threads == n]
            plain = [r for r in mine if r.strategy == UNGUARDED]
            waits = list(dict.fromkeys(r.wait for r in plain))
            lines = [
                _line(f"wait: {wait}", found, _depth)
                for wait in waits
                if len(found := [r for r in plain if r.wait == wait]) > 1
            ]
            lines += [
                _line(s, found, _depth)
                for s in _COMPARED
                if len(found := [r for r in mine if r.strategy == s and r.wait == usual]) > 1
            ]
            title = f"{workload.name}, {n} thread{'s' * (n > 1)}"
            if lines:
                known = [r for r in plain if r.wait == usual]
                plots.append(
                    Plot(
                        title,
                        "operations in flight of a thread",
                        "operations/s",
                        [*lines[:MOST], *_predicted(bench, known, _depth)],
                        _limit(bench, workload.name),
                    )
                )
            depths = sorted({r.depth for r in plain})
            body = []
            for depth in depths:
                cells = [number(depth)]
                for wait in waits:
                    row = _one(plain, depth=depth, wait=wait)
                    base = _one(plain, depth=1, wait=wait)
                    cells.append(_span(row))
                    cells.append(_factor(row, base))
                body.append(cells)
            columns = [c for wait in waits for c in (f"{wait} (ops/s)", "speed-up")]
            tables.append(
                Table(["in flight", *columns], body, f"{title}, no guard, by kind of wait.")
            )
            table = _shares(bench, title, workload.name, "depth", queues="private", threads=n)
            if table is not None:
                tables.append(Folded(table.title, [replace(table, title="")]))
    return [Figures(plots), *tables]


def _batch(bench: Bench) -> list[Block]:
    wait = _usual_wait(bench)
    plots: list[Plot | Dots] = []
    tables: list[Block] = []
    for workload in bench.workloads:
        rows = _rows(
            bench, workload=workload.name, queues="private", depth=1, wait=wait,
            strategy=UNGUARDED,
        )  # fmt: skip
        batched = [r for r in rows if r.threads == 1]
        threaded = [r for r in rows if r.batch == 1]
        if not batched or not threaded:
            continue
        lines = [
            _line("batched, 1 thread", batched, lambda r: r.batch),
            _line("threads", threaded, _threads),
        ]
        # A batch is one launch: only single operations are bound by the rate of launches.
        limits = [
            Limit(name, value)
            for bound in bench.limits
            if bound.workload == workload.name
            for name, value in (
                ("limit: compute", bound.compute),
                ("launch rate", bound.launch_rate),
            )
        ]
        plots.append(
            Plot(
                workload.name,
                "operations in a launch, or threads",
                "operations/s",
                lines,
                limits,
            )
        )
        base = _one(batched, batch=1)
        for title, by, found in (
            ("operations in a launch", "batch", batched),
            ("threads", "threads", threaded),
        ):
            tables.append(
                Table(
                    [title, "ops/s", "factor"],
                    [
                        [
                            number(getattr(r, by)),
                            _span(r),
                            _factor(r, base),
                        ]
                        for r in found
                    ],
                    f"{workload.name}, no guard, one thread."
                    if by == "batch"
                    else f"{workload.name}, no guard, one operation in a launch.",
                )
            )
        best, most = (max(x, key=lambda r: r.median) for x in (batched, threaded))
        if best.says and most.says:
            times = f"{best.median / most.median:.1f} times"
            tables.append(
                Text(f"The best batch does {times} what the best number of threads does.")
            )
    return [Figures(plots), *tables]


def _cost(bench: Bench) -> list[Block]:
    columns = sorted({(r.threads, r.encoders) for r in bench.rows})
    # With one thread, an encoder of its own and one that all share are the same.
    shown = [c for c in columns if c != (1, "same")]
    plots = [
        Dots(
            f"{n} thread{'s' * (n > 1)}, {'an encoder each' if e == 'own' else 'one encoder'}",
            "nanoseconds a call (logarithmic)",
            [
                (r.around, Point(0, r.median, r.low, r.high))
                for r in _rows(bench, threads=n, encoders=e)
            ],
        )
        for n, e in shown
    ]
    rows = []
    for name in dict.fromkeys(r.around for r in bench.rows):
        cells = [name_cell(name)]
        for n, e in columns:
            row = _one(bench.rows, around=name, threads=n, encoders=e)
            if row is not None and not row.says:
                cells.append(_undetermined(row, "{:,.1f}"))
                continue
            small = "" if row is None else f"{row.low:,.1f} to {row.high:,.1f}"
            cells.append(replace(_share(row.median if row else None, "{:,.1f}"), small=small))
        rows.append(cells)
    table = Table(
        ["around the call", *(f"{n} thr., {e}" for n, e in columns)],
        rows,
        "Nanoseconds a call: median, 95 % interval; encoders: each its own, or all the same.",
    )
    return [Figures(plots), table]


def _common(bench: Bench) -> list[Block]:
    """What every bench says: split, limits, predictions."""
    blocks: list[Block] = []
    if bench.split:
        blocks.append(
            Table(
                ["workload", "submission (µs)", "execution (µs)", "completion (µs)", "total (µs)"],
                [
                    [
                        name_cell(s.workload),
                        *(
                            _share(v, "{:,.1f}")
                            for v in (
                                s.submission_us, s.execution_us, s.completion_us, s.total_us,
                            )
                        ),
                    ]
                    for s in bench.split
                ],
                "Where the time of one operation of one thread goes.",
            )
        )  # fmt: skip
    if bench.achieved:
        limits = {b.workload: b for b in bench.limits}
        blocks.append(
            Table(
                [
                    "workload", "launch rate", "compute", "limit", "achieved", "share",
                    "what holds it back",
                ],
                [
                    [
                        name_cell(a.workload),
                        number(limits[a.workload].launch_rate if a.workload in limits else None),
                        number(limits[a.workload].compute if a.workload in limits else None),
                        number(a.limit),
                        number(a.operations_per_second),
                        _share(a.fraction, "{:.0%}"),
                        Cell(a.note or "–"),
                    ]
                    for a in bench.achieved
                ],
                "One operation in a launch, against the limits of the same device (operations/s).",
            )
        )  # fmt: skip
    if bench.predictions is not None and bench.predictions.compared:
        compared = bench.predictions.compared
        ratios = sorted(p.ratio for p in compared)
        table = Table(
            ["configuration", "predicted (ops/s)", "measured (ops/s)", "predicted / measured"],
            [
                [
                    name_cell(p.key),
                    number(p.predicted),
                    number(p.measured),
                    _share(p.ratio, "{:.2f}"),
                ]
                for p in compared
            ],
        )
        title = (
            f"Predicted against measured: {len(ratios)} configurations, ratio {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}, median {ratios[len(ratios) // 2]:.2f}"
        )
        blocks.append(Folded(title, [table]))
    counts = {k: v for k, v in bench.guarded.items() if k != UNGUARDED}
    if counts and bench.measured:
        least = min(counts, key=lambda name: counts[name])
        blocks.append(
            Text(f"Operations with verified outputs: at least {counts[least]:,} for each guard.")
        )
    return blocks


def _checks(bench: Bench) -> list[Block]:
    """Whether a bench can be believed."""
    blocks: list[Block] = []
    if silent := bench.silent:
        table = Table(["configuration"], [[name_cell(key)] for key in silent])
        title = f"{len(silent)} of {len(bench.rows)} configurations spread by more than {WIDE:.0%}"
        blocks.append(Folded(title, [table]))
    checks = [
        [Cell(check.name), Cell("holds" if check.ok else "FAILS", "good" if check.ok else "bad"),
         Cell(check.text)]
        for check in bench.every_check
    ]  # fmt: skip
    title = "All checks of this run hold" if bench.verdict.good else "Checks of this run"
    table = Table(["check", "result", "found"], checks)
    method = Table(["method", "value"], [[Cell(k), Cell(str(v))] for k, v in bench.method.items()])
    blocks.append(Folded(f"{title}; method", [table, method]))
    return blocks
