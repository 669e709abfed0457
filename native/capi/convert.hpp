// Schemes across the C ABI.
#pragma once

#include "capi/mpsv.h"
#include "core/scheme.hpp"

namespace mpsverify::capi {

// False if a number is out of range.
inline bool to_scheme(const mpsv_scheme& from, Scheme& to) {
    to = Scheme{};
    to.check = from.check != 0;
    for (std::size_t k = 0; k < kKinds; ++k) {
        if (from.count[k] > kMaxRequests) return false;
        to.locks[k].count = from.count[k];
        for (std::size_t i = 0; i < from.count[k]; ++i) {
            if (from.scope[k][i] >= kScopes || from.mode[k][i] >= kModes) return false;
            to.locks[k].request[i] = {static_cast<Scope>(from.scope[k][i]),
                                      static_cast<Mode>(from.mode[k][i])};
        }
    }
    return true;
}

inline mpsv_scheme from_scheme(const Scheme& from) {
    mpsv_scheme to{};
    to.check = from.check;
    for (std::size_t k = 0; k < kKinds; ++k) {
        to.count[k] = from.locks[k].count;
        for (std::size_t i = 0; i < from.locks[k].count; ++i) {
            to.scope[k][i] = static_cast<std::uint8_t>(from.locks[k].request[i].scope);
            to.mode[k][i] = static_cast<std::uint8_t>(from.locks[k].request[i].mode);
        }
    }
    return to;
}

}  // namespace mpsverify::capi
