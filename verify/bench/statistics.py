"""The few statistics that benches need, free of assumptions about the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WIDE = 0.25
"""Half of an interval, as a share of the median: beyond it the figure says nothing."""

FEW = 0.05
"""The share of figures that may say nothing in a run that can be believed: one in twenty, as often
as a 95 % interval misses."""


def says(median: float, low: float, high: float) -> bool:
    """Whether an interval says something; a figure that says nothing is undetermined.

    The one rule for verdicts, tables and headlines.
    """
    return (high - low) / 2 <= WIDE * median


def enough_say(silent: int, count: int) -> bool:
    """Whether so many of the figures say something that a run can be believed."""
    return silent <= FEW * count


@dataclass(frozen=True)
class Estimate:
    """A median and how far it can be trusted.

    Attributes:
        median: Of the samples.
        low, high: A distribution-free interval for the median: order statistics chosen so that it
            covers the true median with at least 95 % if the samples are independent.
        mad: The median absolute deviation from the median, not scaled.
        count: The number of samples.
    """

    median: float
    low: float
    high: float
    mad: float
    count: int

    def agrees(self, other: Estimate) -> bool:
        """Whether the two intervals overlap."""
        return self.low <= other.high and other.low <= self.high


def estimate(samples: Sequence[float]) -> Estimate:
    """The median with its interval.

    Args:
        samples: At least one; with fewer than six the interval is their range, which covers less
            than 95 %.

    Raises:
        ValueError: There are no samples.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    n, middle = len(ordered), median(ordered)
    # Drop k samples on either side while P(true median outside) = 2 P(Bin(n, 1/2) <= k) <= 5 %.
    dropped, tail = 0, 1 / 2**n
    while True:
        tail += math.comb(n, dropped + 1) / 2**n
        if 2 * tail > 0.05:
            break
        dropped += 1
    return Estimate(
        middle, ordered[dropped], ordered[n - 1 - dropped],
        median(abs(x - middle) for x in ordered), n,
    )  # fmt: skip


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """The ratio of two series that were measured in turns, pair by pair.

    A slow drift of the machine cancels, which it does not in a ratio of medians.

    Raises:
        ValueError: The series have different lengths, or none.
    """
    return estimate([a / b for a, b in zip(above, below, strict=True)])


@dataclass(frozen=True)
class Fit:
    """The universal scalability law X(n) = rate n / (1 + contention (n-1) + coherency n (n-1)).

    Attributes:
        rate: X(1), operations a second.
        contention: The share of an operation that is serialised among all threads.
        coherency: What each other thread adds to an operation, as a share of it.
        error: Root mean square of the relative errors of the fit.
    """

    rate: float
    contention: float
    coherency: float
    error: float

    def __call__(self, n: float) -> float:
        """Predicted operations a second of `n` threads."""
        return self.rate * n / (1 + self.contention * (n - 1) + self.coherency * n * (n - 1))

    @property
    def saturation(self) -> float | None:
        """Where the curve stops growing: its peak if there is one, else where the line of perfect
        scaling crosses the asymptote rate/contention; None if nothing saturates."""
        if self.coherency > 1e-12:
            return max(1.0, math.sqrt(max(1 - self.contention, 0) / self.coherency))
        return 1 / self.contention if self.contention > 1e-12 else None

    @property
    def peak(self) -> float | None:
        """The most that any number of threads reaches; None if nothing limits it."""
        if self.coherency > 1e-12:
            return self(self.saturation or 1)
        return self.rate / self.contention if self.contention > 1e-12 else None


def fit(points: Sequence[tuple[int, float]]) -> Fit:
    """Fit the law by least squares of relative errors, with coefficients that are not negative.

    n / X(n) is linear in the coefficients, so each choice of active coefficients has a closed
    solution; the best feasible one is the constrained optimum.

    Args:
        points: Numbers of threads and operations a second; at least three of them.

    Raises:
        ValueError: There are fewer than three points, or a rate is not positive.
    """
    if len(points) < 3 or any(x <= 0 for _, x in points):
        raise ValueError("a fit needs three points with positive rates")
    best: Fit | None = None
    for active in ((0,), (0, 1), (0, 2), (0, 1, 2)):
        solution = _least_squares(points, active)
        if solution is None or solution[0] <= 0 or min(solution) < 0:
            continue
        a, b, c = solution
        law = Fit(1 / a, b / a, c / a, 0.0)
        error = math.sqrt(sum((law(n) / x - 1) ** 2 for n, x in points) / len(points))
        if best is None or error < best.error:
            best = Fit(law.rate, law.contention, law.coherency, error)
    if best is None:
        raise ValueError("no fit with coefficients that are not negative")
    return best


def _least_squares(
    points: Sequence[tuple[int, float]], active: Sequence[int]
) -> tuple[float, float, float] | None:
    """Minimise the relative errors of n/X = a + b (n-1) + c n (n-1) over the active ones."""
    terms = [(1.0, n - 1.0, n * (n - 1.0)) for n, _ in points]
    weights = [x / n for n, x in points]  # 1 / (n/X): errors relative to the value
    rows = [[t[i] * w for i in active] for t, w in zip(terms, weights, strict=True)]
    size = len(active)
    matrix = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] for row in rows)]
        for i in range(size)
    ]
    for column in range(size):  # Gauss-Jordan with pivoting
        pivot = max(range(column, size), key=lambda r: abs(matrix[r][column]))
        if abs(matrix[pivot][column]) < 1e-300:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for r in range(size):
            if r != column:
                factor = matrix[r][column] / matrix[column][column]
                matrix[r] = [x - factor * y for x, y in zip(matrix[r], matrix[column], strict=True)]
    solution = [0.0, 0.0, 0.0]
    for position, i in enumerate(active):
        solution[i] = matrix[position][size] / matrix[position][position]
    return solution[0], solution[1], solution[2]
