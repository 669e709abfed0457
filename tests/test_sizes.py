"""Large inputs: many strategies, many threads; and what is too large for one engine."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from verify import cli, explore_native, generate, spec
from verify.cxx import NoCompilerError
from verify.errors import VerifyError
from verify.explore import explore
from verify.question import Limits, Question, TooLargeError, each_instance
from verify.semantics import Bounds
from verify.spec import KINDS, Environment, LockScheme, Request
from verify.symmetry import MAX_RENAMINGS

SHIPPED = spec.load()
LARGE = ["explore", "--threads", "8", "--encoders", "8", "--strategy", "perStream"]


def scheme(*scopes: str) -> LockScheme:
    return LockScheme(dict.fromkeys(KINDS, tuple(Request(s, "exclusive") for s in scopes)), True)


# --- Which instances there are --------------------------------------------------------------------


def plainly(lock: LockScheme, env: Environment, threads: int, encoders: int) -> list[Bounds]:
    """`each_instance` by trying every map and every renaming."""
    default = Bounds(threads, encoders, 2)
    scopes = {request.scope for requests in lock.locks.values() for request in requests}

    def named(classes: Iterator[int]) -> tuple[int, ...]:
        names: dict[int, int] = {}
        return tuple(names.setdefault(c, len(names)) for c in classes)

    def divided(size: int) -> list[tuple[int, ...]]:
        return sorted({named(iter(p)) for p in itertools.product(range(size), repeat=size)})

    streams = divided(threads) if "stream" in scopes else [default.streams]
    queues = divided(encoders) if "queue" in scopes else [default.queues]
    homes = [default.homes]
    if not env.sharedEncoders:
        homes = list(itertools.product(range(threads), repeat=encoders))
    seen, found = set(), []
    for s, q, h in itertools.product(streams, queues, homes):
        key = min(
            (
                named(s[t] for t in order),
                named(q[e] for e in places),
                () if env.sharedEncoders else tuple(order.index(h[e]) for e in places),
            )
            for order in itertools.permutations(range(threads))
            for places in itertools.permutations(range(encoders))
        )
        if key not in seen:
            seen.add(key)
            found.append(Bounds(threads, encoders, 2, s, h, q))
    found.sort(key=lambda b: (-len(set(b.streams)), -len(set(b.queues)), -len(set(b.homes))))
    return found


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("scopes", [(), ("stream",), ("queue",), ("stream", "queue")])
def test_each_instance_is_visited_once(scopes: tuple[str, ...], shared: bool) -> None:
    env = Environment("x", "", sharedEncoders=shared)
    for threads, encoders in ((1, 1), (2, 2), (3, 2), (2, 3), (3, 3), (2, 4)):
        wanted = plainly(scheme(*scopes), env, threads, encoders)
        assert list(each_instance(scheme(*scopes), env, threads, encoders, 2)) == wanted


@pytest.mark.parametrize("shared", [True, False])
def test_the_first_instances_of_eight_threads_are_there_at_once(shared: bool) -> None:
    """There are 40,320 times 40,320 renamings: nobody may walk through them."""
    env = Environment("x", "", sharedEncoders=shared)
    lazily = each_instance(scheme("stream", "queue"), env, 8, 8, 16)
    found = list(itertools.islice(lazily, 400))
    assert len(set(found)) == 400
    assert len(set(found[0].streams)) == len(set(found[0].queues)) == 8


# --- A search that has no end ---------------------------------------------------------------------


def test_eight_threads_end_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The first instance uses up the time, and no other is begun."""
    assert cli.run([*LARGE, "--time", "0.2", "--json"]) == 2
    printed = capsys.readouterr()
    (row,) = json.loads(printed.out)["rows"]
    assert not row["complete"]
    # Which engine searched is said, in one line.
    assert re.fullmatch(
        r"8 threads, 8 encoders, 16 blocks: a state has \d+ bits, the native engine takes 62: "
        r"searched in Python instead\n",
        printed.err,
    )


def test_time_is_for_all_instances_together() -> None:
    lock, env = scheme("stream"), SHIPPED.environments["default"]
    assert len(explore(Question(lock, env, 3, 1, 2)).instances) == 3
    stopped = explore(Question(lock, env, 3, 1, 2, limits=Limits(seconds=0)))
    assert len(stopped.instances) == 1
    assert not stopped.complete


def test_the_native_engine_alone_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*LARGE, "--engine", "native", "--time", "1"]) == 3
    assert "use fewer, or --engine python" in capsys.readouterr().err


