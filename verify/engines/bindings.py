"""Lean source that binds the grammar which `libleanshared` already contains.

The library holds every parser description and macro expander of Lean's own core as native
objects, and Lean's interpreter finds the native object behind an `extern` declaration by the
mangled *Lean name* of the declaration.  So one generated line is enough to bring a piece of
grammar to life in a core library of our own:

    @[tactic_parser, extern "native"] opaque Lean.Parser.Tactic.«intro» : Lean.ParserDescr

What the binary does not say is which syntax category a description belongs to, and in which
order the macro rules were declared.  The tables below say it; everything else is read from the
library.  Nothing generated here takes part in the logic: a wrong line fails to parse something
or crashes the front end, and proofs are judged by the kernel in `audit`.

This module also runs as a script in a child process (`python -I bindings.py LIBRARY`), because
loading the library into the caller would keep its 230 MB there; hence only the standard library.
"""

from __future__ import annotations

import bisect
import ctypes
import json
import mmap
import os
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

# --------------------------------------------------------------------------------------------
# Tables: what the binary does not say.

DECLARED_CATEGORIES: Final = (
    # Built-in categories are known to the front end, but antiquotations and `declare_syntax_cat`
    # look for a constant of this name.
    "command",
    "term",
    "tactic",
    "doElem",
    "structInstFieldDecl",
    "level",
    "attr",
    "stx",
    "prio",
    "prec",
)

EXTRA_CATEGORIES: Final = (
    # (namespace, category, behaviour): in the real core by `declare_syntax_cat`.  Macro expanders
    # quote syntax of these categories under exactly these namespaces.
    ("Lean", "rawStx", None),
    ("Lean", "binderPred", None),
    ("Lean.Parser.Tactic", "rcasesPat", None),
    ("Lean.Parser.Tactic", "rintroPat", None),
    ("Lean.Parser.Tactic.Conv", "conv", "both"),
    # `simp` parameters mention grind's categories, whether grind is used or not.
    ("Lean.Parser.Tactic.Grind", "grind", "both"),
    ("Lean.Parser.Tactic.Grind", "grind_filter", "both"),
    ("Lean.Parser.Tactic.Grind", "grind_ref", "both"),
    ("Lean.Parser.Attr", "grind_mod", "both"),
)

NAMESPACE_CATEGORY: Final[dict[str, str | None]] = {
    # The namespaces whose grammar is bound, with the category of their named descriptions.  None:
    # only descriptions whose name begins with its category (`notation` and `syntax` make such
    # names: `term_∧_`) or that EXPLICIT_CATEGORY lists.  Other namespaces (Std, Lake, grind, the
    # documentation language, ...) are left out: our proofs do not use them.
    "": None,
    "Lean": None,
    "Lean.Parser": None,
    "Lean.Parser.Syntax": None,
    "Lean.Parser.Command": None,
    "Lean.Parser.Attr": "attr",
    "Lean.Parser.Tactic": "tactic",
    "Lean.Parser.Tactic.rcasesPat": "rcasesPat",
    "Lean.Parser.Tactic.rintroPat": "rintroPat",
    "Lean.Parser.Tactic.Conv": "conv",
    "Lean.Elab.Tactic.Ext": "tactic",
}

NAME_PREFIX_CATEGORY: Final = (
    # For the namespaces without a category of their own.
    "term",
    "tactic",
    "command",
    "conv",
    "stx",
    "prec",
    "prio",
    "attr",
    "binderPred",
)

