"""Pictures of runs and of state graphs: what they show is what the table of micro-steps says."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import type_of_run

from verify import diagram, english, graph, page, spec, trace
from verify.errors import VerifyError
from verify.explore import explore
from verify.files import save_file
from verify.frames import NOTHING, Film
from verify.question import Question
from verify.semantics import Bounds, Model

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]
GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[1]
# Every fault, and every way to it.
CASES = [("default", strategy.name) for strategy in SHIPPED.strategies]
CASES += [("racyFreelist", "perEncoder"), ("noRetain", "perOp"), ("handlersBypass", "globalMutex")]
SVG = "{http://www.w3.org/2000/svg}"


@cache
def film(name: str, fault: str, environment: str = "default") -> Film:
    strategy, env = SHIPPED.strategy(name), SHIPPED.environments[environment]
    run = page.counterexamples(strategy.scheme, env)[fault]
    return Film(run, name, strategy.scheme, env)


@cache
def all_films() -> tuple[Film, ...]:
    return tuple(
        Film(run, name, strategy.scheme, env)
        for environment, name in CASES
        for strategy, env in [(SHIPPED.strategy(name), SHIPPED.environments[environment])]
        for run in page.counterexamples(strategy.scheme, env).values()
    )


def waiting_film() -> Film:
    """A run in which a thread waits for a lock."""
    strategy = SHIPPED.strategy("perEncoder")
    schedule = film("noSync", "nullDeref").trace
    run = page.played(schedule, strategy.scheme, DEFAULT)
    return Film(run, "perEncoder", strategy.scheme, DEFAULT)


# --- Frames ---------------------------------------------------------------------------------------


def number(text: str) -> int | None:
    """The number in a cell: `block 1` is 1, `NULL` is None."""
    found = re.search(r"\d+", text)
    return int(found.group()) if found else None


def test_a_frame_shows_its_state() -> None:
    films = (*all_films(), waiting_film())
    assert len(films) > 40
    waits = 0
    for shown in films:
        model = Model(shown.model.scheme, shown.environment, shown.trace.bounds)
        states = trace.states(shown.trace, shown.model.scheme, shown.environment)
        assert len(shown.frames) == len(states) + (shown.fault is not None)
        for frame, state in zip(shown.frames, states, strict=False):
            cells = frame.cells
            for t, activity in enumerate(state.threads):
                assert cells[f"t{t}.pc"] == (activity.point if activity else "idle")
                doing = f"{activity.kind} on encoder {activity.encoder}" if activity else NOTHING
                assert cells[f"t{t}.operation"] == doing
                assert number(cells[f"t{t}.block"]) == (activity.block if activity else None)
                inside = activity is not None and activity.point != "dispatched"
                asks = activity is not None and bool(model.requests(activity.kind))
                assert (cells[f"t{t}.holds"] != NOTHING) is (inside and asks)
                if activity and not inside and state.memory.alive[activity.encoder]:
                    # Waiting is: the model has no acquire for it.
                    can = any(e.t == t and e.event == "acquire" for e, _ in model.enabled(state))
                    assert (cells[f"t{t}.waits"] == NOTHING) is can
                    waits += not can
            memory = state.memory
            for e, impl in enumerate(memory.impl):
                assert number(cells[f"e{e}.impl"]) == impl
                assert cells[f"e{e}.alive"] == ("alive" if memory.alive[e] else "released")
                sound = impl is not None and memory.owner[impl] == e and memory.ready[impl]
                assert (cells[f"e{e}.sound"] == "its own, ready") is sound
            for b, owner in enumerate(memory.owner):
                assert number(cells[f"b{b}.owner"]) == owner
                assert cells[f"b{b}.ready"] == ("yes" if memory.ready[b] else "no")
            for index in range(len(shown.locks)):
                holders = {int(n) for n in re.findall(r"\d+", cells[f"l{index}.holders"])}
                name = shown.groups[1].parts[index].name
                assert holders == {
                    t for t in range(len(state.threads)) if name in cells[f"t{t}.holds"].split(", ")
                }
    assert waits > 0


def test_changes_are_those_of_the_step() -> None:
    for shown in all_films():
        for before, after in zip(shown.frames, shown.frames[1:], strict=False):
            assert before.cells.keys() == after.cells.keys()
            differ = {k: before.cells[k] for k in after.cells if before.cells[k] != after.cells[k]}
            assert after.changed == differ
            assert differ
        assert shown.frames[-1].fault
        assert shown.fault is not None
        assert shown.frames[-1].cells[f"t{shown.fault.t}.waits"] == f"FAULT: {shown.fault.fault}"


CAUSES = {
    "nullDeref": {"clear"},
    "staleContext": {"push", "pop", "claim"},
    "uninitialised": {"publish"},
    "doubleFree": {"push", "pop", "claim"},
    "lostContext": {"publish"},
    "writeAfterFree": {"push", "pop", "claim"},
    "encoderOverlap": {"load"},
    "deadDispatch": {"drop"},
}


def test_the_cause_is_the_step_that_made_it_a_fault() -> None:
    seen = set()
    for shown in all_films():
        assert shown.fault is not None
        assert shown.cause is not None
        step = shown.cause.step
        assert step is not None
        event = shown.trace.events[step - 1]
        assert event.event in CAUSES[shown.fault.fault], (shown.strategy, shown.fault)
        seen.add((shown.fault.fault, event.event))
        assert any(f"Step {step} " in line for line in shown.cause.lines)
    assert {fault for fault, _ in seen} == set(spec.FAULTS)
    assert ("doubleFree", "claim") in seen  # the racy freelist


# --- Sequence diagrams ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["utf8", "ascii"])
def test_text_golden(kind: str) -> None:
    parts = [film("perStream", "nullDeref"), waiting_film()]
    drawn = "\n".join(diagram.text(part, ascii_only=kind == "ascii") for part in parts)
    assert drawn == (GOLDEN / f"diagram.{kind}.txt").read_text(encoding="utf-8")
    assert drawn.isascii() is (kind == "ascii")


def test_ascii_where_nothing_else_can_be_shown(verify: type_of_run) -> None:
    arguments = ("explain", "perStream", "--diagram", "text")
    plain = verify(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.isascii()
    assert "\\u" not in plain.stdout  # nor a row of escapes
    assert plain.stdout.rstrip() in (GOLDEN / "diagram.ascii.txt").read_text()
    golden = (GOLDEN / "diagram.utf8.txt").read_text(encoding="utf-8")
    assert verify(*arguments, PYTHONIOENCODING="utf-8").stdout.rstrip() in golden


def drawn_lanes(shown: Film) -> set[str]:
    """Who takes part in a run, from its events."""
    locks = {
        f"l{index}"
        for index in range(len(shown.locks))
        if any(frame.cells[f"l{index}.holders"] != "free" for frame in shown.frames)
    }
    keys = {f"t{e.t}" for e in shown.trace.events if e.t is not None} | locks
    keys |= {f"e{e.e}" for e in shown.trace.events}
    return keys | {f"b{e.b}" for e in shown.trace.events if e.b is not None and e.event != "load"}


@pytest.mark.parametrize("embedded", [False, True])
def test_svg(embedded: bool) -> None:
    for shown in (*all_films(), waiting_film()):
        root = ET.fromstring(diagram.svg(shown, embedded=embedded))  # noqa: S314 - ours
        assert root.tag == f"{SVG}svg"
        lanes = [g.get("data-lane") for g in root.iter(f"{SVG}g") if g.get("class") == "v-lane"]
        assert set(lanes) == drawn_lanes(shown)
        steps = [g for g in root.iter(f"{SVG}g") if g.get("class") == "v-step"]
        assert [int(g.get("data-step") or -1) for g in steps] == list(range(1, len(shown.frames)))
        for group, frame in zip(steps, shown.frames[1:], strict=True):
            assert group.findtext(f"{SVG}title") == f"{frame.number}. {frame.text}"
        words = "".join(root.itertext())
        assert (f"FAULT: {shown.fault.fault}" in words) if shown.fault else "FAULT" not in words
        # Nothing is drawn outside of the picture.
        _, top, width, height = map(float, (root.get("viewBox") or "").split())
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.get("x") or -1) <= width
            assert top <= float(text.get("y") or -1) <= top + height
        assert ("style" in {e.tag.removeprefix(SVG) for e in root}) is not embedded


def test_bars_are_drawn_while_a_lock_is_held() -> None:
    shown = waiting_film()
    root = ET.fromstring(diagram.svg(shown))  # noqa: S314 - ours
    held = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "v-held"]
    asking = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "v-outside"]
    kinds = [e.event for e in shown.trace.events]
    # Held three times, with nobody between two of them: the bars are from acquire to release.
    spans = [(i, kinds.index("release", i)) for i, k in enumerate(kinds) if k == "acquire"]
    heights = [float(r.get("height") or 0) for r in held]
    row = 30
    assert heights == [(end - start) * row for start, end in spans]
    waited = kinds.index("acquire", 10) - kinds.index("dispatch", 9)
    assert max(float(r.get("height") or 0) for r in asking) == waited * row


HOSTILE = "</title><script>alert(1)</script>&\"'`;#%\n-->x"


def hostile_film() -> Film:
    strategy = SHIPPED.strategy("noSync")
    run = film("noSync", "nullDeref").trace
    return Film(run, HOSTILE, strategy.scheme, DEFAULT)


def test_a_hostile_name_is_text() -> None:
    root = ET.fromstring(diagram.svg(hostile_film()))  # noqa: S314 - ours
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {
        "svg", "title", "style", "rect", "text", "g", "line", "path", "circle",
    }  # fmt: skip
    assert root.findtext(f"{SVG}title", "").startswith("</title><script>alert(1)")
    first = diagram.mermaid(hostile_film()).splitlines()[:3]
    assert first[0] == "sequenceDiagram"
    assert not set('<>&"`%') & set(first[1])
    assert ";" not in re.sub(r"#\d+;", "", first[1])
    assert first[2] == "    participant t0 as thread 0"
    assert diagram.text(hostile_film()).splitlines()[1] == ""


def test_mermaid() -> None:
    shown = film("perStream", "nullDeref")
    lines = diagram.mermaid(shown).splitlines()
    participants = [line.split()[1] for line in lines if line.startswith("    participant")]
    assert set(participants) == drawn_lanes(shown)
    numbered = [int(n) for n in re.findall(r"(?:>>|-x)\w+: (\d+)\.", "\n".join(lines))]
    assert numbered == list(range(1, len(shown.frames)))
    assert sum(line.startswith("    activate") for line in lines) == 3
    assert sum("-x" in line for line in lines) == 1
    for other in (*all_films(), waiting_film()):
        active: list[str] = []
        for line in diagram.mermaid(other).splitlines():
            word, _, who = line.strip().partition(" ")
            if word == "activate":
                active.append(who)
            elif word == "deactivate":
                active.remove(who)


# --- State graphs ---------------------------------------------------------------------------------


def graph_of(name: str, bounds: Bounds, symmetry: bool = False) -> graph.Graph:
    scheme = SHIPPED.strategy(name).scheme
    return graph.build(name, scheme, DEFAULT, bounds, symmetry=symmetry, most=1000)


@pytest.mark.parametrize("symmetry", [False, True])
def test_the_graph_is_the_state_space(symmetry: bool) -> None:
    drawn = graph_of("perEncoder", Bounds(2, 1, 1), symmetry)
    found = explore(
        Question(SHIPPED.strategy("perEncoder").scheme, DEFAULT, 2, 1, 1, symmetry=symmetry)
    )
    assert len(drawn.nodes) == found.states
    assert drawn.faults == {}
    assert drawn.path == ()
    if not symmetry:
        assert len(drawn.edges) == found.edges
        model = Model(SHIPPED.strategy("perEncoder").scheme, DEFAULT, Bounds(2, 1, 1))
        by_state = {state: n for n, state in enumerate(drawn.nodes)}
        wanted = {
            (by_state[state], by_state[after], english.event_label(event))
            for state in drawn.nodes
            for event, after in model.enabled(state)
        }
        assert {(e.source, e.target, e.text) for e in drawn.edges} == wanted


def test_the_way_to_a_fault_is_marked() -> None:
    drawn = graph_of("rwLock", Bounds(2, 1, 1))
    shortest = film("rwLock", "encoderOverlap").trace
    assert len(drawn.path) == len(shortest.events) + 1
    assert drawn.path[-1] in drawn.faults
    assert not {edge.source for edge in drawn.edges} & drawn.faults.keys()  # leaves
    edges = {(edge.source, edge.target) for edge in drawn.edges}
    assert set(zip(drawn.path, drawn.path[1:], strict=False)) <= edges


def test_rows_are_distances() -> None:
    drawn = graph_of("rwLock", Bounds(2, 1, 1))
    rows = graph.order(drawn)
    assert sorted(node for row in rows for node in row) == list(range(len(drawn.nodes)))
    depth = {node: d for d, row in enumerate(rows) for node in row}
    assert all(depth[edge.target] <= depth[edge.source] + 1 for edge in drawn.edges)

    def crossings(rows: list[list[int]]) -> int:
        place = {node: i for row in rows for i, node in enumerate(row)}
        down = [e for e in drawn.edges if depth[e.target] == depth[e.source] + 1]
        return sum(
            (place[a.source] - place[b.source]) * (place[a.target] - place[b.target]) < 0
            for i, a in enumerate(down)
            for b in down[:i]
            if depth[a.source] == depth[b.source]
        )

    unsorted = [sorted(row) for row in rows]
    assert crossings(rows) < 0.75 * crossings(unsorted)


def test_graph_formats() -> None:
    drawn = graph_of("rwLock", Bounds(2, 1, 1), symmetry=True)
    nodes, edges = len(drawn.nodes), len(drawn.edges)
    root = ET.fromstring(graph.svg(drawn))  # noqa: S314 - ours
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class") == "g-state"]
    assert sorted(int(g.get("data-node") or -1) for g in groups) == list(range(nodes))
    for group in groups:
        node = int(group.get("data-node") or -1)
        assert [t.text for t in group.iter(f"{SVG}text")] == graph.label(drawn, node)
        # Two borders: a fault is seen without colour.
        assert len(list(group.iter(f"{SVG}rect"))) == (2 if node in drawn.faults else 1)
    dot = graph.dot(drawn)
    assert len(re.findall(r"^  s\d+ \[label=", dot, re.M)) == nodes
    assert len(re.findall(r"^  s\d+ -> s\d+ ", dot, re.M)) == edges
    assert dot.count("peripheries=2") == len(drawn.faults)
    flow = graph.mermaid(drawn)
    assert len(re.findall(r"^    s\d+(\(|\[\[)", flow, re.M)) == nodes
    assert len(re.findall(r"^    s\d+ (-->|==>)\|", flow, re.M)) == edges
    assert len(re.findall(r" ==>\|", flow)) >= len(drawn.path) - 1


def test_a_hostile_name_in_a_graph() -> None:
    drawn = graph.build(HOSTILE, SHIPPED.strategy("noSync").scheme, DEFAULT, Bounds(1, 1, 1))
    root = ET.fromstring(graph.svg(drawn))  # noqa: S314 - ours
    assert "script" not in {e.tag.removeprefix(SVG) for e in root.iter()}
    label = next(line for line in graph.dot(drawn).splitlines() if "label=" in line)
    assert re.fullmatch(r'  label="([^"\\]|\\.)*";', label)


def test_too_large_to_be_read(verify: type_of_run) -> None:
    for arguments, words in (
        (("--graph", "svg"), "569 states, and a picture of more than 300 cannot be read"),
        (("--graph", "mermaid", "--symmetry"), "602 edges, and Mermaid draws no more than 500"),
    ):
        shown = verify("explain", "noSync", *arguments)
        assert (shown.returncode, shown.stdout) == (3, "")
        assert shown.stderr.count("\n") == 1
        assert words in shown.stderr
    with pytest.raises(VerifyError, match="--symmetry draws one for all"):
        graph.build("x", SHIPPED.strategy("noSync").scheme, DEFAULT, Bounds(2, 1, 1))


# --- The command ----------------------------------------------------------------------------------


def test_a_recorded_trace(verify: type_of_run, tmp_path: Path) -> None:
    run = film("perOp", "doubleFree").trace
    file = tmp_path / "run.ndjson"
    file.write_text(trace.dump("perOp", "default", run))
    shown = verify("explain", "--trace", file, "--diagram", "mermaid")
    assert shown.stdout == diagram.mermaid(film("perOp", "doubleFree")), shown.stderr
    # Cut one event out: the next one is no step, and its line is named.
    lines = file.read_text().splitlines()
    wrong = [lines[0], *lines[1:4], *lines[5:-1], lines[-1].replace('"end": 14', '"end": 13')]
    file.write_text("\n".join(wrong) + "\n")
    bad = verify("explain", "--trace", file, "--diagram", "mermaid")
    assert (bad.returncode, bad.stdout) == (3, "")
    assert f"{file}:5: thread 0 is at checked of create on 0 and has no such step" in bad.stderr
    assert bad.stderr.count("\n") == 1


def test_what_cannot_be_drawn(verify: type_of_run, tmp_path: Path) -> None:
    for arguments, words in (
        (("perEncoder", "--fault", "nullDeref"), "perEncoder has no run to nullDeref in default"),
        (("noSync", "--diagram", "svg", "--graph", "dot"), "draw different things"),
        (("noSync", "--environment", "racy"), "unknown environment 'racy'; use one of default,"),
        ((), "name a strategy, or a trace"),
        (("noSync", "--diagram", "svg", "--output", tmp_path), "directory"),
        (("noSync", "--diagram", "svg", "--output", tmp_path / "no" / "x"), "No such file"),
    ):
        shown = verify("explain", *arguments)
        assert (shown.returncode, shown.stdout) == (3, "")
        assert words in shown.stderr
        assert shown.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_output_goes_to_a_file(verify: type_of_run, tmp_path: Path) -> None:
    file = tmp_path / "run.svg"
    file.write_text("old")
    arguments = ("explain", "rwLock", "--diagram", "svg", "--output", file, "--json")
    value = json.loads(verify(*arguments).stdout)
    assert value == {
        "strategy": "rwLock",
        "environment": "default",
        "fault": "encoderOverlap",
        "format": "svg",
        "file": str(file),
    }
    assert ET.fromstring(file.read_text()).tag == f"{SVG}svg"  # noqa: S314 - ours
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.svg"
    file.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save_file(file, "new", parents=False)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


# --- The handbook ---------------------------------------------------------------------------------


def shell_blocks(text: str) -> Iterator[tuple[list[str], str]]:
    """The commands of a document with the output that it shows for them."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        command, _, output = block.partition("\n")
        assert command.startswith("$ verify ")
        yield command.removeprefix("$ verify ").split(), output


def test_the_handbook_shows_what_is_printed(verify: type_of_run, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    blocks = list(shell_blocks(text))
    assert len(blocks) >= 2
    for arguments, output in blocks:
        shown = verify(*arguments, PYTHONIOENCODING="utf-8")
        assert shown.stdout == output, f"docs/pictures.md: {' '.join(arguments)}"


def test_the_images_are_up_to_date() -> None:
    """Each is made by the command in its alternative text; run that again after a change."""
    text = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    images = dict(re.findall(r"!\[([^]]*)\]\(images/([\w-]+\.svg)\)", text))
    drawn = {
        "perStream-nullDeref.svg": diagram.svg(film("perStream", "nullDeref")),
        "rwLock-graph.svg": graph.draw(
            "svg", "rwLock", SHIPPED.strategy("rwLock").scheme, DEFAULT, Bounds(1, 1, 1)
        ),
    }
    assert set(images.values()) == drawn.keys()
    for name, svg in drawn.items():
        assert (ROOT / "docs" / "images" / name).read_text(encoding="utf-8") == svg, name
    assert {p.name for p in (ROOT / "docs" / "images").glob("*.svg")} == drawn.keys()
