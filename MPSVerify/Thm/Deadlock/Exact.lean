import MPSVerify.Thm.Deadlock.Cycle

/-!
# A cycle of waits is a deadlock

Where encoders are shared and may be used before their create has returned, and unless a gate lock
keeps the threads from getting there; with two locks per call there is no room for one.
-/

namespace MPSVerify

variable {σ : LockScheme} {env : Env} {s : SeqState} {k : Kind}

/-! ## An encoder with a context -/

/-- Thread 0 creates encoder 0, and is alone. -/
structure Alone (σ : LockScheme) (env : Env) (pc : PC) (m : Mem) (s : SeqState) : Prop where
  reachable : SeqReachable σ env .together s
  here : s.state.threads 0 = some ⟨.create, 0, pc⟩
  idle : ∀ t, t ≠ 0 → s.state.threads t = none
  alive : s.state.alive 0 = true
  mem : s.state.mem = m

theorem Alone.body {pc pc' m m'} (A : Alone σ env pc m s)
    (h : Body (σ.config env .together) 0 .create pc m pc' m') : ∃ s', Alone σ env pc' m' s' := by
  have h := A.mem ▸ h
  refine ⟨_, A.reachable.step (.other (.body A.here h) (fun _ h => Label.noConfusion h)
    (fun _ h => Label.noConfusion h)), ?_, ?_, A.alive, rfl⟩
  · exact State.setThread_same s.state 0 (some ⟨.create, 0, pc'⟩)
  · exact fun t ht => (State.setThread_ne s.state (some ⟨.create, 0, pc'⟩) ht).trans (A.idle t ht)

/-- If a create does not wait for itself, an encoder can get a context. -/
theorem arranged_live (h : Takes .create [] (σ.requestsIn env .create)) :
    ∃ s, Arranged σ env [] s ∧ s.state.mem.impl 0 ≠ none := by
  have r1 := (SeqReachable.initial (σ := σ) (env := env) (c := .together)).step
    (.dispatch (o := ⟨0, .create, 0⟩) (.dispatch (t := 0) (k := .create) (e := 0) rfl rfl
      (Or.inr rfl) ⟨fun h => absurd rfl h, fun _ _ => rfl, fun _ _ h => (by cases h)⟩))
  obtain ⟨s, r2, hst, hl, _⟩ := r1.takes (t := 0) (k := .create) (a := []) (l := [])
    (b := σ.requestsIn env .create) (State.setThread_same ..)
    (by
      rw [List.append_nil]
      exact update_same SeqState.initial.locks 0 ⟨[], σ.requestsIn env .create⟩) h (by
      intro u y hu hy
      have hy := (State.setThread_ne _ _ hu).symm.trans hy
      cases hy)
  have ht : s.state.threads 0 = some ⟨.create, 0, .dispatched⟩ := by
    rw [hst]; exact State.setThread_same ..
  have A₀ : Alone σ env .entered State.initial.mem
      ⟨s.state.setThread 0 (some ⟨.create, 0, .entered⟩), s.locks⟩ := by
    refine ⟨r2.step (.enter ht (by rw [hst]; rfl) (by rw [hl])), State.setThread_same ..,
      ?_, ?_, ?_⟩
    · intro t h0
      refine (State.setThread_ne s.state _ h0).trans ?_
      rw [hst]; exact State.setThread_ne _ _ h0
    · show s.state.alive 0 = true
      rw [hst]; rfl
    · show s.state.mem = _
      rw [hst]; rfl
  obtain ⟨_, A₁⟩ := A₀.body (.check rfl)
  have pop : ∃ s', Alone σ env (.popped 0) { State.initial.mem with
      owner := update State.initial.mem.owner 0 (some 0),
      ready := update State.initial.mem.ready 0 false } s' := by
    cases hf : env.atomicFreelist with
    | true => exact A₁.body (.pop (b := 0) hf rfl)
    | false =>
      obtain ⟨_, A⟩ := A₁.body (.peek (b := 0) hf rfl)
      exact A.body .claim
  obtain ⟨_, A₂⟩ := pop
  obtain ⟨_, A₃⟩ := A₂.body (.publish rfl)
  obtain ⟨s', A₄⟩ := A₃.body (.init rfl)
  have r := A₄.reachable.step (.other (.release A₄.here) (fun _ h => Label.noConfusion h)
    (fun _ h => Label.noConfusion h))
  have nobody : ∀ t, (s'.state.setThread 0 none).threads t = none := by
    intro t
    by_cases h0 : t = 0
    · subst h0; exact State.setThread_same ..
    · exact (State.setThread_ne _ _ h0).trans (A₄.idle t h0)
  refine ⟨_, ⟨r, fun t => Or.inl (nobody t), fun _ h => (by cases h),
    fun t _ => nobody t, A₄.alive⟩, ?_⟩
  show s'.state.mem.impl 0 ≠ _
  rw [A₄.mem]
  exact fun h => (by cases (show some 0 = none from h))

/-- A call that cannot take all its locks alone comes to one that it holds already. -/
theorem wait_of_not_takes : ∀ {l h : List Request}, ¬ Takes k h l →
    ∃ a r rs, l = a ++ r :: rs ∧ Takes k h a ∧ ∃ q ∈ h ++ a, Clash k q k r
  | [], _, hn => absurd trivial hn
  | r :: rs, h, hn => by
    by_cases hr : ∀ q ∈ h, ¬ Clash k q k r
    · obtain ⟨a, r', rs', he, ht, q, hq, hc⟩ := wait_of_not_takes (fun h' => hn ⟨hr, h'⟩)
      refine ⟨r :: a, r', rs', by rw [he]; rfl, ⟨hr, ht⟩, q, ?_, hc⟩
      rw [List.append_assoc] at hq
      exact hq
    · refine ⟨[], r, rs, rfl, trivial, ?_⟩
      apply Classical.byContradiction
      intro hne
      refine hr (fun q hq hc => hne ⟨q, ?_, hc⟩)
      rw [List.append_nil]; exact hq

/-- **A cycle of compatible waits for holders is a deadlock**, however many locks the calls take, if
encoders are shared and `createReturns` is not assumed. `Compatible`
says that no further lock that two of them hold (a *gate*) keeps them from getting there together;
`Takes`, that none of them waits for itself before it gets there. -/
theorem deadlock_of_cycle (hs : env.sharedEncoders = true) (hcr : ¬ env.createReturns = true)
    {M : List Wait} (hM : M ≠ [])
    (hw : ∀ x ∈ M, x ∈ σ.waits env ∧ Takes x.kind [] x.held) (hp : M.Pairwise Wait.Compatible)
    (hc : ∀ x ∈ M, ∃ y ∈ M, ∃ r ∈ y.held, Clash y.kind r x.kind x.wanted) {p : LockPolicy} :
    ¬ DeadlockFree p env σ := by
  intro h
  by_cases ht : Takes .create [] (σ.requestsIn env .create)
  · obtain ⟨s₀, h₀, hi⟩ := arranged_live ht
    obtain ⟨s, A, _⟩ := arrange hs hcr h₀ (fun x hx => ⟨(hw x hx).1, (hw x hx).2, fun _ => hi⟩) hp
    exact h .together s A.reachable (A.deadlocked hM hc)
  · obtain ⟨a, r, rs, he, ht, q, hq, hcl⟩ := wait_of_not_takes ht
    obtain ⟨s, A, _⟩ := arrange (M := [⟨.create, a, r⟩]) hs hcr Arranged.initial (by
      intro x hx
      have := List.mem_singleton.mp hx
      subst this
      exact ⟨LockScheme.mem_waits rfl he.symm, ht, fun h => absurd rfl h⟩)
      (List.pairwise_cons.mpr ⟨fun _ h => (by cases h), List.Pairwise.nil⟩)
    refine h .together s A.reachable (A.deadlocked (fun h => by cases h) ?_)
    intro x hx
    have := List.mem_singleton.mp hx
    subst this
    exact ⟨_, List.mem_cons_self, q, hq, hcl⟩

/-! ## Two locks per call -/

/-- A wait at `y` keeps lock `L` from being taken in mode `m`. -/
def Wait.Keeps (y : Wait) (L : Lock) (m : Mode) : Prop :=
  ∃ r ∈ y.held, r.scope.common y.kind = L ∧ r.mode.excludes m = true

theorem pairwise_filter {α : Type} {R : α → α → Prop} {p : α → Bool} : ∀ {xs : List α},
    xs.Pairwise R → (xs.filter p).Pairwise R
  | [], _ => List.Pairwise.nil
  | x :: xs, h => by
    have ⟨hx, hp⟩ := List.pairwise_cons.mp h
    cases hpx : p x with
    | true =>
      rw [List.filter_cons_of_pos hpx]
      exact List.pairwise_cons.mpr ⟨fun y hy => hx y (List.mem_filter.mp hy).1, pairwise_filter hp⟩
    | false =>
      rw [List.filter_cons_of_neg (by rw [hpx]; exact fun h => by cases h)]
      exact pairwise_filter hp

/-- Of waits that hold at most one lock each, compatible ones can be chosen that keep away whatever
all of them keep away. -/
theorem choose_compatible : ∀ {N : List Wait}, (∀ x ∈ N, x.held = [] ∨ ∃ r, x.held = [r]) →
    ∃ M : List Wait, (∀ x ∈ M, x ∈ N) ∧ M.Pairwise Wait.Compatible ∧
      ∀ L m, (∃ y ∈ N, y.Keeps L m) → ∃ y ∈ M, y.Keeps L m
  | [], _ => ⟨[], fun _ h => h, List.Pairwise.nil, fun _ _ h => h⟩
  | x :: N, hN => by
    obtain ⟨M, hsub, hp, hd⟩ := choose_compatible (N := N) fun y hy =>
      hN y (List.mem_cons_of_mem _ hy)
    by_cases hx : ∀ y ∈ M, x.Compatible y
    · refine ⟨x :: M, ?_, List.pairwise_cons.mpr ⟨hx, hp⟩, ?_⟩
      · intro y hy
        rcases List.mem_cons.mp hy with hy | hy
        · subst hy; exact List.mem_cons_self
        · exact List.mem_cons_of_mem _ (hsub y hy)
      · intro L m ⟨y, hy, hk⟩
        rcases List.mem_cons.mp hy with hy | hy
        · subst hy; exact ⟨y, List.mem_cons_self, hk⟩
        · obtain ⟨z, hz, hzk⟩ := hd L m ⟨y, hy, hk⟩
          exact ⟨z, List.mem_cons_of_mem _ hz, hzk⟩
    · have ⟨y, hy, r, hr, q, hq, hc⟩ : ∃ y ∈ M, ∃ r ∈ x.held, ∃ q ∈ y.held,
          Clash x.kind r y.kind q := by
        apply Classical.byContradiction
        exact fun hn => hx fun y hy r hr q hq hc => hn ⟨y, hy, r, hr, q, hq, hc⟩
      have hxr : x.held = [r] := by
        rcases hN x List.mem_cons_self with h | ⟨r', h⟩
        · rw [h] at hr; cases hr
        · rw [h] at hr ⊢; rw [List.mem_singleton.mp hr]
      cases hqm : q.mode with
      | exclusive =>
        -- `y` keeps away all that `x` does.
        refine ⟨M, fun z hz => List.mem_cons_of_mem _ (hsub z hz), hp, ?_⟩
        intro L m ⟨z, hz, hk⟩
        rcases List.mem_cons.mp hz with hz | hz
        · subst hz
          obtain ⟨r', hr', hL, _⟩ := hk
          rw [hxr] at hr'
          have := List.mem_singleton.mp hr'
          subst this
          exact ⟨y, hy, q, hq, hc.1.symm.trans hL, by rw [hqm]; cases m <;> rfl⟩
        · exact hd L m ⟨z, hz, hk⟩
      | shared =>
        -- `x` keeps away all that those that share the lock do.
        have hrm : r.mode = .exclusive := by
          cases hm : r.mode with
          | exclusive => rfl
          | shared => have := hc.2; rw [hm, hqm] at this; cases this
        let p : Wait → Bool := fun z => !z.held.any fun q' =>
          decide (q'.scope.common z.kind = r.scope.common x.kind)
        refine ⟨x :: M.filter p, ?_, List.pairwise_cons.mpr ⟨?_, pairwise_filter hp⟩, ?_⟩
        · intro z hz
          rcases List.mem_cons.mp hz with hz | hz
          · subst hz; exact List.mem_cons_self
          · exact List.mem_cons_of_mem _ (hsub z (List.mem_filter.mp hz).1)
        · intro z hz r' hr' q' hq' hc'
          rw [hxr] at hr'
          have := List.mem_singleton.mp hr'
          subst this
          have hpz := (List.mem_filter.mp hz).2
          simp only [p, Bool.not_eq_true'] at hpz
          have : (z.held.any fun q' => decide
              (q'.scope.common z.kind = r'.scope.common x.kind)) = true :=
            List.any_eq_true.mpr ⟨q', hq', decide_eq_true hc'.1.symm⟩
          rw [hpz] at this
          cases this
        · intro L m h
          have hM : (∃ z ∈ M, z.Keeps L m) ∨ x.Keeps L m := by
            obtain ⟨z, hz, hk⟩ := h
            rcases List.mem_cons.mp hz with hz | hz
            · subst hz; exact Or.inr hk
            · exact Or.inl (hd L m ⟨z, hz, hk⟩)
          rcases hM with ⟨z, hz, q', hq', hL, hm⟩ | hk
          · cases hpz : p z with
            | true =>
              exact ⟨z, List.mem_cons_of_mem _ (List.mem_filter.mpr ⟨hz, hpz⟩), q', hq', hL, hm⟩
            | false =>
              simp only [p, Bool.not_eq_false', List.any_eq_true, decide_eq_true_eq] at hpz
              obtain ⟨q₂, hq₂, he⟩ := hpz
              have : q₂ = q' := by
                rcases hN z (List.mem_cons_of_mem _ (hsub z hz)) with h | ⟨w, h⟩
                · rw [h] at hq'; cases hq'
                · rw [h] at hq' hq₂
                  exact (List.mem_singleton.mp hq₂).trans (List.mem_singleton.mp hq').symm
              subst this
              refine ⟨x, List.mem_cons_self, r, hr, he.symm.trans hL, ?_⟩
              rw [hrm]; cases m <;> rfl
          · exact ⟨x, List.mem_cons_self, hk⟩

/-- With at most two locks per call, a thread that waits for its second lock holds one; one that
waits for its first holds none. -/
theorem LockScheme.held_of_atMostTwo (h : σ.atMostTwo env = true) {x : Wait}
    (hx : x ∈ σ.waits env) :
    x.held = [] ∨ ∃ r, x.held = [r] := by
  obtain ⟨_, rs, he⟩ := LockScheme.of_mem_waits hx
  have hl := of_decide_eq_true (List.all_eq_true.mp h x.kind (mem_allKinds _))
  rw [← he, List.length_append] at hl
  cases hh : x.held with
  | nil => exact Or.inl rfl
  | cons r as =>
    cases as with
    | nil => exact Or.inr ⟨r, rfl⟩
    | cons q bs =>
      rw [hh] at hl
      have hl : bs.length + 1 + 1 + (rs.length + 1) ≤ 2 := hl
      rw [← Nat.add_assoc] at hl
      have := Nat.le_of_succ_le_succ (Nat.le_of_succ_le_succ
        (Nat.le_trans (Nat.succ_le_succ (Nat.le_add_right _ _)) hl))
      cases this

/-- With at most two locks per call, a knot of waits for holders is a deadlock, if encoders are
shared and `createReturns` is not assumed. -/
theorem not_deadlock_free_of_knot (hs : env.sharedEncoders = true)
    (hcr : ¬ env.createReturns = true) (h2 : σ.atMostTwo env = true)
    (hk : orderable .readersPass env σ = false) {p : LockPolicy} : ¬ DeadlockFree p env σ := by
  have hne : σ.knot .readersPass env ≠ [] := fun h => by rw [orderable_iff.mpr h] at hk; cases hk
  have held := fun x (hx : x ∈ σ.knot .readersPass env) =>
    LockScheme.held_of_atMostTwo h2 (LockScheme.knot_subset hx)
  obtain ⟨M, hsub, hp, hd⟩ := choose_compatible held
  have next : ∀ x ∈ σ.knot .readersPass env,
      ∃ y ∈ M, ∃ r ∈ y.held, Clash y.kind r x.kind x.wanted := by
    intro x hx
    obtain ⟨y, hy, ho⟩ := LockScheme.on_knot hx
    simp only [Wait.on, Wait.wants, List.any_eq_true, Bool.and_eq_true, Bool.or_eq_true,
      decide_eq_true_eq] at ho
    rcases ho with ⟨r, hr, ⟨hl, _⟩, hm⟩ | ⟨⟨⟨hp, _⟩, _⟩, _⟩
    case inr => cases hp
    exact hd _ _ ⟨y, hy, r, hr, hl, hm⟩
  refine deadlock_of_cycle hs hcr (M := M) ?_ ?_ hp (fun x hx => next x (hsub x hx))
  · intro h
    cases hkn : σ.knot .readersPass env with
    | nil => exact hne hkn
    | cons x _ =>
      obtain ⟨y, hy, _⟩ := next x (by rw [hkn]; exact List.mem_cons_self)
      rw [h] at hy
      cases hy
  · intro x hx
    refine ⟨LockScheme.knot_subset (hsub x hx), ?_⟩
    rcases held x (hsub x hx) with h | ⟨r, h⟩
    · rw [h]; exact trivial
    · rw [h]; exact ⟨fun _ h => (by cases h), trivial⟩

end MPSVerify
