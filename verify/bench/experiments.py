"""What each `verify bench` command measures on one device, and what follows from it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from verify.bench.analysis import analyse
from verify.bench.devices import Device
from verify.bench.model import EMPTY, LIGHT, MUTEXES, Calls, Operations, Workload, short
from verify.bench.run import Method, Runner, environment, measure
from verify.errors import VerifyError
from verify.spec import Spec

FORMAT = 1
"""Of the files; one that a reader does not know is refused."""

_SPLIT_SAMPLES = 100
_SMALL = 4
"""Batches up to this size are measured on several queues as well."""


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
    raw = {
        **_head("guard", "processors", info, True, plan, costs_only=True),
        "rows": [row.json() for row in rows],
    }
    return analyse(raw, spec=None)


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


def _operations(
    command: str, device: Device, plan: Plan, spec: Spec, progress: Progress,
    configs: list[Operations],
) -> dict[str, Any]:  # fmt: skip
    known = {config.key for config in configs}
    configs = configs + [c for c in _limit_configs(device, plan) if c.key not in known]
    tick = progress(len(configs) * (plan.method.repetitions + 1), f"{command} on {device.name}")
    rows = measure(device, configs, plan.method, tick)
    executions = [device.execution(workload, _SPLIT_SAMPLES) for workload in plan.workloads]
    raw = {
        **_head(command, device.name, device.info, device.measured, plan),
        "split": [
            {"workload": workload.name, "execution_us": None if ns is None else short(ns / 1000, 4)}
            for workload, ns in zip(plan.workloads, executions, strict=True)
        ],
        "rows": [row.json() for row in rows],
    }
    return analyse(raw, spec)


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
    # Two in flight on each queue: the device never waits for the next one.  Small batches on
    # several queues as well: very large ones leave the device's caches.
    configs += [
        Operations(workload, threads, "private", 2, drain, batch=size)
        for workload in plan.workloads
        for threads in (1, 4)
        for size in plan.batches
        if threads == 1 or (threads in plan.threads and size <= _SMALL)
    ]
    return configs


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
        (1, 4, 16, 64, 256, 1024) if command == "batch" else (1, 2, 4, 16, 64),
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
