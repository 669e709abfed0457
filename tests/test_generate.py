"""The generator, with templates of its own: what the shipped ones say is checked by Lean."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from conftest import STRATEGY
from hypothesis import example, given
from hypothesis import strategies as st

from verify import generate, resources, views
from verify import spec as specs
from verify.errors import VerifyError
from verify.files import write_file
from verify.semantics import Bounds, Event, Model
from verify.spec import LockScheme, Request
from verify.verdict import Verdict

RACE = """\
import MPSVerify.Spec.Scheme

{% for s in strategies %}
/-- {{ s.english | comment }} -/
def {{ s.name }} : LockScheme := {{ s.scheme | lean_scheme }}
{% endfor %}
"""
ENVIRONMENTS = """\
{% for e in environments %}
-- {{ e.name }}: {{ e.atomicFreelist | lean_bool }}
{% endfor %}
"""

STRATEGIES = """\
{% for s in members %}
theorem {{ s.theorem }} : {{ s.statement }} := sorry
{% endfor %}
"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    directory = tmp_path / "templates"
    directory.mkdir()
    (directory / "Table.lean.j2").write_text(RACE)
    (directory / "Environments.lean.j2").write_text(ENVIRONMENTS)
    (directory / "_part.lean.j2").write_text("{{ not_rendered }}")
    (directory / "_strategy.lean.j2").write_text(STRATEGIES)
    return directory


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    for name in ("Spec/Scheme", "Claims"):
        path = directory / "MPSVerify" / f"{name}.lean"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return directory


# --- Filters --------------------------------------------------------------------------------------


def test_terms() -> None:
    request = Request("encoder", "shared")
    assert generate.lean_request(request) == "⟨.encoder, .shared⟩"
    assert generate.lean_requests(()) == "[]"
    assert generate.lean_requests([request, Request("global", "exclusive")]) == (
        "[⟨.encoder, .shared⟩, ⟨.global, .exclusive⟩]"
    )
    scheme = LockScheme({"create": (), "encode": (request,), "destroy": (), "complete": ()}, True)
    assert generate.lean_scheme(scheme) == (
        "{ create := [], encode := [⟨.encoder, .shared⟩], destroy := [], complete := [], "
        "check := .true }"
    )
    assert generate.lean_bool(False) == "false"
    with pytest.raises(VerifyError, match="no Boolean"):
        generate.lean_bool("false")  # type: ignore[arg-type]
    assert generate.lean_string('a"\\\n\x00') == r'"a\"\\\n[U+0000]"'


@given(st.text(st.sampled_from("-/! \n\u202e\u2028a")) | st.text(), st.sampled_from([0, 1, 5, 40]))
@example("-/-/-", 0)
@example("/-/-/", 0)
def test_comments_cannot_be_left_or_opened(text: str, width: int) -> None:
    made = generate.comment(text, width)
    assert "-/" not in made
    assert "/-" not in made
    assert width or "\n" not in made
    assert all(line.isprintable() for line in made.split("\n"))
    # Nothing else is lost: the visible characters are there, in order.
    shown = "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in "".join(text.split()))
    assert re.sub(r"\s", "", made) == re.sub(r"\s", "", shown)


def test_comments_are_wrapped() -> None:
    assert generate.comment("one two three", 8) == "one two\nthree"


# --- Rendering ------------------------------------------------------------------------------------


def test_files(templates: Path, out: Path) -> None:
    files = generate.files(specs.load(), out, templates)
    own = ["Race", "Fixed", "PerStreamMutex", "PerOpMutex", "PerEncoderMutex", "RWLock", "LockFree"]
    modules = sorted([*own, "Extensions", "Table", "Environments"])
    assert {path.as_posix() for path in files} == {
        "MPSVerify.lean",
        "MPSVerify/AGX.lean",
        *(f"MPSVerify/AGX/{name}.lean" for name in modules),
    }
    assert all(text.startswith(generate.HEADER) for text in files.values())
    assert files[Path("MPSVerify.lean")].splitlines()[1:] == [
        "import MPSVerify.AGX",
        "import MPSVerify.Claims",
        "import MPSVerify.Spec.Scheme",
    ]
    assert files[Path("MPSVerify/AGX.lean")].splitlines()[1:] == [
        f"import MPSVerify.AGX.{name}" for name in modules
    ]
    assert files[Path("MPSVerify/AGX/RWLock.lean")].splitlines()[1:] == [
        "theorem rw_lock_insufficient : CanReach .default rwLock .encoderOverlap := sorry"
    ]
    table = files[Path("MPSVerify/AGX/Table.lean")]
    assert "/-- one mutex per encoder -/\ndef perEncoder : LockScheme := { create := [⟨" in table
    assert table.count("\ndef ") == 7
    assert "-- racyFreelist: false\n" in files[Path("MPSVerify/AGX/Environments.lean")]
    # The generated modules among the hand-written ones change nothing.
    generate.write(files, out)
    assert generate.files(specs.load(), out, templates) == files


