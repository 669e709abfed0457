"""The embedded engine: what it compiles, what it keeps, and how it fails."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verify import cache as caches
from verify.children import run_child
from verify.engines import bindings, leanlib, sources
from verify.engines.base import Build, ModuleResult
from verify.engines.embedded import CORE, EmbeddedEngine, parse_messages
from verify.errors import EngineMissing, VerifyError

pytest_plugins = ["engine_fixtures"]

Project = Callable[..., Path]


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """A core library that compiles in two seconds: the first module of the real one."""
    core = tmp_path / "mini"
    (core / "Init").mkdir(parents=True)
    shutil.copy(CORE / "Init" / "Prelude.lean", core / "Init")
    (core / "Init.lean").write_text("prelude\nimport Init.Prelude\n")
    return core


def texts(build: Build) -> str:
    return "\n".join(str(m) for r in build.modules for m in r.messages)


CHAIN = {
    "P/A.lean": "theorem a : True := True.intro\n",
    "P/B.lean": "import P.A\ntheorem b : True := a\n",
    "P/C.lean": "theorem c : True := True.intro\n",
    "P/D.lean": "import P.B\nimport P.C\ntheorem d : True := b\n",
}


def cached(build: Build) -> dict[str, bool]:
    return {r.module: r.cached for r in build.modules}


def test_only_changed_modules_and_their_dependents_are_checked_again(
    engine: EmbeddedEngine, project: Project
) -> None:
    seen: list[ModuleResult] = []
    root = project(CHAIN)
    first = engine.build(root, ["P.D"], seen.append)
    assert first.ok, texts(first)
    assert cached(first) == dict.fromkeys(["P.A", "P.B", "P.C", "P.D"], False)
    assert [r.module for r in seen] == [r.module for r in first.modules]
    assert all(cached(engine.build(root, ["P.D"])).values())
    # Same size, same times, other content: times of files must play no part.
    changed = root / "P" / "B.lean"
    before = changed.stat()
    changed.write_text("import P.A\ntheorem b : True :=a \n")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changed.stat().st_size == before.st_size
    again = engine.build(root, ["P.D"])
    assert again.ok
    assert cached(again) == {"P.A": True, "P.B": False, "P.C": True, "P.D": False}


def test_a_dependent_is_checked_again_although_its_import_was_checked_already(
    engine: EmbeddedEngine, project: Project
) -> None:
    root = project({**CHAIN, "P/D.lean": "import P.B\ntheorem e : True := b\n"})
    assert engine.build(root, ["P.D"]).ok
    (root / "P" / "B.lean").write_text("import P.A\ntheorem renamed : True := a\n")
    assert engine.build(root, ["P.B"]).ok
    build = engine.build(root, ["P.D"])
    assert cached(build) == {"P.A": True, "P.B": True, "P.D": False}
    assert not build.ok


def test_an_error_stops_the_dependents_and_nothing_is_kept(
    engine: EmbeddedEngine, project: Project
) -> None:
    root = project({**CHAIN, "P/B.lean": "import P.A\ntheorem b : True := missing\n"})
    for _ in range(2):
        build = engine.build(root, ["P.D"])
        results = {r.module: r for r in build.modules}
        assert not build.ok
        assert build.exit_code == 1
        assert results["P.A"].ok
        assert not results["P.B"].ok
        assert not results["P.B"].cached
        assert "missing" in results["P.B"].messages[0].text
        assert results["P.B"].messages[0].line == 2
        assert "not checked: P.B has errors" in results["P.D"].messages[0].text


def test_nothing_to_build_is_no_success(engine: EmbeddedEngine, project: Project) -> None:
    assert not engine.build(project({}), []).ok


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "index"])
def test_a_damaged_cache_entry_is_compiled_again(
    engine: EmbeddedEngine, project: Project, damage: str
) -> None:
    root = project({"Damaged.lean": f"theorem damaged_{damage} : True := True.intro\n"})
    first = engine.build(root, ["Damaged"])
    assert first.ok
    olean = first.oleans["Damaged"]
    content = olean.read_bytes()
    olean.chmod(0o644)
    if damage == "truncate":
        olean.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        middle = len(content) // 2
        olean.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "remove":
        olean.unlink()
    else:
        for index in (engine.cache / "index").iterdir():
            if json.loads(index.read_text())["content"]["sha256"] == first.olean_hashes["Damaged"]:
                index.write_text(index.read_text()[:40])
    again = engine.build(root, ["Damaged"])
    assert again.ok
    assert cached(again) == {"Damaged": False}
    assert again.oleans["Damaged"].read_bytes() == content
    # The entry must not lead to another module of the same content hash either.
    assert engine.build(root, ["Damaged"]).modules[0].cached


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        ("import os; os._exit(0)", "exit code 0, but nothing was compiled"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import os; os._exit(3)", "exit code 3 without an error message"),
        ("print('hello')", "unexpected output: hello"),
        ("import time; time.sleep(60)", "killed at its time limit"),
        # An error message counts, whatever the exit code says.
        (
            "import sys; open(sys.argv[4], 'w').write('x'); print('{\"severity\": \"error\", "
            '"pos": {"line": 1, "column": 0}, "data": "told"}\')',
            "told",
        ),
    ],
)
def test_a_front_end_that_misbehaves_checks_nothing(
    engine: EmbeddedEngine, project: Project, child: str, reason: str
) -> None:
    root = project({"Fake.lean": "theorem fake : True := True.intro\n"})
    fake = EmbeddedEngine(cache=engine.cache, child=child, timeout=0.5)
    build = fake.build(root, ["Fake"])
    assert not build.ok
    assert reason in texts(build)
    assert not build.oleans


def test_two_processes_at_once(mini: Path, tmp_path: Path) -> None:
    (tmp_path / "Both.lean").write_text("theorem both : True := True.intro\n")
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from verify.engines.embedded import EmbeddedEngine
        core, cache, root = map(Path, sys.argv[1:])
        engine = EmbeddedEngine(core=core, generate=False, cache=cache)
        build = engine.build(root, ["Both"])
        print(build.ok, sorted(build.core_hashes))
        """
    )
    command = [sys.executable, "-c", program, str(mini), str(tmp_path / "cache"), str(tmp_path)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert out == "True ['Init', 'Init.Prelude']\n", err
    left = [p.name for p in (tmp_path / "cache").rglob(".*")]
    assert left == [], "temporary files were left behind"


def test_a_damaged_core_is_built_again(mini: Path, tmp_path: Path) -> None:
    def fresh() -> EmbeddedEngine:
        return EmbeddedEngine(core=mini, generate=False, cache=tmp_path / "cache")

    files, hashes = fresh().core()
    files["Init"].write_bytes(b"garbage")
    assert fresh().core()[1] == hashes
    assert caches.sha256_of(files["Init"]) == hashes["Init"]


def test_a_core_that_does_not_compile_is_one_clear_error(mini: Path, tmp_path: Path) -> None:
    (mini / "Init.lean").write_text("prelude\nimport Init.Prelude\ntheorem t : True := x\n")
    engine = EmbeddedEngine(core=mini, generate=False, cache=tmp_path / "cache")
    with pytest.raises(VerifyError, match=r"core library: Init does not compile: .*identifier `x`"):
        engine.core()
    assert not list((tmp_path / "cache" / "core").glob("*/manifest.json"))


def test_an_unusable_cache_is_one_clear_error(mini: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = EmbeddedEngine(core=mini, generate=False, cache=tmp_path / "file" / "cache")
    with pytest.raises(VerifyError, match=r"Not a directory; .* set VERIFY_CACHE_DIR"):
        engine.core()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_full_or_read_only_cache_is_one_clear_error(
    engine: EmbeddedEngine, project: Project, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    root = project({"Full.lean": f"theorem full_{code} : True := True.intro\n"})

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(caches, "write_atomically", refuse)
        with pytest.raises(VerifyError, match=f"{os.strerror(code)}; .* set VERIFY_CACHE_DIR"):
            engine.build(root, ["Full"])
    assert not engine.build(root, ["Full"]).modules[0].cached


def test_a_warm_build_writes_nothing(engine: EmbeddedEngine, project: Project) -> None:
    root = project(CHAIN)
    assert engine.build(root, ["P.D"]).ok
    before = {p: p.stat().st_mtime_ns for p in engine.cache.rglob("*")}
    assert all(cached(EmbeddedEngine(cache=engine.cache).build(root, ["P.D"])).values())
    assert {p: p.stat().st_mtime_ns for p in engine.cache.rglob("*")} == before


def test_what_is_used_is_kept_though_it_is_old(mini: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def fresh() -> EmbeddedEngine:
        return EmbeddedEngine(core=mini, generate=False, cache=cache)

    project = tmp_path / "project"
    project.mkdir()
    (project / "M.lean").write_text("theorem t : True := True.intro\n")
    built = fresh().build(project, ["M"])
    assert built.ok, texts(built)
    for path in cache.rglob("*"):
        os.utime(path, (0, 0))
    assert cached(fresh().build(project, ["M"])) == {"M": True}
    before = {path for path in cache.rglob("*") if path.suffix in (".olean", ".json")}
    caches.prune(cache, time.time())
    assert {path for path in cache.rglob("*") if path.suffix in (".olean", ".json")} == before


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"M.lean": "import N\n", "N.lean": "import M\n"}, "imports form a cycle: M -> N -> M"),
        ({"M.lean": "import N\n"}, r"module N: there is no .*N\.lean"),
        ({"M.lean": "import Lean.Elab\n"}, r"module Lean\.Elab: there is no"),
        ({"M.lean": "import ../N\n"}, "is not a module name"),
        ({"M.lean": b"theorem \xff"}, "not UTF-8 at byte 8"),
        ({"M.lean/x": ""}, "Is a directory"),
        ({"M.lean": "import Lean.M\n", "Lean/M.lean": ""}, "cannot have a module of this name"),
    ],
)
def test_bad_projects(
    engine: EmbeddedEngine, project: Project, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(VerifyError, match=reason) as caught:
        engine.build(project(files), ["M"])
    assert "\n" not in str(caught.value)


def test_a_missing_library_is_not_a_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(leanlib, "PINNED_SHA256", {})
    with pytest.raises(EngineMissing, match="install elan"):
        EmbeddedEngine(cache=tmp_path).build(tmp_path, ["M"])


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leanlib, "DISTRIBUTION", "no-such-distribution-of-lean")
    with pytest.raises(EngineMissing, match="pip install"):
        leanlib.locate()


