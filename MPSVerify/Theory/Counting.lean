import MPSVerify.AGX.Environments
import MPSVerify.AGX.Extensions
import MPSVerify.AGX.Fixed
import MPSVerify.AGX.PerEncoderMutex
import MPSVerify.AGX.RWLock
import MPSVerify.Spec.Counting
import MPSVerify.Thm.Faults
import MPSVerify.Thm.Parallel

/-!
# All 13,122 single-request schemes, counted

For each of the four kinds no lock or one of eight requests, and a liveness check or none: 9⁴ × 2
schemes. Which of them are safe is found by evaluation in Lean's kernel, pruned pair by pair,
through the criterion that is proved to decide safety.
-/

namespace MPSVerify

open AGX

/-- Requests of kinds `k` and `k'` that exclude each other on one encoder. -/
abbrev apart (k k' : Kind) (r q : List Request) : Bool := anyExcludes (Scope.sameOnEncoder k k') r q

theorem apart_of_criterion {env : Env} {σ : LockScheme} (hi : env.handlersIntercepted = true)
    (h : criterion env σ = true) (k k' : Kind) (hm : env.meet k k' = true) :
    apart k k' (σ.requests k) (σ.requests k') = true := by
  have hin : ∀ k, σ.requestsIn env k = σ.requests k := fun k =>
    ite_eq_right (fun h => by rw [hi] at h; cases h.2)
  simp only [criterion, Bool.and_eq_true, List.all_eq_true, Bool.not_eq_true'] at h
  have ho := h.1.2 k (mem_allKinds k) k' (mem_allKinds k')
  simp only [LockScheme.overlaps, hm, Bool.true_and, LockScheme.excludesOnEncoder, hin] at ho
  cases ha : apart k k' (σ.requests k) (σ.requests k') with
  | true => rfl
  | false =>
    rw [show anyExcludes (Scope.sameOnEncoder k k') (σ.requests k) (σ.requests k') = false from ha]
      at ho
    cases ho

theorem both {a b : Bool} (ha : a = true) (hb : b = true) : (a && b) = true := by
  rw [ha, hb]; rfl

/-- Four requests that are kept apart in all pairs are global or per encoder, exclusive. -/
theorem apart_everywhere : ∀ c ∈ singleRequests, apart .create .create c c = true →
    ∀ e ∈ singleRequests, (apart .create .encode c e && apart .encode .encode e e) = true →
    ∀ d ∈ singleRequests, (apart .create .destroy c d && apart .encode .destroy e d) = true →
    ∀ f ∈ singleRequests, (apart .create .complete c f && apart .encode .complete e f &&
      apart .destroy .complete d f && apart .destroy .destroy d d &&
      apart .complete .complete f f) = true →
    (LockScheme.mk c e d f true = uniform .global ∨
      LockScheme.mk c e d f true = uniform .encoder) := by
  decide +kernel

