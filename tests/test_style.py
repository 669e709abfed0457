"""What no test may do: judge a time that a clock has measured.

A machine that is busy with something else takes longer, and then such a test is red although
nothing is wrong. What is done can be counted: modules, compilations, calls, processes. What is to
be measured belongs into `verify bench`, or is printed by a test and not judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
CLOCKS = {
    *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"),
    *("process_time_ns", "thread_time", "thread_time_ns", "getrusage", "timeit", "default_timer"),
}
MEASURED = {"seconds", "elapsed", "duration", "took", "wall", "wall_s", "ru_utime", "ru_stime"}


def _names(node: ast.AST) -> Iterator[str]:
    """The names, attributes and keys in an expression, but for those in conditions of filters."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            yield str(part.slice.value)


def _is_time(node: ast.AST) -> bool:
    """`time.time()`: harmless as the time of a file, not when it is subtracted or compared."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("time", "time_ns", "now")
    )


def complaints(text: str) -> list[str]:
    """The lines of a test file that judge a time."""
    found = []
    tree = ast.parse(text)
    ages = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.utime"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        what = None
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            what = f"reads the clock ({name})" if name in CLOCKS else None
        elif isinstance(node, ast.alias) and node.name in CLOCKS:
            what = f"imports a clock ({node.name})"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            what = "measures a time" if _is_time(node.left) and node not in ages else None
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            limits = [side for side in sides if isinstance(side, ast.Constant) and side.value == 0]
            ordered = any(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
            if ordered and not limits:
                names = {name for side in sides for name in _names(side)}
                if names & MEASURED or any(_is_time(side) for side in sides):
                    what = "compares a time"
        if what is not None:
            found.append(f"{getattr(node, 'lineno', 0)}: {what}")
    return found


def test_no_test_judges_a_time() -> None:
    found = [
        f"{path.name}:{complaint}"
        for path in sorted(TESTS.glob("*.py"))
        for complaint in complaints(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "start = time.perf_counter()",
        "from time import monotonic",
        "assert result.seconds < 5",
        "assert max(m.seconds for m in modules) < 500",
        "assert row['seconds'] <= limit",
        "assert rate <= states / cost.seconds",
        "took = time.time() - start",
        "while time.time() < end: pass",
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)",
    ],
)
def test_what_judges_a_time_is_found(line: str) -> None:
    assert complaints(line)


@pytest.mark.parametrize(
    "line",
    [
        "os.utime(path, (time.time() - 7200, time.time()))",
        "assert min(point.seconds, point.bytes) > 0",
        "assert set(row) == {'seconds', 'verdict'}",
        "time.sleep(0.1)",
        "print(result.seconds)",
        "limits = Limits(seconds=5)",
    ],
)
def test_what_only_mentions_one_is_not(line: str) -> None:
    assert complaints(line) == []
