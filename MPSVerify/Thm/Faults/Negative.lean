import MPSVerify.Thm.Faults.Owned

/-!
# Which pairs must be kept apart to avoid a double free and a stale context
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

theorem Owned.step {l : Label} (hf : C.CreatesApart) (H : C.TeardownsTame) (D : Disciplined C s)
    (W : Owned C s) (h : Step C s l s') : Owned C s' := by
  have no : ∀ {u : Thread} {x : Busy}, s.threads u = some x → x.pc ≠ .pushed →
      ∀ k e, s.threads u ≠ some ⟨k, e, .pushed⟩ := by
    intro u x hu hx k e h
    rw [hu] at h; cases h; exact hx rfl
  cases h with
  | dispatch hi _ _ _ =>
    refine W.move (fun k e h => by rw [hi] at h; cases h) ?_ ?_ ?_
    · intro _ _ h; cases h
    · intro _ _ _ h; cases h
    · intro _ _ h; cases h
  | acquire ht _ _ =>
    refine W.move (no ht (fun h => PC.noConfusion h)) ?_ ?_ ?_
    · intro _ _ h; cases h
    · intro _ _ _ h; cases h
    · intro _ _ h; cases h
  | release ht =>
    refine W.move (no ht (fun h => PC.noConfusion h)) ?_ ?_ ?_
    · intro _ _ h; cases h
    · intro _ _ _ h; cases h
    · intro _ _ h; cases h
  | drop _ _ => exact ⟨W.context, W.popped, W.taken, W.peeked, W.once⟩
  | @body t k e pc pc' m' ht hb =>
    cases hb with
    | load _ | skip _ _ | deref _ _ _ | gone _ _ | check _ | present _ =>
      refine W.move (no ht (fun h => PC.noConfusion h)) ?_ ?_ ?_
      · intro _ _ h; cases h
      · intro _ _ _ h; cases h
      · intro _ _ h; cases h
    | take hk hi =>
      refine W.move (no ht (fun h => PC.noConfusion h)) ?_ ?_ ?_
      · intro _ _ h; cases h
      · intro k' e' b' h _ hs
        cases h
        refine ⟨(W.context _ _ hi).resolve_right ?_, hi⟩
        intro ⟨u, k', hu, hk'⟩
        have := D.apart (hs k' hk') ht hu (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)
        subst this
        rw [ht] at hu; cases hu
      · intro _ _ h; cases h
    | peek hr ho =>
      refine W.move (no ht (fun h => PC.noConfusion h)) ?_ ?_ ?_
      · intro _ _ h; cases h
      · intro _ _ _ h; cases h
      · intro _ _ h; cases h; exact ⟨ho, hr⟩
    | push hk ho => exact W.push H D ht hk ho
    | clear hk => exact W.clear D ht hk
    | pop ha ho =>
      refine W.pop ht (fun h => PC.noConfusion h) ho ?_
      intro u e' b' _ hu
      have := (W.peeked u e' b' hu).2
      rw [ha] at this; cases this
    | claim =>
      obtain ⟨ho, hr⟩ := W.peeked t _ _ ht
      refine W.pop ht (fun h => PC.noConfusion h) ho ?_
      intro u e' b' hut hu
      exact hut (D.one_create hf hr hu ht (fun h => PC.noConfusion h) (fun h => PC.noConfusion h))
    | publish hi => exact W.publish ht hi
    | init _ =>
      have W' := W.move (t := t) (x := some ⟨.create, e, .finished⟩)
        (no ht (fun h => PC.noConfusion h)) (fun _ _ h => by cases h) (fun _ _ _ h => by cases h)
        (fun _ _ h => by cases h)
      exact ⟨W'.context, W'.popped, W'.taken, W'.peeked, W'.once⟩

namespace Reachable

theorem owned (hf : C.CreatesApart) (H : C.TeardownsTame) (hr : Reachable C s) : Owned C s := by
  induction hr with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ _ h => (by cases h), fun _ _ _ _ h => (by cases h),
      fun _ _ _ h => (by cases h), fun _ _ _ _ h => (by cases h)⟩
  | step hr hs ih => exact ih.step hf H hr.disciplined hs

/-- If teardowns don't overlap and creates don't share blocks, no block is freed twice. -/
theorem no_doubleFree (hr : Reachable C s) (hf : C.CreatesApart)
    (ha : ∀ k, k.tearsDown = true → C.Solo k) : ¬ Faulty C .doubleFree s := by
  have W := hr.owned hf (fun k hk => Or.inr (ha k hk))
  intro h
  cases h with
  | body ht hb =>
    cases hb with
    | pushForeign hk ho => exact ho (W.taken _ _ _ _ ht hk (ha _ hk)).1

/-- A block that is published and not owned: its teardown is under way, or its create is. -/
theorem dangling (hr : Reachable C s) (hf : C.CreatesApart) {e : Encoder} {b : Block}
    (hi : s.mem.impl e = some b) : s.mem.owner b = some e ∨ Pushing s e ∨
      ∃ t, s.threads t = some ⟨.create, e, .published b⟩ := by
  have racy : ∀ {s t e b}, Reachable C s → s.threads t = some ⟨.create, e, .peeked b⟩ →
      s.mem.owner b = none ∧ C.env.atomicFreelist = false := by
    intro s t e b hr ht
    refine invariant (P := fun m k e pc => k = .create → ∀ b, pc = .peeked b →
      m.owner b = none ∧ C.env.atomicFreelist = false) ?_ ?_ ?_ ?_ hr ht rfl b rfl
    · intro _ _ _ _ _ _ _ _ _ h; cases h
    · intro _ _ _ _ _ _ h; cases h
    · intro m k e pc pc' m' hb _ hk b hp
      subst hp
      cases hb with
      | peek hra ho => exact ⟨ho, hra⟩
    · intro s t u k e pc k' e' pc' pc'' m' hr htu ht hu hb h _ hk b hp
      obtain ⟨ho, hra⟩ := h hk b hp
      subst hk; subst hp
      rcases hb.owner b with h1 | ⟨_, _, _, h1, _⟩ | ⟨hk', _, _, _⟩
      · exact ⟨h1.trans ho, hra⟩
      · rw [ho] at h1; cases h1
      · subst hk'
        exact absurd (hr.disciplined.one_create hf hra ht hu (fun h => PC.noConfusion h)
          hb.holds.1) htu
  induction hr generalizing e b with
  | initial => cases hi
  | @step s l s' hr hs ih =>
    have keep : ∀ {u x}, (∀ k e, s.threads u ≠ some ⟨k, e, .pushed⟩) →
        (∀ e b, s.threads u ≠ some ⟨.create, e, .published b⟩) → s.mem.impl e = some b →
        s.mem.owner b = some e ∨ Pushing (s.setThread u x) e ∨
          ∃ t, (s.setThread u x).threads t = some ⟨.create, e, .published b⟩ := by
      intro u x hp hq hi
      refine (ih hi).imp id (fun h => h.imp (fun h => h.move (fun k => hp k e)) ?_)
      intro ⟨t, ht⟩
      exact ⟨t, (State.setThread_ne _ _ (by intro h; subst h; exact hq e b ht)).trans ht⟩
    have nop : ∀ {u : Thread} {x : Busy}, s.threads u = some x → x.pc ≠ .pushed →
        ∀ k e, s.threads u ≠ some ⟨k, e, .pushed⟩ := by
      intro u x hu hx k e h; rw [hu] at h; cases h; exact hx rfl
    have noq : ∀ {u : Thread} {x : Busy}, s.threads u = some x → (∀ b, x.pc ≠ .published b) →
        ∀ e b, s.threads u ≠ some ⟨.create, e, .published b⟩ := by
      intro u x hu hx e b h; rw [hu] at h; cases h; exact hx _ rfl
    cases hs with
    | dispatch hn _ _ _ =>
      exact keep (fun _ _ h => by rw [hn] at h; cases h) (fun _ _ h => by rw [hn] at h; cases h) hi
    | acquire ht _ _ =>
      exact keep (nop ht (fun h => PC.noConfusion h)) (noq ht (fun _ h => PC.noConfusion h)) hi
    | release ht =>
      exact keep (nop ht (fun h => PC.noConfusion h)) (noq ht (fun _ h => PC.noConfusion h)) hi
    | drop _ _ => exact ih hi
    | @body t k e' pc pc' m' ht hb =>
      cases hb with
      | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | check _ | present _ | peek _ _ =>
        exact keep (nop ht (fun h => PC.noConfusion h)) (noq ht (fun _ h => PC.noConfusion h)) hi
      | @push _ _ b' hk ho =>
        have h := keep (x := some ⟨k, e', .pushed⟩) (nop ht (fun h => PC.noConfusion h))
          (noq ht (fun _ h => PC.noConfusion h)) hi
        by_cases hbb : b = b'
        · subst hbb
          by_cases he : e = e'
          · subst he; exact Or.inr (Or.inl ⟨t, k, State.setThread_same .., hk⟩)
          · refine Or.inr (h.resolve_left (fun h => ?_))
            rw [ho] at h; exact he (Option.some.inj h).symm
        · exact h.imp (fun h => (update_ne _ _ hbb).trans h) id
      | clear _ =>
        have hi : update s.mem.impl e' none e = some b := hi
        by_cases he : e = e'
        · subst he; rw [update_same] at hi; cases hi
        · rw [update_ne _ _ he] at hi
          have hp : ∀ k, s.threads t ≠ some ⟨k, e, .pushed⟩ := by
            intro k h; rw [ht] at h; cases h; exact he rfl
          refine (ih hi).imp id (fun h => h.imp (fun h => h.move hp) ?_)
          intro ⟨u, hu⟩
          refine ⟨u, (State.setThread_ne _ _ ?_).trans hu⟩
          intro h; subst h; rw [ht] at hu; cases hu
      | @pop _ b' _ ho =>
        have h := keep (x := some ⟨.create, e', .popped b'⟩) (nop ht (fun h => PC.noConfusion h))
          (noq ht (fun _ h => PC.noConfusion h)) hi
        refine h.imp (fun h => (update_ne _ _ (owner_ne h ho)).trans h) id
      | @claim _ b' =>
        have h := keep (x := some ⟨.create, e', .popped b'⟩) (nop ht (fun h => PC.noConfusion h))
          (noq ht (fun _ h => PC.noConfusion h)) hi
        refine h.imp (fun h => (update_ne _ _ (owner_ne h (racy hr ht).1)).trans h) id
      | @publish _ b' _ =>
        have hi : update s.mem.impl e' (some b') e = some b := hi
        by_cases he : e = e'
        · subst he; rw [update_same] at hi; cases hi
          exact Or.inr (Or.inr ⟨t, State.setThread_same ..⟩)
        · rw [update_ne _ _ he] at hi
          exact keep (nop ht (fun h => PC.noConfusion h)) (noq ht (fun _ h => PC.noConfusion h)) hi
      | @init _ b' ho =>
        refine (ih hi).elim Or.inl (fun h => ?_)
        rcases h with h | ⟨u, hu⟩
        · exact Or.inr (Or.inl (h.move (fun k => nop ht (fun h => PC.noConfusion h) k e)))
        · by_cases hut : u = t
          · subst hut; rw [ht] at hu; cases hu; exact Or.inl ho
          · exact Or.inr (Or.inr ⟨u, (State.setThread_ne _ _ hut).trans hu⟩)

/-- If encoding overlaps with no teardown, creates don't share blocks, and either encoding does not
overlap with create or every kind of teardown is tame, no stale context is used. -/
theorem no_staleContext (hr : Reachable C s) (hf : C.CreatesApart)
    (ha : ∀ k, k.tearsDown = true → C.Apart .encode k)
    (hc : C.Apart .create .encode ∨ C.TeardownsTame) : ¬ Faulty C .staleContext s := by
  intro h
  have D := hr.disciplined
  cases h with
  | @body _ _ t _ e _ ht hb =>
    cases hb with
    | derefStale hi ho =>
      have nopush : ¬ Pushing s e := by
        intro ⟨u, k, hu, hk⟩
        have := D.apart (ha k hk) ht hu (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)
        subst this
        rw [ht] at hu; cases hu
      rcases hc with hc | H
      · rcases hr.dangling hf hi with h | h | ⟨u, hu⟩
        · exact ho h
        · exact nopush h
        · have := D.apart hc hu ht (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)
          subst this
          rw [ht] at hu; cases hu
      · exact ((hr.owned hf H).context _ _ hi).elim ho nopush

end Reachable

end MPSVerify
