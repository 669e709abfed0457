"""A TOML file of the user's, with the line of every key for messages.

Values come from `tomllib`.  It keeps no positions, so the line of each key comes from a second,
tolerant parse (tree-sitter); that one is used for messages and nothing else.
"""

from __future__ import annotations

import codecs
import difflib
import re
import stat
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from verify.errors import VerifyError

Keys: TypeAlias = tuple[str | int, ...]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

MAX_PARTS = 64
"""Of a dotted key: `tomllib`'s time grows with their square."""

_LONG_KEY = re.compile(
    r"""(?<![\w.-])(?:(?:[\w-]++|"[^"]*+"|'[^']*+')[ \t]*+\.[ \t]*+){"""
    rf"{MAX_PARTS}}}",
    re.ASCII,
)

MAX_BYTES = 1_000_000
"""Larger files are not read: a spec of a hundred strategies has 40 kB."""


def show(value: object) -> str:
    """The value as a message quotes it: short, whatever the file says."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def choices(word: object, words: Collection[str]) -> str:
    """The remedy for an unknown word."""
    close = difflib.get_close_matches(str(word)[:64], words, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"use one of {', '.join(words)}{hint}"


def read(path: Path) -> bytes:
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


class Source:
    """A parsed file: its values, and the line of each key for messages.

    Args:
        path: For messages.
        data: The file's bytes.

    Raises:
        VerifyError: If the bytes are not TOML in UTF-8.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        data = data.removeprefix(codecs.BOM_UTF8)  # some editors write one
        self._data = data
        self._lines: dict[Keys, int] | None = None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            byte = data[error.start]
            raise VerifyError(
                f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
            ) from None
        for number, words in enumerate(text.split("\n"), 1):
            if words.count(".") > MAX_PARTS and _LONG_KEY.search(words):  # tomllib takes minutes
                raise VerifyError(
                    f"{path}:{number}: a key of more than {MAX_PARTS} parts; a spec needs three"
                )
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

    def line(self, keys: Keys) -> int:
        """The line of a key, or of the nearest enclosing one that is written down."""
        if self._lines is None:
            self._lines = _key_lines(self._data)
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return self._lines.get(keys, 1)

    def fail(self, keys: Keys, message: str) -> NoReturn:
        """Raise the error about the value at these keys."""
        raise VerifyError(f"{self.path}:{self.line(keys)}: {message}")


def _key_lines(data: bytes) -> dict[Keys, int]:
    """The line, counted from 1, of each key and array element of a valid TOML file.

    Elements of arrays have their index as key.  Where tree-sitter's grammar does not follow the
    file, keys are missing.
    """
    # Here and not above: who only asks for the words of the vocabulary does not need it.
    import tree_sitter
    import tree_sitter_toml

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    lines: dict[Keys, int] = {(): 1}
    lengths: dict[Keys, int] = {}  # of the arrays of tables, so far

    def resolve(keys: tuple[str, ...]) -> Keys:
        """A table's full path: inside an array of tables a header means the last element."""
        path: Keys = ()
        for key in keys:
            path += (key,)
            if path in lengths:
                path += (lengths[path] - 1,)
        return path

    todo: list[tuple[tree_sitter.Node, Keys]] = [(parser.parse(data).root_node, ())]
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


def known_keys(
    source: Source, keys: Keys, table: dict[str, Any], known: Collection[str], where: str
) -> None:
    for key in table:
        if key not in known:
            source.fail((*keys, key), f"{where}unknown key {show(key)}; {choices(key, known)}")


def table(source: Source, keys: Keys, value: object, where: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        name = ".".join(str(key) for key in keys if isinstance(key, str))
        source.fail(keys, f"{where}{name} is {show(value)}; make it a table, [{name}]")
    return value


def text(source: Source, keys: Keys, value: object, where: str = "") -> str:
    if not isinstance(value, str):
        source.fail(keys, f"{where}{keys[-1]} is {show(value)}; give a text in quotes")
    return value


def boolean(source: Source, keys: Keys, value: object, where: str = "") -> bool:
    if not isinstance(value, bool):
        source.fail(keys, f"{where}{keys[-1]} is {show(value)}; write true or false")
    return value
