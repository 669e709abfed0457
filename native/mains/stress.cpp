// The free-running harness as a program of its own, so that it can be built with a sanitizer, can
// crash, and can hang, without taking the command with it.  Prints one JSON object; with record=N,
// one that has the micro-steps of `runs` recorded runs of at most N steps each.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "mains/arguments.hpp"
#include "runs/free_run.hpp"
#include "runs/record.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

namespace {

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
    number("waits", o.guard.waits);
    number("missed", o.guard.missed);
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

void print(const char* name, const std::uint8_t* values, std::uint32_t count) {
    std::printf(", \"%s\": [", name);
    for (std::uint32_t i = 0; i < count; ++i) std::printf(i == 0 ? "%u" : ",%u", values[i]);
    std::printf("]");
}

void print(const fake::Recording& run, const fake::FreeConfig& config) {
    std::printf("{\"moments\": [");
    const char* separator = "";
    for (const fake::Moment& m : run.log) {
        std::printf("%s\n{\"t\": %u, \"e\": %u, \"kind\": \"%s\", \"event\": \"%s\", \"b\": %u, "
                    "\"pc\": \"%s\"",
                    separator, m.thread, m.encoder, fake::kKindNames[static_cast<int>(m.kind)],
                    fake::kStepNames[static_cast<int>(m.step)], m.block,
                    fake::kPcNames[static_cast<int>(m.pc)]);
        print("impl", m.after.impl, config.encoders);
        print("owner", m.after.owner, config.blocks);
        print("ready", m.after.ready, config.blocks);
        print("alive", m.after.alive, config.encoders);
        std::printf("}");
        separator = ",";
    }
    std::printf("], \"fault\": ");
    if (run.end) {
        std::printf("{\"fault\": \"%s\", \"t\": %u, \"e\": %u}",
                    fake::kFaultNames[static_cast<int>(run.end->fault)], run.end->thread,
                    run.end->encoder);
    } else {
        std::printf("null");
    }
    std::printf(", \"failure\": \"%s\", \"stuck\": %s}", run.failure.c_str(),
                run.stuck ? "true" : "false");
}

int record(fake::FreeConfig config, const Scheme& scheme, std::size_t events, std::uint64_t runs) {
    std::printf("{\"runs\": [");
    bool stuck = false;
    for (std::uint64_t run = 0; run < runs && !stuck; ++run, ++config.seed) {
        const fake::Recording recording = fake::record(config, scheme, events);
        if (run != 0) std::printf(",\n");
        print(recording, config);
        stuck = recording.stuck;
    }
    std::printf("]}\n");
    std::fflush(stdout);
    return stuck ? 4 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    fake::FreeConfig config;
    const Strategy* strategy = &kStrategies[0];
    std::uint64_t events = 0, runs = 1;
    Arguments arguments("mpsv_stress", argc, argv);
    arguments.row("strategy", kStrategies, strategy);
    arguments.number("record", events, 0, 1e6);
    arguments.number("runs", runs, 1, 1e6);
    arguments.number("threads", config.threads, 1, 256);
    arguments.number("encoders", config.encoders, 1, 1024);
    arguments.number("blocks", config.blocks, 1, 64);
    arguments.number("streams", config.streams, 1, 1024);
    arguments.number("operations", config.operations, 0, 1e12);
    arguments.number("seed", config.seed, 0, 1e15);
    arguments.number("seconds", config.seconds, 0, 1e6);
    arguments.number("widen", config.widen, 0, 1e6);
#define MPSV_FLAG(name, value) arguments.flag(#name, config.name);
    MPSV_ENVIRONMENT(MPSV_FLAG)
#undef MPSV_FLAG
    arguments.flag("assertHeld", config.assert_held);
    arguments.flag("guarded", config.guarded);
    arguments.flag("crash", config.crash);
    if (!arguments.finish()) return 3;
    if (events != 0) {
        const bool fits = config.threads >= 2 && config.encoders <= fake::kMaxRecorded &&
                          config.blocks <= fake::kMaxRecorded;
        if (!fits) {
            std::fprintf(stderr, "mpsv_stress: a recording has 2 threads or more, and at most %u "
                         "encoders and blocks\n", fake::kMaxRecorded);
            return 3;
        }
        const int code = record(config, strategy->scheme, events, runs);
        if (code != 0) std::_Exit(code);  // threads still run: no destructors
        return 0;
    }
    const fake::FreeOutcome outcome = fake::free_run(config, strategy->scheme);
    print(outcome);
    if (outcome.stuck) std::_Exit(4);
    return 0;
}
