#include "core/guard.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace mpsverify {
namespace {

// Streams and queues share the table with encoders, whose addresses are even and below 2^62.
constexpr std::uintptr_t kStreamTag = 1;
constexpr std::uintptr_t kQueueTag = (std::uintptr_t{1} << 63) | 1;

constexpr int kSpins = 64;
constexpr std::chrono::milliseconds kSlice{50};  // of a sleep for the locks after a wait

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

Guard::Guard(const Scheme& scheme, const Options& options) : scheme_(scheme), options_(options) {}

Guard::Found Guard::find(const Thread& thread, Kind kind, const Request& request,
                         const void* object) {
    std::uintptr_t key = 0;
    switch (request.scope) {
        case Scope::global:
            return {&global_.lock, nullptr, 0};
        case Scope::operation:
            return {&operation_[static_cast<std::size_t>(kind)].lock, nullptr, 0};
        case Scope::stream:
            key = (static_cast<std::uintptr_t>(thread.stream) << 1) | kStreamTag;
            break;
        case Scope::queue: {
            const std::uint64_t queue = options_.queue != nullptr
                                            ? options_.queue(object, options_.user)
                                            : LockTable::hash(key_of(object)) % 16;
            key = (static_cast<std::uintptr_t>(queue) << 1) | kQueueTag;
            break;
        }
        case Scope::encoder:
            key = key_of(object);
            break;
    }
    Entry& entry = table_.get(key);
    return {&entry.lock, &entry, key};
}

void Guard::push(Thread& thread, Lock* lock, Mode mode) noexcept {
    if (thread.held == Thread::kMaxHolds) {
        std::fputs("mps-verify guard: a thread holds more than 16 locks; nesting this deep means "
                   "that a release was lost\n", stderr);
        std::abort();
    }
    if (mode == Mode::exclusive) lock->owner.store(&thread, std::memory_order_relaxed);
    thread.holds[thread.held++] = {lock, 1, mode};
    thread.counters.acquisitions.add();
}

void Guard::give_back(Thread& thread, Lock* lock) noexcept {
    // From the top: the lock asked for is nearly always the last one taken.
    for (std::uint32_t i = thread.held; i-- > 0;) {
        Hold& hold = thread.holds[i];
        if (hold.lock != lock) continue;
        if (--hold.depth != 0) return;
        const Mode mode = hold.mode;
        hold = thread.holds[--thread.held];
        if (mode == Mode::exclusive) lock->owner.store(nullptr, std::memory_order_relaxed);
        lock->unlock(mode);
        return;
    }
}

Lock* Guard::take(Thread& thread, Kind kind, const Request& request, const void* object) {
    bool contended = false;
    for (;;) {
        const Found found = find(thread, kind, request, object);
        if (Hold* hold = thread.find(found.lock)) {
            // Nested: endEncoding calls destroyImpl.  A shared hold cannot be made exclusive
            // while others share it, so it is given up first and taken again as a whole.
            thread.counters.nested.add();
            if (hold->mode == Mode::shared && request.mode == Mode::exclusive) {
                found.lock->unlock(Mode::shared);
                while (!found.lock->try_lock(Mode::exclusive)) {
                    if (thread.is_to_retry(*found.lock)) continue;
                    wait_for(*found.lock, Mode::exclusive, thread);
                    break;
                }
                found.lock->owner.store(&thread, std::memory_order_relaxed);
                hold->mode = Mode::exclusive;
            }
            ++hold->depth;
            return found.lock;
        }
        if (!found.lock->try_lock(request.mode)) {
            if (!contended) thread.counters.contentions.add();
            contended = true;
            if (thread.is_to_retry(*found.lock)) continue;
            wait_for(*found.lock, request.mode, thread);
        }
        if (found.entry != nullptr &&
            found.entry->key.load(std::memory_order_relaxed) != found.key) {
            found.lock->unlock(request.mode);  // retired while we waited: look again
            continue;
        }
        push(thread, found.lock, request.mode);
        return found.lock;
    }
}

// All or none: whoever waits for one lock holds no other of this call, so calls that ask for
// several locks in different orders cannot wait for each other.
void Guard::take_several(Call& call, const Requests& requests, Kind kind, const void* object) {
    Thread& thread = call.thread_;
    bool contended = false;
    for (std::uint8_t i = 0; i < requests.count;) {
        const Request& request = requests.request[i];
        const Found found = find(thread, kind, request, object);
        Hold* hold = thread.find(found.lock);
        const bool upgrade = hold != nullptr && hold->mode == Mode::shared &&
                             request.mode == Mode::exclusive;
        if (hold != nullptr && !upgrade) {
            thread.counters.nested.add();
            ++hold->depth;
        } else if (upgrade || !found.lock->try_lock(request.mode)) {
            if (upgrade) {
                call.locks_[i] = take(thread, kind, request, object);
                call.count_ = ++i;
                continue;
            }
            if (!contended) thread.counters.contentions.add();
            contended = true;
            while (i > 0) give_back(thread, call.locks_[--i]);
            call.count_ = 0;
            if (!thread.is_to_retry(*found.lock)) {
                wait_for(*found.lock, request.mode, thread);
                found.lock->unlock(request.mode);
            }
            continue;  // from the first request on
        } else if (found.entry != nullptr &&
                   found.entry->key.load(std::memory_order_relaxed) != found.key) {
            found.lock->unlock(request.mode);
            continue;
        } else {
            push(thread, found.lock, request.mode);
        }
        call.locks_[i] = found.lock;
        call.count_ = ++i;
    }
}

void Guard::wait_for(Lock& lock, Mode mode, Thread& thread) {
    for (int i = 0; i < kSpins; ++i) {
        pause();
        if (lock.try_lock(mode)) return;
    }
    thread.waits_for.store(&lock, std::memory_order_release);
    const auto start = std::chrono::steady_clock::now();
    bool late = false;
    bool cycle_before = false;
    bool woken = true;
    const std::chrono::milliseconds slice{options_.slice_ms};  // between two looks for a deadlock
    while (!lock.try_lock(mode)) {
        thread.counters.parks.add();
        woken = lock.park(mode, slice);
        const auto waited = std::chrono::steady_clock::now() - start;
        if (options_.detect_deadlock && waited > slice) {
            // Seen twice, a slice apart: owners are read without a lock, and a cycle of threads
            // that are just about to give back is gone by then.
            const bool cycle = in_cycle(thread);
            if (cycle && cycle_before) fail("deadlock: threads wait for each other's locks");
            cycle_before = cycle;
        }
        if (!late && options_.lock_timeout_ms != 0 &&
            waited > std::chrono::milliseconds(options_.lock_timeout_ms)) {
            late = true;
            thread.counters.timeouts.add();
            std::fprintf(stderr, "mps-verify guard: thread %llu has waited %u ms for a lock\n",
                         static_cast<unsigned long long>(thread.number),
                         options_.lock_timeout_ms);
        }
    }
    if (!woken) thread.counters.missed.add();
    thread.waits_for.store(nullptr, std::memory_order_release);
}

bool Guard::in_cycle(const Thread& thread) noexcept {
    const Thread* at = &thread;
    for (int hops = 0; hops < 64; ++hops) {
        const Lock* lock = at->waits_for.load(std::memory_order_acquire);
        if (lock == nullptr) return false;
        at = lock->owner.load(std::memory_order_acquire);
        if (at == nullptr) return false;
        if (at == &thread) return true;
    }
    return false;
}

void Guard::fail(const char* what) const {
    if (options_.failed != nullptr) {
        options_.failed(what, options_.user);
        return;
    }
    std::fprintf(stderr, "mps-verify guard: %s\n", what);
    std::abort();
}

Guard::Call::Call(Guard& guard, Kind kind, const void* object)
    : guard_(guard), thread_(Thread::current()) {
    thread_.counters.calls[static_cast<std::size_t>(kind)].add();
    ++thread_.open;
    const Requests& requests = guard.scheme_.locks[static_cast<std::size_t>(kind)];
    thread_.point(Step::acquire);
    if (requests.count == 1) {
        locks_[0] = guard.take(thread_, kind, requests.request[0], object);
        count_ = 1;
    } else if (requests.count != 0) {
        guard.take_several(*this, requests, kind, object);
    }
    if (guard.options_.assert_held) thread_.enter(object);
    if (thread_.hooks != nullptr) thread_.hooks->taken(Step::acquire, false);
    // Only encoding touches the context without looking at it; create and destroy do look.
    if (guard.scheme_.check && kind == Kind::encode && guard.options_.alive != nullptr) {
        thread_.point(Step::liveness);
        admitted_ = guard.options_.alive(object, guard.options_.user);
        if (!admitted_) {
            thread_.counters.skipped.add();
            if (thread_.hooks != nullptr) thread_.hooks->taken(Step::liveness, true);
        }
    }
}

Guard::Call::~Call() {
    thread_.point(Step::release);
    if (guard_.options_.assert_held) thread_.leave();
    while (count_ > 0) give_back(thread_, locks_[--count_]);
    --thread_.open;
    if (thread_.hooks != nullptr) thread_.hooks->taken(Step::release, false);
}

Guard::Unlocked::Unlocked(Thread& waiting) : thread(waiting), held(waiting.held) {
    thread.counters.waits.add();
    for (std::uint32_t i = 0; i < held; ++i) holds[i] = thread.holds[i];
    for (std::uint32_t i = held; i-- > 0;) {
        if (holds[i].mode == Mode::exclusive) {
            holds[i].lock->owner.store(nullptr, std::memory_order_relaxed);
        }
        holds[i].lock->unlock(holds[i].mode);
    }
    thread.held = 0;
}

Guard::Unlocked::~Unlocked() {
    for (std::uint32_t i = 0; i < held; ++i) {
        Lock& lock = *holds[i].lock;
        while (!lock.try_lock(holds[i].mode)) {
            if (!thread.is_to_retry(lock)) lock.park(holds[i].mode, kSlice);
        }
        if (holds[i].mode == Mode::exclusive) {
            lock.owner.store(&thread, std::memory_order_relaxed);
        }
        thread.holds[i] = holds[i];
    }
    thread.held = held;
}

void Guard::require(Kind kind, const void* object) {
    if (!options_.assert_held) return;
    Thread& thread = Thread::current();
    if (!thread.is_inside(object)) {
        fail("unguarded call: the driver was reached without the guard");
        return;
    }
    const Requests& requests = scheme_.locks[static_cast<std::size_t>(kind)];
    for (std::uint8_t i = 0; i < requests.count; ++i) {
        const Found found = find(thread, kind, requests.request[i], object);
        if (thread.find(found.lock) == nullptr) {
            fail("unguarded call: the guard was passed but a lock of the scheme is not held");
            return;
        }
    }
}

Statistics Guard::statistics() const {
    Statistics sum{};
    Thread::for_each([&](const Thread& t) {
        const Counters& c = t.counters;
        for (std::size_t k = 0; k < kKinds; ++k) {
            sum.calls_of[k] += c.calls[k].read();
            sum.calls += c.calls[k].read();
        }
        sum.acquisitions += c.acquisitions.read();
        sum.contentions += c.contentions.read();
        sum.parks += c.parks.read();
        sum.nested += c.nested.read();
        sum.skipped += c.skipped.read();
        sum.waits += c.waits.read();
        sum.timeouts += c.timeouts.read();
        sum.missed += c.missed.read();
    });
    sum.entries = table_.size();
    sum.allocated = table_.allocated();
    return sum;
}

}  // namespace mpsverify
