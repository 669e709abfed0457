#include "drivers/fake_objc/agx_fake.h"

#include <cstdlib>

#include "drivers/fake_objc/blocks.hpp"

using namespace mpsverify;

namespace {

thread_local fake::Watch* watch = nullptr;
void (*completions)(void* block) = nullptr;

}  // namespace

fake::Driver& agx_fake_driver() {
    static fake::Driver driver(64, true);
    return driver;
}

void agx_fake_watch(fake::Watch* now) { watch = now; }
void agx_fake_completions(void (*completed)(void*)) { completions = completed; }

@implementation AGXFakeObject
+ (id)make {
#if defined(__APPLE__)
    AGXFakeObject* made = [self alloc];
#else
    AGXFakeObject* made = class_createInstance(self, 0);
#endif
    made->_references = 1;
    return made;
}
- (BOOL)retainIfAlive {
    std::uint32_t seen = __atomic_load_n(&_references, __ATOMIC_RELAXED);
    while ((seen & (1u << 31)) == 0) {
        if (__atomic_compare_exchange_n(&_references, &seen, seen + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return 1;
        }
    }
    return 0;
}
- (void)releaseOnce {
    std::uint32_t last = 1;
    if (__atomic_compare_exchange_n(&_references, &last, 1u << 31, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED)) {
        [self dealloc];
        return;
    }
    // Not the last one when it was looked at; of two that leave together the later one looks again.
    if (__atomic_sub_fetch(&_references, 1, __ATOMIC_RELAXED) == 0) {
        __atomic_store_n(&_references, 1u << 31, __ATOMIC_RELAXED);
        [self dealloc];
    }
}
- (void)dealloc {
    // The memory is kept: a message to a deallocated object is the harness's to notice.
}
@end

@implementation AGXFakeContext
- (void)_attach {
    agx_fake_driver().create(_impl, *watch);
    __atomic_store_n(&_given, true, __ATOMIC_RELAXED);
}
- (void)setLabel:(id)label {
    (void)label;
    agx_fake_driver().encode(_impl, *watch);
}
- (void)endEncoding {
    [self destroyImpl];
}
- (void)destroyImpl {
    __atomic_store_n(&_given, false, __ATOMIC_RELAXED);
    agx_fake_driver().destroy(_impl, *watch);
}
@end

@implementation AGXFakeComputeContext
- (void)setComputePipelineState:(id)state {
    (void)state;
    agx_fake_driver().encode(_impl, *watch);
}
- (void)setBuffer:(id)buffer offset:(objc::UInteger)offset atIndex:(objc::UInteger)index {
    (void)buffer, (void)offset, (void)index;
    agx_fake_driver().encode(_impl, *watch);
}
- (void)dispatchThreadgroups:(objc::Size)groups threadsPerThreadgroup:(objc::Size)threads {
    // The trampoline must hand structures on unharmed.
    if (groups.width != 1 || groups.height != 2 || groups.depth != 3 || threads.width != 4 ||
        threads.height != 5 || threads.depth != 6) {
        std::abort();
    }
    agx_fake_driver().encode(_impl, *watch);
}
@end

@implementation AGXFakeDebugComputeContext
- (void)setComputePipelineState:(id)state {
    [super setComputePipelineState:state];
}
- (void)dispatchThreadgroups:(objc::Size)groups threadsPerThreadgroup:(objc::Size)threads {
    [super dispatchThreadgroups:groups threadsPerThreadgroup:threads];
}
@end

@implementation AGXFakeBlitContext
- (void)fillBuffer:(id)buffer range:(objc::Range)range value:(std::uint8_t)value {
    (void)buffer;
    if (range.location != 7 || range.length != 8 || value != 9) std::abort();
    agx_fake_driver().encode(_impl, *watch);
}
- (void)copyFromBuffer:(id)source
          sourceOffset:(objc::UInteger)from
              toBuffer:(id)destination
     destinationOffset:(objc::UInteger)to
                  size:(objc::UInteger)size {
    (void)source, (void)from, (void)destination, (void)to, (void)size;
    agx_fake_driver().encode(_impl, *watch);
}
@end

@implementation AGXFakeCommandBuffer
- (id)computeCommandEncoder {
    AGXFakeContext* made = [AGXFakeDebugComputeContext make];
    [made _attach];
    return made;
}
- (id)blitCommandEncoder {
    AGXFakeContext* made = [AGXFakeBlitContext make];
    [made _attach];
    return made;
}
- (void)addCompletedHandler:(void*)block {
    _handler = _Block_copy(block);
}
- (void)commit {
    void* handler = _handler;
    _handler = nullptr;
    if (handler != nullptr) completions(handler);
}
- (void)waitUntilCompleted {
}
@end
