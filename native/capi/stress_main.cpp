// The free-running harness as a program of its own, so that it can be built with a sanitizer, can
// crash, and can hang, without taking the command with it.  Prints one JSON object.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "drivers/fake/free_run.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

namespace {

int usage(const char* what) {
    std::fprintf(stderr, "mpsv_stress: bad argument '%s'\n", what);
    return 3;
}

void print(const fake::FreeOutcome& o) {
    const auto number = [](const char* name, std::uint64_t value) {
        std::printf("\"%s\": %llu, ", name, static_cast<unsigned long long>(value));
    };
    std::printf("{");
    number("operations", o.operations);
    number("skipped", o.skipped);
    number("unexplained", o.unexplained);
    number("released", o.released);
    number("handlers", o.handlers);
    number("met", o.met);
    number("acquisitions", o.guard.acquisitions);
    number("contentions", o.guard.contentions);
    number("parks", o.guard.parks);
    number("nested", o.guard.nested);
    number("entries", o.guard.entries);
    number("allocated", o.guard.allocated);
    std::printf("\"faults\": {");
    for (std::size_t f = 0; f < fake::kFaults; ++f) {
        std::printf("%s\"%s\": %llu", f == 0 ? "" : ", ", fake::kFaultNames[f],
                    static_cast<unsigned long long>(o.faults[f]));
    }
    std::printf("}, \"seconds\": %.4f, \"stuck\": %s, \"failure\": \"%s\"}\n", o.seconds,
                o.stuck ? "true" : "false", o.failure.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    fake::FreeConfig config;
    const Strategy* strategy = &kStrategies[0];
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const std::size_t equals = argument.find('=');
        if (equals == std::string::npos) return usage(argv[i]);
        const std::string name = argument.substr(0, equals);
        const std::string value = argument.substr(equals + 1);
        if (name == "strategy") {
            strategy = nullptr;
            for (const Strategy& s : kStrategies) {
                if (value == s.name) strategy = &s;
            }
            if (strategy == nullptr) return usage(argv[i]);
            continue;
        }
        char* end = nullptr;
        const double number = std::strtod(value.c_str(), &end);
        if (value.empty() || *end != '\0' || number < 0) return usage(argv[i]);
        const auto integer = static_cast<std::uint64_t>(number);
        const auto small = static_cast<std::uint32_t>(integer);
        if (name == "threads" && small >= 1 && small <= 256) config.threads = small;
        else if (name == "encoders" && small >= 1 && small <= 1024) config.encoders = small;
        else if (name == "blocks" && small >= 1 && small <= 64) config.blocks = small;
        else if (name == "streams" && small >= 1) config.streams = small;
        else if (name == "operations") config.operations = integer;
        else if (name == "seed") config.seed = integer;
        else if (name == "seconds") config.seconds = number;
        else if (name == "widen") config.widen = small;
        else if (name == "handlersIntercepted") config.handlers_intercepted = integer != 0;
        else if (name == "handlersTearDown") config.handlers_tear_down = integer != 0;
        else if (name == "atomicFreelist") config.atomic_freelist = integer != 0;
        else if (name == "callersRetain") config.callers_retain = integer != 0;
        else if (name == "sharedEncoders") config.shared_encoders = integer != 0;
        else if (name == "assertHeld") config.assert_held = integer != 0;
        else if (name == "guarded") config.guarded = integer != 0;
        else if (name == "crash") config.crash = integer != 0;
        else return usage(argv[i]);
    }
    const fake::FreeOutcome outcome = fake::free_run(config, strategy->scheme);
    print(outcome);
    if (outcome.stuck) std::_Exit(4);  // threads still run: no destructors
    return 0;
}
