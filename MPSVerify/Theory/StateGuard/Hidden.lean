import MPSVerify.Spec.StateGuard
import MPSVerify.Theory.Optimality

/-!
# The guard that lets `create` in beside `encode` is safe

The calls of `create` that have nothing to do are hidden: what is left of a run under this guard is
a run under perEncoder.
-/

namespace MPSVerify

open AGX

variable {c : Client} {s s' : State} {t u : Thread}

/-- Thread `t` is in a call of `create` that has not begun, or is done, or will find a context: no
teardown is past its acquire on that encoder. -/
def Hidden (s : State) (t : Thread) : Prop :=
  ∃ e pc, s.threads t = some ⟨.create, e, pc⟩ ∧ s.alive e = true ∧
    (pc = .dispatched ∨ pc = .finished ∨ (pc = .entered ∧ s.mem.impl e ≠ none ∧
      ∀ u k q, s.threads u = some ⟨k, e, q⟩ → k.tearsDown = true → q = .dispatched))

/-- `s₀` is `s` without some hidden calls; those that have not begun are all left out. -/
structure Shown (s s₀ : State) : Prop where
  mem : s₀.mem = s.mem
  alive : s₀.alive = s.alive
  threads : ∀ t, (s₀.threads t = s.threads t ∧ ∀ e, s.threads t ≠ some ⟨.create, e, .dispatched⟩) ∨
    (s₀.threads t = none ∧ Hidden s t)

/-- A hidden call stays hidden when another thread moves: unless that is a teardown's acquire on its
encoder, or takes the context away. -/
theorem Hidden.move {b : Option Busy} {m : Mem} (h : Hidden s u) (hut : u ≠ t)
    (hb : ∀ k e pc, b = some ⟨k, e, pc⟩ → k.tearsDown = true → pc = .dispatched ∨
      (∃ q, s.threads t = some ⟨k, e, q⟩ ∧ q ≠ .dispatched) ∨
      ∀ x, s.threads u = some x → x.holds → x.encoder ≠ e)
    (hm : ∀ e, (∀ k q, s.threads t = some ⟨k, e, q⟩ → k.tearsDown = true → q = .dispatched) →
      s.mem.impl e ≠ none → m.impl e ≠ none) :
    Hidden ((s.setThread t b).setMem m) u := by
  obtain ⟨e, pc, hu, ha, hp⟩ := h
  refine ⟨e, pc, (State.setThread_ne s b hut).trans hu, ha, ?_⟩
  rcases hp with hp | hp | ⟨hp, hi, ho⟩
  · exact Or.inl hp
  · exact Or.inr (Or.inl hp)
  · refine Or.inr (Or.inr ⟨hp, hm e (ho t) hi, ?_⟩)
    intro v k q hv hk
    by_cases h : v = t
    · subst h
      rcases hb k e q ((State.setThread_same s v b).symm.trans hv) hk with h | ⟨q', h, hn⟩ | h
      · exact h
      · exact absurd (ho v k q' h hk) hn
      · subst hp
        exact absurd rfl (h _ hu (fun h => PC.noConfusion h))
    · exact ho v k q ((State.setThread_ne s b h).symm.trans hv) hk

/-- A run under the guard is a run under perEncoder, but for hidden calls. -/
theorem GuardedReachable.shown
    (h : GuardedReachable (perEncoder.config .default c) createBesideEncode s) :
    ∃ s₀, Reachable (perEncoder.config .default c) s₀ ∧ Shown s s₀ := by
  induction h with
  | initial =>
    exact ⟨_, .initial, rfl, rfl, fun t => Or.inl ⟨rfl, fun e h => (by cases h)⟩⟩
  | @step s l s' _ hs ih =>
    obtain ⟨s₀, hr, S⟩ := ih
    -- Who is shown past its acquire is so in `s` as well.
    have back : ∀ {u x}, s₀.threads u = some x → s.threads u = some x := fun {u x} hu =>
      (S.threads u).elim (fun h => h.1.symm.trans hu) (fun h => by rw [h.1] at hu; cases hu)
    have free : ∀ {t k e}, (∀ u x, u ≠ t → s.threads u = some x → x.holds → x.encoder ≠ e) →
        ∀ (s₁ : State), (∀ u, u ≠ t → s₁.threads u = s₀.threads u) → ∀ u x, u ≠ t →
        s₁.threads u = some x → x.holds →
        ¬ (perEncoder.config .default c).blocks (x.op u) ⟨t, k, e⟩ := by
      intro t k e hn s₁ h₁ u x hut hu hx ⟨r, hr, q, hq, hl, _⟩
      have one : ∀ k, perEncoder.requestsIn .default k = [⟨.encoder, .exclusive⟩] := by
        intro k; cases k <;> rfl
      have hr : r ∈ perEncoder.requestsIn .default x.kind := hr
      have hq : q ∈ perEncoder.requestsIn .default k := hq
      rw [one, List.mem_singleton] at hr hq
      subst hr; subst hq
      exact hn u x hut (back ((h₁ u hut).symm.trans hu)) hx (Lock.encoder.inj hl)
    -- One thread moves in both; memory changes in both.
    have both : ∀ {t b m}, (∀ e, b ≠ some ⟨.create, e, .dispatched⟩) →
        (∀ u, u ≠ t → Hidden s u → Hidden ((s.setThread t b).setMem m) u) →
        Shown ((s.setThread t b).setMem m) ((s₀.setThread t b).setMem m) := by
      intro t b m hb hh
      refine ⟨rfl, S.alive, fun u => ?_⟩
      by_cases h : u = t
      · subst h
        exact Or.inl ⟨(State.setThread_same s₀ u b).trans (State.setThread_same s u b).symm,
          fun e h => hb e ((State.setThread_same s u b).symm.trans h)⟩
      · rcases S.threads u with hu | hu
        · exact Or.inl ⟨((State.setThread_ne s₀ b h).trans hu.1).trans
            (State.setThread_ne s b h).symm,
            fun e h' => hu.2 e ((State.setThread_ne s b h).symm.trans h')⟩
        · exact Or.inr ⟨(State.setThread_ne s₀ b h).trans hu.1, hh u h hu.2⟩
    -- One thread moves in `s` and is hidden afterwards.
    have hide : ∀ {t b}, s₀.threads t = none →
        ((b = none) ∨ Hidden (s.setThread t b) t) →
        (∀ u, u ≠ t → Hidden s u → Hidden (s.setThread t b) u) → Shown (s.setThread t b) s₀ := by
      intro t b ht hb hh
      refine ⟨S.mem, S.alive, fun u => ?_⟩
      by_cases h : u = t
      · subst h
        rcases hb with hb | hb
        · subst hb
          exact Or.inl ⟨ht.trans (State.setThread_same s u none).symm, fun e h => by
            rw [State.setThread_same] at h; cases h⟩
        · exact Or.inr ⟨ht, hb⟩
      · rcases S.threads u with hu | hu
        · exact Or.inl ⟨hu.1.trans (State.setThread_ne s b h).symm,
            fun e h' => hu.2 e ((State.setThread_ne s b h).symm.trans h')⟩
        · exact Or.inr ⟨hu.1, hh u h hu.2⟩
    have idle : ∀ {t}, s.threads t = none → s₀.threads t = none := fun {t} ht =>
      (S.threads t).elim (fun h => h.1.trans ht) (fun h => h.1)
    cases hs with
    | @acquire t k e ht ha hg =>
      by_cases hk : k = .create
      · subst hk
        have h₀ : s₀.threads t = none := (S.threads t).elim (fun h => absurd ht (h.2 e)) (·.1)
        by_cases hx : ∃ u x, u ≠ t ∧ s.threads u = some x ∧ x.holds ∧ x.encoder = e
        · -- Beside a call of `encode`: it will find the context.
          obtain ⟨u, x, hut, hu, hh, he⟩ := hx
          have hi := (hg u x hut hu hh he).2.2
          refine ⟨s₀, hr, hide h₀ (Or.inr ⟨e, .entered, State.setThread_same .., ha,
            Or.inr (Or.inr ⟨rfl, hi, ?_⟩)⟩) ?_⟩
          · intro v k q hv hk
            by_cases h : v = t
            · subst h; rw [State.setThread_same] at hv; cases hv; cases hk
            · rw [State.setThread_ne _ _ h] at hv
              refine Classical.byContradiction fun hq => ?_
              have := (hg v _ h hv hq rfl).2.1
              have : k = .encode := this
              subst this; cases hk
          · exact fun u h hu => hu.move (m := s.mem) h
              (fun k e pc h hk => by cases h; cases hk) (fun _ _ h => h)
        · -- Alone: dispatch and acquire now.
          have hn : ∀ u x, u ≠ t → s.threads u = some x → x.holds → x.encoder ≠ e :=
            fun u x hut hu hh he => hx ⟨u, x, hut, hu, hh, he⟩
          have r1 := hr.step (.dispatch (t := t) (k := .create) (e := e) h₀
            (by rw [S.alive]; exact ha) (default_allows _ _)
            ⟨fun h => absurd rfl h, fun h => (by cases h), fun _ _ _ _ => rfl⟩)
          have r2 := r1.step (.acquire (State.setThread_same ..) (by
            show s₀.alive e = true
            rw [S.alive]; exact ha) (free hn _ fun u h => State.setThread_ne _ _ h))
          refine ⟨_, r2, ?_⟩
          have hs : (s₀.setThread t (some ⟨.create, e, .dispatched⟩)).setThread t
              (some ⟨.create, e, .entered⟩) =
              (s₀.setThread t (some ⟨.create, e, .entered⟩)).setMem s.mem := by
            rw [← S.mem]
            exact congrArg (State.mk s₀.mem s₀.alive) (funext fun u => by
              by_cases h : u = t
              · subst h; exact (update_same ..).trans (update_same ..).symm
              · exact (update_ne _ _ h).trans ((update_ne _ _ h).trans (update_ne _ _ h).symm))
          rw [hs]
          exact both (fun e h => by cases h) (fun u h hu => hu.move h
            (fun k e pc h hk => by cases h; cases hk) (fun _ _ h => h))
      · have hn : ∀ u x, u ≠ t → s.threads u = some x → x.holds → x.encoder ≠ e :=
          fun u x hut hu hh he => hk (hg u x hut hu hh he).1
        have h₀ : s₀.threads t = some ⟨k, e, .dispatched⟩ := (S.threads t).elim
          (fun h => h.1.trans ht) (fun ⟨_, e', pc, h, _⟩ => by
            rw [ht] at h; cases h; exact absurd rfl hk)
        have r1 := hr.step (.acquire h₀ (by rw [S.alive]; exact ha) (free hn s₀ fun _ _ => rfl))
        refine ⟨_, r1, ?_⟩
        have := both (t := t) (b := some ⟨k, e, .entered⟩) (m := s.mem)
          (fun e h => by cases h) (fun u h hu => hu.move h
            (fun k' e' pc h' _ => by cases h'; exact Or.inr (Or.inr (hn u · h))) (fun _ _ h => h))
        exact ⟨S.mem, this.alive, this.threads⟩
    | other hst hl =>
      cases hst with
      | @dispatch t k e hi ha hall hd =>
        by_cases hk : k = .create
        · subst hk
          exact ⟨s₀, hr, hide (idle hi) (Or.inr ⟨e, .dispatched, State.setThread_same .., ha,
            Or.inl rfl⟩) (fun u h hu => hu.move (m := s.mem) h
              (fun k e pc h hk => by cases h; cases hk) (fun _ _ h => h))⟩
        · have r1 := hr.step (.dispatch (t := t) (k := k) (e := e) (idle hi)
            (by rw [S.alive]; exact ha) hall
            ⟨by rw [S.mem]; exact hd.used, fun h => (by cases h), fun _ _ _ _ => rfl⟩)
          refine ⟨_, r1, ?_⟩
          have := both (t := t) (b := some ⟨k, e, .dispatched⟩) (m := s.mem)
            (fun e h => by cases h; exact hk rfl) (fun u h hu => hu.move h
              (fun k' e' pc h' _ => by cases h'; exact Or.inl rfl) (fun _ _ h => h))
          exact ⟨S.mem, this.alive, this.threads⟩
      | acquire _ _ _ => exact absurd rfl (hl _)
      | @body t k e pc pc' m' ht hb =>
        rcases S.threads t with h₀ | ⟨h₀, e', q, h, ha, hq⟩
        · have r1 := hr.step (.body (h₀.1.trans ht) (by rw [S.mem]; exact hb))
          refine ⟨_, r1, both (fun e h => by cases h; exact absurd rfl hb.holds.2)
            (fun u h hu => hu.move h ?_ ?_)⟩
          · intro k' e' q h' _
            cases h'
            exact Or.inr (Or.inl ⟨pc, ht, hb.holds.1⟩)
          · intro e' hn hi
            cases hb with
            | clear hk =>
              by_cases he : e' = e
              · subst he; cases hn k .pushed ht hk
              · exact fun h => hi ((update_ne _ _ he).symm.trans h)
            | publish _ =>
              by_cases he : e' = e
              · subst he; exact update_same_ne (fun h => by cases h)
              · exact fun h => hi ((update_ne _ _ he).symm.trans h)
            | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | push _ _ | check _
            | present _ | pop _ _ | peek _ _ | claim | init _ => exact hi
        · rw [ht] at h; cases h
          rcases hq with hq | hq | ⟨hq, hi, hn⟩
          · exact absurd hq hb.holds.1
          · subst hq; cases hb
          · subst hq
            cases hb with
            | check h => exact absurd h hi
            | take hk _ | gone hk _ => cases hk
            | present _ =>
              exact ⟨s₀, hr, hide (t := t) (b := some ⟨.create, e, .finished⟩) h₀
                (Or.inr ⟨e, .finished, State.setThread_same .., ha, Or.inr (Or.inl rfl)⟩)
                (fun u h hu => hu.move (m := s.mem) h
                  (fun k e pc h hk => by cases h; cases hk) (fun _ _ h => h))⟩
      | @release t k e ht =>
        rcases S.threads t with h₀ | ⟨h₀, _⟩
        · have r1 := hr.step (.release (h₀.1.trans ht))
          refine ⟨_, r1, ?_⟩
          have := both (t := t) (b := none) (m := s.mem) (fun e h => by cases h)
            (fun u h hu => hu.move h (fun _ _ _ h => by cases h) (fun _ _ h => h))
          exact ⟨S.mem, this.alive, this.threads⟩
        · exact ⟨s₀, hr, hide h₀ (Or.inl rfl) (fun u h hu => hu.move (m := s.mem) h
            (fun _ _ _ h => by cases h) (fun _ _ h => h))⟩
      | @drop e ha hd =>
        have r1 := hr.step (.drop (by rw [S.alive]; exact ha)
          (fun h t b hb => hd h t b (back hb)))
        refine ⟨_, r1, S.mem, congrArg (update · e false) S.alive, fun t => ?_⟩
        rcases S.threads t with h | ⟨h₀, e', pc, h, hal, hp⟩
        · exact Or.inl h
        · exact Or.inr ⟨h₀, e', pc, h, (update_ne _ _ (hd rfl t _ h)).trans hal, hp⟩

