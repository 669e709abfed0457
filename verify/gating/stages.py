"""The stages of the gate: each is a command of this program, run as a user would run it.

What a stage prints is taken as evidence, never on trust: it must be one JSON object that is about
the spec that was asked about, with every strategy and every claim of it, and its verdict must be
the one that follows from its parts and the one that its exit code says.  Whatever differs is an
ERROR of the stage.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from verify import resources
from verify.children import tied
from verify.claims import Claim
from verify.gating.policy import Policy
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
    """

    name: str
    verdict: Verdict
    strategy: str | None = None
    reason: str = ""
    steps: tuple[str, ...] = ()

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
        engine: The Lean that decided it, for `prove`.
    """

    name: str
    checks: tuple[Check, ...] = ()
    off: str = ""
    cached: bool = False
    seconds: float = 0.0
    command: str = ""
    output: str = field(default="", repr=False)
    engine: str = ""

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
        data = _object(ran, subject.policy.limits[name])
        checks = _refused(data) or _READERS[name](data, subject)
        said = _word(data)
        if said.good and said is not WORDS[name]:
            raise Inconsistent(f"its output says {said}, which is not its word ({WORDS[name]})")
        if said.exit_code != ran.code:
            raise Inconsistent(f"its output says {said}, its exit code is {ran.code}")
        checks = _within(checks, data, subject) if name == "prove" else checks
    except Inconsistent as error:
        last = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        reason = str(error) + (f"; it wrote: {last[0][:200]}" if last else "")
        return replace(stage, checks=(Check(f"verify {name}", Verdict.ERROR, reason=reason),))
    engine = _without_places(data["engine"]) if "engine" in data else ""
    return replace(stage, checks=tuple(checks), output=ran.stdout.decode(), engine=engine)


def _without_places(engine: object) -> str:
    """The engine as it describes itself, without the places of files."""
    return re.sub(r" \([^()]*\)", "", str(engine))


def _shown(path: Path) -> Path:
    """The path as a user at the working directory types it."""
    return Path(os.path.relpath(path.resolve()))


def _object(ran: Ran, limit: float) -> dict[str, Any]:
    """The JSON object that a process printed."""
    if ran.late:
        raise Inconsistent(f"no end after {limit:g} s; give it a longer limit in the policy")
    if ran.code < 0:
        raise Inconsistent(f"it was ended by signal {-ran.code}")
    if ran.code not in {verdict.exit_code for verdict in Verdict}:
        raise Inconsistent(f"it ended with exit code {ran.code}")
    if not ran.stdout.strip():
        raise Inconsistent(f"it printed nothing (exit code {ran.code})")
    try:
        data = json.loads(
            ran.stdout.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise Inconsistent(
            f"its output is cut short or no JSON ({str(error)[:100]}; exit code {ran.code})"
        ) from None
    if not isinstance(data, dict):
        raise Inconsistent("its output is no JSON object")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


# --- What is in an output -------------------------------------------------------------------------


def _get(data: Any, key: str, kind: type | tuple[type, ...], where: str = "") -> Any:
    """A value that must be there and have a type."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    value = data.get(key, _get) if isinstance(data, dict) else _get
    # `type`, not `isinstance`: true is no number.
    if type(value) not in kinds:
        what = "is missing" if value is _get else f"is {str(value)[:40]!r}"
        raise Inconsistent(f"in its output {where}{key} {what}")
    return value


def _word(data: Any, key: str = "verdict", where: str = "") -> Verdict:
    word = _get(data, key, str, where)
    try:
        return Verdict(word)
    except ValueError:
        raise Inconsistent(f"in its output {where}{key} is {word[:40]!r}") from None


def _objects(data: Any, key: str) -> list[dict[str, Any]]:
    items = _get(data, key, list)
    if not all(isinstance(item, dict) for item in items):
        raise Inconsistent(f"in its output {key} is no list of objects")
    return list(items)


def _at_least(low: int, data: Any, key: str, where: str) -> None:
    if _get(data, key, int, where) < low:
        raise Inconsistent(f"in its output {where}{key} is {data[key]}: nothing was tried")


