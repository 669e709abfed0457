import MPSVerify.Thm.Fairness.Fifo
import MPSVerify.Thm.Necessity

/-!
# Starvation: FIFO locks prevent it, other locks do not

Both under weak fairness: a thread that can go on from some time on, without a break, does so. A
thread that waits for a lock that others take again and again *cannot* go on without a break, so
weak fairness alone does not help it; the queue does.
-/

namespace MPSVerify

variable {C : Config} {run : Nat → FifoState} {t u : Thread} {k : Kind} {e : Encoder} {i : Nat}

/-! ## With FIFO locks -/

theorem FairRun.reachable (F : FairRun (FifoStep C) run) (h : FifoReachable C (run 0)) :
    ∀ i, FifoReachable C (run i)
  | 0 => h
  | i + 1 => by
    rcases F.step i with hs | ⟨l, hs⟩
    · rw [hs]; exact F.reachable h i
    · exact (F.reachable h i).step hs

theorem FairRun.change (F : FairRun (FifoStep C) run) (i : Nat) (u : Thread) :
    Change C (run i) (run (i + 1)) u := by
  rcases F.step i with hs | ⟨l, hs⟩
  · rw [hs]; exact .same rfl rfl
  · exact hs.change u

theorem FairRun.next_le (F : FairRun (FifoStep C) run) (i : Nat) :
    (run i).next ≤ (run (i + 1)).next := by
  rcases F.step i with hs | ⟨l, hs⟩
  · rw [hs]; exact Nat.le_refl _
  · exact hs.next_le

/-- What changes has a first change. -/
theorem first_change {α : Type} (f : Nat → α) {i : Nat} : ∀ {j : Nat}, i ≤ j → f j ≠ f i →
    ∃ m, i ≤ m ∧ f m = f i ∧ f (m + 1) ≠ f i
  | 0, h, hn => by
    have := Nat.eq_zero_of_le_zero h
    subst this
    exact absurd rfl hn
  | j + 1, h, hn => by
    by_cases hj : f j = f i
    · rcases Nat.eq_or_lt_of_le h with h | h
      · subst h; exact absurd rfl hn
      · exact ⟨j, Nat.le_of_lt_succ h, hj, hn⟩
    · rcases Nat.eq_or_lt_of_le h with h | h
      · subst h; exact absurd rfl hn
      · exact first_change f (Nat.le_of_lt_succ h) hj

/-- What holds from some time on for each thread of a list holds from some time on for all. -/
theorem eventually_all {Q : Thread → Nat → Prop} {i : Nat}
    (stay : ∀ u j, i ≤ j → Q u j → Q u (j + 1)) : ∀ {us : List Thread},
    (∀ u ∈ us, ∃ m, i ≤ m ∧ Q u m) → ∃ m, i ≤ m ∧ ∀ j, m ≤ j → ∀ u ∈ us, Q u j := by
  have keep : ∀ u m j, i ≤ m → m ≤ j → Q u m → Q u j := by
    intro u m j hm hj hq
    obtain ⟨d, rfl⟩ := Nat.exists_eq_add_of_le hj
    clear hj
    induction d with
    | zero => exact hq
    | succ d ih => exact stay u _ (Nat.le_trans hm (Nat.le_add_right _ _)) ih
  intro us
  induction us with
  | nil => exact fun _ => ⟨i, Nat.le_refl _, fun _ _ _ h => (by cases h)⟩
  | cons u us ih =>
    intro h
    obtain ⟨m, hm, hq⟩ := ih fun v hv => h v (List.mem_cons_of_mem _ hv)
    obtain ⟨m', hm', hq'⟩ := h u List.mem_cons_self
    refine ⟨m + m', Nat.le_trans hm (Nat.le_add_right _ _), fun j hj v hv => ?_⟩
    rcases List.mem_cons.mp hv with hv | hv
    · subst hv; exact keep _ _ _ hm' (Nat.le_trans (Nat.le_add_left _ _) hj) hq'
    · exact hq j (Nat.le_trans (Nat.le_add_right _ _) hj) v hv

