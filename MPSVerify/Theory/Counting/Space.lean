import MPSVerify.Theory.Counting

/-!
# How many schemes there are

The counts in the names and texts of the theorems on single-request schemes, as theorems: the lists
have so many members, all different, and `singleSchemes` holds exactly what is called `Single`.
-/

namespace MPSVerify

open AGX

variable {α β : Type}

/-! ## Lists without repetition -/

/-- No member comes twice. -/
def distinct [DecidableEq α] : List α → Bool
  | [] => true
  | a :: as => (as.all fun b => decide (a ≠ b)) && distinct as

theorem pairwise_of_distinct [DecidableEq α] : ∀ {as : List α}, distinct as = true →
    as.Pairwise (· ≠ ·)
  | [], _ => .nil
  | a :: as, h => by
    have h : ((as.all fun b => decide (a ≠ b)) && distinct as) = true := h
    rw [Bool.and_eq_true] at h
    exact .cons (fun b hb => of_decide_eq_true (List.all_eq_true.mp h.1 b hb))
      (pairwise_of_distinct h.2)

theorem pairwise_append : ∀ {as bs : List α}, as.Pairwise (· ≠ ·) → bs.Pairwise (· ≠ ·) →
    (∀ a ∈ as, ∀ b ∈ bs, a ≠ b) → (as ++ bs).Pairwise (· ≠ ·)
  | [], _, _, hb, _ => hb
  | a :: as, bs, ha, hb, h => by
    cases ha with
    | cons h1 h2 =>
      refine .cons (fun x hx => ?_) (pairwise_append h2 hb fun y hy =>
        h y (List.mem_cons_of_mem _ hy))
      rcases List.mem_append.mp hx with hx | hx
      · exact h1 x hx
      · exact h a List.mem_cons_self x hx

/-- Lists without repetition that share no member, one after the other, are one. -/
theorem pairwise_flatMap {f : α → List β} : ∀ {as : List α}, as.Pairwise (· ≠ ·) →
    (∀ a, (f a).Pairwise (· ≠ ·)) → (∀ a b x, x ∈ f a → x ∈ f b → a = b) →
    (as.flatMap f).Pairwise (· ≠ ·)
  | [], _, _, _ => .nil
  | a :: as, ha, hf, hd => by
    cases ha with
    | cons h1 h2 =>
      show (f a ++ as.flatMap f).Pairwise _
      refine pairwise_append (hf a) (pairwise_flatMap h2 hf hd) fun x hx y hy he => ?_
      subst he
      obtain ⟨b, hb, hy⟩ := List.mem_flatMap.mp hy
      exact h1 b hb (hd a b x hx hy)

/-- The sum of so many `n`. -/
def times : Nat → Nat → Nat
  | 0, _ => 0
  | k + 1, n => n + times k n

/-- So many lists of one length, one after the other. -/
theorem length_flatMap {f : α → List β} {n : Nat} (h : ∀ a, (f a).length = n) :
    ∀ {as : List α}, (as.flatMap f).length = times as.length n
  | [] => rfl
  | a :: as => by
    show (f a ++ as.flatMap f).length = n + times as.length n
    rw [List.length_append, h a, length_flatMap h]

/-! ## The counts -/

/-- **Eleven possibilities** for a kind of operation: no lock, or one of ten requests. -/
theorem singleRequests_length : singleRequests.length = 11 := rfl

theorem singleRequests_distinct : singleRequests.Pairwise (· ≠ ·) :=
  pairwise_of_distinct (by decide +kernel)

/-- The list of all schemes has exactly the single-request schemes. -/
theorem mem_singleSchemes (σ : LockScheme) : σ ∈ singleSchemes ↔ σ.Single := by
  simp only [singleSchemes, List.mem_flatMap, List.mem_cons, List.not_mem_nil, or_false]
  constructor
  · rintro ⟨c, hc, e, he, d, hd, f, hf, rfl | rfl⟩ <;> intro k <;> cases k <;>
      first | exact hc | exact he | exact hd | exact hf
  · intro h
    obtain ⟨c, e, d, f, check⟩ := σ
    refine ⟨c, h .create, e, h .encode, d, h .destroy, f, h .complete, ?_⟩
    cases check
    · exact Or.inr rfl
    · exact Or.inl rfl

