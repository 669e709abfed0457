"""What README.md and TRUST.md say, against what the program does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import type_of_run

from verify import cli, resources
from verify import spec as specs
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

ROOT = resources.root()
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRUST = (ROOT / "TRUST.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def table_below(text: str, heading: str) -> list[list[str]]:
    """The cells of the Markdown table that follows a heading or a comment, without its head."""
    _, found, rest = text.partition(heading)
    assert found, heading
    rows = re.search(r"^\|.*?(?=^[^|]|\Z)", rest, flags=re.M | re.S)
    assert rows is not None, heading
    cells = [[c.strip() for c in row.strip().strip("|").split("|")] for row in rows[0].splitlines()]
    assert re.fullmatch(r"[-: ]+", cells[1][0])
    return cells[2:]


def normalised(output: str) -> list[str]:
    """Lines of output without times, rules and the spaces that depend on widths."""
    lines = (re.sub(r"\b\d+\.\d\d s", "TIME", line).strip(" ─") for line in output.splitlines())
    return [re.sub(r" {2,}", "  ", line) for line in lines if line]


# --- Commands -------------------------------------------------------------------------------------


def simple_commands(line: str) -> list[str]:
    """The commands of a line `a && b`, as they are without the virtual environment's path."""
    plain = line.replace("$(command -v sudo) ", "").replace(".venv/bin/", "")
    return [" ".join(shlex.split(part)) for part in plain.split("&&")]


def test_there_are_two_set_up_commands_of_one_line_each() -> None:
    shell = blocks(README, "sh")
    assert len(shell) == 2
    assert all(block.count("\n") == 1 for block in shell)
    first, second = map(simple_commands, shell)
    assert first[-1] == "verify prove"
    assert second[-1] == "pytest -q"


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [re.split(r" 2>&1| >/dev/null", line.strip())[0] for line in script.splitlines()]
    packages: set[str] = set()
    for part in (part for block in blocks(README, "sh") for part in simple_commands(block)):
        words = part.split()
        if words[:2] == ["apt-get", "install"]:
            packages |= {word for word in words[2:] if not word.startswith("-")}
        elif words[0] == "apt-get":
            assert any(line.startswith("apt-get update") for line in lines)
        elif words[0] == "pip":
            target = words[-1]
            assert words == ["pip", "install", "-q", "-e", target]
            assert target in (".[embedded]", ".[embedded,test]")
            # CI has the versions that constraints.txt pins, a newcomer those that are current.
            pinned = "python -m pip install --quiet --constraint constraints.txt --editable"
            assert f"{pinned} '.[embedded,test]'" in lines
        elif words[:3] == ["python3", "-m", "venv"]:
            assert 'python3 -m venv "$scratch/venv"' in lines
        else:
            assert part in lines, f"{part}: not in .ci/run"
    installed = next(line for line in lines if "apt-get install " in line).split("install ", 1)[1]
    assert packages == {word for word in installed.split() if not word.startswith("-")}


def test_the_workflow_runs_the_same_script() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert re.search(r"^ *- run: \.ci/run$", workflow, flags=re.M)
    jobs = re.findall(r"^    name: (.*)$", workflow, flags=re.M)
    assert len(jobs) == 4
    assert [job for job in jobs if not job.endswith("(UNTRIED)")] == ["Linux, embedded engine"]


def test_the_commands_are_listed() -> None:
    assert table_below(README, "<!-- commands -->") == [
        [f"`verify {name}`", entry.help] for name, entry in cli.COMMANDS.items()
    ]


# --- Outputs --------------------------------------------------------------------------------------


def test_the_table_is_that_of_a_fresh_run(verify: type_of_run, lean_cache: Path) -> None:
    done = verify("prove", "--engine", "embedded", VERIFY_CACHE_DIR=str(lean_cache))
    assert done.returncode == 0, done.stdout + done.stderr
    printed = normalised(done.stdout)
    shown = normalised(blocks(README, "text")[0])
    start = printed.index(shown[0])
    assert printed[start : start + len(shown)] == shown
    assert printed[start + len(shown)].count("  ") == 0, "the table goes on"


