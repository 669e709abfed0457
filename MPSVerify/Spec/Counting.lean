import MPSVerify.Spec.Scheme

/-!
# The schemes that are counted

All schemes with at most one request for each kind of operation, and some of them by name.
-/

namespace MPSVerify

/-- No lock, or one request (locks per queue are an extension outside this count). -/
def singleRequests : List (List Request) :=
  [[], [⟨.global, .exclusive⟩], [⟨.global, .shared⟩], [⟨.stream, .exclusive⟩],
    [⟨.stream, .shared⟩], [⟨.operation, .exclusive⟩], [⟨.operation, .shared⟩],
    [⟨.encoder, .exclusive⟩], [⟨.encoder, .shared⟩]]

/-- A scheme with at most one request for each kind. There are 9⁴ × 2 = 13,122 of them. -/
def LockScheme.Single (σ : LockScheme) : Prop := ∀ k, σ.requests k ∈ singleRequests

/-- The exclusive lock of a scope, for every kind, with the check. -/
def uniform (s : Scope) : LockScheme :=
  ⟨[⟨s, .exclusive⟩], [⟨s, .exclusive⟩], [⟨s, .exclusive⟩], [⟨s, .exclusive⟩], true⟩

/-- One global mutex for every kind (globalMutex), with another request for one of them. -/
def replaced (k : Kind) (rs : List Request) : LockScheme :=
  match k with
  | .create => { uniform .global with create := rs }
  | .encode => { uniform .global with encode := rs }
  | .destroy => { uniform .global with destroy := rs }
  | .complete => { uniform .global with complete := rs }

/-- globalMutex without its liveness check. -/
def uncheckedMutex : LockScheme := { uniform .global with check := false }

/-- The safe schemes under confinement: `complete` exclusive, the other three shared or exclusive,
all global or all per encoder, checked. -/
def confinedSafe : List LockScheme :=
  [Scope.global, Scope.encoder].flatMap fun s => [Mode.exclusive, Mode.shared].flatMap fun c =>
    [Mode.exclusive, Mode.shared].flatMap fun e => [Mode.exclusive, Mode.shared].map fun d =>
      ⟨[⟨s, c⟩], [⟨s, e⟩], [⟨s, d⟩], [⟨s, .exclusive⟩], true⟩

end MPSVerify
