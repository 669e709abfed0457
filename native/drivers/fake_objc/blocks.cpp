#include "drivers/fake_objc/blocks.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "objc/block.hpp"

using mpsverify::objc::Block;

namespace {

constexpr int kReferences = 0xfffe;  // of `flags`, in twos
constexpr int kNeedsFree = 1 << 24;

std::atomic<int> live{0};

}  // namespace

int agx_fake_live_blocks() { return live.load(); }

#if !defined(__APPLE__)  // where the system has it
extern "C" {

void* _NSConcreteStackBlock[32] = {};

void* _Block_copy(const void* given) {
    auto* block = const_cast<Block*>(static_cast<const Block*>(given));
    if (block == nullptr) return nullptr;
    if ((block->flags & kNeedsFree) != 0) {
        __atomic_fetch_add(&block->flags, 2, __ATOMIC_RELAXED);
        return block;
    }
    auto* made = static_cast<Block*>(std::malloc(block->descriptor->size));
    if (made == nullptr) std::abort();
    std::memcpy(static_cast<void*>(made), block, block->descriptor->size);
    made->flags = (made->flags & ~kReferences) | kNeedsFree | 2;
    if ((made->flags & mpsverify::objc::kBlockHasCopyDispose) != 0) {
        made->descriptor->copy(made, block);
    }
    live.fetch_add(1);
    return made;
}

void _Block_release(const void* given) {
    auto* block = const_cast<Block*>(static_cast<const Block*>(given));
    if (block == nullptr || (block->flags & kNeedsFree) == 0) return;
    const int before = __atomic_fetch_sub(&block->flags, 2, __ATOMIC_ACQ_REL);
    if ((before & kReferences) != 2) return;
    if ((before & mpsverify::objc::kBlockHasCopyDispose) != 0) block->descriptor->dispose(block);
    std::free(block);
    live.fetch_sub(1);
}
}
#endif
