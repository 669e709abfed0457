// Free-running threads on the guard and the fake driver: what a deterministic scheduler cannot
// show, because it orders everything (data races, the guard's own lock table, real waiting).
#pragma once

#include <cstdint>
#include <string>

#include "core/environment.h"
#include "core/guard.hpp"
#include "drivers/fake/fake_driver.hpp"

namespace mpsverify::fake {

struct FreeConfig : Environment {
    std::uint32_t threads = 4;
    std::uint32_t encoders = 3;
    std::uint32_t blocks = 64;
    bool assert_held = false;
    bool guarded = true;  // false: the control arm
    bool crash = false;   // a fault is a real SIGSEGV
    std::uint32_t streams = 4;
    std::uint64_t operations = 10000;  // of each thread
    std::uint64_t seed = 1;
    double seconds = 30;     // without any progress: give up and report `stuck`
    std::uint32_t widen = 8;  // one step in so many gives way to other threads; 0: none
};

struct FreeOutcome {
    std::uint64_t operations = 0;
    std::uint64_t faults[kFaults] = {};
    std::uint64_t skipped = 0;
    std::uint64_t unexplained = 0;  // skipped although the driver says that the context lives
    std::uint64_t released = 0;     // encoder objects deallocated and made again in place
    std::uint64_t handlers = 0;     // teardowns on the handlers' thread
    std::uint64_t met = 0;          // times that two threads were inside one fresh encoder
    std::string failure;            // what the guard reported
    Statistics guard{};
    double seconds = 0;
    bool stuck = false;
};

// Runs the threads to their end.  With `stuck` set the threads are still there and the process
// should end without destructors.
FreeOutcome free_run(const FreeConfig& config, const Scheme& scheme);

}  // namespace mpsverify::fake
