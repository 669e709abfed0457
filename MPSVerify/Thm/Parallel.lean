import MPSVerify.Thm.Criterion

/-!
# Which lock schemes let two threads work at the same time
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {k k' : Kind}

/-- Two threads wait, each to use its own encoder, which has a context. -/
theorem dispatched_apart {C : Config} (hh : C.home = id) (hk : C.env.happens k = true)
    (hk' : C.env.happens k' = true) :
    ∃ m, Reachable C (duo m 0 1 (some ⟨k, 0, .dispatched⟩) (some ⟨k', 1, .dispatched⟩)) ∧
      m.impl 0 ≠ none ∧ m.impl 1 ≠ none := by
  have home : ∀ e, C.home e = e := fun e => congrFun hh e
  have allows : ∀ t k, C.env.happens k = true → C.env.Allows C.home ⟨t, k, t⟩ :=
    fun t k h => Env.allows_of_happens h (Or.inr (Or.inr (home t)))
  have r0 : Reachable C (duo _ 0 1 none none) := Reachable.ofIdle Reachable.initial
  have ⟨m, r1, hi, _, hm, ho⟩ := r0.create (b := 0) Nat.zero_ne_one Reachable.waiting_none
    (allows 0 .create rfl) rfl rfl
  have r2 := r1.swap Nat.zero_ne_one
  have ⟨m', r3, hi', _, hm', _⟩ := r2.create (b := 1) Nat.zero_ne_one.symm Reachable.waiting_none
    (allows 1 .create rfl) (hm 1 Nat.zero_ne_one.symm) (ho 1 Nat.zero_ne_one.symm)
  have h0 : m'.impl 0 ≠ none := ne_of_live ((hm' 0 Nat.zero_ne_one).trans hi)
  have h1 : m'.impl 1 ≠ none := ne_of_live hi'
  have r4 := (r3.dispatch (allows 1 k' hk') (fun _ => h1)).swap Nat.zero_ne_one.symm
  exact ⟨m', r4.dispatch (allows 0 k hk) (fun _ => h0), h0, h1⟩

/-- Two threads that have just entered, on encoders with a context, have no fault before them. -/
theorem entered_faultless {C : Config} {m : Mem} {t u : Thread} {e e' : Encoder} (h : t ≠ u)
    (hi : m.impl e ≠ none) (hi' : m.impl e' ≠ none) (f : Fault) :
    ¬ Faulty C f (duo m t u (some ⟨k, e, .entered⟩) (some ⟨k', e', .entered⟩)) := by
  have at_entered : ∀ v x, (duo m t u (some ⟨k, e, .entered⟩)
      (some ⟨k', e', .entered⟩)).threads v = some x →
      x.pc = .entered ∧ m.impl x.encoder ≠ none := by
    intro v x hx
    by_cases hv : v = t
    · subst hv; rw [duo_left] at hx; cases hx; exact ⟨rfl, hi⟩
    · by_cases hv' : v = u
      · subst hv'; rw [duo_right h] at hx; cases hx; exact ⟨rfl, hi'⟩
      · rw [show (duo m t u _ _).threads v = none from
          (update_ne _ _ hv).trans (update_ne _ _ hv')] at hx
        cases hx
  intro hf
  cases hf with
  | body ht hb =>
    have ⟨hpc, hn⟩ := at_entered _ _ ht
    have hpc' := hpc
    cases hb with
    | loadNull _ hn' => exact hn hn'
    | derefNull _ | derefStale _ _ | derefUninitialised _ _ _ | pushForeign _ _ | publishTwice _
    | initForeign _ => cases hpc'
  | overlap _ ht _ => cases (at_entered _ _ ht).1
  | dead ht _ => cases (at_entered _ _ ht).1

/-- **Parallel if and only if** some two kinds of operation do not exclude each other everywhere. -/
theorem parallel_iff_criterion (env : Env) (σ : LockScheme) :
    Parallel env σ ↔ parallelCriterion env σ = true := by
  simp only [parallelCriterion, List.any_eq_true, Bool.and_eq_true, Bool.not_eq_true']
  constructor
  · intro ⟨c, s, t, u, x, y, hr, _, htu, ht, hx, hu, hy⟩
    have D := hr.disciplined
    obtain ⟨k, e, pc⟩ := x
    obtain ⟨k', e', pc'⟩ := y
    refine ⟨k, mem_allKinds k, k', mem_allKinds k', ⟨(D.allowed t _ ht).happens,
      (D.allowed u _ hu).happens⟩, ?_⟩
    cases h : σ.excludesAnywhere env k k' with
    | false => rfl
    | true =>
      exact ((D.excluded t u _ _ htu ht hu hx hy).elim
        (fun hb => hb (LockScheme.blocks_of_excludesAnywhere h))
        (fun hb => hb (LockScheme.blocks_of_excludesAnywhere h).symm)).elim
  · intro ⟨k, _, k', _, ⟨hk, hk'⟩, hn⟩
    have ⟨m, hr, h0, h1⟩ := dispatched_apart (C := σ.config env .distinct) rfl hk hk'
    refine ⟨.distinct, _, 0, 1, _, _, hr.enter Nat.zero_ne_one (Or.inl fun hb => ?_),
      entered_faultless Nat.zero_ne_one h0 h1, Nat.zero_ne_one, duo_left,
      fun h => PC.noConfusion h, duo_right Nat.zero_ne_one, fun h => PC.noConfusion h⟩
    have := LockScheme.excludesAnywhere_of_blocks Nat.zero_ne_one Nat.zero_ne_one hb
    rw [hn] at this
    cases this

instance (env : Env) (σ : LockScheme) : Decidable (Parallel env σ) :=
  decidable_of_decidable_of_iff (parallel_iff_criterion env σ).symm

end MPSVerify
