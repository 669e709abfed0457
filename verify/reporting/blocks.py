"""What a page is made of: text, tables, plots, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from verify.reporting.plots import Dots, Plot
from verify.spec import FAULTS
from verify.verdict import Verdict, agreement

LETTERS = dict(zip(FAULTS, "NSUDLWOX", strict=True))
"""One letter for each fault: null, stale, uninitialised, double, lost, write, overlap, dead (X)."""

MOODS = {"good": "✓", "bad": "✕", "open": "?"}


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Attributes:
        text: What it says.
        mood: "good", "bad" or "open", shown as a mark and a colour; or empty.
        style: "code", "number", or empty.
        faults: Instead of a text: a set of faults; None for no such cell.
        small: A second line.
    """

    text: str = ""
    mood: str = ""
    style: str = ""
    faults: tuple[str, ...] | None = None
    small: str = ""

    @property
    def plain(self) -> str:
        """The cell as text."""
        text = self.text
        if self.faults is not None:
            text = ", ".join(self.faults) or "safe"
        mark = f"{MOODS[self.mood]} " if self.mood else ""
        return f"{mark}{text}{f' ({self.small})' if self.small else ''}"

    @property
    def letters(self) -> list[tuple[str, bool]]:
        """Each fault's letter, and whether it is in the set."""
        return [(letter, fault in (self.faults or ())) for fault, letter in LETTERS.items()]


Row = Sequence[Cell]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    block: str = "text"


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str
    block: str = "heading"


@dataclass(frozen=True)
class Steps:
    """A numbered run; the lines carry their numbers."""

    lines: Sequence[str]
    block: str = "steps"


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it.

    Attributes:
        columns, rows, title: What is in it.
        best: The rows that stand out.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    title: str = ""
    best: Sequence[int] = ()
    block: str = "table"

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it holds numbers."""
        return [
            all(row[i].style == "number" for row in self.rows) for i in range(len(self.columns))
        ]


@dataclass(frozen=True)
class Figures:
    """Plots side by side; Markdown has only the tables after them."""

    plots: Sequence[Plot | Dots]
    block: str = "figures"


@dataclass(frozen=True)
class Missing:
    """A part that was not recorded, and the command that makes it."""

    what: str
    command: str
    reason: str = ""
    block: str = "missing"


@dataclass(frozen=True)
class Folded:
    """What only some readers want."""

    title: str
    blocks: Sequence[Block]
    block: str = "folded"


@dataclass(frozen=True)
class Prose:
    """A text in Markdown, of ours."""

    markdown: str
    block: str = "prose"


Block = Text | Heading | Steps | Table | Figures | Missing | Folded | Prose


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    id: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


@dataclass(frozen=True)
class Alert:
    """Something that is not as claimed: shown before everything else."""

    verdict: Verdict
    where: str
    text: str

    @property
    def mood(self) -> str:
        """How it looks."""
        return mood(self.verdict)


@dataclass(frozen=True)
class Tile:
    """One of the figures on the first screen."""

    name: str
    value: str
    text: str
    mood: str = ""


@dataclass(frozen=True)
class Page:
    """Everything.

    Attributes:
        verdict: On all that was recorded; UNDETERMINED if a part is missing.
        made: When the results were recorded, and with what.
        answer: The table that answers the title's question.
    """

    title: str
    verdict: Verdict
    sentence: str
    made: str
    tiles: Sequence[Tile]
    alerts: Sequence[Alert]
    missing: Sequence[Missing]
    answer: Table | None
    sections: Sequence[Section] = field(default_factory=list)

    @property
    def mood(self) -> str:
        """How the verdict looks."""
        return mood(self.verdict)


def mood(verdict: Verdict) -> str:
    """How a verdict looks."""
    return "good" if verdict.good else "open" if verdict is Verdict.UNDETERMINED else "bad"


# --- Cells ----------------------------------------------------------------------------------------


def name_cell(text: str, small: str = "") -> Cell:
    return Cell(text, style="code", small=small)


def number(value: float | None, text: str = "") -> Cell:
    return Cell("–" if value is None else text or f"{value:,.10g}", style="number")


def said(verdict: Verdict) -> Cell:
    return Cell(verdict.value, mood(verdict))


def yes_no(value: bool | None, yes: str, no: str, judged: bool = False) -> Cell:
    if value is None:
        return Cell("not decided", "open")
    looks = ("good" if value else "bad") if judged else ""
    return Cell(yes if value else no, looks)


def agrees_cell(agrees: bool | None, reasons: Sequence[str]) -> Cell:
    return replace(said(agreement(agrees)), small="; ".join(reasons))


def names(values: Iterable[str], none: str = "none") -> str:
    return ", ".join(values) or none
