prelude
import Init.Logic
/-!
Natural numbers: the functions that the kernel evaluates by name, the lemmas that `simp`'s
arithmetic uses, and the order and arithmetic lemmas of everyday proofs.
-/
universe u
set_option linter.unusedVariables false

namespace Nat
/-! ## Recursors that speak of `n + 1` instead of `succ n` -/
@[elab_as_elim, induction_eliminator] protected noncomputable def recAux {motive : Nat → Sort u} (zero : motive 0)
    (succ : ∀ n, motive n → motive (n + 1)) (t : Nat) : motive t := Nat.rec zero succ t
@[elab_as_elim, cases_eliminator] protected abbrev casesAuxOn {motive : Nat → Sort u} (t : Nat)
    (zero : motive 0) (succ : ∀ n, motive (n + 1)) : motive t := Nat.casesOn t zero succ

/-! ## Addition -/
@[simp] theorem succ.injEq (u v : Nat) : (u.succ = v.succ) = (u = v) :=
  Eq.propIntro (fun h => Nat.noConfusion h id) (fun h => h ▸ rfl)
theorem succ.inj {m n : Nat} (h : m.succ = n.succ) : m = n := Nat.noConfusion h id
@[simp] theorem zero_eq : Nat.zero = 0 := rfl
theorem add_zero (n : Nat) : n + 0 = n := rfl
theorem add_one (n : Nat) : n + 1 = succ n := rfl
theorem succ_eq_add_one (n : Nat) : succ n = n + 1 := rfl
theorem add_succ (n m : Nat) : n + succ m = succ (n + m) := rfl
theorem zero_add : ∀ n : Nat, 0 + n = n
  | 0 => rfl
  | n + 1 => congrArg succ (zero_add n)
attribute [simp] Nat.add_zero Nat.zero_add
theorem succ_add (n : Nat) : ∀ m, succ n + m = succ (n + m)
  | 0 => rfl
  | m + 1 => congrArg succ (succ_add n m)
theorem add_comm (n : Nat) : ∀ m : Nat, n + m = m + n
  | 0 => (Nat.zero_add n).symm
  | m + 1 => (congrArg succ (add_comm n m)).trans (succ_add m n).symm
theorem add_assoc (n m : Nat) : ∀ k : Nat, n + m + k = n + (m + k)
  | 0 => rfl
  | k + 1 => congrArg succ (add_assoc n m k)
theorem add_left_comm (n m k : Nat) : n + (m + k) = m + (n + k) := by
  rw [← Nat.add_assoc, Nat.add_comm n m, Nat.add_assoc]
theorem add_right_comm (n m k : Nat) : n + m + k = n + k + m := by
  rw [Nat.add_assoc, Nat.add_comm m k, ← Nat.add_assoc]
theorem add_left_cancel {n m k : Nat} (h : n + m = n + k) : m = k := by
  induction n with
  | zero => rwa [Nat.zero_add, Nat.zero_add] at h
  | succ n ih => rw [← Nat.succ_eq_add_one, succ_add, succ_add] at h; exact ih (succ.inj h)
theorem add_right_cancel {n m k : Nat} (h : n + m = k + m) : n = k := by
  rw [Nat.add_comm n m, Nat.add_comm k m] at h; exact Nat.add_left_cancel h
@[simp] theorem add_left_cancel_iff {m k n : Nat} : n + m = n + k ↔ m = k :=
  ⟨Nat.add_left_cancel, fun h => h ▸ rfl⟩
@[simp] theorem add_right_cancel_iff {m k n : Nat} : m + n = k + n ↔ m = k :=
  ⟨Nat.add_right_cancel, fun h => h ▸ rfl⟩
@[simp] theorem succ_ne_zero (n : Nat) : succ n ≠ 0 := nofun
@[simp] theorem add_one_ne_zero (n : Nat) : n + 1 ≠ 0 := nofun
theorem add_one_inj {a b : Nat} : a + 1 = b + 1 ↔ a = b := Nat.add_right_cancel_iff
theorem succ_inj {a b : Nat} : succ a = succ b ↔ a = b := ⟨succ.inj, congrArg _⟩
theorem succ_ne_self : ∀ n : Nat, succ n ≠ n
  | 0 => nofun
  | n + 1 => fun h => succ_ne_self n (succ.inj h)
