"""`verify bench`: the commands."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from verify import options, resources
from verify.errors import EngineMissing, VerifyError
from verify.files import refuse_overwriting
from verify.verdict import Verdict, combine

_DRIVERS = ("cuda", "vulkan", "metal", "sim")


def _numbers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        numbers = sorted({int(word) for word in value.split(",")})
    except ValueError:
        numbers = []
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= 4096:
        raise click.BadParameter(f"{value!r} is no list of numbers; write for example 1,2,4")
    return tuple(numbers)


_COMMON: list[Callable[[Any], Any]] = [
    options.spec,
    click.option(
        "--strategy", "strategies", multiple=True,
        help="Only this one (or mutexSubmission, mutexOperation); may be repeated; 'none'.",
    ),
    click.option("--threads", callback=_numbers, metavar="N,N,...", help="How many threads."),
    click.option("--repetitions", type=click.IntRange(1, 1000), help="At least 10; by default 12."),
    click.option(
        "--time", "milliseconds", type=options.Finite(1, 60_000),
        help="Milliseconds of one measurement; by default 40.",
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="Of the order."),
    click.option("--quick", is_flag=True, help="A short run: less of everything but repetitions."),
    click.option(
        "--against", type=click.Path(path_type=Path), metavar="FILE",
        help="Fail on a slowdown beyond the spread, compared with this recorded result.",
    ),
    click.option(
        "--tolerance", type=options.Finite(0, 1), default=0.05, show_default=True,
        help="With --against: smaller slowdowns are none.",
    ),
    click.option(
        "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Record the result there, as JSON.",
    ),
    options.json_output,
    options.quiet,
]  # fmt: skip

_ON_A_DEVICE: list[Callable[[Any], Any]] = [
    click.option(
        "--driver", "drivers", multiple=True, type=click.Choice(_DRIVERS),
        help="Only this one; may be repeated; by default every one that can run here.",
    ),
    click.option("--data", type=click.IntRange(1, 1 << 24), help="Elements of one operation."),
    click.option("--kernel-iters", type=click.IntRange(0, 1 << 20), help="Its iterations."),
]  # fmt: skip
_DEPTHS = click.option(
    "--depths", callback=_numbers, metavar="N,N,...", help="Operations in flight."
)
_BATCHES = click.option(
    "--batches", callback=_numbers, metavar="N,N,...", help="Operations in one launch."
)


def _with(*parts: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for part in reversed(parts):
            for option in reversed(part):
                function = option(function)
        return function

    return decorate


@click.group("bench")
def command() -> None:
    """Measure a device, with the guard and without it, against its own limits.

    Exit codes: 0 measured; 1 wrong outputs, or slower than the baseline; 2 unreliable, or no
    device; 3 error.
    """


@command.command("scaling")
@_with(_ON_A_DEVICE, _COMMON)
def scaling(**given: Any) -> Verdict:
    """Threads 1 to 16: a shared queue, a queue each, every strategy on top."""
    return _bench("scaling", **given)


@command.command("pipeline")
@_with(_ON_A_DEVICE, [_DEPTHS], _COMMON)
def pipeline(**given: Any) -> Verdict:
    """Asynchronous submission: 1 to 32 operations in flight."""
    return _bench("pipeline", **given)


@command.command("batch")
@_with(_ON_A_DEVICE, [_BATCHES], _COMMON)
def batch(**given: Any) -> Verdict:
    """Many operations in one launch, against many threads."""
    return _bench("batch", **given)


@command.command("guard")
@_with(_COMMON)
def guard(**given: Any) -> Verdict:
    """Nanoseconds of one guarded call, beside raw lock primitives."""
    return _bench("guard", **given)


@command.command("show")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@options.spec
@options.json_output
@click.option("--markdown", is_flag=True, help="As one Markdown page, like those of docs/results.")
def show(files: tuple[Path, ...], spec: Path | None, json_output: bool, markdown: bool) -> Verdict:
    """The tables of recorded FILES, derived anew from what they measured."""
    from verify import spec as specs
    from verify.bench import record
    from verify.bench.analysis import analyse
    from verify.reporting import bench_page

    loaded = specs.load(spec)
    results = [analyse(result, loaded) for file in files for result in record.read(file)]
    verdict = combine(_verdict(result) for result in results)
    if json_output:
        _print_json(verdict, results)
    elif markdown:
        click.echo(bench_page.page(results), nl=False)
    else:
        for result in results:
            bench_page.show(result)
    return verdict


def _print_json(
    verdict: Verdict, results: list[dict[str, Any]], missing: Sequence[str] = (),
    slower: Sequence[Any] = (),
) -> None:  # fmt: skip
    from verify.bench.experiments import FORMAT
    from verify.render import print_json

    print_json(
        {
            "format": FORMAT,
            "verdict": verdict.value,
            "exit_code": verdict.exit_code,
            "missing": list(missing),
            "results": results,
            "slower": [s.__dict__ for s in slower],
        }
    )


def _bench(
    name: str, spec: Path | None, against: Path | None, tolerance: float, output: Path | None,
    json_output: bool, quiet: bool, drivers: tuple[str, ...] = (), **given: Any,
) -> Verdict:  # fmt: skip
    from verify import spec as specs
    from verify.bench import experiments, record
    from verify.bench.run import environment
    from verify.render import note, table
    from verify.reporting import bench_page

    refuse_overwriting(
        {"--output": output},
        {"the spec": spec or resources.shipped_spec(), "the file of --against": against},
    )
    loaded = specs.load(spec)
    plan = _plan(name, loaded, **given)
    if output is not None:
        record.writable(output)
    baseline = None if against is None else record.read(against)
    # A baseline is compared with its own drivers, unless others are asked for.
    drivers = drivers or tuple(
        dict.fromkeys(b["driver"] for b in baseline or () if b["command"] == name != "guard")
    )
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    with _bars(quiet or json_output) as bar, contextlib.ExitStack() as opened:
        devices: list[Any] = []
        if name == "guard":
            from verify.bench.devices import CallCosts

            devices.append(opened.enter_context(contextlib.closing(CallCosts(loaded))))
        else:
            for device in _open(drivers, loaded, missing):
                devices.append(opened.enter_context(contextlib.closing(device)))
        for device in devices if baseline is not None else ():
            head = {"command": name, "driver": device.name, "device": device.info}
            record.matching(
                {**head, "environment": environment()}, baseline or [], against or Path()
            )
        for device in devices:
            if name == "guard":
                results.append(experiments.guard(device, plan, device.info, bar))
            else:
                run = {"scaling": experiments.scaling, "pipeline": experiments.pipeline,
                       "batch": experiments.batch}[name]  # fmt: skip
                results.append(run(device, plan, loaded, bar))
    verdicts = [_verdict(result) for result in results]
    measured = any(result["kind"] == "measurement" for result in results)
    if not drivers and not measured:
        verdicts.append(Verdict.UNDETERMINED)
    regressions = []
    for result in results if baseline is not None and against is not None else ():
        found = record.compare(result, baseline or [], against or Path(), tolerance)
        regressions.append((result, found))
        verdicts.append(Verdict.REFUTED if found.slower else Verdict.PASSED)
    verdict = combine(verdicts)
    if output is not None:
        record.write(results, output)
    if json_output:
        _print_json(
            verdict, results, missing, [s for _, found in regressions for s in found.slower]
        )
        return verdict
    for result in results:
        bench_page.show(result)
    for line in missing:
        note(f"not measured: {line}")
    for result, found in regressions:
        note(
            f"against {against}: {result['command']} on {result['driver']}: "
            f"{found.compared} configurations compared, {len(found.slower)} slower"
            + (f", {found.missing} of the baseline not measured" if found.missing else "")
        )
        if found.slower:
            table(
                ["configuration", "before", "now", "unit", "slower by"],
                [
                    [s.key, f"{s.before:,.1f}", f"{s.now:,.1f}", s.unit, f"{s.share:.1%}"]
                    for s in found.slower
                ],
            )
    for result in results:
        if _verdict(result) is Verdict.UNDETERMINED:
            note(f"unreliable: {result['command']} on {result['driver']}: do not use these numbers")
    return verdict


def _verdict(result: dict[str, Any]) -> Verdict:
    """REFUTED if outputs are wrong, UNDETERMINED if identical configurations disagree."""
    bad = [check["name"] for check in result["checks"] if not check["ok"]]
    if any(name.startswith("outputs") for name in bad):
        return Verdict.REFUTED
    return Verdict.UNDETERMINED if bad else Verdict.PASSED


def _plan(
    name: str, spec: Any, quick: bool, strategies: tuple[str, ...],
    threads: tuple[int, ...] | None, repetitions: int | None, milliseconds: float | None, seed: int,
    data: int | None = None, kernel_iters: int | None = None,
    depths: tuple[int, ...] | None = None, batches: tuple[int, ...] | None = None,
) -> Any:  # fmt: skip
    from verify.bench.experiments import check_plan, default_plan
    from verify.bench.model import HEAVY, LIGHT, MUTEXES, Workload

    plan = default_plan(quick, name, spec)
    method = replace(plan.method, seed=seed)
    if repetitions is not None:
        method = replace(method, repetitions=repetitions)
    if milliseconds is not None:
        method = replace(method, seconds=milliseconds / 1000, warm_up=milliseconds / 2000)
    plan = replace(plan, method=method)
    if data is not None or kernel_iters is not None:
        elements = LIGHT.elements if data is None else data
        iterations = LIGHT.iterations if kernel_iters is None else kernel_iters
        known = {(w.elements, w.iterations): w for w in (LIGHT, HEAVY)}
        custom = Workload(f"{elements}x{iterations}", elements, iterations)
        plan = replace(plan, workloads=(known.get((elements, iterations), custom),))
    plan = replace(
        plan,
        threads=threads or plan.threads,
        depths=depths or plan.depths,
        batches=batches or plan.batches,
    )
    if strategies:
        allowed = (*(s.name for s in spec.strategies), *(() if name == "guard" else MUTEXES))
        for wanted in strategies:
            if wanted not in (*allowed, "none"):
                raise VerifyError(
                    f"--strategy {wanted}: unknown; use one of {', '.join(allowed)}, none"
                )
        plan = replace(plan, strategies=tuple(n for n in allowed if n in strategies))
    check_plan(plan)
    return plan


def _open(wanted: Sequence[str], spec: Any, missing: list[str]) -> Iterator[Any]:
    """The devices asked for, one after the other; by default all, and those missing are noted.

    Raises:
        EngineMissing: One that was asked for cannot run here.
    """
    from verify.bench.devices import DRIVERS, open_device

    for driver in wanted or DRIVERS:
        try:
            device = open_device(driver, spec)
        except EngineMissing as error:
            if wanted:
                raise EngineMissing(f"driver {driver} cannot run here: {error}") from None
            missing.append(f"{driver}: {error}")
            continue
        yield device


@contextlib.contextmanager
def _bars(quiet: bool) -> Iterator[Callable[[int, str], Callable[[], None]]]:
    """Progress bars on standard error; none unless that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda *_: lambda: None
        return
    from rich.progress import Progress

    from verify.render import console

    with Progress(console=console(sys.stderr), transient=True) as bars:

        def begin(total: int, title: str) -> Callable[[], None]:
            task = bars.add_task(title, total=total)
            return lambda: bars.advance(task)

        yield begin
