import MPSVerify.AGX
import MPSVerify.Theory.Counting.Space
import MPSVerify.Theory.CreateReturns
import MPSVerify.Theory.Environments
import MPSVerify.Theory.Examples
import MPSVerify.Theory.Optimality
import MPSVerify.Theory.Proposals
import MPSVerify.Theory.Queues
import MPSVerify.Thm.Deadlock.Examples
import MPSVerify.Thm.Fairness
import MPSVerify.Thm.Fairness.Inhabited
import MPSVerify.Thm.Fairness.Lasso
import MPSVerify.Thm.ReplayComplete
import MPSVerify.Theory.RestrictedClients
import MPSVerify.Theory.StateGuard

/-!
# The claims, restated by hand

Written by a person, from the report that this project set out to check, and never generated: a
mistake in the generator cannot weaken what is claimed. The gate requires that every theorem named
here exists and has exactly the statement that stands here.
-/

namespace MPSVerify.Claims

open AGX

/-! ## The decision procedure -/

theorem safe_iff_criterion (env : Env) (σ : LockScheme) : Safe env σ ↔ criterion env σ = true :=
  MPSVerify.safe_iff_criterion env σ

theorem parallel_iff_criterion (env : Env) (σ : LockScheme) :
    Parallel env σ ↔ parallelCriterion env σ = true :=
  MPSVerify.parallel_iff_criterion env σ

theorem teardown_race_iff_criterion (env : Env) (σ : LockScheme) :
    TeardownRace env σ ↔ raceCriterion env σ = true :=
  MPSVerify.teardown_race_iff_criterion env σ

/-! ## The seven strategies -/

theorem race_condition_exists : TeardownRace .default noSync := AGX.race_condition_exists
theorem mutex_prevents_race : Safe .default globalMutex := AGX.mutex_prevents_race
theorem per_stream_mutex_insufficient : TeardownRace .default perStream :=
  AGX.per_stream_mutex_insufficient
theorem per_op_mutex_insufficient : TeardownRace .default perOp := AGX.per_op_mutex_insufficient
theorem per_encoder_mutex_sufficient : Safe .default perEncoder :=
  AGX.per_encoder_mutex_sufficient
theorem per_encoder_mutex_parallel : Parallel .default perEncoder :=
  AGX.per_encoder_mutex_parallel
theorem rw_lock_insufficient : CanReach .default rwLock .encoderOverlap :=
  AGX.rw_lock_insufficient
theorem lock_free_insufficient : TeardownRace .default lockFree := AGX.lock_free_insufficient
theorem safe_strategies_exactly_two (s : Strategy) :
    Safe .default s.scheme ↔ s = .globalMutex ∨ s = .perEncoder :=
  AGX.safe_strategies_exactly_two s
theorem all_strategies_classified :
    ExactFaults .default noSync [.nullDeref, .staleContext, .uninitialised, .doubleFree,
      .lostContext, .writeAfterFree, .encoderOverlap] ∧
    ExactFaults .default globalMutex [] ∧
    ExactFaults .default perStream [.nullDeref, .staleContext, .uninitialised, .doubleFree,
      .lostContext, .writeAfterFree, .encoderOverlap] ∧
    ExactFaults .default perOp [.nullDeref, .staleContext, .uninitialised, .doubleFree,
      .writeAfterFree] ∧
    ExactFaults .default perEncoder [] ∧
    ExactFaults .default rwLock [.encoderOverlap] ∧
    ExactFaults .default lockFree [.nullDeref, .staleContext, .uninitialised, .doubleFree,
      .lostContext, .writeAfterFree, .encoderOverlap] :=
  AGX.all_strategies_classified

/-! ## Extensions -/

theorem per_encoder_unchecked_insufficient : CanReach .default perEncoderUnchecked .nullDeref :=
  AGX.per_encoder_unchecked_insufficient

theorem per_encoder_rw_lock_insufficient : CanReach .default perEncoderRW .encoderOverlap :=
  AGX.per_encoder_rw_lock_insufficient

theorem striped_mutex_sufficient : Safe .default striped := AGX.striped_mutex_sufficient

theorem striped_permits_iff (c : Client) (a b : Op) : (striped.config .default c).Permits a b ↔
    a.thread ≠ b.thread ∧ c.queue a.encoder ≠ c.queue b.encoder :=
  MPSVerify.striped_permits_iff c a b

