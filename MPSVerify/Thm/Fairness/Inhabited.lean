import MPSVerify.Thm.Fairness

/-!
# Fair runs with waiting threads exist

So `fifo_starvation_free` is about something, under every discipline.
-/

namespace MPSVerify

variable {C : Config} {s s' : FifoState} {m m' : Mem} {t u : Thread} {e : Encoder} {pc pc' : PC}

/-- A weakly fair run starts here. -/
def FairFrom (C : Config) (s : FifoState) : Prop :=
  ∃ run, FairRun (FifoStep C) run ∧ run 0 = s

/-- The run that starts with `s` and goes on as `run`. -/
def prepend (s : FifoState) (run : Nat → FifoState) : Nat → FifoState
  | 0 => s
  | i + 1 => run i

theorem FairFrom.cons {l : Label} (h : FifoStep C s l s') (hf : FairFrom C s') : FairFrom C s := by
  obtain ⟨run, F, rfl⟩ := hf
  refine ⟨prepend s run, ⟨?_, ?_⟩, rfl⟩
  · intro i
    cases i with
    | zero => exact Or.inr ⟨l, h⟩
    | succ i => exact F.step i
  · intro t i hi
    obtain ⟨j, l, hj, hw, ht, hs⟩ := F.fair t i fun j hj => hi (j + 1) (Nat.le_succ_of_le hj)
    exact ⟨j + 1, l, Nat.le_succ_of_le hj, hw, ht, hs⟩

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

/-- A thread alone with its create. -/
def creating (m : Mem) (t : Thread) (e : Encoder) (pc : PC) (tickets : Thread → Nat) (n : Nat) :
    FifoState := ⟨duo m t (t + 1) (some ⟨.create, e, pc⟩) none, tickets, n⟩

variable {tickets : Thread → Nat} {n : Nat}

theorem FairFrom.body (hb : Body C e .create pc m pc' m')
    (h : FairFrom C (creating m' t e pc' tickets n)) :
    FairFrom C (creating m t e pc tickets n) := by
  refine .cons (l := .body t pc') ?_ h
  have hs := FifoStep.other (s := creating m t e pc tickets n) (.body (C := C) duo_left hb)
    (fun _ h => Label.noConfusion h) (fun _ h => Label.noConfusion h)
  have he : ((duo m t (t + 1) (some ⟨.create, e, pc⟩) none).setThread t
      (some ⟨.create, e, pc'⟩)).setMem m' = duo m' t (t + 1) (some ⟨.create, e, pc'⟩) none := by
    rw [duo_set]; rfl
  show FifoStep C _ _ ⟨_, _, _⟩
  rw [← he]
  exact hs

theorem FairFrom.finished : FairFrom C (creating m t e .finished tickets n) := by
  refine .cons (l := .release t) (.other (.release duo_left) (fun _ h => Label.noConfusion h)
    (fun _ h => Label.noConfusion h)) (.quiet fun u => ?_)
  show ((duo m t (t + 1) (some ⟨.create, e, .finished⟩) none).setThread t none).threads u = none
  rw [duo_set, duo_idle]
  rfl

/-- **There are fair runs in which a thread waits at first**, under every discipline. -/
theorem fifo_inhabited (C : Config) : ∃ run t k e, FairRun (FifoStep C) run ∧
    FifoReachable C (run 0) ∧ (run 0).state.threads t = some ⟨k, e, .dispatched⟩ := by
  have r := FifoReachable.initial.step (.dispatch (C := C) (s := .initial)
    (o := ⟨C.home 0, .create, 0⟩) (.dispatch (t := C.home 0) (k := .create) (e := 0) rfl rfl
      (C.env.allows_home C.home) (fun h => absurd rfl h)))
  have alone : State.initial.setThread (C.home 0) (some ⟨.create, 0, .dispatched⟩) =
      duo State.initial.mem (C.home 0) (C.home 0 + 1) (some ⟨.create, 0, .dispatched⟩) none := by
    have : State.initial = duo State.initial.mem (C.home 0) (C.home 0 + 1) none none :=
      duo_idle.symm
    rw [this, duo_set]; rfl
  obtain ⟨b, _⟩ : ∃ b : Block, True := ⟨0, trivial⟩
  have popped : ∀ {tickets n}, FairFrom C (creating { State.initial.mem with
      owner := update State.initial.mem.owner b (some 0),
      ready := update State.initial.mem.ready b false } (C.home 0) 0 (.popped b) tickets n) :=
    .body (.publish rfl) (.body (.init (update_same ..)) .finished)
  have checked : ∀ {tickets n},
      FairFrom C (creating State.initial.mem (C.home 0) 0 .checked tickets n) := by
    intro tickets n
    cases hf : C.env.atomicFreelist with
    | true => exact .body (.pop hf rfl) popped
    | false => exact .body (.peek (b := b) hf rfl) (.body .claim popped)
  have entered : ∀ {tickets n},
      FairFrom C (creating State.initial.mem (C.home 0) 0 .entered tickets n) :=
    .body (.check rfl) checked
  have only : ∀ v x, (duo State.initial.mem (C.home 0) (C.home 0 + 1)
      (some ⟨.create, 0, .dispatched⟩) none).threads v = some x → v = C.home 0 := by
    intro v x hx
    apply Classical.byContradiction
    intro hv
    rw [show (duo _ _ _ _ _).threads v = update (fun _ => none) (C.home 0 + 1) none v from
      update_ne _ _ hv, update_self (fun _ => none)] at hx
    cases hx
  have start : ∀ {tickets n},
      FairFrom C (creating State.initial.mem (C.home 0) 0 .dispatched tickets n) := by
    intro tickets n
    have h := FifoStep.acquire (C := C)
      (s := creating State.initial.mem (C.home 0) 0 .dispatched tickets n)
      (.acquire duo_left rfl fun u x hu hx _ => absurd (only u x hx) hu) duo_left
      (fun u x hx _ hlt => by
        rw [only u x hx] at hlt
        exact absurd hlt (Nat.lt_irrefl _))
    refine .cons h ?_
    show FairFrom C ⟨(duo _ _ _ _ _).setThread _ _, _, _⟩
    rw [duo_set]
    exact entered
  obtain ⟨run, F, h0⟩ := start (tickets := update (fun _ => 0) (C.home 0) 0) (n := 1)
  refine ⟨run, C.home 0, .create, 0, F, ?_, ?_⟩
  · rw [h0]
    show FifoReachable C ⟨duo _ _ _ _ _, _, _⟩
    rw [← alone]
    exact r
  · rw [h0]; exact duo_left

end MPSVerify
