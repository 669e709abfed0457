#include "sched/session.hpp"

namespace mpsverify::sched {
namespace {

constexpr std::uint8_t code(Pc pc) { return static_cast<std::uint8_t>(pc); }
constexpr std::uint8_t code(Step step) { return static_cast<std::uint8_t>(step); }
constexpr std::uint8_t code(Fault fault) { return static_cast<std::uint8_t>(fault); }

// Whether a thread at this program point remembers a block.
constexpr bool holds_block(Pc pc) {
    return pc == Pc::loaded || pc == Pc::taken || pc == Pc::peeked || pc == Pc::popped ||
           pc == Pc::published;
}

}  // namespace

Session::Session(const Config& config, const Scheme& scheme) : config_(config) {
    Options options;
    options.alive = is_alive;
    options.queue = queue_of;
    options.failed = note_failure;
    options.user = this;
    options.assert_held = config.assert_held;
    guard_ = std::make_unique<Guard>(scheme, options);
    driver_ = std::make_unique<fake::Driver>(config.blocks, config.atomicFreelist);
    cells_.reset(new fake::Cell[config.encoders]());
    for (std::uint32_t t = 0; t < config.threads; ++t) {
        threads_.push_back(std::make_unique<Worker>());
        Worker& worker = *threads_.back();
        worker.session = this;
        worker.number = static_cast<std::uint8_t>(t);
        worker.thread.stream = config.stream[t];
        worker.thread.number = t;
        worker.thread.hooks = this;
    }
    trace_.reserve(256);
    reset();
}

void Session::reset() {
    for (auto& w : threads_) {
        w->thread.abandon();
        w->kind = w->encoder = 0;
        w->block = w->fault = kNone;
        w->pc = Pc::idle;
        w->next = Step::dispatch;
        w->merged = false;
        w->nested = 0;
        w->fiber.start(run, w.get());
    }
    for (fake::Block& block : driver_->blocks()) block = fake::Block{};
    for (std::uint32_t e = 0; e < config_.encoders; ++e) {
        cells_[e] = fake::Cell{};
    }
    used_blocks_ = faults_ = 0;
    skipped_ = unexplained_ = 0;
    failure_ = nullptr;
    trace_.clear();
}

std::uint8_t Session::impl(std::uint32_t encoder) const {
    const fake::Block* block = cells_[encoder].impl;
    return block == nullptr ? kNone : static_cast<std::uint8_t>(driver_->index(block));
}

std::uint8_t Session::owner(std::uint32_t block) const {
    const fake::Cell* cell = driver_->blocks()[block].owner;
    return cell == nullptr ? kNone : static_cast<std::uint8_t>(cell - cells_.get());
}

bool Session::can_dispatch(std::uint32_t thread, Kind kind, std::uint32_t encoder) const {
    if (busy(thread) || cells_[encoder].released) return false;
    if (kind == Kind::complete ? !config_.handlersTearDown
                               : !config_.sharedEncoders && config_.home[encoder] != thread) {
        return false;
    }
    const bool made = cells_[encoder].impl != nullptr;
    if (kind == Kind::create ? made && config_.createReturns : !made) return false;
    if (!config_.createReturns) return true;
    for (const auto& w : threads_) {  // nothing is under way beside a create
        if (w->pc == Pc::idle || w->encoder != encoder) continue;
        if (kind == Kind::create || static_cast<Kind>(w->kind) == Kind::create) return false;
    }
    return true;
}

Result Session::dispatch(std::uint32_t thread, Kind kind, std::uint32_t encoder) {
    if (!can_dispatch(thread, kind, encoder)) return Result::impossible;
    Worker& worker = *threads_[thread];
    worker.kind = static_cast<std::uint8_t>(kind);
    worker.encoder = static_cast<std::uint8_t>(encoder);
    record(worker, Step::dispatch, Pc::dispatched, kNone, false);
    worker.next = Step::acquire;
    return Result::stepped;
}

Result Session::step(std::uint32_t thread, std::uint8_t block) {
    Worker& worker = *threads_[thread];
    if (worker.pc == Pc::idle) return Result::impossible;
    wanted_ = block;
    worker.result = Result::stepped;
    running_ = &worker;
    Thread::set_current(&worker.thread);
    worker.fiber.resume();
    Thread::set_current(nullptr);
    running_ = nullptr;
    return worker.result;
}

bool Session::can_drop(std::uint32_t encoder) const {
    if (cells_[encoder].released) return false;
    if (!config_.callersRetain) return true;
    for (const auto& w : threads_) {
        if (w->pc != Pc::idle && w->encoder == encoder) return false;
    }
    return true;
}

Result Session::drop(std::uint32_t encoder) {
    if (!can_drop(encoder)) return Result::impossible;
    cells_[encoder].released = true;
    guard_->retire(&cells_[encoder]);
    trace_.push_back({kNone, static_cast<std::uint8_t>(encoder), kNone, code(Step::drop), kNone,
                      kNone, 0, 0});
    return Result::stepped;
}

std::uint32_t Session::choices(std::uint32_t thread, bool representatives,
                               std::uint8_t* into) const {
    const Step next = threads_[thread]->next;
    if (threads_[thread]->pc == Pc::idle || (next != Step::pop && next != Step::peek)) return 0;
    std::uint32_t count = 0;
    bool fresh_seen = false;
    for (std::uint32_t b = 0; b < config_.blocks; ++b) {
        if (driver_->blocks()[b].owner != nullptr) continue;
        const bool fresh = (used_blocks_ >> b & 1u) == 0;
        if (fresh && fresh_seen && representatives) continue;
        fresh_seen = fresh_seen || fresh;
        into[count++] = static_cast<std::uint8_t>(b);
    }
    return count;
}

// --- Inside the fibers ----------------------------------------------------------------------

void Session::run(void* argument) {
    auto& worker = *static_cast<Worker*>(argument);
    for (;;) worker.session->operation(worker);
}

void Session::operation(Worker& worker) {
    fake::Cell& cell = cells_[worker.encoder];
    const Kind kind = static_cast<Kind>(worker.kind);
    const auto body = [&] {
        guard_->require(kind, &cell);
        switch (kind) {
            case Kind::create:
                driver_->create(cell, *this);
                break;
            case Kind::encode:
                driver_->encode(cell, *this);
                break;
            case Kind::destroy:
            case Kind::complete:
                driver_->destroy(cell, *this);
                break;
        }
    };
    if (kind == Kind::complete && !config_.handlersIntercepted) {
        point(Step::acquire);
        taken(Step::acquire, false);
        body();
        point(Step::release);
        taken(Step::release, false);
    } else {
        const Guard::Call call(*guard_, kind, &cell);
        if (call && kind == Kind::destroy) {
            // As in the real driver: endEncoding calls destroyImpl, and both are intercepted.
            const Guard::Call nested(*guard_, kind, &cell);
            if (nested) body();
        } else if (call) {
            body();
        }
    }
    // `taken(release)` made the thread idle; the fiber waits here for its next operation.
    yield(worker, Result::stepped);
}

void Session::yield(Worker& worker, Result result) {
    worker.result = result;
    worker.fiber.yield();
    // Resumed: this step is being tried now.
}

// What objc_msgSend does to a dead object, as long as the operation has not got past its acquire.
void Session::message_send(Worker& worker) {
    while (cells_[worker.encoder].released) fault(Fault::deadDispatch);
}

void Session::point(Step next) {
    Worker& worker = *running_;
    if (next == Step::acquire) {
        if (worker.nested++ != 0) return;
        // The dispatch stopped the fiber here already: it was resumed to take this very step.
        worker.next = Step::acquire;
        message_send(worker);
        return;
    }
    if (next == Step::release && worker.nested > 1) return;
    if (next == Step::liveness) {
        worker.merged = true;
        next = Step::load;
    } else if (next == Step::load && worker.merged) {
        worker.merged = false;
        return;
    }
    worker.next = next;
    yield(worker, Result::stepped);
}

bool Session::blocked(const Lock&) {
    Worker& worker = *running_;
    yield(worker, Result::blocked);
    if (worker.pc == Pc::dispatched) message_send(worker);
    return true;
}

void Session::record(Worker& worker, Step step, Pc pc, std::uint8_t block, bool skipped) {
    worker.pc = pc;
    worker.block = holds_block(pc) ? block : kNone;
    worker.fault = kNone;
    trace_.push_back({worker.number, worker.encoder, worker.kind, code(step), code(pc), block,
                      skipped ? std::uint8_t{1} : std::uint8_t{0}, 0});
}

void Session::taken(Step step, bool skipped) {
    Worker& worker = *running_;
    switch (step) {
        case Step::acquire:
            if (worker.nested == 1) record(worker, step, Pc::entered, kNone, false);
            break;
        case Step::release:
            if (--worker.nested == 0) record(worker, step, Pc::idle, kNone, false);
            break;
        default:  // the guard skipped the call
            worker.merged = false;
            ++skipped_;
            if (cells_[worker.encoder].impl != nullptr) ++unexplained_;
            record(worker, Step::load, Pc::finished, kNone, skipped);
            break;
    }
}

void Session::taken(Step step, Pc pc, const fake::Block* block) {
    Worker& worker = *running_;
    std::uint8_t number = kNone;
    if (block != nullptr) {
        number = static_cast<std::uint8_t>(driver_->index(block));
        used_blocks_ |= 1u << number;
    }
    record(worker, step, pc, number, false);
}

bool Session::fault(Fault fault) {
    Worker& worker = *running_;
    worker.fault = code(fault);
    faults_ |= 1u << code(fault);
    yield(worker, Result::faulty);
    worker.fault = kNone;
    return true;
}

void Session::overlap() { faults_ |= 1u << code(Fault::encoderOverlap); }

std::uint32_t Session::pick(const std::uint32_t* free, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
        if (free[i] == wanted_) return free[i];
    }
    return free[0];
}

bool Session::starved() {
    yield(*running_, Result::starved);
    return true;
}

bool Session::is_alive(const void* object, void*) {
    return fake::Driver::alive(*static_cast<const fake::Cell*>(object));
}

std::uint64_t Session::queue_of(const void* object, void* user) {
    const auto& session = *static_cast<const Session*>(user);
    return session.config_.queue[static_cast<const fake::Cell*>(object) - session.cells_.get()];
}

void Session::note_failure(const char* what, void* user) {
    static_cast<Session*>(user)->failure_ = what;
}

}  // namespace mpsverify::sched
