"""What each `verify bench` command measures on one device, and what follows from it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from verify.bench import sim
from verify.bench.devices import Device
from verify.bench.model import EMPTY, LIGHT, MUTEXES, UNGUARDED, Calls, Operations, Row, Workload
from verify.bench.run import Check, Method, Runner, environment, measure, outputs, same
from verify.bench.statistics import fit, ratio
from verify.errors import VerifyError
from verify.spec import Spec

FORMAT = 1
"""Of the files; one that a reader does not know is refused."""

_SPLIT_SAMPLES = 100
_FEW = 0.8
"""Below this share of the limit, a note says what holds the throughput back."""


@dataclass(frozen=True)
class Plan:
    """What the options ask for.

    Attributes:
        workloads: Of one operation.
        threads: How many submit, ascending, 1 among them.
        depths: Operations in flight, ascending, 1 among them.
        batches: Operations in a launch, ascending, 1 among them.
        strategies: Of the spec and of `MUTEXES`; unguarded is always measured.
        method: How.
    """

    workloads: tuple[Workload, ...]
    threads: tuple[int, ...]
    depths: tuple[int, ...]
    batches: tuple[int, ...]
    strategies: tuple[str, ...]
    method: Method


Progress = Callable[[int, str], Callable[[], None]]
"""Begins a bar of so many steps with a title; what it returns takes one step."""


def scaling(device: Device, plan: Plan, spec: Spec, progress: Progress) -> dict[str, Any]:
    """Throughput against threads: a shared queue, private ones, each strategy on top."""
    wait = device.waits[0]
    configs: list[Operations] = []
    for workload in plan.workloads:
        for threads in plan.threads:
            for queues in ("shared", "private"):
                plain = Operations(workload, threads, queues, wait=wait)
                configs.append(plain)
                configs += [replace(plain, strategy=name) for name in plan.strategies]
            # What another kind of wait does to the same table.
            configs += [
                Operations(workload, threads, "private", wait=other) for other in device.waits[1:]
            ]
    return _operations("scaling", device, plan, spec, progress, configs)


def pipeline(device: Device, plan: Plan, spec: Spec, progress: Progress) -> dict[str, Any]:
    """Throughput against the operations in flight, with one thread and with several."""
    usual = device.waits[0]
    configs: list[Operations] = []
    for workload in plan.workloads:
        for threads in plan.threads:
            for depth in plan.depths:
                plain = Operations(workload, threads, "private", depth)
                configs += [replace(plain, wait=wait) for wait in device.waits]
                configs += [
                    replace(plain, wait=usual, strategy=name)
                    for name in plan.strategies
                    if name != "mutexOperation" or depth == 1
                ]
        configs.append(Operations(workload, 1, "shared", wait=usual))
    return _operations("pipeline", device, plan, spec, progress, configs)


def batch(device: Device, plan: Plan, spec: Spec, progress: Progress) -> dict[str, Any]:
    """Many operations in one launch, against many threads with one operation each."""
    wait = device.waits[0]
    configs: list[Operations] = []
    for workload in plan.workloads:
        for size in plan.batches:
            configs.append(Operations(workload, 1, "private", wait=wait, batch=size))
        configs += [
            Operations(workload, threads, "private", wait=wait)
            for threads in plan.threads
            if threads != 1
        ]
        configs.append(Operations(workload, 1, "shared", wait=wait))
    return _operations("batch", device, plan, spec, progress, configs)


def guard(costs: Runner, plan: Plan, info: dict[str, str], progress: Progress) -> dict[str, Any]:
    """Nanoseconds of one guarded call, beside raw lock primitives."""
    around = [*PRIMITIVES, *(name for name in plan.strategies if name not in MUTEXES)]
    configs = [
        Calls(name, threads, encoders)
        for name in around
        for threads in plan.threads
        for encoders in ("own", "same")
    ]
    tick = progress(len(configs) * (plan.method.repetitions + 1), "guarded calls")
    rows = measure(costs, configs, plan.method, tick, unit="ns/call")
    by = {(r.config.around, r.config.threads, r.config.encoders): r for r in rows}  # type: ignore[attr-defined]
    # With one thread, an encoder of one's own and the one that all share are the same.
    checks = [same(by["mutex", 1, "own"], by["mutex", 1, "same"])]
    return {
        **_head("guard", "processors", info, True, plan, costs_only=True),
        "rows": [row.json() for row in rows],
        **_verdict(checks),
    }


PRIMITIVES = ("nothing", "mutex", "sharedRead", "sharedWrite", "spinLock", "guardLock")


def _head(
    command: str, driver: str, info: dict[str, str], measured: bool, plan: Plan,
    costs_only: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "command": command,
        "kind": "measurement" if measured else "PREDICTION",
        "driver": driver,
        "device": info,
        "environment": environment(),
        "recorded": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "method": plan.method.json(),
        **({} if costs_only else {"workloads": [asdict(workload) for workload in plan.workloads]}),
    }


def _verdict(checks: Sequence[Check]) -> dict[str, Any]:
    return {"checks": [asdict(check) for check in checks]}


def _operations(
    command: str, device: Device, plan: Plan, spec: Spec, progress: Progress,
    configs: list[Operations],
) -> dict[str, Any]:  # fmt: skip
    limits = _limit_configs(device, plan)
    known = {config.key for config in configs}
    configs = configs + [config for config in limits if config.key not in known]
    tick = progress(len(configs) * (plan.method.repetitions + 1), f"{command} on {device.name}")
    rows = measure(device, configs, plan.method, tick)
    table = {row.config.key: row for row in rows}
    wait = device.waits[0]

    def row(config: Operations) -> Row:
        return table[config.key]

    found: dict[str, Any] = {
        **_head(command, device.name, device.info, device.measured, plan),
        "split": [_split(device, workload, row) for workload in plan.workloads],
        "limits": [_limits(workload, rows, limits) for workload in plan.workloads],
    }
    found["achieved"] = [
        _achieved(workload, rows, limit, split)
        for workload, limit, split in zip(
            plan.workloads, found["limits"], found["split"], strict=True
        )
    ]
    if command == "scaling":
        found["fits"] = _fits(plan, row, wait)
    found["ratios"] = _ratios(rows, table)
    found["guarded"] = _guarded(rows)
    if device.measured:
        found["predictions"] = _predictions(rows, found, spec)
    checks = [
        replace_name(
            same(
                row(Operations(workload, 1, "shared", wait=wait)),
                row(Operations(workload, 1, "private", wait=wait)),
            ),
            workload,
        )
        for workload in plan.workloads
    ]
    if device.measured:
        checks.append(outputs(rows))
    found["rows"] = [r.json() for r in rows]
    return {**found, **_verdict(checks)}


def replace_name(check: Check, workload: Workload) -> Check:
    """The check with its workload in its name."""
    return replace(check, name=f"{check.name} ({workload.name}, one thread)")


def _limit_configs(device: Device, plan: Plan) -> list[Operations]:
    """What bounds the throughput from above: launches of nothing, and launches of very much."""
    drain = "drain"
    assert drain in device.waits  # noqa: S101 - every driver can wait for a queue
    # With one wait for many launches: the launch alone.  With the usual wait: what comes with it
    # (an event, a fence) as well.
    configs = [
        Operations(EMPTY, threads, "private", depth=64, wait=wait)
        for threads in plan.threads
        for wait in dict.fromkeys((drain, device.waits[0]))
    ]
    for workload in plan.workloads:
        for size in plan.batches:
            # Two in flight: the device never waits for the next one.
            configs.append(Operations(workload, 1, "private", 2, drain, batch=size))
    return configs


def _split(device: Device, workload: Workload, row: Callable[[Operations], Row]) -> dict[str, Any]:
    """One operation of one thread: submission, execution, completion, in microseconds."""
    alone = row(Operations(workload, 1, "private", wait=device.waits[0]))
    submission = alone.mean("submission_ns") / 1000
    wait = alone.mean("wait_ns") / 1000
    execution = device.execution(workload, _SPLIT_SAMPLES)
    total = submission + wait
    split = {
        "workload": workload.name,
        "submission_us": submission,
        "wait_us": wait,
        "total_us": total,
        "execution_us": None if execution is None else execution / 1000,
        # The rest of the wait: from the submission to the kernel's start, and from its end to the
        # thread's noticing it.
        "completion_us": None if execution is None else max(0.0, wait - execution / 1000),
    }
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in split.items()}


def _limits(
    workload: Workload, rows: Sequence[Row], limits: Sequence[Operations]
) -> dict[str, Any]:
    wanted = {config.key for config in limits}
    launch: dict[int, float] = {}
    completed: dict[int, float] = {}
    batched: dict[int, float] = {}
    for row in rows:
        config = row.config
        if not isinstance(config, Operations) or config.key not in wanted:
            continue
        if config.workload == EMPTY:
            rates = launch if config.wait == "drain" else completed
            rates[config.threads] = row.estimate.median
        elif config.workload == workload:
            batched[config.batch] = row.estimate.median
    threads = max(launch, key=lambda n: launch[n])
    size = max(batched, key=lambda n: batched[n])
    bounds = {"launch rate": launch[threads], "compute (best batch)": batched[size]}
    binding = min(bounds, key=lambda name: bounds[name])
    return {
        "workload": workload.name,
        "launch_rate": round(launch[threads]),
        "launch_rate_threads": threads,
        "launch_rate_one_thread": round(launch[1]),
        "launch_rate_with_completion": round(max(completed.values(), default=0)),
        "compute": round(batched[size]),
        "compute_batch": size,
        "limit": round(bounds[binding]),
        "binding": binding,
    }


def _achieved(
    workload: Workload, rows: Sequence[Row], limit: dict[str, Any], split: dict[str, Any]
) -> dict[str, Any]:
    """The best throughput with one operation a launch, its share of the limit, and why not more."""
    best = max(
        (
            row
            for row in rows
            if isinstance(row.config, Operations)
            and row.config.workload == workload
            and row.config.batch == 1
            and row.config.strategy == UNGUARDED
        ),
        key=lambda row: row.estimate.median,
    )
    config = best.config
    assert isinstance(config, Operations)  # noqa: S101 - selected so
    median = best.estimate.median
    fraction = median / limit["limit"]
    return {
        "workload": workload.name,
        "operations_per_second": round(median),
        "configuration": config.key,
        "limit": limit["limit"],
        "fraction": float(f"{fraction:.3g}"),
        "note": ""
        if fraction >= _FEW
        else held_back(config, best, limit["limit"], split["total_us"]),
    }


def held_back(config: Operations, best: Row, limit: float, alone_us: float) -> str:
    """What keeps a throughput below the limit, by Little's law.

    Args:
        config: The best configuration.
        best: Its row.
        limit: Operations a second that the device could do.
        alone_us: Time of one operation of one thread that is alone.
    """
    flight = config.threads * config.depth
    free = flight / alone_us * 1e6
    submission, wait = best.mean("submission_ns") / 1000, best.mean("wait_ns") / 1000
    now = f"an operation takes {submission + wait:.1f} us of its thread's time"
    if free < limit:
        return (
            f"latency: {flight} in flight at {alone_us:.1f} us each cannot give more than "
            f"{free:,.0f}/s; more in flight is needed"
        )
    part = "submission" if submission >= wait else "wait"
    return (
        f"contention: {now} ({submission:.1f} submission, {wait:.1f} wait), {alone_us:.1f} us "
        f"when alone; most of it is {part}, which the threads do not do in parallel"
    )


def _fits(plan: Plan, row: Callable[[Operations], Row], wait: str) -> list[dict[str, Any]]:
    fits = []
    for workload in plan.workloads:
        for queues in ("shared", "private"):
            points = [
                (n, row(Operations(workload, n, queues, wait=wait)).estimate.median)
                for n in plan.threads
            ]
            if len(points) < 3:
                continue
            law = fit(points)
            fits.append(
                {
                    "workload": workload.name,
                    "queues": queues,
                    "law": "X(n) = rate n / (1 + contention (n-1) + coherency n (n-1))",
                    **{k: float(f"{v:.4g}") for k, v in asdict(law).items()},
                    "saturation_threads": law.saturation and float(f"{law.saturation:.3g}"),
                    "peak": law.peak and float(f"{law.peak:.4g}"),
                }
            )
    return fits


def _ratios(rows: Sequence[Row], table: dict[str, Row]) -> list[dict[str, Any]]:
    """Each guarded row against the unguarded one beside it, repetition by repetition."""
    ratios = []
    for row in rows:
        config = row.config
        if not isinstance(config, Operations) or config.strategy == UNGUARDED:
            continue
        plain = table[replace(config, strategy=UNGUARDED).key]
        r = ratio(row.values, plain.values)
        fields = config.fields()
        ratios.append(
            {
                **{k: fields[k] for k in ("workload", "threads", "queues", "depth", "strategy")},
                **{k: float(f"{getattr(r, k):.4g}") for k in ("median", "low", "high")},
            }
        )
    return ratios


def _guarded(rows: Sequence[Row]) -> dict[str, int]:
    """Verified operations, by strategy."""
    counts: dict[str, int] = {}
    for row in rows:
        if isinstance(row.config, Operations):
            name = row.config.strategy
            counts[name] = counts.get(name, 0) + row.verified
    return counts


def calibrate(found: dict[str, Any], workload: Workload, guard_ns: float) -> sim.Parameters:
    """The model's constants from one thread's split and the limits, nothing else.

    Args:
        found: The result so far: `split` and `limits`.
        workload: Which of them.
        guard_ns: One guarded call; what it costs by itself.
    """
    split = next(s for s in found["split"] if s["workload"] == workload.name)
    limit = next(x for x in found["limits"] if x["workload"] == workload.name)
    execution = (split["execution_us"] or 0.0) * 1000
    serial = 1e9 / limit["launch_rate"]
    return sim.Parameters(
        submission=max(split["submission_us"] * 1000, serial),
        serial=serial,
        latency=max(0.0, split["wait_us"] * 1000 - execution),
        wake=0.0,
        execution=execution,
        step=1e9 / limit["compute"] / (workload.elements * workload.iterations),
        guard=guard_ns,
        source=f"one thread's split and the limits of {found['device']['device']}, {workload.name}",
    )


def _predictions(rows: Sequence[Row], found: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """The queueing model with this device's constants, against what was measured."""
    usual = next(row.config.wait for row in rows if isinstance(row.config, Operations))
    parameters = {
        w["name"]: calibrate(found, Workload(**w), sim.EXAMPLE.guard) for w in found["workloads"]
    }
    compared = []
    for row in rows:
        config = row.config
        if (
            not isinstance(config, Operations)
            or config.workload == EMPTY
            or config.wait != usual
            or config.strategy not in (UNGUARDED, "perEncoder", "globalMutex")
        ):
            continue
        predicted = sim.predict(config, parameters[config.workload.name], spec).value
        compared.append(
            {
                "key": config.key,
                "predicted": round(predicted),
                "measured": round(row.estimate.median),
                "ratio": float(f"{predicted / row.estimate.median:.3g}"),
            }
        )
    return {
        "kind": "PREDICTION",
        "parameters": {name: asdict(p) for name, p in parameters.items()},
        "compared": compared,
    }


