"""Benches as a person reads them."""

from __future__ import annotations

from statistics import median
from typing import Any

from verify.bench.model import UNGUARDED
from verify.bench.statistics import says
from verify.render import note, table

_Row = dict[str, Any]


def show(result: dict[str, Any]) -> None:
    """Print the tables of one result.

    Args:
        result: As `verify.bench.experiments` returns it, or as a file holds it.
    """
    device = result["device"]
    note(f"{result['kind']}: {result['command']} on {result['driver']}, {device['device']}")
    {"scaling": _scaling, "pipeline": _pipeline, "batch": _batch, "guard": _guard}[
        result["command"]
    ](result)
    if result["command"] != "guard":
        _common(result)
    for check in result["checks"]:
        note(f"{'ok' if check['ok'] else 'NOT OK'}: {check['name']}: {check['text']}")


def _span(row: _Row | None) -> str:
    if row is None:
        return "-"
    spread = (row["high"] - row["low"]) / 2 / row["median"] if row["median"] else 0.0
    return _if_said(f"{row['median']:,.0f} ±{spread:.1%}", row)


def _if_said(text: str, *rows: _Row | None) -> str:
    """The text, if every interval behind it says something; a dash for a row that is missing."""
    if None in rows:
        return "-"
    known = all(says(row["median"], row["low"], row["high"]) for row in rows if row is not None)
    return text if known else "undetermined"


def _pick(rows: list[_Row], **wanted: object) -> _Row | None:
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)


def _usual_wait(result: dict[str, Any]) -> str:
    return str(result["rows"][0]["wait"])


def _scaling(result: dict[str, Any]) -> None:
    wait = _usual_wait(result)
    for workload in result["workloads"]:
        rows = [r for r in result["rows"] if r["workload"] == workload["name"] and r["depth"] == 1]
        plain = [r for r in rows if r["strategy"] == UNGUARDED and r["wait"] == wait]
        threads = sorted({r["threads"] for r in plain})
        base = _pick(plain, threads=1, queues="private")
        lines = []
        for n in threads:
            private = _pick(plain, threads=n, queues="private")
            factor = private["median"] / base["median"] if private and base else 0.0
            lines.append(
                [n, _span(_pick(plain, threads=n, queues="shared")), _span(private),
                 _if_said(f"{factor:.2f}x", private, base), f"{n:.1f}x",
                 _if_said(f"{factor / n:.0%}", private, base)]
            )  # fmt: skip
        size = f"{workload['elements']:,} elements, {workload['iterations']} iterations"
        table(
            ["threads", "shared queue (ops/s)", "queue per thread (ops/s)", "scaling", "ideal",
             "efficiency"],
            lines, title=f"{workload['name']} ({size}), unguarded, wait={wait}",
        )  # fmt: skip
        _strategies(result, workload["name"], "private", threads)
        _strategies(result, workload["name"], "shared", threads)
        others = sorted({r["wait"] for r in rows if r["queues"] == "private"} - {wait})
        picked = [r for r in rows if r["strategy"] == UNGUARDED and r["queues"] == "private"]
        for other in others:
            table(
                ["threads", "queue per thread (ops/s)"],
                [[n, _span(_pick(picked, threads=n, wait=other))] for n in threads],
                title=f"{workload['name']}, unguarded, wait={other}",
            )
    for fit in result.get("fits", []):
        saturation, peak = fit["saturation_threads"], fit["peak"]
        end = (
            "no saturation"
            if saturation is None
            else f"saturates at {saturation:.1f} threads, {peak:,.0f} ops/s"
        )
        note(
            f"fit ({fit['workload']}, {fit['queues']}): rate {fit['rate']:,.0f}/s, contention "
            f"{fit['contention']:.3f}, coherency {fit['coherency']:.4f}; {end}; "
            f"error {fit['error']:.1%}"
        )


def _strategies(result: dict[str, Any], workload: str, queues: str, threads: list[int]) -> None:
    ratios = [
        r
        for r in result["ratios"]
        if r["workload"] == workload and r["queues"] == queues and r["depth"] == 1
    ]
    names = list(dict.fromkeys(r["strategy"] for r in ratios))
    if not names:
        return
    lines = []
    for name in names:
        cells = [_pick(ratios, strategy=name, threads=n) for n in threads]
        lines.append([name, *(_if_said(f"{c['median']:.3f}", c) if c else "-" for c in cells)])
    table(
        ["strategy", *(f"{n} threads" for n in threads)], lines,
        title=f"{workload}, {queues} queues: throughput as a share of unguarded",
    )  # fmt: skip