theorem exists_eq_succ_of_ne_zero : ∀ {n}, n ≠ 0 → ∃ k, n = succ k
  | 0, h => absurd rfl h
  | n + 1, _ => ⟨n, rfl⟩
theorem exists_eq_add_one_of_ne_zero {n : Nat} (h : n ≠ 0) : ∃ k, n = k + 1 :=
  exists_eq_succ_of_ne_zero h
theorem eq_zero_of_add_eq_zero {n m : Nat} (h : n + m = 0) : n = 0 ∧ m = 0 :=
  match n, m, h with
  | 0, 0, _ => ⟨rfl, rfl⟩
  | n + 1, 0, h => absurd h (succ_ne_zero n)
@[simp] theorem add_eq_zero_iff {n m : Nat} : n + m = 0 ↔ n = 0 ∧ m = 0 :=
  ⟨eq_zero_of_add_eq_zero, fun ⟨h₁, h₂⟩ => h₁ ▸ h₂ ▸ rfl⟩

/-! ## Order -/
theorem le_of_eq {n m : Nat} (h : n = m) : n ≤ m := h ▸ Nat.le_refl n
theorem le_of_lt {n m : Nat} (h : n < m) : n ≤ m := Nat.le_trans (le_succ n) h
theorem ne_of_gt {a b : Nat} (h : b < a) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
theorem ne_of_lt {a b : Nat} (h : a < b) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
theorem ne_of_lt' {a b : Nat} (h : b < a) : a ≠ b := ne_of_gt h
theorem lt_asymm {a b : Nat} (h : a < b) : ¬b < a := fun h' => Nat.lt_irrefl a (Nat.lt_trans h h')
theorem not_le_of_gt {n m : Nat} (h : n > m) : ¬n ≤ m := fun h' => Nat.lt_irrefl n (Nat.lt_of_le_of_lt h' h)
theorem not_le_of_lt {a b : Nat} (h : a < b) : ¬b ≤ a := not_le_of_gt h
theorem not_lt_of_le {n m : Nat} (h : n ≤ m) : ¬m < n := fun h' => not_le_of_gt h' h
theorem lt_of_not_ge {a b : Nat} (h : ¬b ≥ a) : b < a := (Nat.lt_or_ge b a).resolve_right h
theorem le_of_not_lt {a b : Nat} (h : ¬a < b) : b ≤ a := (Nat.lt_or_ge a b).resolve_left h
theorem le_of_not_le {a b : Nat} (h : ¬b ≤ a) : a ≤ b := le_of_lt (Nat.lt_of_not_le h)
@[simp] theorem not_le {n m : Nat} : ¬n ≤ m ↔ m < n := ⟨Nat.lt_of_not_le, not_le_of_gt⟩
@[simp] theorem not_lt {n m : Nat} : ¬n < m ↔ m ≤ n := ⟨le_of_not_lt, not_lt_of_le⟩
theorem lt_or_eq_of_le {n m : Nat} (h : n ≤ m) : n < m ∨ n = m := (Nat.eq_or_lt_of_le h).symm
theorem le_iff_lt_or_eq {n m : Nat} : n ≤ m ↔ n < m ∨ n = m :=
  ⟨lt_or_eq_of_le, fun h => h.elim le_of_lt le_of_eq⟩
theorem le_total (m n : Nat) : m ≤ n ∨ n ≤ m := (Nat.lt_or_ge m n).imp_left le_of_lt
theorem lt_trichotomy (a b : Nat) : a < b ∨ a = b ∨ b < a :=
  (Nat.lt_or_ge a b).imp_right fun h => (Nat.eq_or_lt_of_le h).imp_left Eq.symm
theorem lt_or_gt_of_ne {a b : Nat} (ne : a ≠ b) : a < b ∨ a > b :=
  (lt_trichotomy a b).imp_right fun h => h.resolve_left ne
theorem lt_iff_le_and_ne {m n : Nat} : m < n ↔ m ≤ n ∧ m ≠ n :=
  ⟨fun h => ⟨le_of_lt h, ne_of_lt h⟩, fun ⟨h₁, h₂⟩ => Nat.lt_of_le_of_ne h₁ h₂⟩
