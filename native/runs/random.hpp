// Random choices of a harness: SplitMix64, one generator for each thread.
#pragma once

#include <cstdint>

namespace mpsverify {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    // Less than `below`, which is at least 1.
    std::uint32_t draw(std::uint32_t below) {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return static_cast<std::uint32_t>(((z ^ (z >> 31)) >> 32) % below);
    }

  private:
    std::uint64_t state_;
};

}  // namespace mpsverify
