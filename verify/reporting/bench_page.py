"""Recorded benches on a terminal and as a Markdown page, in the report's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from verify.bench.model import UNGUARDED
from verify.records.base import read
from verify.records.bench import Bench, Measured
from verify.render import note, table
from verify.reporting.benches import TITLES, figures, of_bench
from verify.reporting.blocks import Block, Cell, Folded, Heading, Section, Table, Text
from verify.reporting.command import sections_as_markdown

# The report that this project began with: operations a second at depths 1 and 32.
_SEED_SYNCHRONOUS, _SEED_PIPELINED = 4_349, 100_632

_LONG = 15
"""Rows of a folded table that a terminal does not show."""

_DEVICE = ("queue", "encoder", "create", "encode", "destroy", "wait", "execution")


def _typed(result: Mapping[str, Any]) -> Bench:
    found = read(Bench, result)
    found.check()
    return found


def show(result: Mapping[str, Any]) -> None:
    """Print the tables of one result.

    Args:
        result: As `verify.bench.experiments` returns it, or as a file holds it.
    """
    bench = _typed(result)
    note(f"{bench.kind}: {bench.command} on {bench.driver}, {bench.device_name}")
    _print(figures(bench))
    for check in bench.checks:
        note(f"{'ok' if check.ok else 'NOT OK'}: {check.name}: {check.text}")


def _print(blocks: Iterable[Block]) -> None:
    for block in blocks:
        if isinstance(block, Table):
            rows = [[cell.plain for cell in row] for row in block.rows]
            table(block.columns, rows, title=block.title)
        elif isinstance(block, Folded):
            note(block.title)
            _print(b for b in block.blocks if not isinstance(b, Table) or len(b.rows) <= _LONG)
        elif isinstance(block, Text | Heading):
            note(block.text)


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown page on results of one machine.

    Args:
        results: As `verify.bench.analysis.analyse` returns them.
    """
    benches = [_typed(result) for result in results]
    device = next((b for b in benches if b.command != "guard"), benches[0])
    sections = [Section("", "Device and method", list(_head(device)))]
    for bench in benches:
        title, lead = TITLES[bench.command]
        sections.append(Section("", title, of_bench(bench), lead))
    measured: dict[str, Bench] = {bench.command: bench for bench in benches if bench.measured}
    if measured.keys() >= {"scaling", "pipeline", "batch"}:
        sections.append(Section("", "The seed's claims", list(_seed(measured))))
    return f"# {device.device_name}\n\n{sections_as_markdown(sections).strip()}\n"


def _head(bench: Bench) -> Iterator[Block]:
    here, device = bench.environment, bench.device
    facts = {
        "device": f"{bench.device_name}, {device.get('details', '')}",
        "interface": device.get("api", ""),
        "processor": f"{here['processor']}, {here['cores']} cores, {here['system']}",
        "recorded": bench.recorded,
        **{name: device[name] for name in _DEVICE if name in device},
    }
    yield Table(["what", "value"], [[Cell(name), Cell(text)] for name, text in facts.items()])
    if "safety" in device:
        yield Text(f"{device['safety']}.")


def _seed(benches: Mapping[str, Bench]) -> Iterator[Block]:
    """The claims that this project began with, beside what was measured."""
    batch = [r for r in benches["batch"].rows if r.workload != "empty" and r.depth == 1]
    threaded = max((r for r in batch if r.batch == 1), key=_median)
    times = _times(max(batch, key=_median), threaded, 1)
    batched = _best(benches["batch"], "batch", threads=1, depth=1, queues="private")
    rows = {
        "8.84 times with 8 threads, 110 % of ideal": _best(
            benches["scaling"], "threads", depth=1, batch=1, queues="private"
        ),
        "23 times with depth 32, one thread": _best(
            benches["pipeline"], "depth", threads=1, batch=1, queues="private"
        ),
        "373 times: batches against threads": f"{times} the best number of threads; {batched}",
    }
    yield Table(["the seed's claim", "here"], [[Cell(k), Cell(v)] for k, v in rows.items()])
    yield Text(
        "More than ideal scaling is a base that was measured too slow; here the base is measured "
        "twice, in turns with everything else, and both must agree."
    )
    split = benches["pipeline"].split[0]
    wait = 1e6 / _SEED_SYNCHRONOUS - 1e6 / _SEED_PIPELINED
    yield Text(
        f"Pipelining replaces waits, so its factor is the cost of a wait. The seed's figures mean "
        f"{wait:.0f} us of waiting beside {1e6 / _SEED_PIPELINED:.0f} us of submission; here a "
        f"polling thread waits {split.total_us - split.submission_us:.1f} us beside "
        f"{split.submission_us:.1f} us. A thread that sleeps is woken late and gains more by "
        "pipelining; one that drains the queue gains by waiting once for many operations."
    )


def _median(row: Measured) -> float:
    return row.median


def _times(row: Measured, base: Measured, digits: int = 2) -> str:
    known = row.says and base.says
    return f"{row.median / base.median:.{digits}f} times" if known else "undetermined"


def _best(bench: Bench, over: str, **fixed: object) -> str:
    texts = []
    rows = [
        r
        for r in bench.rows
        if r.strategy == UNGUARDED
        and r.workload == bench.workloads[0].name
        and all(getattr(r, name) == value for name, value in fixed.items())
    ]
    for wait in dict.fromkeys(r.wait for r in rows):
        mine = [r for r in rows if r.wait == wait]
        base = next((r for r in mine if getattr(r, over) == 1), None)
        if base is not None and len(mine) > 1:
            best = max(mine, key=_median)
            texts.append(f"{_times(best, base)} with {over} {getattr(best, over)} (wait: {wait})")
    return "; ".join(texts)
