/* The guard as a library for programs that use Metal: loaded with DYLD_INSERT_LIBRARIES it installs
 * itself; with dlopen or ctypes, call mpsv_guard_install.
 *
 * Environment variables, read at installation:
 *   MPSV_GUARD_DISABLE=1          do nothing
 *   MPSV_GUARD_STRATEGY=NAME      a strategy of the spec it was built from (default perEncoder)
 *   MPSV_GUARD_VERBOSE=1          say what is intercepted, and statistics at exit
 *   MPSV_GUARD_DEADLOCK=0         do not look for deadlocks while waiting
 *   MPSV_GUARD_LOCK_TIMEOUT_MS=N  report a wait for a lock longer than this, once
 *   MPSV_GUARD_ASSERT=1           mpsv_guard_require aborts on an unguarded call
 *   MPSV_GUARD_CLASSES=A,B        also classes whose names begin so */
#ifndef MPSV_GUARD_H
#define MPSV_GUARD_H

#include <stdint.h>

#if defined(__GNUC__)
#define MPSV_GUARD_API __attribute__((visibility("default")))
#else
#define MPSV_GUARD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t calls, acquisitions, contentions, parks, nested, skipped, waits, timeouts, entries,
        allocated;
    uint64_t creates, encodes, destroys, completes; /* the calls, by kind */
} mpsv_guard_statistics_t;

/* Installs the guard, or extends it to classes that were loaded since.  strategy null: the
 * environment's, or perEncoder.  Returns the number of methods that were intercepted now, or -1
 * for an unknown strategy, -2 if disabled. */
MPSV_GUARD_API int64_t mpsv_guard_install(const char* strategy);

/* Guard-held assertion mode: aborts unless the calling thread is inside a guarded call on `object`
 * that holds what `kind` (0 create, 1 encode, 2 destroy, 3 complete) asks for.  Finds the first
 * unguarded call, even with one thread.  Does nothing without MPSV_GUARD_ASSERT=1. */
MPSV_GUARD_API void mpsv_guard_require(uint32_t kind, const void* object);

/* Zeros before the installation. */
MPSV_GUARD_API void mpsv_guard_statistics(mpsv_guard_statistics_t* statistics);

/* Calls `visit` for each selector of each class found: state 0 intercepted, 1 not, 2 not found. */
MPSV_GUARD_API void mpsv_guard_audit(void (*visit)(const char* class_name, const char* selector,
                                                   int state, const char* why, void* user),
                                     void* user);

#ifdef __cplusplus
}
#endif
#endif
