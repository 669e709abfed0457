"""What the explorer and the native guard see of a scheme in an environment.

Both look at every state of an instance of two threads, two encoders and two blocks, for all maps
of streams, homes and queues.  That such an instance shows every fault that any number of threads
can run into is what the law in Lean (`can_reach_iff_criterion`) and the tests against an
independent search say; here it is why a difference between the two and Lean is a mistake.
"""

from __future__ import annotations

import ctypes
import itertools
import shutil
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from verify import explore, native, resources, rules, views
from verify.errors import VerifyError
from verify.mutation.mutants import SHIPPED, Claims, Edit, SemanticMutant, apply
from verify.semantics import Bounds, Model
from verify.spec import FAULTS, KINDS, Environment, LockScheme, Spec

SIZE = (2, 2, 2)
"""Threads, encoders and blocks."""

_MOST_STATES = 2_000_000


class Seen(NamedTuple):
    """What there is to see of a scheme in an environment.

    Attributes:
        faults: The exact set of reachable ones.
        parallel: Whether two threads can be past their acquires in a fault-free state.
        one_queue: Whether they can with all encoders in one queue (seen only if a lock is per
            queue).
    """

    faults: frozenset[str]
    parallel: bool
    one_queue: bool = False


def _together(parts: Sequence[tuple[Bounds, Seen]]) -> Seen:
    """What there is to see in some instances."""
    return Seen(
        frozenset[str]().union(*(part.faults for _, part in parts)),
        any(part.parallel for _, part in parts),
        any(part.parallel for bounds, part in parts if len(set(bounds.queues)) == 1),
    )


class Observer(Protocol):
    """An exhaustive look at schemes."""

    def see(self, scheme: LockScheme, environment: Environment) -> Seen:
        """What there is to see."""

    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""


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
            claims.safe is not None
            or claims.fault
            or claims.parallel is not None
            or claims.one_queue is not None
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
            if claims.one_queue is not None and claims.one_queue is not seen.one_queue:
                overlap = "two calls overlap" if seen.one_queue else "no two calls overlap"
                words += [f"with one queue {overlap}"]
        if words:
            return Difference(name, ", ".join(words), seen)
    if claims.race and not observer.race(scheme, default):
        return Difference("default", "there is no teardown race")
    return None


# --- The explorer ---------------------------------------------------------------------------------


class Explorer:
    """The explorer's search, remembered: many schemes exclude the same operations.

    Args:
        mutant: Search with this rule changed.
    """

    def __init__(self, mutant: SemanticMutant | None = None) -> None:
        self._mutant = mutant
        self._table: rules.Table = rules.TABLE
        if mutant is not None and mutant.table is not None:
            self._table = mutant.table(SHIPPED)
        self._known: dict[object, Seen] = {}

    def see(self, scheme: LockScheme, environment: Environment) -> Seen:
        """What there is to see."""
        mutant = self._mutant
        # The clients are those of the scheme as it is: a rule is changed, nobody's locks.
        instances = explore.instances_of(scheme, environment, *SIZE)
        if mutant is not None and mutant.scheme is not None:
            scheme = mutant.scheme(scheme)
        if mutant is not None and mutant.environment is not None:
            environment = mutant.environment(environment)
        return _together([(b, self._search(scheme, environment, b)) for b in instances])

    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""
        run = views.shortest(scheme, environment, "nullDeref", race=True, table=self._table)
        return run is not None

    def _search(self, scheme: LockScheme, environment: Environment, bounds: Bounds) -> Seen:
        key = canonical(Model(scheme, environment, bounds))
        seen = self._known.get(key)
        if seen is None:
            found = explore.explore(
                scheme, environment, instances=[bounds], symmetry=True, table=self._table
            )
            if not found.complete:
                raise VerifyError(f"{bounds}: the explorer gave up; give it more memory")
            seen = self._known[key] = Seen(found.faults, found.parallel is not None)
        return seen


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
_CRASH = native.NONE  # the step of an edge that is no step but a fault


class _Session(native.Session):
    """A session that says what its graph shows without making an object of each state."""

    def seen(self) -> tuple[Seen, bool]:
        """What all runs show, and whether one of them is the teardown race."""
        states, edges = self._graph()
        names = self.library.faults
        size = ctypes.sizeof(native.CState)
        pcs, encoders = (
            [states[field.offset + t :: size] for t in range(self.bounds.threads)]
            for field in (native.CState.pc, native.CState.encoder)
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

    def _graph(self) -> tuple[bytes, bytes]:
        states, edges = ctypes.POINTER(native.CState)(), ctypes.POINTER(native.CEdge)()
        n_states, n_edges = ctypes.c_uint64(), ctypes.c_uint64()
        complete = self._c.mpsv_graph(
            self._session, _MOST_STATES, ctypes.byref(states), ctypes.byref(n_states),
            ctypes.byref(edges), ctypes.byref(n_edges),
        )  # fmt: skip
        if not complete:
            raise VerifyError(f"{self.bounds}: more than {_MOST_STATES} states")
        return (
            ctypes.string_at(states, n_states.value * ctypes.sizeof(native.CState)),
            ctypes.string_at(edges, n_edges.value * ctypes.sizeof(native.CEdge)),
        )

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
            way.append(self._event(native.CEvent(*fields)))
        self.reset()
        for step in reversed(way):
            if not self.act(step).stepped:
                self.act(step)  # a mutant that goes on after a fault
        return "encoderOverlap" in self.faults()


class Guard:
    """The native guard and the fake driver under the deterministic scheduler.

    Args:
        spec: Its strategies are compiled in.
        edits: Changes of the sources below `native`.

    Raises:
        EngineMissing: There is no compiler.
        VerifyError: It cannot be built.
    """

    def __init__(self, spec: Spec, edits: Iterable[Edit] = (), source: Path | None = None) -> None:
        self._known: dict[object, tuple[Seen, bool]] = {}
        edits = list(edits)
        if not edits:
            self._library = native.library(spec, source)
        else:
            with tempfile.TemporaryDirectory(prefix="verify-mutate-") as scratch:
                copy = Path(scratch) / "native"
                shutil.copytree(source or resources.root() / "native", copy)
                apply(edits, copy)
                self._library = native.library(spec, copy)

    def see(self, scheme: LockScheme, environment: Environment) -> Seen:
        """What there is to see."""
        return self._look(scheme, environment)[0]

    def race(self, scheme: LockScheme, environment: Environment) -> bool:
        """Whether a context is torn down between a load of it and its use."""
        return self._look(scheme, environment)[1]

    def _look(self, scheme: LockScheme, environment: Environment) -> tuple[Seen, bool]:
        key = (scheme, environment.name)
        if key not in self._known:
            parts, races = [], []
            for bounds in explore.instances_of(scheme, environment, *SIZE):
                session = _Session(self._library, scheme, environment, bounds)
                try:
                    seen, race = session.seen()
                finally:
                    session.close()
                parts.append((bounds, seen))
                races.append(race)
            self._known[key] = _together(parts), any(races)
        return self._known[key]
