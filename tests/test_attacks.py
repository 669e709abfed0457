"""Attacks on the whole pipeline: nothing false, and nothing unproved, may end PROVED.

Each attack changes a copy of what is shipped, or the engine, and is then run as `verify prove`
runs it.  The attacks on the audit alone are in `test_audit.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import STRATEGY, mostly_slow, type_of_run

from verify import cache as caches
from verify import cli, resources, spec
from verify.engines import leanlib, sources
from verify.engines.embedded import EmbeddedEngine
from verify.prove import Result, prove, record
from verify.records.base import as_json
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures", "prove_fixtures"]

Edit = Callable[[str, str, str], None]
Command = Callable[..., "subprocess.CompletedProcess[str]"]

ATTACKS = Path(__file__).parent / "lean" / "attacks"
TEMPLATE = "model/templates/_strategy.lean.j2"
SAFE_PROOF = "  (safe_iff_criterion ..).mpr (by decide)\n"
SAFE_THEOREM = "theorem {{ s.theorem }} : Safe .default {{ s.name }} :=\n" + SAFE_PROOF


def said(result: Result) -> str:
    """Everything that the user is told."""
    return json.dumps(as_json(record(result)), ensure_ascii=False)


def verdict_of(result: Result, strategy: str) -> Verdict:
    return next(row.verdict for row in result.rows if row.strategy.name == strategy)


def test_the_copy_is_proved_as_it_is(tree: Path, engine: EmbeddedEngine) -> None:
    # Without this, every attack below could fail for the wrong reason.
    result = prove(None, engine)
    assert result.spec.path.is_relative_to(tree)
    assert result.verdict is Verdict.PROVED, said(result)
    assert result.restated


# --- Proofs that are none -------------------------------------------------------------------------

# A theorem without a proof, as it would stand in the template: (text before it, proof).
CHEATS = {
    "sorry": ("", "  sorry\n"),
    "axiom": ("axiom {{ s.name }}.cheat : Safe .default {{ s.name }}\n", "  {{ s.name }}.cheat\n"),
    "native_decide": ("", "  (safe_iff_criterion ..).mpr (by native_decide)\n"),
    "implemented_by": (
        "def {{ s.name }}.lie (_ : Env) : Bool := true\n"
        "@[implemented_by {{ s.name }}.lie] def {{ s.name }}.honest (e : Env) : Bool :=\n"
        "  criterion e {{ s.name }}\n",
        "  (safe_iff_criterion ..).mpr\n"
        "    (show {{ s.name }}.honest .default = true by native_decide)\n",
    ),
    "skipKernelTC": (
        "set_option debug.skipKernelTC true in\n",
        "  (safe_iff_criterion ..).mpr (by decide +kernel)\n",
    ),
}


def cheat_in_template(edit: Edit, cheat: str) -> None:
    before, proof = CHEATS[cheat]
    edit(TEMPLATE, SAFE_THEOREM, f"{before}{SAFE_THEOREM.replace(SAFE_PROOF, proof)}")


@pytest.mark.parametrize("cheat", mostly_slow(CHEATS, "sorry", "skipKernelTC"))
def test_a_true_claim_without_a_proof(edit: Edit, engine: EmbeddedEngine, cheat: str) -> None:
    cheat_in_template(edit, cheat)
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR
    assert verdict_of(result, "globalMutex") is Verdict.ERROR
    word = "debug.skipKernelTC" if cheat == "skipKernelTC" else cheat
    assert re.search(rf"`[^`]*{re.escape(word)}` is not allowed", said(result))


@pytest.mark.parametrize(
    ("cheat", "reason"),
    [
        ("sorry", "depends on sorryAx"),
        ("axiom", "declares the axiom MPSVerify.AGX.perStream.cheat"),
        ("native_decide", None),  # the reduced core cannot run it; a full one has an axiom for it
        # The same of a function that the compiler runs instead of another.
        pytest.param("implemented_by", None, marks=pytest.mark.slow),
        ("skipKernelTC", None),  # `decide +kernel` asks the kernel before the option counts
    ],
)
def test_a_false_claim_where_nobody_reads_the_sources(
    edit: Edit,
    engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cheat: str,
    reason: str | None,
) -> None:
    monkeypatch.setattr(sources, "scan", lambda _: ())
    cheat_in_template(edit, cheat)
    path = tmp_path / "false.toml"
    path.write_text(STRATEGY.replace("encoder", "stream").replace('"mine"', '"perStream"'))
    result = prove(path, engine)
    assert result.verdict in (Verdict.ERROR, Verdict.REFUTED), said(result)
    assert result.rows[0].safe is not True
    if reason is not None:
        assert result.verdict is Verdict.ERROR
        assert reason in said(result)


@pytest.mark.parametrize(
    "attack",
    # What the scan refuses, and what only the kernel does; test_audit.py has all of them.
    mostly_slow(["Sorry", "Axiom", "NativeDecide", "SkipKernel", "WrongGcd"], "Sorry", "WrongGcd"),
)
def test_a_bad_module_beside_the_good_ones(tree: Path, engine: EmbeddedEngine, attack: str) -> None:
    shutil.copy(ATTACKS / f"{attack}.lean", tree / "MPSVerify" / "Theory" / "Attack.lean")
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR
    assert any(error.startswith("MPSVerify.Theory.Attack fails: ") for error in result.errors)


# --- Statements that say something else -----------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SAFE_THEOREM, "theorem {{ s.theorem }} : True :=\n  trivial\n"),
        (SAFE_THEOREM, SAFE_THEOREM.replace("default {{ s.name }}", "default encoders")),
        pytest.param(
            SAFE_THEOREM,
            SAFE_THEOREM.replace("Safe .default", "Safe .confinedNoHandlers"),
            marks=pytest.mark.slow,  # another argument, as in the row above
        ),
        (SAFE_THEOREM, SAFE_THEOREM.replace("{{ s.theorem }} :", "{{ s.theorem }} (_ : False) :")),
        (SAFE_THEOREM, SAFE_THEOREM.replace("theorem {{", "def {{")),
        (SAFE_THEOREM, ""),
        pytest.param(
            SAFE_THEOREM,
            SAFE_THEOREM.replace("{{ s.theorem }}", "{{ s.theorem }}s"),
            marks=pytest.mark.slow,  # it is missing, as in the row above
        ),
    ],
    ids="True scheme environment hypothesis def missing misspelt".split(),
)
def test_a_weakened_statement_under_the_right_name(
    edit: Edit, engine: EmbeddedEngine, tmp_path: Path, old: str, new: str
) -> None:
    good = (
        "def encoders : LockScheme := ⟨[⟨.encoder, .exclusive⟩], [⟨.encoder, .exclusive⟩],\n"
        "  [⟨.encoder, .exclusive⟩], [⟨.encoder, .exclusive⟩], true⟩\n\n"
    )
    edit(TEMPLATE, old, good + new)
    path = tmp_path / "mine.toml"
    path.write_text(STRATEGY.replace("encoder", "global"))
    result = prove(path, engine)
    assert result.verdict is Verdict.ERROR, said(result)
    assert "mine.is_safe" in said(result)


def test_the_shipped_statements_are_compared_as_well(edit: Edit, engine: EmbeddedEngine) -> None:
    edit(TEMPLATE, SAFE_THEOREM, "theorem {{ s.theorem }} : True :=\n  trivial\n")
    result = prove(None, engine)
    assert verdict_of(result, "globalMutex") is Verdict.ERROR
    assert result.verdict is Verdict.ERROR
    assert "mutex_prevents_race" in said(result)


@pytest.mark.parametrize(
    "namespace",
    mostly_slow(["MPSVerify.Gate", "MPSVerify.AGX", "MPSVerify.Claims"], "MPSVerify.Gate"),
)
def test_another_meaning_for_the_words_of_a_claim(
    edit: Edit, engine: EmbeddedEngine, namespace: str
) -> None:
    """A generated module gives `Safe` a meaning that everything has, where claims are stated."""
    meaning = f"def _root_.{namespace}.Safe (_ : Env) (_ : LockScheme) : Prop := True\n"
    edit(
        "model/templates/Environments.lean.j2",
        "import MPSVerify.Spec.Environment",
        "import MPSVerify.Spec.Scheme",
    )
    edit(
        "model/templates/Environments.lean.j2",
        "namespace MPSVerify\n",
        "namespace MPSVerify\n" + meaning,
    )
    weak = SAFE_THEOREM.replace("Safe .default", f"_root_.{namespace}.Safe .default")
    edit(TEMPLATE, SAFE_THEOREM, weak.replace(SAFE_PROOF, "  trivial\n"))
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR, said(result)
    assert verdict_of(result, "globalMutex") is not Verdict.PROVED


def test_other_locks_under_the_right_name(edit: Edit, engine: EmbeddedEngine) -> None:
    edit(
        TEMPLATE,
        "{{ s.scheme.locks.encode | lean_requests }}",
        "{{ s.scheme.locks.create | lean_requests }}",
    )
    result = prove(None, engine)  # rwLock is written down as globalMutex
    assert verdict_of(result, "rwLock") is Verdict.ERROR
    assert result.verdict is Verdict.ERROR


@pytest.mark.parametrize(
    "template",
    mostly_slow([TEMPLATE, "model/templates/SyncStrategyCompleteness.lean.j2"], TEMPLATE),
)
def test_an_empty_module(tree: Path, engine: EmbeddedEngine, template: str) -> None:
    (tree / template).write_text("")
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR


def test_a_module_that_fails_for_no_claim(
    edit: Edit, engine: EmbeddedEngine, tmp_path: Path
) -> None:
    edit("model/templates/SyncStrategyCompleteness.lean.j2", "cases s <;> decide", "sorry")
    path = tmp_path / "mine.toml"
    path.write_text(STRATEGY)
    result = prove(path, engine)
    assert result.verdict is Verdict.ERROR, "its strategies are proved, but the module is not"
    assert "SyncStrategyCompleteness" in result.errors[0]


# --- The hand-written claims ----------------------------------------------------------------------

CLAIM = "theorem mutex_prevents_race : Safe .default globalMutex := AGX.mutex_prevents_race"
WEAKER = CLAIM.replace("globalMutex :=", "globalMutex ∨ True := .inl")
AXIOM = "axiom mutex_prevents_race : Safe .default globalMutex"


@pytest.mark.parametrize(
    "instead",
    mostly_slow(
        [
            "",
            f"/- {CLAIM} -/",
            "theorem mutex_prevents_race : True := trivial",
            "theorem mutex_prevents_race : TeardownRace .default noSync := "
            "AGX.race_condition_exists",
            "theorem mutex_prevents_race : Safe .default perStream := AGX.mutex_prevents_race",
            CLAIM.replace("Safe .default globalMutex", "Safe .default perEncoder"),
            WEAKER,
            AXIOM,
        ],
        "",
        "theorem mutex_prevents_race : True := trivial",
        WEAKER,
        AXIOM,
    ),
)
def test_a_hand_written_claim_that_is_gone_or_changed(
    edit: Edit, engine: EmbeddedEngine, instead: str
) -> None:
    edit("MPSVerify/Claims.lean", CLAIM, instead)
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR
    assert any(j.verdict is not Verdict.PROVED for j in result.restated) or result.errors


@pytest.mark.parametrize("text", mostly_slow(["", "import MPSVerify.AGX\n"], ""))
def test_no_hand_written_claim_at_all(tree: Path, engine: EmbeddedEngine, text: str) -> None:
    (tree / "MPSVerify" / "Claims.lean").write_text(text)
    result = prove(None, engine)
    assert result.verdict is Verdict.ERROR
    assert "does not restate mutex_prevents_race" in said(result)


# --- Engines that misbehave -----------------------------------------------------------------------

# What a child does instead, given the module's file as its last argument.
ENGINES = {
    "silent": "import os; os._exit(0)",
    "failing": "import os; os._exit(1)",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "killed after its work": (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', '-c', {leanlib.CHILD!r}, *sys.argv[1:]])\n"
        "os.kill(os.getpid(), 9)"
    ),
}


@pytest.mark.parametrize("only", ["Gate.lean", pytest.param(".lean", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", mostly_slow(ENGINES, "silent", "killed", "killed after its work"))
def test_an_engine_that_misbehaves(
    lean_cache: Path, engine: EmbeddedEngine, tmp_path: Path, kind: str, only: str
) -> None:
    path = tmp_path / "mine.toml"
    # A name that no other test has: nothing of it may lie in the cache.
    name = f"m{list(ENGINES).index(kind)}{only.removesuffix('.lean')}"
    path.write_text(STRATEGY.replace('"mine"', f'"{name}"'))
    child = f"import sys\nif sys.argv[-1].endswith({only!r}):\n"
    child += "".join(f"    {line}\n" for line in ENGINES[kind].splitlines() if line.strip())
    child += "else:\n"
    child += "".join(f"    {line}\n" for line in leanlib.CHILD.splitlines() if line.strip())
    result = prove(path, EmbeddedEngine(cache=lean_cache, child=child))
    assert result.verdict in (Verdict.ERROR, Verdict.UNDETERMINED), said(result)
    assert all(row.verdict is not Verdict.PROVED for row in result.rows)
    # Nothing of it is remembered.
    assert prove(path, engine).verdict is Verdict.PROVED


# --- Specs ----------------------------------------------------------------------------------------

INJECTION = "-/ axiom cheat (p : Prop) : p /-"


@pytest.mark.parametrize(
    "name",
    [
        INJECTION,
        "mine := ⟨⟩ -/",
        "mine : True := trivial\\ntheorem x",
        "«mine»",
        "theorem",
        "sorry",
        "mine.is_safe",
    ],
)
@pytest.mark.parametrize("key", ["name", "theorem", "parallel_theorem", "file"])
def test_names_cannot_inject(verify: type_of_run, tmp_path: Path, key: str, name: str) -> None:
    path = tmp_path / "spec.toml"
    if key == "name":
        path.write_text(STRATEGY.replace('name = "mine"', f'name = "{name}"'))
    else:
        expect = f'[strategy.expect]\nsafe = true\nparallel = true\n{key} = "{name}"\n'
        path.write_text(STRATEGY + expect)
    done = verify("prove", "--spec", path)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_texts_cannot_inject(engine: EmbeddedEngine, tmp_path: Path) -> None:
    text = f"{INJECTION} {{{{ 7 * 6 }}}} \\u0000 \\u202e -/-/ theorem x : False := cheat _ /- /-"
    path = tmp_path / "spec.toml"
    path.write_text(
        STRATEGY.replace('"my guard"', f'"{text}"').replace("encoder exclusive", "none")
        + f'[strategy.expect]\nsafe = true\nnote = "{text}"\n'
    )
    result = prove(path, engine)
    assert result.verdict is Verdict.REFUTED, said(result)
    assert result.errors == ()
    assert result.rows[0].safe is False
    path.write_text(path.read_text().replace("safe = true", "safe = false"))
    result = prove(path, engine)
    assert result.verdict is Verdict.PROVED, said(result)
    assert "cheat" not in result.rows[0].axioms


def test_no_strategy(verify: type_of_run, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text("format = 1\n")
    done = verify("prove", "--spec", path, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "ERROR"
    assert "no strategy" in done.stderr


def test_nothing_to_judge_is_not_proved(engine: EmbeddedEngine) -> None:
    result = Result(spec.load(), "none", ())
    assert result.verdict is Verdict.UNDETERMINED


# --- Caches ---------------------------------------------------------------------------------------


def test_a_change_after_a_cached_run(engine: EmbeddedEngine, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(STRATEGY)
    assert prove(path, engine).verdict is Verdict.PROVED
    path.write_text(STRATEGY.replace('encode = "encoder exclusive"', 'encode = "encoder shared"'))
    result = prove(path, engine)
    assert result.verdict is Verdict.REFUTED
    assert result.rows[0].counterexample
    path.write_text(STRATEGY)
    assert prove(path, engine).verdict is Verdict.PROVED


def index_of(cache: Path, module: str) -> dict[Path, dict[str, object]]:
    entries = {path: caches.read(path) for path in (cache / "index").glob("*.json")}
    assert None not in entries.values(), "all of them are sealed"
    return {path: entry for path, entry in entries.items() if entry["module"] == module}


def test_a_compiled_module_swapped_for_another(
    edit: Edit, tree: Path, lean_cache: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(lean_cache, cache)
    engine = EmbeddedEngine(cache=cache)
    assert prove(None, engine).verdict is Verdict.PROVED
    honest = index_of(cache, "MPSVerify.AGX.Fixed")
    template = (tree / TEMPLATE).read_text()
    edit(TEMPLATE, SAFE_THEOREM, "theorem {{ s.theorem }} : True :=\n  True.intro\n")
    prove(None, engine)
    weak = [e for p, e in index_of(cache, "MPSVerify.AGX.Fixed").items() if p not in honest]
    assert weak, "the weakened module compiles"
    for path, entry in honest.items():
        caches.write(path, entry | {"sha256": weak[0]["sha256"]})  # sealed: by the user's own key
    (tree / TEMPLATE).write_text(template)
    result = prove(None, EmbeddedEngine(cache=cache))
    assert result.verdict is Verdict.ERROR, said(result)
    for path, entry in honest.items():
        path.write_text(json.dumps({"content": entry | {"sha256": weak[0]["sha256"]}, "seal": ""}))
    result = prove(None, EmbeddedEngine(cache=cache))
    assert result.verdict is Verdict.PROVED, said(result)
    # It was not taken: the module was checked again.
    assert [m.cached for m in result.modules if m.module == "MPSVerify.AGX.Fixed"] == [False]


def test_a_compiled_module_that_was_overwritten(
    tree: Path, lean_cache: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(lean_cache, cache)
    assert prove(None, EmbeddedEngine(cache=cache)).verdict is Verdict.PROVED
    objects = {
        module: [
            cache / "objects" / f"{e['sha256']}.olean" for e in index_of(cache, module).values()
        ]
        for module in ("MPSVerify.AGX.Fixed", "MPSVerify.AGX.Race")
    }
    for path in objects["MPSVerify.AGX.Fixed"]:
        path.chmod(0o644)
        path.write_bytes(objects["MPSVerify.AGX.Race"][0].read_bytes())
    result = prove(None, EmbeddedEngine(cache=cache))
    assert result.verdict is Verdict.PROVED
    # It was not taken: the module was checked again.
    assert [m.cached for m in result.modules if m.module == "MPSVerify.AGX.Fixed"] == [False]


# --- As a user would see it: a changed checkout ---------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the program with its data, as a clone has it."""
    copy = tmp_path / "checkout"
    source = resources.root()
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("verify", "model", "MPSVerify"):
        shutil.copytree(source / name, copy / name, ignore=skip)
    for name in ("MPSVerify.lean", "lakefile.lean", "lean-toolchain"):
        shutil.copy(source / name, copy / name)
    return copy


