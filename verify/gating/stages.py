"""The stages of the gate: each is a command of this program, run as a user would run it.

What a stage prints is taken as evidence, never on trust: it must be one JSON object that is about
the spec that was asked about, with every strategy and every claim of it, and its verdict must be
the one that follows from its parts and the one that its exit code says.  Whatever differs is an
ERROR of the stage.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from verify import answers, resources
from verify.children import tied
from verify.claims import Claim
from verify.gating.policy import Policy
from verify.records import model
from verify.records import prove as records
from verify.records.base import Refusal, Run, read, refusal
from verify.records.explore import Exploration, Explored
from verify.records.generate import Generated
from verify.records.mutate import Mutation
from verify.records.prove import Proofs, ProvedStrategy
from verify.records.stress import Stress
from verify.spec import Spec
from verify.verdict import Verdict, agreement, combine

_COMPLETE: Final = "_VERIFY_COMPLETE"

WORDS: Final = {
    "generate": Verdict.PASSED,
    "prove": Verdict.PROVED,
    "explore": Verdict.HOLDS,
    "stress": Verdict.AGREES,
    "mutate": Verdict.PASSED,
}
"""What each stage says if all is well: PROVED is for theorems."""

_PACKAGE: Final = Path(resources.__file__).resolve().parent


@dataclass(frozen=True)
class Check:
    """One thing that a stage decided.

    Attributes:
        name: What was claimed or tried, in words.
        verdict: What became of it.
        strategy: The one that it is about; None if it is about the whole.
        reason: Why it is not good.
        steps: A counterexample, in words.
        run: The same as data, for each line an event, then the fault.
    """

    name: str
    verdict: Verdict
    strategy: str | None = None
    reason: str = ""
    steps: tuple[str, ...] = ()
    run: Run | None = None

    def json(self) -> dict[str, object]:
        """The check as `--json` prints it."""
        return {
            "name": self.name,
            "strategy": self.strategy,
            "verdict": self.verdict.value,
            "reason": self.reason or None,
            "steps": list(self.steps) or None,
        }


@dataclass(frozen=True)
class Stage:
    """A stage that ended, or that is off.

    Attributes:
        name: One of `policy.STAGES`, or `require` or `inputs`, the gate's own.
        checks: What it decided; none for one that is off.
        off: Why it is off; such a stage has no verdict and counts for nothing.
        cached: Whether a stored result of the same inputs was used.
        seconds: What the stage took, when it ran.
        command: What a user types to get the same.
        output: What it printed, if that can be stored.
        engine, proofs: For `prove`, the Lean that decided it, and all that it said.
    """

    name: str
    checks: tuple[Check, ...] = ()
    off: str = ""
    cached: bool = False
    seconds: float = 0.0
    command: str = ""
    output: str = field(default="", repr=False)
    engine: str = ""
    proofs: Proofs | None = field(default=None, repr=False)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on all checks; None if the stage is off."""
        return None if self.off else combine(check.verdict for check in self.checks)

    def json(self) -> dict[str, object]:
        """The stage as `--json` prints it."""
        return {
            "stage": self.name,
            "verdict": None if self.verdict is None else self.verdict.value,
            "off": self.off or None,
            "cached": self.cached,
            "seconds": round(self.seconds, 3),
            "command": self.command,
            "engine": self.engine or None,
            "checks": [check.json() for check in self.checks],
        }


@dataclass(frozen=True)
class Ran:
    """A child process that ended.

    Attributes:
        code: Its exit code; minus the signal's number if a signal ended it.
        late: Whether it was killed for its time limit.
    """

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    late: bool = False


@dataclass(frozen=True)
class Subject:
    """What the stages are about.

    Attributes:
        spec: As it was read once, at the beginning.
        snapshot: A private copy of the spec's file, which the stages read: replacing the file
            during the run changes nothing.  None for the shipped spec.
        policy: The policy.
        claims: For each strategy, the claims that `prove` must decide.
        restated: For the shipped spec, the hand-written claims.
        modules: How many modules `generate` must compare.
    """

    spec: Spec
    snapshot: Path | None
    policy: Policy
    claims: Mapping[str, Sequence[Claim]]
    restated: Sequence[str] = ()
    modules: int = 0


class Inconsistent(Exception):  # noqa: N818 - what is wrong with an output
    """An output that is not what the stage prints when it did its work."""


