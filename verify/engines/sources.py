"""Lean source text: comments and strings set aside, imports, and what project sources may not say.

The scan is the first of several nets and never the only one: it gives an early message with a
line number.  What it lets through is caught by the audit (axioms by allow-list, kernel replay).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify.engines.base import Message
from verify.errors import VerifyError

_META = "it runs code during elaboration or changes what later text means"
_NATIVE = "it trusts compiled code that the kernel has not checked"

_ATTRIBUTES: Final = (
    *("simp", "ext", "congr", "refl", "symm", "trans", "reducible", "irreducible"),
    *("semireducible", "inline", "match_pattern", "deprecated"),
)
_ATTRIBUTE: Final = (
    rf"((local|scoped)\s+)?(-?({'|'.join(_ATTRIBUTES)})|(?<=local )instance)(?![\w'.!?»])[^\],]*"
)

BANNED: Final[dict[str, str]] = {
    # What (a word, or a regular expression on text without comments and strings) -> why.
    r"sorry": "it leaves a proof out",
    r"admit": "it leaves a proof out",
    r"axiom": "it assumes what should be proved",
    r"opaque": "it hides a definition from the reader of a statement",
    r"unsafe": "unsafe declarations are not checked by the kernel",
    r"partial": "the kernel sees a partial definition as an arbitrary constant",
    r"native_decide": _NATIVE,
    r"decide\s*\+native": _NATIVE,
    r"native\s*:=": _NATIVE,
    r"(Lean\.)?(reduceBool|reduceNat|ofReduceBool|ofReduceNat|trustCompiler)": _NATIVE,
    r"implemented_by": _NATIVE,
    r"extern": _NATIVE,
    r"csimp": _NATIVE,
    r"initialize": _NATIVE,
    r"builtin_initialize": _NATIVE,
    r"set_option\s+(?!(maxHeartbeats|maxRecDepth|autoImplicit|relaxedAutoImplicit|linter\.\w"
    r"|pp\.\w|trace\.\w))\S*": "only options that cannot weaken a check are allowed: "
    "maxHeartbeats, maxRecDepth, autoImplicit, relaxedAutoImplicit, linter.*, pp.*, trace.*",
    r"#exit": "the rest of the file is not checked",
    r"#eval!?": "it runs code",
    r"(run_cmd|run_elab|run_meta|run_tac|by_elab|eval%)": _META,
    r"(elab|elab_rules|macro|macro_rules|syntax|declare_syntax_cat|simproc|dsimproc)": _META,
    r"(notation|notation3|infix|infixl|infixr|prefix|postfix)": "it changes what later statements "
    "mean, claims among them",
    r"(term_elab|command_elab|tactic_elab|term_parser|command_parser|tactic_parser)": _META,
    r"(binder_predicate|unif_hint)": "it changes what later statements mean, claims among them",
    r"(declare|register|builtin)_\w+": _META,
    r"import\s+(all\s+)?(Lean|Lake|Std)": "with Lean's own modules a file can extend the language; "
    "proofs need the core library only",
    # An allow-list: Lean and its libraries have hundreds of attributes, and more each month.
    rf"(@|attribute\s*)\[(?!\s*{_ATTRIBUTE}(,\s*{_ATTRIBUTE})*\])[^\]\s]*": "only attributes that "
    f"cannot change what later text means are allowed: {', '.join(_ATTRIBUTES)}, local instance",
    r"(@|attribute\s*)\[[^\]]*(?<![\w'.])(export|init|delab|app_delab|app_unexpander)"
    r"(?![\w'])[^\]]*\]": _META,
    r"(?<!\[)export": "it gives a name of another namespace, in later statements too",
    r"prelude": "it replaces the core library",
}


def _compile(what: str) -> re.Pattern[str]:
    """A banned word stands alone: not part of a longer identifier, no component after a dot.

    In quotation marks it is banned as well: Lean reads `@[«csimp»]` like `@[csimp]`.
    """
    alone = what[0].isalpha() or (what[0] == "(" and not what.startswith("(@"))
    return re.compile(rf"(?<![\w'.#]){what}(?![\w'!?])" if alone else what)


# With each pattern the words without one of which it cannot match: looking for a plain word first
# is ten times faster.
_PATTERNS: Final = [
    (
        _compile(what),
        ["@[", "attribute"] if what.startswith("(@") else re.findall(r"[A-Za-z_]{4,}", what),
        why,
    )
    for what, why in BANNED.items()
]

_BEFORE: Final = r"(?<![\w'!?.])"
_TOKEN: Final = re.compile(
    # What may hide other text.  A quote after a letter or a quote belongs to an identifier: `h'`.
    r"(?P<line>--)|(?P<block>/-)"
    rf"|{_BEFORE}r(?P<raw>#*)\""
    r'|(?P<string>"(?:[^"\\]|\\.)*("|\Z))'
    rf"|(?P<character>{_BEFORE}'(?:\\(?:x[0-9a-fA-F]{{2}}|u[0-9a-fA-F]{{4}}|.)|[^'\\\n])')"
    r"|(?P<name>«[^»\n]*»)",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"/-|-/")


def blank(source: str) -> str:
    """The source with every comment, string and character replaced by blanks, lines kept."""
    out: list[str] = []
    i = 0
    while found := _TOKEN.search(source, i):
        kind, end = found.lastgroup, found.end()
        out.append(source[i : found.start()])
        if kind == "line":
            end = source.find("\n", end)
        elif kind == "block":
            depth = 1
            while depth and end >= 0:
                edge = _BLOCK.search(source, end)
                depth += 0 if edge is None else 1 if edge[0] == "/-" else -1
                end = -1 if edge is None else edge.end()
        elif kind == "raw":
            closing = '"' + found["raw"]
            end = source.find(closing, end)
            end = end + len(closing) if end >= 0 else end
        end = len(source) if end < 0 else end
        text = source[found.start() : end]
        out.append(text if kind == "name" else re.sub(r"[^\n]", " ", text))
        i = end
    return "".join([*out, source[i:]])


@dataclass(frozen=True)
class Source:
    """A module's source: its text, and the modules of the same library that it imports."""

    module: str
    text: bytes
    imports: tuple[str, ...]
    file: str


