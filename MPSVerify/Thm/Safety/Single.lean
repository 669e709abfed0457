import MPSVerify.Thm.Safety.Memory
import MPSVerify.Thm.Safety.Apart

/-!
# One fault at a time

For five of the eight faults, what keeps it away is known exactly, whatever else goes wrong: each
theorem here has its converse in `Necessity.lean`.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

namespace Reachable

/-- Without overlap of encoding with itself there is no encoder overlap. -/
theorem no_overlap (hr : Reachable C s) (h : C.Apart .encode .encode) :
    ¬ Faulty C .encoderOverlap s := by
  intro hf
  cases hf with
  | body _ hb => cases hb
  | overlap htu ht hu =>
    exact htu (hr.disciplined.apart h ht hu (fun h => PC.noConfusion h) (fun h => PC.noConfusion h))

/-- If callers retain, no message reaches a dead object. -/
theorem no_deadDispatch (hr : Reachable C s) (h : C.env.callersRetain = true) :
    ¬ Faulty C .deadDispatch s := by
  intro hf
  cases hf with
  | body _ hb => cases hb
  | dead ht ha =>
    have := hr.disciplined.alive h _ _ ht
    rw [ha] at this; cases this

/-- A property of the thread that stays true while the others move. -/
theorem invariant {P : Mem → Kind → Encoder → PC → Prop}
    (start : ∀ s t k e, Reachable C s → C.env.Allows C.home ⟨t, k, e⟩ →
      s.MayBegin C.env k e → P s.mem k e .dispatched)
    (enter : ∀ m k e, P m k e .dispatched → P m k e .entered)
    (own : ∀ m k e pc pc' m', Body C e k pc m pc' m' → P m k e pc → P m' k e pc')
    (other : ∀ s t u k e pc k' e' pc' pc'' m', Reachable C s → t ≠ u →
      s.threads t = some ⟨k, e, pc⟩ → s.threads u = some ⟨k', e', pc'⟩ →
      Body C e' k' pc' s.mem pc'' m' → P s.mem k e pc → P s.mem k' e' pc' → P m' k e pc)
    (hr : Reachable C s) {t k e pc} (ht : s.threads t = some ⟨k, e, pc⟩) : P s.mem k e pc := by
  induction hr generalizing t k e pc with
  | initial => cases ht
  | @step s l s' hr hs ih =>
    cases hs with
    | @dispatch u _ _ _ _ ha hd =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at ht; cases ht; exact start s _ _ _ hr ha hd
      · rw [State.setThread_ne _ _ h] at ht; exact ih ht
    | @acquire u _ _ hu _ _ =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at ht; cases ht; exact enter _ _ _ (ih hu)
      · rw [State.setThread_ne _ _ h] at ht; exact ih ht
    | @body u k' e' pc' pc'' m' hu hb =>
      by_cases h : t = u
      · subst h
        have ht' := (State.setThread_same s t (some ⟨k', e', pc''⟩)).symm.trans ht
        cases ht'
        exact own _ _ _ _ _ _ hb (ih hu)
      · have ht' := (State.setThread_ne s (some ⟨k', e', pc''⟩) h).symm.trans ht
        exact other s t u _ _ _ _ _ _ _ _ hr h ht' hu hb (ih ht') (ih hu)
    | @release u _ _ hu =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at ht; cases ht
      · rw [State.setThread_ne _ _ h] at ht; exact ih ht
    | drop _ _ => exact ih ht

