"""Exhaustive breadth-first search of the driver model, within bounds.

`explore` visits every reachable state of a scheme in an environment, for all maps that the model
leaves open (streams, homes, queues), and finds the exact set of reachable faults with a shortest
counterexample for each.  The result holds within the bounds; for any number of threads, encoders
and blocks the verdict is the proof's.

A state is one integer: memory in the low bits, then a field per thread.  What a thread can do in
a given memory is computed once from the table (`verify.rules`) and remembered as a difference
to add to the state.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import factorial
from typing import NamedTuple

from verify.errors import VerifyError
from verify.rules import HOLDING, POINTS, TABLE, Atom, Table, Test
from verify.semantics import (
    Activity,
    Bounds,
    Event,
    FaultAt,
    Memory,
    Model,
    State,
    Step,
    is_past_acquire,
)
from verify.spec import FAULTS, KINDS, Environment, LockScheme
from verify.trace import Trace, steps_text
from verify.walk import Walk, follow

__all__ = [
    "UNLIMITED",
    "Exploration",
    "Limits",
    "Trace",
    "edges_of",
    "explore",
    "instances_of",
    "steps_text",
]

MAX_RENAMINGS = 1_000_000
"""More are not tried for each state, nor listed."""


class TooLargeError(VerifyError):
    """An instance is too large for this way to search it."""


PYTHON_STATE = 300
"""Bytes that a visited state takes in the Python search, about."""


@dataclass(frozen=True)
class Limits:
    """Where a search gives up; what it says then is incomplete, never wrong.

    Attributes:
        states: Of one instance.
        memory: Bytes for states.
        seconds: Of all instances together; the first is begun in any case.
    """

    states: int = 1 << 40
    memory: int = 4 << 30
    seconds: float = 1e9


Progress = Callable[[int, int, float], None]
"""Called now and then with the number of states, of edges, and seconds, of one instance."""

UNLIMITED = Limits()
"""No limit but 4 GiB of memory."""


@dataclass
class Exploration:
    """What a search found, over all instances that it visited.

    Attributes:
        instances: The instances; together they cover all maps up to renaming.
        counterexamples: For each reachable fault, in the order of `FAULTS`, a shortest trace.
        states, edges: How many were visited, in all instances together.
        parallel: A run to a fault-free state with two threads past their acquires.
        encodes_in_parallel: The same with both in `encode`.
        skip: A run whose last step skips a call because its encoder has no context.
        deadlock: A run to a state in which a thread is busy, none of the busy ones can step, and
            there is no fault.
        exhausted: A run to a state in which a create found the freelist empty: with more blocks
            there may be more to see.
        complete: Whether every reachable state was visited.
    """

    instances: list[Bounds] = field(default_factory=list)
    counterexamples: dict[str, Trace] = field(default_factory=dict)
    states: int = 0
    edges: int = 0
    parallel: Trace | None = None
    encodes_in_parallel: Trace | None = None
    skip: Trace | None = None
    deadlock: Trace | None = None
    exhausted: Trace | None = None
    complete: bool = True

    @property
    def faults(self) -> frozenset[str]:
        """The faults that were reached."""
        return frozenset(self.counterexamples)

    @property
    def bound_hit(self) -> bool:
        """Whether the search saw less than the whole model at this number of threads."""
        return not self.complete or self.exhausted is not None


def explore(
    scheme: LockScheme,
    env: Environment,
    threads: int = 2,
    encoders: int = 2,
    blocks: int = 2,
    *,
    instances: Iterable[Bounds] | None = None,
    symmetry: bool = False,
    first_fault: bool = False,
    limits: Limits = UNLIMITED,
    progress: Progress | None = None,
    table: Table = TABLE,
) -> Exploration:
    """Visit all reachable states.

    Args:
        scheme, env: What to explore.
        threads, encoders, blocks: The bounds.
        instances: The instances to visit instead of `instances_of` for these bounds.
        symmetry: Visit one state of each class of states that differ by renaming threads,
            encoders and blocks only; counts are then counts of classes.
        first_fault: Stop at the first fault.
        limits: Where to stop with `complete = False`.
        progress: Told now and then how far it is.
        table: The rules.

    Returns:
        What was found.  A shortest counterexample is shortest over all instances.
    """
    result = Exploration()
    if instances is None:
        instances = each_instance(scheme, env, threads, encoders, blocks)
    begin = time.monotonic()
    for bounds in instances:
        left = limits.seconds - (time.monotonic() - begin if result.instances else 0)
        if left <= 0 and result.instances:
            result.complete = False
            break
        result.instances.append(bounds)
        search = _Search(PackedModel(scheme, env, bounds, table), result, symmetry)
        search.run(first_fault, replace(limits, seconds=left), progress)
        if first_fault and result.counterexamples:
            result.complete = False
            break
    found = result.counterexamples
    result.counterexamples = {fault: found[fault] for fault in FAULTS if fault in found}
    return result


def instances_of(
    scheme: LockScheme, env: Environment, threads: int, encoders: int, blocks: int
) -> list[Bounds]:
    """All that `each_instance` gives, for numbers that are small."""
    return list(each_instance(scheme, env, threads, encoders, blocks))


def each_instance(
    scheme: LockScheme, env: Environment, threads: int, encoders: int, blocks: int
) -> Iterator[Bounds]:
    """The instances to visit so that every stream, home and queue map is covered.

    Maps that differ by renaming threads, encoders, streams or queues only are visited once (homes
    under confinement of many threads perhaps more than once: to tell them apart takes longer).  A
    map that nothing depends on (streams without a stream lock, queues without a queue lock, homes
    without confinement) is left at its default.

    Raises:
        ValueError: If a number is less than 1.
    """
    default = Bounds(threads, encoders, blocks)
    scopes = {request.scope for kind in KINDS for request in scheme.locks[kind]}
    all_streams = _classes(threads) if "stream" in scopes else [default.streams]
    all_queues = _classes(encoders) if "queue" in scopes else [default.queues]
    exact = factorial(threads) * threads**encoders <= _EXACT

    def found() -> Iterator[Bounds]:
        for streams, queues in itertools.product(all_streams, all_queues):
            every = [default.homes] if env.sharedEncoders else _homes(streams, queues, exact)
            for homes in every:
                yield Bounds(threads, encoders, blocks, streams, homes, queues)

    # The instance with the fewest conflicts first: it has the most runs, thus the shortest ones.
    if env.sharedEncoders or exact:
        maps = sorted(found(), key=lambda b: (b.streams, b.queues, b.homes))
        maps.sort(key=lambda b: (-len(set(b.streams)), -len(set(b.queues)), -len(set(b.homes))))
        yield from maps
    else:
        yield from found()  # too many to make them all before the first is searched


_EXACT = 300_000
"""Up to so many renamed maps of homes are looked at to find those that are the same."""


def _classes(size: int) -> list[tuple[int, ...]]:
    """The ways to divide so many things among classes, up to renaming things and classes.

    Each as the least map: larger classes first.  Those with the most classes come first.
    """

    def sizes(rest: int, most: int) -> Iterator[list[int]]:
        if rest == 0:
            yield []
        for first in range(min(rest, most), 0, -1):
            for others in sizes(rest - first, first):
                yield [first, *others]

    maps = [
        tuple(name for name, count in enumerate(counts) for _ in range(count))
        for counts in sizes(size, size)
    ]
    return sorted(maps, key=lambda classes: (-len(set(classes)), classes))


def _homes(
    streams: tuple[int, ...], queues: tuple[int, ...], exact: bool
) -> Iterator[tuple[int, ...]]:
    """The owners of the encoders, up to renaming threads and encoders under two maps.

    Args:
        streams, queues: Of `_classes`, so that encoders of one queue stand side by side.
        exact: Give each class once, by comparing its least map with all that threads can be
            renamed to; else by what can be seen at once, perhaps more than once.
    """
    threads, encoders = len(streams), len(queues)
    blocks = [[e for e in range(encoders) if queues[e] == queue] for queue in dict.fromkeys(queues)]
    ends = {block[-1]: number for number, block in enumerate(blocks)}
    alone = [streams.count(stream) == 1 for stream in streams]
    moves = [
        names
        for names in (itertools.permutations(range(threads)) if exact else ())
        if _same_partition(streams, names)
    ]

    def least(homes: Sequence[int]) -> tuple[int, ...]:
        """The least map that renaming encoders leads to."""
        parts = [tuple(sorted(homes[e] for e in block)) for block in blocks]
        # Larger blocks stand first, so sorting by size and content keeps sizes in place.
        parts.sort(key=lambda part: (-len(part), part))
        return tuple(itertools.chain.from_iterable(parts))

    def first(thread: int, homes: tuple[int, ...]) -> bool:
        """Whether no lesser thread that could have its name is still without an encoder."""
        return thread in homes or all(
            other in homes
            for other in range(thread)
            if streams[other] == streams[thread] or (alone[other] and alone[thread])
        )

    def grow(homes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        place = len(homes)
        if place == encoders:
            if all(homes <= least([names[home] for home in homes]) for names in moves):
                yield homes
            return
        for thread in reversed(range(threads)):
            if place and queues[place] == queues[place - 1] and thread < homes[-1]:
                break
            if not first(thread, homes):
                continue
            more = (*homes, thread)
            number = ends.get(place, 0)
            if number and len(blocks[number]) == len(blocks[number - 1]):
                before, here = ([more[e] for e in blocks[n]] for n in (number - 1, number))
                if here < before:
                    continue
            yield from grow(more)

    yield from grow(())


class _Moves(NamedTuple):
    """What one thread can do in one memory, in packed form.

    `free` and `gated` have the difference that a step makes to the state and its event; gated
    steps and faults have tests about the other threads.
    """

    free: tuple[tuple[int, Event], ...]
    gated: tuple[tuple[int, Event, tuple[Test, ...]], ...]
    faults: tuple[FaultAt, ...]
    gated_faults: tuple[tuple[FaultAt, tuple[Test, ...]], ...]
    exhausted: bool


class Packing:
    """States as integers: memory in the low bits, then a field for each thread.

    Pointers are stored plus one, 0 is none.  A thread's field is an index of `activities`.

    Args:
        bounds: The instance.
        table: The rules: of each kind of operation they say which program points it has.

    Attributes:
        cells: For each cell of memory, ("impl", encoder) and so on, its lowest bit and its width.
        activities: What a thread can be doing; idle (None) is 0.
        memory_bits, field_bits: The widths of memory and of a thread's field.
        memory_mask, field_mask: As many ones.
        shifts: The lowest bit of each thread's field.
    """

    def __init__(self, bounds: Bounds, table: Table = TABLE) -> None:
        self._bounds = bounds
        self.cells: dict[tuple[str, int], tuple[int, int]] = {}
        self.memory_bits = 0
        for name, count, width in (
            ("impl", bounds.encoders, bounds.blocks.bit_length()),
            ("owner", bounds.blocks, bounds.encoders.bit_length()),
            ("ready", bounds.blocks, 1),
            ("alive", bounds.encoders, 1),
        ):
            for index in range(count):
                self.cells[name, index] = (self.memory_bits, width)
                self.memory_bits += width
        self.memory_mask = (1 << self.memory_bits) - 1
        self.activities: list[Activity | None] = [None]
        for kind, encoder in itertools.product(KINDS, range(bounds.encoders)):
            sources = {rule.source for rule in table.rules if kind in rule.kinds}
            for point in (point for point in POINTS[1:] if point in sources):
                blocks = range(bounds.blocks) if point in HOLDING else (None,)
                self.activities += [Activity(kind, encoder, point, block) for block in blocks]
        self._codes = {activity: code for code, activity in enumerate(self.activities)}
        self.field_bits = (len(self.activities) - 1).bit_length()
        self.field_mask = (1 << self.field_bits) - 1
        self.shifts = [self.memory_bits + t * self.field_bits for t in range(bounds.threads)]
        self.bits = self.memory_bits + bounds.threads * self.field_bits

    def pack(self, state: State) -> int:
        """The integer of a state."""
        word = self.pack_memory(state.memory)
        for shift, activity in zip(self.shifts, state.threads, strict=True):
            word |= self._codes[activity] << shift
        return word

    def unpack(self, word: int) -> State:
        """The state of an integer."""
        threads = (self.activities[word >> shift & self.field_mask] for shift in self.shifts)
        return State(tuple(threads), self.unpack_memory(word & self.memory_mask))

    def code(self, activity: Activity | None) -> int:
        """The value of a thread's field."""
        return self._codes[activity]

    def pack_memory(self, memory: Memory) -> int:
        """The low bits of a state."""
        word = 0
        for name, pointers in (("impl", memory.impl), ("owner", memory.owner)):
            for index, pointer in enumerate(pointers):
                if pointer is not None:
                    word |= pointer + 1 << self.cells[name, index][0]
        for name, flags in (("ready", memory.ready), ("alive", memory.alive)):
            for index, flag in enumerate(flags):
                word |= flag << self.cells[name, index][0]
        return word

    def unpack_memory(self, word: int) -> Memory:
        """What `pack_memory` packed."""

        def cells(name: str, count: int) -> Iterator[int]:
            for index in range(count):
                shift, width = self.cells[name, index]
                yield word >> shift & (1 << width) - 1

        encoders, blocks = self._bounds.encoders, self._bounds.blocks
        return Memory(
            tuple(value - 1 if value else None for value in cells("impl", encoders)),
            tuple(value - 1 if value else None for value in cells("owner", blocks)),
            tuple(map(bool, cells("ready", blocks))),
            tuple(map(bool, cells("alive", encoders))),
        )


