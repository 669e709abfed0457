"""`verify report`: the page says what was recorded, all of it, and nothing else."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable
from html import escape as html_escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import type_of_run

from verify import cli, explore_cli, prove, stress
from verify import spec as specs
from verify.anonymous import cleaned, hidden
from verify.bench import experiments
from verify.bench.sim import SimDevice
from verify.claims import Claim, hand_written
from verify.errors import VerifyError
from verify.records.base import as_json
from verify.records.compare import Compared, Comparison
from verify.records.explore import Exploration
from verify.records.stress import FreeResult, Stress, Vulkan, VulkanRow, VulkanRun
from verify.reporting import benches, command, page, plots, records
from verify.reporting.blocks import MOODS, Figures, Page
from verify.reporting.recording import record
from verify.semantics import FaultAt
from verify.statements import Statement, word
from verify.verdict import Verdict
from verify.views import Counterexample

SPEC = specs.load(None)
FAULTS = {
    "noSync": ("nullDeref", "encoderOverlap"), "globalMutex": (), "perEncoder": (),
}  # fmt: skip
Data = dict[str, Any]


# --- Results, serialised by the commands themselves -----------------------------------------------


RUN = Counterexample(FaultAt("nullDeref", 0, 0, "encode", "deref"), ())


def proofs() -> Data:
    rows = []
    for name, faults in FAULTS.items():
        strategy = SPEC.strategy(name)
        words = ("parallel", "sequential")[name == "globalMutex"]
        module = f"MPSVerify.AGX.{name[0].upper()}{name[1:]}Mutex"
        judged = tuple(
            prove.Judged(
                Claim(name, what, None, module, Statement(word(said)), f"{name} is {what}"),
                Verdict.PROVED,
                f"MPSVerify.AGX.{name}.{what}",
                ("propext",),
            )
            for what, said in (("safe", "Safe"), (words, "Parallel"))
        )
        rows.append(
            prove.Row(
                strategy, judged, not faults, name != "globalMutex",
                strategy.claims.theorem or "", {"default": faults, "confined": ()},
                (" 1. thread 0: one step",) if faults else (), 0.1, run=RUN if faults else None,
            )
        )  # fmt: skip
    restated = prove.Judged(
        hand_written("Claims.optimal", "T"),
        Verdict.PROVED, "MPSVerify.optimal",
    )  # fmt: skip
    result = prove.Result(SPEC, "embedded: Lean 4 (/a/b)", tuple(rows), (restated,), (), 5)
    return dict(as_json(prove.record(result)))


def exploration() -> Data:
    rows = [
        explore_cli.Row(
            SPEC.strategy(name), SPEC.environments["default"], frozenset(faults), 77, 99, True,
            False, None, Verdict.HOLDS, "as claimed",
        )
        for name, faults in FAULTS.items()
    ]  # fmt: skip
    how = explore_cli._Options(2, 2, 4, "python", None, False, None, True)  # type: ignore[arg-type]
    return dict(as_json(explore_cli._record(rows, how)))


def stressed() -> Data:
    rows = []
    for name, faults in FAULTS.items():
        row = stress.Row(name, "safe" if not faults else "unsafe: nullDeref")
        row.found, row.agrees = ", ".join(faults) or "no fault", True
        row.scheduled.schedules, row.free.operations = 4321, 42_123
        row.races = FreeResult(operations=42_000, races=9 * bool(faults))
        row.control_schedules, row.campaign.runs = 17, 86
        rows.append(stress._record(row))
    return dict(as_json(Stress("fake", 1, 4, 20.0, Verdict.AGREES, 0, tuple(rows))))


def vulkans() -> Data:
    rows = []
    for name, faults in FAULTS.items():
        row = VulkanRow(name, not faults, agrees=True)
        row.own_pools = VulkanRun(1, 2000, 3 * bool(faults), 0, 0, "llvmpipe")
        rows.append(row)
    return dict(as_json(Vulkan("vulkan", 1, 4, 20.0, Verdict.AGREES, 0, tuple(rows))))


def compared() -> Data:
    rows = [Compared(n, f, f, 9 * bool(f), "nothing", ()) for n, f in FAULTS.items()]
    return dict(as_json(Comparison(Verdict.AGREES, 0, "", tuple(rows))))


def bench(name: str) -> Data:
    """A small bench of the model, by the code that measures devices."""
    plan = experiments.default_plan(True, name, SPEC)
    device = SimDevice(SPEC)
    run = {"scaling": experiments.scaling, "pipeline": experiments.pipeline,
           "batch": experiments.batch}[name]  # fmt: skip
    return run(device, plan, SPEC, lambda *_: lambda: None)


def planted(device: str, result: Data) -> Data:
    """The same as if a device had been measured."""
    info = {**result["device"], "device": device}
    return {**copy.deepcopy(result), "kind": "measurement", "driver": "cuda", "device": info}


def cost() -> Data:
    head = bench("scaling")
    rows = [
        {"key": f"{a} {n} {e}", "around": a, "threads": n, "encoders": e, "unit": "ns/call",
         "median": 20.5, "low": 19.0, "high": 24.0, "mad": 1.0, "samples": [19.0, 20.5, 24.0],
         "operations": 9, "verified": 9, "wrong": 0}
        for a in ("mutex", "perEncoder") for n, e in ((1, "own"), (8, "same"))
    ]  # fmt: skip
    return {
        **{k: head[k] for k in ("environment", "recorded", "method")}, "command": "guard",
        "kind": "measurement", "driver": "processors", "device": {"device": "the processors"},
        "rows": rows, "checks": [{"name": "identical", "ok": True, "text": "20 and 20"}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def everything() -> dict[str, Data]:
    """One result of each kind, by file; whoever changes one takes a copy."""
    scaling = bench("scaling")
    files = {
        "prove": proofs(), "explore": exploration(), "stress": stressed(),
        "stress-vulkan": vulkans(), "compare": compared(),
        "bench-scaling": {"format": 1, "results": [planted("H100", scaling), scaling]},
        "bench-guard": {"format": 1, "results": [cost()]},
    }  # fmt: skip
    for name in ("pipeline", "batch"):
        files[f"bench-{name}"] = {"format": 1, "results": [planted("H100", bench(name))]}
    return files


@pytest.fixture
def results(everything: dict[str, Data], tmp_path: Path) -> Path:
    """A directory with all of them, and no manifest."""
    directory = tmp_path / "results"
    directory.mkdir()
    for name, data in everything.items():
        (directory / f"{name}.json").write_text(json.dumps(data))
    return directory


def change(directory: Path, name: str, edit: Callable[[Data], object]) -> None:
    """Change one of the results."""
    path = directory / f"{name}.json"
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def made(directory: Path) -> Page:
    return page.page(records.load([directory]))


class Text(HTMLParser):
    """What a reader sees, and every address and tag of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._hidden = False
        self.feed(html)
        self.seen = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = self._hidden or tag in ("style", "script")
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("href", "src", "srcset", "action")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


