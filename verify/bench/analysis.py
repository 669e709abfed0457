"""What follows from measured rows: split, limits, fits, ratios, predictions, checks.

Nothing here measures: a recorded result gives the same again (`verify bench show FILE`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from verify.bench import sim
from verify.bench.model import EMPTY, UNGUARDED, Calls, Operations, Row, Workload, short
from verify.bench.run import Check, outputs, same, spread
from verify.bench.statistics import fit, ratio
from verify.spec import Spec

_FEW = 0.8
"""Below this share of the limit, a note says what holds the throughput back."""
PREDICTED = (UNGUARDED, "perEncoder", "globalMutex", "mutexSubmission")
"""Strategies whose predictions are compared with measurements: no lock, a lock for each client,
one lock for all, twice."""


def analyse(raw: Mapping[str, Any], spec: Spec | None) -> dict[str, Any]:
    """Everything that follows from the rows of a result.

    Args:
        raw: The result as far as it was measured: its head, `rows`, and `split` with the
            `execution_us` of each workload.  Whatever else it has is derived anew.
        spec: Says what the strategies lock, for predictions; None for no predictions.

    Returns:
        The whole result, as files hold it.
    """
    head = {k: v for k, v in raw.items() if k not in _DERIVED}
    workloads = {w["name"]: Workload(**w) for w in (*raw.get("workloads", ()), asdict(EMPTY))}
    rows = [Row.of(data, workloads) for data in raw["rows"]]
    measured = raw["kind"] == "measurement"
    if raw["command"] == "guard":
        return {
            **head,
            "rows": raw["rows"],
            "checks": [asdict(c) for c in (*_same_calls(rows), spread(rows))],
        }
    del workloads[EMPTY.name]
    table = {row.config.key: row for row in rows}
    wait = str(raw["rows"][0]["wait"])
    executions = {s["workload"]: s["execution_us"] for s in raw["split"]}

    def row(config: Operations) -> Row:
        return table[config.key]

    split = [_split(w, executions[w.name], wait, row) for w in workloads.values()]
    limits = [_limits(w, rows, raw["device"]) for w in workloads.values()]
    found = {
        **head,
        "split": split,
        "limits": limits,
        "achieved": [
            _achieved(workload, rows, limit, part, raw["command"] == "pipeline")
            for workload, limit, part in zip(workloads.values(), limits, split, strict=True)
        ],
    }
    if raw["command"] == "scaling":
        found["fits"] = _fits(workloads.values(), table, wait)
    found["ratios"] = _ratios(rows, table)
    found["guarded"] = _guarded(rows)
    if measured and spec is not None:
        found["predictions"] = _predictions(rows, found, spec)
    checks = []
    for w in workloads.values():
        shared, private = (Operations(w, 1, queues, wait=wait) for queues in ("shared", "private"))
        check = same(row(shared), row(private))
        checks.append(replace(check, name=f"{check.name} ({w.name}, one thread)"))
    if measured:
        checks.append(outputs(rows))
    checks.append(spread(rows))
    return {**found, "rows": raw["rows"], "checks": [asdict(check) for check in checks]}


_DERIVED = ("split", "limits", "achieved", "fits", "ratios", "guarded", "predictions", "rows",
            "checks")  # fmt: skip


def _same_calls(rows: Sequence[Row]) -> list[Check]:
    """With one thread, an encoder of one's own and the one that all share are the same."""
    own, common = (
        next(r for r in rows if r.config == Calls("mutex", 1, encoders))
        for encoders in ("own", "same")
    )
    return [same(own, common)]


def _split(
    workload: Workload, execution: float | None, wait: str, row: Callable[[Operations], Row]
) -> dict[str, Any]:
    """One operation of one thread: submission, execution, completion, in microseconds."""
    alone = row(Operations(workload, 1, "private", wait=wait))
    submission, waited = alone.mean("submission_ns") / 1000, alone.mean("wait_ns") / 1000
    split = {
        "workload": workload.name,
        "submission_us": submission,
        "wait_us": waited,
        "total_us": submission + waited,
        "execution_us": execution,
        # The rest of the wait: from the submission to the kernel's start, and from its end to the
        # thread's noticing it.
        "completion_us": None if execution is None else max(0.0, waited - execution),
    }
    return {k: short(v, 4) if isinstance(v, float) else v for k, v in split.items()}