def _equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Inconsistent(f"its output is about {what} {found!r}, not {wanted!r}")


def _same_names(rows: Sequence[Mapping[str, Any]], subject: Subject) -> None:
    """Every strategy of the spec once, and nothing else."""
    found = Counter(_get(row, "strategy", str) for row in rows)
    wanted = Counter(strategy.name for strategy in subject.spec.strategies)
    if found != wanted:
        lost = ", ".join((wanted - found) or (found - wanted))
        raise Inconsistent(
            f"its output has {found.total()} strategies, the spec {wanted.total()} ({lost})"
        )


def _refused(data: dict[str, Any]) -> list[Check]:
    """The check of a command that could not begin, such as for want of an engine."""
    if set(data) != {"verdict", "error"}:
        return []
    verdict = _word(data)
    if verdict not in (Verdict.UNDETERMINED, Verdict.ERROR):
        raise Inconsistent(f"its output says {verdict}, and an error")
    return [Check("could not run", verdict, reason=_get(data, "error", str))]


def _generate(data: dict[str, Any], subject: Subject) -> list[Check]:
    _equal("modules:", _get(data, "files", int), subject.modules)
    if _get(data, "written", bool):
        raise Inconsistent("it wrote the modules instead of comparing them")
    changes = _objects(data, "changes")
    if (said := _word(data)).good == bool(changes):
        raise Inconsistent(f"its verdict is {said}, with {len(changes)} modules that differ")
    return [
        Check(_get(row, "file", str), Verdict.REFUTED, reason="drifted; run `verify generate`")
        for row in changes
    ] or [Check(f"{subject.modules} modules are as generated", Verdict.PASSED)]


def _prove(data: dict[str, Any], subject: Subject) -> list[Check]:
    asked = str(subject.snapshot or resources.shipped_spec())
    _equal("the spec", _get(data, "spec", str), asked)
    _equal("the engine", _get(data, "engine", str).split(":")[0], subject.policy.engine)
    rows = [*_objects(data, "strategies"), *_objects(data, "extensions")]
    _same_names(rows, subject)
    checks = [check for row in rows for check in _proved_row(row, subject)]
    restated = _objects(data, "restated")
    if subject.snapshot is None:
        names = [_get(row, "claim", str) for row in restated]
        lost = set(subject.restated) - set(names)
        if lost or len(names) < len(subject.restated):
            raise Inconsistent(
                f"{len(lost)} of {len(subject.restated)} hand-written claims are not in its output"
            )
    checks += [_claim(row, None) for row in restated]
    errors = _get(data, "errors", list)
    checks += [Check("the whole", Verdict.ERROR, reason=str(error)) for error in errors]
    said, found = _word(data), combine(check.verdict for check in checks)
    if said is not found:
        raise Inconsistent(f"its verdict is {said}, its claims say {found}")
    if said is Verdict.PROVED:
        _at_least(1, data, "constants", "")
    return checks


def _proved_row(row: dict[str, Any], subject: Subject) -> list[Check]:
    name = row["strategy"]
    wanted = Counter(claim.statement for claim in subject.claims[name])
    claims = _objects(row, "claims")
    found = Counter(_get(claim, "statement", str) for claim in claims)
    if found != wanted:
        raise Inconsistent(
            f"of {name} it decided {(found & wanted).total()} of {wanted.total()} claims"
        )
    checks = [_claim(claim, name) for claim in claims]
    if (said := _word(row)) is not (verdict := combine(check.verdict for check in checks)):
        raise Inconsistent(f"its verdict on {name} is {said}, its claims say {verdict}")
    # The run belongs to the claim that it refutes; one that is as claimed needs no telling.
    steps = tuple(str(step) for step in row.get("counterexample") or ())
    for i, check in enumerate(checks):
        if check.verdict is Verdict.REFUTED and steps:
            checks[i] = replace(check, steps=steps)
            break
    return checks