theorem le_antisymm_iff {a b : Nat} : a = b ↔ a ≤ b ∧ b ≤ a :=
  ⟨fun h => ⟨le_of_eq h, le_of_eq h.symm⟩, fun ⟨h₁, h₂⟩ => Nat.le_antisymm h₁ h₂⟩
theorem lt_succ_iff {m n : Nat} : m < succ n ↔ m ≤ n := ⟨le_of_lt_succ, lt_succ_of_le⟩
theorem lt_add_one_iff {m n : Nat} : m < n + 1 ↔ m ≤ n := ⟨le_of_lt_succ, lt_succ_of_le⟩
theorem lt_add_one_of_le {n m : Nat} : n ≤ m → n < m + 1 := lt_succ_of_le
theorem le_of_lt_add_one {n m : Nat} : n < m + 1 → n ≤ m := le_of_lt_succ
theorem succ_le_of_lt {n m : Nat} (h : n < m) : succ n ≤ m := h
theorem lt_of_succ_le {n m : Nat} (h : succ n ≤ m) : n < m := h
theorem succ_le_iff {m n : Nat} : succ m ≤ n ↔ m < n := Iff.rfl
theorem add_one_le_iff {n m : Nat} : n + 1 ≤ m ↔ n < m := Iff.rfl
@[simp] theorem succ_le_succ_iff {a b : Nat} : succ a ≤ succ b ↔ a ≤ b := ⟨le_of_succ_le_succ, succ_le_succ⟩
theorem lt_of_succ_lt {n m : Nat} (h : succ n < m) : n < m := Nat.lt_trans (lt_succ_self n) h
theorem lt_of_succ_lt_succ {n m : Nat} : succ n < succ m → n < m := le_of_succ_le_succ
theorem succ_lt_succ {n m : Nat} : n < m → succ n < succ m := succ_le_succ
theorem le_of_succ_le {n m : Nat} (h : succ n ≤ m) : n ≤ m := le_of_lt h
theorem eq_zero_of_le_zero {n : Nat} (h : n ≤ 0) : n = 0 := Nat.le_antisymm h (zero_le n)
@[simp] theorem le_zero_eq (a : Nat) : (a ≤ 0) = (a = 0) :=
  propext ⟨eq_zero_of_le_zero, le_of_eq⟩
theorem pos_of_ne_zero {n : Nat} (h : n ≠ 0) : 0 < n := (Nat.eq_or_lt_of_le (zero_le n)).resolve_left h.symm
theorem ne_zero_of_lt {a b : Nat} (h : b < a) : a ≠ 0 := fun e => not_lt_zero b (e ▸ h)
theorem pos_iff_ne_zero {n : Nat} : 0 < n ↔ n ≠ 0 := ⟨ne_of_gt, pos_of_ne_zero⟩
theorem zero_lt_one : 0 < 1 := zero_lt_succ 0
theorem zero_ne_one : 0 ≠ (1 : Nat) := nofun
theorem one_pos : 0 < 1 := zero_lt_one
theorem eq_zero_or_pos : ∀ n : Nat, n = 0 ∨ 0 < n
  | 0 => .inl rfl
  | _ + 1 => .inr (zero_lt_succ _)
theorem zero_lt_of_lt : {a b : Nat} → a < b → 0 < b
  | _, 0, h => absurd h (not_lt_zero _)
  | _, _ + 1, _ => zero_lt_succ _
attribute [simp] Nat.zero_le Nat.lt_irrefl Nat.not_lt_zero Nat.zero_lt_succ Nat.lt_add_one Nat.le_succ
@[simp] theorem zero_lt_add_one (n : Nat) : 0 < n + 1 := zero_lt_succ n
@[simp] theorem lt_one_iff {n : Nat} : n < 1 ↔ n = 0 := lt_add_one_iff.trans (iff_of_eq (le_zero_eq n))
theorem le_add_one (n : Nat) : n ≤ n + 1 := le_succ n
theorem le_add_right (n : Nat) : ∀ k, n ≤ n + k
  | 0 => .refl
  | k + 1 => .step (le_add_right n k)
