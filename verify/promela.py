"""The driver model in Promela, for SPIN: an independent engine on the same table of micro-steps.

Each thread is a process; its control locations are the program points of each kind, so SPIN's
states are the model's states one to one.  What other threads may ask about a thread (its encoder,
and what it does past its acquire) is kept in global arrays.  A fault is a loop that sets a bit
outside the state: it adds a transition and no state.

SPIN's swarm mode is the way to searches beyond one machine; docs/explore.md has the command.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from verify.children import run_child, tied
from verify.errors import VerifyError
from verify.question import Question
from verify.rules import (
    FAULT_RULES,
    HOLDING,
    POINTS,
    STATIC,
    Atom,
    Block,
    Effect,
    FaultRule,
    Rule,
    Test,
)
from verify.semantics import Bounds, Model
from verify.spec import FAULTS, KINDS, Environment, LockScheme

_PLACES = sorted(
    {rule.source for rule in FAULT_RULES for test in rule.guard if test.atom is Atom.ACCOMPANIED}
)
"""The points of which a thread asks whether another one is there."""

PAN_FLAGS = ("-DSAFETY", "-DNOREDUCE")
"""Options for the verifier's compiler: no partial-order reduction, all states."""

_DEPTH = 10_000_000
"""SPIN searches depth first; its stack must hold the longest path."""

_LIMITS = ("max search depth too small", "out of memory", "memory limit", "Search not completed")
"""What pan says when it did not see everything."""

_COMPILE_SECONDS = 600

_LONGEST = 1_000_000
"""The system has a limit on how long one can wait: this is eleven days."""


class NoSpinError(VerifyError):
    """SPIN is not installed, so nothing was decided (exit code 2, undetermined)."""

    exit_code = 2


@dataclass(frozen=True)
class SpinResult:
    """What SPIN found, over all instances.

    Attributes:
        faults: The reachable faults.
        states: Stored states, of all instances together.
        complete: Whether no limit was hit.
        seconds: Time of the searches as pan reports it.
        state_bytes: Memory for stored states by pan's own account (vector and overhead), the
            hash table included.
    """

    faults: frozenset[str]
    states: int
    complete: bool
    seconds: float
    state_bytes: int


def explore(
    question: Question, *, optimise: str = "-O2", hash_bits: int = 24, depth: int = _DEPTH
) -> SpinResult:
    """Visit all reachable states with SPIN.

    Args:
        question: What to explore, without symmetry; pan has no limit on states, and its memory
            includes the hash table and the stack.
        optimise: The compiler's level for pan; for small instances compiling is what takes time.
        hash_bits: pan's hash table has two to this power slots, of eight bytes each.
        depth: Of pan's stack.

    Raises:
        NoSpinError: If SPIN or a C compiler is missing.
        VerifyError: If SPIN does not take the model or ends unexpectedly.
    """
    for program in ("spin", "gcc"):
        if shutil.which(program) is None:
            raise NoSpinError(
                f"{program} is not installed; apt install spin gcc, or another engine"
            )
    limits = question.limits
    flags = [optimise, *PAN_FLAGS, f"-DMEMLIM={max(limits.memory >> 20, 1)}"]
    results: list[SpinResult] = []
    left = limits.seconds
    complete = True
    for bounds in question.each():
        if left <= 0 and results:
            complete = False
            break
        with tempfile.TemporaryDirectory(prefix="verify-spin-") as directory:
            work = Path(directory)
            (work / "model.pml").write_text(
                export(question.scheme, question.env, bounds), encoding="utf-8"
            )
            _call(["spin", "-a", "model.pml"], work)
            _call(["gcc", "-w", *flags, "-o", "pan", "pan.c"], work)
            command = [str(work / "pan"), "-E", "-n", f"-m{depth}", f"-w{hash_bits}"]
            begin = time.monotonic()  # compiling is no searching
            results.append(_search(command, work, left))
            left -= time.monotonic() - begin
    return SpinResult(
        frozenset().union(*(r.faults for r in results)),
        sum(r.states for r in results),
        complete and all(r.complete for r in results),
        sum(r.seconds for r in results),
        max(r.state_bytes for r in results),
    )


