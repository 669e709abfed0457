"""The shared spec: which synchronisation strategies there are, and what is claimed of them.

`load` reads a TOML file with the format of `model/strategies.toml`.  What it returns is valid:
every word is one that the transition system gives meaning to, every name is a plain identifier
(names go into Lean and C++ sources), every strategy has a request list for every kind.

Values come from `tomllib`.  It keeps no positions, so the line of each key comes from a second,
tolerant parse (tree-sitter); that one is used for messages and nothing else.
"""

from __future__ import annotations

import difflib
import json
import re
import stat
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from verify import resources
from verify.errors import VerifyError

FORMAT = 1
KINDS = ("create", "encode", "destroy", "complete")
SCOPES = ("global", "stream", "operation", "encoder", "queue")
MODES = ("exclusive", "shared")
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

MAX_BYTES = 1_000_000
"""Larger files are not read: a spec of a hundred strategies has 40 kB."""

MAX_NAME = 64
"""Names become file names, identifiers and table cells."""

# The words that Lean 4 does not read as an identifier, and the names that it derives for every
# inductive type (a strategy is a constructor of one).
_RESERVED = frozenset(
    """
    abbrev at attribute axiom break builtin_initialize by calc catch class const_delab continue
    coinductive declare_syntax_cat decreasing_by def deriving do else elab elab_rules end example
    exists export extends extern false finally for forall from fun hiding if import in include
    inductive infix infixl infixr init_quot initialize instance irreducible let local macro
    macro_rules match meta module mut mutual namespace nofun nomatch noncomputable nonrec notation
    omit opaque open partial partial_fixpoint postfix prefix private protected public renaming
    repeat return run_cmd scoped section set_option show sorry structure suffices syntax then
    termination_by theorem true try unif_hint universe universes unless unsafe using variable
    variables where while with Prop Sort Type panic unreachable dbg_trace assert
    below binductionOn brecOn casesOn ctorElim ctorElimType ctorIdx elim inj injEq mk noConfusion
    noConfusionType ofNat rec recOn sizeOf sizeOf_spec toCtorIdx
    """.split()
)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_Keys: TypeAlias = tuple[str | int, ...]


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


@dataclass(frozen=True)
class Environment:
    """What is assumed of the driver and of the program that uses it.

    The Booleans have the names of the Lean structure `Env`, where each is explained.
    """

    name: str
    english: str
    handlersIntercepted: bool = True
    handlersTearDown: bool = True
    atomicFreelist: bool = True
    callersRetain: bool = True
    sharedEncoders: bool = True

    @property
    def flags(self) -> dict[str, bool]:
        """The Booleans by name, in the order of the Lean structure."""
        return {flag: getattr(self, flag) for flag in FLAGS}


FLAGS = tuple(f.name for f in fields(Environment) if f.name not in ("name", "english"))
"""The Booleans of an environment, in the order of the Lean structure `Env`."""


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
    line: int = field(default=0, compare=False)

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
        raise VerifyError(f"{self.path}: unknown strategy {_show(name)}; {_choices(name, names)}")


def load(path: str | Path | None = None) -> Spec:
    """Read and check a spec.

    Args:
        path: A TOML file of at most `MAX_BYTES`; None for the shipped one.

    Returns:
        The spec.  Vocabulary and environments that the file leaves out are the shipped ones.

    Raises:
        VerifyError: If the file cannot be read or does not make sense; the message has the form
            `FILE:LINE: what: remedy`.
    """
    shipped = resources.shipped_spec()
    file = shipped if path is None else Path(path)
    source = _Source(file, _read(file))
    defaults = None if _same_file(file, shipped) else load(shipped)
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
        len(name) <= MAX_NAME and _IDENTIFIER.fullmatch(name) is not None and name not in _RESERVED
    )


