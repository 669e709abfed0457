import MPSVerify.Thm.Deadlock.Refinement

/-!
# With sequential acquires a deadlock is the only way to get stuck
-/

namespace MPSVerify

variable {C : Config} {σ : LockScheme} {env : Env} {c : Client} {s s' : SeqState}

/-- A thread past its acquire is finished, or its body can go on, or its next step is a fault. -/
theorem Reachable.body_goes_on {s : State} (hr : Reachable C s) {t k e pc}
    (ht : s.threads t = some ⟨k, e, pc⟩) (hp : pc ≠ .dispatched) :
    pc = .finished ∨ (∃ pc' m', Body C e k pc s.mem pc' m') ∨ ∃ f, BodyFault C e f k pc s.mem := by
  have go : ∀ {pc' m'}, Body C e k pc s.mem pc' m' →
      pc = .finished ∨ (∃ pc' m', Body C e k pc s.mem pc' m') ∨ ∃ f, BodyFault C e f k pc s.mem :=
    fun hb => Or.inr (Or.inl ⟨_, _, hb⟩)
  have fail : ∀ {f}, BodyFault C e f k pc s.mem →
      pc = .finished ∨ (∃ pc' m', Body C e k pc s.mem pc' m') ∨ ∃ f, BodyFault C e f k pc s.mem :=
    fun hf => Or.inr (Or.inr ⟨_, hf⟩)
  have hv := hr.visits ht
  cases pc with
  | dispatched => exact absurd rfl hp
  | finished => exact Or.inl rfl
  | entered =>
    cases hi : s.mem.impl e with
    | none =>
      cases k with
      | create => exact go (.check hi)
      | encode =>
        cases hc : C.check with
        | true => exact go (.skip hc hi)
        | false => exact fail (.loadNull hc hi)
      | destroy | complete => exact go (.gone rfl hi)
    | some b =>
      cases k with
      | create => exact go (.present hi)
      | encode => exact go (.load hi)
      | destroy | complete => exact go (.take rfl hi)
  | loaded b =>
    cases k with
    | create | destroy | complete => cases hv
    | encode =>
      cases hi : s.mem.impl e with
      | none => exact fail (.derefNull hi)
      | some b' =>
        by_cases ho : s.mem.owner b' = some e
        · cases hready : s.mem.ready b' with
          | true => exact go (.deref hi ho hready)
          | false => exact fail (.derefUninitialised hi ho hready)
        · exact fail (.derefStale hi ho)
  | taken b =>
    have hk : k.tearsDown = true := by cases k <;> first | rfl | cases hv
    by_cases ho : s.mem.owner b = some e
    · exact go (.push hk ho)
    · exact fail (.pushForeign hk ho)
  | pushed =>
    have hk : k.tearsDown = true := by cases k <;> first | rfl | cases hv
    exact go (.clear hk)
  | checked =>
    cases k with
    | encode | destroy | complete => cases hv
    | create =>
      obtain ⟨n, hn⟩ := hr.freelist
      cases hf : C.env.atomicFreelist with
      | true => exact go (.pop hf (hn n (Nat.le_refl n)))
      | false => exact go (.peek hf (hn n (Nat.le_refl n)))
  | peeked b =>
    cases k with
    | encode | destroy | complete => cases hv
    | create => exact go .claim
  | popped b =>
    cases k with
    | encode | destroy | complete => cases hv
    | create =>
      cases hi : s.mem.impl e with
      | none => exact go (.publish hi)
      | some b' => exact fail (.publishTwice (fun h => by rw [hi] at h; cases h))
  | published b =>
    cases k with
    | encode | destroy | complete => cases hv
    | create =>
      by_cases ho : s.mem.owner b = some e
      · exact go (.init ho)
      · exact fail (.initForeign ho)

/-- Some busy thread can take a step of its operation. -/
def SeqCanGoOn (σ : LockScheme) (env : Env) (c : Client) (s : SeqState) : Prop :=
  ∃ l s' t x, l.Works ∧ l.thread? = some t ∧ s.state.threads t = some x ∧ SeqStep σ env c s l s'

/-- **Progress**: a deadlock is the only way to get stuck. In a reachable state with a busy thread,
some busy thread can go on with its operation, or a fault is there, or a deadlock. -/
theorem sequential_progress (hr : SeqReachable σ env c s) {t : Thread} {x : Busy}
    (ht : s.state.threads t = some x) :
    SeqCanGoOn σ env c s ∨ (∃ f, Faulty (σ.config env c) f s.state) ∨ s.Deadlocked c := by
  by_cases hgo : SeqCanGoOn σ env c s
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
      | true => exact absurd ⟨.step (.acquire u), _, u, _, trivial, rfl, hu, .enter hu ha hl⟩ hgo
      | false => exact absurd ⟨_, .dead hu ha⟩ hf
    | cons r rs =>
      refine ⟨k, e, r, rs, hu, rfl, Classical.byContradiction fun hn => hgo ?_⟩
      refine ⟨.take u, _, u, _, trivial, rfl, hu, .take hu hl fun v hv => hn ⟨v, ?_, hv⟩⟩
      obtain ⟨y, _, hy, _⟩ := hv
      exact ⟨y, hy⟩
  · rcases hr.refines.body_goes_on hu hp with h | ⟨pc', m', hb⟩ | ⟨f, hb⟩
    · subst h
      exact absurd ⟨.step (.release u), _, u, _, trivial, rfl, hu, .other (.release hu)
        (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h)⟩ hgo
    · exact absurd ⟨.step (.body u pc'), _, u, _, trivial, rfl, hu, .other (.body hu hb)
        (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h)⟩ hgo
    · exact absurd ⟨f, .body hu hb⟩ hf

/-- Under a safe scheme that is deadlock-free some busy thread can always go on. -/
theorem DeadlockFree.goes_on (hd : DeadlockFree env σ) (hs : Safe env σ)
    (hr : SeqReachable σ env c s) {t : Thread} {x : Busy} (ht : s.state.threads t = some x) :
    SeqCanGoOn σ env c s :=
  (sequential_progress hr ht).resolve_right fun h =>
    h.elim (fun ⟨f, hf⟩ => safe_sequential hs hr f hf) (hd c s hr)

end MPSVerify
