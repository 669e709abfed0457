"""Changed copies of the native sources: compiling one compiles what the change touches."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from verify import resources

SHIPPED = resources.root() / "native"


@dataclass(frozen=True)
class Bug:
    """One change of the native sources.

    Attributes:
        name: What it is.
        file: Below `native/`.
        old, new: Replaced once.
        sign: A word of the reason that must be given.
        strategy: Under which it shows.
    """

    name: str
    file: str
    old: str
    new: str
    sign: str
    strategy: str = "mine"

    def plant(self, directory: Path) -> Path:
        """A copy of the sources with this change."""
        source = directory / "native"
        shutil.copytree(SHIPPED, source)
        path = source / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, "the place to plant the bug has changed"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return source
