"""`verify gate` itself: run the stages, compare with the policy, report."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from verify import cache, claims, generate, options, render, resources, views
from verify import spec as specs
from verify.children import terminable
from verify.files import refuse_overwriting, write_file
from verify.gating import junit, policy, sarif, stages, store, summary
from verify.gating.policy import STAGES, Policy
from verify.gating.stages import Check, Stage, Subject
from verify.spec import Spec
from verify.verdict import Verdict, combine


@dataclass(frozen=True)
class Result:
    """What a gate found.

    Attributes:
        stages: In the order of the report; those that are off among them.
        warnings: What a reader should know although it changes no verdict.
        seconds: Wall time.
    """

    policy: Policy
    spec: Spec
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The verdict on every stage that is on; with none, UNDETERMINED."""
        return combine(stage.verdict for stage in self.stages if stage.verdict is not None)

    @property
    def engine(self) -> str:
        """The Lean that decided the proofs; its name only, where it has decided nothing."""
        said = next((stage.engine for stage in self.stages if stage.name == "prove"), "")
        return said or self.policy.engine

    def json(self) -> dict[str, object]:
        """The result as `--json` prints it."""
        path = self.policy.path
        return {
            "verdict": self.verdict.value,
            "spec": str(self.policy.spec_file),
            "policy": None if path is None else str(path),
            "engine": self.engine,
            "stages": [stage.json() for stage in self.stages],
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
        }


@dataclass
class _Progress:
    """What a person at a terminal sees while the stages run."""

    quiet: bool
    verbose: bool
    _shown: bool = field(default=False, init=False)

    def say(self, text: str) -> None:
        if not self.quiet and (self.verbose or sys.stderr.isatty()):
            render.progress(text)


def gate(
    chosen: Policy,
    only: Sequence[str] = (),
    fresh: bool = False,
    jobs: int = 2,
    progress: _Progress | None = None,
) -> Result:
    """Run the stages that a policy asks for.

    Args:
        chosen: The policy.
        only: The stages to run; none means all that are not off.
        fresh: Use no stored result.
        jobs: How many stages run at once.
        progress: Told what is going on.

    Raises:
        VerifyError: If the spec does not make sense.
    """
    start = time.monotonic()
    progress = progress or _Progress(True, False)
    warnings: list[str] = []
    with subject_of(chosen) as (subject, before), _cache(warnings) as (kept, environment):
        offs = {name: stages.off(name, subject, only) for name in STAGES}
        on = [name for name in STAGES if not offs[name]]
        # The package is read before and after: what runs must be what was hashed.
        package = store.package()
        inputs = {name: store.inputs_of(name, subject, before, package) for name in on}
        with kept.alone(
            store.digest(inputs),
            max(chosen.limits.values()),
            lambda: progress.say("waiting for another gate on the same inputs"),
        ):
            done = _run(subject, on, inputs, kept, fresh, jobs, environment, progress)
            changed = _changed(chosen, before, package)
            if not changed:
                _keep(kept, done, inputs, warnings)
        done.update({name: Stage(name, off=reason) for name, reason in offs.items() if reason})
    ordered = [done[name] for name in STAGES]
    if (required := stages.required(subject, done["prove"])) is not None:
        ordered.append(required)
    if changed:
        ordered.append(Stage("inputs", tuple(changed)))
    if not on:
        warnings.append("every stage is off: nothing was checked")
    return Result(chosen, subject.spec, tuple(ordered), tuple(warnings), time.monotonic() - start)


@contextlib.contextmanager
def subject_of(chosen: Policy) -> Iterator[tuple[Subject, str]]:
    """What the stages are about, and the SHA-256 of the spec's bytes."""
    with tempfile.TemporaryDirectory(prefix="verify-gate-") as scratch:
        spec = specs.load(chosen.spec_file)  # first: its messages name the user's own file
        data = chosen.spec_file.read_bytes()
        snapshot = None
        if chosen.spec is not None:
            snapshot = Path(scratch) / chosen.spec.name
            snapshot.write_bytes(data)
            spec = replace(specs.load(snapshot), path=chosen.spec)
        context = views.context(spec)
        shipped = resources.root() / "MPSVerify" / "Claims.lean"
        out = chosen.generated or resources.root()
        yield (
            Subject(
                spec,
                snapshot,
                chosen,
                claims.of_spec(spec, context["all_strategies"]),
                [] if snapshot is not None else [name for name, _ in claims.restated(shipped)],
                len(generate.files(spec, out, context=context)),
            ),
            hashlib.sha256(data).hexdigest(),
        )


