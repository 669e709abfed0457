// Completion handlers are blocks, and a block is a structure with a documented layout (the Block
// Implementation Specification of Clang): a wrapper around one can be made without a compiler that
// knows blocks.
//
// What a handler does to encoders are message sends, and each of them is intercepted by itself, so
// no lock is held around a handler: it may wait, and it may belong to no encoder at all.  The
// wrapper marks the thread, so that a teardown inside is taken for what the model calls `complete`.
#pragma once

namespace mpsverify::objc {

struct BlockDescriptor {
    unsigned long reserved, size;
    void (*copy)(void* to, const void* from);
    void (*dispose)(const void* block);
    const char* signature;
};

inline constexpr int kBlockHasCopyDispose = 1 << 25;
inline constexpr int kBlockHasSignature = 1 << 30;

// A block that takes one object, as the handlers of command buffers do.
struct Block {
    void* isa;
    int flags;
    int reserved;
    void (*invoke)(Block* self, void* object);
    const BlockDescriptor* descriptor;
};

// A block on the stack that runs `original` as a completion handler.  Whoever keeps it copies it,
// as with any block on the stack, and the copy owns a copy of the original.
struct HandlerBlock {
    explicit HandlerBlock(void* original);
    Block block;
    void* original;
};

// Whether there is a runtime for blocks in this process.  GCC's Objective-C has none: there,
// nothing can be a block and nothing is wrapped.
bool has_blocks();

}  // namespace mpsverify::objc
