import MPSVerify.Thm.Necessity.Duo
import MPSVerify.Thm.Safety

/-!
# Necessity: a discipline that does not meet the criterion is unsafe

For each pair of operations on one encoder that can be past their acquires together, the fault that
they run into. All runs are generic in the locks and in the client.
-/

namespace MPSVerify

variable {C : Config} {m : Mem} {t u : Thread} {k k' : Kind} {e e' : Encoder} {b b' : Block}

/-- Whoever may create on an encoder may also destroy it. -/
theorem Env.Allows.destroy {env : Env} {home} (h : env.Allows home ⟨t, .create, e⟩) :
    env.Allows home ⟨t, .destroy, e⟩ := h

/-- The home thread may always create. -/
theorem Env.allows_home (env : Env) (home : Encoder → Thread) :
    env.Allows home ⟨home e, .create, e⟩ := Or.inr rfl

theorem ne_of_live (h : m.impl e = some b) : m.impl e ≠ none := fun h' => by rw [h] at h'; cases h'

/-- An encoder with a context, and everybody idle. -/
theorem live_reachable (C : Config) (e : Encoder) :
    ∃ m, Reachable C (idle m) ∧ m.impl e = some 0 ∧ m.owner 0 = some e := by
  have r0 : Reachable C (duo _ (C.home e) (C.home e + 1) none none) :=
    Reachable.ofIdle Reachable.initial
  have ⟨m, hr, hi, ho, _⟩ := r0.create (b := 0) (Nat.succ_ne_self _).symm
    (C.env.allows_home C.home) rfl rfl
  exact ⟨m, hr.toIdle, hi, ho⟩

/-- Two threads wait to use one encoder that has a context. -/
theorem dispatched_live (ha : C.env.Allows C.home ⟨t, k, e⟩)
    (ha' : C.env.Allows C.home ⟨u, k', e⟩) (h : t ≠ u) (hm : C.env.beside k k' = true) :
    ∃ m, Reachable C (duo m t u (some ⟨k, e, .dispatched⟩) (some ⟨k', e, .dispatched⟩)) ∧
      m.impl e = some 0 ∧ m.owner 0 = some e := by
  have ⟨m, hr, hi, ho⟩ := live_reachable C e
  have r1 := (hr.ofIdle (t := t) (u := u)).dispatch ha ⟨fun _ => ne_of_live hi,
    fun hc hk => absurd hc (Env.not_createReturns (hk ▸ hm)), fun _ h => by cases h⟩
  have r2 := (r1.swap h).dispatch ha' (.join hm (ne_of_live hi))
  exact ⟨m, r2.swap (fun h' => h h'.symm), hi, ho⟩

/-- One thread waits to create an encoder, another one waits to use the context that it had. -/
theorem dispatched_gone (ha : C.env.Allows C.home ⟨t, .create, e⟩)
    (ha' : C.env.Allows C.home ⟨u, k', e⟩) (h : t ≠ u) (hm : C.env.beside .create k' = true) :
    ∃ m, Reachable C (duo m t u (some ⟨.create, e, .dispatched⟩) (some ⟨k', e, .dispatched⟩)) ∧
      m.impl e = none ∧ m.owner 0 = none := by
  have ⟨m, hr, hi, ho⟩ := live_reachable C e
  have h' : u ≠ t := fun h' => h h'.symm
  have hc := Env.not_createReturns hm
  have r1 := (hr.ofIdle (t := u) (u := t)).dispatch ha' ⟨fun _ => ne_of_live hi,
    fun h => absurd h hc, fun _ h => by cases h⟩
  have ⟨m', r2, hi', ho'⟩ := (r1.swap h').teardown (k := .destroy) h rfl (Env.beside_of_not hc)
    ha.destroy hi ho
  exact ⟨m', r2.dispatch ha (.makeBeside (fun _ => Env.beside_of_not hc) hi'), hi', ho'⟩

/-! ## The six pairs -/

section Pairs

variable (h : t ≠ u)
include h

/-- encode ∥ encode: both are between load and use. -/
theorem encode_encode_overlap
    (hr : Reachable C (duo m t u (some ⟨.encode, e, .entered⟩) (some ⟨.encode, e, .entered⟩)))
    (hi : m.impl e = some b) : C.CanReach .encoderOverlap := by
  have r1 := ((hr.body (.load hi)).swap h).body (.load hi)
  exact ⟨_, r1, .overlap (fun h' => h h'.symm) duo_left (duo_right fun h' => h h'.symm)⟩

/-- encode ∥ teardown: the race of the crash logs. -/
theorem encode_teardown_race (hk : k.tearsDown = true)
    (hr : Reachable C (duo m t u (some ⟨.encode, e, .entered⟩) (some ⟨k, e, .entered⟩)))
    (hi : m.impl e = some b) (ho : m.owner b = some e) : C.TeardownRace := by
  have h' : u ≠ t := fun h' => h h'.symm
  have r1 := (((hr.body (.load hi)).swap h).body (.take hk hi)).body (.push hk ho)
  exact ⟨_, _, t, u, e, b, k, r1, h, hk, duo_right h', duo_left, hi,
    .body duo_left (.clear hk), update_same ..⟩

/-- encode ∥ teardown, a step earlier: the context is on the freelist already. -/
theorem encode_teardown_stale (hk : k.tearsDown = true)
    (hr : Reachable C (duo m t u (some ⟨.encode, e, .entered⟩) (some ⟨k, e, .entered⟩)))
    (hi : m.impl e = some b) (ho : m.owner b = some e) : C.CanReach .staleContext := by
  have r1 := (((hr.body (.load hi)).swap h).body (.take hk hi)).body (.push hk ho)
  exact ⟨_, r1, .body (duo_right fun h' => h h'.symm)
    (.derefStale hi (update_same_ne (fun h => by cases h)))⟩

/-- teardown ∥ teardown: both give the same block back. -/
theorem teardown_teardown_fault (hk : k.tearsDown = true) (hk' : k'.tearsDown = true)
    (hr : Reachable C (duo m t u (some ⟨k, e, .entered⟩) (some ⟨k', e, .entered⟩)))
    (hi : m.impl e = some b) (ho : m.owner b = some e) : C.CanReach .doubleFree := by
  have r1 := (((hr.body (.take hk hi)).swap h).body (.take hk' hi)).body (.push hk' ho)
  exact ⟨_, r1, .body (duo_right fun h' => h h'.symm)
    (.pushForeign hk (update_same_ne (fun h => by cases h)))⟩

/-- create ∥ encode: the context is used before it is initialised. -/
theorem create_encode_fault
    (hr : Reachable C (duo m t u (some ⟨.create, e, .entered⟩) (some ⟨.encode, e, .entered⟩)))
    (hi : m.impl e = none) (ho : m.owner b = none) : C.CanReach .uninitialised := by
  have r1 := (((hr.body (.check hi)).pop ho).body (.publish hi)).swap h
  have r2 := r1.body (.load (b := b) (update_same ..))
  exact ⟨_, r2, .body duo_left
    (.derefUninitialised (b' := b) (update_same ..) (update_same ..) (update_same ..))⟩

/-- create ∥ teardown: the context is given back before it is initialised. -/
theorem create_teardown_fault (hk : k.tearsDown = true)
    (hr : Reachable C (duo m t u (some ⟨.create, e, .entered⟩) (some ⟨k, e, .entered⟩)))
    (hi : m.impl e = none) (ho : m.owner b = none) : C.CanReach .writeAfterFree := by
  have r1 := (((hr.body (.check hi)).pop ho).body (.publish hi)).swap h
  have r2 := (r1.body (.take (b := b) hk (update_same ..))).body (.push hk (update_same ..))
  exact ⟨_, r2, .body (duo_right fun h' => h h'.symm)
    (.initForeign (update_same_ne (fun h => by cases h)))⟩

/-- create ∥ create: one context overwrites the other. -/
theorem create_create_fault
    (hr : Reachable C (duo m t u (some ⟨.create, e, .entered⟩) (some ⟨.create, e, .entered⟩)))
    (hi : m.impl e = none) (ho : m.owner b = none) (ho' : m.owner b' = none) (hb : b' ≠ b) :
    C.CanReach .lostContext := by
  have r1 := (((hr.body (.check hi)).pop ho).swap h).body (.check hi)
  have r2 := (r1.pop (b := b') ((update_ne _ _ hb).trans ho')).body (.publish hi)
  exact ⟨_, r2, .body (duo_right fun h' => h h'.symm)
    (.publishTwice (update_same_ne (fun h => by cases h)))⟩

/-- Racy freelist, creates on different encoders: both take one block. -/
theorem racy_create_fault (hf : C.env.atomicFreelist = false) (he : e ≠ e')
    (hr : Reachable C (duo m t u (some ⟨.create, e, .entered⟩) (some ⟨.create, e', .entered⟩)))
    (hi : m.impl e = none) (hi' : m.impl e' = none) (ho : m.owner b = none) :
    C.CanReach .writeAfterFree := by
  have r1 := ((hr.body (.check hi)).body (.peek hf ho)).swap h
  have r2 := ((r1.body (.check hi')).body (.peek hf ho)).swap (fun h' => h h'.symm)
  have r3 := ((r2.body .claim).body (.publish hi)).swap h
  have r4 := r3.body .claim
  exact ⟨_, r4, .body (duo_right fun h' => h h'.symm)
    (.initForeign (update_same_ne (fun h' => he (Option.some.inj h').symm)))⟩

end Pairs

/-- The race of the crash logs ends in a NULL dereference. -/
theorem Config.TeardownRace.nullDeref (h : C.TeardownRace) : C.CanReach .nullDeref := by
  obtain ⟨s, s', t, u, e, b, k, hr, htu, hk, ht, hu, hi, hs, hn⟩ := h
  refine ⟨s', hr.step hs, ?_⟩
  cases hs with
  | body hu' hb =>
    exact .body ((State.setThread_ne s _ htu).trans ht) (.derefNull hn)

/-- Without `callersRetain` an object can be released under a waiting caller. -/
theorem noRetain_fault (h : C.env.callersRetain = false) : C.CanReach .deadDispatch := by
  have r0 : Reachable C (duo _ (C.home 0) (C.home 0 + 1) none none) :=
    Reachable.ofIdle Reachable.initial
  have r1 := r0.dispatch (k := .create) (e := 0) (C.env.allows_home C.home) (.make rfl)
  have r2 := r1.step (.drop (e := 0) rfl (fun hr => by rw [h] at hr; cases hr))
  exact ⟨_, r2, .dead (duo_left (m := State.initial.mem))
    (show update (fun _ => true) 0 false 0 = false from update_same ..)⟩

/-- Without the liveness check a teardown before the lock is enough: no race is needed. -/
theorem unchecked_fault (h : t ≠ u) (hc : C.check = false) (hk : k.tearsDown = true)
    (ha : C.env.Allows C.home ⟨t, .encode, e⟩) (ha' : C.env.Allows C.home ⟨u, k, e⟩) :
    C.CanReach .nullDeref := by
  have ⟨m, hr, hi, ho⟩ := live_reachable C e
  have h' : u ≠ t := fun h' => h h'.symm
  have r1 := ((hr.ofIdle (t := t) (u := u)).dispatch ha
    (.use (fun h => Kind.noConfusion h) (ne_of_live hi))).swap h
  have ⟨m', r2, hi', _⟩ := r1.teardown h' hk
    (Env.encode_beside_teardown hk) ha' hi ho
  have r3 := (r2.swap h').acquire h (fun _ h => by cases h)
  exact ⟨_, r3, .body duo_left (.loadNull hc hi')⟩

/-- Two operations of different threads on one encoder that are not excluded lead to a fault. -/
theorem pair_fault (h : t ≠ u) (hm : C.env.beside k k' = true)
    (ha : C.env.Allows C.home ⟨t, k, e⟩) (ha' : C.env.Allows C.home ⟨u, k', e⟩)
    (hb : ¬ C.blocks ⟨t, k, e⟩ ⟨u, k', e⟩ ∨ ¬ C.blocks ⟨u, k', e⟩ ⟨t, k, e⟩) :
    ∃ f, C.CanReach f := by
  have h' : u ≠ t := fun h' => h h'.symm
  obtain ⟨m, hr, hi, ho⟩ := dispatched_live ha ha' h hm
  have r := hr.enter h hb
  cases hk : k.tearsDown with
  | true =>
    cases hk' : k'.tearsDown with
    | true => exact ⟨_, teardown_teardown_fault h hk hk' r hi ho⟩
    | false =>
      cases k' with
      | encode => exact ⟨_, (encode_teardown_race h' hk (r.swap h) hi ho).nullDeref⟩
      | create =>
        obtain ⟨m, hr, hi, ho⟩ := dispatched_gone ha' ha h' (Env.beside_symm hm)
        exact ⟨_, create_teardown_fault h' hk (hr.enter h' hb.symm) hi ho⟩
      | destroy | complete => cases hk'
  | false =>
    cases hk' : k'.tearsDown with
    | true =>
      cases k with
      | encode => exact ⟨_, (encode_teardown_race h hk' r hi ho).nullDeref⟩
      | create =>
        obtain ⟨m, hr, hi, ho⟩ := dispatched_gone ha ha' h hm
        exact ⟨_, create_teardown_fault h hk' (hr.enter h hb) hi ho⟩
      | destroy | complete => cases hk
    | false =>
      cases k with
      | encode =>
        cases k' with
        | encode => exact ⟨_, encode_encode_overlap h r hi⟩
        | create =>
          obtain ⟨m, hr, hi, ho⟩ := dispatched_gone ha' ha h' (Env.beside_symm hm)
          exact ⟨_, create_encode_fault h' (hr.enter h' hb.symm) hi ho⟩
        | destroy | complete => cases hk'
      | create =>
        cases k' with
        | encode =>
          obtain ⟨m, hr, hi, ho⟩ := dispatched_gone ha ha' h hm
          exact ⟨_, create_encode_fault h (hr.enter h hb) hi ho⟩
        | create =>
          have r0 : Reachable C (duo _ t u none none) := Reachable.ofIdle Reachable.initial
          have r1 := (r0.dispatch ha (.make rfl)).swap h
          have r2 := (r1.dispatch ha' (.makeBeside (fun _ => hm) rfl)).swap h'
          exact ⟨_, create_create_fault h (r2.enter h hb) rfl (b := 0) (b' := 1) rfl rfl
            (Nat.succ_ne_self 0)⟩
        | destroy | complete => cases hk'
      | destroy | complete => cases hk

/-- **Necessity.** A safe discipline meets the criterion. -/
theorem Config.Safe.criterion (h : C.Safe) : C.Criterion := by
  have no : ∀ f, ¬ C.CanReach f := fun f ⟨s, hr, hf⟩ => h s f hr hf
  refine ⟨?_, ?_, ?_, ?_⟩
  · cases hr : C.env.callersRetain with
    | true => rfl
    | false => exact absurd (noRetain_fault hr) (no _)
  · cases hc : C.check with
    | true => exact Or.inl hc
    | false =>
      exact Or.inr fun t u e k htu hk ha ha' => no _ (unchecked_fault htu hc hk ha ha')
  · intro k k' t u e htu hm ha ha'
    refine ⟨Classical.byContradiction fun hn => ?_, Classical.byContradiction fun hn => ?_⟩
    · obtain ⟨f, hf⟩ := pair_fault htu hm ha ha' (Or.inl hn)
      exact no f hf
    · obtain ⟨f, hf⟩ := pair_fault htu hm ha ha' (Or.inr hn)
      exact no f hf
  · cases hf : C.env.atomicFreelist with
    | true => exact Or.inl hf
    | false =>
      refine Or.inr fun t u e e' htu he ha hb => Classical.byContradiction fun hn => ?_
      have r0 : Reachable C (duo _ t u none none) := Reachable.ofIdle Reachable.initial
      have r1 := (r0.dispatch ha (.make rfl)).swap htu
      have r2 := (r1.dispatch hb (.makeBeside (fun h => absurd h he) rfl)).swap
        (fun h' => htu h'.symm)
      exact no _ (racy_create_fault htu hf he (r2.enter htu (Or.inl hn)) rfl rfl (b := 0) rfl)

/-- **Safe if and only if the criterion holds**, for every discipline in the sense of `Config`,
every environment and any number of threads, encoders and blocks. -/
theorem Config.safe_iff_criterion : C.Safe ↔ C.Criterion :=
  ⟨Config.Safe.criterion, Config.Criterion.safe⟩

end MPSVerify
