import MPSVerify.Spec.Replay
import MPSVerify.Thm.Criterion

/-!
# Replay is sound

What `replay?` accepts is a run of the transition system; a fault that it shows is a fault. So a
counterexample is proved by evaluating it.
-/

namespace MPSVerify

variable {env : Env} {σ : LockScheme} {c : Client} {f f' : Snapshot} {e : Encoder} {k : Kind}
  {m m' : FMem} {pc pc' : PC} {t : Thread}

theorem FMap.get_set {α : Type} (d : α) (m : FMap α) (a : Nat) (v : α) :
    (FMap.set m a v).get d = update (m.get d) a v := by
  funext x
  induction m with
  | nil =>
    by_cases h : x = a
    · subst h; rw [update_same]; exact ite_eq_left rfl
    · rw [update_ne _ _ h]; exact ite_eq_right h
  | cons p m ih =>
    obtain ⟨b, w⟩ := p
    by_cases hab : a = b
    · subst hab
      rw [show FMap.set ((a, w) :: m) a v = (a, v) :: m from ite_eq_left rfl]
      by_cases h : x = a
      · subst h; rw [update_same]; exact ite_eq_left rfl
      · rw [update_ne _ _ h]; exact (ite_eq_right h).trans (ite_eq_right h).symm
    · rw [show FMap.set ((b, w) :: m) a v = (b, w) :: FMap.set m a v from ite_eq_right hab]
      by_cases h : x = b
      · subst h
        rw [update_ne _ _ (fun h => hab h.symm)]
        exact (ite_eq_left rfl).trans (ite_eq_left rfl).symm
      · refine (ite_eq_right h).trans (ih.trans ?_)
        by_cases hx : x = a
        · subst hx; rw [update_same, update_same]
        · rw [update_ne _ _ hx, update_ne _ _ hx]; exact (ite_eq_right h).symm

/-- A key with a value that is not the default has an entry. -/
theorem FMap.mem_of_get {α : Type} {d v : α} {m : FMap α} {a : Nat} (h : m.get d a = v)
    (hv : v ≠ d) : ∃ w, (a, w) ∈ m := by
  induction m with
  | nil => exact absurd h.symm hv
  | cons p m ih =>
    obtain ⟨b, w⟩ := p
    by_cases hab : a = b
    · subst hab; exact ⟨w, List.mem_cons_self ..⟩
    · obtain ⟨w', hw⟩ := ih ((ite_eq_right hab).symm.trans h)
      exact ⟨w', List.mem_cons_of_mem _ hw⟩

theorem guarded_eq_some {α : Type} {p : Bool} {v w : α} :
    guarded p v = some w ↔ p = true ∧ v = w := by
  cases p with
  | true => exact ⟨fun h => ⟨rfl, Option.some.inj h⟩, fun h => congrArg some h.2⟩
  | false => exact ⟨fun h => (by cases h), fun h => absurd h.1 (fun h => Bool.noConfusion h)⟩

theorem Snapshot.setThread_state (b : Option Busy) :
    (f.setThread t b).state = f.state.setThread t b := by
  show State.mk _ _ ((f.threads.set t b).get none) = State.mk _ _ _
  rw [FMap.get_set]
  rfl

theorem Env.allows_iff {home : Encoder → Thread} {o : Op} :
    env.allows home o = true ↔ env.Allows home o := by
  obtain ⟨t, k, e⟩ := o
  cases k <;> simp only [Env.allows, Env.Allows, Bool.or_eq_true, decide_eq_true_eq, ↓reduceIte,
    reduceCtorEq]

theorem LockScheme.blocks_iff {a b : Op} : σ.blocks env c a b = true ↔ σ.Blocks env c a b := by
  simp only [blocks, Blocks, List.any_eq_true, Bool.and_eq_true, decide_eq_true_eq]

theorem bodyStep?_sound (h : bodyStep? env σ.check e k m pc pc' = some m') :
    Body (σ.config env c) e k pc m.mem pc' m'.mem := by
  unfold bodyStep? at h
  split at h
  all_goals
    try simp only [guarded_eq_some, Bool.and_eq_true, decide_eq_true_eq, Bool.not_eq_true'] at h
  case h_1 => obtain ⟨⟨rfl, h⟩, rfl⟩ := h; exact .load h
  case h_2 => obtain ⟨⟨hk, h⟩, rfl⟩ := h; exact .take hk h
  case h_3 => obtain ⟨⟨rfl, h⟩, rfl⟩ := h; exact .check h
  case h_4 =>
    split at h
    case h_1 hi => obtain ⟨hc, rfl⟩ := guarded_eq_some.mp h; exact .skip hc hi
    case h_2 hi => cases h; exact .present hi
    case h_3 hi => cases h; exact .gone rfl hi
    case h_4 hi => cases h; exact .gone rfl hi
    case h_5 => cases h
  case h_5 =>
    split at h
    case h_1 hi =>
      simp only [guarded_eq_some, Bool.and_eq_true, decide_eq_true_eq] at h
      obtain ⟨⟨⟨rfl, ho⟩, hr⟩, rfl⟩ := h; exact .deref hi ho hr
    case h_2 => cases h
  case h_6 b =>
    obtain ⟨⟨hk, ho⟩, rfl⟩ := h
    have := Body.push (C := σ.config env c) (e := e) (m := m.mem) (b := b) hk ho
    rw [show m.mem.owner = m.owner.get none from rfl, ← FMap.get_set] at this
    exact this
  case h_7 =>
    obtain ⟨hk, rfl⟩ := h
    have := Body.clear (C := σ.config env c) (e := e) (m := m.mem) hk
    rw [show m.mem.impl = m.impl.get none from rfl, ← FMap.get_set] at this
    exact this
  case h_8 b =>
    obtain ⟨⟨⟨rfl, ha⟩, ho⟩, rfl⟩ := h
    have := Body.pop (C := σ.config env c) (e := e) (m := m.mem) (b := b) ha ho
    rw [show m.mem.owner = m.owner.get none from rfl, show m.mem.ready = m.ready.get false from rfl,
      ← FMap.get_set, ← FMap.get_set] at this
    exact this
  case h_9 => obtain ⟨⟨⟨rfl, ha⟩, ho⟩, rfl⟩ := h; exact .peek ha ho
  case h_10 b b' =>
    obtain ⟨⟨rfl, rfl⟩, rfl⟩ := h
    have := Body.claim (C := σ.config env c) (e := e) (m := m.mem) (b := b)
    rw [show m.mem.owner = m.owner.get none from rfl, show m.mem.ready = m.ready.get false from rfl,
      ← FMap.get_set, ← FMap.get_set] at this
    exact this
  case h_11 b b' =>
    obtain ⟨⟨⟨rfl, rfl⟩, hi⟩, rfl⟩ := h
    have := Body.publish (C := σ.config env c) (e := e) (m := m.mem) (b := b) hi
    rw [show m.mem.impl = m.impl.get none from rfl, ← FMap.get_set] at this
    exact this
  case h_12 b =>
    obtain ⟨⟨rfl, ho⟩, rfl⟩ := h
    have := Body.init (C := σ.config env c) (e := e) (m := m.mem) (b := b) ho
    rw [show m.mem.ready = m.ready.get false from rfl, ← FMap.get_set] at this
    exact this
  case h_13 => cases h

theorem Snapshot.free_sound {o : Op} (h : f.free σ env c o = true) (u : Thread) (b : Busy)
    (hu : u ≠ o.thread) (hb : f.state.threads u = some b) (hh : b.holds) :
    ¬ σ.Blocks env c (b.op u) o := by
  obtain ⟨w, hw⟩ := FMap.mem_of_get (d := none) hb (fun h => by cases h)
  have hf := List.all_eq_true.mp h _ hw
  have hget : f.threads.get none u = some b := hb
  simp only [hget, Bool.or_eq_true, decide_eq_true_eq, Bool.not_eq_true'] at hf
  rcases hf with hf | hf | hf
  · exact absurd hf hu
  · exact absurd hf hh
  · intro hbl
    rw [LockScheme.blocks_iff.mpr hbl] at hf
    cases hf

theorem Snapshot.mayBegin_iff : f.mayBegin env k e = true ↔ f.state.MayBegin env k e := by
  simp only [mayBegin, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq, Bool.not_eq_true',
    List.all_eq_true]
  constructor
  · intro ⟨⟨hu, hm⟩, hb⟩
    refine ⟨fun hk => hu.resolve_left hk, fun hc hk => ?_, fun u b hub he => ?_⟩
    · rcases hm with (hm | hm) | hm
      · rw [hc] at hm; cases hm
      · exact absurd hk hm
      · exact hm
    · obtain ⟨w, hw⟩ := FMap.mem_of_get (d := none) hub (fun h => by cases h)
      have := hb _ hw
      have hget : f.threads.get none u = some b := hub
      simp only [hget, Bool.or_eq_true, decide_eq_true_eq] at this
      exact this.resolve_left (fun h => h he)
  · intro ⟨hu, hm, hb⟩
    refine ⟨⟨?_, ?_⟩, fun entry _ => ?_⟩
    · by_cases hk : k = .create
      · exact Or.inl hk
      · exact Or.inr (hu hk)
    · by_cases hk : k = .create
      · cases hc : env.createReturns with
        | true => exact Or.inr (hm hc hk)
        | false => exact Or.inl (Or.inl rfl)
      · exact Or.inl (Or.inr hk)
    · cases hget : f.threads.get none entry.1 with
      | none => rfl
      | some b =>
        simp only [Bool.or_eq_true, decide_eq_true_eq]
        by_cases he : b.encoder = e
        · exact Or.inr (hb entry.1 b hget he)
        · exact Or.inl he

/-- **What `step?` accepts is a step** of the transition system. -/
theorem LockScheme.step?_sound {l : Label} (h : σ.step? env c f l = some f') :
    Step (σ.config env c) f.state l f'.state := by
  cases l with
  | dispatch o =>
    simp only [step?, guarded_eq_some, Bool.and_eq_true, Bool.or_eq_true, decide_eq_true_eq] at h
    obtain ⟨⟨⟨⟨ht, ha⟩, hal⟩, hd⟩, rfl⟩ := h
    obtain ⟨t, k, e⟩ := o
    rw [Snapshot.setThread_state]
    exact .dispatch ht ha (Env.allows_iff.mp hal) (Snapshot.mayBegin_iff.mp hd)
  | acquire t =>
    simp only [step?] at h
    split at h
    case h_1 k e ht =>
      simp only [guarded_eq_some, Bool.and_eq_true] at h
      obtain ⟨⟨ha, hf⟩, rfl⟩ := h
      rw [Snapshot.setThread_state]
      exact .acquire ht ha (fun u b hu hb hh => Snapshot.free_sound hf u b hu hb hh)
    case h_2 => cases h
  | body t pc' =>
    simp only [step?] at h
    split at h
    case h_1 k e pc ht =>
      split at h
      case h_1 m hm =>
        cases h
        have := Step.body (C := σ.config env c) (s := f.state) ht (bodyStep?_sound hm)
        rw [← Snapshot.setThread_state] at this
        exact this
      case h_2 => cases h
    case h_2 => cases h
  | release t =>
    simp only [step?] at h
    split at h
    case h_1 k e ht =>
      cases h
      rw [Snapshot.setThread_state]
      exact .release ht
    case h_2 => cases h
  | drop e =>
    simp only [step?, guarded_eq_some, Bool.and_eq_true, Bool.or_eq_true, Bool.not_eq_true',
      List.all_eq_true] at h
    obtain ⟨⟨ha, hr⟩, rfl⟩ := h
    have hs := Step.drop (C := σ.config env c) (s := f.state) (e := e) ha ?_
    · rw [show f.state.alive = f.alive.get true from rfl, ← FMap.get_set] at hs
      exact hs
    · intro hret t b hb
      cases hr with
      | inl hr => rw [show env.callersRetain = true from hret] at hr; cases hr
      | inr hr =>
        obtain ⟨w, hw⟩ := FMap.mem_of_get (d := none) hb (fun h => by cases h)
        have := hr _ hw
        have hget : f.threads.get none t = some b := hb
        simp only [hget] at this
        exact of_decide_eq_true this

theorem LockScheme.replay?_sound {trace : List Label} (h : σ.replay? env c f trace = some f')
    (hr : Reachable (σ.config env c) f.state) : Reachable (σ.config env c) f'.state := by
  induction trace generalizing f with
  | nil => cases h; exact hr
  | cons l ls ih =>
    simp only [replay?] at h
    split at h
    case h_1 f₁ h₁ => exact ih h (hr.step (step?_sound h₁))
    case h_2 => cases h

theorem bodyFault?_sound {flt : Fault} (h : bodyFault? σ.check e k m pc = some flt) :
    BodyFault (σ.config env c) e flt k pc m.mem := by
  unfold bodyFault? at h
  split at h
  all_goals
    try simp only [guarded_eq_some, Bool.and_eq_true, decide_eq_true_eq, Bool.not_eq_true'] at h
  case h_1 => obtain ⟨⟨⟨rfl, hc⟩, hi⟩, rfl⟩ := h; exact .loadNull hc hi
  case h_2 =>
    split at h
    case h_1 hi => cases h; exact .derefNull hi
    case h_2 b hi =>
      split at h
      case isTrue ho =>
        obtain ⟨hr, rfl⟩ := guarded_eq_some.mp h
        exact .derefUninitialised hi ho ((Bool.not_eq_true' _).mp hr)
      case isFalse ho => cases h; exact .derefStale hi ho
    case h_3 => cases h
  case h_3 => obtain ⟨⟨hk, ho⟩, rfl⟩ := h; exact .pushForeign hk ho
  case h_4 => obtain ⟨⟨rfl, hi⟩, rfl⟩ := h; exact .publishTwice hi
  case h_5 => obtain ⟨⟨rfl, ho⟩, rfl⟩ := h; exact .initForeign ho
  case h_6 => cases h

theorem Snapshot.loadedBy_sound {u : Thread} (h : f.loadedBy e u = true) :
    ∃ b, f.state.threads u = some ⟨.encode, e, .loaded b⟩ := by
  unfold loadedBy at h
  split at h
  case h_1 e' b hu => exact ⟨b, of_decide_eq_true h ▸ hu⟩
  case h_2 => cases h

theorem Snapshot.shows_sound {flt : Fault} (h : f.shows σ.check flt t = true) :
    Faulty (σ.config env c) flt f.state := by
  unfold shows at h
  split at h
  case h_1 => cases h
  case h_2 k e pc ht =>
    simp only [Bool.or_eq_true, Bool.and_eq_true, decide_eq_true_eq, Bool.not_eq_true',
      List.any_eq_true] at h
    rcases h with (h | h) | h
    · exact .body ht (bodyFault?_sound h)
    · obtain ⟨⟨rfl, rfl⟩, ha⟩ := h
      exact .dead ht ha
    · obtain ⟨⟨rfl, hl⟩, entry, _, hne, hl'⟩ := h
      obtain ⟨b, hb⟩ := loadedBy_sound hl
      obtain ⟨b', hb'⟩ := loadedBy_sound hl'
      exact .overlap (fun h => hne h.symm) hb hb'

/-- **A counterexample that evaluates is one**: the fault can be reached. -/
theorem LockScheme.leadsTo_sound {trace : List Label} {flt : Fault}
    (h : σ.leadsTo env c trace flt t = true) : CanReach env σ flt := by
  unfold leadsTo at h
  split at h
  case h_1 f hf => exact ⟨c, _, replay?_sound hf .initial, Snapshot.shows_sound h⟩
  case h_2 => cases h

end MPSVerify
