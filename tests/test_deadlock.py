"""Calls that take several locks: prove, explore, explain and a search of the tests' own agree."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from verify import claims, deadlock, explain, project, spec, stress, views
from verify import prove as gate
from verify.claims import Claim, Line
from verify.engines.embedded import EmbeddedEngine
from verify.semantics import Bounds
from verify.spec import KINDS, MODES, POLICIES, LockScheme, Request, Spec, Strategy
from verify.verdict import Verdict

pytest_plugins = ["engine_fixtures"]

CASES = sorted((Path(__file__).parent / "specs").glob("*.toml"))
"""Specs that the product once got wrong."""

DEFAULT = spec.load().environments["default"]
WITHOUT_HANDLERS = spec.load().environments["confinedNoHandlers"]
LISTS = 50


class Answer(NamedTuple):
    """What a command says of a strategy: the words that all of them use."""

    safe: bool
    free: Mapping[str, bool | None]


def merged(tmp: Path, texts: Sequence[str]) -> Path:
    """One spec of several."""
    body = "".join(text.replace("format = 1\n", "") for text in texts)
    path = tmp / "cases.toml"
    path.write_text("format = 1\n" + body, encoding="utf-8")
    return path


def random_scheme(rng: random.Random) -> LockScheme:
    """Lists of one to three requests, of any scope and mode."""

    def requests() -> tuple[Request, ...]:
        scopes = rng.sample(spec.SCOPES, rng.randint(1, 3))
        return tuple(Request(scope, rng.choice(MODES)) for scope in scopes)

    return LockScheme({kind: requests() for kind in KINDS}, True)


def written(name: str, scheme: LockScheme) -> str:
    """A strategy as TOML."""
    locks = "".join(f"{kind} = {json.dumps([*map(str, scheme.locks[kind])])}\n" for kind in KINDS)
    return (
        f'[[strategy]]\nname = "{name}"\nenglish = "at random"\ncheck = true\n'
        f"[strategy.locks]\n{locks}"
    )


def random_lists() -> list[LockScheme]:
    rng = random.Random(11)
    return [random_scheme(rng) for _ in range(LISTS)]


def explored(path: Path) -> dict[str, Answer]:
    """What `verify explore` says of each strategy, and whether its verdict goes with that."""
    command = [sys.executable, "-m", "verify", "explore", "--spec", str(path), "--json"]
    sizes = ["--threads", "2", "--encoders", "1", "--blocks", "2", "--engine", "python"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, check=False)
    found: dict[str, Answer] = {}
    for row in json.loads(done.stdout)["rows"]:
        deadlocks = {p: known["deadlock"] for p, known in row["deadlocks"].items()}
        free = {p: None if known is None else not known for p, known in deadlocks.items()}
        found[row["strategy"]] = answer = Answer(not row["faults"], free)
        assert row["verdict"] == verdict_of(answer).value.replace("PROVED", "HOLDS WITHIN BOUNDS")
        assert row["deadlock"] == (
            False in free.values() or (None if None in free.values() else False)
        )
    return found


def verdict_of(answer: Answer) -> Verdict:
    """The verdict on a claim to be safe and, with locks of any policy, deadlock-free."""
    if not answer.safe or False in answer.free.values():
        return Verdict.REFUTED
    return Verdict.UNDETERMINED if None in answer.free.values() else Verdict.PROVED


def disagreements(one: dict[str, Answer], other: dict[str, Answer]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def test_the_specs_that_once_went_wrong(engine: EmbeddedEngine, tmp_path: Path) -> None:
    path = merged(tmp_path, [case.read_text(encoding="utf-8") for case in CASES])
    result = gate.prove(path, engine)
    assert result.errors == ()
    proved = {}
    for row in result.rows:
        assert row.safe is not None
        proved[row.strategy.name] = answer = Answer(row.safe, dict(row.deadlock_free))
        assert row.verdict is verdict_of(answer)
        assert bool(row.deadlock) == (row.never_deadlocks is False)
    both, none = dict.fromkeys(POLICIES, False), dict.fromkeys(POLICIES, True)
    right = {
        "inverted": Answer(True, both),
        "ordered": Answer(True, none),
        "three": Answer(True, both),
        "writerWaits": Answer(True, {"readersPass": True, "readersWait": False}),
    }
    assert {name: proved[name] for name in right} == right
    assert len(proved) > len(right)
    assert disagreements(proved, explored(path)) == []
    # explain is made of the same rows: its words.
    opening = {
        "inverted": "is safe, but its calls can deadlock.",
        "ordered": "is safe, and its calls cannot deadlock.",
        "three": "is safe, but its calls can deadlock.",
        "writerWaits": "is safe, but its calls can deadlock if a reader waits behind a waiting "
        "writer.",
    }
    for row in result.rows:
        if row.strategy.name in opening:
            assert opening[row.strategy.name] == f"is safe{explain._deadlocks(row)}."
    cycle = next(row for row in result.rows if row.strategy.name == "inverted").deadlock
    assert cycle == (
        "thread 0 (create on encoder 0) holds global exclusive and waits for encoder 0 exclusive, "
        "which thread 1 holds",
        "thread 1 (encode on encoder 0) holds encoder 0 exclusive and waits for global exclusive, "
        "which thread 0 holds",
    )


def judged(engine: EmbeddedEngine, loaded: Spec) -> dict[str, Answer]:
    """What Lean's kernel says, of all strategies in one module.

    Which sign it tries first is a guess, so that one round is enough for all.
    """
    guessed = {s.name: views.strategy_view(s, loaded.environments) for s in loaded.strategies}

    def false(claim: Claim) -> bool:
        if claim.what == "safe":
            return bool(guessed[claim.strategy].faults["default"])
        return claim.theorem is None

    lines = [
        Line(claim, negated=false(claim), by_theorem=False)
        for strategy in loaded.strategies
        for claim in claims.about(strategy, loaded.environments, guessed[strategy.name])
        if claim.what in ("safe", "deadlockFree")
    ]
    with project.directory(engine, "deadlock") as root:
        project.write(root, project.sources())
        lines, failed = project.settle(root, engine, lines)
        kept = [line for index, line in enumerate(lines) if index not in failed]
        assert project.audit(engine, project.build(root, engine, kept), kept).ok
    safe: dict[str, bool] = {}
    free: dict[str, dict[str, bool | None]] = {s.name: {} for s in loaded.strategies}
    for index, line in enumerate(lines):
        claim = line.claim
        if claim.what == "safe":
            assert index not in failed
            safe[claim.strategy] = not line.negated
        else:
            free[claim.strategy][claim.policy] = None if index in failed else not line.negated
    return {name: Answer(safe[name], free[name]) for name in safe}


def test_lists_of_locks_at_random(engine: EmbeddedEngine, tmp_path: Path) -> None:
    path = merged(tmp_path, [written(f"s{i}", scheme) for i, scheme in enumerate(random_lists())])
    proved, seen = judged(engine, spec.load(path)), explored(path)
    assert disagreements(proved, seen) == []
    answers = [answer for answer in proved.values() if answer.free]
    assert len(answers) > 40
    for policy in POLICIES:
        assert sum(answer.free[policy] is False for answer in answers) >= 5
        assert sum(answer.free[policy] is True for answer in answers) >= 5
    assert any(answer.free == {"readersPass": True, "readersWait": False} for answer in answers)
    # A command that says something else is seen.
    name = next(name for name in seen if seen[name].free)
    for wrong in (
        Answer(not seen[name].safe, seen[name].free),
        Answer(seen[name].safe, dict.fromkeys(POLICIES, not seen[name].free["readersPass"])),
    ):
        assert disagreements(proved, {**seen, name: wrong}) == [name]


def test_behind_a_gate_nothing_is_said(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """No order, and no deadlock: UNDETERMINED, in words."""
    one, other = ("global", "encoder", "queue"), ("global", "queue", "encoder")
    locks = {kind: one if kind != "destroy" else other for kind in KINDS}
    scheme = LockScheme(
        {kind: tuple(Request(s, "exclusive") for s in locks[kind]) for kind in KINDS}, True
    )
    path = merged(tmp_path, [written("gate", scheme)])
    result = gate.prove(path, engine)
    (row,) = result.rows
    assert (row.safe, row.never_deadlocks, row.verdict) == (True, None, Verdict.UNDETERMINED)
    reasons = {judged.reason for judged in row.judged if judged.verdict is Verdict.UNDETERMINED}
    assert reasons == {
        "neither an order of its locks nor a run into a deadlock was found, with circles of up to "
        "4 threads"
    }
    assert result.errors == ()
    assert explained(row) == "; whether its calls can deadlock could not be decided"
    assert explored(path)["gate"].free == dict.fromkeys(POLICIES, None)


def explained(row: Any) -> str:
    return explain._deadlocks(row)


def test_a_spec_can_say_that_readers_pass(engine: EmbeddedEngine, tmp_path: Path) -> None:
    text = (Path(__file__).parent / "specs" / "reader-behind-writer.toml").read_text()
    path = merged(tmp_path, [text.replace("check = true", "check = true\nreaders_pass = true")])
    (row,) = gate.prove(path, engine).rows
    assert row.verdict is Verdict.PROVED
    assert row.deadlock_free == {"readersPass": True}
    assert explained(row) == (", and its calls cannot deadlock if a reader passes a waiting writer")


def test_stress_says_what_it_does_not_look_for(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [stress.Row("one", "safe"), stress.Row("several", "safe", lists=True)]
    stress._show(rows, cast(stress.FakeDriver, SimpleNamespace(no_tsan="", blind=list)))
    printed = capsys.readouterr().out
    assert printed.count("not looked for") == 2
    assert "several: the guard takes the locks of a call all or none" in printed
    assert [stress._record(row).looks_for_lock_order for row in rows] == [True, False]


# --- The search of circles, against one of states ------------------------------------------------


class Thread(NamedTuple):
    """A busy thread: its call, and how many of its locks it has."""

    kind: str
    encoder: int
    taken: int


class States:
    """Every state of some threads that take locks one after another and give them all back.

    Written without a look at `verify.deadlock`: it knows no circles, only who can take what.
    """

    def __init__(
        self, scheme: LockScheme, streams: tuple[int, ...], queues: tuple[int, ...]
    ) -> None:
        self.scheme, self.streams, self.queues = scheme, streams, queues

    def lock(self, t: int, thread: Thread, request: Request) -> tuple[str, object]:
        return request.scope, {
            "global": None,
            "stream": self.streams[t],
            "operation": thread.kind,
            "encoder": thread.encoder,
            "queue": self.queues[thread.encoder],
        }[request.scope]

    def conflict(self, state: tuple[Thread | None, ...], t: int, u: int) -> bool:
        """Whether u holds what keeps t from its next lock."""
        mine, other = state[t], state[u]
        if mine is None or other is None:
            return False
        want = self.scheme.locks[mine.kind][mine.taken]
        return any(
            self.lock(u, other, held) == self.lock(t, mine, want)
            and not held.mode == want.mode == "shared"
            for held in self.scheme.locks[other.kind][: other.taken]
        )

    def waiting(self, state: tuple[Thread | None, ...], t: int) -> bool:
        thread = state[t]
        return thread is not None and thread.taken < len(self.scheme.locks[thread.kind])

    def successors(self, state: tuple[Thread | None, ...]) -> Iterator[tuple[Thread | None, ...]]:
        for t, thread in enumerate(state):
            if thread is None:
                new: list[Thread | None] = [
                    Thread(kind, encoder, 0)
                    for kind in KINDS
                    for encoder in range(len(self.queues))
                ]
            elif not self.waiting(state, t):
                new = [None]
            elif any(self.conflict(state, t, u) for u in range(len(state))):
                new = []
            else:
                new = [thread._replace(taken=thread.taken + 1)]
            for after in new:
                yield (*state[:t], after, *state[t + 1 :])

    def stuck(self, state: tuple[Thread | None, ...], policy: str) -> bool:
        """Whether some of the waiting threads wait for one another only."""

        def behind(t: int, u: int) -> bool:
            mine, other = state[t], state[u]
            assert mine is not None and other is not None
            want = self.scheme.locks[mine.kind][mine.taken]
            ahead = self.scheme.locks[other.kind][other.taken]
            return (
                policy == "readersWait"
                and (want.mode, ahead.mode) == ("shared", "exclusive")
                and self.lock(t, mine, want) == self.lock(u, other, ahead)
            )

        left = [t for t in range(len(state)) if self.waiting(state, t)]
        while True:
            kept = [
                t for t in left if any(self.conflict(state, t, u) or behind(t, u) for u in left)
            ]
            if kept == left:
                return bool(left)
            left = kept

    def deadlocks(self, policy: str) -> bool:
        start: tuple[Thread | None, ...] = (None,) * len(self.streams)
        seen, queue = {start}, [start]
        for state in queue:  # grows
            if self.stuck(state, policy):
                return True
            for after in self.successors(state):
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
        return False


@pytest.mark.parametrize("policy", POLICIES)
def test_the_circles_are_what_a_search_of_states_finds(policy: str) -> None:
    """Two threads and two encoders, and all maps."""
    met = set()
    for scheme in random_lists():
        by_states = any(
            States(scheme, streams, queues).deadlocks(policy)
            for streams, queues in itertools.product([(0, 0), (0, 1)], repeat=2)
        )
        by_circles = deadlock.find(scheme, DEFAULT, policy, threads=2).run is not None
        assert by_circles == by_states, scheme
        met.add(by_states)
    assert met == {True, False}


def test_three_threads_and_a_writer() -> None:
    (strategy,) = spec.load(
        Path(__file__).parent / "specs" / "reader-behind-writer.toml"
    ).strategies
    for policy in POLICIES:
        by_states = States(strategy.scheme, (0, 0, 0), (0,)).deadlocks(policy)
        assert by_states == (policy == "readersWait")
        found = deadlock.find(strategy.scheme, DEFAULT, policy)
        assert (found.free is False) == by_states
        # Nobody but three threads can.
        assert deadlock.find(strategy.scheme, DEFAULT, policy, threads=2).run is None


def test_what_cannot_happen_is_no_deadlock() -> None:
    """Thread-local encoders without handlers: nobody meets anybody on an encoder's lock."""
    locks: dict[str, tuple[Request, ...]]
    locks = {kind: (Request("encoder", "exclusive"),) for kind in KINDS}
    locks["encode"] = (Request("encoder", "exclusive"), Request("queue", "exclusive"))
    locks["destroy"] = (Request("queue", "exclusive"), Request("encoder", "exclusive"))
    scheme = LockScheme(locks, True)
    assert deadlock.find(scheme, DEFAULT, "readersPass").free is False
    found = deadlock.find(scheme, WITHOUT_HANDLERS, "readersPass")
    assert (found.free, found.knot) == (True, ())


def test_a_run_is_of_the_maps_that_it_names() -> None:
    """Two encoders on one queue: the deadlock needs both."""
    locks: dict[str, tuple[Request, ...]]
    locks = {kind: (Request("encoder", "exclusive"),) for kind in KINDS}
    locks["encode"] = tuple(Request(s, "exclusive") for s in ("encoder", "global", "queue"))
    locks["destroy"] = tuple(Request(s, "exclusive") for s in ("encoder", "queue", "global"))
    found = deadlock.find(LockScheme(locks, True), DEFAULT, "readersPass")
    assert found.run is not None
    assert found.run.bounds == Bounds(2, 2, 2, (0, 0), (0, 1), (0, 0))


def test_strategies_of_one_lock_have_no_deadlocks() -> None:
    one: list[Strategy] = list(spec.load().strategies)
    assert all(not deadlock.takes_several(strategy.scheme) for strategy in one)
    for strategy in one:
        for found in deadlock.findings(strategy.scheme, DEFAULT).values():
            assert found.free is True
