import MPSVerify.Spec.Progress
import MPSVerify.Thm.Faults

/-!
# What each assumption is worth

What no discipline can repair when an assumption falls, and what needs no lock at all when the
client is restricted. All of it is about every discipline in the sense of `Config`, that is every
relation that says which operation waits for which, not about lock schemes only.
-/

namespace MPSVerify

variable {C : Config} {s : State}

/-- **The dispatch window defeats every lock**: if callers do not own a reference, no discipline is
safe, for a message can reach a dead object (`noRetain_fault`). (The predecessor blamed these
crashes on the locks.) -/
theorem dispatch_window_defeats_every_lock (h : C.env.callersRetain = false) : ¬ C.Safe :=
  fun hs => by
    have := hs.criterion.retain
    rw [h] at this; cases this

/-- A handler's teardown that can be past its acquire together with an encode on its encoder, in
either order, leaves the race of the crash logs. -/
theorem handler_race (ht : C.env.handlersTearDown = true)
    (hb : ∀ a b, a.kind = .encode → b.kind = .complete → ¬ C.blocks a b ∨ ¬ C.blocks b a) :
    C.TeardownRace ∧ ¬ C.Safe := by
  have ha : C.env.Allows C.home ⟨C.home 0, .encode, 0⟩ := Or.inr rfl
  have ha' : C.env.Allows C.home ⟨C.home 0 + 1, .complete, 0⟩ := ht
  have hne : C.home 0 ≠ C.home 0 + 1 := (Nat.succ_ne_self _).symm
  obtain ⟨m, hr, hi, ho⟩ := dispatched_live ha ha' hne
    (Env.beside_of_not_create (fun h => Kind.noConfusion h) (fun h => Kind.noConfusion h))
  have race := encode_teardown_race (k := .complete) hne rfl
    (hr.enter hne (hb _ _ rfl rfl)) hi ho
  exact ⟨race, fun hs => let ⟨s, hr, hf⟩ := race.nullDeref; hs s _ hr hf⟩

/-- **Handlers that wait for nobody defeat every lock**: if completion handlers tear down and need
not wait, whoever is inside, the race of the crash logs is possible. (A handler that bypasses the
guard is one. The predecessor said so of rwLock only.) -/
theorem async_bypass_defeats_every_lock (ht : C.env.handlersTearDown = true)
    (hb : ∀ held wanted, wanted.kind = .complete → ¬ C.blocks held wanted) :
    C.TeardownRace ∧ ¬ C.Safe :=
  handler_race ht fun _ _ _ h => Or.inl (hb _ _ h)

/-- **Handlers that nobody waits for defeat every lock**: it is not enough that the handlers wait,
if operations may enter beside them. -/
theorem handlers_must_be_awaited (ht : C.env.handlersTearDown = true)
    (hb : ∀ held wanted, held.kind = .complete → ¬ C.blocks held wanted) :
    C.TeardownRace ∧ ¬ C.Safe :=
  handler_race ht fun _ _ _ h => Or.inr (hb _ _ h)

/-- **Confinement suffices**: if each encoder is used by one thread only and handlers tear nothing
down, no lock is needed, nor a liveness check, as long as callers retain and the freelist is atomic.
(What MLX ships; the predecessor did not say why.) -/
theorem confinement_suffices (hs : C.env.sharedEncoders = false)
    (hh : C.env.handlersTearDown = false) (hr : C.env.callersRetain = true)
    (hf : C.env.atomicFreelist = true) : C.Safe := by
  have only : ∀ t k e, C.env.Allows C.home ⟨t, k, e⟩ → C.home e = t := by
    intro t k e h
    cases k with
    | complete => rw [show C.env.handlersTearDown = true from h] at hh; cases hh
    | create | encode | destroy =>
      exact h.elim (fun h => by rw [hs] at h; cases h) id
  have alone : ∀ t u e k k', t ≠ u → C.env.Allows C.home ⟨t, k, e⟩ →
      ¬ C.env.Allows C.home ⟨u, k', e⟩ :=
    fun t u e k k' htu h h' => htu ((only t k e h).symm.trans (only u k' e h'))
  exact Config.Criterion.safe ⟨hr, Or.inr (fun t u e k htu _ h => alone t u e _ k htu h),
    fun k k' t u e htu _ h h' => absurd h' (alone t u e k k' htu h), Or.inl hf⟩

