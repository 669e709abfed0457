"""What `verify stress` prints, for each driver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from verify.records.base import Count, Fault, Faults, Record, once, own_word, stated, tried
from verify.semantics import Bounds
from verify.verdict import Verdict, agreement, combine

FORMAT = "mps-verify counterexample 1"


@dataclass
class Schedules(Record):
    """What running schedules has shown.

    Attributes:
        schedules, steps: How many were run.
        faults: Per fault, the number of schedules that showed it.
        deadlocks: Schedules after which threads only wait for locks.
        failures: Schedules in which the guard itself reported a failure (assertion mode).
        skipped, unexplained: Calls that the guard skipped; of those, with a live context.
        parallel: Schedules with two threads past their acquire at once.
        complete: Whether every schedule within the bound was run.
        seconds: Wall time.
        first: Per fault (and "deadlock") a schedule that shows it.
        failure: What the guard reported.
    """

    schedules: Count = 0
    steps: Count = 0
    faults: dict[Fault, Count] = field(default_factory=dict)
    deadlocks: Count = 0
    failures: Count = 0
    skipped: Count = 0
    unexplained: Count = 0
    parallel: Count = 0
    complete: bool = True
    seconds: float = 0.0
    first: dict[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass
class FreeResult(Record):
    """What one free run showed.

    Attributes:
        operations, skipped, unexplained, released, handlers: Counts.
        met: Times that two threads were inside an encoder that both met for the first time.
        contentions: Times that a thread found its lock held by another.
        waits: Guarded calls that waited for a completion handler with all locks given back.
        missed: Sleeps for a lock that nobody ended although the lock was free.
        faults: Per fault, how often.
        races: Data races that the sanitizer reported.
        trouble: A hang, a crash or a failure that the guard reported, in words; empty for none.
        seconds: Wall time.
    """

    operations: Count = 0
    skipped: Count = 0
    unexplained: Count = 0
    released: Count = 0
    handlers: Count = 0
    met: Count = 0
    contentions: Count = 0
    waits: Count = 0
    missed: Count = 0
    faults: dict[Fault, Count] = field(default_factory=dict)
    races: Count = 0
    trouble: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Coverage(Record):
    """The edges of the model's graph and of the native one.

    Attributes:
        model, native: How many edges each has.
        both: How many are in both.
        first: An edge that only one of them has, in words; empty if there is none.
    """

    model: Count
    native: Count
    both: Count
    first: str = ""

    @property
    def complete(self) -> bool:
        """Whether the graphs are the same."""
        return self.model == self.native == self.both > 0

    def __str__(self) -> str:
        return f"{100 * self.both / max(self.model, 1):.4g}%"


@dataclass(frozen=True)
class Counterexample(Record):
    """A schedule of one strategy in one environment, as it is printed and saved.

    Attributes:
        shows: A fault, "deadlock", "divergence" or "failure", or `RUN`.
        detail: The state in which it shows it, or what the guard reported.
    """

    strategy: str
    environment: str
    bounds: Bounds
    schedule: str
    shows: str
    detail: str = ""
    format: str = FORMAT


@dataclass(frozen=True)
class Campaign(Record):
    """Runs that Hypothesis chose, and their native events, each checked."""

    runs: Count
    events: Count
    faults: Faults
    counterexample: Counterexample | None


@dataclass(frozen=True)
class Recorded(Record):
    """Runs of free threads that were written down, and their events, each checked.

    Attributes:
        overlapping: Runs in which two threads were past their acquires at once.
        faults: By environment, those that ended runs.
        trouble: The first divergence, deadlock or report of the guard, in words.
    """

    runs: Count
    events: Count
    overlapping: Count
    faults: Mapping[str, Faults]
    trouble: str


@dataclass(frozen=True)
class Control(Record):
    """The same without the guard: schedules with a fault, and a free run."""

    schedules: Count
    free: FreeResult


@dataclass(frozen=True)
class Stressed(Record):
    """A strategy on the fake driver.

    Attributes:
        claim: What the spec claims, in words.
        agrees: Whether it behaves so; None if that was not decided.
        reasons: Why not, or what is undecided.
        programs, all_programs: How many were explored to the end, and how many there are.
        races: The free run under ThreadSanitizer; None if there is none here.
        saved: The files of counterexamples.
    """

    strategy: str
    claim: str
    agrees: bool | None
    reasons: tuple[str, ...]
    found: Faults
    schedules: Schedules
    looks_for_lock_order: bool
    programs: Count
    all_programs: Count
    campaign: Campaign
    recorded: Recorded
    free: FreeResult
    coverage: Coverage | None
    races: FreeResult | None
    control: Control
    saved: tuple[str, ...]
    seconds: float

    def check(self) -> None:
        super().check()
        _reasons(self.strategy, self.agrees, self.reasons)
        if self.agrees:
            tried(self.schedules.schedules, f"{self.strategy}: schedules")
            tried(self.campaign.runs, f"{self.strategy}: runs of the campaign")
            tried(self.free.operations, f"{self.strategy}: free operations")
            tried(self.control.schedules, f"{self.strategy}: schedules of the control")


def _reasons(strategy: str, agrees: bool | None, reasons: Sequence[str]) -> None:
    if agrees and reasons:
        raise ValueError(f"{strategy} agrees, and does not: {reasons[0][:80]}")


@dataclass
class Findings(Record):
    """What a campaign on a real driver found about one strategy.

    Attributes:
        strategy: Its name.
        agrees: Whether it behaves as claimed: True, False, or None when that was not decided.
        reasons: Why it does not agree, or what is undecided.
        seconds: Wall time.
    """

    strategy: str
    agrees: bool | None = field(default=None, kw_only=True)
    reasons: list[str] = field(default_factory=list, kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)

    @property
    def verdict(self) -> Verdict:
        """For the table and the exit code."""
        return agreement(self.agrees)

    def judge(self, wrong: Iterable[str], undecided: Iterable[str]) -> None:
        """Set the result: what is wrong outweighs what is undecided."""
        wrong, undecided = list(wrong), list(undecided)
        self.agrees = False if wrong else None if undecided else True
        self.reasons = wrong + undecided

    def check(self) -> None:
        super().check()
        _reasons(self.strategy, self.agrees, self.reasons)


@dataclass
class VulkanRun(Record):
    """What runs of one arm showed.

    Attributes:
        runs, operations: How many.
        threading: Messages of the layer about unsynchronised threads.
        other: Its other messages: commands recorded into a buffer that has ended.
        crashes: Runs that ended with a signal (the driver's heap is real).
        device: What Vulkan calls it.
    """

    runs: Count = 0
    operations: Count = 0
    threading: Count = 0
    other: Count = 0
    crashes: Count = 0
    device: str = ""

    @property
    def reported(self) -> bool:
        """Whether the validation layer reported anything."""
        return self.threading + self.other > 0

    @property
    def flagged(self) -> bool:
        """Whether anything was found."""
        return self.reported or self.crashes > 0

    def __str__(self) -> str:
        words = [
            f"{count} {what}"
            for count, what in (
                (self.threading, "threading"), (self.other, "use after end"),
                (self.crashes, "crashed runs"),
            )
            if count
        ]  # fmt: skip
        return ", ".join(words) or "nothing"


@dataclass
class VulkanRow(Findings):
    """The findings about one strategy.

    Attributes:
        claim_safe: What is claimed.
        own_pools: A pool for each command buffer.
        one_pool: One pool for all.
        control: As `own_pools`, without the guard.
    """

    claim_safe: bool
    own_pools: VulkanRun = field(default_factory=VulkanRun)
    one_pool: VulkanRun = field(default_factory=VulkanRun)
    control: VulkanRun = field(default_factory=VulkanRun)


@dataclass
class MetalRun(Record):
    """What the runs of one arm showed.

    Attributes:
        runs: How many.
        operations, calls, skipped, contentions: Of the runs that came to their end.
        signals: By name, how many runs ended with it.
        hangs: Runs that did not end.
        gave_up: Runs that the guard itself ended: its locks were in a cycle, or one was lost.
        first: The first finding: seed, what happened, and the program's last line about it.
    """

    runs: Count = 0
    operations: Count = 0
    calls: Count = 0
    skipped: Count = 0
    contentions: Count = 0
    signals: dict[str, Count] = field(default_factory=dict)
    hangs: Count = 0
    gave_up: Count = 0
    first: str = ""

    @property
    def flagged(self) -> bool:
        """Whether anything was found."""
        return bool(self.signals or self.hangs or self.gave_up)

    def __str__(self) -> str:
        words = [f"{count} {name}" for name, count in sorted(self.signals.items())]
        words += [f"{self.hangs} hung"] if self.hangs else []
        words += [f"{self.gave_up} ended by the guard"] if self.gave_up else []
        return ", ".join(words) or "nothing"


@dataclass
class MetalRow(Findings):
    """The findings about one strategy.

    Attributes:
        claim_safe: What is claimed.
        intercepted: Methods that the guard intercepted, without and with the debug layer: the
            smaller number.
        plain: Runs of the driver as it is.
        debug_layer: Runs with Metal's debug layer.
        control: Both, without the guard.
    """

    claim_safe: bool
    intercepted: Count = 0
    plain: MetalRun = field(default_factory=MetalRun)
    debug_layer: MetalRun = field(default_factory=MetalRun)
    control: MetalRun = field(default_factory=MetalRun)

    @property
    def operations(self) -> int:
        """Under the guard, of the runs that came to their end."""
        return self.plain.operations + self.debug_layer.operations


@dataclass(frozen=True)
class _Trial(Record):
    """What every driver's result has.

    Attributes:
        driver: `fake`, `vulkan` or `metal`.
        threads: Free-running clients.
        budget: Seconds.
    """

    driver: str
    seed: int
    threads: Count
    budget: float
    verdict: Verdict
    exit_code: int
    strategies: tuple[Stressed | Findings, ...]

    def check(self) -> None:
        super().check()
        own_word(self.verdict, Verdict.AGREES)
        once(row.strategy for row in self.strategies)
        found = combine(agreement(row.agrees) for row in self.strategies)
        stated("exit code", self.exit_code, found.exit_code)
        stated("the verdict", self.verdict, found)


@dataclass(frozen=True)
class Stress(_Trial):
    """The whole, with the fake driver."""

    strategies: tuple[Stressed, ...]


@dataclass(frozen=True)
class Vulkan(_Trial):
    """The whole, with `--driver vulkan`."""

    strategies: tuple[VulkanRow, ...]


@dataclass(frozen=True)
class Metal(_Trial):
    """The whole, with `--driver metal`."""

    strategies: tuple[MetalRow, ...]
