import MPSVerify.Spec.Scheme

/-!
# The criteria, as programs

Each is computable: `Safe`, `Parallel` and so on speak about clients and reachable states without
end, these functions look at a table of four rows. `Criterion.lean`, `Parallel.lean` and
`Faults.lean` in `Thm` prove that they agree.
-/

namespace MPSVerify

/-- Every kind of operation. -/
def allKinds : List Kind := [.create, .encode, .destroy, .complete]

/-- Can operations of this kind happen at all? -/
def Env.happens (env : Env) : Kind → Bool
  | .complete => env.handlersTearDown
  | _ => true

/-- Can operations of these kinds, by different threads, be under way on one encoder at once? Under
confinement only if one of them is a completion handler's; under `createReturns` no create. -/
def Env.meet (env : Env) (k k' : Kind) : Bool :=
  env.happens k && env.happens k' &&
    (env.sharedEncoders || decide (k = .complete) || decide (k' = .complete)) && env.beside k k'

/-- Do operations of kinds `k` and `k'`, by different threads on *one* encoder, name one lock,
whatever the client? -/
def Scope.sameOnEncoder (k k' : Kind) : Scope → Scope → Bool
  | .global, .global | .encoder, .encoder | .queue, .queue => true
  | .operation, .operation => decide (k = k')
  | _, _ => false

/-- The same for operations on different encoders. -/
def Scope.sameAnywhere (k k' : Kind) : Scope → Scope → Bool
  | .global, .global => true
  | .operation, .operation => decide (k = k')
  | _, _ => false

/-- Some request of the one and some request of the other exclude each other. -/
def anyExcludes (same : Scope → Scope → Bool) (rs qs : List Request) : Bool :=
  rs.any fun r => qs.any fun q => same r.scope q.scope && r.mode.excludes q.mode

/-- Operations of kinds `k` and `k'` on one encoder exclude each other, whatever the client. -/
def LockScheme.excludesOnEncoder (σ : LockScheme) (env : Env) (k k' : Kind) : Bool :=
  anyExcludes (Scope.sameOnEncoder k k') (σ.requestsIn env k) (σ.requestsIn env k')

/-- Operations of kinds `k` and `k'` exclude each other wherever they are. -/
def LockScheme.excludesAnywhere (σ : LockScheme) (env : Env) (k k' : Kind) : Bool :=
  anyExcludes (Scope.sameAnywhere k k') (σ.requestsIn env k) (σ.requestsIn env k')

/-- Operations of kinds `k` and `k'` can be past their acquires at the same time on one encoder. -/
def LockScheme.overlaps (σ : LockScheme) (env : Env) (k k' : Kind) : Bool :=
  env.meet k k' && !σ.excludesOnEncoder env k k'

/-- **The criterion**: callers retain; the guard checks for liveness, or nobody else can tear an
encoder down; no two operations overlap on one encoder; the freelist is atomic, or creates exclude
each other everywhere. -/
def criterion (env : Env) (σ : LockScheme) : Bool :=
  env.callersRetain && (σ.check || !(env.handlersTearDown || env.sharedEncoders)) &&
    (allKinds.all fun k => allKinds.all fun k' => !σ.overlaps env k k') &&
    (env.atomicFreelist || σ.excludesAnywhere env .create .create)

/-- Operations of some two kinds that happen do not exclude each other everywhere. -/
def parallelCriterion (env : Env) (σ : LockScheme) : Bool :=
  allKinds.any fun k => allKinds.any fun k' =>
    env.happens k && env.happens k' && !σ.excludesAnywhere env k k'

/-- Operations of kind `k` overlap with some teardown on one encoder. -/
def LockScheme.overlapsTeardown (σ : LockScheme) (env : Env) (k : Kind) : Bool :=
  allKinds.any fun k' => k'.tearsDown && σ.overlaps env k k'

/-- Encoding and some teardown overlap on one encoder. -/
def raceCriterion (env : Env) (σ : LockScheme) : Bool := σ.overlapsTeardown env .encode

/-- Two creates can see one free block: the freelist is racy and creates overlap somewhere. -/
def LockScheme.stealsBlocks (σ : LockScheme) (env : Env) : Bool :=
  !env.atomicFreelist && !σ.excludesAnywhere env .create .create

/-- Every fault. -/
def allFaults : List Fault := [.nullDeref, .staleContext, .uninitialised, .doubleFree,
  .lostContext, .writeAfterFree, .encoderOverlap, .deadDispatch]

/-- **Which faults a scheme can run into**, exactly. -/
def faultCriterion (env : Env) (σ : LockScheme) : Fault → Bool
  | .nullDeref =>
    raceCriterion env σ || (!σ.check && (env.handlersTearDown || env.sharedEncoders))
  | .staleContext => raceCriterion env σ || σ.stealsBlocks env ||
    (σ.overlaps env .create .encode && allKinds.any fun k =>
      k.tearsDown && σ.overlaps env .create k && σ.overlapsTeardown env k)
  | .uninitialised => σ.overlaps env .create .encode
  | .doubleFree => σ.stealsBlocks env ||
    allKinds.any fun k => k.tearsDown && σ.overlapsTeardown env k
  | .lostContext => σ.overlaps env .create .create
  | .writeAfterFree => σ.stealsBlocks env || σ.overlapsTeardown env .create
  | .encoderOverlap => σ.overlaps env .encode .encode
  | .deadDispatch => !env.callersRetain

end MPSVerify
