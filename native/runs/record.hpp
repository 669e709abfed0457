// Free-running threads whose micro-steps are written down, so that they can be checked against
// the transition system.
//
// A micro-step and its place in the log are one critical section of a recorder's mutex; which
// thread gets there first is up to the operating system.  The guard's locks are taken and waited
// for outside of it.  An acquire is logged after the lock was taken, a release before it is given
// back, so what is logged lies inside of what happened: a guard that excludes has a legal log, and
// two threads that are inside together have one that is not.
//
// A run ends at its first fault (the system has no step for that thread from there on), when the
// log is full, or when every encoder has been released.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runs/free_run.hpp"

namespace mpsverify::fake {

inline constexpr std::uint32_t kMaxRecorded = 16;  // encoders and blocks
inline constexpr std::uint8_t kNobody = 255;

// The driver's memory, kNobody for none.
struct Picture {
    std::uint8_t impl[kMaxRecorded], alive[kMaxRecorded];
    std::uint8_t owner[kMaxRecorded], ready[kMaxRecorded];
};

struct Moment {
    std::uint8_t thread;  // kNobody for drop
    std::uint8_t encoder;
    Kind kind;
    Step step;
    Pc pc;               // after the step
    std::uint8_t block;  // that the step is about
    Picture after;
};

struct Recording {
    struct End {
        Fault fault;
        std::uint8_t thread, encoder;
    };
    std::vector<Moment> log;
    std::optional<End> end;  // the fault of the last state that ended the run
    std::string failure;     // what the guard reported
    bool stuck = false;      // threads wait for ever: the process should end without destructors
};

// Runs config.threads threads, the last of which runs completion handlers and nothing else, until
// `events` moments are logged.  Streams, homes and queues are those that the model has by default.
Recording record(const FreeConfig& config, const Scheme& scheme, std::size_t events);

}  // namespace mpsverify::fake
