"""`verify stress`: its verdicts, its exit codes, what it saves and runs again."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import STRATEGY, children, mostly_slow, type_of_run

from verify import native, resources, spec, stress, vulkan
from verify import trace as traces
from verify.campaign import campaign, programs
from verify.errors import EngineMissing, VerifyError
from verify.library import Library, load_library
from verify.lockstep import (
    DivergenceError,
    Lockstep,
    load_counterexample,
    replay,
    save,
)
from verify.question import Question
from verify.records.stress import Counterexample, FreeResult, VulkanRun
from verify.semantics import Bounds, Model
from verify.session import Session
from verify.verdict import Verdict

SPEC = spec.load()
DEFAULT = SPEC.environments["default"]
UNSAFE = [s for s in SPEC.strategies if not s.claims.safe]


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(SPEC)


@pytest.fixture(scope="module")
def report() -> dict[str, dict[str, object]]:
    """One run of the command over all strategies, in JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "verify", "stress", "--json", "--budget", "10s"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["exit_code"] == 0
    return {row["strategy"]: row for row in data["strategies"]}


@pytest.mark.parametrize("name", [s.name for s in SPEC.strategies])
def test_each_strategy_behaves_as_claimed(report: dict[str, dict], name: str) -> None:  # type: ignore[type-arg]
    row, claims = report[name], SPEC.strategy(name).claims
    assert row["agrees"] is True, row["reasons"]
    assert row["free"]["operations"] >= 42_000
    assert row["schedules"]["deadlocks"] == 0
    if claims.safe:
        assert row["found"] == []
        assert row["free"]["faults"] == {}
        assert row["free"]["unexplained"] == 0
        assert row["races"]["races"] == 0
    else:
        assert claims.fault in row["found"]
        # Its locks are right and only the check is missing: nothing races, and yet it crashes.
        assert (row["races"]["races"] > 0) == (name != "perEncoderUnchecked")


def test_the_control_arm_is_not_empty(report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    for row in report.values():
        assert row["control"]["schedules"] > 0
        assert sum(row["control"]["free"]["faults"].values()) > 0


def test_rw_lock_crashes_nothing_but_races(report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    assert report["rwLock"]["found"] == ["encoderOverlap"]
    assert report["rwLock"]["races"]["races"] > 0


FALSE_CLAIMS = (
    STRATEGY.replace("check = true", "check = false").replace('"mine"', '"unchecked"')
    + STRATEGY
    + '[strategy.expect]\nsafe = false\nfault = "nullDeref"\n'
)
"""An unsafe strategy that is claimed to be safe, and the other way round."""


def test_a_false_claim_is_refuted(verify: type_of_run, spec_file: Callable[[str], Path]) -> None:
    file = spec_file(FALSE_CLAIMS)
    done = verify("stress", "--spec", file, "--strategy", "unchecked", "--budget", "2s", "--json")
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)["strategies"]
    assert row["agrees"] is False
    assert "nullDeref" in " ".join(row["reasons"])


def test_a_claimed_fault_that_cannot_happen_is_undetermined(
    verify: type_of_run, spec_file: Callable[[str], Path]
) -> None:
    file = spec_file(FALSE_CLAIMS)
    done = verify("stress", "--spec", file, "--strategy", "mine", "--budget", "2s")
    assert done.returncode == 2, done.stderr
    assert "no nullDeref was found" in done.stdout


def test_without_a_control_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stress.free_run

    def without_faults(*arguments: object, **named: object) -> FreeResult:
        return replace(real(*arguments, **named), faults={})  # type: ignore[arg-type]

    monkeypatch.setattr(stress, "free_run", without_faults)
    runner = stress.FakeDriver(SPEC, threads=4, seed=1)
    row = runner.run(SPEC.strategy("perEncoder"), 1.0, lambda _: None)
    assert row.verdict is Verdict.UNDETERMINED
    assert any("control arm" in reason for reason in row.reasons)


def test_without_a_compiler_nothing_is_decided(verify: type_of_run, tmp_path: Path) -> None:
    done = verify("stress", CXX="no-such-compiler", VERIFY_CACHE_DIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("verify: CXX=no-such-compiler is not a program")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--strategy", "nobody"],
        ["--budget", "soon"],
        ["--budget", "-1s"],
        ["--budget", "nan"],
        ["--threads", "1"],
        ["--driver", "cuda"],
        ["--replay", "/nonexistent"],
        ["--trace", "t.ndjson"],
        ["--spec", "/nonexistent"],
    ],
)
def test_bad_arguments_are_one_line_and_exit_3(verify: type_of_run, arguments: list[str]) -> None:
    done = verify("stress", *arguments)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr


