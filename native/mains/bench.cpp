// Threads that submit operations to one device, with or without the guard around the submission.
//
//   info
//   run    threads= queues=shared|private depth= wait=spin|block|drain strategy= elements=
//          iterations= seconds=
//   split  elements= iterations= samples=
//
// strategy is a name of the spec, or unguarded, or mutexSubmission (one std::mutex around the
// submission), or mutexOperation (the same, held until the operation is complete).
//
// Exit code 5: there is no such device here, with the reason on stderr.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/driver.hpp"
#include "bench/protocol.hpp"
#include "core/guard.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;
using namespace mpsverify::bench;

namespace {

using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::duration time) {
    return std::chrono::duration<double, std::nano>(time).count();
}

// `steps` steps of the generator at once: x becomes multiplier * x + increment.
struct Jump {
    std::uint32_t multiplier = 1, increment = 0;
    explicit Jump(std::uint64_t steps) {
        std::uint32_t m = kMultiplier, c = kIncrement;  // 2^k steps
        for (; steps != 0; steps >>= 1) {
            if ((steps & 1) != 0) {
                multiplier *= m;
                increment = increment * m + c;
            }
            c *= m + 1;
            m *= m;
        }
    }
};

// An encoder and what its buffer must hold.
class Slot {
  public:
    Slot(Driver& driver, std::size_t queue, Queue& on, std::uint32_t elements, std::uint32_t salt)
        : queue_(queue), elements_(elements), salt_(salt), encoder_(driver.encoder(on, elements)) {
        reset();
    }

    Encoder& encoder() { return *encoder_; }
    std::size_t queue() const { return queue_; }
    void ran(std::uint64_t steps) { steps_ += steps; }

    // The number of words that are not what they must be.
    std::uint64_t wrong() {
        words_.resize(elements_);
        encoder_->read(words_.data());
        const Jump jump(steps_);
        std::uint64_t count = 0;
        for (std::uint32_t i = 0; i < elements_; ++i) {
            count += words_[i] != jump.multiplier * initial(i) + jump.increment;
        }
        if (count != 0) reset();  // so that the next measurement is judged by itself
        return count;
    }

  private:
    // No two buffers begin alike: a kernel that ran on another's buffer is noticed.
    std::uint32_t initial(std::uint32_t i) const { return (i + salt_) * 2654435761u; }

    void reset() {
        words_.resize(elements_);
        for (std::uint32_t i = 0; i < elements_; ++i) words_[i] = initial(i);
        encoder_->write(words_.data());
        steps_ = 0;
    }

    std::size_t queue_;
    std::uint32_t elements_, salt_;
    std::unique_ptr<Encoder> encoder_;
    std::uint64_t steps_ = 0;
    static std::vector<std::uint32_t> words_;
};
std::vector<std::uint32_t> Slot::words_;

// Queues and slots are made when they are first asked for, and kept: set-up is never measured.
class Pool {
  public:
    explicit Pool(Driver& driver) : driver_(driver) {}

    Queue& queue(std::size_t index) {
        while (queues_.size() <= index) queues_.push_back(driver_.queue());
        return *queues_[index];
    }

    Slot& slot(std::size_t queue_index, std::size_t index, std::uint32_t elements) {
        std::vector<std::unique_ptr<Slot>>& row = slots_[{queue_index, elements}];
        while (row.size() <= index) {
            made_ += 0x01000193u;
            row.push_back(std::make_unique<Slot>(driver_, queue_index, queue(queue_index),
                                                 elements, made_));
        }
        return *row[index];
    }

  private:
    Driver& driver_;
    std::vector<std::unique_ptr<Queue>> queues_;
    std::map<std::pair<std::size_t, std::uint32_t>, std::vector<std::unique_ptr<Slot>>> slots_;
    std::uint32_t made_ = 0;
};

enum class Around : std::uint8_t { nothing, guard, mutexSubmission, mutexOperation };

struct Run {
    std::uint32_t threads, depth, elements, iterations;
    bool shared;
    Wait wait;
    double seconds;
    Around around = Around::nothing;
    const Scheme* scheme = nullptr;

