"""The state graph of a small instance: for Graphviz (DOT), for Mermaid, and as SVG.

A breadth-first search puts every state on the layer of its distance from the start, so a picture
needs no general layout: each edge leads at most one layer down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from verify.diagram import mermaid_text
from verify.english import event_label, memory_texts, thread_texts
from verify.errors import VerifyError
from verify.packed import PackedModel
from verify.render import printable
from verify.semantics import Bounds, FaultAt, State
from verify.spec import Environment, LockScheme
from verify.symmetry import Symmetry
from verify.walk import Walk

MOST = 300
"""More states than this nobody can read."""
MOST_EDGES = 500
"""Mermaid refuses graphs with more (its `maxEdges`, which a page such as GitHub's leaves alone)."""


@dataclass(frozen=True)
class Edge:
    """A step from one node to another, both by number."""

    source: int
    target: int
    text: str


@dataclass(frozen=True)
class Graph:
    """A state graph.

    Attributes:
        title: What it is the graph of.
        nodes: The states; the first is the start, the others in the order of their distance.
        edges: The steps.
        layers: The distance of each node from the start.
        faults: The faults of each node that has some; such a node is a leaf.
        path: The nodes of a shortest run to a fault; empty if there is none.
    """

    title: str
    nodes: tuple[State, ...]
    edges: tuple[Edge, ...]
    layers: tuple[int, ...]
    faults: dict[int, tuple[FaultAt, ...]]
    path: tuple[int, ...]


def build(
    name: str,
    scheme: LockScheme,
    environment: Environment,
    bounds: Bounds,
    *,
    symmetry: bool = False,
    most: int = MOST,
) -> Graph:
    """The state graph of an instance.  What follows a fault is not drawn.

    Args:
        name: The strategy's, for the title.
        scheme, environment, bounds: The instance.
        symmetry: One node for all states that differ by renaming threads, encoders and blocks.
        most: The largest number of nodes.

    Raises:
        VerifyError: If there are more.
    """
    packed = PackedModel(scheme, environment, bounds)
    representative = Symmetry(packed).representative if symmetry else lambda word: word
    start = representative(packed.initial)
    walk, layers = Walk(start), dict[int, int]()
    steps: dict[tuple[int, int, str], None] = {}
    faults: dict[int, tuple[FaultAt, ...]] = {}
    for word in walk:
        layers[word] = layers[walk.parents[word]] + 1 if layers else 0
        after, found, _, _ = packed.expand(word)
        if found:
            faults[word] = tuple(found)
            continue
        named = [(representative(target), event) for target, event in after]
        walk.reach(word, (target for target, _ in named))
        steps |= {(word, target, event_label(event)): None for target, event in named}
    numbers = {word: number for number, word in enumerate(layers)}
    if len(walk) > most:
        smaller = "" if symmetry else "; --symmetry draws one for all that differ by renaming"
        raise VerifyError(
            f"{name}, {bounds}: {len(walk)} states, and a picture of more than {most} cannot be "
            f"read; give smaller --threads, --encoders, --blocks{smaller}"
        )
    path = walk.way(next(iter(faults))) if faults else []
    renamed = ", up to renaming" if symmetry else ""
    return Graph(
        f"{name}, environment {environment.name}, {bounds}: {len(walk)} states{renamed}",
        tuple(map(packed.packing.unpack, layers)),
        tuple(Edge(numbers[source], numbers[target], text) for source, target, text in steps),
        tuple(layers.values()),
        {numbers[word]: found for word, found in faults.items()},
        tuple(numbers[word] for word in path),
    )


def draw(
    kind: str,
    name: str,
    scheme: LockScheme,
    environment: Environment,
    bounds: Bounds,
    symmetry: bool = False,
) -> str:
    """The picture of an instance's state graph.

    Args:
        kind: "dot", "svg" or "mermaid".
        name, scheme, environment, bounds, symmetry: As for `build`.

    Raises:
        VerifyError: If it is too large to be read.
    """
    graph = build(name, scheme, environment, bounds, symmetry=symmetry)
    if kind == "mermaid" and len(graph.edges) > MOST_EDGES:
        raise VerifyError(
            f"{name}, {bounds}: {len(graph.edges)} edges, and Mermaid draws no more than "
            f"{MOST_EDGES}; use --graph svg or --graph dot, or a smaller instance"
        )
    return {"dot": dot, "svg": svg, "mermaid": mermaid}[kind](graph)


def label(graph: Graph, node: int) -> list[str]:
    """A state in a few short lines: threads, pointers, blocks that are not free, faults."""
    state = graph.nodes[node]
    # A free block is not worth a word, unless what it was used for before shows.
    encoders, blocks = memory_texts(state, idle=False)
    lines = [*thread_texts(state), *encoders]
    lines += [" · ".join(blocks[i : i + 2]) for i in range(0, len(blocks), 2)]
    if node in graph.faults:
        names = dict.fromkeys(at.fault for at in graph.faults[node])
        lines.append(f"FAULT {', '.join(names)}")
    return lines


def _on_path(graph: Graph) -> set[tuple[int, int]]:
    return set(zip(graph.path, graph.path[1:], strict=False))


def dot(graph: Graph) -> str:
    """The graph in the language of Graphviz."""

    def quoted(*lines: str) -> str:
        clean = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
        return '"' + "\\n".join(clean) + '"'

    out = ["digraph states {", f"  label={quoted(graph.title)};", '  labelloc="t";']
    out += ['  node [shape=box, style=rounded, fontname="Helvetica", fontsize=10];']
    out += ['  edge [fontname="Helvetica", fontsize=9];']
    bold = _on_path(graph)
    for node in range(len(graph.nodes)):
        extra = ", peripheries=2, color=red" if node in graph.faults else ""
        extra += ", penwidth=2" if node in graph.path or node == 0 else ""
        out.append(f"  s{node} [label={quoted(*label(graph, node))}{extra}];")
    for edge in graph.edges:
        extra = ", penwidth=2.5" if (edge.source, edge.target) in bold else ""
        said = quoted(edge.text)
        out.append(f"  s{edge.source} -> s{edge.target} [label={said}{extra}];")
    return "\n".join([*out, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    out = ["flowchart TD", f"    accTitle: {mermaid_text(graph.title).replace(':', ',')}"]
    for node in range(len(graph.nodes)):
        words = "<br/>".join(mermaid_text(line.replace("·", ",")) for line in label(graph, node))
        left, right = ('[["', '"]]') if node in graph.faults else ('("', '")')
        out.append(f"    s{node}{left}{words}{right}")
    bold = _on_path(graph)
    for edge in graph.edges:
        arrow = "==>" if (edge.source, edge.target) in bold else "-->"
        said = mermaid_text(edge.text)
        out.append(f'    s{edge.source} {arrow}|"{said}"| s{edge.target}')
    return "\n".join(out) + "\n"


# --- SVG ------------------------------------------------------------------------------------------

_GAP = 24
_DOWN = 74
_LINE = 13
_MARGIN = 24

STYLE = """\
.g-page { fill: #ffffff; }
.g-text { fill: #1f2733; font: 10.5px system-ui, -apple-system, "Segoe UI", sans-serif;
  text-anchor: middle; }
.g-title { font-size: 15px; font-weight: 600; text-anchor: start; }
.g-small { font-size: 9px; fill: #5b6675; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.g-node { fill: #eef2f7; stroke: #9aa9bd; }
.g-path { stroke: #1f2733; stroke-width: 2.2; }
.g-fault { fill: #fbe4e1; stroke: #b3261e; stroke-width: 2; }
.g-inner { fill: none; stroke: #b3261e; }
.g-edge { fill: none; stroke: #9aa9bd; }
.g-back { stroke-dasharray: 3 3; opacity: 0.55; }
.g-bold { stroke: #1f2733; stroke-width: 2.4; opacity: 1; }
@media (prefers-color-scheme: dark) {
.g-page { fill: #14181f; }
.g-text { fill: #e4e9f0; }
.g-small { fill: #9aa7b8; stroke: #14181f; }
.g-node { fill: #222a35; stroke: #5f6f88; }
.g-path { stroke: #e4e9f0; }
.g-fault { fill: #4a2320; stroke: #ff8a80; }
.g-inner { stroke: #ff8a80; }
.g-edge { stroke: #5f6f88; }
.g-bold { stroke: #e4e9f0; }
}
"""


def svg(graph: Graph) -> str:
    """The graph as SVG: a row for each distance from the start.

    Nodes are groups of the class `g-state` with `data-node`.  Steps that lead back up are dashed.
    The labels of steps are shown in small graphs, and as tooltips in all.
    """
    rows = order(graph)
    labels = [label(graph, node) for node in range(len(graph.nodes))]
    tall = max(map(len, labels)) * _LINE + 12
    box = 20 + 6 * max(len(line) for lines in labels for line in lines)
    widest = max(map(len, rows)) * (box + _GAP) - _GAP
    width = max(widest, 560) + 2 * _MARGIN
    height = 60 + len(rows) * (tall + _DOWN) - _DOWN + _MARGIN
    place: dict[int, tuple[float, float]] = {}
    for depth, row in enumerate(rows):
        left = (width - len(row) * (box + _GAP) + _GAP) / 2
        for index, node in enumerate(row):
            place[node] = (left + index * (box + _GAP) + box / 2, 60 + depth * (tall + _DOWN))
    said = escape(printable(graph.title))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img">',
        f"<title>{said}</title>\n<style>\n{STYLE}</style>",
        f'<rect class="g-page" width="{width}" height="{height}"/>',
        f'<text class="g-text g-title" x="{_MARGIN}" y="30">{said}</text>',
    ]
    bold = _on_path(graph)
    for edge in graph.edges:
        (x1, y1), (x2, y2) = place[edge.source], place[edge.target]
        back = graph.layers[edge.target] <= graph.layers[edge.source]
        marked = "g-edge" + (" g-back" if back else "")
        marked += " g-bold" if (edge.source, edge.target) in bold else ""
        if back:
            side = box / 2
            route = (f"M{x1 + side:g} {y1 + tall / 2:g}"
                     f"C{x1 + side + 60:g} {y1:g} {x2 + side + 60:g} {y2 + tall:g} "
                     f"{x2 + side:g} {y2 + tall / 2:g}")  # fmt: skip
        else:
            start, end = y1 + tall, y2
            route = (f"M{x1:g} {start:g}C{x1:g} {start + _DOWN / 2:g} {x2:g} {end - _DOWN / 2:g} "
                     f"{x2:g} {end:g}")  # fmt: skip
        words = escape(edge.text)
        out.append(f'<path class="{marked}" d="{route}"><title>{words}</title></path>')
        if back:
            x, y = x2 + box / 2, y2 + tall / 2
            head = f"M{x + 7:g} {y - 4:g}L{x:g} {y:g}l7 4"
        else:
            head = f"M{x2 - 4:g} {y2 - 7:g}L{x2:g} {y2:g}l4 -7"
        out.append(f'<path class="{marked}" d="{head}"/>')
        if not back and len(graph.nodes) <= 60:
            x, y = (x1 + x2) / 2, (y1 + tall + y2) / 2
            out.append(f'<text class="g-text g-small" x="{x:g}" y="{y:g}">{words}</text>')
    for node, (x, y) in place.items():
        out += _node(graph, node, x, y, box, tall)
    return "\n".join(out) + "\n</svg>\n"


def _node(graph: Graph, node: int, x: float, y: float, box: int, tall: int) -> list[str]:
    kind = "g-fault" if node in graph.faults else "g-node"
    kind += " g-path" if node in graph.path or node == 0 else ""
    left = x - box / 2
    out = [
        f'<g class="g-state" data-node="{node}">'
        f'<rect class="{kind}" x="{left:g}" y="{y:g}" width="{box}" height="{tall}" rx="7"/>'
    ]
    if node in graph.faults:  # a double border: seen without colour
        out.append(
            f'<rect class="g-inner" x="{left + 3:g}" y="{y + 3:g}" width="{box - 6}" '
            f'height="{tall - 6}" rx="5"/>'
        )
    for index, line in enumerate(label(graph, node)):
        out.append(
            f'<text class="g-text" x="{x:g}" y="{y + 16 + index * _LINE:g}">{escape(line)}</text>'
        )
    return [*out, "</g>"]


def order(graph: Graph) -> list[list[int]]:
    """The nodes of each layer, from left to right, so that few edges cross.

    Each node goes to the mean place of its neighbours in the layer above, then in the one below,
    a few times (the barycentre method of layered drawings).
    """
    rows: list[list[int]] = [[] for _ in range(max(graph.layers) + 1)]
    for node, layer in enumerate(graph.layers):
        rows[layer].append(node)
    above: list[list[int]] = [[] for _ in graph.nodes]
    below: list[list[int]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        if graph.layers[edge.target] == graph.layers[edge.source] + 1:
            above[edge.target].append(edge.source)
            below[edge.source].append(edge.target)

    def sort(row: list[int], neighbours: Sequence[Sequence[int]], place: dict[int, float]) -> None:
        def mean(node: int) -> float:
            near = [place[other] for other in neighbours[node]]
            return sum(near) / len(near) if near else place[node]

        row.sort(key=mean)

    for _ in range(8):
        for neighbours, sweep in ((above, rows), (below, rows[::-1])):
            for row in sweep:
                place = {n: i - len(r) / 2 for r in rows for i, n in enumerate(r)}
                sort(row, neighbours, place)
    return rows