# --- What the page says ---------------------------------------------------------------------------


def test_page_says_all_that_was_recorded(results: Path, everything: dict[str, Data]) -> None:
    report = made(results)
    text = Text(command.html(report)).seen
    assert report.alerts == []
    assert [m.what for m in report.missing] == ["The environment of the runs here"]
    for row in everything["prove"]["strategies"]:
        assert f"{row['strategy']}" in text and row["theorem"] in text
        assert all(f"{c['claim']} ✓ PROVED {c['theorem']}" in text for c in row["claims"])
    assert "MPSVerify.optimal ✓ PROVED" in text and "propext" in text
    assert "AGX/PerEncoderMutex.lean" in text
    assert "6 of 6 claims about 3 strategies, 1 of 1 hand-written ones" in text
    assert "Lean 4." in text and "/a/b" not in text  # no places of the machine
    assert "nullDeref, encoderOverlap" in text
    assert "exactly the proved set in 3." in text
    assert "42,123" in text and "4,321" in text and "2,000" in text and "llvmpipe" in text
    for bench_ in ("scaling", "pipeline", "batch"):
        for row in everything[f"bench-{bench_}"]["results"][0]["rows"]:
            main = row["strategy"] == "unguarded" and row["workload"] != "empty"
            if main and row["depth"] == row["batch"] == 1:
                assert f"{row['median']:,.0f}" in text
    assert "20.5" in text and "19.0 to 24.0" in text
    assert text.count("CUDA is thread-safe") == 4  # beside each measurement, and under trust
    assert "PREDICTION by the sim driver, not a measurement" in text
    assert "Metal is untried" in text and "The lake path is untried" in text
    assert "What is trusted, assumed, and not covered" in text
    assert "Lean's kernel" in text  # TRUST.md itself


