"""How a result is written, read, and found not to add up.

The classes are plain dataclasses: a command that prints one must not wait a tenth of a second for
pydantic, which is imported by what reads them or publishes their schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from verify.spec import FAULTS
from verify.verdict import Verdict

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class _Natural:
    """From 0 on; as pydantic's `Field(ge=0)`, which would have to be imported here."""

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> object:
        from pydantic_core import core_schema

        return core_schema.int_schema(ge=0)


Count = Annotated[int, _Natural()]
if TYPE_CHECKING:
    Fault: TypeAlias = str
else:
    Fault = Literal[FAULTS]
Faults: TypeAlias = tuple[Fault, ...]


class Record:
    """A part of a result, a dataclass; a reader overlooks keys that it does not know."""

    # The schema asks for every key, and so does `read`: defaults are for who fills a record in.
    __pydantic_config__: ClassVar = {"json_schema_serialization_defaults_required": True}

    def check(self) -> None:
        """See whether its parts contradict each other.

        Raises:
            ValueError: They do; in a few words.
        """
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            for part in _parts(getattr(self, field.name)):
                part.check()


class Part(Record):
    """A record of which a command leaves out what has a default."""

    __pydantic_config__: ClassVar = {}


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Refusal(Record):
    """What a command prints that could not begin, such as for want of a compiler."""

    verdict: Verdict
    error: str

    def check(self) -> None:
        if self.verdict not in (Verdict.UNDETERMINED, Verdict.ERROR):
            raise ValueError(f"it states {self.verdict}, and an error")


@dataclass(frozen=True)
class Event(Record):
    """A step of the model, as in a line of a trace (`verify.semantics.Event`)."""

    t: int | None
    e: int
    kind: str | None
    event: str
    b: int | None
    pc: str | None


@dataclass(frozen=True)
class FaultAt(Record):
    """The fault that a run ends in, and whose next step it is (`verify.semantics.FaultAt`)."""

    fault: Fault
    t: int
    e: int
    kind: str
    event: str


@dataclass(frozen=True)
class Run(Record):
    """A run of the model to a fault; in English, each event is a line, and so is the fault."""

    events: tuple[Event, ...]
    fault: FaultAt | None

    @property
    def kinds(self) -> list[str | None]:
        """The call that each line is about; None for one of the client's own steps."""
        last = [] if self.fault is None else [self.fault.kind]
        return [*(event.kind for event in self.events), *last]


def as_json(value: object) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def read(model: type[R], data: Mapping[str, Any]) -> R:
    """A result, of which every part has its type; `check` says whether it adds up.

    Args:
        model: What it must be.
        data: As JSON was read.

    Raises:
        ValueError: It is something else: which key, and what stands there.
    """
    from pydantic import ValidationError

    try:
        # Out of JSON again: strict as this is, lists and texts become tuples and words only there.
        result: R = adapter(model).validate_json(json.dumps(data, allow_nan=False), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        found = f"is {str(first['input'])[:40]!r}"
        if first["type"] == "missing":
            found = "is missing"
        elif first["type"] == "value_error":  # of a `__post_init__`
            found = f"makes no sense: {first['msg'].removeprefix('Value error, ')}"
        raise ValueError(f"{place} {found}") from None
    for place in _absent(result, data):
        raise ValueError(f"{place} is missing")
    return result


def _absent(value: object, data: Any, place: str = "") -> Iterator[str]:
    """The keys that a class has and the data does not."""
    if isinstance(value, Record):
        for field in fields(value):  # type: ignore[arg-type]
            here = f"{place}{field.name}"
            if field.name in data:
                yield from _absent(getattr(value, field.name), data[field.name], f"{here}.")
            elif not isinstance(value, Part):
                yield here
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _absent(item, data[key], f"{place}{key}.")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _absent(item, data[index], f"{place}{index}.")


_ADAPTERS: dict[type[Record], TypeAdapter[Any]] = {}


def adapter(model: type[R]) -> TypeAdapter[R]:
    """Pydantic's view of a class."""
    from pydantic import TypeAdapter

    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]


def refusal(data: Mapping[str, Any]) -> Refusal | None:
    """The refusal of a command that could not begin, if that is what it printed.

    Raises:
        ValueError: It is one, and an odd one.
    """
    return read(Refusal, data) if set(data) == {"verdict", "error"} else None


def _parts(value: object) -> Iterator[Record]:
    if isinstance(value, Record):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _parts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item)


# --- What `check` is made of ----------------------------------------------------------------------


# Each raises a ValueError if it is not so.


def own_word(verdict: Verdict | None, *own: Verdict) -> None:
    """A good verdict must be of the kind of evidence that the command has."""
    if verdict is not None and verdict.good and verdict not in own:
        raise ValueError(f"it states {verdict}, which is not its word")


def stated(what: str, said: object, found: object) -> None:
    """What is stated of a whole must be what its parts say."""
    if said != found:
        raise ValueError(f"it states {what} {said}, its parts say {found}")


def once(names: Iterable[str]) -> None:
    """No name may be there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name} is there twice")
        seen.add(name)


def tried(count: int, what: str) -> None:
    """What is said to be good must have been tried."""
    if not count:
        raise ValueError(f"{what} is {count}: nothing was tried")
