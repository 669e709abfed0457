// What the core promises, tried directly.  Prints one line per failure; exit code 1 if any.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/guard.hpp"
#include "strategies.hpp"

using namespace mpsverify;

namespace {

int failures = 0;

void check(bool holds, const char* what) {
    if (!holds) {
        std::printf("FAILED: %s\n", what);
        ++failures;
    }
}

const Scheme& named(const std::string& name) {
    for (const Strategy& s : kStrategies) {
        if (name == s.name) return s.scheme;
    }
    std::abort();
}

std::atomic<int> reports{0};
void count_report(const char*, void*) { reports.fetch_add(1); }

void nested_calls_do_not_deadlock() {
    Guard guard(named("perEncoder"));
    int encoder = 0;
    {
        const Guard::Call outer(guard, Kind::destroy, &encoder);
        const Guard::Call inner(guard, Kind::destroy, &encoder);
        check(static_cast<bool>(inner), "a nested call is admitted");
    }
    std::thread other([&] { const Guard::Call call(guard, Kind::encode, &encoder); });
    other.join();
    check(guard.statistics().nested >= 1, "nested takes are counted");
}

void a_shared_hold_becomes_exclusive() {
    Guard guard(named("rwLock"));
    int encoder = 0;
    const Guard::Call outer(guard, Kind::encode, &encoder);
    const Guard::Call inner(guard, Kind::destroy, &encoder);
    check(static_cast<bool>(inner), "destroy inside encode does not wait for itself");
}

void threads_exclude_each_other_and_the_count_is_exact(const char* strategy) {
    Guard guard(named(strategy));
    int encoder = 0;
    long plain = 0;
    constexpr int kThreads = 4, kCalls = 20000;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kCalls; ++i) {
                const Guard::Call call(guard, Kind::destroy, &encoder);
                ++plain;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    check(plain == long{kThreads} * kCalls, "no update is lost under an exclusive lock");
}

void a_wait_for_completion_holds_no_lock() {
    Guard guard(named("globalMutex"));
    int encoder = 0;
    std::atomic<bool> done{false};
    const Guard::Call call(guard, Kind::destroy, &encoder);
    std::thread handler;
    guard.unlocked([&] {
        handler = std::thread([&] {
            const Guard::Call inside(guard, Kind::complete, &encoder);
            done.store(true);
        });
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!done.load() && std::chrono::steady_clock::now() < limit) {
            std::this_thread::yield();
        }
    });
    check(done.load(), "an intercepted handler runs while its thread waits for completion");
    handler.join();
    check(guard.statistics().waits >= 1, "waits are counted");
}

void an_unguarded_call_fails_even_with_one_thread() {
    Options options;
    options.assert_held = true;
    options.failed = count_report;
    Guard guard(named("perEncoder"), options);
    int one = 0, other = 0;
    reports = 0;
    {
        const Guard::Call call(guard, Kind::encode, &one);
        guard.require(Kind::encode, &one);
        check(reports == 0, "a guarded call passes the assertion");
        guard.require(Kind::encode, &other);
        check(reports == 1, "a call on another encoder fails it");
    }
    guard.require(Kind::encode, &one);
    check(reports == 2, "a call after the release fails it");
}

void a_dead_context_is_skipped() {
    Options options;
    options.alive = [](const void* object, void*) { return *static_cast<const int*>(object) != 0; };
    Guard guard(named("perEncoder"), options);
    int encoder = 0;
    const std::uint64_t before = guard.statistics().skipped;
    {
        const Guard::Call call(guard, Kind::encode, &encoder);
        check(!call, "an encode on a dead context is skipped");
    }
    {
        const Guard::Call call(guard, Kind::destroy, &encoder);
        check(static_cast<bool>(call), "a destroy looks for itself");
    }
    encoder = 1;
    {
        const Guard::Call call(guard, Kind::encode, &encoder);
        check(static_cast<bool>(call), "an encode on a live context is not skipped");
    }
    check(guard.statistics().skipped == before + 1, "skipped calls are counted");
    Guard unchecked(named("noSync"), options);
    encoder = 0;
    const Guard::Call call(unchecked, Kind::encode, &encoder);
    check(static_cast<bool>(call), "a scheme without a check skips nothing");
}

