import MPSVerify.Thm.Replay

/-!
# Replay is complete

Whatever the transition system can do, `step?` accepts. With soundness: a state is reachable if and
only if a trace replays to it, so an event that replay rejects is not a step.
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {c : Client} {f f' : Snapshot} {e : Encoder} {k : Kind}
  {m m' : FMem} {pc pc' : PC} {t : Thread} {s s' : State}

theorem guarded_true {α : Type} {p : Bool} (v : α) (h : p = true) : guarded p v = some v := by
  rw [h]; rfl

theorem bodyStep?_complete {M : Mem} (h : Body (σ.config env c) e k pc m.mem pc' M) :
    ∃ m', bodyStep? env σ.check e k m pc pc' = some m' ∧ m'.mem = M := by
  have set : ∀ {α : Type} (d : α) (g : FMap α) (a : Nat) (v : α),
      (FMap.set g a v).get d = update (g.get d) a v := FMap.get_set
  cases h with
  | @load _ b hi =>
    have hi : m.impl.get none e = some b := hi
    exact ⟨m, guarded_true _ (by simp only [hi, decide_true, Bool.and_self]), rfl⟩
  | skip hc hi =>
    have hi : m.impl.get none e = none := hi
    refine ⟨m, ?_, rfl⟩
    simp only [bodyStep?, hi]
    exact guarded_true _ hc
  | @deref _ b b' hi ho hr =>
    have hi : m.impl.get none e = some b' := hi
    have ho : m.owner.get none b' = some e := ho
    have hr : m.ready.get false b' = true := hr
    refine ⟨m, ?_, rfl⟩
    simp only [bodyStep?, hi]
    exact guarded_true _ (by simp only [ho, hr, decide_true, Bool.and_self])
  | @take _ _ b hk hi =>
    have hi : m.impl.get none e = some b := hi
    exact ⟨m, guarded_true _ (by simp only [hk, hi, decide_true, Bool.and_self]), rfl⟩
  | gone hk hi =>
    have hi : m.impl.get none e = none := hi
    refine ⟨m, ?_, rfl⟩
    cases k with
    | create | encode => cases hk
    | destroy | complete => simp only [bodyStep?, hi]
  | @push _ _ b hk ho =>
    have ho : m.owner.get none b = some e := ho
    refine ⟨_, guarded_true _ (by simp only [hk, ho, decide_true, Bool.and_self]), ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set]
    rfl
  | clear hk =>
    refine ⟨_, guarded_true _ hk, ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set]
    rfl
  | check hi =>
    have hi : m.impl.get none e = none := hi
    exact ⟨m, guarded_true _ (by simp only [hi, decide_true, Bool.and_self]), rfl⟩
  | @present _ b hi =>
    have hi : m.impl.get none e = some b := hi
    refine ⟨m, ?_, rfl⟩
    simp only [bodyStep?, hi]
  | @pop _ b ha ho =>
    have ho : m.owner.get none b = none := ho
    have ha : env.atomicFreelist = true := ha
    refine ⟨_, guarded_true _ (by simp only [ha, ho, decide_true, Bool.and_self]), ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set, set]
    rfl
  | @peek _ b ha ho =>
    have ho : m.owner.get none b = none := ho
    have ha : env.atomicFreelist = false := ha
    exact ⟨m, guarded_true _
      (by simp only [ha, ho, decide_true, Bool.not_false, Bool.and_self]), rfl⟩
  | @claim _ b =>
    refine ⟨_, guarded_true _ (by simp only [decide_true, Bool.and_self]), ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set, set]
    rfl
  | @publish _ b hi =>
    have hi : m.impl.get none e = none := hi
    refine ⟨_, guarded_true _ (by simp only [hi, decide_true, Bool.and_self]), ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set]
    rfl
  | @init _ b ho =>
    have ho : m.owner.get none b = some e := ho
    refine ⟨_, guarded_true _ (by simp only [ho, decide_true, Bool.and_self]), ?_⟩
    show Mem.mk _ _ _ = Mem.mk _ _ _
    rw [set]
    rfl

theorem Snapshot.free_complete {o : Op}
    (h : ∀ u b, u ≠ o.thread → f.state.threads u = some b → b.holds →
      ¬ σ.Blocks env c (b.op u) o) : f.free σ env c o = true := by
  refine List.all_eq_true.mpr (fun entry _ => ?_)
  by_cases hu : entry.1 = o.thread
  · simp only [hu, decide_true, Bool.true_or]
  · cases hb : f.threads.get none entry.1 with
    | none => simp only [Bool.or_true]
    | some b =>
      by_cases hd : b.pc = .dispatched
      · simp only [hd, decide_true, Bool.true_or, Bool.or_true]
      · have := h entry.1 b hu hb hd
        rw [← LockScheme.blocks_iff] at this
        simp only [Bool.eq_false_of_ne_true this, Bool.not_false, Bool.or_true]

