import MPSVerify.AGX.RWLock
import MPSVerify.Thm.RestrictedClients.Runs

/-!
# Finer locks for restricted clients

The criterion for clients that keep some pairs of operations apart by themselves: on one encoder
those pairs need no exclusion, and all others that can meet there do. Exact for guards that check
for liveness, in every environment.
-/

namespace MPSVerify

variable {C : Config} {meets : Meets} {m : Mem} {t u : Thread} {k k' : Kind} {e e' : Encoder}
  {σ : LockScheme} {env : Env}

/-! ## Runs into a fault -/

namespace ReachableWith

/-- Everybody is idle at first. -/
theorem start : ReachableWith C meets (duo State.initial.mem t u none none) := by
  rw [duo_idle]; exact .initial

/-- An encoder with a context, and everybody idle. -/
theorem live (C : Config) (meets : Meets) (e : Encoder) (t u : Thread) (b : Block) :
    ∃ m, ReachableWith C meets (duo m t u none none) ∧ m.impl e = some b ∧ m.owner b = some e := by
  have h : C.home e ≠ C.home e + 1 := (Nat.succ_ne_self _).symm
  have r1 := ((start (C := C) (meets := meets) (t := C.home e) (u := C.home e + 1)).dispatch
    (C.env.allows_home C.home) (.make rfl) (fun _ h => (by cases h))).acquire h
    (fun _ h => (by cases h))
  have r2 := ((r1.body (.check rfl)).pop (b := b) rfl).body (.publish rfl)
  have r3 := (r2.body (.init (update_same ..))).release
  have idle : ∀ {m}, ReachableWith C meets (duo m (C.home e) (C.home e + 1) none none) →
      ReachableWith C meets (duo m t u none none) := fun h => by rw [duo_idle] at h ⊢; exact h
  exact ⟨_, idle r3, update_same .., update_same ..⟩