def _toml(value: str | bool | list[str]) -> str:
    # JSON's escapes are TOML's, but TOML wants DEL escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _show(value: object) -> str:
    """The value as a message quotes it: short, whatever the file says."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _choices(word: object, words: Collection[str]) -> str:
    """The remedy for an unknown word."""
    close = difflib.get_close_matches(str(word)[:MAX_NAME], words, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"use one of {', '.join(words)}{hint}"


def _read(path: Path) -> bytes:
    """The bytes of a spec.

    Raises:
        VerifyError: If it is no readable regular file of at most `MAX_BYTES`.
    """
    try:
        mode = path.stat().st_mode  # first: opening a pipe would wait for a writer
        if stat.S_ISDIR(mode):
            raise VerifyError(f"{path}: is a directory; name a TOML file, as model/strategies.toml")
        if not stat.S_ISREG(mode):
            raise VerifyError(
                f"{path}: is not a regular file; copy the spec to a file and name that"
            )
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise VerifyError(f"{path}: no such file; name a TOML file that exists") from None
    except PermissionError:
        raise VerifyError(f"{path}: no permission to read it; change its mode or owner") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise VerifyError(f"{path}: cannot be read: {error}; name a readable TOML file") from None
    if len(data) > MAX_BYTES:
        raise VerifyError(f"{path}: larger than {MAX_BYTES} bytes; split it into several specs")
    return data


class _Source:
    """A parsed file: its values, and the line of each key for messages.

    Args:
        path: For messages.
        data: The file's bytes.

    Raises:
        VerifyError: If the bytes are not TOML in UTF-8.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self._data = data
        self._lines: dict[_Keys, int] | None = None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            byte = data[error.start]
            raise VerifyError(
                f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
            ) from None
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except RecursionError:
            raise VerifyError(f"{path}: nested too deeply; a spec needs four levels") from None
        except ValueError as error:  # TOMLDecodeError is one; so is an integer of 5,000 digits
            message = str(error)
            at = re.search(r"at line (\d+), column (\d+)", message)
            line = int(at[1]) if at else max(1, len(text.splitlines()))
            raise VerifyError(
                f"{path}:{line}: not TOML: {message[:200]}; compare with https://toml.io"
            ) from None

    def line(self, keys: _Keys) -> int:
        """The line of a key, or of the nearest enclosing one that is written down."""
        if self._lines is None:
            self._lines = _key_lines(self._data)
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return self._lines.get(keys, 1)

    def fail(self, keys: _Keys, message: str) -> NoReturn:
        """Raise the error about the value at these keys."""
        raise VerifyError(f"{self.path}:{self.line(keys)}: {message}")


def _key_lines(data: bytes) -> dict[_Keys, int]:
    """The line, counted from 1, of each key and array element of a valid TOML file.

    Elements of arrays have their index as key.  Where tree-sitter's grammar does not follow the
    file, keys are missing.
    """
    # Here and not above: who only asks for the words of the vocabulary does not need it.
    import tree_sitter
    import tree_sitter_toml

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    lines: dict[_Keys, int] = {(): 1}
    lengths: dict[_Keys, int] = {}  # of the arrays of tables, so far

    def resolve(keys: tuple[str, ...]) -> _Keys:
        """A table's full path: inside an array of tables a header means the last element."""
        path: _Keys = ()
        for key in keys:
            path += (key,)
            if path in lengths:
                path += (lengths[path] - 1,)
        return path

    todo: list[tuple[tree_sitter.Node, _Keys]] = [(parser.parse(data).root_node, ())]
    while todo:  # not recursion: the nesting is the file's choice
        node, path = todo.pop()
        line = node.start_point[0] + 1
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type in ("table", "table_array_element") and children:
            keys = _key_path(children[0])
            if node.type == "table_array_element":
                array = (*resolve(keys[:-1]), keys[-1])
                lengths[array] = lengths.get(array, 0) + 1
                lines.setdefault(array, line)
            path = resolve(keys)
            lines.setdefault(path, line)
            children = children[1:]
        elif node.type == "pair" and len(children) == 2:
            for key in _key_path(children[0]):
                path += (key,)
                lines.setdefault(path, line)
            children = children[1:]
        elif node.type == "array":
            todo += [(child, (*path, i)) for i, child in enumerate(children)]
            lines.update({(*path, i): c.start_point[0] + 1 for i, c in enumerate(children)})
            continue
        # Reversed, for headers must be met in the order of the file.
        todo += [(child, path) for child in reversed(children)]
    return lines


def _key_path(node: Any) -> tuple[str, ...]:
    """The keys of a (dotted, quoted) key node, decoded."""
    text = node.text.decode("utf-8")
    if _BARE_KEY.fullmatch(text):
        return (text,)
    keys: list[str] = []
    value: Any = tomllib.loads(f"{text} = 0")
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        keys.append(key)
    return tuple(keys)


