"""Writes `compile_commands.json`, which tells editors how the native sources are compiled.

    python tools/compile_commands.py [DIRECTORY]

The default is `build`, where clangd looks.  Targets and flags are those of `verify.native`.
"""

import json
import sys
from pathlib import Path

from verify import cxx, native, resources, spec


def main(directory: Path) -> Path:
    """Write the file, and what is generated from the shipped spec beside it."""
    compiler, root = cxx.compiler(), resources.root() / "native"
    directory.mkdir(parents=True, exist_ok=True)
    tree = cxx.Tree(root, {"strategies.hpp": native.strategies_header(spec.load())})
    rows = {
        source: {
            "directory": str(root),
            "file": source,
            "arguments": [*compiler.command, *compiler.flags, *tree.compiling(source, directory)],
        }
        for target in (native.LIBRARY, native.STRESS, native.OBJC, native.GUARD, native.VULKAN)
        for source in target.sources
    }
    path = directory / "compile_commands.json"
    path.write_text(json.dumps(list(rows.values()), indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    print(main(Path(*sys.argv[1:2] or ["build"]).resolve()))  # noqa: T201
