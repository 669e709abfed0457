import MPSVerify.Thm.Faults.Ownership

/-!
# The invariant of `Ownership.lean`, step by step
-/

namespace MPSVerify

variable {C : Config} {s s' : State} {t : Thread} {k : Kind} {e : Encoder} {pc pc' : PC} {b : Block}

/-- Each thread is where it was, or is the one that moved. -/
theorem State.moved {x : Option Busy} {u : Thread} {y : Busy}
    (h : (s.setThread t x).threads u = some y) :
    (u = t ∧ x = some y) ∨ (u ≠ t ∧ s.threads u = some y) := by
  by_cases hu : u = t
  · subst hu; exact Or.inl ⟨rfl, (State.setThread_same ..).symm.trans h⟩
  · exact Or.inr ⟨hu, (State.setThread_ne _ _ hu).symm.trans h⟩

theorem Pushing.move {x : Option Busy} {e' : Encoder} (h : Pushing s e')
    (ht : ∀ k, s.threads t ≠ some ⟨k, e', .pushed⟩) : Pushing (s.setThread t x) e' := by
  obtain ⟨u, k, hu, hk⟩ := h
  refine ⟨u, k, (State.setThread_ne _ _ ?_).trans hu, hk⟩
  intro h; subst h; exact ht _ hu

/-- A move that leaves memory alone. -/
theorem Owned.move (W : Owned C s) {x : Option Busy}
    (hold : ∀ k e, s.threads t ≠ some ⟨k, e, .pushed⟩)
    (hpop : ∀ e b, x ≠ some ⟨.create, e, .popped b⟩)
    (htaken : ∀ k e b, x = some ⟨k, e, .taken b⟩ → k.tearsDown = true → C.Solo k →
      s.mem.owner b = some e ∧ s.mem.impl e = some b)
    (hpeek : ∀ e b, x = some ⟨.create, e, .peeked b⟩ →
      s.mem.owner b = none ∧ C.env.atomicFreelist = false) : Owned C (s.setThread t x) := by
  refine ⟨?_, ?_, ?_, ?_, ?_⟩
  · intro e b hb
    exact (W.context e b hb).imp id (fun h => h.move (fun k => hold k e))
  · intro u e b hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · exact absurd hx (hpop e b)
    · exact ⟨(W.popped u e b hu).1,
        (W.popped u e b hu).2.imp id (fun h => h.move (fun k => hold k e))⟩
  · intro u k e b hu hk hs
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · exact htaken k e b hx hk hs
    · exact W.taken u k e b hu hk hs
  · intro u e b hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · exact hpeek e b hx
    · exact W.peeked u e b hu
  · intro u v e b hu hv
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · exact absurd hx (hpop e b)
    · replace hv := State.moved hv
      rcases hv with ⟨_, hx⟩ | ⟨_, hv⟩
      · exact absurd hx (hpop e b)
      · exact W.once u v e b hu hv

/-- A block that is owned is not on the freelist. -/
theorem owner_ne {m : Mem} {b b' : Block} {o : Encoder} (h : m.owner b = some o)
    (h' : m.owner b' = none) : b ≠ b' := by
  intro hb; subst hb; rw [h] at h'; cases h'

theorem Owned.push (H : C.TeardownsTame) (D : Disciplined C s) (W : Owned C s)
    (ht : s.threads t = some ⟨k, e, .taken b⟩) (hk : k.tearsDown = true)
    (ho : s.mem.owner b = some e) :
    Owned C ((s.setThread t (some ⟨k, e, .pushed⟩)).setMem
      { s.mem with owner := update s.mem.owner b none }) := by
  have here : Pushing (s.setThread t (some ⟨k, e, .pushed⟩)) e :=
    ⟨t, k, State.setThread_same .., hk⟩
  have stay : ∀ {e'}, Pushing s e' → Pushing (s.setThread t (some ⟨k, e, .pushed⟩)) e' :=
    fun h => h.move (fun k' h' => by rw [ht] at h'; cases h')
  have hd : ∀ {b : Block}, PC.taken b ≠ .dispatched := fun h => PC.noConfusion h
  refine ⟨?_, ?_, ?_, ?_, ?_⟩
  · intro e' b' hb'
    have hb' : s.mem.impl e' = some b' := hb'
    show update s.mem.owner b none b' = some e' ∨ _
    by_cases hbb : b' = b
    · subst hbb
      by_cases he : e' = e
      · subst he; exact Or.inr here
      · refine Or.inr (stay ((W.context e' b' hb').resolve_left ?_))
        intro h; rw [ho] at h; exact he (Option.some.inj h).symm
    · rw [update_ne _ _ hbb]
      exact (W.context e' b' hb').imp id stay
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨hut, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.popped u e' b' hu
      refine ⟨?_, hi'.imp id stay⟩
      show update s.mem.owner b none b' = some e'
      have hbb : b' ≠ b := by
        intro hbb; subst hbb
        rw [ho] at ho'; cases ho'
        rcases H k hk with hc | hs
        · exact hut (D.apart hc hu ht (fun h => PC.noConfusion h) hd)
        · obtain ⟨_, hi⟩ := W.taken t k _ _ ht hk hs
          rcases hi' with hi' | ⟨v, k', hv, hk'⟩
          · exact hi' hi
          · have := D.apart (hs k' hk') ht hv hd (fun h => PC.noConfusion h)
            subst this
            rw [ht] at hv; cases hv
      rw [update_ne _ _ hbb]; exact ho'
  · intro u k' e' b' hu hk' hs'
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨hut, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.taken u k' e' b' hu hk' hs'
      refine ⟨?_, hi'⟩
      show update s.mem.owner b none b' = some e'
      have hbb : b' ≠ b := by
        intro hbb; subst hbb
        rw [ho] at ho'; cases ho'
        exact hut (D.apart (hs' k hk) hu ht hd hd)
      rw [update_ne _ _ hbb]; exact ho'
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · obtain ⟨ho', hr⟩ := W.peeked u e' b' hu
      exact ⟨(update_ne _ _ (owner_ne ho ho').symm).trans ho', hr⟩
  · intro u v e' b' hu hv
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · replace hv := State.moved hv
      rcases hv with ⟨_, hx⟩ | ⟨_, hv⟩
      · cases hx
      · exact W.once u v e' b' hu hv

theorem Owned.clear (D : Disciplined C s) (W : Owned C s)
    (ht : s.threads t = some ⟨k, e, .pushed⟩) (hk : k.tearsDown = true) :
    Owned C ((s.setThread t (some ⟨k, e, .finished⟩)).setMem
      { s.mem with impl := update s.mem.impl e none }) := by
  have stay : ∀ {e'}, e' ≠ e → Pushing s e' →
      Pushing (s.setThread t (some ⟨k, e, .finished⟩)) e' :=
    fun hne h => h.move (fun k' h' => by rw [ht] at h'; cases h'; exact hne rfl)
  refine ⟨?_, ?_, ?_, ?_, ?_⟩
  · intro e' b' hb'
    have hb' : update s.mem.impl e none e' = some b' := hb'
    by_cases he : e' = e
    · subst he; rw [update_same] at hb'; cases hb'
    · rw [update_ne _ _ he] at hb'
      exact (W.context e' b' hb').imp id (stay he)
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.popped u e' b' hu
      refine ⟨ho', ?_⟩
      show update s.mem.impl e none e' ≠ some b' ∨ _
      by_cases he : e' = e
      · subst he; rw [update_same]; exact Or.inl (fun h => by cases h)
      · rw [update_ne _ _ he]; exact hi'.imp id (stay he)
  · intro u k' e' b' hu hk' hs'
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨hut, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.taken u k' e' b' hu hk' hs'
      have he : e' ≠ e := by
        intro he; subst he
        exact hut (D.apart (hs' k hk) hu ht (fun h => PC.noConfusion h) (fun h => PC.noConfusion h))
      exact ⟨ho', (update_ne _ _ he).trans hi'⟩
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · exact W.peeked u e' b' hu
  · intro u v e' b' hu hv
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · replace hv := State.moved hv
      rcases hv with ⟨_, hx⟩ | ⟨_, hv⟩
      · cases hx
      · exact W.once u v e' b' hu hv

/-- `pop` and `claim`: the block was free. -/
theorem Owned.pop (W : Owned C s) (ht : s.threads t = some ⟨.create, e, pc⟩)
    (hpc : pc ≠ .pushed) (ho : s.mem.owner b = none)
    (hone : ∀ u e' b', u ≠ t → s.threads u ≠ some ⟨.create, e', .peeked b'⟩) :
    Owned C ((s.setThread t (some ⟨.create, e, .popped b⟩)).setMem
      { s.mem with owner := update s.mem.owner b (some e),
                          ready := update s.mem.ready b false }) := by
  have stay : ∀ {e'}, Pushing s e' → Pushing (s.setThread t (some ⟨.create, e, .popped b⟩)) e' :=
    fun h => h.move (fun k' h' => by rw [ht] at h'; cases h'; exact hpc rfl)
  refine ⟨?_, ?_, ?_, ?_, ?_⟩
  · intro e' b' hb'
    show update s.mem.owner b (some e) b' = some e' ∨ _
    have := W.context e' b' hb'
    by_cases hbb : b' = b
    · subst hbb
      exact Or.inr (stay (this.resolve_left (fun h => by rw [ho] at h; cases h)))
    · rw [update_ne _ _ hbb]; exact this.imp id stay
  · intro u e' b' hu
    show update s.mem.owner b (some e) b' = some e' ∧ _
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
      refine ⟨update_same .., ?_⟩
      show s.mem.impl e ≠ some b ∨ _
      by_cases hi : s.mem.impl e = some b
      · exact Or.inr (stay ((W.context e b hi).resolve_left (fun h => by rw [ho] at h; cases h)))
      · exact Or.inl hi
    · obtain ⟨ho', hi'⟩ := W.popped u e' b' hu
      rw [update_ne _ _ (owner_ne ho' ho)]
      exact ⟨ho', hi'.imp id stay⟩
  · intro u k' e' b' hu hk' hs'
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.taken u k' e' b' hu hk' hs'
      exact ⟨(update_ne _ _ (owner_ne ho' ho)).trans ho', hi'⟩
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨hut, hu⟩
    · cases hx
    · exact absurd hu (hone u e' b' hut)
  · have other : ∀ u, u ≠ t → ∀ e', s.threads u ≠ some ⟨.create, e', .popped b⟩ := by
      intro u _ e' hu
      have := (W.popped u e' b hu).1
      rw [ho] at this; cases this
    intro u v e' b' hu hv
    replace hu := State.moved hu
    rcases hu with ⟨rfl, hx⟩ | ⟨hut, hu⟩
    · replace hv := State.moved hv
      rcases hv with ⟨rfl, _⟩ | ⟨hvt, hv⟩
      · rfl
      · cases hx; exact absurd hv (other v hvt _)
    · replace hv := State.moved hv
      rcases hv with ⟨rfl, hx⟩ | ⟨_, hv⟩
      · cases hx; exact absurd hu (other u hut _)
      · exact W.once u v e' b' hu hv

theorem Owned.publish (W : Owned C s) (ht : s.threads t = some ⟨.create, e, .popped b⟩)
    (hi : s.mem.impl e = none) :
    Owned C ((s.setThread t (some ⟨.create, e, .published b⟩)).setMem
      { s.mem with impl := update s.mem.impl e (some b) }) := by
  have stay : ∀ {e'}, Pushing s e' → Pushing (s.setThread t (some ⟨.create, e, .published b⟩)) e' :=
    fun h => h.move (fun k' h' => by rw [ht] at h'; cases h')
  refine ⟨?_, ?_, ?_, ?_, ?_⟩
  · intro e' b' hb'
    have hb' : update s.mem.impl e (some b) e' = some b' := hb'
    by_cases he : e' = e
    · subst he; rw [update_same] at hb'; cases hb'
      exact Or.inl (W.popped t _ _ ht).1
    · rw [update_ne _ _ he] at hb'
      exact (W.context e' b' hb').imp id stay
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨hut, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.popped u e' b' hu
      refine ⟨ho', ?_⟩
      show update s.mem.impl e (some b) e' ≠ some b' ∨ _
      by_cases he : e' = e
      · subst he; rw [update_same]
        refine Or.inl (fun h => ?_)
        cases h
        exact hut (W.once u t _ _ hu ht)
      · rw [update_ne _ _ he]; exact hi'.imp id stay
  · intro u k' e' b' hu hk' hs'
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · obtain ⟨ho', hi'⟩ := W.taken u k' e' b' hu hk' hs'
      have he : e' ≠ e := by intro he; subst he; rw [hi] at hi'; cases hi'
      exact ⟨ho', (update_ne _ _ he).trans hi'⟩
  · intro u e' b' hu
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · exact W.peeked u e' b' hu
  · intro u v e' b' hu hv
    replace hu := State.moved hu
    rcases hu with ⟨_, hx⟩ | ⟨_, hu⟩
    · cases hx
    · replace hv := State.moved hv
      rcases hv with ⟨_, hx⟩ | ⟨_, hv⟩
      · cases hx
      · exact W.once u v e' b' hu hv

end MPSVerify
