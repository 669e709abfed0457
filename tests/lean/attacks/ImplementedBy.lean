def lie (_ : Nat) : Bool := true
@[implemented_by lie] def honest (_ : Nat) : Bool := false
theorem attack : honest 0 = false := rfl
