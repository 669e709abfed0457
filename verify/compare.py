"""`verify compare`: the verdicts of the independent oracles side by side.

The proof speaks of the model; the scheduler runs the real guard and the fake driver through every
interleaving within bounds; ThreadSanitizer watches free-running threads; Vulkan's validation layer
watches a real GPU API.  They need not say the same: each difference is explained from the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from verify import options
from verify import spec as specs
from verify.errors import EngineMissing
from verify.prove import Result, choose_engine, prove
from verify.records.compare import Compared, Comparison
from verify.records.stress import VulkanRow
from verify.render import print_json, printable, progress, table
from verify.spec import FAULTS
from verify.stress import FakeDriver, Row
from verify.verdict import Verdict, combine
from verify.vulkan import VulkanDriver


def compare(
    name: str, lean: tuple[str, ...] | None, stress: Row, vulkan: VulkanRow | None
) -> Compared:
    """Put the oracles' words about one strategy together and explain how they differ.

    Args:
        name: The strategy.
        lean: Its exact fault set as proved; None if that was not decided.
        stress: What the fake driver showed.
        vulkan: What Vulkan showed; None if it is not there.
    """
    recorded = stress.recorded.faults.get("default", ())
    seen = {*stress.scheduled.faults, *stress.campaign.faults, *stress.free.faults, *recorded}
    scheduled = tuple(fault for fault in FAULTS if fault in seen)
    races = None if stress.races is None else stress.races.races
    flagged = vulkan is not None and vulkan.own_pools.flagged
    notes = []
    if lean is not None:
        impossible = [fault for fault in scheduled if fault not in lean]
        unseen = [fault for fault in lean if fault not in scheduled]
        if impossible:
            notes.append(f"CONFLICT: proved impossible, yet seen: {', '.join(impossible)}")
        if unseen and not scheduled:
            notes.append("CONFLICT: proved unsafe, and no schedule within the bounds shows it")
        elif unseen:
            notes.append(f"reachable, not met within the bounds: {', '.join(unseen)}")
        if not lean and races:
            notes.append("CONFLICT: proved safe, and ThreadSanitizer reports races")
        if not lean and flagged:
            notes.append("CONFLICT: proved safe, and the validation layer reports misuse")
    if scheduled == ("encoderOverlap",):
        notes.append("nothing is ever NULL: only a race detector or the overlap count sees it")
    if scheduled and races == 0:
        notes.append("every access is under the right lock: no race, only a context that is gone")
    if scheduled and vulkan is not None and not flagged:
        notes.append("the validation layer met no overlap in its time")
    words = None if vulkan is None else str(vulkan.own_pools)
    return Compared(name, lean, scheduled, races, words, tuple(notes))


def _proved(result: Result) -> Mapping[str, tuple[str, ...] | None]:
    return {row.strategy.name: row.faults.get("default") for row in result.rows}


@click.command("compare")
@options.spec
@click.option("--seconds", type=options.Finite(1, 3600), default=2, show_default=True,
              help="For each strategy and native oracle.")  # fmt: skip
@options.json_output
@options.quiet
def command(spec: Path | None, seconds: float, json_output: bool, quiet: bool) -> Verdict:
    """Show what the proof, the scheduler, ThreadSanitizer and Vulkan say, side by side.

    Exit code 0 if no two of them contradict each other, 1 if two do, 2 if one of them could not
    be asked.
    """
    loaded = specs.load(spec)
    quiet = quiet or json_output
    progress("proving", quiet)
    proved = _proved(prove(spec, choose_engine("embedded")))
    progress("building the native part (once)", quiet)
    fake = FakeDriver(loaded, threads=4, seed=1)
    vulkan: VulkanDriver | None = None
    no_vulkan = ""
    lines = []
    try:
        vulkan = VulkanDriver(loaded, threads=4, seed=1)
    except EngineMissing as missing:
        no_vulkan = str(missing)
    for strategy in loaded.strategies:
        progress(strategy.name, quiet)
        row = fake.run(strategy, seconds, lambda _: None)
        found: VulkanRow | None = None
        if vulkan is not None:
            try:
                found = vulkan.run(strategy, seconds, lambda _: None)
            except EngineMissing as missing:
                vulkan, no_vulkan = None, str(missing)
        lines.append(compare(strategy.name, proved.get(strategy.name), row, found))
    verdict = combine(line.verdict for line in lines)
    if json_output:
        print_json(Comparison(verdict, verdict.exit_code, no_vulkan, tuple(lines)))
        return verdict
    table(
        ["strategy", "proved (exact)", "schedules and free runs", "races", "Vulkan", "differences"],
        [
            [
                line.strategy, _set(line.lean), _set(line.scheduled), line.races, line.vulkan,
                "; ".join(line.notes),
            ]
            for line in lines
        ],
    )  # fmt: skip
    if no_vulkan:
        click.echo(f"no Vulkan: {printable(no_vulkan)}")
    return verdict


def _set(faults: Sequence[str] | None) -> str:
    if faults is None:
        return "not decided"
    return ", ".join(faults) or "safe"
