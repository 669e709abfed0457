import MPSVerify.Spec.Step

/-!
# A driver that makes whole bodies one step

The transition system of `Step.lean`, but the bodies of some kinds run from start to end with
nobody in between: what synchronisation inside the driver would give.
-/

namespace MPSVerify

/-- A body from start to end without other threads in between. -/
inductive Body.Run (C : Config) (e : Encoder) (k : Kind) : PC → Mem → Mem → Prop where
  | done {m} : Body.Run C e k .finished m m
  | step {pc m pc' m' m''} : Body C e k pc m pc' m' → Body.Run C e k pc' m' m'' →
      Body.Run C e k pc m m''

/-- A body that runs into fault `f` when nobody comes in between. -/
inductive Body.Fails (C : Config) (e : Encoder) (k : Kind) (f : Fault) : PC → Mem → Prop where
  | now {pc m} : BodyFault C e f k pc m → Body.Fails C e k f pc m
  | step {pc m pc' m'} : Body C e k pc m pc' m' → Body.Fails C e k f pc' m' →
      Body.Fails C e k f pc m

/-- The transition system of a driver that makes the bodies of the kinds in `atomic` one step. -/
inductive AtomicStep (C : Config) (atomic : Kind → Bool) : State → State → Prop where
  | other {s l s'} : Step C s l s' → (∀ t pc, l ≠ .body t pc) → AtomicStep C atomic s s'
  | small {s t k e pc pc' m'} : atomic k = false → s.threads t = some ⟨k, e, pc⟩ →
      Body C e k pc s.mem pc' m' →
      AtomicStep C atomic s ((s.setThread t (some ⟨k, e, pc'⟩)).setMem m')
  | whole {s t k e m'} : atomic k = true → s.threads t = some ⟨k, e, .entered⟩ →
      Body.Run C e k .entered s.mem m' →
      AtomicStep C atomic s ((s.setThread t (some ⟨k, e, .finished⟩)).setMem m')

/-- What such a driver can reach. -/
inductive AtomicReachable (C : Config) (atomic : Kind → Bool) : State → Prop where
  | initial : AtomicReachable C atomic .initial
  | step {s s'} : AtomicReachable C atomic s → AtomicStep C atomic s s' →
      AtomicReachable C atomic s'

/-- Its faults: those of its steps, and messages to dead objects. -/
inductive AtomicFaulty (C : Config) (atomic : Kind → Bool) : Fault → State → Prop where
  | small {f s t k e pc} : atomic k = false → s.threads t = some ⟨k, e, pc⟩ →
      BodyFault C e f k pc s.mem → AtomicFaulty C atomic f s
  | whole {f s t k e} : atomic k = true → s.threads t = some ⟨k, e, .entered⟩ →
      Body.Fails C e k f .entered s.mem → AtomicFaulty C atomic f s
  | overlap {s t u e b b'} : t ≠ u → s.threads t = some ⟨.encode, e, .loaded b⟩ →
      s.threads u = some ⟨.encode, e, .loaded b'⟩ → AtomicFaulty C atomic .encoderOverlap s
  | dead {s t k e} : s.threads t = some ⟨k, e, .dispatched⟩ → s.alive e = false →
      AtomicFaulty C atomic .deadDispatch s

/-- Only `encode` is atomic: what synchronisation inside `setComputePipelineState:` would give. -/
def encodeOnly (k : Kind) : Bool := decide (k = .encode)

end MPSVerify
