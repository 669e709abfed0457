import MPSVerify.Spec.Step

/-!
# Guards that look at the state

A discipline (`Config.blocks`) is a fixed relation on pairs of operations. Here a guard may look at
the whole state before it lets an operation in. What is proved of all disciplines is not about
these.
-/

namespace MPSVerify

/-- `GuardedStep C admits s l s'`: a step of `C`, except that operation `o` may enter in state `s`
if and only if `admits s o`. The relation `C.blocks` plays no part. -/
inductive GuardedStep (C : Config) (admits : State → Op → Prop) : State → Label → State → Prop where
  /-- The guard lets the operation in. -/
  | acquire {s t k e} : s.threads t = some ⟨k, e, .dispatched⟩ → s.alive e = true →
      admits s ⟨t, k, e⟩ →
      GuardedStep C admits s (.acquire t) (s.setThread t (some ⟨k, e, .entered⟩))
  /-- All else is as before. -/
  | other {s l s'} : Step C s l s' → (∀ t, l ≠ .acquire t) → GuardedStep C admits s l s'

/-- The states that can be reached under such a guard. -/
inductive GuardedReachable (C : Config) (admits : State → Op → Prop) : State → Prop where
  | initial : GuardedReachable C admits .initial
  | step {s l s'} : GuardedReachable C admits s → GuardedStep C admits s l s' →
      GuardedReachable C admits s'

/-- One operation at a time on each encoder, as under perEncoder; but `create` may enter beside
`encode` if the encoder has a context then: it will find that there is nothing to do. -/
def createBesideEncode (s : State) (o : Op) : Prop :=
  ∀ u b, u ≠ o.thread → s.threads u = some b → b.holds → b.encoder = o.encoder →
    o.kind = .create ∧ b.kind = .encode ∧ s.mem.impl o.encoder ≠ none

end MPSVerify
