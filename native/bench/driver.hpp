// What a device must offer to be measured.  One source file a driver implements this; the harness
// (harness.cpp) has the workload, the threads, the guard, the clock and the verification.
//
// One operation is create, encode, destroy (the three calls that the guard wraps, together the
// submission) and then a wait, during which the guard holds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mpsverify::bench {

// The workload: each word x of a buffer becomes multiplier * x + increment, `iterations` times.
// Both numbers travel as arguments of the kernel: as constants, a compiler would fold iterations
// together.  With an odd multiplier this is a bijection: a word that is wrong once stays wrong, so
// that the buffer's contents at the end tell whether every kernel ran exactly once and in order.
inline constexpr std::uint32_t kMultiplier = 1664525u;
inline constexpr std::uint32_t kIncrement = 1013904223u;

inline constexpr std::uint32_t kGroup = 256;  // threads of a work group

// How a thread learns that its operation is complete.
enum class Wait : std::uint8_t {
    spin,   // polls the operation's own completion object
    block,  // sleeps on it
    drain,  // submits `depth` operations, then waits for the whole queue once
};

// There is no such device here; the text says why.
struct Unavailable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Executes submissions in order.
class Queue {
  public:
    virtual ~Queue() = default;
    // Returns when everything submitted so far is complete.  Any thread may call it.
    virtual void drain() = 0;
};

// An operation that can be in flight, with a buffer of its own.  One thread at a time.
class Encoder {
  public:
    virtual ~Encoder() = default;
    virtual void create() = 0;
    virtual void encode(std::uint32_t iterations) = 0;
    virtual void destroy(Wait wait) = 0;
    virtual void wait(Wait wait) = 0;  // spin or block, as at `destroy`

    // The buffer; only while nothing is in flight.
    virtual void write(const std::uint32_t* words) = 0;
    virtual void read(std::uint32_t* words) = 0;

    // Runs one operation and returns how long its kernel took by the device's own clock, in
    // nanoseconds; negative if the device has no clock.
    virtual double execution_ns(std::uint32_t iterations) = 0;
};

class Driver {
  public:
    virtual ~Driver() = default;
    // Names and what the words mean on this device, as pairs.
    virtual std::vector<std::pair<std::string, std::string>> describe() = 0;
    virtual std::unique_ptr<Queue> queue() = 0;
    virtual std::unique_ptr<Encoder> encoder(Queue& queue, std::uint32_t elements) = 0;
};

// The driver that this program was linked with.  Throws Unavailable.
std::unique_ptr<Driver> open_driver();

}  // namespace mpsverify::bench
