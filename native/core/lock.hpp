// A one-word reader-writer lock: one compare-and-swap to take, one atomic operation to give back.
// Threads that must wait park on a condition variable of a process-wide table, so a lock is small
// enough to live in the table entry it protects, on one cache line.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/scheme.hpp"

namespace mpsverify {

class Thread;

// How far apart in memory things must be that different threads write: Apple's cores have lines
// of 128 bytes, and x86 fetches lines of 64 in pairs.
inline constexpr std::size_t kCacheLine = 128;

class Lock {
  public:
    // Takes the lock if that needs no waiting.
    bool try_lock(Mode mode) noexcept {
        std::uint32_t seen = state_.load(std::memory_order_relaxed);
        if (mode == Mode::exclusive) {
            return (seen & ~kWaiters) == 0 &&
                   state_.compare_exchange_strong(seen, seen | kExclusive,
                                                  std::memory_order_acquire,
                                                  std::memory_order_relaxed);
        }
        while ((seen & kExclusive) == 0) {
            if (state_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }

    void unlock(Mode mode) noexcept {
        if (mode == Mode::exclusive) {
            if ((state_.exchange(0, std::memory_order_release) & kWaiters) != 0) wake();
            return;
        }
        const std::uint32_t before = state_.fetch_sub(1, std::memory_order_release);
        if ((before & kWaiters) != 0 && (before & ~kWaiters) == 1) {
            state_.fetch_and(~kWaiters, std::memory_order_relaxed);
            wake();
        }
    }

    // Parks until the lock was given back or `longest` has passed; the caller tries again then.
    // False: nobody has woken it.
    bool park(Mode mode, std::chrono::milliseconds longest);

    // Called in the window between the last look at the lock and the sleep; null: nothing.  For a
    // harness that widens the window, in which a careless waker would be missed.
    static inline std::atomic<void (*)()> before_sleep{nullptr};

    // Forgets every holder.  Only for a scheduler that abandons all threads of a run at once.
    void abandon() noexcept { state_.store(0, std::memory_order_relaxed); }

    bool is_held() const noexcept {
        return (state_.load(std::memory_order_relaxed) & ~kWaiters) != 0;
    }

    // The exclusive holder, for deadlock reports only; null when shared or free.
    std::atomic<const Thread*> owner{nullptr};

  private:
    static constexpr std::uint32_t kExclusive = 1u << 31;
    static constexpr std::uint32_t kWaiters = 1u << 30;

    void wake() noexcept;

    std::atomic<std::uint32_t> state_{0};  // kExclusive | kWaiters | number of shared holders
};

}  // namespace mpsverify
