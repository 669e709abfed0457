import MPSVerify.Thm.Safety.Memory
import MPSVerify.Thm.Safety.Single

/-!
# Sufficiency: a discipline that meets the criterion is safe
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

/-- The invariant: what each thread knows is true, and every encoder is settled unless a thread is
just changing it. -/
structure Sound (C : Config) (s : State) : Prop where
  known : ∀ t k e pc, s.threads t = some ⟨k, e, pc⟩ → Local C s.mem k e pc
  settled : ∀ e, (∃ t k pc, s.threads t = some ⟨k, e, pc⟩ ∧ pc.Unsettled ∧ k ≠ .encode) ∨
    Settled s.mem e

theorem PC.Unsettled.holds {pc : PC} (h : pc.Unsettled) : pc ≠ .dispatched := by
  intro h'; subst h'; exact h

/-- Moving one thread without touching memory. -/
theorem Sound.setThread (S : Sound C s) {t : Thread} {b : Option Busy}
    (hold : ∀ x, s.threads t = some x → ¬ x.pc.Unsettled)
    (hk : ∀ k e pc, b = some ⟨k, e, pc⟩ → Local C s.mem k e pc) : Sound C (s.setThread t b) := by
  refine ⟨?_, ?_⟩
  · intro u k e pc hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact hk k e pc hu
    · rw [State.setThread_ne _ _ h] at hu; exact S.known u k e pc hu
  · intro e
    cases S.settled e with
    | inl h =>
      obtain ⟨u, k, pc, hu, hp⟩ := h
      have hut : u ≠ t := by intro h; subst h; exact hold _ hu hp.1
      exact Or.inl ⟨u, k, pc, by rw [State.setThread_ne _ _ hut]; exact hu, hp⟩
    | inr h => exact Or.inr h

