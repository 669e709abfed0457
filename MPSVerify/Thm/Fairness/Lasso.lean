import MPSVerify.Thm.Fairness

/-!
# Without FIFO locks a thread can wait for ever

A lasso: thread 0 encodes on an encoder, again and again, and is always quicker than thread 1, which
wants to do the same. Nothing is unfair to thread 1 in the weak sense: each
time thread 0 is inside, thread 1 cannot enter.
-/

namespace MPSVerify

variable {C : Config} {m : Mem}

/-- The loop: thread 0 is idle, dispatched, inside, about to use the context, done; thread 1
waits. -/
def lasso (m : Mem) : Nat → State
  | 0 => duo m 0 1 none (some ⟨.encode, 0, .dispatched⟩)
  | 1 => duo m 0 1 (some ⟨.encode, 0, .dispatched⟩) (some ⟨.encode, 0, .dispatched⟩)
  | 2 => duo m 0 1 (some ⟨.encode, 0, .entered⟩) (some ⟨.encode, 0, .dispatched⟩)
  | 3 => duo m 0 1 (some ⟨.encode, 0, .loaded 0⟩) (some ⟨.encode, 0, .dispatched⟩)
  | 4 => duo m 0 1 (some ⟨.encode, 0, .finished⟩) (some ⟨.encode, 0, .dispatched⟩)
  | n + 5 => lasso m n

theorem lasso_step (hs : C.env.sharedEncoders = true) (hi : m.impl 0 = some 0)
    (ho : m.owner 0 = some 0) (hready : m.ready 0 = true) :
    ∀ n, ∃ l, Step C (lasso m n) l (lasso m (n + 1)) ∧ (l = .dispatch ⟨0, .encode, 0⟩ ∨
      (l.Works ∧ l.thread? = some 0))
  | 0 => by
    refine ⟨.dispatch ⟨0, .encode, 0⟩, ?_, Or.inl rfl⟩
    have h := Step.dispatch (C := C) (t := 0) (k := .encode) (e := 0) (s := lasso m 0) duo_left rfl
      (Or.inl hs) (DuoMayBegin.join (Env.beside_of_not_create (fun h => Kind.noConfusion h)
        (fun h => Kind.noConfusion h)) (ne_of_live hi)).mayBegin
    have e : (lasso m 0).setThread 0 (some ⟨.encode, 0, .dispatched⟩) = lasso m 1 := duo_set
    rw [e] at h
    exact h
  | 1 => by
    refine ⟨.acquire 0, ?_, Or.inr ⟨trivial, rfl⟩⟩
    have h := Step.acquire (C := C) (t := 0) (k := .encode) (e := 0) (s := lasso m 1) duo_left
      rfl (by
      intro u b hu hb hh
      by_cases h1 : u = 1
      · subst h1
        have hb := (duo_right Nat.zero_ne_one).symm.trans hb
        cases hb
        exact absurd rfl hh
      · rw [show (lasso m 1).threads u = none from
          (update_ne _ _ hu).trans (update_ne _ _ h1)] at hb
        cases hb)
    have e : (lasso m 1).setThread 0 (some ⟨.encode, 0, .entered⟩) = lasso m 2 := duo_set
    rw [e] at h
    exact h
  | 2 => by
    refine ⟨.body 0 (.loaded 0), ?_, Or.inr ⟨trivial, rfl⟩⟩
    have h := Step.body (C := C) (t := 0) (k := .encode) (e := 0) (s := lasso m 2) duo_left
      (.load hi)
    have e : ((lasso m 2).setThread 0 (some ⟨.encode, 0, .loaded 0⟩)).setMem m = lasso m 3 := by
      show State.setMem ((duo m 0 1 _ _).setThread 0 _) m = _
      rw [duo_set]; rfl
    rw [← e]
    exact h
  | 3 => by
    refine ⟨.body 0 .finished, ?_, Or.inr ⟨trivial, rfl⟩⟩
    have h := Step.body (C := C) (t := 0) (k := .encode) (e := 0) (s := lasso m 3) duo_left
      (.deref hi ho hready)
    have e : ((lasso m 3).setThread 0 (some ⟨.encode, 0, .finished⟩)).setMem m = lasso m 4 := by
      show State.setMem ((duo m 0 1 _ _).setThread 0 _) m = _
      rw [duo_set]; rfl
    rw [← e]
    exact h
  | 4 => by
    refine ⟨.release 0, ?_, Or.inr ⟨trivial, rfl⟩⟩
    have h := Step.release (C := C) (t := 0) (k := .encode) (e := 0) (s := lasso m 4) duo_left
    have e : (lasso m 4).setThread 0 none = lasso m 5 := duo_set
    rw [e] at h
    exact h
  | n + 5 => lasso_step hs hi ho hready n

