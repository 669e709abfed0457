"""The page of `verify explain --html` in a browser, and the Mermaid texts before Mermaid's parser.

Needs Chromium and, for Mermaid, npm; `.ci/full` installs both.  Without them these tests fail:
whoever asks for them is not helped by a skip.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_diagram import DEFAULT, HOSTILE, SHIPPED, film, hostile_film, waiting_film
from test_page import page_of, runs_of

from verify import diagram, explain, graph, page
from verify.semantics import Bounds
from verify.spec import Strategy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest_plugins = ["browser_fixtures"]
pytestmark = pytest.mark.slow

MERMAID = "mermaid@12.3.0"
MERMAID_SHA256 = "336df803d87a38b70a01e736e666c8f7601d2ce42f5e47c8fafe5d721074b9a3"
NARROW = {"width": 375, "height": 720}
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    directory = tmp_path_factory.mktemp("pages")

    def write(name: str) -> Path:
        file = directory / f"{name}.html"
        file.write_text(page.render(page_of(name)), encoding="utf-8")
        return file

    return write


class Opened:
    """A page in the browser; whatever it asks the network or says on its console is kept."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": WIDE, **options})
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = file.as_uri()
        self.page.goto(self.address)

    def close(self) -> None:
        assert self.complaints == []
        assert [r for r in self.requests if not r.startswith("data:")] == [self.address]
        self.context.close()

    def cells(self) -> dict[str, str]:
        """What the shown run's cells show."""
        value: dict[str, str] = self.page.evaluate(
            """() => Object.fromEntries(
              [...document.querySelectorAll("section.run:not([hidden]) td[data-cell]")]
              .map((c) => [c.dataset.cell, c.querySelector(".value").innerText]))"""
        )
        return value

    def changed(self) -> dict[str, str]:
        """The highlighted cells with what is said to have been there, where it can be seen."""
        value: dict[str, str] = self.page.evaluate(
            """() => Object.fromEntries(
              [...document.querySelectorAll("section.run:not([hidden]) td.changed")]
              .map((c) => [c.dataset.cell, c.querySelector(".was").innerText]))"""
        )
        return value

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        value: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return value

    def check(self, run: page.Shown, step: int) -> None:
        """All that is shown at a step."""
        frame = run.film.frames[step]
        assert self.cells() == dict(frame.cells)
        assert self.changed() == {k: f"was {old}" for k, old in frame.changed.items()}
        last = len(run.film.frames) - 1
        assert self.page.inner_text(".said") == f"Step {step} of {last}: {frame.text}"
        assert self.page.input_value("#slider") == str(step)
        current = self.page.locator("section.run:not([hidden]) [aria-current=step]")
        assert current.count() == 1
        assert current.get_attribute("data-step") == str(step)
        row = self.page.locator("section.run:not([hidden]) .v-now")
        assert row.count() == (step > 0)
        if step:
            assert row.get_attribute("data-row") == str(step)


@pytest.mark.parametrize("name", ["perStream", "perEncoder"])
def test_forwards_by_keyboard_and_back_by_mouse(
    browser: Browser, files: Callable[[str], Path], name: str
) -> None:
    opened = Opened(browser, files(name))
    for run in runs_of(page_of(name))[::3]:
        opened.page.click(f".runs a[href='#{run.id}']")
        assert opened.page.locator("section.run:not([hidden])").get_attribute("id") == run.id
        last = len(run.film.frames) - 1
        opened.check(run, 0)
        for step in range(1, last + 1):
            opened.page.keyboard.press("ArrowRight")
            opened.check(run, step)
        opened.page.keyboard.press("ArrowRight")  # there is nothing after the end
        opened.check(run, last)
        assert opened.page.locator("#forward").is_disabled()
        for step in range(last - 1, -1, -1):
            opened.page.click("#back")
            opened.check(run, step)
        assert opened.page.locator("#back").is_disabled()
    opened.close()


def test_every_other_way_to_a_step(browser: Browser, files: Callable[[str], Path]) -> None:
    opened = Opened(browser, files("perStream"))
    run = runs_of(page_of("perStream"))[0]
    last = len(run.film.frames) - 1
    for key, step in (("End", last), ("ArrowLeft", last - 1), ("Home", 0), ("ArrowLeft", 0)):
        opened.page.keyboard.press(key)
        opened.check(run, step)
    opened.page.click("#last")
    opened.check(run, last)
    opened.page.click("#first")
    opened.check(run, 0)
    opened.page.click("section.run:not([hidden]) .steps button[data-step='7']")
    opened.check(run, 7)
    opened.page.click("section.run:not([hidden]) .v-step[data-step='4'] text.v-number")
    opened.check(run, 4)
    opened.page.click("section.run:not([hidden]) .jump button")
    assert run.cause is not None
    opened.check(run, run.cause)
    opened.page.focus("#slider")
    opened.page.keyboard.press("Home")
    opened.check(run, 0)
    opened.page.keyboard.press("ArrowRight")  # the slider's own key: one step, not two
    opened.check(run, 1)
    box = opened.page.locator("#slider").bounding_box()
    assert box is not None
    opened.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    opened.check(run, last)
    # A run has an address.
    opened.page.goto(f"{opened.address}#run-doubleFree")
    shown = opened.page.locator("section.run:not([hidden])")
    assert shown.get_attribute("id") == "run-doubleFree"
    opened.requests = [opened.address]
    opened.close()


