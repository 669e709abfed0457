import MPSVerify.Spec.Scheme

/-!
# The schemes that are counted

All schemes with at most one request for each kind of operation, and some of them by name.
-/

namespace MPSVerify

/-- No lock, or one of the ten requests: eleven possibilities for a kind of operation. -/
def singleRequests : List (List Request) :=
  [[], [⟨.global, .exclusive⟩], [⟨.global, .shared⟩], [⟨.stream, .exclusive⟩],
    [⟨.stream, .shared⟩], [⟨.operation, .exclusive⟩], [⟨.operation, .shared⟩],
    [⟨.encoder, .exclusive⟩], [⟨.encoder, .shared⟩], [⟨.queue, .exclusive⟩], [⟨.queue, .shared⟩]]

/-- A scheme with at most one request for each kind. -/
def LockScheme.Single (σ : LockScheme) : Prop := ∀ k, σ.requests k ∈ singleRequests

/-- All of them, with a liveness check and without: 11⁴ × 2 = 29,282. -/
def singleSchemes : List LockScheme :=
  singleRequests.flatMap fun c => singleRequests.flatMap fun e => singleRequests.flatMap fun d =>
    singleRequests.flatMap fun f => [⟨c, e, d, f, true⟩, ⟨c, e, d, f, false⟩]

/-- The exclusive lock of a scope, for every kind, with the check. -/
def uniform (s : Scope) : LockScheme :=
  ⟨[⟨s, .exclusive⟩], [⟨s, .exclusive⟩], [⟨s, .exclusive⟩], [⟨s, .exclusive⟩], true⟩

/-- The reader–writer lock of a scope: encoding reads, everything else writes; with the check. -/
def readerWriter (s : Scope) : LockScheme :=
  ⟨[⟨s, .exclusive⟩], [⟨s, .shared⟩], [⟨s, .exclusive⟩], [⟨s, .exclusive⟩], true⟩

/-- One global mutex for every kind (globalMutex), with another request for one of them. -/
def replaced (k : Kind) (rs : List Request) : LockScheme :=
  match k with
  | .create => { uniform .global with create := rs }
  | .encode => { uniform .global with encode := rs }
  | .destroy => { uniform .global with destroy := rs }
  | .complete => { uniform .global with complete := rs }

/-- globalMutex without its liveness check. -/
def uncheckedMutex : LockScheme := { uniform .global with check := false }

/-- Those of them that are safe under confinement: `complete` exclusive, the other three shared or
exclusive, all global, all per encoder or all per queue, checked. -/
def confinedSafe : List LockScheme :=
  [Scope.global, Scope.encoder, Scope.queue].flatMap fun s =>
  [Mode.exclusive, Mode.shared].flatMap fun c =>
    [Mode.exclusive, Mode.shared].flatMap fun e => [Mode.exclusive, Mode.shared].map fun d =>
      ⟨[⟨s, c⟩], [⟨s, e⟩], [⟨s, d⟩], [⟨s, .exclusive⟩], true⟩

end MPSVerify
