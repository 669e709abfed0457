import MPSVerify.Spec.Body

/-!
# The transition system

Five rules. The client is the most general one that uses what it was given: any thread, any
operation, any time, but `encode`, `destroy` and `complete` are *dispatched* only on an encoder that
has a context. Every race is therefore between dispatch and use. A context is there as soon as it is
published, which is before its create returns: `createReturns` asks more of the client.
-/

namespace MPSVerify

/-- What happens in a step. -/
inductive Label where
  | dispatch (o : Op)
  | acquire (t : Thread)
  /-- A body step of thread `t`, to program point `pc`. -/
  | body (t : Thread) (pc : PC)
  | release (t : Thread)
  /-- The last reference to the encoder object goes away. -/
  | drop (e : Encoder)
  deriving DecidableEq

/-- The thread that a step is a step of. -/
def Label.thread? : Label → Option Thread
  | .dispatch o => some o.thread
  | .acquire t | .body t _ | .release t => some t
  | .drop _ => none

/-- A step of an operation that is under way: neither a new dispatch nor a drop. -/
def Label.Works : Label → Prop
  | .dispatch _ | .drop _ => False
  | .acquire _ | .body _ _ | .release _ => True

/-- A busy thread holds its locks from its acquire on. -/
def Busy.holds (b : Busy) : Prop := b.pc ≠ .dispatched

/-- What thread `t` is doing, as an operation. -/
def Busy.op (t : Thread) (b : Busy) : Op := ⟨t, b.kind, b.encoder⟩

/-- Thread `t` is now at `b` (`none`: idle). -/
def State.setThread (s : State) (t : Thread) (b : Option Busy) : State :=
  { s with threads := update s.threads t b }

/-- The driver's memory is now `m`. -/
def State.setMem (s : State) (m : Mem) : State := { s with mem := m }

/-- May a call of kind `k` on `e` begin? `encode`, `destroy` and `complete` need a context. Under
`createReturns`, `create` needs that there is none, and that nothing is under way on `e`; and
nothing begins while a create is under way. -/
structure State.MayBegin (env : Env) (s : State) (k : Kind) (e : Encoder) : Prop where
  used : k ≠ .create → s.mem.impl e ≠ none
  made : env.createReturns = true → k = .create → s.mem.impl e = none
  beside : ∀ u b, s.threads u = some b → b.encoder = e → env.beside b.kind k = true

/-- `Step C s l s'`: under `C`, state `s` can go to `s'` by `l`. -/
inductive Step (C : Config) : State → Label → State → Prop where
  | dispatch {s t k e} : s.threads t = none → s.alive e = true → C.env.Allows C.home ⟨t, k, e⟩ →
      s.MayBegin C.env k e →
      Step C s (.dispatch ⟨t, k, e⟩) (s.setThread t (some ⟨k, e, .dispatched⟩))
  | acquire {s t k e} : s.threads t = some ⟨k, e, .dispatched⟩ → s.alive e = true →
      (∀ u b, u ≠ t → s.threads u = some b → b.holds → ¬ C.blocks (b.op u) ⟨t, k, e⟩) →
      Step C s (.acquire t) (s.setThread t (some ⟨k, e, .entered⟩))
  | body {s t k e pc pc' m'} : s.threads t = some ⟨k, e, pc⟩ → Body C e k pc s.mem pc' m' →
      Step C s (.body t pc') ((s.setThread t (some ⟨k, e, pc'⟩)).setMem m')
  | release {s t k e} : s.threads t = some ⟨k, e, .finished⟩ →
      Step C s (.release t) (s.setThread t none)
  | drop {s e} : s.alive e = true →
      (C.env.callersRetain = true → ∀ t b, s.threads t = some b → b.encoder ≠ e) →
      Step C s (.drop e) { s with alive := update s.alive e false }

/-- The states that can be reached from the initial one. -/
inductive Reachable (C : Config) : State → Prop where
  | initial : Reachable C .initial
  | step {s l s'} : Reachable C s → Step C s l s' → Reachable C s'

/-- `Faulty C f s`: in `s`, the next step of some thread is fault `f`, or two threads overlap. -/
inductive Faulty (C : Config) : Fault → State → Prop where
  | body {f s t k e pc} : s.threads t = some ⟨k, e, pc⟩ → BodyFault C e f k pc s.mem →
      Faulty C f s
  | overlap {s t u e b b'} : t ≠ u → s.threads t = some ⟨.encode, e, .loaded b⟩ →
      s.threads u = some ⟨.encode, e, .loaded b'⟩ → Faulty C .encoderOverlap s
  | dead {s t k e} : s.threads t = some ⟨k, e, .dispatched⟩ → s.alive e = false →
      Faulty C .deadDispatch s

/-- No fault can happen, whatever a client does that uses what it was given. -/
def Config.Safe (C : Config) : Prop := ∀ s f, Reachable C s → ¬ Faulty C f s

/-- Fault `f` can happen. -/
def Config.CanReach (C : Config) (f : Fault) : Prop := ∃ s, Reachable C s ∧ Faulty C f s

/-- Operations `a` and `b` of different threads can be past their acquires at the same time. -/
def Config.Permits (C : Config) (a b : Op) : Prop :=
  ∃ s x y, Reachable C s ∧ a.thread ≠ b.thread ∧ s.threads a.thread = some x ∧ x.holds ∧
    x.op a.thread = a ∧ s.threads b.thread = some y ∧ y.holds ∧ y.op b.thread = b

/-- **The race of the crash logs**: thread `t` has loaded `e`'s context and not used it yet, while
*another* thread, tearing `e` down, clears `_impl`. The next step of `t` dereferences NULL. -/
def Config.TeardownRace (C : Config) : Prop :=
  ∃ s s' t u e b k, Reachable C s ∧ t ≠ u ∧ k.tearsDown = true ∧
    s.threads t = some ⟨.encode, e, .loaded b⟩ ∧ s.threads u = some ⟨k, e, .pushed⟩ ∧
    s.mem.impl e = some b ∧ Step C s (.body u .finished) s' ∧ s'.mem.impl e = none

end MPSVerify
