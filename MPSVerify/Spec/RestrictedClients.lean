import MPSVerify.Spec.Criterion

/-!
# Clients that keep some operations apart by themselves

A client may promise that two kinds of operation of different threads are never under way on one
encoder at the same time: it joins its threads before it tears down, or hands an encoder over from
one thread to the next. Only dispatch is restricted; the driver and the guard are as before.
-/

namespace MPSVerify

/-- Which kinds of operation, by different threads on one encoder, the client lets be under way at
the same time (from dispatch to return). -/
abbrev Meets : Type := Kind → Kind → Bool

/-- The client may dispatch operation `o` now. -/
def State.Admits (meets : Meets) (s : State) (o : Op) : Prop :=
  ∀ u x, s.threads u = some x → x.encoder = o.encoder → meets x.kind o.kind = true

/-- The states that a client can reach that keeps its promise. -/
inductive ReachableWith (C : Config) (meets : Meets) : State → Prop where
  | initial : ReachableWith C meets .initial
  | step {s l s'} : ReachableWith C meets s → Step C s l s' →
      (∀ o, l = .dispatch o → s.Admits meets o) → ReachableWith C meets s'

/-- A client that keeps its promise can run into a fault. -/
def Config.FaultyWith (C : Config) (meets : Meets) : Prop :=
  ∃ s f, ReachableWith C meets s ∧ Faulty C f s

/-- **Safe for clients that keep their promise**: no fault can happen to any of them. -/
def SafeWith (env : Env) (meets : Meets) (σ : LockScheme) : Prop :=
  ∀ c, ¬ (σ.config env c).FaultyWith meets

/-- The criterion: callers retain; operations that meet do not overlap on one encoder; the freelist
is atomic, or creates exclude each other everywhere. -/
def criterionWith (env : Env) (meets : Meets) (σ : LockScheme) : Bool :=
  env.callersRetain &&
    (allKinds.all fun k => allKinds.all fun k' => !(meets k k' && σ.overlaps env k k')) &&
    (env.atomicFreelist || σ.excludesAnywhere env .create .create)

/-- One thread at a time encodes on an encoder: it is handed over from thread to thread. -/
def encodesAlone : Meets
  | .encode, .encode => false
  | _, _ => true

/-- Threads are joined before an encoder is made or torn down: on user threads only encoding meets
encoding. Completion handlers still come at any time. -/
def joinsThreads : Meets
  | .encode, .encode | .complete, _ | _, .complete => true
  | _, _ => false

/-- Encoders are owned by one thread at a time, and may be handed over: on user threads nothing
meets on one encoder. -/
def handsOver : Meets
  | .complete, _ | _, .complete => true
  | _, _ => false

/-- One reader–writer lock per encoder: encoding and completion write, the rest reads. -/
def writersEncode : LockScheme where
  create := [⟨.encoder, .shared⟩]
  encode := [⟨.encoder, .exclusive⟩]
  destroy := [⟨.encoder, .shared⟩]
  complete := [⟨.encoder, .exclusive⟩]
  check := true

end MPSVerify