/-- **What is a step, `step?` accepts.** -/
theorem LockScheme.step?_complete {l : Label} (h : Step (σ.config env c) f.state l s') :
    ∃ f', σ.step? env c f l = some f' ∧ f'.state = s' := by
  cases h with
  | @dispatch t k e ht ha hal hd =>
    refine ⟨_, guarded_true _ ?_, Snapshot.setThread_state _⟩
    have ht : f.threads.get none t = none := ht
    have ha : f.alive.get true e = true := ha
    have hal : env.allows c.home ⟨t, k, e⟩ = true := Env.allows_iff.mpr hal
    have hd : f.mayBegin env k e = true := Snapshot.mayBegin_iff.mpr hd
    simp only [ht, ha, hal, hd, decide_true, Bool.and_self]
  | @acquire t k e ht ha hb =>
    have ht : f.threads.get none t = some ⟨k, e, .dispatched⟩ := ht
    have ha : f.alive.get true e = true := ha
    refine ⟨f.setThread t (some ⟨k, e, .entered⟩), ?_, Snapshot.setThread_state _⟩
    simp only [step?, ht]
    refine guarded_true _ ?_
    rw [ha, Snapshot.free_complete (o := ⟨t, k, e⟩) (fun u b hu hb' hh => hb u b hu hb' hh)]
    rfl
  | @body t k e pc pc' m' ht hb =>
    have ht : f.threads.get none t = some ⟨k, e, pc⟩ := ht
    obtain ⟨fm, hm, hM⟩ := bodyStep?_complete (m := f.mem) hb
    refine ⟨{ f.setThread t (some ⟨k, e, pc'⟩) with mem := fm }, ?_, ?_⟩
    · simp only [step?, ht, hm]
    · have h1 := Snapshot.setThread_state (f := f) (t := t) (some ⟨k, e, pc'⟩)
      show State.mk fm.mem _ _ = _
      rw [hM, ← h1]
      rfl
  | @release t k e ht =>
    have ht : f.threads.get none t = some ⟨k, e, .finished⟩ := ht
    refine ⟨f.setThread t none, ?_, Snapshot.setThread_state _⟩
    simp only [step?, ht]
  | @drop e ha hr =>
    have ha : f.alive.get true e = true := ha
    refine ⟨_, guarded_true _ ?_, ?_⟩
    · rw [ha]
      cases hret : env.callersRetain with
      | false => rfl
      | true =>
        refine List.all_eq_true.mpr (fun entry _ => ?_)
        cases hb : f.threads.get none entry.1 with
        | none => rfl
        | some b => exact decide_eq_true (hr hret entry.1 b hb)
    · show State.mk _ _ _ = State.mk _ _ _
      rw [FMap.get_set]
      rfl

/-- **Reachable if and only if replayable**: a state can be reached exactly if some trace replays
to a snapshot of it. -/
theorem reachable_iff_replay : Reachable (σ.config env c) s ↔
    ∃ trace f, σ.replay? env c .initial trace = some f ∧ f.state = s := by
  have append : ∀ (f f' f'' : Snapshot) (ls : List Label) (l : Label),
      σ.replay? env c f ls = some f' → σ.step? env c f' l = some f'' →
      σ.replay? env c f (ls ++ [l]) = some f'' := by
    intro f f' f'' ls
    induction ls generalizing f with
    | nil => intro l h hs; cases h; simp only [List.nil_append, LockScheme.replay?, hs]
    | cons l' ls ih =>
      intro l h hs
      simp only [LockScheme.replay?] at h
      split at h
      case h_1 f₁ h₁ =>
        simp only [List.cons_append, LockScheme.replay?, h₁]
        exact ih f₁ l h hs
      case h_2 => cases h
  constructor
  · intro h
    induction h with
    | initial => exact ⟨[], _, rfl, rfl⟩
    | step _ hs ih =>
      obtain ⟨ls, f, hf, rfl⟩ := ih
      obtain ⟨f', hf', hs'⟩ := LockScheme.step?_complete hs
      exact ⟨_, f', append _ _ _ _ _ hf hf', hs'⟩
  · rintro ⟨ls, f, hf, rfl⟩
    exact LockScheme.replay?_sound hf .initial

end MPSVerify
