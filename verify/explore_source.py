"""The C++ of the native search, made from the table of micro-steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verify import resources
from verify.packed import PackedModel
from verify.question import TooLargeError
from verify.rules import HOLDING, POINTS, STATIC, Atom, Block, Effect, Rule, Test
from verify.semantics import Activity, Bounds, Model
from verify.spec import FAULTS, KINDS
from verify.symmetry import renamings

MAX_BITS = 62
"""Wider states do not fit the engine's words."""


def source(packed: PackedModel) -> str:
    """The C++ source of the search of instances of this size, in this environment.

    Raises:
        TooLargeError: If a state does not fit a word.
    """
    import jinja2

    bounds, packing = packed.bounds, packed.packing
    size = f"{bounds.threads} threads, {bounds.encoders} encoders, {bounds.blocks} blocks"
    if packing.bits > MAX_BITS:
        raise TooLargeError(
            f"{size}: a state has {packing.bits} bits, the native engine takes {MAX_BITS}; "
            "use fewer, or --engine python"
        )
    if len(KINDS) * bounds.encoders >= 63:
        raise TooLargeError(f"{size}: the native engine takes at most 15 encoders")
    writer = _Writer(packed)
    operations = writer.operations
    inside = [
        0 if a is None or a.point == "dispatched" else 1 + operations.index((a.kind, a.encoder))
        for a in packing.activities
    ]
    shapes = list(dict.fromkeys((a.kind, a.point) for a in packing.activities if a is not None))
    fields = {
        (a.kind, a.point, a.encoder, 0 if a.block is None else a.block + 1): code
        for code, a in enumerate(packing.activities)
        if a is not None
    }
    template = resources.root() / "native" / "explore" / "engine.cpp.j2"
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        # C++, not HTML; nothing here comes from a user.
        autoescape=False,  # noqa: S701
    )
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        threads=bounds.threads,
        encoders=bounds.encoders,
        blocks=bounds.blocks,
        field_bits=packing.field_bits,
        memory_bits=packing.memory_bits,
        initial=packed.initial,
        faults=FAULTS,
        encoder_of=[0 if a is None else a.encoder + 1 for a in packing.activities],
        made_of=[
            0 if a is None or a.kind != "create" else a.encoder + 1 for a in packing.activities
        ],
        inside_of=inside,
        place_of=[
            0 if a is None else POINTS.index(a.point) * bounds.encoders + a.encoder + 1
            for a in packing.activities
        ],
        operations=len(operations),
        shape_of=[0 if a is None else shapes.index((a.kind, a.point)) for a in packing.activities],
        held_of=[0 if a is None or a.block is None else a.block + 1 for a in packing.activities],
        field_of=[
            [
                # 0 where the point holds a block and none is named, or the other way round.
                [fields.get((*shape, e, b), 0) for b in range(bounds.blocks + 1)]
                for e in range(bounds.encoders)
            ]
            for shape in shapes
        ],
        impl_shift=packing.cells["impl", 0][0],
        impl_bits=packing.cells["impl", 0][1],
        owner_shift=packing.cells["owner", 0][0],
        owner_bits=packing.cells["owner", 0][1],
        ready_shift=packing.cells["ready", 0][0],
        alive_shift=packing.cells["alive", 0][0],
        cases=[writer.case(code, activity) for code, activity in enumerate(packing.activities)],
        drops=writer.drops(),
        encode_first=KINDS.index("encode") * bounds.encoders,
        encode_last=(KINDS.index("encode") + 1) * bounds.encoders,
    )


def input_of(packed: PackedModel, symmetry: bool) -> str:
    """What the program of `source` reads: the locks, the homes, and how to rename."""
    bounds = packed.bounds
    operations = _operations(bounds)
    numbers = [
        sum(
            1 << 1 + number
            for number, (k, e) in enumerate(operations)
            if packed.model.excludes((u, k, e), (t, kind, encoder))
        )
        for t in range(bounds.threads)
        for kind, encoder in operations
        for u in range(bounds.threads)
    ]
    group = renamings(packed) if symmetry else []
    numbers += [*bounds.homes, len(group)]
    for threads, encoders in group:
        numbers += [*threads, *encoders]
    return " ".join(map(str, numbers)) + "\n"


