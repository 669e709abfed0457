"""The gate's result as Markdown, for the page of a GitHub job."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from verify.gating.stages import Stage
from verify.render import printable

if TYPE_CHECKING:
    from verify.gating.command import Result


def markdown(result: Result) -> str:
    """A heading with the verdict, a table of the stages, and what is not good with its runs.

    Args:
        result: Of the gate.
    """
    lines = [f"## verify gate: {result.verdict}", "", "| stage | verdict | checks | time |"]
    lines += ["| --- | --- | --- | --- |", *(_row(stage) for stage in result.stages), ""]
    for stage in result.stages:
        for check in stage.checks:
            if check.verdict.good:
                continue
            text = f"{stage.name}: {check.name}: {check.reason}"
            lines.append(f"- **{check.verdict}** {_plain(text)}")
            if check.steps:
                steps = "\n".join(html.escape(printable(step)) for step in check.steps)
                lines += ["", "  <details><summary>a run that shows it</summary>", ""]
                lines += [f"  <pre>{steps}</pre>", "  </details>", ""]
    lines += [f"- {_plain(warning)}" for warning in result.warnings]
    lines.append(f"- Lean: {_plain(result.engine)}")
    return "\n".join(lines) + "\n"


def _row(stage: Stage) -> str:
    if stage.verdict is None:
        return f"| {stage.name} | off | | {_plain(stage.off)} |"
    good = sum(check.verdict.good for check in stage.checks)
    time = "reused" if stage.cached else f"{stage.seconds:.1f} s"
    return f"| {stage.name} | {stage.verdict} | {good} of {len(stage.checks)} | {time} |"


def _plain(text: str) -> str:
    """The text without a meaning in Markdown or HTML; a spec's English may hold anything."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", printable(" ".join(text.split())))
