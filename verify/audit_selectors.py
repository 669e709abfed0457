"""Which Objective-C selectors the guard intercepts: the table, where it comes from, and the audit.

`native/objc/selectors.inc` has one row per selector of the encoders and of the command buffer,
with the C++ types of its arguments.  It is generated from Apple's metal-cpp headers (PyPI's
`mlx-metal` carries them) and committed, because those headers exist in a macOS wheel only.
`verify audit` says per class what is intercepted and what is not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from verify import native, options, resources
from verify import spec as specs
from verify.errors import EngineMissing, VerifyError
from verify.render import print_json, table
from verify.verdict import Verdict

TABLE = "objc/selectors.inc"
"""Below `native/`."""

PROTOCOLS = (
    "CommandEncoder",
    "ComputeCommandEncoder",
    "BlitCommandEncoder",
    "ResourceStateCommandEncoder",
    "CommandBuffer",
)

_INTEGERS = {
    "bool": "bool",
    "uint8_t": "std::uint8_t",
    "uint32_t": "std::uint32_t",
    "uint64_t": "std::uint64_t",
    "float": "float",
    "NS::UInteger": "UInteger",
    "NS::Integer": "Integer",
    "CFTimeInterval": "double",
}
_STRUCTS = {"NS::Range": "Range", "MTL::Size": "Size", "MTL::Origin": "Origin", "MTL::Region": "Region"}

_METHOD = re.compile(
    r"_MTL_INLINE\s+(?P<result>[\w:*&<> ]+?)\s+MTL::(?P<owner>\w+)::\w+\((?P<arguments>[^{}]*?)\)"
    r"\s*(?:const)?\s*\{\s*(?P<body>[^{}]*)\}",
    re.S,
)
_SENT = re.compile(r"_MTL_PRIVATE_SEL\((\w+)\)")
_NAME = re.compile(r'_(?:MTL|NS)_PRIVATE_DEF_SEL\(\s*(\w+),\s*"([^"]*)"\s*\)')


@dataclass(frozen=True)
class Selector:
    """One selector.

    Attributes:
        protocol: One of `PROTOCOLS`: whose it is.
        name: As Objective-C writes it.
        role: What the guard does about it: a kind of operation, "wait" or "pass".
        result: C++ type of the result.
        arguments: C++ types of the arguments after self and _cmd.
    """

    protocol: str
    name: str
    role: str
    result: str
    arguments: tuple[str, ...]

    def row(self) -> str:
        """The row of the table."""
        types = ", ".join((self.result, *self.arguments))
        return f'MPSV_SELECTOR({self.protocol}, "{self.name}", {self.role}, {types})'


def role_of(protocol: str, name: str) -> str:
    """What the guard does about a selector.

    Args:
        protocol: Whose it is.
        name: The selector.

    Returns:
        A kind of operation on the receiver; "wait" for a wait for completion, during which no
        lock may be held; "pass" for what touches no encoder.
    """
    if protocol != "CommandBuffer":
        return "destroy" if name == "endEncoding" else "encode"
    if re.search(r"(compute|blit|resourceState)CommandEncoder", name, re.I):
        return "create"
    if name.startswith("waitUntil"):
        return "wait"
    if name.startswith("encode"):
        return "encode"  # encodeSignalEvent:value: with a live encoder crashes
    return "destroy" if name == "commit" else "pass"


def selectors(headers: Path) -> list[Selector]:
    """Read the selectors from metal-cpp.

    Args:
        headers: Its directory `Metal`.

    Raises:
        VerifyError: The directory is not metal-cpp's.
    """
    try:
        names = dict(_NAME.findall((headers / "MTLHeaderBridge.hpp").read_text("utf-8")))
        sources = {p: (headers / f"MTL{p}.hpp").read_text("utf-8") for p in PROTOCOLS}
        everything = "".join(
            path.read_text("utf-8", errors="replace") for path in sorted(headers.glob("*.hpp"))
        )
    except OSError as error:
        raise VerifyError(
            f"{error.filename or headers}: {error.strerror}; name metal-cpp's directory Metal"
        ) from None

    underlying = {name: kind for kind, name in re.findall(
        r"_(?:MTL|NS)_(?:ENUM|OPTIONS)\(([\w:]+),\s*(\w+)\)", everything
    )}

    found: dict[tuple[str, str], Selector] = {}
    for protocol, text in sources.items():
        for match in _METHOD.finditer(text):
            sent = _SENT.search(match["body"])
            if match["owner"] != protocol or sent is None:
                continue
            name = names[sent[1]]
            arguments = [_type(a, underlying) for a in _split(match["arguments"])]
            if len(arguments) != name.count(":"):
                continue  # an overload for std::function, which wraps the real one
            result = _type(match["result"] + " r", underlying)
            role = role_of(protocol, name)
            found[protocol, name] = Selector(protocol, name, role, result, tuple(arguments))
    if len(found) < 100:
        raise VerifyError(f"{headers}: only {len(found)} selectors found; is this metal-cpp?")
    return [found[key] for key in sorted(found)]


def _split(arguments: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in arguments:
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current] if current.strip() else parts


def _type(declaration: str, enums: dict[str, str]) -> str:
    """The ABI type of a declaration with a name at its end."""
    declaration = re.sub(r"\bconst\b|\bclass\b", "", declaration).strip()
    if "*" in declaration or "[" in declaration or "&" in declaration or "HandlerB" in declaration:
        return "Pointer"
    word = declaration.split()[0]
    if word == "void":
        return "void"
    if word in _INTEGERS:
        return _INTEGERS[word]
    if word in _STRUCTS:
        return _STRUCTS[word]
    short = word.rpartition("::")[2]
    if short in enums:
        return _INTEGERS[enums[short]]
    if short.endswith(("Handler", "Block")):
        return "Pointer"
    raise VerifyError(f"metal-cpp: unknown type {word!r}; add it to verify.audit_selectors")


def render(rows: list[Selector]) -> str:
    """The text of the table."""
    head = (
        "// Generated from metal-cpp by verify audit --generate; do not edit.\n"
        "// MPSV_SELECTOR(protocol, selector, role, result, arguments...)\n"
    )
    return head + "".join(f"{row.row()}\n" for row in rows)


def read_table(text: str) -> Iterator[tuple[str, str, str]]:
    """Protocol, selector and role of each row of the table."""
    for match in re.finditer(r'MPSV_SELECTOR\((\w+), "([^"]+)", (\w+), ', text):
        yield match[1], match[2], match[3]
