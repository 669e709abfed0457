#include "capi/mpsv.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "capi/convert.hpp"
#include "sched/explorer.hpp"
#include "sched/graph.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

struct mpsv_session {
    sched::Session session;
    std::string message;
    sched::Graph graph;
    mpsv_session(const sched::Config& config, const Scheme& scheme) : session(config, scheme) {}
};

// Handed out as they are.
static_assert(sizeof(mpsv_event) == sizeof(sched::Event));
static_assert(sizeof(mpsv_state) == sizeof(sched::Snapshot));
static_assert(sizeof(mpsv_edge) == sizeof(sched::Edge));

namespace {

constexpr std::size_t kStrategyCount = sizeof(kStrategies) / sizeof(kStrategies[0]);

template <std::size_t size>
void copy(char (&into)[size], const std::string& text) {
    const std::size_t length = text.size() < size - 1 ? text.size() : size - 1;
    std::memcpy(into, text.data(), length);
    into[length] = '\0';
}

void hand_over(const sched::Outcome& from, double seconds, mpsv_outcome& to) {
    to = mpsv_outcome{};
    to.schedules = from.schedules;
    to.steps = from.steps;
    to.deadlocks = from.deadlocks;
    to.skipped = from.skipped;
    to.unexplained = from.unexplained;
    to.failures = from.failures;
    to.parallel = from.parallel;
    to.complete = from.complete;
    to.seconds = seconds;
    for (std::size_t f = 0; f < fake::kFaults; ++f) {
        to.faults[f] = from.faults[f];
        copy(to.first[f], from.first[f]);
    }
    copy(to.deadlock, from.deadlock);
    copy(to.failure, from.failure);
}

template <class Run>
const char* timed(mpsv_session* handle, const char* text, mpsv_outcome* outcome, Run&& run) {
    sched::Program program;
    handle->message = sched::parse_program(text, handle->session.config(), program);
    if (!handle->message.empty()) return handle->message.c_str();
    const auto start = std::chrono::steady_clock::now();
    const sched::Outcome found = run(program);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    hand_over(found, took.count(), *outcome);
    return nullptr;
}

}  // namespace

uint32_t mpsv_abi(void) { return MPSV_ABI; }

uint32_t mpsv_strategy_count(void) { return kStrategyCount; }
const char* mpsv_strategy_name(uint32_t index) {
    return index < kStrategyCount ? kStrategies[index].name : nullptr;
}
void mpsv_strategy_scheme(uint32_t index, mpsv_scheme* scheme) {
    *scheme = capi::from_scheme(kStrategies[index].scheme);
}

const char* mpsv_step_name(uint32_t step) {
    return step <= static_cast<uint32_t>(Step::liveness) ? fake::kStepNames[step] : nullptr;
}
const char* mpsv_pc_name(uint32_t pc) { return pc < fake::kPcs ? fake::kPcNames[pc] : nullptr; }
const char* mpsv_fault_name(uint32_t fault) {
    return fault < fake::kFaults ? fake::kFaultNames[fault] : nullptr;
}
const char* mpsv_kind_name(uint32_t kind) {
    return kind < kKinds ? fake::kKindNames[kind] : nullptr;
}

mpsv_session* mpsv_session_new(const mpsv_config* config, const mpsv_scheme* scheme) {
    Scheme native;
    if (config->threads == 0 || config->threads > sched::kMaxThreads || config->encoders == 0 ||
        config->encoders > sched::kMaxEncoders || config->blocks == 0 ||
        config->blocks > sched::kMaxBlocks || !capi::to_scheme(*scheme, native)) {
        return nullptr;
    }
    sched::Config to;
    to.threads = config->threads;
    to.encoders = config->encoders;
    to.blocks = config->blocks;
#define MPSV_FLAG(name, value) to.name = config->name != 0;
    MPSV_ENVIRONMENT(MPSV_FLAG)
#undef MPSV_FLAG
    to.assert_held = config->assert_held != 0;
    for (std::size_t i = 0; i < 8; ++i) {
        to.stream[i] = config->stream[i];
        to.home[i] = config->home[i];
        to.queue[i] = config->queue[i];
    }
    return new mpsv_session(to, native);
}
void mpsv_session_free(mpsv_session* session) { delete session; }
void mpsv_session_reset(mpsv_session* session) { session->session.reset(); }

