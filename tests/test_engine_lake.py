"""The lake engine, with a stand-in for `lake` that hands its work to the embedded engine.

This tests the engine's handling of what lake says and does not say.  It does not show that the
Lean program of the audit elaborates under a real toolchain: that is untried.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verify.engines import lake
from verify.engines.base import ModuleResult, Trust
from verify.engines.lake import LakeEngine, audit_program, find_toolchain, parse_output
from verify.errors import EngineMissing, VerifyError

pytest_plugins = ["engine_fixtures"]

Project = Callable[..., Path]
TOOLCHAIN = "leanprover/lean4:v4.35.0"

STAND_IN = """\
#!{python}
import json, os, re, sys
from pathlib import Path
sys.path.insert(0, {source!r})
from verify.engines import sources
from verify.engines.base import Trust
from verify.engines.embedded import EmbeddedEngine
sources.scan = lambda source: ()  # lake does no such thing
mode = Path({mode!r}).read_text()
if mode == "die": os.kill(os.getpid(), 9)
if mode == "silent": sys.exit(0)
if mode == "fail": sys.exit(1)
engine = EmbeddedEngine(cache=Path({cache!r}))
root = Path.cwd()
if sys.argv[1] == "build":
    build = engine.build(root, [a.removeprefix("+") for a in sys.argv[2:]])
    for n, result in enumerate(build.modules, 1):
        print(f"✔ [{{n}}/{{len(build.modules)}}] Built {{result.module}} (1.0s)")
        for m in result.messages:
            place = f"{{os.path.relpath(m.file, root)}}:{{m.line}}:{{m.column}}"
            print(f"{{m.severity}}: {{place}}: {{m.text}}")
    sys.exit(0 if mode == "lie" else build.exit_code)
assert sys.argv[1:4] == ["env", "lean", "--json"], sys.argv
program = Path(sys.argv[4]).read_text()
names = lambda text: re.findall("`([^ ,)]+)", text)
build = engine.build(root, re.findall("^import (?!Lean$)(.*)", program, re.M))
spaces = names(re.search(r"\\(space, owner\\) in \\(\\[([^\\]]*)\\]", program)[1])
modules = re.search(r"let trusted : [^\\n]*:= \\[(.*)\\]", program)[1]
trust = Trust(
    names(re.search(r"for statement in \\(\\[([^\\]]*)\\]", program)[1]),
    [m + "." * (b == "true") for m, b in re.findall("`([^ ,)]+), (true|false)", modules)],
    names(re.search(r"let known : [^\\n]*:= \\[(.*)\\]", program)[1]),
    list(zip(spaces[::2], spaces[1::2])),
)
lists = [t for t in re.findall(r"\\(\\[(.*?)\\] : List", program)][-2:]
flat = names(lists[1])
found = engine.audit(build, names(lists[0]), list(zip(flat[::2], flat[1::2])), trust)
answer = {{
    "errors": list(found.errors), "findings": list(found.findings), "skipped": 0,
    "declared": found.constants, "constants": found.constants,
    "theorems": [
        {{"name": t.name, "kind": t.kind, "axioms": t.axioms, "statement": t.statement}}
        for t in found.theorems
    ],
    "pairs": [vars(p) for p in found.pairs],
}}
nonce = re.search('logInfo \\\\("(.*?)"', program)[1]
text = nonce + json.dumps(answer)
if mode == "garbled": text = text[:-3]
if mode == "stale": text = "0" * 16 + text[16:]
message = {{"severity": "information", "pos": {{"line": 1, "column": 0}}, "data": text}}
for _ in range(2 if mode == "twice" else 1):
    print(json.dumps(message))
if mode == "complain":
    print(json.dumps({{**message, "severity": "error", "data": "unknown constant"}}))
sys.exit(1 if mode == "exit" else 0)
"""


@pytest.fixture
def elan(tmp_path: Path, lean_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An elan home with the toolchain; writing a word to `mode` makes its lake misbehave."""
    home = tmp_path / "elan"
    program = home / "toolchains" / "leanprover--lean4---v4.35.0" / "bin" / "lake"
    program.parent.mkdir(parents=True)
    (home / "mode").write_text("honest")
    program.write_text(
        STAND_IN.format(
            python=sys.executable,
            source=str(Path(lake.__file__).parents[2]),
            cache=str(lean_cache),
            mode=str(home / "mode"),
        )
    )
    program.chmod(0o755)
    monkeypatch.setenv("ELAN_HOME", str(home))
    return home


