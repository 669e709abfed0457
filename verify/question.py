"""What a search is asked, and in which instances.

The engines are `verify.explore` (Python), `verify.explore_native` (generated C++) and
`verify.promela` (SPIN): each has a function `explore` from a `Question` to what it found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import factorial

from verify.errors import VerifyError
from verify.semantics import Bounds
from verify.spec import KINDS, Environment, LockScheme


class TooLargeError(VerifyError):
    """An instance is too large for this way to search it."""


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


UNLIMITED = Limits()
"""No limit but 4 GiB of memory."""


Progress = Callable[[int, int, float], None]
"""Called now and then with the number of states, of edges, and seconds, of one instance."""


@dataclass(frozen=True)
class Question:
    """What a search is asked: the faults that some client of a scheme can run into, within bounds.

    Attributes:
        scheme, env: What to search.
        threads, encoders, blocks: The bounds.
        instances: The instances to visit instead of `each_instance` for these bounds.
        symmetry: Visit one state of each class of states that differ by renaming threads,
            encoders and blocks only; counts are then counts of classes.  Not for SPIN.
        limits: Where to stop with an answer that is not complete.
    """

    scheme: LockScheme
    env: Environment
    threads: int = 2
    encoders: int = 2
    blocks: int = 2
    instances: Sequence[Bounds] | None = None
    symmetry: bool = False
    limits: Limits = UNLIMITED

    def each(self) -> Iterable[Bounds]:
        """The instances, computed one by one."""
        sizes = self.threads, self.encoders, self.blocks
        return self.instances or each_instance(self.scheme, self.env, *sizes)


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
        if same_partition(streams, names)
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


def same_partition(classes: tuple[int, ...], renamed: tuple[int, ...]) -> bool:
    """Whether renaming keeps apart, and together, what the map keeps apart and together."""
    return all(
        (classes[i] == classes[j]) == (classes[renamed[i]] == classes[renamed[j]])
        for i, j in itertools.combinations(range(len(classes)), 2)
    )
