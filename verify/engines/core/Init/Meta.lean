prelude
import Init.Prelude
/-!
The meta level: the types that the compiled front end and our grammar bindings exchange. Their
constructors and fields must be laid out exactly as in Lean 4.35.0. Functions are not written again:
`@[extern "native"] opaque f` makes the interpreter call the library's own compiled `f` (it looks
symbols up by Lean name, whatever the string says). Logically such an `f` is an unknown inhabitant
of its type, so nothing can be proved with it. Every native must have its real arity and borrow
annotations: a wrong one crashes (it can't prove anything).
-/
universe u v w
set_option linter.unusedVariables false
set_option warn.classDefReducibility false

/-! ## Monads -/
class Bind (m : Type u → Type v) where
  bind : {α β : Type u} → m α → (α → m β) → m β
export Bind (bind)
class Pure (f : Type u → Type v) where
  pure {α : Type u} : α → f α
export Pure (pure)
class Functor (f : Type u → Type v) : Type (max (u + 1) v) where
  map : {α β : Type u} → (α → β) → f α → f β
  mapConst : {α β : Type u} → α → f β → f α := Function.comp map (Function.const _)
class Seq (f : Type u → Type v) : Type (max (u + 1) v) where
  seq : {α β : Type u} → f (α → β) → (Unit → f α) → f β
class SeqLeft (f : Type u → Type v) : Type (max (u + 1) v) where
  seqLeft : {α β : Type u} → f α → (Unit → f β) → f α
class SeqRight (f : Type u → Type v) : Type (max (u + 1) v) where
  seqRight : {α β : Type u} → f α → (Unit → f β) → f β
class Applicative (f : Type u → Type v) extends Functor f, Pure f, Seq f, SeqLeft f, SeqRight f where
  map := fun x y => Seq.seq (pure x) fun _ => y
  seqLeft := fun a b => Seq.seq (Functor.map (Function.const _) a) b
  seqRight := fun a b => Seq.seq (Functor.map (Function.const _ id) a) b
class Monad (m : Type u → Type v) : Type (max (u + 1) v) extends Applicative m, Bind m where
  map f x := bind x (Function.comp pure f)
  seq f x := bind f fun y => Functor.map y (x ())
  seqLeft x y := bind x fun a => bind (y ()) (fun _ => pure a)
  seqRight x y := bind x fun _ => y ()
class MonadLift (m : semiOutParam (Type u → Type v)) (n : Type u → Type w) where
  monadLift : {α : Type u} → m α → n α
class MonadLiftT (m : Type u → Type v) (n : Type u → Type w) where
  monadLift : {α : Type u} → m α → n α
export MonadLiftT (monadLift)
abbrev liftM := @monadLift
@[always_inline] instance (m n o) [MonadLift n o] [MonadLiftT m n] : MonadLiftT m o where
  monadLift x := MonadLift.monadLift (m := n) (monadLift x)
instance (m) : MonadLiftT m m where
  monadLift x := x
class MonadExceptOf (ε : semiOutParam (Type u)) (m : Type v → Type w) where
  throw {α : Type v} : ε → m α
  tryCatch {α : Type v} (body : m α) (handler : ε → m α) : m α
abbrev throwThe (ε : Type u) {m : Type v → Type w} [MonadExceptOf ε m] {α : Type v} (e : ε) : m α :=
  MonadExceptOf.throw e
class MonadExcept (ε : outParam (Type u)) (m : Type v → Type w) where
  throw {α : Type v} : ε → m α
  tryCatch {α : Type v} : m α → (ε → m α) → m α
export MonadExcept (throw tryCatch)
instance (ε : outParam (Type u)) (m : Type v → Type w) [MonadExceptOf ε m] : MonadExcept ε m where
  throw := throwThe ε
  tryCatch := MonadExceptOf.tryCatch

def ReaderT (ρ : Type u) (m : Type u → Type v) (α : Type u) : Type (max u v) := (a : @& ρ) → m α
instance (ρ : Type u) (m : Type u → Type v) (α : Type u) [Inhabited (m α)] :
    Inhabited (ReaderT ρ m α) := ⟨fun _ => default⟩
instance : MonadLift m (ReaderT ρ m) where
  monadLift x := fun _ => x
instance (ε) [MonadExceptOf ε m] : MonadExceptOf ε (ReaderT ρ m) where
  throw e := fun _ => MonadExceptOf.throw e
  tryCatch x c := fun r => MonadExceptOf.tryCatch (x r) (fun e => c e r)
instance [Monad m] : Monad (ReaderT ρ m) where
  bind x f := fun r => bind (x r) fun a => f a r
  pure a := fun _ => pure a

inductive EStateM.Result (ε σ α : Type u) where
  | ok : α → σ → Result ε σ α
  | error : ε → σ → Result ε σ α
def EStateM (ε σ α : Type u) := σ → EStateM.Result ε σ α
instance [Inhabited ε] : Inhabited (EStateM ε σ α) := ⟨fun s => .error default s⟩
instance EStateM.instMonad : Monad (EStateM ε σ) where
  pure a := fun s => .ok a s
  bind x f := fun s =>
    match x s with
    | .ok a s => f a s
    | .error e s => .error e s
instance : MonadExceptOf ε (EStateM ε σ) where
  throw e := fun s => .error e s
  tryCatch x h := fun s =>
    match x s with
    | .error e s => h e s
    | ok => ok

instance instMonadOption : Monad Option where
  pure := some
  bind o f :=
    match o with
    | some a => f a
    | none => none

/-! ## Arrays: what expanders call -/
instance {α : Type u} : Inhabited (Array α) := ⟨.mk .nil⟩
@[extern "native"] opaque Array.mkArray0 {α : Type u} : Array α
@[extern "native"] opaque Array.mkArray1 {α : Type u} (a₁ : α) : Array α
@[extern "native"] opaque Array.mkArray2 {α : Type u} (a₁ a₂ : α) : Array α
@[extern "native"] opaque Array.appendCore {α : Type u} (as : Array α) (bs : @& Array α) : Array α
instance {α : Type u} : Append (Array α) := ⟨Array.appendCore⟩

/-! ## Names and syntax -/
namespace Lean
inductive Name where
  | anonymous : Name
  | str (pre : Name) (str : String)
  | num (pre : Name) (i : Nat)
instance : Inhabited Name := ⟨.anonymous⟩
namespace Name
-- Compiled names carry a hash, which these two compute: never build the plain constructors.
@[extern "native"] opaque str._override : Name → String → Name
@[extern "native"] opaque num._override : Name → Nat → Name
attribute [implemented_by str._override] str
attribute [implemented_by num._override] num
@[match_pattern] abbrev mkStr (p : Name) (s : String) : Name := .str p s
@[match_pattern] abbrev mkNum (p : Name) (v : Nat) : Name := .num p v
abbrev mkSimple (s : String) : Name := .str .anonymous s
abbrev mkStr1 (s₁ : String) : Name := .str .anonymous s₁
abbrev mkStr2 (s₁ s₂ : String) : Name := .str (mkStr1 s₁) s₂
abbrev mkStr3 (s₁ s₂ s₃ : String) : Name := .str (mkStr2 s₁ s₂) s₃
abbrev mkStr4 (s₁ s₂ s₃ s₄ : String) : Name := .str (mkStr3 s₁ s₂ s₃) s₄
abbrev mkStr5 (s₁ s₂ s₃ s₄ s₅ : String) : Name := .str (mkStr4 s₁ s₂ s₃ s₄) s₅
abbrev mkStr6 (s₁ s₂ s₃ s₄ s₅ s₆ : String) : Name := .str (mkStr5 s₁ s₂ s₃ s₄ s₅) s₆
abbrev mkStr7 (s₁ s₂ s₃ s₄ s₅ s₆ s₇ : String) : Name := .str (mkStr6 s₁ s₂ s₃ s₄ s₅ s₆) s₇
abbrev mkStr8 (s₁ s₂ s₃ s₄ s₅ s₆ s₇ s₈ : String) : Name := .str (mkStr7 s₁ s₂ s₃ s₄ s₅ s₆ s₇) s₈
end Name

inductive SourceInfo where
  | original (leading : Substring.Raw) (pos : String.Pos.Raw) (trailing : Substring.Raw)
      (endPos : String.Pos.Raw)
  | synthetic (pos : String.Pos.Raw) (endPos : String.Pos.Raw) (canonical : Bool := false)
  | none
instance : Inhabited SourceInfo := ⟨.none⟩
abbrev SyntaxNodeKind := Name
inductive Syntax.Preresolved where
  | namespace (ns : Name)
  | decl (n : Name) (fields : List String)
inductive Syntax where
  | missing : Syntax
  | node (info : SourceInfo) (kind : SyntaxNodeKind) (args : Array Syntax) : Syntax
  | atom (info : SourceInfo) (val : String) : Syntax
  | ident (info : SourceInfo) (rawVal : Substring.Raw) (val : Name)
      (preresolved : List Syntax.Preresolved) : Syntax
instance : Inhabited Syntax := ⟨.missing⟩
abbrev SyntaxNodeKinds := List SyntaxNodeKind
structure TSyntax (ks : SyntaxNodeKinds) where
  raw : Syntax
instance : Inhabited (TSyntax ks) := ⟨⟨.missing⟩⟩
abbrev choiceKind : SyntaxNodeKind := .mkSimple "choice"
abbrev nullKind : SyntaxNodeKind := .mkSimple "null"
abbrev groupKind : SyntaxNodeKind := .mkSimple "group"
abbrev identKind : SyntaxNodeKind := .mkSimple "ident"
abbrev strLitKind : SyntaxNodeKind := .mkSimple "str"
abbrev charLitKind : SyntaxNodeKind := .mkSimple "char"
abbrev numLitKind : SyntaxNodeKind := .mkSimple "num"
abbrev scientificLitKind : SyntaxNodeKind := .mkSimple "scientific"
abbrev nameLitKind : SyntaxNodeKind := .mkSimple "name"
abbrev fieldIdxKind : SyntaxNodeKind := .mkSimple "fieldIdx"
abbrev hygieneInfoKind : SyntaxNodeKind := .mkSimple "hygieneInfo"
abbrev interpolatedStrLitKind : SyntaxNodeKind := .mkSimple "interpolatedStrLitKind"
abbrev interpolatedStrKind : SyntaxNodeKind := .mkSimple "interpolatedStrKind"

namespace Syntax
@[extern "native"] opaque node1 (info : SourceInfo) (kind : SyntaxNodeKind) (a₁ : Syntax) : Syntax
@[extern "native"] opaque node2 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ : Syntax) : Syntax
@[extern "native"] opaque node3 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ : Syntax) : Syntax
@[extern "native"] opaque node4 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ a₄ : Syntax) : Syntax
@[extern "native"] opaque node5 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ a₄ a₅ : Syntax) : Syntax
@[extern "native"] opaque node6 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ a₄ a₅ a₆ : Syntax) : Syntax
@[extern "native"] opaque node7 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ a₄ a₅ a₆ a₇ : Syntax) : Syntax
@[extern "native"] opaque node8 (info : SourceInfo) (kind : SyntaxNodeKind)
  (a₁ a₂ a₃ a₄ a₅ a₆ a₇ a₈ : Syntax) : Syntax