def test_the_example_of_an_own_spec(verify: type_of_run, lean_cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = blocks(README.partition("<!-- spec -->")[2], "toml")[0]
    assert text.count("\n") <= 10
    path.write_text(text)
    arguments = ("prove", "--spec", path, "--engine", "embedded")
    done = verify(*arguments, VERIFY_CACHE_DIR=str(lean_cache))
    assert done.returncode == 1, done.stdout + done.stderr
    shown = normalised(blocks(README.partition("<!-- output -->")[2], "text")[0])
    printed = normalised(done.stdout)
    assert printed[: len(shown)] == shown
    assert len(printed) == len(shown) + 1, "what is left out is the closing line"


# --- Claims ---------------------------------------------------------------------------------------


def test_the_headline_claims_are_among_the_hand_written_ones() -> None:
    """The same words, theorem and file as in the whole table, which test_docs.py checks."""
    everything = (
        (ROOT / "docs" / "claims.md")
        .read_text(encoding="utf-8")
        .replace("../MPSVerify", "MPSVerify")
    )
    rows = table_below(README, "<!-- claims:")
    assert rows
    for row in rows:
        assert f"| {' | '.join(row)} |\n" in everything, row
    restated = (ROOT / "MPSVerify" / "Claims.lean").read_text(encoding="utf-8")
    restated = re.sub(r"/-.*?-/|--[^\n]*", "", restated, flags=re.S)
    number = len(re.findall(r"^theorem\s+\w+", restated, flags=re.M))
    assert f"All {number} are in [docs/claims.md]" in README


def test_exit_codes() -> None:
    rows = table_below(README, "The exit code speaks of the claims")
    shown = {word: int(code) for code, word, _ in rows}
    assert shown == {verdict.value: verdict.exit_code for verdict in Verdict}


def test_the_words_of_a_spec() -> None:
    said = README.partition("Scopes are")[2].partition(". A")[0]
    assert re.findall(r"`(\w+)`", said) == [*specs.SCOPES, *specs.MODES]


@pytest.mark.parametrize("name", ["README.md", "TRUST.md", "docs/core-names.md"])
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name
    text = file.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    paths = [link for link in links if not link.startswith("https://")]
    for path in paths:
        assert (file.parent / path).exists(), path
    for path in re.findall(r"`((?:verify|MPSVerify|native|tests|model|docs)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path


def test_every_assumption_is_named() -> None:
    """Each Boolean of an environment, in TRUST.md's list of assumptions, once."""
    assumed = re.findall(r"^- `(\w+)`:", TRUST.partition("## Assumed")[2], flags=re.M)
    assert assumed == list(next(iter(specs.load().environments.values())).flags)


def test_the_number_of_faults() -> None:
    driver = (ROOT / "MPSVerify" / "Spec" / "Driver.lean").read_text(encoding="utf-8")
    faults = re.findall(r"^  \| (\w+)$", driver.partition("inductive Fault")[2], flags=re.M)
    assert len(faults) == len(specs.FAULTS) == 8
    assert "other than the eight in" in TRUST


# --- To bring the README's outputs up to date: python tests/test_readme.py ------------------------


def update() -> None:
    """Write the commands, the table and the example's output as they are now into README.md."""

    def proved(code: int, *arguments: str | Path) -> list[str]:
        command = [sys.executable, "-m", "verify", "prove", "--engine", "embedded", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return [line.strip(" ─") for line in done.stdout.splitlines()]

    def replaced(text: str, start: str, end: str, new: str) -> str:
        before, _, rest = text.partition(start)
        return before + start + new + end + rest.partition(end)[2]

    commands = "".join(f"| `verify {n}` | {e.help} |\n" for n, e in cli.COMMANDS.items())
    head = "<!-- commands -->\n| command | what it does |\n| --- | --- |\n"
    text = replaced(README, head, "<!-- end of commands -->", commands)
    (ROOT / "README.md").write_text(text, encoding="utf-8")  # also where Lean fails below
    lines = proved(0)
    start = next(i for i, line in enumerate(lines) if line.startswith("strategy"))
    table = "\n".join(lines[start : lines.index("", start + 2)])
    text = replaced(text, "```text\n", "```\n", table + "\n")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "mine.toml")
        path.write_text(blocks(README.partition("<!-- spec -->")[2], "toml")[0])
        steps = proved(1, "--spec", path)[:-1]
    output = "\n".join(re.sub(r"^(\d+)\.", lambda n: f"{n[1]:>4}.", line) for line in steps)
    text = replaced(text, "<!-- output -->\n```text\n", "```\n", output + "\n")
    (ROOT / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update()
