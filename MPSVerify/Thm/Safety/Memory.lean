import MPSVerify.Thm.Discipline

/-!
# What one operation does to memory when it is alone on its encoder

Lemmas about `Body` only: no threads, no locks.
-/

namespace MPSVerify

variable {C : Config} {m m' : Mem} {e e' : Encoder} {k : Kind} {pc pc' : PC}

/-- What a thread of kind `k` at `pc` knows of its encoder, when nobody else is past an acquire on
it. -/
def Local (C : Config) (m : Mem) (k : Kind) (e : Encoder) : PC → Prop
  | .dispatched | .entered | .pushed | .finished => True
  | .checked => m.impl e = none
  | .peeked b => m.impl e = none ∧ m.owner b = none ∧ k = .create ∧ C.env.atomicFreelist = false
  | .popped b => m.impl e = none ∧ m.owner b = some e
  | .published b => m.impl e = some b ∧ m.owner b = some e
  | .loaded b | .taken b => m.impl e = some b ∧ m.owner b = some e ∧ m.ready b = true

/-- The encoder has no context, or a good one. -/
def Settled (m : Mem) (e : Encoder) : Prop :=
  ∀ b, m.impl e = some b → m.owner b = some e ∧ m.ready b = true

/-- The program points at which the encoder need not be settled. -/
def PC.Unsettled : PC → Prop
  | .published _ | .pushed => True
  | _ => False

/-- Alone on its encoder, an operation keeps what it knows. -/
theorem Body.keeps (h : Body C e k pc m pc' m') (hl : Local C m k e pc)
    (hs : pc.Unsettled ∨ Settled m e) : Local C m' k e pc' ∧ (pc'.Unsettled ∨ Settled m' e) := by
  cases h with
  | load hb => exact ⟨⟨hb, (hs.resolve_left id) _ hb⟩, hs⟩
  | skip _ _ => exact ⟨trivial, hs⟩
  | deref _ _ _ => exact ⟨trivial, hs⟩
  | take _ hb => exact ⟨⟨hb, (hs.resolve_left (fun h => h)) _ hb⟩, Or.inr (hs.resolve_left id)⟩
  | gone _ _ => exact ⟨trivial, Or.inr (hs.resolve_left id)⟩
  | push _ _ => exact ⟨trivial, Or.inl trivial⟩
  | clear _ =>
    refine ⟨trivial, Or.inr ?_⟩
    intro b hb
    have hb : update m.impl e none e = some b := hb
    rw [update_same] at hb
    cases hb
  | check hn => exact ⟨hn, hs⟩
  | present _ => exact ⟨trivial, hs⟩
  | pop _ _ =>
    refine ⟨⟨hl, update_same ..⟩, Or.inr ?_⟩
    intro b hb
    have hn : m.impl e = none := hl
    rw [show m.impl e = some b from hb] at hn
    cases hn
  | peek hr hb => exact ⟨⟨hl, hb, rfl, hr⟩, Or.inr (hs.resolve_left id)⟩
  | claim =>
    refine ⟨⟨hl.1, update_same ..⟩, Or.inr ?_⟩
    intro b hb
    have hn : m.impl e = none := hl.1
    rw [show m.impl e = some b from hb] at hn
    cases hn
  | publish _ => exact ⟨⟨update_same .., hl.2⟩, Or.inl trivial⟩
  | @init _ b ho =>
    refine ⟨trivial, Or.inr ?_⟩
    intro b' hb'
    have : b' = b := by
      have h1 : m.impl e = some b := hl.1
      rw [show m.impl e = some b' from hb'] at h1
      exact Option.some.inj h1
    subst this
    exact ⟨ho, update_same ..⟩

/-- What a body step on `e` leaves alone: the `_impl` of every other encoder and its blocks. -/
structure Frame (m m' : Mem) (e' : Encoder) : Prop where
  impl : m'.impl e' = m.impl e'
  block : ∀ b, m.owner b = some e' → m'.owner b = some e' ∧ m'.ready b = m.ready b

theorem Frame.rfl : Frame m m e' := ⟨Eq.refl _, fun _ h => ⟨h, Eq.refl _⟩⟩

/-- Changing a block that is not owned by `e'` does not disturb `e'`. -/
theorem Frame.ofBlock {b : Block} {o : Option Encoder} {r : Bool} (h : m.owner b ≠ some e') :
    Frame m { m with owner := update m.owner b o, ready := update m.ready b r } e' := by
  refine ⟨Eq.refl _, fun b' hb' => ?_⟩
  have hne : b' ≠ b := fun h' => h (h' ▸ hb')
  exact ⟨(update_ne _ _ hne).trans hb', update_ne _ _ hne⟩

theorem Body.frame (h : Body C e k pc m pc' m') (hl : Local C m k e pc) (he : e' ≠ e) :
    Frame m m' e' := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | check _ | present _ | peek _ _ =>
    exact Frame.rfl
  | @push _ _ b _ ho =>
    refine ⟨rfl, fun b' hb' => ⟨?_, rfl⟩⟩
    have hne : b' ≠ b := by
      intro h'; subst h'
      rw [ho] at hb'
      exact he (Option.some.inj hb').symm
    exact (update_ne _ _ hne).trans hb'
  | clear _ => exact ⟨update_ne _ _ he, fun _ h => ⟨h, rfl⟩⟩
  | pop _ ho => exact Frame.ofBlock (fun h => by rw [ho] at h; cases h)
  | claim => exact Frame.ofBlock (fun h => by rw [hl.2.1] at h; cases h)
  | publish _ => exact ⟨update_ne _ _ he, fun _ h => ⟨h, rfl⟩⟩
  | @init _ b ho =>
    refine ⟨rfl, fun b' hb' => ⟨hb', update_ne _ _ ?_⟩⟩
    intro h'; subst h'
    rw [ho] at hb'
    exact he (Option.some.inj hb').symm

/-- Only `create` takes blocks from the freelist. -/
theorem Body.free (h : Body C e k pc m pc' m') (hk : k ≠ .create) {b : Block}
    (hb : m.owner b = none) : m'.owner b = none := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | clear _ => exact hb
  | @push _ _ b' _ _ =>
    show update m.owner b' none b = none
    by_cases h : b = b'
    · subst h; exact update_same ..
    · rw [update_ne _ _ h]; exact hb
  | check _ | present _ | pop _ _ | peek _ _ | claim | publish _ | init _ => exact absurd rfl hk

/-- Only teardown clears `_impl`. -/
theorem Body.cleared (h : Body C e k pc m pc' m') (hs : m.impl e' ≠ none)
    (hc : m'.impl e' = none) : k.tearsDown = true ∧ e' = e := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | push _ _ | check _ | present _
  | pop _ _ | peek _ _ | claim | init _ => exact absurd hc hs
  | clear hk =>
    by_cases he : e' = e
    · exact ⟨hk, he⟩
    · exact absurd ((update_ne _ _ he).symm.trans hc) hs
  | publish _ =>
    by_cases he : e' = e
    · subst he; exact absurd ((update_same ..).symm.trans hc) (fun h => by cases h)
    · exact absurd ((update_ne _ _ he).symm.trans hc) hs

/-- Encoding changes no memory. -/
theorem Body.encode_keeps (h : Body C e .encode pc m pc' m') : m' = m := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ => rfl
  | take hx _ | gone hx _ | push hx _ | clear hx => cases hx

/-- Only `create` publishes a context. -/
theorem Body.published (h : Body C e k pc m pc' m') (hn : m.impl e' = none)
    (hs : m'.impl e' ≠ none) : k = .create ∧ e' = e := by
  cases h with
  | load _ | skip _ _ | deref _ _ _ | take _ _ | gone _ _ | push _ _ | check _ | present _
  | pop _ _ | peek _ _ | claim | init _ => exact absurd hn hs
  | clear _ =>
    by_cases he : e' = e
    · subst he; exact absurd (update_same ..) hs
    · exact absurd ((update_ne _ _ he).trans hn) hs
  | publish _ =>
    by_cases he : e' = e
    · exact ⟨rfl, he⟩
    · exact absurd ((update_ne _ _ he).trans hn) hs

theorem Local.frame (hf : Frame m m' e') {k' : Kind} {q : PC}
    (hfree : ∀ b, q = .peeked b → m'.owner b = none) (h : Local C m k' e' q) :
    Local C m' k' e' q := by
  cases q with
  | dispatched | entered | pushed | finished => trivial
  | checked => exact hf.impl.trans h
  | peeked b => exact ⟨hf.impl.trans h.1, hfree b rfl, h.2.2⟩
  | popped b => exact ⟨hf.impl.trans h.1, (hf.block b h.2).1⟩
  | published b => exact ⟨hf.impl.trans h.1, (hf.block b h.2).1⟩
  | loaded b | taken b =>
    exact ⟨hf.impl.trans h.1, (hf.block b h.2.1).1, (hf.block b h.2.1).2.trans h.2.2⟩

theorem Settled.frame (hf : Frame m m' e') (h : Settled m e') : Settled m' e' := by
  intro b hb
  rw [hf.impl] at hb
  have ⟨ho, hr⟩ := h b hb
  exact ⟨(hf.block b ho).1, (hf.block b ho).2.trans hr⟩

end MPSVerify
