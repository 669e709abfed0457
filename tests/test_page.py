"""The page of `verify explain --html`, as a file: what it says, and that it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import type_of_run
from test_diagram import film

from verify import criterion, english, explain, page, spec, trace
from verify import prove as gate
from verify.errors import EngineMissing
from verify.semantics import Model
from verify.spec import FAULTS
from verify.verdict import Verdict

SHIPPED = spec.load()
DEFAULT = SHIPPED.environments["default"]

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&\"'"
SPEC = f"""\
format = 1
[[strategy]]
name = "mine"
english = {json.dumps(HOSTILE)}
check = false
[strategy.locks]
create = "none"
encode = "none"
destroy = "none"
complete = "none"
[strategy.expect]
safe = false
note = {json.dumps("note " + HOSTILE)}
"""


class Elements(HTMLParser):
    """Every start tag of a page, the text of some, and whether tags match."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data


def page_of(name: str, environment: str = "default", fault: str | None = None) -> page.Page:
    asked = explain._Asked(
        SHIPPED.strategy(name), SHIPPED.environments[environment], fault, None, None
    )
    return explain._strategy_page(asked, None)[1]


def runs_of(content: page.Page) -> list[page.Shown]:
    return [run for group in content.groups for run in group.runs]


# --- The file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["perStream", "perEncoder"])
def test_the_file(name: str) -> None:
    content = page_of(name)
    text = page.render(content)
    elements = Elements(text)
    # Nothing is loaded: every address is a place on the page itself.
    for tag, attributes in elements.tags:
        for attribute in ("src", "href", "action", "data", "srcset", "poster"):
            address = attributes.get(attribute) or "#"
            assert address.startswith("#") or (tag, address) == ("link", "data:,")
        assert not any(a.startswith("on") or a == "style" for a in attributes)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|import\(", text)
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}
    policy = next(
        a["content"] for t, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    identities = [a["id"] for _, a in elements.tags if "id" in a]
    assert len(identities) == len(set(identities))
    for tag, attributes in elements.tags:
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in identities


def test_the_steps_are_those_of_the_model() -> None:
    content = page_of("perStream")
    text = page.render(content)
    raw = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    value = json.loads(raw[0])
    assert list(value) == [f"run-{fault}" for fault in FAULTS if fault != "deadDispatch"]
    for run in runs_of(content):
        steps = value[run.id]
        assert [s["cells"] for s in steps] == [dict(f.cells) for f in run.film.frames]
        assert [s["changed"] for s in steps] == [dict(f.changed) for f in run.film.frames]
        assert [s["fault"] for s in steps] == [False] * (len(steps) - 1) + [True]


def test_every_step_is_there_without_a_script() -> None:
    content = page_of("perEncoder")
    text = page.render(content)
    shown = " ".join(Elements(re.sub(r"<script.*?</script>", "", text, flags=re.S)).texts["body"])
    for run in runs_of(content):
        assert run.heading in shown
        for frame in run.film.frames:
            assert frame.text in shown
    tables = re.findall(r'<table class="full">(.*?)</table>', text, re.S)
    assert len(tables) == len(runs_of(content))
    for run, table in zip(runs_of(content), tables, strict=True):
        rows = re.findall(r"<tr.*?</tr>", table, re.S)[1:]
        for frame, row in zip(run.film.frames, rows, strict=True):
            for group in run.film.groups:
                for part in group.parts:
                    for heading, key in zip(group.headings, part.cells, strict=True):
                        if frame.cells[key] != "–":
                            assert f"{heading}: {frame.cells[key]}" in row
            assert row.count("◆") == sum(frame.cells[key] != "–" for key in frame.changed)


def test_hostile_text_is_text(
    spec_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> Any:
        raise EngineMissing("no Lean here")

    monkeypatch.setattr(gate, "choose_engine", missing)
    file = tmp_path / "page.html"
    loaded = spec_file(SPEC)
    asked = explain._Asked(spec.load(loaded).strategy("mine"), DEFAULT, None, None, loaded)
    assert explain._draw_page(asked, file, json_output=False) is Verdict.UNDETERMINED
    texts = [file.read_text(encoding="utf-8")]
    # A name can be no such thing in a spec; the page does not rely on that.
    shown = runs_of(page_of("noSync"))[0]
    group = page.RunGroup(HOSTILE, HOSTILE, (shown,))
    hostile = page.Page(
        HOSTILE, HOSTILE, (group,), facts=((HOSTILE, HOSTILE),), reasons=(HOSTILE,),
        unreachable=((HOSTILE, HOSTILE, HOSTILE),), footer=HOSTILE,
    )  # fmt: skip
    texts.append(page.render(hostile))
    for text in texts:
        elements = Elements(text)
        assert [a for t, a in elements.tags if t == "img"] == []
        assert sum(t == "script" for t, _ in elements.tags) == 2
        assert HOSTILE in elements.texts["body"][0]
    data = str(page.data([shown]))
    assert not set("<>&") & set(data)


# --- What it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", SHIPPED.strategies, ids=lambda strategy: strategy.name)
def test_what_cannot_be_reached_is_the_rest(strategy: spec.Strategy) -> None:
    for environment in SHIPPED.environments.values():
        reached = criterion.faults(strategy.scheme, environment)
        closed = page.unreachable(strategy.scheme, environment)
        assert [name for name, *_ in closed] == [f for f in FAULTS if f not in reached]
        assert all(meaning and needs for _, meaning, needs in closed)


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ("default", [strategy.name for strategy in SHIPPED.strategies]),
        ("racyFreelist", ["perEncoder"]),  # needs two encoders
        ("handlersBypass", ["perEncoder"]),
    ],
)
def test_each_fault_has_its_run(environment: str, names: list[str]) -> None:
    env = SHIPPED.environments[environment]
    for name in names:
        scheme = SHIPPED.strategy(name).scheme
        found = page.counterexamples(scheme, env)
        assert tuple(found) == criterion.faults(scheme, env)
        for fault, run in found.items():
            assert run.fault is not None
            assert run.fault.fault == fault
            assert trace.check(run, scheme, env) is None