def _limits(workload: Workload, rows: Sequence[Row], device: Mapping[str, str]) -> dict[str, Any]:
    """What this device was seen to do at most.

    The launch rate is the best of empty kernels, many of them to a wait.  The compute bound is the
    best of all unguarded rows of the workload, whatever their batch, queues and threads: so it is
    reached at best, never exceeded.
    """
    plain = [r for r in rows if isinstance(r.config, Operations) and r.config.strategy == UNGUARDED]
    launches = [r for r in plain if _of(r).workload == EMPTY and _of(r).wait == "drain"]
    completed = [r for r in plain if _of(r).workload == EMPTY and _of(r).wait != "drain"]
    work = [r for r in plain if _of(r).workload == workload]
    # Every operation that is not in a batch is a launch as well.
    single = [r for r in work if _of(r).batch == 1]
    launch = max([*launches, *single], key=_median)
    compute = max(work, key=_median)
    alone = next(r for r in launches if _of(r).threads == 1)
    bounds = {"launch rate": _median(launch), "compute": _median(compute)}
    binding = min(bounds, key=lambda name: bounds[name])
    found = {
        "workload": workload.name,
        "launch_rate": round(_median(launch)),
        "launch_rate_threads": _of(launch).threads,
        "launch_rate_one_thread": round(_median(alone)),
        "launch_rate_with_completion": round(max(map(_median, completed), default=0)),
        "compute": round(_median(compute)),
        "compute_batch": _of(compute).batch,
        "compute_configuration": compute.config.key,
        "limit": round(bounds[binding]),
        "binding": binding,
    }
    steps = workload.elements * workload.iterations
    if "peak_steps_per_second" in device and steps:
        found["arithmetic_peak"] = round(float(device["peak_steps_per_second"]) / steps)
    return found


def _of(row: Row) -> Operations:
    assert isinstance(row.config, Operations)  # noqa: S101 - the caller selected such rows
    return row.config


def _median(row: Row) -> float:
    return row.estimate.median


def _achieved(
    workload: Workload, rows: Sequence[Row], limit: dict[str, Any], split: dict[str, Any],
    any_depth: bool,
) -> dict[str, Any]:  # fmt: skip
    """The best throughput with one operation a launch, its share of the limit, and why not more."""
    best = max(
        (
            row
            for row in rows
            if isinstance(row.config, Operations)
            and row.config.workload == workload
            and row.config.batch == 1
            and row.config.strategy == UNGUARDED
            and (any_depth or row.config.depth == 1)
        ),
        key=_median,
    )
    fraction = _median(best) / limit["limit"]
    return {
        "workload": workload.name,
        "operations_per_second": round(_median(best)),
        "configuration": best.config.key,
        "limit": limit["limit"],
        "fraction": short(fraction, 3),
        "note": "" if fraction >= _FEW else held_back(best, limit, split["total_us"]),
    }


def held_back(best: Row, limit: Mapping[str, Any], alone_us: float) -> str:
    """What keeps a throughput below the limit.

    Args:
        best: The row of the best configuration.
        limit: Of its workload, as `limits` has it.
        alone_us: Time of one operation of one thread that is alone.
    """
    config, median = _of(best), _median(best)
    closed = limit["launch_rate_with_completion"]
    if (config.wait != "drain" or config.depth == 1) and 0 < _FEW * closed <= median:
        return (
            f"completion: each operation has its own, a second call into the driver, and even "
            f"empty kernels with one each reach only {closed:,}/s here; the launch rate of "
            f"{limit['launch_rate']:,}/s needs one wait for many launches"
        )
    # Little's law: operations in flight = throughput x time of one.
    flight = config.threads * config.depth
    free = flight / alone_us * 1e6
    if _FEW * free <= median:
        return (
            f"latency: {flight} in flight at {alone_us:.1f} us each cannot give more than "
            f"{free:,.0f}/s; more in flight is needed"
        )
    submission, wait = best.mean("submission_ns") / 1000, best.mean("wait_ns") / 1000
    part = "submission" if submission >= wait else "wait"
    return (
        f"contention: an operation takes {submission + wait:.1f} us of its thread's time "
        f"({submission:.1f} submission, {wait:.1f} wait), {alone_us:.1f} us when alone; most of it "
        f"is {part}, which the threads do not do in parallel"
    )


def _fits(
    workloads: Iterable[Workload], table: Mapping[str, Row], wait: str
) -> list[dict[str, Any]]:
    fits = []
    for workload in workloads:
        for queues in ("shared", "private"):
            points = [
                (_of(r).threads, _median(r))
                for r in table.values()
                if r.config == Operations(workload, _of(r).threads, queues, wait=wait)
            ]
            if len(points) < 3:
                continue
            law = fit(sorted(points))
            fits.append(
                {
                    "workload": workload.name,
                    "queues": queues,
                    "law": "X(n) = rate n / (1 + contention (n-1) + coherency n (n-1))",
                    **{k: short(v, 4) for k, v in asdict(law).items()},
                    "saturation_threads": law.saturation and short(law.saturation, 3),
                    "peak": law.peak and short(law.peak, 4),
                }
            )
    return fits


