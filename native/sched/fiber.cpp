#include "sched/fiber.hpp"

#if defined(__x86_64__) || defined(__aarch64__)

// void mpsv_switch(void** save_sp, void* load_sp): saves the callee-saved registers and the stack
// pointer, loads the other side's.
#if defined(__APPLE__)
#define MPSV_SYMBOL(name) "_" name
#else
#define MPSV_SYMBOL(name) name
#endif

extern "C" {
void mpsv_switch(void** save_sp, void* load_sp);
void mpsv_fiber_entry();
}

#if defined(__x86_64__)
asm(".text\n"
    ".globl " MPSV_SYMBOL("mpsv_switch") "\n"
    MPSV_SYMBOL("mpsv_switch") ":\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".globl " MPSV_SYMBOL("mpsv_fiber_entry") "\n"
    MPSV_SYMBOL("mpsv_fiber_entry") ":\n"
    "  movq %r12, %rdi\n"
    "  callq *%rbx\n"
    "  ud2\n");
#else
asm(".text\n"
    ".globl " MPSV_SYMBOL("mpsv_switch") "\n"
    ".p2align 2\n"
    MPSV_SYMBOL("mpsv_switch") ":\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp, #0]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n"
    "  stp d14, d15, [sp, #144]\n"
    "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
    "  ldp x19, x20, [sp, #0]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
    "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n"
    "  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n"
    "  ret\n"
    ".globl " MPSV_SYMBOL("mpsv_fiber_entry") "\n"
    ".p2align 2\n"
    MPSV_SYMBOL("mpsv_fiber_entry") ":\n"
    "  mov x0, x20\n  blr x19\n  brk #0\n");
#endif

namespace mpsverify {

void Fiber::start(Body body, void* argument) {
    if (stack_ == nullptr) stack_.reset(new std::uint64_t[kStack / sizeof(std::uint64_t)]);
    auto top = reinterpret_cast<std::uintptr_t>(stack_.get()) + kStack;
    top &= ~std::uintptr_t{15};
#if defined(__x86_64__)
    auto* sp = reinterpret_cast<std::uint64_t*>(top) - 9;  // 6 registers, return address, 2 fillers
    sp[0] = sp[1] = sp[2] = sp[5] = 0;                     // r15 r14 r13, rbp
    sp[3] = reinterpret_cast<std::uint64_t>(argument);     // r12
    sp[4] = reinterpret_cast<std::uint64_t>(body);         // rbx
    sp[6] = reinterpret_cast<std::uint64_t>(&mpsv_fiber_entry);
    sp[7] = sp[8] = 0;  // the stack is aligned to 16 bytes where the body is called
#else
    auto* sp = reinterpret_cast<std::uint64_t*>(top) - 20;
    for (int i = 0; i < 20; ++i) sp[i] = 0;
    sp[0] = reinterpret_cast<std::uint64_t>(body);      // x19
    sp[1] = reinterpret_cast<std::uint64_t>(argument);  // x20
    sp[11] = reinterpret_cast<std::uint64_t>(&mpsv_fiber_entry);
#endif
    fiber_sp_ = sp;
}

void Fiber::resume() { mpsv_switch(&scheduler_sp_, fiber_sp_); }
void Fiber::yield() { mpsv_switch(&fiber_sp_, scheduler_sp_); }

}  // namespace mpsverify

#else

namespace mpsverify {
namespace {

void enter(unsigned body_low, unsigned body_high, unsigned argument_low, unsigned argument_high) {
    const auto join = [](unsigned low, unsigned high) {
        return static_cast<std::uintptr_t>((static_cast<std::uint64_t>(high) << 32) | low);
    };
    reinterpret_cast<Fiber::Body>(join(body_low, body_high))(
        reinterpret_cast<void*>(join(argument_low, argument_high)));
}

}  // namespace

void Fiber::start(Body body, void* argument) {
    if (stack_ == nullptr) stack_.reset(new std::uint64_t[kStack / sizeof(std::uint64_t)]);
    getcontext(&fiber_);
    fiber_.uc_stack.ss_sp = stack_.get();
    fiber_.uc_stack.ss_size = kStack;
    fiber_.uc_link = nullptr;
    const auto b = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(body));
    const auto a = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(argument));
    makecontext(&fiber_, reinterpret_cast<void (*)()>(enter), 4, static_cast<unsigned>(b),
                static_cast<unsigned>(b >> 32), static_cast<unsigned>(a),
                static_cast<unsigned>(a >> 32));
}

void Fiber::resume() { swapcontext(&scheduler_, &fiber_); }
void Fiber::yield() { swapcontext(&fiber_, &scheduler_); }

}  // namespace mpsverify

#endif
