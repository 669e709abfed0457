"""The guard on Metal itself, with the driver's own crashes as the oracle.  Untried on a Mac.

The program `mpsv_metal` is built apart (`python -m verify.macos DIR --metal-cpp PATH`); a macOS
wheel may carry it.  Every run is a process of its own.  Half of them have Metal's debug layer
(`MTL_DEBUG_LAYER=1`), whose failed assertions abort the process: that is a crash as well.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from verify import answers, resources
from verify import spec as specs
from verify.children import NOT_STARTED, command_line, run_child, signal_name
from verify.errors import EngineMissing, VerifyError
from verify.records.stress import MetalRow, MetalRun
from verify.spec import Strategy

NAME = "mpsv_metal"
NO_METAL = 5
OPERATIONS = 2000
"""Of each thread, in one run."""
SEEDS = 2
"""That are tried in each arm at least, whatever the budget."""
CONTROL_SEEDS = 8
"""That are tried at most until a run without the guard crashes."""
HANG = 120.0
"""Seconds after which a run counts as hung."""

CRASHES = {
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGTRAP", "SIGFPE", "SIGSYS")
    if hasattr(signal, name)
}
"""What a process does to itself; any other signal came from outside and shows nothing."""

_GUARD = "mps-verify guard: "  # how native/core/guard.cpp begins what it says before it aborts
_COUNTS = ("intercepted", "operations", "calls", "skipped", "contentions")


def program() -> Path:
    """`mpsv_metal`: the one that `MPSV_METAL` names, or the one that came with a macOS wheel.

    Raises:
        EngineMissing: There is none.
    """
    if given := os.environ.get("MPSV_METAL"):
        path = Path(given)
        if not os.access(path, os.X_OK) or not path.is_file():
            raise EngineMissing(
                f"MPSV_METAL: {given} is no executable file; name the {NAME} of verify.macos"
            )
        return path.absolute()
    shipped = resources.root() / "lib" / NAME
    if sys.platform == "darwin" and shipped.is_file():
        return shipped
    remedy = "use --driver fake or vulkan here"
    if sys.platform == "darwin":
        remedy = f"let MPSV_METAL name the {NAME} of python -m verify.macos DIR --metal-cpp PATH"
    raise EngineMissing(f"the metal driver needs macOS and the program {NAME}; {remedy}")


class MetalDriver:
    """The campaign on Metal.

    Args:
        threads: That share the encoders.
        seed: Of their choices.

    Raises:
        EngineMissing: There is no program.
    """

    def __init__(self, threads: int, seed: int) -> None:
        self.threads, self.seed = threads, seed
        self.executable = program()
        self._known = {strategy.name: strategy.scheme for strategy in specs.load().strategies}
        self._control: MetalRun | None = None

    def run(self, strategy: Strategy, seconds: float, note: Callable[[str], None]) -> MetalRow:
        """Both arms of one strategy, and the control.

        Args:
            strategy: What the guard does.
            seconds: About how long; each arm tries `SEEDS` seeds even so.
            note: Told what is being done.

        Raises:
            EngineMissing: There is no Metal here, or the program has another such strategy.
            VerifyError: The program failed, or the guard was not in place.
        """
        if self._known.get(strategy.name) != strategy.scheme:
            raise EngineMissing(
                f"{NAME} is built from the shipped spec, whose {strategy.name} is another one; "
                "choose shipped strategies with --strategy"
            )
        start = time.monotonic()
        row = MetalRow(strategy.name, strategy.claims.safe)
        note("installing the guard")
        row.intercepted = min(self._installed(strategy, debug) for debug in (False, True))
        if self._control is None:
            note("control arm")
            self._control = self._run_control(strategy, start + seconds / 2)
        row.control = self._control
        note("guarded")
        arms = (row.plain, row.debug_layer)
        for attempt, debug in _attempts(SEEDS, start + seconds):
            self._run(arms[debug], strategy, self.seed + attempt, debug, guarded=True)
            if arms[debug].flagged:
                break
        row.seconds = time.monotonic() - start
        _judge(row)
        return row

    def _installed(self, strategy: Strategy, debug: bool) -> int:
        """How many methods the guard intercepts.  A run that crashes can no longer say it."""
        run = MetalRun()
        intercepted = self._run(run, strategy, self.seed, debug, guarded=True, operations=0)
        if run.flagged:
            raise VerifyError(
                f"{self.executable}: fails before it does anything: {run.first}; build it again"
            )
        return intercepted

    def _run_control(self, strategy: Strategy, deadline: float) -> MetalRun:
        total = MetalRun()
        for attempt, debug in _attempts(SEEDS, deadline):
            self._run(total, strategy, self.seed + attempt, debug, guarded=False)
            if total.flagged or attempt + 1 >= CONTROL_SEEDS:
                break
        return total

    def _run(
        self, total: MetalRun, strategy: Strategy, seed: int, debug: bool, guarded: bool,
        operations: int = OPERATIONS,
    ) -> int:  # fmt: skip
        """One run, added to `total`; returns the number of methods that were intercepted."""
        words = {
            "strategy": strategy.name, "threads": self.threads, "operations": operations,
            "seed": seed, "guarded": int(guarded),
        }  # fmt: skip
        counts = run_once(self.executable, total, words, debug)
        if counts is None:
            return 0
        if guarded and (counts["intercepted"] < 1 or (operations and counts["calls"] < 1)):
            raise VerifyError(
                f"{self.executable}: the guard is not installed: {counts['intercepted']} methods "
                f"intercepted, {counts['calls']} calls guarded; see verify audit"
            )
        if not guarded and counts["calls"]:
            raise VerifyError(
                f"{self.executable}: the control arm made {counts['calls']} guarded calls; "
                "build it again"
            )
        return counts["intercepted"]


def _attempts(least: int, deadline: float) -> Iterator[tuple[int, bool]]:
    """Numbers of seeds, each without and with the debug layer, until the time is over."""
    attempt = 0
    while attempt < least or time.monotonic() < deadline:
        yield attempt, False
        yield attempt, True
        attempt += 1


def _judge(row: MetalRow) -> None:
    wrong, undecided = [], []
    arms = (("", row.plain), (" (debug layer)", row.debug_layer))
    for name, arm in arms:
        # No strategy is claimed to deadlock: a cycle of locks is no catch of an unsafe one.
        if arm.gave_up or (row.claim_safe and arm.flagged):
            wrong.append(f"{arm.first}{name}")
    caught = any(arm.signals or arm.hangs for _, arm in arms)
    if not row.claim_safe and not caught:
        undecided.append(f"nothing was found in {row.operations} operations")
    if row.operations < 1 and not caught and not wrong:
        undecided.append("no operation was done")
    if not row.control.flagged:
        undecided.append("the control arm without the guard shows nothing")
    row.judge(wrong, undecided)


def run_once(
    executable: Path, total: MetalRun, arguments: dict[str, object], debug: bool
) -> dict[str, int] | None:
    """Run the program in a process of its own and add what it showed.

    Args:
        executable: `mpsv_metal`.
        total: What it is added to.
        arguments: `native/mains/metal.cpp` has their names.
        debug: With Metal's debug layer.

    Returns:
        Its counts; None if it crashed or hung.

    Raises:
        EngineMissing: There is no Metal here, or the program is for another machine.
        VerifyError: The program failed, or its output is no such counts.
    """
    total.runs += 1
    seed = arguments["seed"]
    try:
        done = run_child(
            command_line(executable, arguments), timeout=HANG, environment=_environment(debug)
        )
    except OSError as error:
        raise _cannot_run(executable, error.strerror or str(error)) from None
    if done.timed_out:
        total.hangs += 1
        total.first = total.first or f"seed {seed} hung: no end after {HANG:g} s"
        return None
    said = done.last_line[:300]
    if done.returncode == NOT_STARTED:
        raise _cannot_run(executable, said.removeprefix(f"{executable}: "))
    if done.returncode == NO_METAL:
        raise EngineMissing(f"Metal cannot run here: {said}; use a Mac with a GPU")
    if done.returncode < 0:
        _crashed(
            executable, total, -done.returncode, f"seed {seed}", done.stderr.strip().splitlines()
        )
        return None
    counts = _counts(done.stdout) if done.returncode == 0 else None
    if counts is None:
        raise VerifyError(
            f"{executable}: ended with {done.returncode} and no counts: {said}; build it again"
        )
    total.operations += counts["operations"]
    total.calls += counts["calls"]
    total.skipped += counts["skipped"]
    total.contentions += counts["contentions"]
    return counts


def _crashed(
    executable: Path, total: MetalRun, number: int, seed: str, lines: Sequence[str]
) -> None:
    name = signal_name(number)
    if number not in CRASHES:
        raise VerifyError(f"{executable}: was ended from outside by {name}; run it again")
    own = [line for line in lines if line.startswith(_GUARD)]
    if number == signal.SIGABRT and own:
        total.gave_up += 1
    else:
        total.signals[name] = total.signals.get(name, 0) + 1
    said = [*own, *reversed(lines), "no message"][0][:300]
    total.first = total.first or f"{seed} crashed with {name}: {said}"


def _cannot_run(executable: Path, why: str) -> EngineMissing:
    return EngineMissing(
        f"{executable}: cannot be run: {why}; build it for this machine with python -m verify.macos"
    )


def _counts(text: str) -> dict[str, int] | None:
    """The counts that the program printed; None if that is something else."""
    try:
        data: Any = answers.loads(text)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    counts: dict[str, Any] = {name: data.get(name) for name in _COUNTS}
    return counts if all(type(count) is int and count >= 0 for count in counts.values()) else None


def _environment(debug: bool) -> dict[str, str]:
    """This process's environment, without what would change or guard the program."""
    changing = ("MPSV_GUARD_", "MTL_", "DYLD_INSERT_LIBRARIES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(changing)}
    return kept | ({"MTL_DEBUG_LAYER": "1"} if debug else {})
