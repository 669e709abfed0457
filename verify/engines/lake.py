"""The lake engine: the installed Lean toolchain, the reference where there is one.

Nothing is ever downloaded: `lake` is run out of the toolchain's own directory, not through elan's
shim, which would fetch a missing toolchain.

UNTRIED with a real toolchain: none could be installed where this was written, so the tests run a
stand-in for `lake`.  The Lean program of the audit below has never been elaborated.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verify.children import Children, Completed, run_child
from verify.engines import sources
from verify.engines._replay import SUSPICIOUS_EXTENSIONS
from verify.engines.audit import judge
from verify.engines.base import NOTHING, Audit, Build, Message, ModuleResult, Progress, Trust
from verify.engines.embedded import parse_messages
from verify.errors import EngineMissing, VerifyError

REMEDY: Final = (
    "install elan (https://lean-lang.org/install) and run `elan toolchain install {toolchain}`, "
    "or use `--engine embedded`"
)


@dataclass(frozen=True)
class Toolchain:
    """An installed toolchain.

    Attributes:
        name: As in `lean-toolchain`: `leanprover/lean4:v4.35.0`.
        lake: The program itself, not elan's shim.
    """

    name: str
    lake: Path


def wanted_toolchain(root: Path) -> str:
    """The toolchain that a project names in its `lean-toolchain`.

    Raises:
        VerifyError: There is no such file, or it is unreadable or empty.
    """
    path = root / "lean-toolchain"
    try:
        name = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(f"{path}: {error}; it names the Lean version to use") from error
    if not name:
        raise VerifyError(f"{path}: empty; it names the Lean version to use")
    return name


def find_toolchain(root: Path, environment: Mapping[str, str] = os.environ) -> Toolchain:
    """The installed toolchain that a project wants.

    Raises:
        EngineMissing: There is no lake, or not the right toolchain.
    """
    name = wanted_toolchain(root)
    remedy = REMEDY.format(toolchain=name)
    elan = Path(environment.get("ELAN_HOME") or Path(environment.get("HOME", "~"), ".elan"))
    # elan keeps `owner/repo:tag` in the folder `owner--repo---tag`.
    folder = name.replace("/", "--").replace(":", "---")
    installed = elan / "toolchains" / folder / "bin" / "lake"
    if installed.is_file() and os.access(installed, os.X_OK):
        return Toolchain(name, installed)
    on_path = shutil.which("lake", path=environment.get("PATH"))
    if on_path is None:
        raise EngineMissing(f"lake engine: no `lake` and no toolchain {name} found; {remedy}")
    lake = Path(on_path)
    if (lake.parent / "elan").exists() or (lake.resolve().parent / "elan").exists():
        raise EngineMissing(
            f"lake engine: elan is installed, but not its toolchain {name}; {remedy}"
        )
    # A lake from elsewhere (a package manager) is taken if it says that it is the right version.
    version = name.rpartition(":v")[2]
    done = run_child([str(lake), "--version"], timeout=30, cwd=root)
    if done.returncode != 0 or not re.search(
        rf"Lean version {re.escape(version)}(?![\w.-])", done.stdout
    ):
        said = " ".join(done.stdout.split()) or "nothing"
        raise EngineMissing(f"lake engine: {lake} says {said!r}, not version {version}; {remedy}")
    return Toolchain(name, lake)


_MESSAGE: Final = re.compile(
    r"(?P<severity>error|warning|info): (?P<file>[^:\n]+\.lean):(?P<line>\d+):(?P<column>\d+): "
    r"?(?P<text>.*)"
)
_STATUS: Final = re.compile(r"[✔ℹ⚠✖] \[\d+/\d+\] (Built|Building|Replayed|Ran) (?P<module>\S+)")


def parse_output(output: str) -> list[Message]:
    """The messages in what `lake build` prints: a first line with a place, then more lines."""
    messages: list[Message] = []
    open_ = False
    for line in output.splitlines():
        if found := _MESSAGE.fullmatch(line):
            severity = "information" if found["severity"] == "info" else found["severity"]
            at = int(found["line"]), int(found["column"])
            messages.append(Message(severity, found["file"], *at, found["text"]))
            open_ = True
        elif line.startswith(("error: ", "warning: ")):
            severity, _, text = line.partition(": ")
            messages.append(Message(severity, "lake", 0, 0, text))
            open_ = True
        elif _STATUS.match(line) or line.startswith(("trace: ", "info: ", "Build completed", "- ")):
            open_ = False
        elif open_:
            last = messages[-1]
            messages[-1] = Message(
                last.severity, last.file, last.line, last.column, f"{last.text}\n{line}"
            )
    return messages


class LakeEngine:
    """An installed Lean toolchain behind the interface of the engines.

    Args:
        root: The project, with `lean-toolchain` and a lakefile.
        timeout: Seconds for a whole build.

    Raises:
        EngineMissing: See `find_toolchain`.
    """

    name = "lake"

    def __init__(self, root: Path, *, timeout: float = 1800.0) -> None:
        self.toolchain = find_toolchain(root)
        self.timeout = timeout
        self.children = Children()

    def describe(self) -> str:
        """One line: toolchain and program."""
        return f"lake: {self.toolchain.name} ({self.toolchain.lake})"

    def _run(self, root: Path, arguments: Sequence[str]) -> Completed:
        binaries = str(self.toolchain.lake.parent)
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("LEAN", "LAKE", "ELAN"))
        }
        environment["PATH"] = os.pathsep.join([binaries, environment.get("PATH", "")])
        try:
            return run_child(
                [str(self.toolchain.lake), *arguments],
                timeout=self.timeout,
                cwd=root,
                environment=environment,
                children=self.children,
            )
        except OSError as error:
            raise VerifyError(f"{self.toolchain.lake}: {error.strerror}") from error

    def build(self, root: Path, modules: Sequence[str], progress: Progress | None = None) -> Build:
        """Run `lake build` on modules; its exit code and its messages both count.

        The modules of the result are all of the project's that the given ones import: lake says
        little about those that it has built before.
        """
        if not modules:
            return Build(self.name, root, (), 2)
        # What is neither the project's nor Lean's is left to lake to complain about.
        graph = sources.graph(
            root, modules, outside=lambda m: m.split(".")[0] in ("Init", "Lean", "Std", "Lake")
        )
        banned = [m for source in graph.values() for m in sources.scan(source)]
        done = self._run(root, ["build", *(f"+{m}" for m in modules)])
        messages = [*banned, *parse_output(done.stdout), *parse_output(done.stderr)]
        errors = [m for m in messages if m.severity == "error"]
        if trouble := done.failure():
            messages.append(Message("error", "lake", 0, 0, trouble))
        elif done.returncode != 0 and not errors:
            last = " ".join((done.stdout + done.stderr).split())[-300:]
            text = f"exit code {done.returncode} without an error message: {last}"
            messages.append(Message("error", "lake", 0, 0, text))
        by_module: dict[str, list[Message]] = {m: [] for m in graph}
        general: list[Message] = []
        for message in messages:
            where = next((s.module for s in graph.values() if _same(s, message, root)), None)
            (general if where is None else by_module[where]).append(message)
        results = []
        # With the build as a whole failed, no module counts as checked: which ones lake got to
        # is not known.
        whole = done.returncode == 0
        for module, own in by_module.items():
            ok = whole and all(m.severity != "error" for m in own)
            result = ModuleResult(module, ok, False, 0.0, 0.0, tuple(own))
            results.append(result)
            if progress is not None:
                progress(result)
        failed = any(m.severity == "error" for m in messages)
        code = done.returncode or (1 if failed else 0)
        return Build(self.name, root, tuple(results), code, messages=tuple(general))

    def audit(
        self,
        build: Build,
        theorems: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        trust: Trust = NOTHING,
    ) -> Audit:
        """Audit a build by a Lean program that lake runs; see `verify.engines.audit`."""
        if not build.ok:
            return Audit(("the build did not succeed, so nothing was audited",))
        nonce = secrets.token_hex(8)
        text = audit_program([m.module for m in build.modules], theorems, pairs, nonce, trust)
        with tempfile.TemporaryDirectory(prefix="verify-audit-") as scratch:
            program = Path(scratch, "Audit.lean")
            program.write_text(text)
            done = self._run(build.root, ["env", "lean", "--json", str(program)])
        trouble = done.failure()
        messages, garbled = parse_messages(done.stdout, str(program))
        errors = [m for m in messages if m.severity == "error"]
        answers = [m.text[len(nonce) :] for m in messages if m.text.startswith(nonce)]
        if trouble is None and errors:
            trouble = str(errors[0])
        elif trouble is None and done.returncode != 0:
            trouble = f"exit code {done.returncode}"
        trouble = trouble or garbled
        answer: Any = None
        if trouble is None and len(answers) != 1:
            trouble = f"{len(answers)} answers instead of one"
        if trouble is None:
            try:
                answer = json.loads(answers[0])
            except (ValueError, RecursionError):
                trouble = "its answer is cut short or garbled"
        if trouble is not None or not isinstance(answer, dict):
            said = " ".join(done.stderr.split())[-500:]
            return Audit((f"audit: {trouble}" + (f": {said}" if said else ""),))
        return judge(answer, theorems, pairs, done.seconds, done.peak_mb)


def _same(source: sources.Source, message: Message, root: Path) -> bool:
    return os.path.normpath(root / message.file) == os.path.normpath(source.file)


_NAME: Final = re.compile(r"[^\W\d][\w'!?]*(\.[^\W\d][\w'!?]*)*")


def audit_program(
    modules: Sequence[str],
    theorems: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    nonce: str,
    trust: Trust = NOTHING,
) -> str:
    """The Lean program of the audit: it asks the same questions as `_replay` does.

    Raises:
        VerifyError: A name is not a plain identifier (it would be spliced into the program).
    """
    trusted = [m.removesuffix(".") for m in trust.modules]
    named = (*trust.statements, *trust.definitions, *(n for p in trust.namespaces for n in p))
    for name in (*modules, *theorems, *(n for pair in pairs for n in pair), *trusted, *named):
        if not _NAME.fullmatch(name):
            raise VerifyError(f"{name!r} is not the name of a module or theorem")
    return _PROGRAM.substitute(
        imports="\n".join(f"import {m}" for m in modules),
        modules=", ".join(f"`{m}" for m in modules),
        theorems=", ".join(f"`{t}" for t in theorems),
        pairs=", ".join(f"(`{c}, `{t})" for c, t in pairs),
        statements=", ".join(f"`{t}" for t in trust.statements),
        definitions=", ".join(f"`{t}" for t in trust.definitions),
        trusted=", ".join(
            f"(`{m.removesuffix('.')}, {str(m.endswith('.')).lower()})" for m in trust.modules
        ),
        suspicious=", ".join(f'(`{e}, "{what}")' for e, what in SUSPICIOUS_EXTENSIONS.items()),
        namespaces=", ".join(f"(`{n}, `{m})" for n, m in trust.namespaces),
        nonce=nonce,
    )


class _Template:
    """`@name@` placeholders: Lean text is full of `$` and braces."""

    def __init__(self, text: str) -> None:
        self._text = text

    def substitute(self, **values: str) -> str:
        return re.sub(r"@(\w+)@", lambda m: values[m[1]], self._text)


_PROGRAM: Final = _Template("""\
import Lean
@imports@
open Lean Meta

