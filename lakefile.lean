import Lake
open Lake DSL

-- No options here: the embedded engine runs with Lean's defaults, and both read the same sources.
package mps_verify

/-- `lake build MPSVerify.AGX` checks the strategies' theorems, `lake build` all that there is. -/
@[default_target]
lean_lib MPSVerify where
  roots := #[`MPSVerify]