# --- Campaigns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    mostly_slow(UNSAFE, *map(SPEC.strategy, ("noSync", "perOp", "rwLock"))),
    ids=lambda s: s.name,
)
def test_campaigns_catch_and_shrink(library: Library, strategy: spec.Strategy) -> None:
    fault = strategy.claims.fault
    assert fault is not None
    found = campaign(library, SPEC, strategy, [DEFAULT], frozenset([fault]), 3, 20.0)
    assert found.example is not None
    assert found.example.shows == fault
    # The shortest possible has 13 or 14 steps; letters and digits, two or three a step.
    with Session(library, strategy.scheme, DEFAULT, found.example.bounds) as session:
        session.run(found.example.schedule)
        assert fault in session.faults()
        assert len(session.trace()) <= 20


def test_a_campaign_on_a_safe_strategy_finds_nothing_and_checks_every_event(
    library: Library,
) -> None:
    strategy = SPEC.strategy("perEncoder")
    everything = frozenset(spec.FAULTS)
    found = campaign(library, SPEC, strategy, [DEFAULT], everything, 1, 3.0)
    assert found.example is None
    assert found.faults == set()
    assert found.events > 500


def test_campaigns_agree_with_the_model_in_every_environment(library: Library) -> None:
    environments = list(SPEC.environments.values())
    for name in ("perEncoder", "noSync"):
        strategy = SPEC.strategy(name)
        found = campaign(library, SPEC, strategy, environments, frozenset(), 5, 3.0)
        assert found.example is None
        assert found.faults


def test_a_model_of_another_scheme_diverges(library: Library) -> None:
    """The comparison can fail: native rwLock against the model of globalMutex."""
    rw, mutex = SPEC.strategy("rwLock").scheme, SPEC.strategy("globalMutex").scheme
    bounds = Bounds(2, 1, 1)
    with Session(library, rw, DEFAULT, bounds) as session:
        pair = Lockstep(session, Model(mutex, DEFAULT, bounds))
        pair.dispatch(0, "create", 0)
        for _ in range(6):
            pair.step(0)
        for thread in (0, 1):
            pair.dispatch(thread, "encode", 0)
        pair.step(0)
        with pytest.raises(DivergenceError, match="no such step: B encode 0: acquire") as caught:
            pair.step(1)
    assert any(line.startswith("native:") for line in caught.value.lines())


def test_the_same_seed_finds_the_same(library: Library) -> None:
    strategy = SPEC.strategy("perOp")
    runs = [
        campaign(library, SPEC, strategy, [DEFAULT], frozenset(["nullDeref"]), 11, 20.0)
        for _ in range(2)
    ]
    assert runs[0].example == runs[1].example


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("strategy", UNSAFE, ids=lambda s: s.name)
def test_each_unsafe_strategy_is_caught_with_every_seed(
    library: Library, strategy: spec.Strategy, seed: int
) -> None:
    fault = strategy.claims.fault
    assert fault is not None
    found = campaign(library, SPEC, strategy, [DEFAULT], frozenset([fault]), seed, 60.0)
    assert found.example is not None
    assert found.example.shows == fault


def test_programs_are_all_of_them_up_to_renaming() -> None:
    names = programs()
    assert len(names) == len(set(names))
    # 10 operations, 10,000 programs per set-up.  Burnside: swaps of the threads fix 100, of the
    # encoders none, of both 100; after c0 alone the encoders differ.
    assert len(names) == 2 * (10_000 + 100 + 0 + 100) // 4 + (10_000 + 100) // 2
    assert sorted(programs(seed=5)) == sorted(names)
    assert programs(seed=5) != names