def test_another_library_than_the_pinned_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path))
    wrong = dict.fromkeys(leanlib.PINNED_SHA256, "0" * 64)
    monkeypatch.setattr(leanlib, "PINNED_SHA256", wrong)
    with pytest.raises(VerifyError, match="is not the pinned 0000000000000000"):
        leanlib.locate()


def test_the_hash_is_remembered_by_the_files_identity(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "cache"))
    library = tmp_path / "lib.so"
    library.write_bytes(b"one")
    one = leanlib.hash_of_library(library)
    with monkeypatch.context() as patch:
        patch.delattr(caches, "sha256_of")
        assert leanlib.hash_of_library(library) == one
    library.write_bytes(b"two!")
    assert leanlib.hash_of_library(library) == caches.sha256_of(library) != one


def test_children_are_killed_at_their_limit_and_measured() -> None:
    spawn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    done = run_child([sys.executable, "-c", "x = b'x' * 50_000_000; print('é' * 200_000)"],
                             timeout=250)  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == "é" * 200_000 + "\n", "output must be complete"
    assert 50 < done.peak_mb < 400
    done = run_child([sys.executable, "-c", spawn + "; import time; time.sleep(3600)"],
                             timeout=0.4)  # fmt: skip
    assert done.timed_out
    assert done.returncode == -signal.SIGKILL  # it had an hour to go