GOOD = {
    "lean-toolchain": TOOLCHAIN + "\n",
    "P/A.lean": "theorem a : True := True.intro\ndef Claim.a : Prop := True\n",
    "P/B.lean": "import P.A\ntheorem b : True := a\n"
    "theorem s (p : Prop) : p ∨ ¬p := Classical.em p\n",
}


def test_an_honest_development_passes(elan: Path, project: Project) -> None:
    root = project(GOOD)
    engine = LakeEngine(root)
    assert "v4.35.0" in engine.describe()
    seen: list[ModuleResult] = []
    build = engine.build(root, ["P.B"], seen.append)
    assert build.ok, build.messages
    assert [m.module for m in seen] == ["P.A", "P.B"]
    found = engine.audit(build, ["a", "b", "s"], [("Claim.a", "a")])
    assert found.ok, found.problems
    assert "Classical.choice" in found.theorems[2].axioms


def test_what_statements_rest_on_is_asked_here_as_well(elan: Path, project: Project) -> None:
    root = project(
        {
            **GOOD,
            "P/A.lean": "def word : Prop := True\ntheorem a : word := True.intro\n",
            "P/B.lean": "import P.A\ntheorem b : word := a\n",
        }
    )
    engine = LakeEngine(root)
    build = engine.build(root, ["P.B"])

    def findings(*trust: tuple[Any, ...]) -> tuple[str, ...]:
        return engine.audit(build, ["b"], [], Trust(*trust)).findings

    assert findings() == ()
    assert findings(("b",), ("P.A",)) == ()
    assert findings(("b",), ("P.",)) == ()
    assert findings(("b",), ("P.B",), ("word",)) == ()
    (finding,) = findings(("b",), ("P.B",))
    assert finding.startswith("P.A: declares word, on which rests what b states")
    (finding,) = findings((), (), (), (("word", "P.B"),))
    assert finding.startswith("P.A: declares word; only P.B may declare")


def test_problems_are_passed_on(elan: Path, project: Project) -> None:
    root = project({**GOOD, "P/A.lean": "theorem a : 1 = 1 := rfl\ndef Claim.a : Prop := True\n"})
    root.joinpath("P/B.lean").write_text("import P.A\n")
    engine = LakeEngine(root)
    build = engine.build(root, ["P.B"])
    found = engine.audit(build, ["a", "b"], [("Claim.a", "a")])
    assert "b: no such theorem" in found.problems
    assert any("but Claim.a claims" in p for p in found.problems)


def test_an_error_in_a_module(elan: Path, project: Project) -> None:
    root = project({**GOOD, "P/A.lean": "theorem a : True :=\n  nowhere\n"})
    engine = LakeEngine(root)
    for mode in ("honest", "lie"):  # the messages count even when the exit code is 0
        (elan / "mode").write_text(mode)
        build = engine.build(root, ["P.B"])
        assert not build.ok
        assert build.exit_code == 1
        results = {m.module: m for m in build.modules}
        assert not results["P.A"].ok
        assert (results["P.A"].messages[0].line, results["P.A"].messages[0].severity) == (
            2,
            "error",
        )
        assert "nowhere" in results["P.A"].messages[0].text
        assert engine.audit(build, ["b"], []).errors


def test_the_source_scan_is_done_here_as_well(elan: Path, project: Project) -> None:
    root = project({**GOOD, "P/A.lean": "theorem a : True := sorry\n"})
    build = LakeEngine(root).build(root, ["P.B"])
    assert not build.ok
    assert any("`sorry` is not allowed" in m.text for r in build.modules for m in r.messages)


