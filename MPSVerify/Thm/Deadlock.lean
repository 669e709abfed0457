import MPSVerify.Thm.Deadlock.Exact
import MPSVerify.Thm.Deadlock.Progress

/-!
# Several locks per call: deadlocks, and the order of the locks

For any number of locks per call, in every environment: locks that can be ordered under their policy
do not deadlock. The converse holds for at most two locks per call when encoders are shared and may
be used before their create has returned. With three and more, a cycle is a deadlock unless a lock
that two of its calls took before (a *gate*) keeps them apart: `deadlock_of_cycle` is about a given
cycle, `deadlock_free_of_gate` about the global lock as a gate. The converse is about locks that let
a reader pass a waiting writer.
-/

namespace MPSVerify

variable {p : LockPolicy} {σ : LockScheme} {env : Env} {c : Client} {s s' : SeqState}

/-- **Deadlock-free if and only if the locks can be ordered**, for at most two locks per call, taken
one after the other, readers that pass waiting writers, encoders that are shared and may be used
before their create has returned, and any number of threads. -/
theorem deadlock_free_iff_orderable (hs : env.sharedEncoders = true)
    (hcr : env.createReturns = false) (h2 : σ.atMostTwo env = true) :
    DeadlockFree .readersPass env σ ↔ orderable .readersPass env σ = true := by
  have hcr : ¬ env.createReturns = true := by rw [hcr]; exact fun h => by cases h
  refine ⟨fun h => ?_, deadlock_free_of_orderable⟩
  cases ho : orderable .readersPass env σ with
  | true => rfl
  | false => exact absurd h (not_deadlock_free_of_knot hs hcr h2 ho)

/-- If readers pass, only holders keep anybody. -/
theorem SeqState.Keeps.of_readersPass {u : Thread} {o : Op} {q : Request}
    (h : s.Keeps .readersPass c u o q) : s.Withholds c u o q :=
  h.elim id fun h => (by cases h.1)

/-- What is a deadlock if readers pass is one if they wait. -/
theorem SeqState.Deadlocked.wait (h : s.Deadlocked .readersPass c) : s.Deadlocked p c :=
  let ⟨S, hne, hS⟩ := h
  ⟨S, hne, fun t ht => let ⟨k, e, r, rs, hk, hl, u, hu, hw⟩ := hS t ht
    ⟨k, e, r, rs, hk, hl, u, hu, Or.inl hw.of_readersPass⟩⟩

/-- **Readers that wait are the harder case**: what is deadlock-free then is so in any case. -/
theorem DeadlockFree.any (h : DeadlockFree .readersWait env σ) : DeadlockFree p env σ := by
  cases p with
  | readersPass => exact fun c s hr hd => h c s hr hd.wait
  | readersWait => exact h

/-- The locks of a list are taken in ascending order. -/
def Ascending (rank : Lock → Nat) (k : Kind) (rs : List Request) : Prop :=
  rs.Pairwise fun r q => rank (r.scope.common k) < rank (q.scope.common k)

theorem Ascending.lt {rank : Lock → Nat} {k : Kind} {w : Request} {rs : List Request} :
    ∀ {h : List Request}, Ascending rank k (h ++ w :: rs) → ∀ r ∈ h,
      rank (r.scope.common k) < rank (w.scope.common k)
  | q :: h, ha, r, hr => by
    have ⟨hq, ha⟩ := List.pairwise_cons.mp ha
    rcases List.mem_cons.mp hr with hr | hr
    · subst hr; exact hq w (List.mem_append_right _ List.mem_cons_self)
    · exact Ascending.lt ha r hr

/-- If every call takes its locks in ascending order of one ranking, the program finds that they can
be ordered. The ranking is of the five scopes, an operation lock having one rank per kind. -/
theorem orderable_of_rank (rank : Lock → Nat)
    (h : ∀ k, env.happens k = true → Ascending rank k (σ.requestsIn env k)) :
    orderable p env σ = true := by
  refine orderable_iff.mpr (List.eq_nil_iff_forall_not_mem.mpr ?_)
  -- The rank of the wanted lock goes up from each wait to one that holds that lock, ...
  have held : ∀ x y : Wait, y ∈ σ.knot p env →
      (∃ r ∈ y.held, x.wants env y.kind r = true ∧ r.mode.excludes x.wanted.mode = true) →
      rank (x.wanted.scope.common x.kind) < rank (y.wanted.scope.common y.kind) := by
    intro x y hy ⟨r, hr, hl, _⟩
    simp only [Wait.wants, Bool.and_eq_true, decide_eq_true_eq] at hl
    obtain ⟨hh, rs, he⟩ := LockScheme.of_mem_waits (LockScheme.knot_subset hy)
    have ha := h y.kind hh
    rw [← he] at ha
    rw [← hl.1]
    exact Ascending.lt ha r hr
  -- ... and a writer that keeps a reader waits for such a one: there is no highest.
  have up : ∀ x ∈ σ.knot p env, ∃ y ∈ σ.knot p env,
      rank (x.wanted.scope.common x.kind) < rank (y.wanted.scope.common y.kind) := by
    intro x hx
    obtain ⟨y, hy, ho⟩ := LockScheme.on_knot hx
    simp only [Wait.on, List.any_eq_true, Bool.and_eq_true, Bool.or_eq_true,
      decide_eq_true_eq] at ho
    rcases ho with ho | ⟨⟨_, hw⟩, hl⟩
    · exact ⟨y, hy, held x y hy ho⟩
    obtain ⟨z, hz, ho⟩ := LockScheme.on_knot hy
    simp only [Wait.on, List.any_eq_true, Bool.and_eq_true, Bool.or_eq_true,
      decide_eq_true_eq] at ho
    rcases ho with ho | ⟨⟨⟨_, hs⟩, _⟩, _⟩
    · simp only [Wait.wants, Bool.and_eq_true, decide_eq_true_eq] at hl
      exact ⟨z, hz, by rw [← hl.1]; exact held y z hz ho⟩
    · rw [hw] at hs; cases hs
  have bound : ∀ (xs : List Wait), ∃ n, ∀ x ∈ xs, rank (x.wanted.scope.common x.kind) ≤ n := by
    intro xs
    induction xs with
    | nil => exact ⟨0, fun _ h => (by cases h)⟩
    | cons x xs ih =>
      obtain ⟨n, hn⟩ := ih
      refine ⟨rank (x.wanted.scope.common x.kind) + n, fun y hy => ?_⟩
      rcases List.mem_cons.mp hy with hy | hy
      · subst hy; exact Nat.le_add_right _ _
      · exact Nat.le_trans (hn y hy) (Nat.le_add_left _ _)
  have climb : ∀ n, ∀ x ∈ σ.knot p env, ∃ y ∈ σ.knot p env,
      n ≤ rank (y.wanted.scope.common y.kind) := by
    intro n
    induction n with
    | zero => exact fun x hx => ⟨x, hx, Nat.zero_le _⟩
    | succ n ih =>
      intro x hx
      obtain ⟨y, hy, hn⟩ := ih x hx
      obtain ⟨z, hz, hlt⟩ := up y hy
      exact ⟨z, hz, Nat.lt_of_le_of_lt hn hlt⟩
  intro x hx
  obtain ⟨n, hn⟩ := bound (σ.knot p env)
  obtain ⟨y, hy, hlt⟩ := climb (n + 1) x hx
  exact Nat.not_succ_le_self n (Nat.le_trans hlt (hn y hy))

/-- **The textbook rule**: locks taken in ascending order of one ranking do not deadlock, however
many a call takes and whatever their policy. -/
theorem deadlock_free_of_rank (rank : Lock → Nat)
    (h : ∀ k, env.happens k = true → Ascending rank k (σ.requestsIn env k)) :
    DeadlockFree p env σ := deadlock_free_of_orderable (orderable_of_rank rank h)

/-- **At most one lock per call never deadlocks**, in any environment, whatever the policy. -/
theorem single_lock_deadlock_free (h : ∀ k, (σ.requestsIn env k).length ≤ 1) :
    DeadlockFree p env σ := by
  refine deadlock_free_of_rank (fun _ => 0) (fun k _ => ?_)
  have hk := h k
  cases hr : σ.requestsIn env k with
  | nil => exact List.Pairwise.nil
  | cons r rs =>
    rw [hr] at hk
    have : rs = [] :=
      List.eq_nil_of_length_eq_zero (Nat.eq_zero_of_le_zero (Nat.le_of_succ_le_succ hk))
    subst this
    exact List.pairwise_cons.mpr ⟨fun _ h => (by cases h), List.Pairwise.nil⟩

/-- A list that a call can take alone: nothing held excludes what is wanted. -/
theorem Takes.not_clash {k : Kind} {r : Request} {rs : List Request} :
    ∀ {a h : List Request}, Takes k h (a ++ r :: rs) → ∀ q ∈ h ++ a, ¬ Clash k q k r
  | [], h, ht, q, hq => ht.1 q (by rw [List.append_nil] at hq; exact hq)
  | _ :: a, h, ht, q, hq =>
    Takes.not_clash (a := a) ht.2 q (by rw [List.append_assoc]; exact hq)

/-- **A gate lock**: if every call that takes a lock takes the global one first, exclusively, and
none has to wait for itself, there is no deadlock, in whatever order the other locks are taken (with
readers that pass waiting writers). -/
theorem deadlock_free_of_gate
    (hg : ∀ k, σ.requestsIn env k = [] ∨ ∃ rs, σ.requestsIn env k = ⟨.global, .exclusive⟩ :: rs)
    (ht : ∀ k, Takes k [] (σ.requestsIn env k)) : DeadlockFree .readersPass env σ := by
  intro c s hr ⟨S, ⟨t₀, h₀⟩, hS⟩
  have D := hr.disciplined
  -- Whoever holds anything holds the gate.
  have gate : ∀ u x, s.state.threads u = some x → (∃ r, r ∈ (s.locks u).taken) →
      ⟨.global, .exclusive⟩ ∈ (s.locks u).taken := by
    intro u x hx ⟨r, hr⟩
    have hs := D.split u x hx
    cases ha : (s.locks u).taken with
    | nil => rw [ha] at hr; cases hr
    | cons q a =>
      rw [ha] at hs
      rcases hg x.kind with h | ⟨rs, h⟩ <;> rw [h] at hs <;> cases hs
      exact List.mem_cons_self
  obtain ⟨_, _, _, _, _, _, u, hu, hw⟩ := hS t₀ h₀
  obtain ⟨k, e, r, rs, hk, hl, v, hv, hw'⟩ := hS u hu
  have hw := hw.of_readersPass
  have hw' := hw'.of_readersPass
  obtain ⟨x, q, hx, hq, _⟩ := hw
  obtain ⟨y, q', hy, hq', hlock, hm⟩ := hw'
  by_cases huv : u = v
  · -- It would wait for itself.
    subst huv
    rw [hk] at hy
    cases hy
    have hs := D.split u _ hk
    rw [hl] at hs
    exact Takes.not_clash (a := (s.locks u).taken) (h := []) (hs ▸ ht k) q' hq'
      ⟨Scope.common_of_lock hlock, hm⟩
  · have := D.apart u v x y huv hx hy _ (gate u x hx ⟨q, hq⟩) _ (gate v y hy ⟨q', hq'⟩) rfl
    cases this

/-- **A deadlock is for ever**, whatever the other threads do, if readers pass waiting writers. (If
they wait, one that is not yet waiting may still pass.) -/
theorem SeqState.Deadlocked.forever {l : SeqLabel} (h : s.Deadlocked .readersPass c)
    (hs : SeqStep σ env c s l s') : s'.Deadlocked .readersPass c := by
  obtain ⟨S, hne, hS⟩ := h
  -- No thread of the deadlock moves.
  have still : ∀ t, S t → s'.state.threads t = s.state.threads t ∧ s'.locks t = s.locks t := by
    intro t ht
    obtain ⟨k, e, r, rs, hk, hl, u, _, hw⟩ := hS t ht
    have hw := hw.of_readersPass
    cases hs with
    | @dispatch st o h =>
      cases h with
      | @dispatch v _ _ hi _ _ _ =>
        have htv : t ≠ v := fun h => by subst h; rw [hi] at hk; cases hk
        exact ⟨State.setThread_ne _ _ htv, update_ne _ _ htv⟩
    | @take v k' e' r' rs' hv hl' hw' =>
      have htv : t ≠ v := fun h => by
        subst h
        rw [hk] at hv
        cases hv
        rw [hl] at hl'
        cases hl'
        exact hw' u hw
      exact ⟨rfl, update_ne _ _ htv⟩
    | @enter v _ _ hv _ hl' =>
      have htv : t ≠ v := fun h => by subst h; rw [hl] at hl'; cases hl'
      exact ⟨State.setThread_ne _ _ htv, rfl⟩
    | @other st l h hd ha =>
      cases h with
      | dispatch _ _ _ _ => exact absurd rfl (hd _)
      | acquire _ _ _ => exact absurd rfl (ha _)
      | @body v k' e' pc pc' m' hv hb =>
        have htv : t ≠ v := fun h => by
          subst h
          rw [hk] at hv
          cases hv
          exact hb.holds.1 rfl
        exact ⟨State.setThread_ne s.state (some ⟨k', e', pc'⟩) htv, rfl⟩
      | @release v _ _ hv =>
        have htv : t ≠ v := fun h => by subst h; rw [hk] at hv; cases hv
        exact ⟨State.setThread_ne _ _ htv, rfl⟩
      | drop _ _ => exact ⟨rfl, rfl⟩
  refine ⟨S, hne, fun t ht => ?_⟩
  obtain ⟨k, e, r, rs, hk, hl, u, hu, hw⟩ := hS t ht
  obtain ⟨x, q, hx, hq, hm⟩ := hw.of_readersPass
  exact ⟨k, e, r, rs, (still t ht).1.trans hk, by rw [(still t ht).2]; exact hl, u, hu,
    Or.inl ⟨x, q, (still u hu).1.trans hx, by rw [(still u hu).2]; exact hq, hm⟩⟩

end MPSVerify