def test_symmetry_of_eight_threads_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*LARGE, "--symmetry", "--time", "1"]) == 3
    printed = capsys.readouterr().err
    assert f"more than {MAX_RENAMINGS:,}; use fewer, or leave --symmetry out" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "error",
    [
        TooLargeError("large; use less"),
        NoCompilerError("no C++ compiler; get one"),
        VerifyError("odd++: does not compile: what?; use another"),
    ],
)
def test_auto_searches_in_python_where_native_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: VerifyError
) -> None:
    def cannot(_: str) -> Path:
        raise error

    monkeypatch.setattr(explore_native, "build", cannot)
    words = ["explore", "--encoders", "1", "--strategy", "perEncoder", "--strategy", "noSync"]
    cli.run([*words, "--json"])
    printed = capsys.readouterr()
    rows = json.loads(printed.out)["rows"]
    assert all(row["complete"] for row in rows)
    said = str(error).partition("; ")[0]
    assert printed.err == f"{said}: searched in Python instead\n"  # once, not for each strategy
    assert cli.run([*words, "--engine", "native"]) in (2, 3)


# --- Programs that print something else -----------------------------------------------------------

GOOD: dict[str, object] = {
    "states": 1, "edges": 0, "complete": True, "out_of_memory": False, "out_of_time": False,
    "seconds": 0.1, "bytes": 8, "found": {},
}  # fmt: skip
ODD = [
    "",
    "garbage",
    "[]",
    "null",
    '{"states": 1',
    "[" * 100_000,
    '{"states": ' + "9" * 5000 + "}",
    json.dumps(GOOD | {"states": "many"}),
    json.dumps(GOOD | {"states": -1}),
    json.dumps(GOOD | {"states": True}),
    json.dumps(GOOD | {"edges": 1e30}),
    json.dumps(GOOD | {"bytes": 2**70}),
    json.dumps(GOOD | {"seconds": float("nan")}),
    json.dumps(GOOD | {"seconds": float("inf")}),
    json.dumps(GOOD | {"complete": 1}),
    json.dumps(GOOD | {"found": []}),
    json.dumps(GOOD | {"found": {"noFault": {"depth": 1}}}),
    json.dumps(GOOD | {"found": {"nullDeref": 7}}),
    json.dumps(GOOD | {"found": {"nullDeref": {"depth": 1, "words": [0.5]}}}),
    json.dumps(GOOD | {"found": {"nullDeref": {"depth": 1, "words": [1, 2**62]}}}),
    json.dumps({key: value for key, value in GOOD.items() if key != "found"}),
    json.dumps({"progress": True}),
]


@pytest.mark.parametrize("output", ODD, ids=range(len(ODD)))
def test_odd_output_of_the_native_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, output: str
) -> None:
    (tmp_path / "output").write_text(output + "\n")
    program = tmp_path / "engine"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {tmp_path}/output\n")
    program.chmod(0o755)
    monkeypatch.setattr(explore_native, "build", lambda _: program)
    words = ["explore", "--engine", "native", "--strategy", "perEncoder"]
    assert cli.run(words) == 3
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    assert str(program) in printed.err or "native engine" in printed.err
    assert len(printed.err) < 500


def test_the_stand_in_can_be_believed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With a proper answer the same program is taken at its word."""
    program = tmp_path / "engine"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{json.dumps(GOOD)}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(explore_native, "build", lambda _: program)
    cli.run(["explore", "--engine", "native", "--strategy", "perEncoder", "--json"])
    assert json.loads(capsys.readouterr().out)["rows"][0]["states"] == 1


# --- Many strategies ------------------------------------------------------------------------------


def many(number: int) -> str:
    """A spec; every third strategy takes no lock and is claimed to be unsafe."""
    text = ""
    for i in range(number):
        lock = "none" if i % 3 == 2 else "encoder exclusive"
        text += f'[[strategy]]\nname = "s{i}"\nenglish = "number {i}"\ncheck = true\n'
        text += "[strategy.locks]\n" + "".join(f'{kind} = "{lock}"\n' for kind in KINDS)
        text += "[strategy.expect]\nsafe = false\n" if i % 3 == 2 else ""
    return text


def generated(number: int, directory: Path) -> dict[str, str]:
    file = directory / f"{number}.toml"
    file.write_text(many(number))
    return {path.name: text for path, text in generate.files(spec.load(file), directory).items()}


def test_what_is_generated_grows_as_the_number_of_strategies(tmp_path: Path) -> None:
    """A formula that names every strategy takes Lean its square: past 32 there is none."""
    sizes = [sum(map(len, generated(number, tmp_path).values())) / number for number in (50, 200)]
    assert sizes[1] < 1.1 * sizes[0]
    for number, formula in ((32, True), (33, False)):
        text = generated(number, tmp_path)["SyncStrategyCompleteness.lean"]
        assert ("s = .s0 ∨ s = .s1 ∨ " in text) == formula
        assert ("def Strategy.isSafe : Strategy → Bool" in text) == (not formula)
        assert f"s{number - 1}.faults_default" in text


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [33, 100, 200])
def test_many_strategies_are_proved(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "many.toml"
    file.write_text(many(number))
    assert cli.run(["prove", "--spec", str(file), "--engine", "embedded", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "PROVED"
    assert result["errors"] == []
    claims = [claim["verdict"] for row in result["strategies"] for claim in row["claims"]]
    assert set(claims) == {"PROVED"}
    assert len(claims) >= 8 * number
