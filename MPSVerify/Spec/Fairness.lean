import MPSVerify.Spec.Step

/-!
# First come, first served; and fair runs

The transition system of `Step.lean` with tickets: a call draws a ticket when it is dispatched, and
may not overtake an earlier one that still waits and that it excludes. With one lock per call that
is a FIFO queue at each lock; two readers may pass each other, but not a writer between them.
-/

namespace MPSVerify

/-- A state, the ticket of each busy thread, and the next ticket. -/
structure FifoState where
  state : State
  ticket : Thread → Nat
  next : Nat

/-- Nobody does anything. -/
def FifoState.initial : FifoState where
  state := .initial
  ticket := fun _ => 0
  next := 0

/-- Nobody who came before thread `t` still waits for a lock that excludes operation `o` of `t`. -/
def FifoState.First (C : Config) (s : FifoState) (t : Thread) (o : Op) : Prop :=
  ∀ u x, s.state.threads u = some x → ¬ x.holds → s.ticket u < s.ticket t →
    ¬ C.blocks (x.op u) o ∧ ¬ C.blocks o (x.op u)

/-- The rules of `Step.lean`; an acquire must be first. -/
inductive FifoStep (C : Config) : FifoState → Label → FifoState → Prop
  | dispatch {s s' o} : Step C s.state (.dispatch o) s' →
      FifoStep C s (.dispatch o) ⟨s', update s.ticket o.thread s.next, s.next + 1⟩
  | acquire {s s' t k e} : Step C s.state (.acquire t) s' →
      s.state.threads t = some ⟨k, e, .dispatched⟩ → s.First C t ⟨t, k, e⟩ →
      FifoStep C s (.acquire t) ⟨s', s.ticket, s.next⟩
  | other {s s' l} : Step C s.state l s' → (∀ o, l ≠ .dispatch o) → (∀ t, l ≠ .acquire t) →
      FifoStep C s l ⟨s', s.ticket, s.next⟩

/-- The states that can be reached under FIFO locks. -/
inductive FifoReachable (C : Config) : FifoState → Prop where
  | initial : FifoReachable C .initial
  | step {s l s'} : FifoReachable C s → FifoStep C s l s' → FifoReachable C s'

/-- An infinite run in which every thread is treated with **weak fairness**: one that can take a
step of its operation from some time on, without a break, takes one. Pauses are allowed. -/
structure FairRun {S : Type} (R : S → Label → S → Prop) (run : Nat → S) : Prop where
  step : ∀ i, run (i + 1) = run i ∨ ∃ l, R (run i) l (run (i + 1))
  fair : ∀ t i, (∀ j, i ≤ j → ∃ l s', l.Works ∧ l.thread? = some t ∧ R (run j) l s') →
    ∃ j l, i ≤ j ∧ l.Works ∧ l.thread? = some t ∧ R (run j) l (run (j + 1))

end MPSVerify