void retired_locks_are_used_again() {
    Guard guard(named("perEncoder"));
    std::unique_ptr<char[]> memory(new char[1 << 16]);
    for (int round = 0; round < 200; ++round) {
        for (int i = 0; i < 1024; ++i) {
            const Guard::Call call(guard, Kind::create, &memory[i * 64]);
        }
        for (int i = 0; i < 1024; ++i) guard.retire(&memory[i * 64]);
    }
    check(guard.statistics().entries == 0, "no lock stays behind a deallocated encoder");
    // 64 shards fill their slabs unevenly, so a little more than 1,024.
    check(guard.statistics().allocated < 8192, "memory is bounded by the encoders alive at once");
}

void a_lock_retired_while_somebody_waits_is_looked_up_again() {
    Guard guard(named("perEncoder"));
    int encoder = 0;
    std::atomic<bool> inside{false};
    std::thread waiter;
    {
        const Guard::Call call(guard, Kind::destroy, &encoder);
        waiter = std::thread([&] {
            const Guard::Call late(guard, Kind::create, &encoder);
            inside.store(true);
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        guard.retire(&encoder);
    }
    waiter.join();
    check(inside.load(), "the waiter gets the lock of the new object");
    check(guard.statistics().entries == 1, "and that lock is the only one");
}

// Two locks per call, asked for in opposite orders by two kinds.
void several_locks_in_opposite_orders_do_not_deadlock() {
    Scheme scheme{};
    scheme.check = true;
    const Request global{Scope::global, Mode::exclusive};
    const Request encoder{Scope::encoder, Mode::exclusive};
    scheme.locks[0] = {2, {global, encoder}};
    scheme.locks[2] = {2, {encoder, global}};
    Guard guard(scheme);
    int object = 0;
    long plain = 0;
    const auto run = [&](Kind kind) {
        for (int i = 0; i < 20000; ++i) {
            const Guard::Call call(guard, kind, &object);
            ++plain;
        }
    };
    std::thread one([&] { run(Kind::create); });
    std::thread other([&] { run(Kind::destroy); });
    one.join();
    other.join();
    check(plain == 40000, "no update is lost under two locks");
}

void a_deadlock_is_reported() {
    struct World {
        int a = 0, b = 0;
        std::atomic<int> ready{0};
        Guard guard;
        explicit World(const Options& options) : guard(named("perEncoder"), options) {}
    };
    Options options;
    options.failed = count_report;
    auto* world = new World(options);  // its threads wait for ever
    reports = 0;
    const auto cross = [world](int* first, int* second) {
        const Guard::Call call(world->guard, Kind::destroy, first);
        world->ready.fetch_add(1);
        while (world->ready.load() < 2) std::this_thread::yield();
        const Guard::Call crossed(world->guard, Kind::destroy, second);
    };
    std::thread(cross, &world->a, &world->b).detach();
    std::thread(cross, &world->b, &world->a).detach();
    for (int i = 0; i < 3000 && reports.load() == 0; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    check(reports.load() > 0, "two threads that wait for each other are reported");
}

}  // namespace

int main() {
    nested_calls_do_not_deadlock();
    a_shared_hold_becomes_exclusive();
    for (const char* s : {"globalMutex", "perEncoder", "rwLock", "perOp"}) {
        threads_exclude_each_other_and_the_count_is_exact(s);
    }
    a_wait_for_completion_holds_no_lock();
    an_unguarded_call_fails_even_with_one_thread();
    a_dead_context_is_skipped();
    retired_locks_are_used_again();
    a_lock_retired_while_somebody_waits_is_looked_up_again();
    several_locks_in_opposite_orders_do_not_deadlock();
    a_deadlock_is_reported();
    std::printf("%d failed\n", failures);
    std::fflush(stdout);
    std::_Exit(failures == 0 ? 0 : 1);  // two threads wait for ever: no destructors
}