def arguments(name: str, subject: Subject, spec: Path | None) -> list[str]:
    """The command line of a stage, after the program's name.

    Args:
        name: One of `policy.STAGES`.
        subject: What it is about.
        spec: The spec's file, to be read by the stage or by a reader; None for the shipped one.
    """
    policy = subject.policy
    words = {
        "generate": ["generate", "--check"],
        # No audit is believed that another run may have left.
        "prove": ["prove", "--quiet", "--anew"],
        "explore": [
            *("explore", "--quiet", "--threads", str(policy.threads)),
            *("--encoders", str(policy.encoders)),
        ],
        "stress": [
            *("stress", "--quiet", "--budget", f"{policy.budget:g}s"),
            *("--threads", str(policy.clients), "--seed", str(policy.seed)),
        ],
        "mutate": ["mutate", "--quick", "--quiet"],
    }[name]
    if name == "generate" and policy.generated is not None:
        words += ["--out", str(policy.generated.absolute())]
    engine = {"prove": policy.engine, "mutate": policy.lean}.get(name, "embedded")
    if engine != "embedded":
        words += ["--engine", engine]
    if spec is not None:
        words += ["--spec", str(spec)]
    return [*words, "--json"]


def off(name: str, subject: Subject, only: Sequence[str]) -> str:
    """Why a stage does not run; empty if it does."""
    policy = subject.policy
    if name in policy.off:
        return f"by policy: {policy.off[name]}"
    if only and name not in only:
        return "not asked for (--only)"
    if name == "generate" and policy.generated is None and not _own_modules(subject):
        return "no generated modules are kept: the policy has no [generate] out"
    return ""


def _own_modules(subject: Subject) -> bool:
    return subject.snapshot is None and resources.is_checkout()


class Children:
    """The child processes of one gate, so that an interruption ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._stopped = False

    def run(self, command: Sequence[str], limit: float, environment: Mapping[str, str]) -> Ran:
        """Run a command with nothing to read; its whole process group ends with it.

        Args:
            command: Program and arguments.
            limit: Seconds.
            environment: Variables that are set, besides the current ones.

        Raises:
            OSError: It cannot be started.
        """
        # The child must be the program that was hashed, whatever else is installed.
        path = [str(_PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {
            **os.environ,
            "NO_COLOR": "1",
            "PYTHONPATH": os.pathsep.join(path),
            **environment,
        }
        variables.pop(_COMPLETE, None)  # it would turn any command into one that succeeds
        start = time.monotonic()
        # Files, not pipes: a grandchild that keeps a pipe open would keep the gate waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with self._lock:
                if self._stopped:
                    raise InterruptedError("the gate was interrupted")
                child = subprocess.Popen(
                    tied(command),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=variables,
                    process_group=0,
                )
                self._running.add(child.pid)
            late = False
            try:
                child.wait(limit)
            except subprocess.TimeoutExpired:
                late = True
            finally:
                with self._lock:
                    self._running.discard(child.pid)
                    _kill(child.pid)
                child.wait()
            out.seek(0)
            err.seek(0)
            return Ran(child.returncode, out.read(), err.read(), time.monotonic() - start, late)

    @contextlib.contextmanager
    def ended_on_exception(self) -> Iterator[None]:
        """End every child, and start no other, if the body is left by an exception."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._stopped = True
                for pid in self._running:
                    _kill(pid)
            raise


