"""Line plots as inline SVG: medians with spread bars, limit lines, a label at each line's end.

Series differ by their markers as well as by their colours, and carry their names beside them.
Colours come from the page's style sheet (classes `p0`, `p1`, …), so that they follow its theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from verify.render import printable

WIDTH, HEIGHT = 410, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 124, 26, 42
_LINE = 13  # height of a label
_NEAR = 1.7  # times the highest value
MOST = 7
"""Series of one plot, at most: more would have neither colours nor room."""


@dataclass(frozen=True)
class Point:
    """A median with its interval."""

    x: float
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: Its label.
        points: By x.
        predicted: A prediction: dashed, without markers.
    """

    name: str
    points: Sequence[Point]
    predicted: bool = False


@dataclass(frozen=True)
class Limit:
    """A horizontal line that no series should cross."""

    name: str
    value: float


@dataclass(frozen=True)
class Plot:
    """What is drawn.

    Attributes:
        title: Above it.
        x, y: Names of the axes, with their units.
        series: At most `MOST` that are measured.
        limits: Horizontal lines.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    limits: Sequence[Limit] = ()

    @property
    def svg(self) -> Markup:
        """The plot; every text in it is escaped."""
        return Markup(_svg(self))  # noqa: S704


def quantity(value: float) -> str:
    """A number with three significant digits and a metric prefix: 1.23 k."""
    if value == 0:
        return "0"
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor * 0.9995:
            return f"{_digits(value / factor)}{prefix}"
    return _digits(value)


def _digits(value: float) -> str:
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ticks(top: float) -> list[float]:
    """Round numbers from 0 to at least `top`: about five."""
    raw = top / 4
    magnitude: float = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, none closer than `gap` to the next.

    Args:
        wanted: In any order.
        gap: The least distance.
        low, high: The range, which is left only if there is no room in it.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, i in zip([None, *order], order, strict=False):
        least = low if before is None else placed[before] + gap
        placed[i] = max(wanted[i], least)
    for after, i in zip([None, *reversed(order)], reversed(order), strict=False):
        most = high if after is None else placed[after] - gap
        placed[i] = min(placed[i], most)
    return placed


def _svg(plot: Plot) -> str:
    xs = sorted({point.x for series in plot.series for point in series.points})
    highest = max(p.high for s in plot.series for p in s.points)
    # A limit far above the lines is named, not drawn: it would press them flat.
    near = [limit for limit in plot.limits if limit.value <= _NEAR * highest]
    top = max([highest, *(limit.value for limit in near)])
    marks = ticks(top)
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    first, last = math.log2(xs[0]), math.log2(xs[-1])

    def at_x(x: float) -> float:
        share = (math.log2(x) - first) / (last - first) if last > first else 0.5
        return _LEFT + 8 + share * (right - _LEFT - 16)

    def at_y(y: float) -> float:
        return bottom - y / marks[-1] * (bottom - _TOP)

    said = "; ".join(
        f"{s.name}: {quantity(s.points[-1].median)} at {s.points[-1].x:g}" for s in plot.series
    )
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{_escaped(f"{plot.title}. {plot.y} by {plot.x}. {said}")}">'
    ]
    for y in marks:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}"/>'
        )
        parts.append(_text(_LEFT - 6, at_y(y) + 4, quantity(y), "tick", "end"))
    for x in xs:
        parts.append(f'<path class="grid" d="M{at_x(x):.1f} {bottom}v4"/>')
        parts.append(_text(at_x(x), bottom + 17, f"{x:g}", "tick", "middle"))
    parts.append(_text((_LEFT + right) / 2, HEIGHT - 6, plot.x, "axis", "middle"))
    parts.append(_text(4, 13, plot.y, "axis"))

    labels: list[tuple[float, str, str]] = []
    for limit in plot.limits:
        if limit not in near:
            labels.append((_TOP, f"limit ↑ {quantity(limit.value)}", "limit-label"))
            continue
        y = at_y(limit.value)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        labels.append((y, limit.name, "limit-label"))
    colour = 0
    for series in plot.series:
        kind = "predicted" if series.predicted else f"p{colour % MOST}"
        dots = [(at_x(p.x), at_y(p.median), at_y(p.low), at_y(p.high)) for p in series.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in dots)
        parts.append(f'<g class="{kind}"><polyline class="line" points="{line}"/>')
        for x, y, low, high in dots if not series.predicted else ():
            if low - high > 1:
                parts.append(
                    f'<path class="bar" d="M{x:.1f} {high:.1f}V{low:.1f}'
                    f'M{x - 3:.1f} {high:.1f}h6M{x - 3:.1f} {low:.1f}h6"/>'
                )
            parts.append(f'<path class="marker" d="{_MARKERS[colour % MOST](x, y)}"/>')
        parts.append("</g>")
        labels.append((dots[-1][1], series.name, f"{kind} label"))
        colour += not series.predicted
    places = spread([y for y, _, _ in labels], _LINE, _TOP, bottom)
    for (y, name, kind), place in zip(labels, places, strict=True):
        if abs(place - y) > 2:
            parts.append(f'<path class="leader" d="M{right + 2} {y:.1f}L{right + 9} {place:.1f}"/>')
        parts.append(_text(right + 12, place + 4, _cut(name, 19), kind))
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Dots:
    """Named values on a logarithmic scale, each written beside its dot.

    Attributes:
        title: Above it.
        x: Name of the axis, with its unit.
        rows: Names and values, from top to bottom; a point's x is not used.
    """

    title: str
    x: str
    rows: Sequence[tuple[str, Point]]

    @property
    def svg(self) -> Markup:
        """The plot; every text in it is escaped."""
        return Markup(_dots(self))  # noqa: S704


def _dots(plot: Dots) -> str:
    pitch, left, right, top = 18, 152, WIDTH - 50, 8
    bottom = top + pitch * len(plot.rows)
    first = math.floor(math.log10(min(p.low for _, p in plot.rows)))
    last = max(first + 1, math.ceil(math.log10(max(p.high for _, p in plot.rows))))

    def at(value: float) -> float:
        return left + (math.log10(value) - first) / (last - first) * (right - left)

    said = "; ".join(f"{name}: {quantity(point.median)}" for name, point in plot.rows)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {bottom + 40}" role="img" '
        f'aria-label="{_escaped(f"{plot.title}. {plot.x}. {said}")}">'
    ]
    for exponent in range(first, last + 1):
        x = at(10.0**exponent)
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(_text(x, bottom + 15, quantity(10.0**exponent), "tick", "middle"))
    parts.append(_text((left + right) / 2, bottom + 34, plot.x, "axis", "middle"))
    for number, (name, point) in enumerate(plot.rows):
        y = top + pitch * (number + 0.5)
        x, low, high = at(point.median), at(point.low), at(point.high)
        parts.append(_text(left - 10, y + 4, _cut(name, 20), "label", "end"))
        parts.append('<g class="p0">')
        if high - low > 1:
            parts.append(f'<path class="bar" d="M{low:.1f} {y:.1f}H{high:.1f}"/>')
        parts.append(f'<path class="marker" d="{_MARKERS[0](x, y)}"/></g>')
        parts.append(_text(max(x, high) + 9, y + 4, quantity(point.median), "tick"))
    return "".join([*parts, "</svg>"])


def _escaped(text: str) -> str:
    """Safe in HTML; control and format characters are shown, not obeyed."""
    return escape(printable(text))


def _cut(name: str, most: int) -> str:
    """A name that has room; a strategy may be called as its author likes."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{_escaped(text)}</text>'


def _polygon(*corners: tuple[float, float]) -> Callable[[float, float], str]:
    def path(x: float, y: float) -> str:
        return "M" + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + "Z"

    return path


_MARKERS: Sequence[Callable[[float, float], str]] = (
    lambda x, y: f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
    _polygon((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)),
    _polygon((0, -4.8), (4.6, 3.6), (-4.6, 3.6)),
    _polygon((0, -5.2), (5.2, 0), (0, 5.2), (-5.2, 0)),
    _polygon((0, 4.8), (4.6, -3.6), (-4.6, -3.6)),
    lambda x, y: f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8",
    lambda x, y: f"M{x - 5:.1f} {y:.1f}h10m-5 -5v10",
)
"""Circle, square, triangle, diamond, triangle on its tip, cross, plus."""
