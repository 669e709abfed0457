import MPSVerify.Spec.Progress
import MPSVerify.Thm.Safety

/-!
# One thread is safe

The model's races are between threads: with one thread no strategy has a fault, noSync included,
if callers retain.
This keeps the model from blaming the locks for what a single caller would run into anyway.
-/

namespace MPSVerify

variable {C : Config} {s : State}

/-- Nobody but `t` is ever busy. -/
theorem ReachableBy.idle {t u : Thread} (h : ReachableBy C t s) (hu : u ≠ t) :
    s.threads u = none := by
  induction h with
  | initial => rfl
  | step _ hl hs ih =>
    cases hs with
    | dispatch _ _ _ _ => have := hl _ rfl; subst this; exact (State.setThread_ne _ _ hu).trans ih
    | acquire _ _ _ => have := hl _ rfl; subst this; exact (State.setThread_ne _ _ hu).trans ih
    | body _ _ => have := hl _ rfl; subst this; exact (State.setThread_ne _ _ hu).trans ih
    | release _ => have := hl _ rfl; subst this; exact (State.setThread_ne _ _ hu).trans ih
    | drop _ _ => exact ih

/-- **One thread is safe** under every discipline (see `Config`), no locks at all included: every
fault needs a second thread, or an object that nobody retains. -/
theorem one_thread_is_safe {t : Thread} (hret : C.env.callersRetain = true)
    (h : ReachableBy C t s) (f : Fault) : ¬ Faulty C f s := by
  have inv : (∀ k e pc, s.threads t = some ⟨k, e, pc⟩ → Local C s.mem k e pc ∧
        (k = .encode → pc = .dispatched ∨ pc = .entered → s.mem.impl e ≠ none) ∧
        (∀ e', (e' = e ∧ pc.Unsettled) ∨ Settled s.mem e') ∧ s.alive e = true) ∧
      (s.threads t = none → ∀ e', Settled s.mem e') := by
    induction h with
    | initial => exact ⟨fun _ _ _ h => (by cases h), fun _ _ _ h => (by cases h)⟩
    | @step s l s' hr hl hs ih =>
      cases hs with
      | @dispatch u k e hi ha _ hd =>
        have := hl _ rfl; subst this
        refine ⟨?_, ?_⟩
        · intro k' e' pc' hx
          rw [State.setThread_same] at hx; cases hx
          exact ⟨trivial, fun hk _ => hd.used (fun h => by rw [hk] at h; cases h),
            fun e' => Or.inr (ih.2 hi e'), ha⟩
        · intro hx; rw [State.setThread_same] at hx; cases hx
      | @acquire u k e hx ha _ =>
        have := hl _ rfl; subst this
        obtain ⟨_, hne, hset, hal⟩ := ih.1 _ _ _ hx
        refine ⟨?_, ?_⟩
        · intro k' e' pc' hx
          rw [State.setThread_same] at hx; cases hx
          exact ⟨trivial, fun hk _ => hne hk (Or.inl rfl),
            fun e' => Or.inr ((hset e').resolve_left (fun h => h.2)), hal⟩
        · intro hx; rw [State.setThread_same] at hx; cases hx
      | @body u k e pc pc' m' hx hb =>
        have := hl _ rfl; subst this
        obtain ⟨hloc, hne, hset, hal⟩ := ih.1 _ _ _ hx
        have hkeep := hb.keeps hloc ((hset e).imp (fun h => h.2) id)
        refine ⟨?_, ?_⟩
        · intro k' e' q hx
          have hx := (State.setThread_same s u (some ⟨k, e, pc'⟩)).symm.trans hx
          cases hx
          refine ⟨hkeep.1, ?_, ?_, hal⟩
          · intro hk hq
            subst hk
            rcases hq with hq | hq
            · exact absurd hq hb.holds.2
            · subst hq; cases hb
          · intro e'
            by_cases he : e' = e
            · subst he; exact hkeep.2.imp (fun h => ⟨rfl, h⟩) id
            · exact Or.inr (((hset e').resolve_left (fun h => he h.1)).frame (hb.frame hloc he))
        · intro hx
          have hx := (State.setThread_same s u (some ⟨k, e, pc'⟩)).symm.trans hx
          cases hx
      | @release u k e hx =>
        have := hl _ rfl; subst this
        obtain ⟨_, _, hset, _⟩ := ih.1 _ _ _ hx
        refine ⟨?_, ?_⟩
        · intro k' e' pc' hx; rw [State.setThread_same] at hx; cases hx
        · intro _ e'; exact (hset e').resolve_left (fun h => h.2)
      | @drop e' ha hd =>
        refine ⟨?_, ih.2⟩
        intro k e pc hx
        obtain ⟨h1, h2, h3, h4⟩ := ih.1 k e pc hx
        exact ⟨h1, h2, h3, (update_ne _ _ (hd hret _ _ hx)).trans h4⟩
  have mine : ∀ {u x}, s.threads u = some x → u = t := by
    intro u x hu
    apply Classical.byContradiction
    intro hne
    rw [h.idle hne] at hu; cases hu
  intro hf
  cases hf with
  | body hx hb =>
    have := mine hx; subst this
    obtain ⟨hl, hne, _, _⟩ := inv.1 _ _ _ hx
    cases hb with
    | loadNull _ hn => exact hne rfl (Or.inr rfl) hn
    | derefNull hn => rw [hl.1] at hn; cases hn
    | derefStale hi ho => rw [hl.1] at hi; cases hi; exact ho hl.2.1
    | derefUninitialised hi _ hr => rw [hl.1] at hi; cases hi; rw [hl.2.2] at hr; cases hr
    | pushForeign _ ho => exact ho hl.2.1
    | publishTwice hi => exact hi hl.1
    | initForeign ho => exact ho hl.2
  | overlap htu hx hy => exact htu ((mine hx).trans (mine hy).symm)
  | dead hx ha =>
    have := mine hx; subst this
    rw [(inv.1 _ _ _ hx).2.2.2] at ha; cases ha

end MPSVerify