def _kill(group: int) -> None:
    """End what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter on macOS
        os.killpg(group, signal.SIGKILL)


def command(name: str, subject: Subject) -> list[str]:
    """The child process of a stage.

    `-P`: a directory `verify` where the gate is started must not answer for this program.
    """
    return [sys.executable, "-P", "-m", "verify", *arguments(name, subject, subject.snapshot)]


def judge(name: str, subject: Subject, ran: Ran, cached: bool = False) -> Stage:
    """What a stage's output says, if it is an output of that stage on that subject.

    Args:
        name: One of `policy.STAGES`.
        subject: What it was asked about.
        ran: The ended process, or a stored result.
        cached: Which of the two.
    """
    spec = subject.policy.spec
    words = [*arguments(name, subject, None if spec is None else _shown(spec))]
    stage = Stage(
        name, (), "", cached, ran.seconds, " ".join(["verify", *words[:-1]]).replace(" --quiet", "")
    )
    try:
        result = _result(name, ran, subject.policy.limits[name])
        if isinstance(result, Refusal):
            checks = [Check("could not run", result.verdict, reason=result.error)]
        else:
            checks = _READERS[name](result, subject)
        result.check()
        said: Verdict = result.verdict
        if said.good and said is not WORDS[name]:
            raise Inconsistent(f"its output says {said}, which is not its word ({WORDS[name]})")
        if said.exit_code != ran.code:
            raise Inconsistent(f"its output says {said}, its exit code is {ran.code}")
    except (Inconsistent, ValueError) as error:
        last = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        reason = f"{error}" + (f"; it wrote: {last[0][:200]}" if last else "")
        return replace(stage, checks=(Check(f"verify {name}", Verdict.ERROR, reason=reason),))
    proofs = result if isinstance(result, Proofs) else None
    engine = _without_places(proofs.engine) if proofs else ""
    output = ran.stdout.decode()
    return replace(stage, checks=tuple(checks), output=output, engine=engine, proofs=proofs)


def _without_places(engine: str) -> str:
    """The engine as it describes itself, without the places of files."""
    return re.sub(r" \([^()]*\)", "", engine)


def _shown(path: Path) -> Path:
    """The path as a user at the working directory types it."""
    return Path(os.path.relpath(path.resolve()))


def _result(name: str, ran: Ran, limit: float) -> Any:
    """What a process printed: the result of its command, or its refusal."""
    if ran.late:
        raise Inconsistent(f"no end after {limit:g} s; give it a longer limit in the policy")
    if ran.code < 0:
        raise Inconsistent(f"it was ended by signal {-ran.code}")
    if ran.code not in {verdict.exit_code for verdict in Verdict}:
        raise Inconsistent(f"it ended with exit code {ran.code}")
    if not ran.stdout.strip():
        raise Inconsistent(f"it printed nothing (exit code {ran.code})")
    try:
        data = answers.loads(ran.stdout)
    except ValueError as error:
        raise Inconsistent(
            f"its output is cut short or no JSON ({str(error)[:100]}; exit code {ran.code})"
        ) from None
    if not isinstance(data, dict):
        raise Inconsistent("its output is no JSON object")
    try:
        return refusal(data) or read(model(name), data)
    except ValueError as error:
        raise Inconsistent(f"in its output {error}") from None


# --- What is in an output -------------------------------------------------------------------------


def _equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Inconsistent(f"its output is about {what} {found!r}, not {wanted!r}")


def _same_names(names: Iterable[str], subject: Subject) -> None:
    """Every strategy of the spec once, and nothing else."""
    found = Counter(names)
    wanted = Counter(strategy.name for strategy in subject.spec.strategies)
    if found != wanted:
        lost = ", ".join((wanted - found) or (found - wanted))
        raise Inconsistent(
            f"its output has {found.total()} strategies, the spec {wanted.total()} ({lost})"
        )


def _generate(result: Generated, subject: Subject) -> list[Check]:
    _equal("modules:", result.files, subject.modules)
    if result.written:
        raise Inconsistent("it wrote the modules instead of comparing them")
    return [
        Check(row.file, Verdict.REFUTED, reason="drifted; run `verify generate`")
        for row in result.changes
    ] or [Check(f"{subject.modules} modules are as generated", Verdict.PASSED)]


def _prove(result: Proofs, subject: Subject) -> list[Check]:
    _equal("the spec", result.spec, str(subject.snapshot or resources.shipped_spec()))
    _equal("the engine", result.engine.split(":")[0], subject.policy.engine)
    _same_names((row.strategy for row in result.rows), subject)
    checks = [check for row in result.rows for check in _proved_row(row, subject)]
    if subject.snapshot is None:
        lost = set(subject.restated) - {claim.claim for claim in result.restated}
        if lost or len(result.restated) < len(subject.restated):
            raise Inconsistent(
                f"{len(lost)} of {len(subject.restated)} hand-written claims are not in its output"
            )
    checks += [_claim(claim, None, subject) for claim in result.restated]
    return checks + [Check("the whole", Verdict.ERROR, reason=text) for text in result.errors]


def _proved_row(row: ProvedStrategy, subject: Subject) -> list[Check]:
    wanted = Counter(str(claim.statement) for claim in subject.claims[row.strategy])
    found = Counter(claim.statement for claim in row.claims)
    if found != wanted:
        raise Inconsistent(
            f"of {row.strategy} it decided {(found & wanted).total()} of {wanted.total()} claims"
        )
    checks = [_claim(claim, row.strategy, subject) for claim in row.claims]
    # The run belongs to the claim that it refutes; one that is as claimed needs no telling.
    for i, check in enumerate(checks):
        if check.verdict is Verdict.REFUTED and row.counterexample:
            checks[i] = replace(check, steps=row.counterexample, run=row.run)
            break
    return checks


def _claim(claim: records.Claim, strategy: str | None, subject: Subject) -> Check:
    """The check; a claim that is proved by an axiom that the policy does not allow is an error."""
    verdict, reason = claim.verdict, claim.reason or ""
    more = sorted(set(claim.axioms) - set(subject.policy.axioms))
    if more and verdict is Verdict.PROVED:
        verdict, reason = Verdict.ERROR, f"the policy does not allow {', '.join(more)}"
    return Check(claim.claim, verdict, strategy, reason)


def _explore(result: Exploration, subject: Subject) -> list[Check]:
    _equal("threads:", result.threads, subject.policy.threads)
    _equal("encoders:", result.encoders, subject.policy.encoders)
    _same_names((row.strategy for row in result.rows), subject)
    bounds = f"{result.threads} threads, {result.encoders} encoders"
    return [_explored(row, bounds, subject) for row in result.rows]


def _explored(row: Explored, bounds: str, subject: Subject) -> Check:
    _equal("the environment", row.environment, "default")
    verdict, reason = row.verdict or Verdict.PASSED, row.reason
    if subject.spec.strategy(row.strategy).claims.safe:
        if row.verdict is Verdict.HOLDS and not row.complete:
            raise Inconsistent(f"{row.strategy}: no fault in a part of the states")
        if row.verdict is None and row.faults:
            # `explore` judges claims that are written down; `prove` takes every strategy without
            # any for safe, and the gate judges one spec.
            verdict, reason = Verdict.REFUTED, "claimed safe"
    text = f"{row.strategy} within {bounds}: {', '.join(row.faults) or 'no fault'}"
    return Check(text, verdict, row.strategy, "" if verdict.good else reason)


def _stress(result: Stress, subject: Subject) -> list[Check]:
    _equal("the driver", result.driver, "fake")
    _equal("the seed", result.seed, subject.policy.seed)
    _equal("threads:", result.threads, subject.policy.clients)
    _same_names((row.strategy for row in result.strategies), subject)
    return [
        Check(
            f"{row.strategy} behaves as claimed: {row.claim}",
            agreement(row.agrees),
            row.strategy,
            "; ".join(row.reasons) or ("" if row.agrees else "no reason is given"),
        )
        for row in result.strategies
    ]


def _mutate(result: Mutation, subject: Subject) -> list[Check]:
    _equal("the spec", result.spec, str(subject.snapshot or resources.shipped_spec()))
    _equal("quick:", result.quick, True)
    checks = []
    for group in dict.fromkeys(row.group for row in result.rows):
        verdicts = [row.judged(result.asked) for row in result.rows if row.group == group]
        open_ = sum(not verdict.good for verdict in verdicts)
        reason = f"{open_} survive or are undecided" if open_ else ""
        checks.append(Check(f"{group}: {len(verdicts)} mutants", combine(verdicts), reason=reason))
    checks += [
        Check(f"the {name} side", Verdict.UNDETERMINED, reason=reason)
        for name, reason in result.missing.items()
    ]
    return checks + [
        Check("the sides agree", Verdict.REFUTED, reason=text) for text in result.findings
    ]


_READERS: Final[Mapping[str, Callable[[Any, Subject], list[Check]]]] = {
    "generate": _generate,
    "prove": _prove,
    "explore": _explore,
    "stress": _stress,
    "mutate": _mutate,
}


# --- What the policy requires ---------------------------------------------------------------------


def required(subject: Subject, prove: Stage) -> Stage | None:
    """The policy's own claims, looked up in what `prove` printed.

    Args:
        subject: Its policy says what must be proved.
        prove: The stage; it has been judged.

    Returns:
        A stage with one check a claim; None if the policy requires nothing.
    """
    policy = subject.policy
    wanted = [(name, kind) for name, kinds in policy.strategies.items() for kind in kinds]
    if not wanted and not policy.theorems:
        return None
    proofs = prove.proofs
    rows = {row.strategy: row for row in proofs.rows} if proofs else {}
    checks = [
        _requirement(f"{name}: {kind}", name, _holds(rows.get(name), kind, subject), prove)
        for name, kind in wanted
    ]
    for theorem in policy.theorems:
        found = [r.verdict for r in proofs.restated if _named(r.theorem, theorem)] if proofs else []
        checks.append(_requirement(theorem, None, Verdict.PROVED in found, prove))
    return Stage("require", tuple(checks))


def _requirement(name: str, strategy: str | None, holds: bool, prove: Stage) -> Check:
    if prove.off:
        reason = f"required; prove is off: {prove.off}"
        return Check(name, Verdict.UNDETERMINED, strategy, reason)
    if holds:
        return Check(name, Verdict.PROVED, strategy)
    if prove.verdict in (Verdict.UNDETERMINED, Verdict.ERROR):
        return Check(name, Verdict.UNDETERMINED, strategy, "required; prove did not decide it")
    return Check(
        name, Verdict.REFUTED, strategy, "the policy requires it; the spec does not have it proved"
    )


def _holds(row: ProvedStrategy | None, kind: str, subject: Subject) -> bool:
    """Whether all claims of this kind, and at least one, are proved; each by its statement."""
    if row is None:
        return False
    own = {c.statement for c in subject.claims[row.strategy] if c.what == kind}
    return {c.verdict for c in row.claims if c.statement in own} == {Verdict.PROVED}


def _named(theorem: str | None, name: str) -> bool:
    return theorem is not None and (theorem == name or theorem.endswith(f".{name}"))