theorem striped_parallel_iff_two_queues (c : Client) :
    (∃ a b, (striped.config .default c).Permits a b) ↔ ∃ e e', c.queue e ≠ c.queue e' :=
  MPSVerify.striped_parallel_iff_two_queues c

/-! ## Every fault, every scheme, every environment -/

theorem can_reach_iff_criterion (env : Env) (σ : LockScheme) (f : Fault) :
    CanReach env σ f ↔ faultCriterion env σ f = true :=
  MPSVerify.can_reach_iff_criterion env σ f

/-! ## Optimality, among all disciplines -/

theorem safe_iff_permits_subset {C : Config} {c : Client} (hd : C.env = .default)
    (hc : C.check = true) :
    C.Safe ↔ ∀ a b, C.Permits a b → (perEncoder.config .default c).Permits a b :=
  MPSVerify.safe_iff_permits_subset hd hc

theorem same_encoder_overlap_is_unsafe {C : Config} {a b : Op} (h : C.Permits a b)
    (he : a.encoder = b.encoder) : ¬ C.Safe := MPSVerify.same_encoder_overlap_is_unsafe h he

theorem per_encoder_is_maximal {C : Config} {a b : Op} {c : Client} (hs : C.Safe)
    (h : C.Permits a b) : (perEncoder.config .default c).Permits a b :=
  MPSVerify.per_encoder_is_maximal hs h

theorem per_encoder_is_optimal : Safe .default perEncoder ∧
    ∀ C : Config, C.Safe → ∀ a b, C.Permits a b → ∀ c, (perEncoder.config .default c).Permits a b :=
  MPSVerify.per_encoder_is_optimal

theorem per_encoder_runs_all {C : Config} {c : Client} {s : State} (hs : C.Safe)
    (hf : C.env.atomicFreelist = true) (h : Reachable C s) :
    Reachable (perEncoder.config .default c) s ∧
      ∀ l s', Step C s l s' → Step (perEncoder.config .default c) s l s' :=
  MPSVerify.per_encoder_runs_all hs hf h

theorem per_encoder_runs_all_there {C : Config} {c : Client} {s : State} (hs : C.Safe)
    (hh : c.home = C.home) (h : Reachable C s) : Reachable (perEncoder.config C.env c) s ∧
      ∀ l s', Step C s l s' → Step (perEncoder.config C.env c) s l s' :=
  MPSVerify.per_encoder_runs_all_there hs hh h

theorem safe_iff_reaches_subset {C : Config} {c : Client} (hd : C.env = .default)
    (hc : C.check = true) :
    C.Safe ↔ ∀ s, Reachable C s → Reachable (perEncoder.config .default c) s :=
  MPSVerify.safe_iff_reaches_subset hd hc

theorem state_guard_permits_more (c : Client) :
    (∀ s f, GuardedReachable (perEncoder.config .default c) createBesideEncode s →
      ¬ Faulty (perEncoder.config .default c) f s) ∧
    (∀ s, Reachable (perEncoder.config .default c) s →
      GuardedReachable (perEncoder.config .default c) createBesideEncode s) ∧
    ∃ s, GuardedReachable (perEncoder.config .default c) createBesideEncode s ∧
      ¬ Reachable (perEncoder.config .default c) s := MPSVerify.state_guard_permits_more c

theorem better_than_global_mutex : Safe .default globalMutex ∧ Safe .default perEncoder ∧
    (∀ c a b, (globalMutex.config .default c).Permits a b →
      (perEncoder.config .default c).Permits a b) ∧
    ∀ c, ∃ a b, (perEncoder.config .default c).Permits a b ∧
      ¬ (globalMutex.config .default c).Permits a b :=
  MPSVerify.better_than_global_mutex

