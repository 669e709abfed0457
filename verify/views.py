"""What the templates see of a spec: its claims in Lean's words.

Nothing here is believed.  A claim becomes a statement for Lean to prove, a counterexample a trace
for Lean to replay; whether they say what the spec says is checked elsewhere, from the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from verify import criterion
from verify.deadlock import Finding, find, takes_several
from verify.errors import VerifyError
from verify.rules import HOLDING, TABLE, Table
from verify.semantics import Bounds, Event, FaultAt, Model, State
from verify.spec import Environment, LockScheme, Spec, Strategy
from verify.walk import Walk, follow

# In the default environment two threads and one encoder show every fault that any number shows.
BOUNDS = Bounds(2, 1, 2)

_NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Counterexample:
    """A shortest run to a fault.

    Attributes:
        at: The fault of the state after the last step: which, and whose.
        events: The steps.
    """

    at: FaultAt
    events: tuple[Event, ...]

    @property
    def fault(self) -> str:
        """The fault."""
        return self.at.fault

    @property
    def thread(self) -> int:
        """The thread that shows it."""
        return self.at.t

    @property
    def labels(self) -> tuple[str, ...]:
        """The steps as Lean terms of type `Label`."""
        return tuple(map(lean_label, self.events))


@dataclass(frozen=True)
class StrategyView:
    """A strategy as a template sees it; names are Lean names below `MPSVerify.AGX`.

    Attributes:
        name, english, scheme: As in the spec.
        safe, fault, race, note: The claims; see `verify.spec.Expect`.
        parallel: The claim, or a guess where the spec makes none: Lean decides.
        theorem: The name of the main theorem.
        statement: Its statement.
        unsafe_theorem: For an unsafe one, the name of the theorem that it is not safe.
        parallel_theorem: The name of the theorem on `parallel`.
        file: The module that it goes to.
        several: Whether some call takes several locks, one after another.
        deadlocks: By policy of the locks, for those that are claimed: what seems to be known of
            deadlocks, Lean decides.
        extension: Whether it stands beside the strategies that are counted.
        faults: For each environment, the faults that it seems to run into: Lean decides.
        counterexample: For an unsafe one with a named fault, a shortest run to that.
    """

    name: str
    english: str
    scheme: LockScheme
    safe: bool
    parallel: bool
    fault: str | None
    race: bool
    note: str | None
    theorem: str
    statement: str
    unsafe_theorem: str
    parallel_theorem: str
    file: str
    several: bool
    deadlocks: Mapping[str, Finding]
    extension: bool
    faults: Mapping[str, tuple[str, ...]]
    counterexample: Counterexample | None


def lean_sequential_label(event: Event) -> str:
    """A step as a Lean term of type `SeqLabel`."""
    return f".take {event.t}" if event.event == "take" else f".step ({lean_label(event)})"


def lean_label(event: Event) -> str:
    """A step as a Lean term of type `Label`."""
    if event.event == "dispatch":
        return f".dispatch ⟨{event.t}, .{event.kind}, {event.e}⟩"
    if event.event == "drop":
        return f".drop {event.e}"
    if event.event in ("acquire", "release"):
        return f".{event.event} {event.t}"
    if event.pc in HOLDING:
        return f".body {event.t} (.{event.pc} {event.b})"
    return f".body {event.t} .{event.pc}"


def shortest(
    scheme: LockScheme,
    environment: Environment,
    fault: str | None,
    race: bool = False,
    table: Table = TABLE,
) -> Counterexample | None:
    """A shortest run of a small instance to a fault, None if it has none.

    Args:
        scheme: The locks.
        environment: The assumptions.
        fault: One of `verify.spec.FAULTS`; None for any of them.
        race: Only with the victim between load and use: not a call that came too late.
        table: The rules.
    """
    model = Model(scheme, environment, BOUNDS, table)
    walk = Walk(model.initial())
    for state in walk:
        for found in model.faults(state):
            victim = state.threads[found.t]
            if race and (victim is None or victim.point != "loaded"):
                continue
            if fault in (None, found.fault):
                events, _ = follow(walk.way(state), partial(_steps, model))
                return Counterexample(found, tuple(events))
        walk.reach(state, (after for after, _ in _steps(model, state)))
    return None


def _steps(model: Model, state: State) -> list[tuple[State, Event]]:
    return [(after, event) for event, after in model.enabled(state)]


def possible(
    scheme: LockScheme, environment: Environment, fault: str | None, race: bool = False
) -> Counterexample | None:
    """A shortest run that a program can have: it uses no encoder before its create has returned.

    If there is none to that fault it is a run of the general client, as `shortest` finds it.
    Arguments and result are those of `shortest`, of the rules as they are.
    """
    patient = replace(environment, createReturns=True)
    there = criterion.faults(scheme, patient)  # else the search would see all states in vain
    wanted = bool(there) if fault is None else fault in there
    run = shortest(scheme, patient, fault, race) if wanted else None
    return run or shortest(scheme, environment, fault, race)


def strategy_view(strategy: Strategy, environments: Mapping[str, Environment]) -> StrategyView:
    """A strategy as the templates see it.

    Args:
        strategy: The strategy.
        environments: Those of its spec.
    """
    environment = environments["default"]
    claims, name = strategy.claims, strategy.name
    if claims.safe:
        suffix, statement = "is_safe", f"Safe .default {name}"
    elif claims.race:
        suffix, statement = "teardown_race", f"TeardownRace .default {name}"
    elif claims.fault:
        suffix, statement = f"reaches_{claims.fault}", f"CanReach .default {name} .{claims.fault}"
    else:
        suffix, statement = "is_unsafe", f"¬ Safe .default {name}"
    return StrategyView(
        name=name,
        english=strategy.english,
        scheme=strategy.scheme,
        safe=claims.safe,
        parallel=(
            criterion.parallel(strategy.scheme, environment)
            if claims.parallel is None
            else claims.parallel
        ),
        fault=claims.fault,
        race=claims.race,
        note=claims.note,
        # Names that the spec leaves out have a dot, so they meet none that it gives.
        theorem=claims.theorem or f"{name}.{suffix}",
        statement=statement,
        unsafe_theorem=f"{name}.is_unsafe",
        parallel_theorem=claims.parallel_theorem or f"{name}.parallel",
        file=claims.file or "Strategies",
        several=takes_several(strategy.scheme),
        deadlocks={
            policy: find(strategy.scheme, environment, policy)
            for policy in strategy.policies
            if takes_several(strategy.scheme)
        },
        extension=strategy.extension,
        faults={name: criterion.faults(strategy.scheme, env) for name, env in environments.items()},
        counterexample=(
            None
            if claims.safe
            else possible(strategy.scheme, environment, claims.fault, claims.race)
        ),
    )


def context(spec: Spec) -> dict[str, Any]:
    """The names that every template can use.

    Returns:
        `spec`; `strategies` (views of those that count), `all_strategies` (with extensions) and
        `environments`, as tuples; `files`, the modules of the strategies with their members, by
        name, and `counted_files`; and the words of the theorem on the safe ones:
        `safe_count` (`two`), `safe_words` (English) and `safe_formula` (Lean, about `s`).

    Raises:
        VerifyError: If two modules have names that differ in case only.
    """
    everything = tuple(strategy_view(strategy, spec.environments) for strategy in spec.strategies)
    views = tuple(view for view in everything if not view.extension)
    files: dict[str, list[StrategyView]] = {}
    for view in sorted(everything, key=lambda view: view.file):
        files.setdefault(view.file, []).append(view)
    distinct_names(files, f"{spec.path}: file")
    safe = [view.name for view in views if view.safe]
    return {
        "spec": spec,
        "strategies": views,
        "all_strategies": everything,
        "counted_files": sorted({view.file for view in views}),
        "environments": tuple(spec.environments.values()),
        "files": files,
        "safe_count": _NUMBERS[len(safe)] if len(safe) < len(_NUMBERS) else str(len(safe)),
        "safe_words": _enumeration(safe),
        "safe_formula": " ∨ ".join(f"s = .{name}" for name in safe) or "False",
    }


def distinct_names(names: Iterable[str], what: str) -> None:
    """Refuse two file names that some file systems take for one.

    Raises:
        VerifyError: If two names differ in case only, or not at all.
    """
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise VerifyError(
                f"{what} {name!r} is the same as {seen[name.lower()]!r} on some systems; rename one"
            )
        seen[name.lower()] = name


def _enumeration(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words) or "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"
