"""Breadth-first walks: the one loop of every search in Python.

Whoever walks expands the states that it gets, and tells the walk where the steps lead.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
L = TypeVar("L")


class Walk(Generic[S]):
    """The states that have been reached; iterating gives each once, the nearest first.

    Args:
        start: The first state.

    Attributes:
        parents: From which state each was reached first; the start from itself.
    """

    def __init__(self, start: S) -> None:
        self.parents: dict[S, S] = {start: start}
        self._queue = [start]

    def __iter__(self) -> Iterator[S]:
        return iter(self._queue)  # which grows meanwhile

    def __len__(self) -> int:
        return len(self._queue)

    def reach(self, source: S, targets: Iterable[S]) -> None:
        """Say where the steps from a state lead."""
        parents, queue = self.parents, self._queue
        for target in targets:
            if target not in parents:
                parents[target] = source
                queue.append(target)

    def way(self, state: S) -> list[S]:
        """The states on a shortest way to one that was reached, from the start on."""
        way = [state]
        while (parent := self.parents[way[-1]]) != way[-1]:
            way.append(parent)
        return way[::-1]


def follow(
    way: Sequence[S],
    steps: Callable[[S], Iterable[tuple[S, L]]],
    name: Callable[[S], S] = lambda state: state,
) -> tuple[list[L], S]:
    """The labels of the steps on a way, and the state that they lead to.

    Args:
        way: States, each a step after the last one.
        steps: The steps from a state: the state after each, and its label.
        name: What the way calls a state: one that stands for all that differ by renaming.  Such
            names need not follow one another; states that have them do.

    Raises:
        ValueError: If there is no such step; its arguments are the two states.
    """
    here, labels = way[0], list[L]()
    for target in way[1:]:
        found = next((step for step in steps(here) if name(step[0]) == target), None)
        if found is None:
            raise ValueError(here, target)
        here = found[0]
        labels.append(found[1])
    return labels, here
