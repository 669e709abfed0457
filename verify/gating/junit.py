"""The gate's result as JUnit XML, in the form that Jenkins, GitLab and GitHub's actions read.

A refuted claim is a failure; one that is undetermined, or an error, is an error.  Only a stage that
the policy (or the command line) leaves out is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from verify.gating.stages import Check, Stage
from verify.render import printable
from verify.verdict import Verdict

if TYPE_CHECKING:
    from verify.gating.command import Result

_TAGS = {Verdict.REFUTED: "failure", Verdict.UNDETERMINED: "error", Verdict.ERROR: "error"}


def report(result: Result) -> str:
    """The XML document.

    Args:
        result: Of the gate.
    """
    suites = [_suite(stage) for stage in result.stages]
    for suite in suites:
        suite.insert(0, _properties(result))
    if all(stage.verdict is None for stage in result.stages):
        # A report with nothing but skipped suites looks like success to most readers.
        suites.append(_suite(Stage("gate", (Check("something is checked", Verdict.UNDETERMINED),))))
    root = ElementTree.Element(
        "testsuites", {"name": "verify gate", "time": f"{result.seconds:.3f}"}
    )
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(result: Result) -> ElementTree.Element:
    """What the result rests on."""
    properties = ElementTree.Element("properties")
    policy = result.policy.path
    for name, value in (
        ("engine", result.engine),
        ("policy", "none" if policy is None else policy.name),
    ):
        ElementTree.SubElement(properties, "property", {"name": name, "value": printable(value)})
    return properties


def _suite(stage: Stage) -> ElementTree.Element:
    tags = [_TAGS.get(check.verdict) for check in stage.checks]
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": f"verify {stage.name}",
            "tests": str(len(tags) or 1),
            "failures": str(tags.count("failure")),
            "errors": str(tags.count("error")),
            "skipped": str(int(stage.verdict is None)),
            "time": f"{stage.seconds:.3f}",
        },
    )
    if stage.verdict is None:
        case = ElementTree.SubElement(suite, "testcase", _names(stage, stage.name, None))
        ElementTree.SubElement(case, "skipped", {"message": printable(f"off: {stage.off}")})
    for check, tag in zip(stage.checks, tags, strict=True):
        case = ElementTree.SubElement(suite, "testcase", _names(stage, check.name, check.strategy))
        if tag is not None:
            message = printable(f"{check.verdict}: {check.reason}")
            said = ElementTree.SubElement(
                case, tag, {"type": check.verdict.value, "message": message}
            )
            said.text = "\n".join(map(printable, check.steps)) or message
    return suite


def _names(stage: Stage, name: str, strategy: str | None) -> dict[str, str]:
    where = ".".join(filter(None, ("verify", stage.name, strategy)))
    return {"classname": where, "name": printable(name)}
