"""What `pyproject.toml` and `constraints.txt` say of dependencies, and what comes with a package.

That the package installs and says how to get Lean without the extra `embedded` is in
`test_wheel.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from verify import cli
from verify.engines import leanlib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"]]
ALL = [*DIRECT, *(Requirement(line) for lines in EXTRAS.values() for line in lines)]


def constraints() -> dict[str, str]:
    """The pinned versions by canonical name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    assert pins == sorted(pins, key=lambda pin: canonicalize_name(pin.split("==")[0]))
    return {canonicalize_name(name): version for name, version in (p.split("==") for p in pins)}


def test_only_the_embedded_engine_is_pinned() -> None:
    pinned = [r.name for r in ALL if any(s.operator == "==" for s in r.specifier)]
    assert pinned == [leanlib.DISTRIBUTION]
    assert pinned[0] not in [r.name for r in DIRECT]
    (line,) = EXTRAS["embedded"]
    assert str(Requirement(line).specifier) == f"=={leanlib.DISTRIBUTION_VERSION}"
    # The others have a lower bound, and all that end up with users an upper one.
    operators = {r.name: {s.operator for s in r.specifier} for r in ALL if r.name not in pinned}
    assert all(">=" in found for found in operators.values()), operators
    assert all("<" in operators[r.name] for r in DIRECT), operators


def test_the_pins_are_within_the_ranges() -> None:
    pins = constraints()
    for requirement in ALL:
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), (str(requirement), pin)


def test_everything_that_is_installed_transitively_is_pinned() -> None:
    """From what the project asks for to whatever that brings, as far as it is installed here."""
    pins, seen = constraints(), set[str]()
    todo = [(r, frozenset[str]()) for r in ALL]
    while todo:
        requirement, extras = todo.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            continue
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        assert name in pins, f"{requirement.name}: add it to constraints.txt"
        try:
            brought = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of the extra `full`
        todo += [(Requirement(line), frozenset(requirement.extras)) for line in brought]
    assert len(seen) > len(ALL)


def test_every_script_that_installs_uses_the_pins() -> None:
    """Whoever installs this project for CI installs the versions of constraints.txt."""
    for file in (".ci/run", ".ci/full", ".github/workflows/ci.yml", "action.yml"):
        text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if re.search(r"\bpip\S* install\b", line)]
        assert lines, file
        for line in lines:
            assert "--constraint " in line, f"{file}: {line.strip()}"


def test_an_old_c_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where no wheel fits, nobody is told to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))  # no elan there
    monkeypatch.setattr(leanlib, "DISTRIBUTION", "no-such-distribution-of-lean")
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.31"))
    assert cli.run(["prove"]) == 2
    said = capsys.readouterr().err
    assert "needs glibc 2.35, but here is glibc 2.31; install elan" in said
    assert "pip install" not in said
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.35"))
    assert cli.run(["prove"]) == 2
    assert "pip install" in capsys.readouterr().err


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]


def test_what_a_source_distribution_carries(tmp_path: Path) -> None:
    """Built by the back end that pip uses; its own dependencies come from the package index."""
    program = "import sys; from hatchling.build import build_sdist; build_sdist(sys.argv[1])"
    tools = tmp_path / "tools"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--target", tools, "hatchling>=1.27,<2"], check=True, timeout=250)
    subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        check=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tools)},
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for wanted in ("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "constraints.txt"):
        assert wanted in names, wanted
    assert not [name for name in names if name.startswith((".venv/", "build/"))]