def _claim(data: dict[str, Any], strategy: str | None) -> Check:
    verdict = _word(data)
    if verdict is Verdict.PROVED:
        _get(data, "theorem", str, "the proved claim's ")
        _get(data, "axioms", list, "the proved claim's ")
    reason = data.get("reason")
    return Check(_get(data, "claim", str), verdict, strategy, str(reason) if reason else "")


def _within(checks: Sequence[Check], data: dict[str, Any], subject: Subject) -> list[Check]:
    """The checks, with those that are proved by an axiom that the policy does not allow."""
    used: dict[str, set[str]] = {}
    rows = [*data.get("strategies", ()), *data.get("extensions", ())]
    for claim in (*(c for row in rows for c in row["claims"]), *data.get("restated", ())):
        used.setdefault(claim["claim"], set()).update(map(str, claim["axioms"]))
    allowed = set(subject.policy.axioms)
    return [
        replace(check, verdict=Verdict.ERROR, reason=f"the policy does not allow {', '.join(more)}")
        if (more := sorted(used.get(check.name, set()) - allowed))
        and check.verdict is Verdict.PROVED
        else check
        for check in checks
    ]


def _explore(data: dict[str, Any], subject: Subject) -> list[Check]:
    _equal("threads:", _get(data, "threads", int), subject.policy.threads)
    _equal("encoders:", _get(data, "encoders", int), subject.policy.encoders)
    rows = _objects(data, "rows")
    _same_names(rows, subject)
    said = [
        _word(row) if _get(row, "verdict", (str, type(None))) is not None else Verdict.PASSED
        for row in rows
    ]
    judged = [verdict for row, verdict in zip(rows, said, strict=True) if row["verdict"]]
    if _word(data) is not combine(judged or said):
        raise Inconsistent(f"its verdict is {_word(data)}, its rows say {combine(judged or said)}")
    for row in rows:
        _equal("the environment", _get(row, "environment", str), "default")
        _at_least(1, row, "states", f"{row['strategy']}: ")
        safe = subject.spec.strategy(row["strategy"]).claims.safe
        if safe and row["verdict"] == Verdict.HOLDS.value and not _get(row, "complete", bool):
            raise Inconsistent(f"{row['strategy']}: no fault in a part of the states")
    bounds = f"{subject.policy.threads} threads, {subject.policy.encoders} encoders"
    return [
        _explored(row, verdict, bounds, subject) for row, verdict in zip(rows, said, strict=True)
    ]


def _explored(row: dict[str, Any], verdict: Verdict, bounds: str, subject: Subject) -> Check:
    name, faults = row["strategy"], _get(row, "faults", list)
    reason = str(row.get("reason") or "")
    if row["verdict"] is None and subject.spec.strategy(name).claims.safe and faults:
        # `explore` judges claims that are written down; `prove` takes every strategy without any
        # for safe, and the gate judges one spec.
        verdict, reason = Verdict.REFUTED, "claimed safe"
    text = f"{name} within {bounds}: {', '.join(map(str, faults)) or 'no fault'}"
    return Check(text, verdict, name, "" if verdict.good else reason)


def _stress(data: dict[str, Any], subject: Subject) -> list[Check]:
    policy = subject.policy
    _equal("the driver", _get(data, "driver", str), "fake")
    _equal("the seed", _get(data, "seed", int), policy.seed)
    _equal("threads:", _get(data, "threads", int), policy.clients)
    rows = _objects(data, "strategies")
    _same_names(rows, subject)
    checks = [_stressed(row) for row in rows]
    found = combine(check.verdict for check in checks)
    _equal("the exit code", _get(data, "exit_code", int), found.exit_code)
    if (said := _word(data)) is not found:
        raise Inconsistent(f"its verdict is {said}, its strategies say {found}")
    return checks


