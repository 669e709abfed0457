"""The child process of `audit`: kernel replay and audit of compiled modules, through ctypes.

Run as `python -I _replay.py LIBRARY`, with the request as one JSON object on standard input; the
last line of standard output is the answer.  Only the standard library is used, and no code of
the audited modules runs: they are read as data (`Lean.readModuleData`), never imported.

Ownership: nothing is ever released, and every object is retained before it is handed to a Lean
function, so both owned and borrowed parameters are safe.  The process is short-lived.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

KINDS: Final = ("axiom", "def", "theorem", "opaque", "quot", "inductive", "constructor", "recursor")
"""Lean.ConstantInfo's constructors, in order."""

KERNEL_SPECIAL: Final = (
    # Names that the kernel evaluates or builds natively, whatever their definition says
    # (kernel/type_checker.cpp and kernel/expr.cpp of Lean 4.35.0).  They must be defined by the
    # core library, so that no project can give one of them another meaning.
    *(
        f"Nat.{f}"
        for f in [
            "zero",
            "succ",
            "add",
            "sub",
            "mul",
            "div",
            "mod",
            "gcd",
            "beq",
            "ble",
            "land",
            "lor",
            "xor",
        ]
    ),
    *(f"Nat.{f}" for f in ["shiftLeft", "shiftRight", "pow", "log2"]),
    "Bool.true",
    "Bool.false",
    "Char.ofNat",
    "String.ofList",
    "List.nil",
    "List.cons",
    "Lean.reduceBool",
    "Lean.reduceNat",
)

SUSPICIOUS_EXTENSIONS: Final = {
    # Environment extensions without any business in a project's modules.
    "Lean.Compiler.implementedByAttr": "implemented_by",
    "Lean.Compiler.CSimp.ext": "csimp",
    "Lean.externAttr": "extern",
    "Lean.exportAttr": "export",
    "Lean.regularInitAttr": "init",
    "Lean.builtinInitAttr": "builtin_init",
    "Lean.aliasExtension": "export of a name to another namespace",
    "Lean.Parser.parserExtension": "syntax",
    "Lean.Elab.macroAttribute": "macro",
    "Lean.Elab.Tactic.tacticElabAttribute": "tactic elaborator",
    "Lean.Elab.Term.termElabAttribute": "term elaborator",
    "Lean.Elab.Command.commandElabAttribute": "command elaborator",
}


# --------------------------------------------------------------------------------------------
# Objects of a running Lean (lean.h): see `bindings`.


def tag(o: int) -> int:
    return ctypes.c_uint8.from_address(o + 7).value


def field(o: int, i: int) -> int:
    return ctypes.c_uint64.from_address(o + 8 + 8 * i).value


def string(o: int) -> str:
    return ctypes.string_at(o + 32, field(o, 0) - 1).decode()


def array(o: int) -> list[int]:
    return list((ctypes.c_uint64 * field(o, 0)).from_address(o + 24))


def items(o: int) -> Iterator[int]:
    """The elements of a `List`."""
    while not o & 1:
        yield field(o, 0)
        o = field(o, 1)


def retain(o: int) -> int:
    if not o & 1:
        count = ctypes.c_int32.from_address(o)
        if count.value > 0:
            count.value += 1
    return o


