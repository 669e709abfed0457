import MPSVerify.Thm.Necessity

/-!
# What a discipline permits

`Permits a b` is a statement about reachable states. It turns out to be the plainest thing: both
operations are allowed, and they do not exclude each other in some order.
-/

namespace MPSVerify

variable {C : Config} {a b : Op}

/-- Two encoders with a context each, and everybody idle. -/
theorem two_live_reachable (C : Config) {e e' : Encoder} (h : e ≠ e') :
    ∃ m, Reachable C (idle m) ∧ m.impl e ≠ none ∧ m.impl e' ≠ none := by
  have r0 : Reachable C (duo _ (C.home e) (C.home e + 1) none none) :=
    Reachable.ofIdle Reachable.initial
  have ⟨m, r1, hi, _, hm, ho⟩ := r0.create (b := 0) (Nat.succ_ne_self _).symm
    Reachable.waiting_none (C.env.allows_home C.home) rfl rfl
  have r2 : Reachable C (duo _ (C.home e') (C.home e' + 1) none none) :=
    Reachable.ofIdle r1.toIdle
  have ⟨m', r3, hi', _, hm', _⟩ := r2.create (b := 1) (Nat.succ_ne_self _).symm
    Reachable.waiting_none (C.env.allows_home C.home) (hm e' (fun h' => h h'.symm))
    (ho 1 Nat.zero_ne_one.symm)
  exact ⟨m', r3.toIdle, ne_of_live ((hm' e h).trans hi), ne_of_live hi'⟩

/-- **Permitted means allowed and not excluded**, in some order. -/
theorem Config.permits_iff : C.Permits a b ↔ a.thread ≠ b.thread ∧ C.env.Allows C.home a ∧
    C.env.Allows C.home b ∧ (¬ C.blocks a b ∨ ¬ C.blocks b a) := by
  constructor
  · intro ⟨s, x, y, hr, htu, hx, hxh, hxa, hy, hyh, hyb⟩
    have D := hr.disciplined
    have ha := D.allowed _ _ hx
    have hb := D.allowed _ _ hy
    have he := D.excluded _ _ _ _ htu hx hy hxh hyh
    rw [hxa] at ha he
    rw [hyb] at hb he
    exact ⟨htu, ha, hb, he⟩
  · intro ⟨htu, ha, hb, hn⟩
    obtain ⟨t, k, e⟩ := a
    obtain ⟨u, k', e'⟩ := b
    have hd : ∃ m, Reachable C (duo m t u (some ⟨k, e, .dispatched⟩)
        (some ⟨k', e', .dispatched⟩)) := by
      by_cases he : e = e'
      · subst he
        have ⟨m, hr, _⟩ := dispatched_live ha hb htu
        exact ⟨m, hr⟩
      · have ⟨m, hr, hi, hi'⟩ := two_live_reachable C he
        have r1 := (hr.ofIdle (t := t) (u := u)).dispatch ha (fun _ => hi)
        have r2 := (r1.swap htu).dispatch hb (fun _ => hi')
        exact ⟨m, r2.swap (fun h => htu h.symm)⟩
    obtain ⟨m, hr⟩ := hd
    exact ⟨_, _, _, hr.enter htu hn, htu, duo_left, fun h => PC.noConfusion h, rfl,
      duo_right htu, fun h => PC.noConfusion h, rfl⟩

/-- **Overlap on one encoder is unsafe**, whatever the two operations are, in every environment and
under every discipline. (The predecessor showed it for one pair of operations.) -/
theorem same_encoder_overlap_is_unsafe (h : C.Permits a b) (he : a.encoder = b.encoder) :
    ¬ C.Safe := by
  intro hs
  obtain ⟨htu, ha, hb, hn⟩ := Config.permits_iff.mp h
  obtain ⟨t, k, e⟩ := a
  obtain ⟨u, k', e'⟩ := b
  have : e = e' := he
  subst this
  have := hs.criterion.apart k k' t u e htu ha hb
  exact hn.elim (fun h => h this.1) (fun h => h this.2)

end MPSVerify