def _stressed(row: dict[str, Any]) -> Check:
    name = row["strategy"]
    agrees = _get(row, "agrees", (bool, type(None)))
    reasons = _get(row, "reasons", list)
    if agrees:
        if reasons:
            raise Inconsistent(f"{name} agrees, and does not: {reasons[0]}")
        _at_least(1, _get(row, "schedules", dict), "schedules", f"{name}: ")
        _at_least(1, _get(row, "campaign", dict), "runs", f"{name}: campaign ")
        _at_least(1, _get(row, "free", dict), "operations", f"{name}: free ")
        _at_least(1, _get(row, "control", dict), "schedules", f"{name}: control ")
    return Check(
        f"{name} behaves as claimed: {_get(row, 'claim', str)}",
        agreement(agrees),
        name,
        "; ".join(map(str, reasons)) or ("" if agrees else "no reason is given"),
    )


def _mutate(data: dict[str, Any], subject: Subject) -> list[Check]:
    _equal("the spec", _get(data, "spec", str), str(subject.snapshot or resources.shipped_spec()))
    _equal("quick:", _get(data, "quick", bool), True)
    sides = _get(data, "sides", dict)
    missing = [
        Check(f"the {name} side", Verdict.UNDETERMINED, reason=str(side.get("reason")))
        for name, side in sides.items()
        if _get(side, "state", str, f"side {name}: ") == "missing"
    ]
    asked = [name for name, side in sides.items() if side["state"] == "asked"]
    rows = _objects(data, "rows")
    _at_least(1, data, "mutants", "")
    _equal("mutants:", len(rows), data["mutants"])
    groups: dict[str, list[Verdict]] = {}
    for row in rows:
        groups.setdefault(_get(row, "group", str), []).append(_mutant(row, asked))
    checks = [
        Check(
            f"{group}: {len(verdicts)} mutants",
            combine(verdicts),
            reason=f"{sum(not v.good for v in verdicts)} survive or are undecided"
            if not combine(verdicts).good
            else "",
        )
        for group, verdicts in groups.items()
    ]
    checks += missing
    checks += [
        Check("the sides agree", Verdict.REFUTED, reason=str(finding))
        for finding in _get(data, "findings", list)
    ]
    said, found = _word(data), combine(check.verdict for check in checks)
    if said.good and not any(row["equivalent"] is False for row in rows):
        raise Inconsistent("it killed no mutant")
    if said is not found:
        raise Inconsistent(f"its verdict is {said}, its mutants say {found}")
    return checks


def _mutant(row: dict[str, Any], asked: Sequence[str]) -> Verdict:
    if _get(row, "finding", (str, type(None))) is not None:
        return Verdict.REFUTED
    equivalent = _get(row, "equivalent", (bool, type(None)))
    if equivalent is None:
        return Verdict.UNDETERMINED
    killed = [_get(row["sides"][name], "killed", (bool, type(None))) for name in asked]
    if equivalent:
        return Verdict.PASSED
    if not killed or None in killed:
        return Verdict.UNDETERMINED
    return Verdict.PASSED if all(killed) else Verdict.REFUTED


_READERS: Final[Mapping[str, Callable[[dict[str, Any], Subject], list[Check]]]] = {
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
    data = json.loads(prove.output) if prove.output else {}
    rows = {
        row["strategy"]: row for key in ("strategies", "extensions") for row in data.get(key, ())
    }
    checks = [
        _requirement(f"{name}: {kind}", name, _holds(rows.get(name), kind, subject), prove)
        for name, kind in wanted
    ]
    for theorem in policy.theorems:
        found = [r for r in data.get("restated", ()) if _named(r.get("theorem"), theorem)]
        proved = any(r["verdict"] == Verdict.PROVED.value for r in found)
        checks.append(_requirement(theorem, None, proved, prove))
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


def _holds(row: dict[str, Any] | None, kind: str, subject: Subject) -> bool:
    """Whether all claims of this kind, and at least one, are proved; each by its statement."""
    if row is None:
        return False
    own = {c.statement for c in subject.claims[row["strategy"]] if c.what == kind}
    decided = [c["verdict"] for c in row["claims"] if c["statement"] in own]
    return bool(decided) and set(decided) == {Verdict.PROVED.value}


def _named(theorem: object, name: str) -> bool:
    return isinstance(theorem, str) and (theorem == name or theorem.endswith(f".{name}"))
