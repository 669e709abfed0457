// Exhaustive exploration of a program's schedules with a bound on preemptions (as CHESS has it):
// depth-first, every run from the initial state, nothing stored but the present schedule.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sched/schedule.hpp"

namespace mpsverify::sched {

// What the threads do: one list of operations per thread, each taken as soon as the thread is
// scheduled and the client may dispatch it; `setup` runs first, alone, on thread A.
struct Program {
    struct Operation {
        bool drop;
        std::uint8_t kind;
        std::uint8_t encoder;
    };
    std::vector<Operation> setup;
    std::vector<std::vector<Operation>> threads;
};

// "c0|e0d0,e0": setup, then the threads; x0 releases encoder 0.  Empty, or what is wrong.
std::string parse_program(const std::string& text, const Config& config, Program& program);

struct Outcome {
    std::uint64_t schedules = 0;
    std::uint64_t steps = 0;
    std::uint64_t deadlocks = 0;      // schedules after which threads only wait for locks
    std::uint64_t skipped = 0;        // calls that the guard skipped
    std::uint64_t unexplained = 0;    // of those, with a live context
    std::uint64_t failures = 0;       // schedules in which the guard reported a failure
    std::uint64_t parallel = 0;       // schedules with two threads past their acquire
    std::uint64_t faults[fake::kFaults] = {};
    std::string first[fake::kFaults];  // for each the first schedule that showed it
    std::string deadlock;
    std::string failure;
    bool complete = false;  // all schedules within the bound were run
};

struct Limits {
    std::uint32_t preemptions = 2;  // switches away from a thread that could go on
    std::uint64_t schedules = ~std::uint64_t{0};
    double seconds = 1e9;
};

Outcome explore(Session& session, const Program& program, const Limits& limits);

// `count` runs in which every choice is random; the same seed, the same runs.
Outcome walk(Session& session, const Program& program, std::uint64_t seed, std::uint64_t count,
             double seconds);

}  // namespace mpsverify::sched