/-- Two operations that meet enter together, if they do not block each other. -/
theorem both (h : t ≠ u) {m : Mem} (hr : ReachableWith C meets (duo m t u none none))
    (ha : C.env.Allows C.home ⟨t, k, e⟩) (ha' : C.env.Allows C.home ⟨u, k', e'⟩)
    (hd : DuoMayBegin C.env m none k e)
    (hd' : DuoMayBegin C.env m (some ⟨k, e, .dispatched⟩) k' e')
    (hm : e = e' → meets k k' = true) (hb : ¬ C.blocks ⟨t, k, e⟩ ⟨u, k', e'⟩) :
    ReachableWith C meets (duo m t u (some ⟨k, e, .entered⟩) (some ⟨k', e', .entered⟩)) := by
  have h' : u ≠ t := fun h' => h h'.symm
  have r1 := (hr.dispatch ha hd (fun _ h => (by cases h))).swap h
  have r2 := (r1.dispatch ha' hd' (fun b hb he => by cases hb; exact hm he)).swap h'
  have r3 := (r2.acquire h (fun b hb hh => by cases hb; exact absurd rfl hh)).swap h
  exact (r3.acquire h' (fun b hbb _ => by cases hbb; exact hb)).swap h'

/-- `create` has published its context and not initialised it; an operation that meets it enters. -/
theorem afterPublish (h : t ≠ u) (ha : C.env.Allows C.home ⟨t, .create, e⟩)
    (ha' : C.env.Allows C.home ⟨u, k, e⟩) (hbe : C.env.beside .create k = true)
    (hm : meets .create k = true) (hb : ¬ C.blocks ⟨t, .create, e⟩ ⟨u, k, e⟩) (b : Block) :
    ∃ m, ReachableWith C meets
        (duo m u t (some ⟨k, e, .entered⟩) (some ⟨.create, e, .published b⟩)) ∧
      m.impl e = some b ∧ m.owner b = some e ∧ m.ready b = false := by
  have h' : u ≠ t := fun h' => h h'.symm
  have r1 := ((start (C := C) (meets := meets) (t := t) (u := u)).dispatch ha
    (.make rfl) (fun _ h => (by cases h))).acquire h (fun _ h => (by cases h))
  have r2 := (((r1.body (.check rfl)).pop (b := b) rfl).body (.publish rfl)).swap h
  have r3 := r2.dispatch ha' (.join hbe (ne_of_live (b := b) (update_same ..)))
    (fun b hb _ => by cases hb; exact hm)
  exact ⟨_, r3.acquire h' (fun b hbb _ => by cases hbb; exact hb), update_same .., update_same ..,
    update_same ..⟩

end ReachableWith

open ReachableWith in
/-- Two operations of different threads on one encoder that meet and are not excluded lead to a
fault. -/
theorem pair_fault_with (h : t ≠ u) (hbe : C.env.beside k k' = true)
    (ha : C.env.Allows C.home ⟨t, k, e⟩)
    (ha' : C.env.Allows C.home ⟨u, k', e⟩) (hm : meets k k' = true) (hm' : meets k' k = true)
    (hb : ¬ C.blocks ⟨t, k, e⟩ ⟨u, k', e⟩) (hb' : ¬ C.blocks ⟨u, k', e⟩ ⟨t, k, e⟩) :
    C.FaultyWith meets := by
  have h' : u ≠ t := fun h' => h h'.symm
  -- Two blocks, whichever.
  obtain ⟨b, b', hbb⟩ : ∃ b b' : Block, b' ≠ b := ⟨0, 1, Nat.succ_ne_self 0⟩
  obtain ⟨m, hr, hi, ho⟩ := live C meets e t u b
  have r := hr.both h ha ha' ⟨fun _ => ne_of_live hi,
    fun hc hk => absurd hc (Env.not_createReturns (hk ▸ hbe)), fun _ h => (by cases h)⟩
    (.join hbe (ne_of_live hi)) (fun _ => hm) hb
  have foreign : some e ≠ (none : Option Encoder) := fun h => (by cases h)
  -- create ∥ teardown and create ∥ encode, with either thread as the creator
  have tears : ∀ {t u k}, t ≠ u → k.tearsDown = true → C.env.Allows C.home ⟨t, .create, e⟩ →
      C.env.Allows C.home ⟨u, k, e⟩ → C.env.beside .create k = true → meets .create k = true →
      ¬ C.blocks ⟨t, .create, e⟩ ⟨u, k, e⟩ → C.FaultyWith meets := by
    intro t u k h hk ha ha' hbe hm hb
    obtain ⟨m, r, hi, ho, _⟩ := afterPublish h ha ha' hbe hm hb b
    have r1 := (r.body (.take hk hi)).body (.push hk ho)
    exact ⟨_, _, r1, .body (duo_right fun h' => h h'.symm)
      (.initForeign (update_same_ne foreign.symm))⟩
  have uses : ∀ {t u}, t ≠ u → C.env.Allows C.home ⟨t, .create, e⟩ →
      C.env.Allows C.home ⟨u, .encode, e⟩ → C.env.beside .create .encode = true →
      meets .create .encode = true →
      ¬ C.blocks ⟨t, .create, e⟩ ⟨u, .encode, e⟩ → C.FaultyWith meets := by
    intro t u h ha ha' hbe hm hb
    obtain ⟨m, r, hi, ho, hn⟩ := afterPublish h ha ha' hbe hm hb b
    exact ⟨_, _, r.body (.load hi), .body duo_left (.derefUninitialised hi ho hn)⟩
  have stale : ∀ {t u k}, t ≠ u → k.tearsDown = true → ReachableWith C meets
      (duo m t u (some ⟨.encode, e, .entered⟩) (some ⟨k, e, .entered⟩)) → C.FaultyWith meets := by
    intro t u k h hk r
    have r1 := (((r.body (.load hi)).swap h).body (.take hk hi)).body (.push hk ho)
    exact ⟨_, _, r1, .body (duo_right fun h' => h h'.symm)
      (.derefStale hi (update_same_ne foreign.symm))⟩
  cases hk : k.tearsDown with
  | true =>
    cases hk' : k'.tearsDown with
    | true =>
      have r1 := (((r.body (.take hk hi)).swap h).body (.take hk' hi)).body (.push hk' ho)
      exact ⟨_, _, r1, .body (duo_right h') (.pushForeign hk (update_same_ne foreign.symm))⟩
    | false =>
      cases k' with
      | encode => exact stale h' hk (r.swap h)
      | create => exact tears h' hk ha' ha (Env.beside_symm hbe) hm' hb'
      | destroy | complete => cases hk'
  | false =>
    cases hk' : k'.tearsDown with
    | true =>
      cases k with
      | encode => exact stale h hk' r
      | create => exact tears h hk' ha ha' hbe hm hb
      | destroy | complete => cases hk
    | false =>
      cases k with
      | destroy | complete => cases hk
      | encode =>
        cases k' with
        | destroy | complete => cases hk'
        | encode =>
          have r1 := ((r.body (.load hi)).swap h).body (.load hi)
          exact ⟨_, _, r1, .overlap h' duo_left (duo_right h')⟩
        | create => exact uses h' ha' ha (Env.beside_symm hbe) hm' hb'
      | create =>
        cases k' with
        | destroy | complete => cases hk'
        | encode => exact uses h ha ha' hbe hm hb
        | create =>
          have r := start.both (C := C) (meets := meets) h ha ha' (.make rfl)
            (.makeBeside (fun _ => hbe) rfl) (fun _ => hm) hb
          have r1 := (((r.body (.check rfl)).pop (b := b) rfl).swap h).body (.check rfl)
          have r2 := (r1.pop (b := b') (update_ne _ _ hbb)).body (.publish rfl)
          exact ⟨_, _, r2, .body (duo_right h')
            (.publishTwice (update_same_ne (fun h => by cases h)))⟩

open ReachableWith in
/-- Racy freelist, creates on different encoders: both take one block. -/
theorem racy_fault_with (hf : C.env.atomicFreelist = false) (h : t ≠ u) (he : e ≠ e')
    (ha : C.env.Allows C.home ⟨t, .create, e⟩) (ha' : C.env.Allows C.home ⟨u, .create, e'⟩)
    (hb : ¬ C.blocks ⟨t, .create, e⟩ ⟨u, .create, e'⟩) : C.FaultyWith meets := by
  have h' : u ≠ t := fun h' => h h'.symm
  have r := start.both (C := C) (meets := meets) h ha ha' (.make rfl)
    (.makeBeside (fun h => absurd h he) rfl) (fun h => absurd h he) hb
  obtain ⟨b, _⟩ : ∃ b : Block, True := ⟨0, trivial⟩
  have r1 := ((r.body (.check rfl)).body (.peek (b := b) hf rfl)).swap h
  have r2 := ((r1.body (.check rfl)).body (.peek (b := b) hf rfl)).swap h'
  have r3 := ((r2.body .claim).body (.publish rfl)).swap h
  exact ⟨_, _, r3.body .claim, .body (duo_right h')
    (.initForeign (update_same_ne (fun h' => he (Option.some.inj h').symm)))⟩

open ReachableWith in
/-- Without `callersRetain` an object can be released under a waiting caller. -/
theorem no_retain_fault_with (h : C.env.callersRetain = false) : C.FaultyWith meets := by
  have r1 := (start (C := C) (meets := meets) (t := C.home 0) (u := C.home 0 + 1)).dispatch
    (k := .create) (e := 0) (C.env.allows_home C.home) (.make rfl)
    (fun _ h => (by cases h))
  have r2 := r1.go (.drop (e := 0) rfl (fun hr => by rw [h] at hr; cases hr))
    (fun _ h => Label.noConfusion h)
  exact ⟨_, _, r2, .dead (duo_left (m := State.initial.mem))
    (show update (fun _ => true) 0 false 0 = false from update_same ..)⟩

/-- **On one encoder exactly the operations that the client lets meet need exclusion**: a guard that
checks for liveness is safe for all clients that keep their promise if and only if the criterion
holds. -/
theorem safe_with_iff_criterion (hsym : ∀ k k', meets k k' = meets k' k) (hc : σ.check = true) :
    SafeWith env meets σ ↔ criterionWith env meets σ = true := by
  simp only [criterionWith, Bool.and_eq_true, Bool.or_eq_true, Bool.not_eq_true', List.all_eq_true]
  constructor
  · intro hs
    refine ⟨⟨?_, ?_⟩, ?_⟩
    · cases hr : env.callersRetain with
      | true => rfl
      | false => exact absurd (no_retain_fault_with (C := σ.config env .distinct) hr) (hs .distinct)
    · intro k _ k' _
      refine Bool.eq_false_of_ne_true fun ho => ?_
      simp only [Bool.and_eq_true] at ho
      obtain ⟨hm, ho⟩ := ho
      obtain ⟨hmeet, hx⟩ := LockScheme.overlaps_iff.mp ho
      obtain ⟨hbe, t, u, htu, ha, ha'⟩ := Env.allows_of_meet hmeet
      have hb : ¬ σ.Blocks env .distinct ⟨t, k, 0⟩ ⟨u, k', 0⟩ := fun hb => by
        rw [LockScheme.excludesOnEncoder_of_blocks htu hb] at hx
        cases hx
      exact hs .distinct (pair_fault_with htu hbe ha ha' hm ((hsym k' k).trans hm) hb
        (fun hb' => hb hb'.symm))
    · cases hf : env.atomicFreelist with
      | true => exact Or.inl rfl
      | false =>
        refine Or.inr (Classical.byContradiction fun hx => hs .distinct ?_)
        exact racy_fault_with hf Nat.zero_ne_one Nat.zero_ne_one (Or.inr rfl) (Or.inr rfl)
          (fun hb => hx (LockScheme.excludesAnywhere_of_blocks Nat.zero_ne_one Nat.zero_ne_one hb))
  · intro ⟨⟨hr, hx⟩, hf⟩ c ⟨s, f, hs, hfault⟩
    have K : ((σ.config env c).keptApart meets).Criterion := by
      refine ⟨hr, Or.inl hc, fun k k' t u e htu hbe ha ha' => ?_, hf.imp id ?_⟩
      · cases hm : meets k k' with
        | false => exact ⟨Or.inr ⟨rfl, hm⟩, Or.inr ⟨rfl, (hsym k' k).trans hm⟩⟩
        | true =>
          have := LockScheme.apart c (k := k) (k' := k') (σ := σ) (env := env) (fun ho => by
            have := hx k (mem_allKinds k) k' (mem_allKinds k')
            rw [hm, ho] at this
            cases this) t u e htu hbe ha ha'
          exact this.imp Or.inl Or.inl
      · intro hf t u e e' _ _ _ _
        exact Or.inl (LockScheme.blocks_of_excludesAnywhere hf)
    exact K.safe s f (hs.keptApart hsym) hfault.keptApart

/-! ## Clients, and what is enough for them -/

theorem safe_with_of_criterion (hsym : ∀ k k', meets k k' = meets k' k) (hc : σ.check = true)
    (h : criterionWith env meets σ = true) : SafeWith env meets σ :=
  (safe_with_iff_criterion hsym hc).mpr h

/-- **Handing over is nearly as good as confinement**: if handlers tear nothing down, clients that
hand their encoders over need no locks at all; but the guard checks for liveness. -/
theorem handing_over_needs_no_locks :
    SafeWith { Env.default with handlersTearDown := false } handsOver ⟨[], [], [], [], true⟩ :=
  safe_with_of_criterion (by intro k k'; cases k <;> cases k' <;> rfl) rfl (by decide)

/-- With handlers that do, one lock per encoder is enough that only `complete` takes exclusively. -/
theorem handing_over_with_handlers : SafeWith .default handsOver
    ⟨[⟨.encoder, .shared⟩], [⟨.encoder, .shared⟩], [⟨.encoder, .shared⟩],
      [⟨.encoder, .exclusive⟩], true⟩ :=
  safe_with_of_criterion (by intro k k'; cases k <;> cases k' <;> rfl) rfl (by decide)

/-- **One reader–writer lock is safe for clients that encode alone**: rwLock, unsafe in general. -/
theorem rw_lock_safe_if_encodes_alone : SafeWith .default encodesAlone AGX.rwLock :=
  safe_with_of_criterion (by intro k k'; cases k <;> cases k' <;> rfl) rfl (by decide)

/-- **Clients that join their threads need less**: creates and destroys need not exclude each other.
For the general client the same scheme is unsafe. -/
theorem joined_threads_need_less :
    SafeWith .default joinsThreads writersEncode ∧ ¬ Safe .default writersEncode :=
  ⟨safe_with_of_criterion (by intro k k'; cases k <;> cases k' <;> rfl) rfl (by decide),
    fun h => absurd ((safe_iff_criterion _ _).mp h) (by decide)⟩

end MPSVerify
