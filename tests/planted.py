"""Changed copies of the native sources, compiled piece by piece: only what a change touches."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verify import cxx, native, resources
from verify.errors import EngineMissing
from verify.spec import Spec

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


class Builder:
    """Stands in for `native.build`: keeps the object of each source, whatever copy it is of.

    Args:
        directory: Where objects are kept; processes may share it.
        sanitized: Whether ThreadSanitizer's program is built as well.
    """

    def __init__(self, directory: Path, sanitized: bool) -> None:
        self.directory, self.sanitized = directory, sanitized
        directory.mkdir(exist_ok=True)

    def __call__(self, target: native.Target, spec: Spec, source: Path | None = None) -> Path:
        if target.name == native.STRESS_TSAN.name and not self.sanitized:
            raise EngineMissing("not built for this test")
        source = source or SHIPPED
        flags = [o for o in target.options if not o.startswith("-O")]
        common = ["-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-pthread", *flags]
        table = native.strategies_header(spec)
        objects = [self._object(source, name, common, table) for name in target.sources]
        link = [*common, "-shared"] if target.shared else common
        words = [*link, *map(str, objects), *target.libraries]
        return self._made(words, words, target.name)

    def _object(self, source: Path, name: str, flags: Sequence[str], table: str) -> Path:
        headers = [p for p in sorted(source.rglob("*")) if p.suffix in (".hpp", ".h", ".inc")]
        text = (source / name).read_text(encoding="utf-8")
        parts = [*flags, name, text, table, *(p.read_text(encoding="utf-8") for p in headers)]
        made = self.directory / f"table-{hashlib.sha256(table.encode()).hexdigest()[:16]}"
        made.mkdir(exist_ok=True)
        (made / "strategies.hpp").write_text(table, encoding="utf-8")
        words = [*flags, f"-I{source}", f"-I{made}", "-c", str(source / name)]
        return self._made(words, parts, f"{Path(name).stem}.o")

    def _made(self, words: Sequence[str], key: Sequence[str], name: str) -> Path:
        """Run the compiler, unless it has made the same before."""
        digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
        file = self.directory / f"{digest}-{name}"
        if not file.is_file():
            with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
                made = Path(scratch) / name
                subprocess.run([*cxx.compiler().command, *words, "-o", str(made)], check=True)
                made.rename(file)
        return file
