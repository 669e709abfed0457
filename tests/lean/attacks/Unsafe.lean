unsafe def attackAux : Nat := 0
theorem attack : (0 : Nat) = 0 := rfl
