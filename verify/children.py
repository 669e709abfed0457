"""Child processes that do not outlive their parent."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Sequence
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
