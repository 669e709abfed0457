"""Names that a spec cannot give away: generated Lean would read them as something else.

A strategy `Safe` becomes `MPSVerify.AGX.Safe`, which is nearer to the generated theorems than the
`Safe` that they are about; tactics and derived instances mention names of Lean's core library.  No
false claim could come of it, only an error in Lean's words.  So such names are refused where the
spec is read.  The lists are read off what declares the names, so that they cannot grow old.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from verify import resources

KEYWORDS = frozenset(
    """
    abbrev at attribute axiom break builtin_initialize by calc catch class const_delab continue
    coinductive declare_syntax_cat decreasing_by def deriving do else elab elab_rules end example
    exists export extends extern false finally for forall from fun hiding if import in include
    inductive infix infixl infixr init_quot initialize instance irreducible let local macro
    macro_rules match meta module mut mutual namespace nofun nomatch noncomputable nonrec notation
    omit opaque open partial partial_fixpoint postfix prefix private protected public renaming
    repeat return run_cmd scoped section set_option show sorry structure suffices syntax then
    termination_by theorem true try unif_hint universe universes unless unsafe using variable
    variables where while with Prop Sort Type panic unreachable dbg_trace assert
    """.split()
)
"""The words that Lean 4 does not read as an identifier."""

DERIVED = frozenset(
    """
    below binductionOn brecOn casesOn ctorElim ctorElimType ctorIdx elim inj injEq mk noConfusion
    noConfusionType ofNat rec recOn sizeOf sizeOf_spec toCtorIdx
    """.split()
)
"""What Lean derives for every inductive type; a strategy is a constructor of one."""

_DECLARED = re.compile(
    r"^(?:@\[[^\]]*\] *)?(?:(?:protected|noncomputable|unsafe|partial|opaque|private) +)*"
    r"(?:def|theorem|abbrev|inductive|structure|class|axiom|opaque|instance|class inductive)"
    r" +([A-Za-z_][\w']*)(?:\.(\w+))?",
    re.M,
)
_TERM = re.compile(r"(?<![\w.])[A-Za-z]\w*")
_NO_TERM = re.compile(r"\{#.*?#\}|\{%.*?%\}|/-.*?-/|--[^\n]*", re.S)
_HARMLESS = frozenset("create encode destroy complete check kernel rw cases h s".split())
"""In the templates: fields, tactics and bound variables, which nothing can shadow."""
_BELOW = frozenset("is_safe is_unsafe parallel teardown_race".split())
"""Last parts of the names that theorems of a strategy have by default (see `views`): below a
strategy of that name it is the theorem that is nearer."""
_HOLE = re.compile(r"\{\{.*?\}\}", re.S)


def _sources(*folders: Path) -> list[str]:
    paths = sorted(path for folder in folders for path in folder.rglob("*.lean"))
    return [path.read_text(encoding="utf-8") for path in paths]


@cache
def core() -> frozenset[str]:
    """First parts of the names that the core library declares or exports to the root."""
    names: set[str] = set()
    for text in _sources(Path(__file__).with_name("engines") / "core"):
        inside: list[str] = []  # the namespaces and sections that are open
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("namespace", "section", "mutual"):
                inside.append(rest.strip() if word == "namespace" else "")
                names |= {inside[-1].partition(".")[0]} if not any(inside[:-1]) else set()
            elif word == "end" and inside:
                inside.pop()
            elif not any(inside) and (found := _DECLARED.match(line)):
                names.add(found[1])
            elif not any(inside) and (exported := re.match(r"export \S+ \(([^)]*)\)", line)):
                names |= set(exported[1].split())
    return frozenset(names - {"", "_root_"})


@cache
def templates(root: Path) -> frozenset[str]:
    """The names in the text of the shipped templates, those that they declare among them."""
    names = set()
    for path in sorted((root / "model" / "templates").glob("*.j2")):
        text = _HOLE.sub("\x00", _NO_TERM.sub(" ", path.read_text(encoding="utf-8")))
        names |= set(_TERM.findall(text))
    # `Strategy.scheme` stands beside the constructors.
    return frozenset((names | {"scheme"}) - _HARMLESS)


@cache
def _families(root: Path) -> re.Pattern[str]:
    """Names that the templates make of a text and a name, as `faults_` and an environment's."""
    beginnings = set()
    for path in sorted((root / "model" / "templates").glob("*.j2")):
        text = _HOLE.sub("\x00", _NO_TERM.sub(" ", path.read_text(encoding="utf-8")))
        beginnings |= set(re.findall(r"(?<!\w)([A-Za-z]\w*_)\x00", text))
    return re.compile(rf"(?:{'|'.join(sorted(beginnings))})\w+")


@cache
def environments(root: Path) -> frozenset[str]:
    """What is declared below `Env`, fields among it: an environment becomes `Env.NAME`."""
    names = set()
    for text in _sources(root / "MPSVerify" / "Spec", root / "MPSVerify" / "Thm"):
        names |= {found[2] for found in _DECLARED.finditer(text) if found[1] == "Env" and found[2]}
        if block := re.search(r"^structure Env where\n(.*?)^  deriving", text, re.M | re.S):
            names |= set(re.findall(r"^  (\w+) : ", block[1], re.M))
    return frozenset(names)


def why(name: str, what: str) -> str | None:
    """Why a name is taken, in words that fit after it; None if it is free.

    Args:
        name: The name.
        what: `environment name`, `file name`, or what names a strategy or a theorem.
    """
    from verify.engines import sources

    root = resources.root()
    if name in KEYWORDS:
        return "is a word that Lean reserves"
    if name in DERIVED:
        return "is a name that Lean derives for types"
    if sources.banned(name) is not None:
        return "is a word that the scan of Lean sources refuses"
    if what == "file name":
        return None
    if what == "environment name":
        return "is declared for environments by the model" if name in environments(root) else None
    if name in core():
        return "is a name of Lean's core library"
    if name in templates(root) | _BELOW or _families(root).fullmatch(name):
        return "is a name that the generated Lean uses"
    return None
