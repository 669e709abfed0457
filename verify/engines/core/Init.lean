prelude
import Init.List
import Init.Unexpand
/-! The reduced core: everything a file sees that does not say `prelude`. -/
