/-!
# The driver's memory and the guard's view of a thread

Threads, encoders, streams, queues and context blocks are natural numbers: there is no bound on
any of them. Nothing in this file moves; the steps are in `Body.lean` and `Step.lean`.
-/

namespace MPSVerify

abbrev Thread := Nat
abbrev Encoder := Nat
abbrev Stream := Nat
abbrev Queue := Nat
abbrev Block := Nat

/-- What a thread can ask the driver to do with an encoder. -/
inductive Kind where
  /-- Make the encoder: take a context block from the freelist and publish it. -/
  | create
  /-- `setComputePipelineState:`, `setBuffer:…`, `dispatch…`: use the encoder's context. -/
  | encode
  /-- `endEncoding`, `commit`, `destroyImpl` on a user thread: give the context back. -/
  | destroy
  /-- The asynchronous completion handler's teardown, on a driver thread. -/
  | complete
  deriving DecidableEq

/-- `destroy` and `complete` have the same body: both give the context block back. -/
def Kind.tearsDown : Kind → Bool
  | .destroy | .complete => true
  | .create | .encode => false

/-- Where a busy thread is. A block in a program point is what the thread has in its registers. -/
inductive PC where
  /-- The message send has happened; the guard has not run yet. -/
  | dispatched
  /-- The locks are held; the body has not started. -/
  | entered
  /-- `encode` has read the `_impl` pointer and found this block. -/
  | loaded (b : Block)
  /-- Teardown has read the `_impl` pointer and found this block. -/
  | taken (b : Block)
  /-- Teardown has given the block back; `_impl` still points to it. -/
  | pushed
  /-- `create` has seen that the encoder has no context. -/
  | checked
  /-- `create` has seen this block on a racy freelist, and not claimed it yet. -/
  | peeked (b : Block)
  /-- `create` owns this block and has not published it. -/
  | popped (b : Block)
  /-- `create` has published this block and not initialised it. -/
  | published (b : Block)
  /-- The body is done; the locks are still held. -/
  | finished
  deriving DecidableEq

/-- A thread's operation, and how far it has come. -/
structure Busy where
  kind : Kind
  encoder : Encoder
  pc : PC
  deriving DecidableEq

/-- The driver's memory. -/
structure Mem where
  /-- The encoder's `_impl` pointer. -/
  impl : Encoder → Option Block
  /-- `none` while the block lies on the driver's freelist. -/
  owner : Block → Option Encoder
  /-- Has the block been initialised since it was last popped? -/
  ready : Block → Bool

/-- A state of the whole system. -/
structure State where
  mem : Mem
  /-- The encoder object has not been released. -/
  alive : Encoder → Bool
  /-- `none` while the thread is idle. -/
  threads : Thread → Option Busy

/-- The function `f`, but `v` at `a`. -/
def update {α : Type} (f : Nat → α) (a : Nat) (v : α) : Nat → α :=
  fun x => if x = a then v else f x

/-- Nobody does anything; no encoder has a context; every block is free. -/
def State.initial : State where
  mem := { impl := fun _ => none, owner := fun _ => none, ready := fun _ => false }
  alive := fun _ => true
  threads := fun _ => none

/-- The faults of the driver that the guard is there to prevent. -/
inductive Fault where
  /-- `_impl` is read as NULL and dereferenced: the crash in `setComputePipelineState:`. -/
  | nullDeref
  /-- The context block belongs to somebody else, or to the freelist. -/
  | staleContext
  /-- The context block has not been initialised. -/
  | uninitialised
  /-- A block that is not the encoder's is put on the freelist. -/
  | doubleFree
  /-- A published context is overwritten: its block leaks. -/
  | lostContext
  /-- A block that is not the encoder's is initialised. -/
  | writeAfterFree
  /-- Two threads encode on one encoder at once; encoder state is not thread-safe. -/
  | encoderOverlap
  /-- A message reaches an object that has been released. -/
  | deadDispatch
  deriving DecidableEq

end MPSVerify
