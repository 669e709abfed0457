"""`verify report`: the command, and the rendering of a page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import click
from markupsafe import Markup

from verify import options
from verify.files import refuse_overwriting, save_file
from verify.render import note, print_json, progress
from verify.reporting.blocks import MOODS, Page, Section
from verify.verdict import Verdict

_FILES = Path(__file__).parent
DEFAULT = Path("results")
"""Where results are looked for."""


@click.command("report")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="The page: one file that loads nothing.",
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.md",
    help="The same as Markdown, without the plots.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Recorded results; may be repeated; by default `results`, or what was just recorded.",
)
@click.option(
    "--record",
    "record_to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="First run what can run here, with short budgets, and record it there.",
)
@options.json_output
@options.quiet
def command(
    output: Path | None, markdown: Path | None, results: tuple[Path, ...],
    record_to: Path | None, json_output: bool, quiet: bool,
) -> Verdict:  # fmt: skip
    """Make the report of everything that was recorded, and of nothing else.

    Exit code 0 if everything is recorded and as claimed, 1 if something is refuted, 2 if something
    is missing or undecided, 3 if a file is no recorded result (then nothing is written).
    """
    if output is None and markdown is None and record_to is None:
        raise click.UsageError("nothing to make; give --output FILE.html, --markdown or --record")
    from verify.reporting import page, records

    results_files = [p for r in results for p in ([r] if r.is_file() else r.rglob("*.json"))]
    refuse_overwriting(
        {"--output": output, "--markdown": markdown}, {f"the result {p}": p for p in results_files}
    )
    quiet = quiet or json_output
    if record_to is not None:
        from verify.reporting.recording import record

        record(record_to, lambda text: progress(text, quiet))
    directories = (*results, *([record_to] if record_to is not None else []))
    made = page.page(records.load(directories or (DEFAULT,)))
    written = []
    for path, render in ((output, html), (markdown, as_markdown)):
        if path is not None:
            save_file(path, render(made), parents=False)
            written.append(str(path))
    if json_output:
        print_json(
            {
                "verdict": made.verdict.value,
                "written": written,
                "alerts": [
                    {"verdict": a.verdict.value, "where": a.where, "text": a.text}
                    for a in made.alerts
                ],
                "missing": [{"what": m.what, "command": m.command} for m in made.missing],
            }
        )
        return made.verdict
    for alert in made.alerts:
        note(f"{alert.verdict}: {alert.where}: {alert.text}")
    for gap in made.missing:
        note(f"not recorded: {gap.what}; {gap.command}")
    note(f"{made.verdict}: {', '.join(written) or 'nothing was written'}")
    return made.verdict


def html(page: Page) -> str:
    """The page as HTML; every text in it is escaped.

    Args:
        page: What it says; any text in it may come from a user.
    """
    style = (_FILES / "report.css").read_text(encoding="utf-8")
    return _render(
        "report.html.j2",
        autoescape=True,
        page=page,
        moods=MOODS,
        version=metadata.version("mps-verify"),
        style=Markup(style),  # noqa: S704 - ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        prose=prose,
    )


def as_markdown(page: Page) -> str:
    """The page as Markdown."""
    version = metadata.version("mps-verify")
    return _tidy(_render("report.md.j2", autoescape=False, page=page, version=version))


def sections_as_markdown(sections: Sequence[Section]) -> str:
    """Sections as Markdown."""
    return _tidy(_render("sections.md.j2", autoescape=False, sections=sections))


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text))


def _render(name: str, autoescape: bool, **values: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(_FILES),
        autoescape=autoescape,  # noqa: S701 - Markdown has escapes of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # A spec's English may hold control and format characters; a browser would obey them.
        finalize=_visible,
    )
    templates.filters["md"] = _escaped
    templates.filters["demoted"] = _demoted
    return templates.get_template(name).render(values)


def _visible(value: object) -> object:
    if type(value) is not str:  # Markup is ours
        return value
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in value)


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    line = " ".join(str(_visible(text)).split())
    return re.sub(r"([\\`*_{}\[\]<>|~#&])", r"\\\1", line)


def _demoted(markdown: str) -> str:
    """Headings two levels down."""
    return re.sub(r"^(#+ )", r"##\1", markdown, flags=re.MULTILINE)


def prose(markdown: str) -> Markup:
    """A Markdown text of ours as HTML; its links become plain text, for the page loads nothing."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False})
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.children:
            token.children = [c for c in token.children if c.type not in _LINKS]
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - html is off


_LINKS = ("link_open", "link_close", "image")
