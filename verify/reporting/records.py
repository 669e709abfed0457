"""Recorded results: files with what commands print with `--json`, and what makes them credible.

A file is believed if it has every part that the page needs, if the parts add up to the verdict
that it states, and if it does not contradict the file of another command.  Everything else is a
`VerifyError`: a page that says PROVED must not be made of half a file.

`verify report --record` adds a manifest with the date, the versions and a hash of each file.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from verify.bench.run import SPREAD
from verify.bench.statistics import WIDE, enough_say, says
from verify.errors import VerifyError
from verify.files import read_start
from verify.spec import FAULTS
from verify.verdict import Verdict, agreement, combine

MANIFEST = "recorded.json"
_MOST = 64 << 20  # bytes of one file; the largest of ours has a few megabytes


def _word_of(own: Verdict, *more: Verdict) -> Callable[[object], object]:
    """Reads a verdict whose good word is `own`; another good word speaks of other evidence."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        if value == "PROVED":  # every command said so before it was the word of theorems alone
            return own
        verdict = Verdict(value)
        if verdict.good and verdict not in (own, *more):
            raise ValueError(f"it states {verdict}, which is not its word")
        return verdict

    return read


def _fault(value: str) -> str:
    if value not in FAULTS:
        raise ValueError(f"no fault is called {value[:40]!r}")
    return value


P = TypeVar("P", bound="Part")
Judgement = Annotated[Verdict, BeforeValidator(_word_of(Verdict.PROVED))]
Searched = Annotated[Verdict, BeforeValidator(_word_of(Verdict.HOLDS, Verdict.PASSED))]
Passed = Annotated[Verdict, BeforeValidator(_word_of(Verdict.PASSED))]
Fault = Annotated[str, BeforeValidator(_fault)]
Faults = tuple[Fault, ...]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]


class Part(BaseModel):
    """A part of a recorded result; what the page does not use may be there as well."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


def _stated(what: str, stated: object, found: object) -> None:
    if stated != found:
        raise ValueError(f"it states {what} {stated}, its parts say {found}")


def _once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name} is there twice")
        seen.add(name)


# --- verify prove ---------------------------------------------------------------------------------


class Claim(Part):
    """A claim and what Lean's kernel said."""

    claim: str
    verdict: Judgement
    theorem: str | None
    axioms: tuple[str, ...]
    reason: str | None
    module: str | None = None

    @model_validator(mode="after")
    def _proved_by_something(self) -> Self:
        if self.verdict is Verdict.PROVED and not self.theorem:
            raise ValueError("a claim is PROVED and names no theorem")
        return self


