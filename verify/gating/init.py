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
# Actions are pinned by the commit of the version beside it.
name: verify
on:
  push:
  pull_request:
permissions: {}
jobs:
  gate:
    runs-on: ubuntu-24.04
    container: python:3.12-bookworm
    timeout-minutes: 20
    permissions:
      contents: read
      security-events: write  # the SARIF report
    defaults:
      run:
        shell: bash
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      # Outside the checkout, where no commit can put anything; open to this job's user alone.
      - id: place
        env:
          SECRET: ${{ secrets.VERIFY_CACHE_KEY }}
        run: |
          install -d -m 0700 "$RUNNER_TEMP/verify-cache" "$RUNNER_TEMP/verify-report"
          echo "cache=$RUNNER_TEMP/verify-cache" >> "$GITHUB_OUTPUT"
          echo "report=$RUNNER_TEMP/verify-report" >> "$GITHUB_OUTPUT"
          # Whoever writes an archive decides where it is unpacked to, so none is restored unless it
          # can be believed.
          if [ -n "$SECRET" ]; then echo "sealed=true" >> "$GITHUB_OUTPUT"; fi
      # Where mps-verify comes from: a repository variable with the address of a wheel or of a git
      # repository. The public index has no package of this name.
      - run: |
          # -I: otherwise a file venv.py of the checkout would be run instead.
          python -I -m venv "$RUNNER_TEMP/verify"
          "$RUNNER_TEMP/verify/bin/pip" install --quiet "mps-verify[embedded] @ $MPS_VERIFY"
        env:
          MPS_VERIFY: ${{ vars.MPS_VERIFY }}
      - uses: actions/cache/restore@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0
        if: steps.place.outputs.sealed == 'true'
        with:
          path: ${{ steps.place.outputs.cache }}
          key: verify-${{ runner.arch }}-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: verify-${{ runner.arch }}-
      - id: gate
        run: |
          code=0
          "$RUNNER_TEMP/verify/bin/verify" gate \\
            --junit "$REPORT/gate.xml" --sarif "$REPORT/gate.sarif" || code=$?
          echo "exit-code=$code" >> "$GITHUB_OUTPUT"
          if [ -s "$REPORT/gate.sarif" ]; then echo "sarif=true" >> "$GITHUB_OUTPUT"; fi
          exit "$code"
        env:
          REPORT: ${{ steps.place.outputs.report }}
          VERIFY_CACHE_DIR: ${{ steps.place.outputs.cache }}
          # Results of earlier runs are believed only if this secret of the repository sealed them
          # (`openssl rand -hex 32` makes one); without it everything is computed again.
          VERIFY_CACHE_KEY: ${{ secrets.VERIFY_CACHE_KEY }}
      # After a red gate as well: what it has proved need not be proved again.
      - uses: actions/cache/save@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0
        if: ${{ !cancelled() && steps.gate.outputs.exit-code != '' }}
        with:
          path: ${{ steps.place.outputs.cache }}
          key: verify-${{ runner.arch }}-${{ github.run_id }}-${{ github.run_attempt }}
      - uses: github/codeql-action/upload-sarif@8aad20d150bbac5944a9f9d289da16a4b0d87c1e # v4.36.2
        # A pull request from a fork, or of Dependabot, may not write security events.
        if: >-
          ${{ !cancelled() && steps.gate.outputs.sarif == 'true'
          && github.actor != 'dependabot[bot]' && (github.event_name != 'pull_request'
          || github.event.pull_request.head.repo.full_name == github.repository) }}
        with:
          sarif_file: ${{ steps.place.outputs.report }}/gate.sarif
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        if: ${{ !cancelled() && steps.gate.outputs.exit-code != '' }}
        with:
          name: verify-gate
          path: ${{ steps.place.outputs.report }}
"""

_GITLAB: Final = """\
# The locks of this repository's guard, proved on every push (written by `verify init`).
# No cache: a job of any branch could write one that the next job reads.
verify:
  image: python:3.12-bookworm
  script:
    # A CI/CD variable with the address of a wheel or of a git repository: the public index has no
    # package of this name.
    # A report that was committed must not be taken for this job's, should the gate not begin.
    - rm -rf gate.xml gate.sarif
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
