// What a guarded call costs by itself, beside raw lock primitives.  The call that is guarded does
// next to nothing: one increment of the encoder's counter, through a pointer.
//
//   info
//   cost   threads= encoders=own|same around= seconds=
//
// around is a strategy's name (one guarded encode), or nothing, mutex (std::mutex), sharedRead and
// sharedWrite (std::shared_mutex), spinLock (a test-and-set flag), guardLock (the guard's lock
// without the guard).  With encoders=own each thread has an encoder, a stream and a raw lock of its
// own; with encoders=same all threads share one of each.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "bench/protocol.hpp"
#include "core/guard.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;
using mpsverify::bench::Command;

namespace {

using Clock = std::chrono::steady_clock;

struct alignas(128) Target {
    // Atomic, as threads meet here without a lock too; relaxed, it is a load and a store.
    std::atomic<std::uint64_t> count{0};
    std::mutex mutex;
    std::shared_mutex shared;
    std::atomic_flag flag = ATOMIC_FLAG_INIT;
    Lock lock;
};

void work(Target& target) {
    target.count.store(target.count.load(std::memory_order_relaxed) + 1,
                       std::memory_order_relaxed);
}
void (*volatile original)(Target&) = work;

class Cost {
  public:
    explicit Cost(const Command& command)
        : threads_(command.number("threads", 1, 256)),
          same_(command.text("encoders") == "same"), around_(command.text("around")),
          seconds_(command.seconds("seconds")),
          targets_(std::make_unique<Target[]>(same_ ? 1 : threads_)) {
        for (const Strategy& strategy : kStrategies) {
            if (around_ != strategy.name) continue;
            Options options;
            options.alive = [](const void*, void*) { return true; };
            options.queue = [](const void* object, void*) {  // one queue an encoder
                return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(object) / 128);
            };
            guard_ = std::make_unique<Guard>(strategy.scheme, options);
        }
    }

    std::string perform() {
        if (guard_) {
            Guard& guard = *guard_;
            return measure([&guard](Target& target) {
                const Guard::Call call(guard, Kind::encode, &target);
                if (call) original(target);
            });
        }
        if (around_ == "nothing") return measure([](Target& target) { original(target); });
        if (around_ == "mutex") {
            return measure([](Target& target) {
                const std::lock_guard<std::mutex> lock(target.mutex);
                original(target);
            });
        }
        if (around_ == "sharedRead") {
            return measure([](Target& target) {
                const std::shared_lock<std::shared_mutex> lock(target.shared);
                original(target);
            });
        }
        if (around_ == "sharedWrite") {
            return measure([](Target& target) {
                const std::unique_lock<std::shared_mutex> lock(target.shared);
                original(target);
            });
        }
        if (around_ == "spinLock") {
            return measure([](Target& target) {
                while (target.flag.test_and_set(std::memory_order_acquire)) {
                    std::this_thread::yield();
                }
                original(target);
                target.flag.clear(std::memory_order_release);
            });
        }
        if (around_ == "guardLock") {
            return measure([](Target& target) {
                while (!target.lock.try_lock(Mode::exclusive)) {
                    target.lock.park(Mode::exclusive, std::chrono::milliseconds(50));
                }
                original(target);
                target.lock.unlock(Mode::exclusive);
            });
        }
        throw std::runtime_error("around=" + around_ + " is neither a strategy nor a primitive");
    }

  private:
    template <class Call>
    std::string measure(Call&& call) {
        struct alignas(128) Worker {
            std::uint64_t calls = 0;
            Clock::time_point end;
        };
        std::vector<Worker> workers(threads_);
        std::atomic<std::uint32_t> ready{0};
        std::atomic<bool> go{false}, stop{false};
        std::vector<std::thread> threads;
        for (std::uint32_t t = 0; t < threads_; ++t) {
            threads.emplace_back([&, t] {
                Thread::current().stream = same_ ? 0 : t;
                Target& target = targets_[same_ ? 0 : t];
                for (int i = 0; i < 256; ++i) call(target);  // warm-up
                std::uint64_t mine = 0;
                ready.fetch_add(1);
                while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
                do {  // once at least: a thread that started late has a share in the result
                    for (int i = 0; i < 64; ++i) call(target);
                    mine += 64;
                } while (!stop.load(std::memory_order_relaxed));
                workers[t].calls = mine;
                workers[t].end = Clock::now();
            });
        }
        while (ready.load() < threads_) std::this_thread::yield();
        const Clock::time_point start = Clock::now();
        go.store(true);
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds_));
        stop.store(true);
        Clock::time_point end = start;
        std::uint64_t calls = 0;
        for (std::uint32_t t = 0; t < threads_; ++t) {
            threads[t].join();
            calls += workers[t].calls;
            end = std::max(end, workers[t].end);
        }
        std::uint64_t counted = 0;
        for (std::uint32_t t = 0; t < (same_ ? 1 : threads_); ++t) counted += targets_[t].count;
        char text[160];
        std::snprintf(text, sizeof text,
                      "{\"calls\": %llu, \"seconds\": %.9f, \"expected\": %llu, \"counted\": %llu}",
                      static_cast<unsigned long long>(calls),
                      std::chrono::duration<double>(end - start).count(),
                      static_cast<unsigned long long>(calls + 256ull * threads_),
                      static_cast<unsigned long long>(counted));
        return text;
    }

    const std::uint32_t threads_;
    const bool same_;
    const std::string around_;
    const double seconds_;
    std::unique_ptr<Target[]> targets_;
    std::unique_ptr<Guard> guard_;
};

}  // namespace

int main() {
    // glibc skips atomic operations while a process has one thread: a second one stays alive.
    std::atomic<bool> end{false};
    std::thread second([&] {
        while (!end.load()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
    bench::serve([](const Command& command) -> std::string {
        if (command.verb == "info") return "{\"device\": \"the processors\"}";
        if (command.verb != "cost") throw std::runtime_error("unknown verb " + command.verb);
        return Cost(command).perform();
    });
    end.store(true);
    second.join();
    return 0;
}
