macro "harmless" : tactic => `(tactic| rfl)
theorem attack : (0 : Nat) = 0 := by harmless