def test_answer_is_on_the_first_screen(results: Path) -> None:
    report = made(results)
    assert report.answer is not None
    rows = {row[0].text: [cell.plain for cell in row[1:]] for row in report.answer.rows}
    assert rows["perEncoder"][:2] == ["✓ safe", "yes"]
    assert rows["globalMutex"][:2] == ["✓ safe", "no"]
    assert rows["noSync"][0] == "✕ not safe"
    assert rows["noSync"][-1] == "✕ caught: 2 kinds of fault"
    assert rows["perEncoder"][-1] == "✓ no fault in 42,123 operations"
    assert rows["perEncoder"][2].endswith("%")
    assert [report.answer.rows[i][0].text for i in report.answer.best] == ["perEncoder"]
    assert "globalMutex and perEncoder are proved safe; perEncoder is par" in report.sentence
    assert [tile.mood for tile in report.tiles] == ["good", "good", "good", ""]


def test_markdown_has_the_same(results: Path) -> None:
    report = made(results)
    text = command.as_markdown(report)
    assert text.startswith("# Which lock is safe, and how fast is it?\n")
    assert "| perEncoder | ✓ safe | yes | ✓ PROVED | per\\_encoder\\_mutex\\_sufficient |" in text
    assert "CUDA is thread-safe" in text and "\n## Trust\n" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1, block  # a table of equal rows


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        ("prove", "The proofs", "verify prove --json > DIR/prove.json"),
        ("prove", "The fault matrix", "verify prove"),
        ("explore", "The exhaustive search", "verify explore --environment all"),
        ("stress", "Stress on the fake driver", "verify stress --json"),
        ("stress-vulkan", "Stress on a Vulkan device", "verify stress --driver vulkan"),
        ("compare", "The oracles side by side", "verify compare"),
        ("bench-scaling", "Throughput and threads", "verify bench scaling"),
        ("bench-pipeline", "Throughput and operations in flight", "verify bench pipeline"),
        ("bench-batch", "Batching against threads", "verify bench batch"),
        ("bench-guard", "What a guarded call costs", "verify bench guard"),
    ],
)
def test_missing_part_is_shown_as_missing(results: Path, name: str, what: str, said: str) -> None:
    (results / f"{name}.json").unlink()
    report = made(results)
    assert report.verdict is Verdict.UNDETERMINED
    assert any(gap.what.startswith(what) and said in gap.command for gap in report.missing)
    text = Text(command.html(report)).seen
    assert f"Not recorded: {what}" in text and f"To make it: {said}" in text
    assert f"Not recorded: {what}" in command.as_markdown(report)


def test_a_comparison_without_vulkan_is_undetermined(results: Path) -> None:
    def without(data: Data) -> None:
        data |= {"no_vulkan": "no library", "verdict": "UNDETERMINED", "exit_code": 2}
        for row in data["strategies"]:
            row["vulkan"] = None

    change(results, "compare", without)
    assert made(results).verdict is Verdict.UNDETERMINED


def test_an_interval_that_says_nothing_is_no_headline(results: Path) -> None:
    """As a loaded machine gave it: 103.4 % ± 176.9."""

    def blur(data: Data) -> None:
        for ratio in data["results"][0]["ratios"]:
            ratio |= {"low": 0.1, "median": 1.034, "high": 3.638}

    report = made(results)
    assert report.tiles[3].mood == "", report.tiles[3]
    change(results, "bench-scaling", blur)
    report = made(results)
    assert (report.tiles[3].value, report.tiles[3].mood) == ("undetermined", "open")
    for text in (Text(command.html(report)).seen, command.as_markdown(report)):
        assert "103" not in text and "undetermined" in text


