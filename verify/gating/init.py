"""`verify init`: a spec and a policy for the user's own guard, and the workflow that gates them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from verify import options, render
from verify.errors import VerifyError
from verify.gating.policy import FILE

SPEC: Final = "strategies.toml"

_SPEC_TEXT: Final = """\
# Which locks your guard takes around the driver's calls, and what is claimed of it.
# `verify prove` proves the claims or refutes them with a run, step by step.
format = 1

[[strategy]]
name = "myGuard"
english = "one mutex per encoder"
# Does the guard look, under its locks, whether the encoder's context is alive?
check = true

# For each kind of call: "none", "SCOPE MODE", or a list of them.
#   scopes: global, stream, operation, encoder, queue     modes: exclusive, shared
[strategy.locks]
create = "encoder exclusive"    # make an encoder
encode = "encoder exclusive"    # set state, buffers, dispatch
destroy = "encoder exclusive"   # endEncoding, commit, on your threads
complete = "encoder exclusive"  # teardown by completion handlers, on the driver's threads

# Two threads can work at once (on different encoders), and no fault can be reached.
[strategy.expect]
safe = true
parallel = true
"""

_POLICY_TEXT: Final = f"""\
# What `verify gate` asks of this repository. Keys that are left out have their defaults.
format = 1
spec = "{SPEC}"

# Whatever the spec comes to claim, these must stay proved.
[require.strategies]
myGuard = ["safe", "parallel"]

[stress]
budget = "8s"  # how long the guard is run against its model, builds not counted

# A stage that is off says why; it counts for nothing.
# [off]
# stress = "no C++ compiler on our runners"
"""

_GITHUB: Final = """\
# The locks of this repository's guard, proved on every push (written by `verify init`).
name: verify
on:
  push:
  pull_request:
permissions:
  contents: read
  security-events: write  # the SARIF report
jobs:
  gate:
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - uses: actions/cache@v4
        with:
          path: .verify-cache
          key: verify-${{ hashFiles('verify.toml', '**/strategies.toml') }}
          restore-keys: verify-
      # Where mps-verify comes from: a repository variable with the address of a wheel or of a git
      # repository. The public index has no package of this name.
      - run: python -m pip install "mps-verify[embedded] @ $MPS_VERIFY"
        env:
          MPS_VERIFY: ${{ vars.MPS_VERIFY }}
      - run: verify gate --junit gate.xml --sarif gate.sarif
        env:
          VERIFY_CACHE_DIR: ${{ github.workspace }}/.verify-cache
      - uses: github/codeql-action/upload-sarif@v3
        # A pull request from a fork may not write security events.
        if: always() && github.event_name == 'push' && hashFiles('gate.sarif') != ''
        with:
          sarif_file: gate.sarif
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: verify-gate
          path: gate.*
          if-no-files-found: error
"""

_GITLAB: Final = """\
# The locks of this repository's guard, proved on every push (written by `verify init`).
verify:
  image: python:3.12
  variables:
    VERIFY_CACHE_DIR: "$CI_PROJECT_DIR/.verify-cache"
  cache:
    key: verify
    paths: [.verify-cache]
  script:
    # A CI/CD variable with the address of a wheel or of a git repository: the public index has no
    # package of this name.
    - pip install "mps-verify[embedded] @ $MPS_VERIFY"
    - verify gate --junit gate.xml --sarif gate.sarif
  artifacts:
    when: always
    paths: [gate.xml, gate.sarif]
    reports:
      junit: gate.xml
"""

_PRE_COMMIT: Final = """\
# The proofs before each commit that touches the spec (written by `verify init`).
repos:
  - repo: local
    hooks:
      - id: verify-gate
        name: verify gate
        entry: verify gate --only generate --only prove
        language: system
        files: (strategies|verify)\\.toml$
        pass_filenames: false
"""

_WORKFLOWS: Final = {
    "github": (Path(".github/workflows/verify.yml"), _GITHUB),
    "gitlab": (Path(".gitlab-ci.yml"), _GITLAB),
    "pre-commit": (Path(".pre-commit-config.yaml"), _PRE_COMMIT),
}

_EPILOG: Final = """\b
Examples:
  verify init                 strategies.toml and verify.toml, here
  verify init --ci github     .github/workflows/verify.yml as well
  verify prove                prove the claims of strategies.toml
  verify gate                 all checks that verify.toml asks for
"""


@click.command("init", epilog=_EPILOG)
@click.option(
    "--ci",
    type=click.Choice(tuple(_WORKFLOWS)),
    multiple=True,
    help="Also write the workflow of this service; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@options.json_output
@options.quiet
def command(ci: tuple[str, ...], force: bool, json_output: bool, quiet: bool) -> None:
    """Write a spec and a policy for your own guard, here.

    The spec is proved as it stands; change its locks to those of your guard.  Nothing is replaced
    without --force, and either all files are written or none.
    """
    files = {Path(SPEC): _SPEC_TEXT, Path(FILE): _POLICY_TEXT}
    files.update(_WORKFLOWS[name] for name in ci)
    write(Path.cwd(), files, force)
    if json_output:
        render.print_json({"written": [path.as_posix() for path in files]})
    elif not quiet:
        for path in files:
            render.note(f"wrote {path.as_posix()}")
        render.note("next: put your guard's locks into strategies.toml, then run `verify prove`")


def write(directory: Path, files: dict[Path, str], force: bool) -> None:
    """Write all files or none.

    Args:
        directory: What the paths are relative to.
        files: Their texts.
        force: Replace those that exist.

    Raises:
        VerifyError: One exists, or cannot be written.
    """
    from verify.files import write_file

    for path in files:
        target = directory / path
        if target.is_symlink() or (target.exists() and not (force and target.is_file())):
            raise VerifyError(f"{target}: exists; rename it, or replace it with --force")
    written: list[tuple[Path, bytes | None]] = []
    try:
        for path, text in files.items():
            target = directory / path
            before = target.read_bytes() if target.exists() else None
            target.parent.mkdir(parents=True, exist_ok=True)
            write_file(target, text)
            written.append((target, before))
    except (OSError, VerifyError) as error:
        for target, before in written:
            if before is None:
                target.unlink()
            else:
                target.write_bytes(before)
        reason = error.strerror if isinstance(error, OSError) else error
        raise VerifyError(f"{directory}: {reason}; nothing was written") from None
