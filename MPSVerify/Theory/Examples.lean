import MPSVerify.AGX.Extensions
import MPSVerify.AGX.Fixed
import MPSVerify.Spec.Examples
import MPSVerify.Theory.Optimality
import MPSVerify.Thm.Assumptions
import MPSVerify.Thm.AtomicBodies
import MPSVerify.Thm.Encoding
import MPSVerify.Thm.OneThread
import MPSVerify.Thm.Progress
import MPSVerify.Thm.Replay

/-!
# The theorems are not vacuous

For each main theorem an example that inhabits its hypotheses: safe strategies do whole, parallel
runs; the restricted clients exist; one thread does get something done.
-/

namespace MPSVerify

open AGX

/-- **A complete, parallel, fault-free run under perEncoder**: two threads create, encode and
destroy in lockstep, and every block comes back. (Fault-free in every state, since perEncoder is
safe.) -/
theorem per_encoder_complete_run : endsClean perEncoder parallelRun = true := by decide +kernel

/-- globalMutex admits no such run … -/
theorem global_mutex_no_parallel_run :
    (globalMutex.replay? .default .distinct .initial parallelRun).isSome = false := by
  decide +kernel

/-- … but the same work one after the other. -/
theorem global_mutex_complete_run : endsClean globalMutex (life 0 0 0 ++ life 1 1 1) = true := by
  decide +kernel

/-- perEncoder encodes in parallel: `Parallel` is not witnessed by creates alone. -/
theorem per_encoder_encodes_in_parallel : EncodesInParallel .default perEncoder := by decide

/-- `per_encoder_is_maximal` is about something: some safe discipline permits something (in the
proof: perEncoder, two encodes). -/
theorem maximality_inhabited : ∃ C : Config, C.Safe ∧ ∃ a b, C.Permits a b :=
  ⟨perEncoder.config .default .distinct, per_encoder_mutex_sufficient _,
    ⟨0, .encode, 0⟩, ⟨1, .encode, 1⟩,
    per_encoder_permits_iff.mpr ⟨Nat.zero_ne_one, Nat.zero_ne_one⟩⟩

/-- `per_encoder_runs_all` is about something: some safe discipline (in the proof: striped) reaches
a state with two threads past their acquires. -/
theorem runs_inhabited : ∃ (C : Config) (s : State) (t u : Thread) (x y : Busy), C.Safe ∧
    C.env.atomicFreelist = true ∧ Reachable C s ∧ t ≠ u ∧ s.threads t = some x ∧ x.holds ∧
    s.threads u = some y ∧ y.holds :=
  let ⟨_, s, t, u, x, y, hr, _, htu, ht, hx, hu, hy⟩ := striped.parallel
  ⟨_, s, t, u, x, y, striped_mutex_sufficient _, rfl, hr, htu, ht, hx, hu, hy⟩

/-- `async_bypass_defeats_every_lock` and `handlers_must_be_awaited` are about something, and
neither is a case of the other: handlers can wait for nobody while all other operations wait for
them, and can wait for all others while nobody waits for them. -/
theorem bypass_inhabited :
    (∃ C : Config, C.env.handlersTearDown = true ∧
      (∀ held wanted, wanted.kind = .complete → ¬ C.blocks held wanted) ∧
      ∀ held wanted, held.kind = .complete → wanted.kind ≠ .complete → C.blocks held wanted) ∧
    ∃ C : Config, C.env.handlersTearDown = true ∧
      (∀ held wanted, held.kind = .complete → ¬ C.blocks held wanted) ∧
      ∀ held wanted, wanted.kind = .complete → held.kind ≠ .complete → C.blocks held wanted :=
  ⟨⟨⟨.default, id, fun _ wanted => wanted.kind ≠ .complete, true⟩, rfl,
      fun _ _ h hn => hn h, fun _ _ _ h => h⟩,
    ⟨.default, id, fun held _ => held.kind ≠ .complete, true⟩, rfl,
      fun _ _ h hn => hn h, fun _ _ _ h => h⟩

