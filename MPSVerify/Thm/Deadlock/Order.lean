import MPSVerify.Thm.Deadlock.Refinement

/-!
# Locks that can be ordered under their policy do not deadlock

Every thread of a deadlock is at one of the finitely many waits of the scheme, and waits for one
that is at such a wait too: pruning leaves all of these.
-/

namespace MPSVerify

variable {p : LockPolicy} {σ : LockScheme} {env : Env} {c : Client} {s s' : SeqState} {k k' : Kind}

/-! ## The waits of a scheme -/

theorem mem_waitsFrom {r : Request} {rs : List Request} :
    ∀ {a h : List Request}, ⟨k, h ++ a, r⟩ ∈ waitsFrom k h (a ++ r :: rs)
  | [], h => by rw [List.append_nil]; exact List.mem_cons_self
  | q :: a, h => by
    have := mem_waitsFrom (r := r) (rs := rs) (a := a) (h := h ++ [q])
    rw [List.append_assoc] at this
    exact List.mem_cons_of_mem _ this

theorem of_mem_waitsFrom {x : Wait} : ∀ {l h : List Request}, x ∈ waitsFrom k h l →
    x.kind = k ∧ ∃ rs, h ++ l = x.held ++ x.wanted :: rs
  | [], _, hx => by cases hx
  | r :: rs, h, hx => by
    rcases List.mem_cons.mp hx with hx | hx
    · subst hx; exact ⟨rfl, rs, rfl⟩
    · have ⟨hk, rs', he⟩ := of_mem_waitsFrom hx
      refine ⟨hk, rs', ?_⟩
      rw [← he, List.append_assoc]; rfl

theorem LockScheme.mem_waits {held : List Request} {r : Request} {rs : List Request}
    (hk : env.happens k = true) (h : held ++ r :: rs = σ.requestsIn env k) :
    ⟨k, held, r⟩ ∈ σ.waits env := by
  refine List.mem_flatMap.mpr ⟨k, List.mem_filter.mpr ⟨mem_allKinds k, hk⟩, ?_⟩
  rw [← h]
  exact mem_waitsFrom (h := [])

theorem LockScheme.of_mem_waits {x : Wait} (h : x ∈ σ.waits env) :
    env.happens x.kind = true ∧ ∃ rs, x.held ++ x.wanted :: rs = σ.requestsIn env x.kind := by
  obtain ⟨k, hk, hx⟩ := List.mem_flatMap.mp h
  obtain ⟨rfl, rs, he⟩ := of_mem_waitsFrom hx
  exact ⟨(List.mem_filter.mp hk).2, rs, he.symm⟩

/-! ## Pruning -/

theorem mem_pruneWaits {x : Wait} {xs : List Wait} :
    x ∈ pruneWaits p env xs ↔ x ∈ xs ∧ ∃ y ∈ xs, x.on p env y = true := by
  simp only [pruneWaits, List.mem_filter, List.any_eq_true]

/-- Waits that are all for one of them are never pruned. -/
theorem mem_knotAfter {P : Wait → Prop} : ∀ {n : Nat} {xs : List Wait},
    (∀ x, P x → x ∈ xs) → (∀ x, P x → ∃ y, P y ∧ x.on p env y = true) →
    ∀ x, P x → x ∈ knotAfter p env n xs
  | 0, _, h, _, x, hx => h x hx
  | _ + 1, _, h, hc, x, hx =>
    mem_knotAfter (fun x hx => mem_pruneWaits.mpr
      ⟨h x hx, let ⟨y, hy, ho⟩ := hc x hx; ⟨y, h y hy, ho⟩⟩) hc x hx

theorem knotAfter_subset {x : Wait} : ∀ {n : Nat} {xs : List Wait},
    x ∈ knotAfter p env n xs → x ∈ xs
  | 0, _, h => h
  | _ + 1, _, h => (mem_pruneWaits.mp (knotAfter_subset h)).1

