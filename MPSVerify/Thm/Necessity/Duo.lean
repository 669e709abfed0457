import MPSVerify.Thm.Discipline

/-!
# Runs of two threads while everybody else is idle

One definition and one lemma for each kind of step. They are generic in the locks; every unsafe run
in `Necessity.lean` is put together from them.
-/

namespace MPSVerify

variable {C : Config} {m m' : Mem} {t u : Thread} {x y : Option Busy} {k k' : Kind}
  {e e' : Encoder} {pc pc' : PC} {b : Block}

theorem update_update {α : Type} (f : Nat → α) (a : Nat) (v w : α) :
    update (update f a v) a w = update f a w := by
  funext x
  by_cases h : x = a
  · subst h; rw [update_same, update_same]
  · rw [update_ne _ _ h, update_ne _ _ h, update_ne _ _ h]

theorem update_comm {α : Type} (f : Nat → α) {a c : Nat} (v w : α) (h : a ≠ c) :
    update (update f a v) c w = update (update f c w) a v := by
  funext x
  by_cases ha : x = a
  · subst ha; rw [update_ne _ _ h, update_same, update_same]
  · rw [update_ne _ _ ha]
    by_cases hc : x = c
    · subst hc; rw [update_same, update_same]
    · rw [update_ne _ _ hc, update_ne _ _ hc, update_ne _ _ ha]

theorem update_self {α : Type} (f : Nat → α) (a : Nat) : update f a (f a) = f := by
  funext x
  by_cases h : x = a
  · subst h; exact update_same ..
  · exact update_ne _ _ h

/-- Thread `t` is at `x`, thread `u` at `y`, all others are idle, all encoders alive. -/
def duo (m : Mem) (t u : Thread) (x y : Option Busy) : State where
  mem := m
  alive := fun _ => true
  threads := update (update (fun _ => none) u y) t x

/-- Nobody does anything. -/
def idle (m : Mem) : State where
  mem := m
  alive := fun _ => true
  threads := fun _ => none

theorem duo_idle : duo m t u none none = idle m := by
  have h : ∀ a, update (fun _ => (none : Option Busy)) a none = fun _ => none :=
    fun a => update_self (fun _ => none) a
  show State.mk m _ (update (update _ u none) t none) = State.mk m _ _
  rw [h u, h t]

theorem duo_swap (h : t ≠ u) : duo m t u x y = duo m u t y x := by
  show State.mk m _ (update (update _ u y) t x) = State.mk m _ (update (update _ t x) u y)
  rw [update_comm _ _ _ h]

theorem duo_left : (duo m t u x y).threads t = x := update_same ..

theorem duo_right (h : t ≠ u) : (duo m t u x y).threads u = y :=
  (update_ne _ _ (fun h' => h h'.symm)).trans (update_same ..)

