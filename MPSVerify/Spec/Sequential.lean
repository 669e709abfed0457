import MPSVerify.Spec.Criterion

/-!
# Several locks per call, taken one after another

In `Step.lean` a call takes all its locks in one step. Here it takes them one at a time, in the
order of the scheme's list, and keeps those that it has while it waits for the next. Bodies, clients
and environments are those of `Step.lean`: only the acquire is refined. No lock is reentrant: a call
that asks for one lock twice, not both times shared, waits for itself. All locks are released at
once.

Whether such calls can deadlock depends on the locks as well: some let a reader in while a writer
waits, some do not. So the policy of the locks is part of the claim.
-/

namespace MPSVerify

/-- How far a call has come with its locks: those that it holds and those that it has still to take,
both in the order of the scheme. -/
structure Locks where
  taken : List Request
  left : List Request

/-- A state of the system with sequential acquires. The locks of idle threads mean nothing. -/
structure SeqState where
  state : State
  locks : Thread → Locks

/-- Nobody does anything. -/
def SeqState.initial : SeqState where
  state := .initial
  locks := fun _ => ⟨[], []⟩

/-- What happens in a step: a step of `Step.lean`, or thread `t` takes its next lock. -/
inductive SeqLabel where
  | step (l : Label)
  | take (t : Thread)

/-- The thread that a step is a step of. -/
def SeqLabel.thread? : SeqLabel → Option Thread
  | .step l => l.thread?
  | .take t => some t

/-- A step of an operation that is under way: neither a new dispatch nor a drop. -/
def SeqLabel.Works : SeqLabel → Prop
  | .step l => l.Works
  | .take _ => True

/-- Thread `u` holds a lock that keeps operation `o` from taking the lock of request `q`. -/
def SeqState.Withholds (c : Client) (s : SeqState) (u : Thread) (o : Op) (q : Request) : Prop :=
  ∃ x r, s.state.threads u = some x ∧ r ∈ (s.locks u).taken ∧
    r.scope.lock c (x.op u) = q.scope.lock c o ∧ r.mode.excludes q.mode = true