/-- A thread that can go on does not stand still. -/
theorem FairRun.moves (F : FairRun (FifoStep C) run) {x : Option Busy}
    (hx : ∀ j, i ≤ j → (run j).state.threads u = x)
    (h : ∀ j, i ≤ j → ∃ l s', l.Works ∧ l.thread? = some u ∧ FifoStep C (run j) l s') : False := by
  obtain ⟨j, l, hj, hw, ht, hs⟩ := F.fair u i h
  exact hs.moves hw ht ((hx (j + 1) (Nat.le_succ_of_le hj)).trans (hx j hj).symm)

/-- **Who is inside comes out**: under a safe discipline bodies end. -/
theorem FairRun.leaves (F : FairRun (FifoStep C) run) (hr : FifoReachable C (run 0))
    (hs : C.Safe) : ∀ {r i : Nat} {k : Kind} {e : Encoder} {pc : PC},
    (run i).state.threads u = some ⟨k, e, pc⟩ → pc ≠ .dispatched → pc.rest ≤ r →
    ∃ j, i ≤ j ∧ (run j).state.threads u = none
  | 0, i, k, e, pc, _, _, hle => by cases pc <;> cases hle
  | r + 1, i, k, e, pc, hu, hp, hle => by
    have hm : ∃ j, i ≤ j ∧ (run j).state.threads u ≠ (run i).state.threads u := by
      apply Classical.byContradiction
      intro hn
      have hx : ∀ j, i ≤ j → (run j).state.threads u = some ⟨k, e, pc⟩ := fun j hj =>
        (Classical.byContradiction fun h => hn ⟨j, hj, h⟩ :
          (run j).state.threads u = (run i).state.threads u).trans hu
      refine F.moves hx fun j hj => ?_
      have hj := hx j hj
      have hR := (F.reachable hr j).refines
      rcases hR.body_goes_on hj hp with h | ⟨pc', m', hb⟩ | ⟨f, hb⟩
      · subst h
        exact ⟨.release u, _, trivial, rfl, .other (.release hj)
          (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h)⟩
      · exact ⟨.body u pc', _, trivial, rfl, .other (.body hj hb)
          (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h)⟩
      · exact absurd (.body hj hb) (hs _ f hR)
    obtain ⟨j, hj, hne⟩ := hm
    obtain ⟨m, him, hsame, hch⟩ := first_change (fun j => (run j).state.threads u) hj hne
    have hsame : (run m).state.threads u = some ⟨k, e, pc⟩ := Eq.trans hsame hu
    have hch : (run (m + 1)).state.threads u ≠ some ⟨k, e, pc⟩ := fun h => hch (Eq.trans h hu.symm)
    have him' := Nat.le_succ_of_le him
    cases F.change m u with
    | same h _ => exact absurd (h.trans hsame) hch
    | dispatched h _ _ _ => rw [hsame] at h; cases h
    | entered h _ _ => rw [hsame] at h; cases h; exact absurd rfl hp
    | body h h' _ hp' hlt =>
      rw [hsame] at h
      cases h
      obtain ⟨j, hj, hn⟩ := F.leaves hr hs h' hp'
        (Nat.le_of_lt_succ (Nat.lt_of_lt_of_le hlt hle))
      exact ⟨j, Nat.le_trans him' hj, hn⟩
    | released _ h => exact ⟨m + 1, him', h⟩

/-- A waiting thread stands still until it enters. -/
theorem FairRun.enters_or_waits (F : FairRun (FifoStep C) run)
    (ht : (run i).state.threads t = some ⟨k, e, .dispatched⟩) :
    (∃ j, i ≤ j ∧ (run j).state.threads t = some ⟨k, e, .entered⟩) ∨
      ∀ j, i ≤ j → (run j).state.threads t = some ⟨k, e, .dispatched⟩ := by
  by_cases h : ∀ j, i ≤ j → (run j).state.threads t = some ⟨k, e, .dispatched⟩
  · exact Or.inr h
  · have ⟨j, hj, hne⟩ : ∃ j, i ≤ j ∧ (run j).state.threads t ≠ (run i).state.threads t := by
      apply Classical.byContradiction
      exact fun hn => h fun j hj => Eq.trans
        (Classical.byContradiction fun hne => hn ⟨j, hj, hne⟩) ht
    obtain ⟨m, him, hsame, hch⟩ := first_change (fun j => (run j).state.threads t) hj hne
    have hsame : (run m).state.threads t = some ⟨k, e, .dispatched⟩ := Eq.trans hsame ht
    have hch : (run (m + 1)).state.threads t ≠ some ⟨k, e, .dispatched⟩ :=
      fun h => hch (Eq.trans h ht.symm)
    refine Or.inl ⟨m + 1, Nat.le_succ_of_le him, ?_⟩
    cases F.change m t with
    | same h _ => exact absurd (h.trans hsame) hch
    | dispatched h _ _ _ => rw [hsame] at h; cases h
    | entered h h' _ => rw [hsame] at h; cases h; exact h'
    | body h _ hp _ _ => rw [hsame] at h; cases h; exact absurd rfl hp
    | released h _ => rw [hsame] at h; cases h

