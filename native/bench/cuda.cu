// CUDA.  A queue is a stream.  CUDA has no encoders: what stands for one is a launch with its
// completion event, made before the measurement; create calls nothing, encode launches the kernel,
// destroy records the event (nothing, where the whole queue is waited for).  CUDA is thread-safe,
// so nothing measured here is evidence for or against a strategy's safety.
#include <cuda_runtime.h>

#include "bench/driver.hpp"

namespace mpsverify::bench {
namespace {

void need(cudaError_t status, const char* what) {
    if (status != cudaSuccess) {
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
    }
}

__device__ unsigned long long nanoseconds() {
    unsigned long long now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
}

// One thread a word.  With `timed`, stamps[0] and stamps[1] become the times at which the first
// group began and the last one ended.
template <bool timed>
__global__ void advance(std::uint32_t* words, std::uint32_t elements, std::uint32_t iterations,
                        std::uint32_t multiplier, std::uint32_t increment,
                        unsigned long long* stamps) {
    if (timed && threadIdx.x == 0) atomicMin(&stamps[0], nanoseconds());
    const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < elements) {
        std::uint32_t x = words[i];
        for (std::uint32_t k = 0; k < iterations; ++k) x = x * multiplier + increment;
        words[i] = x;
    }
    if (timed) {
        __syncthreads();
        if (threadIdx.x == 0) atomicMax(&stamps[1], nanoseconds());
    }
}

class Stream final : public Queue {
  public:
    Stream() {
        need(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    }
    ~Stream() override { cudaStreamDestroy(stream); }
    void drain() override { need(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }
    cudaStream_t stream = nullptr;
};

class Launch final : public Encoder {
  public:
    Launch(Stream& queue, std::uint32_t elements) : stream_(queue.stream), elements_(elements) {
        need(cudaMalloc(&words_, bytes()), "cudaMalloc");
        need(cudaEventCreateWithFlags(&spinning_, cudaEventDisableTiming), "cudaEventCreate");
        need(cudaEventCreateWithFlags(&blocking_, cudaEventDisableTiming | cudaEventBlockingSync),
             "cudaEventCreate");
    }
    ~Launch() override {
        cudaEventDestroy(spinning_);
        cudaEventDestroy(blocking_);
        cudaFree(words_);
        cudaFree(stamps_);
    }

    void create() override {}
    void encode(std::uint32_t iterations) override { launch<false>(iterations); }
    void destroy(Wait wait) override {
        if (wait != Wait::drain) need(cudaEventRecord(event(wait), stream_), "cudaEventRecord");
    }
    void wait(Wait wait) override {
        need(cudaEventSynchronize(event(wait)), "cudaEventSynchronize");
    }

    void write(const std::uint32_t* words) override {
        need(cudaMemcpyAsync(words_, words, bytes(), cudaMemcpyHostToDevice, stream_), "write");
        need(cudaStreamSynchronize(stream_), "write");
    }
    void read(std::uint32_t* words) override {
        need(cudaMemcpyAsync(words, words_, bytes(), cudaMemcpyDeviceToHost, stream_), "read");
        need(cudaStreamSynchronize(stream_), "read");
    }

    double execution_ns(std::uint32_t iterations) override {
        if (stamps_ == nullptr) need(cudaMalloc(&stamps_, 2 * sizeof *stamps_), "cudaMalloc");
        unsigned long long times[2] = {~0ull, 0};
        need(cudaMemcpyAsync(stamps_, times, sizeof times, cudaMemcpyHostToDevice, stream_),
             "stamps");
        launch<true>(iterations);
        need(cudaMemcpyAsync(times, stamps_, sizeof times, cudaMemcpyDeviceToHost, stream_),
             "stamps");
        need(cudaStreamSynchronize(stream_), "stamps");
        return static_cast<double>(times[1] - times[0]);
    }

  private:
    std::size_t bytes() const { return std::size_t{elements_} * sizeof(std::uint32_t); }
    cudaEvent_t event(Wait wait) const { return wait == Wait::block ? blocking_ : spinning_; }

    template <bool timed>
    void launch(std::uint32_t iterations) {
        advance<timed><<<(elements_ + kGroup - 1) / kGroup, kGroup, 0, stream_>>>(
            words_, elements_, iterations, kMultiplier, kIncrement, stamps_);
        need(cudaGetLastError(), "launch");
    }

    cudaStream_t stream_;
    std::uint32_t elements_;
    std::uint32_t* words_ = nullptr;
    unsigned long long* stamps_ = nullptr;
    cudaEvent_t spinning_ = nullptr, blocking_ = nullptr;
};

class Cuda final : public Driver {
  public:
    Cuda() {
        // Spinning, on purpose: a thread that sleeps for a kernel of a few microseconds is woken
        // too late.  Wait::block uses events that sleep whatever this says.
        cudaError_t status = cudaSetDeviceFlags(cudaDeviceScheduleSpin);
        if (status == cudaSuccess) status = cudaFree(nullptr);  // makes the context
        if (status == cudaSuccess) status = cudaGetDeviceProperties(&properties_, 0);
        if (status == cudaSuccess) {
            status = cudaDeviceGetAttribute(&kilohertz_, cudaDevAttrClockRate, 0);
        }
        if (status == cudaSuccess) status = cudaDriverGetVersion(&driver_);
        if (status == cudaSuccess) status = cudaRuntimeGetVersion(&runtime_);
        if (status != cudaSuccess) throw Unavailable(cudaGetErrorString(status));
    }

    std::vector<std::pair<std::string, std::string>> describe() override {
        std::vector<std::pair<std::string, std::string>> info = {
            {"device", properties_.name},
            {"details", std::to_string(properties_.multiProcessorCount) +
                            " multiprocessors, compute capability " +
                            std::to_string(properties_.major) + "." +
                            std::to_string(properties_.minor)},
            {"api", "CUDA runtime " + version(runtime_) + ", driver for CUDA " + version(driver_)},
            {"queue", "a stream (cudaStreamNonBlocking)"},
            {"encoder", "a kernel launch with its completion event"},
            {"create", "nothing: event and buffer are made before the measurement"},
            {"encode", "the kernel launch"},
            {"destroy", "cudaEventRecord; nothing with wait=drain"},
            {"wait", "spin: cudaEventSynchronize under cudaDeviceScheduleSpin; block: the same on "
                     "an event with cudaEventBlockingSync; drain: cudaStreamSynchronize, spinning"},
            {"execution", "%globaltimer, from the first group's start to the last one's end"},
            {"shared_queue", "all threads launch on one stream; each waits for its own event"},
            {"safety", "CUDA is thread-safe: no evidence about strategies"},
        };
        // A step is one 32-bit integer multiply-add.  The CUDA programming guide's table of
        // arithmetic throughput has 64 of them for a multiprocessor and clock in these versions.
        if (properties_.major >= 7 && properties_.major <= 9) {
            const double peak = 64e3 * properties_.multiProcessorCount * kilohertz_;
            info.emplace_back("peak_steps_per_second", std::to_string(peak));
        }
        return info;
    }
    std::unique_ptr<Queue> queue() override { return std::make_unique<Stream>(); }
    std::unique_ptr<Encoder> encoder(Queue& queue, std::uint32_t elements) override {
        return std::make_unique<Launch>(static_cast<Stream&>(queue), elements);
    }

  private:
    static std::string version(int number) {
        return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    }
    cudaDeviceProp properties_{};
    int driver_ = 0, runtime_ = 0, kilohertz_ = 0;
};

}  // namespace

std::unique_ptr<Driver> open_driver() { return std::make_unique<Cuda>(); }

}  // namespace mpsverify::bench