@[extern "native"] opaque isOfKind (stx : @& Syntax) (k : @& SyntaxNodeKind) : Bool
@[extern "native"] opaque getArg (stx : @& Syntax) (i : @& Nat) : Syntax
@[extern "native"] opaque getArgs (stx : @& Syntax) : Array Syntax
@[extern "native"] opaque getNumArgs (stx : @& Syntax) : Nat
@[extern "native"] opaque matchesNull (stx : @& Syntax) (n : @& Nat) : Bool
@[extern "native"] opaque matchesIdent (stx : @& Syntax) (id : @& Name) : Bool
@[extern "native"] opaque matchesLit (stx : @& Syntax) (k : @& SyntaxNodeKind) (val : @& String) : Bool
end Syntax
-- The elaborator takes a token's text with this one; literals pass through it unchanged.
@[extern "native"] opaque _root_.String.toRawSubstring (s : String) : Substring.Raw
@[extern "native"] opaque _root_.String.toRawSubstring' (s : String) : Substring.Raw
@[extern "native"] opaque SourceInfo.fromRef (ref : @& Syntax) (canonical : Bool := false) : SourceInfo

inductive ParserDescr where
  | const (name : Name)
  | unary (name : Name) (p : ParserDescr)
  | binary (name : Name) (p₁ p₂ : ParserDescr)
  | node (kind : SyntaxNodeKind) (prec : Nat) (p : ParserDescr)
  | trailingNode (kind : SyntaxNodeKind) (prec lhsPrec : Nat) (p : ParserDescr)
  | symbol (val : String)
  | nonReservedSymbol (val : String) (includeIdent : Bool)
  | cat (catName : Name) (rbp : Nat)
  | parser (declName : Name)
  | nodeWithAntiquot (name : String) (kind : SyntaxNodeKind) (p : ParserDescr)
  | sepBy (p : ParserDescr) (sep : String) (psep : ParserDescr) (allowTrailingSep : Bool := false)
  | sepBy1 (p : ParserDescr) (sep : String) (psep : ParserDescr) (allowTrailingSep : Bool := false)
  | unicodeSymbol (val asciiVal : String) (preserveForPP : Bool)