class Names:
    """`Lean.Name` as text, without ambiguity: `A.b` and the single component `«A.b»` differ."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {1: ""}

    def __getitem__(self, o: int) -> str:
        known = self._known.get(o)
        if known is None:
            prefix = self[field(o, 0)]
            if tag(o) == 1:
                last = string(field(o, 1))
                if not last or "." in last or "«" in last or last.isdigit():
                    last = f"«{last}»"
            else:
                number = field(o, 1)
                last = str(number >> 1) if number & 1 else f"«#{number}»"
            known = self._known[o] = f"{prefix}.{last}" if prefix else last
        return known


class Lean:
    """The functions of the library that the audit needs."""

    def __init__(self, library: str) -> None:
        self._lib = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        for name in (
            "lean_initialize",
            "lean_io_mark_end_initialization",
            "lean_init_task_manager",
        ):
            getattr(self._lib, name)()
        o = ctypes.c_void_p
        self.mk_string = self._function("lean_mk_string", o, ctypes.c_char_p)
        self.read_module_data = self._function("l_Lean_readModuleData", o, o)
        self.mk_empty_environment = self._function("l_Lean_mkEmptyEnvironment", o, ctypes.c_uint32)
        self.to_kernel_env = self._function("lean_elab_environment_to_kernel_env", o, o)
        self.replay = self._function("l_Lean_Kernel_Environment_replay", o, o, o)
        self.add = self._function("lean_environment_add", o, o, o)
        self.find = self._function("lean_environment_find", o, o, o)
        self.empty_map = self._function("l_Std_HashMap_emptyWithCapacity___redArg", o, o)
        self.insert = self._function("l_Std_HashMap_insert___redArg", o, o, o, o, o, o)
        self.used_constants = self._function("l_Lean_Expr_getUsedConstants", o, o)
        self.eqv = self._function("lean_expr_eqv", ctypes.c_uint8, o, o)
        self.to_string = self._function("lean_expr_dbg_to_string", o, o)
        self.is_unsafe = self._function("l_Lean_ConstantInfo_isUnsafe", ctypes.c_uint8, o)
        self.is_partial = self._function("l_Lean_ConstantInfo_isPartial", ctypes.c_uint8, o)
        self.show_error = self._function("lean_io_result_show_error", None, o)
        self.name_beq = o.in_dll(self._lib, "l_Lean_Name_instBEq").value or 0
        self.name_hash = o.in_dll(self._lib, "l_Lean_instHashableName").value or 0

    def _function(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        function = getattr(self._lib, name)
        function.restype, function.argtypes = result, list(arguments)
        return function  # type: ignore[no-any-return]

    def io(self, result: int, what: str) -> int:
        """The value of an IO result; its error goes to standard error."""
        if tag(result) != 0:
            sys.stderr.flush()
            self.show_error(result)
            ctypes.CDLL(None).fflush(None)
            raise AuditError(what)
        return field(result, 0)


class AuditError(Exception):
    """The audit cannot go on."""


class Constant:
    """A `Lean.ConstantInfo`: constructor, then a value whose first field is a ConstantVal."""

    def __init__(self, o: int) -> None:
        self.object = o
        self.kind = KINDS[tag(o)]
        self._value = field(o, 0)
        signature = field(self._value, 0)
        self.levels = field(signature, 1)
        self.type = field(signature, 2)

    @property
    def value(self) -> int | None:
        """The body of a definition, theorem or opaque constant."""
        return field(self._value, 1) if self.kind in ("def", "theorem", "opaque") else None

    @property
    def expressions(self) -> tuple[int, ...]:
        """The type, and the value if there is one."""
        value = self.value
        return (self.type,) if value is None else (self.type, value)

    @property
    def constructors(self) -> Iterator[int]:
        """The constructors' names of an inductive type."""
        # InductiveVal: signature, numParams, numIndices, all, ctors, ...
        return items(field(self._value, 4)) if self.kind == "inductive" else iter(())


