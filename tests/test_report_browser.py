"""The page of `verify report` in a browser: what is on the screen, and that it asks for nothing.

Needs Chromium (`.ci/full` installs it).  Without it these tests fail: whoever asks for them is not
helped by a skip.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_report import Data, disagree, everything, results

from verify.reporting import command, page, records

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["everything", "results"]  # fixtures
pytest_plugins = ["browser_fixtures"]
pytestmark = pytest.mark.slow

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open the page of some results; it must neither complain nor ask for anything."""
    heard: list[str] = []
    files: list[str] = []

    def open_page(directory: Path, **options: Any) -> Page:
        file = tmp_path / f"{len(files)}.html"
        file.write_text(command.html(page.page(records.load([directory]))), encoding="utf-8")
        files.append(file.as_uri())
        context = browser.new_context(**{"viewport": WIDE, **options})
        tab = context.new_page()
        tab.on("request", lambda request: heard.append(request.url))
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.goto(file.as_uri())
        return tab

    yield open_page
    assert [line for line in heard if not line.startswith("data:")] == files


def overflow(tab: Page) -> int:
    """Pixels that the page is wider than the window."""
    width: int = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def unfold(tab: Page) -> None:
    tab.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways(
    opened: Callable[..., Page], results: Path, width: int
) -> None:
    tab = opened(results, viewport={"width": width, "height": 800})
    assert overflow(tab) <= 0
    unfold(tab)
    assert overflow(tab) <= 0
    wide = tab.evaluate("[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > 375)")
    assert wide  # there was something that had to scroll inside its box


def test_first_screen_answers_the_question(opened: Callable[..., Page], results: Path) -> None:
    tab = opened(results)
    for text in ("perEncoder", "✓ safe", "7 of 7", "0 faults", "Speed with the guard"):
        box = tab.get_by_text(text).first.bounding_box()
        assert box is not None and box["y"] + box["height"] < WIDE["height"], text
    row = tab.locator("header tbody tr.best")
    assert row.count() == 1 and row.locator("th").inner_text().startswith("perEncoder")
    # On a phone the answers of the table are visible without scrolling it.
    tab = opened(results, viewport=PHONE)
    for cell in tab.locator("header tbody tr.best td").all()[:3]:
        box = cell.bounding_box()
        assert box is not None and box["x"] + box["width"] <= PHONE["width"]


def test_refutation_is_on_the_first_screen(opened: Callable[..., Page], results: Path) -> None:
    path = results / "stress.json"
    data: Data = json.loads(path.read_text())
    disagree(data)
    path.write_text(json.dumps(data))
    for viewport in (WIDE, PHONE):
        tab = opened(results, viewport=viewport)
        box = tab.get_by_text("perEncoder: deadlock: planted").bounding_box()
        assert box is not None and box["y"] + box["height"] < viewport["height"]
        assert tab.locator("h1 + p .badge").inner_text().split()[-1] == "REFUTED"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_style_is_applied_and_can_be_read(
    opened: Callable[..., Page], results: Path, scheme: str
) -> None:
    """The policy admits the page's own style sheet, and texts stand out by 4.5 to 1 (WCAG AA)."""
    tab = opened(results, color_scheme=scheme)
    script = """(selectors) => selectors.map((selector) => {
      const of = (e) => getComputedStyle(e);
      const element = document.querySelector(selector);
      let back = element;
      while (back && of(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
      return [of(element).fill !== "rgb(0, 0, 0)" && element.closest("svg")
        ? of(element).fill : of(element).color, of(back).backgroundColor];
    })"""
    selectors = [
        "h1", ".kicker", ".badge", ".tile .text", "td.good", "td.bad", "thead th", "nav a",
        "summary", ".letters .on", "figcaption", ".plot .tick", ".plot .limit-label",
        ".plot .p0.label", ".plot .p1.label", ".plot .p2.label", ".plot .p3.label",
    ]  # fmt: skip
    present = [s for s in selectors if tab.locator(s).count()]
    assert len(present) >= 14
    for selector, (front, back) in zip(present, tab.evaluate(script, present), strict=True):
        assert contrast(front, back) >= 4.5, (selector, front, back)
    page_back = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(page_back) > 0.5) == (scheme == "light")


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(float(p)) / 255 for p in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_plots_have_their_labels_inside(opened: Callable[..., Page], results: Path) -> None:
    tab = opened(results)
    unfold(tab)
    outside = tab.evaluate(
        """() => [...document.querySelectorAll("svg.plot text")].filter((text) => {
          const box = text.getBoundingClientRect();
          const frame = text.closest("svg").getBoundingClientRect();
          return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
        }).map((text) => text.textContent)"""
    )
    assert outside == []
    assert tab.locator("svg.plot").count() >= 6


def test_page_can_be_printed(opened: Callable[..., Page], results: Path, tmp_path: Path) -> None:
    tab = opened(results)
    tab.emulate_media(media="print")
    assert not tab.locator("nav").is_visible()
    assert tab.locator("#matrix table").first.is_visible()
    assert tab.pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")
