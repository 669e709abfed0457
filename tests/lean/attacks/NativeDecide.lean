theorem attack : Nat.ble 1 2 = true := by native_decide
