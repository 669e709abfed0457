"""The gate: attacks on it, one by one, and what it says of honest developments."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verify.children import Completed, run_child
from verify.engines import audit as gate
from verify.engines import sources
from verify.engines._replay import KERNEL_SPECIAL
from verify.engines.base import NOTHING, Audit, Build, TheoremAudit, Trust
from verify.engines.embedded import EmbeddedEngine

pytest_plugins = ["engine_fixtures"]

Project = Callable[..., Path]
ATTACKS = Path(__file__).parent / "lean" / "attacks"


def run(
    engine: EmbeddedEngine,
    root: Path,
    module: str,
    theorems: list[str],
    pairs: list[tuple[str, str]] | None = None,
) -> tuple[Build, Audit]:
    build = engine.build(root, [module])
    return build, engine.audit(build, theorems, pairs or [])


def said(build: Build, found: Audit) -> str:
    messages = [str(m) for r in build.modules for m in r.messages]
    return "\n".join([*messages, *found.problems])


SKIPPED = "theorem attack : (0 : Nat) = 1 := by decide +kernel\n"
HONEST = """\
theorem attack : (0 : Nat) = 0 := rfl
theorem other (p q : Prop) (hp : p) (hq : q) : q ∧ p := ⟨hq, hp⟩
def Claim.other : Prop := ∀ (a b : Prop), a → b → b ∧ a
def Claim.weak : Prop := ∀ (a b : Prop), a → b → b
theorem Claim.attack : (0 : Nat) = 0 := rfl
theorem classical (p : Prop) : p ∨ ¬p := Classical.em p
"""


def test_an_honest_development_passes(engine: EmbeddedEngine, project: Project) -> None:
    build, found = run(
        engine,
        project({"Honest.lean": HONEST}),
        "Honest",
        ["attack", "other", "classical"],
        [("Claim.attack", "attack"), ("Claim.other", "other")],
    )
    assert found.ok, said(build, found)
    assert found.problems == ()
    assert found.constants > 1000
    assert [t.axioms for t in found.theorems[:2]] == [(), ()]
    assert set(found.theorems[2].axioms) <= {"propext", "Quot.sound", "Classical.choice"}
    assert "Classical.choice" in found.theorems[2].axioms
    again = engine.audit(
        build,
        ["attack", "other", "classical"],
        [("Claim.attack", "attack"), ("Claim.other", "other")],
    )
    assert (again.theorems, again.pairs) == (found.theorems, found.pairs)


# Attack -> (what the source scan says, what the nets behind it say when the scan is off).
CASES = {
    "Sorry": ("`sorry` is not allowed", "attack: depends on sorryAx"),
    "Axiom": ("`axiom` is not allowed", "declares the axiom cheat"),
    "NativeDecide": ("`native_decide` is not allowed", "NativeDecide"),
    "SkipKernel": ("`set_option debug.skipKernelTC` is not", "the kernel refused a constant"),
    "ImplementedBy": ("`implemented_by` is not allowed", "1 use(s) of implemented_by"),
    "Extern": ("`extern` is not allowed", "1 use(s) of extern"),
    "Unsafe": ("`unsafe` is not allowed", "declares attackAux, which is unsafe"),
    "Macro": ("`macro` is not allowed", "use(s) of macro"),
    "WrongGcd": ("has already been declared", "has already been declared"),
    "Empty": ("attack: no such theorem", "attack: no such theorem"),
    "Exit": ("`#exit` is not allowed", "attack: no such theorem"),
    "Definition": ("attack: is a declaration of kind def", "attack: is a declaration of kind def"),
}


def test_every_attack_is_tried() -> None:
    assert {p.stem for p in ATTACKS.glob("*.lean")} == set(CASES)


@pytest.mark.parametrize("attack", CASES)
@pytest.mark.parametrize("scanning", [True, False])
def test_attacks(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, attack: str, scanning: bool
) -> None:
    if not scanning:
        monkeypatch.setattr(sources, "scan", lambda _: ())
    build, found = run(engine, ATTACKS, attack, ["attack"])
    assert not found.ok
    assert found.problems
    assert CASES[attack][0 if scanning else 1] in said(build, found)
    if scanning and "not allowed" in CASES[attack][0]:
        assert not build.ok, "the scan alone must stop it"


def test_a_missing_theorem(engine: EmbeddedEngine, project: Project) -> None:
    _, found = run(engine, project({"Honest.lean": HONEST}), "Honest", ["attack", "attacks"])
    assert found.problems == ("attacks: no such theorem",)
    assert not found.ok


def test_a_name_with_a_dot_in_a_component_is_another_name(
    engine: EmbeddedEngine, project: Project
) -> None:
    root = project({"Dot.lean": "theorem «A.b» : True := True.intro\n"})
    _, found = run(engine, root, "Dot", ["A.b"])
    assert found.problems == ("A.b: no such theorem",)


def test_a_theorem_of_the_core_does_not_stand_in_for_a_project(
    engine: EmbeddedEngine, project: Project
) -> None:
    _, found = run(engine, project({"E.lean": ""}), "E", ["rfl_is_nowhere"])
    assert not found.ok


@pytest.mark.parametrize(
    ("claim", "theorem"),
    [
        ("Claim.weak", "other"),  # a weakened statement under the right name
        ("Claim.attack", "other"),
        ("Claim.nowhere", "other"),
        ("Claim.other", "nowhere"),
    ],
)
def test_a_theorem_that_states_something_else(
    engine: EmbeddedEngine, project: Project, claim: str, theorem: str
) -> None:
    root = project({"Honest.lean": HONEST})
    _, found = run(engine, root, "Honest", ["other"], [(claim, theorem)])
    assert not found.ok
    assert f"but {claim} claims" in found.problems[0]


def test_universe_parameters_in_another_order_are_not_equal(
    engine: EmbeddedEngine, project: Project
) -> None:
    text = "theorem c.{u, v} (a : Sort u) (b : Sort v) (x : a) (_ : b) : x = x := rfl\n"
    same = text.replace("theorem c", "theorem same")
    other = text.replace("theorem c.{u, v}", "theorem other.{v, u}")
    root = project({"U.lean": text + same + other})
    _, found = run(engine, root, "U", ["same"], [("c", "same"), ("c", "other")])
    assert [p.equal for p in found.pairs] == [True, False]


def test_nothing_asked_is_no_pass(engine: EmbeddedEngine, project: Project) -> None:
    _, found = run(engine, project({"Honest.lean": HONEST}), "Honest", [])
    assert not found.problems
    assert not found.ok


def test_a_build_that_failed_is_not_audited(engine: EmbeddedEngine, project: Project) -> None:
    build, found = run(engine, project({"Bad.lean": "theorem attack : x := y"}), "Bad", ["attack"])
    assert not build.ok
    assert found.errors == ("the build did not succeed, so nothing was audited",)


def test_a_compiled_file_that_changed_is_refused(engine: EmbeddedEngine, project: Project) -> None:
    build = engine.build(project({"Late.lean": "theorem late : True := True.intro\n"}), ["Late"])
    olean = build.oleans["Late"]
    olean.chmod(0o644)
    content = olean.read_bytes()
    olean.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = engine.audit(build, ["late"], [])
    assert "changed since it was compiled" in found.problems[0]


ECHO = """\
import json, sys
asked = json.load(sys.stdin)
answer = {"nonce": asked["nonce"], "errors": [], "findings": [], "declared": 10, "skipped": 1,
          "constants": 9, "pairs": [], "theorems": [
    {"name": n, "kind": "theorem", "axioms": [], "statement": ""} for n in asked["theorems"]]}
