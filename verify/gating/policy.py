"""The gate's policy: `verify.toml`, found from any directory below it.

Values are checked as `verify.spec` checks a spec: whatever the gate does not understand is an error
that names file, line, value and remedy.  A key that is silently ignored would be a gate that is
silently open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from verify import resources, toml_file
from verify import spec as specs
from verify.errors import VerifyError
from verify.spec import Spec

FILE: Final = "verify.toml"
FORMAT: Final = 1
STAGES: Final = ("generate", "prove", "explore", "stress", "mutate")
AXIOMS: Final = ("propext", "Quot.sound", "Classical.choice")
"""Lean's own; the audit of `verify prove` accepts no others, so a policy can only drop some."""

WORDS: Final = ("safe", "unsafe", "parallel", "sequential", "deadlockFree")
"""The kinds of claims that a policy can require of a strategy.

Not theorems by name: the spec names them, so a name says nothing.  Not `faults`: whatever the locks
are, their exact set of faults is proved, so every spec would have it."""

ENGINES: Final = ("embedded", "lake", "both")

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST: Final = 86400.0


@dataclass(frozen=True)
class Policy:
    """What a repository asks of the gate.

    Attributes:
        path: The file; None for the defaults.
        digest: SHA-256 of the file; empty for the defaults.
        spec: The spec; None for the shipped one.
        strategies: For each strategy, what must be proved of it, by `WORDS`.
        theorems: Hand-written claims that must be proved (the shipped spec has some).
        off: The stages that are deliberately left out, each with the reason.
        engine: For `prove`, one of `ENGINES`.
        axioms: Those that a proof may use.
        generated: The directory with generated Lean modules that are kept under version control.
        threads, encoders: The bounds of `explore`.
        budget: Seconds that `stress` may search.
        clients: Free-running threads of `stress`.
        seed: Of `stress`.
        limits: Seconds for each stage; one that takes longer is an error.
    """

    path: Path | None = None
    digest: str = ""
    spec: Path | None = None
    strategies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    theorems: tuple[str, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)
    engine: str = "embedded"
    axioms: tuple[str, ...] = AXIOMS
    generated: Path | None = None
    threads: int = 2
    encoders: int = 2
    budget: float = 8.0
    clients: int = 4
    seed: int = 1
    limits: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 600.0))

    @property
    def lean(self) -> str:
        """The engine of the other stages that ask Lean: `both` is for the proofs."""
        return "lake" if self.engine == "lake" else "embedded"

    @property
    def spec_file(self) -> Path:
        """The spec's file."""
        return self.spec or resources.shipped_spec()


def find(start: Path) -> Path | None:
    """The policy of the nearest enclosing directory, within its repository.

    What lies above the repository, or in a directory of another user, is nobody's policy for it.

    Args:
        start: Where to begin; whoever owns it may own the policy (in a container the user often
            does not).

    Raises:
        VerifyError: The policy that would be taken belongs to somebody else.
    """
    top = start.absolute()
    owners = {os.geteuid(), top.stat().st_uid}
    for directory in (top, *top.parents):
        if directory.stat().st_uid not in owners:
            return None
        path = directory / FILE
        if path.is_file():
            if (owner := path.stat().st_uid) not in owners:
                raise VerifyError(
                    f"{path}: belongs to user {owner}; name it with --policy if you trust it"
                )
            return path
        if (directory / ".git").exists():
            return None
    return None


