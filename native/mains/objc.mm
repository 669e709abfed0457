// Free-running threads that send messages to the fake AGX driver's objects, with the interposed
// guard or without it; or the audit of what is interposed.  Prints one JSON object.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mains/arguments.hpp"
#include "drivers/fake_objc/agx_fake.h"
#include "drivers/fake_objc/blocks.hpp"
#include "runs/random.hpp"
#include "objc/block.hpp"
#include "objc/interpose.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

namespace {

struct Run {
    std::uint32_t threads = 4;
    std::uint32_t encoders = 3;
    std::uint64_t operations = 10000;
    std::uint64_t seed = 1;
    bool guarded = true;
    bool audit = false;
    const Strategy* strategy = nullptr;
};

std::atomic<std::uint64_t> faults[fake::kFaults], operations{0}, handled{0}, in_blocks{0},
    wrappers{0};  // of one handler at most, as a client's block sees it

class Runner final : public fake::Watch {
  public:
    explicit Runner(std::uint64_t seed) : random_(seed) {}
    std::uint32_t draw(std::uint32_t below) { return random_.draw(below); }
    void point(Step) override {
        if (draw(8) != 0) return;
        if (draw(4) != 0) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(draw(30)));
        }
    }
    void taken(Step, fake::Pc, const fake::Block*) override {}
    bool fault(fake::Fault fault) override {
        faults[static_cast<std::size_t>(fault)].fetch_add(1);
        return false;
    }
    void overlap() override { fault(fake::Fault::encoderOverlap); }
    std::uint32_t pick(const std::uint32_t* free, std::uint32_t count) override {
        return free[draw(count)];
    }
    bool starved() override { return false; }

  private:
    Random random_;
};

// Where the threads find the current encoder; a slot owns one reference to it.
struct Slot {
    std::atomic<AGXFakeContext*> encoder{nullptr};
    AGXFakeCommandBuffer* buffer = nullptr;
};

struct Handlers {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<AGXFakeContext*> due;  // with a reference each
    std::deque<objc::Block*> blocks;  // handlers of committed buffers
    bool ended = false;
} handlers;

bool given(AGXFakeContext* encoder) {
    return __atomic_load_n(&encoder->_given, __ATOMIC_RELAXED);
}

// A client's completion handler, as a compiler would lay out a block that captures an encoder.
struct Ending {
    objc::Block block;
    AGXFakeContext* encoder;  // with a reference
};
void end_encoder(objc::Block* self, void*) {
    AGXFakeContext* encoder = reinterpret_cast<Ending*>(self)->encoder;
    if (given(encoder)) {
        in_blocks.fetch_add(1, std::memory_order_relaxed);
        if (Thread::current().handlers > wrappers.load(std::memory_order_relaxed)) {
            wrappers.store(Thread::current().handlers, std::memory_order_relaxed);
        }
        [encoder endEncoding];
    }
    [encoder releaseOnce];
}
constexpr objc::BlockDescriptor kEnding = {0, sizeof(Ending), nullptr, nullptr, nullptr};

void completed(void* block) {
    const std::lock_guard<std::mutex> held(handlers.mutex);
    handlers.blocks.push_back(static_cast<objc::Block*>(block));
    handlers.changed.notify_one();
}

const Class blit_class = objc_getClass("AGXFakeBlitContext");

void encode(AGXFakeContext* encoder, std::uint32_t what) {
    const objc::Size groups{1, 2, 3}, threads{4, 5, 6};
    const objc::Range range{7, 8};
    if (object_getClass(encoder) == blit_class) {
        auto* blit = static_cast<AGXFakeBlitContext*>(encoder);
        if (what % 2 == 0) [blit fillBuffer:nil range:range value:9];
        else [blit copyFromBuffer:nil sourceOffset:0 toBuffer:nil destinationOffset:0 size:1];
        return;
    }
    auto* compute = static_cast<AGXFakeComputeContext*>(encoder);
    switch (what % 4) {
        case 0: [compute setComputePipelineState:nil]; break;
        case 1: [compute setBuffer:nil offset:0 atIndex:1]; break;
        case 2: [compute dispatchThreadgroups:groups threadsPerThreadgroup:threads]; break;
        default: [compute setLabel:nil]; break;
    }
}

void client(const Run& run, Slot* slots, std::uint32_t number) {
    Runner runner(run.seed * 1000 + number);
    agx_fake_watch(&runner);
    Thread::current().stream = number;
    for (std::uint64_t i = 0; i < run.operations; ++i) {
        Slot& slot = slots[runner.draw(run.encoders)];
        AGXFakeContext* encoder = slot.encoder.load(std::memory_order_acquire);
        if (encoder == nullptr || ![encoder retainIfAlive]) encoder = nullptr;
        if (encoder == nullptr || !given(encoder)) {
            AGXFakeContext* made = runner.draw(2) == 0 ? [slot.buffer computeCommandEncoder]
                                                       : [slot.buffer blitCommandEncoder];
            AGXFakeContext* before = encoder;
            if (slot.encoder.compare_exchange_strong(before, made)) {
                if (encoder != nullptr) [encoder releaseOnce];  // the slot's
            } else {
                [made endEncoding];
                [made releaseOnce];
            }
        } else if (const std::uint32_t what = runner.draw(16); what < 12) {
            encode(encoder, runner.draw(4));
        } else if (what == 12) {
            if ([encoder retainIfAlive]) {
                Ending ending{{_NSConcreteStackBlock, 0, 0, end_encoder,
                               reinterpret_cast<const objc::BlockDescriptor*>(&kEnding)},
                              encoder};
                AGXFakeCommandBuffer* buffer = [AGXFakeCommandBuffer make];
                [buffer addCompletedHandler:&ending.block];
                [buffer commit];
                [buffer releaseOnce];
            }
        } else if (what == 13) {
            const std::lock_guard<std::mutex> held(handlers.mutex);
            if (handlers.due.size() < 64 && [encoder retainIfAlive]) {
                handlers.due.push_back(encoder);
                handlers.changed.notify_one();
            }
        } else {
            [encoder endEncoding];
        }
        if (encoder != nullptr) [encoder releaseOnce];
        operations.fetch_add(1, std::memory_order_relaxed);
    }
    agx_fake_watch(nullptr);
}

