"""The gate's result as SARIF 2.1.0 (OASIS), for code scanning.

Whatever is not good is a result at its strategy's line of the spec; a counterexample is a code
flow whose steps point at the lines with the locks of the operation that takes them.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from verify import toml_file
from verify.gating.stages import Check, Stage
from verify.render import printable
from verify.verdict import Verdict

if TYPE_CHECKING:
    from verify.gating.command import Result

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RULES: Final = {
    Verdict.REFUTED: ("claim-refuted", "A claim of the spec is refuted."),
    Verdict.UNDETERMINED: ("claim-undetermined", "A claim of the spec could not be decided."),
    Verdict.ERROR: ("check-failed", "A check could not be carried out, or its result is unusable."),
}
_NUMBER: Final = re.compile(r"^\s*\d+\.\s*")


class _Lines:
    """Where things are in the spec's file.

    Args:
        spec: The file.
        top: What locations are relative to.
    """

    def __init__(self, spec: Path, top: Path) -> None:
        path = spec.resolve()
        relative = path.relative_to(top) if path.is_relative_to(top) else Path(path.name)
        self._uri = relative.as_posix()
        self._source = toml_file.Source(spec, toml_file.read(spec))
        self._index = {
            table["name"]: i for i, table in enumerate(self._source.values.get("strategy", ()))
        }

    def strategy(self, name: str | None) -> dict[str, Any]:
        """The location of a strategy; the top of the file for None."""
        index = self._index.get(name)
        return self._location(1 if index is None else self._source.line(("strategy", index)))

    def locks(self, name: str | None, kind: str) -> dict[str, Any]:
        """The location of the locks of a kind of operation."""
        index = self._index.get(name)
        if index is None:
            return self.strategy(name)
        return self._location(self._source.line(("strategy", index, "locks", kind)))

    def _location(self, line: int) -> dict[str, Any]:
        from urllib.parse import quote

        artifact = {"uri": quote(self._uri), "uriBaseId": "%SRCROOT%"}
        return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}


def report(result: Result) -> str:
    """The SARIF document.

    Args:
        result: Of the gate; its spec is read again, for line numbers.
    """
    lines = _Lines(result.policy.spec_file, _top(result.policy.spec_file))
    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": "error"}}
        for name, text in _RULES.values()
    ]
    run = {
        "tool": {
            "driver": {"name": "mps-verify", "version": version("mps-verify"), "rules": rules}
        },
        "invocations": [
            {
                "executionSuccessful": result.verdict.good or result.verdict is Verdict.REFUTED,
                "exitCode": result.verdict.exit_code,
            }
        ],
        "results": [
            _result(stage, check, lines)
            for stage in _reported(result)
            for check in stage.checks
            if not check.verdict.good
        ],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "engine": result.engine,
            "policy": None if result.policy.path is None else result.policy.path.name,
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _reported(result: Result) -> list[Stage]:
    if any(stage.verdict is not None for stage in result.stages):
        return list(result.stages)
    nothing = Check("something is checked", Verdict.UNDETERMINED, reason="every stage is off")
    return [Stage("gate", (nothing,))]


def _top(spec: Path) -> Path:
    """What code scanning takes paths relative to: the repository, or else the working directory."""
    here = spec.resolve().parent
    return next((d for d in (here, *here.parents) if (d / ".git").exists()), Path.cwd())


def _result(stage: Stage, check: Check, lines: _Lines) -> dict[str, Any]:
    rules = list(_RULES)
    text = printable(f"{check.verdict}: verify {stage.name}: {check.name}: {check.reason}")
    result: dict[str, Any] = {
        "ruleId": _RULES[check.verdict][0],
        "ruleIndex": rules.index(check.verdict),
        "level": "error",
        "message": {"text": text},
        "locations": [lines.strategy(check.strategy)],
        "partialFingerprints": {
            "claim/v1": f"{stage.name}/{check.strategy or ''}/{printable(check.name)}"
        },
    }
    if check.steps:
        flow = {"message": {"text": "a run that shows it"}, "threadFlows": [_flow(check, lines)]}
        result["codeFlows"] = [flow]
    return result


def _flow(check: Check, lines: _Lines) -> dict[str, Any]:
    """One interleaving in its order; the lines are those of the locks that each call asks for."""
    locations = []
    kinds = [] if check.run is None else check.run.kinds
    for number, (step, kind) in enumerate(zip(check.steps, kinds, strict=True), start=1):
        place = (
            lines.strategy(check.strategy) if kind is None else lines.locks(check.strategy, kind)
        )
        place["message"] = {"text": printable(_NUMBER.sub("", step))}
        locations.append({"location": place, "executionOrder": number})
    return {"locations": locations}
