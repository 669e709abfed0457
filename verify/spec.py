"""The shared spec: which synchronisation strategies there are, and what is claimed of them.

`load` reads a TOML file with the format of `model/strategies.toml`.  What it returns is valid:
every word is one that the transition system gives meaning to, every name is a plain identifier
(names go into Lean and C++ sources), every strategy has a request list for every kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from verify import reserved, resources, toml_file
from verify.errors import VerifyError

FORMAT = 1
KINDS = ("create", "encode", "destroy", "complete")
SCOPES = ("global", "stream", "operation", "encoder", "queue")
MODES = ("exclusive", "shared")
POLICIES = ("readersPass", "readersWait")
"""Whether a reader passes a writer that waits, or waits behind it: `LockPolicy` in Lean."""

FAULTS = (
    "nullDeref",
    "staleContext",
    "uninitialised",
    "doubleFree",
    "lostContext",
    "writeAfterFree",
    "encoderOverlap",
    "deadDispatch",
)
RACE_FAULT = "nullDeref"
"""The fault that the teardown race ends in."""

MAX_NAME = 64
"""Names become file names, identifiers and table cells."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Request:
    """One lock that a call asks for.

    Attributes:
        scope: One of `SCOPES`: which lock.
        mode: One of `MODES`.
    """

    scope: str
    mode: str

    def __str__(self) -> str:
        return f"{self.scope} {self.mode}"

    def excludes(self, other: Request) -> bool:
        """Whether two requests for one lock exclude each other: unless both are shared."""
        return "exclusive" in (self.mode, other.mode)


@dataclass(frozen=True)
class LockScheme:
    """The locks that each kind of operation takes.

    Attributes:
        locks: For each of `KINDS`, in that order, its requests; `()` is no lock.
        check: Whether the guard looks, under the locks, if the encoder's context is alive.
    """

    locks: Mapping[str, tuple[Request, ...]]
    check: bool

    def __hash__(self) -> int:
        return hash((tuple(self.locks[kind] for kind in KINDS), self.check))

    def requests_in(self, env: Environment, kind: str) -> tuple[Request, ...]:
        """The locks that an operation takes: none for a handler that bypasses the guard."""
        return () if kind == "complete" and not env.handlersIntercepted else self.locks[kind]


@dataclass(frozen=True)
class Environment:
    """What is assumed of the driver and of the program that uses it.

    The Booleans have the names of the Lean structure `Env`, where each is explained. What is left
    out is as in `default`: false for `createReturns`, which came later and asks more of the client.
    """

    name: str
    english: str
    handlersIntercepted: bool = True
    handlersTearDown: bool = True
    atomicFreelist: bool = True
    callersRetain: bool = True
    sharedEncoders: bool = True
    createReturns: bool = False

    @property
    def flags(self) -> dict[str, bool]:
        """The Booleans by name, in the order of the Lean structure."""
        return {flag: getattr(self, flag) for flag in FLAGS}


FLAGS = tuple(f.name for f in fields(Environment) if f.name not in ("name", "english"))
"""The Booleans of an environment, in the order of the Lean structure `Env`."""

DEFAULT_FLAGS = Environment("default", "").flags
"""The Booleans of `default`, and of whatever an environment leaves out."""


