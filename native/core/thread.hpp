// What the guard knows about a thread: the locks it holds, its stream, its counters and, under a
// scheduler, the hooks.  A fiber of the deterministic scheduler is a thread in this sense.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/lock.hpp"

namespace mpsverify {

// The atomic steps of an operation, in the words of the transition system.
enum class Step : std::uint8_t {
    dispatch, acquire, load, deref, push, clear, check, pop, peek, claim, publish, init, release,
    drop,
    liveness,  // the guard's own load of the context, one step with the driver's when scheduled
};

// Observers of a run: a scheduler, a tracer, or a widener of race windows.
class Hooks {
  public:
    virtual ~Hooks() = default;
    // Before an atomic step: other threads may run now.
    virtual void point(Step next) = 0;
    // The step cannot be taken before `lock` is given back.  True: try again now; false: the
    // thread is to wait as it does without hooks.
    virtual bool blocked(const Lock& lock) = 0;
    // The step was taken.
    virtual void taken(Step step, bool skipped) = 0;
};

// A relaxed counter with one writer: a plain add for that writer, no lost reads for the others.
class Counter {
  public:
    void add() noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }
    void reset() noexcept { value_.store(0, std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

struct Counters {
    Counter calls[kKinds];  // operations that came to the guard
    Counter acquisitions;  // locks taken, nested takes of a lock already held not counted
    Counter contentions;   // takes that found the lock held by somebody else
    Counter parks;         // times that a thread slept for a lock
    Counter nested;        // takes of a lock that the thread held already
    Counter skipped;       // calls skipped because the context was gone
    Counter waits;         // waits for completion during which all locks were given back
    Counter timeouts;      // waits for a lock that went past the limit
    Counter missed;        // sleeps that ended by themselves although the lock was free
};

struct Hold {
    Lock* lock;
    std::uint32_t depth;
    Mode mode;
};

// Aligned, so that the counters and holds of two threads share no cache line.
class alignas(kCacheLine) Thread {
  public:
    static constexpr std::uint32_t kMaxHolds = 16;

    Thread() = default;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    // The calling thread.  Made on first use; never freed, because a deadlock report may look at
    // it after the thread has ended, but used again by the next thread that starts.
    static Thread& current() {
        Thread* known = current_;
        return known != nullptr ? *known : adopt();
    }
    // Makes `thread` the current one of this operating-system thread (a scheduler switches so).
    static void set_current(Thread* thread) noexcept { current_ = thread; }

    Hold* find(const Lock* lock) noexcept {
        for (std::uint32_t i = 0; i < held; ++i) {
            if (holds[i].lock == lock) return &holds[i];
        }
        return nullptr;
    }

    // Whether the hooks say to try for the lock again instead of waiting for it.
    bool is_to_retry(const Lock& lock) { return hooks != nullptr && hooks->blocked(lock); }

    void point(Step next) {
        if (hooks != nullptr) hooks->point(next);
    }

    // The guarded calls that this thread is inside, kept in assertion mode only.
    void enter(const void* object) noexcept {
        if (depth < kMaxHolds) inside[depth] = object;
        ++depth;
    }
    void leave() noexcept { --depth; }
    bool is_inside(const void* object) const noexcept {
        for (std::uint32_t i = 0; i < depth && i < kMaxHolds; ++i) {
            if (inside[i] == object) return true;
        }
        return false;
    }

    // Forgets the holds, giving the locks back by force.  See Lock::abandon.
    void abandon() noexcept {
        for (std::uint32_t i = 0; i < held; ++i) holds[i].lock->abandon();
        held = 0;
        depth = 0;
        open = 0;
        handlers = 0;
    }

    Hooks* hooks = nullptr;  // null: nobody watches, one load and a predicted branch a step
    std::uint64_t stream = 0;
    std::uint64_t number = 0;
    std::uint32_t open = 0;      // guarded calls that it is inside
    std::uint32_t handlers = 0;  // completion handlers that it is inside
    std::uint32_t held = 0;
    Hold holds[kMaxHolds] = {};
    std::uint32_t depth = 0;
    const void* inside[kMaxHolds] = {};
    Counters counters;
    std::atomic<const Lock*> waits_for{nullptr};
    Thread* next = nullptr;       // all threads ever, newest first
    std::atomic<bool> in_use{false};

    // Calls `visit` for every thread that was ever adopted.
    template <class Visit>
    static void for_each(Visit&& visit) {
        for (Thread* t = all_.load(std::memory_order_acquire); t != nullptr; t = t->next) visit(*t);
    }

  private:
    static Thread& adopt();

    // initial-exec: a load from the thread pointer instead of a call into the dynamic linker.
#if defined(__linux__)
    [[gnu::tls_model("initial-exec")]]
#endif
    static inline thread_local Thread* current_ = nullptr;
    static inline std::atomic<Thread*> all_{nullptr};
};

}  // namespace mpsverify