int mpsv_dispatch(mpsv_session* session, uint32_t thread, uint32_t kind, uint32_t encoder) {
    if (!mpsv_can_dispatch(session, thread, kind, encoder)) return 4;
    return static_cast<int>(session->session.dispatch(thread, static_cast<Kind>(kind), encoder));
}
int mpsv_step(mpsv_session* session, uint32_t thread, uint32_t block) {
    if (thread >= session->session.config().threads) return 4;
    return static_cast<int>(session->session.step(thread, static_cast<uint8_t>(block)));
}
int mpsv_drop(mpsv_session* session, uint32_t encoder) {
    if (encoder >= session->session.config().encoders) return 4;
    return static_cast<int>(session->session.drop(encoder));
}
int mpsv_can_dispatch(mpsv_session* session, uint32_t thread, uint32_t kind, uint32_t encoder) {
    const sched::Config& config = session->session.config();
    return thread < config.threads && kind < kKinds && encoder < config.encoders &&
           session->session.can_dispatch(thread, static_cast<Kind>(kind), encoder);
}
int mpsv_can_drop(mpsv_session* session, uint32_t encoder) {
    return encoder < session->session.config().encoders && session->session.can_drop(encoder);
}
uint32_t mpsv_choices(mpsv_session* session, uint32_t thread, uint8_t blocks[16]) {
    if (thread >= session->session.config().threads) return 0;
    return session->session.choices(thread, false, blocks);
}

void mpsv_get_state(mpsv_session* handle, mpsv_state* state) {
    const sched::Snapshot here = sched::snapshot(handle->session);
    std::memcpy(state, &here, sizeof here);
}
uint32_t mpsv_thread_fault(mpsv_session* session, uint32_t thread) {
    if (thread >= session->session.config().threads) return MPSV_NONE;
    return session->session.fault(thread);
}
const mpsv_event* mpsv_trace(mpsv_session* session, uint64_t* count) {
    *count = session->session.trace().size();
    return reinterpret_cast<const mpsv_event*>(session->session.trace().data());
}
uint32_t mpsv_faults(mpsv_session* session) { return session->session.faults(); }
const char* mpsv_failure(mpsv_session* session) { return session->session.failure(); }
uint64_t mpsv_skipped(mpsv_session* session, uint64_t* unexplained) {
    *unexplained = session->session.unexplained();
    return session->session.skipped();
}

const char* mpsv_run(mpsv_session* session, const char* schedule) {
    session->session.reset();
    session->message = sched::run_schedule(session->session, schedule);
    return session->message.empty() ? nullptr : session->message.c_str();
}

const char* mpsv_explore(mpsv_session* session, const char* program, uint32_t preemptions,
                         uint64_t schedules, double seconds, mpsv_outcome* outcome) {
    return timed(session, program, outcome, [&](const sched::Program& parsed) {
        sched::Limits limits;
        limits.preemptions = preemptions;
        limits.schedules = schedules;
        limits.seconds = seconds;
        return sched::explore(session->session, parsed, limits);
    });
}

const char* mpsv_walk(mpsv_session* session, const char* program, uint64_t seed,
                      uint64_t schedules, double seconds, mpsv_outcome* outcome) {
    return timed(session, program, outcome, [&](const sched::Program& parsed) {
        return sched::walk(session->session, parsed, seed, schedules, seconds);
    });
}

int mpsv_graph(mpsv_session* session, uint64_t max_states, const mpsv_state** states,
               uint64_t* state_count, const mpsv_edge** edges, uint64_t* edge_count) {
    session->graph = sched::graph(session->session, max_states);
    const sched::Graph& graph = session->graph;
    *states = reinterpret_cast<const mpsv_state*>(graph.states.data());
    *state_count = graph.states.size();
    *edges = reinterpret_cast<const mpsv_edge*>(graph.edges.data());
    *edge_count = graph.edges.size();
    return graph.complete;
}