/-- `SeqStep σ env c s l s'`: with sequential acquires, state `s` can go to `s'` by `l`. -/
inductive SeqStep (σ : LockScheme) (env : Env) (c : Client) : SeqState → SeqLabel → SeqState → Prop
  /-- A new call holds nothing and has everything to take. -/
  | dispatch {s s' o} : Step (σ.config env c) s.state (.dispatch o) s' →
      SeqStep σ env c s (.step (.dispatch o))
        ⟨s', update s.locks o.thread ⟨[], σ.requestsIn env o.kind⟩⟩
  /-- The next lock is taken, if nobody (the thread itself included) withholds it. -/
  | take {s t k e r rs} : s.state.threads t = some ⟨k, e, .dispatched⟩ →
      (s.locks t).left = r :: rs → (∀ u, ¬ s.Withholds c u ⟨t, k, e⟩ r) →
      SeqStep σ env c s (.take t)
        ⟨s.state, update s.locks t ⟨(s.locks t).taken ++ [r], rs⟩⟩
  /-- The body starts when every lock is held. -/
  | enter {s t k e} : s.state.threads t = some ⟨k, e, .dispatched⟩ →
      s.state.alive e = true → (s.locks t).left = [] →
      SeqStep σ env c s (.step (.acquire t))
        ⟨s.state.setThread t (some ⟨k, e, .entered⟩), s.locks⟩
  /-- Bodies, releases and drops are as before. -/
  | other {s s' l} : Step (σ.config env c) s.state l s' → (∀ o, l ≠ .dispatch o) →
      (∀ t, l ≠ .acquire t) → SeqStep σ env c s (.step l) ⟨s', s.locks⟩

/-- The states that can be reached with sequential acquires. -/
inductive SeqReachable (σ : LockScheme) (env : Env) (c : Client) : SeqState → Prop where
  | initial : SeqReachable σ env c .initial
  | step {s l s'} : SeqReachable σ env c s → SeqStep σ env c s l s' → SeqReachable σ env c s'

/-- **Whom a reader waits for**, when it asks for a lock that readers hold. -/
inductive LockPolicy where
  /-- For holders only: a reader passes a writer that waits. -/
  | readersPass
  /-- For a writer that waits as well, as with first-in-first-out locks and with those that prefer
  writers. -/
  | readersWait
  deriving DecidableEq

/-- Thread `u` waits for the lock of request `q` itself, exclusively. -/
def SeqState.WaitsToWrite (c : Client) (s : SeqState) (u : Thread) (o : Op) (q : Request) : Prop :=
  ∃ k e r rs, s.state.threads u = some ⟨k, e, .dispatched⟩ ∧ (s.locks u).left = r :: rs ∧
    r.scope.lock c ⟨u, k, e⟩ = q.scope.lock c o ∧ r.mode = .exclusive

/-- Operation `o`, which asks for the lock of request `q`, can have to wait for thread `u`. -/
def SeqState.Keeps (p : LockPolicy) (c : Client) (s : SeqState) (u : Thread) (o : Op)
    (q : Request) : Prop :=
  s.Withholds c u o q ∨ (p = .readersWait ∧ q.mode = .shared ∧ s.WaitsToWrite c u o q)

/-- Some threads (one or more) wait, each for one of them. Steps are the same for both policies: a
reader that passes a thread with the same lock ahead of it was there before that one asked. -/
def SeqState.Deadlocked (p : LockPolicy) (c : Client) (s : SeqState) : Prop :=
  ∃ S : Thread → Prop, (∃ t, S t) ∧ ∀ t, S t → ∃ k e r rs,
    s.state.threads t = some ⟨k, e, .dispatched⟩ ∧ (s.locks t).left = r :: rs ∧
    ∃ u, S u ∧ s.Keeps p c u ⟨t, k, e⟩ r

/-- **Deadlock-free** with locks of policy `p`: for every client, no deadlock can be reached. -/
def DeadlockFree (p : LockPolicy) (env : Env) (σ : LockScheme) : Prop :=
  ∀ c s, SeqReachable σ env c s → ¬ s.Deadlocked p c

/-! ## The order of the locks, as a program -/

/-- A place at which a call waits: what it holds there and what it wants. -/
structure Wait where
  kind : Kind
  held : List Request
  wanted : Request
  deriving DecidableEq

/-- The waits of a call of kind `k` that holds `held` and has `left` still to take. -/
def waitsFrom (k : Kind) (held : List Request) : (left : List Request) → List Wait
  | [] => []
  | r :: rs => ⟨k, held, r⟩ :: waitsFrom k (held ++ [r]) rs

/-- All waits of the calls that can happen. -/
def LockScheme.waits (σ : LockScheme) (env : Env) : List Wait :=
  (allKinds.filter env.happens).flatMap fun k => waitsFrom k [] (σ.requestsIn env k)

/-- The client that shares all it can: one stream, one queue. -/
def Client.together : Client where
  stream := fun _ => 0
  home := id
  queue := fun _ => 0

/-- The lock of a request when everybody uses encoder 0. Two requests can name one lock in some
client if and only if they do so here. -/
def Scope.common (s : Scope) (k : Kind) : Lock := s.lock .together ⟨0, k, 0⟩

/-- Request `r` of a call of kind `k` can name the lock that a call at `x` wants. An encoder's lock
is shared by two threads only if their kinds can meet on one encoder (never, for most kinds, under
confinement). -/
def Wait.wants (env : Env) (x : Wait) (k : Kind) (r : Request) : Bool :=
  decide (r.scope.common k = x.wanted.scope.common x.kind) &&
    (decide (r.scope ≠ .encoder) || decide (x.kind = k) || env.meet x.kind k)

/-- A call at `x` can be waiting for a call at `y`. -/
def Wait.on (p : LockPolicy) (env : Env) (x y : Wait) : Bool :=
  (y.held.any fun r => x.wants env y.kind r && r.mode.excludes x.wanted.mode) ||
    (decide (p = .readersWait) && decide (x.wanted.mode = .shared) &&
      decide (y.wanted.mode = .exclusive) && x.wants env y.kind y.wanted)

/-- The waits that can be for one of them. -/
def pruneWaits (p : LockPolicy) (env : Env) (xs : List Wait) : List Wait :=
  xs.filter fun x => xs.any (x.on p env)

/-- Prune `n` times. -/
def knotAfter (p : LockPolicy) (env : Env) : Nat → List Wait → List Wait
  | 0, xs => xs
  | n + 1, xs => knotAfter p env n (pruneWaits p env xs)

/-- What is left when nothing more can be pruned: the waits of cycles, and those that lead to one.
This is the counterexample when the locks cannot be ordered. -/
def LockScheme.knot (σ : LockScheme) (p : LockPolicy) (env : Env) : List Wait :=
  knotAfter p env (σ.waits env).length (σ.waits env)

/-- **The locks can be ordered** under policy `p`: no cycle of waits. With readers that wait there
are more waits, so what can be ordered if readers pass need not be so then. -/
def orderable (p : LockPolicy) (env : Env) (σ : LockScheme) : Bool := (σ.knot p env).isEmpty

/-- No call asks for more than two locks. -/
def LockScheme.atMostTwo (σ : LockScheme) (env : Env) : Bool :=
  allKinds.all fun k => decide ((σ.requestsIn env k).length ≤ 2)

/-! ## Schemes that the claims name -/

/-- Every call takes these locks, all exclusive, in this order, but `destroy` in that one. -/
def twoOrders (scopes scopes' : List Scope) : LockScheme where
  create := scopes.map (⟨·, .exclusive⟩)
  encode := scopes.map (⟨·, .exclusive⟩)
  destroy := scopes'.map (⟨·, .exclusive⟩)
  complete := scopes.map (⟨·, .exclusive⟩)
  check := true

/-- `encode` and `destroy` read the global lock and take the encoder's, in both orders; `create` and
`complete` write the global lock. -/
def readerBehindWriter : LockScheme where
  create := [⟨.global, .exclusive⟩]
  encode := [⟨.global, .shared⟩, ⟨.encoder, .exclusive⟩]
  destroy := [⟨.encoder, .exclusive⟩, ⟨.global, .shared⟩]
  complete := [⟨.global, .exclusive⟩]
  check := true

end MPSVerify