def _call(command: list[str], work: Path) -> None:
    done = run_child(command, timeout=_COMPILE_SECONDS, cwd=work)
    if done.timed_out:
        raise VerifyError(f"{command[0]}: not ready after {_COMPILE_SECONDS} s; use smaller bounds")
    if done.returncode != 0:
        raise _unexpected(command[0], done.returncode, done.stdout + done.stderr)


def _search(command: list[str], work: Path, seconds: float) -> SpinResult:
    """Run pan, at most so long."""
    with subprocess.Popen(
        tied(command), cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=min(seconds, _LONGEST))
        except subprocess.TimeoutExpired:
            # On an interrupt pan prints how far it got, and ends.
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate()
            if "states, stored" not in output:  # it had not even begun
                return SpinResult(frozenset(), 0, complete=False, seconds=0.0, state_bytes=0)
            return replace(_parse(output), complete=False)
        except BaseException:  # an interrupt must not leave the search running
            process.kill()
            process.wait()
            raise
    # Where its memory limit stops it pan says so and ends with a code of its own.
    if process.returncode != 0 and not any(limit in output for limit in _LIMITS):
        raise _unexpected(command[0], process.returncode, output)
    return _parse(output)


def _unexpected(program: str, code: int, output: str) -> VerifyError:
    line = next((text for text in output.splitlines() if "rror" in text), output[-200:])
    return VerifyError(f"{program}: exit code {code}: {line}; report this as a bug")


def _parse(output: str) -> SpinResult:
    states = re.search(r"^\s*(\d+) states, stored", output, re.MULTILINE)
    faults = re.search(r"^faults (\d+)$", output, re.MULTILINE)
    if states is None:
        raise VerifyError(f"pan: no statistics in its output: {output[-200:]!r}")
    seconds = re.search(r"elapsed time ([0-9.]+) seconds", output)
    memory = sum(
        float(found[1])
        for name in ("actual memory usage for states", "memory used for hash table")
        if (found := re.search(rf"([0-9.]+)\s+{name}", output))
    )
    return SpinResult(
        frozenset(fault for i, fault in enumerate(FAULTS) if faults and int(faults[1]) >> i & 1),
        int(states[1]),
        not any(limit in output for limit in _LIMITS),
        float(seconds[1]) if seconds else 0.0,
        int(memory * (1 << 20)),
    )


def export(scheme: LockScheme, env: Environment, bounds: Bounds) -> str:
    """The Promela source of an instance."""
    writer = _Writer(Model(scheme, env, bounds))
    parts = [_HEADER.format(bounds=bounds, count=bounds.threads, encoders=bounds.encoders + 1)]
    parts[0] += "".join(
        f"{kind} {name}[{size}];\n"
        for kind, name, size in (
            ("byte", "impl", bounds.encoders + 1),
            ("byte", "owner", bounds.blocks + 1),
            ("bit", "ready", bounds.blocks + 1),
            ("bit", "dead", bounds.encoders + 1),
        )
    )
    parts += [writer.thread(t) for t in range(bounds.threads)]
    parts.append(writer.drops())
    return "\n".join(parts)


_HEADER = """\
/* The driver model: {bounds}. Generated by verify/promela.py from verify/rules.py.
   Encoders and blocks count from 1; 0 is none. */
c_decl {{
  static unsigned faults;
  static void report(void) {{ printf("faults %u\\n", faults); }}
  static void fault(unsigned bit) {{
    if (!faults) atexit(report); /* pan itself prints nothing of ours */
    faults |= bit;
  }}
}}
byte encoder[{count}]; /* of each thread */
byte inside[{count}];  /* its kind plus one, past its acquire */
byte place[{count}];   /* its location, where other threads ask for it */
byte makes[{count}];   /* the encoder that it makes, where other threads ask for it */
"""