"""


def test_the_stand_in_is_otherwise_believed(
    engine: EmbeddedEngine, project: Project, tmp_path: Path
) -> None:
    # Without this the next test could pass for the wrong reason.
    build = engine.build(project({"Honest.lean": HONEST}), ["Honest"])
    child = tmp_path / "child.py"
    child.write_text(ECHO + "print(json.dumps(answer))")
    assert gate.audit(engine, build, ["attack"], [], child=child).ok


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("", "it printed nothing"),
        ("import os; os._exit(0)", "it printed nothing"),
        ("import sys; sys.exit(1)", "exit code 1"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        (ECHO + "print(json.dumps(answer)[:-9])", "cut short"),
        (ECHO + "print(json.dumps([answer]))", "cut short or garbled"),
        (ECHO + "answer['nonce'] = ''; print(json.dumps(answer))", "another question"),
        (ECHO + "answer['constants'] = 8; print(json.dumps(answer))", "did not accept as many"),
        (ECHO + "answer['constants'] = 0; print(json.dumps(answer))", "did not accept as many"),
        (ECHO + "answer['theorems'] = []; print(json.dumps(answer))", "not about the theorems"),
        (ECHO + "del answer['findings']; print(json.dumps(answer))", "incomplete"),
        (ECHO + "answer['findings'] = None; print(json.dumps(answer))", "incomplete"),
    ],
)
def test_a_child_that_misbehaves_proves_nothing(
    engine: EmbeddedEngine, project: Project, tmp_path: Path, program: str, reason: str
) -> None:
    build = engine.build(project({"Honest.lean": HONEST}), ["Honest"])
    child = tmp_path / "child.py"
    child.write_text(program)
    for _ in range(2):  # the second must not find a remembered pass
        found = gate.audit(engine, build, ["attack"], [], child=child)
        assert not found.ok
        assert reason in found.errors[0]


def test_an_audit_is_remembered_sealed(engine: EmbeddedEngine, project: Project) -> None:
    build = engine.build(project({"M.lean": "theorem memory : True := True.intro\n"}), ["M"])
    before = set((engine.cache / "audits").glob("*.json"))

    def judged(by: EmbeddedEngine, *, theorem: str = "memory", trust: Trust = NOTHING) -> bool:
        """Whether the kernel has replayed it now."""
        found = by.audit(build, [theorem], [], trust)
        assert found.ok == (theorem == "memory")
        return found.seconds > 0

    assert judged(engine)
    (memory,) = set((engine.cache / "audits").glob("*.json")) - before
    assert not judged(engine), "it was believed"
    assert judged(EmbeddedEngine(cache=engine.cache, anew=True)), "the gate's engine asks again"
    assert judged(engine, trust=Trust(modules=("MPSVerify.Spec.",))), "another question"
    assert judged(engine, theorem="M.other"), "another question"
    honest = memory.read_text()
    for planted in (
        json.dumps(json.loads(honest)["content"]),
        json.dumps(json.loads(honest) | {"seal": ""}),
        honest.replace('"memory"', '"memori"'),
        "",
    ):
        memory.write_text(planted)
        assert judged(engine), planted
        memory.write_text(planted)
    other = memory.with_name(memory.name[::-1])
    other.write_text(honest)
    assert judged(engine), "a seal is good for one name"


def test_the_replay_is_remembered_up_to_a_change(
    engine: EmbeddedEngine, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    believed = []

    def listen(*arguments: Any, **named: Any) -> Completed:
        if text := named.get("stdin"):
            believed.append(json.loads(text)["believed"])
        return run_child(*arguments, **named)

    monkeypatch.setattr("verify.engines.audit.run_child", listen)

    def judged(by: EmbeddedEngine, last: str, first: str = "theorem a : 0 = 0 := rfl\n") -> Audit:
        files = {"A.lean": first, "B.lean": "import A\ntheorem b : 0 = 0 := a\n", "C.lean": last}
        return by.audit(by.build(project(files), ["C"]), ["b"], [])

    with monkeypatch.context() as patch:
        # A false theorem that only the kernel notices: behind what is believed it is replayed.
        patch.setattr(sources, "scan", lambda _: ())
        lie = f"import B\nset_option debug.skipKernelTC true in\n{SKIPPED}"
        assert judged(engine, "import B\n").ok
        refused = judged(engine, lie)
        assert any("the kernel refused a constant" in e for e in refused.errors), refused
        assert judged(engine, "import B\ntheorem c : 1 = 1 := rfl\n").ok
        assert judged(EmbeddedEngine(cache=engine.cache, anew=True), "import B\n-- x\n").ok
        assert judged(engine, "import B\n", "theorem a : 0 = 0 := Eq.refl _\n").ok
        assert believed == [0, 2, 2, 0, 0]
        # What was refused is not among what is believed.
        assert judged(engine, lie).errors == refused.errors
        # An entry that this user has not sealed is none.
        for entry in (engine.cache / "accepted").glob("*.json"):
            entry.write_text('"accepted by the kernel"')
        judged(engine, "import B\ntheorem c : 2 = 2 := rfl\n")
        assert believed[5:] == [2, 0]


def test_an_axiom_counts_by_allow_list() -> None:
    for axiom in ("sorryAx", "Lean.ofReduceBool", "Lean.trustCompiler", "M.t._native.ax_1"):
        assert TheoremAudit("t", "theorem", ("propext", axiom), "").problem == (
            f"t: depends on {axiom}"
        )
    assert TheoremAudit("t", "theorem", ("propext", "Quot.sound"), "").problem is None


# ---------------------------------------------------------------------------------------------
# Names that the kernel evaluates natively.


def log2(n: int) -> int:
    return n.bit_length() - 1 if n else 0


BINARY: dict[str, Callable[[int, int], int | bool]] = {
    "Nat.add": lambda a, b: a + b,
    "Nat.sub": lambda a, b: max(a - b, 0),
    "Nat.mul": lambda a, b: a * b,
    "Nat.div": lambda a, b: a // b if b else 0,
    "Nat.mod": lambda a, b: a % b if b else a,
    "Nat.gcd": math.gcd,
    "Nat.beq": lambda a, b: a == b,
    "Nat.ble": lambda a, b: a <= b,
    "Nat.land": lambda a, b: a & b,
    "Nat.lor": lambda a, b: a | b,
    "Nat.xor": lambda a, b: a ^ b,
    "Nat.shiftLeft": lambda a, b: a << b,
    "Nat.shiftRight": lambda a, b: a >> b,
    "Nat.pow": lambda a, b: a**b,
}
UNARY: dict[str, Callable[[int], int]] = {"Nat.succ": lambda a: a + 1, "Nat.log2": log2}
SMALL = (0, 1, 3, 6)


def lean(value: int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def table() -> list[tuple[str, tuple[int, ...], str]]:
    rows = [(f, (a, b), lean(g(a, b))) for f, g in BINARY.items() for a in SMALL for b in SMALL]
    return rows + [(f, (a,), lean(h(a))) for f, h in UNARY.items() for a in (*SMALL, 8, 13)]


def test_the_table_covers_what_the_kernel_evaluates() -> None:
    functions = {n for n in KERNEL_SPECIAL if n.startswith("Nat.")} - {"Nat.zero"}
    assert functions == set(BINARY) | set(UNARY)


def test_kernel_special_names_agree_with_pythons_integers(
    engine: EmbeddedEngine, project: Project
) -> None:
    """Both what the kernel computes natively and what the definitions in the core say.

    The kernel evaluates natively only terms without free variables, so under a binder, with the
    argument hidden behind it, it has to unfold the definition.
    """
    native, unfolded = [], []
    for i, (f, arguments, value) in enumerate(table()):
        plain = " ".join(str(a) for a in arguments)
        hidden = " ".join(f"((fun _ => {a}) u)" for a in arguments)
        native.append(f"theorem n{i} : {f} {plain} = {value} := by decide +kernel")
        if value.isdigit() and int(value) > 100:
            continue  # unary arithmetic is deep
        unfolded.append(
            f"theorem u{i} : ∀ u : Unit, {f} {hidden} = {value} := fun u => @rfl _ ({f} {hidden})"
        )
    # As in Lean's own core these two are irreducible: to the front end, which must agree first.
    unfolded.insert(0, "attribute [local semireducible] Nat.div Nat.modCore")
    root = project({"N.lean": "\n".join(native), "U.lean": "\n".join(unfolded)})
    for module, letter in (("N", "n"), ("U", "u")):
        names = re.findall(rf"^theorem ({letter}\d+) ", (root / f"{module}.lean").read_text(), re.M)
        assert len(names) > 200
        build, found = run(engine, root, module, names)
        assert found.ok, said(build, found)[:2000]


def test_a_core_that_lacks_a_special_name_proves_nothing(
    engine: EmbeddedEngine, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = tmp_path / "child.py"
    text = gate.CHILD.read_text()
    child.write_text(text.replace('"Nat.zero"', '"Nat.zero", "Nat.absent"', 1))
    if child.read_text() == text:
        child.write_text(text.replace('"Bool.true",', '"Bool.true", "Nat.absent",', 1))
    build = engine.build(project({"Honest.lean": HONEST}), ["Honest"])
    found = gate.audit(engine, build, ["attack"], [], child=child)
    assert "the core library lacks Nat.absent" in found.errors[0]


def test_a_request_is_answered_in_full(engine: EmbeddedEngine, project: Project) -> None:
    """The child's own account: every declared constant is in the kernel's environment."""
    build = engine.build(project({"Honest.lean": HONEST}), ["Honest"])
    request = {
        "nonce": "n",
        "core": [[m, str(p), build.core_hashes[m]] for m, p in build.core_oleans.items()],
        "project": [[m, str(p), build.olean_hashes[m]] for m, p in build.oleans.items()],
        "believed": 0,
        "theorems": ["attack"],
        "pairs": [],
        "trust": dataclasses.asdict(NOTHING),
    }
    done = run_child(
        [sys.executable, "-I", str(gate.CHILD), str(engine.library.path)],
        timeout=250,
        stdin=json.dumps(request),
    )
    answer = json.loads(done.stdout)
    assert answer["errors"] == []
    assert answer["constants"] + answer["skipped"] == answer["declared"]
    assert answer["skipped"] < answer["declared"] / 4
