import MPSVerify.Spec.Step

/-!
# Lock schemes, and what is asked of them

A lock scheme says which locks each kind of operation takes. It is data: `model/strategies.toml`
holds the schemes, `MPSVerify/AGX/` the same ones as generated definitions.
-/

namespace MPSVerify

/-- Which lock. -/
inductive Scope where
  | global
  /-- One lock per stream of the calling thread. -/
  | stream
  /-- One lock per kind of operation. -/
  | operation
  | encoder
  /-- One lock per queue of the encoder. -/
  | queue
  deriving DecidableEq

inductive Mode where
  | exclusive
  | shared
  deriving DecidableEq

/-- A lock that a call asks for. -/
structure Request where
  scope : Scope
  mode : Mode
  deriving DecidableEq

/-- The locks of each kind of operation, and whether the guard checks for liveness under them. -/
structure LockScheme where
  create : List Request
  encode : List Request
  destroy : List Request
  complete : List Request
  check : Bool
  deriving DecidableEq

/-- The same locks, but these for `create`. -/
def LockScheme.withCreate (σ : LockScheme) (rs : List Request) : LockScheme :=
  { σ with create := rs }

/-- The requests of an operation of this kind. -/
def LockScheme.requests (σ : LockScheme) : Kind → List Request
  | .create => σ.create
  | .encode => σ.encode
  | .destroy => σ.destroy
  | .complete => σ.complete

/-- The same, when handlers may bypass the guard: then `complete` takes no lock. -/
def LockScheme.requestsIn (σ : LockScheme) (env : Env) (k : Kind) : List Request :=
  if k = .complete ∧ env.handlersIntercepted = false then [] else σ.requests k

/-- One lock of the running program. -/
inductive Lock where
  | global
  | stream (s : Stream)
  | operation (k : Kind)
  | encoder (e : Encoder)
  | queue (q : Queue)
  deriving DecidableEq

/-- The lock that a request of operation `o` names. -/
def Scope.lock (c : Client) (o : Op) : Scope → Lock
  | .global => .global
  | .stream => .stream (c.stream o.thread)
  | .operation => .operation o.kind
  | .encoder => .encoder o.encoder
  | .queue => .queue (c.queue o.encoder)

/-- Two modes exclude each other unless both are shared. -/
def Mode.excludes : Mode → Mode → Bool
  | .shared, .shared => false
  | _, _ => true

/-- Two requests for one lock exclude each other unless both are shared. -/
def LockScheme.Blocks (σ : LockScheme) (env : Env) (c : Client) (held wanted : Op) : Prop :=
  ∃ r ∈ σ.requestsIn env held.kind, ∃ q ∈ σ.requestsIn env wanted.kind,
    r.scope.lock c held = q.scope.lock c wanted ∧ r.mode.excludes q.mode = true

/-- The transition system of a lock scheme. -/
def LockScheme.config (σ : LockScheme) (env : Env) (c : Client) : Config where
  env := env
  home := c.home
  blocks := σ.Blocks env c
  check := σ.check

/-- **Safe**: for every client, no fault can happen. -/
def Safe (env : Env) (σ : LockScheme) : Prop := ∀ c, (σ.config env c).Safe

/-- Fault `f` can happen to some client. -/
def CanReach (env : Env) (σ : LockScheme) (f : Fault) : Prop := ∃ c, (σ.config env c).CanReach f

/-- **Exactly** the faults of the list can happen. -/
def ExactFaults (env : Env) (σ : LockScheme) (faults : List Fault) : Prop :=
  ∀ f, CanReach env σ f ↔ f ∈ faults

/-- **Parallel**: some client can have two threads past their acquires in a fault-free state. -/
def Parallel (env : Env) (σ : LockScheme) : Prop :=
  ∃ c s t u x y, Reachable (σ.config env c) s ∧ (∀ f, ¬ Faulty (σ.config env c) f s) ∧
    t ≠ u ∧ s.threads t = some x ∧ x.holds ∧ s.threads u = some y ∧ y.holds

/-- Some client can run into the race of the crash logs. -/
def TeardownRace (env : Env) (σ : LockScheme) : Prop := ∃ c, (σ.config env c).TeardownRace

/-- Some client can have two threads past the acquire of `encode` in a state without a fault. -/
def EncodesInParallel (env : Env) (σ : LockScheme) : Prop :=
  ∃ c s t u e e' pc pc', Reachable (σ.config env c) s ∧ (∀ f, ¬ Faulty (σ.config env c) f s) ∧
    t ≠ u ∧ s.threads t = some ⟨.encode, e, pc⟩ ∧ pc ≠ .dispatched ∧
    s.threads u = some ⟨.encode, e', pc'⟩ ∧ pc' ≠ .dispatched

/-- No fault but encoder overlap can happen. -/
def MemorySafe (env : Env) (σ : LockScheme) : Prop :=
  ∀ f, f ≠ .encoderOverlap → ¬ CanReach env σ f

end MPSVerify
