"""What every engine takes and gives: modules built, messages, and what the audit found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

ALLOWED_AXIOMS = frozenset({"propext", "Quot.sound", "Classical.choice"})
"""The axioms of ordinary Lean mathematics; a theorem that needs any other is not proved."""


@dataclass(frozen=True)
class Message:
    """One message of the Lean front end, or of a check of ours.

    Attributes:
        severity: `error`, `warning` or `information`.
        file: The source file as given to the engine.
        line: Line number from 1; 0 when the message concerns no line.
        column: Column from 0.
        text: The message; may have several lines.
    """

    severity: str
    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.severity}: {self.text}"


@dataclass(frozen=True)
class ModuleResult:
    """A module that was checked, or whose check was found in the cache.

    Attributes:
        seconds: Wall time; of the original check where it was cached.
        peak_mb: Peak memory of the child process in MB (10^6 bytes); 0 where unknown.
    """

    module: str
    ok: bool
    cached: bool
    seconds: float
    peak_mb: float
    messages: tuple[Message, ...] = ()


Progress = Callable[[ModuleResult], None]


@dataclass(frozen=True)
class Build:
    """The outcome of checking a project's modules.

    Attributes:
        engine: Name of the engine.
        root: Project directory.
        modules: In the order in which they ended.
        oleans: Module name to compiled file, dependencies first (embedded engine only).
        olean_hashes: Module name to SHA-256 of that file.
        core_oleans: The same for the core library below the project.
        messages: Messages that concern no single module.
        exit_code: That of the build as a whole: 0, or the first failure.
    """

    engine: str
    root: Path
    modules: tuple[ModuleResult, ...]
    exit_code: int
    oleans: Mapping[str, Path] = field(default_factory=dict)
    olean_hashes: Mapping[str, str] = field(default_factory=dict)
    core_oleans: Mapping[str, Path] = field(default_factory=dict)
    core_hashes: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether something was built and all of it succeeded."""
        return self.exit_code == 0 and bool(self.modules) and all(m.ok for m in self.modules)


@dataclass(frozen=True)
class TheoremAudit:
    """What the kernel's environment says about a claimed theorem.

    Attributes:
        kind: `theorem`, `axiom`, `def`, `opaque`, ...; None when there is no such constant.
        axioms: All axioms that it depends on, sorted.
        statement: Its type, for messages.
    """

    name: str
    kind: str | None
    axioms: tuple[str, ...]
    statement: str

    @property
    def problem(self) -> str | None:
        """Why it does not count as proved, or None."""
        if self.kind is None:
            return f"{self.name}: no such theorem"
        if self.kind != "theorem":
            return f"{self.name}: is a declaration of kind {self.kind}, not a theorem"
        if bad := sorted(set(self.axioms) - ALLOWED_AXIOMS):
            return f"{self.name}: depends on {', '.join(bad)}"
        return None


@dataclass(frozen=True)
class PairAudit:
    """Whether a theorem states exactly what the claim states (up to names of bound variables)."""

    claim: str
    theorem: str
    equal: bool
    claimed: str
    stated: str

    @property
    def problem(self) -> str | None:
        """Why the claim does not stand, or None."""
        if self.equal:
            return None
        return f"{self.theorem}: states {self.stated!r}, but {self.claim} claims {self.claimed!r}"


@dataclass(frozen=True)
class Audit:
    """The audit of a build: kernel replay and what the environment contains.

    Attributes:
        errors: Why the audit as a whole failed (replay refused a constant, the child died, ...);
            with any of these nothing is proved.
        findings: What project modules must not contain: declared axioms, unsafe constants,
            `implemented_by`, ...; with any of these nothing is proved.
        constants: Number of constants that the kernel accepted.
    """

    errors: tuple[str, ...]
    findings: tuple[str, ...] = ()
    theorems: tuple[TheoremAudit, ...] = ()
    pairs: tuple[PairAudit, ...] = ()
    constants: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that stands between this audit and a proof of all it was asked."""
        judged = [*(t.problem for t in self.theorems), *(p.problem for p in self.pairs)]
        return (*self.errors, *self.findings, *(p for p in judged if p is not None))

    @property
    def ok(self) -> bool:
        """Whether every theorem and pair holds; never so when nothing was asked or replayed."""
        return not self.problems and self.constants > 0 and bool(self.theorems)


@dataclass(frozen=True)
class Trust:
    """What the meaning of statements may rest on, besides the core library.

    A statement says what the definitions say that it mentions, those that they mention, and the
    instances among them.  Whoever writes proofs and templates must have no say in these.

    Attributes:
        statements: Constants whose types are statements that a reader is shown.
        modules: The modules whose declarations they may rest on; with a dot at the end, all modules
            below.
        definitions: Constants of other modules that they may rest on: some theorem says what each
            of them is.
        namespaces: Namespace to the only module that may declare a constant in it.
    """

    statements: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    namespaces: tuple[tuple[str, str], ...] = ()


NOTHING: Final = Trust()
"""For an audit that asks who proves what, and shows no statement to anybody."""


class Engine(Protocol):
    """Checks Lean modules and audits the result."""

    @property
    def name(self) -> str:
        """`embedded` or `lake`."""
        ...

    def describe(self) -> str:
        """One line for `verify doctor`: version, where it is."""
        ...

    def build(self, root: Path, modules: Sequence[str], progress: Progress | None = None) -> Build:
        """Check modules and all that they import from the project.

        Args:
            root: Directory that module names are relative to.
            modules: Root modules, for instance `MPSVerify.Claims`.
            progress: Called once for each module, from any thread, one call at a time.
        """
        ...

    def audit(
        self,
        build: Build,
        theorems: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        trust: Trust = NOTHING,
    ) -> Audit:
        """Audit a build.

        Args:
            build: What `build` returned.
            theorems: Names that must be theorems with allowed axioms only.
            pairs: (claim, theorem): constants that must state the same.
            trust: What statements may rest on; a finding for each constant that is outside.
        """
        ...
