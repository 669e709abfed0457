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
  deriving DecidableEq

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