theorem filter_eq_or_shorter {α : Type} (p : α → Bool) : ∀ xs : List α,
    xs.filter p = xs ∨ (xs.filter p).length < xs.length
  | [] => Or.inl rfl
  | x :: xs => by
    cases hp : p x with
    | true =>
      rw [List.filter_cons_of_pos hp]
      rcases filter_eq_or_shorter p xs with h | h
      · exact Or.inl (by rw [h])
      · exact Or.inr (Nat.succ_lt_succ h)
    | false =>
      rw [List.filter_cons_of_neg (by rw [hp]; exact fun h => by cases h)]
      refine Or.inr ?_
      rcases filter_eq_or_shorter p xs with h | h
      · rw [h]; exact Nat.lt_succ_self _
      · exact Nat.lt_trans h (Nat.lt_succ_self _)

theorem knotAfter_of_fixed {xs : List Wait} (h : pruneWaits p env xs = xs) :
    ∀ n, knotAfter p env n xs = xs
  | 0 => rfl
  | n + 1 => by
    show knotAfter p env n (pruneWaits p env xs) = xs
    rw [h]; exact knotAfter_of_fixed h n

/-- Pruning as often as there are waits is enough. -/
theorem pruneWaits_knotAfter : ∀ {n : Nat} {xs : List Wait}, xs.length ≤ n →
    pruneWaits p env (knotAfter p env n xs) = knotAfter p env n xs
  | 0, xs, h => by
    have : xs = [] := List.eq_nil_of_length_eq_zero (Nat.eq_zero_of_le_zero h)
    subst this; rfl
  | n + 1, xs, h => by
    rcases filter_eq_or_shorter (fun x => xs.any (x.on p env)) xs with hf | hf
    · have hf : pruneWaits p env xs = xs := hf
      rw [knotAfter_of_fixed hf, hf]
    · exact pruneWaits_knotAfter (n := n) (xs := pruneWaits p env xs)
        (Nat.le_of_lt_succ (Nat.lt_of_lt_of_le hf h))

/-- Each wait of the knot is for one of them. -/
theorem LockScheme.on_knot {x : Wait} (h : x ∈ σ.knot p env) :
    ∃ y ∈ σ.knot p env, x.on p env y = true := by
  have hp : pruneWaits p env (σ.knot p env) = σ.knot p env := pruneWaits_knotAfter (Nat.le_refl _)
  rw [← hp] at h
  exact (mem_pruneWaits.mp h).2

theorem LockScheme.knot_subset {x : Wait} (h : x ∈ σ.knot p env) : x ∈ σ.waits env :=
  knotAfter_subset h

theorem orderable_iff : orderable p env σ = true ↔ σ.knot p env = [] := by
  simp only [orderable]
  cases σ.knot p env with
  | nil => exact ⟨fun _ => rfl, fun _ => rfl⟩
  | cons x xs => exact ⟨fun h => (by cases h), fun h => (by cases h)⟩

/-! ## From states to waits -/

