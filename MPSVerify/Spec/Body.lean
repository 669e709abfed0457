import MPSVerify.Spec.Environment

/-!
# What the driver does inside one operation

Each constructor is one atomic step; the steps of other threads fall in between. `Body` and
`BodyFault` speak about memory alone: locks and threads come in `Step.lean`.
-/

namespace MPSVerify

/-- Everything that the transition system is parametrised by: assumptions, who owns which encoder,
and the guard. The guard is a *discipline*: a fixed relation on pairs of operations that says which
must wait for which, and whether `encode` looks for a live context before it uses it. A lock scheme
is one way to give `blocks` (`Scheme.lean`); the theorems about `Config` hold for every discipline.
A guard that looks at the state before it lets an operation in is none (`StateGuard.lean`). -/
structure Config where
  env : Env
  home : Encoder → Thread
  /-- `blocks held wanted`: while `held` is past its acquire, `wanted` must wait. -/
  blocks : Op → Op → Prop
  /-- The guard checks the encoder's context for liveness, under its locks. -/
  check : Bool

/-- `Body C e k pc m pc' m'`: an operation of kind `k` on encoder `e` moves from `pc` to `pc'` and
turns the memory `m` into `m'`. -/
inductive Body (C : Config) (e : Encoder) : Kind → PC → Mem → PC → Mem → Prop where
  /-- `encode` reads `_impl`. -/
  | load {m b} : m.impl e = some b → Body C e .encode .entered m (.loaded b) m
  /-- The guard's liveness check finds no context: the call is skipped (lost work, no crash). -/
  | skip {m} : C.check = true → m.impl e = none → Body C e .encode .entered m .finished m
  /-- `encode` reads `_impl` again and uses what it points to. -/
  | deref {m b b'} : m.impl e = some b' → m.owner b' = some e → m.ready b' = true →
      Body C e .encode (.loaded b) m .finished m
  /-- Teardown reads `_impl`. -/
  | take {k m b} : k.tearsDown = true → m.impl e = some b → Body C e k .entered m (.taken b) m
  /-- Teardown finds no context: nothing to do. -/
  | gone {k m} : k.tearsDown = true → m.impl e = none → Body C e k .entered m .finished m
  /-- Teardown gives the block back. -/
  | push {k m b} : k.tearsDown = true → m.owner b = some e →
      Body C e k (.taken b) m .pushed { m with owner := update m.owner b none }
  /-- Teardown clears `_impl`: later than it unlocked the freelist. That is the window. -/
  | clear {k m} : k.tearsDown = true →
      Body C e k .pushed m .finished { m with impl := update m.impl e none }
  /-- `create` sees that there is no context. -/
  | check {m} : m.impl e = none → Body C e .create .entered m .checked m
  /-- `create` finds a context: nothing to do. -/
  | present {m b} : m.impl e = some b → Body C e .create .entered m .finished m
  /-- `create` takes any free block, in one step. -/
  | pop {m b} : C.env.atomicFreelist = true → m.owner b = none →
      Body C e .create .checked m (.popped b)
        { m with owner := update m.owner b (some e), ready := update m.ready b false }
  /-- On a racy freelist `create` first sees a free block … -/
  | peek {m b} : C.env.atomicFreelist = false → m.owner b = none →
      Body C e .create .checked m (.peeked b) m
  /-- … and takes it in a second step, without looking again. -/
  | claim {m b} : Body C e .create (.peeked b) m (.popped b)
      { m with owner := update m.owner b (some e), ready := update m.ready b false }
  /-- `create` publishes the block. -/
  | publish {m b} : m.impl e = none →
      Body C e .create (.popped b) m (.published b) { m with impl := update m.impl e (some b) }
  /-- `create` initialises the block. -/
  | init {m b} : m.owner b = some e →
      Body C e .create (.published b) m .finished { m with ready := update m.ready b true }

/-- `BodyFault C e f k pc m`: the next step of an operation of kind `k` on `e` at `pc` is fault `f`.
An operation whose next step is a fault has no other step. -/
inductive BodyFault (C : Config) (e : Encoder) : Fault → Kind → PC → Mem → Prop where
  | loadNull {m} : C.check = false → m.impl e = none →
      BodyFault C e .nullDeref .encode .entered m
  | derefNull {m b} : m.impl e = none → BodyFault C e .nullDeref .encode (.loaded b) m
  | derefStale {m b b'} : m.impl e = some b' → m.owner b' ≠ some e →
      BodyFault C e .staleContext .encode (.loaded b) m
  | derefUninitialised {m b b'} : m.impl e = some b' → m.owner b' = some e → m.ready b' = false →
      BodyFault C e .uninitialised .encode (.loaded b) m
  | pushForeign {k m b} : k.tearsDown = true → m.owner b ≠ some e →
      BodyFault C e .doubleFree k (.taken b) m
  | publishTwice {m b} : m.impl e ≠ none → BodyFault C e .lostContext .create (.popped b) m
  | initForeign {m b} : m.owner b ≠ some e →
      BodyFault C e .writeAfterFree .create (.published b) m

end MPSVerify
