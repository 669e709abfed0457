"""What commands print is what they publish: a schema, and classes that read it back whole."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from conftest import type_of_run
from test_report import everything  # what the writers of long commands make

from verify import records
from verify.records.base import as_json, read

__all__ = ["everything"]  # a fixture
pytest_plugins = ["engine_fixtures"]
Data = dict[str, Any]
KINDS = {
    "stress-vulkan": "stress-vulkan", "compare": "compare", "bench-scaling": "bench",
    "bench-pipeline": "bench", "bench-batch": "bench", "bench-guard": "bench",
}  # fmt: skip
LINES = {
    "prove": ["prove"],
    "explore": ["explore", "--strategy", "noSync", "--strategy", "perEncoder"],
    "generate": ["generate", "--check"],
    "stress": ["stress", "--strategy", "noSync", "--budget", "2s"],
    "mutate": ["mutate", "--quick", "--only", "spec", "--sides", "explorer"],
}


def as_published(kind: str, data: Data) -> None:
    """The schema knows every key of it, and the classes leave nothing out."""
    jsonschema.validate(data, closed(records.schema(kind)))
    found = read(records.model(kind), data)
    found.check()
    if kind != "bench":  # where a command leaves out what has a default
        assert as_json(found) == data


def closed(schema: Data) -> Data:
    """The same, which takes no other keys."""
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


@pytest.mark.parametrize("name", LINES)
def test_output_is_as_published(
    name: str, verify: type_of_run, request: pytest.FixtureRequest
) -> None:
    place = {}
    if name == "prove":
        place["VERIFY_CACHE_DIR"] = str(request.getfixturevalue("lean_cache"))
    done = verify(*LINES[name], "--json", "--quiet", **place)
    assert done.returncode in (0, 2), done.stderr
    data = json.loads(done.stdout)
    as_published(name, data)
    printed = json.loads(verify("schema", name).stdout)
    assert printed == records.schema(name)
    jsonschema.Draft202012Validator.check_schema(printed)
    for key in data:
        with pytest.raises(jsonschema.ValidationError, match=key):
            as_published(name, {k: v for k, v in data.items() if k != key})
    with pytest.raises(jsonschema.ValidationError, match="unknown"):
        as_published(name, {**data, "unknown": 1})


@pytest.mark.parametrize("name", KINDS)
def test_what_writers_make_is_as_published(name: str, everything: dict[str, Data]) -> None:
    if KINDS[name] == "bench":  # rows have more than the report uses
        read(records.model("bench"), everything[name]).check()
    else:
        as_published(KINDS[name], everything[name])