def load(path: Path) -> tuple[Policy, Spec]:
    """Read and check a policy and the spec that it names.

    Args:
        path: A file with the format of `verify.toml`.

    Raises:
        VerifyError: If either does not make sense; `FILE:LINE: what: remedy`.
    """
    import hashlib

    data = toml_file.read(path)
    source = toml_file.Source(path, data)
    values = source.values
    tables = ("require", "off", *STAGES)
    toml_file.known_keys(source, (), values, ("format", "spec", *tables), "")
    form = values.get("format", FORMAT)
    if type(form) is not int or form != FORMAT:
        source.fail(
            ("format",), f"format {toml_file.show(form)} is unknown; write format = {FORMAT}"
        )
    for name in tables:
        toml_file.table(source, (name,), values.get(name, {}))
    spec_path = _path(source, ("spec",), values["spec"]) if "spec" in values else None
    if spec_path is None and not _in_checkout(path):
        # Without this line the gate would judge the shipped strategies, not the user's.
        source.fail((), 'no spec is named; add spec = "strategies.toml"')
    spec = specs.load(spec_path)
    if spec_path is not None and resources.is_shipped(spec_path):
        spec_path = None
    options = _options(source, values)
    policy = Policy(
        path=path,
        digest=hashlib.sha256(data).hexdigest(),
        spec=spec_path,
        off=_off(source, values.get("off", {})),
        **options,
        **_required(source, values.get("require", {}), spec, spec_path is None),
    )
    if "prove" in policy.off and (policy.strategies or policy.theorems):
        source.fail(("off", "prove"), "prove is off, but [require] needs it; drop one of the two")
    return policy, spec


def default(spec: Path | None) -> Policy:
    """The policy without a file: everything is on.

    Args:
        spec: The spec; None for the shipped one.
    """
    return Policy(spec=None if spec is None or resources.is_shipped(spec) else spec)


def spec_here() -> Path | None:
    """The spec of the repository around the working directory; None for the shipped one.

    Raises:
        VerifyError: If there is a policy that cannot be read.
    """
    path = find(Path.cwd())
    # This project's own policy names the shipped spec, which is the default anyway.
    if path is None or path.resolve().parent == Path(__file__).resolve().parents[2]:
        return None
    return load(path)[0].spec


def in_own_checkout(directory: Path) -> bool:
    """Whether a directory lies in the checkout of this project, whose spec is the shipped one."""
    return resources.is_checkout() and resources.root() in (
        directory.resolve(),
        *directory.resolve().parents,
    )


def _in_checkout(path: Path) -> bool:
    return in_own_checkout(path.parent)


def _path(source: toml_file.Source, keys: toml_file.Keys, value: object) -> Path:
    text = toml_file.text(source, keys, value)
    if not text or "\0" in text:
        source.fail(keys, f"{keys[-1]} is {toml_file.show(text)}; give a path, relative to {FILE}")
    return source.path.parent / text


def _off(source: toml_file.Source, table: dict[str, Any]) -> dict[str, str]:
    toml_file.known_keys(source, ("off",), table, STAGES, "off: ")
    for stage, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            source.fail(
                ("off", stage),
                f"off: {stage} is {toml_file.show(reason)}; say in quotes why it is off, or "
                "drop the line",
            )
    return table


def _required(
    source: toml_file.Source, table: dict[str, Any], spec: Spec, shipped: bool
) -> dict[str, Any]:
    toml_file.known_keys(source, ("require",), table, ("strategies", "theorems"), "require: ")
    theorems = _words(source, ("require", "theorems"), table.get("theorems", []), None)
    if theorems and not shipped:
        source.fail(
            ("require", "theorems"),
            "require: a spec of your own has no hand-written theorems; use [require.strategies]",
        )
    keys: toml_file.Keys = ("require", "strategies")
    names = [strategy.name for strategy in spec.strategies]
    strategies = {}
    for name, wanted in toml_file.table(source, keys, table.get("strategies", {})).items():
        if name not in names:
            source.fail(
                (*keys, name),
                f"require: unknown strategy {toml_file.show(name)}; "
                f"{toml_file.choices(name, names)} "
                f"(those of {spec.path})",
            )
        strategies[name] = _words(source, (*keys, name), wanted, WORDS)
        if not strategies[name]:
            source.fail((*keys, name), f'require: nothing of {name}; write {name} = ["safe"]')
    return {"strategies": strategies, "theorems": theorems}


