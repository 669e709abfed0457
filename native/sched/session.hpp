// The real guard and the fake driver under a deterministic scheduler: every thread is a fiber
// that stops before each atomic step, and the caller says who goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/environment.h"
#include "core/guard.hpp"
#include "drivers/fake/fake_driver.hpp"
#include "sched/fiber.hpp"

namespace mpsverify::sched {

using fake::Fault;
using fake::Pc;

inline constexpr std::uint32_t kMaxThreads = 8;
inline constexpr std::uint32_t kMaxEncoders = 8;
inline constexpr std::uint32_t kMaxBlocks = 16;
inline constexpr std::uint8_t kNone = 255;

struct Config : Environment {
    std::uint32_t threads = 2;
    std::uint32_t encoders = 2;
    std::uint32_t blocks = 3;
    bool assert_held = false;
    std::uint32_t stream[kMaxThreads] = {0, 1, 2, 3, 4, 5, 6, 7};  // of a thread
    std::uint32_t home[kMaxEncoders] = {};                          // thread of an encoder
    std::uint32_t queue[kMaxEncoders] = {};                         // of an encoder
};

// One atomic step as it happened.
struct Event {
    std::uint8_t thread;   // kNone for drop, which is nobody's
    std::uint8_t encoder;
    std::uint8_t kind;
    std::uint8_t step;     // mpsverify::Step
    std::uint8_t pc;       // program point after the step
    std::uint8_t block;    // that the step is about, kNone for none
    std::uint8_t skipped;  // the guard skipped the call
    std::uint8_t unused;
};

enum class Result : std::uint8_t { stepped, blocked, starved, faulty, impossible };

class Session final : private Hooks, private fake::Watch {
  public:
    Session(const Config& config, const Scheme& scheme);

    // Back to the initial state; locks of abandoned operations are given back by force.
    void reset();

    bool can_dispatch(std::uint32_t thread, Kind kind, std::uint32_t encoder) const;
    Result dispatch(std::uint32_t thread, Kind kind, std::uint32_t encoder);
    // The next step of a busy thread; `block` is the one to take if it takes one (kNone: the
    // first free one).  Anything but `stepped` changed nothing.
    Result step(std::uint32_t thread, std::uint8_t block = kNone);
    bool can_drop(std::uint32_t encoder) const;
    Result drop(std::uint32_t encoder);

    // The free blocks among which the thread's next step picks, or none if it picks none.
    // Blocks never used so far are alike: with `representatives` only the first of them counts.
    std::uint32_t choices(std::uint32_t thread, bool representatives, std::uint8_t* into) const;

    const Config& config() const noexcept { return config_; }
    const std::vector<Event>& trace() const noexcept { return trace_; }
    Pc pc(std::uint32_t thread) const { return threads_[thread]->pc; }
    bool busy(std::uint32_t thread) const { return pc(thread) != Pc::idle; }
    std::uint8_t kind(std::uint32_t thread) const { return threads_[thread]->kind; }
    std::uint8_t encoder(std::uint32_t thread) const { return threads_[thread]->encoder; }
    std::uint8_t held_block(std::uint32_t thread) const { return threads_[thread]->block; }
    std::uint8_t fault(std::uint32_t thread) const { return threads_[thread]->fault; }
    std::uint8_t impl(std::uint32_t encoder) const;
    std::uint8_t owner(std::uint32_t block) const;
    bool ready(std::uint32_t block) const { return driver_->blocks()[block].ready; }
    bool alive(std::uint32_t encoder) const { return !cells_[encoder].released; }
    std::uint32_t faults() const noexcept { return faults_; }  // bit set since the last reset
    std::uint64_t skipped() const noexcept { return skipped_; }
    std::uint64_t unexplained() const noexcept { return unexplained_; }
    const char* failure() const noexcept { return failure_; }

  private:
    struct Worker {
        Session* session = nullptr;
        Thread thread;
        Fiber fiber;
        std::uint8_t number = 0;
        std::uint8_t kind = 0;
        std::uint8_t encoder = 0;
        std::uint8_t block = kNone;
        std::uint8_t fault = kNone;
        Pc pc = Pc::idle;
        Step next = Step::dispatch;
        Result result = Result::stepped;
        bool merged = false;       // the guard's liveness check made the driver's load step begin
        std::uint32_t nested = 0;  // guarded calls inside the one that counts
    };

    static void run(void* worker);
    static bool is_alive(const void* object, void* user);
    static std::uint64_t queue_of(const void* object, void* user);
    static void note_failure(const char* what, void* user);

    void operation(Worker& worker);
    void yield(Worker& worker, Result result);
    void message_send(Worker& worker);
    void record(Worker& worker, Step step, Pc pc, std::uint8_t block, bool skipped);

    void point(Step next) override;
    bool blocked(const Lock& lock) override;
    void taken(Step step, bool skipped) override;
    void taken(Step step, Pc pc, const fake::Block* block) override;
    bool fault(Fault fault) override;
    void overlap() override;
    std::uint32_t pick(const std::uint32_t* free, std::uint32_t count) override;
    bool starved() override;

    Config config_;
    std::unique_ptr<Guard> guard_;
    std::unique_ptr<fake::Driver> driver_;
    std::unique_ptr<fake::Cell[]> cells_;
    std::vector<std::unique_ptr<Worker>> threads_;
    Worker* running_ = nullptr;
    std::uint8_t wanted_ = kNone;
    std::uint32_t used_blocks_ = 0;  // bit set
    std::uint32_t faults_ = 0;
    std::uint64_t skipped_ = 0;
    std::uint64_t unexplained_ = 0;
    const char* failure_ = nullptr;
    std::vector<Event> trace_;
};

}  // namespace mpsverify::sched
