// For macOS, where the C++ library is linked into the guard's: its operators new and delete are
// weak symbols, which the loader would share with the rest of the process.  A library that is
// inserted into other people's programs must not replace their allocator, so these are hidden.
#if defined(__APPLE__)
#include <stdlib.h>

// Instead of <new>, whose declarations make them visible: the compiler's own are hidden
// (-fvisibility-global-new-delete=force-hidden).
namespace std {
using size_t = decltype(sizeof 0);
enum class align_val_t : size_t;
}  // namespace std

namespace {

constexpr std::size_t kAlignment = 16;  // of what malloc returns

// There is nothing to be thrown through callers that are Objective-C: no memory, no guard.
void* get(std::size_t size, std::size_t alignment) {
    void* got = nullptr;
    if (alignment < sizeof(void*)) alignment = sizeof(void*);
    if (posix_memalign(&got, alignment, size == 0 ? 1 : size) != 0) abort();
    return got;
}

}  // namespace

void* operator new(std::size_t size) { return get(size, kAlignment); }
void* operator new[](std::size_t size) { return get(size, kAlignment); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return get(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return get(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, std::size_t) noexcept { free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    free(memory);
}
#endif