    explicit Run(const Command& command)
        : threads(command.number("threads", 1, 256)), depth(command.number("depth", 1, 4096)),
          elements(command.number("elements", 1, 1u << 30)),
          iterations(command.number("iterations", 0, 1u << 30)),
          shared(command.text("queues") == "shared"), wait(wait_of(command.text("wait"))),
          seconds(command.seconds("seconds")) {
        const std::string& name = command.text("strategy");
        if (name == "unguarded") return;
        if (name == "mutexSubmission") {
            around = Around::mutexSubmission;
            return;
        }
        if (name == "mutexOperation") {
            if (depth != 1) throw std::runtime_error("mutexOperation has one operation in flight");
            around = Around::mutexOperation;
            return;
        }
        for (const Strategy& strategy : kStrategies) {
            if (name == strategy.name) scheme = &strategy.scheme;
        }
        if (scheme == nullptr) throw std::runtime_error("no strategy is called " + name);
        around = Around::guard;
    }

    static Wait wait_of(const std::string& word) {
        if (word == "spin") return Wait::spin;
        if (word == "block") return Wait::block;
        if (word == "drain") return Wait::drain;
        throw std::runtime_error("wait=" + word + " is none of spin, block, drain");
    }
};

class Measurement {
  public:
    Measurement(const Run& run, Pool& pool) : run_(run) {
        Options options;
        options.alive = [](const void*, void*) { return true; };  // clients here keep their own
        options.queue = [](const void* object, void*) {
            return static_cast<std::uint64_t>(static_cast<const Slot*>(object)->queue());
        };
        if (run.scheme != nullptr) guard_ = std::make_unique<Guard>(*run.scheme, options);
        for (std::uint32_t t = 0; t < run.threads; ++t) {
            Worker worker;
            worker.queue_index = run.shared ? 0 : t;
            worker.queue = &pool.queue(worker.queue_index);
            for (std::uint32_t i = 0; i < run.depth; ++i) {
                const std::size_t index = run.shared ? t * run.depth + i : i;
                worker.slots.push_back(&pool.slot(worker.queue_index, index, run.elements));
            }
            workers_.push_back(std::move(worker));
        }
    }

    std::string perform() {
        const Statistics before = guard_ ? guard_->statistics() : Statistics{};
        std::vector<std::thread> threads;
        for (Worker& worker : workers_) threads.emplace_back([&] { client(worker); });
        while (ready_.load() < run_.threads) std::this_thread::yield();
        const Clock::time_point start = Clock::now();
        go_.store(true);
        std::this_thread::sleep_for(std::chrono::duration<double>(run_.seconds));
        stop_.store(true);
        for (std::thread& thread : threads) thread.join();

        Clock::time_point end = start;
        double submission = 0, wait = 0;
        std::uint64_t operations = 0, verified = 0, wrong = 0;
        for (const Worker& worker : workers_) {
            if (worker.error) std::rethrow_exception(worker.error);
            end = std::max(end, worker.end);
            submission += worker.submission;
            wait += worker.wait;
            operations += worker.operations;
        }
        for (const Worker& worker : workers_) {
            std::uint64_t mine = 0;
            for (Slot* slot : worker.slots) mine += slot->wrong();
            wrong += mine;
            if (mine == 0) verified += worker.operations + worker.warm_up;
        }
        Statistics after = guard_ ? guard_->statistics() : Statistics{};
        const double count = static_cast<double>(operations);
        char text[512];
        std::snprintf(text, sizeof text,
                      "{\"operations\": %llu, \"seconds\": %.9f, \"submission_ns\": %.1f, "
                      "\"wait_ns\": %.1f, \"verified\": %llu, \"wrong\": %llu, "
                      "\"calls\": %llu, \"skipped\": %llu, \"contentions\": %llu}",
                      u(operations), nanoseconds(end - start) * 1e-9, submission / count,
                      wait / count, u(verified), u(wrong), u(after.calls - before.calls),
                      u(after.skipped - before.skipped), u(after.contentions - before.contentions));
        return text;
    }

  private:
    // Written for each operation: none shares a cache line with another thread's.
    struct alignas(128) Worker {
        std::size_t queue_index = 0;
        Queue* queue = nullptr;
        std::vector<Slot*> slots;
        std::uint64_t operations = 0, warm_up = 0;
        double submission = 0, wait = 0;  // nanoseconds, of all operations
        Clock::time_point end;
        std::exception_ptr error;
    };

    static unsigned long long u(std::uint64_t value) { return value; }

