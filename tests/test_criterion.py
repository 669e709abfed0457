"""`verify.criterion` against `MPSVerify/Spec/Criterion.lean`: each function, by Lean's kernel."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from pathlib import Path

from verify import claims, criterion, project, spec
from verify.engines.base import Build
from verify.engines.embedded import EmbeddedEngine
from verify.spec import FAULTS, FLAGS, KINDS, MODES, SCOPES, Environment, LockScheme, Request

pytest_plugins = ["engine_fixtures"]

PAIRS = tuple(itertools.product(KINDS, KINDS))
ENVIRONMENTS = [
    Environment("some", "", **dict(zip(FLAGS, values, strict=True)))
    for values in itertools.product((True, False), repeat=len(FLAGS))
]


def random_scheme(choose: random.Random) -> LockScheme:
    def requests() -> tuple[Request, ...]:
        scopes = choose.sample(spec.SCOPES, choose.choice((0, 1, 1, 2)))
        return tuple(Request(scope, choose.choice(spec.MODES)) for scope in scopes)

    return LockScheme({kind: requests() for kind in KINDS}, choose.random() < 0.7)


def cells() -> list[tuple[LockScheme, Environment]]:
    """The shipped schemes and random ones, in some environments each; all environments occur."""
    choose = random.Random(5)
    shipped = [strategy.scheme for strategy in spec.load().strategies]
    schemes = [*shipped, *(random_scheme(choose) for _ in range(54))]
    every = [(scheme, env) for scheme, env in zip(schemes, ENVIRONMENTS, strict=True)]
    every += [(scheme, choose.choice(ENVIRONMENTS)) for scheme in schemes]
    # Encodes exclude teardowns, and nothing else excludes anything: a context is stale in one way.
    encoder = {mode: (Request("encoder", mode),) for mode in MODES}
    locks = dict(zip(KINDS, ((), encoder["exclusive"], *2 * [encoder["shared"]]), strict=True))
    return [*every, (LockScheme(locks, check=True), spec.load().environments["default"])]


CELLS = cells()

PREAMBLE = """\
import MPSVerify.Spec.Criterion
namespace MPSVerify.Compared
def bits (bs : List Bool) : Nat := bs.foldr (fun b n => n + n + cond b 1 0) 0
def pairs : List (Kind × Kind) := allKinds.flatMap fun k => allKinds.map fun n => (k, n)
def scopes : List Scope := [.global, .stream, .operation, .encoder, .queue]
def places : List (Scope × Scope) := scopes.flatMap fun s => scopes.map fun t => (s, t)
def modes : List Mode := [.exclusive, .shared]
"""


def number(bits: Iterable[bool]) -> int:
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def answers() -> dict[str, tuple[str, object]]:
    """For each function of Lean its values as a Lean term, and what Python says they are."""
    of_env = "envs.map fun e => bits"
    of_cell = "cells.map fun c => bits"
    of_pairs = f"{of_cell} (pairs.map fun p =>"
    places = tuple(itertools.product(SCOPES, SCOPES))
    same = "pairs.map fun p => bits (places.map fun q =>"
    return {
        "happens": (
            f"{of_env} (allKinds.map e.happens)",
            [number(criterion.happens(e, k) for k in KINDS) for e in ENVIRONMENTS],
        ),
        "beside": (
            f"{of_env} (pairs.map fun p => e.beside p.1 p.2)",
            [number(criterion.beside(e, *p) for p in PAIRS) for e in ENVIRONMENTS],
        ),
        "meet": (
            f"{of_env} (pairs.map fun p => e.meet p.1 p.2)",
            [number(criterion.meet(e, *p) for p in PAIRS) for e in ENVIRONMENTS],
        ),
        "modes": (
            "bits (modes.flatMap fun m => modes.map m.excludes)",
            number(
                Request("global", m).excludes(Request("global", n)) for m in MODES for n in MODES
            ),
        ),
        "requestsIn": (
            "cells.map fun c => allKinds.map (c.1.requestsIn c.2)",
            [[list(s.requests_in(e, k)) for k in KINDS] for s, e in CELLS],
        ),
        "sameOnEncoder": (
            f"{same} Scope.sameOnEncoder p.1 p.2 q.1 q.2)",
            [number(criterion.same_on_encoder(*p, *q) for q in places) for p in PAIRS],
        ),
        "sameAnywhere": (
            f"{same} Scope.sameAnywhere p.1 p.2 q.1 q.2)",
            [number(criterion.same_anywhere(*p, *q) for q in places) for p in PAIRS],
        ),
        "excludesOnEncoder": (
            f"{of_pairs} c.1.excludesOnEncoder c.2 p.1 p.2)",
            [number(criterion.excludes_on_encoder(*c, *p) for p in PAIRS) for c in CELLS],
        ),
        "excludesAnywhere": (
            f"{of_pairs} c.1.excludesAnywhere c.2 p.1 p.2)",
            [number(criterion.excludes_anywhere(*c, *p) for p in PAIRS) for c in CELLS],
        ),
        "overlaps": (
            f"{of_pairs} c.1.overlaps c.2 p.1 p.2)",
            [number(p in criterion.overlapping(*c) for p in PAIRS) for c in CELLS],
        ),
        "parallelCriterion": (
            "cells.map fun c => parallelCriterion c.2 c.1",
            [criterion.parallel(*c) for c in CELLS],
        ),
        "overlapsTeardown": (
            f"{of_cell} (allKinds.map (c.1.overlapsTeardown c.2))",
            [number(criterion.overlaps_teardown(*c, k) for k in KINDS) for c in CELLS],
        ),
        "stealsBlocks": (
            "cells.map fun c => c.1.stealsBlocks c.2",
            [criterion.steals_blocks(*c) for c in CELLS],
        ),
        "faultCriterion": (
            f"{of_cell} (allFaults.map (faultCriterion c.2 c.1))",
            [number(fault in criterion.faults(*c) for fault in FAULTS) for c in CELLS],
        ),
        "criterion": (
            "cells.map fun c => criterion c.2 c.1",
            [not criterion.faults(*c) for c in CELLS],
        ),
    }


def literal(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Request):
        return f"⟨.{value.scope}, .{value.mode}⟩"
    return str(value).lower()


def build(engine: EmbeddedEngine, root: Path, asked: dict[str, tuple[str, object]]) -> Build:
    envs = ", ".join(map(claims.environment_literal, ENVIRONMENTS))
    listed = ", ".join(
        f"({claims.scheme_literal(s)}, {claims.environment_literal(e)})" for s, e in CELLS
    )
    text = PREAMBLE + f"def envs : List Env := [{envs}]\n"
    text += f"def cells : List (LockScheme × Env) := [{listed}]\n"
    text += "".join(
        f"theorem {name}_compared : ({term}) = {literal(value)} := by decide +kernel\n"
        for name, (term, value) in asked.items()
    )
    project.write(root, project.sources(("Spec",)))
    project.write(root, {Path("MPSVerify/Compared.lean"): text + "end MPSVerify.Compared\n"})
    return engine.build(root, ["MPSVerify.Compared"])


def test_each_function_is_that_of_lean(engine: EmbeddedEngine, tmp_path: Path) -> None:
    asked = answers()
    done = build(engine, tmp_path, asked)
    assert [str(m) for module in done.modules for m in module.messages] == []
    names = [f"MPSVerify.Compared.{name}_compared" for name in asked]
    assert engine.audit(done, names, []).problems == ()


def test_a_wrong_answer_is_seen(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """Each theorem, with the answer of one cell changed."""
    wrong: dict[str, tuple[str, object]] = {}
    for name, (term, value) in answers().items():
        if isinstance(value, list):
            first = value[0]
            other: object = not first if isinstance(first, bool) else value[-1]
            other = first ^ 1 if type(first) is int else other
            wrong[name] = (term, [other, *value[1:]])
        else:
            assert isinstance(value, int)
            wrong[name] = (term, value ^ 1)
    done = build(engine, tmp_path, wrong)
    errors = [m for module in done.modules for m in module.messages if m.severity == "error"]
    assert len(errors) == len(wrong)
    assert all("is false" in m.text for m in errors)


def test_each_way_decides_somewhere() -> None:
    """The comparison above would not see one that is open only where another one is as well."""
    everything, alone = set(), set()
    for cell in CELLS:
        found = criterion.ways(*cell)
        assert list(found) == list(FAULTS)
        for fault, needs in found.items():
            opened = [text for text, is_open in needs if is_open]
            everything |= {(fault, text) for text, _ in needs}
            alone |= {(fault, text) for text in opened if len(opened) == 1}
    assert alone == everything
