"""Statements in Lean: text in which every name stands at the root.

A module of a spec may declare a name that is nearer than ours to the place where a claim is stated:
`MPSVerify.Gate.Safe`, when the claim says `Safe`.  So nothing is a `Statement` in which a word
is left to Lean's name resolution.  `word` makes the names; what else may stand there has its
meaning from the expected type (`.encoder`), from a binder of the statement, or from the
grammar.  What the instances and the notation of a statement stand for is the audit's business:
it follows them in the compiled module.
"""

from __future__ import annotations

import re

from verify.errors import VerifyError

_ROOT = "_root_."
_PART = r"[^\W\d][\w'!?]*"
_TOKEN = re.compile(
    rf"(?P<root>_root_(?:\.{_PART})+)"
    rf"|(?<![\w'!?)\]⟩])\.(?P<dotted>{_PART}(?:\.{_PART})*)"
    rf"|(?P<field>{_PART}) :="
    rf"|(?P<name>{_PART}(?:\.{_PART})*)"
    r"|(?P<number>\d+)"
    r"|(?P<sign>[()⟨⟩{}\[\],:=¬∧∨∀∃→↔≠∈@ ]|=>|\|\||&&)"
)
_BINDER = re.compile(rf"(?:∀|∃|\bfun) ((?:{_PART} ?)+)(?=[∈,:]|=>)")


WORDS = frozenset(
    """
    Safe CanReach ExactFaults Parallel TeardownRace DeadlockFree Reachable Faulty
    Env LockScheme Client Label Snapshot FMap.get Snapshot.state Snapshot.shows
    LockScheme.check LockScheme.config LockScheme.leadsTo LockScheme.overlaps LockScheme.replay?
    LockScheme.step? allFaults allKinds criterion faultCriterion
    """.split()
)
"""The words of this project's Lean that statements are made of, below `MPSVerify`."""


def word(name: str) -> str:
    """One of `WORDS`, from the root.

    Raises:
        VerifyError: It is none of them.
    """
    if name not in WORDS:
        raise VerifyError(f"statement: {name!r} is no word of a statement; add it to `WORDS`")
    return rooted(f"MPSVerify.{name}")


def rooted(name: str) -> str:
    """A full name, from the root."""
    return f"{_ROOT}{name}"


class Statement(str):
    """A Lean term on one line in which no name is left to name resolution.

    Raises:
        VerifyError: There is a bare name in it, or something that is no part of a term.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Statement:
        """Check the text; see the class."""
        bound = {name for found in _BINDER.finditer(text) for name in found[1].split()}
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise VerifyError(f"statement: {text[at]!r} has no business in {text[:200]!r}")
            name = token["name"]
            if name is not None and name != "fun" and name not in bound:
                raise VerifyError(
                    f"statement: {name!r} is a bare name in {text[:200]!r}; write it by `word`"
                )
            at = token.end()
        return super().__new__(cls, text)

    @property
    def negation(self) -> Statement:
        """That it does not hold."""
        return Statement(f"¬ ({self})")


def theorem(name: str, statement: Statement, proof: str) -> str:
    """A theorem on one line.  The proof needs no check: the kernel is not asked what it says."""
    return f"theorem {name} : {statement} := {proof}"


def definition(name: str, type_: Statement, value: Statement) -> str:
    """A definition on one line."""
    return f"def {name} : {type_} := {value}"
