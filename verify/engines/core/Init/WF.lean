prelude
import Init.Core
/-!
Well-founded recursion: what the elaborator needs to compile `termination_by` definitions, and the
relations on `Nat`, pairs and `sizeOf`.
-/
universe u v w
set_option linter.unusedVariables false
set_option warn.classDefReducibility false

namespace WellFounded
variable {α : Sort u} {C : α → Sort v} {r : α → α → Prop}
theorem induction {C : α → Prop} (hwf : WellFounded r) (a : α)
    (h : ∀ x, (∀ y, r y x → C y) → C x) : C a :=
  (hwf.apply a).rec fun x _ ih => h x ih
variable (F : ∀ x, (∀ y, r y x → C y) → C x)
noncomputable def fixF (x : α) (a : Acc r x) : C x :=
  a.rec fun x₁ _ ih => F x₁ ih
theorem fixF_eq (x : α) (acx : Acc r x) :
    fixF F x acx = F x fun (y : α) (p : r y x) => fixF F y (Acc.inv acx p) :=
  match acx with | ⟨_, _⟩ => rfl
@[irreducible] noncomputable def fix (hwf : WellFounded r) (F : ∀ x, (∀ y, r y x → C y) → C x)
    (x : α) : C x := fixF F x (hwf.apply x)
theorem fix_eq (hwf : WellFounded r) (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) :
    fix hwf F x = F x fun y _ => fix hwf F y := by
  unfold fix; exact fixF_eq F x _
end WellFounded

def InvImage {α : Sort u} {β : Sort v} (r : β → β → Prop) (f : α → β) : α → α → Prop :=
  fun a₁ a₂ => r (f a₁) (f a₂)
theorem InvImage.accessible {α : Sort u} {β : Sort v} {r : β → β → Prop} {a : α} (f : α → β)
    (ac : Acc r (f a)) : Acc (InvImage r f) a :=
  have go : ∀ b, Acc r b → ∀ a, f a = b → Acc (InvImage r f) a := fun b acb =>
    acb.rec fun b _ ih a e => ⟨a, fun y hy => ih (f y) (e ▸ hy) y rfl⟩
  go _ ac a rfl
theorem InvImage.wf {α : Sort u} {β : Sort v} {r : β → β → Prop} (f : α → β) (h : WellFounded r) :
    WellFounded (InvImage r f) := ⟨fun a => accessible f (h.apply (f a))⟩
@[reducible] def invImage {α : Sort u} {β : Sort v} (f : α → β) (h : WellFoundedRelation β) :
    WellFoundedRelation α := ⟨InvImage h.rel f, InvImage.wf f h.wf⟩

private theorem Nat.acc_lt : ∀ n : Nat, Acc (fun a b : Nat => a < b) n
  | 0 => ⟨0, fun _ h => absurd h (Nat.not_lt_zero _)⟩
  | n + 1 => ⟨n + 1, fun m h =>
    match Nat.eq_or_lt_of_le (Nat.le_of_lt_succ h) with
    | .inl e => e ▸ acc_lt n
    | .inr h => (acc_lt n).inv h⟩
abbrev Nat.lt_wfRel : WellFoundedRelation Nat := ⟨(· < ·), ⟨Nat.acc_lt⟩⟩
instance : WellFoundedRelation Nat := Nat.lt_wfRel
abbrev measure {α : Sort u} (f : α → Nat) : WellFoundedRelation α := invImage f Nat.lt_wfRel
abbrev sizeOfWFRel {α : Sort u} [SizeOf α] : WellFoundedRelation α := measure sizeOf
@[instance low] instance {α : Sort u} [SizeOf α] : WellFoundedRelation α := sizeOfWFRel

@[elab_as_elim] protected noncomputable def Nat.strongRecOn {motive : Nat → Sort u} (n : Nat)
    (ind : ∀ n, (∀ m, m < n → motive m) → motive n) : motive n :=
  Nat.lt_wfRel.wf.fix ind n