@pytest.mark.parametrize(
    ("mode", "reason"), [("die", "killed by SIGKILL"), ("fail", "exit code 1 without an error")]
)
def test_a_lake_that_fails(elan: Path, project: Project, mode: str, reason: str) -> None:
    root = project(GOOD)
    engine = LakeEngine(root)
    (elan / "mode").write_text(mode)
    build = engine.build(root, ["P.B"])
    assert not build.ok
    assert any(reason in m.text for m in build.messages)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("die", "killed by SIGKILL"),
        ("fail", "exit code 1"),
        ("silent", "0 answers instead of one"),
        ("garbled", "cut short or garbled"),
        ("stale", "0 answers instead of one"),
        ("twice", "2 answers instead of one"),
        ("complain", "unknown constant"),
        ("exit", "exit code 1"),
    ],
)
def test_an_audit_that_misbehaves_proves_nothing(
    elan: Path, project: Project, mode: str, reason: str
) -> None:
    root = project(GOOD)
    engine = LakeEngine(root)
    build = engine.build(root, ["P.B"])
    assert build.ok
    (elan / "mode").write_text(mode)
    found = engine.audit(build, ["a", "b"], [])
    assert not found.ok
    assert reason in found.errors[0]


def test_nothing_to_build_is_no_success(elan: Path, project: Project) -> None:
    root = project(GOOD)
    assert not LakeEngine(root).build(root, []).ok


# ---------------------------------------------------------------------------------------------


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_without_lake(project: Project, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="no `lake` and no toolchain leanprover/lean4:v4"):
        find_toolchain(project(GOOD), {"HOME": str(tmp_path), "PATH": str(tmp_path)})


def test_elans_shim_is_never_run(project: Project, tmp_path: Path) -> None:
    """It would download the toolchain."""
    shims = tmp_path / ".elan" / "bin"
    for name in ("elan", "lake"):
        program(shims / name, f"touch {tmp_path}/was-run\n")
    other = tmp_path / ".elan" / "toolchains" / "leanprover--lean4---v4.34.0" / "bin" / "lake"
    program(other, f"touch {tmp_path}/was-run\n")
    with pytest.raises(EngineMissing, match=r"not its toolchain .*elan toolchain install"):
        find_toolchain(project(GOOD), {"HOME": str(tmp_path), "PATH": str(shims)})
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("says", "good"),
    [("4.35.0", True), ("4.35.0-rc1", False), ("4.35.01", False), ("4.34.0", False), ("", False)],
)
def test_a_lake_from_elsewhere_must_be_the_right_version(
    project: Project, tmp_path: Path, says: str, good: bool
) -> None:
    where = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    program(tmp_path / "bin" / "lake", f"echo 'Lake version 5.0.0-src+abc (Lean version {says})'\n")
    if good:
        assert find_toolchain(project(GOOD), where).lake == tmp_path / "bin" / "lake"
    else:
        with pytest.raises(EngineMissing, match=r"not version 4\.35\.0"):
            find_toolchain(project(GOOD), where)


@pytest.mark.parametrize("files", [{}, {"lean-toolchain": " \n"}, {"lean-toolchain/x": ""}])
def test_a_project_without_a_toolchain_file(project: Project, files: dict[str, str]) -> None:
    with pytest.raises(VerifyError, match=r"lean-toolchain: .* names the Lean version"):
        find_toolchain(project({**files, "x": ""}))


def test_what_lake_prints() -> None:
    found = parse_output(
        textwrap.dedent("""\
        ⚠ [2/4] Built P.A (1.2s)
        warning: P/A.lean:3:8: declaration uses `sorry`
        ✖ [3/4] Building P.B (120ms)
        trace: .> LEAN_PATH=... lean P/B.lean
        error: P/B.lean:7:2: unsolved goals
        p q : Prop
        ⊢ p
        error: Lean exited with code 1
        Some required targets logged failures:
        - P.B
        error: build failed
        """)
    )
    assert [(m.severity, m.file, m.line) for m in found] == [
        ("warning", "P/A.lean", 3),
        ("error", "P/B.lean", 7),
        ("error", "lake", 0),
        ("error", "lake", 0),
    ]
    assert found[1].text == "unsolved goals\np q : Prop\n⊢ p"


@pytest.mark.parametrize("name", ["a b", "a]\n#eval 1", "«x»", "", "a.", "a--b", "`a"])
def test_names_cannot_inject_lean(name: str) -> None:
    with pytest.raises(VerifyError, match="is not the name of a module or theorem"):
        audit_program(["M"], [name], [], "0")
    with pytest.raises(VerifyError, match="is not the name of a module or theorem"):
        audit_program(["M"], [], [("c", name)], "0")
