import MPSVerify.Thm.Deadlock.Order

/-!
# How to reach a deadlock

All threads use encoder 0, in the client that shares all it can. Any waits whose held locks do not
exclude each other can be reached, one thread after the other.
-/

namespace MPSVerify

variable {σ : LockScheme} {env : Env} {s : SeqState} {k k' : Kind}

/-- Request `r` of a call of kind `k` and `q` of one of kind `k'` exclude each other when everybody
uses encoder 0. -/
def Clash (k : Kind) (r : Request) (k' : Kind) (q : Request) : Prop :=
  r.scope.common k = q.scope.common k' ∧ r.mode.excludes q.mode = true

/-- A call of kind `k` that holds `held` can take `left` without waiting for itself. -/
def Takes (k : Kind) (held : List Request) : (left : List Request) → Prop
  | [] => True
  | r :: rs => (∀ q ∈ held, ¬ Clash k q k r) ∧ Takes k (held ++ [r]) rs

instance (k k' : Kind) (r q : Request) : Decidable (Clash k r k' q) :=
  inferInstanceAs (Decidable (r.scope.common k = q.scope.common k' ∧ r.mode.excludes q.mode = true))

instance decidableTakes (k : Kind) : ∀ left held : List Request, Decidable (Takes k held left)
  | [], _ => isTrue trivial
  | r :: rs, held =>
    have := decidableTakes k rs (held ++ [r])
    inferInstanceAs (Decidable ((∀ q ∈ held, ¬ Clash k q k r) ∧ Takes k (held ++ [r]) rs))

/-- What two calls hold does not exclude each other. -/
def Wait.Compatible (x y : Wait) : Prop :=
  ∀ r ∈ x.held, ∀ q ∈ y.held, ¬ Clash x.kind r y.kind q

theorem Clash.symm {r q : Request} (h : Clash k r k' q) : Clash k' q k r :=
  ⟨h.1.symm, Mode.excludes_symm h.2⟩

theorem Scope.lock_together (p : Scope) (t : Thread) :
    p.lock .together ⟨t, k, 0⟩ = p.common k := by cases p <;> rfl

/-- A thread takes its next locks, if nobody withholds them. -/
theorem SeqReachable.takes {t : Thread} {l : List Request} :
    ∀ {b a : List Request} {s : SeqState}, SeqReachable σ env .together s →
    s.state.threads t = some ⟨k, 0, .dispatched⟩ → s.locks t = ⟨a, b ++ l⟩ → Takes k a b →
    (∀ u y, u ≠ t → s.state.threads u = some y → y.encoder = 0 ∧
      ∀ q ∈ (s.locks u).taken, ∀ r ∈ b, ¬ Clash y.kind q k r) →
    ∃ s', SeqReachable σ env .together s' ∧ s'.state = s.state ∧ s'.locks t = ⟨a ++ b, l⟩ ∧
      ∀ u, u ≠ t → s'.locks u = s.locks u
  | [], a, s, hr, _, hl, _, _ => ⟨s, hr, rfl, by rw [hl, List.append_nil]; rfl, fun _ _ => rfl⟩
  | r :: b, a, s, hr, ht, hl, hs, ho => by
    have h1 := hr.step (.take (r := r) (rs := b ++ l) ht (by rw [hl]; rfl) (by
      intro u ⟨y, q, hy, hq, hlock, hm⟩
      rw [Scope.lock_together] at hlock
      by_cases hut : u = t
      · subst hut
        rw [ht] at hy
        cases hy
        rw [hl] at hq
        exact hs.1 q hq ⟨(Scope.lock_together q.scope u).symm.trans hlock, hm⟩
      · have ⟨he, hc⟩ := ho u y hut hy
        refine hc q hq r List.mem_cons_self ⟨?_, hm⟩
        rw [show y.op u = ⟨u, y.kind, 0⟩ by rw [← he]; rfl, Scope.lock_together] at hlock
        exact hlock))
    have hlocks : update s.locks t ⟨(s.locks t).taken ++ [r], b ++ l⟩ t = ⟨a ++ [r], b ++ l⟩ := by
      rw [update_same, hl]
    obtain ⟨s', hr', hst, hl', hu'⟩ := h1.takes ht hlocks hs.2 (by
      intro u y hut hy
      have ⟨he, hc⟩ := ho u y hut hy
      refine ⟨he, fun q hq r' hr' => hc q ?_ r' (List.mem_cons_of_mem _ hr')⟩
      have hq : q ∈ (update s.locks t _ u).taken := hq
      rw [update_ne _ _ hut] at hq
      exact hq)
    refine ⟨s', hr', hst, ?_, fun u hut => (hu' u hut).trans (update_ne _ _ hut)⟩
    rw [hl', List.append_assoc]; rfl

/-- Thread `t` is at wait `x` on encoder 0. -/
def SeqState.At (s : SeqState) (t : Thread) (x : Wait) : Prop :=
  s.state.threads t = some ⟨x.kind, 0, .dispatched⟩ ∧ ∃ rs, s.locks t = ⟨x.held, x.wanted :: rs⟩

/-- Every wait of the list has a thread, and nobody else is busy. -/
structure Arranged (σ : LockScheme) (env : Env) (M : List Wait) (s : SeqState) : Prop where
  reachable : SeqReachable σ env .together s
  busy : ∀ t, s.state.threads t = none ∨ ∃ x ∈ M, s.At t x
  all : ∀ x ∈ M, ∃ t, s.At t x
  idle : ∀ t, M.length ≤ t → s.state.threads t = none
  alive : s.state.alive 0 = true

/-- **Compatible waits can be reached**, from a state in which nobody is busy, if encoders are
shared and `createReturns` is not assumed. -/
theorem arrange (hs : env.sharedEncoders = true) (hcr : ¬ env.createReturns = true) {s₀ : SeqState}
    (h₀ : Arranged σ env [] s₀) : ∀ {M : List Wait},
    (∀ x ∈ M, x ∈ σ.waits env ∧ Takes x.kind [] x.held ∧
      (x.kind ≠ .create → s₀.state.mem.impl 0 ≠ none)) →
    M.Pairwise Wait.Compatible →
    ∃ s, Arranged σ env M s ∧ s.state.mem = s₀.state.mem
  | [], _, _ => ⟨s₀, h₀, rfl⟩
  | x :: M, hM, hp => by
    have ⟨hx, hp⟩ := List.pairwise_cons.mp hp
    obtain ⟨s, A, hm⟩ := arrange hs hcr h₀ (fun y hy => hM y (List.mem_cons_of_mem _ hy)) hp
    obtain ⟨hw, htk, hd⟩ := hM x List.mem_cons_self
    obtain ⟨hh, rs, hrs⟩ := LockScheme.of_mem_waits hw
    have hidle := A.idle M.length (Nat.le_refl _)
    have r1 := A.reachable.step (.dispatch (o := ⟨M.length, x.kind, 0⟩) (.dispatch hidle A.alive
      (Env.allows_of_happens hh (Or.inl hs)) ⟨fun hk => by rw [hm]; exact hd hk,
        fun hc => absurd hc hcr, fun _ _ _ _ => Env.beside_of_not hcr⟩))
    have ht : (s.state.setThread M.length (some ⟨x.kind, 0, .dispatched⟩)).threads M.length =
        some ⟨x.kind, 0, .dispatched⟩ := State.setThread_same ..
    have hl : update s.locks M.length ⟨[], σ.requestsIn env x.kind⟩ M.length =
        ⟨[], x.held ++ x.wanted :: rs⟩ := by rw [update_same, hrs]
    obtain ⟨s', hr', hst, hl', hu'⟩ := r1.takes ht hl htk (by
      intro u y hut hy
      have hy : s.state.threads u = some y := (State.setThread_ne _ _ hut).symm.trans hy
      rcases A.busy u with hb | ⟨z, hz, hzt, zs, hzl⟩
      · rw [hb] at hy; cases hy
      · rw [hzt] at hy
        cases hy
        refine ⟨rfl, fun q hq r hr hcl => hx z hz r hr q ?_ hcl.symm⟩
        have hq : q ∈ (update s.locks M.length _ u).taken := hq
        rw [update_ne _ _ hut, hzl] at hq
        exact hq)
    have keep : ∀ u z, u ≠ M.length → s.At u z → s'.At u z := by
      intro u z hut ⟨hz, zs, hzl⟩
      refine ⟨?_, zs, ?_⟩
      · rw [hst]; exact (State.setThread_ne _ _ hut).trans hz
      · rw [hu' u hut]; exact (update_ne _ _ hut).trans hzl
    have new : s'.At M.length x := ⟨by rw [hst]; exact ht, rs, hl'⟩
    have other : ∀ u, u ≠ M.length → s'.state.threads u = s.state.threads u := by
      intro u hut; rw [hst]; exact State.setThread_ne _ _ hut
    refine ⟨s', ⟨hr', ?_, ?_, ?_, by rw [hst]; exact A.alive⟩, by rw [hst]; exact hm⟩
    · intro u
      by_cases hut : u = M.length
      · subst hut; exact Or.inr ⟨x, List.mem_cons_self, new⟩
      · rcases A.busy u with hb | ⟨z, hz, hzu⟩
        · exact Or.inl ((other u hut).trans hb)
        · exact Or.inr ⟨z, List.mem_cons_of_mem _ hz, keep u z hut hzu⟩
    · intro z hz
      rcases List.mem_cons.mp hz with hz | hz
      · subst hz; exact ⟨_, new⟩
      · obtain ⟨u, hu⟩ := A.all z hz
        refine ⟨u, keep u z ?_ hu⟩
        intro h; subst h
        have := hidle.symm.trans hu.1
        cases this
    · intro u hu
      have hut : u ≠ M.length := fun h => by
        subst h; exact Nat.not_succ_le_self _ hu
      exact (other u hut).trans (A.idle u (Nat.le_of_succ_le hu))

/-- Waits each of which is on one of them are a deadlock. -/
theorem Arranged.deadlocked {M : List Wait} (A : Arranged σ env M s) (hM : M ≠ [])
    (hc : ∀ x ∈ M, ∃ y ∈ M, ∃ r ∈ y.held, Clash y.kind r x.kind x.wanted) {p : LockPolicy} :
    s.Deadlocked p .together := by
  refine ⟨fun t => ∃ x ∈ M, s.At t x, ?_, ?_⟩
  · cases M with
    | nil => exact absurd rfl hM
    | cons x M =>
      obtain ⟨t, ht⟩ := A.all x List.mem_cons_self
      exact ⟨t, x, List.mem_cons_self, ht⟩
  · intro t ⟨x, hx, ht, rs, hl⟩
    refine ⟨x.kind, 0, x.wanted, rs, ht, by rw [hl], ?_⟩
    obtain ⟨y, hy, r, hr, hcl⟩ := hc x hx
    obtain ⟨u, hu, us, hul⟩ := A.all y hy
    refine ⟨u, ⟨y, hy, hu, us, hul⟩, Or.inl ⟨_, r, hu, by rw [hul]; exact hr, ?_, hcl.2⟩⟩
    rw [show Busy.op u ⟨y.kind, 0, .dispatched⟩ = ⟨u, y.kind, 0⟩ from rfl, Scope.lock_together,
      Scope.lock_together]
    exact hcl.1

/-- Nobody is busy at first. -/
theorem Arranged.initial : Arranged σ env [] .initial :=
  ⟨.initial, fun _ => Or.inl rfl, fun _ h => (by cases h), fun _ _ => rfl, rfl⟩

end MPSVerify