class Audit:
    """Reads modules, replays them and answers questions about the resulting environment."""

    def __init__(self, lean: Lean) -> None:
        self.lean = lean
        self.names = Names()
        self.declared: dict[str, tuple[int, Constant, str]] = {}  # name: (Name, constant, module)
        self.errors: list[str] = []
        self.findings: list[str] = []
        self.skipped = 0
        self.core: set[str] = set()
        self._map = lean.empty_map((16384 << 1) | 1)
        self._loaded: list[int] = []
        self._env = lean.to_kernel_env(lean.io(lean.mk_empty_environment(0), "no environment"))
        self._uses: dict[str, tuple[list[str], bool]] = {}

    def levels(self, constant: Constant) -> list[str]:
        return [self.names[n] for n in items(constant.levels)]

    def eqv(self, a: int, b: int) -> bool:
        return bool(self.lean.eqv(a, b))

    def load(self, module: str, path: str, digest: str, project: bool) -> None:
        """Add a module's constants, in the order of the file."""
        if not project:
            self.core.add(module)
        with Path(path).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise AuditError(f"{path}: changed since it was compiled")
        lean = self.lean
        result = lean.read_module_data(lean.mk_string(os.fsencode(path)))
        data = field(lean.io(result, f"{path}: cannot be read"), 0)
        # ModuleData: imports, constNames, constants, extraConstNames, entries
        names, constants = array(field(data, 1)), array(field(data, 2))
        if len(names) != len(constants):
            raise AuditError(f"{path}: {len(names)} names for {len(constants)} constants")
        for name, object_ in zip(names, constants, strict=True):
            self._add(module, name, Constant(object_), project)
        if project:
            for entry in array(field(data, 4)):
                extension, count = self.names[field(entry, 0)], len(array(field(entry, 1)))
                if count and (what := SUSPICIOUS_EXTENSIONS.get(extension)):
                    self.findings.append(f"{module}: {count} use(s) of {what} ({extension})")

    def _add(self, module: str, name: int, constant: Constant, project: bool) -> None:
        lean, text = self.lean, self.names[name]
        if project and text in KERNEL_SPECIAL:
            self.errors.append(f"{module}: defines {text}, which the kernel evaluates natively")
        if text in self.declared:
            # Lemmas that Lean derives on demand (equation lemmas) may appear in two modules.
            _, first, other = self.declared[text]
            if not self._same(first, constant):
                self.errors.append(f"{module}: defines {text} otherwise than {other}")
            return
        self.declared[text] = (name, constant, module)
        if project and constant.kind in ("axiom", "quot"):
            self.findings.append(f"{module}: declares the {constant.kind} {text}")
        unsafe, partial = lean.is_unsafe(constant.object), lean.is_partial(constant.object)
        if unsafe or partial:
            # The kernel's replay leaves these out; a theorem that used one would be refused.
            self.skipped += 1
            # The compiler derives `f._unsafe_rec` from every structurally recursive `f`.
            if project and not text.endswith("._unsafe_rec"):
                what = "unsafe" if unsafe else "partial"
                self.findings.append(f"{module}: declares {text}, which is {what}")
            return
        self._loaded.append(constant.object)
        for o in (lean.name_beq, lean.name_hash, name, constant.object):
            retain(o)
        self._map = lean.insert(lean.name_beq, lean.name_hash, self._map, name, constant.object)

    def _same(self, a: Constant, b: Constant) -> bool:
        if a.kind != b.kind or self.levels(a) != self.levels(b) or not self.eqv(a.type, b.type):
            return False
        if a.kind == "theorem":
            return True
        return a.value is not None and b.value is not None and self.eqv(a.value, b.value)

    def settle(self, believed: bool = False) -> None:
        """Let the kernel check what was loaded since the last time, on top of what is there.

        Args:
            believed: It did so in an earlier run, with the same constants there: take them as an
                import does.
        """
        lean = self.lean
        if believed:
            for constant in self._loaded:
                self._env = lean.add(self._env, retain(constant))
        else:
            result = lean.replay(self._map, self._env)
            self._env = lean.io(result, "the kernel refused a constant")
        self._map, self._loaded = lean.empty_map((512 << 1) | 1), []

    def check(self) -> int:
        """Look up everything that was declared.

        Returns:
            The number of constants in the resulting environment; each has the declared kind and
            type there.
        """
        accepted = 0
        for text, (name, constant, module) in self.declared.items():
            found = self.lookup(name)
            if found is None:
                continue
            if (
                found.kind != constant.kind
                or self.levels(found) != self.levels(constant)
                or not self.eqv(found.type, constant.type)
            ):
                raise AuditError(f"{module}: {text} is not what the kernel accepted")
            accepted += 1
        if accepted + self.skipped != len(self.declared):
            raise AuditError(
                f"replay: {len(self.declared)} constants were declared and {self.skipped} of them "
                f"unsafe, but the kernel's environment has {accepted}"
            )
        return accepted

    def lookup(self, name: int) -> Constant | None:
        """A constant of the replayed environment."""
        found = self.lean.find(retain(self._env), retain(name))
        return None if found & 1 else Constant(field(found, 0))

    def axioms(self, text: str) -> frozenset[str]:
        """The axioms that a constant of the replayed environment depends on."""
        # Depth first with an explicit stack; only the union over all reachable is wanted.
        seen, stack, found = {text}, [text], set()
        while stack:
            current = stack.pop()
            uses, axiom = self._direct(current)
            if axiom:
                found.add(current)
            for used in uses:
                if used not in seen:
                    seen.add(used)
                    stack.append(used)
        return frozenset(found)

    def _direct(self, text: str) -> tuple[list[str], bool]:
        """The constants that a constant mentions, and whether it is an axiom."""
        if text not in self._uses:
            constant = self.lookup(self.declared[text][0]) if text in self.declared else None
            if constant is None:
                raise AuditError(f"{text}: used, but not in the kernel's environment")
            objects = [
                name
                for expression in constant.expressions
                for name in array(self.lean.used_constants(retain(expression)))
            ]
            uses = [self.names[n] for n in (*objects, *constant.constructors)]
            self._uses[text] = (uses, constant.kind == "axiom")
        return self._uses[text]

    def mentioned(self, statements: Sequence[str]) -> list[tuple[str, str]]:
        """The constants that statements mention, each with a statement."""
        return [
            (self.names[used], text)
            for text in statements
            if text in self.declared
            for used in array(self.lean.used_constants(retain(self.declared[text][1].type)))
        ]

    def meaning(
        self, roots: Sequence[tuple[str, str]], known: Container[str] = ()
    ) -> dict[str, str]:
        """The constants outside the core library that the meaning of some constants rests on.

        These themselves, and what they mention: types, values of definitions, instances among
        them, constructors.  Theorems are left out: a term may hold a proof, but which one says
        nothing.

        Args:
            roots: From `mentioned`.
            known: Constants that are not looked into.

        Returns:
            Each constant with the statement that led to it.
        """
        found: dict[str, str] = {}
        stack = list(reversed(roots))
        while stack:
            text, statement = stack.pop()
            if text in found or text not in self.declared:
                continue
            _, constant, module = self.declared[text]
            if module in self.core or constant.kind == "theorem":
                continue
            found[text] = statement
            if text not in known:
                stack += [(used, statement) for used in self._direct(text)[0]]
        return found

    def outside(self, trust: dict[str, Any]) -> Iterator[str]:
        """Findings: what must have no say in statements, and has."""
        for text, (_, _, module) in self.declared.items():
            for namespace, owner in trust["namespaces"]:
                below = text == namespace or text.startswith(f"{namespace}.")
                if below and module != owner and module not in self.core:
                    yield f"{module}: declares {text}; only {owner} may declare what is below it"
        definitions, modules = set(trust["definitions"]), trust["modules"]
        roots = self.mentioned(trust["statements"])
        for text, statement in self.meaning(roots, definitions).items():
            module = self.declared[text][2]
            trusted = any(module.startswith(m) if m.endswith(".") else module == m for m in modules)
            if not trusted and text not in definitions:
                yield (
                    f"{module}: declares {text}, on which rests what {statement} states; "
                    f"only {', '.join(modules)} may"
                )

    def show(self, expression: int) -> str:
        return string(self.lean.to_string(expression))[:2000]

    def theorem(self, text: str) -> dict[str, object]:
        """What is known of a claimed theorem."""
        if text not in self.declared:
            return {"name": text, "kind": None, "axioms": [], "statement": ""}
        name, declared, _ = self.declared[text]
        constant = self.lookup(name)
        if constant is None:
            return {"name": text, "kind": f"unsafe {declared.kind}", "axioms": [], "statement": ""}
        return {
            "name": text,
            "kind": constant.kind,
            "axioms": sorted(self.axioms(text)),
            "statement": self.show(constant.type),
        }

    def pair(self, claim: str, theorem: str) -> dict[str, object]:
        """Whether a theorem's type is the claim.

        A claim is the type of a constant, or its value where that is a `def claim : Prop := ...`.
        """
        sides: list[tuple[int, list[str]] | None] = []
        for text in (claim, theorem):
            constant = self.lookup(self.declared[text][0]) if text in self.declared else None
            if constant is None:
                sides.append(None)
                continue
            statement = constant.type
            if text == claim and constant.kind == "def" and self.show(statement) == "Prop":
                statement = constant.value or statement
            sides.append((statement, self.levels(constant)))
        a, b = sides
        return {
            "claim": claim,
            "theorem": theorem,
            "equal": a is not None and b is not None and a[1] == b[1] and self.eqv(a[0], b[0]),
            "claimed": self.show(a[0]) if a else "(no such constant)",
            "stated": self.show(b[0]) if b else "(no such constant)",
        }