theorem exactly_three_safe_schemes (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ↔ σ ∈ [globalMutex, perEncoder, striped] :=
  MPSVerify.exactly_three_safe_schemes σ h

theorem exactly_two_safe_and_parallel (σ : LockScheme) (h : σ.Single) :
    Safe .default σ ∧ Parallel .default σ ↔ σ = perEncoder ∨ σ = striped :=
  MPSVerify.exactly_two_safe_and_parallel σ h

theorem only_per_encoder_permits_most (σ : LockScheme) (h : σ.Single) :
    (Safe .default σ ∧ ∀ c a b, (perEncoder.config .default c).Permits a b →
      (σ.config .default c).Permits a b) ↔ σ = perEncoder :=
  MPSVerify.only_per_encoder_permits_most σ h

theorem per_encoder_uniquely_optimal (s : Strategy) :
    Safe .default s.scheme ∧ Parallel .default s.scheme ↔ s = .perEncoder :=
  MPSVerify.per_encoder_uniquely_optimal s

theorem memory_safe_schemes_exactly_six (σ : LockScheme) (h : σ.Single) :
    MemorySafe .default σ ↔
      σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue] :=
  MPSVerify.memory_safe_schemes_exactly_six σ h

theorem mutex_is_minimal :
    (∀ k, ∀ rs ∈ singleRequests, rs ≠ [⟨.global, .exclusive⟩] → ¬ Safe .default (replaced k rs)) ∧
      ¬ Safe .default uncheckedMutex := MPSVerify.mutex_is_minimal

/-! ## How many schemes there are -/

theorem singleRequests_length : singleRequests.length = 11 := MPSVerify.singleRequests_length

theorem singleRequests_distinct : singleRequests.Pairwise (· ≠ ·) :=
  MPSVerify.singleRequests_distinct

theorem mem_singleSchemes (σ : LockScheme) : σ ∈ singleSchemes ↔ σ.Single :=
  MPSVerify.mem_singleSchemes σ

theorem singleSchemes_length : singleSchemes.length = 29282 := MPSVerify.singleSchemes_length

theorem singleSchemes_distinct : singleSchemes.Pairwise (· ≠ ·) :=
  MPSVerify.singleSchemes_distinct

theorem safe_schemes_distinct :
    [globalMutex, perEncoder, striped, rwLock, perEncoderRW, readerWriter .queue].Pairwise
      (· ≠ ·) := MPSVerify.safe_schemes_distinct

theorem safe_schemes_counted : ∀ σ ∈ [globalMutex, perEncoder, striped, rwLock, perEncoderRW,
    readerWriter .queue], σ.Single := MPSVerify.safe_schemes_counted

theorem confinedSafe_counted : confinedSafe.length = 24 ∧ confinedSafe.Pairwise (· ≠ ·) ∧
    ∀ σ ∈ confinedSafe, σ.Single := MPSVerify.confinedSafe_counted

/-! ## The environments -/

theorem racy_freelist_exactly_one_safe (σ : LockScheme) (h : σ.Single) :
    Safe .racyFreelist σ ↔ σ = globalMutex := MPSVerify.racy_freelist_exactly_one_safe σ h

theorem exactly_twenty_four_safe_confined (σ : LockScheme) (h : σ.Single) :
    Safe .confined σ ↔ σ ∈ confinedSafe := MPSVerify.exactly_twenty_four_safe_confined σ h

theorem no_scheme_survives_bypass (σ : LockScheme) :
    TeardownRace .handlersBypass σ ∧ ¬ Safe .handlersBypass σ :=
  MPSVerify.no_scheme_survives_bypass σ

theorem no_scheme_survives_release (σ : LockScheme) : ¬ Safe .noRetain σ :=
  MPSVerify.no_scheme_survives_release σ

theorem every_scheme_safe_confined_no_handlers (σ : LockScheme) : Safe .confinedNoHandlers σ :=
  MPSVerify.every_scheme_safe_confined_no_handlers σ

theorem async_bypass_defeats_every_lock {C : Config} (ht : C.env.handlersTearDown = true)
    (hb : ∀ held wanted, wanted.kind = .complete → ¬ C.blocks held wanted) :
    C.TeardownRace ∧ ¬ C.Safe := MPSVerify.async_bypass_defeats_every_lock ht hb

theorem handlers_must_be_awaited {C : Config} (ht : C.env.handlersTearDown = true)
    (hb : ∀ held wanted, held.kind = .complete → ¬ C.blocks held wanted) :
    C.TeardownRace ∧ ¬ C.Safe := MPSVerify.handlers_must_be_awaited ht hb

theorem dispatch_window_defeats_every_lock {C : Config} (h : C.env.callersRetain = false) :
    ¬ C.Safe := MPSVerify.dispatch_window_defeats_every_lock h

theorem racy_freelist_defeats_per_encoder : ¬ Safe .racyFreelist perEncoder :=
  MPSVerify.racy_freelist_defeats_per_encoder

