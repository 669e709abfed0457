theorem attack : (0 : Nat) = 1 := sorry
