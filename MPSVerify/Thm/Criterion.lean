import MPSVerify.Spec.Criterion
import MPSVerify.Thm.Necessity

/-!
# The criteria decide what they are for

`Safe`, `Parallel`, `TeardownRace` and encoder overlap of a lock scheme are decided by evaluating a
Boolean function on the scheme, in every environment.
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {c : Client} {k k' : Kind} {t u : Thread} {e e' : Encoder}

theorem mem_allKinds (k : Kind) : k ∈ allKinds := by cases k <;> decide

theorem anyExcludes_iff {same : Scope → Scope → Bool} {rs qs : List Request} :
    anyExcludes same rs qs = true ↔
      ∃ r ∈ rs, ∃ q ∈ qs, same r.scope q.scope = true ∧ r.mode.excludes q.mode = true := by
  simp only [anyExcludes, List.any_eq_true, Bool.and_eq_true]

theorem Mode.excludes_symm {a b : Mode} (h : a.excludes b = true) : b.excludes a = true := by
  cases a <;> cases b <;> first | rfl | exact h

theorem LockScheme.Blocks.symm {a b : Op} (h : σ.Blocks env c a b) : σ.Blocks env c b a := by
  obtain ⟨r, hr, q, hq, hl, hm⟩ := h
  exact ⟨q, hq, r, hr, hl.symm, Mode.excludes_symm hm⟩