/-- Nobody waits for ever, by induction on the ticket. -/
theorem FairRun.no_eternal_wait (F : FairRun (FifoStep C) run) (hr : FifoReachable C (run 0))
    (hs : C.Safe) : ∀ n t i k e, (run i).ticket t = n →
    (∀ j, i ≤ j → (run j).state.threads t = some ⟨k, e, .dispatched⟩) → False := by
  intro n
  induction n using Nat.strongRecOn with
  | _ n ih =>
    intro t i k e hn hw
    have waits : ¬ (⟨k, e, .dispatched⟩ : Busy).holds := fun h => h rfl
    -- The ticket stays.
    have ticket : ∀ d, (run (i + d)).ticket t = n := by
      intro d
      induction d with
      | zero => exact hn
      | succ d ihd =>
        have h0 := hw (i + d) (Nat.le_add_right _ _)
        have h1 := hw (i + d + 1) (Nat.le_succ_of_le (Nat.le_add_right _ _))
        rcases (F.change (i + d) t).waited h1 waits with ⟨_, h⟩ | ⟨h, _⟩
        · exact h.trans ihd
        · rw [h0] at h; cases h
    have ticket : ∀ j, i ≤ j → (run j).ticket t = n := fun j hj => by
      obtain ⟨d, rfl⟩ := Nat.exists_eq_add_of_le hj
      exact ticket d
    -- From some time on nobody is waiting who came before.
    let Q₁ : Thread → Nat → Prop := fun u j => ∀ x, (run j).state.threads u = some x →
      ¬ x.holds → n ≤ (run j).ticket u
    have stay₁ : ∀ u j, i ≤ j → Q₁ u j → Q₁ u (j + 1) := by
      intro u j hj hq x hx hh
      rcases (F.change j u).waited hx hh with ⟨hx', ht⟩ | ⟨_, ht⟩
      · rw [ht]; exact hq x hx' hh
      · rw [ht, ← ticket j hj]
        exact Nat.le_of_lt ((F.reachable hr j).ticketed.below t _ (hw j hj) waits)
    obtain ⟨busy, hb⟩ := (F.reachable hr i).ticketed.finite
    have later₁ : ∀ u ∈ busy, ∃ m, i ≤ m ∧ Q₁ u m := by
      intro u _
      by_cases hq : Q₁ u i
      · exact ⟨i, Nat.le_refl _, hq⟩
      · have ⟨x, hx, hh, hlt⟩ : ∃ x, (run i).state.threads u = some x ∧ ¬ x.holds ∧
            (run i).ticket u < n := by
          apply Classical.byContradiction
          exact fun hn => hq fun x hx hh => Nat.le_of_not_lt fun hlt => hn ⟨x, hx, hh, hlt⟩
        obtain ⟨k', e', pc⟩ := x
        have hpc : pc = .dispatched := Classical.byContradiction hh
        subst hpc
        rcases F.enters_or_waits hx with ⟨j, hj, he⟩ | h
        · refine ⟨j, hj, fun x hx hh => ?_⟩
          rw [he] at hx; cases hx
          exact absurd (fun h => PC.noConfusion h) hh
        · exact (ih _ hlt u i k' e' rfl h).elim
    obtain ⟨m, him, hm⟩ := eventually_all stay₁ later₁
    have idle₁ : ∀ u, u ∉ busy → ∀ d, Q₁ u (i + d) := by
      intro u hu d
      induction d with
      | zero => exact fun x hx => (by cases (hb u hu).symm.trans hx)
      | succ d ihd => exact stay₁ u _ (Nat.le_add_right _ _) ihd
    have first : ∀ j, m ≤ j → ∀ u, Q₁ u j := by
      intro j hj u
      by_cases hu : u ∈ busy
      · exact hm j hj u hu
      · obtain ⟨d, rfl⟩ := Nat.exists_eq_add_of_le (Nat.le_trans him hj)
        exact idle₁ u hu d
    -- From some time on nobody is inside who excludes this call: those who are leave, and nobody
    -- who comes later may overtake.
    let Q₂ : Thread → Nat → Prop := fun u j => ∀ x, (run j).state.threads u = some x →
      x.holds → ¬ C.blocks (x.op u) ⟨t, k, e⟩
    have stay₂ : ∀ u j, m ≤ j → Q₂ u j → Q₂ u (j + 1) := by
      intro u j hj hq x hx hh
      cases F.change j u with
      | same h _ => exact hq x (h.symm.trans hx) hh
      | dispatched _ h hh' _ => rw [h] at hx; cases hx; exact absurd hh hh'
      | @entered k' e' h h' hf =>
        rw [h'] at hx
        cases hx
        have hij := Nat.le_trans him hj
        have hut : (run j).ticket t < (run j).ticket u := by
          rw [ticket j hij]
          refine Nat.lt_of_le_of_ne (first j hj u _ h (fun h => h rfl)) fun he => ?_
          have := (F.reachable hr j).ticketed.unique t u _ _ (hw j hij) waits h
            (fun h => h rfl) ((ticket j hij).trans he)
          subst this
          have := (hw (j + 1) (Nat.le_succ_of_le hij)).symm.trans h'
          cases this
        exact (hf t _ (hw j hij) waits hut).2
      | body h h' hp _ _ =>
        rw [h'] at hx; cases hx
        have := hq _ h hp
        exact this
      | released _ h => rw [h] at hx; cases hx
    obtain ⟨busy', hb'⟩ := (F.reachable hr m).ticketed.finite
    have later₂ : ∀ u ∈ busy', ∃ j, m ≤ j ∧ Q₂ u j := by
      intro u _
      by_cases hh : ∃ x, (run m).state.threads u = some x ∧ x.holds
      · obtain ⟨⟨k', e', pc⟩, hx, hp⟩ := hh
        obtain ⟨j, hj, hn⟩ := F.leaves hr hs hx hp (Nat.le_refl _)
        exact ⟨j, hj, fun x hx => by rw [hn] at hx; cases hx⟩
      · exact ⟨m, Nat.le_refl _, fun x hx hh' => absurd ⟨x, hx, hh'⟩ hh⟩
    obtain ⟨m', hmm, hm'⟩ := eventually_all stay₂ later₂
    have free : ∀ j, m' ≤ j → ∀ u, Q₂ u j := by
      intro j hj u
      by_cases hu : u ∈ busy'
      · exact hm' j hj u hu
      · obtain ⟨d, rfl⟩ := Nat.exists_eq_add_of_le (Nat.le_trans hmm hj)
        clear hj
        induction d with
        | zero => exact fun x hx => (by cases (hb' u hu).symm.trans hx)
        | succ d ihd => exact stay₂ u _ (Nat.le_add_right _ _) ihd
    -- From then on the acquire can happen, without a break.
    refine F.moves (i := m') (fun j hj => hw j (Nat.le_trans him (Nat.le_trans hmm hj)))
      fun j hj => ?_
    have hmj := Nat.le_trans hmm hj
    have hij := Nat.le_trans him hmj
    have D := (F.reachable hr j).refines.disciplined
    refine ⟨.acquire t, _, trivial, rfl, .acquire (.acquire (hw j hij)
      (D.alive hs.criterion.retain t _ (hw j hij)) fun u x _ hx hh => free j hj u x hx hh)
      (hw j hij) fun u x hx hh hlt => ?_⟩
    rw [ticket j hij] at hlt
    exact absurd hlt (Nat.not_lt_of_le (first j hmj u x hx hh))

/-- **No starvation under FIFO locks**: in every weakly fair run under a safe discipline, every
waiting thread gets in. -/
theorem fifo_starvation_free (hs : C.Safe) (F : FairRun (FifoStep C) run)
    (hr : FifoReachable C (run 0)) (ht : (run i).state.threads t = some ⟨k, e, .dispatched⟩) :
    ∃ j, i ≤ j ∧ (run j).state.threads t = some ⟨k, e, .entered⟩ :=
  (F.enters_or_waits ht).resolve_right fun h => F.no_eternal_wait hr hs _ t i k e rfl h

end MPSVerify
