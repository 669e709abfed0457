#include "drivers/fake/fake_driver.hpp"

namespace mpsverify::fake {

const char* const kFaultNames[kFaults] = {
    "nullDeref",   "staleContext",   "uninitialised",  "doubleFree",
    "lostContext", "writeAfterFree", "encoderOverlap", "deadDispatch",
};
const char* const kPcNames[kPcs] = {
    "idle",      "dispatched", "entered", "checked", "peeked",   "popped",
    "published", "loaded",     "taken",   "pushed",  "finished",
};
const char* const kStepNames[] = {
    "dispatch", "acquire", "load",  "deref",   "push", "clear",   "check", "pop",
    "peek",     "claim",   "publish", "init", "release", "drop", "liveness",
};
const char* const kKindNames[kKinds] = {"create", "encode", "destroy", "complete"};

// The caller holds the freelist, or there is nothing to hold (racy freelist).
Block* Driver::choose(Watch& watch) {
    std::uint32_t free[64];
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < blocks_.size() && count < 64; ++i) {
        if (blocks_[i].owner == nullptr) free[count++] = i;
    }
    return count == 0 ? nullptr : &blocks_[watch.pick(free, count)];
}

void Driver::create(Cell& cell, Watch& watch) {
    watch.point(Step::check);
    if (cell.impl != nullptr) {
        watch.taken(Step::check, Pc::finished, nullptr);
        return;
    }
    watch.taken(Step::check, Pc::checked, nullptr);

    Block* block = nullptr;
    watch.point(atomic_ ? Step::pop : Step::peek);
    for (;;) {
        std::unique_lock<std::mutex> held(freelist_, std::defer_lock);
        if (atomic_) held.lock();
        block = choose(watch);
        if (block != nullptr) {
            if (!atomic_) break;
            block->owner = &cell;
            block->ready = false;
            break;
        }
        if (atomic_) held.unlock();
        if (!watch.starved()) return;
    }
    if (!atomic_) {
        watch.taken(Step::peek, Pc::peeked, block);
        watch.point(Step::claim);
        block->owner = &cell;
        block->ready = false;
        watch.taken(Step::claim, Pc::popped, block);
    } else {
        watch.taken(Step::pop, Pc::popped, block);
    }

    watch.point(Step::publish);
    while (cell.impl != nullptr) {
        if (!watch.fault(Fault::lostContext)) return;
    }
    cell.impl = block;
    watch.taken(Step::publish, Pc::published, block);

    watch.point(Step::init);
    while (block->owner != &cell) {
        if (!watch.fault(Fault::writeAfterFree)) return;
    }
    block->registers = 0;
    block->ready = true;
    watch.taken(Step::init, Pc::finished, block);
}

void Driver::encode(Cell& cell, Watch& watch) {
    watch.point(Step::load);
    Block* block = cell.impl;
    while (block == nullptr) {
        if (!watch.fault(Fault::nullDeref)) return;
        block = cell.impl;
    }
    cell.commands += 1;
    if (__atomic_fetch_add(&cell.users, 1, __ATOMIC_RELAXED) != 0) watch.overlap();
    watch.taken(Step::load, Pc::loaded, block);

    watch.point(Step::deref);
    for (;;) {
        block = cell.impl;
        Fault fault;
        if (block == nullptr) {
            fault = Fault::nullDeref;
        } else if (block->owner != &cell) {
            fault = Fault::staleContext;
        } else if (!block->ready) {
            fault = Fault::uninitialised;
        } else {
            break;
        }
        if (!watch.fault(fault)) {
            __atomic_fetch_sub(&cell.users, 1, __ATOMIC_RELAXED);
            return;
        }
    }
    block->registers += 1;
    cell.commands += 1;
    __atomic_fetch_sub(&cell.users, 1, __ATOMIC_RELAXED);
    watch.taken(Step::deref, Pc::finished, block);
}

void Driver::destroy(Cell& cell, Watch& watch) {
    watch.point(Step::load);
    Block* block = cell.impl;
    if (block == nullptr) {
        watch.taken(Step::load, Pc::finished, nullptr);
        return;
    }
    watch.taken(Step::load, Pc::taken, block);

    watch.point(Step::push);
    for (;;) {
        {
            std::unique_lock<std::mutex> held(freelist_, std::defer_lock);
            if (atomic_) held.lock();
            if (block->owner == &cell) {
                block->owner = nullptr;
                break;
            }
        }
        if (!watch.fault(Fault::doubleFree)) return;
    }
    watch.taken(Step::push, Pc::pushed, block);

    // The freelist is unlocked and the pointer still there: the window.
    watch.point(Step::clear);
    cell.impl = nullptr;
    watch.taken(Step::clear, Pc::finished, nullptr);
}

}  // namespace mpsverify::fake
