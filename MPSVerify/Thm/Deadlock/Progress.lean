import MPSVerify.Thm.Deadlock.Refinement

/-!
# With sequential acquires a deadlock is the only way to get stuck without a fault
-/

namespace MPSVerify

variable {p : LockPolicy} {C : Config} {σ : LockScheme} {env : Env} {c : Client} {s s' : SeqState}

/-- Some busy thread can take a step of its operation, and does not have to wait. -/
def SeqCanGoOn (p : LockPolicy) (σ : LockScheme) (env : Env) (c : Client) (s : SeqState) : Prop :=
  ∃ l s' t x, l.Works ∧ l.thread? = some t ∧ s.state.threads t = some x ∧
    SeqStep σ env c s l s' ∧ ∀ r rs, l = .take t → (s.locks t).left = r :: rs →
      ∀ u, ¬ s.Keeps p c u (x.op t) r

/-- A step that is no take waits for nobody. -/
theorem SeqStep.goes_on {l : SeqLabel} {t : Thread} {x : Busy} (h : SeqStep σ env c s l s')
    (hw : l.Works) (hl : l.thread? = some t) (hx : s.state.threads t = some x)
    (hn : l ≠ .take t) : SeqCanGoOn p σ env c s :=
  ⟨l, s', t, x, hw, hl, hx, h, fun _ _ he => absurd he hn⟩

/-- **Progress**: without a fault a deadlock is the only way to get stuck. In a reachable state with
a busy thread, some busy thread can go on with its operation, or a fault is there, or a deadlock. -/
theorem sequential_progress (hr : SeqReachable σ env c s) {t : Thread} {x : Busy}
    (ht : s.state.threads t = some x) :
    SeqCanGoOn p σ env c s ∨ (∃ f, Faulty (σ.config env c) f s.state) ∨ s.Deadlocked p c := by
  by_cases hgo : SeqCanGoOn p σ env c s
  · exact Or.inl hgo
  by_cases hf : ∃ f, Faulty (σ.config env c) f s.state
  · exact Or.inr (Or.inl hf)
  refine Or.inr (Or.inr ⟨fun u => ∃ y, s.state.threads u = some y, ⟨t, x, ht⟩, ?_⟩)
  intro u ⟨⟨k, e, pc⟩, hu⟩
  by_cases hp : pc = .dispatched
  · subst hp
    cases hl : (s.locks u).left with
    | nil =>
      cases ha : s.state.alive e with
      | true =>
        exact absurd (SeqStep.goes_on (.enter hu ha hl) trivial rfl hu SeqLabel.noConfusion) hgo
      | false => exact absurd ⟨_, .dead hu ha⟩ hf
    | cons r rs =>
      refine ⟨k, e, r, rs, hu, rfl, Classical.byContradiction fun hn => hgo ?_⟩
      have free : ∀ v, ¬ s.Keeps p c v ⟨u, k, e⟩ r := by
        refine fun v hv => hn ⟨v, ?_, hv⟩
        rcases hv with ⟨y, _, hy, _⟩ | ⟨_, _, _, _, _, _, hy, _⟩
        · exact ⟨y, hy⟩
        · exact ⟨_, hy⟩
      refine ⟨.take u, _, u, _, trivial, rfl, hu, .take hu hl fun v hv => free v (Or.inl hv), ?_⟩
      intro r' rs' _ hl'
      rw [hl] at hl'
      cases hl'
      exact free
  · rcases hr.refines.body_goes_on hu hp with h | ⟨pc', m', hb⟩ | ⟨f, hb⟩
    · subst h
      exact absurd (SeqStep.goes_on (.other (.release hu) (fun _ h => Label.noConfusion h)
        (fun _ h => Label.noConfusion h)) trivial rfl hu SeqLabel.noConfusion) hgo
    · exact absurd (SeqStep.goes_on (.other (.body hu hb) (fun _ h => Label.noConfusion h)
        (fun _ h => Label.noConfusion h)) trivial rfl hu SeqLabel.noConfusion) hgo
    · exact absurd ⟨f, .body hu hb⟩ hf

/-- Under a safe scheme that is deadlock-free some busy thread can always go on. -/
theorem DeadlockFree.goes_on (hd : DeadlockFree p env σ) (hs : Safe env σ)
    (hr : SeqReachable σ env c s) {t : Thread} {x : Busy} (ht : s.state.threads t = some x) :
    SeqCanGoOn p σ env c s :=
  (sequential_progress hr ht).resolve_right fun h =>
    h.elim (fun ⟨f, hf⟩ => safe_sequential hs hr f hf) (hd c s hr)

end MPSVerify