# --- Free-running threads ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["globalMutex", "perEncoder"])
def test_safe_strategies_stand_every_seed(name: str) -> None:
    executable = native.build(native.STRESS, SPEC)
    for seed in range(5):
        found = stress.free_run(executable, name, DEFAULT, 4, 42_000, seed)
        assert found.operations >= 42_000
        assert (found.faults, found.unexplained, found.met, found.trouble) == ({}, 0, 0, "")
        assert found.released > 0 and found.handlers > 0


def test_crash_mode_is_a_real_crash() -> None:
    executable = native.build(native.STRESS, SPEC)
    found = stress.free_run(executable, "noSync", DEFAULT, 4, 42_000, 1, crash=True)
    assert found.trouble == f"crashed with signal {int(signal.SIGSEGV)}"
    found = stress.free_run(executable, "perEncoder", DEFAULT, 4, 42_000, 1, crash=True)
    assert found.trouble == ""


def test_assertion_mode_reports_an_unguarded_handler() -> None:
    executable = native.build(native.STRESS, SPEC)
    bypass = SPEC.environments["handlersBypass"]
    for env, expected in ((bypass, True), (DEFAULT, False)):
        found = stress.free_run(executable, "perEncoder", env, 2, 5000, 1, assert_held=True)
        assert ("unguarded call" in found.trouble) == expected


# --- Counterexamples ---------------------------------------------------------------------------


@pytest.fixture
def example(tmp_path: Path) -> Path:
    schedule = "Ac0A6Ae0A2Be0B2"
    found = Counterexample("rwLock", "default", Bounds(2, 1, 1), schedule, "encoderOverlap")
    return save(found, tmp_path / "saved")


def test_a_saved_counterexample_is_read_back(example: Path) -> None:
    assert load_counterexample(example).schedule == "Ac0A6Ae0A2Be0B2"
    assert [p.name for p in example.parent.iterdir()] == ["rwLock-default-encoderOverlap.json"]


def test_a_replay_shows_it_again_and_records_a_trace(
    verify: type_of_run, example: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "trace.ndjson"
    done = verify("stress", "--replay", example, "--trace", recorded)
    assert done.returncode == 0, done.stderr
    assert "encoderOverlap: shown again" in done.stdout
    trace = traces.load(recorded)
    assert traces.check(trace.trace, SPEC.strategy("rwLock").scheme, DEFAULT) is None
    assert trace.trace.fault is not None and trace.trace.fault.fault == "encoderOverlap"
    again = verify("stress", "--replay", recorded)
    assert again.returncode == 0, again.stderr


def test_a_replay_that_does_not_show_it_is_refuted(verify: type_of_run, example: Path) -> None:
    data = json.loads(example.read_text())
    example.write_text(json.dumps(data | {"shows": "nullDeref"}))
    done = verify("stress", "--replay", example)
    assert done.returncode == 1
    assert "NOT shown" in done.stdout


def test_a_counterexample_of_the_model_runs_on_the_native_guard(tmp_path: Path) -> None:
    """What `verify explore` finds in the model, the real guard and driver do."""
    from verify.explore import explore

    for strategy in UNSAFE:
        found = explore(Question(strategy.scheme, DEFAULT, 2, 1, 2))
        for fault, trace in found.counterexamples.items():
            path = tmp_path / f"{strategy.name}-{fault}.ndjson"
            path.write_text(traces.dump(strategy.name, "default", trace))
            verdict, example, lines, _ = replay(path, SPEC)
            assert verdict is Verdict.AGREES, (strategy.name, fault, lines)
            assert example.shows == fault


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"strategy": 5},
        {"bounds": {"threads": 2}},
        {"bounds": {"threads": 0, "encoders": 1, "blocks": 1}},
        {"schedule": "Ae0"},
        {"schedule": None},
        {"strategy": "nobody"},
        {"environment": "nowhere"},
    ],
)
def test_a_damaged_counterexample_is_one_line_and_exit_3(
    verify: type_of_run, example: Path, change: dict[str, object]
) -> None:
    example.write_text(json.dumps(json.loads(example.read_text()) | change))
    done = verify("stress", "--replay", example)
    assert done.returncode == 3, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("")
    example = Counterexample("noSync", "default", Bounds(2, 1, 1), "", "nullDeref")
    with pytest.raises(VerifyError, match=r"make room"):
        save(example, target / "below")