@dataclass(frozen=True)
class Expect:
    """The claims about a strategy in the default environment.

    Attributes:
        safe: Whether it is claimed to be safe (False: claimed to be unsafe).
        parallel: Whether it is claimed to let two operations overlap; None claims neither.
        fault: For an unsafe one, the fault (of `FAULTS`) that is claimed to be reachable.
        race: The claim is stronger: `nullDeref` by a teardown between a load and its use.
        theorem: The name of its theorem; None leaves it to `verify.views`.
        parallel_theorem: The name of the theorem on `parallel`; None as above.
        file: The Lean module below `MPSVerify.AGX` with these theorems; None as above.
        note: What a reader of the verdict should know, in English.
    """

    safe: bool = True
    parallel: bool | None = None
    fault: str | None = None
    race: bool = False
    theorem: str | None = None
    parallel_theorem: str | None = None
    file: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Strategy:
    """A named lock scheme.

    Attributes:
        name: A plain identifier.
        english: One sentence on it; arbitrary text, escape it before it goes into a source file.
        scheme: The locks.
        expect: The claims as written, None where the spec makes none.
        extension: Shown beside the others in the matrix, not counted among them.
        line: Where it starts in its file; no part of what it is.
    """

    name: str
    english: str
    scheme: LockScheme
    expect: Expect | None = None
    extension: bool = False
    readers_pass: bool = False
    line: int = field(default=0, compare=False)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies of locks with which it is claimed to be deadlock-free."""
        return POLICIES[:1] if self.readers_pass else POLICIES

    @property
    def claims(self) -> Expect:
        """The claims to prove: those written, or that it is safe."""
        return self.expect or Expect()


@dataclass(frozen=True)
class Spec:
    """A loaded spec.

    Attributes:
        path: The file that it was read from; no part of what it says.
        kinds, scopes, modes: Each word with its English.
        environments: By name; `default` is among them and assumes everything.
        strategies: At least one, with different names, in the order of the file.
    """

    path: Path = field(compare=False)
    kinds: Mapping[str, str]
    scopes: Mapping[str, str]
    modes: Mapping[str, str]
    environments: Mapping[str, Environment]
    strategies: tuple[Strategy, ...]

    def strategy(self, name: str) -> Strategy:
        """The strategy of this name.

        Raises:
            VerifyError: If there is none.
        """
        for strategy in self.strategies:
            if strategy.name == name:
                return strategy
        names = [strategy.name for strategy in self.strategies]
        raise VerifyError(
            f"{self.path}: unknown strategy {toml_file.show(name)}; "
            f"{toml_file.choices(name, names)}"
        )


def load(path: str | Path | None = None) -> Spec:
    """Read and check a spec.

    Args:
        path: A TOML file of at most `toml_file.MAX_BYTES`; None for the shipped one.

    Returns:
        The spec.  Vocabulary and environments that the file leaves out are the shipped ones.

    Raises:
        VerifyError: If the file cannot be read or does not make sense; the message has the form
            `FILE:LINE: what: remedy`.
    """
    shipped = resources.shipped_spec()
    file = shipped if path is None else Path(path)
    source = toml_file.Source(file, toml_file.read(file))
    defaults = None if resources.is_shipped(file) else load(shipped)
    return _spec(source, defaults)


def dump(spec: Spec) -> str:
    """The spec as TOML: what `load` reads back as an equal spec.

    Args:
        spec: Any spec; its texts must be encodable as UTF-8.
    """
    lines = [f"format = {FORMAT}"]
    for title, words in (("kinds", spec.kinds), ("scopes", spec.scopes), ("modes", spec.modes)):
        lines += ["", f"[{title}]", *(f"{word} = {_toml(text)}" for word, text in words.items())]
    for environment in spec.environments.values():
        lines += ["", f"[environments.{environment.name}]"]
        lines += [f"english = {_toml(environment.english)}"]
        lines += [f"{flag} = {_toml(value)}" for flag, value in environment.flags.items()]
    for strategy in spec.strategies:
        lines += ["", "[[strategy]]", f"name = {_toml(strategy.name)}"]
        lines += [f"english = {_toml(strategy.english)}", f"check = {_toml(strategy.scheme.check)}"]
        lines += ["extension = true"] if strategy.extension else []
        lines += ["readers_pass = true"] if strategy.readers_pass else []
        lines += ["[strategy.locks]"]
        for kind, requests in strategy.scheme.locks.items():
            words_of_kind = [str(request) for request in requests]
            lines += [f"{kind} = {_toml(words_of_kind or 'none')}"]
        if strategy.expect is not None:
            lines += ["[strategy.expect]"]
            claims = {f.name: getattr(strategy.expect, f.name) for f in fields(Expect)}
            lines += [
                f"{key} = {_toml(value)}" for key, value in claims.items() if value is not None
            ]
    return "\n".join(lines) + "\n"


def is_identifier(name: str) -> bool:
    """Whether the name can go into Lean, C++ and file names as it is."""
    return (
        len(name) <= MAX_NAME
        and _IDENTIFIER.fullmatch(name) is not None
        and name not in reserved.KEYWORDS | reserved.DERIVED
    )


def _toml(value: str | bool | list[str]) -> str:
    # JSON's escapes are TOML's, but TOML wants DEL escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _spec(source: toml_file.Source, defaults: Spec | None) -> Spec:
    values = source.values
    toml_file.known_keys(
        source, (), values, ("format", "kinds", "scopes", "modes", "environments", "strategy"), ""
    )
    form = values.get("format", FORMAT)
    if type(form) is not int or form != FORMAT:
        source.fail(
            ("format",), f"format {toml_file.show(form)} is unknown; write format = {FORMAT}"
        )
    vocabulary = {
        title: _vocabulary(source, title, words, getattr(defaults, title, None))
        for title, words in (("kinds", KINDS), ("scopes", SCOPES), ("modes", MODES))
    }
    return Spec(
        path=source.path,
        environments=_environments(source, defaults),
        strategies=_strategies(source),
        **vocabulary,
    )


def plain(
    source: toml_file.Source, keys: toml_file.Keys, value: object, where: str, what: str
) -> str:
    """The name of something that exists; what is declared has an `identifier`."""
    if not isinstance(value, str) or not is_identifier(value):
        source.fail(
            keys,
            f"{where}{what} {toml_file.show(value)} is no plain identifier; use an ASCII letter, "
            "then "
            f"letters, digits and _, at most {MAX_NAME}, and no word that Lean reserves",
        )
    return value


def identifier(
    source: toml_file.Source, keys: toml_file.Keys, text: object, where: str, what: str
) -> str:
    """A name that the spec gives to something new, and that nothing else has."""
    value = plain(source, keys, text, where, what)
    if (taken := reserved.why(value, what)) is not None:
        remedy = f"choose another, for instance {toml_file.show(f'my_{value}')}"
        source.fail(keys, f"{where}{what} {toml_file.show(value)} {taken}; {remedy}")
    return value


def _vocabulary(
    source: toml_file.Source, title: str, words: tuple[str, ...], defaults: Mapping[str, str] | None
) -> dict[str, str]:
    """The English of the words of one table; a word that is left out has the shipped English."""
    given = toml_file.table(source, (title,), source.values.get(title, {}))
    for word, english in given.items():
        if word not in words:
            what = f"unknown {title[:-1]} {toml_file.show(word)}"
            source.fail((title, word), f"{what}; {toml_file.choices(word, words)}")
        toml_file.text(source, (title, word), english, f"{title}: ")
    for word in words:
        if word not in given and defaults is None:
            source.fail((title,), f'{title}: {word!r} is missing; add {word} = "..."')
    return {word: given[word] if word in given else (defaults or {})[word] for word in words}


def _environments(source: toml_file.Source, defaults: Spec | None) -> dict[str, Environment]:
    """The shipped environments and the file's own."""
    shipped = {} if defaults is None else dict(defaults.environments)
    environments = dict(shipped)
    tables = toml_file.table(source, ("environments",), source.values.get("environments", {}))
    for name, value in tables.items():
        keys = ("environments", name)
        where = f"environment {toml_file.show(name)}: "
        identifier(source, keys, name, "", "environment name")
        table = toml_file.table(source, keys, value)
        toml_file.known_keys(source, keys, table, ("english", *FLAGS), where)
        environment = Environment(
            name,
            toml_file.text(source, (*keys, "english"), table.get("english", ""), where),
            **{
                flag: toml_file.boolean(source, (*keys, flag), table.get(flag, default), where)
                for flag, default in DEFAULT_FLAGS.items()
            },
        )
        # Verdicts name environments: one name must not mean two things in two reports.
        if name in shipped and environment.flags != shipped[name].flags:
            source.fail(
                keys, f"{where}it is a shipped one with other Booleans; choose another name"
            )
        environments[name] = environment
    default = environments.get("default")
    if default is None or default.flags != DEFAULT_FLAGS:
        source.fail(
            ("environments", "default"),
            "environment 'default' must be there and mean what it says; leave its Booleans out",
        )
    return environments