def _pipeline(result: dict[str, Any]) -> None:
    for workload in result["workloads"]:
        rows = [
            r
            for r in result["rows"]
            if r["workload"] == workload["name"] and r["queues"] == "private" and r["batch"] == 1
        ]
        depths = sorted({r["depth"] for r in rows if r["strategy"] == UNGUARDED})
        waits = list(dict.fromkeys(r["wait"] for r in rows))
        for n in sorted({r["threads"] for r in rows}):
            for wait in waits:
                picked = [
                    r
                    for r in rows
                    if r["threads"] == n and r["wait"] == wait and r["strategy"] == UNGUARDED
                ]
                base = _pick(picked, depth=1)
                lines = []
                for depth in depths:
                    row = _pick(picked, depth=depth)
                    factor = "-"
                    if row and base:
                        factor = _if_said(f"{row['median'] / base['median']:.2f}x", row, base)
                    if row:
                        lines.append([depth, _span(row), factor])
                table(
                    ["depth", "ops/s", "speedup"], lines,
                    title=f"{workload['name']}, {n} thread{'s' * (n > 1)}, wait={wait}",
                )  # fmt: skip
            guarded = [
                r for r in result["ratios"] if r["threads"] == n and r["queues"] == "private"
            ]
            names = list(dict.fromkeys(r["strategy"] for r in guarded))
            if names:
                table(
                    ["strategy", *(f"depth {d}" for d in depths)],
                    [
                        [name, *(_if_said(f"{c['median']:.3f}", c) if c else "-"
                                 for c in (_pick(guarded, strategy=name, depth=d)
                                           for d in depths))]
                        for name in names
                    ],
                    title=f"{n} thread{'s' * (n > 1)}: throughput as a share of unguarded",
                )  # fmt: skip


def _batch(result: dict[str, Any]) -> None:
    wait = _usual_wait(result)
    for workload in result["workloads"]:
        rows = [
            r
            for r in result["rows"]
            if r["workload"] == workload["name"] and r["depth"] == 1 and r["wait"] == wait
            and r["queues"] == "private" and r["strategy"] == UNGUARDED
        ]  # fmt: skip
        base = _pick(rows, threads=1, batch=1)
        for what in ("batch", "threads"):
            other = "threads" if what == "batch" else "batch"
            lines = [
                [
                    r[what],
                    _span(r),
                    _if_said(f"{r['median'] / base['median']:.2f}x", r, base) if base else "-",
                ]
                for r in rows
                if r[other] == 1
            ]
            title = "one thread, operations in one launch" if what == "batch" else "threads"
            table([what, "operations/s", "factor"], lines, title=f"{workload['name']}: {title}")
        batched = max((r for r in rows if r["threads"] == 1), key=lambda r: r["median"])
        threaded = max((r for r in rows if r["batch"] == 1), key=lambda r: r["median"])
        times = _if_said(f"{batched['median'] / threaded['median']:.1f} times", batched, threaded)
        note(
            f"{workload['name']}: the best batch does {times} what the best number of threads does"
        )


def _guard(result: dict[str, Any]) -> None:
    rows = result["rows"]
    columns = sorted({(r["threads"], r["encoders"]) for r in rows})
    names = list(dict.fromkeys(r["around"] for r in rows))
    lines = []
    for name in names:
        cells = [_pick(rows, around=name, threads=n, encoders=e) for n, e in columns]
        lines.append(
            [name, *(f"{_if_said(format(c['median'], ',.1f'), c)} "
                     f"[{c['low']:,.1f}, {c['high']:,.1f}]" if c else "-" for c in cells)]
        )  # fmt: skip
    table(
        ["around the call", *(f"{n} thread{'s' * (n > 1)}, {e}" for n, e in columns)], lines,
        title="nanoseconds a call of one thread; encoders: each its own, or all the same",
    )  # fmt: skip


def _common(result: dict[str, Any]) -> None:
    def us(value: float | None) -> str:
        return "-" if value is None else f"{value:,.1f}"

    table(
        ["workload", "submission", "execution", "completion", "total"],
        [
            [s["workload"], us(s["submission_us"]), us(s["execution_us"]), us(s["completion_us"]),
             us(s["total_us"])]
            for s in result["split"]
        ],
        title="one operation of one thread, microseconds",
    )  # fmt: skip
    limits = {limit["workload"]: limit for limit in result["limits"]}
    table(
        ["workload", "launch rate", "compute", "limit", "achieved", "share",
         "what holds it back"],
        [
            [a["workload"], f"{limits[a['workload']]['launch_rate']:,}",
             f"{limits[a['workload']]['compute']:,}", f"{a['limit']:,}",
             f"{a['operations_per_second']:,}", f"{a['fraction']:.0%}", a["note"] or "-"]
            for a in result["achieved"]
        ],
        title="one operation a launch, against the limits of the same device (operations/s)",
    )  # fmt: skip
    predictions = result.get("predictions")
    if predictions:
        ratios = sorted(p["ratio"] for p in predictions["compared"])
        note(
            "PREDICTION of the queueing model from one thread's split, the limits and one "
            f"contended lock: {len(ratios)} configurations, predicted/measured {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}, median {median(ratios):.2f}"
        )
    counts = {k: v for k, v in result["guarded"].items() if k != UNGUARDED}
    if counts and result["kind"] == "measurement":
        least = min(counts, key=lambda name: counts[name])
        note(f"guarded operations with verified outputs: at least {counts[least]:,} ({least})")
