import MPSVerify.Thm.Safety.Single

/-!
# Who owns a block: what keeps write-after-free, double free and stale contexts away

Unlike `Sound`, nothing here needs more than the pairs of operations that the fault at hand is
about: the others may overlap.
-/

namespace MPSVerify

variable {C : Config} {s s' : State}

/-- The freelist is atomic, or creates by different threads exclude each other everywhere. -/
def Config.CreatesApart (C : Config) : Prop :=
  C.env.atomicFreelist = true ∨ ∀ t u e e', t ≠ u → C.env.Allows C.home ⟨t, .create, e⟩ →
    C.env.Allows C.home ⟨u, .create, e'⟩ → C.blocks ⟨t, .create, e⟩ ⟨u, .create, e'⟩

/-- Teardown of kind `k` overlaps with no teardown. -/
def Config.Solo (C : Config) (k : Kind) : Prop := ∀ k', k'.tearsDown = true → C.Apart k k'

/-- Each kind of teardown overlaps with no create, or with no teardown. -/
def Config.TeardownsTame (C : Config) : Prop :=
  ∀ k, k.tearsDown = true → C.Apart .create k ∨ C.Solo k

theorem Config.Apart.symm {k k' : Kind} (h : C.Apart k k') : C.Apart k' k :=
  fun t u e htu hb ha ha' => (h u t e (fun h => htu h.symm) (Env.beside_symm hb) ha' ha).symm

