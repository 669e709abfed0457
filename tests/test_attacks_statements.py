"""Attacks on what statements say: a word, an instance or a notation is given another meaning.

The attacker writes templates, proof files and the texts of a spec, but neither `MPSVerify/Spec` nor
`MPSVerify/Claims.lean`.  Whatever is false or says less than it seems to must not end PROVED.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import STRATEGY, mostly_slow

from verify import claims, project, resources, spec
from verify.engines import sources
from verify.engines.base import Audit
from verify.engines.embedded import EmbeddedEngine
from verify.prove import Result, prove, record
from verify.records.base import as_json
from verify.statements import WORDS, Statement, rooted, word
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures", "prove_fixtures"]

Edit = Callable[[str, str, str], None]

TEMPLATE = "model/templates/_strategy.lean.j2"
COMPLETENESS = "model/templates/SyncStrategyCompleteness.lean.j2"
OPEN = "namespace MPSVerify.AGX\n"
UNSAFE = STRATEGY.replace("encoder", "stream")


def said(result: Result) -> str:
    """Everything that the user is told."""
    return json.dumps(as_json(record(result)), ensure_ascii=False)


def refused(result: Result, reason: str) -> None:
    """Nothing is proved, and for the right reason."""
    assert result.verdict is Verdict.ERROR, said(result)
    assert reason == "" or re.search(reason, said(result)), said(result)


# --- Every word of a statement, declared where statements are written ---

NEARER = [f"{module}.{name}" for module in claims.OWN for name in sorted(WORDS)]


def nearer_audit(engine: EmbeddedEngine, root: Path) -> Audit:
    """One proof file declares every word in the namespace of every module with statements."""
    text = ["import MPSVerify.Thm.Replay", "set_option autoImplicit false"]
    text += [f"def {name} : Prop := True" for name in NEARER]
    project.write(root, {**project.sources(), Path("MPSVerify/Thm/Near.lean"): "\n".join(text)})
    statement = Statement(f"{word('Safe')} ⟨{', '.join(['.true'] * len(spec.FLAGS))}⟩ "
                          "⟨[], [], [], [], .true⟩")  # fmt: skip
    line = claims.Line(
        claims.Claim("", "unsafe", None, claims.GATE, statement, ""), negated=True, by_theorem=False
    )
    source, names = claims.gate_module([line], ["MPSVerify.Thm.Near"])
    project.write(root, {Path("MPSVerify/Gate.lean"): source})
    build = engine.build(root, [claims.GATE])
    assert build.ok, [m.messages for m in build.modules if not m.ok]
    return engine.audit(build, names, [], project.trust(names))


@pytest.fixture(scope="module")
def nearer(lean_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return nearer_audit(EmbeddedEngine(cache=lean_cache), tmp_path_factory.mktemp("nearer"))


@pytest.mark.parametrize("name", NEARER)
def test_a_word_declared_nearer_than_ours(nearer: Audit, name: str) -> None:
    assert not nearer.ok
    owner = next(module for module in claims.OWN if name.startswith(f"{module}."))
    finding = f"MPSVerify.Thm.Near: declares {name}; only {owner} may declare what is below it"
    assert finding in nearer.findings


def test_what_is_rooted_is_ours_all_the_same(nearer: Audit) -> None:
    (theorem,) = nearer.theorems
    assert theorem.problem is None, "the claim is proved: of our `Safe`, not of the nearer one"
    assert "MPSVerify.Safe" in theorem.statement
    assert "Gate.Safe" not in theorem.statement


# --- Every word of a statement, by a notation or an alias ---

MEANINGS = {
    "notation": 'notation "¬" p:40 => (fun _ => True) p\n',
    "infix": 'infix:50 " ∈ " => fun _ _ => True\n',
    "macro": "macro_rules | `(¬ $p) => `(True)\n",
    "syntax": 'syntax "hollow" : term\n',
    "elaborator": '@[term_elab not] def hollow : Nat := 0\n',
    "export": "namespace Hollow\ndef Safe (_ : Env) (_ : LockScheme) : Prop := True\nend Hollow\n"
    "export Hollow (Safe)\n",
    "unexpander": "@[app_unexpander Safe] def hide : Nat := 0\n",
}  # fmt: skip


@pytest.mark.parametrize("scanned", [True, False])
@pytest.mark.parametrize("kind", MEANINGS)
def test_another_grammar(
    edit: Edit,
    engine: EmbeddedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    scanned: bool,
) -> None:
    if not scanned:
        monkeypatch.setattr(sources, "scan", lambda _: ())
    edit(TEMPLATE, OPEN, OPEN + MEANINGS[kind])
    path = tmp_path / "mine.toml"
    path.write_text(STRATEGY)  # a true claim: but of a grammar that is not ours
    result = prove(path, engine)
    refused(result, "is not allowed" if scanned else "")


# --- Hand-written claims, hollowed out from proof files ---

MEMORY_SAFE = """
def Claims.MemorySafe (_ : Env) (σ : LockScheme) : Prop :=
  σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue]

