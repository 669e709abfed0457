prelude
/-!
The logical ground floor of the reduced core: what the elaborator and the kernel of Lean 4.35.0
expect by name. Names, types and the order of constructors and fields are those of Lean's own core;
proofs are ours. There is no notation yet (grammar comes later), hence `Eq a b`, `HAdd.hAdd a b`.
-/
universe u v w
set_option linter.defProp false
set_option linter.unusedVariables false
set_option warn.classDefReducibility false

/-! ## Axioms the code generator refers to (unsafe: no proof can use them) -/
unsafe axiom lcErased : Type
unsafe axiom lcAny : Type
unsafe axiom lcVoid : Type

set_option bootstrap.inductiveCheckResultingUniverse false in
inductive PUnit : Sort u where
  | unit : PUnit

inductive Eq : α → α → Prop where
  | refl (a : α) : Eq a a

abbrev Eq.ndrec.{u1, u2} {α : Sort u2} {a : α} {motive : α → Sort u1} (m : motive a)
    {b : α} (h : Eq a b) : motive b :=
  h.rec m

inductive HEq : {α : Sort u} → α → {β : Sort u} → β → Prop where
  | refl (a : α) : HEq a a

inductive Bool : Type where
  | false : Bool
  | true : Bool

export Bool (false true)

unsafe axiom isScalarObj {α : Type u} (x : α) : Bool

@[inline, implicit_reducible] def id {α : Sort u} (a : α) : α := a
@[inline, implicit_reducible] def Function.comp {α : Sort u} {β : Sort v} {δ : Sort w} (f : β → δ)
    (g : α → β) : α → δ := fun x => f (g x)
@[inline] def Function.const {α : Sort u} (β : Sort v) (a : α) : β → α := fun _ => a
set_option checkBinderAnnotations false in
abbrev inferInstance {α : Sort u} [i : α] : α := i
set_option checkBinderAnnotations false in
abbrev «inferInstanceAs» (α : Sort u) [i : α] : α := i
abbrev Unit : Type := PUnit
@[match_pattern] abbrev Unit.unit : Unit := PUnit.unit

unsafe axiom lcProof {α : Prop} : α
unsafe axiom lcCast {α : Sort u} {β : Sort v} (a : α) : β
unsafe axiom lcUnreachable {α : Sort u} : α

inductive True : Prop where
  | intro : True
inductive False : Prop
inductive Empty : Type
set_option bootstrap.inductiveCheckResultingUniverse false in
inductive PEmpty : Sort u where

@[implicit_reducible] def Not (a : Prop) : Prop := a → False
@[macro_inline] def False.elim {C : Sort u} (h : False) : C := h.rec
@[macro_inline] def absurd {a : Prop} {b : Sort v} (h₁ : a) (h₂ : Not a) : b := (h₂ h₁).rec

/-! ## Equality -/
@[match_pattern] def rfl {α : Sort u} {a : α} : Eq a a := Eq.refl a
theorem id_eq (a : α) : Eq (id a) a := rfl
theorem Eq.subst {α : Sort u} {motive : α → Prop} {a b : α} (h₁ : Eq a b) (h₂ : motive a) :
    motive b := Eq.ndrec h₂ h₁
@[symm] theorem Eq.symm {α : Sort u} {a b : α} (h : Eq a b) : Eq b a := h.rec rfl
abbrev Eq.ndrec_symm.{u1, u2} {α : Sort u2} {a : α} {motive : α → Sort u1} (m : motive a)
    {b : α} (h : Eq b a) : motive b := Eq.ndrec m h.symm
theorem Eq.trans {α : Sort u} {a b c : α} (h₁ : Eq a b) (h₂ : Eq b c) : Eq a c :=
  Eq.subst (motive := fun x => Eq a x) h₂ h₁
@[macro_inline, implicit_reducible] def cast {α β : Sort u} (h : Eq α β) (a : α) : β := h.rec a
theorem congrArg {α : Sort u} {β : Sort v} {a₁ a₂ : α} (f : α → β) (h : Eq a₁ a₂) :
    Eq (f a₁) (f a₂) := h.rec rfl
theorem congr {α : Sort u} {β : Sort v} {f₁ f₂ : α → β} {a₁ a₂ : α} (h₁ : Eq f₁ f₂)
    (h₂ : Eq a₁ a₂) : Eq (f₁ a₁) (f₂ a₂) :=
  h₁.rec (congrArg f₁ h₂)
theorem congrFun {α : Sort u} {β : α → Sort v} {f g : (x : α) → β x} (h : Eq f g) (a : α) :
    Eq (f a) (g a) := h.rec rfl
theorem congrFun' {α : Sort u} {β : Sort v} {f g : α → β} (h : Eq f g) (a : α) :
    Eq (f a) (g a) := congrFun h a

init_quot

axiom Quot.sound : ∀ {α : Sort u} {r : α → α → Prop} {a b : α},
  r a b → Eq (Quot.mk r a) (Quot.mk r b)
unsafe axiom Quot.lcInv {α : Sort u} {r : α → α → Prop} (q : Quot r) : α
protected abbrev Quot.liftOn {α : Sort u} {β : Sort v} {r : α → α → Prop} (q : Quot r) (f : α → β)
    (c : (a b : α) → r a b → Eq (f a) (f b)) : β := Quot.lift f c q

/-- Two functions that agree everywhere become equal in the quotient by pointwise equality. -/
theorem funext {α : Sort u} {β : α → Sort v} {f g : (x : α) → β x}
    (h : (x : α) → Eq (f x) (g x)) : Eq f g :=
  congrArg (fun (q : Quot fun (f g : (x : α) → β x) => (x : α) → Eq (f x) (g x)) (x : α) =>
    Quot.lift (fun (f : (x : α) → β x) => f x) (fun _ _ h => h x) q) (Quot.sound h)

@[match_pattern] protected def HEq.rfl {α : Sort u} {a : α} : HEq a a := HEq.refl a
theorem eq_of_heq {α : Sort u} {a a' : α} (h : HEq a a') : Eq a a' :=
  have go : (α β : Sort u) → (a : α) → (b : β) → HEq a b → (h : Eq α β) → Eq (cast h a) b :=
    fun _ _ _ _ h₁ => h₁.rec (fun _ => rfl)
  go α α a a' h rfl
theorem heq_of_eq {α : Sort u} {a a' : α} (h : Eq a a') : HEq a a' := h.rec (HEq.refl a)

/-! ## Pairs, conjunction, disjunction -/
structure Prod (α : Type u) (β : Type v) where
  mk ::
  fst : α
  snd : β
structure PProd (α : Sort u) (β : Sort v) where
  fst : α
  snd : β
structure MProd (α β : Type u) where
  fst : α
  snd : β

@[pp_using_anonymous_constructor]
structure And (a b : Prop) : Prop where
  intro ::
  left : a
  right : b
inductive Or (a b : Prop) : Prop where
  | inl (h : a) : Or a b
  | inr (h : b) : Or a b

theorem Or.intro_left (b : Prop) (h : a) : Or a b := Or.inl h
theorem Or.intro_right (a : Prop) (h : b) : Or a b := Or.inr h
theorem Or.elim {c : Prop} (h : Or a b) (left : a → c) (right : b → c) : c :=
  match h with
  | .inl h => left h
  | .inr h => right h
