"""`verify bench` without a device: method, verdicts, files, and what follows from them."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify import spec as specs
from verify.bench import analysis, devices, record, sim, statistics
from verify.bench.model import HEAVY, LIGHT, Operations, Row, Sample
from verify.bench.run import Check, Method, measure, outputs, same
from verify.bench.statistics import Fit, estimate, fit, ratio
from verify.cli import run
from verify.errors import EngineMissing, VerifyError
from verify.reporting import bench_page

SPEC = specs.load()
RESULTS = Path(__file__).parent.parent / "docs" / "results"
Data = dict[str, Any]


class Fake:
    """A device with noise, whose answers a test may change."""

    name, measured, waits = "cuda", True, ("spin", "drain")

    def __init__(self, change: Callable[[Operations, Sample], Sample], device: str) -> None:
        self.change, self.info = change, {"device": device}
        self.noise = random.Random(7)
        self.order: list[str] = []

    def run(self, config: Operations, seconds: float) -> Sample:
        assert seconds > 0
        self.order.append(config.key)
        known = sim.predict(config, sim.EXAMPLE, SPEC)
        value = known.value * self.noise.uniform(0.98, 1.02)
        answer = Sample(value, 100, known.submission_ns, known.wait_ns, verified=100)
        return self.change(config, answer)

    def execution(self, workload: object, samples: int) -> float | None:
        return 2000.0 if workload and samples else None

    def close(self) -> None:
        """Nothing is open."""


def unchanged(config: Operations, sample: Sample) -> Sample:
    return sample


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `verify bench scaling --quick` on a fake device."""

    def call(
        *arguments: object,
        change: Callable[[Operations, Sample], Sample] = unchanged,
        device: str = "H100",
    ) -> int:
        def opened(name: str, spec: object) -> Fake:
            if name != "cuda":
                raise EngineMissing(f"no {name} in this test")
            return Fake(change, device)

        monkeypatch.setattr(devices, "open_device", opened)
        return run(["bench", "scaling", "--quick", "--quiet", *map(str, arguments)])

    return call


# --- Verdicts -------------------------------------------------------------------------------------


def slower(config: Operations, sample: Sample) -> Sample:
    """A tenth slower in one configuration."""
    if (config.strategy, config.threads, config.queues) != ("perEncoder", 4, "private"):
        return sample
    return replace(sample, value=sample.value * 0.9)


def cold(config: Operations, sample: Sample) -> Sample:
    """The bias of one of the two identical configurations."""
    if (config.threads, config.queues, config.strategy) != (1, "shared", "unguarded"):
        return sample
    return replace(sample, value=sample.value / 3.4)


def wrong(config: Operations, sample: Sample) -> Sample:
    bad = (config.strategy, config.threads) == ("globalMutex", 2)
    return replace(sample, verified=0, wrong=3) if bad else sample


def skipped(config: Operations, sample: Sample) -> Sample:
    guarded = config.strategy == "perEncoder"
    return replace(sample, trouble="the guard skipped 1 call") if guarded else sample