EXPLICIT_CATEGORY: Final = {
    # `syntax (name := ...)` gives a description a name that does not tell its category.
    "boolIfThenElse": "term",
    "rawNatLit": "term",
    "coeNotation": "term",
    "coeFunNotation": "term",
    "coeSortNotation": "term",
    "Lean.byElab": "term",
    "Lean.calc": "term",
    "Lean.includeStr": "term",
    "Lean.modCast": "term",
    "Lean.withAnnotateTerm": "term",
    "Lean.cdot": "tactic",
    "Lean.calcTactic": "tactic",
    "Lean.solveTactic": "tactic",
    "Lean.guardMsgsCmd": "command",
    "Lean.reduceCmd": "command",
    "Lean.Attr.coe": "attr",
    "Lean.deprecated": "attr",
    "Lean.deprecated_arg": "attr",
    "Lean.suggest_for": "attr",
    "Lean.univ_out_params": "attr",
    "Lean.Parser.checkTactic": "command",
    "Lean.Parser.simprocPattern": "command",
    "Lean.Parser.Command.guardExprCmd": "command",
    "Lean.Parser.Command.guardCmd": "command",
    "Lean.Parser.Command.classAbbrev": "command",
    "Lean.Parser.Syntax.exact?": "term",
    "Lean.Parser.Syntax.addPrec": "prec",
    "Lean.Parser.Syntax.subPrec": "prec",
    "Lean.Parser.Syntax.addPrio": "prio",
    "Lean.Parser.Syntax.subPrio": "prio",
    "Lean.Parser.Tactic.declareSimpLikeTactic": "command",
    "Lean.Parser.Tactic.by?": "term",
    "Lean.Parser.Tactic.showTermElab": "term",
    "Lean.Parser.Tactic.Conv.conv": "tactic",
}

LEFT_OUT: Final = re.compile(
    # Grammar in the bound namespaces that needs categories or types we do not have.
    r"Lean\.Parser\.Attr\.grindMod.+"
    # The proof mode for monadic programs (mvcgen and its relatives).
    r"|Lean\.Parser\.Tactic\.m(assumption|cases|clear|constructor|dup|exact|exfalso|exists|frame"
    r"|have|intro|leave|left|pure|refine|rename|replace|revert|right|spec|start|stop|vcgen).*"
    r"|Lean\.Parser\.Tactic\.vcgen.*"
    # Bit-blasting, `try?`, symbolic simulation: external solvers and elaborators of Std.
    r"|Lean\.Parser\.Tactic\.(bv[A-Z].*|try(Result|Trace).*|suggestions|sym)"
    # `run_cmd`: banned in project sources, and it needs monads that the reduced core lacks.
    r"|Lean\.runCmd"
)

MACRO_MODULES: Final = (
    # The modules of the real core whose macro rules are bound, in their import order: the front
    # end tries later declarations first, so the order is part of the meaning (`rfl`, `trivial`
    # and `decreasing_tactic` are extended rule by rule).
    "Notation",
    "Tactics",
    "TacticsExtra",
    "NotationExtra",
    "Core",
    "Coe",
    "GetElem",
    "Conv",
    "Meta",
    "Ext",
    "WFTactics",
    "ByCases",
    "BinderPredicates",
    "Simproc",
    "MacroTrace",
    "Data_List_Notation",
    "Data_Array_Basic",
    "Control_Basic",
    "Data_ToString_Macro",
    "System_IO",
    "Try",
    "LawfulBEqTactics",
)

UNEXPANDED: Final = (
    # The constants that messages should show in notation (`a ∧ b`, not `And a b`).  Each must be
    # defined in the reduced core before the generated Unexpand module.
    "And Or Not Eq HEq Ne Iff Exists HAdd.hAdd HSub.hSub HMul.hMul HDiv.hDiv HMod.hMod HPow.hPow "
    "HAppend.hAppend Neg.neg LE.le LT.lt GE.ge GT.gt BEq.beq bne Membership.mem List.cons Prod "
    "PProd Function.comp and or not Dvd.dvd Subtype ite dite cond Functor.map Bind.bind Sum Sigma "
    "PSigma EmptyCollection.emptyCollection singleton insert Insert.insert HasEquiv.Equiv "
    "Inter.inter Union.union HasSubset.Subset"
).split()

# --------------------------------------------------------------------------------------------
# Symbols of the library.


class Symbol(NamedTuple):
    """A defined dynamic symbol: its name, and whether it is an object the size of a pointer."""

    name: str
    pointer: bool


