"""What the commands print with `--json`: a module for each, with the classes of its result.

The command builds the result, and `as_json` turns it into JSON; gate, report and bundle `read` it
back into the same classes, so that nobody knows another form of it.  `schema` publishes that form.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

from verify.records.base import Record, adapter

MODELS: Final = {
    "prove": "verify.records.prove:Proofs",
    "explore": "verify.records.explore:Exploration",
    "generate": "verify.records.generate:Generated",
    "stress": "verify.records.stress:Stress",
    "stress-vulkan": "verify.records.stress:Vulkan",
    "stress-metal": "verify.records.stress:Metal",
    "bench": "verify.records.bench:Benches",
    "compare": "verify.records.compare:Comparison",
    "mutate": "verify.records.mutate:Mutation",
}
"""The class of what a command prints, as `module:class`."""


def model(command: str) -> type[Record]:
    """The class of what a command prints.

    Args:
        command: One of `MODELS`.
    """
    module, _, name = MODELS[command].partition(":")
    return cast(type[Record], getattr(import_module(module), name))


def schema(command: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of what a command prints if it could do its work.

    Args:
        command: One of `MODELS`.
    """
    found = adapter(model(command)).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
