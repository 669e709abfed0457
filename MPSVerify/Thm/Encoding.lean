import MPSVerify.Thm.Faults
import MPSVerify.Thm.Parallel

/-!
# Which lock schemes let two threads *encode* at the same time
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme}

/-- **Encoding is parallel**, for some client, **if and only if** it is not so that any two encodes
exclude each other, whatever the client. -/
theorem encodes_in_parallel_iff (env : Env) (σ : LockScheme) :
    EncodesInParallel env σ ↔ σ.excludesAnywhere env .encode .encode = false := by
  constructor
  · intro ⟨c, s, t, u, e, e', pc, pc', hr, _, htu, ht, hp, hu, hp'⟩
    cases h : σ.excludesAnywhere env .encode .encode with
    | false => rfl
    | true =>
      exact ((hr.disciplined.excluded t u _ _ htu ht hu hp hp').elim
        (fun hb => hb (LockScheme.blocks_of_excludesAnywhere h))
        (fun hb => hb (LockScheme.blocks_of_excludesAnywhere h).symm)).elim
  · intro hn
    have ⟨m, hr, h0, h1⟩ := dispatched_apart (C := σ.config env .distinct) (k := .encode)
      (k' := .encode) Nat.zero_ne_one Nat.zero_ne_one (Or.inr rfl) (Or.inr rfl)
    exact ⟨.distinct, _, 0, 1, 0, 1, _, _,
      hr.enter Nat.zero_ne_one (Or.inl (LockScheme.not_blocks_apart Nat.zero_ne_one
        Nat.zero_ne_one hn)),
      entered_faultless Nat.zero_ne_one h0 h1, Nat.zero_ne_one, duo_left,
      fun h => PC.noConfusion h, duo_right Nat.zero_ne_one, fun h => PC.noConfusion h⟩

instance (env : Env) (σ : LockScheme) : Decidable (EncodesInParallel env σ) :=
  decidable_of_decidable_of_iff (encodes_in_parallel_iff env σ).symm

end MPSVerify
