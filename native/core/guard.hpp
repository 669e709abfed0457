// The guard: takes the locks that a scheme asks for around every driver call.
//
//   Guard guard(scheme, options);
//   {
//       Guard::Call call(guard, Kind::encode, encoder);
//       if (call) original(encoder);   // false: the context is gone, the call is skipped
//   }                                  // locks are given back after the original returned
//
// Nothing here knows Objective-C, Metal or Vulkan; `object` is whatever stands for an encoder.
#pragma once

#include <cstdint>

#include "core/lock.hpp"
#include "core/lock_table.hpp"
#include "core/scheme.hpp"
#include "core/thread.hpp"

namespace mpsverify {

// Sums of the counters of all threads.
struct Statistics {
    std::uint64_t calls, acquisitions, contentions, parks, nested, skipped, waits, timeouts, missed;
    std::uint64_t entries;    // objects that have a lock now
    std::uint64_t allocated;  // locks ever made: bounded by the most objects alive at once
    std::uint64_t calls_of[kKinds];  // the calls, by kind
};

struct Options {
    // Whether the object's driver context is alive.  Called under the locks, only for a scheme
    // that checks; null: everything is alive.
    bool (*alive)(const void* object, void* user) = nullptr;
    // The queue of an object, for the scope `queue`; null: one of 16 stripes by its address.
    std::uint64_t (*queue)(const void* object, void* user) = nullptr;
    // Told what is wrong (deadlock, unguarded call); null: print it and abort.
    void (*failed)(const char* what, void* user) = nullptr;
    void* user = nullptr;
    // Guard-held assertion mode: `require` fails on a call that did not come through the guard.
    bool assert_held = false;
    bool detect_deadlock = true;
    std::uint32_t slice_ms = 50;  // of a sleep for a lock, which ends earlier if it is given back
    std::uint32_t lock_timeout_ms = 0;  // 0: none; past it a wait is counted and reported once
};

class Guard {
  public:
    explicit Guard(const Scheme& scheme, const Options& options = {});
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    // One guarded operation of the calling thread, for as long as the value lives.
    class Call {
      public:
        Call(Guard& guard, Kind kind, const void* object);
        ~Call();
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        // Whether to go on to the driver.
        explicit operator bool() const noexcept { return admitted_; }

      private:
        friend class Guard;
        Guard& guard_;
        Thread& thread_;
        Lock* locks_[kMaxRequests];
        std::uint8_t count_ = 0;
        bool admitted_ = true;
    };

    // Runs `wait` (a wait for completion) with every lock of this thread given back: a handler
    // that needs one of them could otherwise never run, and the wait would never end.
    template <class Wait>
    auto unlocked(Wait&& wait) {
        const Unlocked pause(Thread::current());
        return wait();
    }

    // The object was deallocated: its lock may serve another one.
    void retire(const void* object) { table_.retire(key_of(object)); }

    // In assertion mode: fails unless the calling thread is inside a guarded call on `object`
    // that holds what `kind` asks for.  Drivers call it where encoder state is touched.
    void require(Kind kind, const void* object);

    Statistics statistics() const;
    const Scheme& scheme() const noexcept { return scheme_; }
    const Options& options() const noexcept { return options_; }

  private:
    struct Unlocked {
        explicit Unlocked(Thread& thread);
        ~Unlocked();
        Thread& thread;
        std::uint32_t held;
        Hold holds[Thread::kMaxHolds];
    };

    static std::uintptr_t key_of(const void* object) noexcept {
        return reinterpret_cast<std::uintptr_t>(object);
    }
    // The lock of a request; for an entry of the table also the key to check once it is held.
    struct Found {
        Lock* lock;
        const Entry* entry;
        std::uintptr_t key;
    };
    Found find(const Thread& thread, Kind kind, const Request& request, const void* object);
    Lock* take(Thread& thread, Kind kind, const Request& request, const void* object);
    void take_several(Call& call, const Requests& requests, Kind kind, const void* object);
    void wait_for(Lock& lock, Mode mode, Thread& thread);
    void fail(const char* what) const;

    static void push(Thread& thread, Lock* lock, Mode mode) noexcept;
    static void give_back(Thread& thread, Lock* lock) noexcept;
    static bool in_cycle(const Thread& thread) noexcept;

    const Scheme scheme_;
    const Options options_;
    struct alignas(kCacheLine) Slot {
        Lock lock;
    };
    Slot global_;
    Slot operation_[kKinds];
    LockTable table_;
};

}  // namespace mpsverify
