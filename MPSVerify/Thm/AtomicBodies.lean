import MPSVerify.Spec.AtomicBodies
import MPSVerify.Thm.Faults

/-!
# Could the driver do without locks?

The predecessor called the lock-free strategy "not implementable". Made precise: a guard outside the
driver cannot make several driver steps one. Were the driver itself to make whole bodies one step,
no lock would be needed; making `encode` alone one step is not enough.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

/-- What whole bodies keep: every encoder settled, and nobody in the middle of a body. -/
structure Whole (C : Config) (s : State) : Prop where
  settled : ∀ e, Settled s.mem e
  outside : ∀ t x, s.threads t = some x →
    x.pc = .dispatched ∨ x.pc = .entered ∨ x.pc = .finished
  alive : C.env.callersRetain = true → ∀ t x, s.threads t = some x → s.alive x.encoder = true

/-- A run of a body, alone on its encoder, ends settled and leaves the others alone. -/
theorem Body.Run.keeps {e k pc m m'} (h : Body.Run C e k pc m m') (hl : Local C m k e pc)
    (hs : pc.Unsettled ∨ Settled m e) :
    Settled m' e ∧ ∀ e', e' ≠ e → Frame m m' e' := by
  induction h with
  | done => exact ⟨hs.resolve_left id, fun _ _ => Frame.rfl⟩
  | step hb _ ih =>
    have hk := hb.keeps hl hs
    obtain ⟨h1, h2⟩ := ih hk.1 hk.2
    refine ⟨h1, fun e' he => ?_⟩
    have f1 := hb.frame hl he
    have f2 := h2 e' he
    exact ⟨f2.impl.trans f1.impl, fun b hb' =>
      have g1 := f1.block b hb'
      have g2 := f2.block b g1.1
      ⟨g2.1, g2.2.trans g1.2⟩⟩

/-- A checked body that is alone on its encoder does not fail. -/
theorem Body.Fails.false {e k f pc m} (h : Body.Fails C e k f pc m) (hc : C.check = true)
    (hl : Local C m k e pc) (hs : pc.Unsettled ∨ Settled m e) : False := by
  induction h with
  | now hf =>
    cases hf with
    | loadNull h _ => rw [hc] at h; cases h
    | derefNull hn => rw [hl.1] at hn; cases hn
    | derefStale hi ho => rw [hl.1] at hi; cases hi; exact ho hl.2.1
    | derefUninitialised hi _ hr => rw [hl.1] at hi; cases hi; rw [hl.2.2] at hr; cases hr
    | pushForeign _ ho => exact ho hl.2.1
    | publishTwice hi => exact hi hl.1
    | initForeign ho => exact ho hl.2
  | step hb _ ih =>
    have hk := hb.keeps hl hs
    exact ih hk.1 hk.2

theorem AtomicReachable.whole (h : AtomicReachable C (fun _ => true) s) : Whole C s := by
  induction h with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ h => (by cases h), fun _ _ _ h => (by cases h)⟩
  | @step s s' _ hs ih =>
    have set : ∀ {t x},
        (∀ y, x = some y → y.pc = .dispatched ∨ y.pc = .entered ∨ y.pc = .finished) →
        (C.env.callersRetain = true → ∀ y, x = some y → s.alive y.encoder = true) →
        Whole C (s.setThread t x) := by
      intro t x hx ha
      refine ⟨ih.settled, ?_, ?_⟩
      · intro u y hu
        by_cases h : u = t
        · subst h; rw [State.setThread_same] at hu; exact hx y hu
        · rw [State.setThread_ne _ _ h] at hu; exact ih.outside u y hu
      · intro hr u y hu
        by_cases h : u = t
        · subst h; rw [State.setThread_same] at hu; exact ha hr y hu
        · rw [State.setThread_ne _ _ h] at hu; exact ih.alive hr u y hu
    cases hs with
    | other hst hno =>
      cases hst with
      | dispatch _ ha _ _ =>
        exact set (fun _ h => by cases h; exact Or.inl rfl) (fun _ _ h => by cases h; exact ha)
      | acquire _ ha _ =>
        exact set (fun _ h => by cases h; exact Or.inr (Or.inl rfl))
          (fun _ _ h => by cases h; exact ha)
      | body _ _ => exact absurd rfl (hno _ _)
      | release _ => exact set (fun _ h => by cases h) (fun _ _ h => by cases h)
      | drop ha hr =>
        exact ⟨ih.settled, ih.outside, fun hret t x hx =>
          (update_ne _ _ (hr hret t x hx)).trans (ih.alive hret t x hx)⟩
    | small h _ _ => cases h
    | @whole t k e m' _ ht hrun =>
      have hk := hrun.keeps trivial (Or.inr (ih.settled e))
      have S := set (t := t) (x := some ⟨k, e, .finished⟩)
        (fun _ h => by cases h; exact Or.inr (Or.inr rfl))
        (fun hr _ h => by cases h; exact ih.alive hr t ⟨k, e, .entered⟩ ht)
      refine ⟨fun e' => ?_, S.outside, S.alive⟩
      by_cases he : e' = e
      · subst he; exact hk.1
      · exact (ih.settled e').frame (hk.2 e' he)

/-- **Atomic bodies suffice**: if the driver made every body one step, a liveness check without any
lock would be safe (with callers that retain). The atomicity must be in the driver. -/
theorem atomic_bodies_suffice (hc : C.check = true) (hr : C.env.callersRetain = true) {f : Fault}
    (h : AtomicReachable C (fun _ => true) s) : ¬ AtomicFaulty C (fun _ => true) f s := by
  have W := h.whole
  intro hf
  cases hf with
  | small h _ _ => cases h
  | whole _ ht hfail => exact hfail.false hc trivial (Or.inr (W.settled _))
  | overlap _ ht _ => rcases W.outside _ _ ht with h | h | h <;> cases h
  | dead ht ha =>
    have := W.alive hr _ _ ht
    rw [ha] at this; cases this

end MPSVerify
