import MPSVerify.AGX
import MPSVerify.Thm.Safety
import MPSVerify.Thm.Criterion
import MPSVerify.Thm.Parallel
import MPSVerify.Thm.Replay

/-!
# The claims, restated by hand

Written by a person, from the report that this project set out to check, and never generated: a
mistake in the generator cannot weaken what is claimed. The gate requires that every theorem named
here exists and has exactly the statement that stands here.
-/

namespace MPSVerify.Claims

open AGX

/-! ## The decision procedure -/

theorem safe_iff_criterion (env : Env) (σ : LockScheme) : Safe env σ ↔ criterion env σ = true :=
  MPSVerify.safe_iff_criterion env σ

theorem parallel_iff_criterion (env : Env) (σ : LockScheme) :
    Parallel env σ ↔ parallelCriterion env σ = true :=
  MPSVerify.parallel_iff_criterion env σ

theorem teardown_race_iff_criterion (env : Env) (σ : LockScheme) :
    TeardownRace env σ ↔ raceCriterion env σ = true :=
  MPSVerify.teardown_race_iff_criterion env σ

/-! ## The seven strategies -/

theorem race_condition_exists : TeardownRace .default noSync := AGX.race_condition_exists

theorem mutex_prevents_race : Safe .default globalMutex := AGX.mutex_prevents_race

theorem per_stream_mutex_insufficient : TeardownRace .default perStream :=
  AGX.per_stream_mutex_insufficient

theorem per_op_mutex_insufficient : TeardownRace .default perOp := AGX.per_op_mutex_insufficient

theorem per_encoder_mutex_sufficient : Safe .default perEncoder :=
  AGX.per_encoder_mutex_sufficient

theorem per_encoder_mutex_parallel : Parallel .default perEncoder :=
  AGX.per_encoder_mutex_parallel

theorem rw_lock_insufficient : CanReach .default rwLock .encoderOverlap :=
  AGX.rw_lock_insufficient

theorem lock_free_insufficient : TeardownRace .default lockFree := AGX.lock_free_insufficient

theorem safe_strategies_exactly_two (s : Strategy) :
    Safe .default s.scheme ↔ s = .globalMutex ∨ s = .perEncoder :=
  AGX.safe_strategies_exactly_two s

theorem all_strategies_classified :
    TeardownRace .default noSync ∧ Safe .default globalMutex ∧ TeardownRace .default perStream ∧
    TeardownRace .default perOp ∧ Safe .default perEncoder ∧
    CanReach .default rwLock .encoderOverlap ∧ TeardownRace .default lockFree :=
  AGX.all_strategies_classified

end MPSVerify.Claims
