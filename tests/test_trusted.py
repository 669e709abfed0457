"""The trusted definitions and the hand-written statements, against a golden file.

Whoever weakens a claim and its theorem together changes a line here, for everybody to see.
After a change that is meant: `python -m tools trusted --write`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tools import trusted
from tools.__main__ import main
from verify import claims, resources
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

pytest_plugins = ["engine_fixtures"]

ROOT = resources.root()
REMEDY = "run `python -m tools trusted --write` and read the diff"


@pytest.fixture(scope="module")
def golden() -> list[str]:
    return (ROOT / trusted.GOLDEN).read_text(encoding="utf-8").splitlines()


def test_the_golden_file_is_current(engine: EmbeddedEngine, golden: list[str]) -> None:
    assert trusted.lines(engine, ROOT) == golden, REMEDY


def test_the_golden_file_can_be_read(golden: list[str]) -> None:
    line = r"(definition MPSVerify\.\S+ in MPSVerify\.Spec\.\w+|statement MPSVerify\.Claims\.\w+): "
    assert all(re.fullmatch(rf"{line}[0-9a-f]{{16}}", text) for text in golden)
    assert len(golden) == len(set(golden))
    stated = [name for name, _ in claims.restated(ROOT / "MPSVerify" / "Claims.lean")]
    assert [t.split()[1][:-1] for t in golden if t.startswith("statement")] == stated
    words = {text.split()[1] for text in golden if text.startswith("definition")}
    assert {"MPSVerify.Safe", "MPSVerify.Step", "MPSVerify.singleRequests"} <= words


def test_the_page_has_the_list(golden: list[str]) -> None:
    text = (ROOT / trusted.PAGE).read_text(encoding="utf-8")
    assert trusted.page(text, golden) == text, REMEDY
    with pytest.raises(VerifyError, match="has no place"):
        trusted.page(text.replace(trusted.END, ""), golden)


CHANGES: dict[str, tuple[str, str, str, set[str]]] = {
    # One change each: file, text, other text, and the definitions whose lines must differ.
    "another value": (
        "Spec/Examples.lean",
        "decide (f.mem.owner.length = 2)",
        "decide (f.mem.owner.length = 3)",
        {"Snapshot.clean"},
    ),
    "another constructor": (
        "Spec/Progress.lean",
        "(∀ u, l.thread? = some u → u = t)",
        "(∀ u, l.thread? = some u → u = u)",
        {"ReachableBy"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_meaning_is_seen(
    engine: EmbeddedEngine, tmp_path: Path, golden: list[str], change: str
) -> None:
    """Definitions alone, without the theorems about them: those would fail first."""
    shutil.copytree(ROOT / "MPSVerify", tmp_path / "MPSVerify")
    file, old, new, names = CHANGES[change]
    path = tmp_path / "MPSVerify" / file
    text = path.read_text()
    assert old in text
    comment = text.replace("/-- ", "/-- Really: ", 1)
    for source, changed in ((comment, set[str]()), (text.replace(old, new), names)):
        path.write_text(source)
        module = ".".join(Path("MPSVerify", file).with_suffix("").parts)
        known = {line for line in golden if f" in {module}: " in line}
        words = [line.split()[1].removeprefix("MPSVerify.") for line in known]
        found = trusted.of_module(engine, tmp_path, module, [], words)
        here = {line for line in found if f" in {module}: " in line}
        assert len(known) == len(here) > 2
        assert {line.split()[1].removeprefix("MPSVerify.") for line in known - here} == changed


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trusted", "--wrong"]) == 3
    assert "python -m tools trusted" in capsys.readouterr().err