def test_ctrl_c_leaves_no_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "verify", "stress", "--budget", "60s", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not children(process.pid):
        time.sleep(0.05)  # until a compiler or a driver is at work
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "verify: interrupted"
    # A compiler that was at work ends by itself, and the system has to reap it.
    with pytest.raises(ProcessLookupError):
        while True:  # until this test's time is up
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_metal_is_undetermined_without_macos(verify: type_of_run) -> None:
    done = verify("stress", "--driver", "metal")
    assert done.returncode == 2
    assert "macOS" in done.stderr


def test_the_validation_layer_agrees_on_a_real_api(verify: type_of_run) -> None:
    try:
        native.build(native.VULKAN, SPEC)
        vulkan.run_once(native.build(native.VULKAN, SPEC), VulkanRun(), {"seconds": 0})
    except EngineMissing as missing:
        pytest.skip(str(missing))
    names = ("globalMutex", "perEncoder", "rwLock")
    chosen = [word for name in names for word in ("--strategy", name)]
    done = verify("stress", "--driver", "vulkan", "--json", "--budget", "6s", *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["strategy"]: row for row in json.loads(done.stdout)["strategies"]}
    assert all(row["agrees"] for row in rows.values())
    assert all(rows[name]["own_pools"]["operations"] >= 40_000 for name in names[:2])
    assert rows["globalMutex"]["one_pool"]["threading"] == 0
    assert rows["perEncoder"]["one_pool"]["threading"] > 0  # the pool is the shared registry


def test_without_vulkan_nothing_is_decided(verify: type_of_run) -> None:
    done = verify("stress", "--driver", "vulkan", VK_ICD_FILENAMES="/nonexistent")
    assert done.returncode == 2, done.stdout
    assert "Vulkan" in done.stderr or "cannot be built" in done.stderr


def test_hypothesis_missing_is_undetermined(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(EngineMissing, match="pip install hypothesis"):
        campaign(library, SPEC, SPEC.strategy("noSync"), [DEFAULT], frozenset(), 1, 1.0)


# --- The documentation -------------------------------------------------------------------------


DOCS = Path(__file__).parents[1] / "docs"


def _documented(page: str) -> list[str]:
    """The command lines of a page's blocks of shell."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", ["stress.md", "native.md"])
def test_documented_commands_parse(page: str) -> None:
    from verify.cli import group

    lines = _documented(page)
    assert lines
    for line in lines:
        for words in re.findall(r"\bverify ((?:stress|compare|audit|replay) [^>&;]*)", line):
            name, *arguments = shlex.split(words.replace("$seed", "1"))
            context = group.make_context("verify", [name])
            command = group.get_command(context, name)
            assert command is not None
            command.make_context(name, arguments, parent=context)


def test_documented_tests_exist() -> None:
    lines = [line for line in _documented("stress.md") if line.startswith("pytest ")]
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line.replace("-n 2", "-n 0 --collect-only -q"))[1:]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout[-500:])


def test_every_variable_is_documented() -> None:
    """The table of variables in the documentation, the header's, and what the source reads."""
    native_sources = resources.root() / "native" / "capi"
    read = set(re.findall(r'"(MPSV_GUARD_\w+)"', (native_sources / "guard.cpp").read_text()))
    told = set(
        re.findall(r"^ \* +(MPSV_GUARD_\w+)", (native_sources / "guard.h").read_text(), re.M)
    )
    page = (DOCS / "native.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(MPSV_GUARD_\w+)", page, re.M))
    assert read == told == documented
    counters = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.M)
    from verify.guard import STATISTICS

    assert {name for row in counters for name in re.findall(r"\w+", row)} == set(STATISTICS)
