import MPSVerify.Thm.Criterion
import MPSVerify.Thm.Permits

/-!
# Which lock schemes let two threads work at the same time
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {k k' : Kind}

/-- Two threads that have just entered, on encoders that are there, have no fault before them. -/
theorem entered_faultless {C : Config} {m : Mem} {t u : Thread} {e e' : Encoder} (h : t ≠ u)
    (hi : There m k e) (hi' : There m k' e') (f : Fault) :
    ¬ Faulty C f (duo m t u (some ⟨k, e, .entered⟩) (some ⟨k', e', .entered⟩)) := by
  have at_entered : ∀ v x, (duo m t u (some ⟨k, e, .entered⟩)
      (some ⟨k', e', .entered⟩)).threads v = some x →
      x.pc = .entered ∧ There m x.kind x.encoder := by
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
    | loadNull _ hn' => exact hn.1 (fun h => Kind.noConfusion h) hn'
    | derefNull _ | derefStale _ _ | derefUninitialised _ _ _ | pushForeign _ _ | publishTwice _
    | initForeign _ => cases hpc'
  | overlap _ ht _ => cases (at_entered _ _ ht).1
  | dead ht _ => cases (at_entered _ _ ht).1

/-- **Parallel if and only if** some two kinds of operation that happen do not exclude each other
everywhere. -/
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
    have ⟨m, hr, h0, h1⟩ := dispatched_apart (C := σ.config env .distinct) Nat.zero_ne_one
      Nat.zero_ne_one (Env.allows_of_happens hk (Or.inr (Or.inr rfl)))
      (Env.allows_of_happens hk' (Or.inr (Or.inr rfl)))
    refine ⟨.distinct, _, 0, 1, _, _, hr.enter Nat.zero_ne_one (Or.inl fun hb => ?_),
      entered_faultless Nat.zero_ne_one h0 h1, Nat.zero_ne_one, duo_left,
      fun h => PC.noConfusion h, duo_right Nat.zero_ne_one, fun h => PC.noConfusion h⟩
    have := LockScheme.excludesAnywhere_of_blocks Nat.zero_ne_one Nat.zero_ne_one hb
    rw [hn] at this
    cases this

instance (env : Env) (σ : LockScheme) : Decidable (Parallel env σ) :=
  decidable_of_decidable_of_iff (parallel_iff_criterion env σ).symm

end MPSVerify
