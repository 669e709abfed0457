#include "core/thread.hpp"

namespace mpsverify {
namespace {

// Gives the record back when its thread ends, so that a process that starts threads for ever
// keeps as many records as it had threads at once.
struct Lease {
    Thread* thread = nullptr;
    ~Lease() {
        if (thread != nullptr) {
            Thread::set_current(nullptr);
            thread->in_use.store(false, std::memory_order_release);
        }
    }
};

std::atomic<std::uint64_t> next_number{0};

}  // namespace

Thread& Thread::adopt() {
    thread_local Lease lease;
    if (lease.thread == nullptr) {
        for_each([&](Thread& t) {
            bool free = false;
            if (lease.thread == nullptr &&
                t.in_use.compare_exchange_strong(free, true, std::memory_order_acq_rel)) {
                lease.thread = &t;
            }
        });
        if (lease.thread == nullptr) {
            auto* made = new Thread;
            made->in_use.store(true, std::memory_order_relaxed);
            made->next = all_.load(std::memory_order_relaxed);
            while (!all_.compare_exchange_weak(made->next, made, std::memory_order_release,
                                               std::memory_order_relaxed)) {
            }
            lease.thread = made;
        }
        lease.thread->number = next_number.fetch_add(1, std::memory_order_relaxed);
        lease.thread->stream = lease.thread->number;  // until told: one stream per thread
        lease.thread->hooks = nullptr;
        lease.thread->held = 0;
        lease.thread->open = 0;
        lease.thread->handlers = 0;
    }
    current_ = lease.thread;
    return *lease.thread;
}

}  // namespace mpsverify
