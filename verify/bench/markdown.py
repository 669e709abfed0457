"""Recorded benches as a Markdown page: from the recorded rows and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from verify.bench.model import UNGUARDED
from verify.bench.statistics import says

_Result = dict[str, Any]
# The report that this project began with: operations a second at depths 1 and 32.
_SEED_SYNCHRONOUS, _SEED_PIPELINED = 4_349, 100_632


def page(results: Sequence[_Result]) -> str:
    """A page on results of one machine.

    Args:
        results: As `verify.bench.analysis.analyse` returns them.
    """
    made = {"scaling": _scaling, "pipeline": _pipeline, "batch": _batch, "guard": _guard}
    measured = [r for r in results if r["command"] != "guard"] or list(results)
    lines = [*_head(measured[0])]
    for result in results:
        lines += made[result["command"]](result)
        if result["command"] != "guard":
            lines += _common(result)
        lines += _checks(result)
    lines += _seed({r["command"]: r for r in results if r["kind"] == "measurement"})
    return "\n".join(lines).rstrip() + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), line(["---", *["---:"] * (len(columns) - 1)]), *map(line, rows), ""]


def _interval(found: _Result | None, digits: int = 0) -> str:
    if found is None:
        return "-"
    median = _if_said(f"{found['median']:,.{digits}f}", found)
    return f"{median} [{found['low']:,.{digits}f}, {found['high']:,.{digits}f}]"


def _if_said(text: str, *rows: _Result | None) -> str:
    """The text, if every interval behind it says something."""
    known = all(row and says(row["median"], row["low"], row["high"]) for row in rows)
    return text if known else "undetermined"


def _pick(rows: Sequence[_Result], **wanted: object) -> _Result | None:
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)


def _head(result: _Result) -> list[str]:
    device, here, method = result["device"], result["environment"], result["method"]
    lines = [f"# {device['device']}", ""]
    if result["kind"] != "measurement":
        lines += ["**PREDICTION** of a queueing model; nothing was measured.", ""]
    facts = {
        "device": f"{device['device']}, {device.get('details', '')}",
        "interface": device.get("api", ""),
        "processor": f"{here['processor']}, {here['cores']} cores, {here['system']}",
        "recorded": result["recorded"],
        "repetitions": f"{method['repetitions']} of {method['seconds'] * 1000:g} ms each, after a "
        f"warm-up of {method['warm_up'] * 1000:g} ms; {method['order']}",
        **{k: method[k] for k in ("set_up", "clock", "spread", "verification") if k in method},
        **{
            k: device[k]
            for k in ("queue", "encoder", "create", "encode", "destroy", "wait", "execution")
            if k in device
        },
    }
    lines += [f"- {name.replace('_', '-')}: {text}" for name, text in facts.items() if text]
    return [
        *lines, "",
        "Figures are medians, with the 95 % interval of the median in brackets.",
        *([f"{device['safety']}."] if "safety" in device else []), "",
    ]  # fmt: skip


def _usual(result: _Result) -> str:
    return str(result["rows"][0]["wait"])


def _scaling(result: _Result) -> Iterator[str]:
    yield from ("## Threads", "")
    wait = _usual(result)
    for workload in result["workloads"]:
        name = workload["name"]
        rows = [r for r in result["rows"] if r["workload"] == name and r["depth"] == 1]
        plain = [r for r in rows if r["strategy"] == UNGUARDED and r["batch"] == 1]
        threads = sorted({r["threads"] for r in plain})
        size = f"{workload['elements']:,} elements, {workload['iterations']} iterations"
        yield from (f"### {name.capitalize()}: {size}; wait: {wait}; operations/s", "")
        base = _pick(plain, threads=1, queues="private", wait=wait)
        lines = []
        for n in threads:
            shared = _pick(plain, threads=n, queues="shared", wait=wait)
            private = _pick(plain, threads=n, queues="private", wait=wait)
            factor = private["median"] / base["median"] if private and base else 0.0
            lines.append([n, _interval(shared), _interval(private),
                          _if_said(f"{factor:.2f}x", private, base),
                          _if_said(f"{factor / n:.0%}", private, base)])  # fmt: skip
        yield from _table(
            ["threads", "shared queue", "queue per thread", "scaling", "efficiency"], lines
        )
        waits = list(dict.fromkeys(r["wait"] for r in plain))
        yield from (f"{name.capitalize()}, queue per thread, by the kind of wait:", "")
        yield from _table(
            ["threads", *waits],
            [[n, *(_interval(_pick(plain, threads=n, queues="private", wait=w)) for w in waits)]
             for n in threads],
        )  # fmt: skip
        for queues in ("private", "shared"):
            yield from _shares(
                result, f"{name.capitalize()}, {queues} queues", "threads", threads,
                workload=name, queues=queues, depth=1,
            )  # fmt: skip
        yield from _kept(result, name)
    yield from ("### Saturation", "")
    yield "Fits of the universal scalability law to the unguarded rows:"
    yield ""
    yield from _table(
        ["workload", "queues", "rate", "contention", "coherency", "saturates at", "peak", "error"],
        [
            [f["workload"], f["queues"], f"{f['rate']:,.0f}/s", f"{f['contention']:.3f}",
             f"{f['coherency']:.4f}",
             "-" if f["saturation_threads"] is None else f"{f['saturation_threads']:.1f} threads",
             "-" if f["peak"] is None else f"{f['peak']:,.0f}/s", f"{f['error']:.1%}"]
            for f in result.get("fits", ())
        ],
    )  # fmt: skip


def _kept(result: _Result, workload: str) -> Iterator[str]:
    """Whether perEncoder keeps what there is without a guard."""
    for n in (8, 16):
        found = _pick(
            result["ratios"], workload=workload, queues="private", depth=1, threads=n,
            strategy="perEncoder",
        )  # fmt: skip
        other = _pick(
            result["ratios"], workload=workload, queues="private", depth=1, threads=n,
            strategy="globalMutex",
        )  # fmt: skip
        if found is None or other is None:
            continue
        within = "within 5 %" if found["median"] >= 0.95 else "NOT within 5 %"
        if found["median"] >= 0.95 > found["low"]:
            within = "the median is within 5 %, the interval is not"
        within = _if_said(within, found)
        yield (
            f"- {workload}, {n} threads, a queue each: perEncoder keeps {_interval(found, 3)} of "
            f"the unguarded throughput ({within}), globalMutex {_interval(other, 3)}."
        )
    yield ""


def _shares(
    result: _Result, title: str, by: str, values: Sequence[int], **wanted: object
) -> list[str]:
    ratios = [r for r in result["ratios"] if all(r[k] == v for k, v in wanted.items())]
    names = list(dict.fromkeys(r["strategy"] for r in ratios))
    if not names:
        return []
    lines = [
        [name, *(_interval(_pick(ratios, strategy=name, **{by: v}), 2) for v in values)]
        for name in names
    ]
    head = f"{title}: throughput as a share of unguarded, by {by}:"
    return [head, "", *_table(["strategy", *map(str, values)], lines)]


def _pipeline(result: _Result) -> Iterator[str]:
    yield from ("## Operations in flight", "")
    rows = [
        r for r in result["rows"]
        if r["workload"] != "empty" and r["strategy"] == UNGUARDED and r["queues"] == "private"
        and r["batch"] == 1
    ]  # fmt: skip
    depths = sorted({r["depth"] for r in rows})
    waits = list(dict.fromkeys(r["wait"] for r in rows))
    for workload in result["workloads"]:
        mine = [r for r in rows if r["workload"] == workload["name"]]
        for n in sorted({r["threads"] for r in mine}):
            many = f"{n} thread{'s' * (n > 1)}"
            lines = []
            for depth in depths:
                cells = []
                for wait in waits:
                    row = _pick(mine, threads=n, depth=depth, wait=wait)
                    base = _pick(mine, threads=n, depth=1, wait=wait)
                    factor = ""
                    if row and base:
                        ratio = row["median"] / base["median"]
                        factor = f" {_if_said(f'{ratio:.2f}x', row, base)}"
                    cells.append(_interval(row) + factor)
                lines.append([depth, *cells])
            yield from (f"{workload['name'].capitalize()}, {many}, operations/s:", "")
            yield from _table(["depth", *(f"wait: {wait}" for wait in waits)], lines)
            yield from _shares(
                result, many, "depth", depths,
                workload=workload["name"], queues="private", threads=n,
            )  # fmt: skip


def _batch(result: _Result) -> Iterator[str]:
    yield from ("## Batching against threads", "")
    for workload in result["workloads"]:
        rows = [
            r for r in result["rows"]
            if r["workload"] == workload["name"] and r["depth"] == 1 and r["wait"] == _usual(result)
            and r["queues"] == "private" and r["strategy"] == UNGUARDED
        ]  # fmt: skip
        base = _pick(rows, threads=1, batch=1)
        lines = [
            [f"{r['threads']} threads" if r["threads"] > 1 else f"batch of {r['batch']}",
             _interval(r),
             _if_said(f"{r['median'] / base['median']:.2f}x", r, base) if base else "-"]
            for r in rows
        ]  # fmt: skip
        yield from _table([workload["name"], "operations/s", "factor"], lines)
    yield "A batch is so many operations side by side in one launch, from one thread."
    yield ""


def _guard(result: _Result) -> Iterator[str]:
    yield from ("## What a guarded call costs", "")
    yield "Nanoseconds a call of one thread; each thread with an encoder of its own, or all at one."
    yield ""
    rows = result["rows"]
    columns = sorted({(r["threads"], r["encoders"]) for r in rows})
    names = list(dict.fromkeys(r["around"] for r in rows))
    yield from _table(
        ["around the call", *(f"{n} thread{'s' * (n > 1)}, {e}" for n, e in columns)],
        [[name, *(_interval(_pick(rows, around=name, threads=n, encoders=e), 1)
                  for n, e in columns)] for name in names],
    )  # fmt: skip


def _common(result: _Result) -> Iterator[str]:
    def us(value: float | None) -> str:
        return "-" if value is None else f"{value:,.1f}"

    yield "One operation of one thread, in microseconds:"
    yield ""
    yield from _table(
        ["workload", "submission", "execution", "completion", "total"],
        [[s["workload"], *(us(s[f"{part}_us"]) for part in ("submission", "execution",
          "completion", "total"))] for s in result["split"]],
    )  # fmt: skip
    yield "One operation in a launch against the limits of the same device, in operations/s:"
    yield ""
    limits = {limit["workload"]: limit for limit in result["limits"]}
    yield from _table(
        ["workload", "launch rate", "with a completion each", "compute bound", "arithmetic peak",
         "limit", "achieved", "share"],
        [
            [a["workload"], *(f"{bound[k]:,}" if bound.get(k) else "-" for k in (
                "launch_rate", "launch_rate_with_completion", "compute", "arithmetic_peak",
                "limit")),
             f"{a['operations_per_second']:,}", f"{a['fraction']:.0%}"]
            for a in result["achieved"] for bound in [limits[a["workload"]]]
        ],
    )  # fmt: skip
    for achieved in result["achieved"]:
        bound = limits[achieved["workload"]]
        yield f"- {achieved['workload']}: the compute bound is `{bound['compute_configuration']}`."
        if achieved["note"]:
            yield f"- {achieved['workload']}: held back by {achieved['note']}."
    least = {k: v for k, v in result["guarded"].items() if k != UNGUARDED}
    if least and result["kind"] == "measurement":
        name = min(least, key=lambda k: least[k])
        yield (
            f"- Guarded operations with verified outputs: at least {least[name]:,} of each "
            f"strategy ({name})."
        )
    if predictions := result.get("predictions"):
        ratios = sorted(p["ratio"] for p in predictions["compared"])
        off = max(predictions["compared"], key=lambda p: max(p["ratio"], 1 / p["ratio"]))
        yield (
            f"- PREDICTION of the queueing model, with constants from one thread's split, the "
            f"limits and one contended lock of this result: {len(ratios)} configurations, "
            f"predicted/measured {ratios[0]:.2f} to {ratios[-1]:.2f}, median {median(ratios):.2f}; "
            f"worst: {off['ratio']:.2f} at `{off['key']}`."
        )
    yield ""


def _checks(result: _Result) -> Iterator[str]:
    for check in result["checks"]:
        yield f"- {'ok' if check['ok'] else '**NOT OK**'}: {check['name']}: {check['text']}"
    yield ""


def _seed(results: dict[str, _Result]) -> Iterator[str]:
    """The claims that this project began with, beside what was measured."""
    if not set(results) >= {"scaling", "pipeline", "batch"}:
        return
    found = {
        "scaling": _best(results["scaling"], "threads", depth=1, batch=1, queues="private"),
        "pipeline": _best(results["pipeline"], "depth", threads=1, batch=1, queues="private"),
        "batch": _best(results["batch"], "batch", threads=1, depth=1, queues="private"),
    }
    batches = [r for r in results["batch"]["rows"] if r["workload"] != "empty"]
    threaded = max((r for r in batches if r["batch"] == r["depth"] == 1), key=_median)
    batched = max((r for r in batches if r["depth"] == 1), key=_median)
    times = _if_said(f"{batched['median'] / threaded['median']:.1f} times", batched, threaded)
    yield from ("## The seed's claims", "")
    yield from _table(
        ["the seed's claim", "here"],
        [
            ["8.84 times with 8 threads, 110 % of ideal", found["scaling"]],
            ["23 times with depth 32, one thread", found["pipeline"]],
            ["373 times: batches against threads",
             f"{times} the best number of threads; {found['batch']}"],
        ],
    )  # fmt: skip
    split = results["pipeline"]["split"][0]
    wait = 1e6 / _SEED_SYNCHRONOUS - 1e6 / _SEED_PIPELINED
    yield (
        "More than ideal scaling is a base that was measured too slow; here the base is measured "
        "twice, in turns with everything else, and both must agree."
    )
    yield ""
    yield (
        f"Pipelining replaces waits, so its factor is the cost of a wait. The seed's figures mean "
        f"{wait:.0f} us of waiting beside {1e6 / _SEED_PIPELINED:.0f} us of submission; here a "
        f"polling thread waits {split['wait_us']:.1f} us beside {split['submission_us']:.1f} us. "
        "A thread that sleeps is woken late and gains more by pipelining; one that drains the "
        "queue gains by waiting once for many operations."
    )


def _median(row: _Result) -> float:
    return float(row["median"])


def _best(result: _Result, over: str, **fixed: object) -> str:
    texts = []
    rows = [
        r for r in result["rows"]
        if r["strategy"] == UNGUARDED and r["workload"] == result["workloads"][0]["name"]
        and all(r[k] == v for k, v in fixed.items())
    ]  # fmt: skip
    for wait in dict.fromkeys(r["wait"] for r in rows):
        mine = [r for r in rows if r["wait"] == wait]
        base = _pick(mine, **{over: 1})
        if base is None or len(mine) < 2:
            continue
        best = max(mine, key=_median)
        factor = _if_said(f"{best['median'] / base['median']:.2f} times", best, base)
        texts.append(f"{factor} with {over} {best[over]} (wait: {wait})")
    return "; ".join(texts)