def test_keyboard_only(browser: Browser, files: Callable[[str], Path]) -> None:
    """Tab reaches every control, each with a focus ring, and Enter works it."""
    opened = Opened(browser, files("rwLock"))
    seen = []
    for _ in range(40):
        opened.page.keyboard.press("Tab")
        name, ring = opened.page.evaluate(
            """() => { const e = document.activeElement; return [
              e === document.body ? "BODY" : e.id || e.className || e.tagName,
              getComputedStyle(e).outlineStyle]; }"""
        )
        if name == "BODY":
            break
        assert ring != "none", name
        seen.append(name)
    # First and Back do nothing at the start, so they are not stopped at.
    assert seen[:2] == ["skip", "A"]
    assert {"slider", "forward", "last", "scroll", "SUMMARY"} <= set(seen)
    opened.page.focus("#forward")
    opened.page.keyboard.press("Enter")
    assert opened.page.inner_text("#count") == "Step 1 of 14:"
    assert opened.page.get_attribute(".said", "aria-live") == "polite"
    opened.page.focus(".drawing .scroll")  # there the arrows scroll the picture
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.inner_text("#count") == "Step 1 of 14:"
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["perStream", "perEncoder"])
def test_a_phone(browser: Browser, files: Callable[[str], Path], name: str, scheme: str) -> None:
    opened = Opened(browser, files(name), viewport=NARROW, color_scheme=scheme)
    for run in runs_of(page_of(name))[:3]:
        opened.page.click(f".runs a[href='#{run.id}']")
        for step in range(len(run.film.frames)):
            assert opened.overflow() == 0, (run.id, step)
            opened.page.keyboard.press("ArrowRight")
        # The controls can be reached without scrolling, and by a thumb.
        for control in ("first", "back", "forward", "last"):
            box = opened.page.locator(f"#{control}").bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert 0 <= box["x"] <= NARROW["width"] - box["width"]
            assert 0 <= box["y"] <= NARROW["height"] - box["height"]
    opened.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert opened.overflow() == 0
    opened.close()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    colours.forEach((c) => { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); });
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  document.querySelectorAll("body *").forEach((e) => {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest("svg, :disabled, .skip, script")) return;
    const under = [];
    for (let p = e; p; p = p.parentElement) under.unshift(getComputedStyle(p).backgroundColor);
    const [a, b] = [paint(under), paint([...under, getComputedStyle(e).color])].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([ratio, `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)}`]);
  });
  return found;
}"""
"""The contrast of every text with what lies under it, by WCAG 2's formula."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["perStream", "perEncoder"])
def test_contrast(browser: Browser, files: Callable[[str], Path], name: str, scheme: str) -> None:
    opened = Opened(browser, files(name), color_scheme=scheme, reduced_motion="reduce")
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, background[4:-1].split(","))) > 3 * 128
    assert light is (scheme == "light")
    for key in ("Home", "ArrowRight", "End"):
        opened.page.keyboard.press(key)
        found = opened.page.evaluate(CONTRAST)
        assert len(found) > 100
        assert [pair for pair in found if pair[0] < 4.5] == []
    opened.close()


def test_a_change_is_seen_without_colour(browser: Browser, files: Callable[[str], Path]) -> None:
    opened = Opened(browser, files("perStream"))
    opened.page.keyboard.press("End")
    opened.page.keyboard.press("ArrowLeft")
    marks = opened.page.evaluate(
        """() => [...document.querySelectorAll("section.run:not([hidden]) td[data-cell]")].map(
          (c) => [c.classList.contains("changed"),
                  getComputedStyle(c.querySelector(".value"), "::before").content])"""
    )
    assert all(("◆" in content) is changed for changed, content in marks)
    assert any(changed for changed, _ in marks)
    opened.close()


def test_without_javascript(browser: Browser, files: Callable[[str], Path]) -> None:
    for viewport in (WIDE, NARROW):
        opened = Opened(browser, files("perStream"), java_script_enabled=False, viewport=viewport)
        runs = runs_of(page_of("perStream"))
        assert opened.page.locator("section.run:visible").count() == len(runs)
        assert opened.page.locator(".toolbar:visible, .player:visible").count() == 0
        for run in runs:
            section = opened.page.locator(f"#{run.id}")
            rows = section.locator("table.full tbody tr:visible").all_inner_texts()
            assert len(rows) == len(run.film.frames)
            for row, frame in zip(rows, run.film.frames, strict=True):
                assert frame.text in row
        assert opened.overflow() == 0
        opened.close()