/-- One body step of a thread that meets nobody on its encoder, unless both encode. -/
theorem Sound.body (K : C.MemoryCriterion) (D : Disciplined C s) (S : Sound C s) {t k e pc pc' m'}
    (ht : s.threads t = some ⟨k, e, pc⟩) (hb : Body C e k pc s.mem pc' m') :
    Sound C ((s.setThread t (some ⟨k, e, pc'⟩)).setMem m') := by
  have hl := S.known t k e pc ht
  have hs : pc.Unsettled ∨ Settled s.mem e := by
    cases S.settled e with
    | inl h =>
      obtain ⟨u, k', q, hu, hq, hk'⟩ := h
      have : t = u :=
        D.apart (K.apart k k' (fun h => hk' h.2)) ht hu hb.holds.1 hq.holds
      subst this
      rw [ht] at hu
      cases hu
      exact Or.inl hq
    | inr h => exact Or.inr h
  have hkeep := hb.keeps hl hs
  refine ⟨?_, ?_⟩
  · intro u k' e' q hu
    by_cases h : u = t
    · subst h
      have hu' := (State.setThread_same s u (some ⟨k, e, pc'⟩)).symm.trans hu
      cases hu'
      exact hkeep.1
    · have hu' := (State.setThread_ne s (some ⟨k, e, pc'⟩) h).symm.trans hu
      have hL := S.known u k' e' q hu'
      by_cases hq : q = .dispatched
      · subst hq; trivial
      by_cases hke : k = .encode
      · subst hke
        rw [show m' = s.mem from hb.encode_keeps]
        exact hL
      · have hne : e' ≠ e := by
          intro he; subst he
          exact h (D.apart (K.apart k' k (fun h => hke h.2)) hu' ht hq hb.holds.1)
        refine Local.frame (hb.frame hl hne) ?_ hL
        intro b hqb
        subst hqb
        refine hb.free ?_ hL.2.1
        intro hkc
        have hkc' : k' = .create := hL.2.2.1
        subst hkc; subst hkc'
        cases K.freelist with
        | inl ha => rw [hL.2.2.2] at ha; cases ha
        | inr hf =>
          have au := D.allowed u _ hu'
          have at' := D.allowed t _ ht
          have htu : t ≠ u := fun h' => h h'.symm
          cases D.excluded u t _ _ h hu' ht hq hb.holds.1 with
          | inl hn => exact hn (hf u t e' e h hne au at')
          | inr hn => exact hn (hf t u e e' htu (fun h' => hne h'.symm) at' au)
  · intro e'
    by_cases he : e' = e
    · subst he
      cases hkeep.2 with
      | inl hp =>
        refine Or.inl ⟨t, k, pc', State.setThread_same .., hp, ?_⟩
        intro hke; subst hke
        cases hb with
        | load _ | skip _ _ | deref _ _ _ => exact hp
        | take hx _ | gone hx _ | push hx _ | clear hx => cases hx
      | inr hp => exact Or.inr hp
    · cases S.settled e' with
      | inl h =>
        obtain ⟨u, k', q, hu, hq⟩ := h
        have hut : u ≠ t := by
          intro h'; subst h'; rw [ht] at hu; cases hu; exact he rfl
        exact Or.inl ⟨u, k', q, (State.setThread_ne _ _ hut).trans hu, hq⟩
      | inr h => exact Or.inr (h.frame (hb.frame hl he))

theorem Sound.step {l} (K : C.MemoryCriterion) (D : Disciplined C s) (S : Sound C s)
    (h : Step C s l s') : Sound C s' := by
  cases h with
  | dispatch hi _ _ _ =>
    refine S.setThread ?_ ?_
    · intro x hx; rw [hi] at hx; cases hx
    · intro _ _ _ hx; cases hx; trivial
  | acquire ht _ _ =>
    refine S.setThread ?_ ?_
    · intro x hx; rw [ht] at hx; cases hx; exact id
    · intro _ _ _ hx; cases hx; trivial
  | body ht hb => exact S.body K D ht hb
  | release ht =>
    refine S.setThread ?_ ?_
    · intro x hx; rw [ht] at hx; cases hx; exact id
    · intro _ _ _ hx; cases hx
  | drop _ _ => exact ⟨S.known, S.settled⟩

theorem Reachable.sound (K : C.MemoryCriterion) (h : Reachable C s) : Sound C s := by
  induction h with
  | initial => exact ⟨fun _ _ _ _ h => (by cases h), fun _ => Or.inr (fun _ h => (by cases h))⟩
  | step hr hs ih => exact ih.step K hr.disciplined hs

/-- **What is left under the memory criterion**: overlap of encoders, messages to dead objects, and
loading NULL without the liveness check. -/
theorem Config.MemoryCriterion.faults (K : C.MemoryCriterion) {f : Fault} (hr : Reachable C s)
    (hf : Faulty C f s) :
    f = .encoderOverlap ∨ f = .deadDispatch ∨ (f = .nullDeref ∧ C.check = false) := by
  have S := hr.sound K
  cases hf with
  | body ht hb =>
    have hl := S.known _ _ _ _ ht
    cases hb with
    | loadNull hc _ => exact Or.inr (Or.inr ⟨rfl, hc⟩)
    | derefNull hn => rw [hl.1] at hn; cases hn
    | derefStale hi ho => rw [hl.1] at hi; cases hi; exact absurd hl.2.1 ho
    | derefUninitialised hi _ hr => rw [hl.1] at hi; cases hi; rw [hl.2.2] at hr; cases hr
    | pushForeign _ ho => exact absurd hl.2.1 ho
    | publishTwice hi => exact absurd hl.1 hi
    | initForeign ho => exact absurd hl.2 ho
  | overlap _ _ _ => exact Or.inl rfl
  | dead _ _ => exact Or.inr (Or.inl rfl)

/-- **Sufficiency.** A discipline that meets the criterion is safe: no fault can happen, for any
number of threads, encoders and blocks. -/
theorem Config.Criterion.safe (K : C.Criterion) : C.Safe := by
  intro s f hr hf
  rcases K.memory.faults hr hf with h | h | ⟨h, _⟩
  · subst h; exact hr.no_overlap (K.apart _ _) hf
  · subst h; exact hr.no_deadDispatch K.retain hf
  · subst h; exact hr.no_nullDeref (fun k _ => K.apart _ k) K.check hf

end MPSVerify
