"""The child process of `trusted`: what statements rest on, and a hash of each of them.

Run as `python -P tools/_trusted.py LIBRARY`, with the modules, and the statements' names,
as JSON on standard input; the last line of standard output is the answer.  A hash is of the
compiled term, without the names of bound variables: comments and layout do not change it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from verify.engines._replay import Audit, Constant, Lean, array, field, items, retain, string, tag

_AUXILIARY = re.compile(r"match_\d+|_\w+|rec|casesOn|brecOn|below|noConfusion\w*|ctorIdx|eq_\d+")
"""What Lean makes of a definition or a type by itself."""


def _tag(o: int) -> int:
    return o >> 1 if o & 1 else tag(o)


class Terms:
    """Hashes of Lean terms: equal if and only if Lean's `Expr.eqv` takes them for equal."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._known: dict[tuple[int, int], str] = {}

    def of(self, constant: Constant, text: str) -> str:
        """What a constant is: kind, number of universes, type, and the value of a definition."""
        levels = {name: i for i, name in enumerate(self._audit.levels(constant))}
        self._known = {}
        parts = [constant.kind, len(levels), self._term(constant.type, levels)]
        if constant.kind == "def" and constant.value is not None:
            parts.append(self._term(constant.value, levels))
        parts += [self._audit.names[c] for c in constant.constructors]
        return self._hash(text, *parts)

    def statement(self, constant: Constant) -> str:
        """What a theorem states."""
        self._known = {}
        levels = {name: i for i, name in enumerate(self._audit.levels(constant))}
        return self._hash("statement", len(levels), self._term(constant.type, levels))

    @staticmethod
    def _hash(*parts: object) -> str:
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]

    def _level(self, o: int, levels: dict[str, int]) -> object:
        # Level: zero, succ, max, imax, param, mvar
        match _tag(o):
            case 0:
                return 0
            case 1:
                return ["succ", self._level(field(o, 0), levels)]
            case 2 | 3 as kind:
                return [kind, *(self._level(field(o, i), levels) for i in (0, 1))]
            case 4:
                return levels[self._audit.names[field(o, 0)]]
        raise ValueError("a level that no constant can have")

    def _term(self, o: int, levels: dict[str, int]) -> str:
        known = self._known.get((o, 0))
        if known is None:
            known = self._known[o, 0] = self._hash(*self._parts(o, levels))
        return known

    def _parts(self, o: int, levels: dict[str, int]) -> list[object]:
        def term(i: int) -> str:
            return self._term(field(o, i), levels)

        # Expr: bvar fvar mvar sort const app lam forallE letE lit mdata proj
        match kind := _tag(o):
            case 0:
                return ["bound", field(o, 0) >> 1]
            case 3:
                return ["sort", self._level(field(o, 0), levels)]
            case 4:
                name = self._audit.names[field(o, 0)]
                return ["const", name, [self._level(u, levels) for u in items(field(o, 1))]]
            case 5:
                return ["app", term(0), term(1)]
            case 6 | 7:
                return [kind, term(1), term(2)]
            case 8:
                return ["let", term(1), term(2), term(3)]
            case 9:
                literal = field(o, 0)
                value = field(literal, 0)
                if tag(literal) == 1:
                    return ["string", string(value)]
                if not value & 1:
                    raise ValueError("a literal above 2^63 in a trusted definition")
                return ["number", value >> 1]
            case 10:
                return self._parts(field(o, 1), levels)
            case 11:
                return ["proj", self._audit.names[field(o, 0)], field(o, 1) >> 1, term(2)]
        raise ValueError("a term that no constant can have")


def _projection(constant: Constant) -> bool:
    """Whether it is the function of a structure's field."""
    value = constant.value if constant.kind == "def" else None
    while value is not None and _tag(value) == 6:
        value = field(value, 2)
    return value is not None and _tag(value) == 11


def _conclusion(audit: Audit, constant: Constant) -> str:
    """The head of what the type of a constant ends in: of an instance, its class."""
    o = constant.type
    while (kind := _tag(o)) in (5, 7, 10):
        o = field(o, {5: 0, 7: 2, 10: 1}[kind])
    return audit.names[field(o, 0)] if kind == 4 else ""


_UNIQUE = frozenset(("Decidable", "DecidableEq", "DecidablePred", "DecidableRel"))
_INSTANCES = "Lean.Meta.instanceExtension"


def _instances(audit: Audit, path: str) -> Iterator[str]:
    """The instances that a module declares: a statement may rest on one that no word mentions."""
    lean = audit.lean
    data = field(lean.io(lean.read_module_data(lean.mk_string(os.fsencode(path))), path), 0)
    for entry in array(field(data, 4)):
        if audit.names[field(entry, 0)] == _INSTANCES:
            for scoped in array(field(entry, 1)):
                # Either `global instance` or `scoped namespace instance`.
                instance = field(scoped, tag(scoped))
                # InstanceEntry: keys, val, ...
                for name in array(lean.used_constants(retain(field(instance, 1)))):
                    text = audit.names[name]
                    if _conclusion(audit, audit.declared[text][1]) not in (*_UNIQUE, "SizeOf"):
                        yield text


def answer(request: dict[str, Any], library: str) -> dict[str, Any]:
    """Statements with their hashes; what they rest on, by what a reader would call it."""
    audit = Audit(Lean(library))
    for module, path, digest in request["core"]:
        audit.load(module, path, digest, project=False)
    for module, path, digest in request["project"]:
        audit.load(module, path, digest, project=True)
    audit.settle()
    audit.check()
    terms = Terms(audit)
    roots = [*audit.mentioned(request["statements"]), *((w, w) for w in request["words"])]
    for module, path, _ in request["project"]:
        if module.startswith(request["trusted"]):
            roots += [(text, text) for text in _instances(audit, path)]
    # Two instances of `Decidable p` are equal, so that nothing rests on which one it is.
    derived = {
        text
        for text, (_, constant, _) in audit.declared.items()
        if text.rpartition(".")[2].startswith("instDecidable")
        and _conclusion(audit, constant) in _UNIQUE
    }
    known = {*request["known"], *derived}
    rests = audit.meaning(roots, known)
    owned: dict[str, dict[str, str]] = {}
    for text in rests:
        if text in known:
            continue
        constant, owner = audit.declared[text][1], text
        while (parent := owner.rpartition(".")[0]) in rests and (
            _AUXILIARY.fullmatch(owner.rpartition(".")[2])
            or audit.declared[owner][1].kind == "constructor"
            or _projection(audit.declared[owner][1])
        ):
            owner = parent
        owned.setdefault(owner, {})[text] = terms.of(constant, text)
    return {
        "statements": {t: terms.statement(audit.declared[t][1]) for t in request["statements"]},
        "definitions": {
            owner: [
                audit.declared[owner][2],
                Terms._hash(*sorted(parts.items())),
            ]
            for owner, parts in owned.items()
        },
    }


if __name__ == "__main__":
    sys.setrecursionlimit(20_000)
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin), sys.argv[1])) + "\n")
    sys.stdout.flush()
    os._exit(0)  # Lean's worker threads would keep the process