    void client(Worker& worker) {
        try {
            Thread::current().stream = worker.queue_index;
            // Warm-up: every slot, so that caches and the guard's table know them.
            const std::uint64_t least = std::max<std::uint64_t>(2, run_.depth);
            work(worker, [&](std::uint64_t done) { return done < least; });
            worker.warm_up = worker.operations;
            worker.operations = 0;
            worker.submission = worker.wait = 0;
            ready_.fetch_add(1);
            while (!go_.load(std::memory_order_acquire)) std::this_thread::yield();
            // At least one operation: a thread that started late has a share in the result.
            work(worker, [&](std::uint64_t done) {
                return done == 0 || !stop_.load(std::memory_order_relaxed);
            });
        } catch (...) {
            worker.error = std::current_exception();
            ready_.fetch_add(1);
        }
        worker.end = Clock::now();
    }

    template <class More>
    void work(Worker& worker, More&& more) {
        const std::size_t depth = worker.slots.size();
        std::uint64_t done = 0;
        Clock::time_point now = Clock::now();
        const auto lap = [&](double& into) {
            const Clock::time_point then = now;
            now = Clock::now();
            into += nanoseconds(now - then);
        };
        const bool alone = run_.around == Around::mutexOperation;
        if (run_.wait == Wait::drain || alone) {
            while (more(done)) {
                std::unique_lock<std::mutex> lock;
                if (alone) lock = std::unique_lock<std::mutex>(mutex_);
                for (Slot* slot : worker.slots) submit(*slot);
                lap(worker.submission);
                if (run_.wait == Wait::drain) worker.queue->drain();
                else worker.slots[0]->encoder().wait(run_.wait);
                lap(worker.wait);
                done += depth;
            }
        } else {
            for (; more(done); ++done) {
                Slot& slot = *worker.slots[done % depth];
                if (done >= depth) {
                    slot.encoder().wait(run_.wait);
                    lap(worker.wait);
                }
                submit(slot);
                lap(worker.submission);
            }
            for (std::uint64_t i = done > depth ? done - depth : 0; i < done; ++i) {
                worker.slots[i % depth]->encoder().wait(run_.wait);
            }
            lap(worker.wait);
        }
        worker.operations += done;
    }

    void submit(Slot& slot) {
        Encoder& encoder = slot.encoder();
        slot.ran(run_.iterations);
        if (run_.around == Around::guard) {
            {
                const Guard::Call call(*guard_, Kind::create, &slot);
                if (call) encoder.create();
            }
            {
                const Guard::Call call(*guard_, Kind::encode, &slot);
                if (call) encoder.encode(run_.iterations);
            }
            const Guard::Call call(*guard_, Kind::destroy, &slot);
            if (call) encoder.destroy(run_.wait);
            return;
        }
        std::unique_lock<std::mutex> lock;
        if (run_.around == Around::mutexSubmission) lock = std::unique_lock<std::mutex>(mutex_);
        encoder.create();
        encoder.encode(run_.iterations);
        encoder.destroy(run_.wait);
    }

    const Run run_;
    std::unique_ptr<Guard> guard_;
    std::mutex mutex_;
    std::vector<Worker> workers_;
    std::atomic<std::uint32_t> ready_{0};
    std::atomic<bool> go_{false}, stop_{false};
};

std::string split(const Command& command, Pool& pool) {
    const std::uint32_t iterations = command.number("iterations", 0, 1u << 30);
    Slot& slot = pool.slot(0, 0, command.number("elements", 1, 1u << 30));
    const std::uint32_t samples = command.number("samples", 1, 1u << 20);
    double sum = 0;
    for (std::uint32_t i = 0; i < samples; ++i) {
        sum += slot.encoder().execution_ns(iterations);
        slot.ran(iterations);
    }
    char text[128];
    std::snprintf(text, sizeof text, "{\"execution_ns\": %.1f, \"wrong\": %llu}", sum / samples,
                  static_cast<unsigned long long>(slot.wrong()));
    return text;
}

}  // namespace

int main() {
    std::unique_ptr<Driver> driver;
    try {
        driver = open_driver();
    } catch (const Unavailable& reason) {
        std::fprintf(stderr, "%s\n", reason.what());
        return 5;
    }
    Pool pool(*driver);
    serve([&](const Command& command) -> std::string {
        if (command.verb == "info") {
            std::string text;
            for (const auto& [name, value] : driver->describe()) {
                text += (text.empty() ? "{" : ", ") + quoted(name) + ": " + quoted(value);
            }
            return text + "}";
        }
        if (command.verb == "split") return split(command, pool);
        if (command.verb != "run") throw std::runtime_error("unknown verb " + command.verb);
        return Measurement(Run(command), pool).perform();
    });
    return 0;
}
