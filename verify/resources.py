"""Where the shipped data lies: the spec, the templates, the Lean and the native sources.

In a checkout they are at its top level.  A wheel carries the same tree as `verify/_data`
(`pyproject.toml`, `[tool.hatch.build.targets.wheel]`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from verify.errors import VerifyError

_PACKAGE = Path(__file__).resolve().parent

PARTS = ("model", "MPSVerify", "native", "MPSVerify.lean", "lakefile.lean", "lean-toolchain")
"""What of `root` belongs to the program."""


@cache
def root() -> Path:
    """The directory with `model/`, `MPSVerify/`, `native/`, `lakefile.lean`, `lean-toolchain`.

    Returns:
        The top of the checkout, or the data directory of an installed wheel (read only: it may
        belong to another user).

    Raises:
        VerifyError: If the installation lacks its data.
    """
    for candidate in (_PACKAGE / "_data", _PACKAGE.parent):
        if (candidate / "model" / "strategies.toml").is_file():
            return candidate
    raise VerifyError(
        f"{_PACKAGE}: the installation lacks model/strategies.toml; install mps-verify again"
    )


def is_checkout() -> bool:
    """Whether the shipped data is a working tree that commands may write to."""
    return root() == _PACKAGE.parent


def shipped_spec() -> Path:
    """The shipped `strategies.toml`."""
    return root() / "model" / "strategies.toml"


def is_shipped(spec: Path) -> bool:
    """Whether a spec says what the shipped one says, wherever it lies.

    A wheel beside a checkout of the same version has another file with the same content.
    """
    shipped = shipped_spec()
    try:
        # Sizes first: what is no spec may be large, or a pipe that nobody writes to.
        same = spec.is_file() and spec.stat().st_size == shipped.stat().st_size
        return same and spec.read_bytes() == shipped.read_bytes()
    except (OSError, ValueError):
        return False
