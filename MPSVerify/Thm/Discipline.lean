import MPSVerify.Spec.Step

/-!
# What every reachable state satisfies, whatever the locks

A discipline, here and in all that follows, is what `Config` says: a fixed relation on pairs of
operations. Busy threads do what they are allowed to do; with `callersRetain` their encoders are
alive; two threads past their acquires do not exclude each other in at least one order (the order in
which they came); and with `createReturns` nothing is under way beside a create. Nothing here looks
at the driver's memory.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

theorem update_same {α : Type} (f : Nat → α) (a : Nat) (v : α) : update f a v a = v :=
  ite_eq_left rfl

theorem update_ne {α : Type} (f : Nat → α) {a x : Nat} (v : α) (h : x ≠ a) :
    update f a v x = f x := ite_eq_right h

theorem update_same_ne {α : Type} {f : Nat → α} {a : Nat} {v w : α} (h : v ≠ w) :
    update f a v a ≠ w := by rw [update_same]; exact h

theorem State.setThread_same (s : State) (t : Thread) (b : Option Busy) :
    (s.setThread t b).threads t = b := update_same ..

theorem State.setThread_ne (s : State) {t u : Thread} (b : Option Busy) (h : u ≠ t) :
    (s.setThread t b).threads u = s.threads u := update_ne _ _ h

/-! ## What may be under way on one encoder -/

section Beside

