import MPSVerify.Thm.Faults.Positive

/-!
# Exact fault sets

For each of the eight faults: it can be reached if and only if `faultCriterion` says so. So the
whole matrix, strategies by environments, is decided by evaluation and proved by one theorem.
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {f : Fault}

/-- A fault that no client can reach. -/
theorem not_canReach (h : ∀ c s, Reachable (σ.config env c) s → ¬ Faulty (σ.config env c) f s) :
    ¬ CanReach env σ f := fun ⟨c, s, hr, hf⟩ => h c s hr hf

/-- Overlap of kinds that are no completion handlers needs shared encoders. -/
theorem LockScheme.overlaps_create_encode_allows (h : σ.overlaps env .create .encode = true)
    (home : Encoder → Thread) (t : Thread) (e : Encoder) (k : Kind)
    (hk : env.happens k = true) : env.Allows home ⟨t, k, e⟩ := by
  have hm := (overlaps_iff.mp h).1
  simp only [Env.meet, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq] at hm
  rcases hm.1.2 with (hs | hc) | hc
  · exact Env.allows_of_happens hk (Or.inl hs)
  · cases hc
  · cases hc

/-- **Exactly the faults of `faultCriterion` can be reached**: by every lock scheme, in every
environment, for any number of threads, encoders, blocks and streams. -/
theorem can_reach_iff_criterion (env : Env) (σ : LockScheme) (f : Fault) :
    CanReach env σ f ↔ faultCriterion env σ f = true := by
  constructor
  · intro hcan
    apply Classical.byContradiction
    intro hn
    refine not_canReach (fun c s hr => ?_) hcan
    cases f with
    | nullDeref =>
      simp only [faultCriterion, Bool.or_eq_true, Bool.and_eq_true, Bool.not_eq_true', not_or,
        not_and] at hn
      refine hr.no_nullDeref (LockScheme.apartTeardown c hn.1) ?_
      cases hc : σ.check with
      | true => exact Or.inl hc
      | false =>
        refine Or.inr (fun t u e k htu hk ha ha' => ?_)
        exact (Env.others_tearDown_iff.mp ⟨k, hk, Env.meet_of_allows htu
          (Env.encode_beside_teardown hk) ha ha'⟩).elim
          (hn.2 hc).1 (hn.2 hc).2
    | staleContext =>
      simp only [faultCriterion, Bool.or_eq_true, not_or] at hn
      refine hr.no_staleContext (LockScheme.createsApart c hn.1.2)
        (LockScheme.apartTeardown c hn.1.1) ?_
      simp only [Bool.and_eq_true, List.any_eq_true, not_and] at hn
      cases hce : σ.overlaps env .create .encode with
      | false => exact Or.inl (LockScheme.apart c (by rw [hce]; exact fun h => nomatch h))
      | true =>
        refine Or.inr (fun k hk => ?_)
        cases hck : σ.overlaps env .create k with
        | false => exact Or.inl (LockScheme.apart c (by rw [hck]; exact fun h => nomatch h))
        | true =>
          exact Or.inr (LockScheme.apartTeardown c
            (fun h => hn.2 hce ⟨k, mem_allKinds k, ⟨hk, hck⟩, h⟩))
    | uninitialised => exact hr.no_uninitialised (LockScheme.apart c hn)
    | doubleFree =>
      simp only [faultCriterion, Bool.or_eq_true, not_or, List.any_eq_true, Bool.and_eq_true] at hn
      exact hr.no_doubleFree (LockScheme.createsApart c hn.1) (fun k hk =>
        LockScheme.apartTeardown c (fun h => hn.2 ⟨k, mem_allKinds k, hk, h⟩))
    | lostContext => exact hr.no_lostContext (LockScheme.apart c hn)
    | writeAfterFree =>
      simp only [faultCriterion, Bool.or_eq_true, not_or] at hn
      exact hr.no_writeAfterFree (LockScheme.createsApart c hn.1)
        (LockScheme.apartTeardown c hn.2)
    | encoderOverlap => exact hr.no_overlap (LockScheme.apart c hn)
    | deadDispatch =>
      refine hr.no_deadDispatch ?_
      cases h : env.callersRetain with
      | true => exact h
      | false => exact absurd (by simp only [faultCriterion, h]; rfl) hn
  · intro h
    cases f with
    | nullDeref =>
      simp only [faultCriterion, Bool.or_eq_true, Bool.and_eq_true, Bool.not_eq_true'] at h
      rcases h with h | ⟨hc, h⟩
      · exact ((teardown_race_iff_criterion env σ).mpr h).nullDeref
      · obtain ⟨k, hk, hm⟩ := Env.others_tearDown_iff.mpr h
        obtain ⟨_, t, u, htu, ha, ha'⟩ := Env.allows_of_meet hm
        exact ⟨.distinct, unchecked_fault htu hc hk ha ha'⟩
    | staleContext =>
      simp only [faultCriterion, Bool.or_eq_true, Bool.and_eq_true, List.any_eq_true] at h
      rcases h with (h | h) | ⟨hce, k, _, ⟨hk, hck⟩, hkt⟩
      · obtain ⟨k, hk, ho⟩ := LockScheme.overlapsTeardown_iff.mp h
        obtain ⟨m, t, u, htu, hr, hi, hown⟩ := LockScheme.enter_of_overlaps ho
        exact ⟨.distinct, encode_teardown_stale htu hk hr hi hown⟩
      · exact (LockScheme.stealsBlocks_faults h).1
      · obtain ⟨k', hk', hkk⟩ := LockScheme.overlapsTeardown_iff.mp hkt
        have all := LockScheme.overlaps_create_encode_allows hce
        have hkk := LockScheme.overlaps_iff.mp hkk
        have hck := LockScheme.overlaps_iff.mp (LockScheme.overlaps_symm hck)
        have hce := LockScheme.overlaps_iff.mp hce
        have hm := hkk.1
        simp only [Env.meet, Bool.and_eq_true] at hm
        exact ⟨.distinct, stale_without_race (t := 0) (u := 1) (e := 0) Nat.zero_ne_one
          (Env.not_createReturns (Env.allows_of_meet hce.1).1) hk hk'
          (fun v j hj => all _ v 0 j hj) hm.1.1.1 hm.1.1.2
          (LockScheme.not_blocks Nat.zero_ne_one.symm hkk.2)
          (LockScheme.not_blocks Nat.zero_ne_one.symm hck.2)
          (LockScheme.not_blocks Nat.zero_ne_one hce.2)⟩
    | uninitialised =>
      obtain ⟨m, t, u, htu, hr, hi, ho⟩ := LockScheme.enter_gone h
      exact ⟨.distinct, create_encode_fault htu hr hi ho⟩
    | doubleFree =>
      simp only [faultCriterion, Bool.or_eq_true, List.any_eq_true, Bool.and_eq_true] at h
      rcases h with h | ⟨k, _, hk, h⟩
      · exact (LockScheme.stealsBlocks_faults h).2.1
      · obtain ⟨k', hk', ho⟩ := LockScheme.overlapsTeardown_iff.mp h
        obtain ⟨m, t, u, htu, hr, hi, hown⟩ := LockScheme.enter_of_overlaps ho
        exact ⟨.distinct, teardown_teardown_fault htu hk hk' hr hi hown⟩
    | lostContext => exact LockScheme.enter_new h
    | writeAfterFree =>
      simp only [faultCriterion, Bool.or_eq_true] at h
      rcases h with h | h
      · exact (LockScheme.stealsBlocks_faults h).2.2
      · obtain ⟨k, hk, ho⟩ := LockScheme.overlapsTeardown_iff.mp h
        obtain ⟨m, t, u, htu, hr, hi, hown⟩ := LockScheme.enter_gone ho
        exact ⟨.distinct, create_teardown_fault htu hk hr hi hown⟩
    | encoderOverlap => exact (overlap_iff env σ).mpr h
    | deadDispatch =>
      simp only [faultCriterion, Bool.not_eq_true'] at h
      exact ⟨.distinct, noRetain_fault h⟩

/-- Which faults can be reached is decided by evaluation. -/
instance (env : Env) (σ : LockScheme) (f : Fault) : Decidable (CanReach env σ f) :=
  decidable_of_decidable_of_iff (can_reach_iff_criterion env σ f).symm

theorem mem_allFaults (f : Fault) : f ∈ allFaults := by cases f <;> decide

/-- The exact set of reachable faults is decided by evaluation. -/
theorem exact_faults_iff_criterion (env : Env) (σ : LockScheme) (faults : List Fault) :
    ExactFaults env σ faults ↔
      (allFaults.all fun f => faultCriterion env σ f == decide (f ∈ faults)) = true := by
  rw [List.all_eq_true]
  constructor
  · intro h f _
    have := h f
    rw [can_reach_iff_criterion] at this
    by_cases hf : f ∈ faults
    · rw [this.mpr hf, decide_eq_true hf]; rfl
    · rw [Bool.eq_false_of_ne_true (fun h => hf (this.mp h)), decide_eq_false hf]; rfl
  · intro h f
    rw [can_reach_iff_criterion, eq_of_beq (h f (mem_allFaults f))]
    exact ⟨of_decide_eq_true, decide_eq_true⟩

instance (env : Env) (σ : LockScheme) (faults : List Fault) :
    Decidable (ExactFaults env σ faults) :=
  decidable_of_decidable_of_iff (exact_faults_iff_criterion env σ faults).symm

end MPSVerify
