"""Results of unchanged inputs, found by a hash of everything that they depend on.

An entry is a claim about the past that a gate would repeat, so it is believed in one case only: it
was written by this program for exactly these inputs, it is whole, and its output still passes the
examination of a fresh one (`stages.judge`).  Only good results are kept.  Times of files play no
part.  Whoever can write the user's cache can write the user's Python environment as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import filelock

from verify import resources
from verify.engines import leanlib
from verify.errors import VerifyError
from verify.gating import stages
from verify.gating.stages import Ran, Stage, Subject

RECIPE: Final = 1
"""Part of every key: raise it when what an entry means changes."""

KEPT: Final = ("prove", "explore", "stress", "mutate")
"""`generate` is left out: it reads the modules that it compares, and takes less than a second."""

_COMPILED: Final = ("explore", "stress", "mutate")
_MOST: Final = 200
"""Entries that are kept."""


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
        key = digest(inputs)
        try:
            entry = json.loads((self.directory / f"{key}.json").read_bytes())
            content = entry["content"]
            if digest(content) != entry["sha256"] or content["inputs"] != dict(inputs):
                return None
            snapshot = subject.snapshot or resources.shipped_spec()
            text = json.dumps({**json.loads(content["output"]), **_place(name, snapshot)})
            ran = Ran(0, text.encode(), b"", float(content["seconds"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None  # absent, cut short, damaged or of somebody else: run the stage
        stage = stages.judge(name, subject, ran, cached=True)
        return stage if _worth_keeping(stage) else None

    def put(self, stage: Stage, inputs: Mapping[str, str]) -> None:
        """Keep a stage that is good; any other is not kept.

        Raises:
            OSError: The directory cannot be written.
        """
        if not _worth_keeping(stage):
            return
        content = {"inputs": dict(inputs), "output": stage.output, "seconds": stage.seconds}
        entry = {"sha256": digest(content), "content": content}
        leanlib.write_atomically(
            self.directory / f"{digest(inputs)}.json", json.dumps(entry).encode()
        )
        with contextlib.suppress(OSError):  # another gate may be doing the same
            entries = sorted(self.directory.glob("*.json"), key=lambda p: p.stat().st_mtime)
            for path in entries[:-_MOST]:
                path.unlink()

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
    return {"spec": str(snapshot)} if name in ("prove", "mutate") else {}


def digest(value: object) -> str:
    """SHA-256 of a value that JSON can express."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def writable(directory: Path) -> bool:
    """Whether files can be made in a directory, which is made if need be."""
    try:
        leanlib.write_atomically(directory / f".probe-{os.getpid()}", b"")
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
    if name == "prove":
        engine = _engine(subject.policy.engine)
        if engine is None:
            return None
        result["engine"] = engine
    if name in _COMPILED:
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


@cache
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


@cache
def _compiler() -> str:
    """Every compiler that a stage may choose, with its version."""
    import shutil

    said = []
    for name in dict.fromkeys(filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++"))):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            done = subprocess.run(
                [path, "--version"],
                capture_output=True,
                check=False,
                timeout=10,
                stdin=subprocess.DEVNULL,
            )
            said.append(f"{path}: {done.stdout.decode(errors='replace')}")
        except (OSError, subprocess.TimeoutExpired):
            said.append(f"{path}: no answer")
    return "\n".join(said)