def test_print(browser: Browser, files: Callable[[str], Path]) -> None:
    opened = Opened(browser, files("perEncoder"))
    assert opened.page.locator("table.full:visible").count() == 0
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".toolbar:visible, .player:visible").count() == 0
    # The run that was shown, whole.
    rows = opened.page.locator("table.full:visible tbody tr")
    assert rows.count() == len(runs_of(page_of("perEncoder"))[0].film.frames)
    assert opened.page.pdf().startswith(b"%PDF")
    opened.close()


def test_hostile_text_does_not_run(browser: Browser, tmp_path: Path) -> None:
    attack = f"{HOSTILE}<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    strategy = SHIPPED.strategy("noSync")
    hostile = Strategy(attack, attack, strategy.scheme, strategy.expect)
    asked = explain._Asked(hostile, DEFAULT, None, None, None)
    file = tmp_path / "page.html"
    file.write_text(page.render(explain._strategy_page(asked, None)[1]), encoding="utf-8")
    opened = Opened(browser, file)
    assert opened.page.title() != "owned"
    assert opened.page.locator("img").count() == 0
    assert "<script>document.title='owned'</script>" in opened.page.inner_text("h1")
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.inner_text("#count").startswith("Step 1 of")
    opened.close()


def test_the_policy_is_in_force(browser: Browser, files: Callable[[str], Path]) -> None:
    """A script or a request that somebody smuggles in is refused."""
    opened = Opened(browser, files("rwLock"))
    opened.page.evaluate(
        """() => { const s = document.createElement("script");
          s.textContent = "document.title = 'owned'"; document.body.append(s);
          fetch("https://example.org/").catch(() => {}); }"""
    )
    opened.page.wait_for_timeout(200)
    assert opened.page.title() != "owned"
    assert len(opened.complaints) >= 2
    assert all("Content Security Policy" in line for line in opened.complaints)
    assert opened.requests == [opened.address]
    opened.complaints.clear()
    opened.close()


# --- Mermaid --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mermaid(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Mermaid's parser and renderer: the kind of diagram, or an exception with what is wrong."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is missing: apt-get install npm")
    work = tmp_path_factory.mktemp("mermaid")
    subprocess.run([npm, "pack", "--silent", MERMAID], cwd=work, check=True, timeout=300)
    (archive,) = work.glob("mermaid-*.tgz")
    with tarfile.open(archive) as packed:
        inside = packed.extractfile("package/dist/mermaid.min.js")
        assert inside is not None
        script = inside.read()
    assert hashlib.sha256(script).hexdigest() == MERMAID_SHA256
    tab = browser.new_page()
    tab.set_content("<!DOCTYPE html><title>mermaid</title><body></body>")
    tab.add_script_tag(content=script.decode())
    tab.evaluate("mermaid.initialize({ startOnLoad: false })")

    def draw(text: str) -> str:
        svg: str = tab.evaluate(
            """async (text) => {
              const kind = (await mermaid.parse(text)).diagramType;
              const { svg } = await mermaid.render("drawn", text);
              const page = new DOMParser().parseFromString(svg, "text/html");
              return `${kind}\\n${page.body.textContent}`; }""",
            text,
        )
        return svg

    return draw


def test_mermaid_accepts_the_runs(mermaid: Callable[[str], str]) -> None:
    films = [
        film(name, fault)
        for name in ("noSync", "perOp", "perStream")
        for fault in page.counterexamples(SHIPPED.strategy(name).scheme, DEFAULT)
    ]
    films += [waiting_film(), hostile_film(), film("perOp", "deadDispatch", "noRetain")]
    for shown in films:
        kind, _, words = mermaid(diagram.mermaid(shown)).partition("\n")
        assert kind == "sequence"
        for row in diagram.messages(shown):
            assert f"{row.number}. {row.text}" in words


def test_mermaid_accepts_the_graphs(mermaid: Callable[[str], str]) -> None:
    for name, symmetry in (("rwLock", True), (HOSTILE, True)):
        scheme = SHIPPED.strategy("rwLock").scheme
        drawn = graph.build(name, scheme, DEFAULT, Bounds(2, 1, 1), symmetry=symmetry)
        kind, _, words = mermaid(graph.mermaid(drawn)).partition("\n")
        assert kind.startswith("flowchart")
        assert words.count("FAULT encoderOverlap") == len(drawn.faults)


def test_mermaid_can_say_no(mermaid: Callable[[str], str]) -> None:
    broken = diagram.mermaid(film("rwLock", "encoderOverlap")).replace("->>", "-+>>>", 1)
    with pytest.raises(Exception, match="Parse error"):
        mermaid(broken)
