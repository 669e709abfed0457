// The runtime of blocks, as far as completion handlers need it, for systems without one: copying
// to the heap, counting references, and the copy and dispose functions of what is captured.
#pragma once

extern "C" {
void* _Block_copy(const void* block);
void _Block_release(const void* block);
extern void* _NSConcreteStackBlock[32];
}

// Blocks on the heap now.
int agx_fake_live_blocks();
