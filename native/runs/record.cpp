#include "runs/record.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "runs/random.hpp"

namespace mpsverify::fake {
namespace {

// What the threads share; leaked if they do not end.
struct Stage {
    Stage(const FreeConfig& from, const Scheme& scheme, std::size_t events)
        : config(from), limit(events), driver(from.blocks, from.atomicFreelist),
          cells(new Cell[from.encoders]()), busy(from.encoders), makes(from.encoders),
          guard(scheme, options()) {}

    Options options() {
        Options made;
        made.alive = [](const void* object, void*) {
            return Driver::alive(*static_cast<const Cell*>(object));
        };
        made.queue = [](const void* object, void* user) -> std::uint64_t {
            return static_cast<Stage*>(user)->number(static_cast<const Cell*>(object));
        };
        made.failed = [](const char* what, void* user) {
            auto& stage = *static_cast<Stage*>(user);
            const std::lock_guard<std::mutex> held(stage.ending);
            if (stage.failure.empty()) stage.failure = what;
        };
        made.user = this;
        made.assert_held = config.assert_held;
        return made;
    }
    std::uint8_t number(const Cell* cell) const {
        return cell == nullptr ? kNobody : static_cast<std::uint8_t>(cell - cells.get());
    }
    std::uint8_t number(const Block* block) const {
        return block == nullptr ? kNobody : static_cast<std::uint8_t>(driver.index(block));
    }

    // Holding `mutex`: the step has just been taken.
    void write(std::uint8_t thread, std::uint8_t encoder, Kind kind, Step step, Pc pc,
               const Block* block) {
        if (over) return;
        Moment moment{thread, encoder, kind, step, pc, number(block), {}};
        for (std::uint32_t e = 0; e < config.encoders; ++e) {
            moment.after.impl[e] = number(cells[e].impl);
            moment.after.alive[e] = !cells[e].released;
        }
        for (std::uint32_t b = 0; b < config.blocks; ++b) {
            moment.after.owner[b] = number(driver.blocks()[b].owner);
            moment.after.ready[b] = driver.blocks()[b].ready;
        }
        log.push_back(moment);
        progress.store(log.size());
        over = log.size() >= limit;
    }
    void stop_at(Fault fault, std::uint8_t thread, std::uint8_t encoder) {
        if (!over) end = Recording::End{fault, thread, encoder};
        over = true;
    }

    const FreeConfig config;
    const std::size_t limit;
    std::mutex mutex;  // the recorder's: guards all down to `end`
    Driver driver;
    const std::unique_ptr<Cell[]> cells;
    std::vector<std::uint32_t> busy;  // threads in an operation on each encoder
    std::vector<std::uint32_t> makes;  // of those, in a create
    std::vector<Moment> log;
    bool over = false;
    std::optional<Recording::End> end;
    Guard guard;

    std::atomic<std::size_t> progress{0};  // the size of the log
    std::mutex ending;
    std::condition_variable ended;
    std::uint32_t running = 0;
    std::string failure;
};

class Player final : private Watch, private Hooks {
  public:
    Player(Stage& stage, std::uint8_t number)
        : stage_(stage), number_(number), lock_(stage.mutex, std::defer_lock),
          random_(stage.config.seed * 0x9E3779B97F4A7C15ull + number) {}

    void run() {
        Thread& self = Thread::current();
        self.stream = number_;
        self.hooks = this;
        while (dispatch()) operation();
        self.hooks = nullptr;
    }

  private:
    // Chooses what to do in the state that it finds; false at the end of the run.
    bool dispatch() {
        for (;;) {
            lock();
            bool alive = false;
            for (std::uint32_t e = 0; e < stage_.config.encoders; ++e) {
                alive = alive || !stage_.cells[e].released;
            }
            if (stage_.over || !alive) {
                lock_.unlock();
                return false;
            }
            encoder_ = static_cast<std::uint8_t>(random_.draw(stage_.config.encoders));
            if (choose()) {
                ++stage_.busy[encoder_];
                stage_.makes[encoder_] += kind_ == Kind::create;
                write(Step::dispatch, Pc::dispatched, nullptr);
                lock_.unlock();
                return true;
            }
            lock_.unlock();
        }
    }

    // A kind that the client may dispatch on the encoder now, or a release of the object.
    bool choose() {
        Cell& cell = stage_.cells[encoder_];
        const FreeConfig& config = stage_.config;
        if (cell.released) return false;
        if (number_ + 1u == config.threads) {
            kind_ = Kind::complete;
            return config.handlersTearDown && cell.impl != nullptr && may_begin();
        }
        const std::uint32_t what = random_.draw(64);
        if (what == 0 && (!config.callersRetain || stage_.busy[encoder_] == 0)) {
            cell.released = true;
            stage_.guard.retire(&cell);
            stage_.write(kNobody, encoder_, Kind::create, Step::drop, Pc::idle, nullptr);
            return false;
        }
        if (!config.sharedEncoders && encoder_ % config.threads != number_) return false;
        if (cell.impl == nullptr || what < 8) kind_ = Kind::create;
        else kind_ = what < 48 ? Kind::encode : Kind::destroy;
        return may_begin();
    }

    // A client that uses an encoder after its create has returned, and makes it once, begins nothing
    // beside a create.
    bool may_begin() const {
        if (!stage_.config.createReturns) return true;
        if (kind_ != Kind::create) return stage_.makes[encoder_] == 0;
        return stage_.busy[encoder_] == 0 && stage_.cells[encoder_].impl == nullptr;
    }

