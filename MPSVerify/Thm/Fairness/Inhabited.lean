import MPSVerify.Thm.Fairness

/-!
# Fair runs in which a thread waits for a lock

So `fifo_starvation_free` is about something: under every safe discipline with shared encoders there
is a fair run in which a thread comes while another one is inside and excludes it.
-/

namespace MPSVerify

variable {C : Config} {s s' : FifoState} {P : FifoState → FifoState → Prop} {l : Label}
  {run : Nat → FifoState} {m m' : Mem} {t u : Thread} {k : Kind} {e : Encoder} {pc pc' : PC}
  {b : Block} {x y : Option Busy}

/-- The run that starts with `s` and goes on as `run`. -/
def prepend (s : FifoState) (run : Nat → FifoState) : Nat → FifoState
  | 0 => s
  | i + 1 => run i

theorem FairRun.prepend (h : FifoStep C s l (run 0)) (F : FairRun (FifoStep C) run) :
    FairRun (FifoStep C) (prepend s run) := by
  refine ⟨?_, ?_⟩
  · intro i
    cases i with
    | zero => exact Or.inr ⟨l, h⟩
    | succ i => exact F.step i
  · intro t i hi
    obtain ⟨j, l, hj, hw, ht, hs⟩ := F.fair t i fun j hj => hi (j + 1) (Nat.le_succ_of_le hj)
    exact ⟨j + 1, l, Nat.le_succ_of_le hj, hw, ht, hs⟩

/-- A weakly fair run starts here. -/
def FairFrom (C : Config) (s : FifoState) : Prop :=
  ∃ run, FairRun (FifoStep C) run ∧ run 0 = s

/-- A weakly fair run starts here, in which two states that follow each other are as `P` says. -/
def FairVia (C : Config) (P : FifoState → FifoState → Prop) (s : FifoState) : Prop :=
  ∃ run, FairRun (FifoStep C) run ∧ run 0 = s ∧ ∃ i, P (run i) (run (i + 1))

theorem FairFrom.cons (h : FifoStep C s l s') (hf : FairFrom C s') : FairFrom C s := by
  obtain ⟨run, F, rfl⟩ := hf
  exact ⟨prepend s run, F.prepend h, rfl⟩

theorem FairVia.cons (h : FifoStep C s l s') (hf : FairVia C P s') : FairVia C P s := by
  obtain ⟨run, F, rfl, i, hp⟩ := hf
  exact ⟨prepend s run, F.prepend h, rfl, i + 1, hp⟩

theorem FairVia.here (h : FifoStep C s l s') (hp : P s s') (hf : FairFrom C s') :
    FairVia C P s := by
  obtain ⟨run, F, rfl⟩ := hf
  exact ⟨prepend s run, F.prepend h, rfl, 0, hp⟩

/-- Where nobody is busy, nothing need happen. -/
theorem FairFrom.quiet (h : ∀ t, s.state.threads t = none) : FairFrom C s := by
  refine ⟨fun _ => s, ⟨fun _ => Or.inl rfl, fun t i hi => ?_⟩, rfl⟩
  obtain ⟨l, s', hw, ht, hs⟩ := hi i (Nat.le_refl _)
  cases hs.change t with
  | same h' _ => exact absurd h' (hs.moves hw ht)
  | dispatched _ _ _ _ =>
    cases hs with
    | dispatch _ => exact absurd hw id
    | acquire _ hk _ => rw [h] at hk; cases hk
    | other hst hd ha =>
      cases hst with
      | dispatch _ _ _ _ | drop _ _ => exact absurd hw id
      | acquire _ _ _ => exact absurd rfl (ha _)
      | body hk _ | release hk => rw [h] at hk; cases hk
  | entered h' _ _ | body h' _ _ _ _ | released h' _ => rw [h] at h'; cases h'

/-! ## Steps of a thread `t` while thread `u` is at `y` -/

/-- Two threads, with any tickets. -/
def FifoState.Pair (m : Mem) (t u : Thread) (x y : Option Busy) (s : FifoState) : Prop :=
  s.state = duo m t u x y

theorem FifoState.Pair.swap (h : t ≠ u) (hs : s.Pair m t u x y) : s.Pair m u t y x :=
  hs.trans (duo_swap h)

theorem pair_dispatch (ha : C.env.Allows C.home ⟨t, k, e⟩) (hd : DuoMayBegin C.env m y k e)
    (hs : s.Pair m t u none y) : ∃ l s', FifoStep C s l s' ∧
      s'.Pair m t u (some ⟨k, e, .dispatched⟩) y := by
  obtain ⟨st, ticket, n⟩ := s
  cases (hs : st = _)
  exact ⟨_, _, .dispatch (s := ⟨_, ticket, n⟩) (.dispatch duo_left rfl ha hd.mayBegin),
    duo_set⟩

/-- A thread enters while everybody else is idle. -/
theorem pair_acquire (hs : s.Pair m t u (some ⟨k, e, .dispatched⟩) none) :
    ∃ l s', FifoStep C s l s' ∧ s'.Pair m t u (some ⟨k, e, .entered⟩) none := by
  obtain ⟨st, ticket, n⟩ := s
  cases (hs : st = _)
  have only : ∀ v x, (duo m t u (some ⟨k, e, .dispatched⟩) none).threads v = some x → v = t := by
    intro v x hx
    apply Classical.byContradiction
    intro hv
    rw [show (duo m t u _ none).threads v = update (fun _ => none) u none v from
      update_ne _ _ hv, update_self (fun _ => none)] at hx
    cases hx
  refine ⟨_, _, .acquire (s := ⟨_, ticket, n⟩) (.acquire duo_left rfl ?_) duo_left ?_, duo_set⟩
  · intro v x hv hx _
    exact absurd (only v x hx) hv
  · intro v x hx _ hlt
    rw [only v x hx] at hlt
    exact absurd hlt (Nat.lt_irrefl _)

theorem pair_body (hs : s.Pair m t u (some ⟨k, e, pc⟩) y) (hb : Body C e k pc m pc' m') :
    ∃ l s', FifoStep C s l s' ∧ s'.Pair m' t u (some ⟨k, e, pc'⟩) y := by
  obtain ⟨st, ticket, n⟩ := s
  cases (hs : st = _)
  refine ⟨_, _, .other (s := ⟨_, ticket, n⟩) (.body duo_left hb)
    (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h), ?_⟩
  show State.setMem ((duo m t u _ y).setThread t _) m' = _
  rw [duo_set]
  rfl

theorem pair_release (hs : s.Pair m t u (some ⟨k, e, .finished⟩) y) :
    ∃ l s', FifoStep C s l s' ∧ s'.Pair m t u none y := by
  obtain ⟨st, ticket, n⟩ := s
  cases (hs : st = _)
  exact ⟨_, _, .other (s := ⟨_, ticket, n⟩) (.release duo_left)
    (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h), duo_set⟩

/-- What a step leads to, this leads to. -/
theorem FairVia.step {m' : Mem} {t' u' : Thread} {x' y' : Option Busy}
    (h : ∃ l s', FifoStep C s l s' ∧ s'.Pair m' t' u' x' y')
    (hf : ∀ s', s'.Pair m' t' u' x' y' → FairVia C P s') : FairVia C P s :=
  let ⟨_, s', hs, hp⟩ := h
  .cons hs (hf s' hp)

theorem FairFrom.step {m' : Mem} {t' u' : Thread} {x' y' : Option Busy}
    (h : ∃ l s', FifoStep C s l s' ∧ s'.Pair m' t' u' x' y')
    (hf : ∀ s', s'.Pair m' t' u' x' y' → FairFrom C s') : FairFrom C s :=
  let ⟨_, s', hs, hp⟩ := h
  .cons hs (hf s' hp)

/-- A thread makes an encoder while everybody else is idle. -/
theorem FairVia.create (ha : C.env.Allows C.home ⟨t, .create, e⟩) (hi : m.impl e = none)
    (hb : m.owner b = none) (hf : ∀ m' s', FifoState.Pair m' t u none none s' →
      m'.impl e = some b → m'.owner b = some e → m'.ready b = true → FairVia C P s')
    (hs : s.Pair m t u none none) : FairVia C P s := by
  refine .step (pair_dispatch ha (.make hi) hs) fun s hs => ?_
  refine .step (pair_acquire hs) fun s hs => ?_
  refine .step (pair_body hs (.check hi)) fun s hs => ?_
  have popped : ∀ s : FifoState, s.Pair { m with
      owner := update m.owner b (some e),
      ready := update m.ready b false } t u (some ⟨.create, e, .popped b⟩) none →
      FairVia C P s := by
    intro s hs
    refine .step (pair_body hs (.publish hi)) fun s hs => ?_
    refine .step (pair_body hs (.init (update_same ..))) fun s hs => ?_
    exact .step (pair_release hs)
      fun s hs => hf _ s hs (update_same ..) (update_same ..) (update_same ..)
  cases hc : C.env.atomicFreelist with
  | true => exact .step (pair_body hs (.pop hc hb)) popped
  | false => exact .step (pair_body hs (.peek hc hb)) fun s hs => .step (pair_body hs .claim) popped

/-- A thread that is inside encodes and leaves. -/
theorem FairFrom.encode (hi : m.impl e = some b) (ho : m.owner b = some e) (hr : m.ready b = true)
    (hf : ∀ s', s'.Pair m t u none y → FairFrom C s')
    (hs : s.Pair m t u (some ⟨.encode, e, .entered⟩) y) : FairFrom C s := by
  refine .step (pair_body hs (.load hi)) fun s hs => ?_
  refine .step (pair_body hs (.deref hi ho hr)) fun s hs => ?_
  exact .step (pair_release hs) hf

/-- **A thread waits for a lock in a fair run, and gets it**: under every safe discipline with
shared encoders there is a weakly fair run under FIFO locks, from the initial state, in which a
thread `t` is dispatched while a thread `u` is past its acquire and excludes it, and `t` enters
later. -/
theorem fifo_inhabited (hs : C.Safe) (hsh : C.env.sharedEncoders = true) :
    ∃ run i j t u k e x, FairRun (FifoStep C) run ∧ run 0 = .initial ∧
      (run i).state.threads t = none ∧
      (run (i + 1)).state.threads t = some ⟨k, e, .dispatched⟩ ∧
      (run (i + 1)).state.threads u = some x ∧ x.holds ∧ C.blocks (x.op u) ⟨t, k, e⟩ ∧
      i + 1 < j ∧ (run j).state.threads t = some ⟨k, e, .entered⟩ := by
  have h01 := Nat.zero_ne_one
  obtain ⟨run, F, h0, i, hn, hd, hu⟩ : FairVia C (fun s s' => s.state.threads 1 = none ∧
      s'.state.threads 1 = some ⟨.encode, 0, .dispatched⟩ ∧
      s'.state.threads 0 = some ⟨.encode, 0, .entered⟩) .initial := by
    refine FairVia.create (t := 0) (u := 1) (e := 0) (b := 0) (m := State.initial.mem)
      (Or.inl hsh) rfl rfl ?_ duo_idle.symm
    intro m s hs hi ho hr
    have hne : Kind.encode ≠ .create := fun h => Kind.noConfusion h
    refine .step (pair_dispatch (k := .encode) (Or.inl hsh) (.use hne (ne_of_live hi)) hs)
      fun s hs => ?_
    refine .step (pair_acquire hs) fun s hs => ?_
    obtain ⟨l, s', h, hs'⟩ := pair_dispatch (k := .encode) (Or.inl hsh)
      (.join (Env.beside_of_not_create hne hne) (ne_of_live hi)) (hs.swap h01)
    refine .here h ⟨?_, ?_, ?_⟩ ?_
    · rw [show s.state = _ from hs]; exact duo_right h01
    · rw [show s'.state = _ from hs']; exact duo_left
    · rw [show s'.state = _ from hs']; exact duo_right h01.symm
    refine FairFrom.encode hi ho hr ?_ (hs'.swap h01.symm)
    intro s hs
    refine .step (pair_acquire (hs.swap h01)) fun s hs => ?_
    refine FairFrom.encode hi ho hr ?_ hs
    intro s hs
    refine .quiet fun v => ?_
    rw [show s.state = _ from hs, duo_idle]
    rfl
  have hb : C.blocks ⟨0, .encode, 0⟩ ⟨1, .encode, 0⟩ :=
    (hs.criterion.apart .encode .encode 0 1 0 h01
      (Env.beside_of_not_create (fun h => Kind.noConfusion h) fun h => Kind.noConfusion h)
      (Or.inl hsh) (Or.inl hsh)).1
  have hr : FifoReachable C (run 0) := h0 ▸ .initial
  obtain ⟨j, hj, he⟩ := fifo_starvation_free hs F hr hd
  refine ⟨run, i, j, 1, 0, .encode, 0, _, F, h0, hn, hd, hu, fun h => PC.noConfusion h, hb, ?_, he⟩
  rcases Nat.eq_or_lt_of_le hj with h | h
  · subst h; rw [hd] at he; cases he
  · exact h

end MPSVerify
