import MPSVerify.Spec.Replay
import MPSVerify.Spec.Sequential

/-!
# Executable replay with sequential acquires

`Replay.lean` once more for calls that take their locks one after another: what the kernel evaluates
to accept a run into a deadlock. `Thm/Deadlock/Replay.lean` proves that it is one.
-/

namespace MPSVerify

/-- An entry of a list, 0 beyond its end. -/
def entry : List Nat → Nat → Nat
  | [], _ => 0
  | v :: _, 0 => v
  | _ :: vs, n + 1 => entry vs n

/-- The client with these streams by thread, homes by encoder and queues by encoder. -/
def Client.listed (streams : List Stream) (homes : List Thread) (queues : List Queue) : Client where
  stream := entry streams
  home := entry homes
  queue := entry queues

/-- A state with sequential acquires, as finite maps. -/
structure SeqSnapshot where
  base : Snapshot
  locks : FMap Locks

/-- The locks of a thread. -/
def SeqSnapshot.locksOf (f : SeqSnapshot) (t : Thread) : Locks := f.locks.get ⟨[], []⟩ t

/-- The state that a snapshot stands for. -/
def SeqSnapshot.state (f : SeqSnapshot) : SeqState := ⟨f.base.state, f.locksOf⟩

/-- Nothing has happened. -/
def SeqSnapshot.initial : SeqSnapshot := ⟨.initial, []⟩

/-- `SeqState.Withholds`, as a program. -/
def SeqSnapshot.withholds (c : Client) (f : SeqSnapshot) (u : Thread) (o : Op) (q : Request) :
    Bool :=
  match f.base.threads.get none u with
  | none => false
  | some x => (f.locksOf u).taken.any fun r =>
      decide (r.scope.lock c (x.op u) = q.scope.lock c o) && r.mode.excludes q.mode

/-- `SeqState.WaitsToWrite`, as a program. -/
def SeqSnapshot.waitsToWrite (c : Client) (f : SeqSnapshot) (u : Thread) (o : Op) (q : Request) :
    Bool :=
  match f.base.threads.get none u, (f.locksOf u).left with
  | some ⟨k, e, .dispatched⟩, r :: _ =>
    decide (r.scope.lock c ⟨u, k, e⟩ = q.scope.lock c o) && decide (r.mode = .exclusive)
  | _, _ => false

/-- `SeqState.Keeps`, as a program. -/
def SeqSnapshot.keeps (p : LockPolicy) (c : Client) (f : SeqSnapshot) (u : Thread) (o : Op)
    (q : Request) : Bool :=
  f.withholds c u o q ||
    (decide (p = .readersWait) && decide (q.mode = .shared) && f.waitsToWrite c u o q)

/-- `SeqStep`, as a program. -/
def LockScheme.seqStep? (σ : LockScheme) (env : Env) (c : Client) (f : SeqSnapshot) :
    SeqLabel → Option SeqSnapshot
  | .take t =>
    match f.base.threads.get none t, (f.locksOf t).left with
    | some ⟨k, e, .dispatched⟩, r :: rs =>
      guarded (f.base.threads.all fun entry => !f.withholds c entry.1 ⟨t, k, e⟩ r)
        ⟨f.base, f.locks.set t ⟨(f.locksOf t).taken ++ [r], rs⟩⟩
    | _, _ => none
  | .step (.acquire t) =>
    match f.base.threads.get none t, (f.locksOf t).left with
    | some ⟨k, e, .dispatched⟩, [] =>
      guarded (f.base.alive.get true e) ⟨f.base.setThread t (some ⟨k, e, .entered⟩), f.locks⟩
    | _, _ => none
  | .step (.dispatch o) =>
    match σ.step? env c f.base (.dispatch o) with
    | some g => some ⟨g, f.locks.set o.thread ⟨[], σ.requestsIn env o.kind⟩⟩
    | none => none
  | .step l =>
    match σ.step? env c f.base l with
    | some g => some ⟨g, f.locks⟩
    | none => none

/-- The snapshot after a run; `none` if an event is not a step. -/
def LockScheme.seqReplay? (σ : LockScheme) (env : Env) (c : Client) :
    SeqSnapshot → List SeqLabel → Option SeqSnapshot
  | f, [] => some f
  | f, l :: ls =>
    match σ.seqStep? env c f l with
    | some f' => σ.seqReplay? env c f' ls
    | none => none

/-- Does each of these threads wait for one of them? -/
def SeqSnapshot.deadlocked (p : LockPolicy) (c : Client) (f : SeqSnapshot) (ts : List Thread) :
    Bool :=
  !ts.isEmpty && ts.all fun t =>
    match f.base.threads.get none t, (f.locksOf t).left with
    | some ⟨k, e, .dispatched⟩, r :: _ => ts.any fun u => f.keeps p c u ⟨t, k, e⟩ r
    | _, _ => false

/-- Does the run lead to a deadlock of these threads? -/
def LockScheme.leadsToDeadlock (σ : LockScheme) (p : LockPolicy) (env : Env) (c : Client)
    (run : List SeqLabel) (ts : List Thread) : Bool :=
  match σ.seqReplay? env c .initial run with
  | some f => f.deadlocked p c ts
  | none => false

end MPSVerify
