// Putting the guard between callers and the driver's Objective-C classes, with the C runtime API
// that Apple's runtime and GCC's libobjc share.
//
// Classes are found at run time: private ones by what they implement, because their names are in
// no header.  Every class of a chain that implements a selector itself is given trampolines of
// its own, so that a call to super reaches the super class's original and no other.
#pragma once

#include <string>
#include <vector>

#include "core/guard.hpp"

namespace mpsverify::objc {

// What became of one selector of one class.
struct Finding {
    enum class What { intercepted, not_intercepted, not_found };
    What what;
    std::string class_name;
    std::string selector;
    std::string why;  // for not_intercepted
};

// Makes the process's guard and intercepts every driver class there is now.  Late and repeated
// calls are fine: classes that have come since are added, the scheme of the first call stays.
// `class_patterns` (a null-terminated list of prefixes, or null) adds classes by their names.
// Returns the number of methods that were intercepted by this call.
std::size_t install(const Scheme& scheme, const Options& options,
                    const char* const* class_patterns = nullptr);

// The process's guard; null before install.
Guard* guard();

// Per class found, every selector of its protocols; and the private teardown.
std::vector<Finding> audit();

}  // namespace mpsverify::objc
