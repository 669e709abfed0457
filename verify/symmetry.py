"""States that differ by the names of threads, encoders and blocks only."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from math import factorial

from verify.packed import PackedModel, Packing
from verify.question import TooLargeError, same_partition
from verify.semantics import Bounds, Memory, State
from verify.spec import KINDS

MAX_RENAMINGS = 1_000_000
"""More are not tried for each state, nor listed."""


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
        and ("stream" not in scopes or same_partition(bounds.streams, threads))
        and ("queue" not in scopes or same_partition(bounds.queues, encoders))
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