def test_a_measured_run_is_recorded_and_shown_again(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "base.json"
    assert bench("--output", file) == 0
    said = capsys.readouterr().out
    assert said.count("not measured: vulkan") == 1
    assert run(["bench", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown in said
    assert run(["bench", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == record.read(file)


def test_a_planted_slowdown_is_found(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "base.json"
    assert bench("--output", file) == 0
    assert bench("--against", file) == 0
    capsys.readouterr()
    assert bench("--against", file, "--json", change=slower) == 1
    (found,) = json.loads(capsys.readouterr().out)["slower"]
    assert "threads=4 queues=private" in found["key"]
    assert "strategy=perEncoder" in found["key"]
    assert found["share"] == pytest.approx(0.1, abs=0.03)
    assert bench("--against", file, "--tolerance", 0.5, change=slower) == 0


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (cold, 2, "unreliable: scaling on cuda"),
        (wrong, 1, "NOT OK: outputs verified"),
        (skipped, 1, "NOT OK: outputs verified: the guard skipped"),
    ],
)
def test_what_cannot_be_believed_is_not_green(
    bench: Callable[..., int], capsys: pytest.CaptureFixture[str], change: Any, code: int,
    words: str,
) -> None:  # fmt: skip
    assert bench("--driver", "cuda", change=change) == code
    assert words in capsys.readouterr().out


def test_without_a_device_it_says_why(
    bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--driver", "vulkan") == 2
    assert "driver vulkan cannot run here: no vulkan in this test" in capsys.readouterr().err


def test_another_device_is_not_compared(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "base.json"
    assert bench("--output", file) == 0
    measured: list[str] = []

    def note(config: Operations, sample: Sample) -> Sample:
        measured.append(config.key)
        return sample

    assert bench("--against", file, device="H200", change=note) == 2
    assert "was recorded with device 'H100', here it is 'H200'" in capsys.readouterr().err
    assert measured == []  # before anything is measured


def test_a_place_that_cannot_be_written_is_found_first(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[str] = []

    def note(config: Operations, sample: Sample) -> Sample:
        measured.append(config.key)
        return sample

    assert bench("--output", tmp_path / "none" / "x.json", change=note) == 3
    assert "No such file or directory" in capsys.readouterr().err
    assert measured == []


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _set(name: str, value: object) -> Callable[[str], str]:
    def change(text: str) -> str:
        data = json.loads(text)
        data["results"][0]["rows"][0][name] = value
        return json.dumps(data)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_cut, "not JSON"),
        (lambda _: "", "not JSON"),
        (lambda _: "[]", "format is 'list'"),
        (lambda _: '{"format": 2, "results": []}', "format is 2, not 1"),
        (lambda _: '{"format": 1, "results": []}', "has no results"),
        (lambda _: '{"format": 1, "results": [3]}', "results[0] is 3"),
        (_set("median", "fast"), "results[0].rows[0].median is 'fast'"),
        (_set("low", -1), "not positive and in order"),
    ],
)
def test_a_bad_baseline_is_one_line(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any,
    words: str,
) -> None:  # fmt: skip
    file = tmp_path / "base.json"
    file.write_text(change((RESULTS / "h100" / "batch.json").read_text()))
    assert bench("--against", file) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert str(file) in error


def test_a_baseline_of_another_command_is_refused(
    bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--driver", "cuda", "--against", RESULTS / "h100" / "batch.json") == 3
    assert "nothing of scaling on cuda" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--repetitions", 9, "too few for a spread"),
        ("--threads", "2,4", "must contain 1"),
        ("--threads", "1,x", "no list of numbers"),
        ("--strategy", "best", "unknown; use one of"),
    ],
)
def test_bad_options_are_refused(
    bench: Callable[..., int], capsys: pytest.CaptureFixture[str], option: str, value: object,
    words: str,
) -> None:  # fmt: skip
    assert bench(option, value) == 3
    assert words in capsys.readouterr().err


# --- Method and statistics ------------------------------------------------------------------------


def test_every_repetition_measures_everything_once_in_a_new_order() -> None:
    fake = Fake(unchanged, "H100")
    configs = [Operations(LIGHT, n) for n in (1, 2, 4, 8)]
    rows = measure(fake, configs, Method(repetitions=10))
    keys = [config.key for config in configs]
    turns = [fake.order[i : i + 4] for i in range(0, len(fake.order), 4)]
    assert turns[0] == keys  # the warm-up
    assert len(turns) == 11
    assert all(sorted(turn) == sorted(keys) for turn in turns)
    assert len({tuple(turn) for turn in turns[1:]}) > 3
    assert [len(row.samples) for row in rows] == [10] * 4
    with pytest.raises(VerifyError, match="configured twice"):
        measure(fake, [configs[0], configs[0]], Method())


def test_rows_survive_a_file() -> None:
    fake = Fake(unchanged, "H100")
    (row,) = measure(fake, [Operations(HEAVY, 2, batch=4)], Method(repetitions=10))
    data = row.json()
    assert Row.of(data, {"heavy": HEAVY}).json() == data


def test_checks() -> None:
    one = Row(Operations(LIGHT), [Sample(v, 1) for v in (99, 100, 101)])
    other = Row(Operations(LIGHT), [Sample(v, 1) for v in (30, 31, 32)])
    assert same(one, one).ok
    assert not same(one, other).ok
    assert "222.6% apart" in same(one, other).text
    assert isinstance(outputs([one]), Check)


@given(st.lists(st.floats(1, 1e9), min_size=6, max_size=40))
def test_the_interval_holds_the_median(samples: list[float]) -> None:
    found = estimate(samples)
    assert min(samples) <= found.low <= found.median <= found.high <= max(samples)


def test_the_interval_covers() -> None:
    """The true median of ten exponential samples is inside in at least 95 of 100 cases."""
    chance = random.Random(3)
    inside = 0
    for _ in range(2000):
        found = estimate([chance.expovariate(1.0) for _ in range(10)])
        inside += found.low <= 0.6931 <= found.high
    assert 0.95 <= inside / 2000 < 1


def test_a_drift_cancels_in_a_ratio() -> None:
    slow = [100.0 * 1.2**i for i in range(12)]
    assert ratio([2 * x for x in slow], slow).median == pytest.approx(2)


@pytest.mark.parametrize("law", [Fit(1e5, 0.06, 0.007, 0), Fit(1e5, 0, 0, 0), Fit(5e4, 0.4, 0, 0)])
def test_the_fit_finds_the_law(law: Fit) -> None:
    found = fit([(n, law(n)) for n in (1, 2, 4, 8, 16)])
    assert found.rate == pytest.approx(law.rate, rel=1e-6)
    assert found.contention == pytest.approx(law.contention, abs=1e-9)
    assert found.coherency == pytest.approx(law.coherency, abs=1e-9)
    assert found.error < 1e-9


# --- The model ------------------------------------------------------------------------------------


def predicted(**fields: Any) -> float:
    return sim.predict(Operations(LIGHT, **fields), sim.EXAMPLE, SPEC).value


def test_the_model_is_sane() -> None:
    p = sim.EXAMPLE
    private = [predicted(threads=n) for n in (1, 2, 4, 8, 16)]
    assert all(a <= b * 1.001 for a, b in itertools.pairwise(private))
    assert private[0] == pytest.approx(1e9 / (p.launch + p.record + p.latency + p.execution), 0.02)
    assert private[-1] == pytest.approx(1e9 / (p.serial + p.serial_record), rel=0.02)
    assert predicted(depth=32, wait="drain") <= 1e9 / p.launch
    assert predicted(threads=8, queues="shared") == pytest.approx(
        1e9 / (p.launch + p.record + p.handover), rel=0.02
    )
    # A lock for all costs what threads would have won; a lock for each costs next to nothing.
    assert predicted(threads=8, strategy="globalMutex") < 0.3 * private[3]
    assert predicted(threads=8, strategy="perEncoder") > 0.95 * private[3]
    assert predicted(threads=8, strategy="mutexOperation") < predicted(
        threads=8, strategy="mutexSubmission"
    )
    assert predicted(wait="block") < predicted(wait="spin")
    heavy = sim.predict(Operations(HEAVY, 16), p, SPEC).value
    assert heavy == pytest.approx(1e9 / (p.step * HEAVY.elements * HEAVY.iterations), rel=0.05)


# --- Recorded results -----------------------------------------------------------------------------


def recorded(name: str) -> Data:
    (result,) = record.read(RESULTS / "h100" / f"{name}.json")
    return result


NAMES = ("scaling", "pipeline", "batch", "guard")


def test_the_page_is_what_the_results_say() -> None:
    results = [analysis.analyse(recorded(name), SPEC) for name in NAMES]
    assert (RESULTS / "h100.md").read_text() == bench_page.page(results)


@pytest.mark.parametrize("name", NAMES)
def test_the_results_follow_from_their_rows(name: str) -> None:
    result = recorded(name)
    again = analysis.analyse(result, SPEC)
    assert again == result
    for number, row in enumerate(result["rows"]):
        row["samples"] = [x * (1 + number) for x in row["samples"]]
    assert analysis.analyse(result, SPEC) != again


def test_what_the_h100_was_measured_for() -> None:
    result = recorded("scaling")
    assert all(check["ok"] for check in result["checks"])
    strategies = {s.name for s in SPEC.strategies}
    guarded = {k: v for k, v in result["guarded"].items() if k != "unguarded"}
    assert strategies <= set(guarded)
    assert min(guarded.values()) >= 42_000
    assert all(row["wrong"] == 0 and len(row["samples"]) >= 10 for row in result["rows"])
    kept = {
        (r["strategy"], r["threads"]): r["median"]
        for r in result["ratios"]
        if (r["workload"], r["queues"]) == ("light", "private")
    }
    assert all(kept["perEncoder", n] >= 0.95 for n in (8, 16))
    assert all(kept["globalMutex", n] < 0.5 for n in (8, 16))


def test_no_limit_is_exceeded() -> None:
    for name in NAMES[:3]:
        result = recorded(name)
        for limit, achieved in zip(result["limits"], result["achieved"], strict=True):
            assert achieved["fraction"] <= 1
            assert limit["limit"] == min(limit["launch_rate"], limit["compute"])
            assert limit["compute"] <= limit.get("arithmetic_peak", limit["compute"])
            assert achieved["note"] or achieved["fraction"] >= 0.8


def test_a_second_run_is_not_slower_than_the_first() -> None:
    """Recorded one after the other on the H100: what `--against` compares, and how little noise."""
    base, again = [recorded("scaling")], recorded("again")
    found = record.compare(again, base, Path("scaling.json"))
    assert (found.compared, found.slower) == (68, ())
    row = next(r for r in again["rows"] if "perEncoder" in r["key"] and r["threads"] == 8)
    for name in ("median", "low", "high"):
        row[name] *= 0.8
    (slower_one,) = record.compare(again, base, Path("scaling.json")).slower
    assert slower_one.key == row["key"]


def test_files_say_nothing_of_the_machine_they_came_from() -> None:
    for path in (RESULTS / "h100").iterdir():
        text = path.read_text()
        assert not any(word in text for word in ("/root", "/tmp", "/home", "hostname"))  # noqa: S108


# --- Intervals ------------------------------------------------------------------------------------


def test_an_interval_says_something_up_to_a_quarter() -> None:
    assert statistics.says(100, 75, 125)
    assert not statistics.says(100, 74, 125)
    assert not statistics.says(1.034, 0.1, 3.638)
    assert statistics.enough_say(1, 20) and not statistics.enough_say(1, 19)


@pytest.mark.parametrize(("silent", "code"), [(0, 0), (4, 0), (5, 2), (95, 2)])
def test_a_run_of_intervals_that_say_nothing_is_undetermined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], silent: int, code: int
) -> None:
    result = recorded("guard")
    first = result["rows"][0]["key"]
    for row in result["rows"][:silent]:
        middle = row["median"]
        row["samples"] = [middle * (1 + 0.9 * (-1) ** n) for n in range(12)]
        row |= {"low": 0.1 * middle, "high": 1.9 * middle}
    file = tmp_path / "guard.json"
    record.write([result], file)
    assert run(["bench", "show", str(file)]) == code
    said = capsys.readouterr().out
    assert f"in {silent} of 96 configurations" in said
    assert ("undetermined" in said) == (silent > 0)
    assert (f"first: {first}" in said) == (silent > 0)
    assert ("NOT OK: intervals" in said) == (code == 2)
