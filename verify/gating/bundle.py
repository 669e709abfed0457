"""`verify bundle`: one archive for a bug report, without a word about who made it.

Everything in it is written by this program: the spec in its canonical form (without the file's
comments), what the commands printed, runs as traces and diagrams, versions.  Directories are
replaced by names for them, and the archive is searched for the user's name, home, machine and
working directory before it is written; what is found is not written at all.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from verify import doctor, options, render, resources
from verify import spec as specs
from verify.anonymous import cleaned, hidden
from verify.errors import VerifyError
from verify.files import refuse_overwriting, write_file
from verify.gating import policy, stages, store
from verify.gating.command import choose, subject_of
from verify.gating.stages import Subject
from verify.verdict import Verdict

_STAGES: Final = ("prove", "explore", "stress")
_TOP: Final = "mps-verify-report"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive, which is then a function of what it holds."""

_MEASURED: Final = ("seconds", "peak_mb", "cached")
"""Keys that differ between two runs that say the same."""

_README: Final = """\
A report of mps-verify {version}: what was claimed of a guard's locks, and what became of it.

  spec.toml            the lock schemes and their claims
  verdicts.json        one word for each command below
  prove.json           what Lean's kernel says of each claim; refuted ones with a run
  explore.json         every reachable state within small bounds
  stress.json          the guard itself, against a fake driver
  traces/*.ndjson      shortest runs to each fault, one event a line
  traces/*.txt         the same as diagrams
  counterexamples/     schedules that stress found, shrunk
  environment.json     versions of this program, of Python, of the system and its compilers

To see it again, with version {version} of mps-verify:

  verify prove --spec spec.toml
  verify explore --spec spec.toml --steps
  verify stress --spec spec.toml
  verify replay traces/FILE.ndjson --spec spec.toml

No user name, host name, directory or environment variable is in here. The names and the English of
the spec are its author's.
"""

_EPILOG: Final = """\b
Examples:
  verify bundle                     mps-verify-report.zip, of the spec of the nearest verify.toml
  verify bundle --spec locks.toml --out report.zip

The exit code is 0 if the archive was written, whatever is in it.
"""


@click.command("bundle", epilog=_EPILOG)
@options.spec
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=f"{_TOP}.zip",
    show_default=True, metavar="FILE", help="The archive.",
)  # fmt: skip
@options.json_output
@options.quiet
def command(spec: Path | None, out: Path, json_output: bool, quiet: bool) -> None:
    """Pack spec, verdicts, traces and versions into one archive, without user data."""
    refuse_overwriting(
        {"--out": out},
        {"the spec": spec or resources.shipped_spec(), "the policy": policy.find(Path.cwd())},
    )
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise VerifyError(f"{out}: no place for a file; name one in a directory that exists")
    files = collect(spec, quiet or json_output)
    data = archive(files)
    write_file(out.absolute(), data)
    verdicts = json.loads(files["verdicts.json"])
    if json_output:
        render.print_json({"file": str(out), "files": sorted(files), "verdicts": verdicts})
    else:
        for name, verdict in verdicts.items():
            render.note(f"{name}: {verdict}")
        render.note(f"wrote {out} ({len(files)} files, {len(data):,} bytes)")


def collect(spec: Path | None, quiet: bool = True) -> dict[str, bytes]:
    """The archive's files by name, free of user data.

    Args:
        spec: The spec; None for the shipped one.
        quiet: Print no progress.

    Raises:
        VerifyError: If the spec does not make sense, or user data cannot be kept out.
    """
    chosen = choose(None, spec or resources.shipped_spec())
    files: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory(prefix="verify-bundle-") as scratch,
        subject_of(chosen) as both,
    ):
        subject, work = both[0], Path(scratch)
        with ThreadPoolExecutor(2) as pool:
            children = stages.Children()
            with children.ended_on_exception():
                runs = [pool.submit(_run, name, subject, work, children) for name in _STAGES]
                results = {}
                for name, run in zip(_STAGES, runs, strict=True):
                    results[name] = run.result()
                    render.progress(f"{name}: {results[name]['verdict']}", quiet)
        files["spec.toml"] = specs.dump(subject.spec)
        files["verdicts.json"] = _json({name: r["verdict"] for name, r in results.items()})
        files.update({f"{name}.json": _json(result) for name, result in results.items()})
        files.update(_traces(work / "traces", subject))
        for path in sorted((work / "counterexamples").glob("*")):
            files[f"counterexamples/{path.name}"] = path.read_text(encoding="utf-8")
        files["environment.json"] = _json(_environment())
        files["README.txt"] = _README.format(version=_versions()["mps-verify"])
        secrets = hidden([work, *([subject.snapshot.parent] if subject.snapshot else [])])
    # The spec must stay one: a name in it is for its author to change.
    public = {
        name: text if name == "spec.toml" else cleaned(text, secrets)
        for name, text in files.items()
    }
    for name, text in public.items():
        for secret, _, pattern in secrets:
            if pattern.search(text) or pattern.search(name):
                raise VerifyError(f"{name} holds {secret!r}; rename it in the spec, then try again")
    return {name: text.encode() for name, text in public.items()}


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive that depends on the files alone, not on when and where it is made.

    Args:
        files: Contents by name.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{_TOP}/{name}", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, files[name])
    return memory.getvalue()


def _run(name: str, subject: Subject, work: Path, children: stages.Children) -> dict[str, Any]:
    """A stage's verdict and what it printed, whatever that is."""
    words = stages.command(name, subject)
    words += {
        "explore": ["--traces", str(work / "traces")],
        "stress": ["--save", str(work / "counterexamples")],
    }.get(name, [])
    ran = children.run(words, subject.policy.limits[name], {})
    verdict = stages.judge(name, subject, ran).verdict or Verdict.ERROR
    try:
        output = _without_times(json.loads(ran.stdout))
    except (ValueError, RecursionError):
        output = None
    last = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return {
        "verdict": verdict.value,
        "exit_code": ran.code,
        "output": output,
        "error": last[0] if last and output is None else None,
    }


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k not in _MEASURED}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value


def _traces(directory: Path, subject: Subject) -> Iterator[tuple[str, str]]:
    """Each run that `explore` wrote, and its diagram."""
    from verify import diagram, frames, trace

    for path in sorted(directory.glob("*.ndjson")):
        yield f"traces/{path.name}", path.read_text(encoding="utf-8")
        recorded = trace.load(path)
        strategy = subject.spec.strategy(recorded.strategy)
        environment = subject.spec.environments[recorded.environment]
        film = frames.Film(recorded.trace, strategy.name, strategy.scheme, environment)
        yield f"traces/{path.stem}.txt", diagram.text(film, ascii_only=True)


def _versions() -> dict[str, str]:
    return dict(part.split("=", 1) for part in store.dependencies().split())


def _environment() -> dict[str, object]:
    import platform

    return {
        "versions": _versions(),
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "doctor": [asdict(row) for row in doctor.rows()],
        "package": store.package(),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
