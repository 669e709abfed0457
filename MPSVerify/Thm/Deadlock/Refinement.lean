import MPSVerify.Spec.Sequential
import MPSVerify.Thm.Criterion
import MPSVerify.Thm.Progress

/-!
# Sequential acquires refine the acquire in one step

Every state that can be reached with sequential acquires can be reached with the acquire in one
step, so everything that is proved about safety carries over.
-/

namespace MPSVerify

variable {σ : LockScheme} {env : Env} {c : Client} {s s' : SeqState}

/-- The invariant: each call's locks are a split of its requests; past its acquire it has them all;
and what two threads hold at the same time does not exclude each other. -/
structure SeqDisciplined (σ : LockScheme) (env : Env) (c : Client) (s : SeqState) : Prop where
  split : ∀ t x, s.state.threads t = some x →
    (s.locks t).taken ++ (s.locks t).left = σ.requestsIn env x.kind
  full : ∀ t x, s.state.threads t = some x → x.holds → (s.locks t).left = []
  apart : ∀ t u x y, t ≠ u → s.state.threads t = some x → s.state.threads u = some y →
    ∀ r ∈ (s.locks t).taken, ∀ q ∈ (s.locks u).taken,
      r.scope.lock c (x.op t) = q.scope.lock c (y.op u) → r.mode.excludes q.mode = false

/-- Moving a thread within its call keeps the invariant. -/
theorem SeqDisciplined.move (D : SeqDisciplined σ env c s) {st : State}
    (h : ∀ t y, st.threads t = some y → ∃ x, s.state.threads t = some x ∧ x.kind = y.kind ∧
      x.encoder = y.encoder ∧ (y.holds → x.holds ∨ (s.locks t).left = [])) :
    SeqDisciplined σ env c ⟨st, s.locks⟩ := by
  refine ⟨?_, ?_, ?_⟩
  · intro t y hy
    obtain ⟨x, hx, hk, _⟩ := h t y hy
    rw [← hk]; exact D.split t x hx
  · intro t y hy hh
    obtain ⟨x, hx, _, _, hl⟩ := h t y hy
    exact (hl hh).elim (D.full t x hx) id
  · intro t u y y' htu hy hy' r hr q hq
    obtain ⟨x, hx, hk, he, _⟩ := h t y hy
    obtain ⟨x', hx', hk', he', _⟩ := h u y' hy'
    have := D.apart t u x x' htu hx hx' r hr q hq
    have e1 : x.op t = y.op t := by simp only [Busy.op, hk, he]
    have e2 : x'.op u = y'.op u := by simp only [Busy.op, hk', he']
    rw [e1, e2] at this
    exact this

/-- Threads past their acquires do not block each other. -/
theorem SeqDisciplined.free (D : SeqDisciplined σ env c s) {t u : Thread} {x y : Busy} (h : t ≠ u)
    (hx : s.state.threads t = some x) (hy : s.state.threads u = some y)
    (hl : (s.locks t).left = []) (hl' : (s.locks u).left = []) :
    ¬ σ.Blocks env c (x.op t) (y.op u) := by
  intro ⟨r, hr, q, hq, hrq, hm⟩
  have hs := D.split t x hx
  have hs' := D.split u y hy
  rw [hl, List.append_nil] at hs
  rw [hl', List.append_nil] at hs'
  have := D.apart t u x y h hx hy r (by rw [hs]; exact hr) q (by rw [hs']; exact hq) hrq
  rw [hm] at this
  cases this

theorem SeqDisciplined.step {l} (D : SeqDisciplined σ env c s)
    (h : SeqStep σ env c s l s') : SeqDisciplined σ env c s' := by
  cases h with
  | @dispatch st o h =>
    cases h with
    | @dispatch t k e hi ha hal hd =>
      refine ⟨?_, ?_, ?_⟩
      · intro u x hu
        by_cases hut : u = t
        · subst hut
          have hu := (State.setThread_same ..).symm.trans hu
          cases hu
          show (update s.locks u _ u).taken ++ (update s.locks u _ u).left = _
          rw [update_same]; rfl
        · have hu := (State.setThread_ne _ _ hut).symm.trans hu
          show (update s.locks t _ u).taken ++ (update s.locks t _ u).left = _
          rw [update_ne _ _ hut]; exact D.split u x hu
      · intro u x hu hh
        by_cases hut : u = t
        · subst hut
          have hu := (State.setThread_same ..).symm.trans hu
          cases hu
          exact absurd rfl hh
        · have hu := (State.setThread_ne _ _ hut).symm.trans hu
          show (update s.locks t _ u).left = _
          rw [update_ne _ _ hut]; exact D.full u x hu hh
      · intro u v x y huv hu hv r hr q hq
        have hr : r ∈ (update s.locks t _ u).taken := hr
        have hq : q ∈ (update s.locks t _ v).taken := hq
        by_cases hut : u = t
        · subst hut; rw [update_same] at hr; cases hr
        · by_cases hvt : v = t
          · subst hvt; rw [update_same] at hq; cases hq
          · rw [update_ne _ _ hut] at hr
            rw [update_ne _ _ hvt] at hq
            exact D.apart u v x y huv ((State.setThread_ne _ _ hut).symm.trans hu)
              ((State.setThread_ne _ _ hvt).symm.trans hv) r hr q hq
  | @take t k e r rs ht hl hw =>
    refine ⟨?_, ?_, ?_⟩
    · intro u x hu
      show (update s.locks t _ u).taken ++ (update s.locks t _ u).left = _
      by_cases hut : u = t
      · subst hut
        rw [update_same, ← D.split u x hu, hl, List.append_assoc]; rfl
      · rw [update_ne _ _ hut]; exact D.split u x hu
    · intro u x hu hh
      by_cases hut : u = t
      · subst hut
        rw [show s.state.threads u = some x from hu] at ht
        cases ht
        exact absurd rfl hh
      · show (update s.locks t _ u).left = _
        rw [update_ne _ _ hut]; exact D.full u x hu hh
    · intro u v x y huv hu hv r' hr₀ q hq₀ hrq
      have hr : r' ∈ (update s.locks t _ u).taken := hr₀
      have hq : q ∈ (update s.locks t _ v).taken := hq₀
      clear hr₀ hq₀
      have hu : s.state.threads u = some x := hu
      have hv : s.state.threads v = some y := hv
      by_cases hut : u = t
      · subst hut
        rw [update_same] at hr
        rw [update_ne _ _ (fun h => huv h.symm)] at hq
        rcases List.mem_append.mp hr with hr | hr
        · exact D.apart u v x y huv hu hv r' hr q hq hrq
        · have := List.mem_singleton.mp hr
          subst this
          rw [ht] at hu
          cases hu
          refine Bool.eq_false_of_ne_true fun hm => hw v ⟨y, q, hv, hq, hrq.symm, ?_⟩
          exact Mode.excludes_symm hm
      · rw [update_ne _ _ hut] at hr
        by_cases hvt : v = t
        · subst hvt
          rw [update_same] at hq
          rcases List.mem_append.mp hq with hq | hq
          · exact D.apart u v x y huv hu hv r' hr q hq hrq
          · have := List.mem_singleton.mp hq
            subst this
            rw [ht] at hv
            cases hv
            exact Bool.eq_false_of_ne_true fun hm => hw u ⟨x, r', hu, hr, hrq, hm⟩
        · rw [update_ne _ _ hvt] at hq
          exact D.apart u v x y huv hu hv r' hr q hq hrq
  | @enter t k e ht ha hl =>
    refine D.move ?_
    intro u y hu
    by_cases hut : u = t
    · subst hut
      have hu := (State.setThread_same ..).symm.trans hu
      cases hu
      exact ⟨_, ht, rfl, rfl, fun _ => Or.inr hl⟩
    · exact ⟨y, (State.setThread_ne _ _ hut).symm.trans hu, rfl, rfl, Or.inl⟩
  | @other st l h hd hq =>
    refine D.move ?_
    intro u y hu
    cases h with
    | dispatch _ _ _ _ => exact absurd rfl (hd _)
    | acquire _ _ _ => exact absurd rfl (hq _)
    | @body t k e pc pc' m' ht hb =>
      by_cases hut : u = t
      · subst hut
        have hu := (State.setThread_same s.state u (some ⟨k, e, pc'⟩)).symm.trans hu
        cases hu
        exact ⟨_, ht, rfl, rfl, fun _ => Or.inl hb.holds.1⟩
      · exact ⟨y, (State.setThread_ne s.state (some ⟨k, e, pc'⟩) hut).symm.trans hu, rfl, rfl,
          Or.inl⟩
    | @release t k e ht =>
      by_cases hut : u = t
      · subst hut
        have hu := (State.setThread_same ..).symm.trans hu
        cases hu
      · exact ⟨y, (State.setThread_ne _ _ hut).symm.trans hu, rfl, rfl, Or.inl⟩
    | drop _ _ => exact ⟨y, hu, rfl, rfl, Or.inl⟩

theorem SeqReachable.disciplined (h : SeqReachable σ env c s) : SeqDisciplined σ env c s := by
  induction h with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ h => (by cases h), fun _ _ _ _ _ h => (by cases h)⟩
  | step _ hs ih => exact ih.step hs

/-- **Refinement**: a state that can be reached with sequential acquires can be reached with the
acquire in one step. -/
theorem SeqReachable.refines (h : SeqReachable σ env c s) :
    Reachable (σ.config env c) s.state := by
  induction h with
  | initial => exact .initial
  | @step s l s' hr hs ih =>
    have D := hr.disciplined
    cases hs with
    | dispatch h | other h _ _ => exact ih.step h
    | take _ _ _ => exact ih
    | enter ht ha hl =>
      refine ih.step (.acquire ht ha ?_)
      intro u b hut hu hb
      exact D.free hut hu ht (D.full u b hu hb) hl

/-- **Mutual exclusion is the same**: threads that hold all their locks do not exclude each
other. -/
theorem sequential_mutual_exclusion (h : SeqReachable σ env c s) :
    Disciplined (σ.config env c) s.state := h.refines.disciplined

/-- **Safety carries over** from the acquire in one step to sequential acquires. -/
theorem safe_sequential (hs : Safe env σ) (h : SeqReachable σ env c s) (f : Fault) :
    ¬ Faulty (σ.config env c) f s.state := hs c s.state f h.refines

end MPSVerify
