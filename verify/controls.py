"""The negative controls of `verify stress`: each arm must report a fault that is planted for it.

An arm that cannot see finds nothing, which looks like good news.  So every campaign first shows
each of its oracles something that is wrong: threads without a guard, held against a model with
one lock for all.  An arm that does not report that, or whose control hangs, crashes or records
nothing, is no evidence, and its strategies are UNDETERMINED.  The control arms of schedules and
free runs belong to each strategy; they are judged in `verify.stress`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from verify.campaign import campaign
from verify.errors import EngineMissing, VerifyError
from verify.library import Library
from verify.lockstep import DivergenceError
from verify.recorded import check, overlaps, record
from verify.semantics import Model
from verify.spec import KINDS, Environment, LockScheme, Request, Spec

UNGUARDED = LockScheme(dict.fromkeys(KINDS, ()), check=False)
"""What the native side does in a control."""

ONE_LOCK = LockScheme(dict.fromkeys(KINDS, (Request("global", "exclusive"),)), check=True)
"""What the model does there."""

_RUNS = 4


def campaign_control(library: Library, spec: Spec, env: Environment, seed: int) -> str:
    """Hypothesis' campaign with a model that is not the native side's.

    Returns:
        What is wrong with the arm; empty if it sees the difference.
    """
    strategy = replace(spec.strategies[0], scheme=ONE_LOCK)
    found = campaign(library, spec, strategy, [env], frozenset(), seed, 0.0, native_side=UNGUARDED)
    if found.example is not None and found.example.shows == "divergence":
        return ""
    return (
        f"the campaign is blind: it takes threads without locks for one lock's "
        f"({found.events} events)"
    )


def recorder_control(executable: Path, spec: Spec, env: Environment, seed: int) -> str:
    """Recorded threads without the guard, checked against a model in which one lock excludes all.

    Returns:
        As `campaign_control`.
    """
    strategy = spec.strategies[0]
    try:
        runs = record(executable, strategy.name, env, _RUNS, seed, guarded=False)
    except EngineMissing:
        raise
    except VerifyError as error:
        return f"the recorder's control failed: {error}"
    if trouble := next((run.trouble for run in runs if run.trouble), ""):
        return f"the recorder's control failed: {trouble}"
    if not sum(len(run.trace.events) for run in runs):
        return "the recorder is blind: its control recorded nothing"
    if not any(overlaps(run.trace.events) for run in runs):
        return "the recorder's control shows no two threads that overlap"
    for run in runs:
        try:
            check(run, Model(ONE_LOCK, env, run.trace.bounds))
        except DivergenceError:
            return ""
    return "the recorder is blind: it takes threads without locks for one lock's"
