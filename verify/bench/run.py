"""The method: warm-up, repetitions in shuffled order, and what makes a run trustworthy."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from verify.bench.model import Configuration, Row, Sample
from verify.bench.statistics import WIDE, enough_say, says
from verify.errors import VerifyError


@dataclass(frozen=True)
class Method:
    """How to measure.

    Attributes:
        repetitions: Of each configuration; at least 10.
        seconds: Of one measurement.
        warm_up: Seconds of each configuration before the first repetition, not counted.
        seed: Of the order.
    """

    repetitions: int = 12
    seconds: float = 0.04
    warm_up: float = 0.02
    seed: int = 1

    def json(self) -> dict[str, Any]:
        """For files, with what every run does."""
        return {
            **asdict(self),
            "order": "each repetition measures every configuration once, in a new random order",
            "set_up": "queues, buffers, kernels and threads are made before the clock starts; each "
            "thread runs its depth, at least 2 operations, before that too",
            "clock": "std::chrono::steady_clock, until the last thread's last operation is known",
            "spread": "low and high: distribution-free 95 % interval of the median",
            "verification": "every word of every buffer after each measurement, against the closed "
            "form of as many steps as its operations make; a kernel that was lost, ran twice or "
            "wrote elsewhere leaves a word wrong for good",
        }


class Runner(Protocol):
    """What `measure` needs of a device."""

    def run(self, config: Any, seconds: float) -> Sample:
        """Measure once."""


def measure(
    device: Runner,
    configs: Sequence[Configuration],
    method: Method,
    tick: Callable[[], None] = lambda: None,
    unit: str = "operations/s",
) -> list[Row]:
    """Measure configurations in turns.

    Args:
        device: Where.
        configs: What; no two with one key.
        method: How.
        tick: Called after each measurement, `(repetitions + 1) * len(configs)` times.
        unit: Of the values.

    Raises:
        VerifyError: Two configurations have one key, or the device fails.
    """
    keys = [config.key for config in configs]
    if len(set(keys)) != len(keys):
        raise VerifyError(f"configured twice: {next(k for k in keys if keys.count(k) > 1)}")
    samples: dict[str, list[Sample]] = {key: [] for key in keys}
    for config in configs:
        device.run(config, method.warm_up)
        tick()
    order = list(configs)
    choose = random.Random(method.seed)  # noqa: S311 - an order, not a secret
    for _ in range(method.repetitions):
        choose.shuffle(order)
        for config in order:
            samples[config.key].append(device.run(config, method.seconds))
            tick()
    return [Row(config, samples[config.key], unit) for config in configs]


@dataclass(frozen=True)
class Check:
    """Something that must hold for a run to be believed.

    Attributes:
        name: Short.
        ok: Whether it holds.
        text: What was found.
    """

    name: str
    ok: bool
    text: str


def same(one: Row, other: Row) -> Check:
    """Two rows of the same thing must agree within their spread.

    With one thread, a shared queue and a private one are the same configuration.
    """
    a, b = one.estimate, other.estimate
    off = max(a.median, b.median) / min(a.median, b.median) - 1
    text = (
        f"{_span(a.median, a.low, a.high)} and {_span(b.median, b.low, b.high)} {one.unit}, "
        f"{off:.1%} apart"
    )
    return Check("identical configurations agree", a.agrees(b), text)


SPREAD = "intervals say something"
"""The name of a check."""


def spread(rows: Sequence[Row]) -> Check:
    """Nearly all figures must say something."""
    silent = [
        row.config.key
        for row in rows
        if not says(row.estimate.median, row.estimate.low, row.estimate.high)
    ]
    text = f"beyond {WIDE:.0%} of the median in {len(silent)} of {len(rows)} configurations"
    if silent:
        text += f", first: {silent[0]}"
    return Check(SPREAD, enough_say(len(silent), len(rows)), text)


def outputs(rows: Sequence[Row]) -> Check:
    """All results of all operations must be right."""
    wrong = [row for row in rows if row.wrong]
    trouble = [s.trouble for row in rows for s in row.samples if s.trouble]
    if wrong:
        text = f"{sum(r.wrong for r in wrong)} wrong words, first under: {wrong[0].config.key}"
    elif trouble:
        text = trouble[0]
    else:
        text = f"{sum(row.verified for row in rows):,} operations, every word as computed"
    return Check("outputs verified", not wrong and not trouble, text)


def _span(median: float, low: float, high: float) -> str:
    digits = 0 if median >= 1000 else 2
    return f"{median:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"


def environment() -> dict[str, Any]:
    """The machine and the program that measures, for files."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        here = version("mps-verify")
    except PackageNotFoundError:  # run from a checkout that is not installed
        here = "not installed"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": usable,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "mps_verify": here,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
