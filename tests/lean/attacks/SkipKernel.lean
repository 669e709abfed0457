set_option debug.skipKernelTC true in
theorem attack : (0 : Nat) = 1 := by decide +kernel
