"""The gate: what counts as proved, judged by the kernel and not by an exit code.

A child process (`_replay`) reads the compiled modules as data, lets Lean's kernel check every
constant again from an empty environment, and answers questions about the result: is a claimed
theorem there, is it a theorem, which axioms does it use, does it state exactly the claim.

A replay takes seconds.  So an answer without errors is kept, sealed (`verify.cache`), under a hash
of the whole question: library, compiled modules, theorems, claims, trust.  And since the kernel
takes module after module, it is kept as well which beginnings of that list it has accepted, so that
after a change only what follows is replayed.  An engine that judges anew, as the gate's does, reads
neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from verify import answers
from verify import cache as caches
from verify.children import run_child
from verify.engines.base import NOTHING, Audit, Build, PairAudit, TheoremAudit, Trust

if TYPE_CHECKING:
    from verify.engines.embedded import EmbeddedEngine

CHILD: Final = Path(__file__).with_name("_replay.py")

ACCEPTED: Final = "accepted by the kernel"

TIMEOUT: Final = 120.0
"""Seconds for the replay; the whole development, some 7,000 constants, takes about five."""


def audit(
    engine: EmbeddedEngine,
    build: Build,
    theorems: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    trust: Trust = NOTHING,
    *,
    child: Path = CHILD,
) -> Audit:
    """Replay and audit a build of the embedded engine.

    A build that did not succeed, or one without modules, is not audited: the result says so.

    Args:
        theorems: Names that must be theorems with allowed axioms only.
        pairs: (claim, theorem); see `base.PairAudit`.
        trust: See `base.Trust`.
        child: The program of the child process (tests replace it).

    Returns:
        The audit; an error in it whenever the child did not answer completely and consistently.
    """
    if not build.ok:
        return Audit(("the build did not succeed, so nothing was audited",))
    core = [[m, str(p), build.core_hashes[m]] for m, p in build.core_oleans.items()]
    project = [[m, str(p), build.olean_hashes[m]] for m, p in build.oleans.items()]
    request = {
        "core": core,
        "project": project,
        "theorems": list(theorems),
        "pairs": [list(p) for p in pairs],
        "trust": asdict(trust),
    }
    # File names are left out: what they hold follows from the hashes.
    question = [
        engine.library.sha256,
        caches.sha256_of(child),
        [[m, h] for m, _, h in core],
        [[m, h] for m, _, h in project],
        {name: request[name] for name in ("theorems", "pairs", "trust")},
    ]
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    memory = engine.cache / "audits" / f"{key}.json"
    if not engine.anew and isinstance(known := caches.read(memory), dict):
        caches.touch(memory)
        return judge(known, theorems, pairs, 0.0, 0.0)
    beginnings = _beginnings(engine.cache, [question[:2], question[2]], project)
    believed = 0 if engine.anew else _believed(beginnings)
    nonce = secrets.token_hex(8)
    done = run_child(
        [sys.executable, "-I", str(child), str(engine.library.path)],
        timeout=TIMEOUT,
        stdin=json.dumps({**request, "nonce": nonce, "believed": believed}),
        children=engine.children,
    )
    trouble = done.failure() or (f"exit code {done.returncode}" if done.returncode else None)
    lines = done.stdout.splitlines()
    said = " ".join(done.stderr.split())[-1000:]
    answer: Any = None
    if trouble is None:
        try:
            answer = answers.loads(lines[-1])
            if answer["nonce"] != nonce:
                trouble = "it answered another question"
        except IndexError:
            trouble = "it printed nothing"
        except answers.ODD:
            trouble = "its answer is cut short or garbled"
    if trouble is not None:
        return Audit((f"audit: {trouble}" + (f": {said}" if said else ""),))
    if answer.get("errors") and said:
        answer["errors"] = [*answer["errors"], said]
    judged = judge(answer, theorems, pairs, done.seconds, done.peak_mb)
    if not judged.errors:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            caches.write(memory, answer)
            for path in beginnings[believed:]:
                caches.write(path, ACCEPTED)
    return judged


def _beginnings(cache: Path, base: object, modules: Sequence[Sequence[str]]) -> list[Path]:
    """Where it is kept that the kernel has accepted the first module, the first two, and so on.

    Args:
        base: What they stand on: library, program of the child, core.
        modules: Name, file and hash of each, in the order of the replay.
    """
    found, key = [], json.dumps(base)
    for module, _, digest in modules:
        key = hashlib.sha256(json.dumps([key, module, digest]).encode()).hexdigest()
        found.append(cache / "accepted" / f"{key}.json")
    return found


def _believed(beginnings: Sequence[Path]) -> int:
    """How many of the first modules the kernel has accepted in an earlier run."""
    for count in range(len(beginnings), 0, -1):
        if caches.read(beginnings[count - 1]) == ACCEPTED:
            caches.touch(beginnings[count - 1])
            return count
    return 0


def judge(
    answer: dict[str, Any],
    theorems: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    seconds: float,
    peak_mb: float,
) -> Audit:
    """Turn the child's answer into an audit; whatever is missing or odd is an error."""
    try:
        errors = [str(e) for e in answer["errors"]]
        if errors:
            return Audit(tuple(errors), tuple(map(str, answer["findings"])))
        asked = [TheoremAudit(t["name"], t["kind"], tuple(t["axioms"]), t["statement"])
                 for t in answer["theorems"]]  # fmt: skip
        compared = [
            PairAudit(p["claim"], p["theorem"], p["equal"] is True, p["claimed"], p["stated"])
            for p in answer["pairs"]
        ]
        constants = int(answer["constants"])
        if [t.name for t in asked] != list(theorems):
            errors.append("audit: the answer is not about the theorems asked for")
        if [(p.claim, p.theorem) for p in compared] != [tuple(p) for p in pairs]:
            errors.append("audit: the answer is not about the pairs asked for")
        if constants <= 0 or constants + int(answer["skipped"]) != int(answer["declared"]):
            errors.append("audit: the kernel did not accept as many constants as were declared")
        return Audit(
            tuple(errors), tuple(map(str, answer["findings"])), tuple(asked), tuple(compared),
            constants, seconds, peak_mb,
        )  # fmt: skip
    except answers.ODD as error:
        return Audit((f"audit: the answer is incomplete ({error!r})",))
