"""The model over packed states: a state is one integer.

Memory is in the low bits, then comes a field per thread.  What a thread can do in a given memory is
computed once from the table (`verify.rules`) and remembered as a difference to add to the state.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

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
from verify.spec import KINDS, Environment, LockScheme
from verify.walk import Walk


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


def edges_of(packed: PackedModel) -> Iterator[tuple[int, Event, int]]:
    """All labelled edges between reachable states of an instance, packed, for comparisons."""
    walk = Walk(packed.initial)
    for word in walk:
        steps = packed.expand(word)[0]
        yield from ((word, event, after) for after, event in steps)
        walk.reach(word, (after for after, _ in steps))
