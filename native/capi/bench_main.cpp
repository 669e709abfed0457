// What a guarded call costs.  Prints one JSON object; times in nanoseconds.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/guard.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

namespace {

using Clock = std::chrono::steady_clock;

struct alignas(128) Encoder {
    std::uint64_t work = 0;
    bool live = true;
};

// What stands for the driver: behind a pointer, as an original implementation is.
void work(Encoder* encoder) { encoder->work += 1; }
void (*volatile original)(Encoder*) = work;

bool alive(const void* object, void*) { return static_cast<const Encoder*>(object)->live; }

Options options() {
    Options o;
    o.alive = alive;
    return o;
}

template <class Call>
double nanoseconds(Call&& call) {
    constexpr int kCalls = 2'000'000;
    double best = 1e9;
    for (int round = 0; round < 7; ++round) {
        const auto start = Clock::now();
        for (int i = 0; i < kCalls; ++i) call();
        const std::chrono::duration<double, std::nano> took = Clock::now() - start;
        best = std::min(best, took.count() / kCalls);
    }
    return best;
}

const Scheme* named(const std::string& name) {
    for (const Strategy& s : kStrategies) {
        if (name == s.name) return &s.scheme;
    }
    return nullptr;
}

// The function that stands in an intercepted slot, without and with the guard.
Guard* active = nullptr;
[[gnu::noinline]] void hook_only(Encoder* encoder) { original(encoder); }
[[gnu::noinline]] void guarded(Encoder* encoder) {
    const Guard::Call call(*active, Kind::encode, encoder);
    if (call) original(encoder);
}
void (*volatile slot)(Encoder*) = nullptr;

// Calls per second of all threads together, each on an encoder of its own.  A call does about as
// much as a setBuffer: 200 dependent multiplications.
double throughput(Guard* guard, unsigned threads, double seconds) {
    std::atomic<bool> go{false}, stop{false};
    std::atomic<std::uint64_t> calls{0};
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; ++t) {
        running.emplace_back([&] {
            const auto encoder = std::make_unique<Encoder>();
            const auto body = [&] {
                std::uint64_t x = encoder->work | 1;
                for (int i = 0; i < 200; ++i) x *= 0x9E3779B97F4A7C15ull;
                encoder->work = x;
            };
            std::uint64_t mine = 0;
            while (!go.load()) std::this_thread::yield();
            while (!stop.load(std::memory_order_relaxed)) {
                for (int i = 0; i < 64; ++i) {
                    if (guard == nullptr) {
                        body();
                    } else {
                        const Guard::Call call(*guard, Kind::encode, encoder.get());
                        if (call) body();
                    }
                }
                mine += 64;
            }
            calls.fetch_add(mine);
        });
    }
    const auto start = Clock::now();
    go.store(true);
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop.store(true);
    for (std::thread& thread : running) thread.join();
    return static_cast<double>(calls.load()) /
           std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    const unsigned most = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 0;
    // glibc skips atomic operations while a process has one thread: a second one stays alive.
    std::atomic<bool> end{false};
    std::thread second([&] {
        while (!end.load()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
    Encoder encoder;
    std::mutex mutex;
    const double raw = nanoseconds([&] { original(&encoder); });
    const double pair = nanoseconds([&] {
        mutex.lock();
        mutex.unlock();
    });
    slot = hook_only;
    const double hook = nanoseconds([&] { slot(&encoder); });
    std::printf("{\"raw\": %.2f, \"mutex\": %.2f, \"hook\": %.2f, \"guarded\": {", raw, pair, hook);
    bool first = true;
    for (const Strategy& strategy : kStrategies) {
        Guard guard(strategy.scheme, options());
        active = &guard;
        slot = guarded;
        std::printf("%s\"%s\": %.2f", first ? "" : ", ", strategy.name,
                    nanoseconds([&] { slot(&encoder); }));
        first = false;
    }
    std::printf("}, \"scaling\": [");
    first = true;
    for (unsigned threads = 1; threads <= most; threads *= 2) {
        const double unguarded = throughput(nullptr, threads, 0.5);
        std::printf("%s{\"threads\": %u, \"unguarded\": %.0f", first ? "" : ", ", threads,
                    unguarded);
        for (const char* name : {"perEncoder", "globalMutex"}) {
            const Scheme* scheme = named(name);
            if (scheme == nullptr) continue;
            Guard guard(*scheme, options());
            std::printf(", \"%s\": %.0f", name, throughput(&guard, threads, 0.5));
        }
        std::printf("}");
        first = false;
    }
    std::printf("]}\n");
    end.store(true);
    second.join();
    return 0;
}
