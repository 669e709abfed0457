"""Pictures of runs: sequence diagrams as text, as SVG and for Mermaid.

Every picture is drawn from the frames of a `Film`: a lifeline for each thread, lock, encoder and
block that takes part, and a row for each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from verify.frames import Film, Frame
from verify.render import printable
from verify.semantics import is_past_acquire


@dataclass(frozen=True)
class Lane:
    """A lifeline: `key` is that of the `verify.frames.Part`."""

    key: str
    name: str


@dataclass(frozen=True)
class Message:
    """A row of a diagram.

    Attributes:
        number: Of the step.
        source: The key of the lane that acts.
        targets: The keys of the lanes that it acts on; empty if it acts on itself.
        text: A few words.
        frame: What is seen after it.
    """

    number: int
    source: str
    targets: tuple[str, ...]
    text: str
    frame: Frame


def lanes(film: Film) -> list[Lane]:
    """The lifelines of what takes part in a run, threads first."""
    involved = {key for m in messages(film) for key in (m.source, *m.targets)}
    parts = [part for group in film.groups for part in group.parts]
    return [Lane(part.key, part.name) for part in parts if part.key in involved]


def messages(film: Film) -> list[Message]:
    """The rows of a run's diagram, one for each step."""
    return [_message(film, frame) for frame in film.frames[1:]]


def _message(film: Film, frame: Frame) -> Message:
    state = film.states[min(frame.number, len(film.states)) - 1]  # before the step
    fault = film.fault
    if frame.fault and fault is not None:
        victim = state.threads[fault.t]
        held = victim.block if victim else None
        target = f"e{fault.e}" if fault.event != "push" or held is None else f"b{held}"
        return Message(frame.number, f"t{fault.t}", (target,), f"FAULT: {fault.fault}", frame)
    event = frame.event
    if event is None:
        raise ValueError("a frame without an event is the start or the fault")
    if event.t is None or event.kind is None:
        return Message(frame.number, f"e{event.e}", (), "object is released", frame)
    thread, impl = f"t{event.t}", state.memory.impl[event.e]
    value = "NULL" if impl is None else f"block {impl}"
    encoder, block = f"e{event.e}", f"b{event.b}"
    if event.event in ("acquire", "release"):
        wanted = {film.model.lock(event.t, event.kind, event.e, r): r.mode
                  for r in film.model.requests(event.kind)}  # fmt: skip
        keys = tuple(f"l{i}" for i, lock in enumerate(film.locks) if lock in wanted)
        modes = " and ".join(dict.fromkeys(wanted.values()))
        text = f"acquire {modes}" if event.event == "acquire" else "release"
        return Message(
            frame.number, thread, keys, text if keys else f"{event.event} no lock", frame
        )
    texts = {
        "dispatch": (encoder, f"{event.kind}"),
        "load": (encoder, f"read _impl: {value}"),
        "check": (encoder, f"read _impl: {value}"),
        "deref": (f"b{impl}", "use"),
        "push": (block, "give back"),
        "clear": (encoder, "_impl := NULL"),
        "pop": (block, "take"),
        "peek": (block, "see it free"),
        "claim": (block, "take"),
        "publish": (encoder, f"_impl := block {event.b}"),
        "init": (block, "initialise"),
    }
    target, text = texts[event.event]
    return Message(frame.number, thread, (target,), text, frame)


def title(film: Film) -> str:
    """What a picture shows, in a line."""
    what = (
        f"a run to {film.fault.fault}" if film.fault else f"a run of {len(film.trace.events)} steps"
    )
    return f"{film.strategy}, environment {film.environment.name}: {what}"


# --- Text -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Glyphs:
    idle: str
    outside: str  # dispatched: not in yet
    inside: str
    step: str
    fault: str
    rule: str


_UNICODE = _Glyphs("│", "┆", "┃", "●", "✕", "─")
_ASCII = _Glyphs("|", ":", "#", "*", "X", "-")