theorem le_add_left (n m : Nat) : n ≤ m + n := Nat.add_comm n m ▸ le_add_right n m
attribute [simp] Nat.le_add_right Nat.le_add_left
theorem le_add_right_of_le {n m k : Nat} (h : n ≤ m) : n ≤ m + k := Nat.le_trans h (le_add_right m k)
theorem le_add_left_of_le {n m k : Nat} (h : n ≤ m) : n ≤ k + m := Nat.le_trans h (le_add_left m k)
theorem lt_add_of_pos_right {n k : Nat} (h : 0 < k) : n < n + k :=
  match k, h with | k + 1, _ => lt_succ_of_le (le_add_right n k)
theorem le.dest {n m : Nat} (h : n ≤ m) : ∃ k, n + k = m := by
  induction h with
  | refl => exact ⟨0, rfl⟩
  | step _ ih => obtain ⟨k, rfl⟩ := ih; exact ⟨k + 1, rfl⟩
theorem exists_eq_add_of_le {m n : Nat} (h : m ≤ n) : ∃ k, n = m + k :=
  match le.dest h with | ⟨k, e⟩ => ⟨k, e.symm⟩
theorem add_le_add_left {n m : Nat} (h : n ≤ m) (k : Nat) : k + n ≤ k + m := by
  obtain ⟨d, rfl⟩ := le.dest h; rw [← Nat.add_assoc]; exact le_add_right _ _
theorem add_le_add_right {n m : Nat} (h : n ≤ m) (k : Nat) : n + k ≤ m + k := by
  rw [Nat.add_comm n k, Nat.add_comm m k]; exact Nat.add_le_add_left h k
theorem add_lt_add_left {n m : Nat} (h : n < m) (k : Nat) : k + n < k + m := Nat.add_le_add_left h k
theorem add_lt_add_right {n m : Nat} (h : n < m) (k : Nat) : n + k < m + k := by
  rw [Nat.add_comm n k, Nat.add_comm m k]; exact Nat.add_lt_add_left h k
theorem add_le_add {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c ≤ d) : a + c ≤ b + d :=
  Nat.le_trans (Nat.add_le_add_right h₁ c) (Nat.add_le_add_left h₂ b)
theorem add_lt_add {a b c d : Nat} (h₁ : a < b) (h₂ : c < d) : a + c < b + d :=
  Nat.lt_trans (Nat.add_lt_add_right h₁ c) (Nat.add_lt_add_left h₂ b)
theorem add_lt_add_of_le_of_lt {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c < d) : a + c < b + d :=
  Nat.lt_of_le_of_lt (Nat.add_le_add_right h₁ c) (Nat.add_lt_add_left h₂ b)
theorem add_lt_add_of_lt_of_le {a b c d : Nat} (h₁ : a < b) (h₂ : c ≤ d) : a + c < b + d :=
  Nat.lt_of_lt_of_le (Nat.add_lt_add_right h₁ c) (Nat.add_le_add_left h₂ b)
theorem le_of_add_le_add_left {a b c : Nat} (h : a + b ≤ a + c) : b ≤ c := by
  induction a with
  | zero => rwa [Nat.zero_add, Nat.zero_add] at h
  | succ a ih =>
    rw [← Nat.succ_eq_add_one, Nat.succ_add, Nat.succ_add] at h; exact ih (le_of_succ_le_succ h)
theorem le_of_add_le_add_right {a b c : Nat} (h : a + b ≤ c + b) : a ≤ c := by
  rw [Nat.add_comm a b, Nat.add_comm c b] at h; exact Nat.le_of_add_le_add_left h
@[simp] theorem add_le_add_iff_left {m k n : Nat} : n + m ≤ n + k ↔ m ≤ k :=
  ⟨Nat.le_of_add_le_add_left, fun h => Nat.add_le_add_left h n⟩
@[simp] theorem add_le_add_iff_right {m k n : Nat} : m + n ≤ k + n ↔ m ≤ k :=
  ⟨Nat.le_of_add_le_add_right, fun h => Nat.add_le_add_right h n⟩
@[simp] theorem add_lt_add_iff_left {k n m : Nat} : k + n < k + m ↔ n < m :=
  ⟨fun h => Nat.le_of_add_le_add_left (a := k) h, fun h => Nat.add_lt_add_left h k⟩
