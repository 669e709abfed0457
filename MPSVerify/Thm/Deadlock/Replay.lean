import MPSVerify.Spec.SeqReplay
import MPSVerify.Thm.Replay

/-!
# A run into a deadlock that evaluates is one

However many locks a call takes, in every environment, for both policies.
-/

namespace MPSVerify

variable {p : LockPolicy} {env : Env} {σ : LockScheme} {c : Client} {f f' : SeqSnapshot}
  {u : Thread} {o : Op} {q : Request}

theorem SeqSnapshot.withholds_iff :
    f.withholds c u o q = true ↔ f.state.Withholds c u o q := by
  unfold withholds
  constructor
  · intro h
    split at h
    case h_1 => cases h
    case h_2 x hx =>
      simp only [List.any_eq_true, Bool.and_eq_true, decide_eq_true_eq] at h
      obtain ⟨r, hr, hl, hm⟩ := h
      exact ⟨x, r, hx, hr, hl, hm⟩
  · intro ⟨x, r, hx, hr, hl, hm⟩
    have hx : f.base.threads.get none u = some x := hx
    rw [hx]
    exact List.any_eq_true.mpr ⟨r, hr, by
      rw [decide_eq_true hl, hm]; rfl⟩

theorem SeqSnapshot.waitsToWrite_sound (h : f.waitsToWrite c u o q = true) :
    f.state.WaitsToWrite c u o q := by
  unfold waitsToWrite at h
  split at h
  case h_1 k e r rs hu hl =>
    simp only [Bool.and_eq_true, decide_eq_true_eq] at h
    exact ⟨k, e, r, rs, hu, hl, h.1, h.2⟩
  case h_2 => cases h

theorem SeqSnapshot.keeps_sound (h : f.keeps p c u o q = true) : f.state.Keeps p c u o q := by
  simp only [keeps, Bool.or_eq_true, Bool.and_eq_true, decide_eq_true_eq] at h
  rcases h with h | ⟨⟨hp, hs⟩, h⟩
  · exact Or.inl (withholds_iff.mp h)
  · exact Or.inr ⟨hp, hs, waitsToWrite_sound h⟩

theorem SeqSnapshot.set_state (g : Snapshot) (t : Thread) (l : Locks) :
    SeqSnapshot.state ⟨g, f.locks.set t l⟩ = ⟨g.state, update f.state.locks t l⟩ := by
  show SeqState.mk _ ((f.locks.set t l).get _) = _
  rw [FMap.get_set]
  rfl

/-- **What `seqStep?` accepts is a step** of the system with sequential acquires. -/
theorem LockScheme.seqStep?_sound {l : SeqLabel} (h : σ.seqStep? env c f l = some f') :
    SeqStep σ env c f.state l f'.state := by
  unfold seqStep? at h
  split at h
  case h_1 t =>
    split at h
    case h_1 k e r rs ht hl =>
      obtain ⟨hf, rfl⟩ := guarded_eq_some.mp h
      rw [SeqSnapshot.set_state]
      refine .take (s := f.state) (k := k) (e := e) ht hl fun u hw => ?_
      have ⟨x, _, hx, _⟩ := hw
      obtain ⟨w, hmem⟩ := FMap.mem_of_get (d := none) hx (fun h => by cases h)
      have := List.all_eq_true.mp hf _ hmem
      rw [SeqSnapshot.withholds_iff.mpr hw] at this
      cases this
    case h_2 => cases h
  case h_2 t =>
    split at h
    case h_1 k e ht hl =>
      obtain ⟨ha, rfl⟩ := guarded_eq_some.mp h
      have := SeqStep.enter (σ := σ) (env := env) (c := c) (s := f.state) (t := t) ht ha hl
      rw [show f.state.state = f.base.state from rfl, ← Snapshot.setThread_state] at this
      exact this
    case h_2 => cases h
  case h_3 o =>
    split at h
    case h_1 g hg =>
      cases h
      rw [SeqSnapshot.set_state]
      exact .dispatch (s := f.state) (step?_sound hg)
    case h_2 => cases h
  case h_4 l ha hd =>
    split at h
    case h_1 g hg =>
      cases h
      exact .other (s := f.state) (step?_sound hg) (fun o ho => hd o ho) (fun t ht => ha t ht)
    case h_2 => cases h

theorem LockScheme.seqReplay?_sound {run : List SeqLabel} (h : σ.seqReplay? env c f run = some f')
    (hr : SeqReachable σ env c f.state) : SeqReachable σ env c f'.state := by
  induction run generalizing f with
  | nil => cases h; exact hr
  | cons l ls ih =>
    simp only [seqReplay?] at h
    split at h
    case h_1 f₁ h₁ => exact ih h (hr.step (seqStep?_sound h₁))
    case h_2 => cases h

theorem SeqSnapshot.deadlocked_sound {ts : List Thread} (h : f.deadlocked p c ts = true) :
    f.state.Deadlocked p c := by
  simp only [deadlocked, Bool.and_eq_true, List.all_eq_true] at h
  obtain ⟨hne, hall⟩ := h
  refine ⟨fun t => t ∈ ts, ?_, fun t ht => ?_⟩
  · cases ts with
    | nil => cases hne
    | cons t ts => exact ⟨t, List.mem_cons_self⟩
  · have h := hall t ht
    split at h
    case h_1 k e r rs hk hl =>
      obtain ⟨u, hu, hw⟩ := List.any_eq_true.mp h
      exact ⟨k, e, r, rs, hk, hl, u, hu, keeps_sound hw⟩
    case h_2 => cases h

/-- **A run into a deadlock refutes the claim that there is none.** -/
theorem LockScheme.leadsToDeadlock_sound {run : List SeqLabel} {ts : List Thread}
    (h : σ.leadsToDeadlock p env c run ts = true) : ¬ DeadlockFree p env σ := by
  unfold leadsToDeadlock at h
  split at h
  case h_1 f hf =>
    exact fun hd => hd c _ (seqReplay?_sound hf .initial) (SeqSnapshot.deadlocked_sound h)
  case h_2 => cases h

end MPSVerify
