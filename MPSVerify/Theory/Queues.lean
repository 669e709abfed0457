import MPSVerify.AGX.Extensions
import MPSVerify.Thm.Permits

/-!
# What a lock per queue is

One lock for all encoders of a queue: more than one for each encoder, less than one for all. So
`striped` lets two threads work at the same time if and only if the client has two queues.
-/

namespace MPSVerify

open AGX

variable {c : Client} {a b : Op}

/-- Under `striped`, calls exclude each other if and only if their encoders share a queue. -/
theorem striped_blocks_iff :
    striped.Blocks .default c a b ↔ c.queue a.encoder = c.queue b.encoder := by
  have one : ∀ k, striped.requestsIn .default k = [⟨.queue, .exclusive⟩] := by
    intro k
    cases k <;> rfl
  constructor
  · intro ⟨r, hr, q, hq, hl, _⟩
    rw [one, List.mem_singleton] at hr hq
    subst hr
    subst hq
    exact Lock.queue.inj hl
  · intro h
    refine ⟨⟨.queue, .exclusive⟩, ?_, ⟨.queue, .exclusive⟩, ?_, congrArg Lock.queue h, rfl⟩
    · rw [one]; exact List.mem_cons_self
    · rw [one]; exact List.mem_cons_self

/-- **What `striped` permits**: two threads that work on encoders of different queues. -/
theorem striped_permits_iff (c : Client) (a b : Op) : (striped.config .default c).Permits a b ↔
    a.thread ≠ b.thread ∧ c.queue a.encoder ≠ c.queue b.encoder := by
  have allows : ∀ o : Op, Env.default.Allows c.home o := by
    intro ⟨t, k, e⟩
    cases k
    case complete => exact rfl
    all_goals exact Or.inl rfl
  constructor
  · intro h
    obtain ⟨htu, _, _, _, hn⟩ := Config.permits_iff.mp h
    exact ⟨htu, fun hq => hn.elim (fun h => h (striped_blocks_iff.mpr hq))
      (fun h => h (striped_blocks_iff.mpr hq.symm))⟩
  · intro ⟨htu, hq⟩
    exact Config.permits_iff.mpr
      ⟨htu, allows a, allows b, fun _ => rfl, Or.inl fun h => hq (striped_blocks_iff.mp h)⟩

/-- **With one queue `striped` is one lock for all**, and with two it is not: two threads can be
inside at the same time if and only if two encoders are in different queues. -/
theorem striped_parallel_iff_two_queues (c : Client) :
    (∃ a b, (striped.config .default c).Permits a b) ↔ ∃ e e', c.queue e ≠ c.queue e' :=
  ⟨fun ⟨a, b, h⟩ => ⟨a.encoder, b.encoder, ((striped_permits_iff c a b).mp h).2⟩,
    fun ⟨e, e', h⟩ => ⟨⟨0, .create, e⟩, ⟨1, .create, e'⟩,
      (striped_permits_iff c _ _).mpr ⟨Nat.zero_ne_one, h⟩⟩⟩

end MPSVerify