@[simp] theorem add_lt_add_iff_right {k n m : Nat} : n + k < m + k ↔ n < m := by
  rw [Nat.add_comm n k, Nat.add_comm m k]; exact Nat.add_lt_add_iff_left

/-! ## Multiplication, subtraction -/
@[simp] theorem mul_zero (n : Nat) : n * 0 = 0 := rfl
theorem mul_succ (n m : Nat) : n * succ m = n * m + n := rfl
theorem mul_add_one (n m : Nat) : n * (m + 1) = n * m + n := rfl
@[simp] theorem zero_mul : ∀ n : Nat, 0 * n = 0
  | 0 => rfl
  | n + 1 => zero_mul n
theorem succ_mul (n m : Nat) : succ n * m = n * m + m := by
  induction m with
  | zero => rfl
  | succ m ih => rw [mul_add_one, ih, mul_add_one, add_succ, Nat.add_right_comm]; rfl
theorem mul_comm (n m : Nat) : n * m = m * n := by
  induction m with
  | zero => rw [zero_mul]; rfl
  | succ m ih => rw [mul_add_one, ih, ← succ_mul]
@[simp] theorem mul_one (n : Nat) : n * 1 = n := Nat.zero_add n
@[simp] theorem one_mul (n : Nat) : 1 * n = n := Nat.mul_comm n 1 ▸ Nat.mul_one n
theorem left_distrib (n m k : Nat) : n * (m + k) = n * m + n * k := by
  induction k with
  | zero => rfl
  | succ k ih => rw [← Nat.add_assoc, mul_add_one, ih, mul_add_one, Nat.add_assoc]
theorem mul_add (n m k : Nat) : n * (m + k) = n * m + n * k := Nat.left_distrib n m k
theorem right_distrib (n m k : Nat) : (n + m) * k = n * k + m * k := by
  rw [Nat.mul_comm, Nat.left_distrib, Nat.mul_comm k n, Nat.mul_comm k m]
theorem add_mul (n m k : Nat) : (n + m) * k = n * k + m * k := Nat.right_distrib n m k
theorem mul_assoc (n m k : Nat) : n * m * k = n * (m * k) := by
  induction k with
  | zero => rfl
  | succ k ih => rw [mul_add_one, ih, mul_add_one, Nat.left_distrib]
theorem mul_le_mul_left {m n : Nat} (k : Nat) (h : m ≤ n) : k * m ≤ k * n := by
  obtain ⟨d, rfl⟩ := le.dest h; rw [Nat.left_distrib]; exact le_add_right _ _
theorem mul_le_mul_right {m n : Nat} (k : Nat) (h : m ≤ n) : m * k ≤ n * k := by
  rw [Nat.mul_comm m k, Nat.mul_comm n k]; exact Nat.mul_le_mul_left k h

@[simp] theorem sub_zero (n : Nat) : n - 0 = n := rfl
theorem sub_succ (n m : Nat) : n - succ m = pred (n - m) := rfl
@[simp] theorem pred_zero : pred 0 = 0 := rfl
@[simp] theorem pred_succ (n : Nat) : pred (succ n) = n := rfl
@[simp] theorem add_one_sub_one (n : Nat) : n + 1 - 1 = n := rfl
@[simp] theorem zero_sub : ∀ n : Nat, 0 - n = 0
  | 0 => rfl
  | n + 1 => congrArg pred (zero_sub n)
theorem succ_sub_succ (n m : Nat) : succ n - succ m = n - m := succ_sub_succ_eq_sub n m
theorem add_sub_add_right (n k m : Nat) : n + k - (m + k) = n - m := by
  induction k with
  | zero => rfl
  | succ k ih => exact (succ_sub_succ _ _).trans ih
@[simp] theorem sub_self (n : Nat) : n - n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => exact (succ_sub_succ n n).trans ih
theorem add_sub_cancel (n m : Nat) : n + m - m = n := by
  have h := add_sub_add_right n m 0; rwa [Nat.zero_add] at h
theorem add_sub_cancel_left (n m : Nat) : n + m - n = m := by
  rw [Nat.add_comm]; exact Nat.add_sub_cancel m n