theorem confinement_suffices {C : Config} (hs : C.env.sharedEncoders = false)
    (hh : C.env.handlersTearDown = false) (hr : C.env.callersRetain = true)
    (hf : C.env.atomicFreelist = true) : C.Safe := MPSVerify.confinement_suffices hs hh hr hf

theorem per_stream_safe_iff (c : Client) :
    (perStream.config .default c).Safe ↔ ∀ t u, c.stream t = c.stream u :=
  MPSVerify.per_stream_safe_iff c

theorem rw_lock_only_overlap (f : Fault) : CanReach .default rwLock f ↔ f = .encoderOverlap :=
  MPSVerify.rw_lock_only_overlap f

theorem encodes_in_parallel_iff (env : Env) (σ : LockScheme) :
    EncodesInParallel env σ ↔ σ.excludesAnywhere env .encode .encode = false :=
  MPSVerify.encodes_in_parallel_iff env σ

theorem encodes_in_parallel_classified (s : Strategy) :
    EncodesInParallel .default s.scheme ↔ s ≠ .globalMutex ∧ s ≠ .perOp :=
  MPSVerify.encodes_in_parallel_classified s

theorem parallel_classified (s : Strategy) : Parallel .default s.scheme ↔ s ≠ .globalMutex :=
  MPSVerify.parallel_classified s

/-! ## The driver, lost work, progress, replay -/

theorem atomic_encode_insufficient : ∃ s,
    AtomicReachable (lockFree.config .default .distinct) encodeOnly s ∧
      AtomicFaulty (lockFree.config .default .distinct) encodeOnly .doubleFree s :=
  MPSVerify.atomic_encode_insufficient

theorem three_proposals_insufficient : ∃ s,
    AtomicReachable (lockFree.config .noHandlers .distinct) encodeOnly s ∧
      AtomicFaulty (lockFree.config .noHandlers .distinct) encodeOnly .doubleFree s :=
  MPSVerify.three_proposals_insufficient

theorem registry_mutex_insufficient :
    Env.default.atomicFreelist = true ∧ TeardownRace .default noSync :=
  MPSVerify.registry_mutex_insufficient

theorem handler_fix_insufficient : TeardownRace .noHandlers noSync :=
  MPSVerify.handler_fix_insufficient

theorem atomic_bodies_suffice {C : Config} {s : State} (hc : C.check = true)
    (hr : C.env.callersRetain = true) {f : Fault} (h : AtomicReachable C (fun _ => true) s) :
    ¬ AtomicFaulty C (fun _ => true) f s := MPSVerify.atomic_bodies_suffice hc hr h

theorem skip_possible_iff {C : Config} : C.CanSkip ↔ C.check = true ∧
    ∃ t u e k, t ≠ u ∧ k.tearsDown = true ∧
      C.env.Allows C.home ⟨t, .encode, e⟩ ∧ C.env.Allows C.home ⟨u, k, e⟩ :=
  MPSVerify.skip_possible_iff

theorem skip_possible (σ : LockScheme) (c : Client) :
    (σ.config .default c).CanSkip ↔ σ.check = true := MPSVerify.skip_possible σ c

theorem late_unchecked_faults {C : Config} (hc : C.check = false) (h : C.CanComeLate) :
    C.CanReach .nullDeref := MPSVerify.late_unchecked_faults hc h

theorem no_work_lost {C : Config} (hs : C.env.sharedEncoders = false)
    (hh : C.env.handlersTearDown = false) : ¬ C.CanComeLate := MPSVerify.no_work_lost hs hh

theorem progress {C : Config} {s : State} (hr : Reachable C s) {t : Thread} {x : Busy}
    (ht : s.threads t = some x) : CanGoOn C s ∨ ∃ f, Faulty C f s := MPSVerify.progress hr ht

theorem reachable_iff_replay {env : Env} {σ : LockScheme} {c : Client} {s : State} :
    Reachable (σ.config env c) s ↔
      ∃ trace f, σ.replay? env c .initial trace = some f ∧ f.state = s :=
  MPSVerify.reachable_iff_replay

theorem one_thread_is_safe {C : Config} {s : State} {t : Thread}
    (hret : C.env.callersRetain = true) (h : ReachableBy C t s) (f : Fault) : ¬ Faulty C f s :=
  MPSVerify.one_thread_is_safe hret h f

