"""Child processes that do not outlive their parent: run to their end, or to a time limit."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TIE: Final = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL: kept by exec
if os.getppid() != int(sys.argv[1]):
    os._exit(137)  # the parent was gone before
try:
    os.execv(sys.argv[2], sys.argv[3:])
except OSError as error:
    print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)
    os._exit(126)  # NOT_STARTED
"""

NOT_STARTED: Final = 126
"""The exit code where the system cannot run the program, as a shell's; the reason is on standard
error."""


def tied(command: Sequence[str]) -> list[str]:
    """The command line of a child that the kernel ends when its parent ends, however that ends.

    To be started by the thread that waits for the child: Linux goes by the thread.  Elsewhere the
    command is returned as it is, and a parent that is killed leaves its children behind.

    Args:
        command: Program and arguments.

    Raises:
        OSError: There is no such program.
    """
    if sys.platform != "linux":
        return list(command)
    # Looked up here, for the tie starts in any case.
    program = shutil.which(command[0])
    if program is None:
        code = errno.EACCES if Path(command[0]).exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), command[0])
    tie = [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid())]
    return [*tie, str(Path(program).absolute()), *command]


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, with which CI services cancel a job, and SIGHUP end the program in order.

    Child processes and scratch directories go with it.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as under nohup
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command_line(executable: Path, arguments: Mapping[str, object]) -> list[str]:
    """The command line of a program of ours, which takes `NAME=VALUE`."""
    return [str(executable), *(f"{name}={value}" for name, value in arguments.items())]


@dataclass(frozen=True)
class Completed:
    """A child process that ended.

    Attributes:
        returncode: Exit code; minus the signal's number when a signal ended it.
        seconds: Wall time.
        peak_mb: Peak resident memory in MB (10^6 bytes).
        timed_out: Whether it was killed for its time limit.
    """

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    peak_mb: float
    timed_out: bool

    def failure(self) -> str | None:
        """Why the process itself failed (not what it reported), or None."""
        if self.timed_out:
            return f"killed at its time limit after {self.seconds:.0f} s"
        if self.returncode < 0:
            return f"killed by {signal_name(-self.returncode)}"
        return None

    @property
    def last_line(self) -> str:
        """The last line on standard error."""
        return (self.stderr.strip().splitlines() or ["no message"])[-1]


def signal_name(number: int) -> str:
    """The name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Children:
    """Running children, so that an interruption ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()

    def add(self, pid: int) -> None:
        with self._lock:
            self._running.add(pid)

    def discard(self, pid: int) -> None:
        with self._lock:
            self._running.discard(pid)

    def kill(self, pid: int) -> bool:
        """Kill a child's process group unless it has been reaped (its id may be reused then)."""
        with self._lock:
            if pid not in self._running:
                return False
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True

    def kill_all(self) -> None:
        for pid in tuple(self._running):
            self.kill(pid)


def run_child(
    command: Sequence[str],
    *,
    timeout: float,
    stdin: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    children: Children | None = None,
) -> Completed:
    """Run a command in a process group of its own, its output captured completely.

    It ends with this process, however that ends (see `children.tied`).

    Output goes to temporary files, not pipes: lean hangs on a pipe that nobody reads.

    Args:
        timeout: Seconds after which the group is killed.
        children: Registers the child while it runs.

    Raises:
        OSError: The command cannot be started.
    """
    children = children or Children()
    start = time.monotonic()
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        if stdin is not None:
            source.write(stdin.encode())
            source.seek(0)
        process = subprocess.Popen(
            tied(command),
            stdin=source,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=environment,
            start_new_session=True,
        )
        children.add(process.pid)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            children.kill(process.pid)

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # an interruption: leave no child behind
            children.kill(process.pid)
            process.wait()
            raise
        finally:
            timer.cancel()
            children.discard(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        # ru_maxrss is in KiB on Linux, in bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return Completed(
            process.returncode,
            texts[0],
            texts[1],
            time.monotonic() - start,
            usage.ru_maxrss * unit / 1e6,
            expired.is_set() and process.returncode == -signal.SIGKILL,
        )