class PackedModel:
    """The model over packed states.

    Args:
        scheme, env, bounds, table: As for `Model`.
    """

    def __init__(
        self, scheme: LockScheme, env: Environment, bounds: Bounds, table: Table = TABLE
    ) -> None:
        self.model = Model(scheme, env, bounds, table)
        self.bounds = bounds
        self.packing = Packing(bounds, table)
        self.initial = self.packing.pack(self.model.initial())
        self._moves: list[dict[int, _Moves]] = [{} for _ in range(bounds.threads)]
        self._drops: dict[int, list[tuple[int, Event, tuple[Test, ...]]]] = {}
        self._excluded: dict[tuple[int, int, int, int], bool] = {}
        self._memories: dict[int, Memory] = {}

    def expand(self, word: int) -> tuple[list[tuple[int, Event]], list[FaultAt], bool, bool]:
        """The steps and faults of a state.

        Returns:
            The successors with their events; the faults; whether a busy thread can step; whether
            a create finds no free block.
        """
        packing = self.packing
        mask, memory = packing.field_mask, word & packing.memory_mask
        codes = [word >> shift & mask for shift in packing.shifts]
        steps: list[tuple[int, Event]] = []
        faults: list[FaultAt] = []
        exhausted = moving = False
        for thread, code in enumerate(codes):
            key = code << packing.memory_bits | memory
            moves = self._moves[thread].get(key)
            if moves is None:
                moves = self._moves[thread][key] = self._compute(thread, code, memory)
            before = len(steps)
            for delta, event in moves.free:
                steps.append((word + delta, event))
            for delta, event, tests in moves.gated:
                if self._context_holds(tests, codes, thread, event.e):
                    steps.append((word + delta, event))
            if code:
                moving = moving or len(steps) > before
                exhausted = exhausted or moves.exhausted
                faults += moves.faults
                for fault, tests in moves.gated_faults:
                    if self._context_holds(tests, codes, thread, fault.e):
                        faults.append(fault)
        drops = self._drops.get(memory)
        if drops is None:
            drops = self._drops[memory] = [
                (packing.pack_memory(step.memory) - memory, step.event, step.tests)
                for step in self.model.drops(self._memory(memory))
            ]
        for delta, event, tests in drops:
            if self._context_holds(tests, codes, None, event.e):
                steps.append((word + delta, event))
        return steps, faults, moving, exhausted

    def _memory(self, word: int) -> Memory:
        memory = self._memories.get(word)
        if memory is None:
            memory = self._memories[word] = self.packing.unpack_memory(word)
        return memory

    def _compute(self, thread: int, code: int, word: int) -> _Moves:
        memory, activity = self._memory(word), self.packing.activities[code]
        shift = self.packing.shifts[thread]

        def delta(step: Step) -> int:
            field_delta = self.packing.code(step.activity) - code
            return (field_delta << shift) + self.packing.pack_memory(step.memory) - word

        steps = self.model.thread_steps(thread, activity, memory)
        faults = self.model.thread_faults(thread, activity, memory) if activity else []
        return _Moves(
            tuple((delta(step), step.event) for step in steps if not step.tests),
            tuple((delta(step), step.event, step.tests) for step in steps if step.tests),
            tuple(fault for fault, tests in faults if not tests),
            tuple((fault, tests) for fault, tests in faults if tests),
            activity is not None and activity.point == "checked" and not steps,
        )

    def _context_holds(
        self, tests: tuple[Test, ...], codes: list[int], thread: int | None, encoder: int
    ) -> bool:
        """`Model._context_holds` on packed fields."""
        activities = self.packing.activities
        for test in tests:
            value = test.atom is not Atom.ACCOMPANIED
            for other, code in enumerate(codes):
                if not code or other == thread:
                    continue
                activity = activities[code]
                if activity is None:
                    continue
                if test.atom is Atom.UNUSED:
                    value = value and activity.encoder != encoder
                elif test.atom is Atom.UNMADE:
                    value = value and (activity.kind, activity.encoder) != ("create", encoder)
                elif thread is not None and test.atom is Atom.UNBLOCKED:
                    value = value and not self._blocks(other, code, thread, codes[thread])
                elif thread is not None:
                    mine = activities[codes[thread]]
                    value = value or (
                        mine is not None
                        and (activity.encoder, activity.point) == (encoder, mine.point)
                    )
            if value != test.value:
                return False
        return True

    def _blocks(self, other: int, held: int, thread: int, wanted: int) -> bool:
        key = (other, held, thread, wanted)
        blocked = self._excluded.get(key)
        if blocked is None:
            holder, waiter = self.packing.activities[held], self.packing.activities[wanted]
            blocked = self._excluded[key] = (
                holder is not None
                and waiter is not None
                and is_past_acquire(holder)
                and self.model.excludes(
                    (other, holder.kind, holder.encoder), (thread, waiter.kind, waiter.encoder)
                )
            )
        return blocked


