import MPSVerify.Spec.Step

/-!
# What threads can still do

Whether some call can go on, whether one can be lost, and what one thread alone can reach.
-/

namespace MPSVerify

/-- Some busy thread can take a step of its operation. -/
def CanGoOn (C : Config) (s : State) : Prop :=
  ∃ l s' t x, l.Works ∧ l.thread? = some t ∧ s.threads t = some x ∧ Step C s l s'

/-- A call of `encode` can come too late: past its acquire it finds that the encoder has lost its
context since the dispatch. -/
def Config.CanComeLate (C : Config) : Prop :=
  ∃ s t e, Reachable C s ∧ s.threads t = some ⟨.encode, e, .entered⟩ ∧ s.mem.impl e = none

/-- A guard that checks for liveness can come to skip a call: no fault, but lost work. (Without the
check a call that comes too late is not skipped: its next step dereferences NULL.) -/
def Config.CanSkip (C : Config) : Prop := C.check = true ∧ C.CanComeLate

/-- The states that can be reached by steps of thread `t` alone (and drops). -/
inductive ReachableBy (C : Config) (t : Thread) : State → Prop where
  | initial : ReachableBy C t .initial
  | step {s l s'} : ReachableBy C t s → (∀ u, l.thread? = some u → u = t) → Step C s l s' →
      ReachableBy C t s'

end MPSVerify