def symbols(library: Path) -> Iterator[Symbol]:
    """The defined symbols of a 64-bit little-endian ELF shared library, from its `.dynsym`.

    Raises:
        ValueError: The file is not such a library (Mach-O has no reader here: the macOS wheel
            exports no `lean_main`, so there is nothing to bind grammar for).
    """
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        if image[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{library}: not a 64-bit little-endian ELF file")
        (section_offset,) = struct.unpack_from("<Q", image, 0x28)
        entry_size, count = struct.unpack_from("<HH", image, 0x3A)
        sections = [
            # sh_type, sh_offset, sh_size, sh_link
            struct.unpack_from("<4xI16xQQI", image, section_offset + i * entry_size)
            for i in range(count)
        ]
        dynsym = next((s for s in sections if s[0] == 11), None)
        if dynsym is None:
            raise ValueError(f"{library}: no dynamic symbol table")
        _, offset, size, link = dynsym
        names = image[sections[link][1] : sections[link][1] + sections[link][2]]
        for name, info, section, length in struct.iter_unpack(
            "<IBxH8xQ", image[offset : offset + size]
        ):
            if section != 0:
                text = names[name : names.index(b"\0", name)].decode("utf-8", "replace")
                yield Symbol(text, info & 15 == 1 and length == 8)


# --------------------------------------------------------------------------------------------
# Objects of a running Lean.  Header: u32 reference count, u16 size, u8 number of object fields,
# u8 tag; then the fields.  An odd pointer is a scalar.  (lean.h of Lean 4.35.0)

_STRING = 249
_NAME_STR = 1


class _Memory:
    """Reads Lean objects, refusing addresses outside the mapped memory of this process."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for line in Path("/proc/self/maps").read_text().splitlines():
            bounds, rights = line.split()[:2]
            if rights.startswith("r"):
                start, end = (int(x, 16) for x in bounds.split("-"))
                self._starts.append(start)
                self._ends.append(end)

    def word(self, address: int) -> int:
        i = bisect.bisect_right(self._starts, address) - 1
        if address % 8 or i < 0 or address + 8 > self._ends[i]:
            raise LookupError(address)
        return ctypes.c_uint64.from_address(address).value

    def constructor(self, pointer: int) -> tuple[int, int]:
        """The tag of an object and its number of object fields; (-1, 0) for a scalar."""
        if pointer & 1:
            return -1, 0
        header = self.word(pointer)
        return header >> 56, header >> 48 & 0xFF

    def field(self, pointer: int, i: int) -> int:
        return self.word(pointer + 8 + 8 * i)

    def string(self, pointer: int) -> str:
        if self.constructor(pointer)[0] != _STRING:
            raise LookupError(pointer)
        size = self.field(pointer, 0)
        self.word(pointer + 24 + (size + 7 & ~7))
        return ctypes.string_at(pointer + 32, size - 1).decode()

    def name(self, pointer: int) -> tuple[str, ...]:
        """The components of a `Lean.Name`; numeric components do not occur in bound names."""
        if pointer == 1:
            return ()
        if self.constructor(pointer) != (_NAME_STR, 2):
            raise LookupError(pointer)
        return (*self.name(self.field(pointer, 0)), self.string(self.field(pointer, 1)))


@dataclass(frozen=True)
class Description:
    """A parser description found in the library."""

    kind: Literal["node", "trailing", "alias"]
    name: tuple[str, ...]


_KINDS: Final[dict[tuple[int, int], tuple[Literal["node", "trailing", "alias"], int]]] = {
    # (constructor tag, object fields) of Lean.ParserDescr: kind, index of the field with the name
    (3, 3): ("node", 0),  # node kind precedence description
    (4, 4): ("trailing", 0),  # trailingNode kind precedence left-precedence description
    (9, 3): ("alias", 1),  # nodeWithAntiquot text kind description
}


def _describe(memory: _Memory, pointer: int) -> Description:
    try:
        kind, position = _KINDS[memory.constructor(pointer)]
    except KeyError:
        raise LookupError(pointer) from None
    name = memory.name(memory.field(pointer, position))
    if kind == "alias":
        memory.string(memory.field(pointer, 0))
    elif not memory.field(pointer, 1) & 1:  # a precedence is a small number
        raise LookupError(pointer)
    if not name:
        raise LookupError(pointer)
    return Description(kind, name)


def descriptions(library: Path, candidates: list[str]) -> dict[str, Description]:
    """Load the library into this process and read the parser descriptions behind symbols."""
    lean = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    lean.lean_initialize()
    memory = _Memory()
    found = {}
    for symbol in candidates:
        pointer = ctypes.c_uint64.in_dll(lean, symbol).value
        if not pointer:
            continue
        try:
            found[symbol] = _describe(memory, pointer)
        except (LookupError, UnicodeDecodeError):
            continue  # a constant of another type
    return found


# --------------------------------------------------------------------------------------------
# Generation.


def _quote(name: tuple[str, ...]) -> str:
    """A name as Lean source; quoted where a component is a keyword or no identifier."""
    plain = re.compile(r"[A-Z][A-Za-z0-9]*")
    return ".".join(c if plain.fullmatch(c) else f"«{c}»" for c in name)


def category(name: tuple[str, ...]) -> str | None:
    """The syntax category of a description, or None when it is not to be bound."""
    *namespace, last = name
    full = ".".join(name)
    if full in EXPLICIT_CATEGORY:
        return EXPLICIT_CATEGORY[full]
    own = NAMESPACE_CATEGORY.get(".".join(namespace), "absent")
    if own == "absent" or full.endswith("_quot") or LEFT_OUT.fullmatch(full):
        return None
    for prefix in NAME_PREFIX_CATEGORY:
        # `term_∧_` and `tacticFunext___` are of their category; `terminate` would be a name.
        if own in (None, "tactic") and re.match(rf"{prefix}(?![a-z])", last):
            return prefix
    return own


def _demangle(text: str) -> str:
    """One component of a mangled name: `__` for `_`, `_xHH`, `_uHHHH`, `_UHHHHHHHH` for others."""

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code else "_"

    pattern = r"__|_x([0-9a-f]{2})|_u([0-9a-f]{4})|_U([0-9a-f]{8})"
    return re.sub(pattern, character, text)


class _Auxiliary(NamedTuple):
    """A macro rule or an unexpander: an auxiliary definition of a module of the real core."""

    module: str
    target: str  # the syntax kind or the constant, its dots flattened to underscores
    number: int
    name: tuple[str, ...]


def _auxiliaries(names: Iterator[str] | list[str], role: str) -> Iterator[_Auxiliary]:
    shape = re.compile(r"l_(?:([A-Za-z0-9_]*?)_)?(__aux__Init__.*)")
    parts = re.compile(rf"_aux_Init_(.*?)___{role}_(.*?)(?:_(\d+))?")
    derived = re.compile(r".*(___boxed|_lam__|_closed_|spec__|redArg|___lam)")
    for symbol in names:
        if (found := shape.fullmatch(symbol)) and not derived.match(symbol):
            own = _demangle(found[2])
            if split := parts.fullmatch(own):
                namespace = tuple(found[1].split("_")) if found[1] else ()
                number = int(split[3] or 0)
                yield _Auxiliary(split[1], split[2], number, (*namespace, own))


def grammar_module(found: list[Description]) -> str:
    """`Init/Grammar.lean`: categories, then one binding for each description."""
    lines = [
        "prelude",
        "import Init.Meta",
        "/-! Generated: grammar that lives in libleanshared. -/",
        "namespace Lean",
        "structure Parser.Category",
        *(f"def Parser.Category.{c} : Parser.Category := {{}}" for c in DECLARED_CATEGORIES),
        "end Lean",
    ]
    for namespace, name, behaviour in EXTRA_CATEGORIES:
        suffix = f" (behavior := {behaviour})" if behaviour else ""
        lines += [f"namespace {namespace}", f"declare_syntax_cat {name}{suffix}"]
        lines += [f"end {namespace}"]
    aliases = sorted(
        d.name
        for d in found
        if d.kind == "alias"
        and ".".join(d.name[:-1]) in NAMESPACE_CATEGORY
        and not LEFT_OUT.fullmatch(".".join(d.name))
    )
    lines += [f'@[extern "native"] opaque {_quote(n)} : Lean.ParserDescr' for n in aliases]
    for d in found:
        if d.kind != "alias" and (own := category(d.name)):
            type_ = "ParserDescr" if d.kind == "node" else "TrailingParserDescr"
            lines.append(f'@[{own}_parser, extern "native"] opaque {_quote(d.name)} : Lean.{type_}')
    return "\n".join(lines) + "\n"


def macros_module(found: list[Description], names: list[str]) -> str:
    """`Init/Macros.lean`: the macro rules whose syntax kind is bound."""
    kinds = {"_".join(d.name): d.name for d in found if d.kind != "alias" and category(d.name)}
    rules = []
    for rule in _auxiliaries(names, "macroRules"):
        kind = kinds.get(rule.target)
        if kind and rule.module in MACRO_MODULES:
            rules.append((MACRO_MODULES.index(rule.module), rule.number, kind, rule.name))
    result = "EStateM.Result Lean.Macro.Exception Lean.Macro.State Lean.Syntax"
    lines = [
        "prelude",
        "import Init.Grammar",
        "/-! Generated: macro expanders that live in libleanshared. -/",
        f"instance : Inhabited ({result}) := ⟨.error .unsupportedSyntax default⟩",
    ]
    for i, (_, _, kind, name) in enumerate(sorted(rules)):
        lines += [
            f'@[extern "native"] opaque {_quote(name)} (s : Lean.Syntax) '
            f"(c : @& Lean.Macro.Context) (t : Lean.Macro.State) : {result}",
            f"@[macro {_quote(kind)}] def MiniCore.m{i} : Lean.Macro := "
            f"fun s c t => {_quote(name)} s c t",
        ]
    return "\n".join(lines) + "\n"


def unexpand_module(names: list[str]) -> str:
    """`Init/Unexpand.lean`: notation in messages; optional, nothing depends on it."""
    constants = {c.replace(".", "_"): c for c in UNEXPANDED}
    result = "EStateM.Result Unit Unit Lean.Syntax"
    lines = [
        "prelude",
        "import Init.Core",
        "/-! Generated: pretty-printing rules that live in libleanshared. -/",
        f"instance : Inhabited ({result}) := ⟨.error () ()⟩",
    ]
    rules = [
        (u.module, u.target, u.number, u.name)
        for u in _auxiliaries(names, "unexpand")
        if u.target in constants
    ]
    for i, (_, target, _, name) in enumerate(sorted(rules)):
        lines += [
            f'@[extern "native"] opaque {_quote(name)} (s : Lean.Syntax) (c : @& Lean.Syntax) '
            f"(t : Unit) : {result}",
            f"@[app_unexpander {constants[target]}] def MiniCore.u{i} : "
            f"Lean.PrettyPrinter.Unexpander := fun s c t => {_quote(name)} s c t",
        ]
    return "\n".join(lines) + "\n"


def generate_here(library: Path) -> dict[str, str]:
    """Generate the modules in this process, which loads the library (230 MB) for good."""
    all_symbols = [s for s in symbols(library) if s.name.startswith("l_")]
    derived = re.compile(r"_closed_|___lam|_spec_|___boxed|___redArg")
    candidates = sorted(s.name for s in all_symbols if s.pointer and not derived.search(s.name))
    found = list(descriptions(library, candidates).values())
    auxiliary = [s.name for s in all_symbols if "__aux__Init__" in s.name]
    return {
        "Grammar": grammar_module(found),
        "Macros": macros_module(found, auxiliary),
        "Unexpand": unexpand_module(auxiliary),
    }


def main(arguments: list[str]) -> int:
    """Print the modules as one JSON object, name to text."""
    json.dump(generate_here(Path(arguments[0])), sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # the library's own exit handlers are of no use here


if __name__ == "__main__":
    main(sys.argv[1:])
