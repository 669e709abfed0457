// The fake AGX driver as Objective-C classes: message sends, inheritance and instance variables
// as the real one has them, the micro-steps of drivers/fake below.  Compiles with GCC's libobjc
// and with Apple's runtime; no ARC, no blocks.
#pragma once

#include "drivers/fake/fake_driver.hpp"
#include "objc/encoding.hpp"

#if defined(__APPLE__)
#import <objc/NSObject.h>
@interface AGXFakeObject : NSObject {
#else
#include <objc/runtime.h>
__attribute__((objc_root_class)) @interface AGXFakeObject {
    Class isa;
#endif
  @public
    std::uint32_t _references;  // of those who send it messages, atomic; bit 31: deallocated
}
+ (id)make;  // with one reference
- (BOOL)retainIfAlive;
- (void)releaseOnce;  // the last one deallocates
- (void)dealloc;
@end

// What all encoder contexts inherit.  The first member of the cell is the pointer to the context.
@interface AGXFakeContext : AGXFakeObject {
  @public
    mpsverify::fake::Cell _impl;
    bool _given;  // handed out and not ended since, atomic
}
- (void)_attach;  // what the command buffer does when it hands the encoder out
- (void)setLabel:(id)label;
- (void)endEncoding;
- (void)destroyImpl;
@end

@interface AGXFakeComputeContext : AGXFakeContext
- (void)setComputePipelineState:(id)state;
- (void)setBuffer:(id)buffer
           offset:(mpsverify::objc::UInteger)offset
          atIndex:(mpsverify::objc::UInteger)index;
- (void)dispatchThreadgroups:(mpsverify::objc::Size)groups
       threadsPerThreadgroup:(mpsverify::objc::Size)threads;
@end

// A sub class that overrides one method and calls super: each has an original of its own.
@interface AGXFakeDebugComputeContext : AGXFakeComputeContext
- (void)setComputePipelineState:(id)state;
- (void)dispatchThreadgroups:(mpsverify::objc::Size)groups
       threadsPerThreadgroup:(mpsverify::objc::Size)threads;
@end

@interface AGXFakeBlitContext : AGXFakeContext
- (void)fillBuffer:(id)buffer
             range:(mpsverify::objc::Range)range
             value:(std::uint8_t)value;
- (void)copyFromBuffer:(id)source
          sourceOffset:(mpsverify::objc::UInteger)from
              toBuffer:(id)destination
     destinationOffset:(mpsverify::objc::UInteger)to
                  size:(mpsverify::objc::UInteger)size;
@end

@interface AGXFakeCommandBuffer : AGXFakeObject {
  @public
    void* _handler;  // a block, copied
}
- (id)computeCommandEncoder;
- (id)blitCommandEncoder;
- (void)addCompletedHandler:(void*)block;  // one at most
- (void)commit;
- (void)waitUntilCompleted;
@end

// The driver below all objects, and what watches the steps of this thread.
mpsverify::fake::Driver& agx_fake_driver();
void agx_fake_watch(mpsverify::fake::Watch* watch);
// What runs the handlers of committed buffers; it releases the block.
void agx_fake_completions(void (*completed)(void* block));
