// Objective-C type encodings, compared by what a call passes in registers and on the stack: sizes
// of integers, pointers, floats and the fields of structures.  Names, qualifiers and signedness
// differ between compilers and do not matter.
#pragma once

#include <cstdint>
#include <string>

namespace mpsverify::objc {

using UInteger = unsigned long;
using Integer = long;
using Pointer = void*;
struct Range {
    UInteger location, length;
};
struct Size {
    UInteger width, height, depth;
};
struct Origin {
    UInteger x, y, z;
};
struct Region {
    Origin origin;
    Size size;
};

// The shape of a C++ type: 8, 4, 2, 1 for integers and Booleans of that many bytes, p for
// pointers, f and d for floating point, {...} for structures, v for none.
template <class T>
struct Shape {
    static_assert(sizeof(T) <= 8, "a structure needs a shape of its own");
    static std::string text() { return std::string(1, static_cast<char>('0' + sizeof(T))); }
};
template <>
struct Shape<void> {
    static std::string text() { return "v"; }
};
template <>
struct Shape<Pointer> {
    static std::string text() { return "p"; }
};
template <>
struct Shape<float> {
    static std::string text() { return "f"; }
};
template <>
struct Shape<double> {
    static std::string text() { return "d"; }
};
template <>
struct Shape<Range> {
    static std::string text() { return "{88}"; }
};
template <>
struct Shape<Size> {
    static std::string text() { return "{888}"; }
};
template <>
struct Shape<Origin> {
    static std::string text() { return "{888}"; }
};
template <>
struct Shape<Region> {
    static std::string text() { return "{{888}{888}}"; }
};

// The shape of a method: its result, self, _cmd and its arguments.
template <class R, class... A>
std::string shape_of() {
    return ((Shape<R>::text() + "pp") + ... + Shape<A>::text());
}

// The shape that the runtime's encoding of a method says; '?' where it is not understood.
std::string shape_of_encoding(const char* encoding);

}  // namespace mpsverify::objc