/-- Two requests that name one lock in some client name one when everybody uses encoder 0. -/
theorem Scope.common_of_lock {p q : Scope} {t u : Thread} {e e' : Encoder}
    (h : p.lock c ⟨t, k, e⟩ = q.lock c ⟨u, k', e'⟩) : p.common k = q.common k' := by
  cases p <;> cases q <;> first | rfl | (cases h; done) | skip
  exact h

/-- Requests of two threads that name one lock: the call at the one's wait wants it. -/
theorem Disciplined.wants (D' : Disciplined (σ.config env c) s.state)
    {t u : Thread} {e e' : Encoder} {q r : Request} {held : List Request}
    (ht : s.state.threads t = some ⟨k, e, .dispatched⟩)
    (hu : s.state.threads u = some ⟨k', e', .dispatched⟩)
    (hl : q.scope.lock c ⟨u, k', e'⟩ = r.scope.lock c ⟨t, k, e⟩) :
    Wait.wants env ⟨k, held, r⟩ k' q = true := by
  simp only [Wait.wants, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq]
  refine ⟨Scope.common_of_lock hl, ?_⟩
  by_cases hs : q.scope = .encoder
  · by_cases htu : t = u
    · subst htu
      rw [hu] at ht
      cases ht
      exact Or.inl (Or.inr rfl)
    · have he : e = e' := by
        rw [hs] at hl
        cases hr : r.scope <;> rw [hr] at hl <;> cases hl
        rfl
      subst he
      exact Or.inr (Env.meet_of_allows htu (D'.beside t u _ _ htu ht hu rfl) (D'.allowed t _ ht)
        (D'.allowed u _ hu))
  · exact Or.inl (Or.inl hs)

/-- A thread that waits for another one is at a wait that is on the other one's. -/
theorem Disciplined.on (D' : Disciplined (σ.config env c) s.state)
    {t u : Thread} {e e' : Encoder} {r r' : Request} {rs : List Request}
    (ht : s.state.threads t = some ⟨k, e, .dispatched⟩)
    (hu : s.state.threads u = some ⟨k', e', .dispatched⟩)
    (hl : (s.locks u).left = r' :: rs) (hw : s.Keeps p c u ⟨t, k, e⟩ r) :
    Wait.on p env ⟨k, (s.locks t).taken, r⟩ ⟨k', (s.locks u).taken, r'⟩ = true := by
  simp only [Wait.on, List.any_eq_true, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq]
  rcases hw with ⟨x, q, hx, hq, hlock, hm⟩ | ⟨hp, hs, k₁, e₁, q, qs, hu₁, hl₁, hlock, hm⟩
  · rw [hu] at hx
    cases hx
    exact Or.inl ⟨q, hq, D'.wants ht hu hlock, hm⟩
  · rw [hu] at hu₁
    cases hu₁
    rw [hl] at hl₁
    cases hl₁
    exact Or.inr ⟨⟨⟨hp, hs⟩, hm⟩, D'.wants ht hu hlock⟩

/-- **Locks that can be ordered under a policy do not deadlock with it**: for every client, any
number of locks per call and every environment. -/
theorem deadlock_free_of_orderable (h : orderable p env σ = true) : DeadlockFree p env σ := by
  intro c s hr ⟨S, ⟨t₀, h₀⟩, hS⟩
  have D := hr.disciplined
  have D' := hr.refines.disciplined
  let P : Wait → Prop := fun x => ∃ t e rs, S t ∧
    s.state.threads t = some ⟨x.kind, e, .dispatched⟩ ∧ x.held = (s.locks t).taken ∧
    (s.locks t).left = x.wanted :: rs
  have start : ∀ t, S t → ∃ x, P x := fun t ht =>
    let ⟨k, e, r, rs, hk, hl, _⟩ := hS t ht
    ⟨⟨k, (s.locks t).taken, r⟩, t, e, rs, ht, hk, rfl, hl⟩
  have inside : ∀ x, P x → x ∈ σ.waits env := by
    intro ⟨k, held, r⟩ ⟨t, e, rs, _, hk, hh, hl⟩
    refine LockScheme.mem_waits (D'.allowed t _ hk).happens (rs := rs) ?_
    have := D.split t _ hk
    rw [hl] at this
    rw [show held = (s.locks t).taken from hh]
    exact this
  have closed : ∀ x, P x → ∃ y, P y ∧ x.on p env y = true := by
    intro ⟨k, held, r⟩ ⟨t, e, rs, ht, hk, hh, hl⟩
    obtain ⟨k₁, e₁, r₁, rs₁, hk₁, hl₁, u, hu, hw⟩ := hS t ht
    obtain ⟨k₂, e₂, r₂, rs₂, hk₂, hl₂, _⟩ := hS u hu
    rw [hk] at hk₁
    cases hk₁
    rw [hl] at hl₁
    cases hl₁
    have hh : held = (s.locks t).taken := hh
    subst hh
    exact ⟨⟨k₂, (s.locks u).taken, r₂⟩, ⟨u, e₂, rs₂, hu, hk₂, rfl, hl₂⟩, D'.on hk hk₂ hl₂ hw⟩
  obtain ⟨x, hx⟩ := start t₀ h₀
  have hm : x ∈ σ.knot p env := mem_knotAfter inside closed x hx
  rw [orderable_iff.mp h] at hm
  cases hm

end MPSVerify