@contextlib.contextmanager
def _cache(warnings: list[str]) -> Iterator[tuple[store.Store, Mapping[str, str]]]:
    """The stored results, and the variables for stages if the cache cannot be written."""
    directory = cache.directory()
    kept = store.Store(directory / "gate")
    if store.writable(directory):
        yield kept, {}
        return
    warnings.append(
        f"{directory} cannot be written, so nothing is kept for the next time; "
        "let VERIFY_CACHE_DIR name a writable directory"
    )
    with tempfile.TemporaryDirectory(prefix="verify-gate-cache-") as scratch:
        yield kept, {"VERIFY_CACHE_DIR": scratch}


def _run(
    subject: Subject,
    on: Sequence[str],
    inputs: Mapping[str, dict[str, str] | None],
    kept: store.Store,
    fresh: bool,
    jobs: int,
    environment: Mapping[str, str],
    progress: _Progress,
) -> dict[str, Stage]:
    """The stages that are on, judged."""
    done: dict[str, Stage] = {}
    children = stages.Children()
    for name in on:
        known = inputs[name]
        if not fresh and known is not None:
            found = kept.get(name, subject, known)
            if found is not None:
                done[name] = found
                progress.say(f"{name}: as before (same inputs)")

    def one(name: str) -> Stage:
        command = stages.command(name, subject)
        progress.say(f"{name}: started")
        try:
            ran = children.run(command, subject.policy.limits[name], environment)
        except OSError as error:
            check = Check(f"verify {name}", Verdict.ERROR, reason=f"cannot start: {error}")
            return Stage(name, (check,))
        stage = stages.judge(name, subject, ran)
        progress.say(f"{name}: {stage.verdict} ({stage.seconds:.1f} s)")
        return stage

    # `prove` first: it takes longest on a cold cache.
    left = sorted((name for name in on if name not in done), key=lambda name: name != "prove")
    with ThreadPoolExecutor(jobs) as pool, terminable(), children.ended_on_exception():
        done.update(zip(left, pool.map(one, left), strict=True))
    return done


def _changed(chosen: Policy, spec: str, package: str) -> list[Check]:
    """What is not any more what it was at the beginning."""
    changed = []
    for path, before in ((chosen.spec_file, spec), (chosen.path, chosen.digest)):
        try:
            now = "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            now = "gone"
        if now != before:
            changed.append(str(path))
    if store.package() != package:
        changed.append("the installed mps-verify")
    return [
        Check(f"{what} is unchanged", Verdict.ERROR, reason=f"{what} changed while the gate ran")
        for what in changed
    ]


def _keep(
    kept: store.Store,
    done: Mapping[str, Stage],
    inputs: Mapping[str, dict[str, str] | None],
    warnings: list[str],
) -> None:
    for name, stage in done.items():
        known = inputs[name]
        if known is not None and not stage.cached:
            try:
                kept.put(stage, known)
            except OSError as error:
                if not warnings:
                    warnings.append(f"{kept.directory}: {error.strerror}; nothing is kept")


# --- The command ----------------------------------------------------------------------------------

_EPILOG = """\b
Examples:
  verify gate                                 judge the repository around this directory
  verify gate --junit gate.xml --sarif gate.sarif
  verify gate --only generate --only prove    the proofs alone, as a pre-commit hook does
  verify gate --spec locks.toml               a spec without a policy

\b
Exit codes:
  0  every stage that is on agrees with the spec's claims
  1  a claim is refuted
  2  undetermined: an engine or compiler is missing, a bound was hit, every stage is off
  3  error: a bad policy, a stage that crashed, was cut short or contradicts itself
"""


@click.command("gate", epilog=_EPILOG)
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Instead of the nearest verify.toml, looked for upwards.",
)  # fmt: skip
@click.option(
    "--spec", type=click.Path(path_type=Path), metavar="FILE",
    help="A spec to judge with the default policy.",
)  # fmt: skip
@click.option(
    "--only", type=click.Choice(STAGES), multiple=True,
    help="Run this stage only; may be repeated.",
)  # fmt: skip
@click.option(
    "--junit", "junit_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write a JUnit XML report.",
)  # fmt: skip
@click.option(
    "--sarif", "sarif_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write a SARIF 2.1.0 report; counterexamples are code flows in the spec.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(policy.ENGINES),
    help="Which Lean, instead of what the policy says: embedded (pinned), lake, or both.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Use no result of an earlier run.")