theorem Scope.lock_of_sameOnEncoder {p q : Scope} (h : p.sameOnEncoder k k' q = true) :
    p.lock c ⟨t, k, e⟩ = q.lock c ⟨u, k', e⟩ := by
  cases p <;> cases q <;> first | rfl | (cases h; done) | skip
  exact congrArg Lock.operation (of_decide_eq_true h)

theorem Scope.lock_of_sameAnywhere {p q : Scope} (h : p.sameAnywhere k k' q = true) :
    p.lock c ⟨t, k, e⟩ = q.lock c ⟨u, k', e'⟩ := by
  cases p <;> cases q <;> first | rfl | (cases h; done) | skip
  exact congrArg Lock.operation (of_decide_eq_true h)

theorem Scope.sameOnEncoder_of_lock {p q : Scope} (ht : t ≠ u)
    (h : p.lock .distinct ⟨t, k, e⟩ = q.lock .distinct ⟨u, k', e⟩) :
    p.sameOnEncoder k k' q = true := by
  cases p <;> cases q <;> first | rfl | (cases h; done) | skip
  · exact absurd (Lock.stream.inj h) ht
  · exact decide_eq_true (Lock.operation.inj h)

theorem Scope.sameAnywhere_of_lock {p q : Scope} (ht : t ≠ u) (he : e ≠ e')
    (h : p.lock .distinct ⟨t, k, e⟩ = q.lock .distinct ⟨u, k', e'⟩) :
    p.sameAnywhere k k' q = true := by
  cases p <;> cases q <;> first | rfl | (cases h; done) | skip
  · exact absurd (Lock.stream.inj h) ht
  · exact decide_eq_true (Lock.operation.inj h)
  · exact absurd (Lock.encoder.inj h) he
  · exact absurd (Lock.queue.inj h) he

theorem LockScheme.blocks_of_excludesOnEncoder (h : σ.excludesOnEncoder env k k' = true) :
    σ.Blocks env c ⟨t, k, e⟩ ⟨u, k', e⟩ := by
  obtain ⟨r, hr, q, hq, hs, hm⟩ := anyExcludes_iff.mp h
  exact ⟨r, hr, q, hq, Scope.lock_of_sameOnEncoder hs, hm⟩

theorem LockScheme.blocks_of_excludesAnywhere (h : σ.excludesAnywhere env k k' = true) :
    σ.Blocks env c ⟨t, k, e⟩ ⟨u, k', e'⟩ := by
  obtain ⟨r, hr, q, hq, hs, hm⟩ := anyExcludes_iff.mp h
  exact ⟨r, hr, q, hq, Scope.lock_of_sameAnywhere hs, hm⟩

theorem LockScheme.excludesOnEncoder_of_blocks (ht : t ≠ u)
    (h : σ.Blocks env .distinct ⟨t, k, e⟩ ⟨u, k', e⟩) : σ.excludesOnEncoder env k k' = true := by
  obtain ⟨r, hr, q, hq, hl, hm⟩ := h
  exact anyExcludes_iff.mpr ⟨r, hr, q, hq, Scope.sameOnEncoder_of_lock ht hl, hm⟩

theorem LockScheme.excludesAnywhere_of_blocks (ht : t ≠ u) (he : e ≠ e')
    (h : σ.Blocks env .distinct ⟨t, k, e⟩ ⟨u, k', e'⟩) : σ.excludesAnywhere env k k' = true := by
  obtain ⟨r, hr, q, hq, hl, hm⟩ := h
  exact anyExcludes_iff.mpr ⟨r, hr, q, hq, Scope.sameAnywhere_of_lock ht he hl, hm⟩

/-! ## Which operations can meet -/

theorem Env.Allows.happens {home : Encoder → Thread} (h : env.Allows home ⟨t, k, e⟩) :
    env.happens k = true := by
  cases k <;> first | rfl | exact h

/-- Different threads that are allowed on one encoder, together, have kinds that meet. -/
theorem Env.meet_of_allows {home : Encoder → Thread} (ht : t ≠ u) (hb : env.beside k k' = true)
    (h : env.Allows home ⟨t, k, e⟩) (h' : env.Allows home ⟨u, k', e⟩) : env.meet k k' = true := by
  have hh := h.happens
  have hh' := h'.happens
  simp only [Env.meet, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq]
  refine ⟨⟨⟨hh, hh'⟩, ?_⟩, hb⟩
  by_cases hk : k = .complete
  · exact Or.inl (Or.inr hk)
  · by_cases hk' : k' = .complete
    · exact Or.inr hk'
    · simp only [Env.Allows, ite_eq_right hk] at h
      simp only [Env.Allows, ite_eq_right hk'] at h'
      cases h with
      | inl h => exact Or.inl (Or.inl h)
      | inr h =>
        cases h' with
        | inl h' => exact Or.inl (Or.inl h')
        | inr h' => exact absurd (h.symm.trans h') ht

theorem Env.allows_of_happens {home : Encoder → Thread} (h : env.happens k = true)
    (hs : env.sharedEncoders = true ∨ k = .complete ∨ home e = t) :
    env.Allows home ⟨t, k, e⟩ := by
  cases k <;> first
    | exact h
    | exact hs.imp id (fun h => h.resolve_left (fun h => Kind.noConfusion h))

/-- Kinds that meet do so in the client whose threads share nothing, on encoder 0. -/
theorem Env.allows_of_meet (h : env.meet k k' = true) :
    env.beside k k' = true ∧
      ∃ t u : Thread, t ≠ u ∧ env.Allows id ⟨t, k, 0⟩ ∧ env.Allows id ⟨u, k', 0⟩ := by
  simp only [Env.meet, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq] at h
  obtain ⟨⟨⟨hk, hk'⟩, hm⟩, hb⟩ := h
  refine ⟨hb, ?_⟩
  obtain (hs | hc) | hc := hm
  · exact ⟨0, 1, Nat.zero_ne_one, allows_of_happens hk (Or.inl hs),
      allows_of_happens hk' (Or.inl hs)⟩
  · exact ⟨1, 0, Nat.zero_ne_one.symm, allows_of_happens hk (Or.inr (Or.inl hc)),
      allows_of_happens hk' (Or.inr (Or.inr rfl))⟩
  · exact ⟨0, 1, Nat.zero_ne_one, allows_of_happens hk (Or.inr (Or.inr rfl)),
      allows_of_happens hk' (Or.inr (Or.inl hc))⟩

/-- Somebody else can tear down what a thread encodes on if handlers do, or if encoders are
shared. -/
theorem Env.others_tearDown_iff : (∃ k, k.tearsDown = true ∧ env.meet .encode k = true) ↔
    env.handlersTearDown = true ∨ env.sharedEncoders = true := by
  simp only [Env.meet, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq]
  constructor
  · intro ⟨k, hk, h⟩
    cases k with
    | create | encode => cases hk
    | destroy =>
      rcases h.1.2 with (h | h) | h
      · exact Or.inr h
      · cases h
      · cases h
    | complete => exact Or.inl h.1.1.2
  · intro h
    rcases h with h | h
    · exact ⟨.complete, rfl, ⟨⟨rfl, h⟩, Or.inr rfl⟩,
        Env.beside_of_not_create (fun h => Kind.noConfusion h) (fun h => Kind.noConfusion h)⟩
    · exact ⟨.destroy, rfl, ⟨⟨rfl, rfl⟩, Or.inl (Or.inl h)⟩,
        Env.beside_of_not_create (fun h => Kind.noConfusion h) (fun h => Kind.noConfusion h)⟩

theorem LockScheme.overlaps_iff : σ.overlaps env k k' = true ↔
    env.meet k k' = true ∧ σ.excludesOnEncoder env k k' = false := by
  simp only [overlaps, Bool.and_eq_true, Bool.not_eq_true']

/-- Kinds that do not overlap are kept apart, for every client. -/
theorem LockScheme.apart (c : Client) (h : ¬ σ.overlaps env k k' = true) :
    (σ.config env c).Apart k k' := by
  intro t u e htu hb ha ha'
  cases hx : σ.excludesOnEncoder env k k' with
  | false => exact absurd (overlaps_iff.mpr ⟨Env.meet_of_allows htu hb ha ha', hx⟩) h
  | true =>
    have hb := blocks_of_excludesOnEncoder (c := c) (t := t) (u := u) (e := e) hx
    exact ⟨hb, hb.symm⟩

/-- Two threads of one client that are past their acquires on one encoder: their kinds overlap. -/
theorem LockScheme.overlaps_of_reachable {s : State} {pc pc' : PC}
    (hr : Reachable (σ.config env c) s) (htu : t ≠ u) (ht : s.threads t = some ⟨k, e, pc⟩)
    (hu : s.threads u = some ⟨k', e, pc'⟩) (hp : pc ≠ .dispatched) (hp' : pc' ≠ .dispatched) :
    σ.overlaps env k k' = true := by
  have D := hr.disciplined
  have hm : env.meet k k' = true := Env.meet_of_allows htu (D.beside t u _ _ htu ht hu rfl)
    (D.allowed t _ ht) (D.allowed u _ hu)
  have hn : ¬ σ.excludesOnEncoder env k k' = true := fun h =>
    (D.excluded t u _ _ htu ht hu hp hp').elim
      (fun hb => hb (blocks_of_excludesOnEncoder h))
      (fun hb => hb (blocks_of_excludesOnEncoder h).symm)
  simp only [overlaps, hm, Bool.eq_false_of_ne_true hn]
  rfl

/-- Kinds that overlap do so in some client, on an encoder that has a context. -/
theorem LockScheme.enter_of_overlaps (h : σ.overlaps env k k' = true) :
    ∃ m t u, t ≠ u ∧ Reachable (σ.config env .distinct)
      (duo m t u (some ⟨k, 0, .entered⟩) (some ⟨k', 0, .entered⟩)) ∧
      m.impl 0 = some 0 ∧ m.owner 0 = some 0 := by
  simp only [overlaps, Bool.and_eq_true, Bool.not_eq_true'] at h
  obtain ⟨hb, t, u, htu, ha, ha'⟩ := Env.allows_of_meet h.1
  obtain ⟨m, hr, hi, ho⟩ := dispatched_live (C := σ.config env .distinct) ha ha' htu hb
  refine ⟨m, t, u, htu, hr.enter htu (Or.inl fun hb => ?_), hi, ho⟩
  have := excludesOnEncoder_of_blocks htu hb
  rw [h.2] at this
  cases this

/-! ## The criteria -/

/-- **Safe if and only if the criterion holds**: every lock scheme of the spec language is decided
by evaluation, in every environment, for any number of threads, encoders, blocks and streams. -/
theorem safe_iff_criterion (env : Env) (σ : LockScheme) : Safe env σ ↔ criterion env σ = true := by
  simp only [criterion, Bool.and_eq_true, Bool.or_eq_true, Bool.not_eq_true', Bool.or_eq_false_iff,
    List.all_eq_true]
  constructor
  · intro h
    have K := (h .distinct).criterion
    refine ⟨⟨⟨K.retain, ?_⟩, ?_⟩, ?_⟩
    · refine K.check.imp id (fun hc => ?_)
      have none : ¬ (env.handlersTearDown = true ∨ env.sharedEncoders = true) := fun h => by
        obtain ⟨k, hk, hm⟩ := Env.others_tearDown_iff.mpr h
        obtain ⟨_, t, u, htu, ha, ha'⟩ := Env.allows_of_meet hm
        exact hc t u 0 k htu hk ha ha'
      exact ⟨Bool.eq_false_of_ne_true (fun h => none (Or.inl h)),
        Bool.eq_false_of_ne_true (fun h => none (Or.inr h))⟩
    · intro k _ k' _
      cases ho : σ.overlaps env k k' with
      | false => rfl
      | true =>
        exfalso
        simp only [LockScheme.overlaps, Bool.and_eq_true, Bool.not_eq_true'] at ho
        obtain ⟨hb, t, u, htu, ha, ha'⟩ := Env.allows_of_meet ho.1
        have := LockScheme.excludesOnEncoder_of_blocks htu (K.apart k k' t u 0 htu hb ha ha').1
        rw [ho.2] at this
        cases this
    · refine K.freelist.imp id (fun hf => ?_)
      exact LockScheme.excludesAnywhere_of_blocks Nat.zero_ne_one Nat.zero_ne_one
        (hf 0 1 0 1 Nat.zero_ne_one Nat.zero_ne_one (Or.inr rfl) (Or.inr rfl))
  · intro ⟨⟨⟨hr, hc⟩, hx⟩, hf⟩ c
    refine Config.Criterion.safe ⟨hr, hc.imp id ?_, ?_, hf.imp id ?_⟩
    · intro ⟨hh, hs⟩ t u e k htu hk ha ha'
      have := Env.others_tearDown_iff.mp ⟨k, hk, Env.meet_of_allows htu
        (Env.encode_beside_teardown hk) ha ha'⟩
      rw [show (σ.config env c).env = env from rfl, hh, hs] at this
      rcases this with h | h <;> cases h
    · intro k k'
      refine LockScheme.apart c (fun h => ?_)
      rw [hx k (mem_allKinds k) k' (mem_allKinds k')] at h
      cases h
    · intro hf t u e e' _ _ _ _
      exact LockScheme.blocks_of_excludesAnywhere hf

/-- The criterion is a decision procedure. -/
instance (env : Env) (σ : LockScheme) : Decidable (Safe env σ) :=
  decidable_of_decidable_of_iff (safe_iff_criterion env σ).symm

/-- **The race of the crash logs is possible if and only if** encoding overlaps with a teardown. -/
theorem teardown_race_iff_criterion (env : Env) (σ : LockScheme) :
    TeardownRace env σ ↔ raceCriterion env σ = true := by
  simp only [raceCriterion, LockScheme.overlapsTeardown, List.any_eq_true, Bool.and_eq_true]
  constructor
  · intro ⟨c, s, s', t, u, e, b, k, hr, htu, hk, ht, hu, _⟩
    exact ⟨k, mem_allKinds k, hk, LockScheme.overlaps_of_reachable hr htu ht hu
      (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)⟩
  · intro ⟨k, _, hk, h⟩
    obtain ⟨m, t, u, htu, hr, hi, ho⟩ := LockScheme.enter_of_overlaps h
    exact ⟨.distinct, encode_teardown_race htu hk hr hi ho⟩

/-- **Encoder overlap is possible if and only if** encoding overlaps with itself. -/
theorem overlap_iff (env : Env) (σ : LockScheme) :
    CanReach env σ .encoderOverlap ↔ σ.overlaps env .encode .encode = true := by
  constructor
  · intro ⟨c, s, hr, hf⟩
    cases hf with
    | body _ hb => cases hb
    | overlap htu ht hu =>
      exact LockScheme.overlaps_of_reachable hr htu ht hu
        (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)
  · intro h
    obtain ⟨m, t, u, htu, hr, hi, _⟩ := LockScheme.enter_of_overlaps h
    exact ⟨.distinct, encode_encode_overlap htu hr hi⟩

/-- A fault makes a scheme unsafe. -/
theorem CanReach.unsafe {f : Fault} (h : CanReach env σ f) : ¬ Safe env σ :=
  fun hs => let ⟨c, s, hr, hf⟩ := h; hs c s f hr hf

/-- The race of the crash logs ends in a NULL dereference. -/
theorem TeardownRace.nullDeref (h : TeardownRace env σ) : CanReach env σ .nullDeref :=
  let ⟨c, h⟩ := h; ⟨c, Config.TeardownRace.nullDeref h⟩

end MPSVerify
