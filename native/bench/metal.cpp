// Metal, through metal-cpp.  A queue is an MTLCommandQueue.  An encoder is what the guard protects:
// create makes a command buffer and its compute encoder, encode records and dispatches, destroy
// ends the encoding and commits.  Compiled and linked for macOS from Linux; never run there by us.
#define NS_PRIVATE_IMPLEMENTATION
#define MTL_PRIVATE_IMPLEMENTATION
#include <Metal/Metal.hpp>

#include <dlfcn.h>

#include <cstring>
#include <thread>

#include "bench/driver.hpp"

extern "C" void* objc_autoreleasePoolPush(void);
extern "C" void objc_autoreleasePoolPop(void* pool);

namespace mpsverify::bench {
namespace {

constexpr const char* kShader = R"(
#include <metal_stdlib>
struct Arguments { uint elements, iterations, multiplier, increment; };
kernel void advance(device uint* words [[buffer(0)]], constant Arguments& a [[buffer(1)]],
                    uint i [[thread_position_in_grid]]) {
    if (i >= a.elements) return;
    uint x = words[i];
    for (uint k = 0; k < a.iterations; ++k) x = x * a.multiplier + a.increment;
    words[i] = x;
}
)";

struct Arguments {
    std::uint32_t elements, iterations, multiplier, increment;
};

// Metal hands out autoreleased objects.
struct AutoreleasePool {
    void* pool = objc_autoreleasePoolPush();
    ~AutoreleasePool() { objc_autoreleasePoolPop(pool); }
};

std::string reason(NS::Error* error) {
    return error == nullptr ? "no reason given" : error->localizedDescription()->utf8String();
}

class CommandQueue final : public Queue {
  public:
    explicit CommandQueue(MTL::Device* device) : queue(device->newCommandQueue(4096)) {
        if (queue == nullptr) throw std::runtime_error("newCommandQueue failed");
    }
    ~CommandQueue() override { queue->release(); }
    // A queue executes in order: what is committed last is complete last.
    void drain() override {
        const AutoreleasePool pool;
        MTL::CommandBuffer* last = queue->commandBuffer();
        last->commit();
        last->waitUntilCompleted();
    }
    MTL::CommandQueue* queue;
};

class Dispatch final : public Encoder {
  public:
    Dispatch(MTL::Device* device, MTL::ComputePipelineState* pipeline, CommandQueue& queue,
             std::uint32_t elements)
        : queue_(queue.queue), pipeline_(pipeline), elements_(elements),
          words_(device->newBuffer(bytes(), MTL::ResourceStorageModeShared)) {
        if (words_ == nullptr) throw std::runtime_error("newBuffer failed");
    }
    ~Dispatch() override {
        forget();
        words_->release();
    }

    void create() override {
        const AutoreleasePool pool;
        forget();
        buffer_ = queue_->commandBuffer()->retain();
        encoder_ = buffer_->computeCommandEncoder()->retain();
    }
    void encode(std::uint32_t iterations) override {
        const Arguments arguments{elements_, iterations, kMultiplier, kIncrement};
        encoder_->setComputePipelineState(pipeline_);
        encoder_->setBuffer(words_, 0, 0);
        encoder_->setBytes(&arguments, sizeof arguments, 1);
        encoder_->dispatchThreadgroups(MTL::Size((elements_ + kGroup - 1) / kGroup, 1, 1),
                                       MTL::Size(kGroup, 1, 1));
    }
    void destroy(Wait) override {
        encoder_->endEncoding();
        encoder_->release();
        encoder_ = nullptr;
        buffer_->commit();
    }
    void wait(Wait wait) override {
        if (wait == Wait::spin) {
            while (buffer_->status() < MTL::CommandBufferStatusCompleted) {
                std::this_thread::yield();
            }
        } else {
            buffer_->waitUntilCompleted();
        }
        if (buffer_->status() == MTL::CommandBufferStatusError) {
            throw std::runtime_error("command buffer: " + reason(buffer_->error()));
        }
    }

    void write(const std::uint32_t* words) override {
        std::memcpy(words_->contents(), words, bytes());
    }
    void read(std::uint32_t* words) override {
        std::memcpy(words, words_->contents(), bytes());
    }

    double execution_ns(std::uint32_t iterations) override {
        create();
        encode(iterations);
        destroy(Wait::block);
        wait(Wait::block);
        return (buffer_->GPUEndTime() - buffer_->GPUStartTime()) * 1e9;
    }

  private:
    std::size_t bytes() const { return std::size_t{elements_} * sizeof(std::uint32_t); }
    void forget() {
        if (buffer_ != nullptr) buffer_->release();
        buffer_ = nullptr;
    }

    MTL::CommandQueue* queue_;
    MTL::ComputePipelineState* pipeline_;
    std::uint32_t elements_;
    MTL::Buffer* words_;
    MTL::CommandBuffer* buffer_ = nullptr;
    MTL::ComputeCommandEncoder* encoder_ = nullptr;
};

class Metal final : public Driver {
  public:
    Metal() {
        // Loaded by hand: the program links without a macOS SDK.
        void* metal = dlopen("/System/Library/Frameworks/Metal.framework/Metal", RTLD_NOW);
        const auto create = reinterpret_cast<MTL::Device* (*)()>(
            metal == nullptr ? nullptr : dlsym(metal, "MTLCreateSystemDefaultDevice"));
        device_ = create == nullptr ? nullptr : create();
        if (device_ == nullptr) throw Unavailable("no Metal device");
        const AutoreleasePool pool;
        NS::Error* error = nullptr;
        MTL::Library* library = device_->newLibrary(
            NS::String::string(kShader, NS::UTF8StringEncoding), nullptr, &error);
        if (library == nullptr) throw std::runtime_error("newLibrary: " + reason(error));
        MTL::Function* function =
            library->newFunction(NS::String::string("advance", NS::UTF8StringEncoding));
        pipeline_ = device_->newComputePipelineState(function, &error);
        if (pipeline_ == nullptr) throw std::runtime_error("pipeline: " + reason(error));
        function->release();
        library->release();
    }

    std::vector<std::pair<std::string, std::string>> describe() override {
        return {
            {"device", device_->name()->utf8String()},
            {"details", ""},
            {"api", "Metal, through metal-cpp"},
            {"queue", "an MTLCommandQueue"},
            {"encoder", "a command buffer with its compute encoder"},
            {"create", "commandBuffer and computeCommandEncoder"},
            {"encode", "pipeline, buffer, arguments and the dispatch"},
            {"destroy", "endEncoding and commit"},
            {"wait", "spin: polls the command buffer's status; block: waitUntilCompleted; drain: "
                     "waitUntilCompleted of an empty command buffer that is committed last"},
            {"execution", "GPUStartTime to GPUEndTime"},
            {"shared_queue", "all threads' command buffers come from one queue"},
            {"safety", "each thread has encoders of its own: no evidence about strategies"},
        };
    }
    std::unique_ptr<Queue> queue() override { return std::make_unique<CommandQueue>(device_); }
    std::unique_ptr<Encoder> encoder(Queue& queue, std::uint32_t elements) override {
        return std::make_unique<Dispatch>(device_, pipeline_, static_cast<CommandQueue&>(queue),
                                          elements);
    }

  private:
    MTL::Device* device_ = nullptr;
    MTL::ComputePipelineState* pipeline_ = nullptr;
};

}  // namespace

std::unique_ptr<Driver> open_driver() { return std::make_unique<Metal>(); }

}  // namespace mpsverify::bench
