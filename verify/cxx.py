"""The one builder of C++: which compiler, how it is called, what is said when it does not work.

All that is native is built here, on first use, by a compiler alone.  Objects and programs are kept
in the user's cache under a key of everything that goes into them, and sealed: an object is compiled
once for all programs, specs and changed copies of the sources that have it in common.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify import cache
from verify.children import Children, Completed, run_child
from verify.errors import EngineMissing, VerifyError

HOST: Final = ("-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-pthread")
FLAGS: Final = ("-std=c++17", "-O2", *HOST)
"""Of every object and every program."""

SECONDS: Final = 300.0
"""Time limit of one compilation."""

_VERSION_SECONDS: Final = 20.0

_NAMES: Final = ("g++", "clang++", "c++")

_VARIABLES: Final = (
    # What compilers read besides their command line.
    "CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH",
    "GCC_EXEC_PREFIX", "OBJC_INCLUDE_PATH", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET",
)  # fmt: skip


class NoCompilerError(EngineMissing):
    """No C++ compiler, so nothing was decided (exit code 2, undetermined)."""


@dataclass(frozen=True)
class Compiler:
    """A compiler that answers.

    Attributes:
        command: The program's path and its first arguments, as in `CXX="ccache g++"`.
        version: What it says of itself.
        flags: `FLAGS`, as it spells them.
        seconds: Time limit of one compilation; None for `SECONDS`.
    """

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...] = FLAGS
    seconds: float | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Everything about it that what it makes depends on."""
        variables = [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
        return (*self.command, self.version, *variables, *self.flags)

    def __str__(self) -> str:
        return " ".join(self.command)


def compiler() -> Compiler:
    """The compiler: `CXX` (a program, or one with arguments), or the first of g++, clang++, c++.

    Raises:
        NoCompilerError: There is none, or what `CXX` names does not answer.
    """
    return _compiler(os.environ.get("CXX", ""), os.environ.get("PATH", ""))


def named(*command: str, flags: tuple[str, ...] = FLAGS) -> Compiler:
    """The compiler that a program is, with its first arguments.

    Raises:
        NoCompilerError: It does not answer.
    """
    return Compiler(command, _version(command), flags)


@functools.cache
def _compiler(wanted: str, _path: str) -> Compiler:
    if not wanted.strip():
        found = next(filter(None, map(shutil.which, _NAMES)), None)
        if found is None:
            raise NoCompilerError(
                "no C++ compiler found: install one (apt-get install g++) or set CXX"
            )
        return named(found)
    try:
        # A path may have blanks; otherwise what follows a blank is an argument.
        words = [wanted] if shutil.which(wanted) else shlex.split(wanted)
    except ValueError:
        words = [wanted]
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise NoCompilerError(
            f"CXX={wanted[:200]} is not a program: set CXX to a C++ compiler (apt-get install g++)"
        )
    return named(program, *words[1:])


def _version(command: Sequence[str]) -> str:
    name = " ".join(command)[:200]
    done = _call([*command, "--version"], name, _VERSION_SECONDS)
    trouble = done.failure() or (f"exit code {done.returncode}" if done.returncode else None)
    if trouble is not None:
        raise NoCompilerError(f"`{name} --version`: {trouble}; set CXX to a C++ compiler")
    return done.stdout


def _call(
    command: Sequence[str], name: str, seconds: float, children: Children | None = None
) -> Completed:
    try:
        return run_child(command, timeout=seconds, children=children)
    except OSError as error:
        raise NoCompilerError(f"{name}: {error.strerror}; set CXX to a C++ compiler") from None


def _run(
    found: Compiler,
    output: Path,
    arguments: Sequence[str],
    what: str,
    root: Path,
    children: Children | None = None,
) -> None:
    """Make `output`, or say in one line why not; messages leave `root` out of file names."""
    command = [*found.command, "-o", str(output), *found.flags, *arguments]
    name = str(found)[:120]
    seconds = found.seconds or SECONDS
    done = _call(command, name, seconds, children)
    if done.timed_out:
        raise VerifyError(
            f"{name}: {what} was not built in {seconds:g} s; try on an idle machine, or set CXX "
            "to another compiler"
        )
    if done.returncode == 0:
        if output.is_file():
            return
        raise VerifyError(f"{name}: it made no {what} and reported no error; set CXX to another")
    said = done.stderr + done.stdout
    first = next((line.strip() for line in said.splitlines() if "error" in line), "")
    first = first.replace(f"{root}/", "native/")[:200]
    missing = ("cannot find -l", "installation problem")
    if "No such file or directory" in first or any(words in said for words in missing):
        told = first or "no message"
        raise EngineMissing(f"{what} cannot be built here: {told}; see verify doctor")
    if not first:
        how = done.failure() or f"exit code {done.returncode}"
        last = " ".join(said.split())[-120:]
        raise VerifyError(
            f"{name}: {what} was not built: {how}: {last or 'no message'}; set CXX to another "
            "compiler"
        )
    raise VerifyError(f"{name}: {what} does not compile: {first}; see verify doctor")


_INCLUDED: Final = re.compile(rb'^[ \t]*#[ \t]*(?:include|import)[ \t]*["<]([^">\n]+)', re.M)


@dataclass(frozen=True)
class Tree:
    """What programs are compiled from.

    Attributes:
        root: The directory of sources and headers.
        generated: More of them, by file name.
        system: Directories of other people's headers.
    """

    root: Path
    generated: Mapping[str, str]
    system: tuple[str, ...] = ()

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none.

        Args:
            name: Of one that is generated, or a path below `root` or an absolute one.
        """
        if name in self.generated:
            return self.generated[name].encode()
        path = self.root / name
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise VerifyError(f"{path}: {error.strerror}; install mps-verify again") from None

    def inputs(self, source: str) -> Iterator[str | bytes]:
        """Names and contents of a source and of all that it may include.

        Conditions around an `#include` are ignored, and every directory that may have the file
        counts: too much may be found, never too little.

        Raises:
            VerifyError: There is no such source, or a file cannot be read.
        """
        if self.read(source) is None:
            raise VerifyError(f"{self.root}: no {source}; install mps-verify again")
        names = [source]
        for name in names:  # grows
            content = self.read(name)
            if content is None:
                continue
            yield from (name, content)
            for found in map(os.fsdecode, _INCLUDED.findall(content)):
                beside = os.path.normpath(Path(name).parent / found)
                places = (beside, found, *(str(Path(place, found)) for place in self.system))
                names += [place for place in places if place not in names]

    def compiling(self, source: str, scratch: Path) -> list[str]:
        """The arguments that compile a source; what is generated is written into `scratch`."""
        for file, text in self.generated.items():
            (scratch / file).write_text(text, encoding="utf-8")
        place = scratch if source in self.generated else self.root
        system = [word for directory in self.system for word in ("-isystem", directory)]
        return [f"-I{self.root}", f"-I{scratch}", *system, "-c", str(place / source)]


def build(
    name: str,
    sources: Sequence[str],
    tree: Tree,
    *,
    options: Sequence[str] = (),
    linking: Sequence[str] = (),
    found: Compiler | None = None,
) -> Path:
    """A program or library that is kept in the user's cache, or made now.

    Args:
        name: Of the file that is made.
        sources: In the tree; each becomes an object, which is kept as well.
        tree: Where they are, with all that they include.
        options: Beyond those of the compiler, for compiling and linking.
        linking: Options and libraries, after the objects; names in the tree count with their
            content.
        found: The compiler; by default that of `compiler`.

    Returns:
        The file.

    Raises:
        EngineMissing: There is no compiler, or it cannot do what is asked.
        VerifyError: The sources do not compile, or the cache cannot be written.
    """
    chosen, children = found or compiler(), Children()
    inputs = {source: [*chosen.identity, *options, *tree.inputs(source)] for source in sources}

    def compiled(source: str) -> Path:
        def make(output: Path) -> None:
            scratch = output.parent.parent  # thrown away
            arguments = [*options, *tree.compiling(source, scratch)]
            _run(chosen, output, arguments, name, tree.root, children)

        return cache.program(f"{Path(source).stem}.o", inputs[source], make)

    def link(output: Path) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                objects = list(pool.map(compiled, sources))
            except BaseException:  # an error, an interrupt: neither waits for the others
                pool.shutdown(wait=False, cancel_futures=True)
                children.kill_all()
                raise
        words = [str(tree.root / word) if tree.read(word) else word for word in linking]
        _run(chosen, output, [*options, *map(str, objects), *words], name, tree.root)

    libraries = [part for word in linking for part in (word, tree.read(word) or b"")]
    parts = [part for source in sources for part in inputs[source]]
    return cache.program(name, [*parts, *options, *libraries], link)
