@[extern "lean_nat_add"] def honest (a _ : Nat) : Nat := a
theorem attack : honest 0 1 = 0 := rfl
