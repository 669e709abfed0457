import MPSVerify.Spec.Fairness
import MPSVerify.Thm.Deadlock.Progress

/-!
# First come, first served: what a run keeps

Which steps change what in the transition system with tickets (`Spec/Fairness.lean`), and what every
state of it that can be reached has in common.
-/

namespace MPSVerify

variable {C : Config}

/-- How many steps a body has still before it, at most. -/
def PC.rest : PC → Nat
  | .dispatched => 8
  | .entered => 7
  | .checked => 6
  | .peeked _ => 5
  | .popped _ | .taken _ => 4
  | .published _ | .pushed | .loaded _ => 3
  | .finished => 1

theorem Body.rest_lt {e k pc m pc' m'} (h : Body C e k pc m pc' m') : pc'.rest < pc.rest := by
  cases h <;> exact Nat.le_of_ble_eq_true rfl

variable {s s' : FifoState} {l : Label} {u : Thread}

/-- What a step does to thread `u`. -/
inductive Change (C : Config) (s s' : FifoState) (u : Thread) : Prop
  | same : s'.state.threads u = s.state.threads u → s'.ticket u = s.ticket u → Change C s s' u
  | dispatched {x} : s.state.threads u = none → s'.state.threads u = some x → ¬ x.holds →
      s'.ticket u = s.next → Change C s s' u
  | entered {k e} : s.state.threads u = some ⟨k, e, .dispatched⟩ →
      s'.state.threads u = some ⟨k, e, .entered⟩ → s.First C u ⟨u, k, e⟩ → Change C s s' u
  | body {k e pc pc'} : s.state.threads u = some ⟨k, e, pc⟩ →
      s'.state.threads u = some ⟨k, e, pc'⟩ → pc ≠ .dispatched → pc' ≠ .dispatched →
      pc'.rest < pc.rest → Change C s s' u
  | released {k e} : s.state.threads u = some ⟨k, e, .finished⟩ → s'.state.threads u = none →
      Change C s s' u

theorem FifoStep.change (h : FifoStep C s l s') (u : Thread) : Change C s s' u := by
  cases h with
  | @dispatch st o h =>
    cases h with
    | @dispatch t k e hi _ _ _ =>
      by_cases hut : u = t
      · subst hut
        exact .dispatched hi (State.setThread_same ..) (fun h => h rfl) (update_same ..)
      · exact .same (State.setThread_ne _ _ hut) (update_ne _ _ hut)
  | @acquire st t k e h ht hf =>
    cases h with
    | @acquire _ k' e' ht' _ _ =>
      by_cases hut : u = t
      · subst hut
        rw [ht] at ht'
        cases ht'
        exact .entered ht (State.setThread_same ..) hf
      · exact .same (State.setThread_ne _ _ hut) rfl
  | @other st l h hd ha =>
    cases h with
    | dispatch _ _ _ _ => exact absurd rfl (hd _)
    | acquire _ _ _ => exact absurd rfl (ha _)
    | @body t k e pc pc' m' ht hb =>
      by_cases hut : u = t
      · subst hut
        exact .body ht (State.setThread_same s.state u (some ⟨k, e, pc'⟩)) hb.holds.1 hb.holds.2
          hb.rest_lt
      · exact .same (State.setThread_ne s.state (some ⟨k, e, pc'⟩) hut) rfl
    | @release t k e ht =>
      by_cases hut : u = t
      · subst hut; exact .released ht (State.setThread_same ..)
      · exact .same (State.setThread_ne _ _ hut) rfl
    | drop _ _ => exact .same rfl rfl

/-- A step of its operation moves a thread. -/
theorem FifoStep.moves (h : FifoStep C s l s') (hw : l.Works) (ht : l.thread? = some u) :
    s'.state.threads u ≠ s.state.threads u := by
  cases h with
  | dispatch _ => exact absurd hw id
  | @acquire _ t k e h hk _ =>
    cases ht
    cases h with
    | acquire _ _ _ =>
      rw [hk]
      intro h
      have h := (State.setThread_same ..).symm.trans h
      cases h
  | @other st l h hd ha =>
    cases h with
    | dispatch _ _ _ _ => exact absurd rfl (hd _)
    | acquire _ _ _ => exact absurd rfl (ha _)
    | @body t k e pc pc' m' hk hb =>
      cases ht
      rw [hk]
      intro h
      have h := (State.setThread_same s.state u (some ⟨k, e, pc'⟩)).symm.trans h
      cases h
      exact Nat.lt_irrefl _ hb.rest_lt
    | @release t k e hk =>
      cases ht
      rw [hk]
      intro h
      have h := (State.setThread_same ..).symm.trans h
      cases h
    | drop _ _ => exact absurd hw id

/-- FIFO locks allow nothing that other locks do not. -/
theorem FifoReachable.refines (h : FifoReachable C s) : Reachable C s.state := by
  induction h with
  | initial => exact .initial
  | step _ hs ih =>
    cases hs with
    | dispatch h | acquire h _ _ | other h _ _ => exact ih.step h

/-- Waiting threads have different tickets, all drawn already; finitely many threads are busy. -/
structure Ticketed (s : FifoState) : Prop where
  below : ∀ t x, s.state.threads t = some x → ¬ x.holds → s.ticket t < s.next
  unique : ∀ t u x y, s.state.threads t = some x → ¬ x.holds → s.state.threads u = some y →
    ¬ y.holds → s.ticket t = s.ticket u → t = u
  finite : ∃ busy : List Thread, ∀ t, t ∉ busy → s.state.threads t = none

/-- A thread that waits after a step waited before it, with the same ticket, or has just come. -/
theorem Change.waited {x : Busy} (h : Change C s s' u) (hx : s'.state.threads u = some x)
    (hh : ¬ x.holds) : (s.state.threads u = some x ∧ s'.ticket u = s.ticket u) ∨
      (s.state.threads u = none ∧ s'.ticket u = s.next) := by
  cases h with
  | same h ht => exact Or.inl ⟨h.symm.trans hx, ht⟩
  | dispatched hi _ _ ht => exact Or.inr ⟨hi, ht⟩
  | entered _ h _ =>
    rw [h] at hx; cases hx; exact absurd (fun h => PC.noConfusion h) hh
  | body _ h _ hp _ => rw [h] at hx; cases hx; exact absurd hp hh
  | released _ h => rw [h] at hx; cases hx

theorem FifoStep.next_le (h : FifoStep C s l s') : s.next ≤ s'.next := by
  cases h with
  | dispatch _ => exact Nat.le_succ _
  | acquire _ _ _ | other _ _ _ => exact Nat.le_refl _

/-- Whoever has just come is the only one, and its ticket is out of the pool. -/
theorem FifoStep.fresh (h : FifoStep C s l s') {x : Busy} (hi : s.state.threads u = none)
    (hx : s'.state.threads u = some x) :
    s'.next = s.next + 1 ∧ ∀ v, v ≠ u → s'.state.threads v = s.state.threads v := by
  cases h with
  | @dispatch st o h =>
    cases h with
    | @dispatch t k e _ _ _ _ =>
      by_cases hut : u = t
      · subst hut; exact ⟨rfl, fun v hv => State.setThread_ne _ _ hv⟩
      · have hx := (State.setThread_ne _ _ hut).symm.trans hx
        rw [hi] at hx; cases hx
  | @acquire st t k e h ht hf =>
    have hc := (FifoStep.acquire h ht hf).change u
    cases hc with
    | same h _ => rw [h, hi] at hx; cases hx
    | dispatched _ _ hh _ =>
      cases h with
      | @acquire _ k' e' ht' _ _ =>
        by_cases hut : u = t
        · subst hut; rw [hi] at ht; cases ht
        · have hx := (State.setThread_ne _ _ hut).symm.trans hx
          rw [hi] at hx; cases hx
    | entered h _ _ => rw [hi] at h; cases h
    | body h _ _ _ _ => rw [hi] at h; cases h
    | released h _ => rw [hi] at h; cases h
  | @other st l h hd ha =>
    cases h with
    | dispatch _ _ _ _ => exact absurd rfl (hd _)
    | acquire _ _ _ => exact absurd rfl (ha _)
    | @body t k e pc pc' m' ht hb =>
      by_cases hut : u = t
      · subst hut; rw [hi] at ht; cases ht
      · have hx := (State.setThread_ne s.state (some ⟨k, e, pc'⟩) hut).symm.trans hx
        rw [hi] at hx; cases hx
    | @release t k e ht =>
      by_cases hut : u = t
      · subst hut; rw [hi] at ht; cases ht
      · have hx := (State.setThread_ne _ _ hut).symm.trans hx
        rw [hi] at hx; cases hx
    | drop _ _ => rw [show s.state.threads u = some x from hx] at hi; cases hi

theorem Ticketed.step (T : Ticketed s) (h : FifoStep C s l s') : Ticketed s' := by
  have below : ∀ t x, s'.state.threads t = some x → ¬ x.holds → s'.ticket t < s'.next := by
    intro t x hx hh
    rcases (h.change t).waited hx hh with ⟨hx', ht⟩ | ⟨hi, ht⟩
    · rw [ht]; exact Nat.lt_of_lt_of_le (T.below t x hx' hh) h.next_le
    · rw [ht, (h.fresh hi hx).1]; exact Nat.lt_succ_self _
  refine ⟨below, ?_, ?_⟩
  · intro t u x y hx hh hy hh' he
    rcases (h.change t).waited hx hh with ⟨hx', ht⟩ | ⟨hi, ht⟩
    · rcases (h.change u).waited hy hh' with ⟨hy', hu⟩ | ⟨hi', hu⟩
      · exact T.unique t u x y hx' hh hy' hh' (ht.symm.trans (he.trans hu))
      · have := T.below t x hx' hh
        rw [← ht, he, hu] at this
        exact absurd this (Nat.lt_irrefl _)
    · rcases (h.change u).waited hy hh' with ⟨hy', hu⟩ | ⟨hi', hu⟩
      · have := T.below u y hy' hh'
        rw [← hu, ← he, ht] at this
        exact absurd this (Nat.lt_irrefl _)
      · apply Classical.byContradiction
        intro hne
        have := (h.fresh hi hx).2 u (fun h => hne h.symm)
        rw [hy, hi'] at this
        cases this
  · obtain ⟨busy, hb⟩ := T.finite
    by_cases hn : ∃ u x, s.state.threads u = none ∧ s'.state.threads u = some x
    · obtain ⟨u, x, hi, hx⟩ := hn
      refine ⟨u :: busy, fun t ht => ?_⟩
      have htu : t ≠ u := fun h => ht (h ▸ List.mem_cons_self)
      rw [(h.fresh hi hx).2 t htu]
      exact hb t (fun h => ht (List.mem_cons_of_mem _ h))
    · refine ⟨busy, fun t ht => ?_⟩
      cases hx : s'.state.threads t with
      | none => rfl
      | some x => exact absurd ⟨t, x, hb t ht, hx⟩ hn

theorem FifoReachable.ticketed (h : FifoReachable C s) : Ticketed s := by
  induction h with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ _ _ h => (by cases h), [], fun _ _ => rfl⟩
  | step _ hs ih => exact ih.step hs

end MPSVerify
