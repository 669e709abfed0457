import MPSVerify.AGX.LockFree
import MPSVerify.AGX.Race
import MPSVerify.Spec.Examples
import MPSVerify.Thm.AtomicBodies
import MPSVerify.Thm.Replay

/-!
# A verdict on the three proposals to the driver's vendor

The predecessor proposed to (1) synchronise inside `setComputePipelineState:`, (2) protect the
context registry with a mutex, (3) handle completion handlers correctly. None of them is enough,
nor all three together. Whole bodies that are atomic are enough (`atomic_bodies_suffice`: with a
liveness check and callers that retain), and so are locks around the calls.
-/

namespace MPSVerify

open AGX

variable {C : Config} {s s' : State} {env : Env} {σ : LockScheme} {c : Client}

/-- A dispatch of `encode`. -/
def Label.encodes : Label → Bool
  | .dispatch o => decide (o.kind = .encode)
  | _ => false

/-- A run without `encode` is a run of a driver that makes `encode` atomic. -/
theorem Step.withoutEncode {l : Label} (hs : Step C s l s') (hl : l.encodes = false)
    (hn : ∀ t x, s.threads t = some x → x.kind ≠ .encode) :
    (∀ t x, s'.threads t = some x → x.kind ≠ .encode) ∧ AtomicStep C encodeOnly s s' := by
  have set : ∀ {t x}, (∀ y, x = some y → y.kind ≠ .encode) →
      ∀ u y, (s.setThread t x).threads u = some y → y.kind ≠ .encode := by
    intro t x hx u y hu
    by_cases h : u = t
    · subst h; rw [State.setThread_same] at hu; exact hx y hu
    · rw [State.setThread_ne _ _ h] at hu; exact hn u y hu
  cases hs with
  | dispatch hi ha hal hd =>
    refine ⟨set (fun y hy => ?_),
      .other (.dispatch hi ha hal hd) (fun _ _ h => Label.noConfusion h)⟩
    cases hy
    exact of_decide_eq_false hl
  | acquire ht ha hb =>
    refine ⟨set (fun y hy => ?_), .other (.acquire ht ha hb) (fun _ _ h => Label.noConfusion h)⟩
    cases hy
    exact fun hk => hn _ _ ht hk
  | body ht hb =>
    refine ⟨set (fun y hy => ?_), .small (decide_eq_false (hn _ _ ht)) ht hb⟩
    cases hy
    exact fun hk => hn _ _ ht hk
  | release ht =>
    exact ⟨set (fun y hy => by cases hy),
      .other (.release ht) (fun _ _ h => Label.noConfusion h)⟩
  | drop ha hr => exact ⟨hn, .other (.drop ha hr) (fun _ _ h => Label.noConfusion h)⟩

theorem atomic_replay {f f' : Snapshot} {trace : List Label}
    (h : σ.replay? env c f trace = some f') (hl : trace.all (fun l => !l.encodes) = true)
    (hn : ∀ t x, f.state.threads t = some x → x.kind ≠ .encode)
    (hr : AtomicReachable (σ.config env c) encodeOnly f.state) :
    AtomicReachable (σ.config env c) encodeOnly f'.state := by
  induction trace generalizing f with
  | nil => cases h; exact hr
  | cons l ls ih =>
    simp only [List.all_cons, Bool.and_eq_true, Bool.not_eq_true'] at hl
    simp only [LockScheme.replay?] at h
    split at h
    case h_1 f₁ h₁ =>
      have hs := (LockScheme.step?_sound h₁).withoutEncode hl.1 hn
      exact ih h hl.2 hs.1 (hr.step hs.2)
    case h_2 => cases h

/-- Two threads end one encoder at once. -/
def doubleFreeTrace : List Label := [
  .dispatch ⟨0, .create, 0⟩, .acquire 0, .body 0 .checked, .body 0 (.popped 0),
  .body 0 (.published 0), .body 0 .finished, .release 0,
  .dispatch ⟨0, .destroy, 0⟩, .dispatch ⟨1, .destroy, 0⟩, .acquire 0, .acquire 1,
  .body 0 (.taken 0), .body 1 (.taken 0), .body 0 .pushed]

/-- After `doubleFreeTrace`, thread 1 is about to give back a block that is free already. -/
def endsInDoubleFree (σ : LockScheme) (env : Env) : Bool :=
  match σ.replay? env .distinct .initial doubleFreeTrace with
  | some f => decide (f.threads.get none 1 = some ⟨.destroy, 0, .taken 0⟩) &&
      decide (f.mem.owner.get none 0 = none)
  | none => false

theorem endsInDoubleFree_faulty (h : endsInDoubleFree σ env = true) :
    ∃ s, AtomicReachable (σ.config env .distinct) encodeOnly s ∧
      AtomicFaulty (σ.config env .distinct) encodeOnly .doubleFree s := by
  unfold endsInDoubleFree at h
  split at h
  case h_1 f hf =>
    simp only [Bool.and_eq_true, decide_eq_true_eq] at h
    refine ⟨f.state, atomic_replay hf (by decide) (fun _ _ h => by cases h) .initial,
      .small (k := .destroy) rfl h.1 (.pushForeign rfl ?_)⟩
    rw [show f.state.mem.owner 0 = none from h.2]
    exact fun h => by cases h
  case h_2 => cases h

/-- **An atomic `encode` is not enough** (proposal 1): without locks a block can still be freed
twice. -/
theorem atomic_encode_insufficient : ∃ s,
    AtomicReachable (lockFree.config .default .distinct) encodeOnly s ∧
      AtomicFaulty (lockFree.config .default .distinct) encodeOnly .doubleFree s :=
  endsInDoubleFree_faulty (by decide +kernel)

/-- **A mutex around the registry is not enough** (proposal 2): in the default environment taking a
block is one step already, and the race exists. -/
theorem registry_mutex_insufficient :
    Env.default.atomicFreelist = true ∧ TeardownRace .default noSync :=
  ⟨rfl, race_condition_exists⟩

/-- **Handlers that tear nothing down are not enough** (proposal 3): user threads race as well. -/
theorem handler_fix_insufficient : TeardownRace .noHandlers noSync :=
  (teardown_race_iff_criterion ..).mpr (by decide)

/-- **All three proposals together are not enough.** -/
theorem three_proposals_insufficient : ∃ s,
    AtomicReachable (lockFree.config .noHandlers .distinct) encodeOnly s ∧
      AtomicFaulty (lockFree.config .noHandlers .distinct) encodeOnly .doubleFree s :=
  endsInDoubleFree_faulty (by decide +kernel)

end MPSVerify
