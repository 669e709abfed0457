"""The native search: C++ that is generated from the table of micro-steps.

`explore` here has the result of `verify.explore.explore`, at tens of millions of edges a second
and about twenty bytes a state.  A program is for an environment and numbers of threads, encoders
and blocks; the locks and the maps of an instance are its input.  It is compiled on first use
(`verify.cxx`) and kept in the user's cache.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verify import answers, cache, cxx, resources
from verify.children import tied
from verify.errors import EngineMissing, VerifyError
from verify.explore import Exploration
from verify.explore_source import input_of, source
from verify.packed import PackedModel
from verify.question import UNLIMITED, Limits, Progress, Question, TooLargeError
from verify.semantics import Event
from verify.spec import FAULTS
from verify.trace import Trace
from verify.walk import follow


class CannotBuildError(VerifyError):
    """There is a compiler, and it makes no program of the search."""


_WITNESSES = ("parallel", "encodes_in_parallel", "skip", "deadlock", "exhausted")

CANNOT = (EngineMissing, TooLargeError, CannotBuildError)
"""Why another engine must search: this one has not begun."""


@dataclass
class Performance:
    """What a native search cost.

    Attributes:
        states, edges: How many were visited.
        seconds: Time of the search, without compiling.
        bytes: The most memory that states took.
        out_of_memory, out_of_time: Whether that limit stopped it.
    """

    states: int = 0
    edges: int = 0
    seconds: float = 0.0
    bytes: int = 0
    out_of_memory: bool = False
    out_of_time: bool = False


def explore(
    question: Question,
    *,
    traces: bool = True,
    progress: Progress | None = None,
    performance: Performance | None = None,
) -> Exploration:
    """Visit all reachable states with the native engine.

    Args:
        question: What to explore.
        traces: Whether to find shortest runs, in a second search that is as deep as they are
            long; without it, or without the memory for it, counterexamples are empty runs.
        progress: Told now and then how far it is.
        performance: Filled with what it cost.

    Raises:
        VerifyError: If the instance is too large for the engine, it cannot be compiled, or it
            fails; `NoCompilerError` if there is no compiler.
    """
    result = Exploration()
    cost = performance if performance is not None else Performance()
    limits = question.limits
    left = limits.seconds
    for bounds in question.each():
        if left <= 0 and result.instances:
            result.complete = False
            cost.out_of_time = True
            break
        result.instances.append(bounds)
        packed = PackedModel(question.scheme, question.env, bounds)
        text = source(packed)
        cache.directory()  # one that is refused is an error, whatever could do without
        try:
            program = build(text)
        except EngineMissing:
            raise
        except VerifyError as error:
            raise CannotBuildError(str(error)) from None
        data = input_of(packed, question.symmetry)
        begin = time.monotonic()  # compiling is no searching
        found = _run(program, data, replace(limits, seconds=max(left, 0.0)), None, progress)
        result.states += found["states"]
        result.edges += found["edges"]
        result.complete = result.complete and found["complete"]
        cost.states += found["states"]
        cost.edges += found["edges"]
        cost.seconds += found["seconds"]
        cost.bytes = max(cost.bytes, found["bytes"])
        cost.out_of_memory = cost.out_of_memory or found["out_of_memory"]
        cost.out_of_time = cost.out_of_time or found["out_of_time"]
        witnesses = found["found"]
        if traces and witnesses:
            depth = max(witness["depth"] for witness in witnesses.values())
            # It ends at that depth, so it needs no limit on time.  Where memory is short it may not
            # get there: the fault was seen all the same.
            untimed = replace(limits, seconds=UNLIMITED.seconds)
            witnesses |= _run(program, data, untimed, depth, progress)["found"]
        left -= time.monotonic() - begin
        _collect(result, packed, witnesses)
    order = result.counterexamples
    result.counterexamples = {fault: order[fault] for fault in FAULTS if fault in order}
    return result


def _collect(result: Exploration, packed: PackedModel, witnesses: dict[str, Any]) -> None:
    """Add what one instance showed."""
    for name, witness in witnesses.items():
        words = witness.get("words", [packed.initial])
        events = _events(packed, words)
        if name in FAULTS:
            faults = packed.expand(words[-1])[1]
            fault = next((f for f in faults if f.fault == name), None)
            known = result.counterexamples.get(name)
            if known is None or len(events) < len(known.events):
                result.counterexamples[name] = Trace(packed.bounds, events, fault)
        elif getattr(result, name) is None:
            setattr(result, name, Trace(packed.bounds, events))


def _events(packed: PackedModel, words: list[int]) -> tuple[Event, ...]:
    """The labels of a run.  The Python model must have each step: two engines, one table."""
    try:
        return tuple(follow(words, lambda word: packed.expand(word)[0])[0])
    except ValueError as error:
        here, there = error.args
        raise VerifyError(
            f"the native engine steps from {here:#x} to {there:#x} and the model does not; "
            "report this as a bug"
        ) from None


def _run(
    program: Path, data: str, limits: Limits, depth: int | None, progress: Progress | None
) -> dict[str, Any]:
    command = [str(program), str(limits.memory), str(limits.states), str(limits.seconds)]
    if depth is not None:
        command.append(str(depth))
    result: dict[str, Any] | None = None
    pipe = subprocess.PIPE
    with subprocess.Popen(tied(command), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            if process.stdin is not None:
                process.stdin.write(data)
                process.stdin.close()
            for line in process.stdout or ():
                with answers.taken_from(str(program), _REMEDY):
                    value = answers.loads(line)
                    if "progress" in value:
                        if progress is not None:
                            progress(value["states"], value["edges"], value["seconds"])
                        continue
                    result = _checked(value)
        except BaseException:  # an interrupt must not leave the search running
            process.kill()
            process.wait()
            raise
    if process.returncode != 0 or result is None:
        raise VerifyError(
            f"{program}: the native search ended with code {process.returncode}; "
            "give it less with --memory, or use --engine python"
        )
    return result


_REMEDY = "remove that program, or use --engine python"


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    """An answer of the program, if it has the form of one (else see `answers.ODD`)."""
    for key in ("states", "edges", "bytes"):
        answers.get(value, key, int)
    for key in ("complete", "out_of_memory", "out_of_time"):
        answers.get(value, key, bool)
    answers.seconds(value)
    for name, witness in answers.get(value, "found", dict).items():
        if name not in (*FAULTS, *_WITNESSES):
            raise ValueError(f"{name[:60]!r} is no fault")
        answers.get(witness, "depth", int)
        words = witness.get("words", [0])
        if not words or not all(type(word) is int and 0 <= word < answers.MOST for word in words):
            raise ValueError(f"the run to {name} is no list of states")
    return value


def build(text: str) -> Path:
    """Compile a source, or find it compiled.

    Returns:
        The program, in the user's cache.

    Raises:
        VerifyError: If it does not compile or the cache cannot be written; `NoCompilerError` if
            there is no compiler.
    """
    tree = cxx.Tree(resources.root() / "native", {"engine.cpp": text})
    return cxx.build("engine", ["engine.cpp"], tree)
