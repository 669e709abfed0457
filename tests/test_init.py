"""`verify init`, shell completion, and help that shows how."""

from __future__ import annotations

import importlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from conftest import type_of_run

from verify import cli, render
from verify import spec as specs
from verify.gating import init, policy
from verify.verdict import Verdict

WORKFLOWS = {
    "github": (".github/workflows/verify.yml", "vendor.github-workflows"),
    "gitlab": (".gitlab-ci.yml", "vendor.gitlab-ci"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_schema(name: str, *files: Path) -> None:
    """Validate files with a schema that check-jsonschema carries."""
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", name]
    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in name else []
    done = subprocess.run([*program, *transform, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_init_writes_what_the_gate_reads(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"written": ["strategies.toml", "verify.toml"]}
    chosen, spec = policy.load(here / "verify.toml")
    assert chosen.spec == here / "strategies.toml"
    (strategy,) = spec.strategies
    assert strategy.claims.safe
    assert chosen.strategies == {strategy.name: ("safe", "parallel")}
    assert not chosen.off
    assert specs.load(here / "strategies.toml") == spec


def test_commands_take_the_spec_of_the_policy(here: Path) -> None:
    assert policy.spec_here() is None
    cli.run(["init", "--quiet"])
    (here / "a" / "b").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here / "a" / "b")
        assert policy.spec_here() == here / "strategies.toml"


def test_a_command_proves_the_spec_of_the_directory(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["init", "--quiet"])
    # Undetermined: with one encoder no two operations overlap.
    assert cli.run(["explore", "--engine", "python", "--encoders", "1", "--json"]) == 2
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["strategy"] for row in rows] == ["myGuard"]


@pytest.mark.parametrize("name", ["strategies.toml", "verify.toml", ".gitlab-ci.yml"])
def test_init_replaces_nothing(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / name).write_text("mine")
    assert cli.run(["init", "--ci", "gitlab"]) == 3
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert f"{name}: exists; rename it, or replace it with --force" in printed.err
    assert [path.name for path in here.iterdir()] == [name]
    assert cli.run(["init", "--ci", "gitlab", "--force"]) == 0
    assert (here / name).read_text() != "mine"


def test_init_follows_no_link(here: Path, tmp_path: Path) -> None:
    (here / "verify.toml").symlink_to(tmp_path / "elsewhere")
    assert cli.run(["init", "--force"]) == 3
    assert not (tmp_path / "elsewhere").exists()


def test_init_writes_all_or_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".github").write_text("a file where a directory has to be")
    assert cli.run(["init", "--ci", "github"]) == 3
    assert "nothing was written" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == [".github"]


@pytest.mark.parametrize("service", sorted(WORKFLOWS))
def test_workflows_are_valid(here: Path, service: str) -> None:
    assert cli.run(["init", "--quiet", "--ci", service]) == 0
    file, schema = WORKFLOWS[service]
    check_schema(schema, here / file)


def test_the_schema_check_can_fail(here: Path) -> None:
    (here / "bad.yml").write_text("on: push\njobs:\n  x:\n    runs_on: y\n")
    with pytest.raises(AssertionError):
        check_schema("vendor.github-workflows", here / "bad.yml")


def test_pre_commit(here: Path) -> None:
    yaml = importlib.import_module("ruamel.yaml")  # with check-jsonschema
    assert cli.run(["init", "--quiet", "--ci", "pre-commit"]) == 0
    ours = yaml.YAML(typ="safe").load(here / ".pre-commit-config.yaml")
    (hook,) = ours["repos"][0]["hooks"]
    words = hook["entry"].split()
    assert words[0] == "verify"
    # The command line is one that the gate takes.
    command = cli.group.get_command(click.Context(cli.group), words[1])
    assert command is not None
    command.make_context("gate", words[2:])


def test_every_file_of_init_is_tested() -> None:
    assert set(init._WORKFLOWS) == {*WORKFLOWS, "pre-commit"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(verify: type_of_run, shell: str) -> None:
    done = verify("completion", shell)
    assert done.returncode == 0
    assert "_VERIFY_COMPLETE" in done.stdout
    direct = verify(_VERIFY_COMPLETE=f"{shell}_source")
    assert done.stdout.strip() == direct.stdout.strip()


def test_completion_knows_options_and_files(verify: type_of_run) -> None:
    done = verify(_VERIFY_COMPLETE="bash_complete", COMP_WORDS="verify gate --ju", COMP_CWORD="2")
    assert done.stdout == "plain,--junit\n"


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_help_has_examples_that_are_valid(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([name, "--help"]) == 0
    text = capsys.readouterr().out
    _, _, end = text.partition("Examples:\n")
    examples = re.findall(r"^ +verify (\S+.*?)(?:  .*| > .*)?$", end, re.MULTILINE)
    assert examples
    assert any(words.split()[0] == name for words in examples)
    for line in examples:
        first, *rest = line.split()
        command = cli.group.get_command(click.Context(cli.group), first)
        assert command is not None, line
        if "--help" in rest:
            continue
        with command.make_context(first, rest) as context:  # parses; a wrong line is an exception
            if isinstance(command, click.Group):
                assert command.get_command(context, rest[0]) is not None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_color(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.setenv("NO_COLOR", no_color)
    render.table(["verdict"], [[Verdict.PROVED]])
    assert ("\x1b[32m" in terminal.getvalue()) is (no_color == "")


def test_our_own_workflow_action_and_hook_are_valid() -> None:
    root = Path(__file__).resolve().parent.parent
    check_schema("vendor.github-workflows", *sorted((root / ".github/workflows").glob("*.yml")))
    check_schema("vendor.github-actions", root / "action.yml")
    yaml = importlib.import_module("ruamel.yaml").YAML(typ="safe")
    # A hook's entry and an action's command line are ones that the gate takes.
    (hook,) = yaml.load(root / ".pre-commit-hooks.yaml")
    assert hook["entry"].split()[:2] == ["verify", "gate"]
    action = yaml.load(root / "action.yml")
    lines = " ".join(step.get("run", "") for step in action["runs"]["steps"])
    gate = cli.group.get_command(click.Context(cli.group), "gate")
    assert gate is not None
    known = {option for param in gate.params for option in param.opts}
    assert set(re.findall(r"--(?:only|junit|sarif)\b", lines)) <= known
    for entry in (hook["entry"].split()[2:],):
        gate.make_context("gate", list(entry))


def test_examples_of_the_documentation_are_valid(here: Path) -> None:
    text = (Path(__file__).resolve().parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    cli.run(["init", "--quiet"])
    (here / "verify.toml").write_text(example)
    chosen, _ = policy.load(here / "verify.toml")
    assert chosen.off == {"mutate": "takes too long on our runners"}
    # What it shows as defaults are the defaults.
    shown, default = chosen, policy.Policy()
    for name in ("engine", "axioms", "threads", "encoders", "budget", "clients", "seed", "limits"):
        assert getattr(shown, name) == getattr(default, name), name
    github, gitlab, _ = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (here / "github.yml").write_text("on: push\n" + github)
    (here / "gitlab.yml").write_text(gitlab)
    check_schema("vendor.github-workflows", here / "github.yml")
    check_schema("vendor.gitlab-ci", here / "gitlab.yml")
