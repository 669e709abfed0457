#include "runs/free_run.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "runs/random.hpp"

namespace mpsverify::fake {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFresh = 2000;

// Sleeps that nobody ended although the lock was free, before a thread gives up.
constexpr std::uint64_t kMissed = 3;
constexpr std::uint32_t kSliceMs = 1000;  // so long that a busy machine does not look like a miss

// An encoder object.  `references` counts those who may send it messages, or says that it was
// deallocated.  Orderings are what retain and release have: getting a reference orders nothing
// but the object's making before its use, or a sanitizer would take retain counts for locks.
struct Object {
    static constexpr std::uint32_t kDead = 1u << 31;

    Cell cell{};
    std::atomic<std::uint32_t> references{0};
    std::atomic<bool> given{false};  // a create has returned and no destroy since
    static constexpr std::int32_t kMaking = -1;
    std::atomic<std::int32_t> calls{0};  // under way, or `kMaking`; used with `createReturns`

    bool retain() {
        std::uint32_t seen = references.load(std::memory_order_relaxed);
        while ((seen & kDead) == 0) {
            if (references.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                                 std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
    void release() { references.fetch_sub(1, std::memory_order_relaxed); }

    // With `createReturns` the client itself keeps everything apart from a create.
    bool begin(Kind kind) {
        const bool makes = kind == Kind::create;
        std::int32_t seen = makes ? 0 : calls.load(std::memory_order_relaxed);
        do {
            if (makes ? seen != 0 : seen < 0) return false;
        } while (!calls.compare_exchange_weak(seen, makes ? kMaking : seen + 1,
                                              std::memory_order_acquire,
                                              std::memory_order_relaxed));
        if (given.load(std::memory_order_relaxed) != makes) return true;
        end(kind);
        return false;
    }
    void end(Kind kind) {
        if (kind == Kind::create) calls.store(0, std::memory_order_release);
        else calls.fetch_sub(1, std::memory_order_release);
    }
    bool is_dead() const {
        return (references.load(std::memory_order_relaxed) & kDead) != 0;
    }
};

constexpr std::size_t kNear = 1024;

// An encoder that every thread meets for the first time at about the same moment: the guard must
// make one lock for it, not one per thread.
struct Fresh {
    std::atomic<std::uint32_t> arrived{0};
    std::atomic<std::uint32_t> inside{0};
    std::uint64_t visits = 0;  // plain memory, for the sanitizer
    char near[kNear];          // addresses, of which some share the object's part of the table
};

// An address in `near` whose lock comes from where the object's own came from.
template <class Named>
const void* neighbour(const Named& object, const void* of) {
    constexpr std::size_t kShards = 64;
    const auto part = [](const void* p) {
        return LockTable::hash(reinterpret_cast<std::uintptr_t>(p)) % kShards;
    };
    for (std::size_t i = 0; i + 1 < kNear; i += 2) {
        if (part(object.near + i) == part(of)) return object.near + i;
    }
    return nullptr;
}

struct Totals {
    std::atomic<std::uint64_t> operations{0}, unexplained{0}, released{0}, handlers{0},
        met{0}, progress{0};  // progress: whatever was finished, to tell slow from stuck
    std::atomic<bool> given_up{false};
    std::atomic<std::uint64_t> faults[kFaults] = {};
};

// The completion handlers' thread and its queue.
struct Handlers {
    std::mutex mutex;
    std::condition_variable changed;
    std::condition_variable done;
    struct Due {
        Object* object;
        bool* seen;  // told when the handler has run; null: nobody waits for it
    };
    std::deque<Due> due;
    bool ended = false;
};

class Runner final : public Watch {
  public:
    Runner(const FreeConfig& config, Guard& guard, Driver& driver, Object* objects,
           Fresh* fresh, Handlers& handlers, Totals& totals, std::uint32_t number)
        : config_(config), guard_(guard), driver_(driver), objects_(objects),
          fresh_(fresh), handlers_(handlers), totals_(totals), number_(number),
          random_(config.seed * 0x9E3779B97F4A7C15ull + number * 0xD1B54A32D192ED03ull) {}

    void run_client() {
        Thread::current().stream = number_ % config_.streams;
        for (std::uint32_t i = 0; i < kFresh && goes_on(); ++i) {
            meet(fresh_[i]);
            totals_.progress.fetch_add(1, std::memory_order_relaxed);
        }
        for (std::uint64_t i = 0; i < config_.operations && goes_on(); ++i) {
            client_operation();
            totals_.progress.fetch_add(1, std::memory_order_relaxed);
        }
    }

    void run_handlers() {
        Thread::current().stream = number_ % config_.streams;
        for (;;) {
            Handlers::Due next{};
            {
                std::unique_lock<std::mutex> held(handlers_.mutex);
                handlers_.changed.wait(held, [&] { return handlers_.ended || !handlers_.due.empty(); });
                if (handlers_.due.empty()) return;
                next = handlers_.due.front();
                handlers_.due.pop_front();
            }
            handle(*next.object);
            if (next.seen != nullptr) {
                const std::lock_guard<std::mutex> held(handlers_.mutex);
                *next.seen = true;
                handlers_.done.notify_all();
            }
            totals_.progress.fetch_add(1, std::memory_order_relaxed);
        }
    }

  private:
    // False: a thread of this run has slept beside a free lock, which shows enough.
    bool goes_on() {
        if (Thread::current().counters.missed.read() - missed_ >= kMissed) {
            totals_.given_up.store(true, std::memory_order_relaxed);
        }
        return !totals_.given_up.load(std::memory_order_relaxed);
    }

    void handle(Object& object) {
        if (config_.callersRetain && !object.retain()) return;
        if (object.given.load(std::memory_order_relaxed)) {
            totals_.handlers.fetch_add(1, std::memory_order_relaxed);
            perform(object, Kind::complete);
        }
        if (config_.callersRetain) object.release();
    }

    // As waitUntilCompleted inside a guarded call: a handler of this very encoder must get in,
    // and afterwards the call goes on under its locks, if there is still something to encode.
    void wait_for_handler(Object& object) {
        guard_.unlocked([&] {
            bool seen = false;
            std::unique_lock<std::mutex> held(handlers_.mutex);
            handlers_.due.push_back({&object, &seen});
            handlers_.changed.notify_one();
            handlers_.done.wait(held, [&] { return seen; });
        });
        if (object.cell.impl != nullptr) body(object, Kind::encode);
    }

    // The object is deallocated while others wait for its lock, and another object, at another
    // address, is made or not: whoever waited must notice.
    void recycle(Fresh& fresh) {
        const void* other = neighbour(fresh, &fresh);
        if (other == nullptr) return;
        const bool taken = draw(2) == 0;  // by the other object; else by whoever asks next
        { const Guard::Call call(guard_, Kind::create, other); }
        if (taken) guard_.retire(other);
        guard_.retire(&fresh);
        if (!taken) guard_.retire(other);
        if (taken) const Guard::Call call(guard_, Kind::create, other);
    }

    std::uint32_t draw(std::uint32_t below) { return random_.draw(below); }

    void meet(Fresh& fresh) {
        fresh.arrived.fetch_add(1, std::memory_order_relaxed);
        for (int i = 0; i < 2000; ++i) {
            if (fresh.arrived.load(std::memory_order_relaxed) >= config_.threads) break;
            if (i % 64 == 63) std::this_thread::yield();
        }
        if (!config_.guarded) {
            visit(fresh);
            return;
        }
        for (int round = 0; round < 2; ++round) {  // again: not all came when it was recycled
            const Guard::Call call(guard_, Kind::create, &fresh);
            visit(fresh);
            if (draw(4) == 0) recycle(fresh);
        }
    }

    void visit(Fresh& fresh) {
        if (fresh.inside.fetch_add(1, std::memory_order_relaxed) != 0) {
            totals_.met.fetch_add(1, std::memory_order_relaxed);
        }
        fresh.visits += 1;
        if (draw(4) == 0) std::this_thread::yield();
        fresh.inside.fetch_sub(1, std::memory_order_relaxed);
    }

    void client_operation() {
        std::uint32_t index = draw(config_.encoders);
        if (!config_.sharedEncoders) {  // confinement: encoder e belongs to thread e % threads
            const std::uint32_t own = (config_.encoders + config_.threads - 1) / config_.threads;
            index = (draw(own) * config_.threads + number_) % config_.encoders;
            if (index % config_.threads != number_) return;
        }
        Object& object = objects_[index];
        if (config_.callersRetain && !object.retain()) return;
        if (!object.given.load(std::memory_order_relaxed)) {
            perform(object, Kind::create);
        } else if (const std::uint32_t what = draw(16); what < 11) {
            perform(object, Kind::encode);
        } else if (what < 13 && config_.handlersTearDown) {
            const std::lock_guard<std::mutex> held(handlers_.mutex);
            if (handlers_.due.size() < 64) handlers_.due.push_back({&object, nullptr});
            handlers_.changed.notify_one();
        } else {
            perform(object, Kind::destroy, what == 15);
        }
        if (config_.callersRetain) object.release();
        totals_.operations.fetch_add(1, std::memory_order_relaxed);
    }

    void perform(Object& object, Kind kind, bool drop = false) {
        if (!config_.createReturns) {
            send(object, kind, drop);
        } else if (object.begin(kind)) {
            send(object, kind, drop);
            object.end(kind);
        }
    }

    void send(Object& object, Kind kind, bool drop) {
        const bool through_guard =
            config_.guarded && (kind != Kind::complete || config_.handlersIntercepted);
        if (!through_guard) {
            body(object, kind);
            return;
        }
        const Guard::Call call(guard_, kind, &object.cell);
        if (!call) {
            if (object.cell.impl != nullptr) {
                totals_.unexplained.fetch_add(1, std::memory_order_relaxed);
            }
            return;
        }
        if (kind == Kind::destroy) {
            const Guard::Call nested(guard_, kind, &object.cell);
            body(object, kind);
        } else if (kind == Kind::encode && config_.handlersTearDown && draw(64) == 0) {
            wait_for_handler(object);
        } else {
            body(object, kind);
        }
        if (drop) reincarnate(object);
    }

    void body(Object& object, Kind kind) {
        // What objc_msgSend does to a dead object.
        if (object.is_dead()) {
            fault(Fault::deadDispatch);
            return;
        }
        if (config_.guarded) guard_.require(kind, &object.cell);
        switch (kind) {
            case Kind::create:
                driver_.create(object.cell, *this);
                object.given.store(true, std::memory_order_relaxed);
                break;
            case Kind::encode:
                driver_.encode(object.cell, *this);
                break;
            case Kind::destroy:
            case Kind::complete:
                object.given.store(false, std::memory_order_relaxed);
                driver_.destroy(object.cell, *this);
                break;
        }
    }

    // The object is deallocated, inside its own guarded call as happens with the last release,
    // and another one is made at the same address.
    void reincarnate(Object& object) {
        std::uint32_t alone = config_.callersRetain ? 1 : 0;
        if (object.cell.impl != nullptr ||
            !object.references.compare_exchange_strong(alone, Object::kDead,
                                                       std::memory_order_relaxed)) {
            return;
        }
        guard_.retire(&object.cell);
        totals_.released.fetch_add(1, std::memory_order_relaxed);
        point(Step::drop);
        object.references.store(config_.callersRetain ? 1 : 0, std::memory_order_release);
    }

    void point(Step) override {
        if (config_.widen == 0 || draw(config_.widen) != 0) return;
        if (draw(4) != 0) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(draw(30)));
        }
    }
    void taken(Step, Pc, const Block*) override {}
    bool fault(Fault fault) override {
        totals_.faults[static_cast<std::size_t>(fault)].fetch_add(1, std::memory_order_relaxed);
        if (config_.crash) *static_cast<volatile int*>(nullptr) = 0;
        return false;
    }
    void overlap() override {
        totals_.faults[static_cast<std::size_t>(Fault::encoderOverlap)].fetch_add(
            1, std::memory_order_relaxed);
    }
    std::uint32_t pick(const std::uint32_t* free, std::uint32_t count) override {
        return free[draw(count)];
    }
    bool starved() override { return false; }

    const FreeConfig& config_;
    Guard& guard_;
    Driver& driver_;
    Object* objects_;
    Fresh* fresh_;
    Handlers& handlers_;
    Totals& totals_;
    std::uint32_t number_;
    Random random_;
    // Counters are of the thread's record, which earlier threads have used.
    const std::uint64_t missed_ = Thread::current().counters.missed.read();
};

struct Failure {
    std::mutex mutex;
    std::string text;
};

// Everything that the threads use; leaked if they do not end.
struct World {
    World(const FreeConfig& from, const Scheme& scheme)
        : config(from), guard(scheme, options(*this)), driver(from.blocks, from.atomicFreelist),
          objects(new Object[from.encoders]), fresh(new Fresh[kFresh]) {}

