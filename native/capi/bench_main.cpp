// What a guarded call costs, and how the guard scales.  Prints one JSON object; times in
// nanoseconds, throughputs in calls per second.
//
//   mpsv_bench [most threads [rounds [seconds of a window]]]
#include <algorithm>
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
// much as a setBuffer: 200 dependent multiplications.  The threads count for themselves, and are
// read at both ends of a window in which all of them run: starting and joining them costs nothing.
double throughput(Guard* guard, unsigned threads, double seconds) {
    struct alignas(kCacheLine) Mine {
        Encoder encoder;
        Counter calls;
    };
    std::atomic<unsigned> running{0};
    std::atomic<bool> stop{false};
    const auto all = std::make_unique<Mine[]>(threads);
    std::vector<std::thread> started;
    for (unsigned t = 0; t < threads; ++t) {
        started.emplace_back([&, mine = &all[t]] {
            const auto body = [mine] {
                std::uint64_t x = mine->encoder.work | 1;
                for (int i = 0; i < 200; ++i) x *= 0x9E3779B97F4A7C15ull;
                mine->encoder.work = x;
            };
            running.fetch_add(1);
            while (!stop.load(std::memory_order_relaxed)) {
                for (int i = 0; i < 64; ++i) {
                    if (guard == nullptr) {
                        body();
                    } else {
                        const Guard::Call call(*guard, Kind::encode, &mine->encoder);
                        if (call) body();
                    }
                    mine->calls.add();
                }
            }
        });
    }
    const auto sum = [&] {
        std::uint64_t calls = 0;
        for (unsigned t = 0; t < threads; ++t) calls += all[t].calls.read();
        return calls;
    };
    while (running.load() < threads) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t before = sum();
    const auto start = Clock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    const std::uint64_t after = sum();
    const std::chrono::duration<double> took = Clock::now() - start;
    stop.store(true);
    for (std::thread& thread : started) thread.join();
    return static_cast<double>(after - before) / took.count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Each round measures every number of threads and every arm once, one after the other, so that
// whatever else the machine does meets all of them.  `kept` is the share of the unguarded scaling
// (throughput over that of one thread) that an arm keeps: the median over rounds, and its range.
void print_scaling(unsigned most, unsigned rounds, double seconds) {
    struct Arm {
        const char* name;
        const Scheme* scheme;  // null: unguarded
        std::vector<std::vector<double>> rates;  // by number of threads, then by round
    };
    std::vector<Arm> arms{{"unguarded", nullptr, {}}};
    for (const char* name : {"perEncoder", "globalMutex"}) {
        if (named(name) != nullptr) arms.push_back({name, named(name), {}});
    }
    std::vector<unsigned> counts;
    for (unsigned threads = 1; threads < most; threads *= 2) counts.push_back(threads);
    counts.push_back(most);
    for (Arm& arm : arms) arm.rates.resize(counts.size());
    for (unsigned round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            for (Arm& arm : arms) {
                std::unique_ptr<Guard> guard;
                if (arm.scheme != nullptr) guard = std::make_unique<Guard>(*arm.scheme, options());
                arm.rates[i].push_back(throughput(guard.get(), counts[i], seconds));
            }
        }
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
        std::printf("%s{\"threads\": %u", i == 0 ? "" : ", ", counts[i]);
        for (const Arm& arm : arms) {
            std::printf(", \"%s\": %.0f", arm.name, median(arm.rates[i]));
        }
        for (std::size_t a = 1; a < arms.size(); ++a) {
            std::vector<double> kept;
            for (unsigned round = 0; round < rounds; ++round) {
                const auto scaling = [&](const Arm& arm) {
                    return arm.rates[i][round] / arm.rates[0][round];
                };
                kept.push_back(scaling(arms[a]) / scaling(arms[0]));
            }
            std::printf(", \"%s_kept\": [%.3f, %.3f, %.3f]", arms[a].name,
                        *std::min_element(kept.begin(), kept.end()), median(kept),
                        *std::max_element(kept.begin(), kept.end()));
        }
        std::printf("}");
    }
}

}  // namespace

int main(int argc, char** argv) {
    const unsigned most = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 0;
    const unsigned rounds = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 5;
    const double seconds = argc > 3 ? std::atof(argv[3]) : 0.5;
    if (most > 1024 || rounds == 0 || !(seconds > 0)) {
        std::fprintf(stderr, "usage: mpsv_bench [most threads [rounds [seconds of a window]]]\n");
        return 3;
    }
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
    std::printf("}, \"processors\": %u, \"scaling\": [", std::thread::hardware_concurrency());
    if (most != 0) print_scaling(most, rounds, seconds);
    std::printf("]}\n");
    end.store(true);
    second.join();
    return 0;
}