def test_a_run_without_intervals_that_say_something_is_undetermined(results: Path) -> None:
    def blur(data: Data) -> None:
        for row in data["results"][0]["rows"]:
            row |= {"low": 0.5 * row["median"], "high": 1.6 * row["median"]}

    change(results, "bench-guard", blur)
    report = made(results)
    assert report.verdict is Verdict.UNDETERMINED
    (alert,) = report.alerts
    assert "beyond 25% of the median in 4 of 4 configurations" in alert.text


def test_prediction_alone_is_a_missing_measurement(results: Path) -> None:
    change(results, "bench-scaling", lambda d: d["results"].pop(0))
    assert any("a measurement" in gap.what for gap in made(results).missing)


def test_nothing_recorded(tmp_path: Path) -> None:
    report = made(tmp_path)
    assert report.verdict is Verdict.UNDETERMINED and len(report.missing) == 11
    assert {tile.value for tile in report.tiles} == {"not recorded"}
    command.html(report)


def test_results_from_before_the_words_are_read_as_their_own(results: Path) -> None:
    """Every command said PROVED once; the page says of each what it is."""
    change(results, "explore", lambda d: [x.update(verdict="PROVED") for x in (d, *d["rows"])])
    change(results, "bench-scaling", of("verdict", "PROVED"))
    report = made(results)
    assert report.alerts == []
    assert Text(command.html(report)).seen.count("HOLDS WITHIN BOUNDS") == 1
    (found,) = records.load([results]).of(Exploration)
    assert {found.verdict, *(row.verdict for row in found.rows)} == {Verdict.HOLDS}
    change(results, "prove", of("verdict", "AGREES"))
    with pytest.raises(VerifyError, match="it states AGREES, which is not its word"):
        made(results)


# --- What is not as claimed -----------------------------------------------------------------------


def of(key: str, value: object) -> Callable[[Data], object]:
    return lambda data: data.update({key: value})


def refute(data: Data) -> None:
    claim = data["strategies"][2]["claims"][0]
    claim |= {"verdict": "REFUTED", "reason": "its negation is proved"}
    data["strategies"][2] |= {"verdict": "REFUTED", "safe": None}
    data["verdict"] = "REFUTED"


def disagree(data: Data) -> None:
    data["strategies"][2] |= {"agrees": False, "reasons": ["deadlock: planted"]}
    data |= {"verdict": "REFUTED", "exit_code": 1}


def contradict(data: Data) -> None:
    data["strategies"][2]["notes"] = ["CONFLICT: planted"]
    data |= {"verdict": "REFUTED", "exit_code": 1}


def fail_check(data: Data) -> None:
    data["results"][0]["checks"][0] |= {"ok": False, "text": "3.4 times apart"}


def wrong_output(data: Data) -> None:
    data["results"][0]["rows"][0]["wrong"] = 1
    data["results"][0]["checks"].append(
        {"name": "outputs verified", "ok": False, "text": "1 wrong"}
    )


def impossible(data: Data) -> None:
    data["rows"][2] |= {"faults": ["doubleFree"], "verdict": "REFUTED", "reason": "claimed safe"}
    data["verdict"] = "REFUTED"


@pytest.mark.parametrize(
    ("name", "edit", "verdict", "said"),
    [
        ("prove", refute, Verdict.REFUTED, "perEncoder is safe: its negation is proved"),
        ("stress", disagree, Verdict.REFUTED, "perEncoder: deadlock: planted"),
        ("stress-vulkan", disagree, Verdict.REFUTED, "perEncoder: deadlock: planted"),
        ("compare", contradict, Verdict.REFUTED, "perEncoder: CONFLICT: planted"),
        ("explore", impossible, Verdict.REFUTED, "proved impossible, yet seen: doubleFree"),
        ("bench-scaling", fail_check, Verdict.UNDETERMINED, "3.4 times apart"),
        ("bench-scaling", wrong_output, Verdict.REFUTED, "outputs verified: 1 wrong"),
    ],
)
def test_what_is_not_as_claimed_comes_first(
    results: Path, name: str, edit: Callable[[Data], object], verdict: Verdict, said: str
) -> None:
    change(results, name, edit)
    report = made(results)
    assert report.verdict is verdict
    html = command.html(report)
    assert report.alerts[0].verdict is verdict
    assert any(said in alert.text for alert in report.alerts)
    text = Text(html).seen
    assert said in text[: text.index("Safe and parallel")]  # above the figures
    assert f"{MOODS[report.mood]} {verdict} " in text[: text.index("Not as claimed")]  # the badge
    markdown = command.as_markdown(report)
    assert "## Not as claimed, or not decided" in markdown