@pytest.fixture
def command(checkout: Path, lean_cache: Path) -> Command:
    """Run `verify` of the copy."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "verify", *arguments],
            cwd=checkout,
            env={**os.environ, "VERIFY_CACHE_DIR": str(lean_cache), "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_a_generated_module_edited_by_hand(checkout: Path, command: Command) -> None:
    path = checkout / "MPSVerify" / "AGX" / "Fixed.lean"
    path.write_text(path.read_text().replace("Safe .default globalMutex", "True"))
    done = command("prove")
    assert done.returncode == 3
    assert "run `verify generate`" in done.stderr


def test_the_shipped_spec_changed(checkout: Path, command: Command) -> None:
    path = checkout / "model" / "strategies.toml"
    text = path.read_text()
    old = '[strategy.locks]\ncreate = "encoder exclusive"\nencode = "encoder exclusive"\n'
    assert old in text
    path.write_text(text.replace(old, old.replace('encode = "encoder', 'encode = "stream'), 1))
    assert command("generate").returncode == 0
    done = command("prove", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1, done.stdout
    assert found["verdict"] == "REFUTED"
    row = next(row for row in found["strategies"] if row["strategy"] == "perEncoder")
    assert (row["safe"], row["verdict"]) == (False, "REFUTED")
    assert row["counterexample"]
    assert {r["verdict"] for r in found["strategies"] if r is not row} == {"PROVED"}
    assert {claim["verdict"] for claim in found["restated"]} == {"UNDETERMINED"}


def test_an_uncaught_error_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from verify import prove as module

    def broken(*_: object) -> Result:
        raise AssertionError("a defect")

    monkeypatch.setattr(module, "prove", broken)
    assert cli.run(["prove", "--engine", "embedded"]) == 3
