/-!
Smoke test of the Lean core library that a file sees: each feature and tactic that the proofs use
appears once, so that a missing piece is an error here. It compiles unchanged with Lean's own core
(lake) and with the reduced core of the embedded engine.
-/
namespace Smoke
universe u

/-! ## Types, deriving, structure update, instances -/
/-- An enumeration. -/
inductive Kind where
  | create | encode | destroy | complete
deriving DecidableEq, Inhabited, BEq

inductive Point where
  | idle
  | busy (kind : Kind) (block : Option Nat)
deriving DecidableEq, Inhabited

structure Env where
  atomic : Bool := true
  retain : Bool := true
  limit : Nat := 3
deriving DecidableEq, Inhabited

inductive Tree (α : Type u) where
  | leaf
  | node (left : Tree α) (label : α) (right : Tree α)
deriving DecidableEq

inductive Vec (α : Type u) : Nat → Type u where
  | nil : Vec α 0
  | cons {n : Nat} (a : α) (v : Vec α n) : Vec α (n + 1)

def Vec.head {α : Type u} {n : Nat} : Vec α (n + 1) → α
  | .cons a _ => a

class Weight (α : Type u) where
  weight : α → Nat
instance : Weight Kind where
  weight
    | .create => 1
    | _ => 0
example : Weight.weight Kind.create = 1 := rfl
example : (default : Env) = {} := rfl
example (e : Env) : { e with limit := e.limit + 1 }.limit = e.limit + 1 := rfl
example (e : Env) : { e with atomic := false } ≠ { e with atomic := true } := by simp
example : Kind.create ≠ Kind.encode := by decide
example : Point.busy .create none ≠ .busy .create (some 0) := by decide
example : Tree.node .leaf 1 .leaf ≠ Tree.leaf := by decide
example : (Kind.create == Kind.create) = true := by decide
example (a b : Kind) : Decidable (a = b ∧ ¬(a = .encode ∨ b ≠ .encode)) := inferInstance
example {α : Type} (p q : α → Prop) [DecidablePred p] [DecidablePred q] (a : α) :
    Decidable (p a → q a ↔ q a) := inferInstance

/-! ## Functions: structural and well-founded recursion, `where`, updates -/
def Tree.size {α : Type u} : Tree α → Nat
  | leaf => 0
  | node l _ r => l.size + 1 + r.size
theorem Tree.size_node {α : Type u} (l r : Tree α) (a : α) :
    (Tree.node l a r).size = l.size + 1 + r.size := rfl
def count (n : Nat) : Nat := go n 0
where
  go : Nat → Nat → Nat
    | 0, acc => acc
    | n + 1, acc => go n (acc + 1)
example : count 5 = 5 := by decide
def countdown (n : Nat) : Nat := if h : n = 0 then 0 else countdown (n - 1) + 1
termination_by n
decreasing_by exact Nat.sub_lt (Nat.pos_of_ne_zero h) Nat.zero_lt_one
theorem countdown_eq (n : Nat) : countdown n = n := by
  induction n with
  | zero => rw [countdown]; simp
  | succ n ih => rw [countdown]; simp [ih]
def update {α β : Type} [DecidableEq α] (f : α → β) (a : α) (b : β) : α → β :=
  fun x => if x = a then b else f x
@[simp] theorem update_same {α β : Type} [DecidableEq α] (f : α → β) (a : α) (b : β) :
    update f a b a = b := by simp [update]
theorem update_other {α β : Type} [DecidableEq α] (f : α → β) {a x : α} (b : β) (h : x ≠ a) :
    update f a b x = f x := by simp only [update, h, if_false]
theorem update_twice {α β : Type} [DecidableEq α] (f : α → β) (a : α) (b c : β) :
    update (update f a b) a c = update f a c := by
  funext x; unfold update; split <;> rfl
/-- Rewriting beside a `DecidablePred` argument needs `Subsingleton` of a function type. -/
def pick {α : Type} (p : α → Prop) [DecidablePred p] (l : List α) : List α :=
  l.filter fun a => decide (p a)
