#include "capi/guard.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "objc/interpose.hpp"
#include "strategies.hpp"  // generated from the spec

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

using namespace mpsverify;

namespace {

bool flag(const char* name, bool otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? otherwise : std::strcmp(value, "0") != 0;
}

void print_statistics() {
    mpsv_guard_statistics_t s;
    mpsv_guard_statistics(&s);
    std::fprintf(stderr,
                 "mps-verify guard: %llu calls (%llu create, %llu encode, %llu destroy, %llu "
                 "complete), %llu locks taken, %llu contended, %llu nested, %llu skipped, %llu "
                 "waits, %llu timeouts\n",
                 static_cast<unsigned long long>(s.calls),
                 static_cast<unsigned long long>(s.creates),
                 static_cast<unsigned long long>(s.encodes),
                 static_cast<unsigned long long>(s.destroys),
                 static_cast<unsigned long long>(s.completes),
                 static_cast<unsigned long long>(s.acquisitions),
                 static_cast<unsigned long long>(s.contentions),
                 static_cast<unsigned long long>(s.nested),
                 static_cast<unsigned long long>(s.skipped),
                 static_cast<unsigned long long>(s.waits),
                 static_cast<unsigned long long>(s.timeouts));
}

// The class prefixes of MPSV_GUARD_CLASSES, as a null-terminated list that is never freed.
const char* const* class_patterns() {
    static const std::vector<const char*>* const patterns = [] {
        auto* texts = new std::vector<std::string>;
        const char* value = std::getenv("MPSV_GUARD_CLASSES");
        std::string rest = value == nullptr ? "" : value;
        while (!rest.empty()) {
            const std::size_t comma = rest.find(',');
            if (comma != 0) texts->push_back(rest.substr(0, comma));
            rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
        }
        auto* made = new std::vector<const char*>;
        for (const std::string& text : *texts) made->push_back(text.c_str());
        made->push_back(nullptr);
        return made;
    }();
    return patterns->data();
}

}  // namespace

int64_t mpsv_guard_install(const char* strategy) {
    if (flag("MPSV_GUARD_DISABLE", false)) return -2;
    const char* wanted = strategy != nullptr ? strategy : std::getenv("MPSV_GUARD_STRATEGY");
    if (wanted == nullptr || *wanted == '\0') wanted = "perEncoder";
    const Strategy* chosen = nullptr;
    for (const Strategy& s : kStrategies) {
        if (std::strcmp(s.name, wanted) == 0) chosen = &s;
    }
    if (chosen == nullptr) {
        std::fprintf(stderr, "mps-verify guard: unknown strategy '%s'; nothing installed\n", wanted);
        return -1;
    }
    const bool verbose = flag("MPSV_GUARD_VERBOSE", false);
    Options options;
    options.assert_held = flag("MPSV_GUARD_ASSERT", false);
    options.detect_deadlock = flag("MPSV_GUARD_DEADLOCK", true);
    if (const char* limit = std::getenv("MPSV_GUARD_LOCK_TIMEOUT_MS")) {
        options.lock_timeout_ms = static_cast<std::uint32_t>(std::strtoul(limit, nullptr, 10));
    }
    const bool first = objc::guard() == nullptr;
    const std::size_t count = objc::install(chosen->scheme, options, class_patterns());
    if (verbose) {
        std::fprintf(stderr, "mps-verify guard: %s, %zu methods intercepted\n", wanted, count);
        if (first) std::atexit(print_statistics);
    }
    return static_cast<int64_t>(count);
}

void mpsv_guard_require(uint32_t kind, const void* object) {
    Guard* guard = objc::guard();
    if (guard != nullptr && kind < kKinds) guard->require(static_cast<Kind>(kind), object);
}

void mpsv_guard_statistics(mpsv_guard_statistics_t* statistics) {
    *statistics = mpsv_guard_statistics_t{};
    const Guard* guard = objc::guard();
    if (guard == nullptr) return;
    const Statistics s = guard->statistics();
    *statistics = {s.calls, s.acquisitions, s.contentions, s.parks,   s.nested,
                   s.skipped, s.waits,      s.timeouts,    s.entries, s.allocated,
                   s.calls_of[0], s.calls_of[1], s.calls_of[2], s.calls_of[3]};
}

void mpsv_guard_audit(void (*visit)(const char*, const char*, int, const char*, void*),
                      void* user) {
    for (const objc::Finding& f : objc::audit()) {
        visit(f.class_name.c_str(), f.selector.c_str(), static_cast<int>(f.what), f.why.c_str(),
              user);
    }
}

#if defined(__APPLE__)
namespace {

// The driver's bundle is loaded when the first device is made, long after this library.
void image_added(const mach_header*, std::intptr_t) {
    if (objc::guard() != nullptr) mpsv_guard_install(nullptr);
}

__attribute__((constructor)) void loaded() {
    const char* inserted = std::getenv("DYLD_INSERT_LIBRARIES");
    if (inserted == nullptr || std::strstr(inserted, "mpsv_guard") == nullptr) return;
    mpsv_guard_install(nullptr);
    _dyld_register_func_for_add_image(image_added);
}

}  // namespace
#endif
