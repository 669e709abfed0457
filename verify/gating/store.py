"""Results of unchanged inputs, found by a hash of everything that they depend on.

An entry is a claim about the past that a gate would repeat, so it is believed in one case only: it
was written and sealed by this user's program (`verify.cache`) for exactly these inputs, and its
output still passes the examination of a fresh one (`stages.judge`).  Only good results are kept,
and none of `prove`: what Lean has proved is compiled Lean, which its kernel replays each time.
Times of files play no part.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import filelock

from verify import cache, cxx, resources
from verify.engines import leanlib
from verify.errors import VerifyError
from verify.gating import stages
from verify.gating.stages import Ran, Stage, Subject

RECIPE: Final = 2
"""Part of every key: raise it when what an entry means changes."""

KEPT: Final = ("explore", "stress", "mutate")
"""`generate` and `prove` are left out: they take about a second where nothing is to be compiled."""


class Store:
    """Entries below a directory, which may be read-only.

    Args:
        directory: It need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, name: str, subject: Subject, inputs: Mapping[str, str]) -> Stage | None:
        """The stored result of a stage, or None.

        Args:
            name: The stage.
            subject: What it would be about now.
            inputs: As of `inputs_of`.
        """
        path = self.directory / f"{digest(inputs)}.json"
        try:
            content = cache.read(path)
            if content["inputs"] != dict(inputs):
                return None
            snapshot = subject.snapshot or resources.shipped_spec()
            text = json.dumps({**json.loads(content["output"]), **_place(name, snapshot)})
            ran = Ran(0, text.encode(), b"", float(content["seconds"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None  # absent, cut short, damaged or of somebody else: run the stage
        stage = stages.judge(name, subject, ran, cached=True)
        if not _worth_keeping(stage):
            return None
        cache.touch(path)
        return stage

    def put(self, stage: Stage, inputs: Mapping[str, str]) -> None:
        """Keep a stage that is good; any other is not kept.

        Raises:
            OSError: The directory cannot be written.
        """
        if not _worth_keeping(stage):
            return
        content = {"inputs": dict(inputs), "output": stage.output, "seconds": stage.seconds}
        cache.write(self.directory / f"{digest(inputs)}.json", content)

    @contextlib.contextmanager
    def alone(
        self, key: str, seconds: float, waiting: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Wait for a gate on the same inputs to end, so that its results can be used.

        Args:
            key: Of the inputs.
            seconds: How long to wait; after that both work, to the same end.
            waiting: Called if there is something to wait for.
        """
        lock = filelock.FileLock(self.directory / f"{key}.lock")
        held = False
        with contextlib.suppress(OSError, filelock.Timeout):  # read-only, or very slow
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                waiting()
                lock.acquire(timeout=seconds)
            held = True
        try:
            yield
        finally:
            if held:
                lock.release()


def _worth_keeping(stage: Stage) -> bool:
    return stage.verdict is not None and stage.verdict.good and bool(stage.output)


def _place(name: str, snapshot: Path) -> dict[str, str]:
    """What differs between two runs on the same spec: where its private copy lay."""
    return {"spec": str(snapshot)} if name == "mutate" else {}


def digest(value: object) -> str:
    """SHA-256 of a value that JSON can express."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def writable(directory: Path) -> bool:
    """Whether files can be made in a directory, which is made if need be."""
    try:
        cache.write_atomically(directory / f".probe-{os.getpid()}", b"")
        (directory / f".probe-{os.getpid()}").unlink()
    except OSError:
        return False
    return True


def inputs_of(
    name: str, subject: Subject, spec_digest: str, package_digest: str
) -> dict[str, str] | None:
    """Everything that the result of a stage depends on, by name.

    Args:
        name: The stage.
        subject: What it is about.
        spec_digest: SHA-256 of the spec's bytes.
        package_digest: Of `package()`.

    Returns:
        None if something of it cannot be found out, such as the engine: then nothing is reused.
    """
    if name not in KEPT:
        return None
    placeholder = None if subject.snapshot is None else Path("SPEC")
    result = {
        "recipe": str(RECIPE),
        "stage": name,
        "arguments": " ".join(stages.arguments(name, subject, placeholder)),
        "spec": spec_digest,
        "policy": subject.policy.digest,
        "package": package_digest,
        "dependencies": dependencies(),
        "python": sys.version,
        "system": f"{platform.system()} {platform.machine()}",
    }
    if name == "mutate":
        engine = _engine(subject.policy.lean)
        if engine is None:
            return None
        result["engine"] = engine
    result["compiler"] = _compiler()
    result["variables"] = json.dumps(
        {
            k: v
            for k, v in sorted(os.environ.items())
            if k in ("CXX", "CXXFLAGS", "CPATH", "LDFLAGS", "LD_PRELOAD", "LD_LIBRARY_PATH")
        }
    )
    return result


def package() -> str:
    """SHA-256 over the program's own files: sources, templates, Lean, native code."""
    root = resources.root()
    here = Path(resources.__file__).parent
    # Python writes its compiled modules whenever it likes.
    files = {p.relative_to(here.parent): p for p in here.rglob("*") if "__pycache__" not in p.parts}
    for part in ("model", "MPSVerify", "native"):
        files.update({p.relative_to(root): p for p in (root / part).rglob("*")})
    files |= {Path(n): root / n for n in ("MPSVerify.lean", "lakefile.lean", "lean-toolchain")}
    total = hashlib.sha256()
    for name, path in sorted(files.items()):
        if path.is_file():
            data = path.read_bytes()
            total.update(f"{name} {len(data)}\n".encode(errors="surrogateescape"))
            total.update(data)
    return total.hexdigest()


@functools.cache
def dependencies() -> str:
    """The versions of what this program is built on."""
    names = sorted(
        {
            "".join(c if c.isalnum() or c in "-_." else " " for c in line).split()[0]
            for line in metadata.requires("mps-verify") or ()
            if "extra ==" not in line
        }
    )
    return " ".join(f"{name}={_version(name)}" for name in ("mps-verify", *names))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _engine(name: str) -> str | None:
    from verify.prove import choose_engine

    try:
        engine = choose_engine(name)
        said = engine.describe()
        return said if engine.name == "lake" else f"{said} {leanlib.locate().sha256}"
    except VerifyError:
        return None


def _compiler() -> str:
    """The compiler of the stages, with everything about it that they depend on."""
    try:
        return "\n".join(cxx.compiler().identity)
    except VerifyError as error:
        return str(error)