theorem Or.resolve_left (h : Or a b) (na : Not a) : b := h.elim (fun h => absurd h na) id
theorem Or.resolve_right (h : Or a b) (nb : Not b) : a := h.elim id (fun h => absurd h nb)

@[pp_using_anonymous_constructor]
structure Subtype {α : Sort u} (p : α → Prop) where
  val : α
  property : p val

@[reducible] def optParam (α : Sort u) (default : α) : Sort u := α
@[reducible] def outParam (α : Sort u) : Sort u := α
@[reducible] def semiOutParam (α : Sort u) : Sort u := α
@[reducible] def namedPattern {α : Sort u} (x a : α) (h : Eq x a) : α := a

/-- The elaborator puts this where an error was; the gate refuses whatever depends on it. -/
@[extern "lean_sorry", never_extract] axiom sorryAx (α : Sort u) (synthetic : Bool) : α

theorem Bool.eq_false_of_ne_true : {b : Bool} → Not (Eq b true) → Eq b false
  | true, h => absurd rfl h
  | false, _ => rfl
theorem Bool.eq_true_of_ne_false : {b : Bool} → Not (Eq b false) → Eq b true
  | true, _ => rfl
  | false, h => absurd rfl h
theorem Bool.ne_false_of_eq_true : {b : Bool} → Eq b true → Not (Eq b false)
  | true, _ => fun h => Bool.noConfusion h
  | false, h => Bool.noConfusion h
theorem Bool.ne_true_of_eq_false : {b : Bool} → Eq b false → Not (Eq b true)
  | true, h => Bool.noConfusion h
  | false, _ => fun h => Bool.noConfusion h

/-! ## Inhabited, Nonempty, choice -/
class Inhabited (α : Sort u) where
  default : α
export Inhabited (default)

class inductive Nonempty (α : Sort u) : Prop where
  | intro (val : α) : Nonempty α

axiom Classical.choice {α : Sort u} : Nonempty α → α

protected theorem Nonempty.elim {α : Sort u} {p : Prop} (h₁ : Nonempty α) (h₂ : α → p) : p :=
  match h₁ with
  | .intro a => h₂ a
instance {α : Sort u} [Inhabited α] : Nonempty α := ⟨default⟩
noncomputable def Classical.ofNonempty {α : Sort u} [Nonempty α] : α :=
  Classical.choice inferInstance
instance {α : Sort u} {β : Sort v} [Nonempty β] : Nonempty (α → β) :=
  ⟨fun _ => Classical.ofNonempty⟩
instance Pi.instNonempty {α : Sort u} {β : α → Sort v} [(a : α) → Nonempty (β a)] :
    Nonempty ((a : α) → β a) := ⟨fun _ => Classical.ofNonempty⟩
instance : Inhabited (Sort u) := ⟨PUnit⟩
instance (α : Sort u) {β : Sort v} [Inhabited β] : Inhabited (α → β) := ⟨fun _ => default⟩
instance Pi.instInhabited {α : Sort u} {β : α → Sort v} [(a : α) → Inhabited (β a)] :
    Inhabited ((a : α) → β a) := ⟨fun _ => default⟩
instance : Inhabited Bool := ⟨false⟩
instance : Inhabited Prop := ⟨True⟩

structure PLift (α : Sort u) : Type u where
  up :: down : α
def NonemptyType := Subtype fun α : Type u => Nonempty α
abbrev NonemptyType.type (type : NonemptyType.{u}) : Type u := type.val
instance : Inhabited NonemptyType.{u} := ⟨⟨PUnit, ⟨⟨⟩⟩⟩⟩
structure ULift.{r, s} (α : Type s) : Type (max s r) where
  up :: down : α
set_option bootstrap.inductiveCheckResultingUniverse false in
structure PULift.{r, s} (α : Sort s) : Sort (max s r 1) where
  up :: down : α

/-! ## Bool and Decidable -/
@[macro_inline, implicit_reducible] def cond {α : Sort u} (c : Bool) (x y : α) : α :=
  match c with
  | true => x
  | false => y
@[macro_inline] protected def Bool.dcond {α : Sort u} (c : Bool) (x : Eq c true → α)
    (y : Eq c false → α) : α :=
  match c with
  | true => x rfl
  | false => y rfl
-- By the recursor, so that they compute without unfolding a matcher; the compiler takes the others.
@[implicit_reducible] noncomputable def Bool.or (x y : Bool) : Bool := Bool.rec y true x
@[implicit_reducible] noncomputable def Bool.and (x y : Bool) : Bool := Bool.rec false y x
@[implicit_reducible] noncomputable def Bool.not (x : Bool) : Bool := Bool.rec true false x
@[macro_inline] def Bool.Internal.or (x y : Bool) : Bool :=
  match x with
  | true => true
  | false => y
@[macro_inline] def Bool.Internal.and (x y : Bool) : Bool :=
  match x with
  | false => false
  | true => y
@[inline] def Bool.Internal.not : Bool → Bool
  | true => false
  | false => true
@[csimp] theorem Bool.and_eq_internalAnd : Eq Bool.and Bool.Internal.and :=
  funext fun | true | false => rfl
@[csimp] theorem Bool.or_eq_internalOr : Eq Bool.or Bool.Internal.or :=
  funext fun | true | false => rfl
@[csimp] theorem Bool.not_eq_internalNot : Eq Bool.not Bool.Internal.not :=
  funext fun | true | false => rfl
export Bool (or and not)
@[inline, implicit_reducible] def Bool.beq (a b : Bool) : Bool :=
  match b with
  | false => not a
  | true => a

abbrev Bool.Reflects : Bool → Prop → Prop
  | false, p => Not p
  | true, p => p

/-- Since 4.35 a structure: a Boolean and the proof that it tells the truth. -/
class Decidable (p : Prop) where
  intro ::
  decide : Bool
  reflects_decide (p) : decide.Reflects p
attribute [implicit_reducible] Decidable.decide

@[match_pattern] abbrev Decidable.isFalse {p : Prop} (h : Not p) : Decidable p := ⟨false, h⟩
@[match_pattern] abbrev Decidable.isTrue {p : Prop} (h : p) : Decidable p := ⟨true, h⟩
@[cases_eliminator, induction_eliminator, elab_as_elim]
abbrev Decidable.falseTrueCases {p : Prop} {motive : Decidable p → Sort u}
    (isFalse : (h : Not p) → motive (isFalse h)) (isTrue : (h : p) → motive (isTrue h))
    (t : Decidable p) : motive t :=
  t.casesOn fun b => b.casesOn isFalse isTrue
export Decidable (isTrue isFalse decide)

abbrev DecidablePred {α : Sort u} (r : α → Prop) := (a : α) → Decidable (r a)
abbrev DecidableRel {α : Sort u} {β : Sort v} (r : α → β → Prop) :=
  (a : α) → (b : β) → Decidable (r a b)
abbrev DecidableEq (α : Sort u) := (a b : α) → Decidable (Eq a b)
def decEq {α : Sort u} [inst : DecidableEq α] (a b : α) : Decidable (Eq a b) := inst a b