def _ratios(rows: Sequence[Row], table: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Each guarded row against the unguarded one beside it, repetition by repetition."""
    ratios = []
    for row in rows:
        config = _of(row)
        if config.strategy == UNGUARDED:
            continue
        plain = table[replace(config, strategy=UNGUARDED).key]
        r = ratio(row.values, plain.values)
        fields = config.fields()
        ratios.append(
            {
                **{k: fields[k] for k in ("workload", "threads", "queues", "depth", "strategy")},
                **{k: short(getattr(r, k), 4) for k in ("median", "low", "high")},
            }
        )
    return ratios


def _guarded(rows: Sequence[Row]) -> dict[str, int]:
    """Verified operations, by strategy."""
    counts: dict[str, int] = {}
    for row in rows:
        name = _of(row).strategy
        counts[name] = counts.get(name, 0) + row.verified
    return counts


def calibrate(rows: Sequence[Row], found: Mapping[str, Any], workload: Workload) -> sim.Parameters:
    """The model's constants from one thread's rows, the limits and one contended lock.

    Args:
        rows: All of the result.
        found: The result so far: `split` and `limits`.
        workload: Which of them.
    """
    split = next(s for s in found["split"] if s["workload"] == workload.name)
    limit = next(x for x in found["limits"] if x["workload"] == workload.name)
    execution = (split["execution_us"] or 0.0) * 1000
    launch = 1e9 / limit["launch_rate_one_thread"]
    submission = max(split["submission_us"] * 1000, launch)
    serial = 1e9 / limit["launch_rate"]
    closed = 1e9 / (limit["launch_rate_with_completion"] or limit["launch_rate"])
    alone = [
        r for r in rows
        if r.config == Operations(EMPTY, 1, "private", _of(r).depth, split_wait(rows))
    ]  # fmt: skip
    busy = 1e9 / _median(alone[0]) if alone else submission
    name = found["device"]["device"]
    return sim.Parameters(
        launch=launch,
        record=submission - launch,
        notice=max(0.0, busy - submission),
        serial=serial,
        serial_record=max(0.0, closed - serial),
        handover=_handover(rows, submission),
        latency=max(0.0, split["wait_us"] * 1000 - execution),
        wake=0.0,
        execution=execution,
        step=1e9 / limit["compute"] / (workload.elements * workload.iterations),
        guard=sim.EXAMPLE.guard,
        source=f"{name}, {workload.name}: one thread's split, the limits, and for `handover` the "
        "most contended lock around a submission",
    )


def split_wait(rows: Sequence[Row]) -> str:
    """The usual kind of wait: that of the first row."""
    return _of(rows[0]).wait


def _handover(rows: Sequence[Row], submission: float) -> float:
    """What a contended lock around the submission costs beyond the submission, in nanoseconds."""
    contended = [
        r
        for r in rows
        if _of(r).workload == _of(rows[0]).workload
        and _of(r).threads > 1
        and (_of(r).depth, _of(r).batch, _of(r).wait) == (1, 1, split_wait(rows))
        and _of(r).strategy == "mutexSubmission"
        and _of(r).queues == "private"
    ]
    if not contended:
        return 0.0
    most = max(contended, key=lambda r: _of(r).threads)
    return max(0.0, 1e9 / _median(most) - submission)


def _predictions(rows: Sequence[Row], found: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """The queueing model with this device's constants, against what was measured."""
    workloads = [Workload(**w) for w in found["workloads"]]
    parameters = {w.name: calibrate(rows, found, w) for w in workloads}
    compared = []
    for row in rows:
        config = _of(row)
        if (
            config.workload == EMPTY
            or config.wait not in (split_wait(rows), "drain")
            or config.strategy not in PREDICTED
        ):
            continue
        predicted = sim.predict(config, parameters[config.workload.name], spec).value
        compared.append(
            {
                "key": config.key,
                "predicted": round(predicted),
                "measured": round(_median(row)),
                "ratio": short(predicted / _median(row), 3),
            }
        )
    return {
        "kind": "PREDICTION",
        "parameters": {name: asdict(p) for name, p in parameters.items()},
        "compared": compared,
    }