def test_messages_that_are_not_leans() -> None:
    assert parse_messages('{"severity": "error"}\n', "f")[1] is not None
    assert parse_messages("[1]\n", "f")[1] is not None
    assert parse_messages("\n", "f") == ([], None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theorem x : True := sorry", "sorry"),
        ("theorem x : True := by\n  admit", "admit"),
        ("/- /- nested -/ axiom -/ axiom x : False", "axiom"),
        ('def s := "-- \\" /-"\naxiom x : False', "axiom"),
        ('def s := r#"a " b"#\naxiom x : False', "axiom"),
        ("def c := '\"'\naxiom x : False", "axiom"),
        ("def h' := 1\naxiom x : False -- h'", "axiom"),
        ("set_option debug.skipKernelTC true", "set_option debug.skipKernelTC"),
        ("set_option\n  debug.skipKernelTC true", "set_option debug.skipKernelTC"),
        ("@[simp, implemented_by f] def x := 1", "implemented_by"),
        ('attribute [extern "f"] x', "extern"),
        ("theorem x : p := by decide +native", "decide +native"),
        ("example := Lean.ofReduceBool", "Lean.ofReduceBool"),
        ("@[export f] def x := 1", "@[export f]"),
        ("#eval 1", "#eval"),
        ("#exit", "#exit"),
        ("local macro_rules | _ => 1", "macro_rules"),
        ("def x := «macro»", "macro"),
        ('infixl:65 " + " => f', "infixl"),
        ("prelude", "prelude"),
    ],
)
def test_banned(text: str, said: str) -> None:
    found = sources.scan(sources.Source("M", text.encode(), (), "M.lean"))
    # An attribute is no allowed one, besides what it does.
    first = [m.text for m in found if "only attributes" not in m.text]
    assert [text.partition("` is not")[0] for text in first] == ["`" + said]
    assert first[0].startswith(f"`{said}` is not allowed: ")
    assert len(found) - len(first) == ("[" in text)


