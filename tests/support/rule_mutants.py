"""The semantic mutants: single changes of the rules of the model."""

from __future__ import annotations

import dataclasses

from support.rule_edits import (
    Edit,
    SemanticMutant,
    Table,
    body,
    criterion,
    everything_exclusive,
    for_queue,
    intercepted,
    native,
    step,
    with_more,
    without,
)
from verify.rules import Atom, Effect, Rule, Test
from verify.spec import KINDS

_DRIVER, _SESSION = "drivers/fake/fake_driver.cpp", "sched/session.cpp"
_GRAPH, _GUARD = "sched/graph.cpp", "core/guard.cpp"

_REQUESTS = "requests = guard.scheme_.locks[static_cast<std::size_t>(kind)];\n"

_NO_IMPL = Test(Atom.IMPL, False)
_NEVER = (Test(Atom.IMPL), _NO_IMPL)

# A thread whose next step is a fault has no step, so the walk over all states tries it once.  With
# a mutant that goes on after a fault it has one: the second try.
_GO_ON = (
    Edit(
        _GRAPH,
        "perform(session, path[i]);",
        "if (perform(session, path[i]) == Result::faulty) perform(session, path[i]);",
    ),
    Edit(
        _GRAPH,
        "                result.edges.push_back({state, state, event});\n",
        "                result.edges.push_back({state, state, event});\n"
        "                moved = perform(session, action) == Result::stepped;\n"
        "                if (moved) {\n"
        "                    const Event second = session.trace().back();\n"
        "                    result.edges.push_back({state, number(state, action), second});\n"
        "                }\n",
    ),
)


def _destroy_stops(table: Table) -> Table:
    (push,) = (rule for rule in table.rules if rule.event == "push")
    never = dataclasses.replace(push, kinds=("destroy",), guard=_NEVER)
    return table.change("push", kinds=("complete",)).add(never)


def _release_early(table: Table) -> Table:
    # The old rule stays as one that is never enabled, for its program point to be known.
    return table.change("release", guard=_NEVER).add(Rule("release", KINDS, "entered", "idle"))


def _dispatch_on_released(table: Table) -> Table:
    return table.change("dispatch", guard=without(Atom.ALIVE))


_CLAIMED = (
    "Body C e .create {0}      {{ m with owner := update m.owner b (some e), "
    "ready := update m.ready b false }}"
)
_KEPT = "Body C e .create {0} m (.popped b) {{ m with owner := update m.owner b (some e) }}"