attribute [simp] Nat.add_sub_cancel Nat.add_sub_cancel_left Nat.add_sub_add_right
theorem sub_add_cancel {n m : Nat} (h : m ≤ n) : n - m + m = n := by
  obtain ⟨k, rfl⟩ := le.dest h; rw [Nat.add_sub_cancel_left, Nat.add_comm]
theorem add_sub_of_le {a b : Nat} (h : a ≤ b) : a + (b - a) = b := by
  rw [Nat.add_comm]; exact Nat.sub_add_cancel h
theorem sub_eq_zero_of_le {n m : Nat} (h : n ≤ m) : n - m = 0 := by
  obtain ⟨k, rfl⟩ := le.dest h
  induction k with
  | zero => exact Nat.sub_self n
  | succ k ih => exact congrArg pred (ih (le_add_right n k))

/-! ## Minimum, maximum -/
theorem max_def {n m : Nat} : max n m = if n ≤ m then m else n := rfl
theorem min_def {n m : Nat} : min n m = if n ≤ m then n else m := rfl
theorem le_max_left (a b : Nat) : a ≤ max a b := by rw [Nat.max_def]; split <;> simp_all
theorem le_max_right (a b : Nat) : b ≤ max a b := by
  rw [Nat.max_def]; split <;> simp_all [Nat.le_of_lt]

/-! ## What `simp`'s arithmetic on literals refers to -/
@[simp] theorem beq_eq {x y : Nat} : (Nat.beq x y = true) = (x = y) :=
  propext ⟨eq_of_beq_eq_true, fun h => h ▸ Nat.beq_refl x⟩
attribute [simp] Nat.beq_refl
@[simp] theorem ble_eq {x y : Nat} : (Nat.ble x y = true) = (x ≤ y) :=
  propext ⟨le_of_ble_eq_true, ble_eq_true_of_le⟩
def blt (n m : Nat) : Bool := ble (succ n) m
@[simp] theorem blt_eq {x y : Nat} : (Nat.blt x y = true) = (x < y) := ble_eq
@[simp] theorem lt_eq (m n : Nat) : Nat.lt m n = (m < n) := rfl
@[simp] theorem le_eq (m n : Nat) : Nat.le m n = (m ≤ n) := rfl
@[simp] theorem add_eq {x y : Nat} : Nat.add x y = x + y := rfl
@[simp] theorem mul_eq {x y : Nat} : Nat.mul x y = x * y := rfl
@[simp] theorem sub_eq {x y : Nat} : Nat.sub x y = x - y := rfl
end Nat
instance : Trans (α := Nat) (β := Nat) (γ := Nat) (· < ·) (· < ·) (· < ·) := ⟨Nat.lt_trans⟩
instance : Trans (α := Nat) (β := Nat) (γ := Nat) (· ≤ ·) (· ≤ ·) (· ≤ ·) := ⟨Nat.le_trans⟩
instance : Trans (α := Nat) (β := Nat) (γ := Nat) (· < ·) (· ≤ ·) (· < ·) := ⟨Nat.lt_of_lt_of_le⟩
instance : Trans (α := Nat) (β := Nat) (γ := Nat) (· ≤ ·) (· < ·) (· < ·) := ⟨Nat.lt_of_le_of_lt⟩
@[simp] theorem ge_iff_le {α : Type u} [LE α] {x y : α} : x ≥ y ↔ y ≤ x := Iff.rfl
@[simp] theorem gt_iff_lt {α : Type u} [LT α] {x y : α} : x > y ↔ y < x := Iff.rfl

/-! ## Numerals of other types -/
class NeZero {R : Type u} [Zero R] (n : R) : Prop where
  out : n ≠ Zero.zero
instance Nat.instNeZeroSucc {n : Nat} : NeZero (n + 1) := ⟨Nat.succ_ne_zero n⟩
protected def Fin.ofNat (n : Nat) [h : NeZero n] (a : Nat) : Fin n :=
  ⟨a % n, Nat.mod_lt _ (Nat.pos_of_ne_zero h.out)⟩
instance Fin.instOfNat {n : Nat} [NeZero n] {i : Nat} : OfNat (Fin n) i := ⟨Fin.ofNat n i⟩