def can_show(encoding: str | None) -> bool:
    """Whether an encoding has the characters of the Unicode diagram."""
    try:
        "│┆┃●✕─–".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def text(film: Film, *, ascii_only: bool = False) -> str:
    """A run as a diagram of characters: a column for each thread, then what changes in memory.

    Args:
        film: The run.
        ascii_only: For terminals that have nothing else.
    """
    glyphs = _ASCII if ascii_only else _UNICODE
    rows = messages(film)
    threads = [lane for lane in lanes(film) if lane.key.startswith("t")]
    memory = [lane for lane in lanes(film) if lane.key[0] in "eb"]
    names = {lane.key: lane.name for lane in lanes(film)}

    def said(row: Message) -> str:
        # "read _impl" is about one encoder; with several it must say which.
        several = sum(lane.key.startswith("e") for lane in memory) > 1
        where = [names[key] for key in row.targets]
        if row.frame.event is not None and row.frame.event.event == "acquire" and where:
            return f"acquire {' and '.join(where)}, {row.text.partition(' ')[2]}"
        if row.targets and row.targets[0].startswith("e") and not several:
            where = []
        return " ".join([row.text, *where])

    def remembered(frame: Frame, key: str) -> str:
        cells = frame.cells
        if key.startswith("e"):
            dead = "" if cells[f"{key}.alive"] == "alive" else " (released)"
            return f"{cells[f'{key}.impl']}{dead}"
        ready = ", ready" if cells[f"{key}.ready"] == "yes" else ", not ready"
        return cells[f"{key}.owner"] + ("" if cells[f"{key}.owner"] == "free" else ready)

    width = max([26, *(len(said(row)) + 5 for row in rows)])
    wide = max([12, *(len(remembered(f, lane.key)) + 3 for f in film.frames for lane in memory)])
    headings = [lane.name + (" _impl" if lane.key[0] == "e" else "") for lane in memory]
    head = [f"{'step':>4}  ", *(f"{lane.name:<{width}}" for lane in threads)]
    head += [f"{heading:<{max(wide, len(heading) + 2)}}" for heading in headings]
    lines = [title(film), "", "".join(head).rstrip()]
    lines.append(glyphs.rule * len(lines[-1]))
    before = film.frames[0]
    first = [f"{remembered(before, lane.key)}" for lane in memory]
    lines.append(_row("", [glyphs.idle] * len(threads), width, first, headings, wide))
    for row in rows:
        state = film.states[min(row.number, len(film.states) - 1)]
        cells = []
        for lane in threads:
            activity = state.threads[int(lane.key[1:])]
            line = glyphs.idle
            if activity is not None:
                line = glyphs.inside if is_past_acquire(activity) else glyphs.outside
            if row.source == lane.key:
                mark = glyphs.fault if row.frame.fault else glyphs.step
                cells.append(f"{mark} {said(row)}")
            else:
                cells.append(line)
        shown = [
            remembered(row.frame, lane.key)
            if remembered(row.frame, lane.key) != remembered(before, lane.key)
            else (f"{glyphs.step} released" if row.source == lane.key else "")
            for lane in memory
        ]
        lines.append(_row(f"{row.number:>4}", cells, width, shown, headings, wide))
        before = row.frame
    lines += ["", f"{glyphs.idle} idle   {glyphs.outside} asks for its locks   "
              f"{glyphs.inside} inside, with its locks"]  # fmt: skip
    cause = film.cause
    if cause is not None:
        lines += ["", *cause.lines]
    drawn = "\n".join(printable(line).rstrip() for line in lines) + "\n"
    return drawn.encode("ascii", "replace").decode() if ascii_only else drawn


def _row(
    number: str,
    cells: Sequence[str],
    width: int,
    shown: Sequence[str],
    headings: Sequence[str],
    wide: int,
) -> str:
    parts = [f"{number:>4}  ", *(f"{cell:<{width}}" for cell in cells)]
    parts += [f"{t:<{max(wide, len(h) + 2)}}" for t, h in zip(shown, headings, strict=True)]
    return "".join(parts).rstrip()


# --- Mermaid --------------------------------------------------------------------------------------


def mermaid_text(words: str) -> str:
    """Words as Mermaid shows them: its own syntax characters become entity codes."""
    kept = " .,:=_()-'/"
    return "".join(
        c if (c.isalnum() and c.isascii()) or c in kept else f"#{ord(c)};" for c in printable(words)
    )