def test_a_safe_strategy_survives_the_schedules() -> None:
    schedules = page.counterexamples(page.UNGUARDED, DEFAULT)
    assert len(schedules) == 7
    for name in ("globalMutex", "perEncoder", "striped"):
        scheme = SHIPPED.strategy(name).scheme
        for fault, schedule in schedules.items():
            run = page.played(schedule, scheme, DEFAULT)
            assert run.fault is None, (name, fault)
            assert trace.check(run, scheme, DEFAULT) is None
            last = trace.states(run, scheme, DEFAULT)[-1]
            assert not any(last.threads)
            # The same calls, as far as there is something to call.
            calls = [(e.t, e.kind, e.e) for e in schedule.events if e.event == "dispatch"]
            made = [(e.t, e.kind, e.e) for e in run.events if e.event == "dispatch"]
            assert set(made) <= set(calls)
            assert made[:2] == calls[:2]
            # Somebody had to wait, or it would have been the same run.
            model = Model(scheme, DEFAULT, run.bounds)
            assert any(
                activity is not None
                and activity.point == "dispatched"
                and not any(e.t == t for e, _ in model.enabled(state))
                for state in trace.states(run, scheme, DEFAULT)
                for t, activity in enumerate(state.threads)
            ), (name, fault)
    # Without the guard the schedule is what it was.
    for schedule in schedules.values():
        assert page.played(schedule, page.UNGUARDED, DEFAULT).events == schedule.events


def test_a_safe_page() -> None:
    content = page_of("perEncoder")
    ids = [[run.id for run in group.runs] for group in content.groups]
    faults = [fault for fault in FAULTS if fault != "deadDispatch"]
    assert ids == [[f"run-{f}" for f in faults], [f"bare-{f}" for f in faults]]
    assert [run.film.fault for run in content.groups[0].runs] == [None] * 7
    assert [run.film.fault.fault for run in content.groups[1].runs if run.film.fault] == faults
    assert [fault for fault, _, _ in content.unreachable] == list(FAULTS)
    # Where nothing at all can go wrong there is still a run to look at.
    assert [r.id for r in runs_of(page_of("noSync", "confinedNoHandlers"))] == ["run-complete"]


def test_the_fault_asked_for_comes_first() -> None:
    content = page_of("perStream", fault="doubleFree")
    assert runs_of(content)[0].id == "run-doubleFree"
    assert len(runs_of(content)) == 7


def test_every_fault_is_explained() -> None:
    assert list(english.FAULTS) == list(FAULTS)


# --- The command ----------------------------------------------------------------------------------


def test_without_lean_there_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Any:
        raise EngineMissing("no Lean here")

    monkeypatch.setattr(gate, "choose_engine", missing)
    file = tmp_path / "page.html"
    done = CliRunner().invoke(
        explain.command, ["rwLock", "--html", str(file)], standalone_mode=False
    )
    assert done.return_value is Verdict.UNDETERMINED
    assert "the page has no verdict: no Lean here" in done.stderr
    text = file.read_text(encoding="utf-8")
    assert "Nobody has judged this" in text
    assert "kernel accepts" not in text
    assert 'class="badge' not in text
    assert list(tmp_path.iterdir()) == [file]


def test_a_page_of_a_trace(verify: type_of_run, tmp_path: Path) -> None:
    run = film("perOp", "staleContext")
    recorded, file = tmp_path / "run.ndjson", tmp_path / "page.html"
    recorded.write_text(trace.dump("perOp", "default", run.trace))
    shown = verify("explain", "--trace", recorded, "--html", file, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["runs"] == ["run-recorded"]
    assert json.loads(shown.stdout)["verdict"] is None
    text = file.read_text(encoding="utf-8")
    assert "A recorded run to staleContext" in text
    assert run.frames[-1].text.replace(">", "&gt;") in text
    wrong = verify("explain", "rwLock", "--trace", recorded, "--html", tmp_path / "no.html")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "the trace's strategy is perOp, not rwLock" in wrong.stderr
    assert not (tmp_path / "no.html").exists()


def test_a_page_that_cannot_be_written(verify: type_of_run, tmp_path: Path) -> None:
    shown = verify("explain", "rwLock", "--html", tmp_path / "no" / "page.html")
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr.count("\n") == 1
    assert "is no directory" in shown.stderr
