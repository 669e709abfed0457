// The guard on Metal itself.  Threads share encoders; create begins a command buffer and its
// encoder, encode records into it, destroy ends and commits it.  The interposed guard does the
// rest.  Compiled and linked for macOS from Linux; never run there by us.
//
// Prints one JSON object.  A crash is the driver's verdict; run it with MTL_DEBUG_LAYER=1 for
// Metal's own checks.  Exit code 5: there is no Metal here.
#define NS_PRIVATE_IMPLEMENTATION
#define MTL_PRIVATE_IMPLEMENTATION
#include <Metal/Metal.hpp>

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capi/guard.h"
#include "mains/arguments.hpp"
#include "runs/random.hpp"

using namespace mpsverify;

extern "C" void* objc_autoreleasePoolPush(void);
extern "C" void objc_autoreleasePoolPop(void* pool);

namespace {

struct Pool {
    void* pool = objc_autoreleasePoolPush();
    ~Pool() { objc_autoreleasePoolPop(pool); }
};

struct Work {
    MTL::CommandBuffer* buffer;
    MTL::ComputeCommandEncoder* encoder;
};

// The threads' present work.  Whoever takes it out ends it.  Encoder and buffer are one pointer: a
// buffer that is committed with another one's encoder, or never, would be a fault of this program.
// Never deleted, as others may still be inside.
using Slot = std::atomic<const Work*>;

struct Run {
    std::uint32_t threads = 4;
    std::uint32_t encoders = 2;
    std::uint64_t operations = 10000;
    std::uint64_t seed = 1;
    bool guarded = true;
    std::string strategy = "perEncoder";
};

void client(const Run& run, MTL::CommandQueue* queue, MTL::Buffer* data, Slot* slots,
            std::uint32_t number) {
    Random random(run.seed * 1000 + number);
    for (std::uint64_t i = 0; i < run.operations; ++i) {
        const Pool pool;
        Slot& slot = slots[random.draw(run.encoders)];
        const Work* work = slot.load(std::memory_order_acquire);
        if (work == nullptr) {
            MTL::CommandBuffer* buffer = queue->commandBuffer()->retain();
            const Work* made = new Work{buffer, buffer->computeCommandEncoder()->retain()};
            if (!slot.compare_exchange_strong(work, made)) {
                made->encoder->endEncoding();
                made->buffer->commit();
            }
        } else if (random.draw(16) != 0) {
            work->encoder->setBuffer(data, 0, random.draw(30));
        } else if (slot.compare_exchange_strong(work, nullptr)) {
            // Others may still be inside with the old one: that is the race.
            work->encoder->endEncoding();
            work->buffer->commit();
            work->buffer->waitUntilCompleted();
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Run run;
    Arguments arguments("mpsv_metal", argc, argv);
    arguments.text("strategy", run.strategy);
    arguments.number("threads", run.threads, 1, 64);
    arguments.number("encoders", run.encoders, 1, 64);
    arguments.number("operations", run.operations, 0, 1e12);
    arguments.number("seed", run.seed, 0, 1e15);
    arguments.flag("guarded", run.guarded);
    if (!arguments.finish()) return 3;
    // Loaded by hand: the program links without a macOS SDK, and says so where there is no Metal.
    void* metal = dlopen("/System/Library/Frameworks/Metal.framework/Metal", RTLD_NOW);
    const auto create = reinterpret_cast<MTL::Device* (*)()>(
        metal == nullptr ? nullptr : dlsym(metal, "MTLCreateSystemDefaultDevice"));
    MTL::Device* device = create == nullptr ? nullptr : create();
    if (device == nullptr) {
        std::fprintf(stderr, "mpsv_metal: no Metal device\n");
        return 5;
    }
    MTL::CommandQueue* queue = device->newCommandQueue();
    MTL::Buffer* data = device->newBuffer(4096, MTL::ResourceStorageModeShared);
    {
        // The driver's classes come with its first objects: only now can they be found.
        const Pool pool;
        MTL::CommandBuffer* buffer = queue->commandBuffer();
        buffer->computeCommandEncoder()->endEncoding();
        buffer->commit();
        buffer->waitUntilCompleted();
    }
    std::int64_t intercepted = 0;
    if (run.guarded) {
        intercepted = mpsv_guard_install(run.strategy.c_str());
        if (intercepted < 0) return 3;
    }
    const auto slots = std::make_unique<Slot[]>(run.encoders);
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < run.threads; ++t) {
        threads.emplace_back(client, std::cref(run), queue, data, slots.get(), t);
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    mpsv_guard_statistics_t s;
    mpsv_guard_statistics(&s);
    std::printf("{\"intercepted\": %lld, \"operations\": %llu, \"calls\": %llu, \"skipped\": %llu, "
                "\"contentions\": %llu, \"seconds\": %.3f}\n",
                static_cast<long long>(intercepted),
                static_cast<unsigned long long>(run.threads * run.operations),
                static_cast<unsigned long long>(s.calls),
                static_cast<unsigned long long>(s.skipped),
                static_cast<unsigned long long>(s.contentions), took.count());
    return 0;
}
