import MPSVerify.Theory.StateGuard.Hidden

/-!
# Where optimality ends: a guard that looks at the state can permit more

`per_encoder_is_optimal` is about disciplines, fixed relations on pairs of operations. This is a
guard that is none: it is safe, reaches all states that perEncoder reaches, and others.
-/

namespace MPSVerify

open AGX

/-- **A guard that looks at the state can be safe and permit more than perEncoder**: create enters
beside encode where there is a context. No fault can be reached; whatever perEncoder can reach can
be reached; and so can a state that perEncoder cannot reach. So what is said of all disciplines is
not said of all guards. -/
theorem state_guard_permits_more (c : Client) :
    (∀ s f, GuardedReachable (perEncoder.config .default c) createBesideEncode s →
      ¬ Faulty (perEncoder.config .default c) f s) ∧
    (∀ s, Reachable (perEncoder.config .default c) s →
      GuardedReachable (perEncoder.config .default c) createBesideEncode s) ∧
    ∃ s, GuardedReachable (perEncoder.config .default c) createBesideEncode s ∧
      ¬ Reachable (perEncoder.config .default c) s := by
  have all : ∀ s, Reachable (perEncoder.config .default c) s →
      GuardedReachable (perEncoder.config .default c) createBesideEncode s := by
    intro s h
    induction h with
    | initial => exact .initial
    | @step s l s' hr hs ih =>
      refine ih.step (l := l) ?_
      cases hs with
      | @acquire t k e ht ha hb =>
        refine .acquire ht ha fun u x hut hu hx he => absurd ?_ (hb u x hut hu hx)
        obtain ⟨k', e', pc⟩ := x
        have he : e' = e := he
        subst he
        have hx : perEncoder.excludesOnEncoder .default k' k = true := by
          cases k <;> cases k' <;> decide
        exact LockScheme.blocks_of_excludesOnEncoder hx
      | dispatch hi ha hl hd =>
        exact .other (.dispatch hi ha hl hd) (fun _ h => Label.noConfusion h)
      | body ht hb => exact .other (.body ht hb) (fun _ h => Label.noConfusion h)
      | release ht => exact .other (.release ht) (fun _ h => Label.noConfusion h)
      | drop ha hd => exact .other (.drop ha hd) (fun _ h => Label.noConfusion h)
  refine ⟨fun s f h => h.safe, all, ?_⟩
  have h : (0 : Thread) ≠ 1 := Nat.zero_ne_one
  obtain ⟨m, hr, hi, _⟩ := dispatched_live (C := perEncoder.config .default c) (k := .create)
    (k' := .encode) (t := 0) (u := 1) (e := 0) (default_allows _ _) (default_allows _ _) h rfl
  have other : ∀ {x y v b}, v ≠ (0 : Thread) → (duo m 0 1 x y).threads v = some b → y = some b := by
    intro x y v b hv hb
    have hb := (update_ne _ _ hv).symm.trans hb
    by_cases h' : v = 1
    · subst h'; exact (update_same ..).symm.trans hb
    · cases (update_ne _ _ h').symm.trans hb
  have r1 := (duo_swap h ▸ all _ hr).step (.acquire (t := 1) duo_left rfl fun u b hu hb hx _ => by
    by_cases h' : u = 0
    · subst h'; rw [duo_right h.symm] at hb; cases hb; exact absurd rfl hx
    · cases (update_ne _ _ h').symm.trans ((update_ne _ _ hu).symm.trans hb))
  rw [duo_set, duo_swap h.symm] at r1
  have r2 := r1.step (.acquire (t := 0) duo_left rfl fun u b hu hb _ _ => by
    cases other hu hb; exact ⟨rfl, rfl, ne_of_live hi⟩)
  rw [duo_set] at r2
  refine ⟨_, r2, fun hr => ?_⟩
  exact (per_encoder_permits_iff (c := c) (a := ⟨0, .create, 0⟩) (b := ⟨1, .encode, 0⟩)).mp
    ⟨_, _, _, hr, h, duo_left, fun h => PC.noConfusion h, rfl, duo_right h,
      fun h => PC.noConfusion h, rfl⟩ |>.2 rfl

end MPSVerify
