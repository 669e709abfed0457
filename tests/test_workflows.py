"""The workflows of this project and those that `verify init` writes.

That they fit GitHub's and GitLab's schemas is in `test_init.py`. Their scripts run here in a shell,
with stand-ins for the programs, since no runner is at hand.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from verify.engines import leanlib
from verify.gating import init

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {
    "ci.yml": (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"),
    "action.yml": (ROOT / "action.yml").read_text(encoding="utf-8"),
    "init": init._GITHUB,
}
GATES = ("action.yml", "init")
"""Those that have the steps of a gate: place, restore, gate, save, reports."""


def parsed(text: str) -> Any:
    return importlib.import_module("ruamel.yaml").YAML(typ="safe").load(text)


def jobs(name: str) -> dict[str, Any]:
    """The jobs of a workflow; an action counts as one."""
    document = parsed(TEXTS[name])
    found = document["jobs"] if "jobs" in document else {"action": document["runs"]}
    assert isinstance(found, dict)
    return found


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in jobs(name).values() for step in job["steps"]]


def used(name: str, action: str) -> dict[str, Any]:
    """The one step of a workflow that uses an action."""
    (step,) = (s for s in steps(name) if s.get("uses", "").startswith(f"{action}@"))
    return step


def test_actions_are_pinned_by_commit() -> None:
    """Each with the version in a comment, and the same one everywhere."""
    found: dict[str, set[str]] = {}
    for name, text in TEXTS.items():
        for line in re.findall(r"uses: (.*)", text):
            if line == "./":
                continue
            pin = re.fullmatch(r"([\w.-]+/[\w.-]+)[\w/-]*@([0-9a-f]{40}) # v(\d+\.\d+\.\d+)", line)
            assert pin is not None, f"{name}: {line}"
            found.setdefault(pin[1], set()).add(f"{pin[2]} {pin[3]}")
    assert len(found) == 6
    assert all(len(pins) == 1 for pins in found.values()), found


@pytest.mark.parametrize("name", ["ci.yml", "init"])
def test_permissions_are_the_least(name: str) -> None:
    document = parsed(TEXTS[name])
    assert document["permissions"] in ({}, {"contents": "read"})
    for job in document["jobs"].values():
        wanted = {"contents": "read"}
        if any(
            re.match(r"github/codeql-action/upload|\./$", s.get("uses", "")) for s in job["steps"]
        ):
            wanted["security-events"] = "write"
        assert {"contents": "read", **job.get("permissions", {})} == wanted
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}
    assert "pull_request_target" not in TEXTS[name]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_scripts_work_in_containers_and_quote_nothing_of_an_event(name: str) -> None:
    """In a container these contexts are paths of the host; an expression in a script is code."""
    for context in ("runner.temp", "github.workspace", "github.action_path"):
        assert "${{ %s" % context not in TEXTS[name]  # noqa: UP031 - braces
    for step in steps(name):
        script = step.get("run", "")
        assert "${{" not in script
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.mark.parametrize("name", GATES)
def test_the_cache_is_kept_after_a_red_gate(name: str) -> None:
    assert not [s for s in steps(name) if re.match(r"actions/cache@", s.get("uses", ""))]
    restore, save = used(name, "actions/cache/restore"), used(name, "actions/cache/save")
    for step in (restore, save):
        assert step["with"]["path"] == "${{ steps.place.outputs.cache }}"
    assert restore["with"]["key"] == save["with"]["key"]
    assert restore["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert save["if"] == "${{ !cancelled() && steps.gate.outputs.exit-code != '' }}"
    order = [s.get("id") or s.get("uses", "").partition("@")[0] for s in steps(name)]
    wanted = ["place", "actions/cache/restore", "gate", "actions/cache/save"]
    assert [step for step in order if step in wanted] == wanted


@pytest.mark.parametrize("name", GATES)
def test_reports_are_uploaded_unless_from_forks(name: str) -> None:
    condition = " ".join(used(name, "github/codeql-action/upload-sarif")["if"].split())
    assert "!cancelled()" in condition
    assert (
        "(github.event_name != 'pull_request' || "
        "github.event.pull_request.head.repo.full_name == github.repository)"
    ) in condition
    assert "!cancelled()" in used(name, "actions/upload-artifact")["if"]
    for step, key in (("github/codeql-action/upload-sarif", "sarif_file"),
                      ("actions/upload-artifact", "path")):  # fmt: skip
        assert used(name, step)["with"][key].startswith("${{ steps.place.outputs.report }}")


class Runner:
    """Runs the steps of a job as a runner does, as far as they are scripts."""

    def __init__(self, top: Path, name: str) -> None:
        self.steps = {step["id"]: step for step in steps(name) if "id" in step}
        self.temporary, self.checkout = top / "temp", top / "checkout"
        self.temporary.mkdir()
        self.checkout.mkdir()
        self.top = top

    def run(self, step: str, **environment: str) -> tuple[int, dict[str, str]]:
        """The exit code and the outputs of a step."""
        output = self.top / f"{step}.output"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.steps[step]["run"]],
            cwd=self.checkout,
            env={
                "PATH": os.environ["PATH"],
                "RUNNER_TEMP": str(self.temporary),
                "RUNNER_OS": "Linux",
                "RUNNER_ARCH": "X64",
                "GITHUB_OUTPUT": str(output),
                **environment,
            },
        )
        lines = output.read_text().splitlines() if output.exists() else []
        return done.returncode, dict(line.split("=", 1) for line in lines)

    def program(self, text: str) -> None:
        """Put a stand-in where the workflow has installed `verify`."""
        folder = "mps-verify" if "ONLY" in self.steps["gate"]["env"] else "verify"
        file = self.temporary / folder / "bin" / "verify"
        file.parent.mkdir(parents=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)


@pytest.fixture(params=GATES)
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runner]:
    before = os.umask(0)  # whatever a runner has
    yield Runner(tmp_path, request.param)
    os.umask(before)


def test_the_cache_lies_outside_the_checkout_and_is_private(runner: Runner) -> None:
    code, outputs = runner.run("place")
    assert code == 0
    cache = Path(outputs["cache"])
    assert cache.parent == runner.temporary
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert cache.stat().st_uid == os.geteuid()
    assert list(runner.checkout.iterdir()) == []
    environment = runner.steps["gate"]["env"]
    assert environment["VERIFY_CACHE_DIR"] == "${{ steps.place.outputs.cache }}"
    assert "VERIFY_CACHE_KEY" in environment


@pytest.mark.parametrize("wanted", [0, 1, 2, 3])
def test_the_gate_step_has_the_exit_code_of_the_gate(runner: Runner, wanted: int) -> None:
    runner.program(f'echo "$@" > arguments; exit {wanted}')
    code, outputs = runner.run("gate", REPORT=str(runner.top))
    assert code == wanted
    assert outputs == {"exit-code": str(wanted)}  # no report was written, none is uploaded
    words = (runner.checkout / "arguments").read_text().split()
    assert words == [
        "gate", "--junit", f"{runner.top}/gate.xml", "--sarif", f"{runner.top}/gate.sarif"
    ]  # fmt: skip


def test_a_report_is_announced(runner: Runner) -> None:
    runner.program('echo {} > "$REPORT/gate.sarif"; exit 1')
    assert runner.run("gate", REPORT=str(runner.top)) == (1, {"exit-code": "1", "sarif": "true"})


def test_gitlab_has_no_cache() -> None:
    """Any branch's job could write what the next one reads."""
    (job,) = parsed(init._GITLAB).values()
    assert "cache" not in job
    assert "VERIFY_CACHE" not in init._GITLAB


def test_the_hook_brings_lean() -> None:
    """pre-commit installs the package without extras."""
    (hook,) = parsed((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (line,) = hook["additional_dependencies"]
    assert line.startswith(f"{leanlib.DISTRIBUTION}=={leanlib.DISTRIBUTION_VERSION} ;")
