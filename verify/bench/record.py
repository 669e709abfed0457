"""Recorded results: writing them, reading them, and the regression gate between two of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify import answers
from verify.bench.experiments import FORMAT
from verify.errors import EngineMissing, VerifyError
from verify.files import save_file

TOLERANCE = 0.05
"""Differences below this share are no regression, however small the spread: between two processes
the layout of memory alone is worth a few per cent."""


@dataclass(frozen=True)
class Slowdown:
    """A configuration that is slower than in the baseline, beyond the spread of both.

    Attributes:
        key: The configuration.
        before, now: Medians.
        unit: Of both.
        share: How much slower, 0.1 for 10 %.
    """

    key: str
    before: float
    now: float
    unit: str
    share: float


@dataclass(frozen=True)
class Comparison:
    """What comparing a result with a baseline gave.

    Attributes:
        compared: Configurations that both have.
        missing: Configurations that only the baseline has.
        slower: Those that are slower.
    """

    compared: int
    missing: int
    slower: tuple[Slowdown, ...]


def write(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Write results to a file, all of it or nothing.

    Raises:
        VerifyError: The file cannot be written.
    """
    save_file(path, _text(results) + "\n")


def _text(results: Sequence[dict[str, Any]]) -> str:
    """JSON with one line for each entry of a list, so that versions can be compared by lines."""

    def dump(value: object) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(json.dumps(v, allow_nan=False) for v in value) + "\n]"
        return json.dumps(value, allow_nan=False)

    parts = [
        "{\n" + ",\n".join(f"{json.dumps(k)}: {dump(v)}" for k, v in result.items()) + "\n}"
        for result in results
    ]
    return f'{{"format": {FORMAT}, "results": [\n' + ",\n".join(parts) + "\n]}"


_RESULT = {"command": str, "kind": str, "driver": str, "device": dict, "rows": list,
           "method": dict, "environment": dict, "checks": list}  # fmt: skip
_ROW = {"key": str, "unit": str, "median": (int, float), "low": (int, float),
        "high": (int, float)}  # fmt: skip


def read(path: Path) -> list[dict[str, Any]]:
    """Read recorded results.

    Raises:
        VerifyError: The file cannot be read, or is no such file.
    """
    try:
        data = answers.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror or error}; name a recorded result") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise VerifyError(
            f"{path}:{line}: not JSON ({str(getattr(error, 'msg', error))[:100]}); record it again"
        ) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise VerifyError(
            f"{path}: format is {found!r}, not {FORMAT}; record it with verify bench ... --output"
        )
    results = data.get("results")
    if not isinstance(results, list) or not results:
        raise VerifyError(f"{path}: has no results; record it again")
    for number, result in enumerate(results):
        _has(path, f"results[{number}]", result, _RESULT)
        for position, row in enumerate(result["rows"]):
            where = f"results[{number}].rows[{position}]"
            _has(path, where, row, _ROW)
            if not 0 < row["low"] <= row["median"] <= row["high"] < float("inf"):
                raise VerifyError(
                    f"{path}: {where}: low {row['low']}, median {row['median']}, high "
                    f"{row['high']} are not positive and in order; record it again"
                )
    return list(results)


def _has(path: Path, where: str, value: object, fields: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        raise VerifyError(f"{path}: {where} is {value!r:.40}, not an object; record it again")
    for name, kind in fields.items():
        if not isinstance(value.get(name), kind) or isinstance(value.get(name), bool):
            raise VerifyError(f"{path}: {where}.{name} is {value.get(name)!r:.40}; record it again")


def matching(
    result: Mapping[str, Any], baseline: Sequence[dict[str, Any]], path: Path
) -> dict[str, Any]:
    """The result of a baseline that another one can be compared with.

    Args:
        result: Its head is enough: command, driver, device and environment.
        baseline: Recorded results.
        path: Their file, for messages.

    Raises:
        EngineMissing: The baseline was recorded on another device (exit code 2).
        VerifyError: It has nothing of this command and driver.
    """
    same = [b for b in baseline if (b["command"], b["driver"]) == (result["command"],
                                                                   result["driver"])]  # fmt: skip
    if not same:
        kinds = ", ".join(sorted({f"{b['command']} on {b['driver']}" for b in baseline}))
        raise VerifyError(
            f"{path}: has {kinds}, nothing of {result['command']} on {result['driver']}; record "
            "that first"
        )
    before = same[0]
    for what, old, new in (
        ("device", before["device"].get("device"), result["device"].get("device")),
        ("processor", before["environment"].get("processor"), result["environment"]["processor"]),
        ("cores", before["environment"].get("cores"), result["environment"]["cores"]),
    ):
        if old != new:
            raise EngineMissing(
                f"{path}: was recorded with {what} {old!r}, here it is {new!r}: times cannot be "
                "compared; record a baseline here"
            )
    return before


def writable(path: Path) -> None:
    """Refuse a file that could not be written, before anything is measured for it.

    Raises:
        VerifyError: It cannot be written.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise VerifyError(
            f"{path}: {error.strerror or error}; name a file in a directory that can be written"
        ) from None


def compare(
    result: dict[str, Any], baseline: Sequence[dict[str, Any]], path: Path,
    tolerance: float = TOLERANCE,
) -> Comparison:  # fmt: skip
    """Compare a result with the one of the same command and driver in a baseline.

    A configuration is slower if the intervals of its two medians do not overlap, its own on the
    slow side, and the medians differ by more than the tolerance.

    Args:
        result: Just measured.
        baseline: Recorded results.
        path: Their file, for messages.
        tolerance: See `TOLERANCE`.

    Raises:
        EngineMissing: The baseline was recorded on another device (exit code 2).
        VerifyError: It has nothing to compare with.
    """
    before = matching(result, baseline, path)
    old_rows = {row["key"]: row for row in before["rows"]}
    new_rows = {row["key"]: row for row in result["rows"]}
    common = [key for key in new_rows if key in old_rows]
    if not common:
        raise VerifyError(
            f"{path}: no configuration in common with this run; use the options it was recorded "
            "with"
        )
    slower = []
    for key in common:
        old, new = old_rows[key], new_rows[key]
        if new["unit"].endswith("/s"):
            beyond, share = new["high"] < old["low"], 1 - new["median"] / old["median"]
        else:
            beyond, share = new["low"] > old["high"], new["median"] / old["median"] - 1
        if beyond and share > tolerance:
            slower.append(Slowdown(key, old["median"], new["median"], new["unit"], share))
    slower.sort(key=lambda s: -s.share)
    return Comparison(len(common), len(set(old_rows) - set(new_rows)), tuple(slower))
