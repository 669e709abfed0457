#include "objc/block.hpp"

#include "core/thread.hpp"

#if defined(__APPLE__)
#define MPSV_MAYBE
#else
#define MPSV_MAYBE __attribute__((weak))
#endif

extern "C" {
void* _Block_copy(const void* block) MPSV_MAYBE;
void _Block_release(const void* block) MPSV_MAYBE;
extern void* _NSConcreteStackBlock[32] MPSV_MAYBE;
}

namespace mpsverify::objc {
namespace {

// For as long as the handler runs, however it ends.
struct InHandler {
    InHandler() { ++Thread::current().handlers; }
    ~InHandler() { --Thread::current().handlers; }
};

void run(Block* self, void* object) {
    const InHandler inside;
    auto* original = static_cast<Block*>(reinterpret_cast<HandlerBlock*>(self)->original);
    original->invoke(original, object);
}

// `to` is a byte copy of `from` already: what is left is to own the original.
void copy(void* to, const void* from) {
    static_cast<HandlerBlock*>(to)->original =
        _Block_copy(static_cast<const HandlerBlock*>(from)->original);
}
void dispose(const void* block) {
    _Block_release(static_cast<const HandlerBlock*>(block)->original);
}

constexpr BlockDescriptor kDescriptor = {0, sizeof(HandlerBlock), copy, dispose, "v16@?0@8"};

}  // namespace

HandlerBlock::HandlerBlock(void* wrapped)
    : block{_NSConcreteStackBlock, kBlockHasCopyDispose | kBlockHasSignature, 0, run,
            &kDescriptor},
      original(wrapped) {}

bool has_blocks() {
#if defined(__APPLE__)
    return true;
#else
    return _Block_copy != nullptr && _Block_release != nullptr &&
           static_cast<void*>(_NSConcreteStackBlock) != nullptr;
#endif
}

}  // namespace mpsverify::objc