theorem duo_set {x' : Option Busy} : (duo m t u x y).setThread t x' = duo m t u x' y := by
  show State.mk m (fun _ => true) (update (update (update _ u y) t x) t x') = State.mk m _ _
  rw [update_update]

/-- A call of kind `k` on `e` may begin while all that is under way is `y`. -/
structure DuoMayBegin (env : Env) (m : Mem) (y : Option Busy) (k : Kind) (e : Encoder) : Prop where
  used : k ≠ .create → m.impl e ≠ none
  made : env.createReturns = true → k = .create → m.impl e = none
  beside : ∀ b, y = some b → b.encoder = e → env.beside b.kind k = true

theorem DuoMayBegin.mayBegin {env : Env} (h : DuoMayBegin env m y k e) :
    (duo m t u none y).MayBegin env k e := by
  refine ⟨h.used, h.made, fun v b hv he => ?_⟩
  by_cases ht : v = t
  · subst ht; rw [duo_left] at hv; cases hv
  · by_cases hu : v = u
    · subst hu; rw [duo_right (fun h => ht h.symm)] at hv; exact h.beside b hv he
    · rw [show (duo m t u none y).threads v = none from
        (update_ne _ _ ht).trans (update_ne _ _ hu)] at hv
      cases hv

/-- An encoder without a context may be made while everybody else is idle. -/
theorem DuoMayBegin.make {env : Env} (hi : m.impl e = none) :
    DuoMayBegin env m none .create e :=
  ⟨fun h => absurd rfl h, fun _ _ => hi, fun _ h => by cases h⟩

/-- An encoder without a context may be made beside a call that it can be beside, or that is on
another encoder. -/
theorem DuoMayBegin.makeBeside {env : Env} (hb : e' = e → env.beside k' .create = true)
    (hi : m.impl e = none) : DuoMayBegin env m (some ⟨k', e', pc⟩) .create e :=
  ⟨fun h => absurd rfl h, fun _ _ => hi, fun b h he => by cases h; exact hb he⟩

/-- An encoder with a context may be used while everybody else is idle. -/
theorem DuoMayBegin.use {env : Env} (hk : k ≠ .create) (hi : m.impl e ≠ none) :
    DuoMayBegin env m none k e :=
  ⟨fun _ => hi, fun _ h => absurd h hk, fun _ h => by cases h⟩

/-- On an encoder with a context a call may begin beside one that it can be beside. -/
theorem DuoMayBegin.join {env : Env} (hb : env.beside k' k = true) (hi : m.impl e ≠ none) :
    DuoMayBegin env m (some ⟨k', e', pc⟩) k e := by
  refine ⟨fun _ => hi, fun hc hk => ?_, fun b h _ => by cases h; exact hb⟩
  subst hk
  exact absurd hc (Env.not_createReturns (Env.beside_symm hb))

namespace Reachable

theorem swap (h : t ≠ u) (hr : Reachable C (duo m t u x y)) : Reachable C (duo m u t y x) :=
  duo_swap h ▸ hr

theorem ofIdle (hr : Reachable C (idle m)) : Reachable C (duo m t u none none) := duo_idle ▸ hr

theorem toIdle (hr : Reachable C (duo m t u none none)) : Reachable C (idle m) := duo_idle ▸ hr

theorem dispatch (hr : Reachable C (duo m t u none y)) (ha : C.env.Allows C.home ⟨t, k, e⟩)
    (hd : DuoMayBegin C.env m y k e) :
    Reachable C (duo m t u (some ⟨k, e, .dispatched⟩) y) :=
  duo_set ▸ hr.step (.dispatch duo_left rfl ha hd.mayBegin)

theorem acquire (h : t ≠ u) (hr : Reachable C (duo m t u (some ⟨k, e, .dispatched⟩) y))
    (hy : ∀ b, y = some b → b.holds → ¬ C.blocks (b.op u) ⟨t, k, e⟩) :
    Reachable C (duo m t u (some ⟨k, e, .entered⟩) y) := by
  refine duo_set ▸ hr.step (.acquire duo_left rfl ?_)
  intro v b hv hb hh
  by_cases hvu : v = u
  · subst hvu; rw [duo_right h] at hb; exact hy b hb hh
  · rw [show (duo m t u _ y).threads v = none from
      (update_ne _ _ hv).trans (update_ne _ _ hvu)] at hb
    cases hb

theorem body (hr : Reachable C (duo m t u (some ⟨k, e, pc⟩) y)) (hb : Body C e k pc m pc' m') :
    Reachable C (duo m' t u (some ⟨k, e, pc'⟩) y) := by
  have h := hr.step (.body duo_left hb)
  rw [duo_set] at h
  exact h

theorem release (hr : Reachable C (duo m t u (some ⟨k, e, .finished⟩) y)) :
    Reachable C (duo m t u none y) :=
  duo_set ▸ hr.step (.release duo_left)

/-- `create` takes block `b`, on an atomic and on a racy freelist. -/
theorem pop (hr : Reachable C (duo m t u (some ⟨.create, e, .checked⟩) y))
    (hb : m.owner b = none) :
    Reachable C (duo { m with owner := update m.owner b (some e), ready := update m.ready b false }
      t u (some ⟨.create, e, .popped b⟩) y) := by
  cases h : C.env.atomicFreelist with
  | true => exact hr.body (.pop h hb)
  | false => exact (hr.body (.peek h hb)).body .claim

/-- Nobody is waiting for `y`: it holds no lock yet. -/
def Waiting (y : Option Busy) : Prop := ∀ b, y = some b → ¬ b.holds

theorem waiting_dispatched : Waiting (some ⟨k, e, .dispatched⟩) :=
  fun _ h => by cases h; exact fun h => h rfl

/-- A thread makes an encoder while everybody else is idle. -/
theorem create (h : t ≠ u) (hr : Reachable C (duo m t u none none))
    (ha : C.env.Allows C.home ⟨t, .create, e⟩) (he : m.impl e = none) (hb : m.owner b = none) :
    ∃ m', Reachable C (duo m' t u none none) ∧ m'.impl e = some b ∧ m'.owner b = some e ∧
      (∀ e', e' ≠ e → m'.impl e' = m.impl e') ∧ (∀ b', b' ≠ b → m'.owner b' = m.owner b') := by
  have r1 := (hr.dispatch ha (.make he)).acquire h (fun _ h => by cases h)
  have r2 := ((r1.body (.check he)).pop hb).body (.publish he)
  exact ⟨_, (r2.body (.init (update_same ..))).release, update_same .., update_same ..,
    fun _ h' => update_ne _ _ h', fun _ h' => update_ne _ _ h'⟩

/-- A thread tears an encoder down while the other one waits. -/
theorem teardown (h : t ≠ u)
    (hr : Reachable C (duo m t u none (some ⟨k', e', .dispatched⟩))) (hk : k.tearsDown = true)
    (hk' : C.env.beside k' k = true) (ha : C.env.Allows C.home ⟨t, k, e⟩)
    (he : m.impl e = some b) (hb : m.owner b = some e) :
    ∃ m', Reachable C (duo m' t u none (some ⟨k', e', .dispatched⟩)) ∧ m'.impl e = none ∧
      m'.owner b = none := by
  have hne : m.impl e ≠ none := fun h => by rw [he] at h; cases h
  have r1 := (hr.dispatch ha (.join hk' hne)).acquire h
    (fun b hb hh => absurd hh (waiting_dispatched b hb))
  have r2 := ((r1.body (.take hk he)).body (.push hk hb)).body (.clear hk)
  exact ⟨_, r2.release, update_same .., update_same ..⟩

/-- Two threads that wait for each other's encoder enter, if one order is not excluded. -/
theorem enter (h : t ≠ u)
    (hr : Reachable C (duo m t u (some ⟨k, e, .dispatched⟩) (some ⟨k', e', .dispatched⟩)))
    (hb : ¬ C.blocks ⟨t, k, e⟩ ⟨u, k', e'⟩ ∨ ¬ C.blocks ⟨u, k', e'⟩ ⟨t, k, e⟩) :
    Reachable C (duo m t u (some ⟨k, e, .entered⟩) (some ⟨k', e', .entered⟩)) := by
  have h' : u ≠ t := fun h' => h h'.symm
  cases hb with
  | inl hb =>
    have r1 := hr.acquire h (fun b hb hh => absurd hh (waiting_dispatched b hb))
    exact ((r1.swap h).acquire h' (fun b h _ => by cases h; exact hb)).swap h'
  | inr hb =>
    have r1 := (hr.swap h).acquire h' (fun b hb hh => absurd hh (waiting_dispatched b hb))
    exact (r1.swap h').acquire h (fun b h _ => by cases h; exact hb)

end Reachable

end MPSVerify
