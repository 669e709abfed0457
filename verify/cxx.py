"""The C++ compiler: which one, how it is called, and what is said when it does not do its work.

The guard (`verify.native`) and the exhaustive search (`verify.explore_native`) are built here.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify import cache
from verify.children import run_child
from verify.errors import EngineMissing, VerifyError

WARNINGS: Final = ("-Wall", "-Wextra", "-Werror")
STANDARD: Final = ("-std=c++17", *WARNINGS)

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
    """

    command: tuple[str, ...]
    version: str

    @property
    def identity(self) -> tuple[str, ...]:
        """Everything about it that what it makes depends on."""
        variables = [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
        return (*self.command, self.version, *variables)

    def __str__(self) -> str:
        return " ".join(self.command)


def compiler() -> Compiler:
    """The compiler: `CXX` (a program, or one with arguments), or the first of g++, clang++, c++.

    Raises:
        NoCompilerError: There is none, or what `CXX` names does not answer.
    """
    return _compiler(os.environ.get("CXX", ""), os.environ.get("PATH", ""))


def named(program: str) -> Compiler:
    """The compiler of a name or path, without arguments.

    Raises:
        NoCompilerError: It does not answer.
    """
    return Compiler((program,), _version((program,)))


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
    command = (program, *words[1:])
    return Compiler(command, _version(command))


def _version(command: Sequence[str]) -> str:
    name = " ".join(command)[:200]
    try:
        done = run_child([*command, "--version"], timeout=_VERSION_SECONDS)
    except OSError as error:
        raise NoCompilerError(f"{name}: {error.strerror}; set CXX to a C++ compiler") from None
    trouble = done.failure() or (f"exit code {done.returncode}" if done.returncode else None)
    if trouble is not None:
        raise NoCompilerError(f"`{name} --version`: {trouble}; set CXX to a C++ compiler")
    return done.stdout


def compile_to(
    output: Path,
    arguments: Sequence[str],
    found: Compiler,
    *,
    what: str | None = None,
    sources: Path | None = None,
    seconds: float | None = None,
) -> None:
    """Compile, or say in one line why not.

    Args:
        output: The file to make.
        arguments: Options, sources, libraries.
        found: The compiler.
        what: What is made, for messages; the name of `output` if it is not given.
        sources: A directory that messages leave out of file names.
        seconds: Time limit.

    Raises:
        EngineMissing: The compiler cannot do what is asked: a library or a header is missing.
        VerifyError: The sources do not compile, or the compiler does not do its work.
    """
    what, seconds = what or output.name, seconds or SECONDS
    name = str(found)[:120]
    try:
        done = run_child([*found.command, "-o", str(output), *arguments], timeout=seconds)
    except OSError as error:
        raise NoCompilerError(f"{name}: {error.strerror}; set CXX to a C++ compiler") from None
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
    first = next((line for line in said.splitlines() if "error" in line), None)
    if sources is not None and first is not None:
        first = first.replace(f"{sources}/", "native/")
    if "cannot find -l" in said or "installation problem" in said or (
        first is not None and "No such file or directory" in first
    ):  # fmt: skip
        raise EngineMissing(f"{what} cannot be built here: {_cut(first)}; see verify doctor")
    if first is None:
        how = done.failure() or f"exit code {done.returncode}"
        last = " ".join(said.split())[-120:]
        raise VerifyError(
            f"{name}: {what} was not built: {how}: {last or 'no message'}; set CXX to another "
            "compiler"
        )
    raise VerifyError(f"{name}: {what} does not compile: {_cut(first)}; see verify doctor")


def _cut(line: str | None) -> str:
    return "no message" if line is None else line.strip()[:200]


def build(
    name: str,
    arguments: Sequence[str],
    inputs: Sequence[str | bytes],
    generated: dict[str, str],
    *,
    sources: Path | None = None,
    found: Compiler | None = None,
) -> Path:
    """A program that is kept in the user's cache, or compiled now.

    Args:
        name: Of the file that is made.
        arguments: For the compiler; in them `{generated}` and `{sources}` stand for directories,
            whose names are no input.
        inputs: The contents of all sources and headers that are not generated.
        generated: More sources, by file name.
        sources: The directory of those that are not generated.
        found: The compiler; by default that of `compiler`.

    Returns:
        The file.

    Raises:
        EngineMissing: There is no compiler, or it cannot do what is asked.
        VerifyError: The sources do not compile, or the cache cannot be written.
    """
    chosen = found or compiler()

    def make(output: Path) -> None:
        directory = output.parent.parent
        for file, text in generated.items():
            (directory / file).write_text(text, encoding="utf-8")
        words = [
            word.replace("{generated}", str(directory)).replace("{sources}", str(sources))
            for word in arguments
        ]
        compile_to(output, words, chosen, sources=sources)

    texts = [part for pair in sorted(generated.items()) for part in pair]
    return cache.program(name, [*chosen.identity, *arguments, *texts, *inputs], make)