@click.option(
    "--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="Stages at once."
)
@options.json_output
@options.quiet
@click.option("--verbose", is_flag=True, help="Print every check, and what is going on.")
def command(
    policy_file: Path | None, spec: Path | None, only: tuple[str, ...], junit_file: Path | None,
    sarif_file: Path | None, engine: str | None, fresh: bool, jobs: int, json_output: bool,
    quiet: bool, verbose: bool,
) -> Verdict:  # fmt: skip
    """Judge a repository in one command, for continuous integration.

    Runs `verify generate --check`, `prove`, `explore`, `stress` and `mutate --quick` on the spec
    that verify.toml names, and holds the results against what verify.toml requires.  Results of
    unchanged inputs are reused.  In a GitHub job a summary is added to the job's page.
    """
    if policy_file is not None and spec is not None:
        raise click.UsageError("--policy names the spec; drop --spec")
    reports = {"--junit": junit_file, "--sarif": sarif_file}
    refuse_overwriting(reports, {"the policy": policy_file, "the spec": spec})
    chosen = choose(policy_file, spec)
    if engine is not None:
        chosen = replace(chosen, engine=engine)
    kept = chosen.generated
    refuse_overwriting(
        reports,
        {
            "the policy": chosen.path,
            "the spec": chosen.spec_file,
            "a generated module": None if kept is None else kept / "MPSVerify.lean",
            "among the generated modules": None if kept is None else kept / "MPSVerify",
        },
    )
    for old in reports.values():
        if old is not None:  # the report of an earlier run must not be taken for this one's
            old.unlink(missing_ok=True)
    result = gate(chosen, only, fresh, jobs, _Progress(quiet or json_output, verbose))
    if junit_file is not None:
        write_file(junit_file, junit.report(result))
    if sarif_file is not None:
        write_file(sarif_file, sarif.report(result))
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as stream:
            stream.write(summary.markdown(result))
    if json_output:
        render.print_json(result.json())
    else:
        _print(result, quiet, verbose)
    return result.verdict


def choose(policy_file: Path | None, spec: Path | None) -> Policy:
    """The policy that the options and the working directory say.

    Raises:
        VerifyError: If there is none.
    """
    if spec is not None:
        return policy.default(spec)
    here = Path.cwd()
    path = policy_file or policy.find(here)
    if path is not None:
        return policy.load(path)[0]
    if policy.in_own_checkout(here):
        return policy.default(None)
    raise policy.missing(here)


def _print(result: Result, quiet: bool, verbose: bool) -> None:
    def cells(stage: Stage) -> tuple[Any, ...]:
        if stage.verdict is None:
            return (stage.name, "off", "", "", stage.off)
        good = sum(check.verdict.good for check in stage.checks)
        time_taken = "reused" if stage.cached else f"{stage.seconds:.1f} s"
        return (
            stage.name, stage.verdict, f"{good} of {len(stage.checks)}", time_taken, stage.command
        )  # fmt: skip

    render.table(("stage", "verdict", "checks", "time", "command"), [*map(cells, result.stages)])
    for stage in result.stages:
        _print_checks(stage, verbose)
    for warning in result.warnings:
        if not quiet:
            render.progress(f"warning: {warning}")
    place = result.policy.path
    of = "none, the defaults" if place is None else Path(os.path.relpath(place))
    render.note(f"policy: {of}; Lean: {result.engine}")
    render.note(conclusion(result))


def _print_checks(stage: Stage, verbose: bool) -> None:
    """What is not good, with its run; several for the same reason in one line."""
    alike: dict[tuple[Verdict, str], list[Check]] = {}
    for check in stage.checks:
        if not check.verdict.good:
            alike.setdefault((check.verdict, check.reason), []).append(check)
        elif verbose:
            render.note(f"{check.verdict}: {stage.name}: {check.name}")
    for (verdict, reason), checks in alike.items():
        names = [check.name for check in checks]
        more = f" and {len(names) - 3} more" if len(names) > 4 and not verbose else ""
        shown = "; ".join(names[:3] if more else names) + more
        render.note(f"{verdict}: {stage.name}: {shown}: {reason}")
        for check in checks:
            if check.steps:
                render.plain("a run that shows it:", check.steps)


def conclusion(result: Result) -> str:
    """The whole in one line, with what it rests on and what is off."""
    on = [stage.name for stage in result.stages if stage.verdict is not None]
    off = [stage.name for stage in result.stages if stage.verdict is None]
    text = f"{result.verdict}: {', '.join(on) or 'no stage'}"
    return text + (f"; off: {', '.join(off)}" if off else "")
