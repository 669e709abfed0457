"""Single changes of the rules in `MPSVerify/Spec/`, as data.

Each is given twice: as a change of the Lean text, and as the same change of the independent search
(`independent_search.cpp` for steps, `independent_search.py` for what excludes what), which says
what has become of the claims.  A change of a criterion has no second part: the criterion describes
the system and is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

CPP, PY = "independent_search.cpp", "independent_search.py"


@dataclass(frozen=True)
class Edit:
    """A replacement in a file: `old` occurs in it exactly once."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with the change.

        Raises:
            ValueError: If the place is not there, or not the only one.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {text.count(self.old)} places read {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A changed rule.

    Attributes:
        name: A plain identifier.
        english: What is different.
        lean: The change below `MPSVerify/Spec/`.
        search: The same change of the independent search.
    """

    name: str
    english: str
    lean: tuple[Edit, ...]
    search: tuple[Edit, ...] = ()


def _body(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Body.lean", old, new),)


def _step(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Step.lean", old, new),)


def _criterion(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("Criterion.lean", old, new),)


def _cpp(*places: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple(Edit(CPP, old, new) for old, new in places)


_CLAIMED = (
    "Body C e .create {0}      {{ m with owner := update m.owner b (some e), "
    "ready := update m.ready b false }}"
)
_KEPT = "Body C e .create {0} m (.popped b) {{ m with owner := update m.owner b (some e) }}"

MUTANTS: tuple[Mutant, ...] = (
    # Bodies.
    Mutant(
        "push_keeps_owner",
        "teardown does not give the block back",
        _body(".pushed { m with owner := update m.owner b none }", ".pushed m"),
        _cpp(("        n.owner[b] = NOTHING;\n", "")),
    ),
    Mutant(
        "clear_does_nothing",
        "teardown does not clear _impl",
        _body(".finished { m with impl := update m.impl e none }", ".finished m"),
        _cpp(("        n.context[e] = NOTHING;\n", "")),
    ),
    Mutant(
        "destroy_does_not_push",
        "destroy stops before it gives the block back",
        _body(
            "| push {k m b} : k.tearsDown = true →",
            "| push {k m b} : k.tearsDown = true → k = .complete →",
        ),
        _cpp(
            (
                "if (s.owner[b] != e) return fault(DOUBLE_FREE);",
                "if (s.owner[b] != e) return fault(DOUBLE_FREE);\n"
                "        if (x.kind == DESTROY) return;",
            )
        ),
    ),
    Mutant(
        "skip_without_check",
        "an unchecked guard skips a call on no context as well",
        _body("| skip {m} : C.check = true →", "| skip {m} :"),
        _cpp(("!job_.check) return fault(NULL_DEREF)", "!job_.check) fault(NULL_DEREF)")),
    ),
    Mutant(
        "check_ignores_context",
        "create goes on although there is a context",
        _body("| check {m} : m.impl e = none →", "| check {m} :"),
        _cpp(
            (
                "        if (x.kind == CREATE)\n",
                "        if (x.kind == CREATE && context != NOTHING)\n"
                "          to(s, t, E_CHECK, CHECKED, NOTHING, NOTHING);\n"
                "        if (x.kind == CREATE)\n",
            )
        ),
    ),
    Mutant(
        "pop_takes_owned_blocks",
        "create takes any block from an atomic freelist, free or not",
        _body(
            "| pop {m b} : C.env.atomicFreelist = true → m.owner b = none →",
            "| pop {m b} : C.env.atomicFreelist = true →",
        ),
        _cpp(
            (
                "if (s.owner[c] != NOTHING) continue;",
                "if (!job_.atomicFreelist && s.owner[c] != NOTHING) continue;",
            )
        ),
    ),
    Mutant(
        "pop_keeps_ready",
        "a block that is popped again still counts as initialised",
        (
            Edit(
                "Body.lean", _CLAIMED.format(".checked m (.popped b)\n  "), _KEPT.format(".checked")
            ),
            Edit(
                "Body.lean",
                _CLAIMED.format("(.peeked b) m (.popped b)\n"),
                _KEPT.format("(.peeked b)"),
            ),
        ),
        _cpp(("    n.ready[b] = 0;\n", "")),
    ),
    Mutant(
        "claim_looks_again",
        "a block of a racy freelist is claimed only if it is still free",
        _body("| claim {m b} : Body", "| claim {m b} : m.owner b = none → Body"),
        _cpp(
            (
                "case PEEKED: return claim",
                "case PEEKED: if (s.owner[b] != NOTHING) return; return claim",
            )
        ),
    ),
    Mutant(
        "publish_unchecked",
        "create overwrites a context that is there",
        _body("| publish {m b} : m.impl e = none →", "| publish {m b} :"),
        _cpp(("return fault(LOST);", "fault(LOST);")),
    ),
    Mutant(
        "init_does_not_set_ready",
        "create does not initialise the block",
        _body(".finished { m with ready := update m.ready b true }", ".finished m"),
        _cpp(("        n.ready[b] = 1;\n", "")),
    ),
    # Steps of the guard and of the client.
    Mutant(
        "acquire_ignores_locks",
        "no lock excludes anything",
        _step(
            "\n      (∀ u b, u ≠ t → s.threads u = some b → b.holds → "
            "¬ C.blocks (b.op u) ⟨t, k, e⟩) →",
            "",
        ),
        _cpp(("excludes(y, u, x, t)) return;", "excludes(y, u, x, t) && false) return;")),
    ),
    Mutant(
        "acquire_ignores_aliveness",
        "an operation on a released object goes on",
        _step(
            "some ⟨k, e, .dispatched⟩ → s.alive e = true →\n      (∀ u b",
            "some ⟨k, e, .dispatched⟩ →\n      (∀ u b",
        ),
        _cpp(("if (!s.alive[e]) return fault(DEAD);", "if (!s.alive[e]) fault(DEAD);")),
    ),
    Mutant(
        "release_without_body",
        "an operation returns before its body, and never after it",
        _step("some ⟨k, e, .finished⟩ →", "some ⟨k, e, .entered⟩ →"),
        _cpp(
            ("      case ENTERED:\n", "      case ENTERED:\n        release(s, t);\n"),
            ("default: return to(s, t, E_RELEASE, IDLE, NOTHING, NOTHING);", "default: return;"),
            (
                "  void claim(const State& s, int t, int b, Event event) {",
                "  void release(const State& s, int t) {\n"
                "    to(s, t, E_RELEASE, IDLE, NOTHING, NOTHING);\n  }\n\n"
                "  void claim(const State& s, int t, int b, Event event) {",
            ),
        ),
    ),
    Mutant(
        "drop_always",
        "an object is released while it is in use, whoever retains it",
        _step(
            "s.alive e = true →\n      (C.env.callersRetain = true → ∀ t b, s.threads t = some b → "
            "b.encoder ≠ e) →\n",
            "s.alive e = true →\n",
        ),
        _cpp(("!(job_.retain && inUse)", "!(job_.retain && inUse && false)")),
    ),
    Mutant(
        "dispatch_on_released",
        "an operation is dispatched on a released object",
        _step("s.threads t = none → s.alive e = true → C.env", "s.threads t = none → C.env"),
        _cpp(("if (!s.alive[e] || !allowed", "if (!allowed")),
    ),
    Mutant(
        "encode_without_context",
        "encode is dispatched on an encoder that has no context",
        _step(
            "(k ≠ .create → s.mem.impl e ≠ none)",
            "(k ≠ .create → k ≠ .encode → s.mem.impl e ≠ none)",
        ),
        _cpp(
            (
                "if (kind != CREATE && s.context",
                "if (kind != CREATE && kind != ENCODE && s.context",
            )
        ),
    ),
    Mutant(
        "complete_never",
        "completion handlers never tear anything down",
        (Edit("Environment.lean", "then env.handlersTearDown = true", "then False"),),
        _cpp(("return job_.tearDown;", "return false;")),
    ),
    Mutant(
        "complete_always",
        "completion handlers always tear contexts down",
        (Edit("Environment.lean", "then env.handlersTearDown = true", "then True"),),
        _cpp(("return job_.tearDown;", "return true;")),
    ),
    Mutant(
        "home_ignored",
        "confinement confines nothing",
        (
            Edit(
                "Environment.lean",
                "else env.sharedEncoders = true ∨ home o.encoder = o.thread",
                "else True ∨ home o.encoder = o.thread",
            ),
        ),
        _cpp(("return job_.shared || job_.home[e] == t;", "return job_.home[e] == t || true;")),
    ),
    # Faults.
    Mutant(
        "overlap_never",
        "two threads that encode on one encoder at once are no fault",
        _step("| overlap {s t u e b b'} : t ≠ u →", "| overlap {s t u e b b'} : t ≠ u → t = u →"),
        _cpp(("fault(OVERLAP);", "{}")),
    ),
    Mutant(
        "dead_never",
        "a message to a released object is no fault",
        _step("| dead {s t k e} : s.threads", "| dead {s t k e} : False → s.threads"),
        _cpp(("return fault(DEAD);", "return;")),
    ),
    Mutant(
        "stale_is_fine",
        "using another encoder's context is no fault",
        _body("| derefStale {m b b'} :", "| derefStale {m b b'} : False →"),
        _cpp(("return fault(STALE);", "return;")),
    ),
    # Locks.
    Mutant(
        "shared_excludes_shared",
        "two shared requests exclude each other",
        (Edit("Scheme.lean", ".shared, .shared => false", ".shared, .shared => true"),),
        (Edit(PY, 'or mode == mode2 == "shared"', 'or mode == mode2 == "never"'),),
    ),
    Mutant(
        "bypass_ignored",
        "handlers take their locks, intercepted or not",
        (
            Edit(
                "Scheme.lean",
                "if k = .complete ∧ env.handlersIntercepted = false then [] else σ.requests k",
                "if k = .complete ∧ env.handlersIntercepted = false then σ.requests k "
                "else σ.requests k",
            ),
        ),
        _cpp(("if (!job_.intercepted && (", "if (!job_.intercepted && false && (")),
    ),
    # The criteria.
    Mutant(
        "stream_is_same_on_encoder",
        "the criterion takes two stream locks on one encoder for the same lock",
        _criterion(
            "| .global, .global | .encoder, .encoder | .queue, .queue => true",
            "| .global, .global | .encoder, .encoder | .queue, .queue | .stream, .stream => true",
        ),
    ),
    Mutant(
        "criterion_without_retain",
        "the criterion does not ask whether callers retain",
        _criterion("  env.callersRetain && (σ.check ||", "  (σ.check ||"),
    ),
    Mutant(
        "criterion_without_check",
        "the criterion does not ask for the liveness check",
        _criterion(" && (σ.check || !(env.handlersTearDown || env.sharedEncoders)) &&", " &&"),
    ),
    Mutant(
        "criterion_without_overlap",
        "the criterion lets operations overlap",
        _criterion(
            "    (allKinds.all fun k => allKinds.all fun k' => !σ.overlaps env k k') &&\n", ""
        ),
    ),
    Mutant(
        "criterion_without_freelist",
        "the criterion does not ask whether the freelist is atomic",
        _criterion(
            " &&\n    (env.atomicFreelist || σ.excludesAnywhere env .create .create)\n", "\n"
        ),
    ),
    Mutant(
        "double_free_needs_no_theft",
        "the criterion of doubleFree forgets the racy freelist",
        _criterion("  | .doubleFree => σ.stealsBlocks env ||\n", "  | .doubleFree =>\n"),
    ),
)
"""All mutants, with different names."""