class ProvedStrategy(Part):
    """A strategy's claims."""

    strategy: str
    safe: bool | None
    parallel: bool | None
    verdict: Judgement
    theorem: str
    axioms: tuple[str, ...]
    counterexample: tuple[str, ...] | None
    note: str | None
    deadlock_free: bool | None = None
    faults: Mapping[str, Faults | None]
    claims: tuple[Claim, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _stated(f"{self.strategy}", self.verdict, combine(c.verdict for c in self.claims))
        default = self.faults.get("default")
        if self.safe is not None and default is not None and self.safe == bool(default):
            raise ValueError(f"{self.strategy}: safe is {self.safe}, with {len(default)} faults")
        return self


class Proofs(Part):
    """What `verify prove` printed."""

    verdict: Judgement
    engine: str
    constants: Count
    strategies: tuple[ProvedStrategy, ...]
    extensions: tuple[ProvedStrategy, ...]
    restated: tuple[Claim, ...]
    errors: tuple[str, ...]

    @property
    def rows(self) -> tuple[ProvedStrategy, ...]:
        """All strategies, those of the specification's table first."""
        return self.strategies + self.extensions

    @property
    def claims(self) -> list[Claim]:
        """Every claim about a strategy."""
        return [claim for row in self.rows for claim in row.claims]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(row.strategy for row in self.rows)
        parts = [c.verdict for c in (*self.claims, *self.restated)]
        _stated(
            "the verdict", self.verdict, combine([*parts, *(Verdict.ERROR for _ in self.errors)])
        )
        if self.verdict is Verdict.PROVED and not self.constants:
            raise ValueError("it is PROVED, and the kernel replayed no constant")
        return self


# --- verify explore -------------------------------------------------------------------------------


class Explored(Part):
    """The search of one strategy in one environment."""

    strategy: str
    environment: str
    faults: Faults
    states: Count
    complete: bool
    exhausted: bool
    verdict: Searched | None
    reason: str


class Exploration(Part):
    """What `verify explore` printed."""

    verdict: Searched
    threads: Count
    encoders: Count
    blocks: Count
    rows: tuple[Explored, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(f"{row.strategy} in {row.environment}" for row in self.rows)
        found = combine([r.verdict for r in self.rows if r.verdict] or [Verdict.PASSED])
        _stated("the verdict", self.verdict, found)
        for row in self.rows:
            if not row.states:
                raise ValueError(f"{row.strategy} in {row.environment}: not one state was seen")
        return self


# --- verify stress --------------------------------------------------------------------------------


class Schedules(Part):
    """Interleavings that the deterministic scheduler ran."""

    schedules: Count
    deadlocks: Count
    faults: Mapping[str, Count]


class Campaign(Part):
    """Runs of the campaign, each event compared with the model."""

    runs: Count
    events: Count


class Free(Part):
    """Free-running threads."""

    operations: Count
    faults: Mapping[str, Count]
    races: Count
    trouble: str


class Control(Part):
    """The same without the guard."""

    schedules: Count
    free: Free


class Stressed(Part):
    """A strategy on the fake driver."""

    strategy: str
    claim: str
    agrees: bool | None
    reasons: tuple[str, ...]
    found: Faults
    schedules: Schedules
    campaign: Campaign
    free: Free
    races: Free | None
    control: Control

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _reasons(self.strategy, self.agrees, self.reasons)
        if self.agrees and not (self.schedules.schedules and self.free.operations):
            raise ValueError(f"{self.strategy} agrees, and nothing was tried")
        return self


def _reasons(strategy: str, agrees: bool | None, reasons: Sequence[str]) -> None:
    if agrees and reasons:
        raise ValueError(f"{strategy} agrees, and does not: {reasons[0][:80]}")


class Stress(Part):
    """What `verify stress` printed."""

    driver: str
    seed: int
    threads: Count
    exit_code: int
    strategies: tuple[Stressed, ...]

    @property
    def verdict(self) -> Verdict:
        """On all strategies."""
        return combine(agreement(row.agrees) for row in self.strategies)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(row.strategy for row in self.strategies)
        _stated("exit code", self.exit_code, self.verdict.exit_code)
        return self


class VulkanArm(Part):
    """Operations under the eyes of Vulkan's validation layer."""

    operations: Count
    threading: Count
    other: Count
    crashes: Count
    device: str


class VulkanStressed(Part):
    """A strategy on Vulkan."""

    strategy: str
    claim_safe: bool
    own_pools: VulkanArm
    one_pool: VulkanArm
    control: VulkanArm
    agrees: bool | None
    reasons: tuple[str, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _reasons(self.strategy, self.agrees, self.reasons)
        return self


class Vulkan(Part):
    """What `verify stress --driver vulkan` printed."""

    seed: int
    threads: Count
    exit_code: int
    strategies: tuple[VulkanStressed, ...]

    @property
    def verdict(self) -> Verdict:
        """On all strategies."""
        return combine(agreement(row.agrees) for row in self.strategies)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(row.strategy for row in self.strategies)
        _stated("exit code", self.exit_code, self.verdict.exit_code)
        return self


# --- verify compare -------------------------------------------------------------------------------


class Compared(Part):
    """What the oracles say about one strategy."""

    strategy: str
    lean: Faults | None
    scheduled: Faults
    races: Count | None
    vulkan: str | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """REFUTED if two oracles contradict each other."""
        if any(note.startswith("CONFLICT") for note in self.notes):
            return Verdict.REFUTED
        missing = self.lean is None or self.races is None or self.vulkan is None
        return Verdict.UNDETERMINED if missing else Verdict.AGREES


class Comparison(Part):
    """What `verify compare` printed."""

    exit_code: int
    no_vulkan: str
    strategies: tuple[Compared, ...]

    @property
    def verdict(self) -> Verdict:
        """On all strategies."""
        return combine(row.verdict for row in self.strategies)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(row.strategy for row in self.strategies)
        _stated("exit code", self.exit_code, self.verdict.exit_code)
        return self


# --- Commands that did not begin ------------------------------------------------------------------


class Refusal(Part):
    """What a command prints that could not begin, such as for want of a compiler."""

    verdict: Judgement
    error: str

    @model_validator(mode="after")
    def _no_result(self) -> Self:
        if self.verdict not in (Verdict.UNDETERMINED, Verdict.ERROR):
            raise ValueError(f"it states {self.verdict}, and an error")
        return self


# --- verify bench ---------------------------------------------------------------------------------


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


class Interval(Part):
    """A median with its interval."""

    median: Rate
    low: Rate
    high: Rate

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"{self.median:g} is not within {self.low:g} to {self.high:g}")
        return self

    @property
    def says(self) -> bool:
        """Whether it says something; otherwise the figure is undetermined."""
        return says(self.median, self.low, self.high)


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

    @model_validator(mode="after")
    def _of_its_samples(self) -> Self:
        found = statistics.median(self.samples) if self.samples else 0.0
        if abs(found - self.median) > 1e-3 * self.median:
            raise ValueError(f"the median of the samples is {found:g}, not {self.median:g}")
        return self


class Ratio(Interval):
    """A guarded configuration against the unguarded one, repetition by repetition."""

    workload: str
    threads: Count
    queues: str
    depth: Count
    strategy: str


class Split(Part):
    """Where the time of one operation of one thread goes, in microseconds."""

    workload: str
    submission_us: float
    execution_us: float | None
    completion_us: float | None
    total_us: float


class Bound(Part):
    """What the device can do at most, in operations a second."""

    workload: str
    launch_rate: Rate
    compute: Rate
    limit: Rate
    binding: str


class Achieved(Part):
    """The best throughput with one operation in a launch, and its share of the limit."""

    workload: str
    operations_per_second: Rate
    configuration: str
    limit: Rate
    fraction: Rate
    note: str


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


class Predicted(Part):
    """What the queueing model says beside a measurement."""

    key: str
    predicted: Rate
    measured: Rate
    ratio: Rate


class Predictions(Part):
    """The queueing model with a device's constants."""

    compared: tuple[Predicted, ...]


class Workload(Part):
    """What an operation computes."""

    name: str
    elements: Count
    iterations: Count


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
    guarded: Mapping[str, Count] = {}
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

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _once(row.key for row in self.rows)
        if not self.rows or not self.checks:
            raise ValueError("nothing was measured, or nothing was checked")
        wrong = [row.key for row in self.rows if row.wrong]
        if wrong and all(check.ok for check in self.checks):
            raise ValueError(f"all its checks are passed, and outputs are wrong: {wrong[0]}")
        for name, count in self.guarded.items():
            counted = sum(row.verified for row in self.rows if row.strategy == name)
            _stated(f"verified operations of {name}:", count, counted)
        for best in self.achieved:
            share = best.operations_per_second / best.limit
            if abs(share - best.fraction) > 0.01 * share:
                raise ValueError(f"{best.workload}: the share is {share:.3g}, not {best.fraction}")
        if self.driver == "sim" and self.measured:
            raise ValueError("the simulation predicts; it cannot be a measurement")
        return self


class Slower(Part):
    """A configuration that is slower than in the baseline."""

    key: str


class Benches(Part):
    """What a command of `verify bench` printed: a result for each device."""

    format: Literal[1]
    stated: Passed | None = Field(default=None, alias="verdict")
    missing: tuple[str, ...] = ()
    slower: tuple[Slower, ...] = ()
    results: tuple[Bench, ...]

    @property
    def verdict(self) -> Verdict:
        """What is stated, unless the results are worse."""
        return combine([self.stated or Verdict.PASSED, *(r.verdict for r in self.results)])

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.results and not self.missing:
            raise ValueError("nothing was measured, and no reason is given")
        if self.stated is Verdict.PASSED and not self.verdict.good:
            raise ValueError(f"it states the verdict {self.stated}, its checks say {self.verdict}")
        return self


# --- Files ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of result.

    Attributes:
        name: What the page calls it; also the file's name, if a command refused to begin.
        command: What makes it.
        model: What it must be like.
        signature: Keys that only this kind has.
        several: Whether there may be more than one.
    """

    name: str
    command: str
    model: type[Part]
    signature: frozenset[str]
    several: bool = True


KINDS = (
    Kind("prove", "verify prove", Proofs, frozenset({"constants", "restated"}), False),
    Kind("explore", "verify explore --environment all", Exploration, frozenset({"rows", "blocks"})),
    Kind("stress", "verify stress", Stress, frozenset({"driver", "budget"})),
    Kind("stress-vulkan", "verify stress --driver vulkan", Vulkan, frozenset({"driver", "budget"})),
    Kind("compare", "verify compare", Comparison, frozenset({"no_vulkan"}), False),
    Kind("bench", "verify bench scaling", Benches, frozenset({"format", "results"})),
)


@dataclass(frozen=True)
class File:
    """A file that was read.

    Attributes:
        name: Without its directory.
        kind: Of what is in it.
        part: What is in it.
        refusal: Why the command did not begin; then there is no part.
        sha256: Of its bytes.
    """

    name: str
    kind: Kind
    part: Part | None
    refusal: Refusal | None
    sha256: str

    @property
    def command(self) -> str:
        """What makes such a file."""
        if isinstance(self.part, Benches) and self.part.results:
            return f"verify bench {self.part.results[0].command}"
        return self.kind.command

    @property
    def verdict(self) -> Verdict:
        """On all that is in it."""
        verdict: Verdict = getattr(self.part or self.refusal, "verdict")  # noqa: B009 - all have one
        return verdict


class Run(Part):
    """A line of the manifest: a command and the file with its output."""

    file: str
    command: str
    exit_code: int
    seconds: float
    sha256: str


class Manifest(Part):
    """What `verify report --record` writes beside the results."""

    format: Literal[1]
    recorded: str
    environment: Mapping[str, str | int | None]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Records:
    """All results that a page is made of."""

    files: tuple[File, ...] = ()
    manifests: tuple[Manifest, ...] = ()

    def of(self, model: type[P]) -> list[P]:
        """The results of a kind, in the order of their files."""
        return [file.part for file in self.files if isinstance(file.part, model)]

    def refusals(self, model: type[Part]) -> list[Refusal]:
        """Why commands of a kind did not begin."""
        return [f.refusal for f in self.files if f.kind.model is model and f.refusal is not None]

    @property
    def benches(self) -> list[Bench]:
        """The results of all devices."""
        return [bench for benches in self.of(Benches) for bench in benches.results]

    @property
    def proofs(self) -> Proofs | None:
        """There is one at most."""
        return next(iter(self.of(Proofs)), None)

    def run_of(self, file: File) -> Run | None:
        """What the manifest says about a file."""
        runs = [run for manifest in self.manifests for run in manifest.runs]
        return next((r for r in runs if r.file == file.name and r.sha256 == file.sha256), None)


def load(directories: Sequence[Path]) -> Records:
    """Read every result below some directories.

    Args:
        directories: All their `.json` files are results.

    Raises:
        VerifyError: A file is no result, is cut short, does not add up, was changed after it was
            recorded, or contradicts another.
    """
    files: list[File] = []
    manifests: list[Manifest] = []
    for directory in directories:
        if not directory.is_dir():
            raise VerifyError(
                f"{directory}: no such directory; record results with "
                f"`verify report --record {directory}`"
            )
        here = [_read(path) for path in sorted(directory.rglob("*.json")) if path.name != MANIFEST]
        for path in sorted(directory.rglob(MANIFEST)):
            manifest = _parsed(path, Manifest, _json(path))
            _as_recorded(path, manifest, here)
            manifests.append(manifest)
        files += here
    for kind in KINDS:
        same = [file for file in files if file.kind is kind]
        if len(same) > 1 and not kind.several:
            raise VerifyError(
                f"{same[0].name} and {same[1].name}: two results of {kind.command}; keep one"
            )
    records = Records(tuple(files), tuple(manifests))
    _agree(records)
    return records


def _read(path: Path) -> File:
    data, digest = _json(path), hashlib.sha256(path.read_bytes()).hexdigest()
    if set(data) == {"verdict", "error"}:
        kind = max(
            (kind for kind in KINDS if path.stem.startswith(kind.name)),
            key=lambda kind: len(kind.name),
            default=None,
        )
        if kind is None:
            raise VerifyError(f"{path}: an error of an unknown command; remove the file")
        return File(path.name, kind, None, _parsed(path, Refusal, data), digest)
    kind = _kind(path, data)
    return File(path.name, kind, _parsed(path, kind.model, data, kind.command), None, digest)


def _kind(path: Path, data: Mapping[str, Any]) -> Kind:
    for kind in KINDS:
        other = {Stress: "vulkan", Vulkan: "fake"}.get(kind.model)
        if kind.signature <= set(data) and (other is None or data["driver"] != other):
            return kind
    commands = ", ".join(kind.command for kind in KINDS)
    raise VerifyError(f"{path}: no result of one of {commands} --json; remove the file")


def _json(path: Path) -> dict[str, Any]:
    """The object in a file."""
    try:
        start = read_start(path, _MOST + 1)
        if len(start) > _MOST:
            raise VerifyError(f"{path}: larger than {_MOST >> 20} MiB; that is no recorded result")
        text = start.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        what = "empty" if not text.strip() else f"no JSON: {error.msg} in column {error.colno}"
        raise VerifyError(f"{path}:{error.lineno}: {what}; record it again") from None
    except (ValueError, RecursionError) as error:
        raise VerifyError(f"{path}: no JSON: {str(error)[:100]}; record it again") from None
    if not isinstance(data, dict):
        raise VerifyError(f"{path}: {type(data).__name__}, no JSON object; record it again")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _once(name for name, _ in pairs)
    return dict(pairs)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _parsed(path: Path, model: type[P], data: Mapping[str, Any], command: str = "") -> P:
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        value = "" if isinstance(first["input"], dict) else f" ({str(first['input'])[:60]})"
        again = f"; record it again with `{command} --json`" if command else "; record it again"
        raise VerifyError(
            f"{path}: {place}{': ' if place else ''}{message}{value}{again}"
        ) from None


def _as_recorded(path: Path, manifest: Manifest, files: Sequence[File]) -> None:
    """What the manifest lists must be there, unchanged, with the verdict that the command had."""
    known = {file.name: file for file in files}
    again = f"record again with `verify report --record {path.parent}`"
    for run in manifest.runs:
        file = known.get(run.file)
        if file is None:
            raise VerifyError(f"{path}: {run.file} was recorded and is not there; {again}")
        if file.sha256 != run.sha256:
            raise VerifyError(
                f"{path.parent / run.file}: not what `{run.command}` printed when it was recorded; "
                f"{again}"
            )
        if file.verdict.exit_code != run.exit_code:
            raise VerifyError(
                f"{path}: {run.file} says {file.verdict}, its command ended with {run.exit_code}; "
                f"{again}"
            )


def _agree(records: Records) -> None:
    """Results of different commands must be about the same strategies."""
    if (proofs := records.proofs) is None:
        return
    proved = {row.strategy: row.faults.get("default") for row in proofs.rows}
    about: list[tuple[str, Iterable[str]]] = [
        *(("verify explore", [r.strategy for r in e.rows]) for e in records.of(Exploration)),
        *(("verify stress", [r.strategy for r in s.strategies]) for s in records.of(Stress)),
        *(("verify stress", [r.strategy for r in v.strategies]) for v in records.of(Vulkan)),
        *(("verify compare", [r.strategy for r in c.strategies]) for c in records.of(Comparison)),
    ]
    for command, names in about:
        for name in names:
            if name not in proved:
                raise VerifyError(
                    f"{command} is about {name}, of which verify prove says nothing: they were "
                    "recorded from different specs; record both again"
                )
    for comparison in records.of(Comparison):
        for row in comparison.strategies:
            faults = proved[row.strategy]
            if row.lean is not None and faults is not None and set(row.lean) != set(faults):
                raise VerifyError(
                    f"verify compare and verify prove differ on {row.strategy}: "
                    f"{', '.join(row.lean) or 'safe'}, {', '.join(faults) or 'safe'}; record "
                    "both again"
                )


class Conflict(NamedTuple):
    """A fault that was proved impossible and seen all the same."""

    command: str
    strategy: str
    text: str


def conflicts(records: Records) -> list[Conflict]:
    """Where a search or a run shows a fault that was proved impossible."""
    if records.proofs is None:
        return []
    proved = {(r.strategy, e): f for r in records.proofs.rows for e, f in r.faults.items()}
    seen: list[tuple[str, str, str, tuple[str, ...]]] = [
        *(
            ("verify explore", row.strategy, row.environment, row.faults)
            for found in records.of(Exploration)
            for row in found.rows
        ),
        *(
            ("verify stress", row.strategy, "default", row.found)
            for found in records.of(Stress)
            for row in found.strategies
        ),
    ]
    result = []
    for command, strategy, environment, faults in seen:
        possible = proved.get((strategy, environment))
        if possible is not None and (more := [f for f in faults if f not in possible]):
            text = f"{strategy}, {environment}: proved impossible, yet seen: {', '.join(more)}"
            result.append(Conflict(command, strategy, text))
    return result