    static Options options(World& world) {
        Options options;
        options.alive = [](const void* object, void*) {
            return Driver::alive(*static_cast<const Cell*>(object));
        };
        options.failed = [](const char* what, void* user) {
            auto& failure = static_cast<World*>(user)->failure;
            const std::lock_guard<std::mutex> held(failure.mutex);
            if (failure.text.empty()) failure.text = what;
        };
        options.user = &world;
        options.assert_held = world.config.assert_held;
        options.slice_ms = kSliceMs;
        return options;
    }

    const FreeConfig config;
    Failure failure;
    Guard guard;
    Driver driver;
    std::unique_ptr<Object[]> objects;
    std::unique_ptr<Fresh[]> fresh;
    Handlers handlers;
    Totals totals;
    std::mutex mutex;
    std::condition_variable ended;
    std::uint32_t running = 0;
};

}  // namespace

FreeOutcome free_run(const FreeConfig& config, const Scheme& scheme) {
    auto* world = new World(config, scheme);
    world->running = config.threads + 1;
    Lock::before_sleep.store([] {
        thread_local std::uint32_t sleeps = 0;
        if (++sleeps % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    });
    std::vector<std::thread> threads;
    const auto start = Clock::now();
    const auto launch = [&](std::uint32_t number, bool client) {
        threads.emplace_back([world, number, client] {
            Runner runner(world->config, world->guard, world->driver, world->objects.get(),
                          world->fresh.get(), world->handlers, world->totals, number);
            if (client) {
                runner.run_client();
            } else {
                runner.run_handlers();
            }
            const std::lock_guard<std::mutex> held(world->mutex);
            if (--world->running <= 1) world->ended.notify_all();
        });
    };
    launch(config.threads, false);
    for (std::uint32_t t = 0; t < config.threads; ++t) launch(t, true);

    // wait_until on the system clock: see Lock::park.
    const auto longest = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::duration<double>(config.seconds));
    const auto wait_for = [&](std::uint32_t left) {
        std::unique_lock<std::mutex> held(world->mutex);
        for (;;) {  // a busy machine is slow, but it gets on
            const std::uint64_t before = world->totals.progress.load();
            if (world->ended.wait_until(held, std::chrono::system_clock::now() + longest,
                                        [&] { return world->running <= left; })) {
                return true;
            }
            if (world->totals.progress.load() == before) return false;
        }
    };
    bool finished = wait_for(1);
    {
        const std::lock_guard<std::mutex> held(world->handlers.mutex);
        world->handlers.ended = true;
        world->handlers.changed.notify_all();
    }
    finished = finished && wait_for(0);

    FreeOutcome outcome;
    outcome.stuck = !finished;
    for (std::thread& thread : threads) {
        if (finished) {
            thread.join();
        } else {
            thread.detach();
        }
    }
    const Totals& totals = world->totals;
    outcome.operations = totals.operations.load();
    outcome.unexplained = totals.unexplained.load();
    outcome.released = totals.released.load();
    outcome.handlers = totals.handlers.load();
    outcome.met = totals.met.load();
    for (std::size_t f = 0; f < kFaults; ++f) outcome.faults[f] = totals.faults[f].load();
    outcome.guard = world->guard.statistics();
    outcome.skipped = outcome.guard.skipped;
    {
        const std::lock_guard<std::mutex> held(world->failure.mutex);
        outcome.failure = world->failure.text;
    }
    outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (finished) delete world;
    return outcome;
}

}  // namespace mpsverify::fake