instance : Inhabited ParserDescr := ⟨.symbol ""⟩
abbrev TrailingParserDescr := ParserDescr

/-! ## Macros -/
abbrev MacroScope := Nat
class MonadRef (m : Type → Type) where
  getRef : m Syntax
  withRef {α} : Syntax → m α → m α
export MonadRef (getRef)
@[extern "native"] opaque replaceRef (ref : @& Syntax) (oldRef : @& Syntax) : Syntax
@[inline] def withRef [Monad m] [MonadRef m] {α} (ref : Syntax) (x : m α) : m α :=
  bind getRef fun oldRef => MonadRef.withRef (replaceRef ref oldRef) x
class MonadQuotation (m : Type → Type) extends MonadRef m where
  getCurrMacroScope : m MacroScope
  getContext : m Name
  withFreshMacroScope {α : Type} : m α → m α
export MonadQuotation (getCurrMacroScope withFreshMacroScope)
@[inline] def MonadRef.mkInfoFromRefPos [Monad m] [MonadRef m] : m SourceInfo :=
  bind getRef fun ref => pure (SourceInfo.fromRef ref)
@[extern "native"] opaque addMacroScope (ctx : Name) (n : Name) (scp : MacroScope) : Name

namespace Macro
opaque MethodsRefPointed : NonemptyType.{0}
def MethodsRef : Type := MethodsRefPointed.type
instance : Nonempty MethodsRef := MethodsRefPointed.property
structure Context where
  methods : MethodsRef
  quotContext : Name
  currMacroScope : MacroScope
  currRecDepth : Nat
  maxRecDepth : Nat
  ref : Syntax
