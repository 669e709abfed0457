"""Recorded results: files with what commands print with `--json`, and what makes them credible.

A file is believed if it has every part that the page needs, if the parts add up to the verdict
that it states, and if it does not contradict the file of another command.  Everything else is a
`VerifyError`: a page that says PROVED must not be made of half a file.

`verify report --record` adds a manifest with the date, the versions and a hash of each file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from verify import answers
from verify.errors import VerifyError
from verify.files import read_start
from verify.records.base import Record, Refusal, read
from verify.records.bench import Bench, Benches
from verify.records.compare import Comparison
from verify.records.explore import Exploration
from verify.records.prove import Proofs
from verify.records.stress import Stress, Vulkan
from verify.verdict import Verdict

MANIFEST = "recorded.json"
_MOST = 64 << 20  # bytes of one file; the largest of ours has a few megabytes

P = TypeVar("P", bound=Record)

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
    model: type[Record]
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
    part: Record | None
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
        if isinstance(self.part, Benches):
            return self.part.judged
        verdict: Verdict = getattr(self.part or self.refusal, "verdict")  # noqa: B009 - all have one
        return verdict


@dataclass(frozen=True)
class Run(Record):
    """A line of the manifest: a command and the file with its output."""

    file: str
    command: str
    exit_code: int
    seconds: float
    sha256: str


@dataclass(frozen=True)
class Manifest(Record):
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

    def refusals(self, model: type[Record]) -> list[Refusal]:
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
        if not text.strip():
            raise VerifyError(f"{path}: empty; record it again")
        data = answers.loads(text)
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        what = f"no JSON: {error.msg} in column {error.colno}"
        raise VerifyError(f"{path}:{error.lineno}: {what}; record it again") from None
    except ValueError as error:
        raise VerifyError(f"{path}: no JSON: {str(error)[:100]}; record it again") from None
    if not isinstance(data, dict):
        raise VerifyError(f"{path}: {type(data).__name__}, no JSON object; record it again")
    return data


def _parsed(path: Path, model: type[P], data: dict[str, Any], command: str = "") -> P:
    again = f"; record it again with `{command} --json`" if command else "; record it again"
    try:
        result = read(model, _of_old(model, data))
        result.check()
    except ValueError as error:
        raise VerifyError(f"{path}: {error}{again}") from None
    return result


def _of_old(model: type[Record], data: dict[str, Any]) -> dict[str, Any]:
    """Every command said PROVED before it was the word of theorems alone."""
    own = {Exploration: Verdict.HOLDS, Benches: Verdict.PASSED}.get(model)
    rows = data.get("rows")
    for part in (data, *(rows if isinstance(rows, list) else ())):
        if own is not None and isinstance(part, dict) and part.get("verdict") == "PROVED":
            part["verdict"] = own.value
    return data


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
