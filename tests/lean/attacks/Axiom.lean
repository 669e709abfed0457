axiom cheat : False
theorem attack : (0 : Nat) = 1 := cheat.elim
