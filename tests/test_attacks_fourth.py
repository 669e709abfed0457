"""A fourth round of attacks: odd files, wrong command lines, arms that are not there."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from verify import files, native
from verify import spec as specs
from verify.errors import VerifyError
from verify.records.stress import FreeResult
from verify.stress import FakeDriver, Row, _show

LOCKS = """\
check = true
[strategy.locks]
create = "encoder exclusive"
encode = "encoder exclusive"
destroy = "encoder exclusive"
complete = "encoder exclusive"
"""


def _verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "verify", *arguments], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def test_a_dumped_spec_makes_the_same_claims(tmp_path: Path) -> None:
    """`verify bundle` packs what `dump` writes: `readers_pass` decides a verdict."""
    path = tmp_path / "mine.toml"
    path.write_text(f'[[strategy]]\nname = "mine"\nreaders_pass = true\n{LOCKS}')
    spec = specs.load(path)
    path.write_text(specs.dump(spec))
    assert specs.load(path) == spec
    assert specs.load(path).strategies[0].policies == ("readersPass",)


@pytest.mark.parametrize(
    "text",
    [
        "[" + ".".join(["a"] * 50_000) + "]",
        ".".join(["a"] * 50_000) + " = 1",
        "x = {" + " . ".join(['"a"'] * 50_000) + " = 1}",
    ],
)
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(f"\n{text}\n")
    monkeypatch.setattr("tomllib.loads", lambda _: pytest.fail("parsing takes quadratic time"))
    with pytest.raises(VerifyError, match=r"deep\.toml:2: a key of more than 64 parts; "):
        specs.load(path)


def test_dots_in_a_text_are_no_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[[strategy]]\nname = "mine"\nenglish = "{"so. it goes. " * 200}"\n{LOCKS}')
    assert specs.load(path).strategies[0].name == "mine"


@pytest.mark.parametrize("command", [("replay",), ("stress", "--replay")])
def test_a_pipe_without_a_writer_is_an_empty_file(tmp_path: Path, command: tuple[str, ...]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = _verify(*command, str(pipe))
    assert done.returncode == 3
    assert done.stderr.startswith(f"verify: {pipe}")
    assert done.stderr.count("\n") == 1


def test_a_pipe_with_a_writer_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    child = subprocess.Popen(["sh", "-c", "sleep 0.3; printf late"], stdout=writing)
    os.close(writing)
    assert files.read_start(Path(f"/dev/fd/{reading}"), 100) == b"late"
    os.close(reading)
    assert child.wait() == 0


def test_output_to_a_pipe_goes_through_it(tmp_path: Path) -> None:
    """A file in the place of `/dev/null` would be there for the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_file(pipe, "whole")
    assert os.read(reading, 100) == b"whole"
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_picture_goes_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.save_file(pipe, "drawn", parents=False)
    assert os.read(reading, 100) == b"drawn"
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_output_to_a_full_device_is_an_error() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("no /dev/full")
    with pytest.raises(OSError, match="No space"):
        files.write_file(full, "lost")
    assert full.is_char_device()


@pytest.mark.parametrize(
    "arguments",
    [
        ("explore", "--json", "--threads", "-1"),
        ("explore", "--threads", "-1", "--json"),
        ("prove", "--bogus", "--json"),
        ("stress", "--json", "--budget", "nan"),
    ],
)
def test_a_wrong_command_line_is_json_if_that_was_asked_for(arguments: tuple[str, ...]) -> None:
    done = _verify(*arguments)
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert answer["verdict"] == "ERROR"
    assert done.stderr == f"verify: {answer['error']}\n"


def _without_tsan(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A driver whose compiler knows no ThreadSanitizer, and says so in its own words."""

    def build(target: native.Target, *_: object) -> Path:
        if target is native.STRESS_TSAN:
            raise VerifyError("c++: unsupported option '-fsanitize=thread'; set CXX to another")
        return Path("stress")

    monkeypatch.setattr(native, "build", build)
    monkeypatch.setattr("verify.stress.load_library", lambda *_: None)
    return FakeDriver(specs.load(), threads=4, seed=1)


def test_a_compiler_without_the_sanitizer_leaves_the_other_arms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = _without_tsan(monkeypatch)
    assert runner.tsan is None
    assert "unsupported option" in runner.no_tsan


@pytest.mark.parametrize("gone", ["sanitizer", "schedules", "free", ""])
def test_each_arm_has_reported_is_said_of_all_arms_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    runner = _without_tsan(monkeypatch)
    runner._blind = []
    if gone != "sanitizer":
        runner.no_tsan = ""
    row = Row("noSync", "unsafe")
    row.control_schedules = 0 if gone == "schedules" else 7
    row.control_free = FreeResult(faults={} if gone == "free" else {"nullDeref": 3})
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    _show([row], runner)
    assert ("each arm has reported" in out.getvalue()) == (not gone)
