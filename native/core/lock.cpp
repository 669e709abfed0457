#include "core/lock.hpp"

#include <condition_variable>
#include <mutex>

namespace mpsverify {
namespace {

struct Bucket {
    std::mutex mutex;
    std::condition_variable changed;
};

Bucket& bucket_of(const void* lock) {
    static Bucket buckets[64];
    return buckets[(reinterpret_cast<std::uintptr_t>(lock) / kCacheLine) % 64];
}

}  // namespace

bool Lock::park(Mode mode, std::chrono::milliseconds longest) {
    Bucket& bucket = bucket_of(this);
    std::unique_lock<std::mutex> held(bucket.mutex);
    // The flag is set under the bucket's mutex and the waker takes that mutex, so a wake-up
    // between this test and the wait below cannot be lost.
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    for (;;) {
        const bool free =
            mode == Mode::exclusive ? (seen & ~kWaiters) == 0 : (seen & kExclusive) == 0;
        if (free) return true;
        if ((seen & kWaiters) != 0 ||
            state_.compare_exchange_weak(seen, seen | kWaiters, std::memory_order_relaxed)) {
            break;
        }
    }
    if (auto* const widen = before_sleep.load(std::memory_order_relaxed)) widen();
    // On the system clock: GCC 12's ThreadSanitizer does not know the call behind a wait on the
    // steady clock, takes the mutex for held throughout, and reports races that are none.
    return bucket.changed.wait_until(held, std::chrono::system_clock::now() + longest) ==
           std::cv_status::no_timeout;
}

void Lock::wake() noexcept {
    Bucket& bucket = bucket_of(this);
    { const std::lock_guard<std::mutex> held(bucket.mutex); }
    bucket.changed.notify_all();
}

}  // namespace mpsverify