/-! ## Several locks per call, fairness, restricted clients -/

variable {p : LockPolicy} {σ : LockScheme} {env : Env}

theorem deadlock_free_of_orderable (h : orderable p env σ = true) : DeadlockFree p env σ :=
  MPSVerify.deadlock_free_of_orderable h

theorem deadlock_free_iff_orderable (hs : env.sharedEncoders = true)
    (hcr : env.createReturns = false) (h2 : σ.atMostTwo env = true) :
    DeadlockFree .readersPass env σ ↔ orderable .readersPass env σ = true :=
  MPSVerify.deadlock_free_iff_orderable hs hcr h2

theorem single_lock_deadlock_free (h : ∀ k, (σ.requestsIn env k).length ≤ 1) :
    DeadlockFree p env σ := MPSVerify.single_lock_deadlock_free h

theorem safe_sequential {c : Client} {s : SeqState} (hs : Safe env σ) (h : SeqReachable σ env c s)
    (f : Fault) : ¬ Faulty (σ.config env c) f s.state := MPSVerify.safe_sequential hs h f

theorem global_then_encoder (p : LockPolicy) :
    Safe .default (twoOrders [.global, .encoder] [.global, .encoder]) ∧
    DeadlockFree p .default (twoOrders [.global, .encoder] [.global, .encoder]) :=
  MPSVerify.global_then_encoder p

theorem opposite_orders_deadlock (p : LockPolicy) :
    Safe .default (twoOrders [.global, .encoder] [.encoder, .global]) ∧
    ¬ DeadlockFree p .default (twoOrders [.global, .encoder] [.encoder, .global]) :=
  MPSVerify.opposite_orders_deadlock p

theorem reader_behind_writer : Safe .default readerBehindWriter ∧
    DeadlockFree .readersPass .default readerBehindWriter ∧
    ¬ DeadlockFree .readersWait .default readerBehindWriter := MPSVerify.reader_behind_writer

theorem fifo_starvation_free {C : Config} {run : Nat → FifoState} {t : Thread} {k : Kind}
    {e : Encoder} {i : Nat} (hs : C.Safe) (F : FairRun (FifoStep C) run)
    (hr : FifoReachable C (run 0)) (ht : (run i).state.threads t = some ⟨k, e, .dispatched⟩) :
    ∃ j, i ≤ j ∧ (run j).state.threads t = some ⟨k, e, .entered⟩ :=
  MPSVerify.fifo_starvation_free hs F hr ht

theorem fifo_inhabited {C : Config} (hs : C.Safe) (hsh : C.env.sharedEncoders = true) :
    ∃ run i j t u k e x, FairRun (FifoStep C) run ∧ run 0 = .initial ∧
      (run i).state.threads t = none ∧
      (run (i + 1)).state.threads t = some ⟨k, e, .dispatched⟩ ∧
      (run (i + 1)).state.threads u = some x ∧ x.holds ∧ C.blocks (x.op u) ⟨t, k, e⟩ ∧
      i + 1 < j ∧ (run j).state.threads t = some ⟨k, e, .entered⟩ :=
  MPSVerify.fifo_inhabited hs hsh

theorem starvation_without_fifo {C : Config} (hs : C.Safe) (hsh : C.env.sharedEncoders = true) :
    ∃ run t x, Reachable C (run 0) ∧ FairRun (Step C) run ∧
      ∀ i, (run i).threads t = some x ∧ ¬ x.holds := MPSVerify.starvation_without_fifo hs hsh

