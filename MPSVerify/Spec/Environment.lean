import MPSVerify.Spec.Driver

/-!
# Environments: what is assumed about the driver and about the client

Every assumption is one named Boolean, and every theorem says which of them it uses.
-/

namespace MPSVerify

/-- What is assumed of the driver and of the program that uses it. -/
structure Env where
  /-- Completion handlers' teardown goes through the guard. If not, `complete` takes no lock. -/
  handlersIntercepted : Bool
  /-- Completion handlers tear contexts down at all. If not, `complete` never happens. -/
  handlersTearDown : Bool
  /-- Taking a block from the driver's freelist is one step. If not, two creates can see one
  block. -/
  atomicFreelist : Bool
  /-- Whoever sends a message to an encoder owns a reference to it until the message returns. -/
  callersRetain : Bool
  /-- Any thread may use any encoder. If not, each encoder is used by its home thread only
  (*confinement*); completion handlers still run on any thread. -/
  sharedEncoders : Bool
  /-- Nobody uses an encoder before its create has returned, and an encoder object is made once. If
  not, it can be used as soon as its context is published, and asked for again by anybody.

  The number of an encoder that has no context left and on which nothing is under way may be used
  again: that is the next object at that address. So every run in which each number is made once is
  a run of this system, and safety is about them. The runs by which the proofs reach a fault under
  this assumption make each encoder once; that is seen in the proofs, no theorem says it. -/
  createReturns : Bool
  deriving DecidableEq

/-- The same driver, and the general client: it need not wait until create has returned. -/
def Env.general (env : Env) : Env := { env with createReturns := false }

/-- May calls of kinds `k` and `k'` be under way on one encoder at the same time, from dispatch to
return? Under `createReturns` nothing is under way beside a create. -/
def Env.beside (env : Env) (k k' : Kind) : Bool :=
  !env.createReturns || (decide (k ≠ .create) && decide (k' ≠ .create))

/-- A client: the program that drives the GPU, as far as the lock schemes can tell it apart.
All three maps are arbitrary, and universally quantified in every safety theorem. -/
structure Client where
  /-- The stream that a thread submits to. -/
  stream : Thread → Stream
  /-- The thread that owns an encoder, under confinement. -/
  home : Encoder → Thread
  /-- The queue that an encoder belongs to (locks per queue: *striped* locks). -/
  queue : Encoder → Queue

/-- One operation of one thread on one encoder. -/
structure Op where
  thread : Thread
  kind : Kind
  encoder : Encoder
  deriving DecidableEq

/-- May this operation happen at all? Handlers run on any thread, if they tear down at all;
everything else is for the encoder's home thread only, unless encoders are shared. -/
def Env.Allows (env : Env) (home : Encoder → Thread) (o : Op) : Prop :=
  if o.kind = .complete then env.handlersTearDown = true
  else env.sharedEncoders = true ∨ home o.encoder = o.thread

/-- The client whose threads share nothing that they need not share. -/
def Client.distinct : Client where
  stream := id
  home := id
  queue := id

end MPSVerify