theorem decide_eq_true : [inst : Decidable p] → p → Eq (decide p) true
  | isTrue _, _ => rfl
  | isFalse h₁, h₂ => absurd h₂ h₁
theorem decide_eq_false : [Decidable p] → Not p → Eq (decide p) false
  | isTrue h₁, h₂ => absurd h₁ h₂
  | isFalse _, _ => rfl
theorem of_decide_eq_true [inst : Decidable p] (h : Eq (decide p) true) : p :=
  Eq.subst (motive := fun b => Bool.Reflects b p) h (Decidable.reflects_decide p)
theorem of_decide_eq_false [inst : Decidable p] (h : Eq (decide p) false) : Not p :=
  Eq.subst (motive := fun b => Bool.Reflects b p) h (Decidable.reflects_decide p)
theorem of_decide_eq_self_eq_true [inst : DecidableEq α] (a : α) : Eq (decide (Eq a a)) true :=
  decide_eq_true rfl

@[macro_inline] instance {p q} [dp : Decidable p] [dq : Decidable q] : Decidable (And p q) where
  decide := and (decide p) (decide q)
  reflects_decide :=
    match dp, dq with
    | isTrue hp, isTrue hq => ⟨hp, hq⟩
    | isTrue _, isFalse hq => fun h => hq h.right
    | isFalse hp, _ => fun h => hp h.left
@[macro_inline] instance {p q} [dp : Decidable p] [dq : Decidable q] : Decidable (Or p q) where
  decide := or (decide p) (decide q)
  reflects_decide :=
    match dp, dq with
    | isTrue hp, _ => .inl hp
    | isFalse _, isTrue hq => .inr hq
    | isFalse hp, isFalse hq => fun h => h.elim hp hq
@[inline] instance {p} [dp : Decidable p] : Decidable (Not p) where
  decide := not (decide p)
  reflects_decide :=
    match dp with
    | isTrue hp => absurd hp
    | isFalse hp => hp

@[inline, implicit_reducible] def Bool.decEq (a b : Bool) : Decidable (Eq a b) where
  decide := a.beq b
  reflects_decide :=
    match a, b with
    | false, false => rfl
    | false, true => fun h => Bool.noConfusion h
    | true, false => fun h => Bool.noConfusion h
    | true, true => rfl
@[macro_inline] instance : DecidableEq Bool := Bool.decEq

class BEq (α : Type u) where
  beq : α → α → Bool
open BEq (beq)
instance (priority := 500) [DecidableEq α] : BEq α where
  beq a b := decide (Eq a b)

@[macro_inline, implicit_reducible]
def dite {α : Sort u} (c : Prop) [h : Decidable c] (t : c → α) (e : Not c → α) : α :=
  h.decide.casesOn e t h.reflects_decide
@[macro_inline, implicit_reducible]
def ite {α : Sort u} (c : Prop) [h : Decidable c] (t e : α) : α := dite c (fun _ => t) (fun _ => e)

/-! ## Natural numbers and the classes behind the operators -/
set_option genCtorIdx false in -- it would need `Nat` itself
inductive Nat where
  | zero : Nat
  | succ (n : Nat) : Nat
instance : Inhabited Nat := ⟨Nat.zero⟩

class OfNat (α : Type u) (_ : Nat) where
  ofNat : α
@[default_instance 100] instance instOfNatNat : (n : Nat) → OfNat Nat n := fun n => ⟨n⟩

class LE (α : Type u) where
  le : α → α → Prop
class LT (α : Type u) where
  lt : α → α → Prop
@[reducible] def GE.ge [LE α] (a b : α) : Prop := LE.le b a
@[reducible] def GT.gt [LT α] (a b : α) : Prop := LT.lt b a
abbrev DecidableLT (α : Type u) [LT α] := DecidableRel (LT.lt : α → α → Prop)
abbrev DecidableLE (α : Type u) [LE α] := DecidableRel (LE.le : α → α → Prop)
class Max (α : Type u) where
  max : α → α → α
export Max (max)
@[inline, instance_reducible] def maxOfLe [LE α] [DecidableRel (@LE.le α _)] : Max α where
  max x y := ite (LE.le x y) y x
class Min (α : Type u) where
  min : α → α → α
export Min (min)
@[inline, instance_reducible] def minOfLe [LE α] [DecidableRel (@LE.le α _)] : Min α where
  min x y := ite (LE.le x y) x y

class Trans (r : α → β → Sort u) (s : β → γ → Sort v) (t : outParam (α → γ → Sort w)) where
  trans : r a b → s b c → t a c
export Trans (trans)
instance (r : α → γ → Sort u) : Trans Eq r r where
  trans heq h' := heq ▸ h'
instance (r : α → β → Sort u) : Trans r Eq r where
  trans h' heq := heq ▸ h'