namespace Prod
variable {α : Type u} {β : Type v} (ra : α → α → Prop) (rb : β → β → Prop)
protected inductive Lex : α × β → α × β → Prop where
  | left {a₁} (b₁) {a₂} (b₂) (h : ra a₁ a₂) : Prod.Lex (a₁, b₁) (a₂, b₂)
  | right (a) {b₁ b₂} (h : rb b₁ b₂) : Prod.Lex (a, b₁) (a, b₂)
theorem lex_def {ra : α → α → Prop} {rb : β → β → Prop} {p q : α × β} :
    Prod.Lex ra rb p q ↔ ra p.1 q.1 ∨ p.1 = q.1 ∧ rb p.2 q.2 :=
  ⟨fun h => match h with | .left _ _ h => .inl h | .right _ h => .inr ⟨rfl, h⟩,
    fun h => match p, q, h with
      | (_, _), (_, _), .inl h => .left _ _ h
      | (a, _), (a', _), .inr ⟨e, h⟩ => (show a = a' from e) ▸ .right a h⟩
variable {ra rb}
theorem lexAccessible {a : α} (aca : Acc ra a) (acb : (b : β) → Acc rb b) (b : β) :
    Acc (Prod.Lex ra rb) (a, b) :=
  aca.rec (motive := fun a _ => ∀ b, Acc (Prod.Lex ra rb) (a, b)) (fun a _ iha b =>
    (acb b).rec (motive := fun b _ => Acc (Prod.Lex ra rb) (a, b)) fun b _ ihb =>
      ⟨(a, b), fun ⟨a', b'⟩ h =>
        match lex_def.mp h with
        | .inl h => iha a' h b'
        | .inr ⟨e, h⟩ => (show a' = a from e) ▸ ihb b' h⟩) b
@[reducible] def lex {α : Type u} {β : Type v} (ha : WellFoundedRelation α)
    (hb : WellFoundedRelation β) : WellFoundedRelation (α × β) :=
  ⟨Prod.Lex ha.rel hb.rel, ⟨fun (a, b) => lexAccessible (ha.wf.apply a) hb.wf.apply b⟩⟩
instance [ha : WellFoundedRelation α] [hb : WellFoundedRelation β] : WellFoundedRelation (α × β) :=
  lex ha hb
end Prod
namespace PSigma
variable {α : Sort u} {β : α → Sort v}
protected inductive Lex (r : α → α → Prop) (s : ∀ a, β a → β a → Prop) :
    PSigma β → PSigma β → Prop where
  | left : ∀ {a₁ : α} (b₁ : β a₁) {a₂ : α} (b₂ : β a₂), r a₁ a₂ → PSigma.Lex r s ⟨a₁, b₁⟩ ⟨a₂, b₂⟩
  | right : ∀ (a : α) {b₁ b₂ : β a}, s a b₁ b₂ → PSigma.Lex r s ⟨a, b₁⟩ ⟨a, b₂⟩
end PSigma

/-- Recursion by a measure: the elaborator's choice whenever the relation is `<` on `Nat`. -/
@[irreducible] noncomputable def WellFounded.Nat.fix {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (· < ·) h y x → motive y) → motive x) (x : α) : motive x :=
  WellFounded.fix (measure h).wf F x
theorem WellFounded.Nat.fix_eq {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (· < ·) h y x → motive y) → motive x) (x : α) :
    WellFounded.Nat.fix h F x = F x (fun y _ => WellFounded.Nat.fix h F y) := by
  unfold WellFounded.Nat.fix; exact WellFounded.fix_eq (measure h).wf F x
/-- Marks variables during the preprocessing of a recursive definition. -/
def wfParam {α : Sort u} (a : α) : α := a
@[never_extract, noinline] opaque Lean.opaqueId {α : Sort u} (x : α) : α := x
