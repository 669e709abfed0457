// Lock schemes as data.  The words are those of model/strategies.toml; the table of the shipped
// strategies is generated from that file into the build directory (strategies.hpp), so there is
// no second copy of it here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpsverify {

enum class Kind : std::uint8_t { create, encode, destroy, complete };
inline constexpr std::size_t kKinds = 4;

enum class Scope : std::uint8_t { global, stream, operation, encoder, queue };
inline constexpr std::size_t kScopes = 5;

enum class Mode : std::uint8_t { exclusive, shared };
inline constexpr std::size_t kModes = 2;

// One lock that an operation asks for.
struct Request {
    Scope scope;
    Mode mode;
};

inline constexpr std::size_t kMaxRequests = 4;

// What one kind of operation asks for: `count` requests, none for "none".
struct Requests {
    std::uint8_t count;
    Request request[kMaxRequests];
};

// A guard: the locks of every kind, and whether it checks under them that the context is alive.
struct Scheme {
    bool check;
    Requests locks[kKinds];
};

// A scheme with the name that the spec gives it.
struct Strategy {
    const char* name;
    Scheme scheme;
};

}  // namespace mpsverify