example (l : List Nat) (p : Nat → Prop) [DecidablePred p] (h : ∀ a, p a ↔ a = 1) :
    ∀ a, a ∈ pick p l → a = 1 := by
  intro a ha
  simp only [pick, List.mem_filter, decide_eq_true_eq] at ha
  exact (h a).mp ha.2
example (p q : Nat → Prop) [DecidablePred p] [DecidablePred q] (h : p = q) (l : List Nat) :
    pick p l = pick q l := by simp only [h]
def drop {α : Type} (p : α → Prop) [DecidablePred p] : List α → List α
  | [] => []
  | a :: l => if p a then drop p l else a :: l
example (p : Nat → Prop) [DecidablePred p] (l : List Nat) (h : p 1) : drop p (1 :: l) = drop p l := by
  rw [drop, if_pos h]
abbrev Thread := Nat
variable (home : Nat → Thread)
notation:50 a " ⊑ " b => Nat.ble a b = true
infixl:65 " ⊕⊕ " => List.append
example : (1 ⊑ 2) := by decide
example : [1] ⊕⊕ [2] = [1, 2] := rfl

/-! ## Tactics -/
theorem and_swap {p q : Prop} : p ∧ q ↔ q ∧ p := by
  constructor
  · rintro ⟨hp, hq⟩
    exact ⟨hq, hp⟩
  · intro h
    obtain ⟨hq, hp⟩ := h
    refine ⟨?_, hq⟩
    apply hp
example {p q r : Prop} (h : p ∨ q ∧ r) : p ∨ q := by
  rcases h with hp | ⟨hq, -⟩
  · left; assumption
  · right; exact hq
example {p q r : Prop} : p ∨ q ∨ r → r ∨ p ∨ q := by
  rintro (h | h | h)
  all_goals first | (left; exact h) | (right; left; exact h) | (right; right; exact h)
example (f : Nat → Nat) (x : Nat) (h : f x = x) : f (f x) = x := by rw [h, h]
example (a b c : Nat) (h₁ : a = b) (h₂ : c = b) : a = c := by
  calc a = b := h₁
    _ = c := h₂.symm
example (a b c : Nat) (h₁ : a < b) (h₂ : b ≤ c) : a < c := calc
  a < b := h₁
  _ ≤ c := h₂
example (n : Nat) : n = 0 ∨ 0 < n := by
  cases n with
  | zero => exact .inl rfl
  | succ n => exact .inr (Nat.succ_pos n)
example (p : Prop) : p ∨ ¬p := by
  by_cases h : p
  case pos => exact .inl h
  case neg => exact .inr h
example (o : Option Nat) (h : o ≠ none) : ∃ n, o = some n := by
  match o, h with
  | some n, _ => exists n
  | none, h => contradiction
example (o : Option Nat) (h : o.isSome) : o ≠ none := by cases o <;> simp_all
example (b : Bool) : (if b then 1 else 2) ≠ 3 := by split <;> decide
example (b : Bool) (h : (if b then 1 else 2) = 1) : b = true := by
  split at h
  next hb => exact hb
  next => contradiction
example (m n : Nat) (h : Nat.succ m = Nat.succ n) : m = n := by injection h
example (a b : Nat) (h : some a = some b) : a = b := Option.some.inj h
example (a b : Nat) (h : some (a, b) = some (b, a)) : a = b := by
  injection h with h; exact (Prod.mk.inj h).1
example (a b : Nat) (h : a = b) (g : b = 3) : a = 3 := by subst h; exact g
example (a b : Nat) : a = b → b = a := by intro h; subst h; rfl
example (p q : Prop) (h : ¬p) (hp : p) : q := by exfalso; exact h hp
example (p : Nat → Prop) (h : ∀ n, p n) : p 3 := by specialize h 3; exact h
example (p : Nat → Prop) (x : Nat) (h : p (x + 0)) : p x := by
  have h' : p x := h
  show p x
  suffices hs : True ∧ p x by exact hs.2
  exact ⟨trivial, h'⟩