/-- **Exactly two of 13,122 schemes are safe**: globalMutex and perEncoder. (The predecessor counted
among seven, in a table.) -/
theorem exactly_two_safe_schemes (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ↔ σ = globalMutex ∨ σ = perEncoder := by
  constructor
  · intro hs
    have hc := (safe_iff_criterion _ _).mp hs
    have ha := fun k k' => apart_of_criterion (env := .default) rfl hc k k'
    obtain ⟨c, e, d, f, check⟩ := σ
    have hck : check = true := by
      simp only [criterion, Bool.and_eq_true, Bool.or_eq_true] at hc
      exact hc.1.1.2.elim id (fun h => by cases h)
    subst hck
    exact apart_everywhere c (h .create) (ha .create .create rfl) e (h .encode)
      (both (ha .create .encode rfl) (ha .encode .encode rfl)) d (h .destroy)
      (both (ha .create .destroy rfl) (ha .encode .destroy rfl)) f (h .complete)
      (by simp only [Bool.and_eq_true]
          exact ⟨⟨⟨⟨ha .create .complete rfl, ha .encode .complete rfl⟩,
            ha .destroy .complete rfl⟩, ha .destroy .destroy rfl⟩, ha .complete .complete rfl⟩)
  · intro h
    rcases h with rfl | rfl
    · exact mutex_prevents_race
    · exact per_encoder_mutex_sufficient

/-- **perEncoder is the only scheme of 13,122 that is both safe and parallel.** (The predecessor
said so of seven rows of a table.) -/
theorem per_encoder_uniquely_optimal (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ∧ Parallel .default σ ↔ σ = perEncoder := by
  rw [exactly_two_safe_schemes σ h]
  constructor
  · intro ⟨hs, hp⟩
    rcases hs with rfl | rfl
    · exact absurd hp globalMutex.parallel
    · rfl
  · rintro rfl
    exact ⟨Or.inr rfl, per_encoder_mutex_parallel⟩

/-- **On a racy freelist exactly one scheme is safe**: globalMutex. -/
theorem racy_freelist_exactly_one_safe (σ : LockScheme) (h : σ.Single) :
    Safe .racyFreelist σ ↔ σ = globalMutex := by
  constructor
  · intro hs
    have hd : Safe .default σ := by
      rw [safe_iff_criterion] at hs ⊢
      simp only [criterion, Bool.and_eq_true] at hs ⊢
      exact ⟨hs.1, rfl⟩
    rcases (exactly_two_safe_schemes σ h).mp hd with rfl | rfl
    · rfl
    · exact absurd hs (by decide)
  · rintro rfl
    decide

/-! ## Without encoder overlap as a fault -/

/-- Four requests that are kept apart in all pairs but encode and encode. -/
theorem apart_but_encoding : ∀ c ∈ singleRequests, apart .create .create c c = true →
    ∀ e ∈ singleRequests, apart .create .encode c e = true →
    ∀ d ∈ singleRequests, (apart .create .destroy c d && apart .encode .destroy e d &&
      apart .destroy .destroy d d) = true →
    ∀ f ∈ singleRequests, (apart .create .complete c f && apart .encode .complete e f &&
      apart .destroy .complete d f && apart .complete .complete f f) = true →
    LockScheme.mk c e d f true ∈ [globalMutex, perEncoder, rwLock, perEncoderRW] := by
  decide +kernel

/-- **Exactly four of 13,122 schemes are memory safe**: with the two safe ones, the two
reader–writer locks. So perEncoder's optimality rests on encoder overlap being a fault. (New.) -/
theorem memory_safe_schemes_exactly_four (σ : LockScheme) (h : σ.Single) :
    MemorySafe .default σ ↔ σ ∈ [globalMutex, perEncoder, rwLock, perEncoderRW] := by
  constructor
  · intro hs
    have no : ∀ f, f ≠ .encoderOverlap → ¬ faultCriterion .default σ f = true :=
      fun f hf hn => hs f hf ((can_reach_iff_criterion _ _ _).mpr hn)
    have ap : ∀ k k', Env.default.meet k k' = true → ¬ σ.overlaps .default k k' = true →
        apart k k' (σ.requests k) (σ.requests k') = true := by
      intro k k' hm ho
      have hin : ∀ k, σ.requestsIn .default k = σ.requests k := fun k =>
        ite_eq_right (fun h => by cases h.2)
      simp only [LockScheme.overlaps, hm, Bool.true_and, LockScheme.excludesOnEncoder, hin,
        Bool.not_eq_true', Bool.not_eq_false] at ho
      exact ho
    have hN := no .nullDeref (fun h => Fault.noConfusion h)
    have hU := no .uninitialised (fun h => Fault.noConfusion h)
    have hD := no .doubleFree (fun h => Fault.noConfusion h)
    have hL := no .lostContext (fun h => Fault.noConfusion h)
    have hW := no .writeAfterFree (fun h => Fault.noConfusion h)
    simp only [faultCriterion, Bool.or_eq_true, not_or] at hN hU hD hL hW
    have et : ∀ k, k.tearsDown = true → ¬ σ.overlaps .default .encode k = true :=
      fun k hk ho => hN.1 (LockScheme.overlapsTeardown_iff.mpr ⟨k, hk, ho⟩)
    have ct : ∀ k, k.tearsDown = true → ¬ σ.overlaps .default .create k = true :=
      fun k hk ho => hW.2 (LockScheme.overlapsTeardown_iff.mpr ⟨k, hk, ho⟩)
    have tt : ∀ k k', k.tearsDown = true → k'.tearsDown = true →
        ¬ σ.overlaps .default k k' = true := fun k k' hk hk' ho => hD.2 (List.any_eq_true.mpr
      ⟨k, mem_allKinds k, both hk
        (LockScheme.overlapsTeardown_iff.mpr ⟨k', hk', ho⟩)⟩)
    obtain ⟨c, e, d, f, check⟩ := σ
    have hck : check = true := by
      cases check with
      | true => rfl
      | false => exact absurd rfl hN.2
    subst hck
    refine apart_but_encoding c (h .create) (ap .create .create rfl hL) e (h .encode)
      (ap .create .encode rfl hU) d (h .destroy) ?_ f (h .complete) ?_
    · simp only [Bool.and_eq_true]
      exact ⟨⟨ap .create .destroy rfl (ct _ rfl), ap .encode .destroy rfl (et _ rfl)⟩,
        ap .destroy .destroy rfl (tt _ _ rfl rfl)⟩
    · simp only [Bool.and_eq_true]
      exact ⟨⟨⟨ap .create .complete rfl (ct _ rfl), ap .encode .complete rfl (et _ rfl)⟩,
        ap .destroy .complete rfl (tt _ _ rfl rfl)⟩, ap .complete .complete rfl (tt _ _ rfl rfl)⟩
  · intro hm f hf
    simp only [List.mem_cons, List.not_mem_nil, or_false] at hm
    rcases hm with rfl | rfl | rfl | rfl <;> cases f <;>
      first | exact absurd rfl hf | decide

end MPSVerify