/-- **There are 29,282 single-request schemes.** -/
theorem singleSchemes_length : singleSchemes.length = 29282 := by
  have h0 : ∀ c e d f, [LockScheme.mk c e d f true, ⟨c, e, d, f, false⟩].length = 2 :=
    fun _ _ _ _ => rfl
  exact length_flatMap fun c => length_flatMap fun e => length_flatMap fun d =>
    length_flatMap fun f => h0 c e d f

/-- They are all different. -/
theorem singleSchemes_distinct : singleSchemes.Pairwise (· ≠ ·) := by
  have hR := singleRequests_distinct
  refine pairwise_flatMap hR (fun c => pairwise_flatMap hR (fun e => pairwise_flatMap hR (fun d =>
    pairwise_flatMap hR (fun f => .cons ?_ (.cons (fun _ h => by cases h) .nil)) ?_) ?_) ?_) ?_
  · intro x hx he
    subst he
    simp only [List.mem_singleton] at hx
    exact Bool.noConfusion (congrArg LockScheme.check hx)
  all_goals
    intro a b x ha hb
    simp only [List.mem_flatMap, List.mem_cons, List.not_mem_nil, or_false] at ha hb
  · exact (ha.elim (congrArg LockScheme.complete) (congrArg LockScheme.complete)).symm.trans
      (hb.elim (congrArg LockScheme.complete) (congrArg LockScheme.complete))
  · obtain ⟨_, _, ha⟩ := ha
    obtain ⟨_, _, hb⟩ := hb
    exact (ha.elim (congrArg LockScheme.destroy) (congrArg LockScheme.destroy)).symm.trans
      (hb.elim (congrArg LockScheme.destroy) (congrArg LockScheme.destroy))
  · obtain ⟨_, _, _, _, ha⟩ := ha
    obtain ⟨_, _, _, _, hb⟩ := hb
    exact (ha.elim (congrArg LockScheme.encode) (congrArg LockScheme.encode)).symm.trans
      (hb.elim (congrArg LockScheme.encode) (congrArg LockScheme.encode))
  · obtain ⟨_, _, _, _, _, _, ha⟩ := ha
    obtain ⟨_, _, _, _, _, _, hb⟩ := hb
    exact (ha.elim (congrArg LockScheme.create) (congrArg LockScheme.create)).symm.trans
      (hb.elim (congrArg LockScheme.create) (congrArg LockScheme.create))

/-- The safe and the memory safe schemes are three and six: no two of them are the same. -/
theorem safe_schemes_distinct :
    [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue].Pairwise
      (· ≠ ·) := pairwise_of_distinct (by decide +kernel)

/-- **Twenty-four schemes are safe under confinement** (`exactly_twenty_four_safe_confined`): so
many are in the list, all different, and each is one of those that are counted. -/
theorem confinedSafe_counted : confinedSafe.length = 24 ∧ confinedSafe.Pairwise (· ≠ ·) ∧
    ∀ σ ∈ confinedSafe, σ.Single := by
  refine ⟨rfl, pairwise_of_distinct (by decide +kernel), ?_⟩
  have : ∀ σ ∈ confinedSafe, ∀ k ∈ allKinds, σ.requests k ∈ singleRequests := by decide +kernel
  exact fun σ h k => this σ h k (mem_allKinds k)

/-- So are the safe and the memory safe ones. -/
theorem safe_schemes_counted : ∀ σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW,
    readerWriter .queue], σ.Single := by
  have : ∀ σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue],
      ∀ k ∈ allKinds, σ.requests k ∈ singleRequests := by decide +kernel
  exact fun σ h k => this σ h k (mem_allKinds k)

end MPSVerify
