"""How the cost of a search grows: the native engine and SPIN side by side, as a Markdown table.

Both search the same instance without reduction, one after the other in the same run.  pan is
compiled with -O2 -DSAFETY -DNOREDUCE, and its hash table has a slot for each state: the native
engine, which runs first, has counted them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from verify import cxx, explore_native, explore_source, promela
from verify.children import run_child
from verify.explore_native import Performance
from verify.files import save_file
from verify.promela import NoSpinError, SpinResult
from verify.question import UNLIMITED, Limits, Question
from verify.semantics import Bounds
from verify.spec import Environment, Strategy

SIZES = ((2, 1, 2), (2, 2, 2), (2, 2, 3), (2, 2, 4), (3, 1, 4), (3, 2, 3), (3, 2, 4), (3, 2, 5))
"""Threads, encoders and blocks; the last one has more than 10^8 states."""

_ENOUGH = 1_000_000
"""Below this many states the time is that of starting."""


@dataclass(frozen=True)
class Point:
    """One instance.

    Attributes:
        bounds: Its size.
        native, reduced: The cost without and with symmetry reduction.
        edges: Without reduction.
        spin: None if it is not installed.
        agree: Whether fault sets agree, and the numbers of states where both saw all.
    """

    bounds: Bounds
    native: Performance
    reduced: Performance
    spin: SpinResult | None
    agree: bool


def measure(
    strategy: Strategy,
    env: Environment,
    limits: Limits,
    sizes: Iterable[tuple[int, int, int]] = SIZES,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Point]:
    """Search growing instances until one is too large for both engines.

    Args:
        strategy, env: What is searched.
        limits: Of each search.
        sizes: Of the instances.
        progress: Told what is being searched.

    Raises:
        VerifyError: If an engine fails; `NoCompilerError` if there is no compiler.
    """
    points = []
    for size in sizes:
        bounds = Bounds(*size)
        progress(f"{bounds}: native")
        native, reduced = Performance(), Performance()
        question = Question(strategy.scheme, env, instances=[bounds], limits=limits)
        found = explore_native.explore(question, traces=False, performance=native)
        classes = explore_native.explore(
            replace(question, symmetry=True), traces=False, performance=reduced
        )
        progress(f"{bounds}: SPIN")
        spin = None
        bits = max(16, (native.states - 1).bit_length())
        with contextlib.suppress(NoSpinError):
            spin = promela.explore(question, hash_bits=bits)
        agree = found.faults == classes.faults
        if spin is not None and found.complete and spin.complete:
            agree = agree and (spin.states, spin.faults) == (found.states, found.faults)
        points.append(Point(bounds, native, reduced, spin, agree))
        if not found.complete and not (spin and spin.complete):
            break
    return points


def write(
    path: Path,
    strategy: Strategy,
    env: Environment,
    limits: Limits,
    progress: Callable[[str], None] = lambda _: None,
) -> bool:
    """Measure, and write the table.

    Returns:
        Whether the engines agree everywhere.

    Raises:
        VerifyError: If an engine fails or the file cannot be written.
    """
    points = measure(strategy, env, limits, progress=progress)
    save_file(path, table(points, strategy, env, limits))
    return all(point.agree for point in points)


def table(points: list[Point], strategy: Strategy, env: Environment, limits: Limits) -> str:
    """The Markdown text."""
    time = f" and {limits.seconds:g} s" if limits.seconds < UNLIMITED.seconds else ""
    lines = [
        "# Growth of the exhaustive search",
        "",
        f"Written by `verify explore --growth`: `{strategy.name}` in `{env.name}`, each search "
        f"with at most {limits.memory / 2**30:g} GiB{time}. {_machine()}",
        "",
        "Seconds are those that the engines report of their searches, without compiling. Memory is "
        "the peak of the hash table and the queues (native), and the states and the hash table by "
        "pan's own account, without its stack (SPIN). *Reduced* is the native engine with "
        "`--symmetry`.",
        "",
        "| threads, encoders, blocks | states | edges | native s | M states/s | B/state | "
        "SPIN s | M states/s | B/state | speed-up | classes | reduced s | reduction |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(point) for point in points),
        "",
        *(_verdict(points)),
        "",
    ]
    return "\n".join(lines)


def _row(point: Point) -> str:
    native, spin, reduced = point.native, point.spin, point.reduced
    bounds = point.bounds
    cells = [f"{bounds.threads}, {bounds.encoders}, {bounds.blocks}"]
    cells += [f"{_mark(native)}{native.states:,}", f"{native.edges:,}"]
    cells += _cost(native.states, native.seconds, native.bytes)
    if spin is None:
        cells += ["-"] * 4
    else:
        cells += _cost(spin.states, spin.seconds, spin.state_bytes)
        if not spin.complete:
            cells[-3] = f"stopped at {spin.states:,} states after {cells[-3]}"
        cells.append(_ratio(native, spin) if native.states >= _ENOUGH else "")
    cells += [f"{_mark(reduced)}{reduced.states:,}", f"{reduced.seconds:.2f}"]
    complete = not _mark(native) + _mark(reduced)
    cells.append(f"{native.states / reduced.states:.1f}" if complete else "")
    return f"| {' | '.join(cells)} |"


def _mark(cost: Performance) -> str:
    return "more than " if cost.out_of_memory or cost.out_of_time else ""


def _cost(states: int, seconds: float, size: int) -> list[str]:
    if states < _ENOUGH:
        return [f"{seconds:.2f}", "", ""]
    return [f"{seconds:.2f}", f"{states / seconds / 1e6:.2f}", f"{size / states:.1f}"]


def _ratio(native: Performance, spin: SpinResult) -> str:
    return f"{native.states / native.seconds / (spin.states / spin.seconds):.1f}"


def _verdict(points: list[Point]) -> list[str]:
    """What the table shows, in words."""
    lines = []
    both = [
        p for p in points if p.spin is not None and p.spin.complete and p.native.states >= _ENOUGH
    ]
    if both:
        ratios = [
            p.native.states / p.native.seconds / (p.spin.states / p.spin.seconds)
            for p in both
            if p.spin is not None
        ]
        lines.append(
            f"Native throughput is {min(ratios):.1f} to {max(ratios):.1f} times SPIN's where both "
            f"searched at least {_ENOUGH:,} states to the end."
        )
    agree = all(point.agree for point in points)
    lines.append(
        "Fault sets and numbers of states agree in every row."
        if agree
        else "**The engines disagree**: see the rows."
    )
    stopped = [p for p in points if p.native.out_of_memory or p.native.out_of_time]
    for point in stopped[:1]:
        what = "memory" if point.native.out_of_memory else "time"
        lines.append(f"The native engine stopped at {point.bounds}: the limit on {what} was hit.")
    # A table of 2^k words takes 2^(k+1) more to grow, and is at most three quarters full.
    words = 1 << 16
    while 3 * 8 * words < 24 << 30:
        words *= 2
    lines.append(
        "The table of states doubles when it is three quarters full, and both tables are needed "
        f"meanwhile, beside the queues: in 24 GiB it stops at {words * 3 // 4:,} states. A state "
        f"must fit {explore_source.MAX_BITS} bits."
    )
    return lines


def _machine() -> str:
    """Facts about this machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = [
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})",
        f"{memory:.0f} GiB of memory",
        (cxx.compiler().version.splitlines() or ["C++"])[0].strip(),
    ]
    if shutil.which("spin"):
        facts.append(_first_line("spin", "-V"))
    load = os.getloadavg()[0]
    return f"Machine: {', '.join(facts)}; load average at the end {load:.1f}."


def _first_line(program: str, option: str = "--version") -> str:
    done = run_child([program, option], timeout=30)
    return (done.stdout.splitlines() or [program])[0].strip()