/-- On a racy freelist only one thread at a time is past the acquire of a create. -/
theorem Disciplined.one_create (D : Disciplined C s) (h : C.CreatesApart)
    (hr : C.env.atomicFreelist = false) {t u : Thread} {e e' : Encoder} {pc pc' : PC}
    (ht : s.threads t = some ⟨.create, e, pc⟩) (hu : s.threads u = some ⟨.create, e', pc'⟩)
    (hp : pc ≠ .dispatched) (hp' : pc' ≠ .dispatched) : t = u := by
  by_cases htu : t = u
  · exact htu
  · cases h with
    | inl h => rw [hr] at h; cases h
    | inr h =>
      have ha := D.allowed t _ ht
      have hb := D.allowed u _ hu
      exact ((D.excluded t u _ _ htu ht hu hp hp').elim (fun hn => hn (h t u e e' htu ha hb))
        (fun hn => hn (h u t e' e (fun h => htu h.symm) hb ha))).elim

/-- What a body step does to the owner of a block. -/
theorem Body.owner {e : Encoder} {k : Kind} {pc pc' : PC} {m m' : Mem} (h : Body C e k pc m pc' m')
    (b : Block) : m'.owner b = m.owner b ∨
      (k.tearsDown = true ∧ pc = .taken b ∧ pc' = .pushed ∧ m.owner b = some e ∧
        m'.owner b = none) ∨
      (k = .create ∧ pc' = .popped b ∧ m'.owner b = some e ∧
        ((C.env.atomicFreelist = true ∧ pc = .checked ∧ m.owner b = none) ∨ pc = .peeked b)) := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | clear _ | check _ | present _
  | peek _ _ | publish _ | init _ => exact Or.inl rfl
  | @push _ _ b' hk ho =>
    by_cases hb : b = b'
    · subst hb; exact Or.inr (Or.inl ⟨hk, rfl, rfl, ho, update_same ..⟩)
    · exact Or.inl (update_ne _ _ hb)
  | @pop _ b' ha ho =>
    by_cases hb : b = b'
    · subst hb; exact Or.inr (Or.inr ⟨rfl, rfl, update_same .., Or.inl ⟨ha, rfl, ho⟩⟩)
    · exact Or.inl (update_ne _ _ hb)
  | @claim _ b' =>
    by_cases hb : b = b'
    · subst hb; exact Or.inr (Or.inr ⟨rfl, rfl, update_same .., Or.inr rfl⟩)
    · exact Or.inl (update_ne _ _ hb)

namespace Reachable

/-- If no create overlaps with a teardown and creates don't share blocks, a create owns its block
until it is done. -/
theorem no_writeAfterFree (hr : Reachable C s) (hf : C.CreatesApart)
    (ha : ∀ k, k.tearsDown = true → C.Apart .create k) : ¬ Faulty C .writeAfterFree s := by
  have inv : ∀ {t k e pc}, s.threads t = some ⟨k, e, pc⟩ → k = .create →
      (∀ b, pc = .peeked b → s.mem.owner b = none ∧ C.env.atomicFreelist = false) ∧
      (∀ b, pc = .popped b ∨ pc = .published b → s.mem.owner b = some e) := by
    intro t k e pc
    refine invariant (P := fun m k e pc => k = .create →
      (∀ b, pc = .peeked b → m.owner b = none ∧ C.env.atomicFreelist = false) ∧
      (∀ b, pc = .popped b ∨ pc = .published b → m.owner b = some e)) ?_ ?_ ?_ ?_ hr
    · intro s t k e _ _ _ _
      exact ⟨fun _ h => (by cases h), fun _ h => by rcases h with h | h <;> cases h⟩
    · intro m k e _ _
      exact ⟨fun _ h => (by cases h), fun _ h => by rcases h with h | h <;> cases h⟩
    · intro m k e pc pc' m' hb h hk
      subst hk
      have h := h rfl
      cases hb with
      | take hx _ | gone hx _ | push hx _ | clear hx => cases hx
      | check _ | present _ | init _ =>
        exact ⟨fun _ h => (by cases h), fun _ h => by rcases h with h | h <;> cases h⟩
      | pop _ _ | claim =>
        refine ⟨fun _ h => (by cases h), fun b h => ?_⟩
        rcases h with h | h <;> cases h
        exact update_same ..
      | peek hra ho =>
        refine ⟨fun b h => ?_, fun _ h => by rcases h with h | h <;> cases h⟩
        cases h; exact ⟨ho, hra⟩
      | publish _ =>
        refine ⟨fun _ h => (by cases h), fun b h' => ?_⟩
        rcases h' with h' | h' <;> cases h'
        exact h.2 _ (Or.inl rfl)
    · intro s t u k e pc k' e' pc' pc'' m' hr htu ht hu hb h h' hk
      subst hk
      have D := hr.disciplined
      have h := h rfl
      refine ⟨fun b hp => ?_, fun b hp => ?_⟩
      · obtain ⟨ho, hra⟩ := h.1 b hp
        rcases hb.owner b with h1 | ⟨_, _, _, h1, _⟩ | ⟨hk', _, _, _⟩
        · exact ⟨h1.trans ho, hra⟩
        · rw [ho] at h1; cases h1
        · subst hk'; subst hp
          exact absurd (D.one_create hf hra ht hu (fun h => PC.noConfusion h) hb.holds.1) htu
      · have ho := h.2 b hp
        have hd : pc ≠ .dispatched := by
          rcases hp with hp | hp <;> (subst hp; exact fun h => PC.noConfusion h)
        rcases hb.owner b with h1 | ⟨hk', _, _, h1, _⟩ | ⟨hk', _, _, h1⟩
        · exact h1.trans ho
        · rw [ho] at h1
          cases h1
          exact absurd (D.apart (ha k' hk') ht hu hd hb.holds.1) htu
        · rcases h1 with ⟨_, _, h1⟩ | h1
          · rw [ho] at h1; cases h1
          · obtain ⟨h2, _⟩ := (h' hk').1 b h1
            rw [ho] at h2; cases h2
  intro hf
  cases hf with
  | body ht hb =>
    cases hb with
    | initForeign ho => exact ho ((inv ht rfl).2 _ (Or.inr rfl))

end Reachable

/-- Some thread is about to clear `e`'s pointer. -/
def Pushing (s : State) (e : Encoder) : Prop :=
  ∃ t k, s.threads t = some ⟨k, e, .pushed⟩ ∧ k.tearsDown = true

/-- What stays true of owners if every kind of teardown is tame. -/
structure Owned (C : Config) (s : State) : Prop where
  context : ∀ e b, s.mem.impl e = some b → s.mem.owner b = some e ∨ Pushing s e
  popped : ∀ t e b, s.threads t = some ⟨.create, e, .popped b⟩ →
    s.mem.owner b = some e ∧ (s.mem.impl e ≠ some b ∨ Pushing s e)
  taken : ∀ t k e b, s.threads t = some ⟨k, e, .taken b⟩ → k.tearsDown = true → C.Solo k →
    s.mem.owner b = some e ∧ s.mem.impl e = some b
  peeked : ∀ t e b, s.threads t = some ⟨.create, e, .peeked b⟩ →
    s.mem.owner b = none ∧ C.env.atomicFreelist = false
  once : ∀ t u e b, s.threads t = some ⟨.create, e, .popped b⟩ →
    s.threads u = some ⟨.create, e, .popped b⟩ → t = u

end MPSVerify
