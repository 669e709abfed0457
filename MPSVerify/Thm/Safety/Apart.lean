import MPSVerify.Thm.Discipline

/-!
# The criterion for an arbitrary discipline, in the sense of `Config`
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

/-- Operations of kinds `k` and `k'`, by different threads on one encoder, exclude each other in
either order, wherever both may happen at the same time. -/
def Config.Apart (C : Config) (k k' : Kind) : Prop :=
  ∀ t u e, t ≠ u → C.env.beside k k' = true → C.env.Allows C.home ⟨t, k, e⟩ →
    C.env.Allows C.home ⟨u, k', e⟩ →
    C.blocks ⟨t, k, e⟩ ⟨u, k', e⟩ ∧ C.blocks ⟨u, k', e⟩ ⟨t, k, e⟩

/-- The freelist is atomic, or creates by different threads exclude each other on any two
encoders. -/
def Config.FreelistGuarded (C : Config) : Prop :=
  C.env.atomicFreelist = true ∨ ∀ t u e e', t ≠ u → e ≠ e' →
    C.env.Allows C.home ⟨t, .create, e⟩ → C.env.Allows C.home ⟨u, .create, e'⟩ →
    C.blocks ⟨t, .create, e⟩ ⟨u, .create, e'⟩

/-- The guard checks for liveness, or nobody else can tear down what a thread encodes on. -/
def Config.CheckedOrAlone (C : Config) : Prop :=
  C.check = true ∨ ∀ t u e k, t ≠ u → k.tearsDown = true →
    C.env.Allows C.home ⟨t, .encode, e⟩ → ¬ C.env.Allows C.home ⟨u, k, e⟩

/-- What keeps the driver's memory in order: on one encoder nothing overlaps but encoding. -/
structure Config.MemoryCriterion (C : Config) : Prop where
  apart : ∀ k k', ¬ (k = .encode ∧ k' = .encode) → C.Apart k k'
  freelist : C.FreelistGuarded

/-- **The criterion**, for any discipline in the sense of `Config`: callers retain; the guard checks
for liveness or nobody else can tear down; any two operations of different threads on one encoder
exclude each other; the freelist is atomic or guarded. -/
structure Config.Criterion (C : Config) : Prop where
  retain : C.env.callersRetain = true
  check : C.CheckedOrAlone
  apart : ∀ k k', C.Apart k k'
  freelist : C.FreelistGuarded

theorem Config.Criterion.memory (K : C.Criterion) : C.MemoryCriterion :=
  ⟨fun k k' _ => K.apart k k', K.freelist⟩

/-- Threads that are past their acquires on one encoder are not of kinds that are kept apart. -/
theorem Disciplined.apart (D : Disciplined C s) {t u : Thread} {k k' : Kind} {e : Encoder}
    {pc pc' : PC} (h : C.Apart k k') (ht : s.threads t = some ⟨k, e, pc⟩)
    (hu : s.threads u = some ⟨k', e, pc'⟩) (hp : pc ≠ .dispatched) (hp' : pc' ≠ .dispatched) :
    t = u := by
  by_cases htu : t = u
  · exact htu
  · have := h t u e htu (D.beside t u _ _ htu ht hu rfl) (D.allowed t _ ht) (D.allowed u _ hu)
    exact ((D.excluded t u _ _ htu ht hu hp hp').elim (fun hn => hn this.1)
      (fun hn => hn this.2)).elim

end MPSVerify
