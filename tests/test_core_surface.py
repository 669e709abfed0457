"""The statements of the reduced core, as its own front end prints them, against a golden file.

A statement here is trusted: it stands for one of Lean's own core. A change must be seen.
"""

from __future__ import annotations

import re
from pathlib import Path

from verify.engines import leanlib
from verify.engines.embedded import EmbeddedEngine

pytest_plugins = ["engine_fixtures"]

GOLDEN = Path(__file__).parent / "golden" / "core_surface.txt"


def names(text: str) -> list[str]:
    """The names in a listing: each stands at the start of a line, `@NAME.{LEVELS} :`."""
    return [
        re.sub(r"\.\{.*", "", line.split(" : ")[0]).removeprefix("@").rstrip(" :")
        for line in text.splitlines()
        if line and not line[0].isspace()
    ]


def test_the_core_states_what_it_stated(engine: EmbeddedEngine, tmp_path: Path) -> None:
    golden = GOLDEN.read_text(encoding="utf-8")
    asked = names(golden)
    assert len(asked) > 1_400
    source = tmp_path / "Surface.lean"
    checks = "".join(f"#check @{name}\n" for name in asked)
    source.write_text(f"set_option pp.all true\n{checks}", encoding="utf-8")
    oleans, _ = engine.core()
    done = leanlib.run_lean(
        engine.library, [str(source)], lean_path=[oleans["Init"].parent], timeout=120
    )
    assert done.returncode == 0, done.stdout[-1000:]
    assert done.stdout == golden
