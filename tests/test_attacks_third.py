"""Attacks by whoever writes proof files, templates or specs: the third round.

Each of these went through once.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from tools import trusted
from verify import generate, project, replay, spec, trace, views
from verify.engines import lake, sources
from verify.engines._replay import SUSPICIOUS_EXTENSIONS
from verify.engines.base import NOTHING, Audit, Build
from verify.engines.embedded import EmbeddedEngine


def _refused(text: str) -> bool:
    return bool(sources.scan(sources.Source("X", text.encode(), (), "X.lean")))


@pytest.mark.parametrize(
    "text",
    [
        # Lean reads a quoted attribute like one without quotation marks.
        "@[«implemented_by» f] def g := 1",
        'attribute [«extern» "x"] foo',
        "attribute [simp, «csimp»] foo",
        "@[«term_elab» Lean.Parser.Term.app] def e := 1",
        # With Lean's own modules, attributes that nobody has listed extend the language.
        "import Lean",
        "import all Lean.Elab",
        "@[tactic foo] def e := 1",
        "@[app_elab f] def e := 1",
        "@[builtin_term_elab foo] def e := 1",
        "@[default_instance] instance : Inhabited Nat := ⟨1⟩",
        "attribute [instance] foo",
        "attribute [scoped instance] foo",
        # Binders of a claim are `∀ k ∈ …`.
        'binder_predicate x " ∈ " y => `($x = $y)',
        "unif_hint (a : Nat) where |- a =?= 1",
        "register_option x : Bool := {}",
        "declare_simp_like_tactic x",
    ],
)
def test_what_changes_later_text_is_refused_however_it_is_written(text: str) -> None:
    assert _refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "@[simp] theorem x : 1 = 1 := rfl",
        "@[simp 1100, ext (iff := false)] theorem x : 1 = 1 := rfl",
        'attribute [-simp, deprecated foo (since := "2026")] foo',
        "attribute [local instance] Classical.propDecidable",
        "attribute [local simp] foo",
        "import MPSVerify.Thm.Lean",
        "theorem declared_later (builtin : Nat) : builtin = builtin := rfl",
    ],
)
def test_what_cannot_change_it_is_allowed(text: str) -> None:
    assert not _refused(text)


def test_lake_looks_for_the_same_extensions() -> None:
    program = lake.audit_program(["MPSVerify.Gate"], [], [], "nonce", NOTHING)
    for extension, what in SUSPICIOUS_EXTENSIONS.items():
        assert f'(`{extension}, "{what}")' in program


@pytest.mark.parametrize("name", ["Gate", "Pinned", "Recorded"])
def test_a_proof_file_with_the_name_of_an_own_module_is_imported(tmp_path: Path, name: str) -> None:
    module = tmp_path / "MPSVerify" / "Thm" / f"{name}.lean"
    module.parent.mkdir(parents=True)
    module.write_text("theorem wrong : 1 = 2 := rfl\n")
    (tmp_path / "MPSVerify" / f"{name}.lean").write_text("-- left by a command\n")
    imports = generate.files(spec.load(), tmp_path)[Path("MPSVerify.lean")].splitlines()
    assert f"import MPSVerify.Thm.{name}" in imports
    assert f"import MPSVerify.{name}" not in imports


SPEC = """\
namespace MPSVerify
instance seven : OfNat Nat 7 := ⟨6⟩
namespace Hidden
scoped instance eight : OfNat Nat 8 := ⟨6⟩
end Hidden
def instDecidableTruth : Prop := True
def Word : Prop := instDecidableTruth
inductive Honest where | a | b
  deriving DecidableEq
end MPSVerify
"""


def test_the_list_of_trusted_definitions_has_what_no_word_mentions(tmp_path: Path) -> None:
    project.write(tmp_path, {Path("MPSVerify/Spec/Numbers.lean"): SPEC})
    lines = trusted.of_module(EmbeddedEngine(), tmp_path, "MPSVerify.Spec.Numbers", [], ["Word"])
    named = [line.split()[1] for line in lines]
    # Numerals are in the gate's statements, which no file lists.
    assert "MPSVerify.seven" in named
    assert "MPSVerify.Hidden.eight" in named
    # A name is no reason to look no further.
    assert "MPSVerify.instDecidableTruth" in named
    assert not any("Honest" in name for name in named)


def test_each_piece_of_a_replayed_trace_is_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last snapshot's being reachable says nothing of the events before it."""
    monkeypatch.setattr(replay, "PIECE", 5)
    loaded = spec.load()
    strategy, environment = loaded.strategy("noSync"), loaded.environments["default"]
    run = views.possible(strategy.scheme, environment, "nullDeref")
    assert run is not None
    number = -(-len(run.events) // 5)
    assert number > 2
    recorded = trace.Recorded("noSync", "default", trace.Trace(views.BOUNDS, run.events, run.at))
    engine = Mock()
    engine.name = "embedded"
    engine.build.return_value = Build("embedded", tmp_path, (), 1)
    engine.audit.return_value = Audit(("not built",))
    replay.replay(recorded, strategy.scheme, environment, engine)
    steps = [f"{replay.MODULE}.step{piece}" for piece in range(1, number + 1)]
    _, theorems, _, trust = engine.audit.call_args.args
    assert theorems == list(trust.statements) == [f"{replay.MODULE}.accepted", *steps]