class HAdd (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hAdd : α → β → γ
class HSub (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hSub : α → β → γ
class HMul (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hMul : α → β → γ
class HDiv (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hDiv : α → β → γ
class HMod (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hMod : α → β → γ
class HPow (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hPow : α → β → γ
class HAppend (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hAppend : α → β → γ
class HOrElse (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hOrElse : α → (Unit → β) → γ
class HAndThen (α : Type u) (β : Type v) (γ : outParam (Type w)) where
  hAndThen : α → (Unit → β) → γ
class Zero (α : Type u) where
  zero : α
class One (α : Type u) where
  one : α
class Add (α : Type u) where
  add : α → α → α
class Sub (α : Type u) where
  sub : α → α → α
class Mul (α : Type u) where
  mul : α → α → α
class Neg (α : Type u) where
  neg : α → α
class Div (α : Type u) where
  div : α → α → α
class Inv (α : Type u) where
  inv : α → α
class Mod (α : Type u) where
  mod : α → α → α
class Dvd (α : Type u) where
  dvd : α → α → Prop
class Pow (α : Type u) (β : Type v) where
  pow : α → β → α
class NatPow (α : Type u) where
  protected pow : α → Nat → α
class Append (α : Type u) where
  append : α → α → α
class OrElse (α : Type u) where
  orElse : α → (Unit → α) → α
class AndThen (α : Type u) where
  andThen : α → (Unit → α) → α

@[default_instance] instance instHAdd [Add α] : HAdd α α α where
  hAdd a b := Add.add a b
@[default_instance] instance instHSub [Sub α] : HSub α α α where
  hSub a b := Sub.sub a b
@[default_instance] instance instHMul [Mul α] : HMul α α α where
  hMul a b := Mul.mul a b
@[default_instance] instance instHDiv [Div α] : HDiv α α α where
  hDiv a b := Div.div a b
@[default_instance] instance instHMod [Mod α] : HMod α α α where
  hMod a b := Mod.mod a b
@[default_instance] instance instHPow [Pow α β] : HPow α β α where
  hPow a b := Pow.pow a b
@[default_instance] instance instPowNat [NatPow α] : Pow α Nat where
  pow a n := NatPow.pow a n
@[default_instance] instance [Append α] : HAppend α α α where
  hAppend a b := Append.append a b
@[default_instance] instance [OrElse α] : HOrElse α α α where
  hOrElse a b := OrElse.orElse a b
@[default_instance] instance [AndThen α] : HAndThen α α α where
  hAndThen a b := AndThen.andThen a b

class Membership (α : outParam (Type u)) (γ : Type v) where
  mem : γ → α → Prop
attribute [implicit_reducible] Membership.mem

-- The kernel evaluates add, sub, mul, pow, div, mod, beq, ble on literals by these very names.
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_add", instance_reducible] protected def Nat.add : (@& Nat) → (@& Nat) → Nat
  | n, .zero => n
  | n, .succ m => .succ (Nat.add n m)
instance instAddNat : Add Nat := ⟨Nat.add⟩
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_mul", instance_reducible] protected def Nat.mul : (@& Nat) → (@& Nat) → Nat
  | _, 0 => 0
  | n, .succ m => Nat.add (Nat.mul n m) n
instance instMulNat : Mul Nat := ⟨Nat.mul⟩
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_pow"] protected def Nat.pow (m : @& Nat) : (@& Nat) → Nat
  | 0 => 1
  | .succ n => Nat.mul (Nat.pow m n) m
instance instNatPowNat : NatPow Nat := ⟨Nat.pow⟩
attribute [match_pattern] Nat.add Add.add HAdd.hAdd Neg.neg Mul.mul HMul.hMul Inv.inv
instance : Zero Nat := ⟨0⟩
instance : One Nat := ⟨1⟩

set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_dec_eq"] def Nat.beq : (@& Nat) → (@& Nat) → Bool
  | .zero, .zero => true
  | .zero, .succ _ => false
  | .succ _, .zero => false
  | .succ n, .succ m => Nat.beq n m
theorem Nat.eq_of_beq_eq_true : {n m : Nat} → Eq (Nat.beq n m) true → Eq n m
  | .zero, .zero, _ => rfl
  | .zero, .succ _, h => Bool.noConfusion h
  | .succ _, .zero, h => Bool.noConfusion h
  | .succ n, .succ m, h =>
    have h : Eq (Nat.beq n m) true := h
    congrArg Nat.succ (Nat.eq_of_beq_eq_true h)
protected theorem Nat.beq_refl : (n : Nat) → Eq (Nat.beq n n) true
  | .zero => rfl
  | .succ n => Nat.beq_refl n
theorem Nat.ne_of_beq_eq_false {n m : Nat} (h : Eq (Nat.beq n m) false) : Not (Eq n m) :=
  fun e => Bool.ne_true_of_eq_false h
    (Eq.subst (motive := fun m => Eq (Nat.beq n m) true) e (Nat.beq_refl n))

/-- Enumeration types get their `noConfusion` through these two. -/
private theorem noConfusion_of_Nat.aux (a : Nat) :
    Bool.rec (motive := fun _ => Prop) False True (Nat.beq a a) :=
  Eq.subst (motive := fun b => Bool.rec (motive := fun _ => Prop) False True b)
    (Eq.symm (Nat.beq_refl a)) True.intro
theorem noConfusion_of_Nat {α : Sort u} (f : α → Nat) {a b : α} (h : Eq a b) :
    (Nat.beq (f a) (f b)).rec False True :=
  Eq.subst (motive := fun b => Bool.rec (motive := fun _ => Prop) False True (Nat.beq (f a) (f b)))
    h (noConfusion_of_Nat.aux (f a))

@[reducible, extern "lean_nat_dec_eq"]
protected def Nat.decEq (n m : @& Nat) : Decidable (Eq n m) where
  decide := Nat.beq n m
  reflects_decide :=
    match h : Nat.beq n m with
    | true => Nat.eq_of_beq_eq_true h
    | false => Nat.ne_of_beq_eq_false h
@[inline] instance : DecidableEq Nat := Nat.decEq

-- `Bool` came before `Nat`, so this was not made with the type (nor `Nat.ctorIdx`, below).
def Bool.ctorIdx : Bool → Nat
  | false => 0
  | true => 1

set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_dec_le"] def Nat.ble : (@& Nat) → (@& Nat) → Bool
  | .zero, _ => true
  | .succ _, .zero => false
  | .succ n, .succ m => Nat.ble n m

protected inductive Nat.le (n : Nat) : Nat → Prop where
  | refl : Nat.le n n
  | step {m} : Nat.le n m → Nat.le n (.succ m)
instance instLENat : LE Nat := ⟨Nat.le⟩
@[implicit_reducible] protected def Nat.lt (n m : Nat) : Prop := Nat.le (.succ n) m
instance instLTNat : LT Nat := ⟨Nat.lt⟩

theorem Nat.not_succ_le_zero (n : Nat) : LE.le (succ n) 0 → False :=
  have go : (m : Nat) → Nat.le (succ n) m → Eq m 0 → False := fun _ h =>
    match h with
    | .refl => fun e => Nat.noConfusion e
    | .step _ => fun e => Nat.noConfusion e
  fun h => go 0 h rfl
theorem Nat.not_lt_zero (n : Nat) : Not (LT.lt n 0) := not_succ_le_zero n
theorem Nat.zero_le : (n : Nat) → LE.le 0 n
  | .zero => .refl
  | .succ n => .step (zero_le n)
theorem Nat.succ_le_succ {n m : Nat} : LE.le n m → LE.le (succ n) (succ m)
  | .refl => .refl
  | .step h => .step (succ_le_succ h)
theorem Nat.zero_lt_succ (n : Nat) : LT.lt 0 (succ n) := succ_le_succ (zero_le n)
theorem Nat.le_succ_of_le {n m : Nat} (h : LE.le n m) : LE.le n (succ m) := .step h
protected theorem Nat.le_trans {n m k : Nat} : LE.le n m → LE.le m k → LE.le n k
  | h, .refl => h
  | h₁, .step h₂ => .step (Nat.le_trans h₁ h₂)
protected theorem Nat.lt_of_lt_of_le {n m k : Nat} : LT.lt n m → LE.le m k → LT.lt n k :=
  Nat.le_trans
protected theorem Nat.lt_trans {n m k : Nat} (h₁ : LT.lt n m) : LT.lt m k → LT.lt n k :=
  Nat.le_trans (le_succ_of_le h₁)
theorem Nat.le_succ (n : Nat) : LE.le n (succ n) := .step .refl
protected theorem Nat.le_refl (n : Nat) : LE.le n n := .refl
theorem Nat.succ_pos (n : Nat) : LT.lt 0 (succ n) := zero_lt_succ n
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_pred", implicit_reducible] def Nat.pred : (@& Nat) → Nat
  | 0 => 0
  | .succ a => a
theorem Nat.pred_le_pred : {n m : Nat} → LE.le n m → LE.le (pred n) (pred m)
  | _, _, .refl => .refl
  | 0, .succ _, .step h => h
  | .succ _, .succ _, .step h => Nat.le_trans (le_succ _) h
theorem Nat.le_of_succ_le_succ {n m : Nat} : LE.le (succ n) (succ m) → LE.le n m := pred_le_pred
theorem Nat.le_of_lt_succ {m n : Nat} : LT.lt m (succ n) → LE.le m n := le_of_succ_le_succ
protected theorem Nat.eq_or_lt_of_le : {n m : Nat} → LE.le n m → Or (Eq n m) (LT.lt n m)
  | _, _, .refl => .inl rfl
  | _, _, .step h => .inr (succ_le_succ h)
protected theorem Nat.lt_or_ge (n : Nat) : (m : Nat) → Or (LT.lt n m) (GE.ge n m)
  | 0 => .inr (zero_le n)
  | .succ m =>
    match Nat.lt_or_ge n m with
    | .inl h => .inl (le_succ_of_le h)
    | .inr h =>
      match Nat.eq_or_lt_of_le h with
      | .inl h => .inl (Eq.subst (motive := fun k => LT.lt n (succ k)) (Eq.symm h) .refl)
      | .inr h => .inr h
theorem Nat.not_succ_le_self : (n : Nat) → Not (LE.le (succ n) n)
  | 0 => not_succ_le_zero _
  | .succ n => fun h => not_succ_le_self n (le_of_succ_le_succ h)
protected theorem Nat.lt_irrefl (n : Nat) : Not (LT.lt n n) := not_succ_le_self n
protected theorem Nat.lt_of_le_of_lt {n m k : Nat} (h₁ : LE.le n m) (h₂ : LT.lt m k) : LT.lt n k :=
  Nat.le_trans (succ_le_succ h₁) h₂
protected theorem Nat.le_antisymm {n m : Nat} (h₁ : LE.le n m) (h₂ : LE.le m n) : Eq n m :=
  match Nat.eq_or_lt_of_le h₁ with
  | .inl h => h
  | .inr h => absurd (Nat.lt_of_lt_of_le h h₂) (Nat.lt_irrefl n)
protected theorem Nat.lt_of_le_of_ne {n m : Nat} (h₁ : LE.le n m) (h₂ : Not (Eq n m)) : LT.lt n m :=
  (Nat.eq_or_lt_of_le h₁).resolve_left h₂
theorem Nat.le_of_ble_eq_true : {n m : Nat} → (h : Eq (Nat.ble n m) true) → LE.le n m
  | 0, _, _ => zero_le _
  | .succ _, .succ _, h => succ_le_succ (le_of_ble_eq_true h)
theorem Nat.ble_self_eq_true : (n : Nat) → Eq (Nat.ble n n) true
  | 0 => rfl
  | .succ n => ble_self_eq_true n
theorem Nat.ble_succ_eq_true : {n m : Nat} → Eq (Nat.ble n m) true → Eq (Nat.ble n (succ m)) true
  | 0, _, _ => rfl
  | .succ n, .succ m, h => ble_succ_eq_true (n := n) (m := m) h
theorem Nat.ble_eq_true_of_le : {n m : Nat} → (h : LE.le n m) → Eq (Nat.ble n m) true
  | n, _, .refl => ble_self_eq_true n
  | _, _, .step h => ble_succ_eq_true (ble_eq_true_of_le h)
theorem Nat.not_le_of_not_ble_eq_true {n m : Nat} (h : Not (Eq (Nat.ble n m) true)) :
    Not (LE.le n m) := fun h' => h (ble_eq_true_of_le h')
theorem Nat.lt_succ_of_le {n m : Nat} : LE.le n m → LT.lt n (succ m) := succ_le_succ
protected theorem Nat.lt_add_one (n : Nat) : LT.lt n (HAdd.hAdd n 1) := .refl
theorem Nat.lt_succ_self (n : Nat) : LT.lt n (succ n) := .refl
protected theorem Nat.lt_of_not_le {a b : Nat} (h : Not (LE.le a b)) : LT.lt b a :=
  (Nat.lt_or_ge b a).resolve_right h
protected theorem Nat.add_pos_right {b : Nat} (a : Nat) (hb : LT.lt 0 b) :
    LT.lt 0 (HAdd.hAdd a b) :=
  match b with
  | 0 => absurd hb (not_lt_zero 0)
  | .succ _ => zero_lt_succ _
protected theorem Nat.mul_pos {n m : Nat} (hn : LT.lt 0 n) (hm : LT.lt 0 m) :
    LT.lt 0 (HMul.hMul n m) :=
  match m with
  | 0 => absurd hm (not_lt_zero 0)
  | .succ m => Nat.add_pos_right (Nat.mul n m) hn
protected theorem Nat.pow_pos {a : Nat} : {n : Nat} → (h : LT.lt 0 a) → LT.lt 0 (HPow.hPow a n)
  | 0, _ => zero_lt_succ _
  | .succ _, h => Nat.mul_pos (Nat.pow_pos h) h

@[extern "lean_nat_dec_le"] instance Nat.decLe (n m : @& Nat) : Decidable (LE.le n m) where
  decide := Nat.ble n m
  reflects_decide :=
    match h : Nat.ble n m with
    | true => le_of_ble_eq_true h
    | false => not_le_of_not_ble_eq_true (Bool.ne_true_of_eq_false h)
@[extern "lean_nat_dec_lt"] instance Nat.decLt (n m : @& Nat) : Decidable (LT.lt n m) :=
  Nat.decLe (succ n) m
instance : Max Nat := maxOfLe
instance : Min Nat := minOfLe

set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_sub", instance_reducible] protected def Nat.sub : (@& Nat) → (@& Nat) → Nat
  | n, 0 => n
  | n, .succ m => pred (Nat.sub n m)
instance instSubNat : Sub Nat := ⟨Nat.sub⟩
def Nat.ctorIdx : Nat → Nat
  | zero => 0
  | succ _ => 1
theorem Nat.succ_sub_succ_eq_sub (n : Nat) :
    (m : Nat) → Eq (HSub.hSub (succ n) (succ m)) (HSub.hSub n m)
  | 0 => rfl
  | .succ m => congrArg pred (succ_sub_succ_eq_sub n m)
theorem Nat.pred_le : (n : Nat) → LE.le (pred n) n
  | 0 => .refl
  | .succ _ => le_succ _
theorem Nat.sub_le (n : Nat) : (m : Nat) → LE.le (HSub.hSub n m) n
  | 0 => .refl
  | .succ m => Nat.le_trans (pred_le _) (sub_le n m)
theorem Nat.sub_lt : {n m : Nat} → LT.lt 0 n → LT.lt 0 m → LT.lt (HSub.hSub n m) n
  | .succ n, .succ m, _, _ =>
    Eq.subst (motive := fun k => LT.lt k (succ n)) (Eq.symm (succ_sub_succ_eq_sub n m))
      (succ_le_succ (sub_le n m))
theorem Nat.div_rec_lemma {x y : Nat} : And (LT.lt 0 y) (LE.le y x) → LT.lt (HSub.hSub x y) x :=
  fun h => sub_lt (Nat.lt_of_lt_of_le h.left h.right) h.left
theorem Nat.div_rec_fuel_lemma {x y fuel : Nat} (hy : LT.lt 0 y) (hle : LE.le y x)
    (hfuel : LT.lt x (HAdd.hAdd fuel 1)) : LT.lt (HSub.hSub x y) fuel :=
  Nat.lt_of_lt_of_le (div_rec_lemma ⟨hy, hle⟩) (le_of_lt_succ hfuel)

-- Fuel instead of well-founded recursion: it reduces in the kernel, also on non-literals.
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_div", irreducible] protected def Nat.div (x y : @& Nat) : Nat :=
  dite (LT.lt 0 y) (fun hy =>
    let rec go (fuel x : Nat) (hfuel : LT.lt x fuel) : Nat :=
      match fuel with
      | .succ fuel => dite (LE.le y x)
        (fun h => HAdd.hAdd (go fuel (HSub.hSub x y) (div_rec_fuel_lemma hy h hfuel)) 1)
        (fun _ => 0)
    go (succ x) x .refl) (fun _ => 0)
instance Nat.instDiv : Div Nat := ⟨Nat.div⟩
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_mod"] protected def Nat.modCore (x y : Nat) : Nat :=
  dite (LT.lt 0 y) (fun hy =>
    let rec go (fuel x : Nat) (hfuel : LT.lt x fuel) : Nat :=
      match fuel with
      | .succ fuel => dite (LE.le y x)
        (fun h => go fuel (HSub.hSub x y) (div_rec_fuel_lemma hy h hfuel)) (fun _ => x)
    go (succ x) x .refl) (fun _ => x)
theorem Nat.modCoreGo_lt {fuel y : Nat} (hy : LT.lt 0 y) (x : Nat) (hfuel : LT.lt x fuel) :
    LT.lt (Nat.modCore.go y hy fuel x hfuel) y :=
  match fuel, x, hfuel with
  | 0, _, h => absurd h (not_lt_zero _)
  | .succ fuel, x, hfuel =>
    show LT.lt (dite (LE.le y x) _ _) y from
    match Nat.decLe y x with
    | ⟨true, h⟩ => modCoreGo_lt hy (HSub.hSub x y) (div_rec_fuel_lemma hy h hfuel)
    | ⟨false, h⟩ => Nat.lt_of_not_le h
theorem Nat.modCore_lt {x y : Nat} (hy : LT.lt 0 y) : LT.lt (Nat.modCore x y) y :=
  show LT.lt (dite (LT.lt 0 y) _ _) y from
  match Nat.decLt 0 y with
  | ⟨true, hy⟩ => modCoreGo_lt hy _ _
  | ⟨false, h⟩ => absurd hy h
attribute [irreducible] Nat.modCore
set_option bootstrap.genMatcherCode false in
@[extern "lean_nat_mod"] protected def Nat.mod : (@& Nat) → (@& Nat) → Nat
  | 0, _ => 0
  | n@(.succ _), m => ite (LE.le m n) (Nat.modCore n m) n
instance Nat.instMod : Mod Nat := ⟨Nat.mod⟩
theorem Nat.mod_lt (x : Nat) {y : Nat} (hy : LT.lt 0 y) : LT.lt (HMod.hMod x y) y :=
  match x with
  | 0 => hy
  | .succ x =>
    show LT.lt (ite (LE.le y (succ x)) _ _) y from
    match Nat.decLe y (succ x) with
    | ⟨true, _⟩ => modCore_lt hy
    | ⟨false, h⟩ => Nat.lt_of_not_le h

/-! ## Fixed-width words, characters, lists, strings: literals need them -/
@[extern "lean_system_platform_nbits"]
opaque System.Platform.getNumBits : Unit → Subtype fun (n : Nat) => Or (Eq n 32) (Eq n 64) :=
  fun _ => ⟨64, .inr rfl⟩
def System.Platform.numBits : Nat := (getNumBits ()).val
theorem System.Platform.numBits_eq : Or (Eq numBits 32) (Eq numBits 64) := (getNumBits ()).property

@[pp_using_anonymous_constructor]
structure Fin (n : Nat) where
  mk ::
  val : Nat
  isLt : LT.lt val n
theorem Fin.eq_of_val_eq {n} : {i j : Fin n} → Eq i.val j.val → Eq i j
  | ⟨_, _⟩, ⟨_, _⟩, rfl => rfl
theorem Fin.val_eq_of_eq {n} {i j : Fin n} (h : Eq i j) : Eq i.val j.val := h ▸ rfl
instance (n : Nat) : DecidableEq (Fin n) := fun i j => {
  decide := decide (Eq i.val j.val)
  reflects_decide :=
    match instDecidableEqNat i.val j.val with
    | isTrue h => Fin.eq_of_val_eq h
    | isFalse h => fun h' => h (Fin.val_eq_of_eq h') }
instance {n} : LT (Fin n) := ⟨fun a b => LT.lt a.val b.val⟩
instance {n} : LE (Fin n) := ⟨fun a b => LE.le a.val b.val⟩
instance Fin.decLt {n} (a b : Fin n) : Decidable (LT.lt a b) := Nat.decLt ..
instance Fin.decLe {n} (a b : Fin n) : Decidable (LE.le a b) := Nat.decLe ..

@[implicit_reducible] protected def Fin.Internal.ofNat (n : Nat) (hn : LT.lt 0 n) (a : Nat) : Fin n :=
  ⟨HMod.hMod a n, Nat.mod_lt _ hn⟩

structure BitVec (w : Nat) where
  ofFin ::
  toFin : Fin (HPow.hPow 2 w)
@[implicit_reducible] def BitVec.decEq (x y : BitVec w) : Decidable (Eq x y) where
  decide := decide (Eq x.toFin y.toFin)
  reflects_decide :=
    match instDecidableEqFin _ x.toFin y.toFin with
    | isTrue h => congrArg BitVec.ofFin h
    | isFalse h => fun h' => h (congrArg BitVec.toFin h')
instance : DecidableEq (BitVec w) := BitVec.decEq
@[match_pattern, implicit_reducible]
protected def BitVec.ofNatLT {w : Nat} (i : Nat) (p : LT.lt i (HPow.hPow 2 w)) : BitVec w := ⟨⟨i, p⟩⟩
@[match_pattern, implicit_reducible] protected def BitVec.ofNat (n i : Nat) : BitVec n where
  toFin := Fin.Internal.ofNat (HPow.hPow 2 n) (Nat.pow_pos (Nat.zero_lt_succ _)) i
@[implicit_reducible] protected def BitVec.toNat (x : BitVec w) : Nat := x.toFin.val

abbrev UInt8.size : Nat := 256
structure UInt8 where
  ofBitVec ::
  toBitVec : BitVec 8
attribute [extern "lean_uint8_of_nat_mk"] UInt8.ofBitVec
attribute [extern "lean_uint8_to_nat"] UInt8.toBitVec
@[extern "lean_uint8_of_nat", implicit_reducible]
def UInt8.ofNatLT (n : @& Nat) (h : LT.lt n UInt8.size) : UInt8 := ⟨BitVec.ofNatLT n h⟩
@[extern "lean_uint8_of_nat", implicit_reducible]
def UInt8.ofNat (n : @& Nat) : UInt8 := ⟨BitVec.ofNat 8 n⟩
@[extern "lean_uint8_dec_eq", implicit_reducible]
def UInt8.decEq (a b : UInt8) : Decidable (Eq a b) where
  decide := decide (Eq a.toBitVec b.toBitVec)
  reflects_decide :=
    match instDecidableEqBitVec a.toBitVec b.toBitVec with
    | isTrue h => congrArg UInt8.ofBitVec h
    | isFalse h => fun h' => h (congrArg UInt8.toBitVec h')
instance : DecidableEq UInt8 := UInt8.decEq
instance : Inhabited UInt8 := ⟨UInt8.ofNatLT 0 (Nat.zero_lt_succ _)⟩

abbrev UInt32.size : Nat := 4294967296
structure UInt32 where
  ofBitVec ::
  toBitVec : BitVec 32
attribute [extern "lean_uint32_of_nat_mk"] UInt32.ofBitVec
attribute [extern "lean_uint32_to_nat"] UInt32.toBitVec
@[extern "lean_uint32_of_nat", implicit_reducible]
def UInt32.ofNatLT (n : @& Nat) (h : LT.lt n UInt32.size) : UInt32 := ⟨BitVec.ofNatLT n h⟩
@[extern "lean_uint32_to_nat", implicit_reducible]
def UInt32.toNat (n : UInt32) : Nat := n.toBitVec.toNat
@[extern "lean_uint32_dec_eq", implicit_reducible]
def UInt32.decEq (a b : UInt32) : Decidable (Eq a b) where
  decide := decide (Eq a.toBitVec b.toBitVec)
  reflects_decide :=
    match instDecidableEqBitVec a.toBitVec b.toBitVec with
    | isTrue h => congrArg UInt32.ofBitVec h
    | isFalse h => fun h' => h (congrArg UInt32.toBitVec h')
instance : DecidableEq UInt32 := UInt32.decEq
instance : Inhabited UInt32 := ⟨UInt32.ofNatLT 0 (Nat.zero_lt_succ _)⟩

abbrev UInt64.size : Nat := 18446744073709551616
structure UInt64 where
  ofBitVec ::
  toBitVec : BitVec 64
attribute [extern "lean_uint64_of_nat_mk"] UInt64.ofBitVec
attribute [extern "lean_uint64_to_nat"] UInt64.toBitVec
@[extern "lean_uint64_of_nat", implicit_reducible]
def UInt64.ofNatLT (n : @& Nat) (h : LT.lt n UInt64.size) : UInt64 := ⟨BitVec.ofNatLT n h⟩
instance : Inhabited UInt64 := ⟨UInt64.ofNatLT 0 (Nat.zero_lt_succ _)⟩

abbrev Nat.isValidChar (n : Nat) : Prop :=
  Or (LT.lt n 0xd800) (And (LT.lt 0xdfff n) (LT.lt n 0x110000))
abbrev UInt32.isValidChar (n : UInt32) : Prop := n.toNat.isValidChar
structure Char where
  val : UInt32
  valid : val.isValidChar
private theorem isValidChar_UInt32 {n : Nat} (h : n.isValidChar) : LT.lt n UInt32.size :=
  match h with
  | .inl h => Nat.lt_trans h (Nat.le_of_ble_eq_true rfl)
  | .inr h => Nat.lt_trans h.right (Nat.le_of_ble_eq_true rfl)
@[extern "lean_uint32_of_nat", implicit_reducible] def Char.ofNatAux (n : @& Nat) (h : n.isValidChar) : Char :=
  ⟨⟨BitVec.ofNatLT n (isValidChar_UInt32 h)⟩, h⟩
@[noinline, match_pattern, implicit_reducible] def Char.ofNat (n : Nat) : Char :=
  dite (n.isValidChar) (fun h => Char.ofNatAux n h)
    (fun _ => ⟨⟨BitVec.ofNatLT 0 (Nat.zero_lt_succ _)⟩, .inl (Nat.le_of_ble_eq_true rfl)⟩)
theorem Char.ext : {c d : Char} → Eq c.val d.val → Eq c d
  | ⟨_, _⟩, ⟨_, _⟩, rfl => rfl
theorem Char.val_eq_of_eq : {c d : Char} → Eq c d → Eq c.val d.val
  | _, _, rfl => rfl
instance : DecidableEq Char := fun c d => {
  decide := decide (Eq c.val d.val)
  reflects_decide :=
    match instDecidableEqUInt32 c.val d.val with
    | isTrue h => Char.ext h
    | isFalse h => fun h' => h (Char.val_eq_of_eq h') }

inductive Option (α : Type u) where
  | none : Option α
  | some (val : α) : Option α
attribute [unbox] Option
export Option (none some)
instance {α} : Inhabited (Option α) := ⟨none⟩
@[macro_inline, implicit_reducible] def Option.getD (opt : Option α) (dflt : α) : α :=
  match opt with
  | some x => x
  | none => dflt
@[inline, implicit_reducible] protected def Option.map (f : α → β) : Option α → Option β
  | some x => some (f x)
  | none => none

inductive List (α : Type u) where
  | nil : List α
  | cons (head : α) (tail : List α) : List α
instance {α} : Inhabited (List α) := ⟨.nil⟩
@[implicit_reducible] protected def List.beq {α : Type u} [BEq α] : (a b : List α) → Bool
  | nil, nil => true
  | cons _ _, nil => false
  | nil, cons _ _ => false
  | cons a as, cons b bs => and (beq a b) (List.beq as bs)
@[instance_reducible] protected def List.hasDecEq {α : Type u} [d : DecidableEq α] (a b : List α) :
    Decidable (Eq a b) where
  decide := a.beq b
  reflects_decide := go a b
where
  go : (a b : List α) → (a.beq b).Reflects (Eq a b)
  | nil, nil => rfl
  | cons _ _, nil => fun h => List.noConfusion rfl (heq_of_eq h)
  | nil, cons _ _ => fun h => List.noConfusion rfl (heq_of_eq h)
  | cons a as, cons b bs => show (and (decide (Eq a b)) (List.beq as bs)).Reflects _ from
    match d a b, List.beq as bs, go as bs with
    | isFalse h, _, _ => fun e => List.noConfusion rfl (heq_of_eq e) (fun e _ => h (eq_of_heq e))
    | isTrue _, false, h => fun e => List.noConfusion rfl (heq_of_eq e) (fun _ e => h (eq_of_heq e))
    | isTrue h, true, h' => h' ▸ h ▸ rfl
-- One list after the other, so that comparing with `[]` unfolds to the two instances below.
instance {α : Type u} [DecidableEq α] : DecidableEq (List α) := fun xs ys =>
  match xs with
  | .nil => match ys with
    | .nil => isTrue rfl
    | .cons _ _ => isFalse fun h => List.noConfusion rfl (heq_of_eq h)
  | .cons a as => match ys with
    | .nil => isFalse fun h => List.noConfusion rfl (heq_of_eq h)
    | .cons b bs =>
      match decEq a b with
      | isTrue hab => match List.hasDecEq as bs with
        | isTrue h => isTrue (hab ▸ h ▸ rfl)
        | isFalse h => isFalse fun e =>
          List.noConfusion rfl (heq_of_eq e) (fun _ e => h (eq_of_heq e))
      | isFalse h => isFalse fun e =>
        List.noConfusion rfl (heq_of_eq e) (fun e _ => h (eq_of_heq e))
instance List.instDecidableNilEq (a : List α) : Decidable (Eq List.nil a) :=
  match a with
  | .nil => isTrue rfl
  | .cons _ _ => isFalse fun h => List.noConfusion rfl (heq_of_eq h)
instance List.instDecidableEqNil (a : List α) : Decidable (Eq a List.nil) :=
  match a with
  | .nil => isTrue rfl
  | .cons _ _ => isFalse fun h => List.noConfusion rfl (heq_of_eq h)
@[instance_reducible] def List.length : List α → Nat
  | nil => 0
  | cons _ as => HAdd.hAdd (length as) 1
@[implicit_reducible] def List.get {α : Type u} : (as : List α) → Fin as.length → α
  | cons a _, ⟨0, _⟩ => a
  | cons _ as, ⟨.succ i, h⟩ => get as ⟨i, Nat.le_of_succ_le_succ h⟩
@[specialize] def List.foldl {α : Type u} {β : Type v} (f : α → β → α) : (init : α) → List β → α
  | a, nil => a
  | a, cons b l => foldl f (f a b) l
@[specialize, implicit_reducible] def List.map (f : α → β) : (l : List α) → List β
  | nil => nil
  | cons a as => cons (f a) (map f as)
@[implicit_reducible] protected def List.append : (xs ys : List α) → List α
  | nil, bs => bs
  | cons a as, bs => cons a (List.append as bs)
@[implicit_reducible] def List.concat {α : Type u} : List α → α → List α
  | nil, b => cons b nil
  | cons a as, b => cons a (concat as b)
@[implicit_reducible] def List.flatten : List (List α) → List α
  | nil => nil
  | cons l L => List.append l (flatten L)
@[inline, implicit_reducible] def List.flatMap {α : Type u} {β : Type v} (b : α → List β) (as : List α) : List β :=
  flatten (map b as)

structure Array (α : Type u) where
  mk ::
  toList : List α
attribute [extern "lean_array_to_list"] Array.toList
attribute [extern "lean_array_mk"] Array.mk
@[match_pattern] abbrev List.toArray (xs : List α) : Array α := .mk xs
@[extern "lean_mk_empty_array_with_capacity"] def Array.mkEmpty {α : Type u} (c : @& Nat) : Array α :=
  .mk .nil
@[extern "lean_mk_empty_array_with_capacity", implicit_reducible]
def Array.emptyWithCapacity {α : Type u} (c : @& Nat) : Array α := .mk .nil
@[inline, implicit_reducible] def Array.empty {α : Type u} : Array α := emptyWithCapacity 0
@[extern "lean_array_get_size"] def Array.size {α : Type u} (a : @& Array α) : Nat := a.toList.length
@[extern "lean_array_push"] def Array.push {α : Type u} (a : Array α) (v : α) : Array α :=
  .mk (List.concat a.toList v)

structure ByteArray where
  data : Array UInt8
attribute [extern "lean_byte_array_mk"] ByteArray.mk
attribute [extern "lean_byte_array_data"] ByteArray.data
@[extern "lean_mk_empty_byte_array"] def ByteArray.emptyWithCapacity (c : @& Nat) : ByteArray :=
  ⟨Array.empty⟩
def ByteArray.empty : ByteArray := emptyWithCapacity 0
@[extern "lean_byte_array_push"] def ByteArray.push : ByteArray → UInt8 → ByteArray
  | ⟨bs⟩, b => ⟨bs.push b⟩
@[extern "lean_byte_array_size"] def ByteArray.size : (@& ByteArray) → Nat
  | ⟨bs⟩ => bs.size
def List.toByteArray (bs : List UInt8) : ByteArray :=
  let rec loop : List UInt8 → ByteArray → ByteArray
    | nil, r => r
    | cons b bs, r => loop bs (r.push b)
  loop bs ByteArray.empty
/-- UTF-8: one byte, or a lead byte with a tag and continuation bytes of six bits each. -/
def String.utf8EncodeChar (c : Char) : List UInt8 :=
  let v := c.val.toNat
  let rec byte (d m tag v : Nat) : UInt8 := UInt8.ofNat (HAdd.hAdd (HMod.hMod (HDiv.hDiv v d) m) tag)
  ite (LE.le v 0x7f) (.cons (byte 1 256 0 v) .nil)
    (ite (LE.le v 0x7ff) (.cons (byte 64 0x20 0xc0 v) (.cons (byte 1 64 0x80 v) .nil))
      (ite (LE.le v 0xffff)
        (.cons (byte 4096 0x10 0xe0 v) (.cons (byte 64 64 0x80 v) (.cons (byte 1 64 0x80 v) .nil)))
        (.cons (byte 262144 0x08 0xf0 v) (.cons (byte 4096 64 0x80 v)
          (.cons (byte 64 64 0x80 v) (.cons (byte 1 64 0x80 v) .nil))))))
def List.utf8Encode (l : List Char) : ByteArray := (l.flatMap String.utf8EncodeChar).toByteArray
inductive ByteArray.IsValidUTF8 (b : ByteArray) : Prop where
  | intro (m : List Char) (hm : Eq b (List.utf8Encode m)) : IsValidUTF8 b
structure String where
  ofByteArray ::
  toByteArray : ByteArray
  isValidUTF8 : toByteArray.IsValidUTF8
attribute [extern "lean_string_to_utf8"] String.toByteArray
attribute [extern "lean_string_from_utf8_unchecked"] String.ofByteArray
/-- The kernel reads a string literal as `String.ofList` of its characters. -/
@[extern "lean_string_mk"] def String.ofList (data : List Char) : String :=
  ⟨List.utf8Encode data, .intro data rfl⟩
private theorem ByteArray.eq_of_bytes {a b : ByteArray} (h : Eq a.data.toList b.data.toList) : Eq a b :=
  match a, b, h with
  | ⟨⟨_⟩⟩, ⟨⟨_⟩⟩, rfl => rfl
@[extern "lean_string_dec_eq"] def String.decEq (s₁ s₂ : @& String) : Decidable (Eq s₁ s₂) :=
  match s₁, s₂ with
  | ⟨a, _⟩, ⟨b, _⟩ =>
    match _root_.decEq a.data.toList b.data.toList with
    | ⟨true, h⟩ => isTrue (match a, b, ByteArray.eq_of_bytes h with | _, _, rfl => rfl)
    | ⟨false, h⟩ => isFalse fun e => h (congrArg (fun (s : String) => s.toByteArray.data.toList) e)
instance : DecidableEq String := String.decEq
instance : Inhabited String := ⟨""⟩
structure String.Pos.Raw where
  byteIdx : Nat := 0
instance : Inhabited String.Pos.Raw := ⟨{}⟩
structure Substring.Raw where
  str : String
  startPos : String.Pos.Raw
  stopPos : String.Pos.Raw
instance : Inhabited Substring.Raw := ⟨"", {}, {}⟩
@[extern "lean_string_utf8_byte_size"] def String.utf8ByteSize (s : @& String) : Nat :=
  s.toByteArray.size

@[extern "lean_panic_fn", never_extract] def panicCore {α : Sort u} [Inhabited α] (msg : String) : α :=
  default
@[noinline, never_extract] def panic {α : Sort u} [Inhabited α] (msg : String) : α := panicCore msg