class _Writer:
    """Turns the table into Promela."""

    def __init__(self, model: Model) -> None:
        self._model, self._bounds = model, model.bounds

    def thread(self, thread: int) -> str:
        """The process of one thread."""
        lines = [f"active proctype T{thread}() {{", "  byte block;"]
        lines += ["idle:", "  if"]
        for rule in self._model.table.rules:
            if rule.source == "idle":
                for kind in rule.kinds:
                    for encoder in range(self._bounds.encoders):
                        lines += self._dispatch(rule, thread, kind, encoder)
        # A thread that may do nothing waits for ever; without an option `if` is no Promela.
        lines += ["  :: false -> goto idle", "  fi;"]
        for kind in KINDS:
            for point in POINTS[1:]:
                options = self._options(thread, kind, point)
                if options:
                    lines += [f"{_label(kind, point)}:", "  if", *options, "  fi;"]
        return "\n".join([*lines, "}", ""])

    def drops(self) -> str:
        """The process that releases encoder objects."""
        lines = ["active proctype Client() {", "  do"]
        for rule in self._model.table.rules:
            if rule.source is None:
                for encoder in range(1, self._bounds.encoders + 1):
                    guard = self._guard(rule.guard, None, None, str(encoder), "0")
                    if guard is not None:
                        effects = self._effects(rule.effects, str(encoder), "0")
                        lines.append(f"  :: d_step {{ {guard} -> {effects} }}")
        lines += ["  :: false -> skip", "  od", "}", ""]
        return "\n".join(lines)

    def _dispatch(self, rule: Rule, thread: int, kind: str, encoder: int) -> list[str]:
        guard = self._guard(rule.guard, thread, kind, str(encoder + 1), "block", home=encoder)
        if guard is None:
            return []
        label = _label(kind, str(rule.target))
        writes = f"encoder[{thread}] = {encoder + 1}"
        if self._model.flags[Atom.CREATE_RETURNS] and kind == "create":
            writes += f"; makes[{thread}] = {encoder + 1}"
        return [f"  :: d_step {{ {guard} -> {writes} }} -> goto {label}"]

    def _options(self, thread: int, kind: str, point: str) -> list[str]:
        lines = []
        mine = f"encoder[{thread}]"
        for rule in self._model.table.rules:
            if rule.source == point and kind in rule.kinds:
                blocks = ["block"]
                if rule.block is Block.IMPL:
                    blocks = [f"impl[{mine}]"]
                elif rule.block is Block.ANY:
                    blocks = [str(b + 1) for b in range(self._bounds.blocks)]
                for block in blocks:
                    lines += self._step(rule, thread, kind, mine, block)
        for fault in self._model.table.faults:
            if fault.source == point and kind in fault.kinds:
                lines += self._fault(fault, thread, kind, mine)
        return lines

    def _step(self, rule: Rule, thread: int, kind: str, mine: str, block: str) -> list[str]:
        guard = self._guard(rule.guard, thread, kind, mine, block)
        if guard is None or rule.target is None:
            return []
        writes = [self._effects(rule.effects, mine, block)]
        if rule.source == "dispatched":
            writes.append(f"inside[{thread}] = {KINDS.index(kind) + 1}")
        if rule.target in HOLDING and block != "block":
            writes.append(f"block = {block}")
        # What is left over from an operation must not tell states apart.
        if rule.target not in HOLDING and rule.source in HOLDING:
            writes.append("block = 0")
        if rule.target in _PLACES:
            writes.append(f"place[{thread}] = {_PLACES.index(rule.target) + 1}")
        elif rule.source in _PLACES:
            writes.append(f"place[{thread}] = 0")
        if rule.target == "idle":
            writes += [f"{name}[{thread}] = 0" for name in ("inside", "encoder", "makes")]
        body = "; ".join(write for write in writes if write) or "skip"
        target = "idle" if rule.target == "idle" else _label(kind, rule.target)
        return [f"  :: d_step {{ {guard} -> {body} }} -> goto {target}"]

    def _fault(self, rule: FaultRule, thread: int, kind: str, mine: str) -> list[str]:
        guard = self._guard(rule.guard, thread, kind, mine, "block", point=rule.source)
        if guard is None:
            return []
        bit = 1 << FAULTS.index(rule.fault)
        here = _label(kind, rule.source)
        return [f"  :: d_step {{ {guard} -> c_code {{ fault({bit}); }} }} -> goto {here}"]

    def _guard(
        self,
        guard: Iterable[Test],
        thread: int | None,
        kind: str | None,
        encoder: str,
        block: str,
        *,
        home: int | None = None,
        point: str = "",
    ) -> str | None:
        """A guard as an expression; None if it is false from the start."""
        parts = []
        for test in guard:
            if test.atom is Atom.HOME and home is not None:
                if (self._bounds.homes[home] == thread) != test.value:
                    return None
            elif test.atom in STATIC:
                if self._model.flags[test.atom] != test.value:
                    return None
            else:
                text = self._atom(test.atom, thread, kind, encoder, block, point)
                parts.append(text if test.value else f"!({text})")
        return " && ".join(parts) or "true"

    def _atom(
        self, atom: Atom, thread: int | None, kind: str | None, encoder: str, block: str, point: str
    ) -> str:
        others = [t for t in range(self._bounds.threads) if t != thread]
        if atom is Atom.UNUSED:
            return " && ".join(f"encoder[{t}] != {encoder}" for t in others) or "true"
        if atom is Atom.UNMADE:
            return " && ".join(f"makes[{t}] != {encoder}" for t in others) or "true"
        if atom is Atom.ACCOMPANIED and kind is not None:
            place = _PLACES.index(point) + 1
            pairs = (f"(place[{t}] == {place} && encoder[{t}] == {encoder})" for t in others)
            return " || ".join(pairs) or "false"
        if atom is Atom.UNBLOCKED and kind is not None and thread is not None:
            return (
                " && ".join(
                    f"!({text})" for t in others for text in self._exclusions(t, thread, kind)
                )
                or "true"
            )
        return {
            Atom.ALIVE: f"!dead[{encoder}]",
            Atom.IMPL: f"impl[{encoder}] != 0",
            Atom.IMPL_OWNED: f"owner[impl[{encoder}]] == {encoder}",
            Atom.IMPL_READY: f"ready[impl[{encoder}]]",
            Atom.HELD_OWNED: f"owner[{block}] == {encoder}",
            Atom.BLOCK_FREE: f"owner[{block}] == 0",
        }[atom]

    def _exclusions(self, other: int, thread: int, kind: str) -> list[str]:
        """When `other` keeps `thread` out of an operation of this kind, a text per held kind."""
        encoders = range(self._bounds.encoders)
        texts = []
        for number, held in enumerate(KINDS, 1):
            pairs = {
                (theirs, mine)
                for theirs in encoders
                for mine in encoders
                if self._model.excludes((other, held, theirs), (thread, kind, mine))
            }
            where = f"inside[{other}] == {number}"
            if len(pairs) == len(encoders) ** 2:
                texts.append(where)
            elif pairs == {(e, e) for e in encoders}:
                texts.append(f"{where} && encoder[{other}] == encoder[{thread}]")
            elif pairs:
                either = " || ".join(
                    f"encoder[{other}] == {theirs + 1} && encoder[{thread}] == {mine + 1}"
                    for theirs, mine in sorted(pairs)
                )
                texts.append(f"{where} && ({either})")
        return texts

    def _effects(self, effects: Iterable[Effect], encoder: str, block: str) -> str:
        texts = {
            Effect.OWN: f"owner[{block}] = {encoder}",
            Effect.FREE: f"owner[{block}] = 0",
            Effect.SPOIL: f"ready[{block}] = 0",
            Effect.INITIALISE: f"ready[{block}] = 1",
            Effect.POINT: f"impl[{encoder}] = {block}",
            Effect.CLEAR: f"impl[{encoder}] = 0",
            Effect.KILL: f"dead[{encoder}] = 1",
        }
        return "; ".join(texts[effect] for effect in effects)


def _label(kind: str, point: str) -> str:
    return f"{kind}_{point}"
