import MPSVerify.Spec.Step

/-!
# What every reachable state satisfies, whatever the locks

A discipline, here and in all that follows, is what `Config` says: a fixed relation on pairs of
operations. Busy threads do what they are allowed to do; with `callersRetain` their encoders are
alive; and two threads past their acquires do not exclude each other in at least one order (the
order in which they came). Nothing here looks at the driver's memory.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

theorem update_same {α : Type} (f : Nat → α) (a : Nat) (v : α) : update f a v a = v :=
  ite_eq_left rfl

theorem update_ne {α : Type} (f : Nat → α) {a x : Nat} (v : α) (h : x ≠ a) :
    update f a v x = f x := ite_eq_right h

theorem update_same_ne {α : Type} {f : Nat → α} {a : Nat} {v w : α} (h : v ≠ w) :
    update f a v a ≠ w := by rw [update_same]; exact h

theorem State.setThread_same (s : State) (t : Thread) (b : Option Busy) :
    (s.setThread t b).threads t = b := update_same ..

theorem State.setThread_ne (s : State) {t u : Thread} (b : Option Busy) (h : u ≠ t) :
    (s.setThread t b).threads u = s.threads u := update_ne _ _ h

/-- The invariant of this file. -/
structure Disciplined (C : Config) (s : State) : Prop where
  allowed : ∀ t x, s.threads t = some x → C.env.Allows C.home (x.op t)
  alive : C.env.callersRetain = true → ∀ t x, s.threads t = some x → s.alive x.encoder = true
  excluded : ∀ t u x y, t ≠ u → s.threads t = some x → s.threads u = some y → x.holds → y.holds →
    ¬ C.blocks (x.op t) (y.op u) ∨ ¬ C.blocks (y.op u) (x.op t)

/-- To move one thread it is enough to look at that thread. -/
theorem Disciplined.setThread (D : Disciplined C s) {t : Thread} {b : Option Busy}
    (ha : ∀ x, b = some x → C.env.Allows C.home (x.op t))
    (hl : C.env.callersRetain = true → ∀ x, b = some x → s.alive x.encoder = true)
    (hx : ∀ x, b = some x → x.holds → ∀ u y, u ≠ t → s.threads u = some y → y.holds →
      ¬ C.blocks (y.op u) (x.op t) ∨ ¬ C.blocks (x.op t) (y.op u)) :
    Disciplined C (s.setThread t b) := by
  refine ⟨?_, ?_, ?_⟩
  · intro u x hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact ha x hu
    · rw [State.setThread_ne _ _ h] at hu; exact D.allowed u x hu
  · intro hr u x hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact hl hr x hu
    · rw [State.setThread_ne _ _ h] at hu; exact D.alive hr u x hu
  · intro u v x y huv hu hv hxh hyh
    by_cases h : u = t
    · subst h
      have hvu : v ≠ u := fun h => huv h.symm
      rw [State.setThread_same] at hu
      rw [State.setThread_ne _ _ hvu] at hv
      exact (hx x hu hxh v y hvu hv hyh).symm
    · rw [State.setThread_ne _ _ h] at hu
      by_cases h' : v = t
      · subst h'
        rw [State.setThread_same] at hv
        exact hx y hv hyh u x h hu hxh
      · rw [State.setThread_ne _ _ h'] at hv
        exact D.excluded u v x y huv hu hv hxh hyh

/-- Body steps happen between acquire and release. -/
theorem Body.holds {e k pc m pc' m'} (h : Body C e k pc m pc' m') :
    pc ≠ .dispatched ∧ pc' ≠ .dispatched := by
  cases h <;> exact ⟨fun h => PC.noConfusion h, fun h => PC.noConfusion h⟩

theorem Disciplined.step {l} (D : Disciplined C s) (h : Step C s l s') : Disciplined C s' := by
  cases h with
  | dispatch hi ha hal _ =>
    refine D.setThread ?_ ?_ ?_
    · intro x hx; cases hx; exact hal
    · intro _ x hx; cases hx; exact ha
    · intro x hx hh; cases hx; exact absurd rfl hh
  | @acquire t k e ht ha hb =>
    refine D.setThread ?_ ?_ ?_
    · intro x hx; cases hx; exact D.allowed t ⟨k, e, .dispatched⟩ ht
    · intro _ x hx; cases hx; exact ha
    · intro x hx _ u y hut hu hy; cases hx; exact Or.inl (hb u y hut hu hy)
  | @body t k e pc pc' m' ht hb =>
    have D' : Disciplined C (s.setThread t (some ⟨k, e, pc'⟩)) := by
      refine D.setThread ?_ ?_ ?_
      · intro x hx; cases hx; exact D.allowed t ⟨k, e, pc⟩ ht
      · intro hr x hx; cases hx; exact D.alive hr t ⟨k, e, pc⟩ ht
      · intro x hx _ u y hut hu hy
        cases hx
        exact D.excluded u t y ⟨k, e, pc⟩ hut hu ht hy hb.holds.1
    exact ⟨D'.allowed, D'.alive, D'.excluded⟩
  | release ht =>
    refine D.setThread ?_ ?_ ?_
    · intro x hx; cases hx
    · intro _ x hx; cases hx
    · intro x hx; cases hx
  | @drop e ha hr =>
    refine ⟨D.allowed, ?_, D.excluded⟩
    intro hret t x ht
    have := hr hret t x ht
    show update s.alive e false x.encoder = true
    rw [update_ne _ _ this]
    exact D.alive hret t x ht

theorem Reachable.disciplined (h : Reachable C s) : Disciplined C s := by
  induction h with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ _ h => (by cases h),
      fun _ _ _ _ _ h => (by cases h)⟩
  | step _ hs ih => exact ih.step hs

end MPSVerify