/-!
## The rest of what the kernel evaluates by name
A file that could define one of these itself, wrongly, could prove `False`: all must exist here, with
the meaning that the kernel gives them. Fuel makes them structurally recursive.
-/
namespace Nat
private def gcdFuel : Nat → Nat → Nat → Nat
  | 0, _, n => n
  | fuel + 1, m, n => if m = 0 then n else gcdFuel fuel (n % m) m
/-- `m % n < n`: the first argument decreases, so `m + 1` steps are enough. -/
@[extern "lean_nat_gcd"] def gcd (m n : @& Nat) : Nat := gcdFuel (m + 1) m n
private def bitwiseFuel (f : Bool → Bool → Bool) : Nat → Nat → Nat → Nat
  | 0, _, _ => 0
  | fuel + 1, n, m =>
    if n = 0 then (if f false true then m else 0)
    else if m = 0 then (if f true false then n else 0)
    else
      let r := bitwiseFuel f fuel (n / 2) (m / 2)
      if f (n % 2 = 1) (m % 2 = 1) then r + r + 1 else r + r
/-- Halving `n` ends after at most `n` steps. -/
def bitwise (f : Bool → Bool → Bool) (n m : Nat) : Nat := bitwiseFuel f (n + 1) n m
@[extern "lean_nat_land"] def land (n m : @& Nat) : Nat := bitwise Bool.and n m
@[extern "lean_nat_lor"] def lor (n m : @& Nat) : Nat := bitwise Bool.or n m
@[extern "lean_nat_lxor"] def xor (n m : @& Nat) : Nat := bitwise (fun a b => (a && !b) || (!a && b)) n m
@[extern "lean_nat_shiftl"] def shiftLeft : Nat → Nat → Nat
  | n, 0 => n
  | n, m + 1 => shiftLeft (2 * n) m
@[extern "lean_nat_shiftr"] def shiftRight : Nat → Nat → Nat
  | n, 0 => n
  | n, m + 1 => shiftRight n m / 2
private def log2Fuel : Nat → Nat → Nat
  | 0, _ => 0
  | fuel + 1, n => if n ≥ 2 then log2Fuel fuel (n / 2) + 1 else 0
@[extern "lean_nat_log2"] def log2 (n : @& Nat) : Nat := log2Fuel (n + 1) n

-- Definition and native evaluation agree on samples (the right-hand names are not special).
example : gcd 12 18 = 6 ∧ gcdFuel 13 12 18 = 6 := ⟨rfl, rfl⟩
example : land 12 10 = 8 ∧ bitwise Bool.and 12 10 = 8 := ⟨rfl, rfl⟩
example : lor 12 10 = 14 ∧ bitwise Bool.or 12 10 = 14 := ⟨rfl, rfl⟩
example : xor 12 10 = 6 ∧ bitwise (fun a b => (a && !b) || (!a && b)) 12 10 = 6 := ⟨rfl, rfl⟩
example : log2 9 = 3 ∧ log2Fuel 10 9 = 3 ∧ log2 0 = 0 := ⟨rfl, rfl, rfl⟩
example : shiftLeft 3 2 = 12 ∧ shiftRight 13 2 = 3 := ⟨rfl, rfl⟩
example (n : Nat) : shiftLeft n 2 = 2 * (2 * n) ∧ shiftRight n 2 = n / 2 / 2 := ⟨rfl, rfl⟩
example : Nat.div 17 5 = 3 ∧ Nat.mod 17 5 = 2 ∧ Nat.div 3 0 = 0 ∧ Nat.mod 3 0 = 3 :=
  ⟨rfl, rfl, rfl, rfl⟩
example : Nat.modCore 17 5 = 2 ∧ Nat.modCore 3 0 = 3 := by decide +kernel
end Nat

namespace Lean
-- `native_decide` speaks through these; the audit refuses whatever depends on them.
axiom trustCompiler : True
opaque reduceBool (b : Bool) : Bool := have := trustCompiler; b
opaque reduceNat (n : Nat) : Nat := have := trustCompiler; n
axiom ofReduceBool (a b : Bool) (h : reduceBool a = b) : a = b
axiom ofReduceNat (a b : Nat) (h : reduceNat a = b) : a = b
end Lean
