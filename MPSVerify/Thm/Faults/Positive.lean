import MPSVerify.Thm.Criterion
import MPSVerify.Thm.Faults.Negative

/-!
# The runs that reach each fault, put together for lock schemes

The pair runs come from `Necessity.lean`; here is what needs more than one pair: blocks that two
encoders share after a racy create, and the stale context without any overlap of encode and
teardown.
-/

namespace MPSVerify

variable {C : Config} {env : Env} {σ : LockScheme} {k k' : Kind} {t u : Thread} {e e' : Encoder}

/-- Racy freelist, creates that overlap on different encoders: both encoders end up with one
block, which belongs to the second. -/
theorem stolen_reachable (h : t ≠ u) (he : e ≠ e') (hf : C.env.atomicFreelist = false)
    (ha : C.env.Allows C.home ⟨t, .create, e⟩) (ha' : C.env.Allows C.home ⟨u, .create, e'⟩)
    (hb : ¬ C.blocks ⟨t, .create, e⟩ ⟨u, .create, e'⟩) :
    ∃ m, Reachable C (idle m) ∧ m.impl e = some 0 ∧ m.owner 0 = some e' := by
  have h' : u ≠ t := fun h' => h h'.symm
  have r0 : Reachable C (duo _ t u none none) := Reachable.ofIdle Reachable.initial
  have r1 := (r0.dispatch ha (.make rfl)).swap h
  have r2 := ((r1.dispatch ha' (.makeBeside (fun h => absurd h he) rfl)).swap h').enter h
    (Or.inl hb)
  have r3 := ((r2.body (.check rfl)).body (.peek (b := 0) hf rfl)).swap h
  have r4 := ((r3.body (.check rfl)).body (.peek (b := 0) hf rfl)).swap h'
  have r5 := ((r4.body .claim).body (.publish rfl)).body (.init rfl)
  have r6 := (r5.release.swap h).body .claim
  have r7 := (r6.body (.publish (update_ne _ _ (fun h => he h.symm)))).body (.init rfl)
  exact ⟨_, r7.release.toIdle, (update_ne _ _ he).trans (update_same ..), rfl⟩

/-- An operation on an encoder whose block belongs to another one. -/
theorem foreign_entered {m : Mem} {b : Block} (hr : Reachable C (idle m)) (hk : k ≠ .create)
    (hi : m.impl e = some b) (ha : C.env.Allows C.home ⟨t, k, e⟩) :
    Reachable C (duo m t (t + 1) (some ⟨k, e, .entered⟩) none) := by
  have r := (hr.ofIdle (t := t) (u := t + 1)).dispatch ha (.use hk (ne_of_live hi))
  exact r.acquire (Nat.succ_ne_self t).symm (fun _ h => by cases h)

theorem foreign_stale {m : Mem} {b : Block} {o : Option Encoder} (hr : Reachable C (idle m))
    (hi : m.impl e = some b) (ho : m.owner b = o) (hne : o ≠ some e)
    (ha : C.env.Allows C.home ⟨t, .create, e⟩) : C.CanReach .staleContext :=
  ⟨_, (foreign_entered (k := .encode) hr (fun h => Kind.noConfusion h) hi ha).body (.load hi),
    .body duo_left (.derefStale hi (ho ▸ hne))⟩

theorem foreign_doubleFree {m : Mem} {b : Block} {o : Option Encoder} (hr : Reachable C (idle m))
    (hi : m.impl e = some b) (ho : m.owner b = o) (hne : o ≠ some e)
    (ha : C.env.Allows C.home ⟨t, .create, e⟩) : C.CanReach .doubleFree :=
  ⟨_, (foreign_entered (k := .destroy) hr (fun h => Kind.noConfusion h) hi ha).body (.take rfl hi),
    .body duo_left (.pushForeign rfl (ho ▸ hne))⟩

/-- A stale context without overlap of encoding and teardown: a teardown of kind `k` sits on the
block while the encoder is torn down and made again, with that very block, by another thread. -/
theorem stale_without_race (h : t ≠ u) (hcr : ¬ C.env.createReturns = true)
    (hk : k.tearsDown = true) (hk' : k'.tearsDown = true)
    (hall : ∀ v j, C.env.happens j = true → C.env.Allows C.home ⟨v, j, e⟩)
    (hhk : C.env.happens k = true) (hhk' : C.env.happens k' = true)
    (hkk : ¬ C.blocks ⟨u, k, e⟩ ⟨t, k', e⟩) (hck : ¬ C.blocks ⟨u, k, e⟩ ⟨t, .create, e⟩)
    (hce : ¬ C.blocks ⟨t, .create, e⟩ ⟨u, .encode, e⟩) : C.CanReach .staleContext := by
  have h' : u ≠ t := fun h' => h h'.symm
  have ⟨m, hr, hi, ho⟩ := dispatched_live (C := C) (hall t k' hhk') (hall u k hhk) h
    (Env.beside_of_not hcr)
  have r1 := ((hr.enter h (Or.inr hkk)).swap h).body (.take hk hi)
  have r2 := (((r1.swap h').body (.take hk' hi)).body (.push hk' ho)).body (.clear hk')
  have r3 := r2.release.dispatch (k := .create) (hall t _ rfl)
    (.makeBeside (fun _ => Env.beside_of_not hcr) (update_same ..))
  have r4 := r3.acquire h (fun b hb _ => by cases hb; exact hck)
  have r5 := ((r4.body (.check (update_same ..))).pop (b := 0) rfl).swap h
  have r6 := ((r5.body (.push hk rfl)).body (.clear hk)).release
  have r7 := ((r6.swap h').body (.publish (update_same ..))).swap h
  have r8 := r7.dispatch (k := .encode) (hall u _ rfl)
    (.join (Env.beside_of_not hcr) (update_same_ne (fun h => by cases h)))
  have r9 := r8.acquire h' (fun b hb _ => by cases hb; exact hce)
  exact ⟨_, r9.body (.load (update_same ..)), .body duo_left
    (.derefStale (update_same ..) (fun h => by cases h))⟩

/-! ## For lock schemes -/

theorem LockScheme.not_blocks (ht : t ≠ u) (h : σ.excludesOnEncoder env k k' = false) :
    ¬ σ.Blocks env .distinct ⟨t, k, e⟩ ⟨u, k', e⟩ := by
  intro hb
  rw [excludesOnEncoder_of_blocks ht hb] at h
  cases h

theorem LockScheme.excludesOnEncoder_symm (h : σ.excludesOnEncoder env k k' = false) :
    σ.excludesOnEncoder env k' k = false := by
  cases h' : σ.excludesOnEncoder env k' k with
  | false => rfl
  | true =>
    have := (blocks_of_excludesOnEncoder (c := .distinct) (t := 0) (u := 1) (e := 0) h').symm
    rw [excludesOnEncoder_of_blocks Nat.zero_ne_one.symm this] at h
    cases h

theorem Env.meet_symm (h : env.meet k k' = true) : env.meet k' k = true := by
  simp only [Env.meet, Bool.and_eq_true, Bool.or_eq_true] at h ⊢
  exact ⟨⟨h.1.1.symm, h.1.2.elim (fun h => h.elim (fun h => Or.inl (Or.inl h)) Or.inr)
    (fun h => Or.inl (Or.inr h))⟩, Env.beside_symm h.2⟩

theorem LockScheme.overlaps_symm (h : σ.overlaps env k k' = true) :
    σ.overlaps env k' k = true :=
  have h := overlaps_iff.mp h
  overlaps_iff.mpr ⟨Env.meet_symm h.1, excludesOnEncoder_symm h.2⟩

theorem LockScheme.overlapsTeardown_iff :
    σ.overlapsTeardown env k = true ↔ ∃ k', k'.tearsDown = true ∧ σ.overlaps env k k' = true := by
  simp only [overlapsTeardown, List.any_eq_true, Bool.and_eq_true]
  exact ⟨fun ⟨k', _, h⟩ => ⟨k', h⟩, fun ⟨k', h⟩ => ⟨k', mem_allKinds k', h⟩⟩

theorem LockScheme.stealsBlocks_iff : σ.stealsBlocks env = true ↔
    env.atomicFreelist = false ∧ σ.excludesAnywhere env .create .create = false := by
  simp only [stealsBlocks, Bool.and_eq_true, Bool.not_eq_true']

theorem LockScheme.apartTeardown (c : Client) (h : ¬ σ.overlapsTeardown env k = true) :
    ∀ k', k'.tearsDown = true → (σ.config env c).Apart k k' :=
  fun k' hk' => apart c (fun h' => h (overlapsTeardown_iff.mpr ⟨k', hk', h'⟩))

theorem LockScheme.createsApart (c : Client) (h : ¬ σ.stealsBlocks env = true) :
    (σ.config env c).CreatesApart := by
  cases hf : env.atomicFreelist with
  | true => exact Or.inl hf
  | false =>
    cases hx : σ.excludesAnywhere env .create .create with
    | false => exact absurd (stealsBlocks_iff.mpr ⟨hf, hx⟩) h
    | true => exact Or.inr (fun _ _ _ _ _ _ _ => blocks_of_excludesAnywhere hx)

/-- A create and another operation enter an encoder that has lost its context. -/
theorem LockScheme.enter_gone (h : σ.overlaps env .create k = true) :
    ∃ m t u, t ≠ u ∧ Reachable (σ.config env .distinct)
      (duo m t u (some ⟨.create, 0, .entered⟩) (some ⟨k, 0, .entered⟩)) ∧
      m.impl 0 = none ∧ m.owner 0 = none := by
  obtain ⟨hm, hx⟩ := overlaps_iff.mp h
  obtain ⟨hb, t, u, htu, ha, ha'⟩ := Env.allows_of_meet hm
  obtain ⟨m, hr, hi, ho⟩ := dispatched_gone (C := σ.config env .distinct) ha ha' htu hb
  exact ⟨m, t, u, htu, hr.enter htu (Or.inl (not_blocks htu hx)), hi, ho⟩

/-- Two creates enter a new encoder. -/
theorem LockScheme.enter_new (h : σ.overlaps env .create .create = true) :
    CanReach env σ .lostContext := by
  obtain ⟨hm, hx⟩ := overlaps_iff.mp h
  obtain ⟨hb, t, u, htu, ha, ha'⟩ := Env.allows_of_meet hm
  have r0 : Reachable (σ.config env .distinct) (duo _ t u none none) :=
    Reachable.ofIdle Reachable.initial
  have r1 := (r0.dispatch ha (.make rfl)).swap htu
  have r2 := (r1.dispatch ha' (.makeBeside (fun _ => hb) rfl)).swap (fun h => htu h.symm)
  exact ⟨.distinct, create_create_fault htu (r2.enter htu (Or.inl (not_blocks htu hx))) rfl
    (b := 0) (b' := 1) rfl rfl (Nat.succ_ne_self 0)⟩

theorem LockScheme.not_blocks_apart (ht : t ≠ u) (he : e ≠ e')
    (h : σ.excludesAnywhere env k k' = false) :
    ¬ σ.Blocks env .distinct ⟨t, k, e⟩ ⟨u, k', e'⟩ := by
  intro hb
  rw [excludesAnywhere_of_blocks ht he hb] at h
  cases h

/-- What a stolen block leads to. -/
theorem LockScheme.stealsBlocks_faults (h : σ.stealsBlocks env = true) :
    CanReach env σ .staleContext ∧ CanReach env σ .doubleFree ∧
      CanReach env σ .writeAfterFree := by
  obtain ⟨hf, hx⟩ := stealsBlocks_iff.mp h
  have hn := not_blocks_apart (t := 0) (u := 1) (e := 0) (e' := 1) Nat.zero_ne_one
    Nat.zero_ne_one hx
  obtain ⟨m, hr, hi, ho⟩ := stolen_reachable (C := σ.config env .distinct) (t := 0) (u := 1)
    (e := 0) (e' := 1) Nat.zero_ne_one Nat.zero_ne_one hf (Or.inr rfl) (Or.inr rfl) hn
  have hne : (some 1 : Option Encoder) ≠ some 0 := fun h => Nat.succ_ne_self 0 (Option.some.inj h)
  refine ⟨⟨_, foreign_stale (t := 0) hr hi ho hne (Or.inr rfl)⟩,
    ⟨_, foreign_doubleFree (t := 0) hr hi ho hne (Or.inr rfl)⟩, .distinct, ?_⟩
  have r0 : Reachable (σ.config env .distinct) (duo _ 0 1 none none) :=
    Reachable.ofIdle Reachable.initial
  have r1 := (r0.dispatch (k := .create) (e := 0) (Or.inr rfl) (.make rfl)).swap Nat.zero_ne_one
  have r2 := (r1.dispatch (k := .create) (e := 1) (Or.inr rfl)
    (.makeBeside (fun h => absurd h Nat.zero_ne_one) rfl)).swap Nat.zero_ne_one.symm
  exact racy_create_fault Nat.zero_ne_one hf Nat.zero_ne_one
    (r2.enter Nat.zero_ne_one (Or.inl hn)) rfl rfl (b := 0) rfl

end MPSVerify
