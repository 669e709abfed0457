import MPSVerify.AGX.PerStreamMutex
import MPSVerify.AGX.SyncStrategyCompleteness
import MPSVerify.Theory.Counting
import MPSVerify.Thm.Assumptions
import MPSVerify.Thm.Encoding

/-!
# The environments: what each assumption costs, and what separates the strategies

How many of the 29,282 single-request schemes are safe in each environment but `afterCreate`, where
nobody has counted (`default` and `racyFreelist` are in `Counting.lean`), and the explanations of
the predecessor put right.
-/

namespace MPSVerify

open AGX

/-- **If handlers bypass the guard, none of the schemes is safe**; all of them allow the race of the
crash logs, globalMutex and perEncoder included. So handlers cannot be what separates rwLock from
them, as the predecessor had it. -/
theorem no_scheme_survives_bypass (σ : LockScheme) :
    TeardownRace .handlersBypass σ ∧ ¬ Safe .handlersBypass σ := by
  have h := async_bypass_defeats_every_lock (C := σ.config .handlersBypass .distinct) rfl
    (fun _ b hk ⟨_, _, q, hq, _⟩ => by
      have : σ.requestsIn .handlersBypass b.kind = [] := ite_eq_left ⟨hk, rfl⟩
      rw [show q ∈ σ.requestsIn .handlersBypass b.kind ↔ q ∈ [] from by rw [this]] at hq
      cases hq)
  exact ⟨⟨_, h.1⟩, fun hs => h.2 (hs _)⟩

/-- **If callers do not retain, none of the schemes is safe.** -/
theorem no_scheme_survives_release (σ : LockScheme) : ¬ Safe .noRetain σ :=
  fun hs =>
    dispatch_window_defeats_every_lock (C := σ.config .noRetain .distinct) rfl (hs .distinct)

/-- **Under confinement without handler teardown, all schemes are safe**: no lock is needed. -/
theorem every_scheme_safe_confined_no_handlers (σ : LockScheme) : Safe .confinedNoHandlers σ :=
  fun c => confinement_suffices (C := σ.config .confinedNoHandlers c) rfl rfl rfl rfl

/-- **A racy freelist defeats perEncoder.** This, and not a "global registry", would be a reason
against locks per stream; it is one against locks per encoder too. -/
theorem racy_freelist_defeats_per_encoder : ¬ Safe .racyFreelist perEncoder := by decide

theorem apart_from_complete : ∀ f ∈ singleRequests, apart .complete .complete f f = true →
    ∀ c ∈ singleRequests, apart .create .complete c f = true →
    ∀ e ∈ singleRequests, apart .encode .complete e f = true →
    ∀ d ∈ singleRequests, apart .destroy .complete d f = true →
    LockScheme.mk c e d f true ∈ confinedSafe := by
  decide +kernel

/-- **Exactly twenty-four of 29,282 schemes are safe under confinement** with handler teardown. -/
theorem exactly_twenty_four_safe_confined (σ : LockScheme) (h : σ.Single) :
    Safe .confined σ ↔ σ ∈ confinedSafe := by
  constructor
  · intro hs
    have hc := (safe_iff_criterion _ _).mp hs
    have ha := fun k k' => apart_of_criterion (env := .confined) rfl hc k k'
    obtain ⟨c, e, d, f, check⟩ := σ
    have hck : check = true := by
      simp only [criterion, Bool.and_eq_true, Bool.or_eq_true] at hc
      exact hc.1.1.2.elim id (fun h => by cases h)
    subst hck
    exact apart_from_complete f (h .complete) (ha _ _ rfl) c (h .create) (ha _ _ rfl)
      e (h .encode) (ha _ _ rfl) d (h .destroy) (ha _ _ rfl)
  · have : ∀ σ ∈ confinedSafe, criterion .confined σ = true := by decide +kernel
    exact fun hm => (safe_iff_criterion _ _).mpr (this σ hm)