/-- The kind of a constant, in the words of the audit. -/
private def auditKind : ConstantInfo → String
  | .axiomInfo _ => "axiom"
  | .defnInfo _ => "def"
  | .thmInfo _ => "theorem"
  | .opaqueInfo _ => "opaque"
  | .quotInfo _ => "quot"
  | .inductInfo _ => "inductive"
  | .ctorInfo _ => "constructor"
  | .recInfo _ => "recursor"

/-- What a constant states: its type, or the value of a claim `def c : Prop := ...`. -/
private def auditStatement (info : ConstantInfo) (claim : Bool) : Expr :=
  match info with
  | .defnInfo d => if claim && d.type == .sort .zero then d.value else d.type
  | _ => info.type

/-- The constants that a constant's meaning rests on: a proof says nothing. -/
private def auditUses (info : ConstantInfo) : List Name :=
  match info with
  | .thmInfo _ => []
  | .inductInfo i => i.ctors ++ i.type.getUsedConstants.toList
  | _ => info.type.getUsedConstants.toList ++
      (info.value?.map (·.getUsedConstants.toList)).getD []

#eval show MetaM Unit from do
  let env ← getEnv
  let project : List Name := [@modules@]
  let mut findings : Array String := #[]
  let mut skipped := 0
  let mut declared : Std.HashMap Name ConstantInfo := {}
  for (name, info) in env.constants.map₁.toList do
    let some index := env.getModuleIdxFor? name | continue
    let home := env.header.moduleNames[index]!
    unless project.contains home do continue
    declared := declared.insert name info
    if info.isUnsafe || info.isPartial then
      skipped := skipped + 1
      findings := findings.push s!"{home}: declares {name}, which is unsafe or partial"
    if info matches .axiomInfo _ then
      findings := findings.push s!"{home}: declares the axiom {name}"
    if (Compiler.getImplementedBy? env name).isSome then
      findings := findings.push s!"{home}: {name} has implemented_by"
    if isExtern env name then
      findings := findings.push s!"{home}: {name} is extern"
    for (space, owner) in ([@namespaces@] : List (Name × Name)) do
      if space.isPrefixOf name && home != owner then
        findings := findings.push
          s!"{home}: declares {name}; only {owner} may declare what is below it"
  -- What a project leaves in an extension can change how later text is read.
  let suspicious : List (Name × String) := [@suspicious@]
  for (home, data) in env.header.moduleNames.zip env.header.moduleData do
    unless project.contains home do continue
    for (extension, entries) in data.entries do
      for (bad, what) in suspicious do
        if extension == bad && !entries.isEmpty then
          findings := findings.push s!"{home}: {entries.size} use(s) of {what} ({extension})"
  -- What the statements mean may rest on trusted modules only.
  let known : List Name := [@definitions@]
  let trusted : List (Name × Bool) := [@trusted@]
  let mut seen : NameSet := {}
  let mut todo : List (Name × Name) := []
  for statement in ([@statements@] : List Name) do
    if let some info := env.find? statement then
      todo := todo ++ info.type.getUsedConstants.toList.map fun used => (used, statement)
  while !todo.isEmpty do
    let (name, statement) := todo.head!
    todo := todo.tail!
    if seen.contains name then continue
    seen := seen.insert name
    let some info := env.find? name | continue
    let some index := env.getModuleIdxFor? name | continue
    let home := env.header.moduleNames[index]!
    if !project.contains home || info matches .thmInfo _ || known.contains name then continue
    unless trusted.any fun (m, below) => home == m || (below && m.isPrefixOf home) do
      findings := findings.push
        s!"{home}: declares {name}, on which rests what {statement} states"
    todo := (auditUses info).map (fun used => (used, statement)) ++ todo
  -- Everything of the project once more through the kernel, on top of Lean's own core.
  let core ← importModules #[{ module := `Init }] {}
  let replayed ← core.replay declared
  let mut accepted := 0
  for (name, info) in declared.toList do
    if let some found := replayed.find? name then
      if auditKind found == auditKind info && found.levelParams == info.levelParams
          && found.type == info.type then
        accepted := accepted + 1
  let mut theorems : Array Json := #[]
  for name in ([@theorems@] : List Name) do
    match replayed.find? name with
    | none => theorems := theorems.push <| Json.mkObj
        [("name", toString name), ("kind", Json.null), ("axioms", Json.arr #[]), ("statement", "")]
    | some info =>
      let axioms ← collectAxioms name
      let statement ← ppExpr info.type
      theorems := theorems.push <| Json.mkObj
        [("name", toString name), ("kind", auditKind info),
         ("axioms", Json.arr (axioms.map fun a => Json.str (toString a))),
         ("statement", toString statement)]
  let mut pairs : Array Json := #[]
  for (claim, name) in ([@pairs@] : List (Name × Name)) do
    let (equal, claimed, stated) ← match replayed.find? claim, replayed.find? name with
      | some c, some t => do
        let a := auditStatement c true
        let b := auditStatement t false
        pure (c.levelParams == t.levelParams && a == b,
          toString (← ppExpr a), toString (← ppExpr b))
      | _, _ => pure (false, "(missing)", "(missing)")
    pairs := pairs.push <| Json.mkObj
      [("claim", toString claim), ("theorem", toString name), ("equal", equal),
       ("claimed", claimed), ("stated", stated)]
  let answer := Json.mkObj
    [("errors", Json.arr #[]), ("findings", Json.arr (findings.map Json.str)),
     ("declared", declared.size), ("constants", accepted), ("skipped", skipped),
     ("theorems", Json.arr theorems), ("pairs", Json.arr pairs)]
  logInfo ("@nonce@" ++ answer.compress)
""")