/-- `late_unchecked_faults` is about something: without locks and check a call can come too late. -/
theorem late_inhabited : (noLocks .default).check = false ∧ (noLocks .default).CanComeLate :=
  ⟨rfl, late_iff.mpr ⟨0, 1, 0, .destroy, Nat.zero_ne_one, rfl, Or.inl rfl, Or.inl rfl⟩⟩

/-- `one_thread_is_safe` is about something: alone and without any lock, a thread can make an
encoder, initialise its context and be idle again. -/
theorem one_thread_inhabited : ∃ s b, ReachableBy (noLocks .default) 0 s ∧
    s.threads 0 = none ∧ s.mem.impl 0 = some b ∧ s.mem.ready b = true := by
  have r1 := (ReachableBy.initial (C := noLocks .default) (t := 0)).step
    (fun _ h => (by cases h; rfl))
    (.dispatch (t := 0) (k := .create) (e := 0) rfl rfl (Or.inl rfl)
      ⟨fun h => absurd rfl h, fun h => (by cases h), fun _ _ h => (by cases h)⟩)
  have r2 := r1.step (fun _ h => (by cases h; rfl))
    (.acquire (update_same ..) rfl (fun _ _ _ _ _ h => h))
  have r3 := r2.step (fun _ h => (by cases h; rfl)) (.body (update_same ..) (.check rfl))
  have r4 := r3.step (fun _ h => (by cases h; rfl)) (.body (update_same ..) (.pop (b := 0) rfl rfl))
  have r5 := r4.step (fun _ h => (by cases h; rfl)) (.body (update_same ..) (.publish rfl))
  have r6 := r5.step (fun _ h => (by cases h; rfl)) (.body (update_same ..) (.init rfl))
  have r7 := r6.step (fun _ h => (by cases h; rfl)) (.release (update_same ..))
  exact ⟨_, 0, r7, rfl, rfl, rfl⟩

/-- `confinement_suffices` and `no_work_lost` are about something: under confinement without handler
teardown a thread can be in the middle of encoding, with no lock at all. -/
theorem confinement_inhabited : ∃ s, Reachable (noLocks .confinedNoHandlers) s ∧
    ∃ b, s.threads 0 = some ⟨.encode, 0, .loaded b⟩ := by
  have ⟨m, hr, hi, _⟩ := live_reachable (noLocks .confinedNoHandlers) 0
  have r1 := (hr.ofIdle (t := 0) (u := 1)).dispatch (k := .encode) (e := 0) (Or.inr rfl)
    (.use (fun h => Kind.noConfusion h) (ne_of_live hi))
  have r2 := r1.acquire Nat.zero_ne_one (fun _ h => by cases h)
  exact ⟨_, r2.body (.load hi), 0, duo_left⟩

/-- `atomic_bodies_suffice` is about something: a driver with atomic bodies makes an encoder. -/
theorem atomic_bodies_inhabited : ∃ s, AtomicReachable (noLocks .default) (fun _ => true) s ∧
    s.mem.impl 0 = some 0 ∧ s.mem.ready 0 = true := by
  have r1 := (AtomicReachable.initial (C := noLocks .default) (atomic := fun _ => true)).step
    (.other (.dispatch (t := 0) (k := .create) (e := 0) rfl rfl (Or.inl rfl)
      ⟨fun h => absurd rfl h, fun h => (by cases h), fun _ _ h => (by cases h)⟩)
      (fun _ _ h => Label.noConfusion h))
  have r2 := r1.step (.other (.acquire (update_same ..) rfl (fun _ _ _ _ _ h => h))
    (fun _ _ h => Label.noConfusion h))
  have run : Body.Run (noLocks .default) 0 .create .entered State.initial.mem _ :=
    .step (.check rfl) (.step (.pop (b := 0) rfl rfl) (.step (.publish rfl)
      (.step (.init rfl) .done)))
  exact ⟨_, r2.step (.whole rfl (update_same ..) run), rfl, rfl⟩

end MPSVerify