/-! ## Lost work -/

/-- **A call can come too late if and only if** somebody else may tear down what a thread may encode
on: no relation of who waits for whom prevents it. -/
theorem late_iff : C.CanComeLate ↔ ∃ t u e k, t ≠ u ∧ k.tearsDown = true ∧
    C.env.Allows C.home ⟨t, .encode, e⟩ ∧ C.env.Allows C.home ⟨u, k, e⟩ := by
  constructor
  · intro ⟨s, t, e, hr, ht, hn⟩
    apply Classical.byContradiction
    intro hno
    have : ∀ {t k e pc}, s.threads t = some ⟨k, e, pc⟩ → k = .encode →
        (pc = .dispatched ∨ pc = .entered) → s.mem.impl e ≠ none := by
      intro t k e pc
      refine Reachable.invariant (P := fun m k e pc => k = .encode →
        (pc = .dispatched ∨ pc = .entered) → m.impl e ≠ none) ?_ ?_ ?_ ?_ hr
      · intro s t k e _ _ hd hk _
        subst hk
        exact hd.used (fun h => Kind.noConfusion h)
      · intro m k e h hk _
        exact h hk (Or.inl rfl)
      · intro m k e pc pc' m' hb _ hk hp
        subst hk
        rcases hp with hp | hp
        · exact absurd hp hb.holds.2
        · subst hp; cases hb
      · intro s t u k e pc k' e' pc' pc'' m' hr htu ht hu hb h _ hk hp hn
        subst hk
        obtain ⟨hk', he⟩ := hb.cleared (h rfl hp) hn
        subst he
        exact hno ⟨t, u, e, k', htu, hk', hr.disciplined.allowed t _ ht,
          hr.disciplined.allowed u _ hu⟩
    exact this ht rfl (Or.inr rfl) hn
  · intro ⟨t, u, e, k, htu, hk, ha, ha'⟩
    have ⟨m, hr, hi, ho⟩ := live_reachable C e
    have hut : u ≠ t := fun h => htu h.symm
    have r1 := ((hr.ofIdle (t := t) (u := u)).dispatch ha
      (.use (fun h => Kind.noConfusion h) (ne_of_live hi))).swap htu
    have ⟨m', r2, hi', _⟩ := r1.teardown hut hk
      (Env.encode_beside_teardown hk) ha' hi ho
    have r3 := (r2.swap hut).acquire htu (fun _ h => by cases h)
    exact ⟨_, t, e, r3, duo_left, hi'⟩

/-- **A call can be skipped if and only if** the guard checks and somebody else may tear down what a
thread may encode on. -/
theorem skip_possible_iff : C.CanSkip ↔ C.check = true ∧ ∃ t u e k, t ≠ u ∧ k.tearsDown = true ∧
    C.env.Allows C.home ⟨t, .encode, e⟩ ∧ C.env.Allows C.home ⟨u, k, e⟩ :=
  ⟨fun h => ⟨h.1, late_iff.mp h.2⟩, fun h => ⟨h.1, late_iff.mpr h.2⟩⟩

/-- Without the check a call that comes too late dereferences NULL. -/
theorem late_unchecked_faults (hc : C.check = false) (h : C.CanComeLate) :
    C.CanReach .nullDeref :=
  let ⟨s, _, _, hr, ht, hn⟩ := h
  ⟨s, hr, .body ht (.loadNull hc hn)⟩

/-- **No work is lost** under confinement without handler teardown: no call comes too late, with or
without a check, and so none is skipped. -/
theorem no_work_lost (hs : C.env.sharedEncoders = false) (hh : C.env.handlersTearDown = false) :
    ¬ C.CanComeLate := by
  intro h
  obtain ⟨t, u, e, k, htu, hk, ha, ha'⟩ := late_iff.mp h
  cases k with
  | create | encode => cases hk
  | complete => rw [show C.env.handlersTearDown = true from ha'] at hh; cases hh
  | destroy =>
    have ha := ha.resolve_left (fun h => by rw [hs] at h; cases h)
    have ha' := ha'.resolve_left (fun h => by rw [hs] at h; cases h)
    exact htu (ha.symm.trans ha')

end MPSVerify
