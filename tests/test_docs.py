"""The documentation against the program: links, command lines, names, commands and their outputs.

A block ```console has command lines (`$ `) and what they print; a line `[...]` stands for lines
that are left out.  A block below `<!-- file: NAME -->` is that file.  The blocks of a page run in
one shell, in order, in an empty directory.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from verify import cli, resources
from verify.engines.embedded import EmbeddedEngine

pytest_plugins = ["engine_fixtures"]

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TUTORIAL, EXTENDING, COMPARISON = (
    (DOCS / f"{name}.md").read_text(encoding="utf-8")
    for name in ("tutorial", "extending", "comparison")
)
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
)
"""All Markdown of the project."""

_FENCE = re.compile(r"^```.*?^```$", flags=re.M | re.S)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        note: The comment above it, without its marks; empty if there is none.
        language: What stands behind the fence.
        text: Its lines.
    """

    note: str
    language: str
    text: str


class Step(NamedTuple):
    """A command line of a page, and what it prints; None if the page does not say."""

    command: str
    output: Sequence[str] | None


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found = re.findall(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", text, flags=re.M | re.S)
    return [Block(*parts) for parts in found]


def steps(block: Block) -> Iterator[Step]:
    """What a reader types, and sees."""
    if block.note.startswith("file: "):
        name = block.note.removeprefix("file: ")
        yield Step(f"cat > {name} <<'END-OF-FILE'\n{block.text}END-OF-FILE", ())
    elif block.language == "sh":
        yield from (Step(line, None) for line in block.text.splitlines())
    elif block.language == "console":
        command, *more = re.split(r"^\$ (.*)$", block.text, flags=re.M)
        assert not command.strip(), "output before the first command"
        for line, output in zip(more[::2], more[1::2], strict=True):
            yield Step(line, output.splitlines())


_VARYING = (
    (r"\d+\.\d+ s\b", "# s"),
    (r"\d{1,3}(?:,\d{3})+|\d{3,}", "#"),
    (r"[─ ]+", " "),
)
"""What differs between two runs: times, counts of a search, widths of columns."""


def normalised(lines: Sequence[str]) -> list[str]:
    """Lines without what differs between two runs, and without empty ones."""
    text = "\n".join(lines)
    for pattern, replacement in _VARYING:
        text = re.sub(pattern, replacement, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether lines are those that a page shows; `[...]` stands for any lines."""
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line == "[...]" else re.escape(line) + r"\n"
        for line in normalised(expected)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in normalised(printed))) is not None


def replay(script: Sequence[Step], directory: Path, environment: dict[str, str]) -> None:
    """Run steps in one shell, and compare what they print with the page.

    Each must end with 0, unless the next one is `echo $?`.
    """
    mark = "END-OF-COMMAND"
    lines = [
        f"{step.command}\n_code=$?; printf '\\n%s %s\\n' {mark} $_code; (exit $_code)"
        for step in script
    ]
    done = subprocess.run(
        ["bash"],
        input="\n".join(["exec 2>&1", *lines, ""]),
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    parts = re.split(rf"^{mark} (\d+)\n", done.stdout, flags=re.M)
    assert len(parts) == 2 * len(script) + 1, done.stdout + done.stderr
    for i, step in enumerate(script):
        printed = parts[2 * i].splitlines()
        shown = f"$ {step.command}\n" + "\n".join(printed)
        if step.output is not None:
            assert matches(step.output, printed), f"the page shows something else than\n{shown}"
        asks = i + 1 < len(script) and script[i + 1].command == "echo $?"
        assert asks or parts[2 * i + 1] == "0", shown


@pytest.fixture
def shell(tmp_path: Path, lean_cache: Path) -> dict[str, str]:
    """The environment of somebody who has installed the program and nothing else."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "verify"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m verify "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "VERIFY_CACHE_DIR": str(lean_cache),
    }


# --- Commands and outputs -------------------------------------------------------------------------


def test_another_output_is_seen() -> None:
    page = ["one  1.00 s", "[...]", "four"]
    assert matches(page, ["one 0.25 s", "two", "three", "", "four"])
    assert matches(page, ["one 0.25 s", "four"])
    assert not matches(page, ["one", "four"])
    assert not matches(page, ["one 0.25 s", "two", "four", "five"])
    assert not matches([], ["one"])


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    fails, asks = Step("false", ()), Step("echo $?", ("1",))
    replay([fails, asks], tmp_path, environment)
    with pytest.raises(AssertionError, match=r"\$ false"):
        replay([fails], tmp_path, environment)
    with pytest.raises(AssertionError, match="something else"):
        replay([Step("echo yes", ("no",))], tmp_path, environment)


@pytest.mark.slow  # README's own example is replayed in the ordinary run
def test_the_proofs_of_the_tutorial(shell: dict[str, str], tmp_path: Path) -> None:
    """Up to the repaired spec; what needs a compiler and minutes is in the slow test."""
    before, _, after = TUTORIAL.partition("\n## 6. ")
    assert after
    script = [
        step
        for block in blocks(before)
        if block.note not in ("install", "project")
        for step in steps(block)
    ]
    commands = [step.command for step in script]
    assert sum(c.startswith("verify ") for c in commands) >= 7
    assert sum(c.startswith("cat > strategies.toml") for c in commands) == 3
    work = tmp_path / "work"
    work.mkdir()
    replay(script, work, shell)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tutorial_needs_no_other_step(tmp_path: Path) -> None:
    """From the clone: a fresh virtual environment, home and cache; every block of the page."""
    # How this machine reaches its package index is no step of the page.
    kept = re.compile(r"PATH|PIP_\w+|SSL_\w+|\w+_proxy", flags=re.I)
    environment = {name: value for name, value in os.environ.items() if kept.fullmatch(name)}
    pip = Path.home() / ".config" / "pip" / "pip.conf"
    if pip.exists():
        environment.setdefault("PIP_CONFIG_FILE", str(pip))
    path = [p for p in os.environ["PATH"].split(os.pathsep) if p != str(Path(sys.prefix) / "bin")]
    environment |= {"PATH": os.pathsep.join(path), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    script = [step for block in blocks(TUTORIAL) for step in steps(block)]
    replay(script, ROOT, environment)
    assert (tmp_path / "my-project" / "verify.toml").is_file()
    assert (tmp_path / "mps-verify" / "bin" / "verify").is_file()


@pytest.mark.slow  # README's own example is replayed in the ordinary run
def test_the_example_of_a_strategy(shell: dict[str, str], tmp_path: Path) -> None:
    script = [step for block in blocks(EXTENDING) for step in steps(block)]
    assert len(script) == 2
    work = tmp_path / "work"
    work.mkdir()
    replay(script, work, shell)


def test_the_example_of_a_theorem(engine: EmbeddedEngine, tmp_path: Path) -> None:
    (block,) = (block for block in blocks(EXTENDING) if block.language == "lean")
    theorem = block.note.removeprefix("lean: ")
    shutil.copytree(resources.root() / "MPSVerify", tmp_path / "MPSVerify")
    source = tmp_path / "MPSVerify" / "Theory" / "Racy.lean"
    assert not source.exists()
    source.write_text(block.text, encoding="utf-8")
    build = engine.build(tmp_path, ["MPSVerify.Theory.Racy"])
    found = engine.audit(build, [theorem], [])
    assert build.ok
    assert found.ok, found.problems
    converse = block.text.replace("Safe .default σ :=", "Safe .noRetain σ :=")
    assert converse != block.text
    source.write_text(converse, encoding="utf-8")
    assert not engine.build(tmp_path, ["MPSVerify.Theory.Racy"]).ok


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_example_in_c_compiles() -> None:
    (block,) = (block for block in blocks(TUTORIAL) if block.language == "c")
    command = ["gcc", "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command += ["-I", str(ROOT / "native" / "capi"), "-"]
    done = subprocess.run(command, input=block.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- Links ----------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *$", _FENCE.sub("", text), flags=re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = next(n for n in range(99) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def bad_links(page: Path, text: str) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    prose = _INLINE.sub("", _FENCE.sub("", text))
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
        if re.match(r"https://[\w.-]+\.\w+(/|$)", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            yield link
        elif anchor:
            own = text if target == page else target.read_text(encoding="utf-8")
            if target.suffix != ".md" or anchor not in anchors(own):
                yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(bad_links(page, page.read_text(encoding="utf-8"))) == []


def test_a_bad_link_is_seen() -> None:
    text = "# A `b`, c\n# A b c\n[x](#a-b-c) [x](#a-b-c-1) [x](no.md) [`x`](#d)\n`[y](z)`\n"
    text += "[w](tutorial.md#1-recognise-the-crash) [w](tutorial.md#crash) [v](http://a.org/)\n"
    found = list(bad_links(DOCS / "README.md", text))
    assert found == ["no.md", "#d", "tutorial.md#crash", "http://a.org/"]


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| \[[^\]]*\]\(([^)]+)\) \|", index, flags=re.M))
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"README.md"} | {"../TRUST.md"}


# --- Command lines --------------------------------------------------------------------------------


def typed(block: Block) -> Iterator[str]:
    """The lines of a block that a shell would run."""
    for line in re.sub(r"\\\n", " ", block.text).splitlines():
        if block.language == "console" and line.startswith("$ "):
            yield line[2:]
        elif block.language == "yaml":
            yield re.sub(r"^\s*(?:-\s+)?(?:run|entry)?:?\s*", "", line)
        elif block.language in ("sh", ""):
            yield line


def command_lines(text: str) -> Iterator[str]:
    """What follows `verify` on the command lines of a page's blocks."""
    for line in (line for block in blocks(text) for line in typed(block)):
        plain = re.sub(r"\s#.*|\s\d?>.*", "", re.sub(r"\$\w+", "1", line))
        for part in re.split(r"&&|;|\||&(?!\w)", plain):
            words = re.sub(r"^(?:\s*(?:do|time|\w+=\S*)\s)*\s*", "", part)
            if found := re.match(r"(?:\S*/)?verify\s+(.*)", words):
                yield found[1].strip()


def parse(line: str) -> None:
    """Parse a command line as `verify` would, and run nothing.

    Raises:
        click.UsageError: It is wrong.
    """
    parent, command, words = click.Context(cli.group), cli.group, shlex.split(line)
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            break
        name, *words = words
        found = command.get_command(parent, name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command = found  # type: ignore[assignment]  # a group is a command
    if command is cli.group:
        assert words in (["--help"], ["--version"]), line
        return
    try:
        command.make_context(command.name, list(words), parent=parent)
    except click.exceptions.Exit:  # --help
        return


def bad_options(code: str) -> list[str]:
    """What is unknown in a command line with placeholders, as in `verify prove --spec FILE`."""
    words = code.split()[1:]
    if not words or not re.fullmatch(r"[a-z]+", words[0]):
        return []
    command = cli.group.get_command(click.Context(cli.group), words[0])
    if isinstance(command, click.Group) and len(words) > 1 and words[1] in command.commands:
        command = command.commands[words[1]]
    if command is None:
        return [words[0]]
    known = {"--help", "-h", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
    used = {word.partition("=")[0] for word in words if re.match(r"--?\w", word)}
    return sorted(used - known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_command_lines_parse(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no verify.toml is found
    text = page.read_text(encoding="utf-8")
    for line in command_lines(text):
        try:
            parse(line)
        except click.UsageError as error:
            pytest.fail(f"verify {line}: {error.format_message()}")
    for code in _INLINE.findall(_FENCE.sub("", text)):
        if code.startswith("verify "):
            assert bad_options(code) == [], code


def test_a_wrong_command_line_is_seen() -> None:
    page = "```sh\nA=1 verify prove --spek x && .venv/bin/verify bench no\n```\n"
    page += "```console\n$ verify explore --threads many > x\nverify nothing\n```\n"
    page += "```yaml\n- run: verify gate --only all  # why\n```\n"
    lines = list(command_lines(page))
    assert lines == ["prove --spek x", "bench no", "explore --threads many", "gate --only all"]
    for line in lines:
        with pytest.raises(click.UsageError):
            parse(line)
    assert bad_options("verify prove --spek FILE") == ["--spek"]
    assert bad_options("verify shake") == ["shake"]
    assert bad_options("verify bench scaling --data N --date") == ["--date"]
    assert bad_options("verify COMMAND --json") == []


# --- Names ----------------------------------------------------------------------------------------


def rows(text: str) -> Iterator[tuple[Path, str]]:
    """The rows of tables that begin with a link to a file: the file, the other cell."""
    for link, cell in re.findall(r"^\| \[[^\]]*\]\(([^)]+)\) \| (.*) \|$", text, flags=re.M):
        yield DOCS / link, cell


def test_the_names_of_extending_exist() -> None:
    checked = 0
    for file, cell in rows(EXTENDING):
        source = file.read_text(encoding="utf-8")
        for name in re.findall(r"`(-*[\w?]+)`", cell):
            assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source), f"{name}: not in {file}"
            checked += 1
    assert checked > 25


@pytest.mark.parametrize(
    ("section", "words"),
    [("An assumption", ("atomicFreelist",)), ("A fault", ("writeAfterFree", "deadDispatch"))],
)
def test_no_file_is_left_out_of_extending(section: str, words: Sequence[str]) -> None:
    """All sources that have the words, outside the proofs and what is generated, are listed."""
    part = EXTENDING.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    listed = {file.resolve() for file, _ in rows(part)}
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\b")
    found = {
        path
        for top in ("verify", "native", "MPSVerify/Spec")
        for path in (ROOT / top).rglob("*")
        if path.suffix in (".py", ".lean", ".cpp", ".hpp", ".h", ".mm", ".j2")
        and "core/" not in path.relative_to(ROOT).as_posix().removeprefix("native/core/")
        and pattern.search(path.read_text(encoding="utf-8"))
    }
    assert found - listed == set()


def claims() -> set[str]:
    """The names of the hand-written claims."""
    text = (ROOT / "MPSVerify" / "Claims.lean").read_text(encoding="utf-8")
    return set(re.findall(r"^theorem\s+(\w+)", text, flags=re.M))


def test_every_statement_of_the_comparison_has_a_theorem_or_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*.py"))
    known = claims() | set(re.findall(r"^def (test_\w+)", tests, flags=re.M))
    used = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", COMPARISON))
    assert len(used) > 25
    assert used - known == set()
    table = COMPARISON.partition("| the report said |")[2].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        assert re.search(r"`[a-z]+(_[a-z0-9]+)+`", row), f"nothing holds: {row}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_theorems_are_where_the_link_leads(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, link in re.findall(r"\[`(\w+)`\]\(([^)]+\.lean)\)", text):
        source = (page.parent / link).read_text(encoding="utf-8")
        assert re.search(rf"^theorem {name}\b", source, flags=re.M), f"{name}: not in {link}"
        assert name in claims(), f"{name} is no claim"


def test_the_faults_of_the_tutorial() -> None:
    from verify.spec import FAULTS

    table = TUTORIAL.partition("| fault |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.M) == list(FAULTS)


def test_the_claims_are_the_hand_written_ones() -> None:
    """Same sections, same theorems, same order; and each is in the file that is named."""
    source = (ROOT / "MPSVerify" / "Claims.lean").read_text(encoding="utf-8")
    expected = re.findall(r"^(?:/-! ## (.*?) -/|theorem\s+(\w+))", source, flags=re.M)
    page = (DOCS / "claims.md").read_text(encoding="utf-8")
    row = r"\| \S.*\. \| `(\w+)` \| \[[^\]]+\]\([^)]+\) \|"
    assert re.findall(rf"^(?:## (.*)|{row})$", page, flags=re.M) == expected
    body = re.findall(r"^\| (?!claim \||--- \|).*$", page, flags=re.M)
    assert all(re.fullmatch(row, line) for line in body), "a row that is no claim"
    for name, text, link in re.findall(r"`(\w+)` \| \[(.+)\]\((.+)\) \|$", page, flags=re.M):
        assert link == f"../{text}"
        theorem = rf"^theorem {name}\b"
        assert re.search(theorem, (DOCS / link).read_text(encoding="utf-8"), flags=re.M), name


def test_nothing_is_left_to_be_filled_in() -> None:
    marks = re.compile(r"@@|\b(?:TODO|FIXME|TBD)\b")
    assert [page.name for page in PAGES if marks.search(page.read_text(encoding="utf-8"))] == []


def test_the_table_of_scaling_is_what_was_recorded() -> None:
    runs = json.loads((DOCS / "guard-scaling.json").read_text(encoding="utf-8"))["runs"]
    rows = []
    for at in zip(*(run["scaling"] for run in runs), strict=True):
        kept = [
            ", ".join("{1:.2f} [{0:.2f}, {2:.2f}]".format(*here[f"{name}_kept"]) for here in at)
            for name in ("perEncoder", "globalMutex")
        ]
        rows.append(f"| {at[0]['threads']} | {kept[0]} | {kept[1]} |\n")
    assert len(rows) == 5
    assert "".join(rows[1:]) in (DOCS / "native.md").read_text(encoding="utf-8")
    for run in runs:
        # The cost of the guard itself, against a mutex with other threads alive.
        assert all(cost - run["hook"] <= 2 * run["mutex"] for cost in run["guarded"].values())
        assert all(here["perEncoder_kept"][1] >= 0.9 for here in run["scaling"])