def renamings(packed: PackedModel) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The renamings of threads and of encoders that leave an instance as it is.

    Homes, streams and queues restrict them where something depends on the map; blocks can always
    be renamed.

    Returns:
        For each renaming the new name of each thread, and of each encoder.

    Raises:
        TooLargeError: If there are too many to try.
    """
    bounds, env = packed.bounds, packed.model.env
    _few(factorial(bounds.threads) * factorial(bounds.encoders), bounds)
    scopes = {r.scope for kind in KINDS for r in packed.model.requests(kind)}
    return [
        (threads, encoders)
        for threads in itertools.permutations(range(bounds.threads))
        for encoders in itertools.permutations(range(bounds.encoders))
        if (
            env.sharedEncoders
            or all(
                bounds.homes[encoders[e]] == threads[bounds.homes[e]]
                for e in range(bounds.encoders)
            )
        )
        and ("stream" not in scopes or _same_partition(bounds.streams, threads))
        and ("queue" not in scopes or _same_partition(bounds.queues, encoders))
    ]


def _few(number: int, bounds: Bounds) -> None:
    if number > MAX_RENAMINGS:
        raise TooLargeError(
            f"{bounds.threads} threads, {bounds.encoders} encoders, {bounds.blocks} blocks: "
            f"symmetry would try {number:,} renamings, more than {MAX_RENAMINGS:,}; use fewer, or "
            "leave --symmetry out"
        )


def block_renaming(packed: PackedModel) -> Callable[[int], tuple[int, tuple[int, ...]]]:
    """How to name the blocks of a state so that states that differ by names only become one.

    Blocks are ordered by all that a state says of them; those of which it says the same are
    interchangeable.

    Returns:
        A function from a state to its representative, and for each block of that the name that
        it has in the state.
    """
    packing, numbers = packed.packing, range(packed.bounds.blocks)

    @cache
    def rename(word: int) -> tuple[int, tuple[int, ...]]:
        state = packing.unpack(word)
        threads, memory = state

        def known(block: int) -> tuple[object, ...]:
            owner = memory.owner[block]
            pointing = tuple(impl == block for impl in memory.impl)
            holding = tuple(a is not None and a.block == block for a in threads)
            return (-1 if owner is None else owner, memory.ready[block], pointing, holding)

        order = tuple(sorted(numbers, key=known))
        names: dict[int | None, int | None] = {None: None}
        names |= {old: new for new, old in enumerate(order)}
        renamed = State(
            tuple(a and a._replace(block=names[a.block]) for a in threads),
            memory._replace(
                impl=tuple(names[block] for block in memory.impl),
                owner=tuple(memory.owner[block] for block in order),
                ready=tuple(memory.ready[block] for block in order),
            ),
        )
        return packing.pack(renamed), order

    return rename


class Symmetry:
    """All renamings of threads, encoders and blocks that leave an instance as it is.

    It tries them one by one: simple, and the yardstick for the native engine's quick way.

    Args:
        packed: The model; its maps decide which threads and encoders can be renamed.
    """

    def __init__(self, packed: PackedModel) -> None:
        names = renamings(packed)
        _few(len(names) * factorial(packed.bounds.blocks), packed.bounds)
        self._renamings = [
            _Renaming(packed.packing, threads, encoders, blocks)
            for threads, encoders in names
            for blocks in itertools.permutations(range(packed.bounds.blocks))
        ]

    def representative(self, word: int) -> int:
        """The least of the states that a state can be renamed to."""
        return min(renaming(word) for renaming in self._renamings)


def _same_partition(classes: tuple[int, ...], renamed: tuple[int, ...]) -> bool:
    """Whether renaming keeps apart, and together, what the map keeps apart and together."""
    return all(
        (classes[i] == classes[j]) == (classes[renamed[i]] == classes[renamed[j]])
        for i, j in itertools.combinations(range(len(classes)), 2)
    )


class _Renaming:
    """One renaming, as a function on packed states."""

    def __init__(
        self,
        packing: Packing,
        threads: tuple[int, ...],
        encoders: tuple[int, ...],
        blocks: tuple[int, ...],
    ) -> None:
        self._packing, self._encoders, self._blocks = packing, encoders, blocks
        self._moves = [(packing.shifts[t], packing.shifts[threads[t]]) for t in range(len(threads))]
        self._fields = [
            packing.code(
                activity
                and activity._replace(
                    encoder=encoders[activity.encoder],
                    block=None if activity.block is None else blocks[activity.block],
                )
            )
            for activity in packing.activities
        ]
        self._memories: dict[int, int] = {}

    def __call__(self, word: int) -> int:
        memory = word & self._packing.memory_mask
        renamed = self._memories.get(memory)
        if renamed is None:
            renamed = self._memories[memory] = self._rename(memory)
        mask = self._packing.field_mask
        for source, target in self._moves:
            renamed |= self._fields[word >> source & mask] << target
        return renamed

    def _rename(self, word: int) -> int:
        memory = self._packing.unpack_memory(word)
        old_encoder = [self._encoders.index(e) for e in range(len(self._encoders))]
        old_block = [self._blocks.index(b) for b in range(len(self._blocks))]
        impl = (memory.impl[e] for e in old_encoder)
        owner = (memory.owner[b] for b in old_block)
        return self._packing.pack_memory(
            Memory(
                tuple(None if b is None else self._blocks[b] for b in impl),
                tuple(None if e is None else self._encoders[e] for e in owner),
                tuple(memory.ready[b] for b in old_block),
                tuple(memory.alive[e] for e in old_encoder),
            )
        )


class _Search:
    """A breadth-first search of one instance; what it finds goes into `result`."""

    def __init__(self, packed: PackedModel, result: Exploration, symmetry: bool) -> None:
        self._packed = packed
        self._result = result
        self._canonical: Callable[[int], int] | None = None
        if symmetry:
            self._canonical = Symmetry(self._packed).representative
        self._walk = Walk(self._packed.initial)

    def run(self, first_fault: bool, limits: Limits, progress: Progress | None) -> None:
        """Visit everything, or stop early as told."""
        begin = time.monotonic()
        max_states = min(limits.states, limits.memory // PYTHON_STATE)
        canonical, walk, result = self._canonical, self._walk, self._result
        edges = 0
        for number, word in enumerate(walk):
            if number % 64 == 0:
                seconds = time.monotonic() - begin
                if seconds > limits.seconds:
                    result.complete = False
                    break
                if progress is not None and number % 1024 == 0:
                    progress(len(walk), edges, seconds)
            steps, faults, moving, exhausted = self._packed.expand(word)
            edges += len(steps)
            for fault in faults:
                self._found(word, fault)
            if faults and first_fault:
                break
            self._look(word, steps, faults, moving, exhausted)
            walk.reach(word, [canonical(after) if canonical else after for after, _ in steps])
            if len(walk) > max_states:
                result.complete = False
                break
        result.states += len(walk)
        result.edges += edges

    def _found(self, word: int, fault: FaultAt) -> None:
        known = self._result.counterexamples.get(fault.fault)
        if known is None or known.bounds != self._packed.bounds:
            trace = self._trace(word, fault)
            if known is None or len(trace.events) < len(known.events):
                self._result.counterexamples[fault.fault] = trace

    def _look(
        self,
        word: int,
        steps: list[tuple[int, Event]],
        faults: list[FaultAt],
        moving: bool,
        exhausted: bool,
    ) -> None:
        """Collect the witnesses that are still missing."""
        result = self._result
        if exhausted and result.exhausted is None:
            result.exhausted = self._trace(word)
        if faults:
            return
        if result.skip is None and any(is_skip(event) for _, event in steps):
            last, events = self._run(word)
            skip = next(event for _, event in self._packed.expand(last)[0] if is_skip(event))
            result.skip = Trace(self._packed.bounds, (*events, skip))
        if not moving and not exhausted and result.deadlock is None and self._busy(word):
            result.deadlock = self._trace(word)
        if result.parallel is None or result.encodes_in_parallel is None:
            inside = [a for a in self._packed.packing.unpack(word).threads if is_past_acquire(a)]
            if len(inside) >= 2 and result.parallel is None:
                result.parallel = self._trace(word)
            if sum(a is not None and a.kind == "encode" for a in inside) >= 2:
                result.encodes_in_parallel = result.encodes_in_parallel or self._trace(word)

    def _busy(self, word: int) -> bool:
        return word >> self._packed.packing.memory_bits != 0

    def _trace(self, word: int, fault: FaultAt | None = None) -> Trace:
        """The run to a visited state, with the fault of that name there."""
        last, events = self._run(word)
        if fault is not None:
            # In a symmetric state it is another thread's.
            faults = self._packed.expand(last)[1]
            fault = next(f for f in faults if f.fault == fault.fault)
        return Trace(self._packed.bounds, tuple(events), fault)

    def _run(self, word: int) -> tuple[int, list[Event]]:
        """The run to a visited state, or to one that it represents, and that state."""
        way, name = self._walk.way(word), self._canonical or (lambda after: after)
        events, last = follow(way, lambda here: self._packed.expand(here)[0], name)
        return last, events


def is_skip(event: Event) -> bool:
    """Whether a step is a call that the guard skips because the encoder has no context."""
    return (event.kind, event.event, event.pc) == ("encode", "load", "finished")


def edges_of(packed: PackedModel) -> Iterator[tuple[int, Event, int]]:
    """All labelled edges between reachable states of an instance, packed, for comparisons."""
    walk = Walk(packed.initial)
    for word in walk:
        steps = packed.expand(word)[0]
        yield from ((word, event, after) for after, event in steps)
        walk.reach(word, (after for after, _ in steps))
