"""`verify bundle`: everything that a report needs, and nothing about who made it."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import stat
import zipfile
from pathlib import Path

import pytest
from conftest import STRATEGY

from verify import anonymous, cli, doctor
from verify.gating import bundle, stages, store
from verify.gating.stages import Subject

BROKEN = STRATEGY.replace('complete = "encoder exclusive"', 'complete = "none"')
EXPECT = "[strategy.expect]\nsafe = false\nparallel = true\n"

SECRETS = {
    "USER": "planteduser",
    "LOGNAME": "plantedlogin",
    "HOME": "/home/plantedhome",
    "HOSTNAME": "plantedhost.example.org",
    "PLANTED_TOKEN": "plantedtoken",
    "VERIFY_PLANTED": "plantedvalue",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose name must not get out, with a spec; no engine runs in these tests."""
    work = tmp_path / "planteddirectory"
    work.mkdir()
    (work / "strategies.toml").write_text("# plantedcomment\n" + BROKEN + EXPECT)
    (work / "verify.toml").write_text('spec = "strategies.toml"\n')
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "gethostname", lambda: "plantedmachine.local")
    monkeypatch.setattr(store, "package", lambda: "0" * 64)
    monkeypatch.chdir(work)
    monkeypatch.setattr(bundle, "_STAGES", ("prove", "explore"))
    monkeypatch.setattr(stages, "command", _stand_in(stages.command))
    rows = [
        doctor.Row("python", f"3.11 ({work}/bin/python of planteduser)", True, "all", ""),
        doctor.Row("host", "PlantedMachine, plantedhost.example.org", True, "all", ""),
    ]
    monkeypatch.setattr(doctor, "rows", lambda: rows)
    return work


def _stand_in(real: object) -> object:
    assert callable(real)

    def command(name: str, subject: Subject) -> list[str]:
        words: list[str] = list(real(name, subject))
        if name == "explore":
            return [*words, "--engine", "python", "--encoders", "1"]
        text = json.dumps(
            {"verdict": "ERROR", "error": f"{Path.home()}/x: planteduser@{Path.cwd()}"}
        )
        return [words[0], "-I", "-c", f"print({text!r}); raise SystemExit(3)"]

    return command


def test_a_bundle_has_what_a_report_needs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bundle", "--json", "--out", "report.zip"]) == 0
    said = json.loads(capsys.readouterr().out)
    with zipfile.ZipFile(here / "report.zip") as packed:
        names = [name.partition("/")[2] for name in packed.namelist()]
        texts = {name: packed.read(f"mps-verify-report/{name}").decode() for name in names}
        # Every byte of the archive, names and headers included.
        everything = "\n".join(texts.values()) + (here / "report.zip").read_bytes().decode("latin1")
    assert sorted(names) == said["files"]
    assert {"README.txt", "spec.toml", "verdicts.json", "prove.json", "environment.json"} <= {
        *names
    }
    for planted in re.findall(r"planted\w*", everything, re.IGNORECASE):
        pytest.fail(f"{planted} got out")
    assert str(here) not in everything
    assert json.loads(texts["prove.json"])["output"]["error"] == "<home>/x: <user>@<here>"
    assert json.loads(texts["verdicts.json"])["prove"] == "ERROR"
    # The run of the counterexample, as a trace and as a picture.
    traces = [name for name in names if name.startswith("traces/") and name.endswith(".txt")]
    assert traces
    for name in traces:
        fault = name.rpartition("-")[2].removesuffix(".txt")
        assert fault in texts[name]
        assert texts[name].isascii()
        assert name.replace(".txt", ".ndjson") in names
    # The spec is one: what a maintainer runs.
    (here / "again.toml").write_text(texts["spec.toml"])
    assert cli.run(["generate", "--spec", "again.toml", "--out", "out", "--quiet"]) == 0


def test_the_search_can_fail(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "strategies.toml"
    path.write_text(path.read_text().replace('"my guard"', '"the guard of PlantedUser"'))
    assert cli.run(["bundle", "--out", "report.zip", "--quiet"]) == 3
    assert "spec.toml holds 'planteduser'; rename it" in capsys.readouterr().err
    assert not (here / "report.zip").exists()


def test_the_archive_depends_on_the_files_alone() -> None:
    files = {"b": b"2", "a": b"1" * 1000}
    data = bundle.archive(files)
    assert data == bundle.archive(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.namelist() == ["mps-verify-report/a", "mps-verify-report/b"]
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_times_are_left_out() -> None:
    value = {"seconds": 1, "rows": [{"peak_mb": 2, "states": 3}], "x": {"cached": True}}
    assert bundle._without_times(value) == {"rows": [{"states": 3}], "x": {}}


def test_names_that_everybody_has_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "root")
    monkeypatch.setenv("LOGNAME", "ab")
    texts = [text for text, _, _ in anonymous.hidden()]
    assert "root" not in texts
    assert "ab" not in texts


@pytest.mark.parametrize("out", ["no/such/directory/x.zip", "."])
def test_a_place_that_cannot_be_written(
    here: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["bundle", "--out", out]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_pipe_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "collect", lambda *_: {"verdicts.json": b"{}"})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert cli.run(["bundle", "--out", str(pipe)]) == 0
    assert os.read(reading, 2) == b"PK"
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
