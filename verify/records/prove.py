"""What `verify prove` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verify.records.base import Count, Faults, Record, Run, once, own_word, stated
from verify.verdict import Verdict, combine


@dataclass(frozen=True)
class Claim(Record):
    """A claim and what Lean's kernel said.

    Attributes:
        claim: In English; of a hand-written one its name.
        module: The Lean module that it is about.
        statement: In Lean.
        theorem: The constant that proves the claim, or refutes it.
        axioms: Those that the theorem depends on.
        reason: Why the verdict is not PROVED.
    """

    claim: str
    module: str
    statement: str
    verdict: Verdict
    theorem: str | None
    axioms: tuple[str, ...]
    reason: str | None

    def check(self) -> None:
        own_word(self.verdict, Verdict.PROVED)
        if self.verdict is Verdict.PROVED and not self.theorem:
            raise ValueError("a claim is PROVED and names no theorem")


@dataclass(frozen=True)
class ProvedStrategy(Record):
    """A strategy's claims.

    Attributes:
        safe, parallel: As proved; None where neither is.
        theorem: The main theorem, as the spec names it.
        counterexample: Of an unsafe one, numbered steps of a run that Lean accepts.
        seconds: What the engine took for its module, when it was last checked.
        deadlock_free: With each policy of the locks that is claimed; None if not known.
        deadlock, deadlock_run: Who waits for whom, and the steps that lead there.
        faults: For each environment, the exact set, as proved; None where it is not.
        run: The counterexample as data, a line of it each.
    """

    strategy: str
    safe: bool | None
    parallel: bool | None
    verdict: Verdict
    theorem: str
    axioms: tuple[str, ...]
    counterexample: tuple[str, ...] | None
    seconds: float
    note: str | None
    deadlock_free: bool | None
    deadlock_free_by_policy: Mapping[str, bool | None] | None
    deadlock: tuple[str, ...] | None
    deadlock_run: tuple[str, ...] | None
    faults: Mapping[str, Faults | None]
    claims: tuple[Claim, ...]
    run: Run | None

    def check(self) -> None:
        super().check()
        stated(self.strategy, self.verdict, combine(claim.verdict for claim in self.claims))
        if len(self.counterexample or ()) != len(self.run.kinds if self.run else ()):
            raise ValueError(f"{self.strategy}: its counterexample in words is not the run")
        default = self.faults.get("default")
        if self.safe is not None and default is not None and self.safe == bool(default):
            raise ValueError(f"{self.strategy}: safe is {self.safe}, with {len(default)} faults")


@dataclass(frozen=True)
class Module(Record):
    """A Lean module that the engine has judged."""

    module: str
    ok: bool
    cached: bool
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Proofs(Record):
    """The whole.

    Attributes:
        engine: The Lean, as it describes itself.
        spec: The file.
        constants: How many the kernel replayed.
        strategies, extensions: Those of the specification's table, and the others.
        restated: Of the shipped spec, the hand-written claims.
        errors: What concerns the whole.
    """

    verdict: Verdict
    engine: str
    spec: str
    constants: Count
    strategies: tuple[ProvedStrategy, ...]
    extensions: tuple[ProvedStrategy, ...]
    restated: tuple[Claim, ...]
    errors: tuple[str, ...]
    modules: tuple[Module, ...]

    @property
    def rows(self) -> tuple[ProvedStrategy, ...]:
        """All strategies, those of the specification's table first."""
        return self.strategies + self.extensions

    @property
    def claims(self) -> list[Claim]:
        """Every claim about a strategy."""
        return [claim for row in self.rows for claim in row.claims]

    def check(self) -> None:
        own_word(self.verdict, Verdict.PROVED)
        super().check()
        once(row.strategy for row in self.rows)
        parts = [claim.verdict for claim in (*self.claims, *self.restated)]
        parts += [Verdict.ERROR for _ in self.errors]
        stated("the verdict", self.verdict, combine(parts))
        if self.verdict is Verdict.PROVED and not self.constants:
            raise ValueError("constants is 0: the kernel replayed no constant")