theorem safe_with_iff_criterion {meets : Meets} {σ : LockScheme} {env : Env}
    (hsym : ∀ k k', meets k k' = meets k' k) (hc : σ.check = true) :
    SafeWith env meets σ ↔ criterionWith env meets σ = true :=
  MPSVerify.safe_with_iff_criterion hsym hc

theorem rw_lock_safe_if_encodes_alone : SafeWith .default encodesAlone AGX.rwLock :=
  MPSVerify.rw_lock_safe_if_encodes_alone

theorem joined_threads_need_less :
    SafeWith .default joinsThreads writersEncode ∧ ¬ Safe .default writersEncode :=
  MPSVerify.joined_threads_need_less

/-! ## Clients that use an encoder after its create has returned -/

theorem nothing_beside_create {C : Config} {s : State} (h : C.env.createReturns = true)
    (hr : Reachable C s) {t u : Thread} {e : Encoder} {pc : PC} {x : Busy} (htu : t ≠ u)
    (ht : s.threads t = some ⟨.create, e, pc⟩) (hu : s.threads u = some x) : x.encoder ≠ e :=
  MPSVerify.nothing_beside_create h hr htu ht hu
theorem create_returns_asks_more {env : Env} {σ : LockScheme} {c : Client} {s : State}
    (h : Reachable (σ.config env c) s) : Reachable (σ.config env.general c) s :=
  MPSVerify.create_returns_asks_more h
theorem create_faults_go {env : Env} (h : env.createReturns = true)
    (hf : env.atomicFreelist = true) (σ : LockScheme) : ¬ CanReach env σ .lostContext ∧
      ¬ CanReach env σ .uninitialised ∧ ¬ CanReach env σ .writeAfterFree :=
  MPSVerify.create_faults_go h hf σ
theorem create_needs_no_lock {env : Env} (h : env.createReturns = true)
    (hf : env.atomicFreelist = true) (σ : LockScheme) (rs : List Request) :
    Safe env (σ.withCreate rs) ↔ Safe env σ := MPSVerify.create_needs_no_lock h hf σ rs
theorem create_needs_no_lock_only_there :
    Safe .afterCreate (perEncoder.withCreate []) ∧
      ¬ Safe .default (perEncoder.withCreate []) :=
  MPSVerify.create_needs_no_lock_only_there
theorem create_returns_complete_run :
    endsCleanIn .afterCreate (perEncoder.withCreate []) parallelRun = true :=
  MPSVerify.create_returns_complete_run

/-! ## Not vacuous -/

theorem per_encoder_complete_run : endsClean perEncoder parallelRun = true :=
  MPSVerify.per_encoder_complete_run
theorem global_mutex_complete_run : endsClean globalMutex (life 0 0 0 ++ life 1 1 1) = true :=
  MPSVerify.global_mutex_complete_run
theorem global_mutex_no_parallel_run :
    (globalMutex.replay? .default .distinct .initial parallelRun).isSome = false :=
  MPSVerify.global_mutex_no_parallel_run
theorem per_encoder_encodes_in_parallel : EncodesInParallel .default perEncoder :=
  MPSVerify.per_encoder_encodes_in_parallel
theorem maximality_inhabited : ∃ C : Config, C.Safe ∧ ∃ a b, C.Permits a b :=
  MPSVerify.maximality_inhabited
theorem runs_inhabited : ∃ (C : Config) (s : State) (t u : Thread) (x y : Busy), C.Safe ∧
    C.env.atomicFreelist = true ∧ Reachable C s ∧ t ≠ u ∧ s.threads t = some x ∧ x.holds ∧
    s.threads u = some y ∧ y.holds := MPSVerify.runs_inhabited
theorem bypass_inhabited :
    (∃ C : Config, C.env.handlersTearDown = true ∧
      (∀ held wanted, wanted.kind = .complete → ¬ C.blocks held wanted) ∧
      ∀ held wanted, held.kind = .complete → wanted.kind ≠ .complete → C.blocks held wanted) ∧
    ∃ C : Config, C.env.handlersTearDown = true ∧
      (∀ held wanted, held.kind = .complete → ¬ C.blocks held wanted) ∧
      ∀ held wanted, wanted.kind = .complete → held.kind ≠ .complete → C.blocks held wanted :=
  MPSVerify.bypass_inhabited
theorem late_inhabited : (noLocks .default).check = false ∧ (noLocks .default).CanComeLate :=
  MPSVerify.late_inhabited
theorem one_thread_inhabited : ∃ s b, ReachableBy (noLocks .default) 0 s ∧
    s.threads 0 = none ∧ s.mem.impl 0 = some b ∧ s.mem.ready b = true :=
  MPSVerify.one_thread_inhabited
theorem confinement_inhabited : ∃ s, Reachable (noLocks .confinedNoHandlers) s ∧
    ∃ b, s.threads 0 = some ⟨.encode, 0, .loaded b⟩ := MPSVerify.confinement_inhabited
theorem atomic_bodies_inhabited : ∃ s, AtomicReachable (noLocks .default) (fun _ => true) s ∧
    s.mem.impl 0 = some 0 ∧ s.mem.ready 0 = true := MPSVerify.atomic_bodies_inhabited

end MPSVerify.Claims
