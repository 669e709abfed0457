"""Which Objective-C selectors the guard intercepts: the table, where it comes from, and the audit.

`native/objc/selectors.inc` has one row per selector of the encoders and of the command buffer,
with the C++ types of its arguments.  It is generated from Apple's metal-cpp headers (PyPI's
`mlx-metal` carries them) and committed, because those headers exist in a macOS wheel only.
`verify audit` says per class what is intercepted and what is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from verify import answers, native, options, resources
from verify import spec as specs
from verify.children import command_line, run_child
from verify.errors import VerifyError
from verify.files import save_file
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
_STRUCTS = {
    "NS::Range": "Range",
    "MTL::Size": "Size",
    "MTL::Origin": "Origin",
    "MTL::Region": "Region",
}

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
        lock may be held; "handler" for what takes a block that runs on completion; "pass" for
        what touches no encoder.
    """
    if protocol != "CommandBuffer":
        return "destroy" if name == "endEncoding" else "encode"
    if re.search(r"(compute|blit|resourceState)CommandEncoder", name, re.I):
        return "create"
    if name.startswith("waitUntil"):
        return "wait"
    if name in ("addCompletedHandler:", "addScheduledHandler:"):
        return "handler"
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

    underlying = {
        name: kind
        for kind, name in re.findall(
            r"_(?:MTL|NS)_(?:ENUM|OPTIONS)\(([\w:]+),\s*(\w+)\)", everything
        )
    }

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


# --- The audit -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """What became of one selector of one class.

    Attributes:
        class_name, selector: Which.
        state: "intercepted", "not intercepted" or "not found".
        why: For what is not intercepted.
    """

    class_name: str
    selector: str
    state: str
    why: str


def audit(spec: specs.Spec, source: Path | None = None) -> list[Finding]:
    """Install the guard in a process with the driver's classes and ask what it intercepts.

    Args:
        spec: For the build; interception does not depend on the strategy.
        source: A directory like `native/`; None for the shipped one.

    Raises:
        EngineMissing: There is no Objective-C++ compiler.
        VerifyError: The program failed.
    """
    executable = native.build(native.OBJC, spec, source)
    done = run_child(command_line(executable, {"audit": 1}), timeout=60)
    if done.timed_out:
        raise VerifyError("the audit did not end within 60 s; try on an idle machine")
    if done.returncode != 0:
        raise VerifyError(f"the audit ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    with answers.taken_from(executable.name, "report this as a bug"):
        return [
            Finding(
                *(answers.get(found, key, str) for key in ("class", "selector", "state", "why"))
            )
            for found in answers.get(answers.loads(done.stdout), "findings", list)
        ]


def verdict_of(findings: list[Finding]) -> Verdict:
    """PASSED if every method of every driver class goes through the guard.

    No class found is UNDETERMINED: nothing was looked at.
    """
    if not any(f.state == "intercepted" for f in findings):
        return Verdict.UNDETERMINED
    missed = any(f.state == "not intercepted" for f in findings)
    return Verdict.REFUTED if missed else Verdict.PASSED


@click.command("audit")
@options.spec
@click.option(
    "--generate",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the table of selectors anew from metal-cpp's directory Metal, and stop.",
)
@click.option("--all", "everything", is_flag=True, help="List intercepted selectors as well.")
@options.json_output
def command(
    spec: Path | None, generate: Path | None, everything: bool, json_output: bool
) -> Verdict:
    """Say which selectors of the driver's classes the guard intercepts.

    Exit code 0 if every public method of every driver class found is intercepted, 1 if one is
    not, 2 if no class or no compiler was found.
    """
    loaded = specs.load(spec)
    if generate is not None:
        path = resources.root() / "native" / TABLE
        save_file(path, render(selectors(generate)))
        click.echo(f"{path}: written")
        return Verdict.PASSED
    findings = audit(loaded)
    verdict = verdict_of(findings)
    classes = sorted({f.class_name for f in findings})
    counts = {
        name: [sum((f.class_name, f.state) == (name, state) for f in findings) for state in _STATES]
        for name in classes
    }
    listed = [f for f in findings if f.state == "not intercepted" or f.selector == "_impl"]
    if everything:
        listed += [f for f in findings if f.state == "intercepted"]
    if json_output:
        print_json(
            {
                "verdict": verdict.value,
                "exit_code": verdict.exit_code,
                "classes": {
                    name: dict(zip(_STATES, numbers, strict=True))
                    for name, numbers in counts.items()
                },
                "findings": [vars(f) for f in findings],
            }
        )
        return verdict
    table(["class", *_STATES], [[name, *numbers] for name, numbers in counts.items()])
    for finding in listed:
        why = f" ({finding.why})" if finding.why else ""
        click.echo(f"{finding.class_name} {finding.selector}: {finding.state}{why}")
    if not classes:
        click.echo("no driver class was found")
    return verdict


_STATES = ("intercepted", "not intercepted", "not found")
