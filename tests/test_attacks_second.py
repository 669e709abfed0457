"""Attacks with what a pull request brings along: files named like modules, archives, reports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from verify import cache, cli, resources, spec
from verify.errors import VerifyError
from verify.files import refuse_overwriting
from verify.gating import init, policy

ROOT = Path(__file__).parents[1]
SPEC = """\
format = 1
[[strategy]]
name = "mine"
check = true
{more}
[strategy.locks]
create = "encoder exclusive"
encode = ["encoder shared", "queue shared"]
destroy = "encoder exclusive"
complete = "encoder exclusive"
"""


def steps(workflow: str) -> list[dict[str, object]]:
    """The steps of the action, or of the one job of a workflow."""
    data = YAML(typ="safe", pure=True).load(workflow)
    if "runs" in data:
        return list(data["runs"]["steps"])
    (job,) = data["jobs"].values()
    return list(job["steps"])


WORKFLOWS = {"action": (ROOT / "action.yml").read_text(), "init": init._GITHUB}
GATE_DOCS = (ROOT / "docs" / "ci.md").read_text()


@pytest.mark.parametrize("text", [*WORKFLOWS.values(), init._GITLAB, GATE_DOCS])
def test_no_module_of_the_checkout_is_run(text: str, tmp_path: Path) -> None:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = re.findall(r"\bpython3? ((?:-\w+ )*?)-m (\w+)", lines)
    assert found or text is init._GITLAB
    for flags, module in found:
        (tmp_path / f"{module}.py").write_text("open('planted', 'w')\n")
        subprocess.run(
            [sys.executable, *flags.split(), "-m", module, "--help"],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert not (tmp_path / "planted").exists(), f"python {flags}-m {module}"


@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.parametrize("secret", ["", "0123456789abcdef"])
def test_no_cache_is_restored_that_nobody_sealed(name: str, secret: str, tmp_path: Path) -> None:
    all_steps = steps(WORKFLOWS[name])
    place = next(step for step in all_steps if step.get("id") == "place")
    said = tmp_path / "output"
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", str(place["run"])],
        env={
            **os.environ, "SECRET": secret, "GITHUB_OUTPUT": str(said), "RUNNER_TEMP": str(tmp_path)
        },
        check=True,
    )  # fmt: skip
    assert ("sealed=true" in said.read_text().splitlines()) == bool(secret)
    (restored,) = (s for s in all_steps if "actions/cache/restore" in str(s.get("uses")))
    assert restored["if"] == "steps.place.outputs.sealed == 'true'"
    assert "SECRET" in place["env"]  # type: ignore[operator]


def test_a_committed_report_is_removed_before_anything_can_fail() -> None:
    for text in (init._GITLAB, re.findall(r"```yaml\n(verify:.*?)```", GATE_DOCS, re.S)[0]):
        job = YAML(typ="safe", pure=True).load(text)["verify"]
        first, *_, last = job["script"]
        for option in re.findall(r"--(?:junit|sarif) (\S+)", last):
            assert first.startswith("rm -rf ") and option in first.split()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec and a policy that keeps generated modules."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "locks.toml").write_text(SPEC.format(more=""))
    (tmp_path / "verify.toml").write_text(
        'format = 1\nspec = "locks.toml"\n[generate]\nout = "lean"\n'
    )
    (tmp_path / "lean" / "MPSVerify" / "AGX").mkdir(parents=True)
    for name in ("MPSVerify.lean", "MPSVerify/AGX/Race.lean"):
        (tmp_path / "lean" / name).write_text("kept")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("option", ["--junit", "--sarif"])
@pytest.mark.parametrize("name", ["lean/MPSVerify.lean", "lean/MPSVerify/AGX/Race.lean"])
def test_a_report_replaces_no_generated_module(repository: Path, option: str, name: str) -> None:
    assert cli.run(["gate", "--only", "generate", option, name]) == 3
    assert (repository / name).read_text() == "kept"


@pytest.mark.parametrize(
    "command",
    [
        ["gate", "--only", "generate", "--spec", "locks.toml", "--junit", "verify.toml"],
        ["explore", "--growth", "verify.toml"],
        ["explain", "mine", "--html", "verify.toml"],
    ],
)
def test_no_output_replaces_the_policy(repository: Path, command: list[str]) -> None:
    before = (repository / "verify.toml").read_bytes()
    assert cli.run(command) == 3
    assert (repository / "verify.toml").read_bytes() == before


def test_no_output_replaces_a_part_of_the_program(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(resources.root() / "MPSVerify")
    for path in (
        Path(resources.__file__),
        resources.root() / "MPSVerify" / "Claims.lean",
        resources.root() / "lean-toolchain",
        link / "Claims.lean",
    ):
        with pytest.raises(VerifyError, match="part of this program"):
            refuse_overwriting({"--junit": path}, {})
    refuse_overwriting({"--junit": tmp_path / "gate.xml"}, {})


def test_a_requirement_that_every_spec_meets_is_none(repository: Path) -> None:
    with (repository / "verify.toml").open("a") as stream:
        stream.write('[require.strategies]\nmine = ["faults"]\n')
    with pytest.raises(VerifyError, match="unknown claim 'faults'"):
        policy.load(repository / "verify.toml")


def test_what_is_dumped_assumes_the_same_locks(tmp_path: Path) -> None:
    path, again = tmp_path / "a.toml", tmp_path / "b.toml"
    path.write_text(SPEC.format(more="readers_pass = true"))
    again.write_text(spec.dump(loaded := spec.load(path)))
    assert loaded.strategy("mine").readers_pass
    assert spec.load(again) == loaded


def test_pruning_follows_no_link(tmp_path: Path) -> None:
    place, home = tmp_path / "cache", tmp_path / "home"
    (home / "documents").mkdir(parents=True)
    place.mkdir()
    (place / "lake").symlink_to(home)
    assert cache.prune(place, now=4e9) == 0
    assert (home / "documents").is_dir()


def test_what_cannot_start_refutes_nothing() -> None:
    program = "import sys; sys.modules['click'] = None\nfrom verify.__main__ import main\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{program}sys.exit(main())"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "click" in done.stderr
    script = re.search(r'^verify = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert script is not None and script[1] == "verify.__main__:main"


def test_completion_for_an_unknown_shell_refutes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_VERIFY_COMPLETE", "nosuch_source")
    assert cli.main() == 3


def test_the_policy_of_this_repository_names_theorems_that_exist() -> None:
    # Their names are taken, of course: a policy requires what is there and declares nothing.
    assert "safe_iff_criterion" in policy.load(ROOT / "verify.toml")[0].theorems
