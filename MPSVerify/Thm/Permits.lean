import MPSVerify.Thm.Necessity

/-!
# What a discipline permits

`Permits a b` is a statement about reachable states. It turns out to be the plainest thing: both
operations are allowed, they can be under way together if they are on one encoder, and they do not
exclude each other in some order.
-/

namespace MPSVerify

variable {C : Config} {a b : Op}

/-- The encoder is there for a call of kind `k`: made already, unless the call is to make it. -/
def There (m : Mem) (k : Kind) (e : Encoder) : Prop :=
  (k ≠ .create → m.impl e ≠ none) ∧ (k = .create → m.impl e = none)

/-- From a state in which everybody is idle, an encoder comes to be there. -/
theorem there_reachable {m : Mem} {e : Encoder} {b : Block} (hr : Reachable C (idle m)) (k : Kind)
    (hi : m.impl e = none) (hb : m.owner b = none) :
    ∃ m', Reachable C (idle m') ∧ There m' k e ∧ (∀ e', e' ≠ e → m'.impl e' = m.impl e') ∧
      ∀ b', b' ≠ b → m'.owner b' = m.owner b' := by
  by_cases hk : k = .create
  · exact ⟨m, hr, ⟨fun h => absurd hk h, fun _ => hi⟩, fun _ _ => rfl, fun _ _ => rfl⟩
  · have r : Reachable C (duo m (C.home e) (C.home e + 1) none none) := hr.ofIdle
    have ⟨m', r1, hi', _, hm, ho⟩ := r.create (Nat.succ_ne_self _).symm
      (C.env.allows_home C.home) hi hb
    exact ⟨m', r1.toIdle, ⟨fun _ => ne_of_live hi', fun h => absurd h hk⟩, hm, ho⟩

/-- Two threads wait, each to use its own encoder, which is there. -/
theorem dispatched_apart {t u : Thread} {k k' : Kind} {e e' : Encoder} (htu : t ≠ u) (he : e ≠ e')
    (ha : C.env.Allows C.home ⟨t, k, e⟩) (ha' : C.env.Allows C.home ⟨u, k', e'⟩) :
    ∃ m, Reachable C (duo m t u (some ⟨k, e, .dispatched⟩) (some ⟨k', e', .dispatched⟩)) ∧
      There m k e ∧ There m k' e' := by
  have ⟨m, r1, h1, hm, ho⟩ := there_reachable (C := C) (e := e) (b := 0) Reachable.initial k rfl rfl
  have ⟨m', r2, h2, hm', _⟩ := there_reachable (e := e') (b := 1) r1 k'
    (hm e' (fun h => he h.symm)) (ho 1 Nat.zero_ne_one.symm)
  have h1 : There m' k e :=
    ⟨fun hk h => h1.1 hk ((hm' e he).symm.trans h), fun hk => (hm' e he).trans (h1.2 hk)⟩
  have r3 := (r2.ofIdle (t := t) (u := u)).dispatch ha ⟨h1.1, fun _ => h1.2, fun _ h => by cases h⟩
  have r4 := (r3.swap htu).dispatch ha' ⟨h2.1, fun _ => h2.2,
    fun b hb h => by cases hb; exact absurd h he⟩
  exact ⟨m', r4.swap (fun h => htu h.symm), h1, h2⟩

/-- **Permitted means allowed, together on one encoder if so, and not excluded**, in some order. -/
theorem Config.permits_iff : C.Permits a b ↔ a.thread ≠ b.thread ∧ C.env.Allows C.home a ∧
    C.env.Allows C.home b ∧ (a.encoder = b.encoder → C.env.beside a.kind b.kind = true) ∧
    (¬ C.blocks a b ∨ ¬ C.blocks b a) := by
  constructor
  · intro ⟨s, x, y, hr, htu, hx, hxh, hxa, hy, hyh, hyb⟩
    have D := hr.disciplined
    have ha := D.allowed _ _ hx
    have hb := D.allowed _ _ hy
    have he := D.excluded _ _ _ _ htu hx hy hxh hyh
    have hm : (x.op a.thread).encoder = (y.op b.thread).encoder →
        C.env.beside (x.op a.thread).kind (y.op b.thread).kind = true :=
      D.beside _ _ _ _ htu hx hy
    rw [hxa] at ha he hm
    rw [hyb] at hb he hm
    exact ⟨htu, ha, hb, hm, he⟩
  · intro ⟨htu, ha, hb, hm, hn⟩
    obtain ⟨t, k, e⟩ := a
    obtain ⟨u, k', e'⟩ := b
    have hd : ∃ m, Reachable C (duo m t u (some ⟨k, e, .dispatched⟩)
        (some ⟨k', e', .dispatched⟩)) := by
      by_cases he : e = e'
      · subst he
        have ⟨m, hr, _⟩ := dispatched_live ha hb htu (hm rfl)
        exact ⟨m, hr⟩
      · have ⟨m, hr, _⟩ := dispatched_apart htu he ha hb
        exact ⟨m, hr⟩
    obtain ⟨m, hr⟩ := hd
    exact ⟨_, _, _, hr.enter htu hn, htu, duo_left, fun h => PC.noConfusion h, rfl,
      duo_right htu, fun h => PC.noConfusion h, rfl⟩

/-- **Overlap on one encoder is unsafe**, whatever the two operations are, in every environment and
under every discipline. (The predecessor showed it for one pair of operations.) -/
theorem same_encoder_overlap_is_unsafe (h : C.Permits a b) (he : a.encoder = b.encoder) :
    ¬ C.Safe := by
  intro hs
  obtain ⟨htu, ha, hb, hm, hn⟩ := Config.permits_iff.mp h
  obtain ⟨t, k, e⟩ := a
  obtain ⟨u, k', e'⟩ := b
  have : e = e' := he
  subst this
  have := hs.criterion.apart k k' t u e htu (hm rfl) ha hb
  exact hn.elim (fun h => h this.1) (fun h => h this.2)

end MPSVerify
