// A driver with exactly the micro-steps of the transition system: a freelist of context blocks,
// encoders that point at one, and the window between giving a block back and clearing the
// pointer to it.  It does not protect itself where the real one does not.
//
// Every micro-step is announced (`point`), done, and reported (`taken`).  Between two
// announcements nothing else runs under a scheduler; free-running threads do overlap there.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/scheme.hpp"
#include "core/thread.hpp"

namespace mpsverify::fake {

enum class Fault : std::uint8_t {
    nullDeref, staleContext, uninitialised, doubleFree, lostContext, writeAfterFree,
    encoderOverlap, deadDispatch,
};
inline constexpr std::size_t kFaults = 8;
extern const char* const kFaultNames[kFaults];

// Program points of a thread, in the words of the transition system.
enum class Pc : std::uint8_t {
    idle, dispatched, entered, checked, peeked, popped, published, loaded, taken, pushed, finished,
};
inline constexpr std::size_t kPcs = 11;
extern const char* const kPcNames[kPcs];
extern const char* const kStepNames[];
extern const char* const kKindNames[kKinds];

struct Cell;

// A context block.  owner is null exactly while the block lies on the freelist.
struct Block {
    const Cell* owner = nullptr;
    bool ready = false;
    std::uint64_t registers = 0;
};

// What the driver keeps in an encoder object.  All zero is a new one; no constructor, because it
// is an instance variable of Objective-C objects, too.
struct Cell {
    Block* impl;
    std::uint64_t commands;  // plain memory: what encoders write while encoding
    std::uint32_t users;     // threads between load and deref, counted atomically: overlap
    bool released;
};

// What watches the driver: the scheduler, or the free-running harness.
class Watch {
  public:
    virtual ~Watch() = default;
    virtual void point(Step next) = 0;
    // `pc` is the program point after the step, `block` the one that the step was about, or null.
    virtual void taken(Step step, Pc pc, const Block* block) = 0;
    // The step crashes.  True: look again (other threads went on); false: abandon the operation.
    virtual bool fault(Fault fault) = 0;
    // Two threads inside one encoder: a fault that nobody's next step shows, so nobody stops.
    virtual void overlap() = 0;
    // Which of `count` free blocks (count > 0) to take.
    virtual std::uint32_t pick(const std::uint32_t* free, std::uint32_t count) = 0;
    // No block is free.  True: look again; false: abandon.
    virtual bool starved() = 0;
};

class Driver {
  public:
    Driver(std::uint32_t blocks, bool atomic_freelist) : blocks_(blocks), atomic_(atomic_freelist) {}

    void create(Cell& cell, Watch& watch);
    void encode(Cell& cell, Watch& watch);
    void destroy(Cell& cell, Watch& watch);

    // The liveness check of a guard: the same load that `encode` begins with.
    static bool alive(const Cell& cell) noexcept { return cell.impl != nullptr; }

    std::vector<Block>& blocks() noexcept { return blocks_; }
    std::uint32_t index(const Block* block) const noexcept {
        return static_cast<std::uint32_t>(block - blocks_.data());
    }

  private:
    Block* choose(Watch& watch);

    std::vector<Block> blocks_;
    bool atomic_;
    std::mutex freelist_;
};

}  // namespace mpsverify::fake