def default_plan(quick: bool, command: str, spec: Spec) -> Plan:
    """The plan without any option but `--quick`.

    Args:
        quick: The short one.
        command: The name of the command.
        spec: Its strategies are measured.
    """
    from verify.bench.model import HEAVY

    names = tuple(s.name for s in spec.strategies)
    everything = (*names, *MUTEXES)
    few = tuple(n for n in ("globalMutex", "perEncoder") if n in names)
    if quick:
        threads = {"scaling": (1, 2, 4), "pipeline": (1, 2), "guard": (1, 2), "batch": (1, 2, 4)}
        return Plan(
            (LIGHT,), threads[command], (1, 2, 4), (1, 4, 16),
            names if command == "guard" else few,
            Method(repetitions=10, seconds=0.01, warm_up=0.005),
        )  # fmt: skip
    many = (1, 2, 4, 8, 16)
    threads = {"scaling": many, "pipeline": (1, 8), "guard": (1, 8), "batch": many}
    return Plan(
        (LIGHT, HEAVY) if command == "scaling" else (LIGHT,),
        threads[command],
        (1, 2, 4, 8, 16, 32) if command == "pipeline" else (1,),
        (1, 4, 16, 64, 256, 1024) if command == "batch" else (1, 16, 64),
        (*few, "mutexSubmission") if command in ("pipeline", "batch") else everything,
        Method(),
    )


def check_plan(plan: Plan) -> None:
    """Refuse what cannot be judged.

    Raises:
        VerifyError: A list lacks 1, or the method has too few repetitions.
    """
    if plan.method.repetitions < 10:
        raise VerifyError(
            f"--repetitions {plan.method.repetitions}: too few for a spread; use at least 10"
        )
    for name, values in (("threads", plan.threads), ("depths", plan.depths),
                         ("batches", plan.batches)):  # fmt: skip
        if 1 not in values:
            raise VerifyError(f"--{name} {','.join(map(str, values))}: must contain 1, the base")
