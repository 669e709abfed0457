// Stackful fibers: the threads of a deterministic run.  Switching is a few instructions where the
// processor is known and ucontext elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace mpsverify {

class Fiber {
  public:
    using Body = void (*)(void* argument);

    Fiber() = default;
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Makes the fiber start `body` at its next resume, whatever it was doing; what its old stack
    // held is forgotten, destructors included.  `body` must not return.
    void start(Body body, void* argument);

    // Runs the fiber until it yields.  Called by the scheduler only.
    void resume();

    // Back to the scheduler.  Called inside the fiber only.
    void yield();

  private:
    static constexpr std::size_t kStack = 64 * 1024;

    std::unique_ptr<std::uint64_t[]> stack_;
#if defined(__x86_64__) || defined(__aarch64__)
    void* fiber_sp_ = nullptr;
    void* scheduler_sp_ = nullptr;
#else
    ucontext_t fiber_{};
    ucontext_t scheduler_{};
#endif
};

}  // namespace mpsverify