def test_what_is_not_banned() -> None:
    text = """
    /-- sorry, axiom -/ -- native_decide
    def sorry' := "axiom" /- opaque -/ def not_admit := 'x' def a.extern := «macros»
    set_option maxHeartbeats 400000 in example : init = f.init := by simp [init]
    """
    assert sources.scan(sources.Source("M", text.encode(), (), "M.lean")) == ()


def test_imports_are_read_from_the_header_only() -> None:
    assert sources.imports("-- import X\nimport A.B /- import Y -/ import C\ndef import := D") == (
        "Init", "A.B", "C",
    )  # fmt: skip
    assert sources.imports("prelude import Init.X") == ("Init.X",)


def test_the_bindings_name_what_the_library_holds(engine: EmbeddedEngine) -> None:
    modules = engine.bindings()
    grammar = modules["Grammar"]
    assert '@[tactic_parser, extern "native"] opaque Lean.Parser.Tactic.«induction»' in grammar
    assert '@[term_parser, extern "native"] opaque «term_∧_» : Lean.TrailingParserDescr' in grammar
    assert grammar.count("_parser,") > 400
    assert modules["Macros"].count("@[macro ") > 250
    assert "mvcgen" not in grammar
    names = {s.name for s in bindings.symbols(engine.library.path)}
    assert {"lean_main", "l_Lean_Parser_Tactic_induction"} <= names
    assert engine.bindings() == modules, "the generator must be deterministic"


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"MZ" + bytes(100))
    with pytest.raises(ValueError, match="not a 64-bit little-endian ELF file"):
        list(bindings.symbols(tmp_path / "x.so"))


def test_importing_the_engines_is_cheap() -> None:
    program = (
        "import sys, verify.engines; "
        "print([m for m in sys.modules if m.startswith('verify.engines.') or m == 'ctypes'])"
    )
    out = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert out.strip() == "[]"