def test_english_cannot_inject(templates: Path) -> None:
    spec = specs.load()
    english = "nice -/ axiom bad : False /- \n-/\naxiom worse : False"
    spec = replace(spec, strategies=(replace(spec.strategies[0], english=english),))
    race = generate.render(spec, templates)["Table"]
    assert race.count("-/") == 1
    assert not any(line.startswith("axiom") for line in race.splitlines())


def test_names_that_the_spec_leaves_out(templates: Path, spec_file: Callable[[str], Path]) -> None:
    modules = generate.render(specs.load(spec_file(STRATEGY)), templates)
    assert modules["Strategies"].endswith("theorem mine.is_safe : Safe .default mine := sorry\n")


def test_two_modules_of_one_name(templates: Path, spec_file: Callable[[str], Path]) -> None:
    claim = '[strategy.expect]\nsafe = true\nfile = "table"\n'
    with pytest.raises(VerifyError, match="module 'table' is the same as 'Table'"):
        generate.render(specs.load(spec_file(STRATEGY + claim)), templates)


def test_the_words_on_safe_strategies() -> None:
    context = views.context(specs.load())
    assert context["safe_count"] == "two"
    assert context["safe_words"] == "globalMutex and perEncoder"
    assert context["safe_formula"] == "s = .globalMutex ∨ s = .perEncoder"
    unsafe = replace(specs.load(), strategies=(specs.load().strategy("noSync"),))
    context = views.context(unsafe)
    assert (context["safe_count"], context["safe_formula"]) == ("none", "False")


@pytest.mark.parametrize("name", ["noSync", "perStream", "perOp", "rwLock", "lockFree"])
def test_counterexamples_are_runs_to_their_fault(name: str) -> None:
    spec = specs.load()
    strategy, environment = spec.strategy(name), spec.environments["default"]
    found = views.strategy_view(strategy, spec.environments).counterexample
    assert found is not None
    model = Model(strategy.scheme, environment, Bounds(2, 1, 2))
    state = model.initial()
    for event in found.events:
        state = dict(model.enabled(state))[event]
    assert (found.fault, found.thread) in [(fault.fault, fault.t) for fault in model.faults(state)]
    assert len(found.labels) == len(found.events)


@pytest.mark.parametrize("name", ["globalMutex", "perEncoder"])
def test_safe_strategies_have_no_counterexample(name: str) -> None:
    spec = specs.load()
    scheme = spec.strategy(name).scheme
    assert views.shortest(scheme, spec.environments["default"], "nullDeref") is None


@pytest.mark.parametrize(
    ("event", "label"),
    [
        (Event(0, 1, "encode", "dispatch", None, "dispatched"), ".dispatch ⟨0, .encode, 1⟩"),
        (Event(2, 1, "encode", "acquire", None, "entered"), ".acquire 2"),
        (Event(2, 1, "encode", "load", 3, "loaded"), ".body 2 (.loaded 3)"),
        (Event(2, 1, "encode", "deref", 3, "finished"), ".body 2 .finished"),
        (Event(2, 1, "destroy", "push", 3, "pushed"), ".body 2 .pushed"),
        (Event(2, 1, "create", "peek", 0, "peeked"), ".body 2 (.peeked 0)"),
        (Event(2, 1, "create", "release", None, "idle"), ".release 2"),
        (Event(None, 1, None, "drop", None, None), ".drop 1"),
    ],
)
def test_labels(event: Event, label: str) -> None:
    assert views.lean_label(event) == label


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ strategys }}\n", "Table.lean.j2:2: 'strategys' is undefined"),
        ("{{ spec.nothing }}\n", "Table.lean.j2:1: 'verify.spec.Spec object' has no attribute"),
        ("a\n{% for %}\n", "Table.lean.j2:2: "),
    ],
)
def test_mistakes_in_templates(templates: Path, text: str, message: str) -> None:
    (templates / "Table.lean.j2").write_text(text)
    with pytest.raises(VerifyError) as caught:
        generate.render(specs.load(), templates)
    assert message in str(caught.value)