def _operations(bounds: Bounds) -> list[tuple[str, int]]:
    return [(kind, encoder) for kind in KINDS for encoder in range(bounds.encoders)]


@dataclass
class _Words:
    """A conjunction of conditions on the cells of memory, as C++.

    Equalities are merged into one masked comparison.
    """

    mask: int = 0
    value: int = 0
    others: list[str] = field(default_factory=list)

    def equal(self, cell: tuple[int, int], value: int) -> None:
        self.mask |= ((1 << cell[1]) - 1) << cell[0]
        self.value |= value << cell[0]

    def differ(self, cell: tuple[int, int], value: int) -> None:
        mask = ((1 << cell[1]) - 1) << cell[0]
        self.others.append(f"(w & {mask:#x}ull) != {value << cell[0]:#x}ull")

    def text(self) -> str:
        parts = [f"(w & {self.mask:#x}ull) == {self.value:#x}ull"] if self.mask else []
        return " && ".join(parts + self.others) or "true"


class _Writer:
    """Turns the table into conditions and changes on packed words."""

    def __init__(self, packed: PackedModel) -> None:
        self._packed = packed
        self._packing = packed.packing
        self._model: Model = packed.model
        self.operations = _operations(packed.bounds)

    def case(self, code: int, activity: Activity | None) -> dict[str, Any]:
        """What a thread can do whose field is `code`."""
        if activity is None:
            doing, comment = self.operations, "idle"
        else:
            doing = [(activity.kind, activity.encoder)]
            held = "" if activity.block is None else f" with block {activity.block}"
            comment = f"{activity.kind} on {activity.encoder}: {activity.point}{held}"
        source = activity.point if activity else "idle"
        held_block = activity.block if activity else None
        steps = [
            step
            for rule in self._model.table.rules
            if rule.source == source
            for kind, encoder in doing
            if kind in rule.kinds
            for step in self._steps(rule, kind, encoder, held_block)
        ]
        faults = [
            {"index": FAULTS.index(rule.fault), "condition": condition}
            for rule in self._model.table.faults
            if rule.source == source and activity is not None and activity.kind in rule.kinds
            for condition in self._conditions(
                rule.guard, Block.NONE, activity.kind, activity.encoder, held_block
            ).values()
        ]
        conditions = [step["condition"] for step in steps]
        dry = " || ".join(conditions) if source == "checked" else ""
        return {
            "code": code,
            "comment": comment,
            "steps": steps,
            "faults": faults,
            "exhausted": dry,
        }

    def drops(self) -> list[dict[str, str]]:
        """The steps that no thread does."""
        return [
            {"condition": condition, "after": self._changed("w", rule.effects, encoder, block)}
            for rule in self._model.table.rules
            if rule.source is None
            for encoder in range(self._packed.bounds.encoders)
            for block, condition in self._conditions(
                rule.guard, rule.block, None, encoder, None
            ).items()
        ]

    def _steps(self, rule: Rule, kind: str, encoder: int, held: int | None) -> list[dict[str, str]]:
        found = []
        for block, condition in self._conditions(
            rule.guard, rule.block, kind, encoder, held
        ).items():
            after = None
            if rule.target is not None and rule.target != "idle":
                kept = block if rule.target in HOLDING else None
                after = Activity(kind, encoder, rule.target, kept)
            memory = self._changed("rest", rule.effects, encoder, block)
            word = f"{memory} | Word{{ {self._packing.code(after)} }} << S"
            found.append({"condition": condition, "after": word})
        return found

    def _conditions(
        self,
        guard: tuple[Test, ...],
        block: Block,
        kind: str | None,
        encoder: int,
        held: int | None,
    ) -> dict[int | None, str]:
        """For each block that a step can be about, the condition under which it is enabled."""
        blocks = range(self._packed.bounds.blocks)
        about_impl = {Atom.IMPL_OWNED, Atom.IMPL_READY} & {test.atom for test in guard}
        found: dict[int | None, str] = {}
        # `impl` is the value of the encoder's pointer where the guard looks behind it.
        if block is Block.ANY:
            cases: list[tuple[int | None, int | None]] = [(b, None) for b in blocks]
        elif block is Block.IMPL or about_impl:
            cases = [(b, b) for b in blocks]
        else:
            cases = [(held if block is Block.HELD else None, None)]
        for about, impl in cases:
            condition = self._condition(guard, kind, encoder, held, about, impl)
            if condition is not None:
                found[about] = condition
        return found

    def _condition(
        self,
        guard: tuple[Test, ...],
        kind: str | None,
        encoder: int,
        held: int | None,
        block: int | None,
        impl: int | None,
    ) -> str | None:
        cells, words, context = self._packing.cells, _Words(), []
        if impl is not None:
            words.equal(cells["impl", encoder], impl + 1)
        for test in guard:
            atom, wanted = test.atom, test.value
            sign = "" if wanted else "!"
            if atom is Atom.HOME:
                context.append(f"T {'==' if wanted else '!='} home[{encoder}]")
            elif atom in STATIC:
                if self._model.flags[atom] != wanted:
                    return None
            elif atom is Atom.ALIVE:
                words.equal(cells["alive", encoder], int(wanted))
            elif atom is Atom.IMPL:
                if impl is None and wanted:
                    words.differ(cells["impl", encoder], 0)
                elif impl is None:
                    words.equal(cells["impl", encoder], 0)
                elif not wanted:
                    return None
            elif atom is Atom.IMPL_READY and impl is not None:
                words.equal(cells["ready", impl], int(wanted))
            elif atom is Atom.UNUSED:
                context.append(f"{sign}unused(w, {encoder})")
            elif atom is Atom.UNMADE:
                context.append(f"{sign}unmade(w, {encoder})")
            elif atom is Atom.UNBLOCKED and kind is not None:
                operation = self.operations.index((kind, encoder))
                context.append(f"{sign}unblocked(w, T, {operation})")
            elif atom is Atom.ACCOMPANIED:
                context.append(f"{sign}accompanied(w, T)")
            else:
                place = {
                    Atom.IMPL_OWNED: (impl, encoder + 1),
                    Atom.HELD_OWNED: (held, encoder + 1),
                    Atom.BLOCK_FREE: (block, 0),
                }[atom]
                if place[0] is None:
                    raise ValueError(f"{atom.name} is about a block; the rule has none")
                compare = words.equal if wanted else words.differ
                compare(cells["owner", place[0]], place[1])
        return " && ".join(part for part in (words.text(), *context) if part != "true") or "true"

    def _changed(
        self, word: str, effects: tuple[Effect, ...], encoder: int, block: int | None
    ) -> str:
        """A word after a step's effects on memory."""
        mask = value = 0
        for effect in effects:
            name, index, new = {
                Effect.OWN: ("owner", block, encoder + 1),
                Effect.FREE: ("owner", block, 0),
                Effect.SPOIL: ("ready", block, 0),
                Effect.INITIALISE: ("ready", block, 1),
                Effect.POINT: ("impl", encoder, 0 if block is None else block + 1),
                Effect.CLEAR: ("impl", encoder, 0),
                Effect.KILL: ("alive", encoder, 0),
            }[effect]
            if index is None:
                raise ValueError(f"{effect.name} writes to a block; the rule has none")
            shift, width = self._packing.cells[name, index]
            mask |= ((1 << width) - 1) << shift
            value |= new << shift
        return f"(({word} & ~{mask:#x}ull) | {value:#x}ull)" if mask else word
