"""A queueing model of submission, execution and completion.  What it says is a PREDICTION.

A thread submits (partly under the driver's lock, all of it under the guard's if the strategy asks
for one), the device starts kernels at a limited rate and runs those of one queue one after the
other, and the thread notices the completion a while after it.  All times are constants, so a
prediction has no spread.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from verify.bench.model import MUTEXES, UNGUARDED, Operations, Sample, Workload
from verify.spec import Spec

_OPERATIONS = 400
"""Of each thread, at least; a closed system of constants is periodic long before."""


@dataclass(frozen=True)
class Parameters:
    """The model's constants, in nanoseconds.

    Attributes:
        launch: Processor time of one launch.
        record: What an operation's own completion object (an event, a fence) adds to it; with one
            wait for a whole queue, what that wait adds once.
        notice: Processor time to notice a completion that is there already.
        serial: The part of `launch` under the driver's own lock, which all queues share.
        serial_record: The part of `record` and `notice` under it.
        handover: From the release of a contended lock to the next owner's running: waiting threads
            sleep.  The lock is the guard's, or the driver's own of a queue that threads share.
        latency: From the end of the submission to the kernel's start and from the kernel's end to
            the thread's noticing it, together.
        wake: What a sleeping wait adds to a spinning one.
        execution: From a kernel's start to its end, alone on the device.
        step: Device time of one step of one word, with the device full (1 / the compute bound).
        guard: One guarded call that waits for nobody.
        source: Where the constants come from.
    """

    launch: float
    record: float
    notice: float
    serial: float
    serial_record: float
    handover: float
    latency: float
    wake: float
    execution: float
    step: float
    guard: float
    source: str


EXAMPLE = Parameters(
    launch=4_000.0, record=800.0, notice=1_600.0, serial=1_300.0, serial_record=1_000.0,
    handover=6_000.0, latency=5_000.0, wake=25_000.0, execution=2_000.0, step=7e-5, guard=40.0,
    source="round figures for a discrete data-centre GPU; no device was measured",
)  # fmt: skip
"""For `--driver sim` alone.  Beside a measured device, its own constants are used."""


def predict(config: Operations, parameters: Parameters, spec: Spec) -> Sample:
    """The throughput that the model predicts.

    Args:
        config: What would be measured.
        parameters: The constants; `execution` for this workload with an empty device.
        spec: Says which locks the strategy takes.
    """
    p, n, depth = parameters, config.threads, config.depth
    spacing = p.step * config.workload.elements * config.batch * config.workload.iterations
    execution = max(p.execution, spacing)
    latency = p.latency + (p.wake if config.wait == "block" else 0.0)
    calls = 0 if config.strategy in (UNGUARDED, *MUTEXES) else 3
    lock_of, whole = _lock(config, spec), config.strategy == "mutexOperation"
    free: dict[Hashable, float] = {}  # when each sleeping lock is given back
    queue_free: dict[int, float] = {}
    driver_free = device_free = end = 0.0
    flight: list[deque[float]] = [deque() for _ in range(n)]
    left = [max(_OPERATIONS, 4 * depth)] * n
    ready = [(0.0, thread) for thread in range(n)]
    waited = submitted = 0.0
    count = 0
    while ready:
        now, thread = heapq.heappop(ready)
        queue = 0 if config.queues == "shared" else thread
        closes = config.wait != "drain" or len(flight[thread]) + 1 == depth
        work = p.launch + calls * p.guard + (p.record if closes else 0.0)
        serial = p.serial + (p.serial_record if closes else 0.0)
        locks = [lock for lock in (lock_of(thread, queue), ("queue", queue)) if lock is not None]
        held = max(free.get(lock, 0.0) for lock in locks)
        start = now if held <= now else held + p.handover
        done = driver_free = max(start + max(0.0, work - serial), driver_free) + serial
        began = max(done, queue_free.get(queue, 0.0), device_free)
        device_free = began + spacing
        queue_free[queue] = began + execution
        known = began + execution + latency
        for lock in locks:
            free[lock] = known if whole and lock == locks[0] else done
        flight[thread].append(known)
        submitted += done - now
        count += 1
        left[thread] -= 1
        then = done
        if len(flight[thread]) == depth:
            # Nothing to wait for: the thread still has to find that out.
            then = done + (p.notice if config.wait != "drain" else 0.0)
            first = flight[thread].popleft() if config.wait != "drain" else max(flight[thread])
            if config.wait == "drain":
                flight[thread].clear()
            then = max(then, first)
        waited += then - done
        end = max(end, then)
        if left[thread] > 0:
            heapq.heappush(ready, (then, thread))
    end = max([end, *(known for queue_ in flight for known in queue_)])
    return Sample(
        value=count * config.batch / end * 1e9,
        operations=count,
        submission_ns=submitted / count,
        wait_ns=waited / count,
    )


def _lock(config: Operations, spec: Spec) -> Callable[[int, int], Hashable]:
    """The guard lock that a thread, with its queue, needs to submit; None for no lock."""
    if config.strategy in MUTEXES:
        return lambda *_: "mutex"
    if config.strategy == UNGUARDED:
        return lambda *_: None
    requests = spec.strategy(config.strategy).scheme.locks["encode"]
    # The first exclusive one stands for all: the others of a call are never wider in the spec.
    scope = next((r.scope for r in requests if r.mode == "exclusive"), None)

    def lock(thread: int, queue: int) -> Hashable:
        if scope == "encoder":
            return thread
        return ("queue", queue) if scope in ("stream", "queue") else scope

    return lock


class SimDevice:
    """The model in the place of a device.

    Args:
        spec: Says what the strategies lock.
        parameters: Its constants, with `execution` for an empty kernel.
    """

    name = "sim"
    measured = False
    waits: tuple[str, ...] = ("spin", "block", "drain")

    def __init__(self, spec: Spec, parameters: Parameters = EXAMPLE) -> None:
        self.spec, self.parameters = spec, parameters
        self._known: dict[str, Sample] = {}
        self.info = {
            "device": "PREDICTION by a queueing model, not a measurement",
            "details": parameters.source,
            "api": "none",
            "queue": "kernels of one queue run one after the other",
            "encoder": "a thread's operation in flight",
            "create": "takes no time",
            "encode": "the submission, partly under the driver's lock",
            "destroy": "takes no time",
            "wait": "spin: `latency`; block: `latency` + `wake`; drain: `latency`, once a round",
            "execution": "a constant of the model",
            "shared_queue": "all threads' kernels run one after the other",
            "safety": "a model of time: no evidence about strategies",
        }

    def run(self, config: Operations, seconds: float) -> Sample:
        """See `Device`."""
        del seconds  # the model runs in no time
        if config.key not in self._known:
            self._known[config.key] = predict(config, self.parameters, self.spec)
        return self._known[config.key]

    def execution(self, workload: Workload, samples: int) -> float | None:
        """See `Device`."""
        del samples
        p = self.parameters
        return max(p.execution, p.step * workload.elements * workload.iterations)

    def close(self) -> None:
        """Nothing is open."""