/-- If encoding overlaps with no teardown, and the guard checks for liveness or nobody else can tear
down, NULL is never dereferenced. -/
theorem no_nullDeref (hr : Reachable C s) (ha : ∀ k, k.tearsDown = true → C.Apart .encode k)
    (hc : C.CheckedOrAlone) : ¬ Faulty C .nullDeref s := by
  have inv : ∀ {t k e pc}, s.threads t = some ⟨k, e, pc⟩ → k = .encode →
      ((∃ b, pc = .loaded b) ∨ (C.check = false ∧ (pc = .dispatched ∨ pc = .entered))) →
      s.mem.impl e ≠ none := by
    intro t k e pc
    refine invariant (P := fun m k e pc => k = .encode → ((∃ b, pc = .loaded b) ∨
      (C.check = false ∧ (pc = .dispatched ∨ pc = .entered))) → m.impl e ≠ none)
      ?_ ?_ ?_ ?_ hr
    · intro s t k e _ _ hd hk _
      subst hk
      exact hd.used (fun h => Kind.noConfusion h)
    · intro m k e h hk hp
      refine h hk (Or.inr ?_)
      rcases hp with ⟨b, hb⟩ | ⟨hc, _⟩
      · cases hb
      · exact ⟨hc, Or.inl rfl⟩
    · intro m k e pc pc' m' hb h hk hp
      subst hk
      rcases hp with ⟨b, hb'⟩ | ⟨_, hp | hp⟩
      · subst hb'
        cases hb with
        | load hi => rw [hi]; exact fun h => by cases h
      · exact absurd hp hb.holds.2
      · subst hp; cases hb
    · intro s t u k e pc k' e' pc' pc'' m' hr htu ht hu hb h _ hk hp hn
      subst hk
      obtain ⟨hk', he⟩ := hb.cleared (h rfl hp) hn
      subst he
      rcases hp with ⟨b, hb'⟩ | ⟨hcheck, _⟩
      · subst hb'
        exact htu (hr.disciplined.apart (ha k' hk') ht hu (fun h => PC.noConfusion h) hb.holds.1)
      · rcases hc with hc | hc
        · rw [hcheck] at hc; cases hc
        · exact hc t u e k' htu hk' (hr.disciplined.allowed t _ ht) (hr.disciplined.allowed u _ hu)
  intro hf
  cases hf with
  | body ht hb =>
    cases hb with
    | loadNull hcheck hn => exact inv ht rfl (Or.inr ⟨hcheck, Or.inr rfl⟩) hn
    | derefNull hn => exact inv ht rfl (Or.inl ⟨_, rfl⟩) hn

/-- If creates on one encoder do not overlap, no context is overwritten. -/
theorem no_lostContext (hr : Reachable C s) (ha : C.Apart .create .create) :
    ¬ Faulty C .lostContext s := by
  have inv : ∀ {t k e pc}, s.threads t = some ⟨k, e, pc⟩ → k = .create →
      (pc = .checked ∨ (∃ b, pc = .peeked b) ∨ (∃ b, pc = .popped b)) →
      s.mem.impl e = none := by
    intro t k e pc
    refine invariant (P := fun m k e pc => k = .create →
      (pc = .checked ∨ (∃ b, pc = .peeked b) ∨ (∃ b, pc = .popped b)) → m.impl e = none)
      ?_ ?_ ?_ ?_ hr
    · intro s t k e _ _ _ _ hp
      rcases hp with hp | ⟨_, hp⟩ | ⟨_, hp⟩ <;> cases hp
    · intro m k e _ _ hp
      rcases hp with hp | ⟨_, hp⟩ | ⟨_, hp⟩ <;> cases hp
    · intro m k e pc pc' m' hb h hk hp
      subst hk
      cases hb with
      | check hn => exact hn
      | pop _ _ | peek _ _ => exact h rfl (Or.inl rfl)
      | claim => exact h rfl (Or.inr (Or.inl ⟨_, rfl⟩))
      | present _ | publish _ | init _ => rcases hp with hp | ⟨_, hp⟩ | ⟨_, hp⟩ <;> cases hp
      | take hx _ | gone hx _ | push hx _ | clear hx => cases hx
    · intro s t u k e pc k' e' pc' pc'' m' hr htu ht hu hb h _ hk hp
      subst hk
      have hn := h rfl hp
      apply Classical.byContradiction
      intro hs
      obtain ⟨hk', he⟩ := hb.published hn hs
      subst hk'; subst he
      refine htu (hr.disciplined.apart ha ht hu ?_ hb.holds.1)
      rcases hp with hp | ⟨_, hp⟩ | ⟨_, hp⟩ <;> (subst hp; exact fun h => PC.noConfusion h)
  intro hf
  cases hf with
  | body ht hb =>
    cases hb with
    | publishTwice hi => exact hi (inv ht rfl (Or.inr (Or.inr ⟨_, rfl⟩)))