void handler_thread(const Run& run) {
    Runner runner(run.seed * 1000 + 999);
    agx_fake_watch(&runner);
    Thread::current().stream = 999;
    for (;;) {
        AGXFakeContext* encoder = nullptr;
        objc::Block* block = nullptr;
        {
            std::unique_lock<std::mutex> held(handlers.mutex);
            handlers.changed.wait(held, [] {
                return handlers.ended || !handlers.due.empty() || !handlers.blocks.empty();
            });
            if (!handlers.blocks.empty()) {
                block = handlers.blocks.front();
                handlers.blocks.pop_front();
            } else if (!handlers.due.empty()) {
                encoder = handlers.due.front();
                handlers.due.pop_front();
            } else {
                break;
            }
        }
        if (block != nullptr) {
            block->invoke(block, nullptr);
            _Block_release(block);
            continue;
        }
        if (given(encoder)) {
            handled.fetch_add(1, std::memory_order_relaxed);
            [encoder destroyImpl];
        }
        [encoder releaseOnce];
    }
    agx_fake_watch(nullptr);
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

void print_audit() {
    static const char* const words[] = {"intercepted", "not intercepted", "not found"};
    std::printf("{\"findings\": [");
    bool first = true;
    for (const objc::Finding& f : objc::audit()) {
        std::printf("%s\n{\"class\": %s, \"selector\": %s, \"state\": \"%s\", \"why\": %s}",
                    first ? "" : ",", quoted(f.class_name).c_str(), quoted(f.selector).c_str(),
                    words[static_cast<int>(f.what)], quoted(f.why).c_str());
        first = false;
    }
    std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
    Run run;
    run.strategy = &kStrategies[0];
    Arguments arguments("mpsv_objc", argc, argv);
    arguments.row("strategy", kStrategies, run.strategy);
    arguments.number("threads", run.threads, 1, 64);
    arguments.number("operations", run.operations, 0, 1e12);
    arguments.number("seed", run.seed, 0, 1e15);
    arguments.flag("guarded", run.guarded);
    arguments.flag("audit", run.audit);
    if (!arguments.finish()) return 3;
    agx_fake_completions(completed);
    std::vector<Slot> slots(run.encoders);
    for (Slot& slot : slots) slot.buffer = [AGXFakeCommandBuffer make];
    std::size_t intercepted = 0, again = 0;
    if (run.guarded) {
        intercepted = objc::install(run.strategy->scheme, Options{});
        again = objc::install(run.strategy->scheme, Options{});  // must find nothing to do
    }
    if (run.audit) {
        print_audit();
        return 0;
    }
    const auto start = std::chrono::steady_clock::now();
    std::thread completions(handler_thread, std::cref(run));
    std::vector<std::thread> clients;
    for (std::uint32_t t = 0; t < run.threads; ++t) {
        clients.emplace_back(client, std::cref(run), slots.data(), t);
    }
    for (std::thread& t : clients) t.join();
    {
        const std::lock_guard<std::mutex> held(handlers.mutex);
        handlers.ended = true;
        handlers.changed.notify_all();
    }
    completions.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const Guard* guard = objc::guard();
    const Statistics s = guard == nullptr ? Statistics{} : guard->statistics();
    std::printf("{\"wrappers\": %llu, \"intercepted\": %zu, \"again\": %zu, \"operations\": %llu, \"handlers\": %llu, "
                "\"in_blocks\": %llu, \"live_blocks\": %d, \"completes\": %llu, "
                "\"skipped\": %llu, \"calls\": %llu, \"nested\": %llu, \"entries\": %llu, "
                "\"seconds\": %.3f, \"faults\": {",
                static_cast<unsigned long long>(wrappers.load()), intercepted, again,
                static_cast<unsigned long long>(operations.load()),
                static_cast<unsigned long long>(handled.load()),
                static_cast<unsigned long long>(in_blocks.load()), agx_fake_live_blocks(),
                static_cast<unsigned long long>(s.calls_of[static_cast<int>(Kind::complete)]),
                static_cast<unsigned long long>(s.skipped),
                static_cast<unsigned long long>(s.calls),
                static_cast<unsigned long long>(s.nested),
                static_cast<unsigned long long>(s.entries), took.count());
    for (std::size_t f = 0; f < fake::kFaults; ++f) {
        std::printf("%s\"%s\": %llu", f == 0 ? "" : ", ", fake::kFaultNames[f],
                    static_cast<unsigned long long>(faults[f].load()));
    }
    std::printf("}}\n");
    return 0;
}
