import MPSVerify.Spec.Criterion

/-!
# Executable replay

States with finite maps in place of functions, and the step as a program: what the kernel evaluates
to accept or reject a recorded trace. `Thm/Replay.lean` proves that this is the transition system.
-/

namespace MPSVerify

/-- A finite map with a default: the first entry for a key counts. -/
abbrev FMap (α : Type) := List (Nat × α)

/-- The value of a key. -/
def FMap.get {α : Type} (d : α) : FMap α → Nat → α
  | [], _ => d
  | (b, v) :: m, a => if a = b then v else FMap.get d m a

/-- The map with another value for a key: in place, or at the end. -/
def FMap.set {α : Type} : FMap α → Nat → α → FMap α
  | [], a, v => [(a, v)]
  | (b, w) :: m, a, v => if a = b then (b, v) :: m else (b, w) :: FMap.set m a v

/-- The driver's memory, as finite maps. -/
structure FMem where
  impl : FMap (Option Block)
  owner : FMap (Option Encoder)
  ready : FMap Bool
  deriving DecidableEq

/-- A state, as finite maps. -/
structure Snapshot where
  mem : FMem
  alive : FMap Bool
  threads : FMap (Option Busy)
  deriving DecidableEq

/-- The memory that the finite maps stand for. -/
def FMem.mem (f : FMem) : Mem where
  impl := f.impl.get none
  owner := f.owner.get none
  ready := f.ready.get false

/-- The state that a snapshot stands for. -/
def Snapshot.state (f : Snapshot) : State where
  mem := f.mem.mem
  alive := f.alive.get true
  threads := f.threads.get none

/-- Nothing has happened. -/
def Snapshot.initial : Snapshot := ⟨⟨[], [], []⟩, [], []⟩

/-- `Env.Allows`, as a program. -/
def Env.allows (env : Env) (home : Encoder → Thread) (o : Op) : Bool :=
  match o.kind with
  | .complete => env.handlersTearDown
  | _ => env.sharedEncoders || decide (home o.encoder = o.thread)

/-- `LockScheme.Blocks`, as a program. -/
def LockScheme.blocks (σ : LockScheme) (env : Env) (c : Client) (held wanted : Op) : Bool :=
  (σ.requestsIn env held.kind).any fun r => (σ.requestsIn env wanted.kind).any fun q =>
    decide (r.scope.lock c held = q.scope.lock c wanted) && r.mode.excludes q.mode

/-- `some v`, if the condition holds. -/
def guarded {α : Type} (p : Bool) (v : α) : Option α := bif p then some v else none

