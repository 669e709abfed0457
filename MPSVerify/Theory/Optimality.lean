import MPSVerify.AGX.Fixed
import MPSVerify.AGX.PerEncoderMutex
import MPSVerify.Thm.Permits

/-!
# perEncoder is optimal among all disciplines

Not among a list of strategies: among all disciplines in the sense of `Config`, that is all fixed
relations that say which operation waits for which, for any number of threads and encoders. A guard
that looks at more than the operations (at the encoder's context, say) is no such relation, and can
be safe and permit more (`StateGuard.lean`). perEncoder is in the default environment throughout.
Optimality rests on `encoderOverlap` being a fault (`memory_safe_schemes_exactly_six` says what is
left without it), and on the client being the most general one.
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
  · intro ⟨htu, _, _, _, hn⟩
    refine ⟨htu, fun he => ?_⟩
    have : e = e' := he
    subst this
    have hx : perEncoder.excludesOnEncoder .default k k' = true := by
      cases k <;> cases k' <;> decide
    have hb : (perEncoder.config .default c).blocks ⟨t, k, e⟩ ⟨u, k', e⟩ :=
      LockScheme.blocks_of_excludesOnEncoder hx
    exact hn.elim (fun h => h hb) (fun h => h (LockScheme.Blocks.symm hb))
  · intro ⟨htu, he⟩
    refine ⟨htu, default_allows _ _, default_allows _ _, fun h => absurd h he, Or.inl ?_⟩
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
  intro ⟨_, _, _, _, hn⟩
  have hx : globalMutex.excludesAnywhere .default k k' = true := by
    cases k <;> cases k' <;> decide
  have hb : (globalMutex.config .default c).blocks ⟨t, k, e⟩ ⟨u, k', e'⟩ :=
    LockScheme.blocks_of_excludesAnywhere hx
  exact hn.elim (fun h => h hb) (fun h => h (LockScheme.Blocks.symm hb))

/-- **A checked discipline is safe if and only if it permits nothing that perEncoder does not
permit**, in the default environment. The predecessor compared seven strategies; this is about every
relation `blocks`. -/
theorem safe_iff_permits_subset (hd : C.env = .default) (hc : C.check = true) :
    C.Safe ↔ ∀ a b, C.Permits a b → (perEncoder.config .default c).Permits a b := by
  constructor
  · intro hs a b hp
    exact per_encoder_permits_iff.mpr ⟨(Config.permits_iff.mp hp).1,
      fun he => same_encoder_overlap_is_unsafe hp he hs⟩
  · intro h
    refine Config.Criterion.safe ⟨by rw [hd]; rfl, Or.inl hc, ?_, Or.inl (by rw [hd]; rfl)⟩
    intro k k' t u e htu _ ha hb
    have no : ∀ {a b : Op}, a.thread ≠ b.thread → a.encoder = b.encoder →
        C.env.Allows C.home a → C.env.Allows C.home b → C.blocks a b := by
      intro a b htu he ha hb
      apply Classical.byContradiction
      intro hn
      have hp := h a b (Config.permits_iff.mpr ⟨htu, ha, hb,
        fun _ => Env.beside_of_not (by rw [hd]; exact fun h => by cases h), Or.inl hn⟩)
      exact (per_encoder_permits_iff.mp hp).2 he
    exact ⟨no htu rfl ha hb, no (fun h => htu h.symm) rfl hb ha⟩

/-- **perEncoder is maximal**: two operations that can be past their acquires together under some
safe discipline, in whatever environment, can be so under perEncoder in the default one. (The
predecessor proved that one finer lock, per operation, is unsafe.) -/
theorem per_encoder_is_maximal (hs : C.Safe) (h : C.Permits a b) :
    (perEncoder.config .default c).Permits a b :=
  per_encoder_permits_iff.mpr ⟨(Config.permits_iff.mp h).1,
    fun he => same_encoder_overlap_is_unsafe h he hs⟩

/-- **perEncoder is optimal**: it is safe, and it permits every pair of operations at once that some
safe discipline permits. (The predecessor's final theorem was a case split over a hand-written
table.) -/
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

/-! ## Over whole runs -/

/-- A step under a safe discipline is a step under perEncoder, if the two environments agree on the
freelist and the other one allows and asks no less. -/
theorem step_under_per_encoder {s s' : State} {l : Label} {env : Env} (hs : C.Safe)
    (hf : env.atomicFreelist = C.env.atomicFreelist)
    (hc : env.callersRetain = true) (hcr : env.createReturns = true → C.env.createReturns = true)
    (ha : ∀ o, C.env.Allows C.home o → env.Allows c.home o) (hr : Reachable C s)
    (h : Step C s l s') : Step (perEncoder.config env c) s l s' := by
  have one : ∀ k r, r ∈ perEncoder.requestsIn env k → r = ⟨.encoder, .exclusive⟩ := by
    intro k r hr
    by_cases hk : k = .complete ∧ env.handlersIntercepted = false
    · rw [LockScheme.requestsIn, ite_eq_left hk] at hr; cases hr
    · rw [LockScheme.requestsIn, ite_eq_right hk] at hr
      cases k <;> exact List.mem_singleton.mp hr
  cases h with
  | dispatch hi hal hall hd => exact .dispatch hi hal (ha _ hall) (hd.general hcr)
  | @acquire t k e ht hal hb =>
    refine .acquire ht hal fun u x hut hu hx ⟨r, hr', q, hq, hl, _⟩ => ?_
    have hr' : r ∈ perEncoder.requestsIn env x.kind := hr'
    have hq : q ∈ perEncoder.requestsIn env k := hq
    rw [one _ r hr', one _ q hq] at hl
    have he : x.encoder = e := Lock.encoder.inj hl
    obtain ⟨k', e', pc⟩ := x
    have he : e' = e := he
    subst he
    have D := hr.disciplined
    exact hb u _ hut hu hx (hs.criterion.apart k' k u t e' hut (D.beside u t _ _ hut hu ht rfl)
      (D.allowed u _ hu) (D.allowed t _ ht)).1
  | @body t k e pc pc' m' ht hb =>
    refine .body ht ?_
    cases hb with
    | load hi => exact .load hi
    | skip _ hi => exact .skip rfl hi
    | deref hi ho hr => exact .deref hi ho hr
    | take hk hi => exact .take hk hi
    | gone hk hi => exact .gone hk hi
    | push hk ho => exact .push hk ho
    | clear hk => exact .clear hk
    | check hi => exact .check hi
    | present hi => exact .present hi
    | pop h ho => exact .pop (hf.trans h) ho
    | peek h ho => exact .peek (hf.trans h) ho
    | claim => exact .claim
    | publish hi => exact .publish hi
    | init ho => exact .init ho
  | release ht => exact .release ht
  | drop hal hd => exact .drop hal fun _ => hd hs.criterion.retain

/-- **perEncoder is optimal over runs**: what a safe discipline can reach with an atomic freelist,
perEncoder can reach in the default environment, and from there every step of the one is a step of
the other. So every run under a safe discipline is a run under perEncoder. -/
theorem per_encoder_runs_all {s : State} (hs : C.Safe) (hf : C.env.atomicFreelist = true)
    (h : Reachable C s) : Reachable (perEncoder.config .default c) s ∧
      ∀ l s', Step C s l s' → Step (perEncoder.config .default c) s l s' := by
  have step : ∀ {s l s'}, Reachable C s → Step C s l s' →
      Step (perEncoder.config .default c) s l s' := fun hr h =>
    step_under_per_encoder hs hf.symm rfl (fun h => (by cases h))
      (fun o _ => default_allows _ o) hr h
  refine ⟨?_, fun l s' h' => step h h'⟩
  induction h with
  | initial => exact .initial
  | step hr hst ih => exact ih.step (step hr hst)

/-- The same in the discipline's own environment, with a racy freelist as well, for the client with
the same home threads. (There perEncoder need not be safe: it reaches more.) -/
theorem per_encoder_runs_all_there {s : State} (hs : C.Safe) (hh : c.home = C.home)
    (h : Reachable C s) : Reachable (perEncoder.config C.env c) s ∧
      ∀ l s', Step C s l s' → Step (perEncoder.config C.env c) s l s' := by
  have step : ∀ {s l s'}, Reachable C s → Step C s l s' →
      Step (perEncoder.config C.env c) s l s' := fun hr h =>
    step_under_per_encoder hs rfl hs.criterion.retain id (fun o ha => by rw [hh]; exact ha) hr h
  refine ⟨?_, fun l s' h' => step h h'⟩
  induction h with
  | initial => exact .initial
  | step hr hst ih => exact ih.step (step hr hst)

/-- **A checked discipline is safe if and only if it reaches nothing that perEncoder does not
reach**, in the default environment. -/
theorem safe_iff_reaches_subset (hd : C.env = .default) (hc : C.check = true) :
    C.Safe ↔ ∀ s, Reachable C s → Reachable (perEncoder.config .default c) s := by
  constructor
  · exact fun hs s h => (per_encoder_runs_all hs (by rw [hd]; rfl) h).1
  · intro h s f hr hf
    refine per_encoder_mutex_sufficient c s f (h s hr) ?_
    cases hf with
    | body ht hb =>
      refine .body ht ?_
      cases hb with
      | loadNull hn _ => rw [hc] at hn; cases hn
      | derefNull hn => exact .derefNull hn
      | derefStale hi ho => exact .derefStale hi ho
      | derefUninitialised hi ho hr => exact .derefUninitialised hi ho hr
      | pushForeign hk ho => exact .pushForeign hk ho
      | publishTwice hi => exact .publishTwice hi
      | initForeign ho => exact .initForeign ho
    | overlap htu ht hu => exact .overlap htu ht hu
    | dead ht ha => exact .dead ht ha

end MPSVerify
