"""What is measured (configurations), and what comes out (samples, rows)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
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
        around: A strategy of the spec, or a primitive of `native/mains/cost.cpp`.
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
        values = [short(value) for value in self.values]
        e = estimate(values)  # of what the file has, so that it can be found again
        row = {
            "key": self.config.key,
            **self.config.fields(),
            "unit": self.unit,
            "median": short(e.median),
            "low": short(e.low),
            "high": short(e.high),
            "mad": short(e.mad),
            "samples": values,
            "operations": sum(sample.operations for sample in self.samples),
            "verified": self.verified,
            "wrong": self.wrong,
        }
        if self.unit == "operations/s":
            row["submission_us"] = short(self.mean("submission_ns") / 1000)
            row["wait_us"] = short(self.mean("wait_ns") / 1000)
        trouble = next((sample.trouble for sample in self.samples if sample.trouble), "")
        return {**row, "trouble": trouble} if trouble else row

    @classmethod
    def of(cls, data: Mapping[str, Any], workloads: Mapping[str, Workload]) -> Row:
        """The row that `json` recorded; what a file has in sum is in the first sample.

        Args:
            data: The row.
            workloads: By name.
        """
        config: Configuration
        if "around" in data:
            config = Calls(*(data[f.name] for f in fields(Calls)))
        else:
            values = {f.name: data[f.name] for f in fields(Operations)}
            config = Operations(**{**values, "workload": workloads[data["workload"]]})
        submission, wait = (1000 * data.get(n, 0.0) for n in ("submission_us", "wait_us"))
        samples = [Sample(value, 0, submission, wait) for value in data["samples"]]
        samples[0] = replace(
            samples[0], operations=data["operations"], verified=data["verified"],
            wrong=data["wrong"], trouble=data.get("trouble", ""),
        )  # fmt: skip
        return cls(config, samples, data["unit"])


def short(value: float, digits: int = 6) -> float:
    """A figure for files: so many significant digits."""
    return float(f"{value:.{digits}g}")