def _spec(source: _Source, defaults: Spec | None) -> Spec:
    values = source.values
    _known_keys(
        source, (), values, ("format", "kinds", "scopes", "modes", "environments", "strategy"), ""
    )
    form = values.get("format", FORMAT)
    if type(form) is not int or form != FORMAT:
        source.fail(("format",), f"format {_show(form)} is unknown; write format = {FORMAT}")
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


def _known_keys(
    source: _Source, keys: _Keys, table: dict[str, Any], known: Collection[str], where: str
) -> None:
    for key in table:
        if key not in known:
            source.fail((*keys, key), f"{where}unknown key {_show(key)}; {_choices(key, known)}")


def _table(source: _Source, keys: _Keys, value: object, where: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        name = ".".join(str(key) for key in keys if isinstance(key, str))
        source.fail(keys, f"{where}{name} is {_show(value)}; make it a table, [{name}]")
    return value


def _text(source: _Source, keys: _Keys, value: object, where: str = "") -> str:
    if not isinstance(value, str):
        source.fail(keys, f"{where}{keys[-1]} is {_show(value)}; give a text in quotes")
    return value


def _boolean(source: _Source, keys: _Keys, value: object, where: str = "") -> bool:
    if not isinstance(value, bool):
        source.fail(keys, f"{where}{keys[-1]} is {_show(value)}; write true or false")
    return value


def _identifier(source: _Source, keys: _Keys, value: object, where: str, what: str) -> str:
    if not isinstance(value, str) or not is_identifier(value):
        source.fail(
            keys,
            f"{where}{what} {_show(value)} is no plain identifier; use an ASCII letter, then "
            f"letters, digits and _, at most {MAX_NAME}, and no word that Lean reserves",
        )
    return value


def _vocabulary(
    source: _Source, title: str, words: tuple[str, ...], defaults: Mapping[str, str] | None
) -> dict[str, str]:
    """The English of the words of one table; a word that is left out has the shipped English."""
    given = _table(source, (title,), source.values.get(title, {}))
    for word, english in given.items():
        if word not in words:
            what = f"unknown {title[:-1]} {_show(word)}"
            source.fail((title, word), f"{what}; {_choices(word, words)}")
        _text(source, (title, word), english, f"{title}: ")
    for word in words:
        if word not in given and defaults is None:
            source.fail((title,), f'{title}: {word!r} is missing; add {word} = "..."')
    return {word: given[word] if word in given else (defaults or {})[word] for word in words}


def _environments(source: _Source, defaults: Spec | None) -> dict[str, Environment]:
    """The shipped environments and the file's own."""
    shipped = {} if defaults is None else dict(defaults.environments)
    environments = dict(shipped)
    tables = _table(source, ("environments",), source.values.get("environments", {}))
    for name, value in tables.items():
        keys = ("environments", name)
        where = f"environment {_show(name)}: "
        _identifier(source, keys, name, "", "environment name")
        table = _table(source, keys, value)
        _known_keys(source, keys, table, ("english", *FLAGS), where)
        environment = Environment(
            name,
            _text(source, (*keys, "english"), table.get("english", ""), where),
            **{
                flag: _boolean(source, (*keys, flag), table.get(flag, True), where)
                for flag in FLAGS
            },
        )
        # Verdicts name environments: one name must not mean two things in two reports.
        if name in shipped and environment.flags != shipped[name].flags:
            source.fail(
                keys, f"{where}it is a shipped one with other Booleans; choose another name"
            )
        environments[name] = environment
    default = environments.get("default")
    if default is None or not all(default.flags.values()):
        source.fail(
            ("environments", "default"),
            "environment 'default' must be there and assume everything; leave its Booleans out",
        )
    return environments


def _strategies(source: _Source) -> tuple[Strategy, ...]:
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


def _strategy(source: _Source, index: int, table: dict[str, Any]) -> Strategy:
    keys: _Keys = ("strategy", index)
    if "name" not in table:
        source.fail(keys, 'a strategy has no name; add name = "..."')
    name = _identifier(source, (*keys, "name"), table["name"], "", "strategy name")
    where = f"strategy {name!r}: "
    _known_keys(
        source, keys, table, ("name", "english", "check", "locks", "expect", "extension"), where
    )
    for key in ("check", "locks"):
        if key not in table:
            source.fail(keys, f"{where}{key!r} is missing; see model/strategies.toml")
    locks = _table(source, (*keys, "locks"), table["locks"], where)
    for kind in locks:
        if kind not in KINDS:
            message = f"{where}unknown kind {_show(kind)}; {_choices(kind, KINDS)}"
            source.fail((*keys, "locks", kind), message)
    for kind in KINDS:
        if kind not in locks:
            source.fail(
                (*keys, "locks"),
                f'{where}kind {kind!r} is missing from locks; add {kind} = "SCOPE MODE" or "none"',
            )
    return Strategy(
        name=name,
        english=_text(source, (*keys, "english"), table.get("english", ""), where),
        scheme=LockScheme(
            {kind: _requests(source, (*keys, "locks", kind), locks[kind], where) for kind in KINDS},
            _boolean(source, (*keys, "check"), table["check"], where),
        ),
        expect=_expect(source, (*keys, "expect"), table["expect"], where)
        if "expect" in table
        else None,
        extension=_boolean(source, (*keys, "extension"), table.get("extension", False), where),
        line=source.line(keys),
    )


def _requests(source: _Source, keys: _Keys, value: object, where: str) -> tuple[Request, ...]:
    if value == "none":
        return ()
    if isinstance(value, str):
        return (_request(source, keys, value, where),)
    if not isinstance(value, list) or not value:
        source.fail(
            keys,
            f'{where}{keys[-1]} is {_show(value)}; write "SCOPE MODE", a list of them or "none"',
        )
    requests = tuple(_request(source, (*keys, i), item, where) for i, item in enumerate(value))
    for i, request in enumerate(requests):
        if request.scope in [earlier.scope for earlier in requests[:i]]:
            source.fail(
                (*keys, i),
                f"{where}{keys[-1]} asks for the {request.scope} lock twice; name each lock once",
            )
    return requests


def _request(source: _Source, keys: _Keys, value: object, where: str) -> Request:
    words = value.split(" ") if isinstance(value, str) else []
    if len(words) != 2:
        source.fail(
            keys, f'{where}lock {_show(value)} is not "SCOPE MODE", as in "encoder exclusive"'
        )
    for what, word, known in (("scope", words[0], SCOPES), ("mode", words[1], MODES)):
        if word not in known:
            source.fail(keys, f"{where}unknown {what} {_show(word)}; {_choices(word, known)}")
    return Request(*words)


def _expect(source: _Source, keys: _Keys, value: object, where: str) -> Expect:
    table = _table(source, keys, value, where)
    _known_keys(source, keys, table, [f.name for f in fields(Expect)], where)
    if "safe" not in table:
        source.fail(keys, f"{where}expect does not say 'safe'; add safe = true or safe = false")
    claims: dict[str, Any] = {"safe": _boolean(source, (*keys, "safe"), table["safe"], where)}
    if "parallel" in table:
        claims["parallel"] = _boolean(source, (*keys, "parallel"), table["parallel"], where)
    if "fault" in table:
        fault = claims["fault"] = table["fault"]
        if fault not in FAULTS:
            source.fail(
                (*keys, "fault"), f"{where}unknown fault {_show(fault)}; {_choices(fault, FAULTS)}"
            )
        if claims["safe"]:
            source.fail(
                (*keys, "fault"), f"{where}a safe strategy has no fault; drop one of the two"
            )
    if "race" in table:
        claims["race"] = _boolean(source, (*keys, "race"), table["race"], where)
        if claims["race"] and claims.get("fault") != RACE_FAULT:
            source.fail(
                (*keys, "race"), f'{where}a race ends in {RACE_FAULT}; add fault = "{RACE_FAULT}"'
            )
    for name in ("theorem", "parallel_theorem", "file"):
        if name in table:
            what = f"{name.replace('_', ' ')} name"
            claims[name] = _identifier(source, (*keys, name), table[name], where, what)
    if "parallel_theorem" in claims and "parallel" not in claims:
        source.fail(
            (*keys, "parallel_theorem"),
            f"{where}parallel_theorem names a claim that is not made; add parallel = true or false",
        )
    if "note" in table:
        claims["note"] = _text(source, (*keys, "note"), table["note"], where)
    return Expect(**claims)