MUTANTS: tuple[SemanticMutant, ...] = (
    # Bodies.
    SemanticMutant(
        "push_keeps_owner",
        "teardown does not give the block back",
        body(".pushed { m with owner := update m.owner b none }", ".pushed m"),
        lambda table: table.change("push", effects=()),
        native=native(_DRIVER, ("                block->owner = nullptr;\n", "")),
    ),
    SemanticMutant(
        "clear_does_nothing",
        "teardown does not clear _impl",
        body(".finished { m with impl := update m.impl e none }", ".finished m"),
        lambda table: table.change("clear", effects=()),
        native=native(_DRIVER, ("    cell.impl = nullptr;\n", "")),
    ),
    SemanticMutant(
        "destroy_does_not_push",
        "destroy stops before it gives the block back",
        body(
            "| push {k m b} : k.tearsDown = true →",
            "| push {k m b} : k.tearsDown = true → k = .complete →",
        ),
        _destroy_stops,
        native=native(
            _SESSION,
            (
                "    worker.next = next;\n    yield(worker, Result::stepped);\n",
                "    worker.next = next;\n    yield(worker, Result::stepped);\n"
                "    while (next == Step::push && worker.kind == 2 &&\n"
                "           owner(worker.block) == worker.encoder) {\n"
                "        yield(worker, Result::starved);\n    }\n",
            ),
        ),
    ),
    SemanticMutant(
        "skip_without_check",
        "an unchecked guard skips a call on no context as well",
        body("| skip {m} : C.check = true →", "| skip {m} :"),
        lambda table: table.change("load", "encode", target="finished", guard=(_NO_IMPL,)),
        native=(
            *_GO_ON,
            Edit(
                _DRIVER,
                "        if (!watch.fault(Fault::nullDeref)) return;\n        block = cell.impl;\n",
                "        if (!watch.fault(Fault::nullDeref)) return;\n"
                "        return watch.taken(Step::load, Pc::finished, nullptr);\n",
            ),
        ),
    ),
    SemanticMutant(
        "check_ignores_context",
        "create goes on although there is a context",
        body("| check {m} : m.impl e = none →", "| check {m} :"),
        lambda table: table.change("check", target="checked", guard=()),
        native=native(
            _DRIVER,
            (
                "    if (cell.impl != nullptr) {\n"
                "        watch.taken(Step::check, Pc::finished, nullptr);\n"
                "        return;\n    }\n",
                "",
            ),
        ),
        reason="the native create always goes on; the rule lets it stop as well",
    ),
    SemanticMutant(
        "pop_takes_owned_blocks",
        "create takes any block from an atomic freelist, free or not",
        body(
            "| pop {m b} : C.env.atomicFreelist = true → m.owner b = none →",
            "| pop {m b} : C.env.atomicFreelist = true →",
        ),
        lambda table: table.change("pop", guard=without(Atom.BLOCK_FREE)),
        native=(
            Edit(
                _DRIVER,
                "if (blocks_[i].owner == nullptr) free",
                "if (atomic_ || blocks_[i].owner == nullptr) free",
            ),
            Edit(
                _SESSION,
                "if (driver_->blocks()[b].owner != nullptr) continue;",
                "if (!config_.atomicFreelist && driver_->blocks()[b].owner != nullptr) continue;",
            ),
        ),
    ),
    SemanticMutant(
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
        lambda table: table.change("pop", effects=(Effect.OWN,)).change(
            "claim", effects=(Effect.OWN,)
        ),
        native=native(
            _DRIVER,
            ("            block->ready = false;\n            break;", "            break;"),
            (
                "        block->ready = false;\n        watch.taken(Step::claim",
                "        watch.taken(Step::claim",
            ),
        ),
    ),
    SemanticMutant(
        "claim_looks_again",
        "a block of a racy freelist is claimed only if it is still free",
        body("| claim {m b} : Body", "| claim {m b} : m.owner b = none → Body"),
        lambda table: table.change("claim", guard=with_more(Test(Atom.BLOCK_FREE))),
        native=native(
            _DRIVER,
            (
                "        watch.point(Step::claim);\n",
                "        watch.point(Step::claim);\n"
                "        while (block->owner != nullptr) {\n"
                "            if (!watch.starved()) return;\n        }\n",
            ),
        ),
    ),
    SemanticMutant(
        "publish_unchecked",
        "create overwrites a context that is there",
        body("| publish {m b} : m.impl e = none →", "| publish {m b} :"),
        lambda table: table.change("publish", guard=()),
        native=(
            *_GO_ON,
            Edit(
                _DRIVER,
                "    while (cell.impl != nullptr) {\n"
                "        if (!watch.fault(Fault::lostContext)) return;\n    }\n",
                "    if (cell.impl != nullptr && !watch.fault(Fault::lostContext)) return;\n",
            ),
        ),
    ),
    SemanticMutant(
        "init_does_not_set_ready",
        "create does not initialise the block",
        body(".finished { m with ready := update m.ready b true }", ".finished m"),
        lambda table: table.change("init", effects=()),
        native=native(_DRIVER, ("    block->ready = true;\n", "")),
    ),
    # Steps of the guard and of the client.
    SemanticMutant(
        "acquire_ignores_locks",
        "no lock excludes anything",
        step(
            "\n      (∀ u b, u ≠ t → s.threads u = some b → b.holds → "
            "¬ C.blocks (b.op u) ⟨t, k, e⟩) →",
            "",
        ),
        lambda table: table.change("acquire", guard=without(Atom.UNBLOCKED)),
        native=native(
            _GUARD,
            ("    if (requests.count == 1) {", "    if (requests.count == 99) {"),
            ("    } else if (requests.count != 0) {", "    } else if (requests.count > 99) {"),
        ),
    ),
    SemanticMutant(
        "acquire_ignores_aliveness",
        "an operation on a released object goes on",
        step(
            "some ⟨k, e, .dispatched⟩ → s.alive e = true →\n      (∀ u b",
            "some ⟨k, e, .dispatched⟩ →\n      (∀ u b",
        ),
        lambda table: table.change("acquire", guard=without(Atom.ALIVE)),
        native=(
            *_GO_ON,
            Edit(
                _SESSION,
                "while (cells_[worker.encoder].released) fault(",
                "if (cells_[worker.encoder].released) fault(",
            ),
        ),
    ),
    SemanticMutant(
        "release_without_body",
        "an operation returns before its body, and never after it",
        step("some ⟨k, e, .finished⟩ →", "some ⟨k, e, .entered⟩ →"),
        _release_early,
        native=native(
            _SESSION,
            ("if (call && kind == Kind::destroy) {", "if (call && config_.threads == 0) {"),
            ("        } else if (call) {\n            body();\n        }\n", "        }\n"),
            ("        body();\n        point(Step::release);", "        point(Step::release);"),
        ),
        reason="the native operation always returns there; the rule lets it go on as well",
    ),
    SemanticMutant(
        "drop_always",
        "an object is released while it is in use, whoever retains it",
        step(
            "s.alive e = true →\n      (C.env.callersRetain = true → ∀ t b, s.threads t = some b → "
            "b.encoder ≠ e) →\n",
            "s.alive e = true →\n",
        ),
        lambda table: table.change("drop", guard=without(Atom.UNUSED)),
        native=native(_SESSION, ("if (!config_.callersRetain) return true;", "return true;")),
    ),
    SemanticMutant(
        "dispatch_on_released",
        "an operation is dispatched on a released object",
        step("s.threads t = none → s.alive e = true → C.env", "s.threads t = none → C.env"),
        _dispatch_on_released,
        native=native(
            _SESSION,
            ("if (busy(thread) || cells_[encoder].released) return", "if (busy(thread)) return"),
        ),
    ),
    SemanticMutant(
        "encode_without_context",
        "encode is dispatched on an encoder that has no context",
        step(
            "used : k ≠ .create → s.mem.impl e ≠ none",
            "used : k ≠ .create → k ≠ .encode → s.mem.impl e ≠ none",
        ),
        lambda table: table.change("dispatch", "encode", guard=without(Atom.IMPL)),
        native=native(
            _SESSION,
            (
                "if (kind == Kind::create ? made",
                "if (kind == Kind::create || kind == Kind::encode ? made",
            ),
        ),
    ),
    SemanticMutant(
        "create_meets_calls",
        "calls begin beside a create, whatever the client waits for",
        step("b.encoder = e → env.beside b.kind k = true", "b.encoder = e → True"),
        lambda table: table.change("dispatch", guard=without(Atom.UNMADE, Atom.UNUSED)),
        native=native(
            _SESSION,
            (
                "if (kind == Kind::create || static_cast<Kind>(w->kind) == Kind::create) "
                "return false;",
                "{}",
            ),
        ),
    ),
    SemanticMutant(
        "complete_never",
        "completion handlers never tear anything down",
        (Edit("Environment.lean", "then env.handlersTearDown = true", "then False"),),
        lambda table: table.without("dispatch", "complete"),
        native=native(
            _SESSION,
            (
                "kind == Kind::complete ? !config_.handlersTearDown",
                "kind == Kind::complete ? true",
            ),
        ),
    ),
    SemanticMutant(
        "complete_always",
        "completion handlers always tear contexts down",
        (Edit("Environment.lean", "then env.handlersTearDown = true", "then True"),),
        lambda table: table.change("dispatch", "complete", guard=without(Atom.HANDLERS_TEAR_DOWN)),
        native=native(
            _SESSION,
            (
                "kind == Kind::complete ? !config_.handlersTearDown",
                "kind == Kind::complete ? false",
            ),
        ),
    ),
    SemanticMutant(
        "home_ignored",
        "confinement confines nothing",
        (
            Edit(
                "Environment.lean",
                "else env.sharedEncoders = true ∨ home o.encoder = o.thread",
                "else True ∨ home o.encoder = o.thread",
            ),
        ),
        lambda table: table.change("dispatch", guard=without(Atom.HOME)),
        native=native(
            _SESSION,
            (
                ": !config_.sharedEncoders && config_.home[encoder] != thread",
                ": false",
            ),
        ),
    ),
    # Faults.
    SemanticMutant(
        "overlap_never",
        "two threads that encode on one encoder at once are no fault",
        step("| overlap {s t u e b b'} : t ≠ u →", "| overlap {s t u e b b'} : t ≠ u → t = u →"),
        lambda table: table.never("encoderOverlap"),
        native=native(
            _SESSION,
            ("{ faults_ |= 1u << code(Fault::encoderOverlap); }", "{}"),
        ),
    ),
    SemanticMutant(
        "dead_never",
        "a message to a released object is no fault",
        step("| dead {s t k e} : s.threads", "| dead {s t k e} : False → s.threads"),
        lambda table: table.never("deadDispatch"),
        native=native(
            _SESSION,
            (
                "while (cells_[worker.encoder].released) fault(Fault::deadDispatch);",
                "while (cells_[worker.encoder].released) yield(worker, Result::starved);",
            ),
        ),
    ),
    SemanticMutant(
        "stale_is_fine",
        "using another encoder's context is no fault",
        body("| derefStale {m b b'} :", "| derefStale {m b b'} : False →"),
        lambda table: table.never("staleContext"),
        native=native(
            _DRIVER,
            (
                "            fault = Fault::staleContext;\n",
                "            if (!watch.starved()) return;\n            continue;\n",
            ),
        ),
    ),
    # Locks: no micro-steps, but what `acquire` asks.
    SemanticMutant(
        "shared_excludes_shared",
        "two shared requests exclude each other",
        (Edit("Scheme.lean", ".shared, .shared => false", ".shared, .shared => true"),),
        scheme=everything_exclusive,
        native=native(
            _GUARD,
            (
                f"    const Requests& {_REQUESTS}    thread_.point",
                f"    Requests {_REQUESTS}    for (Request& request : requests.request) "
                "request.mode = Mode::exclusive;\n    thread_.point",
            ),
        ),
    ),
    SemanticMutant(
        "queue_reads_stream",
        "the lock of a queue is that of the caller's stream",
        (Edit("Scheme.lean", ".queue (c.queue o.encoder)", ".queue (c.stream o.thread)"),),
        scheme=for_queue("stream"),
        native=native(
            _GUARD,
            (
                "options_.queue(object, options_.user)",
                "static_cast<std::uint64_t>(thread.stream)",
            ),
        ),
    ),
    SemanticMutant(
        "queue_per_encoder",
        "each encoder is a queue of its own",
        (Edit("Scheme.lean", ".queue (c.queue o.encoder)", ".queue o.encoder"),),
        scheme=for_queue("encoder"),
        native=native(
            _GUARD,
            (
                "options_.queue(object, options_.user)",
                "static_cast<std::uint64_t>(key_of(object))",
            ),
        ),
    ),
    SemanticMutant(
        "queue_for_all",
        "all encoders are in one queue",
        (Edit("Scheme.lean", ".queue (c.queue o.encoder)", ".queue 0"),),
        scheme=for_queue("global"),
        native=native(_GUARD, ("options_.queue(object, options_.user)", "std::uint64_t{0}")),
    ),
    SemanticMutant(
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
        environment=intercepted,
        native=native(
            _SESSION,
            (
                "if (kind == Kind::complete && !config_.handlersIntercepted) {",
                "if (kind == Kind::complete && config_.threads == 0) {",
            ),
        ),
    ),
    # The criteria: they describe the system and are no part of it.
    SemanticMutant(
        "stream_is_same_on_encoder",
        "the criterion takes two stream locks on one encoder for the same lock",
        criterion(
            "| .global, .global | .encoder, .encoder | .queue, .queue => true",
            "| .global, .global | .encoder, .encoder | .queue, .queue | .stream, .stream => true",
        ),
    ),
    SemanticMutant(
        "criterion_without_retain",
        "the criterion does not ask whether callers retain",
        criterion("  env.callersRetain && (σ.check ||", "  (σ.check ||"),
    ),
    SemanticMutant(
        "criterion_without_check",
        "the criterion does not ask for the liveness check",
        criterion(" && (σ.check || !(env.handlersTearDown || env.sharedEncoders)) &&", " &&"),
    ),
    SemanticMutant(
        "criterion_without_overlap",
        "the criterion lets operations overlap",
        criterion(
            "    (allKinds.all fun k => allKinds.all fun k' => !σ.overlaps env k k') &&\n", ""
        ),
    ),
    SemanticMutant(
        "criterion_without_freelist",
        "the criterion does not ask whether the freelist is atomic",
        criterion(
            " &&\n    (env.atomicFreelist || σ.excludesAnywhere env .create .create)\n", "\n"
        ),
    ),
    SemanticMutant(
        "double_free_needs_no_theft",
        "the criterion of doubleFree forgets the racy freelist",
        criterion("  | .doubleFree => σ.stealsBlocks env ||\n", "  | .doubleFree =>\n"),
    ),
)
"""All mutants, with different names."""

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