theorem memory_safe_schemes_exactly_six (σ : LockScheme) (_ : σ.Single) :
    Claims.MemorySafe .default σ ↔
      σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue] := Iff.rfl

end MPSVerify
"""
CAN_GO_ON = """
def Claims.CanGoOn (_ : Config) (_ : State) : Prop := True

theorem progress {C : Config} {s : State} (_ : Reachable C s) {t : Thread} {x : Busy}
    (_ : s.threads t = some x) : Claims.CanGoOn C s ∨ ∃ f, Faulty C f s := Or.inl trivial

end MPSVerify
"""
END = "\nend MPSVerify\n"

HOLLOW: dict[str, tuple[list[tuple[str, str, str]], str]] = {
    # Edits of (file, text, other text), and a finding.
    "a definition nearer than ours: CanGoOn": (
        [
            ("MPSVerify/Thm/Progress.lean", "theorem progress ", "theorem really "),
            ("MPSVerify/Thm/Progress.lean", "(progress hr ht)", "(really hr ht)"),
            ("MPSVerify/Thm/Progress.lean", END, CAN_GO_ON),
        ],
        r"Thm\.Progress: declares MPSVerify\.Claims\.CanGoOn",
    ),
    "a definition nearer than ours: MemorySafe": (
        [
            (
                "MPSVerify/Theory/Counting.lean",
                "theorem memory_safe_schemes_exactly_six ",
                "theorem really ",
            ),
            ("MPSVerify/Theory/Counting.lean", END, MEMORY_SAFE),
        ],
        r"Theory\.Counting: declares MPSVerify\.Claims\.MemorySafe",
    ),
    "an instance for a number": (
        [
            (
                "MPSVerify/Theory/Counting/Space.lean",
                "theorem singleSchemes_length",
                "instance : OfNat Nat 29282 := ⟨29281 + 1⟩\n\ntheorem singleSchemes_length",
            )
        ],
        r"declares MPSVerify\.instOfNatNat\S*, on which rests what "
        r"MPSVerify\.Claims\.singleSchemes_length states",
    ),
    "an instance below the model": (
        [
            (
                "model/templates/Environments.lean.j2",
                "namespace MPSVerify\n",
                "namespace MPSVerify\ninstance : OfNat Nat 2 := ⟨1 + 1⟩\n",
            )
        ],
        r"AGX\.Environments: declares MPSVerify\.instOfNatNat\S*, on which rests what "
        r"MPSVerify\.Claims\.\w+_complete_run states",
    ),
    "a namespace nearer than AGX": (
        [
            (
                "MPSVerify/Theory/Proposals.lean",
                END,
                "\ndef Claims.AGX.unused : Nat := 0\n" + END,
            )
        ],
        r"MPSVerify\.Claims fails: ",
    ),
    "a strategy fewer": (
        [
            (COMPLETENESS, "inductive Strategy where\n{% for s in strategies %}",
             "inductive Strategy where\n{% for s in strategies[1:] %}"),
            (COMPLETENESS, "Strategy → LockScheme\n{% for s in strategies %}",
             "Strategy → LockScheme\n{% for s in strategies[1:] %}"),
        ],
        r"MPSVerify\.Pinned fails",
    ),
    "a strategy more": (
        [
            (COMPLETENESS, "inductive Strategy where\n",
             "inductive Strategy where\n  /-- Another. -/\n  | another\n"),
            (COMPLETENESS, "Strategy → LockScheme\n",
             "Strategy → LockScheme\n  | .another => AGX.noSync\n"),
        ],
        r"MPSVerify\.Pinned fails",
    ),
    "other locks for a strategy": (
        [(COMPLETENESS, "=> AGX.{{ s.name }}",
          "=> AGX.{{ 'noSync' if s.name == 'lockFree' else s.name }}")],
        r"MPSVerify\.Pinned fails",
    ),
}  # fmt: skip


ONE_OF_EACH_KIND = (
    "a definition nearer than ours: CanGoOn",
    "an instance for a number",
    "a namespace nearer than AGX",
    "a strategy fewer",
    "other locks for a strategy",
)


@pytest.mark.parametrize("attack", mostly_slow(HOLLOW, *ONE_OF_EACH_KIND))
def test_hand_written_claims_hollowed_out(edit: Edit, engine: EmbeddedEngine, attack: str) -> None:
    edits, reason = HOLLOW[attack]
    for file, old, new in edits:
        edit(file, old, new)
    refused(prove(None, engine), reason)


# --- Instances in the statements of a user's spec ---

INSTANCES = {
    "OfNat": "instance (priority := 2000) : OfNat Nat 1 := ⟨0 + 1⟩\n",
    "OfNat, below": "instance (priority := 2000) (n : Nat) : OfNat Nat n := ⟨n⟩\n",
}


@pytest.mark.parametrize("kind", INSTANCES)
def test_an_instance_in_a_statement(
    edit: Edit, engine: EmbeddedEngine, tmp_path: Path, kind: str
) -> None:
    edit(TEMPLATE, OPEN, OPEN + INSTANCES[kind])
    path = tmp_path / "mine.toml"
    path.write_text(UNSAFE + '[strategy.expect]\nsafe = false\nfault = "nullDeref"\nrace = true\n')
    result = prove(path, engine)
    refused(result, r"declares MPSVerify\.AGX\.instOfNatNat\S*, on which rests what")


MEMBERSHIP = """
instance (priority := 2000) : Membership Kind (List Kind) := ⟨fun _ _ => False⟩
instance (priority := 2000) (l : List Kind) (p : Kind → Prop) : Decidable (∀ k, k ∈ l → p k) :=
  .isTrue fun _ h => h.elim