def test_refuted_comes_before_undetermined(results: Path) -> None:
    change(results, "bench-scaling", fail_check)
    change(results, "compare", contradict)
    change(results, "bench-batch", of("missing", ["metal: needs macOS"]))
    report = made(results)
    assert [alert.verdict for alert in report.alerts] == [Verdict.REFUTED, Verdict.UNDETERMINED]
    assert report.verdict is Verdict.REFUTED
    assert "Not measured there: metal: needs macOS." in Text(command.html(report)).seen


@pytest.mark.parametrize("verdict", ["REFUTED", "UNDETERMINED"])
def test_bench_that_failed_as_a_whole_is_told(results: Path, verdict: str) -> None:
    change(results, "bench-scaling", of("verdict", verdict))
    report = made(results)
    assert [(a.verdict.value, a.where) for a in report.alerts] == [(verdict, "verify bench")]
    change(results, "bench-scaling", of("slower", [{"key": "threads=3"}]))
    assert made(results).alerts[0].text == "slower than the baseline: threads=3"


def test_strategy_that_is_partly_refuted_is_not_recommended(results: Path) -> None:
    def refute_another(data: Data) -> None:
        refute(data)
        data["strategies"][2]["safe"] = True

    change(results, "prove", refute_another)
    report = made(results)
    assert report.answer is not None and not report.answer.best
    assert report.tiles[0].value == "none" and report.tiles[1].mood == "bad"


@pytest.mark.parametrize(
    ("name", "edit"),
    [("stress", disagree), ("stress-vulkan", disagree), ("compare", contradict),
     ("explore", impossible)],
)  # fmt: skip
def test_strategy_that_a_run_speaks_against_is_not_recommended(
    results: Path, name: str, edit: Callable[[Data], object]
) -> None:
    change(results, name, edit)
    report = made(results)
    assert report.answer is not None and not report.answer.best
    assert report.tiles[0].value == "none"
    if name == "stress":
        assert (report.tiles[2].value, report.tiles[2].mood) == ("1 disagrees", "bad")


def test_command_that_could_not_run_is_undetermined(results: Path) -> None:
    refusal = {"verdict": "UNDETERMINED", "error": "no compiler was found"}
    (results / "stress-vulkan.json").write_text(json.dumps(refusal))
    report = made(results)
    assert report.verdict is Verdict.UNDETERMINED
    assert [a.text for a in report.alerts] == ["no compiler was found"]
    assert any(gap.reason == "no compiler was found" for gap in report.missing)