def mermaid(film: Film) -> str:
    """A run as a Mermaid sequence diagram, as GitHub shows it in a block ```mermaid.

    Args:
        film: The run.
    """
    lines = ["sequenceDiagram", f"    accTitle: {mermaid_text(title(film)).replace(':', ',')}"]
    drawn = lanes(film)
    for lane in drawn:
        lines.append(f"    participant {lane.key} as {mermaid_text(lane.name)}")
    inside: set[str] = set()
    for row in messages(film):
        said = mermaid_text(f"{row.number}. {row.text}")
        if row.frame.fault:
            lines.append(f"    {row.source}-x{row.targets[0]}: {said}")
            ends = f"{row.source},{row.targets[0]}"
            cause = film.cause
            if cause is not None:
                words = "<br/>".join(mermaid_text(line) for line in cause.lines)
                lines.append(f"    Note over {ends}: {words}")
            continue
        for target in row.targets or (row.source,):
            lines.append(f"    {row.source}->>{target}: {said}")
        event = row.frame.event
        if event is not None and event.event == "acquire":
            lines.append(f"    activate {row.source}")
            inside.add(row.source)
        elif event is not None and event.event == "release" and row.source in inside:
            lines.append(f"    deactivate {row.source}")
            inside.discard(row.source)
    return "\n".join(lines) + "\n"


# --- SVG ------------------------------------------------------------------------------------------

_LANE = 148  # pixels from one lifeline to the next
_LEFT = 96
_TOP = 86
_ROW = 30

STYLE = """\
.v-page { fill: #ffffff; }
.v-text { fill: #1f2733; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
.v-title { font-size: 15px; font-weight: 600; }
.v-name { font-weight: 600; text-anchor: middle; }
.v-number { fill: #5b6675; text-anchor: end; font-variant-numeric: tabular-nums; }
.v-label { text-anchor: middle; paint-order: stroke; stroke: #ffffff; stroke-width: 4px;
  stroke-linejoin: round; }
.v-start { text-anchor: start; }
.v-head { fill: #eef2f7; stroke: #c3ccd8; }
.v-life { stroke: #c3ccd8; stroke-dasharray: 3 4; }
.v-inside { fill: #cfe0f5; stroke: #4a78ad; }
.v-outside { fill: #ffffff; stroke: #4a78ad; stroke-dasharray: 2 2; }
.v-held { fill: #e7dcf3; stroke: #7d5ba6; }
.v-arrow { stroke: #3b4a5e; stroke-width: 1.3; fill: none; }
.v-point { fill: #3b4a5e; }
.v-fault { stroke: #b3261e; stroke-width: 2.2; fill: none; }
.v-faulttext { fill: #b3261e; font-weight: 700; }
.v-row { fill: transparent; }
.v-cause { fill: #fdf1d8; }
@media (prefers-color-scheme: dark) {
.v-page { fill: #14181f; }
.v-text { fill: #e4e9f0; }
.v-number { fill: #9aa7b8; }
.v-label { stroke: #14181f; }
.v-head { fill: #222a35; stroke: #46536a; }
.v-life { stroke: #46536a; }
.v-inside { fill: #26405f; stroke: #7fb0ea; }
.v-outside { fill: #14181f; stroke: #7fb0ea; }
.v-held { fill: #3c2f52; stroke: #b79be0; }
.v-arrow { stroke: #aebaca; }
.v-point { fill: #aebaca; }
.v-fault { stroke: #ff8a80; }
.v-faulttext { fill: #ff8a80; }
.v-cause { fill: #3a3016; }
}
"""
"""The style of the SVG; a page that embeds it has it once."""


