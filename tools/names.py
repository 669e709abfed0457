"""The names of Lean's core library that the project's Lean sources use, with their types.

The embedded engine has a reduced core of its own.  The sources compile under Lean's own core only
if each name that they use exists there with the same type.  This module lists them.

A line is `NAME : TYPE`, or `instance : TYPE` for what the sources never name: instances are found
by their type, and their names differ between the two libraries.  `simproc : NAME` is a procedure
that a `simp` names: part of the front end, and no constant.

Names come from two places.  Terms mention what tactics brought in, and no source says; sources
name what leaves no trace in a term, such as an equation that `simp only` proves by computing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools import compiled
from verify.engines import leanlib, sources
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

OPTIONS = "".join(
    f"set_option {option} false\n"
    for option in (
        "pp.fieldNotation",
        "pp.notation",
        "linter.unusedVariables",
        "checkBinderAnnotations",
    )
)
"""Types are printed as they can be read back under any notation: `And a b`, `List.any l p`.  The
last option is for `inferInstanceAs`, whose instance is of an arbitrary type."""

UNIVERSES = "universe u_1 u_2 u_3 u_4\n"

_INSTANCE = re.compile(r"(?:.*\.)?inst[A-Z]\w*")


def is_instance(name: str) -> bool:
    """Whether Lean made the name, for an instance without one."""
    return _INSTANCE.fullmatch(name) is not None


_WORD = re.compile(r"(?<![\w'.«])[^\W\d][\w'!?]*(?:\.[^\W\d][\w'!?]*)*")
_OPENED = re.compile(r"(?<![\w'.])(?:open|namespace)((?:[ \t]+[^\W\d][\w'.]*)+)")
_SIMPROC = re.compile(r"(?<![\w'.])(?:[A-Z]\w*\.)*reduce[A-Z]\w*")


def opened(texts: Iterable[str]) -> set[str]:
    """The namespaces that sources open."""
    said = (found for text in texts for found in _OPENED.findall(sources.blank(text)))
    return {name for words in said for name in words.split()}


def written(texts: Iterable[str]) -> set[str]:
    """What the words of sources may name: themselves, their beginnings (`Eq.symm` in a word
    `Eq.symm.trans`), and all that in the namespaces that the source opens.
    """
    found = set()
    for text in texts:
        spaces = opened([text])
        for word in set(_WORD.findall(sources.blank(text))):
            parts = word.removeprefix("_root_.").split(".")
            for name in (".".join(parts[: n + 1]) for n in range(len(parts))):
                found |= {name, *(f"{space}.{name}" for space in spaces)}
    return found


def simprocs(texts: Iterable[str]) -> list[str]:
    """The procedures of simp that sources name, sorted, without the `↓` before some."""
    return sorted({name for text in texts for name in _SIMPROC.findall(sources.blank(text))})


def used(engine: EmbeddedEngine, root: Path, module: str, *, values: bool = False) -> list[str]:
    """Core constants that the modules of a project mention, sorted.

    Args:
        root: Directory that module names are relative to.
        module: What imports all of them.
        values: And those that these are defined with.

    Raises:
        VerifyError: A module does not compile, or the child process failed.
    """
    build = compiled.build(engine, root, module)
    request = {
        "core": [str(path) for path in build.core_oleans.values()],
        "project": [str(path) for path in build.oleans.values()],
        "written": sorted(written(texts(root, module))),
        "values": values,
    }
    return [str(name) for name in compiled.ask(engine, "_names.py", request)]


def quoted(name: str) -> str:
    """A name as Lean reads it, be it a keyword as well, like `inferInstanceAs`."""
    return ".".join(f"«{part}»" for part in name.split("."))


def texts(root: Path, module: str) -> list[str]:
    """The sources of a module and of all that it imports from the project."""
    graph = sources.graph(root, [module], outside=lambda name: name.partition(".")[0] == "Init")
    return [source.text.decode() for source in graph.values()]


def lean(engine: EmbeddedEngine, source: str) -> str:
    """What `lean --json` prints of a file that needs the core library only.

    Raises:
        VerifyError: Lean reports an error.
    """
    engine.core()
    done = leanlib.run_lean(
        engine.library,
        ["--json", "--stdin"],
        lean_path=[engine.cache / "core" / engine.core_key / "lib"],
        timeout=compiled.TIMEOUT,
        stdin=source,
    )
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if '"error"' in line]
        raise VerifyError(f"names: lean refuses the list: {(errors or [done.stderr])[0][:500]}")
    return done.stdout


def read(names: Sequence[str], output: str) -> list[str]:
    """The lines `NAME : TYPE` in what `lean --json` printed of one `#check` for each name.

    Raises:
        VerifyError: The output is not about these names, in this order.
    """
    messages = map(json.loads, filter(str.strip, output.splitlines()))
    shown = [
        " ".join(message["data"].split()).removeprefix("@").partition(" : ")
        for message in messages
        if message["severity"] == "information"
    ]
    # `export Bool (true)` makes Lean print `true`.
    if len(shown) != len(names) or not all(
        f".{name}".endswith(f".{short.strip('«»')}")
        for name, (short, _, _) in zip(names, shown, strict=True)
    ):
        raise VerifyError("names: lean's answer is not about the names in the list")
    return [f"{name} : {type_}" for name, (_, _, type_) in zip(names, shown, strict=True)]


def listing(engine: EmbeddedEngine, root: Path, module: str = "MPSVerify") -> list[str]:
    """The list: names with their types, the types of instances, each once, procedures of simp."""
    names = used(engine, root, module)
    source = OPTIONS + "".join(f"#check @{quoted(name)}\n" for name in names)
    instances, constants = set(), []
    for line in read(names, lean(engine, source)):
        name, _, type_ = line.partition(" : ")
        if is_instance(name):
            instances.add(f"instance : {type_}")
        else:
            constants.append(line)
    procedures = [f"simproc : {name}" for name in simprocs(texts(root, module))]
    return [*constants, *sorted(instances), *procedures]


def named(lines: Iterable[str]) -> list[str]:
    """The lines of a list that say a name and its type."""
    return [line for line in lines if not line.startswith(("instance : ", "simproc : "))]


def names_of(lines: Iterable[str]) -> list[str]:
    """The names in a list, without the instances and the procedures of simp."""
    return [line.partition(" : ")[0] for line in named(lines)]


_BINDER = re.compile(
    r"[({\[]((?:[^\s(){}\[\]:]+ )+): |(?:∀|fun|λ) ((?:[^\s(){}\[\],]+ ?)+)(?:,| =>)"
)
_TOKEN = re.compile(r"[^\s(){}\[\],]+")


def shape(type_: str) -> str:
    """A type without the names of its bound variables: they are numbered as they come.

    Lean compares types without looking at which arguments are implicit; texts show that.
    """
    bound = {
        name: f"#{number}"
        for number, name in enumerate(
            dict.fromkeys(
                name for found in _BINDER.finditer(type_) for name in (found[1] or found[2]).split()
            )
        )
    }
    return _TOKEN.sub(lambda token: bound.get(token[0], token[0]), type_)


def lean_file(lines: Iterable[str]) -> str:
    """A Lean file that compiles if and only if each name exists with a type equal to its own.

    Of each named line it prints the type: see `shape`.
    """
    text = [OPTIONS + UNIVERSES]
    for line in lines:
        name, _, type_ = line.partition(" : ")
        if name == "instance":
            text.append(f"example : {type_} := by intros; exact inferInstance\n")
        elif name == "simproc":
            text.append(f"example : True := by simp only [{type_}]\n")
        else:
            text.append(f"#check (@{quoted(name)} : {type_})\n")
    return "".join(text)


def write(engine: EmbeddedEngine, root: Path) -> str:
    """The list of a checkout as text."""
    return "".join(f"{line}\n" for line in listing(engine, root))


def to_lean(listed: str) -> str:
    """The Lean file that checks a list."""
    return lean_file(listed.splitlines())


def compare(listed: str, output: str) -> bool:
    """Print the types that `lean --json` printed of a list's file; whether some differ.

    Raises:
        VerifyError: The output is not about this list.
    """
    lines = listed.splitlines()
    found = read(names_of(lines), output)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    different = [
        f"expected {a}\nfound    {b}\n"
        for a, b in zip(named(lines), found, strict=True)
        if shape(a) != shape(b)
    ]
    sys.stderr.write("".join(different))
    return bool(different)