    void operation() {
        Cell& cell = stage_.cells[encoder_];
        const bool through_guard = stage_.config.guarded &&
                                   (kind_ != Kind::complete || stage_.config.handlersIntercepted);
        if (!through_guard) {
            point(Step::acquire);
            taken(Step::acquire, false);
            body(cell);
            point(Step::release);
            taken(Step::release, false);
            return;
        }
        const Guard::Call call(stage_.guard, kind_, &cell);
        if (!call) return;
        if (kind_ == Kind::destroy) {
            const Guard::Call nested(stage_.guard, kind_, &cell);
            body(cell);
        } else {
            body(cell);
        }
    }

    void body(Cell& cell) {
        if (dead_) {
            if (lock_.owns_lock()) lock_.unlock();  // the guard has looked at the context
            return;
        }
        stage_.guard.require(kind_, &cell);
        switch (kind_) {
            case Kind::create: stage_.driver.create(cell, *this); break;
            case Kind::encode: stage_.driver.encode(cell, *this); break;
            default: stage_.driver.destroy(cell, *this);
        }
    }

    // Gives way to the other threads now and then, and takes the recorder's mutex.
    void lock() {
        if (stage_.config.widen != 0 && random_.draw(stage_.config.widen) == 0) {
            if (random_.draw(4) != 0) {
                std::this_thread::yield();
            } else {
                std::this_thread::sleep_for(std::chrono::microseconds(random_.draw(30)));
            }
        }
        lock_.lock();
    }
    void write(Step step, Pc pc, const Block* block) {
        stage_.write(number_, encoder_, kind_, step, pc, block);
    }

    void point(Step next) override {
        switch (next) {
            case Step::acquire:
                if (nested_++ == 0) dead_ = false;
                return;
            case Step::release:
                if (nested_ != 1) return;
                lock();
                write(next, Pc::idle, nullptr);
                --stage_.busy[encoder_];
                stage_.makes[encoder_] -= kind_ == Kind::create;
                lock_.unlock();
                return;
            case Step::load:
                if (lock_.owns_lock()) return;  // the guard's look at the context began it
                break;
            default:
                break;
        }
        lock();
    }
    bool blocked(const Lock&) override { return false; }
    void taken(Step step, bool) override {
        if (step == Step::release) {
            --nested_;
        } else if (step == Step::acquire) {
            if (nested_ != 1) return;
            lock();
            dead_ = stage_.cells[encoder_].released;  // what objc_msgSend would have met
            if (dead_) stage_.stop_at(Fault::deadDispatch, number_, encoder_);
            write(step, Pc::entered, nullptr);
            lock_.unlock();
        } else {  // the guard skipped the call
            write(Step::load, Pc::finished, nullptr);
            lock_.unlock();
        }
    }
    void taken(Step step, Pc pc, const Block* block) override {
        write(step, pc, block);
        if (overlap_) stage_.stop_at(Fault::encoderOverlap, number_, encoder_);
        overlap_ = false;
        lock_.unlock();
    }
    bool fault(Fault fault) override {
        stage_.stop_at(fault, number_, encoder_);
        lock_.unlock();
        return false;
    }
    void overlap() override { overlap_ = true; }
    std::uint32_t pick(const std::uint32_t* free, std::uint32_t count) override {
        return free[random_.draw(count)];
    }
    bool starved() override {
        const bool over = stage_.over;
        lock_.unlock();
        if (over) return false;
        std::this_thread::yield();
        lock_.lock();
        return true;
    }

    Stage& stage_;
    const std::uint8_t number_;
    std::unique_lock<std::mutex> lock_;
    Random random_;
    std::uint8_t encoder_ = 0;
    Kind kind_ = Kind::create;
    std::uint32_t nested_ = 0;
    bool dead_ = false;
    bool overlap_ = false;
};

}  // namespace

Recording record(const FreeConfig& config, const Scheme& scheme, std::size_t events) {
    auto* stage = new Stage(config, scheme, events);
    stage->running = config.threads;
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < config.threads; ++t) {
        threads.emplace_back([stage, t] {
            Player(*stage, static_cast<std::uint8_t>(t)).run();
            const std::lock_guard<std::mutex> held(stage->ending);
            if (--stage->running == 0) stage->ended.notify_all();
        });
    }
    // On the system clock: see Lock::park.
    const auto longest = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::duration<double>(config.seconds));
    Recording recording;
    {
        std::unique_lock<std::mutex> held(stage->ending);
        bool ended = false;
        for (bool going = true; going && !ended;) {  // a busy machine is slow, but it gets on
            const std::size_t before = stage->progress.load();
            ended = stage->ended.wait_until(held, std::chrono::system_clock::now() + longest,
                                            [&] { return stage->running == 0; });
            going = stage->progress.load() != before;
        }
        recording.stuck = !ended;
        recording.failure = stage->failure;
    }
    for (std::thread& thread : threads) {
        if (recording.stuck) thread.detach();
        else thread.join();
    }
    {
        const std::lock_guard<std::mutex> held(stage->mutex);
        stage->over = true;
        recording.log = stage->log;
        recording.end = stage->end;
    }
    if (!recording.stuck) delete stage;
    return recording;
}

}  // namespace mpsverify::fake