def scan(source: Source) -> tuple[Message, ...]:
    """Banned words in a project's source, as errors with line and reason."""
    text = blank(source.text.decode())
    found = []
    for pattern, words, why in _PATTERNS:
        if not any(word in text for word in words):
            continue
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
            said = " ".join(match[0].split())
            found.append(
                Message("error", source.file, line, column, f"`{said}` is not allowed: {why}")
            )
    return tuple(sorted(found, key=lambda m: (m.line, m.column)))


def banned(word: str) -> str | None:
    """Why a word may not stand in a project's source; None if it may."""
    return next((why for pattern, _, why in _PATTERNS if pattern.fullmatch(word)), None)


def imports(source: str) -> tuple[str, ...]:
    """The modules that a source imports, in order; `Init` is implied unless it is a prelude."""
    return tuple(_imports(blank(source).split()))


def _imports(words: list[str]) -> Iterator[str]:
    if "prelude" not in words[:2]:
        yield "Init"
    importing = False
    for word in words:
        if importing and word != "all":
            yield word
            importing = False
        elif word == "import":
            importing = True
        elif word not in ("module", "prelude", "public", "meta", "all"):
            return


def path_of(module: str, suffix: str = ".lean") -> Path:
    """The file of a module, relative to its root."""
    return Path(*module.split(".")).with_suffix(suffix)


MODULE_NAME: Final = re.compile(r"[A-Za-z_][\w']*(\.[A-Za-z_][\w']*)*")
"""The module names that we take: no quoting, no path tricks."""


def graph(root: Path, modules: Sequence[str], outside: Callable[[str], bool]) -> dict[str, Source]:
    """The import graph below root modules, dependencies first.

    Args:
        outside: Tells modules that exist already; imports of them are left out.

    Raises:
        VerifyError: A module has no file, an unreadable one or an unusable name, or imports
            form a cycle.
    """
    found: dict[str, Source] = {}
    open_: list[str] = []

    def visit(module: str, importer: str) -> None:
        if module in found or outside(module):
            return
        if module in open_:
            cycle = " -> ".join([*open_[open_.index(module) :], module])
            raise VerifyError(f"{root}: imports form a cycle: {cycle}; break it")
        if not MODULE_NAME.fullmatch(module):
            raise VerifyError(f"{importer}: {module!r} is not a module name")
        path = root / path_of(module)
        try:
            text = path.read_bytes()
            decoded = text.decode()
        except FileNotFoundError:
            raise VerifyError(
                f"{importer}: module {module}: there is no {path}, and the engine's core library "
                "has no such module"
            ) from None
        except OSError as error:
            raise VerifyError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise VerifyError(
                f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"
            ) from error
        open_.append(module)
        wanted = imports(decoded)
        for name in wanted:
            visit(name, str(path))
        open_.pop()
        inside = tuple(n for n in wanted if not outside(n))
        found[module] = Source(module, text, inside, str(path))

    for module in modules:
        visit(module, str(root))
    return found
