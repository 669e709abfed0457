import MPSVerify.AGX.Environments
import MPSVerify.Spec.Replay

/-!
# Examples that claims mention

Runs, and one more environment and discipline, that show that theorems are not vacuous.
-/

namespace MPSVerify

/-- The default environment without teardown by handlers: the third proposal, at its best. -/
def Env.noHandlers : Env := { Env.default with handlersTearDown := false }

/-- No lock and no check, encoder `e` at home on thread `e`. -/
def noLocks (env : Env) : Config where
  env := env
  home := id
  blocks := fun _ _ => False
  check := false

/-- One thread's life with its encoder and one block: create, encode, destroy. -/
def life (t : Thread) (e : Encoder) (b : Block) : List Label := [
  .dispatch ⟨t, .create, e⟩, .acquire t, .body t .checked, .body t (.popped b),
  .body t (.published b), .body t .finished, .release t,
  .dispatch ⟨t, .encode, e⟩, .acquire t, .body t (.loaded b), .body t .finished, .release t,
  .dispatch ⟨t, .destroy, e⟩, .acquire t, .body t (.taken b), .body t .pushed,
  .body t .finished, .release t]

/-- Two lists of steps, one step of each in turn. -/
def interleave : List Label → List Label → List Label
  | [], ys => ys
  | x :: xs, [] => x :: xs
  | x :: xs, y :: ys => x :: y :: interleave xs ys

/-- Two threads do all of it at the same time, each on its own encoder. -/
def parallelRun : List Label := interleave (life 0 0 0) (life 1 1 1)

/-- Everybody is idle and every block that was used is free again. -/
def Snapshot.clean (f : Snapshot) : Bool :=
  (f.threads.all fun entry => decide (f.threads.get none entry.1 = none)) &&
    (f.mem.owner.all fun entry => decide (f.mem.owner.get none entry.1 = none)) &&
    decide (f.mem.owner.length = 2)

/-- The trace is a run that ends clean. -/
def endsCleanIn (env : Env) (σ : LockScheme) (trace : List Label) : Bool :=
  match σ.replay? env .distinct .initial trace with
  | some f => f.clean
  | none => false

/-- The trace is a run in `default` that ends clean. -/
def endsClean (σ : LockScheme) (trace : List Label) : Bool := endsCleanIn .default σ trace

end MPSVerify
