"""The command line: `verify COMMAND`.

Exit codes: 0 all as claimed, 1 a claim refuted, 2 undetermined, 3 error (usage errors and uncaught
exceptions too), 130 interrupted.  A command returns a `Verdict`, an exit code, or None for 0;
nothing but `run` turns that into the exit code of the process.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import click

from verify import options
from verify.errors import VerifyError
from verify.verdict import Verdict

PROGRAM = "verify"
_COMPLETE = "_VERIFY_COMPLETE"
_INTERRUPTED = 130
_READER_GONE = 141
"""What a shell says of a program that a broken pipe ended, and no verdict."""


class _Entry(NamedTuple):
    """Where a command is defined (`module:function`, a click command) and what it does."""

    target: str
    help: str


# A module is imported when its command runs, so `verify --help` costs click and nothing else
# (which is why `_Entry` is no dataclass).
COMMANDS = {
    "prove": _Entry("verify.cli:prove", "Prove every claim of the spec in Lean."),
    "explain": _Entry("verify.explain:command", "Say why a strategy is safe or not."),
    "explore": _Entry(
        "verify.explore_cli:command", "Search every reachable state within bounds, for every fault."
    ),
    "generate": _Entry("verify.generate:command", "Write the Lean modules that the spec implies."),
    "stress": _Entry("verify.stress:command", "Run the real guard against its model."),
    "crosscheck": _Entry(
        "verify.crosscheck:command", "Drive the guard along the model, and replay its runs in Lean."
    ),
    "bench": _Entry("verify.bench.cli:command", "Measure a device, the guard and the limits."),
    "compare": _Entry("verify.compare:command", "Show what the oracles say, side by side."),
    "audit": _Entry("verify.audit_selectors:command", "Say what the guard intercepts."),
    "mutate": _Entry(
        "verify.mutation.command:command", "Change one thing at a time; every side must see it."
    ),
    "replay": _Entry("verify.replay:command", "Let Lean's kernel accept or reject a trace."),
    "init": _Entry("verify.gating.init:command", "Write a spec and a policy for your guard."),
    "gate": _Entry("verify.gating.command:command", "Judge a repository, for CI."),
    "bundle": _Entry("verify.gating.bundle:command", "Pack a report without user data."),
    "completion": _Entry("verify.gating.completion:command", "Print a shell's completion script."),
    "report": _Entry(
        "verify.reporting.command:command", "Make one page of everything that was recorded."
    ),
    "schema": _Entry("verify.records.command:command", "Print the JSON schema of a result."),
    "doctor": _Entry("verify.doctor:command", "Say what is installed, and how to get the rest."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, function = entry.target.partition(":")
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, click.Command), entry.target
        if command.epilog is None:
            from verify.examples import epilog

            command.epilog = epilog(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"mps-verify {version('mps-verify')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all as claimed, 1 a claim refuted, 2 undetermined, 3 error.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version and exit.",
)
def group() -> None:
    """Prove and test synchronisation strategies for a GPU driver's encoders."""