"""


def test_an_instance_in_what_explain_asks(
    edit: Edit, engine: EmbeddedEngine, lean_cache: Path
) -> None:
    from verify import explain

    strategy = spec.load().strategy("noSync")
    default = spec.load().environments["default"]
    asked = {"false": explain._overlap_claim(strategy, default, [])}
    assert project.confirmed(engine, asked) == set(), "it is false"
    edit("MPSVerify/Thm/Replay.lean", END, MEMBERSHIP + END)
    assert project.confirmed(engine, asked) == set()


# --- The texts of a spec ---


def test_no_text_of_a_spec_gets_into_a_statement(tmp_path: Path) -> None:
    """Texts and names of theorems and files are no part of what is asked; names of strategies are
    none either: the locks stand there as literals."""
    path = tmp_path / "mine.toml"
    expect = '[strategy.expect]\nsafe = true\ntheorem = "T"\nfile = "F"\nnote = "N"\n'
    statements = []
    for text in (STRATEGY, STRATEGY.replace('"mine"', '"yours"').replace("my guard", "x") + expect):
        path.write_text(text)
        loaded = spec.load(path)
        from verify import views

        found = claims.of_spec(
            loaded, [views.strategy_view(s, loaded.environments) for s in loaded.strategies]
        )
        statements.append([c.statement for own in found.values() for c in own])
    assert statements[0] == statements[1]
    assert not [s for s in statements[0] if "mine" in s or "AGX" in s]


def test_every_definition_of_a_claim_stands_in_the_model(engine: EmbeddedEngine) -> None:
    """The check itself can fail: with the model not trusted, everything is refused."""
    root = resources.root()
    build = engine.build(root, ["MPSVerify"])
    stated = [name for name, _ in claims.restated(root / "MPSVerify" / "Claims.lean")]
    trust = project.trust(stated, definitions=claims.pins(spec.load()).definitions)
    assert engine.audit(build, stated, [], trust).findings == ()
    bare = type(trust)(trust.statements, ("MPSVerify.Nowhere.",), trust.definitions)
    findings = " ".join(engine.audit(build, stated, [], bare).findings)
    for name in ("Safe", "Step", "Kind", "criterion", "instDecidableEqKind", "twoOrders"):
        assert f"declares MPSVerify.{name}, " in findings
    without = type(trust)(trust.statements, trust.modules, ())
    findings = " ".join(engine.audit(build, stated, [], without).findings)
    for name in ("Env.default", "AGX.noSync", "AGX.Strategy", "AGX.Strategy.scheme"):
        assert f"declares MPSVerify.{name}, " in findings
    assert rooted("MPSVerify.Safe") == word("Safe")
