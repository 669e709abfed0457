import MPSVerify.AGX.Fixed
import MPSVerify.AGX.PerEncoderMutex
import MPSVerify.Thm.Permits

/-!
# perEncoder is optimal among all disciplines

Not among a list of strategies: among all relations `blocks` whatever, for any number of threads and
encoders. All of it in the default environment. It rests on `encoderOverlap` being a fault
(`memory_safe_schemes_exactly_four` says what is left without it), and on the client being the most
general one.
-/

namespace MPSVerify

open AGX

variable {C : Config} {a b : Op} {c : Client}

theorem default_allows (home : Encoder → Thread) (o : Op) : Env.default.Allows home o := by
  obtain ⟨t, k, e⟩ := o
  cases k <;> first | exact rfl | exact Or.inl rfl

/-- perEncoder permits exactly what happens on different encoders. -/
theorem per_encoder_permits_iff : (perEncoder.config .default c).Permits a b ↔
    a.thread ≠ b.thread ∧ a.encoder ≠ b.encoder := by
  obtain ⟨t, k, e⟩ := a
  obtain ⟨u, k', e'⟩ := b
  rw [Config.permits_iff]
  constructor
  · intro ⟨htu, _, _, hn⟩
    refine ⟨htu, fun he => ?_⟩
    have : e = e' := he
    subst this
    have hx : perEncoder.excludesOnEncoder .default k k' = true := by
      cases k <;> cases k' <;> decide
    have hb : (perEncoder.config .default c).blocks ⟨t, k, e⟩ ⟨u, k', e⟩ :=
      LockScheme.blocks_of_excludesOnEncoder hx
    exact hn.elim (fun h => h hb) (fun h => h (LockScheme.Blocks.symm hb))
  · intro ⟨htu, he⟩
    refine ⟨htu, default_allows _ _, default_allows _ _, Or.inl ?_⟩
    intro ⟨r, hr, q, hq, hl, _⟩
    have one : ∀ k, perEncoder.requestsIn .default k = [⟨.encoder, .exclusive⟩] := by
      intro k; cases k <;> rfl
    have hr : r ∈ perEncoder.requestsIn .default k := hr
    have hq : q ∈ perEncoder.requestsIn .default k' := hq
    rw [one, List.mem_singleton] at hr hq
    subst hr; subst hq
    exact he (Lock.encoder.inj hl)

/-- globalMutex permits nothing. -/
theorem global_mutex_permits_nothing : ¬ (globalMutex.config .default c).Permits a b := by
  obtain ⟨t, k, e⟩ := a
  obtain ⟨u, k', e'⟩ := b
  rw [Config.permits_iff]
  intro ⟨_, _, _, hn⟩
  have hx : globalMutex.excludesAnywhere .default k k' = true := by
    cases k <;> cases k' <;> decide
  have hb : (globalMutex.config .default c).blocks ⟨t, k, e⟩ ⟨u, k', e'⟩ :=
    LockScheme.blocks_of_excludesAnywhere hx
  exact hn.elim (fun h => h hb) (fun h => h (LockScheme.Blocks.symm hb))

/-- **A checked discipline is safe if and only if it permits nothing that perEncoder does not
permit.** The predecessor compared seven strategies; this is about every discipline. -/
theorem safe_iff_permits_subset (hd : C.env = .default) (hc : C.check = true) :
    C.Safe ↔ ∀ a b, C.Permits a b → (perEncoder.config .default c).Permits a b := by
  constructor
  · intro hs a b hp
    exact per_encoder_permits_iff.mpr ⟨(Config.permits_iff.mp hp).1,
      fun he => same_encoder_overlap_is_unsafe hp he hs⟩
  · intro h
    refine Config.Criterion.safe ⟨by rw [hd]; rfl, Or.inl hc, ?_, Or.inl (by rw [hd]; rfl)⟩
    intro k k' t u e htu ha hb
    have no : ∀ {a b : Op}, a.thread ≠ b.thread → a.encoder = b.encoder →
        C.env.Allows C.home a → C.env.Allows C.home b → C.blocks a b := by
      intro a b htu he ha hb
      apply Classical.byContradiction
      intro hn
      have hp := h a b (Config.permits_iff.mpr ⟨htu, ha, hb, Or.inl hn⟩)
      exact (per_encoder_permits_iff.mp hp).2 he
    exact ⟨no htu rfl ha hb, no (fun h => htu h.symm) rfl hb ha⟩

/-- **perEncoder is maximal**: no safe discipline, in whatever environment, permits anything that
perEncoder does not. (The predecessor proved that one finer lock, per operation, is unsafe.) -/
theorem per_encoder_is_maximal (hs : C.Safe) (h : C.Permits a b) :
    (perEncoder.config .default c).Permits a b :=
  per_encoder_permits_iff.mpr ⟨(Config.permits_iff.mp h).1,
    fun he => same_encoder_overlap_is_unsafe h he hs⟩

/-- **perEncoder is optimal**: it is safe, and it permits whatever any safe discipline permits. (The
predecessor's final theorem was a case split over a hand-written table.) -/
theorem per_encoder_is_optimal : Safe .default perEncoder ∧
    ∀ C : Config, C.Safe → ∀ a b, C.Permits a b → ∀ c, (perEncoder.config .default c).Permits a b :=
  ⟨per_encoder_mutex_sufficient, fun _ hs _ _ h _ => per_encoder_is_maximal hs h⟩

/-- **perEncoder is strictly better than globalMutex**: both are safe, perEncoder permits all that
globalMutex permits, and something that globalMutex does not. (The predecessor compared the number
of locks in one example.) -/
theorem better_than_global_mutex : Safe .default globalMutex ∧ Safe .default perEncoder ∧
    (∀ c a b, (globalMutex.config .default c).Permits a b →
      (perEncoder.config .default c).Permits a b) ∧
    ∀ c, ∃ a b, (perEncoder.config .default c).Permits a b ∧
      ¬ (globalMutex.config .default c).Permits a b :=
  ⟨mutex_prevents_race, per_encoder_mutex_sufficient,
    fun _ _ _ h => absurd h global_mutex_permits_nothing,
    fun _ => ⟨⟨0, .encode, 0⟩, ⟨1, .encode, 1⟩,
      per_encoder_permits_iff.mpr ⟨Nat.zero_ne_one, Nat.zero_ne_one⟩,
      global_mutex_permits_nothing⟩⟩

end MPSVerify