/-- A block that an encoder owns and that is not ready is just being made by some thread. -/
theorem unready (hr : Reachable C s) {e : Encoder} {b : Block} (ho : s.mem.owner b = some e)
    (hn : s.mem.ready b = false) : ∃ t pc, s.threads t = some ⟨.create, e, pc⟩ ∧
      (pc = .popped b ∨ pc = .published b) := by
  induction hr generalizing e b with
  | initial => cases ho
  | @step s l s' hr hs ih =>
    have keep : ∀ {u : Thread} {x : Option Busy}, (∀ y, s.threads u = some y →
        y.pc ≠ .popped b ∧ y.pc ≠ .published b) → s.mem.owner b = some e → s.mem.ready b = false →
        ∃ t pc, (s.setThread u x).threads t = some ⟨.create, e, pc⟩ ∧
          (pc = .popped b ∨ pc = .published b) := by
      intro u x hu ho hn
      obtain ⟨t, pc, ht, hp⟩ := ih ho hn
      refine ⟨t, pc, (State.setThread_ne _ _ ?_).trans ht, hp⟩
      intro h; subst h
      exact hp.elim (hu _ ht).1 (hu _ ht).2
    cases hs with
    | dispatch hi _ _ _ => exact keep (fun y hy => by rw [hi] at hy; cases hy) ho hn
    | acquire hu _ _ =>
      exact keep (fun y hy => by
        rw [hu] at hy; cases hy; exact ⟨fun h => PC.noConfusion h, fun h => PC.noConfusion h⟩) ho hn
    | release hu =>
      exact keep (fun y hy => by
        rw [hu] at hy; cases hy; exact ⟨fun h => PC.noConfusion h, fun h => PC.noConfusion h⟩) ho hn
    | drop _ _ => exact ih ho hn
    | @body u k' e' pc' pc'' m' hu hb =>
      have away : pc' ≠ .popped b → pc' ≠ .published b → ∀ y, s.threads u = some y →
          y.pc ≠ .popped b ∧ y.pc ≠ .published b := by
        intro h h' y hy; rw [hu] at hy; cases hy; exact ⟨h, h'⟩
      cases hb with
      | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | clear _ | check _ | present _
      | peek _ _ =>
        exact keep (away (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)) ho hn
      | @push _ _ b' _ _ =>
        have ho : update s.mem.owner b' none b = some e := ho
        by_cases hbb : b = b'
        · subst hbb; rw [update_same] at ho; cases ho
        · rw [update_ne _ _ hbb] at ho
          exact keep (away (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)) ho hn
      | @pop _ b' _ _ | @claim _ b' =>
        have ho : update s.mem.owner b' (some e') b = some e := ho
        have hn : update s.mem.ready b' false b = false := hn
        by_cases hbb : b = b'
        · subst hbb
          rw [update_same] at ho
          cases ho
          exact ⟨u, _, State.setThread_same .., Or.inl rfl⟩
        · rw [update_ne _ _ hbb] at ho hn
          exact keep (away (fun h => PC.noConfusion h) (fun h => PC.noConfusion h)) ho hn
      | @publish _ b' _ =>
        obtain ⟨t, pc, ht, hp⟩ := ih ho hn
        by_cases htu : t = u
        · subst htu
          rw [hu] at ht
          cases ht
          rcases hp with hp | hp
          · cases hp; exact ⟨t, _, State.setThread_same .., Or.inr rfl⟩
          · cases hp
        · exact ⟨t, pc, (State.setThread_ne _ _ htu).trans ht, hp⟩
      | @init _ b' _ =>
        have hn : update s.mem.ready b' true b = false := hn
        by_cases hbb : b = b'
        · subst hbb; rw [update_same] at hn; cases hn
        · rw [update_ne _ _ hbb] at hn
          exact keep (away (fun h => PC.noConfusion h)
            (fun h => hbb (PC.published.inj h).symm)) ho hn

/-- If create does not overlap with encoding, no context is used before it is initialised. -/
theorem no_uninitialised (hr : Reachable C s) (ha : C.Apart .create .encode) :
    ¬ Faulty C .uninitialised s := by
  intro hf
  cases hf with
  | body hu hb =>
    cases hb with
    | derefUninitialised _ ho hn =>
      obtain ⟨t, pc, ht, hp⟩ := hr.unready ho hn
      have hd : pc ≠ .dispatched := by
        rcases hp with hp | hp <;> (subst hp; exact fun h => PC.noConfusion h)
      have := hr.disciplined.apart ha ht hu hd (fun h => PC.noConfusion h)
      subst this
      rw [hu] at ht
      cases ht

end Reachable

end MPSVerify
