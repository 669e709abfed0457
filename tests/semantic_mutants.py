"""The single changes of the model's rules (`support.rule_mutants`), in the independent search.

Each is the same change as in Lean, made by hand in `independent_search.cpp` for steps and in
`independent_search.py` for what excludes what; the search then says what has become of the claims.
A changed criterion has none: the criterion describes the system and is no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from support.rule_edits import Edit

CPP, PY = "independent_search.cpp", "independent_search.py"


def _cpp(*places: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple(Edit(CPP, old, new) for old, new in places)


SEARCH: Mapping[str, tuple[Edit, ...]] = {
    "push_keeps_owner": _cpp(("        n.owner[b] = NOTHING;\n", "")),
    "clear_does_nothing": _cpp(("        n.context[e] = NOTHING;\n", "")),
    "destroy_does_not_push": _cpp(
        (
            "if (s.owner[b] != e) return fault(DOUBLE_FREE);",
            "if (s.owner[b] != e) return fault(DOUBLE_FREE);\n"
            "        if (x.kind == DESTROY) return;",
        )
    ),
    "skip_without_check": _cpp(
        ("!job_.check) return fault(NULL_DEREF)", "!job_.check) fault(NULL_DEREF)")
    ),
    "check_ignores_context": _cpp(
        (
            "        if (x.kind == CREATE)\n",
            "        if (x.kind == CREATE && context != NOTHING)\n"
            "          to(s, t, E_CHECK, CHECKED, NOTHING, NOTHING);\n"
            "        if (x.kind == CREATE)\n",
        )
    ),
    "pop_takes_owned_blocks": _cpp(
        (
            "if (s.owner[c] != NOTHING) continue;",
            "if (!job_.atomicFreelist && s.owner[c] != NOTHING) continue;",
        )
    ),
    "pop_keeps_ready": _cpp(("    n.ready[b] = 0;\n", "")),
    "claim_looks_again": _cpp(
        (
            "case PEEKED: return claim",
            "case PEEKED: if (s.owner[b] != NOTHING) return; return claim",
        )
    ),
    "publish_unchecked": _cpp(("return fault(LOST);", "fault(LOST);")),
    "init_does_not_set_ready": _cpp(("        n.ready[b] = 1;\n", "")),
    "acquire_ignores_locks": _cpp(
        ("excludes(y, u, x, t)) return;", "excludes(y, u, x, t) && false) return;")
    ),
    "acquire_ignores_aliveness": _cpp(
        ("if (!s.alive[e]) return fault(DEAD);", "if (!s.alive[e]) fault(DEAD);")
    ),
    "release_without_body": _cpp(
        ("      case ENTERED:\n", "      case ENTERED:\n        release(s, t);\n"),
        ("default: return to(s, t, E_RELEASE, IDLE, NOTHING, NOTHING);", "default: return;"),
        (
            "  void claim(const State& s, int t, int b, Event event) {",
            "  void release(const State& s, int t) {\n"
            "    to(s, t, E_RELEASE, IDLE, NOTHING, NOTHING);\n  }\n\n"
            "  void claim(const State& s, int t, int b, Event event) {",
        ),
    ),
    "drop_always": _cpp(("!(job_.retain && inUse)", "!(job_.retain && inUse && false)")),
    "dispatch_on_released": _cpp(("if (!s.alive[e] || !allowed", "if (!allowed")),
    "encode_without_context": _cpp(
        (
            "if (kind != CREATE && s.context",
            "if (kind != CREATE && kind != ENCODE && s.context",
        )
    ),
    "create_meets_calls": _cpp(("if (y.kind == CREATE || kind == CREATE) return true;", "{}")),
    "complete_never": _cpp(("return job_.tearDown;", "return false;")),
    "complete_always": _cpp(("return job_.tearDown;", "return true;")),
    "home_ignored": _cpp(
        ("return job_.shared || job_.home[e] == t;", "return job_.home[e] == t || true;")
    ),
    "overlap_never": _cpp(("fault(OVERLAP);", "{}")),
    "dead_never": _cpp(("return fault(DEAD);", "return;")),
    "stale_is_fine": _cpp(("return fault(STALE);", "return;")),
    "shared_excludes_shared": (
        Edit(PY, 'or mode == mode2 == "shared"', 'or mode == mode2 == "never"'),
    ),
    "queue_reads_stream": (),
    "queue_per_encoder": (),
    "queue_for_all": (),
    "bypass_ignored": _cpp(("if (!job_.intercepted && (", "if (!job_.intercepted && false && (")),
}
"""By the name of the mutant."""

QUEUES: Mapping[str, str] = {
    "queue_reads_stream": "stream",
    "queue_per_encoder": "encoder",
    "queue_for_all": "global",
}
"""The lock that a queue's becomes: the search has none, and is asked about each way in which two
encoders can share queues (`test_matrix.variants`)."""