def answer(request: dict[str, Any], library: str) -> dict[str, Any]:
    """The whole audit."""
    audit = Audit(Lean(library))
    done: dict[str, Any] = {"nonce": request["nonce"], "constants": 0, "theorems": [], "pairs": []}
    try:
        for module, path, digest in request["core"]:
            audit.load(module, path, digest, project=False)
        if missing := [n for n in KERNEL_SPECIAL if n not in audit.declared]:
            audit.errors.append(
                f"the core library lacks {', '.join(missing)}, which the kernel evaluates natively"
            )
        audit.settle()
        for index, (module, path, digest) in enumerate(request["project"]):
            audit.load(module, path, digest, project=True)
            audit.settle(believed=index < request["believed"])
        done["declared"] = len(audit.declared)
        done["constants"] = audit.check()
        audit.findings += audit.outside(request["trust"])
        done["theorems"] = [audit.theorem(t) for t in request["theorems"]]
        done["pairs"] = [audit.pair(c, t) for c, t in request["pairs"]]
    except AuditError as failure:
        audit.errors.append(str(failure))
    done["skipped"] = audit.skipped
    done["errors"], done["findings"] = audit.errors, audit.findings
    return done


if __name__ == "__main__":
    reply = json.dumps(answer(json.load(sys.stdin), sys.argv[1]))
    sys.stdout.write(reply + "\n")
    sys.stdout.flush()
    os._exit(0)  # Lean's worker threads would keep the process