example (x y : Nat) (h : x + y = 3) : y + x = 3 := by
  generalize hz : x + y = z at h
  rw [Nat.add_comm, hz]; clear hz; revert h; exact id
example (l : List Nat) : l = [] ∨ ∃ a t, l = a :: t := by
  cases l
  · exact .inl rfl
  · rename_i a t
    exact .inr ⟨a, t, rfl⟩
example (m n : Nat) : m + n = n + m := by
  induction n generalizing m with
  | zero => simp
  | succ n ih => rw [← Nat.add_assoc, ih, Nat.succ_add]
example (p : Prop) (h : True ∧ p) : p := by
  repeat (first | exact h.2 | constructor)
example (p q : Prop) (hp : p) (hq : q) : p ∧ q ∧ True := by
  refine ⟨?_, ?_, ?_⟩
  any_goals try assumption
  trivial
example (h : False) : 1 = 2 := nomatch h
example : ¬(1 = 2) := nofun
example : ∀ a b : Bool, (a && b) = (b && a) := by decide
example : ∀ n, n < 20 → n * n < 400 := by decide +kernel
example : ∀ k ∈ [Kind.create, .encode], k ≠ .destroy := by decide
example : ∃ k ∈ [Kind.create, .encode], k = .encode := by decide
example : ((List.range 1000).filter (fun n => n % 7 = 0)).length = 143 := by decide +kernel

/-! ## Simp sets -/
example (p q : Prop) : (¬(p ∧ q) ↔ (p → ¬q)) ∧ (¬(p ∨ q) ↔ ¬p ∧ ¬q) := by simp
example (p : Nat → Prop) : (¬∃ n, p n) ↔ ∀ n, ¬p n := by simp
example (p : Nat → Prop) : (¬∀ n, p n) ↔ ∃ n, ¬p n := by simp
example (p : Nat → Prop) (a : Nat) : (∃ x, x = a ∧ p x) ↔ p a := by simp
example (p : Nat → Prop) (a : Nat) : (∀ x, x = a → p x) ↔ ∀ x, a = x → p x := by simp
example (a b : Bool) : (a && b) = true ↔ a = true ∧ b = true := by simp
example (a b : Bool) (h : ¬(a || !b) = true) : a = false ∧ b = true := by simpa using h
example (a b : Nat) : (a == b) = true ↔ a = b := by simp
example (a b : Nat) : (a != b) = true ↔ a ≠ b := by simp
example (p q : Prop) [Decidable p] [Decidable q] : ¬(p ∧ q) ↔ ¬p ∨ ¬q :=
  Decidable.not_and_iff_or_not
example (x a : Nat) (l m : List Nat) : x ∈ a :: l ++ m ↔ x = a ∨ x ∈ l ∨ x ∈ m := by simp
example (x : Nat) : x ∈ [1, 2].map (· + 1) ↔ x = 2 ∨ x = 3 := by simp
example (l : List Nat) : l.all (fun n => n < 5) = true ↔ ∀ n ∈ l, n < 5 := by simp
example (l : List Nat) : l.any (fun n => n == 5) = true ↔ 5 ∈ l := by simp
example (l m : List Nat) : (l ++ m).length = m.length + l.length := by simp [Nat.add_comm]
example (a b : Nat) (o : Option Nat) (h : o = some a) (g : o = some b) : a = b := by simp_all
example (n : Nat) (h : n + 2 = 5) : n = 3 := by simpa using h
example (n : Nat) (h : ¬n < 3) : 3 ≤ n := by simp at h; exact h
example : (fun n : Nat => n + 0) = id := by funext n; simp only [Nat.add_zero, id]
example (o : Option Nat) : (o.map (· + 1)).getD 0 = (o.bind (fun n => some (n + 1))).getD 0 := by
  cases o <;> simp
example (f : Nat → Nat) (a b : Nat) (h : a = b) : f a = f b := h ▸ rfl
example (a b : Nat) (h : a = b) : b = a := by simp only [h]
theorem no_axioms (l : List Nat) (h : ∀ a ∈ l, a = 0) : 1 ∉ l := fun h1 => nomatch h 1 h1
end Smoke
