"""Questions about the compiled modules of a project, answered in a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verify.children import run_child
from verify.engines.base import Build
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

TIMEOUT = 120.0
"""Seconds for a child process."""


def build(engine: EmbeddedEngine, root: Path, module: str) -> Build:
    """A module and all that it imports, compiled.

    Raises:
        VerifyError: One of them does not compile.
    """
    made = engine.build(root, [module])
    if not made.ok:
        bad = next((m.module for m in made.modules if not m.ok), module)
        raise VerifyError(f"{bad}: does not compile, so nothing is known of what is in it")
    return made


def ask(engine: EmbeddedEngine, program: str, request: Mapping[str, object]) -> Any:
    """What a program beside this one answers.

    Args:
        engine: Its library is the program's argument.
        program: The name of the file.
        request: What it reads.

    Raises:
        VerifyError: It failed.
    """
    path = Path(__file__).with_name(program)
    command = [sys.executable, "-P", str(path), str(engine.library.path)]
    done = run_child(command, timeout=TIMEOUT, stdin=json.dumps(request))
    if done.returncode != 0:
        raise VerifyError(f"{path.stem}: {done.failure() or done.last_line}")
    return json.loads(done.stdout.splitlines()[-1])