@click.command("prove", help=COMMANDS["prove"].help)
@options.spec
@options.engines
@click.option("--matrix", is_flag=True, help="Print the exact fault sets in every environment.")
@click.option("--anew", is_flag=True, help="Let the kernel judge again what it judged before.")
@options.json_output
@options.quiet
def prove(
    spec: Path | None, engine: str, matrix: bool, anew: bool, json_output: bool, quiet: bool
) -> Verdict | int | None:
    from verify.prove import prove_command

    return prove_command(
        spec=spec, engine=engine, json_output=json_output, quiet=quiet, matrix=matrix, anew=anew
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: What follows the program's name.

    Returns:
        The exit code.  Every error has been reported on standard error, in one line unless it is
        a defect of this program.
    """
    interrupts: list[int] = []

    def interrupt(number: int, _: object) -> None:
        # Kept as well: an exception that is raised inside a ctypes callback is lost, and a child
        # that the same key press ended looks like a compiler that fails.
        interrupts.append(number)
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupt) if main_thread else None
    try:
        code = _written(arguments)
    finally:
        if main_thread:
            signal.signal(signal.SIGINT, before)
    if interrupts and code != _INTERRUPTED:
        with contextlib.suppress(OSError):
            _report("interrupted", _INTERRUPTED)
        return _INTERRUPTED
    return code


def _written(arguments: Sequence[str]) -> int:
    """`run`, if nobody interrupts."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:  # also while an error was reported
        return _broken_stream(error)
    return code


def _run(arguments: Sequence[str]) -> int:
    """The exit code, if the output can be written."""
    json_output = False
    try:
        # Not click's own `main`: it ends usage errors with 2 and a closed pipe with 1, which
        # mean "undetermined" and "refuted" here.
        with group.make_context(PROGRAM, list(arguments)) as context:
            try:
                result = group.invoke(context)
            finally:
                json_output = bool(context.meta.get(options.JSON_META))
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    except SystemExit as done:  # a signal that the command has seen to
        code = done.code if isinstance(done.code, int) else 0
        return code if code > 128 else _report(f"ended with {done.code}", Verdict.ERROR.exit_code)
    except (click.Abort, KeyboardInterrupt, EOFError):
        return _report("interrupted", _INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Verdict.ERROR.exit_code
    except click.ClickException as error:
        usage = (
            error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else PROGRAM
        )
        told = VerifyError(f"{error.format_message()} (try '{usage} --help')")
        # Whatever comes after the wrong option has not been parsed.  The line is on standard error
        # as well, so a reader of standard output who has gone changes nothing.
        asked = json_output or "--json" in arguments
        return _told(told, asked and not _has_no_reader(sys.stdout))
    except VerifyError as error:
        return _told(error, json_output)
    except OSError:
        raise
    except Exception:
        import traceback  # not needed for anything that goes well

        traceback.print_exc()
        return _report(
            "internal error, please report the lines above with the command line",
            Verdict.ERROR.exit_code,
        )
    if isinstance(result, Verdict):
        return result.exit_code
    return result if isinstance(result, int) else 0


def _told(error: VerifyError, json_output: bool) -> int:
    """Report an error, with `--json` as an object too."""
    if json_output:
        from verify.render import print_json

        verdict = next(v for v in Verdict if v.exit_code == error.exit_code)
        print_json({"verdict": verdict.value, "error": str(error)})
    return _report(str(error), error.exit_code)


def _report(message: str, code: int) -> int:
    # Printable characters only, and one line: click quotes arguments as they were given.
    line = str(VerifyError(message))
    click.echo(f"{PROGRAM}: {line}", err=True)
    return code


def _broken_stream(error: OSError) -> int:
    """Report an error of the system; the output may be lost, so it is never a success.

    A reader who has gone away (`| head -1`) has seen enough: nobody needs to be told.
    """
    # A pipe to a child process breaks as well, and that is an error like any other.
    gone = isinstance(error, BrokenPipeError) and any(map(_has_no_reader, (sys.stdout, sys.stderr)))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python flushes once more at exit and would print a second message.
            with contextlib.suppress(io.UnsupportedOperation):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if gone:
        return _READER_GONE
    what = f"{error.filename}: " if error.filename is not None else ""
    with contextlib.suppress(OSError):
        _report(f"{what}{error.strerror or error}", Verdict.ERROR.exit_code)
    return Verdict.ERROR.exit_code


def _has_no_reader(stream: TextIO) -> bool:
    try:
        poll = select.poll()
        poll.register(stream, 0)
        return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))
    except (OSError, ValueError):
        return False


def _open_streams() -> None:
    """Open what the caller has closed (`>&-`): nobody listens, so the exit code says all.

    Otherwise the next file that is opened would get the number, and what is printed, or what a
    child prints, would go into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def main() -> int:
    """The console script.

    Returns:
        The exit code (see the module's text).
    """
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape, not a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIOWrapper
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        with contextlib.suppress(BrokenPipeError):
            # Click says 1 of a shell that it does not know; here that would be a refutation.
            failed = shell_complete(group, {}, PROGRAM, _COMPLETE, instruction)
            return Verdict.ERROR.exit_code if failed else 0
        return _READER_GONE
    return run(sys.argv[1:])
