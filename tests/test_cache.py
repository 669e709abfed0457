"""The cache: whoever may have written it, nothing planted in it is believed or executed.

Each attack writes what would have been believed before; what an honest run makes of it is asserted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verify import cache, cli, cxx
from verify.engines import leanlib
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

pytest_plugins = ["engine_fixtures"]

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this user, outside of any checkout; the key is one of its own."""
    monkeypatch.setenv("VERIFY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for job in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "VERIFY_CACHE_KEY"):
        monkeypatch.delenv(job, raising=False)
    return tmp_path / "cache"


# --- Which directory is taken ---------------------------------------------------------------------


def _mode(mode: int) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def change(place: Path, _: pytest.MonkeyPatch) -> None:
        place.mkdir()
        place.chmod(mode)

    return change


def _below(mark: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def change(place: Path, _: pytest.MonkeyPatch) -> None:
        (place.parent / mark).mkdir()
        place.mkdir(mode=0o700)

    return change


def _worktree(place: Path, _: pytest.MonkeyPatch) -> None:
    (place.parent / ".git").write_text("gitdir: /elsewhere\n")


def _job(variable: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda place, patch: patch.setenv(variable, str(place.parent))


def _link(place: Path, _: pytest.MonkeyPatch) -> None:
    (place.parent / "elsewhere").mkdir(mode=0o700)
    place.symlink_to(place.parent / "elsewhere")


def _link_into_a_checkout(place: Path, patch: pytest.MonkeyPatch) -> None:
    (place.parent / "checkout" / ".git").mkdir(parents=True)
    (place.parent / "checkout" / "cache").mkdir(mode=0o700)
    (place.parent / "link").symlink_to(place.parent / "checkout")
    patch.setenv("VERIFY_CACHE_DIR", str(place.parent / "link" / "cache"))


def _link_out_of_a_checkout(place: Path, patch: pytest.MonkeyPatch) -> None:
    (place.parent / "checkout" / ".git").mkdir(parents=True)
    (place.parent / "outside").mkdir(mode=0o700)
    (place.parent / "checkout" / "link").symlink_to(place.parent / "outside")
    patch.setenv("VERIFY_CACHE_DIR", str(place.parent / "checkout" / "link" / "cache"))


def _somebody_elses(place: Path, patch: pytest.MonkeyPatch) -> None:
    place.mkdir(mode=0o700)
    mine = os.geteuid()
    patch.setattr(os, "geteuid", lambda: mine + 1)


def test_the_default_directory_of_an_earlier_version_is_closed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made for all to read; nobody else could write there."""
    monkeypatch.delenv("VERIFY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent))
    own = place.parent / "mps-verify"
    own.mkdir()
    own.chmod(0o755)
    assert cache.directory() == own
    assert own.stat().st_mode & 0o7777 == 0o700
    own.chmod(0o775)
    with pytest.raises(VerifyError, match="mode 0775"):
        cache.directory()


def _own_default(place: Path, patch: pytest.MonkeyPatch) -> None:
    """The user's own directory is held to the same rule: a home directory may be a checkout."""
    patch.delenv("VERIFY_CACHE_DIR")
    patch.setenv("XDG_CACHE_HOME", str(place.parent))
    (place.parent / ".git").mkdir()


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_below(".git"), "could come with a commit"),
        (_below(".hg"), "could come with a commit"),
        (_worktree, "could come with a commit"),
        (_job("GITHUB_WORKSPACE"), "could come with a commit"),
        (_job("CI_PROJECT_DIR"), "could come with a commit"),
        (_link, "symbolic link"),
        (_link_into_a_checkout, "could come with a commit"),
        (_link_out_of_a_checkout, "could come with a commit"),
        (_mode(0o755), "mode 0755"),
        (_mode(0o770), "mode 0770"),
        (_mode(0o701), "mode 0701"),
        (_mode(0o1777), "mode 1777"),
        (_somebody_elses, "belongs to user"),
        (_own_default, "could come with a commit"),
    ],
)
@pytest.mark.parametrize("words", [["gate"], ["prove"], ["explore", "--engine", "native"]])
def test_a_cache_that_others_can_fill_is_refused(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plant: Callable[[Path, pytest.MonkeyPatch], object],
    said: str,
    words: list[str],
) -> None:
    plant(place, monkeypatch)
    before = {path: path.lstat().st_mtime_ns for path in place.parent.rglob("*")}
    assert cli.run([*words, "--json"]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["verdict"] == "ERROR"
    assert said in printed.err
    assert "VERIFY_CACHE_DIR" in printed.err
    assert printed.err.count("\n") == 1
    assert len(printed.err.removeprefix("verify: ").replace(str(place.parent), "")) < 400
    assert {path: path.lstat().st_mtime_ns for path in place.parent.rglob("*")} == before


def test_a_new_cache_is_the_users_alone(place: Path) -> None:
    before = os.umask(0)
    try:
        assert cache.directory() == place
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o7777 == 0o700
    assert cache.directory() == place


# --- Seals ----------------------------------------------------------------------------------------


def test_what_is_sealed_is_read_again(place: Path) -> None:
    path = cache.directory() / "gate" / "a.json"
    cache.write(path, {"n": [1, None, "é"]})
    assert cache.read(path) == {"n": [1, None, "é"]}
    key = place.parent / "state" / "mps-verify" / "cache-key"
    assert key.stat().st_mode & 0o7777 == 0o600
    assert len(key.read_bytes()) == 32


@pytest.mark.parametrize(
    "forge",
    [
        lambda path: path.write_text('{"content": 2}'),
        lambda path: path.write_text('{"seal": "", "content": 2}'),
        lambda path: path.write_text('{"seal": null, "content": 2}'),
        lambda path: path.write_text('{"seal": "é", "content": 2}'),
        lambda path: path.write_text(path.read_text().replace('"content": 1', '"content": 2')),
        lambda path: shutil.copy(path.with_name("b.json"), path),
        lambda path: shutil.copy(path.parent.parent / "index" / "a.json", path),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.unlink(),
    ],
)
def test_a_forged_entry_is_none(place: Path, forge: Callable[[Path], object]) -> None:
    path = cache.directory() / "gate" / "a.json"
    cache.write(path, 1)
    cache.write(path.with_name("b.json"), 2)
    cache.write(place / "index" / "a.json", 2)
    assert cache.read(path) == 1
    forge(path)
    assert cache.read(path) is None


def test_a_key_of_another_user_or_machine_opens_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cache.directory() / "gate" / "a.json"
    cache.write(path, 1)
    monkeypatch.setenv("XDG_STATE_HOME", str(place.parent / "other"))
    assert cache.read(path) is None
    monkeypatch.setenv("VERIFY_CACHE_KEY", "a secret of the CI service")
    assert cache.read(path) is None
    cache.write(path, 1)
    assert cache.read(path) == 1
    monkeypatch.setenv("XDG_STATE_HOME", str(place.parent / "third"))
    assert cache.read(path) == 1


@pytest.mark.parametrize("trouble", ["short", "open", "checkout"])
def test_a_key_that_others_may_know_is_refused(place: Path, trouble: str) -> None:
    key = place.parent / "state" / "mps-verify" / "cache-key"
    key.parent.mkdir(parents=True)
    key.write_bytes(bytes(31 if trouble == "short" else 32))
    key.chmod(0o644 if trouble == "open" else 0o600)
    if trouble == "checkout":
        (place.parent / "state" / ".git").mkdir()
    with pytest.raises(VerifyError, match=r"remove it|VERIFY_CACHE_KEY"):
        cache.write(place / "gate" / "a.json", 1)


def test_without_a_place_for_a_key_nothing_outlives_the_process(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.parent / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(place.parent / "file"))
    path = cache.directory() / "gate" / "a.json"
    cache.write(path, 1)
    assert cache.read(path) == 1
    program = (
        "import sys, pathlib; from verify import cache; "
        "print(cache.read(pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"


# --- Compiled programs ----------------------------------------------------------------------------


def _echo(text: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(f"#!/bin/sh\necho {text}\n")
        path.chmod(0o755)

    return make


def says(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def _with_hash(path: Path) -> None:
    _echo("planted")(path)
    record = {"seal": "0" * 64, "content": cache.sha256_of(path)}
    (path.parent / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    "plant",
    [
        _echo("planted"),
        lambda p: _echo("planted")((p.parent / "record.json").replace(p)),
        # Whoever writes the program can write the hash beside it, but not its seal.
        _with_hash,
        # Another program of this user, with its record, under this name.
        lambda p: shutil.copytree(other(), p.parent, dirs_exist_ok=True),
        lambda p: p.replace(p.with_name("x")).with_name("prog").symlink_to("/bin/true"),
        lambda p: p.parent.rename(p.parent.with_name("x")).with_name(p.parent.name).touch(),
        lambda p: p.replace(p.with_name("x")).with_name("prog").mkdir(),
    ],
)
def test_a_planted_program_is_not_executed(place: Path, plant: Callable[[Path], object]) -> None:
    first = cache.program("prog", ["source"], _echo("honest"))
    assert says(first) == "honest"
    plant(first)
    assert says(cache.program("prog", ["source"], _echo("honest"))) == "honest"
    made: list[Path] = []
    assert cache.program("prog", ["source"], made.append) == first
    assert made == []  # mended
    assert not list((place / "native").glob(".*"))


def other() -> Path:
    return cache.program("prog", ["other source"], _echo("planted")).parent


def test_another_version_of_the_compiler_is_another_compiler() -> None:
    assert cxx.Compiler(("c++",), "1").identity != cxx.Compiler(("c++",), "2").identity


def test_every_input_makes_another_program(place: Path) -> None:
    inputs: list[list[str | bytes]] = [["ab", "c"], ["a", "bc"], ["abc"], [b"abc", "d"]]
    made = [cache.program("prog", i, _echo("x")).parent for i in inputs]
    made.append(cache.program("gorp", inputs[0], _echo("x")).parent)
    assert len(set(made)) == len(inputs) + 1


@needs_compiler
def test_a_planted_explorer_is_not_executed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "explore",
        "--strategy",
        "perEncoder",
        "--engine",
        "native",
        "--json",
    ]
    assert cli.run(words) == 0
    honest = json.loads(capsys.readouterr().out)["rows"][0]["states"]
    for program in (place / "native").glob("*/engine"):
        program.write_text(f"#!/bin/sh\ntouch {place.parent}/executed\n")
    assert cli.run(words) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["states"] == honest
    assert not (place.parent / "executed").exists()


# --- Compiled Lean --------------------------------------------------------------------------------


def _plant_definition(engine: EmbeddedEngine, root: Path) -> None:
    """Compile a module that says something else, and put it under the key of the honest one."""
    evil = root.parent / "evil"
    shutil.copytree(root, evil)
    (evil / "Spec.lean").write_text("def Safe (n : Nat) : Prop := True\n")
    compiled = engine.build(evil, ["Spec"])
    assert compiled.ok
    honest = next(
        p
        for p in (engine.cache / "index").iterdir()
        if json.loads(p.read_text())["content"]["sha256"] == compiled.olean_hashes["Spec"]
    )
    text = honest.read_text()
    for path in (engine.cache / "index").iterdir():
        entry = json.loads(path.read_text())
        if entry["content"]["module"] == "Spec" and path != honest:
            path.write_text(text)


@pytest.mark.parametrize("seal", ["copied", "made up"])
def test_a_planted_definition_proves_nothing(
    engine: EmbeddedEngine, tmp_path: Path, seal: str
) -> None:
    """The kernel would replay it without complaint: `Safe 1` is provable from the planted one."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "Spec.lean").write_text(f"def Safe (n : Nat) : Prop := n = 0 -- {seal}\n")
    (root / "Claim.lean").write_text("import Spec\ntheorem false_claim : Safe 1 := trivial\n")
    assert not engine.build(root, ["Claim"]).ok
    _plant_definition(engine, root)
    if seal == "made up":
        for path in (engine.cache / "index").iterdir():
            entry = json.loads(path.read_text())
            path.write_text(json.dumps({**entry, "seal": "0" * 64}))
    build = engine.build(root, ["Claim"])
    assert not build.ok
    assert not engine.audit(build, ["false_claim"], []).ok


def test_a_planted_core_is_not_used(lean_cache: Path, tmp_path: Path) -> None:
    """Its manifest has right hashes: only the seal tells it from one that was built here."""
    planted = tmp_path / "planted"
    planted.mkdir(mode=0o700)
    shutil.copytree(lean_cache / "core", planted / "core")
    engine = EmbeddedEngine(cache=planted)
    manifest = planted / "core" / engine.core_key / "manifest.json"
    assert engine._read_core(manifest.parent) is not None
    entry = json.loads(manifest.read_text())
    olean = manifest.parent / "lib" / "Init" / "Prelude.olean"
    olean.chmod(0o644)
    olean.write_bytes(olean.read_bytes() + b"\0")
    entry["content"]["Init.Prelude"] = cache.sha256_of(olean)
    manifest.write_text(json.dumps(entry))
    assert engine._read_core(manifest.parent) is None


def test_a_planted_hash_of_the_library_is_not_believed(place: Path, tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(b"planted")
    found = library.stat()
    identity = [str(library), found.st_size, found.st_mtime_ns, found.st_ino]
    pinned = next(iter(leanlib.PINNED_SHA256.values()))
    content = {"identity": identity, "sha256": pinned}
    (cache.directory() / "library.json").write_text(json.dumps(content))
    assert leanlib.hash_of_library(library) == cache.sha256_of(library)
    (place / "library.json").write_text(json.dumps({"seal": "0" * 64, "content": content}))
    assert leanlib.hash_of_library(library) == cache.sha256_of(library)


# --- What is kept ---------------------------------------------------------------------------------

KEY = "0123456789abcdef" * 4


def _entries(place: Path, age: float) -> list[Path]:
    """One entry of every kind, of this age in seconds, with 1,000 bytes each."""
    files = [
        place / "index" / f"{KEY}.json",
        place / "objects" / f"{KEY}.olean",
        place / "core" / KEY / "lib" / "Init.olean",
        place / "gate" / f"{KEY}.json",
        place / "native" / KEY / "engine",
        place / "lake" / "shipped" / "lakefile.lean",
    ]
    tops = []
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(1000))
        top = place / file.relative_to(place).parts[0] / file.relative_to(place).parts[1]
        os.utime(top, (time.time() - age,) * 2)
        tops.append(top)
    return tops


def test_what_nobody_used_for_a_month_is_removed(place: Path) -> None:
    old = _entries(place, cache.UNUSED + 60)
    assert cache.prune(place, time.time()) == len(old)
    assert not any(path.exists() for path in old)
    young = _entries(place, cache.UNUSED - 60)
    assert cache.prune(place, time.time()) == 0
    assert all(path.exists() for path in young)


def test_beyond_a_size_what_was_used_longest_ago_goes_first(place: Path) -> None:
    entries = _entries(place, 7200)
    for age, path in enumerate(entries):
        os.utime(path, (time.time() - 7200 - 10 * age,) * 2)
    assert cache.prune(place, time.time(), most=3500) == 3
    assert [path.exists() for path in entries] == [True] * 3 + [False] * 3
    recent = _entries(place, 60)
    assert cache.prune(place, time.time(), most=0) == 0, "in use, perhaps by another process"
    assert all(path.exists() for path in recent)


def test_what_is_no_entry_is_never_removed(place: Path) -> None:
    """Somebody may let VERIFY_CACHE_DIR name a directory with other things in it."""
    kept = [
        place / name
        for name in ("index/notes.json", "native/src", "core/x", "thesis.tex", "gate/a.json")
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    assert cache.prune(place, time.time(), most=0) == 0
    assert all(path.exists() for path in kept)


def test_former_and_abandoned_files_are_removed(place: Path) -> None:
    gone = [
        place / "explore" / f"engine-{KEY[:24]}",
        place / "native" / KEY[:32],
        place / ".check-abc_123",
        place / "native" / ".build-x",
    ]
    for path in gone:
        path.mkdir(parents=True)
        os.utime(path, (0, 0))
    cache.prune(place, time.time())
    assert not any(path.exists() for path in gone)


def test_the_cache_is_pruned_once_a_day(place: Path) -> None:
    cache.directory()
    old = _entries(place, cache.UNUSED + 60)
    cache.directory()
    assert all(path.exists() for path in old)
    os.utime(place / "pruned", (0, 0))
    cache.directory()
    assert not any(path.exists() for path in old)


# --- The compiler ---------------------------------------------------------------------------------


def _script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@needs_compiler
@pytest.mark.parametrize("form", ["wrapper g++", "path with blanks", "arguments", "quoted"])
def test_compilers_with_arguments(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (tmp_path / "my tools").mkdir()
    wrapper = _script(tmp_path / "ccache", '#!/bin/sh\nexec "$@"\n')
    blanks = _script(tmp_path / "my tools" / "g++", '#!/bin/sh\nexec g++ "$@"\n')
    monkeypatch.setenv(
        "CXX",
        {
            "wrapper g++": f"{wrapper} g++",
            "path with blanks": str(blanks),
            "arguments": "g++ -DONE=1",
            "quoted": f'"{blanks}" -DONE=1',
        }[form],
    )
    tree = cxx.Tree(tmp_path, {"a.cpp": "int main() { return 0; }\n"})
    program = cxx.build("one", ["a.cpp"], tree)
    subprocess.run([program], check=True)


@needs_compiler
def test_a_planted_object_is_not_linked(place: Path, tmp_path: Path) -> None:
    def built(name: str, code: int) -> Path:
        text = f"int main() {{ return {code}; }}\n"
        return cxx.build(name, ["a.cpp"], cxx.Tree(tmp_path, {"a.cpp": text}))

    def objects() -> set[Path]:
        return set((place / "native").glob("*/a.o"))

    built("good", 0)
    good = objects()
    built("bad", 7)
    for path in good:
        path.write_bytes((objects() - good).pop().read_bytes())
    assert subprocess.run([built("again", 0)], check=False).returncode == 0


@needs_compiler
def test_a_source_is_compiled_once_for_all_programs_that_have_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, root = tmp_path / "log", tmp_path / "native"
    script = f'#!/bin/sh\nfor last; do :; done\necho "${{last##*/}}" >> {log}\nexec g++ "$@"\n'
    monkeypatch.setenv("CXX", str(_script(tmp_path / "noting", script)))
    (root / "part").mkdir(parents=True)
    (root / "part" / "deep.hpp").write_text("inline int deep() { return 0; }\n")
    (root / "part" / "near.hpp").write_text('#include "deep.hpp"\n')
    (root / "a.cpp").write_text(
        '#include "part/near.hpp"\nint table();\nint main() { return deep() + table(); }\n'
    )
    (root / "b.cpp").write_text('# include "table.hpp"\nint table() { return TABLE; }\n')

    def compiled(name: str, table: int, root: Path = root) -> list[str]:
        log.write_text("")
        tree = cxx.Tree(root, {"table.hpp": f"#define TABLE {table}\n"})
        program = cxx.build(name, ["a.cpp", "b.cpp"], tree)
        assert subprocess.run([program], check=False).returncode == table
        return sorted({"a.cpp", "b.cpp"} & set(log.read_text().split()))

    assert compiled("one", 0) == ["a.cpp", "b.cpp"]
    assert compiled("two", 0) == []
    assert compiled("one", 1) == ["b.cpp"]
    copy = shutil.copytree(root, tmp_path / "copy")
    assert compiled("three", 1, copy) == []
    (copy / "part" / "deep.hpp").write_text("inline int deep() { return 0; }  // changed\n")
    assert compiled("three", 1, copy) == ["a.cpp"]


@pytest.mark.parametrize(
    ("cxx_is", "code", "said"),
    [
        ("no-such-compiler", 2, "is not a program"),
        ("'unbalanced", 2, "is not a program"),
        ("/etc/passwd", 2, "is not a program"),
        ("{dir}/unexecutable", 2, "is not a program"),
        ("{dir}/garbage", 2, "exit code 126"),
        ("{dir}/failing", 2, "exit code 7"),
        ("{dir}/hanging", 2, "time limit"),
        ("{dir}/lazy", 3, "it made no "),
        ("{dir}/silent", 3, "exit code 1: no message"),
        ("{dir}/binary", 3, "exit code 1"),
        ("{dir}/verbose", 3, "does not compile: error"),
        ("{dir}/slow", 3, "was not built in"),
        ("{dir}/killed", 3, "SIGKILL"),
    ],
)
@pytest.mark.parametrize("user", ["guard", "explorer"])
def test_odd_compilers_are_one_line(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cxx_is: str,
    code: int,
    said: str,
    user: str,
) -> None:
    version = '#!/bin/sh\n[ "$1" = --version ] && { echo odd 1.0; exit 0; }\n'
    _script(tmp_path / "unexecutable", version, 0o644)
    _script(tmp_path / "garbage", "\x7fELF garbage\n")
    _script(tmp_path / "failing", "#!/bin/sh\nexit 7\n")
    _script(tmp_path / "hanging", "#!/bin/sh\nsleep 100 & wait\n")
    _script(tmp_path / "lazy", version + "exit 0\n")
    _script(tmp_path / "silent", version + "exit 1\n")
    _script(tmp_path / "binary", version + "head -c 5000 /dev/urandom >&2\nexit 1\n")
    _script(tmp_path / "verbose", version + "yes error | head -c 99999 | tr -d '\\n'\nexit 1\n")
    # A grandchild that holds on to the output must not be waited for.
    _script(tmp_path / "slow", version + "sleep 100 & wait\n")
    _script(tmp_path / "killed", version + "kill -9 $$\n")
    monkeypatch.setattr(cxx, "SECONDS", 0.5)
    monkeypatch.setattr(cxx, "_VERSION_SECONDS", 3.0)
    monkeypatch.setenv("CXX", cxx_is.format(dir=tmp_path))
    words = {
        "guard": ["audit"],
        "explorer": [
            "explore",
            "--strategy",
            "perEncoder",
            "--engine",
            "native",
        ],
    }[user]
    assert cli.run(words) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 500