variable {env : Env} {k k' : Kind}

theorem Env.beside_symm (h : env.beside k k' = true) : env.beside k' k = true := by
  simp only [Env.beside, Bool.or_eq_true, Bool.and_eq_true] at h ⊢
  exact h.imp id And.symm

theorem Env.beside_of_not_create (hk : k ≠ .create) (hk' : k' ≠ .create) :
    env.beside k k' = true := by
  simp only [Env.beside, Bool.or_eq_true, Bool.and_eq_true, decide_eq_true_eq]
  exact Or.inr ⟨hk, hk'⟩

/-- Beside a create there is something only without `createReturns`. -/
theorem Env.not_createReturns (h : env.beside .create k = true) : ¬ env.createReturns = true := by
  intro hc
  simp only [Env.beside, hc] at h
  cases h

theorem Env.beside_of_not (h : ¬ env.createReturns = true) : env.beside k k' = true := by
  simp only [Env.beside, Bool.eq_false_of_ne_true h]
  rfl

theorem Kind.not_create_of_tearsDown (h : k.tearsDown = true) : k ≠ .create :=
  fun hk => by rw [hk] at h; cases h

theorem Env.encode_beside_teardown (hk : k.tearsDown = true) : env.beside .encode k = true :=
  beside_of_not_create (fun h => Kind.noConfusion h) (Kind.not_create_of_tearsDown hk)

/-- Where less is asked of the client, what may begin may still begin. -/
theorem State.MayBegin.general {env' : Env} {e : Encoder} (h : s.MayBegin env k e)
    (hc : env'.createReturns = true → env.createReturns = true) : s.MayBegin env' k e := by
  refine ⟨h.used, fun h' => h.made (hc h'), fun u b hu he => ?_⟩
  by_cases h' : env'.createReturns = true
  · have := h.beside u b hu he
    simp only [Env.beside, hc h', h'] at this ⊢
    exact this
  · exact Env.beside_of_not h'

end Beside

/-- The invariant of this file. -/
structure Disciplined (C : Config) (s : State) : Prop where
  allowed : ∀ t x, s.threads t = some x → C.env.Allows C.home (x.op t)
  alive : C.env.callersRetain = true → ∀ t x, s.threads t = some x → s.alive x.encoder = true
  excluded : ∀ t u x y, t ≠ u → s.threads t = some x → s.threads u = some y → x.holds → y.holds →
    ¬ C.blocks (x.op t) (y.op u) ∨ ¬ C.blocks (y.op u) (x.op t)
  beside : ∀ t u x y, t ≠ u → s.threads t = some x → s.threads u = some y →
    x.encoder = y.encoder → C.env.beside x.kind y.kind = true

/-- To move one thread it is enough to look at that thread. -/
theorem Disciplined.setThread (D : Disciplined C s) {t : Thread} {b : Option Busy}
    (ha : ∀ x, b = some x → C.env.Allows C.home (x.op t))
    (hl : C.env.callersRetain = true → ∀ x, b = some x → s.alive x.encoder = true)
    (hx : ∀ x, b = some x → x.holds → ∀ u y, u ≠ t → s.threads u = some y → y.holds →
      ¬ C.blocks (y.op u) (x.op t) ∨ ¬ C.blocks (x.op t) (y.op u))
    (hb : ∀ x, b = some x → ∀ u y, u ≠ t → s.threads u = some y → y.encoder = x.encoder →
      C.env.beside y.kind x.kind = true) :
    Disciplined C (s.setThread t b) := by
  refine ⟨?_, ?_, ?_, ?_⟩
  · intro u x hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact ha x hu
    · rw [State.setThread_ne _ _ h] at hu; exact D.allowed u x hu
  · intro hr u x hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact hl hr x hu
    · rw [State.setThread_ne _ _ h] at hu; exact D.alive hr u x hu
  · intro u v x y huv hu hv hxh hyh
    by_cases h : u = t
    · subst h
      have hvu : v ≠ u := fun h => huv h.symm
      rw [State.setThread_same] at hu
      rw [State.setThread_ne _ _ hvu] at hv
      exact (hx x hu hxh v y hvu hv hyh).symm
    · rw [State.setThread_ne _ _ h] at hu
      by_cases h' : v = t
      · subst h'
        rw [State.setThread_same] at hv
        exact hx y hv hyh u x h hu hxh
      · rw [State.setThread_ne _ _ h'] at hv
        exact D.excluded u v x y huv hu hv hxh hyh
  · intro u v x y huv hu hv he
    by_cases h : u = t
    · subst h
      have hvu : v ≠ u := fun h => huv h.symm
      rw [State.setThread_same] at hu
      rw [State.setThread_ne _ _ hvu] at hv
      exact Env.beside_symm (hb x hu v y hvu hv he.symm)
    · rw [State.setThread_ne _ _ h] at hu
      by_cases h' : v = t
      · subst h'
        rw [State.setThread_same] at hv
        exact hb y hv u x h hu he
      · rw [State.setThread_ne _ _ h'] at hv
        exact D.beside u v x y huv hu hv he

/-- Body steps happen between acquire and release. -/
theorem Body.holds {e k pc m pc' m'} (h : Body C e k pc m pc' m') :
    pc ≠ .dispatched ∧ pc' ≠ .dispatched := by
  cases h <;> exact ⟨fun h => PC.noConfusion h, fun h => PC.noConfusion h⟩

theorem Disciplined.step {l} (D : Disciplined C s) (h : Step C s l s') : Disciplined C s' := by
  cases h with
  | dispatch hi ha hal hd =>
    refine D.setThread ?_ ?_ ?_ ?_
    · intro x hx; cases hx; exact hal
    · intro _ x hx; cases hx; exact ha
    · intro x hx hh; cases hx; exact absurd rfl hh
    · intro x hx u y _ hu he; cases hx; exact hd.beside u y hu he
  | @acquire t k e ht ha hb =>
    refine D.setThread ?_ ?_ ?_ ?_
    · intro x hx; cases hx; exact D.allowed t ⟨k, e, .dispatched⟩ ht
    · intro _ x hx; cases hx; exact ha
    · intro x hx _ u y hut hu hy; cases hx; exact Or.inl (hb u y hut hu hy)
    · intro x hx u y hut hu he
      cases hx
      exact D.beside u t y ⟨k, e, .dispatched⟩ hut hu ht he
  | @body t k e pc pc' m' ht hb =>
    have D' : Disciplined C (s.setThread t (some ⟨k, e, pc'⟩)) := by
      refine D.setThread ?_ ?_ ?_ ?_
      · intro x hx; cases hx; exact D.allowed t ⟨k, e, pc⟩ ht
      · intro hr x hx; cases hx; exact D.alive hr t ⟨k, e, pc⟩ ht
      · intro x hx _ u y hut hu hy
        cases hx
        exact D.excluded u t y ⟨k, e, pc⟩ hut hu ht hy hb.holds.1
      · intro x hx u y hut hu he; cases hx; exact D.beside u t y ⟨k, e, pc⟩ hut hu ht he
    exact ⟨D'.allowed, D'.alive, D'.excluded, D'.beside⟩
  | release ht =>
    refine D.setThread ?_ ?_ ?_ ?_
    · intro x hx; cases hx
    · intro _ x hx; cases hx
    · intro x hx; cases hx
    · intro x hx; cases hx
  | @drop e ha hr =>
    refine ⟨D.allowed, ?_, D.excluded, D.beside⟩
    intro hret t x ht
    have := hr hret t x ht
    show update s.alive e false x.encoder = true
    rw [update_ne _ _ this]
    exact D.alive hret t x ht

theorem Reachable.disciplined (h : Reachable C s) : Disciplined C s := by
  induction h with
  | initial =>
    exact ⟨fun _ _ h => (by cases h), fun _ _ _ h => (by cases h),
      fun _ _ _ _ _ h => (by cases h), fun _ _ _ _ _ h => (by cases h)⟩
  | step _ hs ih => exact ih.step hs

end MPSVerify