def _words(
    source: toml_file.Source, keys: toml_file.Keys, value: object, words: Collection[str] | None
) -> tuple[str, ...]:
    """A list of words: of `words`, or names of theorems."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        source.fail(keys, f"{keys[-1]} is {toml_file.show(value)}; give a list of texts")
    for i, item in enumerate(value):
        if words is None:
            for part in item.split("."):
                specs.plain(source, (*keys, i), part, "", "theorem name")
        elif item not in words and ("_" in item or "." in item):
            source.fail(
                (*keys, i),
                f"{toml_file.show(item)} names a theorem, and the spec may give that name to any; "
                f"require a kind of claim: {', '.join(words)}",
            )
        elif item not in words:
            source.fail(
                (*keys, i),
                f"unknown claim {toml_file.show(item)}; {toml_file.choices(item, words)}",
            )
    return tuple(value)


def _options(source: toml_file.Source, values: dict[str, Any]) -> dict[str, Any]:
    """The keys of the stages' tables, by the attribute of `Policy` that each sets."""
    result: dict[str, Any] = {}
    limits = dict.fromkeys(STAGES, Policy().limits["prove"])
    known: dict[
        str, dict[str, tuple[str, Callable[[toml_file.Source, toml_file.Keys, Any], Any]]]
    ] = {
        "generate": {"out": ("generated", _path)},
        "prove": {"engine": ("engine", _engine), "axioms": ("axioms", _axioms)},
        "explore": {"threads": ("threads", _threads), "encoders": ("encoders", _bound)},
        "stress": {
            "budget": ("budget", _seconds),
            "threads": ("clients", _clients),
            "seed": ("seed", _seed),
        },
        "mutate": {},
    }
    for stage, readers in known.items():
        table = values.get(stage, {})
        toml_file.known_keys(source, (stage,), table, (*readers, "limit"), f"{stage}: ")
        for key, value in table.items():
            keys: toml_file.Keys = (stage, key)
            if key == "limit":
                limits[stage] = _seconds(source, keys, value)
            else:
                attribute, reader = readers[key]
                result[attribute] = reader(source, keys, value)
    return {**result, "limits": limits}


def _engine(source: toml_file.Source, keys: toml_file.Keys, value: object) -> str:
    if value not in ENGINES:
        source.fail(
            keys, f"unknown engine {toml_file.show(value)}; {toml_file.choices(value, ENGINES)}"
        )
    return str(value)


def _axioms(source: toml_file.Source, keys: toml_file.Keys, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        source.fail(keys, f"axioms is {toml_file.show(value)}; give a list of texts")
    for i, axiom in enumerate(value):
        if axiom not in AXIOMS:
            source.fail(
                (*keys, i),
                f"unknown axiom {toml_file.show(axiom)}; {toml_file.choices(axiom, AXIOMS)}",
            )
    return tuple(value)


def _seconds(source: toml_file.Source, keys: toml_file.Keys, value: object) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", value) if isinstance(value, str) else None
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        source.fail(
            keys,
            f"{keys[-1]} is {toml_file.show(value)}; "
            'write a time span up to a day, as in "90s", "5m"',
        )
    return seconds


def _whole(
    source: toml_file.Source, keys: toml_file.Keys, value: object, low: int, high: int
) -> int:
    if type(value) is not int or not low <= value <= high:
        source.fail(
            keys, f"{keys[-1]} is {toml_file.show(value)}; give a number from {low} to {high}"
        )
    return value


def _bound(source: toml_file.Source, keys: toml_file.Keys, value: object) -> int:
    return _whole(source, keys, value, 1, 8)


def _threads(source: toml_file.Source, keys: toml_file.Keys, value: object) -> int:
    return _whole(source, keys, value, 2, 8)  # one thread alone meets nobody


def _clients(source: toml_file.Source, keys: toml_file.Keys, value: object) -> int:
    return _whole(source, keys, value, 2, 64)


def _seed(source: toml_file.Source, keys: toml_file.Keys, value: object) -> int:
    return _whole(source, keys, value, 0, 2**32)


def missing(directory: Path) -> VerifyError:
    """The error of a gate that has nothing to judge."""
    return VerifyError(
        f"{directory}: no {FILE} here or above it; run `verify init`, or name a spec with --spec"
    )
