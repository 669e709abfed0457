import MPSVerify.AGX.Environments
import MPSVerify.Thm.Deadlock
import MPSVerify.Thm.Deadlock.Replay

/-!
# Lists of locks: some that deadlock and some that do not
-/

namespace MPSVerify

/-- Every call takes first the global lock, then the encoder's, exclusively: safe, and deadlock-free
whatever the policy. -/
theorem global_then_encoder (p : LockPolicy) :
    Safe .default (twoOrders [.global, .encoder] [.global, .encoder]) ∧
    DeadlockFree p .default (twoOrders [.global, .encoder] [.global, .encoder]) :=
  ⟨(safe_iff_criterion _ _).mpr (by decide),
    DeadlockFree.any (deadlock_free_of_orderable (by decide +kernel))⟩

/-- The same two locks, which `destroy` takes in the opposite order: as safe, and it can deadlock,
whatever the policy. -/
theorem opposite_orders_deadlock (p : LockPolicy) :
    Safe .default (twoOrders [.global, .encoder] [.encoder, .global]) ∧
    ¬ DeadlockFree p .default (twoOrders [.global, .encoder] [.encoder, .global]) :=
  ⟨(safe_iff_criterion _ _).mpr (by decide),
    not_deadlock_free_of_knot (env := .default) rfl (fun h => by cases h) (by decide)
      (by decide +kernel)⟩

/-- The counterexample: who holds what there, and what it wants. -/
theorem opposite_orders_knot :
    ⟨.destroy, [⟨.encoder, .exclusive⟩], ⟨.global, .exclusive⟩⟩ ∈
      (twoOrders [.global, .encoder] [.encoder, .global]).knot .readersPass .default ∧
    ⟨.encode, [⟨.global, .exclusive⟩], ⟨.encoder, .exclusive⟩⟩ ∈
      (twoOrders [.global, .encoder] [.encoder, .global]).knot .readersPass .default := by
  constructor <;> decide +kernel

/-- With three locks the iff fails: these cannot be ordered, and behind a gate do not deadlock
if a reader passes a waiting writer. -/
theorem gate_needs_no_order :
    DeadlockFree .readersPass .default
      (twoOrders [.global, .encoder, .queue] [.global, .queue, .encoder]) ∧
    orderable .readersPass .default
      (twoOrders [.global, .encoder, .queue] [.global, .queue, .encoder]) = false :=
  ⟨deadlock_free_of_gate (fun k => Or.inr (by cases k <;> exact ⟨_, rfl⟩)) (fun k => by
    cases k <;> decide +kernel), by decide +kernel⟩

/-- Thread 0 makes encoder 0 and reads the global lock to encode; thread 1 has the encoder's lock
and wants to read the global one, behind thread 2, which wants to write it. -/
def readerBehindWriterRun : List SeqLabel := [
  .step (.dispatch ⟨0, .create, 0⟩), .take 0, .step (.acquire 0), .step (.body 0 .checked),
  .step (.body 0 (.popped 0)), .step (.body 0 (.published 0)), .step (.body 0 .finished),
  .step (.release 0), .step (.dispatch ⟨0, .encode, 0⟩), .take 0,
  .step (.dispatch ⟨1, .destroy, 0⟩), .take 1, .step (.dispatch ⟨2, .create, 0⟩)]

/-- **The policy decides**: this scheme is safe, and deadlock-free if a reader passes a waiting
writer, not if it waits behind it. -/
theorem reader_behind_writer :
    Safe .default readerBehindWriter ∧
    DeadlockFree .readersPass .default readerBehindWriter ∧
    ¬ DeadlockFree .readersWait .default readerBehindWriter :=
  ⟨(safe_iff_criterion _ _).mpr (by decide), deadlock_free_of_orderable (by decide +kernel),
    LockScheme.leadsToDeadlock_sound (c := .together) (run := readerBehindWriterRun)
      (ts := [0, 1, 2]) (by decide +kernel)⟩

end MPSVerify
