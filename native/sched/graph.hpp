// The whole transition graph of the native guard and driver, within the session's bounds: every
// state that any client and any schedule can reach, and every step from it.
#pragma once

#include <cstdint>
#include <vector>

#include "sched/schedule.hpp"

namespace mpsverify::sched {

// All that a state of a session consists of, as bytes; kNone for none and beyond the bounds.
struct Snapshot {
    std::uint8_t impl[kMaxEncoders], alive[kMaxEncoders];
    std::uint8_t owner[kMaxBlocks], ready[kMaxBlocks];
    std::uint8_t pc[kMaxThreads], kind[kMaxThreads], encoder[kMaxThreads], block[kMaxThreads];
};

Snapshot snapshot(const Session& session);

// A step between states, or (event.step is kNone, target the source) a thread whose next step
// crashes, with the fault in event.block.
struct Edge {
    std::uint32_t source;
    std::uint32_t target;
    Event event;
};

struct Graph {
    std::vector<Snapshot> states;  // the initial one first
    std::vector<Edge> edges;
    bool complete = false;
};

Graph graph(Session& session, std::size_t max_states);

}  // namespace mpsverify::sched