/-- **perStream is safe for exactly those clients whose threads all share one stream.** (The
predecessor's reason was that the registry of contexts is global.) -/
theorem per_stream_safe_iff (c : Client) :
    (perStream.config .default c).Safe ↔ ∀ t u, c.stream t = c.stream u := by
  have one : ∀ k, perStream.requestsIn .default k = [⟨.stream, .exclusive⟩] := by
    intro k; cases k <;> rfl
  constructor
  · intro hs t u
    by_cases htu : t = u
    · rw [htu]
    · obtain ⟨r, hr, q, hq, hl, _⟩ :=
        (hs.criterion.apart .encode .encode t u 0 htu rfl (Or.inl rfl) (Or.inl rfl)).1
      have hr : r ∈ perStream.requestsIn .default .encode := hr
      have hq : q ∈ perStream.requestsIn .default .encode := hq
      rw [one, List.mem_singleton] at hr hq
      subst hr; subst hq
      exact Lock.stream.inj hl
  · intro hst
    have all : ∀ t u k k' e, perStream.Blocks .default c ⟨t, k, e⟩ ⟨u, k', e⟩ := by
      intro t u k k' e
      refine ⟨⟨.stream, .exclusive⟩, ?_, ⟨.stream, .exclusive⟩, ?_, ?_, rfl⟩
      · rw [one]; exact List.mem_singleton.mpr rfl
      · rw [one]; exact List.mem_singleton.mpr rfl
      · exact congrArg Lock.stream (hst t u)
    exact Config.Criterion.safe ⟨rfl, Or.inl rfl,
      fun k k' t u e _ _ _ _ => ⟨all t u k k' e, all u t k' k e⟩, Or.inl rfl⟩

/-- **rwLock can run into encoder overlap, and into nothing else.** -/
theorem rw_lock_only_overlap (f : Fault) :
    CanReach .default rwLock f ↔ f = .encoderOverlap := by
  cases f <;> decide

/-- **Which of the seven encode in parallel**, for some client: all but globalMutex and perOp. (The
predecessor's "parallel" counted any two operations.) -/
theorem encodes_in_parallel_classified (s : Strategy) :
    EncodesInParallel .default s.scheme ↔ s ≠ .globalMutex ∧ s ≠ .perOp := by
  rw [encodes_in_parallel_iff]
  cases s <;> decide

/-- **Which of the seven are parallel**, for some client: all but globalMutex. -/
theorem parallel_classified (s : Strategy) :
    Parallel .default s.scheme ↔ s ≠ .globalMutex := by
  rw [parallel_iff_criterion]
  cases s <;> decide

/-- **In the default environment every scheme that checks can lose work**, the safe ones included,
and no other: between dispatch and acquire another thread can tear the encoder down, and the check
then skips the call. -/
theorem skip_possible (σ : LockScheme) (c : Client) :
    (σ.config .default c).CanSkip ↔ σ.check = true :=
  ⟨fun h => h.1, fun h => skip_possible_iff.mpr
    ⟨h, 0, 1, 0, .destroy, Nat.zero_ne_one, rfl, Or.inl rfl, Or.inl rfl⟩⟩

/-- **globalMutex is minimal in this sense**: another request, or none, for exactly one kind of
operation makes it unsafe, and so does dropping the check. The predecessor's "no weaker
synchronization is correct" is refuted by perEncoder. -/
theorem mutex_is_minimal :
    (∀ k, ∀ rs ∈ singleRequests, rs ≠ [⟨.global, .exclusive⟩] → ¬ Safe .default (replaced k rs)) ∧
      ¬ Safe .default uncheckedMutex := by
  refine ⟨?_, by decide⟩
  have : ∀ rs ∈ singleRequests, rs ≠ [⟨.global, .exclusive⟩] → ∀ k ∈ allKinds,
      criterion .default (replaced k rs) = false := by decide +kernel
  intro k rs hrs hne hs
  have hc := (safe_iff_criterion _ _).mp hs
  rw [this rs hrs hne k (mem_allKinds k)] at hc
  cases hc

end MPSVerify
