"""What is measured (configurations), and what comes out (samples, rows)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from verify.bench.statistics import Estimate, estimate


@dataclass(frozen=True)
class Workload:
    """What one operation computes.

    Attributes:
        name: For tables.
        elements: 32-bit words of the buffer; one device thread each.
        iterations: Steps of the generator that each word takes.
    """

    name: str
    elements: int
    iterations: int


LIGHT = Workload("light", 65_536, 10)
HEAVY = Workload("heavy", 1_048_576, 100)
EMPTY = Workload("empty", 1, 0)
"""A kernel that does nothing: what is left is the launch."""

UNGUARDED = "unguarded"
MUTEXES = ("mutexSubmission", "mutexOperation")
"""A plain std::mutex around the submission, and one held until the operation is complete."""


class Configuration(Protocol):
    """Something to measure again and again."""

    @property
    def key(self) -> str:
        """Its name in files; two configurations with one key are the same measurement."""

    def request(self, seconds: float) -> str:
        """The line that asks the harness for one measurement of so many seconds."""

    def fields(self) -> dict[str, Any]:
        """Its parameters, for JSON."""


@dataclass(frozen=True)
class Operations:
    """Threads that submit operations.

    Attributes:
        workload: Of one operation.
        threads: How many submit.
        queues: "shared" (one for all) or "private" (one for each thread).
        depth: Operations of a thread in flight.
        wait: "spin", "block" or "drain"; see `native/bench/driver.hpp`.
        strategy: A strategy of the spec, "unguarded", or one of `MUTEXES`.
        batch: Operations in one launch, side by side in one buffer.
    """

    workload: Workload
    threads: int = 1
    queues: str = "private"
    depth: int = 1
    wait: str = "spin"
    strategy: str = UNGUARDED
    batch: int = 1

    @property
    def key(self) -> str:
        """See `Configuration`."""
        return " ".join(f"{k}={v}" for k, v in self.fields().items())

    def fields(self) -> dict[str, Any]:
        """See `Configuration`."""
        return {**asdict(self), "workload": self.workload.name}

    def request(self, seconds: float) -> str:
        """See `Configuration`."""
        return (
            f"run threads={self.threads} queues={self.queues} depth={self.depth} wait={self.wait} "
            f"strategy={self.strategy} elements={self.workload.elements * self.batch} "
            f"iterations={self.workload.iterations} seconds={seconds}"
        )


@dataclass(frozen=True)
class Calls:
    """Threads that only make guarded calls.

    Attributes:
        around: A strategy of the spec, or a primitive of `native/bench/cost_main.cpp`.
        threads: How many call.
        encoders: "own" (each thread has one) or "same" (all threads meet at one).
    """

    around: str
    threads: int = 1
    encoders: str = "own"

    @property
    def key(self) -> str:
        """See `Configuration`."""
        return " ".join(f"{k}={v}" for k, v in self.fields().items())

    def fields(self) -> dict[str, Any]:
        """See `Configuration`."""
        return asdict(self)

    def request(self, seconds: float) -> str:
        """See `Configuration`."""
        return (
            f"cost around={self.around} threads={self.threads} encoders={self.encoders} "
            f"seconds={seconds}"
        )


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Attributes:
        value: Operations a second (a batch counts as its operations), or nanoseconds a call.
        operations: Done while the clock ran.
        submission_ns, wait_ns: Mean of an operation, as its thread saw them.
        verified: Operations, warm-up included, whose results were found right.
        wrong: Words that were found wrong.
        trouble: What else is wrong, in words; empty for nothing.
    """

    value: float
    operations: int
    submission_ns: float = 0.0
    wait_ns: float = 0.0
    verified: int = 0
    wrong: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class Row:
    """All samples of one configuration.

    Attributes:
        config: What was measured.
        samples: In the order of the repetitions.
        unit: Of `Sample.value`.
    """

    config: Configuration
    samples: Sequence[Sample]
    unit: str = "operations/s"

    @property
    def values(self) -> list[float]:
        """The measured values, by repetition."""
        return [sample.value for sample in self.samples]

    @property
    def estimate(self) -> Estimate:
        """Median and spread."""
        return estimate(self.values)

    @property
    def verified(self) -> int:
        """Operations with right results."""
        return sum(sample.verified for sample in self.samples)

    @property
    def wrong(self) -> int:
        """Words with wrong results."""
        return sum(sample.wrong for sample in self.samples)

    def mean(self, name: str) -> float:
        """The median over the samples of one of their attributes."""
        return estimate([getattr(sample, name) for sample in self.samples]).median

    def json(self) -> dict[str, Any]:
        """For files."""
        e = self.estimate
        row = {
            "key": self.config.key,
            **self.config.fields(),
            "unit": self.unit,
            "median": _short(e.median),
            "low": _short(e.low),
            "high": _short(e.high),
            "mad": _short(e.mad),
            "samples": [_short(value) for value in self.values],
            "operations": sum(sample.operations for sample in self.samples),
            "verified": self.verified,
            "wrong": self.wrong,
        }
        if self.unit == "operations/s":
            row["submission_us"] = _short(self.mean("submission_ns") / 1000)
            row["wait_us"] = _short(self.mean("wait_ns") / 1000)
        return row


def _short(value: float) -> float:
    return float(f"{value:.6g}")