# --- Files that are no results --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        ("prove", of("verdict", "REFUTED"), "it states the verdict REFUTED, its parts say PROVED"),
        ("prove", of("verdict", "FINE"), "verdict is 'FINE'"),
        ("prove", of("constants", 0), "the kernel replayed no constant"),
        ("prove", lambda d: d.pop("engine"), "engine is missing"),
        ("prove", lambda d: d["strategies"][0].update(safe=True), "safe is True, with 2 faults"),
        ("prove", lambda d: d["strategies"][0].update(safe="yes"), "strategies.0.safe"),
        (
            "prove",
            lambda d: d["strategies"][1]["claims"][0].update(theorem=None),
            "names no theorem",
        ),
        ("prove", lambda d: d["strategies"].append(d["strategies"][0]), "noSync is there twice"),
        (
            "explore",
            of("verdict", "REFUTED"),
            "it states the verdict REFUTED, its parts say HOLDS WITHIN BOUNDS",
        ),
        ("stress-vulkan", of("exit_code", 2), "it states exit code 2, its parts say 0"),
        ("compare", of("exit_code", 1), "it states exit code 1, its parts say 0"),
        ("explore", lambda d: d["rows"][0].update(states=0), "not one state was seen"),
        ("explore", lambda d: d["rows"][0].update(faults=["crash"]), "rows.0.faults.0 is 'crash'"),
        ("explore", lambda d: d["rows"][0].update(states=-1), "rows.0.states"),
        ("stress", of("exit_code", 1), "it states exit code 1, its parts say 0"),
        ("stress", lambda d: d["strategies"][0].update(reasons=["x"]), "agrees, and does not: x"),
        ("stress", lambda d: d["strategies"][1]["free"].update(operations=0), "nothing was tried"),
        ("stress", lambda d: d["strategies"][1].update(strategy="mine"), "different specs"),
        ("compare", lambda d: d["strategies"][1].update(lean=["nullDeref"]), "record both again"),
        ("bench-scaling", lambda d: d["results"][0]["rows"][0].update(median=1e9), "is not within"),
        (
            "bench-scaling",
            lambda d: d["results"][0]["rows"][0].update(samples=[1.0]),
            "the median of",
        ),
        ("bench-scaling", lambda d: d["results"][1].update(kind="measurement"), "cannot be a meas"),
        ("bench-scaling", lambda d: d["results"][0].update(checks=[]), "nothing was checked"),
        (
            "bench-scaling",
            lambda d: d["results"][0]["rows"][0].update(wrong=3),
            "outputs are wrong",
        ),
        (
            "bench-scaling",
            lambda d: d["results"][0]["achieved"][0].update(fraction=2.0),
            "share is",
        ),
        (
            "bench-scaling",
            lambda d: d["results"][0]["guarded"].update(perEncoder=7),
            "perEncoder: 7",
        ),
        ("bench-scaling", of("format", 2), "format"),
    ],
)
def test_inconsistent_result_is_one_line(
    results: Path, capsys: pytest.CaptureFixture[str], name: str, edit: Callable[[Data], object],
    said: str,
) -> None:  # fmt: skip
    change(results, name, edit)
    with pytest.raises(VerifyError, match=re.escape(said)):
        made(results)
    output = results.parent / "report.html"
    assert cli.run(["report", "--results", str(results), "--output", str(output)]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty; record it again"),
        (b'{"verdict": "PROVED", ', ":1: no JSON"),
        (b"[]", "no JSON object"),
        (b'{"a": 1, "a": 2}', "a is there twice"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"\xff\xfe", "no JSON"),
        (b'{"something": 1}', "no result of one of verify prove"),
        (b"[" * 100_000, "no JSON"),
        (b'{"verdict": "PROVED", "error": "x"}', "it states PROVED, and an error"),
    ],
)
def test_file_that_is_no_result_is_one_line(results: Path, content: bytes, said: str) -> None:
    (results / "prove.json").write_bytes(content)
    with pytest.raises(VerifyError, match=re.escape(said)) as caught:
        made(results)
    assert "prove.json" in str(caught.value)


def test_truncation_anywhere_is_noticed(results: Path) -> None:
    for path in results.glob("*.json"):
        whole = path.read_bytes()
        for share in (0.1, 0.5, 0.9, 0.999):
            path.write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(VerifyError, match="record it again"):
                made(results)
        path.write_bytes(whole)
    made(results)


def test_two_proofs_are_one_too_many(results: Path) -> None:
    (results / "other.json").write_bytes((results / "prove.json").read_bytes())
    with pytest.raises(VerifyError, match="two results of verify prove; keep one"):
        made(results)


# --- The file itself ------------------------------------------------------------------------------


def test_page_loads_nothing_and_runs_nothing(results: Path) -> None:
    html = command.html(made(results))
    text = Text(html)
    assert all(address.startswith(("#", "data:,")) for address in text.addresses)
    assert not {"script", "iframe", "object", "embed", "img", "form", "base"} & set(text.tags)
    assert "default-src 'none'" in html and "url(" not in html and "@import" not in html
    assert "http://" not in html and "https://lean-lang" not in html


HOSTILE = "<script>alert(1)</script>\"'&<b>|`*_[x](javascript:1)\u202e\x1b[31m"


