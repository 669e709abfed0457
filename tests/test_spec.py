"""The loader of specs: what it accepts, and what it says about everything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import STRATEGY
from hypothesis import given
from hypothesis import strategies as st

from verify import reserved, resources, toml_file
from verify import spec as specs
from verify.errors import VerifyError
from verify.spec import (
    FAULTS,
    FLAGS,
    KINDS,
    MODES,
    SCOPES,
    Environment,
    Expect,
    LockScheme,
    Request,
    Spec,
    Strategy,
)

type_of_spec_file = Callable[[str | bytes], Path]


def error(path: Path) -> str:
    """The message that loading ends with; it must be one line."""
    with pytest.raises(VerifyError) as caught:
        specs.load(path)
    message = str(caught.value)
    assert message.isprintable()
    assert caught.value.exit_code == 3
    return message


# --- What is accepted --------------------------------------------------------------------------


def test_the_shipped_spec() -> None:
    spec = specs.load()
    assert [s.name for s in spec.strategies if s.extension] == [
        "perEncoderUnchecked",
        "perEncoderRW",
        "striped",
    ]
    assert [s.name for s in spec.strategies if not s.extension] == [
        "noSync",
        "globalMutex",
        "perStream",
        "perOp",
        "perEncoder",
        "rwLock",
        "lockFree",
    ]
    assert tuple(spec.kinds) == KINDS
    assert tuple(spec.scopes) == SCOPES
    assert tuple(spec.modes) == MODES
    assert {
        name: {f for f, v in e.flags.items() if v is (f == "createReturns")}
        for name, e in spec.environments.items()
    } == {
        "default": set(),
        "handlersBypass": {"handlersIntercepted"},
        "racyFreelist": {"atomicFreelist"},
        "noRetain": {"callersRetain"},
        "confined": {"sharedEncoders"},
        "confinedNoHandlers": {"sharedEncoders", "handlersTearDown"},
        "afterCreate": {"createReturns"},
    }
    assert spec.strategy("rwLock").scheme == LockScheme(
        {
            "create": (Request("global", "exclusive"),),
            "encode": (Request("global", "shared"),),
            "destroy": (Request("global", "exclusive"),),
            "complete": (Request("global", "exclusive"),),
        },
        check=True,
    )
    assert spec.strategy("noSync").scheme.locks["encode"] == ()
    assert spec.strategy("perStream").expect == Expect(
        safe=False,
        parallel=True,
        fault="nullDeref",
        race=True,
        theorem="per_stream_mutex_insufficient",
        file="PerStreamMutex",
    )


def test_lines_are_those_of_the_file() -> None:
    lines = resources.shipped_spec().read_text().splitlines()
    for strategy in specs.load().strategies:
        assert lines[strategy.line - 1] == "[[strategy]]"
        assert lines[strategy.line] == f'name = "{strategy.name}"'


def test_a_short_spec_has_the_shipped_vocabulary(spec_file: type_of_spec_file) -> None:
    spec, shipped = specs.load(spec_file(STRATEGY)), specs.load()
    assert spec.environments == shipped.environments
    assert (spec.kinds, spec.scopes, spec.modes) == (shipped.kinds, shipped.scopes, shipped.modes)
    assert spec.strategies[0].expect is None
    assert spec.strategies[0].claims == Expect(safe=True, parallel=None)
    assert spec.strategies[0].line == 1


def test_several_locks(spec_file: type_of_spec_file) -> None:
    text = STRATEGY.replace(
        'encode = "encoder exclusive"', 'encode = ["queue shared", "encoder exclusive"]'
    )
    scheme = specs.load(spec_file(text)).strategies[0].scheme
    assert scheme.locks["encode"] == (Request("queue", "shared"), Request("encoder", "exclusive"))
    assert hash(scheme) != hash(specs.load(spec_file(STRATEGY)).strategies[0].scheme)


def test_own_environments_come_beside_the_shipped(spec_file: type_of_spec_file) -> None:
    own = "[environments.hostile]\natomicFreelist = false\ncallersRetain = false\n"
    environments = specs.load(spec_file(own + STRATEGY)).environments
    assert environments["hostile"] == Environment(
        "hostile", "", atomicFreelist=False, callersRetain=False
    )
    assert len(environments) == 8


# --- What is rejected --------------------------------------------------------------------------

LOCKS = 'encode = "encoder exclusive"'  # line 7
EXPECT = STRATEGY + "[strategy.expect]\nsafe = true\n"  # lines 10 and 11

BAD = {
    "unknown scope": (
        STRATEGY.replace(LOCKS, 'encode = "encodr exclusive"'),
        "7: strategy 'mine': unknown scope 'encodr'; use one of global, stream, operation, "
        "encoder, queue (did you mean 'encoder'?)",
    ),
    "unknown mode": (
        STRATEGY.replace(LOCKS, 'encode = "encoder exclusiv"'),
        "7: strategy 'mine': unknown mode 'exclusiv'; use one of exclusive, shared "
        "(did you mean 'exclusive'?)",
    ),
    "second lock of a list over lines": (
        STRATEGY.replace(LOCKS, 'encode = [\n  "encoder exclusive",\n  "que shared",\n]'),
        "9: strategy 'mine': unknown scope 'que'",
    ),
    "not two words": (
        STRATEGY.replace(LOCKS, 'encode = "encoder"'),
        "7: strategy 'mine': lock 'encoder' is not \"SCOPE MODE\"",
    ),
    "lock is a number": (STRATEGY.replace(LOCKS, "encode = 3"), "7: strategy 'mine': encode is 3"),
    "no lock in a list": (
        STRATEGY.replace(LOCKS, "encode = []"),
        "7: strategy 'mine': encode is []",
    ),
    "the same lock twice": (
        STRATEGY.replace(LOCKS, 'encode = ["queue shared", "queue exclusive"]'),
        "7: strategy 'mine': encode asks for the queue lock twice",
    ),
    "missing kind": (
        STRATEGY.replace(LOCKS + "\n", ""),
        "5: strategy 'mine': kind 'encode' is missing from locks",
    ),
    "unknown kind": (
        STRATEGY + 'compleet = "none"\n',
        "10: strategy 'mine': unknown kind 'compleet'; use one of create, encode, destroy, "
        "complete (did you mean 'complete'?)",
    ),
    "unknown key": (
        STRATEGY.replace("english =", "englisch ="),
        "3: strategy 'mine': unknown key 'englisch'; use one of name, english, check, "
        "readers_pass, locks, expect, extension (did you mean 'english'?)",
    ),
    "unknown key above": ("strategies = 1\n" + STRATEGY, "1: unknown key 'strategies'"),
    "unknown claim": (EXPECT + "save = true\n", "12: strategy 'mine': unknown key 'save'"),
    "claims without safe": (
        STRATEGY + "[strategy.expect]\nparallel = true\n",
        "10: strategy 'mine': expect does not say 'safe'",
    ),
    "safe is a text": (
        STRATEGY + '[strategy.expect]\nsafe = "false"\n',
        "11: strategy 'mine': safe is 'false'; write true or false",
    ),
    "unknown fault": (
        STRATEGY + '[strategy.expect]\nsafe = false\nfault = "nullderef"\n',
        "12: strategy 'mine': unknown fault 'nullderef'; use one of nullDeref,",
    ),
    "fault of a safe one": (
        EXPECT + 'fault = "nullDeref"\n',
        "12: strategy 'mine': a safe strategy has no fault",
    ),
    "theorem name": (
        EXPECT + 'theorem = "a b"\n',
        "12: strategy 'mine': theorem name 'a b' is no plain identifier",
    ),
    "file name": (
        EXPECT + 'file = "../Race"\n',
        "12: strategy 'mine': file name '../Race' is no plain identifier",
    ),
    "unknown environment key": (
        "[environments.e]\nhandlersIntercept = true\n" + STRATEGY,
        "2: environment 'e': unknown key 'handlersIntercept'",
    ),
    "environment name": (
        '[environments."a b"]\n' + STRATEGY,
        "1: environment name 'a b' is no plain",
    ),
    "shipped environment changed": (
        "[environments.confined]\n" + STRATEGY,
        "1: environment 'confined': it is a shipped one with other Booleans",
    ),
    "other default": (
        "[environments.default]\ncallersRetain = false\n" + STRATEGY,
        "1: environment 'default': it is a shipped one with other Booleans",
    ),
    "unknown word of the vocabulary": (
        '[scopes]\nglobl = "x"\n' + STRATEGY,
        "2: unknown scope 'globl'; use one of global,",
    ),
    "no check": (STRATEGY.replace("check = true\n", ""), "1: strategy 'mine': 'check' is missing"),
    "check is a number": (
        STRATEGY.replace("check = true", "check = 1"),
        "4: strategy 'mine': check is 1; write true or false",
    ),
    "no locks": (STRATEGY.split("[strategy.locks]")[0], "1: strategy 'mine': 'locks' is missing"),
    "no name": (STRATEGY.replace('name = "mine"\n', ""), "1: a strategy has no name"),
    "format": ("format = 2\n" + STRATEGY, "1: format 2 is unknown; write format = 1"),
    "format is true": ("format = true\n" + STRATEGY, "1: format True is unknown"),
    "one strategy as a table": (
        STRATEGY.replace("[[strategy]]", "[strategy]"),
        "1: strategy is no list",
    ),
    "no strategy": ("format = 1\n", "1: there is no strategy, so nothing to prove"),
    "empty file": ("", "1: there is no strategy, so nothing to prove"),
    "not TOML": ("format = 1\nformat = = 2\n", "2: not TOML: "),
    "a huge number": (f"format = {'9' * 5000}\n", "1: not TOML: "),
    "not UTF-8": (b"format = 1\n# caf\xe9\n", "2: byte 0xe9 is not UTF-8"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_spec(spec_file: type_of_spec_file, text: str | bytes, message: str) -> None:
    path = spec_file(text)
    assert error(path).startswith(f"{path}:{message}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "1a",
        "a-b",
        "a.b",
        "é",
        "def",
        "theorem",
        "Prop",
        "casesOn",
        "x" * 65,
        "a\nb",
        "«a»",
        "mine := by simp\naxiom bad : False",
        "_",
        "α",
    ],
)
def test_names_are_plain_identifiers(spec_file: type_of_spec_file, name: str) -> None:
    quoted = specs._toml(name)
    path = spec_file(STRATEGY.replace('"mine"', quoted))
    assert error(path).startswith(f"{path}:2: strategy name ")
    path = spec_file(EXPECT + f"theorem = {quoted}\n")
    assert error(path).startswith(f"{path}:12: strategy 'mine': theorem name ")


def test_names_are_unique(spec_file: type_of_spec_file) -> None:
    path = spec_file(STRATEGY * 2)
    assert error(path) == (
        f"{path}:11: strategy 'mine': the name 'mine' is taken by the strategy on line 2; "
        "choose another"
    )
    other = EXPECT.replace('"mine"', '"other"') + 'theorem = "t"\n'
    path = spec_file(EXPECT + 'theorem = "t"\n' + other)
    assert error(path).startswith(
        f"{path}:24: strategy 'other': the name 't' is taken by the theorem on"
    )
    path = spec_file(EXPECT + 'theorem = "mine"\n')
    assert error(path).startswith(
        f"{path}:12: strategy 'mine': the name 'mine' is taken by the strategy"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    assert error(tmp_path / "none").startswith(f"{tmp_path / 'none'}: no such file")


def test_a_directory(tmp_path: Path) -> None:
    assert error(tmp_path).startswith(f"{tmp_path}: is a directory")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in error(tmp_path / "pipe")


def test_no_permission(spec_file: type_of_spec_file, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spec_file(STRATEGY)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything, so say what anybody else is told

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
    assert error(path) == f"{path}: no permission to read it; change its mode or owner"


def test_ten_megabytes_are_not_read(
    spec_file: type_of_spec_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spec_file(STRATEGY * (10_000_000 // len(STRATEGY)))
    assert specs.load().strategies  # the shipped one, which `load` reads first
    monkeypatch.setattr("tomllib.loads", None)
    with pytest.raises(VerifyError, match="larger than 1000000 bytes"):
        toml_file.read(path)


def test_deep_nesting(spec_file: type_of_spec_file) -> None:
    assert "nested too deeply" in error(spec_file("a = " + "[" * 100_000))


def test_file_names_cannot_break_the_line(tmp_path: Path) -> None:
    assert r"two\nlines" in error(tmp_path / "two\nlines")


# --- Arbitrary input ------------------------------------------------------------------------------


def load_or_error(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    try:
        specs.load(path)
    except VerifyError as caught:
        assert str(caught).startswith(str(path))
        assert str(caught).isprintable()


@given(st.binary())
def test_arbitrary_bytes(tmp_path: Path, data: bytes) -> None:
    load_or_error(data, tmp_path / "spec.toml")


words = st.sampled_from(
    [
        "strategy",
        "name",
        "locks",
        "expect",
        "check",
        "environments",
        "default",
        "kinds",
        "scopes",
        "create",
        "encode",
        "format",
        "safe",
        "fault",
        "theorem",
        "file",
        "english",
        "modes",
    ]
)
values = st.recursive(
    st.sampled_from(['"none"', '"encoder shared"', "true", "1", "1.5", '""', "nan", "1979-05-27"])
    | st.text().map(specs._toml),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda vs: f"[{', '.join(vs)}]")
        | st.dictionaries(words, inner, max_size=3).map(
            lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=5,
)
toml_lines = (
    words.map(lambda w: f"[{w}]")
    | words.map(lambda w: f"[[{w}]]")
    | st.tuples(words, words).map(lambda ws: f"[{ws[0]}.{ws[1]}]")
    | st.tuples(words, values).map(lambda kv: f"{kv[0]} = {kv[1]}")
    | st.tuples(st.text(), words, values).map(lambda kv: f"{specs._toml(kv[0])}.{kv[1]} = {kv[2]}")
)


@given(st.lists(toml_lines).map("\n".join), st.sampled_from(["", STRATEGY, EXPECT]))
def test_arbitrary_toml(tmp_path: Path, text: str, before: str) -> None:
    data = (before + text).encode("utf-8", errors="replace")
    load_or_error(data, tmp_path / "spec.toml")


@given(st.data())
def test_damaged_specs(tmp_path: Path, data: st.DataObject) -> None:
    text = resources.shipped_spec().read_bytes()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    damaged = text[:start] + data.draw(st.binary(max_size=8)) + text[start + length :]
    load_or_error(damaged, tmp_path / "spec.toml")


# --- Round trip -------------------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: (
        specs.is_identifier(name)
        and not reserved.why(name, "strategy name")
        and not reserved.why(name, "environment name")
    )
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
requests = st.lists(
    st.builds(Request, st.sampled_from(SCOPES), st.sampled_from(MODES)),
    unique_by=lambda request: request.scope,
).map(tuple)
schemes = st.builds(
    LockScheme, st.fixed_dictionaries(dict.fromkeys(KINDS, requests)), st.booleans()
)


@st.composite
def generated_specs(draw: st.DrawFn) -> Spec:
    shipped = specs.load()
    free = iter(draw(st.lists(names, min_size=16, max_size=16, unique=True)))
    own = {}
    for name in [next(free) for _ in range(draw(st.integers(0, 2)))]:
        if name not in shipped.environments:
            flags = {flag: draw(st.booleans()) for flag in FLAGS}
            own[name] = Environment(name, draw(texts), **flags)
    strategies = []
    for _ in range(draw(st.integers(1, 4))):
        safe = draw(st.booleans())
        parallel = draw(st.none() | st.booleans())
        expect = Expect(
            safe=safe,
            parallel=parallel,
            fault=None if safe else draw(st.none() | st.sampled_from(FAULTS)),
            theorem=draw(st.sampled_from([None, next(free)])),
            parallel_theorem=None if parallel is None else next(free),
            file=draw(st.none() | names),
            note=draw(st.none() | texts),
        )
        expected = draw(st.sampled_from([None, expect]))
        strategies.append(Strategy(next(free), draw(texts), draw(schemes), expected))
    return Spec(
        Path("unused"),
        {kind: draw(texts) for kind in KINDS},
        {scope: draw(texts) for scope in SCOPES},
        {mode: draw(texts) for mode in MODES},
        {**shipped.environments, **own},
        tuple(strategies),
    )


@given(generated_specs())
def test_round_trip(tmp_path: Path, spec: Spec) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(specs.dump(spec), encoding="utf-8", newline="")
    again = specs.load(path)
    assert again == spec
    lines = path.read_bytes().split(b"\n")
    assert {lines[strategy.line - 1] for strategy in again.strategies} == {b"[[strategy]]"}
