"""What the commands of `verify bench` print, and write with `--output`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from verify.bench.run import SPREAD
from verify.bench.statistics import WIDE, enough_say, says
from verify.records.base import Count, Part, once, own_word, stated
from verify.verdict import Verdict, combine

Rate = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Check(Part):
    """Something that must hold for a bench to be believed."""

    name: str
    ok: bool
    text: str

    @property
    def verdict(self) -> Verdict:
        """Wrong outputs refute; a figure that is not steady leaves things open."""
        if self.ok:
            return Verdict.PASSED
        return Verdict.REFUTED if self.name.startswith("outputs") else Verdict.UNDETERMINED


@dataclass(frozen=True, kw_only=True)
class Interval(Part):
    """A median with its interval."""

    median: Rate
    low: Rate
    high: Rate

    def check(self) -> None:
        super().check()
        if not self.low <= self.median <= self.high:
            raise ValueError(f"{self.median:g} is not within {self.low:g} to {self.high:g}")

    @property
    def says(self) -> bool:
        """Whether it says something; otherwise the figure is undetermined."""
        return says(self.median, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Measured(Interval):
    """One configuration: of operations on a device, or of guarded calls (`around`)."""

    unit: str
    samples: tuple[Rate, ...]
    verified: Count
    wrong: Count
    workload: str = ""
    threads: Count
    queues: str = ""
    depth: Count = 1
    wait: str = ""
    strategy: str = ""
    batch: Count = 1
    around: str = ""
    encoders: str = ""
    key: str

    def check(self) -> None:
        super().check()
        found = statistics.median(self.samples) if self.samples else 0.0
        if abs(found - self.median) > 1e-3 * self.median:
            raise ValueError(f"the median of the samples is {found:g}, not {self.median:g}")


@dataclass(frozen=True, kw_only=True)
class Ratio(Interval):
    """A guarded configuration against the unguarded one, repetition by repetition."""

    workload: str
    threads: Count
    queues: str
    depth: Count
    strategy: str


@dataclass(frozen=True, kw_only=True)
class Split(Part):
    """Where the time of one operation of one thread goes, in microseconds."""

    workload: str
    submission_us: float
    execution_us: float | None
    completion_us: float | None
    total_us: float


@dataclass(frozen=True, kw_only=True)
class Bound(Part):
    """What the device can do at most, in operations a second."""

    workload: str
    launch_rate: Rate
    compute: Rate
    limit: Rate
    binding: str


@dataclass(frozen=True, kw_only=True)
class Achieved(Part):
    """The best throughput with one operation in a launch, and its share of the limit."""

    workload: str
    operations_per_second: Rate
    configuration: str
    limit: Rate
    fraction: Rate
    note: str


@dataclass(frozen=True, kw_only=True)
class Law(Part):
    """The fitted law of scalability."""

    workload: str
    queues: str
    rate: Rate
    contention: float
    coherency: float
    error: float
    saturation_threads: float | None
    peak: float | None


@dataclass(frozen=True, kw_only=True)
class Predicted(Part):
    """What the queueing model says beside a measurement."""

    key: str
    predicted: Rate
    measured: Rate
    ratio: Rate


@dataclass(frozen=True, kw_only=True)
class Predictions(Part):
    """The queueing model with a device's constants."""

    compared: tuple[Predicted, ...]


@dataclass(frozen=True, kw_only=True)
class Workload(Part):
    """What an operation computes."""

    name: str
    elements: Count
    iterations: Count


@dataclass(frozen=True, kw_only=True)
class Bench(Part):
    """What one command of `verify bench` found on one device."""

    command: Literal["scaling", "pipeline", "guard", "batch"]
    kind: Literal["measurement", "PREDICTION"]
    driver: str
    device: Mapping[str, str]
    environment: Mapping[str, str | int | None]
    recorded: str
    method: Mapping[str, str | int | float | bool]
    workloads: tuple[Workload, ...] = ()
    rows: tuple[Measured, ...]
    split: tuple[Split, ...] = ()
    limits: tuple[Bound, ...] = ()
    achieved: tuple[Achieved, ...] = ()
    fits: tuple[Law, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    guarded: Mapping[str, Count] = field(default_factory=dict)
    predictions: Predictions | None = None
    checks: tuple[Check, ...]

    @property
    def measured(self) -> bool:
        """Whether a device was measured; a simulation predicts."""
        return self.kind == "measurement"

    @property
    def device_name(self) -> str:
        """What the device calls itself."""
        return self.device.get("device", self.driver)

    @property
    def verdict(self) -> Verdict:
        """PASSED if the run can be believed, REFUTED if an output was wrong."""
        found = [check.verdict for check in self.every_check]
        found += [Verdict.REFUTED for row in self.rows if row.wrong]
        return combine(found)

    @property
    def silent(self) -> list[str]:
        """The configurations whose intervals say nothing."""
        return [row.key for row in self.rows if not row.says]

    @property
    def every_check(self) -> tuple[Check, ...]:
        """The checks, with the one of the intervals as the rows have it."""
        silent = self.silent
        text = (
            f"beyond {WIDE:.0%} of the median in {len(silent)} of {len(self.rows)} configurations"
        )
        spread = Check(name=SPREAD, ok=enough_say(len(silent), len(self.rows)), text=text)
        return (*(check for check in self.checks if check.name != SPREAD), spread)

    def check(self) -> None:
        super().check()
        once(row.key for row in self.rows)
        if not self.rows or not self.checks:
            raise ValueError("nothing was measured, or nothing was checked")
        wrong = [row.key for row in self.rows if row.wrong]
        if wrong and all(check.ok for check in self.checks):
            raise ValueError(f"all its checks are passed, and outputs are wrong: {wrong[0]}")
        for name, count in self.guarded.items():
            counted = sum(row.verified for row in self.rows if row.strategy == name)
            stated(f"verified operations of {name}:", count, counted)
        for best in self.achieved:
            share = best.operations_per_second / best.limit
            if abs(share - best.fraction) > 0.01 * share:
                raise ValueError(f"{best.workload}: the share is {share:.3g}, not {best.fraction}")
        if self.driver == "sim" and self.measured:
            raise ValueError("the simulation predicts; it cannot be a measurement")


@dataclass(frozen=True, kw_only=True)
class Slower(Part):
    """A configuration that is slower than in the baseline."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Benches(Part):
    """What a command of `verify bench` printed: a result for each device."""

    format: Literal[1]
    verdict: Verdict | None = None
    missing: tuple[str, ...] = ()
    slower: tuple[Slower, ...] = ()
    results: tuple[Bench, ...]

    @property
    def judged(self) -> Verdict:
        """What is stated, unless the results are worse."""
        return combine([self.verdict or Verdict.PASSED, *(r.verdict for r in self.results)])

    def check(self) -> None:
        super().check()
        own_word(self.verdict, Verdict.PASSED)
        if not self.results and not self.missing:
            raise ValueError("nothing was measured, and no reason is given")
        if self.verdict is Verdict.PASSED and not self.judged.good:
            raise ValueError(f"it states the verdict {self.verdict}, its checks say {self.judged}")