/-- `Body`, as a program: where an operation of kind `k` on `e` can go from `pc` to `pc'`, the
memory after it. -/
def bodyStep? (env : Env) (check : Bool) (e : Encoder) (k : Kind) (m : FMem) :
    PC → PC → Option FMem
  | .entered, .loaded b =>
    guarded (decide (k = .encode) && decide (m.impl.get none e = some b)) m
  | .entered, .taken b => guarded (k.tearsDown && decide (m.impl.get none e = some b)) m
  | .entered, .checked =>
    guarded (decide (k = .create) && decide (m.impl.get none e = none)) m
  | .entered, .finished =>
    match k, m.impl.get none e with
    | .encode, none => guarded check m
    | .create, some _ => some m
    | .destroy, none => some m
    | .complete, none => some m
    | _, _ => none
  | .loaded _, .finished =>
    match m.impl.get none e with
    | some b => guarded (decide (k = .encode) && decide (m.owner.get none b = some e) &&
        m.ready.get false b) m
    | none => none
  | .taken b, .pushed =>
    guarded (k.tearsDown && decide (m.owner.get none b = some e))
      { m with owner := m.owner.set b none }
  | .pushed, .finished => guarded k.tearsDown { m with impl := m.impl.set e none }
  | .checked, .popped b =>
    guarded (decide (k = .create) && env.atomicFreelist && decide (m.owner.get none b = none))
      { m with owner := m.owner.set b (some e), ready := m.ready.set b false }
  | .checked, .peeked b =>
    guarded (decide (k = .create) && !env.atomicFreelist && decide (m.owner.get none b = none)) m
  | .peeked b, .popped b' =>
    guarded (decide (k = .create) && decide (b = b'))
      { m with owner := m.owner.set b (some e), ready := m.ready.set b false }
  | .popped b, .published b' =>
    guarded (decide (k = .create) && decide (b = b') && decide (m.impl.get none e = none))
      { m with impl := m.impl.set e (some b) }
  | .published b, .finished =>
    guarded (decide (k = .create) && decide (m.owner.get none b = some e))
      { m with ready := m.ready.set b true }
  | _, _ => none

/-- Nobody but `t` is past an acquire that blocks `o`. -/
def Snapshot.free (f : Snapshot) (σ : LockScheme) (env : Env) (c : Client) (o : Op) : Bool :=
  f.threads.all fun entry =>
    decide (entry.1 = o.thread) || match f.threads.get none entry.1 with
      | none => true
      | some b => decide (b.pc = .dispatched) || !σ.blocks env c (b.op entry.1) o

/-- Thread `t` is now at `b`. -/
def Snapshot.setThread (f : Snapshot) (t : Thread) (b : Option Busy) : Snapshot :=
  { f with threads := f.threads.set t b }

/-- `State.MayBegin`, as a program. -/
def Snapshot.mayBegin (f : Snapshot) (env : Env) (k : Kind) (e : Encoder) : Bool :=
  (decide (k = .create) || decide (f.mem.impl.get none e ≠ none)) &&
    (!env.createReturns || decide (k ≠ .create) || decide (f.mem.impl.get none e = none)) &&
    f.threads.all fun entry => match f.threads.get none entry.1 with
      | none => true
      | some b => decide (b.encoder ≠ e) || env.beside b.kind k

/-- `Step`, as a program. -/
def LockScheme.step? (σ : LockScheme) (env : Env) (c : Client) (f : Snapshot) :
    Label → Option Snapshot
  | .dispatch o =>
    guarded (decide (f.threads.get none o.thread = none) && f.alive.get true o.encoder &&
      env.allows c.home o && f.mayBegin env o.kind o.encoder)
      (f.setThread o.thread (some ⟨o.kind, o.encoder, .dispatched⟩))
  | .acquire t =>
    match f.threads.get none t with
    | some ⟨k, e, .dispatched⟩ =>
      guarded (f.alive.get true e && f.free σ env c ⟨t, k, e⟩)
        (f.setThread t (some ⟨k, e, .entered⟩))
    | _ => none
  | .body t pc' =>
    match f.threads.get none t with
    | some ⟨k, e, pc⟩ =>
      match bodyStep? env σ.check e k f.mem pc pc' with
      | some m => some { f.setThread t (some ⟨k, e, pc'⟩) with mem := m }
      | none => none
    | none => none
  | .release t =>
    match f.threads.get none t with
    | some ⟨_, _, .finished⟩ => some (f.setThread t none)
    | _ => none
  | .drop e =>
    guarded (f.alive.get true e && (!env.callersRetain || f.threads.all fun entry =>
      match f.threads.get none entry.1 with
      | none => true
      | some b => decide (b.encoder ≠ e)))
      { f with alive := f.alive.set e false }

/-- The snapshot after a trace; `none` if an event is not a step. -/
def LockScheme.replay? (σ : LockScheme) (env : Env) (c : Client) :
    Snapshot → List Label → Option Snapshot
  | f, [] => some f
  | f, l :: ls =>
    match σ.step? env c f l with
    | some f' => σ.replay? env c f' ls
    | none => none

/-- The fault that thread `t`'s next body step is, if it is one. -/
def bodyFault? (check : Bool) (e : Encoder) (k : Kind) (m : FMem) : PC → Option Fault
  | .entered =>
    guarded (decide (k = .encode) && !check && decide (m.impl.get none e = none)) .nullDeref
  | .loaded _ =>
    match k, m.impl.get none e with
    | .encode, none => some .nullDeref
    | .encode, some b =>
      if m.owner.get none b = some e then guarded (!m.ready.get false b) .uninitialised
      else some .staleContext
    | _, _ => none
  | .taken b => guarded (k.tearsDown && decide (m.owner.get none b ≠ some e)) .doubleFree
  | .popped _ =>
    guarded (decide (k = .create) && decide (m.impl.get none e ≠ none)) .lostContext
  | .published b =>
    guarded (decide (k = .create) && decide (m.owner.get none b ≠ some e)) .writeAfterFree
  | _ => none

/-- Another thread is between load and use of encoder `e`. -/
def Snapshot.loadedBy (f : Snapshot) (e : Encoder) (u : Thread) : Bool :=
  match f.threads.get none u with
  | some ⟨.encode, e', .loaded _⟩ => decide (e' = e)
  | _ => false

/-- Does thread `t` show fault `flt` in this snapshot? -/
def Snapshot.shows (f : Snapshot) (check : Bool) (flt : Fault) (t : Thread) : Bool :=
  match f.threads.get none t with
  | none => false
  | some ⟨k, e, pc⟩ =>
    decide (bodyFault? check e k f.mem pc = some flt) ||
    (decide (flt = .deadDispatch) && decide (pc = .dispatched) && !f.alive.get true e) ||
    (decide (flt = .encoderOverlap) && f.loadedBy e t &&
      f.threads.any fun entry => decide (entry.1 ≠ t) && f.loadedBy e entry.1)

/-- Does the trace lead to a state in which thread `t` shows fault `flt`? -/
def LockScheme.leadsTo (σ : LockScheme) (env : Env) (c : Client) (trace : List Label)
    (flt : Fault) (t : Thread) : Bool :=
  match σ.replay? env c .initial trace with
  | some f => f.shows σ.check flt t
  | none => false

end MPSVerify