/-- Thread 1 waits all the time, and nobody but threads 0 and 1 is ever busy. -/
theorem lasso_threads : ∀ n, (lasso m n).threads 1 = some ⟨.encode, 0, .dispatched⟩ ∧
    ∀ u, u ≠ 0 → u ≠ 1 → (lasso m n).threads u = none
  | 0 | 1 | 2 | 3 | 4 => ⟨duo_right Nat.zero_ne_one, fun _ h h' =>
      (update_ne _ _ h).trans (update_ne _ _ h')⟩
  | n + 5 => lasso_threads n

/-- Thread 0 comes inside again and again. -/
theorem lasso_inside : ∀ i, ∃ j, i ≤ j ∧
    (lasso m j).threads 0 = some ⟨.encode, 0, .entered⟩ ∧ (lasso m (j + 1)).threads 0 =
      some ⟨.encode, 0, .loaded 0⟩
  | 0 => ⟨2, by decide, duo_left, duo_left⟩
  | 1 => ⟨2, by decide, duo_left, duo_left⟩
  | 2 => ⟨2, by decide, duo_left, duo_left⟩
  | 3 => ⟨7, by decide, duo_left, duo_left⟩
  | 4 => ⟨7, by decide, duo_left, duo_left⟩
  | i + 5 =>
    let ⟨j, hj, h, h'⟩ := lasso_inside i
    ⟨j + 5, Nat.add_le_add_right hj 5, h, h'⟩

/-- **Starvation without FIFO locks**: under every safe discipline with shared encoders there is a
weakly fair run, from a reachable state, in which a thread waits for ever. -/
theorem starvation_without_fifo (hs : C.Safe) (hsh : C.env.sharedEncoders = true) :
    ∃ run t x, Reachable C (run 0) ∧ FairRun (Step C) run ∧
      ∀ i, (run i).threads t = some x ∧ ¬ x.holds := by
  obtain ⟨m, hr, hi, ho⟩ := live_reachable C 0
  have hne : Kind.encode ≠ .create := fun h => Kind.noConfusion h
  have hready : m.ready 0 = true := by
    -- Otherwise using the context would be a fault.
    cases hn : m.ready 0 with
    | true => rfl
    | false =>
      have r1 := ((hr.ofIdle (t := 0) (u := 1)).dispatch (k := .encode) (e := 0) (Or.inl hsh)
        (.use hne (ne_of_live hi))).acquire Nat.zero_ne_one (fun _ h => by cases h)
      exact absurd (.body duo_left (.derefUninitialised hi ho hn)) (hs _ _ (r1.body (.load hi)))
  have r0 := ((hr.ofIdle (t := 1) (u := 0)).dispatch (k := .encode) (e := 0) (Or.inl hsh)
    (.use hne (ne_of_live hi))).swap Nat.zero_ne_one.symm
  have hb : C.blocks ⟨0, .encode, 0⟩ ⟨1, .encode, 0⟩ :=
    (hs.criterion.apart .encode .encode 0 1 0 Nat.zero_ne_one (Env.beside_of_not_create hne hne)
      (Or.inl hsh) (Or.inl hsh)).1
  refine ⟨lasso m, 1, ⟨.encode, 0, .dispatched⟩, r0, ⟨?_, ?_⟩,
    fun i => ⟨(lasso_threads i).1, fun h => h rfl⟩⟩
  · intro i
    obtain ⟨l, h, _⟩ := lasso_step hsh hi ho hready i
    exact Or.inr ⟨l, h⟩
  · intro t i h
    obtain ⟨j, hj, hin, hout⟩ := lasso_inside (m := m) i
    by_cases h0 : t = 0
    · subst h0
      obtain ⟨l, hl, hd | ⟨hw, ht⟩⟩ := lasso_step (C := C) hsh hi ho hready j
      · subst hd
        exfalso
        have : ∀ {s s'}, s.threads 0 = some ⟨.encode, 0, .entered⟩ →
            ¬ Step C s (.dispatch ⟨0, .encode, 0⟩) s' := by
          intro s s' h hs
          cases hs with
          | dispatch hi _ _ _ => rw [h] at hi; cases hi
        exact this hin hl
      · exact ⟨j, l, hj, hw, ht, hl⟩
    · exfalso
      obtain ⟨l, s', hw, ht, hst⟩ := h j hj
      by_cases h1 : t = 1
      · subst h1
        have h1 := (lasso_threads (m := m) j).1
        cases hst with
        | dispatch _ _ _ _ | drop _ _ => exact hw
        | acquire hk _ hf =>
          cases ht
          rw [h1] at hk
          cases hk
          exact hf 0 _ Nat.zero_ne_one hin (fun h => PC.noConfusion h) hb
        | body hk hbody =>
          cases ht
          rw [h1] at hk
          cases hk
          exact hbody.holds.1 rfl
        | release hk => cases ht; rw [h1] at hk; cases hk
      · have hn := (lasso_threads (m := m) j).2 t h0 h1
        cases hst with
        | dispatch _ _ _ _ | drop _ _ => exact hw
        | acquire hk _ _ | body hk _ | release hk => cases ht; rw [hn] at hk; cases hk

end MPSVerify