def _strategies(source: toml_file.Source) -> tuple[Strategy, ...]:
    tables = source.values.get("strategy", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        source.fail(("strategy",), "strategy is no list of tables; start each with [[strategy]]")
    if not tables:
        source.fail((), "there is no strategy, so nothing to prove; add one with [[strategy]]")
    strategies: list[Strategy] = []
    taken: dict[str, str] = {}  # every name that becomes a Lean name, with what it is
    for i, table in enumerate(tables):
        strategy = _strategy(source, i, table)
        names = {
            ("name",): strategy.name,
            ("expect", "theorem"): strategy.claims.theorem,
            ("expect", "parallel_theorem"): strategy.claims.parallel_theorem,
        }
        for keys, name in names.items():
            if name is None:
                continue
            if name in taken:
                source.fail(
                    ("strategy", i, *keys),
                    f"strategy {strategy.name!r}: the name {name!r} is taken by {taken[name]}; "
                    "choose another",
                )
            what = "the strategy" if "name" in keys else "the theorem"
            taken[name] = f"{what} on line {source.line(('strategy', i, *keys))}"
        strategies.append(strategy)
    return tuple(strategies)


def _strategy(source: toml_file.Source, index: int, table: dict[str, Any]) -> Strategy:
    keys: toml_file.Keys = ("strategy", index)
    if "name" not in table:
        source.fail(keys, 'a strategy has no name; add name = "..."')
    name = identifier(source, (*keys, "name"), table["name"], "", "strategy name")
    where = f"strategy {name!r}: "
    toml_file.known_keys(
        source,
        keys,
        table,
        ("name", "english", "check", "readers_pass", "locks", "expect", "extension"),
        where,
    )
    for key in ("check", "locks"):
        if key not in table:
            source.fail(keys, f"{where}{key!r} is missing; see model/strategies.toml")
    locks = toml_file.table(source, (*keys, "locks"), table["locks"], where)
    for kind in locks:
        if kind not in KINDS:
            message = (
                f"{where}unknown kind {toml_file.show(kind)}; {toml_file.choices(kind, KINDS)}"
            )
            source.fail((*keys, "locks", kind), message)
    for kind in KINDS:
        if kind not in locks:
            source.fail(
                (*keys, "locks"),
                f'{where}kind {kind!r} is missing from locks; add {kind} = "SCOPE MODE" or "none"',
            )
    return Strategy(
        name=name,
        english=toml_file.text(source, (*keys, "english"), table.get("english", ""), where),
        scheme=LockScheme(
            {kind: _requests(source, (*keys, "locks", kind), locks[kind], where) for kind in KINDS},
            toml_file.boolean(source, (*keys, "check"), table["check"], where),
        ),
        expect=_expect(source, (*keys, "expect"), table["expect"], where)
        if "expect" in table
        else None,
        extension=toml_file.boolean(
            source, (*keys, "extension"), table.get("extension", False), where
        ),
        readers_pass=toml_file.boolean(
            source, (*keys, "readers_pass"), table.get("readers_pass", False), where
        ),
        line=source.line(keys),
    )


def _requests(
    source: toml_file.Source, keys: toml_file.Keys, value: object, where: str
) -> tuple[Request, ...]:
    if value == "none":
        return ()
    if isinstance(value, str):
        return (_request(source, keys, value, where),)
    if not isinstance(value, list) or not value:
        source.fail(
            keys,
            f"{where}{keys[-1]} is {toml_file.show(value)}; "
            'write "SCOPE MODE", a list of them or "none"',
        )
    requests = tuple(_request(source, (*keys, i), item, where) for i, item in enumerate(value))
    for i, request in enumerate(requests):
        if request.scope in [earlier.scope for earlier in requests[:i]]:
            source.fail(
                (*keys, i),
                f"{where}{keys[-1]} asks for the {request.scope} lock twice; name each lock once",
            )
    return requests


def _request(source: toml_file.Source, keys: toml_file.Keys, value: object, where: str) -> Request:
    words = value.split(" ") if isinstance(value, str) else []
    if len(words) != 2:
        source.fail(
            keys,
            f'{where}lock {toml_file.show(value)} is not "SCOPE MODE", as in "encoder exclusive"',
        )
    for what, word, known in (("scope", words[0], SCOPES), ("mode", words[1], MODES)):
        if word not in known:
            source.fail(
                keys,
                f"{where}unknown {what} {toml_file.show(word)}; {toml_file.choices(word, known)}",
            )
    return Request(*words)


def _expect(source: toml_file.Source, keys: toml_file.Keys, value: object, where: str) -> Expect:
    table = toml_file.table(source, keys, value, where)
    toml_file.known_keys(source, keys, table, [f.name for f in fields(Expect)], where)
    if "safe" not in table:
        source.fail(keys, f"{where}expect does not say 'safe'; add safe = true or safe = false")
    claims: dict[str, Any] = {
        "safe": toml_file.boolean(source, (*keys, "safe"), table["safe"], where)
    }
    if "parallel" in table:
        claims["parallel"] = toml_file.boolean(
            source, (*keys, "parallel"), table["parallel"], where
        )
    if "fault" in table:
        fault = claims["fault"] = table["fault"]
        if fault not in FAULTS:
            source.fail(
                (*keys, "fault"),
                f"{where}unknown fault {toml_file.show(fault)}; {toml_file.choices(fault, FAULTS)}",
            )
        if claims["safe"]:
            source.fail(
                (*keys, "fault"), f"{where}a safe strategy has no fault; drop one of the two"
            )
    if "race" in table:
        claims["race"] = toml_file.boolean(source, (*keys, "race"), table["race"], where)
        if claims["race"] and claims.get("fault") != RACE_FAULT:
            source.fail(
                (*keys, "race"), f'{where}a race ends in {RACE_FAULT}; add fault = "{RACE_FAULT}"'
            )
    for name in ("theorem", "parallel_theorem", "file"):
        if name in table:
            what = f"{name.replace('_', ' ')} name"
            claims[name] = identifier(source, (*keys, name), table[name], where, what)
    if "parallel_theorem" in claims and "parallel" not in claims:
        source.fail(
            (*keys, "parallel_theorem"),
            f"{where}parallel_theorem names a claim that is not made; add parallel = true or false",
        )
    if "note" in table:
        claims["note"] = toml_file.text(source, (*keys, "note"), table["note"], where)
    return Expect(**claims)