inductive Exception where
  | error : Syntax → String → Exception
  | unsupportedSyntax : Exception
instance : Inhabited Exception := ⟨.unsupportedSyntax⟩
structure State where
  macroScope : MacroScope
  expandedMacroDecls : List Name
  traceMsgs : List (Prod Name String)
instance : Inhabited State := ⟨⟨0, .nil, .nil⟩⟩
end Macro
abbrev MacroM := ReaderT Macro.Context (EStateM Macro.Exception Macro.State)
abbrev Macro := Syntax → MacroM Syntax
instance : MonadQuotation MacroM where
  getRef := fun ctx s => .ok ctx.ref s
  withRef ref x := fun ctx => x { ctx with ref := ref }
  getCurrMacroScope := fun ctx s => .ok ctx.currMacroScope s
  getContext := fun ctx s => .ok ctx.quotContext s
  withFreshMacroScope x := fun ctx s =>
    x { ctx with currMacroScope := s.macroScope }
      { s with macroScope := HAdd.hAdd s.macroScope 1 }

namespace PrettyPrinter
abbrev UnexpandM := ReaderT Syntax (EStateM Unit Unit)
abbrev Unexpander := Syntax → UnexpandM Syntax
instance : MonadQuotation UnexpandM where
  getRef := fun ref s => .ok ref s
  withRef ref x := fun _ => x ref
  getCurrMacroScope := pure 0
  getContext := pure (.mkSimple "_fakeMod")
  withFreshMacroScope x := x
end PrettyPrinter
end Lean
