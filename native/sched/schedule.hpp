// Schedules as short strings that can be pasted, and running one.
//
//   Ac0   thread A dispatches create on encoder 0 (c create, e encode, d destroy, k complete)
//   A3    A takes three steps
//   Ap1   A takes one step and picks block 1 from the freelist
//   A!    A tries a step that cannot be taken now: it crashes there, or a lock is held
//   x0    encoder 0 is released
#pragma once

#include <cstdint>
#include <string>

#include "sched/session.hpp"

namespace mpsverify::sched {

inline constexpr char kKindLetters[] = "cedk";

// One choice of a scheduler.
struct Action {
    enum class What : std::uint8_t { dispatch, step, pick, drop, attempt };
    What what;
    std::uint8_t thread;
    std::uint8_t kind;
    std::uint8_t encoder;  // or the block of a pick
};

Result perform(Session& session, const Action& action);

// Writes actions down, steps of one thread in a row as a count.
class Schedule {
  public:
    void add(const Action& action);
    const std::string& text() const noexcept { return text_; }

  private:
    std::string text_;
    std::uint8_t last_ = kNone;  // thread of the count at the end of the text
    std::uint32_t count_ = 0;
    std::size_t digits_ = 0;
};

// Runs a schedule from the session's present state.  Empty, or what is wrong and where.
std::string run_schedule(Session& session, const std::string& text);

}  // namespace mpsverify::sched
