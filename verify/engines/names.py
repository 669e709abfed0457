"""The names of Lean's core library that the project's Lean sources use, with their types.

The embedded engine has a reduced core of its own.  The sources compile under Lean's own core only
if each name that they use exists there with the same type.  This module lists them:

    python -m verify.engines.names                     the list, out of the compiled modules
    python -m verify.engines.names --lean LIST         a Lean file that checks such a list
    python -m verify.engines.names --read LIST OUTPUT  the types that `lean --json` printed of that
                                                       file; exit code 1 if they differ

A line is `NAME : TYPE`, or `instance : TYPE` for what the sources never name: instances are found
by their type, and their names differ between the two libraries.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from verify.engines import leanlib
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

TIMEOUT = 120.0
"""Seconds for a child process."""

OPTIONS = "".join(
    f"set_option {option} false\n"
    for option in ("pp.fieldNotation", "pp.notation", "linter.unusedVariables")
)
"""Types are printed as they can be read back under any notation: `And a b`, `List.any l p`."""

UNIVERSES = "universe u_1 u_2 u_3 u_4\n"

_INSTANCE = re.compile(r"(?:.*\.)?inst[A-Z]\w*")


def is_instance(name: str) -> bool:
    """Whether Lean made the name, for an instance without one."""
    return _INSTANCE.fullmatch(name) is not None


def used(engine: EmbeddedEngine, root: Path, module: str) -> list[str]:
    """Core constants that the modules of a project mention, sorted.

    Args:
        root: Directory that module names are relative to.
        module: What imports all of them.

    Raises:
        VerifyError: A module does not compile, or the child process failed.
    """
    build = engine.build(root, [module])
    if not build.ok:
        bad = next((m.module for m in build.modules if not m.ok), module)
        raise VerifyError(f"{bad}: does not compile, so its names are unknown")
    request = {
        "core": [str(path) for path in build.core_oleans.values()],
        "project": [str(path) for path in build.oleans.values()],
    }
    done = leanlib.run_child(
        [sys.executable, "-P", "-m", "verify.engines._names", str(engine.library.path)],
        timeout=TIMEOUT,
        stdin=json.dumps(request),
    )
    if done.returncode != 0:
        raise VerifyError(f"names: {done.failure() or done.stderr.strip().splitlines()[-1:]}")
    return [str(name) for name in json.loads(done.stdout.splitlines()[-1])]


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
        timeout=TIMEOUT,
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
        f".{name}".endswith(f".{short}") for name, (short, _, _) in zip(names, shown, strict=True)
    ):
        raise VerifyError("names: lean's answer is not about the names in the list")
    return [f"{name} : {type_}" for name, (_, _, type_) in zip(names, shown, strict=True)]


def listing(engine: EmbeddedEngine, root: Path, module: str = "MPSVerify") -> list[str]:
    """The list: names with their types, then the types of instances, each once."""
    names = used(engine, root, module)
    source = OPTIONS + "".join(f"#check @{name}\n" for name in names)
    instances, named = set(), []
    for line in read(names, lean(engine, source)):
        name, _, type_ = line.partition(" : ")
        if is_instance(name):
            instances.add(f"instance : {type_}")
        else:
            named.append(line)
    return [*named, *sorted(instances)]


def names_of(lines: Iterable[str]) -> list[str]:
    """The names in a list, without the instances."""
    names = (line.partition(" : ")[0] for line in lines)
    return [name for name in names if name != "instance"]


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
        else:
            text.append(f"#check (@{name} : {type_})\n")
    return "".join(text)


def main(arguments: Sequence[str]) -> int:
    """See the module's text."""
    from verify import resources

    match arguments:
        case []:
            lines = listing(EmbeddedEngine(), resources.root())
            sys.stdout.write("".join(f"{line}\n" for line in lines))
        case ["--lean", path]:
            sys.stdout.write(lean_file(Path(path).read_text(encoding="utf-8").splitlines()))
        case ["--read", path, output]:
            listed = Path(path).read_text(encoding="utf-8").splitlines()
            wanted = [line for line in listed if not line.startswith("instance : ")]
            found = read(names_of(listed), Path(output).read_text(encoding="utf-8"))
            sys.stdout.write("".join(f"{line}\n" for line in found))
            different = [
                f"expected {a}\nfound    {b}\n"
                for a, b in zip(wanted, found, strict=True)
                if shape(a) != shape(b)
            ]
            sys.stderr.write("".join(different))
            return 1 if different else 0
        case _:
            sys.stderr.write(
                "usage: python -m verify.engines.names [--lean LIST | --read LIST OUTPUT]\n"
            )
            return 3
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VerifyError as error:
        sys.exit(f"names: {error}")
