import MPSVerify.Spec.Progress
import MPSVerify.Thm.Discipline

/-!
# Progress: nobody waits for ever for nothing

All locks of a call are taken in one step here, so there is no deadlock. (`Deadlock.lean` is about
several locks taken one after another.) The freelist never runs dry: there are infinitely many
blocks, and in a reachable state finitely many are in use.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

/-- Only finitely many blocks are in use, or in a thread's hands. -/
theorem Reachable.freelist (h : Reachable C s) : ∃ n, ∀ b, n ≤ b → s.mem.owner b = none := by
  induction h with
  | initial => exact ⟨0, fun _ _ => rfl⟩
  | @step s l s' _ hs ih =>
    obtain ⟨n, hn⟩ := ih
    cases hs with
    | dispatch _ _ _ _ | acquire _ _ _ | release _ | drop _ _ => exact ⟨n, hn⟩
    | body _ hb =>
      have grow : ∀ (b : Block) (o : Option Encoder), ∃ n', ∀ b', n' ≤ b' →
          update s.mem.owner b o b' = none := by
        intro b o
        refine ⟨n + (b + 1), fun b' hb' => ?_⟩
        have hne : b' ≠ b := by
          intro h; subst h
          exact Nat.not_succ_le_self b' (Nat.le_trans (Nat.le_add_left _ _) hb')
        rw [update_ne _ _ hne]
        exact hn b' (Nat.le_trans (Nat.le_add_right _ _) hb')
      cases hb with
      | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | clear _ | check _ | present _
      | peek _ _ | publish _ | init _ => exact ⟨n, hn⟩
      | push _ _ => exact grow _ _
      | pop _ _ => exact grow _ _
      | claim => exact grow _ _

/-- The program points of each kind. -/
def Kind.visits : Kind → PC → Prop
  | _, .dispatched | _, .entered | _, .finished => True
  | .encode, .loaded _ => True
  | .destroy, .taken _ | .complete, .taken _ | .destroy, .pushed | .complete, .pushed => True
  | .create, .checked | .create, .peeked _ | .create, .popped _ | .create, .published _ => True
  | _, _ => False

theorem Body.visits {e k pc m pc' m'} (h : Body C e k pc m pc' m') : k.visits pc' := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | check _ | present _ | pop _ _ | peek _ _ | claim
  | publish _ | init _ => trivial
  | gone hk _ | clear hk => cases k <;> trivial
  | take hk _ | push hk _ => cases k <;> first | trivial | cases hk

theorem Reachable.visits (h : Reachable C s) {t x} (hx : s.threads t = some x) :
    x.kind.visits x.pc := by
  induction h generalizing t x with
  | initial => cases hx
  | @step s l s' _ hs ih =>
    cases hs with
    | @dispatch u k _ _ _ _ _ =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at hx; cases hx; cases k <;> trivial
      · rw [State.setThread_ne _ _ h] at hx; exact ih hx
    | @acquire u k _ _ _ _ =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at hx; cases hx; cases k <;> trivial
      · rw [State.setThread_ne _ _ h] at hx; exact ih hx
    | @body u k e pc pc' m' _ hb =>
      by_cases h : t = u
      · subst h
        have hx := (State.setThread_same s t (some ⟨k, e, pc'⟩)).symm.trans hx
        cases hx; exact hb.visits
      · exact ih ((State.setThread_ne s (some ⟨k, e, pc'⟩) h).symm.trans hx)
    | @release u _ _ _ =>
      by_cases h : t = u
      · subst h; rw [State.setThread_same] at hx; cases hx
      · rw [State.setThread_ne _ _ h] at hx; exact ih hx
    | drop _ _ => exact ih hx

/-- A thread past its acquire is finished, or its body can go on, or its next step is a fault. -/
theorem Reachable.body_goes_on (hr : Reachable C s) {t k e pc}
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

/-- A thread past its acquire can go on, or its next step is a fault. -/
theorem Reachable.goes_on (hr : Reachable C s) {t k e pc} (ht : s.threads t = some ⟨k, e, pc⟩)
    (hp : pc ≠ .dispatched) :
    CanGoOn C s ∨ ∃ f, Faulty C f s := by
  rcases hr.body_goes_on ht hp with h | ⟨_, _, hb⟩ | ⟨f, hf⟩
  · subst h
    exact Or.inl ⟨.release t, _, t, _, trivial, rfl, ht, .release ht⟩
  · exact Or.inl ⟨.body t _, _, t, _, trivial, rfl, ht, .body ht hb⟩
  · exact Or.inr ⟨f, .body ht hf⟩

/-- **Progress**: while a thread is busy, some busy thread can go on with its operation, or a fault
is there. So no locks taken in one step can deadlock. (Over all threads it would be trivial: an idle
one can always dispatch.) -/
theorem progress (hr : Reachable C s) {t : Thread} {x : Busy} (ht : s.threads t = some x) :
    CanGoOn C s ∨ ∃ f, Faulty C f s := by
  by_cases h : ∃ u y, s.threads u = some y ∧ y.holds
  · obtain ⟨u, ⟨k, e, pc⟩, hu, hy⟩ := h
    exact hr.goes_on hu hy
  · obtain ⟨k, e, pc⟩ := x
    have hpc : pc = .dispatched := Classical.byContradiction fun hn => h ⟨t, _, ht, hn⟩
    subst hpc
    cases ha : s.alive e with
    | true =>
      exact Or.inl ⟨.acquire t, _, t, _, trivial, rfl, ht,
        .acquire ht ha (fun u b _ hu hb => absurd ⟨u, b, hu, hb⟩ h)⟩
    | false => exact Or.inr ⟨_, .dead ht ha⟩

/-- Under a safe discipline some busy thread can always go on. -/
theorem Config.Safe.goes_on (hs : C.Safe) (hr : Reachable C s) {t : Thread} {x : Busy}
    (ht : s.threads t = some x) : CanGoOn C s :=
  (progress hr ht).resolve_right (fun ⟨f, hf⟩ => hs s f hr hf)

end MPSVerify