/-- The guard is safe. -/
theorem GuardedReachable.safe {f : Fault}
    (h : GuardedReachable (perEncoder.config .default c) createBesideEncode s) :
    ¬ Faulty (perEncoder.config .default c) f s := by
  obtain ⟨s₀, hr, S⟩ := h.shown
  intro hf
  refine per_encoder_mutex_sufficient c s₀ f hr ?_
  have shown : ∀ {t k e pc}, s.threads t = some ⟨k, e, pc⟩ →
      (k = .create → s.alive e = true → pc = .dispatched ∨ pc = .entered ∨ pc = .finished → False) →
      s₀.threads t = some ⟨k, e, pc⟩ := by
    intro t k e pc ht hn
    rcases S.threads t with h | ⟨_, e', pc', h, ha, hp⟩
    · exact h.1.trans ht
    · rw [ht] at h; cases h
      exact (hn rfl ha (by rcases hp with h | h | ⟨h, _⟩
                           · exact Or.inl h
                           · exact Or.inr (Or.inr h)
                           · exact Or.inr (Or.inl h))).elim
  cases hf with
  | body ht hb =>
    refine .body (shown ht fun hk _ hp => ?_) (by rw [S.mem]; exact hb)
    subst hk
    rcases hp with h | h | h <;> subst h <;> cases hb <;> rename_i h _ <;> cases h
  | overlap htu ht hu =>
    exact .overlap htu (shown ht fun h => Kind.noConfusion h) (shown hu fun h => Kind.noConfusion h)
  | dead ht ha =>
    refine .dead (shown ht fun _ h _ => ?_) (by rw [S.alive]; exact ha)
    rw [ha] at h; cases h

end MPSVerify
