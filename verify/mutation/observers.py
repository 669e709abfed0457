"""What the explorer and the native guard see of a scheme in an environment.

Both look at every state of an instance of two threads, two encoders and two blocks, for all maps
of streams, homes and queues.  That such an instance shows every fault that any number of threads
can run into is what the law in Lean (`can_reach_iff_criterion`) and the tests against an
independent search say; here it is why a difference between the two and Lean is a mistake.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from verify import explore, views
from verify.errors import VerifyError
from verify.library import NONE, CEvent, CState, load_library
from verify.mutation.mutants import Claims
from verify.question import Question
from verify.rules import TABLE, Table
from verify.semantics import Bounds, Model
from verify.session import Session
from verify.spec import FAULTS, KINDS, Environment, LockScheme, Spec

SIZE = (2, 2, 2)
"""Threads, encoders and blocks."""

_MOST_STATES = 2_000_000


class Seen(NamedTuple):
    """What there is to see of a scheme in an environment.

    Attributes:
        faults: The exact set of reachable ones.
        parallel: Whether two threads can be past their acquires in a fault-free state.
    """

    faults: frozenset[str]
    parallel: bool


class Observer(ABC):
    """An exhaustive look at schemes."""

    @abstractmethod
    def look(self, scheme: LockScheme, environment: Environment, bounds: Bounds) -> Seen:
        """What there is to see in an instance."""

    @abstractmethod
    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""

    def see(self, scheme: LockScheme, environment: Environment) -> Seen:
        """What there is to see in all instances."""
        parts = [
            self.look(scheme, environment, bounds)
            for bounds in Question(scheme, environment, *SIZE).each()
        ]
        faults = frozenset[str]().union(*(part.faults for part in parts))
        return Seen(faults, any(part.parallel for part in parts))


@dataclass(frozen=True)
class Difference:
    """The first claim that does not hold.

    Attributes:
        environment: In which one.
        text: What is claimed and what was seen.
        seen: What was seen there.
    """

    environment: str
    text: str
    seen: Seen | None = None

    def __str__(self) -> str:
        return f"{self.environment}: {self.text}"


def contradiction(
    observer: Observer,
    scheme: LockScheme,
    claims: Claims,
    environments: Mapping[str, Environment],
) -> Difference | None:
    """The first of the claims that an observer sees to be false, None if it sees all hold.

    The default environment comes first, and the rest is not looked at once a claim is false.
    """
    default = environments["default"]
    order = {"default": default, **environments}
    for name, environment in order.items():
        about_default = name == "default" and (
            claims.safe is not None or claims.fault or claims.parallel is not None
        )
        if name not in claims.faults and not about_default:
            continue
        seen = observer.see(scheme, environment)
        words = []
        exact = claims.faults.get(name)
        if exact is not None:
            words += [f"{fault} is reached" for fault in FAULTS if fault in seen.faults - exact]
            words += [f"{fault} is not reached" for fault in FAULTS if fault in exact - seen.faults]
        if name == "default":
            if not words and claims.safe is not None and claims.safe is bool(seen.faults):
                words += [f"{fault} is reached" for fault in FAULTS if fault in seen.faults]
                words = words or ["no fault is reached"]
            if not words and claims.fault is not None and claims.fault not in seen.faults:
                words += [f"{claims.fault} is not reached"]
            if claims.parallel is not None and claims.parallel is not seen.parallel:
                words += ["two calls overlap" if seen.parallel else "no two calls overlap"]
        if words:
            return Difference(name, ", ".join(words), seen)
    if claims.race and not observer.race(scheme, default):
        return Difference("default", "there is no teardown race")
    return None


# --- The explorer ---------------------------------------------------------------------------------


class Explorer(Observer):
    """The explorer's search, remembered: many schemes exclude the same operations.

    Args:
        table: The rules.
    """

    def __init__(self, table: Table = TABLE) -> None:
        self._table = table
        self._known: dict[object, Seen] = {}

    def look(self, scheme: LockScheme, environment: Environment, bounds: Bounds) -> Seen:
        """What there is to see in an instance."""
        key = canonical(Model(scheme, environment, bounds))
        seen = self._known.get(key)
        if seen is None:
            found = explore.explore(
                Question(scheme, environment, instances=[bounds], symmetry=True), table=self._table
            )
            if not found.complete:
                raise VerifyError(f"{bounds}: the explorer gave up; give it more memory")
            seen = self._known[key] = Seen(found.faults, found.parallel is not None)
        return seen

    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""
        run = views.shortest(scheme, environment, "nullDeref", race=True, table=self._table)
        return run is not None


def canonical(model: Model) -> object:
    """All that a search can tell of a scheme in an environment: equal for those that are alike."""
    bounds = model.bounds
    operations = list(itertools.product(range(bounds.threads), KINDS, range(bounds.encoders)))
    excluded = sum(
        1 << number
        for number, (held, wanted) in enumerate(itertools.product(operations, repeat=2))
        if held[0] != wanted[0] and model.excludes(held, wanted)
    )
    homes = () if model.env.sharedEncoders else bounds.homes
    return excluded, tuple(model.flags.values()), homes, (bounds.threads, bounds.encoders)


# --- The native guard -----------------------------------------------------------------------------

_EDGE = struct.Struct("<II8B")
_CRASH = NONE  # the step of an edge that is no step but a fault


class _Session(Session):
    """A session that says what its graph shows without making an object of each state."""

    def seen(self) -> tuple[Seen, bool]:
        """What all runs show, and whether one of them is the teardown race."""
        states, edges = self.raw_graph(_MOST_STATES)
        names = self.library.faults
        size = ctypes.sizeof(CState)
        pcs, encoders = (
            [states[field.offset + t :: size] for t in range(self.bounds.threads)]
            for field in (CState.pc, CState.encoder)
        )
        loaded = self.library.points.index("loaded")
        faults, faulty, race = set(), set(), False
        for source, _, thread, _, _, step, _, block, _, _ in _EDGE.iter_unpack(edges):
            if step == _CRASH:
                faults.add(names[block])
                faulty.add(source)
                race = race or (names[block] == "nullDeref" and pcs[thread][source] == loaded)
        overlap = [
            state
            for state, here in enumerate(zip(*pcs, strict=True))
            if here.count(loaded) > 1 and self._meet(state, here, encoders, loaded)
        ]
        if overlap and self._reports_overlap(overlap[0], edges):
            faults.add("encoderOverlap")
            faulty.update(overlap)
        outside = {self.library.points.index(point) for point in ("idle", "dispatched")}
        parallel = any(
            sum(pc not in outside for pc in here) > 1 and state not in faulty
            for state, here in enumerate(zip(*pcs, strict=True))
        )
        return Seen(frozenset(faults), parallel), race

    def _meet(self, state: int, pcs: Sequence[int], encoders: Sequence[bytes], loaded: int) -> bool:
        """Whether two of the threads that have loaded a context are on one encoder."""
        where = [encoders[t][state] for t, pc in enumerate(pcs) if pc == loaded]
        return len(set(where)) < len(where)

    def _reports_overlap(self, state: int, edges: bytes) -> bool:
        """Whether the driver reports an overlap on the way to a state.

        An overlap is nobody's next step, so the graph has no edge for it.
        """
        origin: dict[int, tuple[int, tuple[int, ...]]] = {}
        for source, target, *event in _EDGE.iter_unpack(edges):
            if event[3] != _CRASH and target not in origin and target != 0:
                origin[target] = (source, tuple(event))
        way = []
        while state in origin:
            state, fields = origin[state]
            way.append(self._event(CEvent(*fields)))
        self.reset()
        for step in reversed(way):
            if not self.act(step).stepped:
                self.act(step)  # a mutant that goes on after a fault
        return "encoderOverlap" in self.faults()


class Guard(Observer):
    """The native guard and the fake driver under the deterministic scheduler.

    Args:
        spec: Its strategies are compiled in.
        source: A directory like `native/`; None for the shipped one.

    Raises:
        EngineMissing: There is no compiler.
        VerifyError: It cannot be built.
    """

    def __init__(self, spec: Spec, source: Path | None = None) -> None:
        self._known: dict[object, tuple[Seen, bool]] = {}
        self._library = load_library(spec, source)

    def look(self, scheme: LockScheme, environment: Environment, bounds: Bounds) -> Seen:
        """What there is to see in an instance."""
        return self._look(scheme, environment, bounds)[0]

    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""
        instances = Question(scheme, environment, *SIZE).each()
        return any(self._look(scheme, environment, bounds)[1] for bounds in instances)

    def _look(
        self, scheme: LockScheme, environment: Environment, bounds: Bounds
    ) -> tuple[Seen, bool]:
        key = (scheme, environment.name, bounds)
        if key not in self._known:
            session = _Session(self._library, scheme, environment, bounds)
            try:
                self._known[key] = session.seen()
            finally:
                session.close()
        return self._known[key]