def svg(film: Film, *, embedded: bool = False) -> str:
    """A run as an SVG sequence diagram, in light or dark as the viewer prefers.

    Args:
        film: The run.
        embedded: Without its style sheet, for a page that has `STYLE` already.

    Returns:
        A document; each row is a group of the class `v-step` with `data-step`, each lifeline one
        of the class `v-lane` with `data-lane`.
    """
    drawn, rows = lanes(film), messages(film)
    at = {lane.key: _LEFT + index * _LANE for index, lane in enumerate(drawn)}
    cause = film.cause
    notes = [part for line in (cause.lines if cause else ()) for part in _folded(line, 96)]
    notes = [] if embedded else notes  # the page has them beside it
    width = max(_LEFT + len(drawn) * _LANE - 40, 680)
    bottom = _TOP + len(rows) * _ROW + 12
    top = 34 if embedded else 0
    height = bottom + 20 + 18 * len(notes) - top
    shown = escape(printable(title(film)), {'"': "&quot;"})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top} {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{shown}">'
    ]
    if not embedded:
        parts.append(f"<title>{shown}</title>\n<style>\n{STYLE}</style>")
        parts.append(f'<rect class="v-page" width="{width}" height="{height}"/>')
        parts.append(f'<text class="v-text v-title" x="20" y="28">{shown}</text>')
    for lane in drawn:
        x = at[lane.key]
        parts.append(
            f'<g class="v-lane" data-lane="{lane.key}">'
            f'<rect class="v-head" x="{x - 66}" y="44" width="132" height="26" rx="5"/>'
            f'<text class="v-text v-name" x="{x}" y="61">{escape(lane.name)}</text>'
            f'<line class="v-life" x1="{x}" y1="70" x2="{x}" y2="{bottom}"/></g>'
        )
    # Rows have their background first, so that bars and arrows lie on it.
    for row in rows:
        y = _TOP + (row.number - 1) * _ROW
        guilty = cause is not None and row.number == cause.step
        parts.append(
            f'<rect class="v-row{" v-cause" if guilty else ""}" data-row="{row.number}" x="4" '
            f'y="{y}" width="{width - 8}" height="{_ROW}" rx="4"/>'
        )
        if guilty:  # in words too: colour alone says nothing to some
            parts.append(
                f'<text class="v-text v-number" x="{width - 14}" y="{y + 19}">cause</text>'
            )
    parts += _bars(film, at)
    for row in rows:
        parts += _drawn_row(row, at)
    for index, line in enumerate(notes):
        y = bottom + 22 + 18 * index
        parts.append(f'<text class="v-text" x="20" y="{y}">{escape(printable(line))}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def _bars(film: Film, at: dict[str, int]) -> Iterator[str]:
    """Where threads are in an operation, and where locks are held."""
    last = len(film.frames) - 1
    for key, x in at.items():
        if key[0] not in "tl":
            continue
        kinds = [_bar(film, key, step) for step in range(len(film.states))]
        start = 0
        for step in range(1, len(kinds) + 1):
            if step < len(kinds) and kinds[step] == kinds[start]:
                continue
            if kinds[start]:
                # From the middle of the row that began it to that of the one that ended it.
                end = step if step < len(kinds) else last + 0.5
                y1 = _TOP + (start - 0.5) * _ROW
                y2 = _TOP + (end - 0.5) * _ROW
                yield (
                    f'<rect class="{kinds[start]}" x="{x - 5}" y="{y1:g}" width="10" '
                    f'height="{y2 - y1:g}" rx="2"/>'
                )
            start = step


def _bar(film: Film, key: str, step: int) -> str:
    state = film.states[step]
    if key.startswith("l"):
        return "v-held" if film.holders(state, film.locks[int(key[1:])]) else ""
    activity = state.threads[int(key[1:])]
    if activity is None:
        return ""
    return "v-inside" if is_past_acquire(activity) else "v-outside"


def _drawn_row(row: Message, at: dict[str, int]) -> list[str]:
    y = _TOP + (row.number - 0.5) * _ROW
    x = at[row.source]
    arrow, said = ("v-fault", "v-label v-faulttext") if row.frame.fault else ("v-arrow", "v-label")
    words = escape(row.text)
    parts = [
        f'<g class="v-step" data-step="{row.number}">',
        f"<title>{row.number}. {escape(row.frame.text)}</title>",
        f'<text class="v-text v-number" x="24" y="{y + 4:g}">{row.number}</text>',
    ]
    if not row.targets:
        parts.append(f'<circle class="v-point" cx="{x}" cy="{y:g}" r="4"/>')
        parts.append(
            f'<text class="v-text {said} v-start" x="{x + 12}" y="{y + 4:g}">{words}</text>'
        )
    for index, target in enumerate(row.targets):
        end = at[target]
        side = 1 if end > x else -1
        x1, x2 = x + 6 * side, end - 7 * side
        parts.append(f'<path class="{arrow}" d="M{x1} {y:g}H{x2}"/>')
        if row.frame.fault:
            parts.append(
                f'<path class="{arrow}" d="M{x2 - 5} {y - 5:g}l10 10M{x2 - 5} {y + 5:g}l10 -10"/>'
            )
        else:
            parts.append(f'<path class="v-point" d="M{x2 + 2 * side} {y:g}l{-8 * side} -4v8z"/>')
        if index == len(row.targets) - 1:
            # Above the arrow, near its head: what is acted on is there.
            middle = (x1 + x2) / 2 if abs(x2 - x1) < 2 * _LANE else x2 - side * _LANE / 2
            parts.append(f'<text class="v-text {said}" x="{middle:g}" y="{y - 4:g}">{words}</text>')
    return [*parts, "</g>"]


def _folded(line: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(line, width) or [""]
