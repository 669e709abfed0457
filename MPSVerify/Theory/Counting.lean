import MPSVerify.AGX.Environments
import MPSVerify.AGX.Extensions
import MPSVerify.AGX.RWLock
import MPSVerify.AGX.SyncStrategyCompleteness
import MPSVerify.Spec.Counting
import MPSVerify.Spec.Sequential
import MPSVerify.Theory.Optimality
import MPSVerify.Thm.Faults
import MPSVerify.Thm.Parallel

/-!
# All 29,282 single-request schemes, counted

For each of the four kinds no lock or one of ten requests, and a liveness check or none: 11⁴ × 2
schemes (`Counting/Space.lean`). Which of them are safe is found by evaluation in Lean's kernel,
pruned pair by pair, through the criterion that is proved to decide safety.
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

/-- Four requests that are kept apart in all pairs are exclusive, all global, all per encoder
or all per queue. -/
theorem apart_everywhere : ∀ c ∈ singleRequests, apart .create .create c c = true →
    ∀ e ∈ singleRequests, (apart .create .encode c e && apart .encode .encode e e) = true →
    ∀ d ∈ singleRequests, (apart .create .destroy c d && apart .encode .destroy e d) = true →
    ∀ f ∈ singleRequests, (apart .create .complete c f && apart .encode .complete e f &&
      apart .destroy .complete d f && apart .destroy .destroy d d &&
      apart .complete .complete f f) = true →
    LockScheme.mk c e d f true ∈ [globalMutex, perEncoder, striped] := by
  decide +kernel

/-- **Exactly three of 29,282 schemes are safe**: globalMutex, perEncoder, and striped, a mutex per
queue of encoders. (The predecessor counted among seven, in a table, without queues.) -/
theorem exactly_three_safe_schemes (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ↔ σ ∈ [globalMutex, perEncoder, striped] := by
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
    simp only [List.mem_cons, List.not_mem_nil, or_false] at h
    rcases h with rfl | rfl | rfl
    · exact mutex_prevents_race
    · exact per_encoder_mutex_sufficient
    · exact striped_mutex_sufficient

/-- **perEncoder and striped are the safe schemes of 29,282 that are parallel** for some client. -/
theorem exactly_two_safe_and_parallel (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ∧ Parallel .default σ ↔ σ = perEncoder ∨ σ = striped := by
  rw [exactly_three_safe_schemes σ h]
  simp only [List.mem_cons, List.not_mem_nil, or_false]
  constructor
  · intro ⟨hs, hp⟩
    rcases hs with rfl | hs
    · exact absurd hp globalMutex.parallel
    · exact hs
  · rintro (rfl | rfl)
    · exact ⟨Or.inr (Or.inl rfl), per_encoder_mutex_parallel⟩
    · exact ⟨Or.inr (Or.inr rfl), striped.parallel⟩

/-- **perEncoder alone permits most**: of all 29,282 schemes it is the only safe one that lets in
together, for every client, all that perEncoder lets in together; and that is all that any safe
discipline does (`per_encoder_is_optimal`). striped does not if two encoders share a queue. -/
theorem only_per_encoder_permits_most (σ : LockScheme) (h : σ.Single) :
    (Safe .default σ ∧ ∀ c a b, (perEncoder.config .default c).Permits a b →
      (σ.config .default c).Permits a b) ↔ σ = perEncoder := by
  constructor
  · intro ⟨hs, hp⟩
    have hp := hp .together ⟨0, .encode, 0⟩ ⟨1, .encode, 1⟩
      (per_encoder_permits_iff.mpr ⟨Nat.zero_ne_one, Nat.zero_ne_one⟩)
    have hs := (exactly_three_safe_schemes σ h).mp hs
    simp only [List.mem_cons, List.not_mem_nil, or_false] at hs
    rcases hs with rfl | rfl | rfl
    · exact absurd hp global_mutex_permits_nothing
    · rfl
    · have hb : ∀ t u e e', (striped.config .default .together).blocks
          ⟨t, .encode, e⟩ ⟨u, .encode, e'⟩ := fun _ _ _ _ =>
        ⟨⟨.queue, .exclusive⟩, .head _, ⟨.queue, .exclusive⟩, .head _, rfl, rfl⟩
      exact ((Config.permits_iff.mp hp).2.2.2.2.elim (fun hn => hn (hb ..))
        (fun hn => hn (hb ..))).elim
  · rintro rfl
    exact ⟨per_encoder_mutex_sufficient, fun _ _ _ h => h⟩

/-- **perEncoder is the only one of the seven strategies that is both safe and parallel.** (The
predecessor read it off a table.) -/
theorem per_encoder_uniquely_optimal (s : Strategy) :
    Safe .default s.scheme ∧ Parallel .default s.scheme ↔ s = .perEncoder := by
  rw [safe_strategies_exactly_two s, parallel_iff_criterion]
  cases s <;> decide

/-- **On a racy freelist exactly one of the 29,282 is safe**: globalMutex. -/
theorem racy_freelist_exactly_one_safe (σ : LockScheme) (h : σ.Single) :
    Safe .racyFreelist σ ↔ σ = globalMutex := by
  constructor
  · intro hs
    have hd : Safe .default σ := by
      rw [safe_iff_criterion] at hs ⊢
      simp only [criterion, Bool.and_eq_true] at hs ⊢
      exact ⟨hs.1, rfl⟩
    have hm := (exactly_three_safe_schemes σ h).mp hd
    simp only [List.mem_cons, List.not_mem_nil, or_false] at hm
    rcases hm with rfl | rfl | rfl
    · rfl
    · exact absurd hs (by decide)
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
    LockScheme.mk c e d f true ∈
      [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue] := by
  decide +kernel

/-- **Exactly six of 29,282 schemes are memory safe**: with the three safe ones, the three
reader–writer locks. So perEncoder's optimality rests on encoder overlap being a fault. (New.) -/
theorem memory_safe_schemes_exactly_six (σ : LockScheme) (h : σ.Single) :
    MemorySafe .default σ ↔
      σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue] := by
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
    rcases hm with rfl | rfl | rfl | rfl | rfl | rfl <;> cases f <;>
      first | exact absurd rfl hf | decide

end MPSVerify
