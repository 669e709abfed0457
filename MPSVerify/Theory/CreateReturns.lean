import MPSVerify.AGX.PerEncoderMutex
import MPSVerify.AGX.Environments
import MPSVerify.Theory.Examples
import MPSVerify.Thm.Faults

/-!
# Clients that use what create has given them

Under `createReturns` nobody uses an encoder before its create has returned, and an encoder is made
once. Then a create meets nobody on its encoder: it needs no lock on an atomic freelist, and three
of the eight faults cannot happen to any scheme. What is left is among encoding and teardown, and
messages to dead objects.
-/

namespace MPSVerify

variable {C : Config} {env : Env} {σ : LockScheme} {c : Client} {s : State}

/-- **Nothing is under way beside a create** on its encoder, from dispatch to return. -/
theorem nothing_beside_create (h : C.env.createReturns = true) (hr : Reachable C s) {t u : Thread}
    {e : Encoder} {pc : PC} {x : Busy} (htu : t ≠ u) (ht : s.threads t = some ⟨.create, e, pc⟩)
    (hu : s.threads u = some x) : x.encoder ≠ e :=
  fun he => Env.not_createReturns (hr.disciplined.beside t u _ x htu ht hu he.symm) h

/-- **What can be reached under `createReturns` can be reached without it**, by the general client.
So what is safe in general is safe there: what is a fault does not depend on the client. -/
theorem create_returns_asks_more (h : Reachable (σ.config env c) s) :
    Reachable (σ.config env.general c) s := by
  induction h with
  | initial => exact .initial
  | step _ hs ih =>
    cases hs with
    | dispatch hi ha hal hd =>
      exact ih.step (.dispatch hi ha hal (hd.general fun h => by cases h))
    | acquire ht ha hb => exact ih.step (.acquire ht ha hb)
    | release ht => exact ih.step (.release ht)
    | drop ha hd => exact ih.step (.drop ha hd)
    | body ht hb =>
      refine ih.step (.body ht ?_)
      cases hb with
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

theorem Env.not_meet_create (h : env.createReturns = true) {k k' : Kind}
    (hk : k = .create ∨ k' = .create) : env.meet k k' = false := by
  cases hm : env.meet k k' with
  | false => rfl
  | true =>
    obtain ⟨hb, _⟩ := Env.allows_of_meet hm
    rcases hk with rfl | rfl
    · exact absurd h (Env.not_createReturns hb)
    · exact absurd h (Env.not_createReturns (Env.beside_symm hb))

theorem LockScheme.not_overlaps_create (h : env.createReturns = true) {k k' : Kind}
    (hk : k = .create ∨ k' = .create) : σ.overlaps env k k' = false := by
  rw [overlaps, Env.not_meet_create h hk]; rfl

/-- **The faults of a create are gone**: no scheme loses a context, uses one before it is
initialised, or writes to one after it was freed, if the freelist is atomic. -/
theorem create_faults_go (h : env.createReturns = true) (hf : env.atomicFreelist = true)
    (σ : LockScheme) : ¬ CanReach env σ .lostContext ∧ ¬ CanReach env σ .uninitialised ∧
      ¬ CanReach env σ .writeAfterFree := by
  have no : ∀ k, σ.overlaps env .create k = false :=
    fun k => LockScheme.not_overlaps_create h (Or.inl rfl)
  simp only [can_reach_iff_criterion, faultCriterion, LockScheme.stealsBlocks, hf, no,
    LockScheme.overlapsTeardown, List.any_eq_true, Bool.or_eq_true, Bool.and_eq_true]
  refine ⟨fun h => (by cases h), fun h => (by cases h), fun h => ?_⟩
  rcases h with ⟨h, _⟩ | ⟨_, _, _, h⟩ <;> cases h

/-- **Create needs no lock** on an atomic freelist: a scheme is safe with whatever locks create
takes, if it is with some. -/
theorem create_needs_no_lock (h : env.createReturns = true) (hf : env.atomicFreelist = true)
    (σ : LockScheme) (rs : List Request) :
    Safe env (σ.withCreate rs) ↔ Safe env σ := by
  have same : ∀ k k', (σ.withCreate rs).overlaps env k k' =
      σ.overlaps env k k' := by
    intro k k'
    by_cases hk : k = .create ∨ k' = .create
    · rw [LockScheme.not_overlaps_create h hk, LockScheme.not_overlaps_create h hk]
    · cases k <;> cases k' <;> first | rfl | exact absurd (Or.inl rfl) hk |
        exact absurd (Or.inr rfl) hk
  have check : (σ.withCreate rs).check = σ.check := rfl
  simp only [safe_iff_criterion, criterion, same, check, hf, Bool.true_or]

/-- **For instance**: perEncoder whose create takes no lock is safe for such clients, and not in
general. -/
theorem create_needs_no_lock_only_there :
    Safe .afterCreate (AGX.perEncoder.withCreate []) ∧
      ¬ Safe .default (AGX.perEncoder.withCreate []) :=
  ⟨by decide, by decide⟩

/-- `create_needs_no_lock` is about something: with no lock on create, two threads of such a
client each make an encoder, encode on it and end it, at the same time; everything comes back. -/
theorem create_returns_complete_run :
    endsCleanIn .afterCreate (AGX.perEncoder.withCreate []) parallelRun = true := by
  decide +kernel

end MPSVerify