def test_text_of_others_is_escaped(results: Path) -> None:
    change(results, "compare", lambda d: d["strategies"][0].update(notes=[HOSTILE]))
    change(results, "prove", lambda d: d["strategies"][0]["claims"][0].update(claim=HOSTILE))
    change(results, "prove", lambda d: d["strategies"][0].update(counterexample=[HOSTILE]))

    def rename(data: Data) -> None:
        data["results"][0]["device"]["device"] = HOSTILE
        data["results"][0]["workloads"][0]["name"] = HOSTILE
        for key in ("rows", "split", "limits", "achieved", "fits", "ratios"):
            for row in data["results"][0][key]:
                if row["workload"] == "light":
                    row["workload"] = HOSTILE

    change(results, "bench-scaling", rename)
    change(results, "bench-guard", lambda d: d["results"][0]["rows"][0].update(around=HOSTILE))
    report = made(results)
    html = command.html(report)
    text = Text(html)
    assert not {"script", "b"} & set(text.tags) and "\u202e" not in html and "\x1b" not in html
    assert "<script>alert(1)</script>" in text.seen  # visible as what it is
    assert f"{html_escape(HOSTILE[:20])}" in html
    markdown = command.as_markdown(report)
    assert "\u202e" not in markdown and "\x1b" not in markdown
    outside = [line for line in markdown.splitlines() if not line.startswith("    ")]
    assert not re.search(r"(?<!\\)<(script|b)>", "\n".join(outside))


def test_command_writes_both_files(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    html, markdown = results.parent / "r.html", results.parent / "r.md"
    words = [
        "report",
        "--results",
        str(results),
        "--output",
        str(html),
        "--markdown",
        str(markdown),
    ]
    assert cli.run([*words, "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "UNDETERMINED" and said["written"] == [str(html), str(markdown)]
    assert said["missing"] and not said["alerts"]
    assert html.stat().st_mode & 0o044 and "</html>" in html.read_text()
    assert sorted(results.parent.iterdir()) == sorted([results, html, markdown])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --output FILE.html"),
        (["--output", "r.html", "--results", "nowhere"], "nowhere: no such directory"),
        (["--output", "missing/r.html", "--results", "."], "name another place"),
    ],
)
def test_bad_use_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.run(["report", *words]) == 3
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --- Recording ------------------------------------------------------------------------------------

QUICK = {
    "explore": ("explore", "--strategy", "perEncoder", "--engine", "python", "--threads", "1",
                "--encoders", "1"),
    "bench-scaling": ("bench", "scaling", "--quick", "--driver", "sim"),
}  # fmt: skip


def test_recording_is_read_and_any_change_is_noticed(tmp_path: Path) -> None:
    directory = tmp_path / "results"
    record(directory, lambda _: None, QUICK)
    found = records.load([directory])
    assert [file.kind.name for file in found.files] == ["bench", "explore"]
    runs = {run.file: run for run in found.manifests[0].runs}
    assert runs["explore.json"].command == " ".join(("verify", *QUICK["explore"]))
    assert sorted(p.name for p in directory.iterdir()) == [
        "bench-scaling.json", "explore.json", "recorded.json",
    ]  # fmt: skip
    text = Text(command.html(page.page(found))).seen
    assert "as recorded" in text and "added by hand" not in text
    for place in (str(Path.home()), str(tmp_path), __file__):
        assert place not in text

    manifest = directory / "recorded.json"
    for edit, said in (
        (lambda d: d["runs"][0].update(exit_code=1), "its command ended with 1"),
        (lambda d: d["runs"][0].update(sha256="0"), "not what `verify explore"),
        (lambda d: d["runs"][0].update(file="lost.json"), "lost.json was recorded and is not"),
    ):
        kept = manifest.read_text()
        change(directory, "recorded", edit)
        with pytest.raises(VerifyError, match=re.escape(said)):
            records.load([directory])
        manifest.write_text(kept)
    (directory / "explore.json").write_text((directory / "explore.json").read_text() + " ")
    with pytest.raises(VerifyError, match="record again with"):
        records.load([directory])


def test_command_that_crashes_records_nothing(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match=r"printed no result|ended with exit code"):
        record(tmp_path / "r", lambda _: None, {"prove": ("no-such-command",)})
    assert list((tmp_path / "r").iterdir()) == []


def test_places_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "secret-host")
    text = json.dumps({"a": f"{Path.home()}/x", "b": "on secret-host, not secret-hosts"})
    assert json.loads(cleaned(text, hidden(persons=False))) == {
        "a": "<home>/x", "b": "on <host>, not secret-hosts",
    }  # fmt: skip


