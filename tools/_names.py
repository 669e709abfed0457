"""The child process of `names`: which core constants the modules of a project mention.

Run as `python -P tools/_names.py LIBRARY`, with `{"core": [paths], "project": [paths],
"written": [words], "values": bool}` on standard input; the last line of standard output is the
sorted list of names.  Nothing is judged here (that is the audit's business), the modules are only
read.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final

from verify.engines._replay import Constant, Lean, Names, array, field, retain

GENERATED: Final = frozenset(
    # What Lean makes of every inductive type by itself.
    "rec recOn casesOn noConfusion noConfusionType below brecOn ctorIdx ctorElim ctorElimType elim "
    "inj injEq sizeOf_spec eq_def go eq".split()
)


def generated(name: str, types: frozenset[str]) -> bool:
    """Whether Lean derived a core constant from an inductive type or a definition by itself.

    Args:
        name: The constant.
        types: The inductive types of the core library, and their constructors.
    """
    parent, _, last = name.rpartition(".")
    if "._" in name or name.startswith(("_private", "_")):
        return True
    if ".brecOn." in name or name.startswith(("PULift", "noConfusionTypeEnum")):
        return True
    if last == "congr_simp":
        return True
    if last.startswith(("match_", "eq_", "proof_")) and last.partition("_")[2].isdigit():
        return True
    return last in GENERATED and parent in types


def load(lean: Lean, names: Names, path: str) -> dict[str, Constant]:
    """The constants of a compiled module."""
    result = lean.read_module_data(lean.mk_string(os.fsencode(path)))
    data = field(lean.io(result, f"{path}: cannot be read"), 0)
    pairs = zip(array(field(data, 1)), array(field(data, 2)), strict=True)
    return {names[name]: Constant(object_) for name, object_ in pairs}


def used(
    library: str, core: list[str], project: list[str], written: list[str], values: bool
) -> list[str]:
    """Names of the core constants that the project's constants mention, sorted.

    A type brings its constructors along, a constructor its type.

    Args:
        library: The shared library of Lean.
        core: Compiled modules of the core library.
        project: Compiled modules of the project.
        written: Words of the project's sources; those that are core constants count as well.
        values: Whether what core constants are defined with counts as well; proofs never do.
    """
    lean, names = Lean(library), Names()
    known: dict[str, Constant] = {}
    for path in core:
        known |= load(lean, names, path)
    constructors = {
        name: [names[c] for c in constant.constructors]
        for name, constant in known.items()
        if constant.kind == "inductive"
    }
    type_of = {c: name for name, own in constructors.items() for c in own}
    found = known.keys() & set(written)
    for path in project:
        for constant in load(lean, names, path).values():
            for expression in constant.expressions:
                uses = {names[n] for n in array(lean.used_constants(retain(expression)))}
                found |= uses & known.keys()
    left = list(found) if values else []
    while left:
        constant = known[left.pop()]
        expressions = (
            constant.expressions[:1] if constant.kind == "theorem" else constant.expressions
        )
        for expression in expressions:
            uses = {names[n] for n in array(lean.used_constants(retain(expression)))}
            left += (uses & known.keys()) - found
            found |= uses & known.keys()
    found |= {type_of[name] for name in found & type_of.keys()}
    found |= {c for name in found & constructors.keys() for c in constructors[name]}
    types = frozenset(constructors) | frozenset(type_of)
    return sorted(name for name in found if not generated(name, types))


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    names = used(
        sys.argv[1], request["core"], request["project"], request["written"], request["values"]
    )
    sys.stdout.write(json.dumps(names) + "\n")
    sys.stdout.flush()
    os._exit(0)  # Lean's worker threads would keep the process


if __name__ == "__main__":
    main()
