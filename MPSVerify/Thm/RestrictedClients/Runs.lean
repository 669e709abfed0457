import MPSVerify.Spec.RestrictedClients
import MPSVerify.Thm.Criterion

/-!
# Runs of clients that keep some operations apart by themselves

Such a run (`Spec/RestrictedClients.lean`) is one under locks that keep the same operations apart.
-/

namespace MPSVerify

/-- The same locks, if every two operations that the client keeps apart excluded each other. -/
def Config.keptApart (C : Config) (meets : Meets) : Config :=
  { C with blocks := fun a b =>
      C.blocks a b ∨ (a.encoder = b.encoder ∧ meets a.kind b.kind = false) }

variable {C : Config} {meets : Meets} {m m' : Mem} {t u : Thread} {x y : Option Busy}
  {k k' : Kind} {e : Encoder} {pc pc' : PC} {b b' : Block} {s : State}

theorem Body.keptApart (h : Body C e k pc m pc' m') : Body (C.keptApart meets) e k pc m pc' m' := by
  cases h with
  | load h => exact .load h
  | skip h h' => exact .skip h h'
  | deref h h' h'' => exact .deref h h' h''
  | take h h' => exact .take h h'
  | gone h h' => exact .gone h h'
  | push h h' => exact .push h h'
  | clear h => exact .clear h
  | check h => exact .check h
  | present h => exact .present h
  | pop h h' => exact .pop h h'
  | peek h h' => exact .peek h h'
  | claim => exact .claim
  | publish h => exact .publish h
  | init h => exact .init h

theorem Faulty.keptApart {f : Fault} (h : Faulty C f s) : Faulty (C.keptApart meets) f s := by
  cases h with
  | overlap h h' h'' => exact .overlap h h' h''
  | dead h h' => exact .dead h h'
  | body h hb =>
    refine .body h ?_
    cases hb with
    | loadNull h₁ h₂ => exact .loadNull h₁ h₂
    | derefNull h₁ => exact .derefNull h₁
    | derefStale h₁ h₂ => exact .derefStale h₁ h₂
    | derefUninitialised h₁ h₂ h₃ => exact .derefUninitialised h₁ h₂ h₃
    | pushForeign h₁ h₂ => exact .pushForeign h₁ h₂
    | publishTwice h₁ => exact .publishTwice h₁
    | initForeign h₁ => exact .initForeign h₁

/-- Two threads that are busy on one encoder do what the client lets be under way together. -/
theorem ReachableWith.together (hsym : ∀ k k', meets k k' = meets k' k)
    (h : ReachableWith C meets s) : ∀ t u x y, t ≠ u → s.threads t = some x →
    s.threads u = some y → x.encoder = y.encoder → meets x.kind y.kind = true := by
  induction h with
  | initial => exact fun _ _ _ _ _ h => (by cases h)
  | @step s l s' _ hs hd ih =>
    -- Whoever is busy after a step other than its dispatch was busy before, with the same call.
    have before : ∀ v z, s'.threads v = some z → (∀ o, l = .dispatch o → o.thread ≠ v) →
        ∃ w, s.threads v = some w ∧ w.kind = z.kind ∧ w.encoder = z.encoder := by
      intro v z hz hv
      cases hs with
      | @dispatch t k e _ _ _ _ =>
        exact ⟨z, (State.setThread_ne _ _ (fun h => hv _ rfl h.symm)).symm.trans hz, rfl, rfl⟩
      | @acquire t k e ht _ _ =>
        by_cases h : v = t
        · subst h
          have := (State.setThread_same ..).symm.trans hz
          cases this
          exact ⟨_, ht, rfl, rfl⟩
        · exact ⟨z, (State.setThread_ne _ _ h).symm.trans hz, rfl, rfl⟩
      | @body t k e pc pc' m' ht _ =>
        by_cases h : v = t
        · subst h
          have := (State.setThread_same s v (some ⟨k, e, pc'⟩)).symm.trans hz
          cases this
          exact ⟨_, ht, rfl, rfl⟩
        · exact ⟨z, (State.setThread_ne s (some ⟨k, e, pc'⟩) h).symm.trans hz, rfl, rfl⟩
      | @release t k e ht =>
        by_cases h : v = t
        · subst h
          have := (State.setThread_same ..).symm.trans hz
          cases this
        · exact ⟨z, (State.setThread_ne _ _ h).symm.trans hz, rfl, rfl⟩
      | drop _ _ => exact ⟨z, hz, rfl, rfl⟩
    intro t u x y htu hx hy he
    by_cases ht : ∃ o, l = .dispatch o ∧ o.thread = t
    · obtain ⟨o, rfl, rfl⟩ := ht
      obtain ⟨w, hw, hk, hwe⟩ := before u y hy fun o' ho' => by cases ho'; exact htu
      cases hs with
      | dispatch _ _ _ _ =>
        have := (State.setThread_same ..).symm.trans hx
        cases this
        rw [hsym, ← hk]
        exact hd _ rfl u w hw (hwe.trans he.symm)
    · obtain ⟨v, hv, hvk, hve⟩ := before t x hx fun o ho h => ht ⟨o, ho, h⟩
      by_cases hu : ∃ o, l = .dispatch o ∧ o.thread = u
      · obtain ⟨o, rfl, rfl⟩ := hu
        cases hs with
        | dispatch _ _ _ _ =>
          have := (State.setThread_same ..).symm.trans hy
          cases this
          rw [← hvk]
          exact hd _ rfl t v hv (hve.trans he)
      · obtain ⟨w, hw, hwk, hwe⟩ := before u y hy fun o ho h => hu ⟨o, ho, h⟩
        rw [← hvk, ← hwk]
        exact ih t u v w htu hv hw (hve.trans (he.trans hwe.symm))

/-- **A promise is as good as a lock**: what a client can reach that keeps its promise, any client
can reach if the guard kept those operations apart. -/
theorem ReachableWith.keptApart (hsym : ∀ k k', meets k k' = meets k' k)
    (h : ReachableWith C meets s) : Reachable (C.keptApart meets) s := by
  induction h with
  | initial => exact .initial
  | @step s l s' hr hs hd ih =>
    cases hs with
    | dispatch hi ha hal hc => exact ih.step (.dispatch hi ha hal hc)
    | acquire ht ha hb =>
      refine ih.step (.acquire ht ha fun u y hut hu hy hbl => ?_)
      rcases hbl with hbl | ⟨he, hm⟩
      · exact hb u y hut hu hy hbl
      · have := hr.together hsym u _ y _ hut hu ht he
        rw [show meets y.kind _ = false from hm] at this
        cases this
    | body ht hb => exact ih.step (.body ht hb.keptApart)
    | release ht => exact ih.step (.release ht)
    | drop ha hret => exact ih.step (.drop ha hret)

/-! ## Runs of two threads -/

namespace ReachableWith

/-- A step that is no dispatch. -/
theorem go {l s'} (hr : ReachableWith C meets s) (h : Step C s l s') (hl : ∀ o, l ≠ .dispatch o) :
    ReachableWith C meets s' := hr.step h fun o ho => absurd ho (hl o)

theorem swap (h : t ≠ u) (hr : ReachableWith C meets (duo m t u x y)) :
    ReachableWith C meets (duo m u t y x) := duo_swap h ▸ hr

theorem dispatch (hr : ReachableWith C meets (duo m t u none y))
    (ha : C.env.Allows C.home ⟨t, k, e⟩) (hd : DuoMayBegin C.env m y k e)
    (hy : ∀ b, y = some b → b.encoder = e → meets b.kind k = true) :
    ReachableWith C meets (duo m t u (some ⟨k, e, .dispatched⟩) y) := by
  refine duo_set ▸ hr.step (.dispatch duo_left rfl ha hd.mayBegin) ?_
  intro o ho v z hz he
  cases ho
  by_cases hv : v = t
  · subst hv; rw [duo_left] at hz; cases hz
  · have hz : update (fun _ => none) u y v = some z := (update_ne _ _ hv).symm.trans hz
    by_cases hu : v = u
    · subst hu; rw [update_same] at hz; exact hy z hz he
    · rw [update_ne _ _ hu] at hz; cases hz

theorem acquire (h : t ≠ u) (hr : ReachableWith C meets (duo m t u (some ⟨k, e, .dispatched⟩) y))
    (hy : ∀ b, y = some b → b.holds → ¬ C.blocks (b.op u) ⟨t, k, e⟩) :
    ReachableWith C meets (duo m t u (some ⟨k, e, .entered⟩) y) := by
  refine duo_set ▸ hr.go (.acquire duo_left rfl ?_) (fun _ h => Label.noConfusion h)
  intro v b hv hb hh
  by_cases hvu : v = u
  · subst hvu; rw [duo_right h] at hb; exact hy b hb hh
  · rw [show (duo m t u _ y).threads v = none from
      (update_ne _ _ hv).trans (update_ne _ _ hvu)] at hb
    cases hb

theorem body (hr : ReachableWith C meets (duo m t u (some ⟨k, e, pc⟩) y))
    (hb : Body C e k pc m pc' m') :
    ReachableWith C meets (duo m' t u (some ⟨k, e, pc'⟩) y) := by
  have h := hr.go (.body duo_left hb) (fun _ h => Label.noConfusion h)
  rw [duo_set] at h
  exact h

theorem release (hr : ReachableWith C meets (duo m t u (some ⟨k, e, .finished⟩) y)) :
    ReachableWith C meets (duo m t u none y) :=
  duo_set ▸ hr.go (.release duo_left) (fun _ h => Label.noConfusion h)

theorem pop (hr : ReachableWith C meets (duo m t u (some ⟨.create, e, .checked⟩) y))
    (hb : m.owner b = none) :
    ReachableWith C meets
      (duo { m with owner := update m.owner b (some e), ready := update m.ready b false }
        t u (some ⟨.create, e, .popped b⟩) y) := by
  cases h : C.env.atomicFreelist with
  | true => exact hr.body (.pop h hb)
  | false => exact (hr.body (.peek h hb)).body .claim

end ReachableWith

end MPSVerify