def test_no_templates(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="no template"):
        generate.render(specs.load(), tmp_path)


# --- Writing --------------------------------------------------------------------------------------


def test_write_and_compare(templates: Path, out: Path) -> None:
    wanted = generate.files(specs.load(), out, templates)
    assert {d.status for d in generate.compare(wanted, out)} == {"missing"}
    assert set(generate.write(wanted, out)) == set(wanted)
    assert generate.compare(wanted, out) == []
    race = out / "MPSVerify/AGX/Table.lean"
    assert stat.S_IMODE(race.stat().st_mode) & 0o600 == 0o600
    before = race.stat().st_mtime_ns
    assert generate.write(wanted, out) == []
    assert race.stat().st_mtime_ns == before
    assert not [path for path in out.rglob(".*") if path.is_file()]

    race.write_text(race.read_text().replace("perEncoder", "perEncodr"))
    (drift,) = generate.compare(wanted, out)
    assert drift.status == "changed"
    assert "\n-def perEncodr : " in drift.diff
    assert "\n+def perEncoder : " in drift.diff
    assert generate.write(wanted, out) == [Path("MPSVerify/AGX/Table.lean")]
    assert generate.compare(wanted, out) == []


def test_stale_files(templates: Path, out: Path) -> None:
    wanted = generate.files(specs.load(), out, templates)
    generate.write(wanted, out)
    stale = out / "MPSVerify/AGX/Old.lean"
    stale.write_text(generate.HEADER)
    assert [d.status for d in generate.compare(wanted, out)] == ["stale"]
    generate.write(wanted, out)
    assert not stale.exists()
    stale.write_text("theorem by_hand : True := trivial\n")
    with pytest.raises(VerifyError, match="written by hand"):
        generate.write(wanted, out)
    assert stale.exists()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_file(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


# --- The command ----------------------------------------------------------------------------------

type_of_main = Callable[..., int]


@pytest.fixture
def main(templates: Path, monkeypatch: pytest.MonkeyPatch) -> type_of_main:
    """The command with the templates of this file."""
    monkeypatch.setattr(
        generate,
        "render",
        lambda spec, *_, real=generate.render: real(spec, templates),
    )

    def run(*arguments: str | Path) -> int:
        with generate.command.make_context("generate", list(map(str, arguments))) as context:
            result = generate.command.invoke(context)
        assert isinstance(result, Verdict)
        return result.exit_code

    return run


def test_command(main: type_of_main, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--out", out, "--check") == 1
    assert "+++ b/MPSVerify/AGX/Table.lean\n" in capsys.readouterr().out
    assert not (out / "MPSVerify/AGX").exists()
    assert main("--out", out) == 0
    assert main("--out", out, "--check") == 0
    assert capsys.readouterr().out == ""
    (out / "MPSVerify/AGX/Table.lean").unlink()
    assert main("--out", out, "--check", "--json") == 1
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["file"], change["status"]) == ("MPSVerify/AGX/Table.lean", "missing")


def test_own_spec_needs_a_place(
    main: type_of_main, spec_file: Callable[[str], Path], out: Path
) -> None:
    path = spec_file(STRATEGY)
    with pytest.raises(VerifyError, match="--out"):
        main("--spec", path)
    assert main("--spec", path, "--out", out) == 0
    assert "def mine : LockScheme" in (out / "MPSVerify/AGX/Table.lean").read_text()


def test_bad_spec_writes_nothing(
    main: type_of_main, spec_file: Callable[[str], Path], out: Path
) -> None:
    before = sorted(out.rglob("*"))
    with pytest.raises(VerifyError):
        main("--spec", spec_file(STRATEGY + "junk = 1\n"), "--out", out)
    assert sorted(out.rglob("*")) == before


def test_unwritable_place(main: type_of_main, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VerifyError, match="file"):
        main("--out", tmp_path / "file")


def test_options_are_checked(main: type_of_main) -> None:
    with pytest.raises(click.UsageError):
        main("--chek")


def test_the_checkout_is_as_generated() -> None:
    wanted = generate.files(specs.load(), resources.root())
    assert [drift.path for drift in generate.compare(wanted, resources.root())] == []