@pytest.mark.slow
def test_everything_that_can_run_here_is_recorded(tmp_path: Path, verify: type_of_run) -> None:
    """The whole way, with the commands as they are; a device that is not there is no error."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "verify", "report", "--record", "r", "--output", "r.html", "--json"],
        capture_output=True, text=True, timeout=900, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 2), done.stderr
    said = json.loads(done.stdout)
    assert [alert for alert in said["alerts"] if alert["verdict"] != "UNDETERMINED"] == []
    found = records.load([tmp_path / "r"])
    assert found.proofs is not None and found.proofs.verdict is Verdict.PROVED
    assert "</html>" in (tmp_path / "r.html").read_text()


def test_committed_results_make_a_page() -> None:
    found = records.load([Path(__file__).parent.parent / "docs" / "results"])
    assert {b.command for b in found.benches if b.measured} == set(benches.TITLES)
    report = page.page(found)
    text = Text(command.html(report)).seen
    assert report.alerts == [] and "H100" in text
    medians = [row.median for bench in found.benches for row in bench.rows if row.depth == 1]
    assert any(f"{median:,.0f}" in text for median in medians)


# --- Plots ----------------------------------------------------------------------------------------


def test_quantities_and_ticks() -> None:
    values = (0, 1, 12.34, 999.7, 1000, 97_345, 1_234_567, 2.5e9, 0.5)
    assert [plots.quantity(v) for v in values] == [
        "0", "1", "12.3", "1 k", "1 k", "97.3 k", "1.23 M", "2.5 G", "0.5",
    ]  # fmt: skip
    for top in (0.3, 7, 99, 445_000, 5_000_000):
        marks = plots.ticks(top)
        assert marks[0] == 0 and marks[-2] < top <= marks[-1] * (1 + 1e-9) and len(marks) <= 6


def test_batches_are_bound_by_compute_not_by_launches(results: Path) -> None:
    found = next(b for b in records.load([results]).benches if b.command == "batch")
    figures = next(b for b in benches.of_bench(found) if isinstance(b, Figures))
    (plot,) = figures.plots
    assert isinstance(plot, plots.Plot)
    assert {limit.name: limit.value for limit in plot.limits} == {
        "limit: compute": found.limits[0].compute,
        "launch rate": found.limits[0].launch_rate,
    }


def test_labels_do_not_overlap() -> None:
    placed = plots.spread([100, 101, 99, 30, 250], 13, 20, 240)
    ordered = sorted(placed)
    assert all(b - a >= 13 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert ordered[0] >= 20 and ordered[-1] <= 240
    assert [placed.index(p) for p in ordered] == [3, 2, 0, 1, 4]  # in the order of the values


def test_plot_draws_what_it_is_given() -> None:
    series = [
        plots.Series("a", [plots.Point(1, 10, 8, 12), plots.Point(2, 20, 19, 21)]),
        plots.Series("p", [plots.Point(1, 9, 9, 9), plots.Point(2, 18, 18, 18)], predicted=True),
    ]
    svg = plots.Plot("t", "threads", "ops/s", series, [plots.Limit("near", 30)]).svg
    assert svg.count('class="marker"') == 2 and svg.count('class="bar"') == 2
    assert 'class="limit"' in svg and "ops/s" in svg and "threads" in svg
    (x1, y1), (x2, y2) = (
        map(float, point.split(","))
        for point in re.findall(r'class="line" points="([^"]+)"', svg)[0].split()
    )
    assert x1 < x2 and y1 > y2  # more is higher
    bottom = plots.HEIGHT - plots._BOTTOM
    assert (bottom - y2) / (bottom - y1) == pytest.approx(2, rel=0.02)  # from zero, in proportion
    far = plots.Plot("t", "x", "y", series, [plots.Limit("far", 3000)]).svg
    assert 'class="limit"' not in far and "↑ 3 k" in far  # named, not drawn
