"""What other programs print: Lean, the search engine, the drivers.  They may print anything.

Whatever goes wrong while an output is taken apart ends in one line that names the program; a
number that is none (NaN, infinity, five thousand digits) is no answer either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from verify.errors import VerifyError

ODD = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError)
"""What taking apart an odd output raises."""

MOST = 2**63
"""No count that a program prints is larger."""

_T = TypeVar("_T", bool, int, str, list[Any], dict[str, Any])


@contextmanager
def taken_from(program: str, remedy: str) -> Iterator[None]:
    """Turn what goes wrong inside into one line about a program.

    Args:
        program: Its name, and if need be how it ended.
        remedy: What to do about it.

    Raises:
        VerifyError: Something of `ODD` was raised inside.
    """
    try:
        yield
    except ODD as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        what = what.splitlines()[0][:150] if what else type(error).__name__
        raise VerifyError(f"{program} printed no proper answer: {what}; {remedy}") from None


def loads(text: str | bytes) -> Any:
    """A JSON value, without NaN and infinities, and with every key once.

    Raises:
        ValueError: It is none.
    """
    if not text.strip():
        raise ValueError("nothing at all")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"{twice[:40]} is there twice")
    return result


def get(data: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    """A field of a given type; counts are not negative and fit a machine word.

    Raises:
        ValueError, KeyError: It is something else, or not there.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{str(data)[:40]!r} where an object was expected")
    value = data[key]
    if type(value) is not kind or (type(value) is int and not 0 <= value < MOST):
        raise ValueError(f"{key} is {repr(value)[:60]}")
    return value


def seconds(data: Mapping[str, Any], key: str = "seconds") -> float:
    """A time: a number from 0 that is not absurd.

    Raises:
        ValueError, KeyError: It is something else, or not there.
    """
    value = data[key]
    if type(value) not in (int, float) or not 0 <= value < 1e12:
        raise ValueError(f"{key} is {repr(value)[:60]}")
    return float(value)


def no_number(word: str) -> NoReturn:
    """For `json.loads`: what it calls for NaN and the infinities."""
    raise ValueError(f"{word} is no number")
