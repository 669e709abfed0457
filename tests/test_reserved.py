"""Names of a spec that Lean or the templates use: refused in one line, or they work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import STRATEGY

from verify import claims, generate, project, reserved, resources, spec, views
from verify.engines.embedded import EmbeddedEngine
from verify.errors import VerifyError

pytest_plugins = ["engine_fixtures"]

ROOT = resources.root()
GOLDEN = Path(__file__).parent / "golden"
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def everything() -> list[str]:
    """Every part of every name of the core's surface, of the model, and every word of Lean."""
    surface = (GOLDEN / "core_surface.txt").read_text(encoding="utf-8")
    names = set(re.findall(r"^[@]?([A-Za-z_][\w.'!?]*)", surface, re.M))
    trusted = (GOLDEN / "trusted.txt").read_text(encoding="utf-8")
    names |= {
        found.removeprefix("MPSVerify.") for found in re.findall(r"^\S+ (\S+)", trusted, re.M)
    }
    for path in (ROOT / "MPSVerify").rglob("*.lean"):
        names |= set(
            re.findall(r"^(?:def|theorem|inductive|structure) (\S+)", path.read_text(), re.M)
        )
    parts = {part for name in names for part in name.split(".")}
    parts |= {*reserved.KEYWORDS, *reserved.DERIVED, *reserved.core(), *reserved.templates(ROOT)}
    parts |= {"faults_default", "reaches_nullDeref", "native_decide", "register_mine", "simproc"}
    parts |= {"parallel", "is_safe", "teardown_race"}
    parts |= {"simp", "cases", "rw", "exact", "at", "deriving", "s", "h", "trace", "counterexample"}
    return sorted(p for p in parts if PLAIN.fullmatch(p) and len(p) <= spec.MAX_NAME)


ALL = everything()


def complaint(path: Path, text: str) -> str | None:
    """What is said of a spec; None if it is taken."""
    path.write_text(text)
    try:
        spec.load(path)
    except VerifyError as error:
        return str(error)
    return None


def named(name: str) -> str:
    return STRATEGY.replace('"mine"', f'"{name}"')


def test_there_are_many_names() -> None:
    assert len(ALL) > 800
    assert {"Safe", "Option", "absurd", "some", "Strategy", "Nat", "rfl", "theorem"} <= set(ALL)


def test_a_taken_name_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    refused = {name: said for name in ALL if (said := complaint(path, named(name))) is not None}
    for name, said in refused.items():
        assert said.startswith(f"{path}:2: "), said
        assert f"'{name}'" in said or f'"{name}"' in said
        assert "\n" not in said
        assert len(said) < 500
    must = {"Safe", "Option", "absurd", "some", "Strategy", "AGX", "MPSVerify", "LockScheme",
            "scheme", "rec", "true", "fun", "Env", "all_strategies_classified",
            "safe_iff_criterion", "faults_default", "reaches_nullDeref", "reduceBool",
            "trustCompiler", "native_decide", "parallel", "is_safe", "teardown_race"}  # fmt: skip
    assert must <= set(refused)
    assert not {"mine", "perThread", "encode", "queue", "s", "trace"} & set(refused)


@pytest.mark.parametrize("key", ["theorem", "parallel_theorem"])
@pytest.mark.parametrize("name", ["Safe", "Option", "absurd", "safe_strategies_exactly_two"])
def test_the_name_of_a_theorem(tmp_path: Path, key: str, name: str) -> None:
    expect = f'[strategy.expect]\nsafe = true\nparallel = true\n{key} = "{name}"\n'
    said = complaint(tmp_path / "spec.toml", STRATEGY + expect)
    assert said is not None
    assert "choose another" in said
    assert said.startswith(f"{tmp_path / 'spec.toml'}:13: ")


@pytest.mark.parametrize("name", ["Allows", "happens", "noHandlers", "callersRetain", "mk", "rec"])
def test_the_name_of_an_environment(tmp_path: Path, name: str) -> None:
    said = complaint(tmp_path / "spec.toml", f"{STRATEGY}[environments.{name}]\nenglish = 'x'\n")
    assert said is not None
    assert f"{name}" in said
    assert said.startswith(f"{tmp_path / 'spec.toml'}:10: ")


def test_the_shipped_names_are_free() -> None:
    loaded = spec.load()
    for strategy in loaded.strategies:
        assert reserved.why(strategy.name, "strategy name") is None
    for environment in loaded.environments:
        assert reserved.why(environment, "environment name") is None


def compiled(engine: EmbeddedEngine, tmp_path: Path, names: list[str]) -> list[str]:
    """What Lean has to say of a spec with strategies, theorems, files and environments of names."""
    locks = STRATEGY.splitlines()[3:]
    text = []
    for i, name in enumerate(names):
        text += ["[[strategy]]", f'name = "{name}"', 'english = ""', *locks]
        text += ["[strategy.expect]", "safe = true", f'file = "F{i // 20}"']
    path = tmp_path / "spec.toml"
    path.write_text("\n".join(text) + "\n")
    loaded = spec.load(path)
    context = views.context(loaded)
    project.write(tmp_path, project.sources())
    project.write(tmp_path, generate.files(loaded, tmp_path, context=context))
    own = claims.of_spec(loaded, context["all_strategies"])
    lines = [claims.Line(claim) for found in own.values() for claim in found[:2]]
    build = project.build(tmp_path, engine, lines, ["MPSVerify.AGX"])
    return [str(m) for module in build.modules for m in module.messages if m.severity == "error"]


def test_names_that_are_taken_for_nothing_work(engine: EmbeddedEngine, tmp_path: Path) -> None:
    free = ["s", "h", "trace", "counterexample", "simp", "encode", "cases", "update", "idle",
            "criterion", "Thread", "Step", "Kind", "State", "Reachable", "Faulty", "Config",
            "progress", "duo", "life", "allKinds", "Theory"]  # fmt: skip
    free = [name for name in free if reserved.why(name, "strategy name") is None]
    assert len(free) > 15
    assert compiled(engine, tmp_path, free) == []


@pytest.mark.slow
def test_every_name_that_is_taken_works(engine: EmbeddedEngine, tmp_path: Path) -> None:
    free = [name for name in ALL if complaint(tmp_path / "spec.toml", named(name)) is None]
    assert len(free) > 300
    failures = []
    for start in range(0, len(free), 100):
        root = tmp_path / str(start)
        root.mkdir()
        failures += compiled(engine, root, free[start : start + 100])
    assert failures == []
