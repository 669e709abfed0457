/* The C ABI of the native part: the guard under its deterministic scheduler.
 * Strings that are returned stay valid until the next call on the same handle. */
#ifndef MPSV_H
#define MPSV_H

#include <stdint.h>

#include "core/environment.h"

#if defined(__GNUC__)
#define MPSV_API __attribute__((visibility("default")))
#else
#define MPSV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPSV_ABI 1
enum { MPSV_NONE = 255, MPSV_FAULTS = 8, MPSV_KINDS = 4, MPSV_MAX_REQUESTS = 4 };

/* One lock scheme.  Kinds, scopes and modes are numbered as the spec's vocabulary lists them. */
typedef struct {
    uint8_t check;
    uint8_t count[4];
    uint8_t scope[4][4];
    uint8_t mode[4][4];
} mpsv_scheme;

typedef struct {
    uint32_t threads, encoders, blocks;  /* at most 8, 8, 16 */
#define MPSV_FLAG(name, value) uint8_t name;
    MPSV_ENVIRONMENT(MPSV_FLAG)
#undef MPSV_FLAG
    uint8_t assert_held;
    uint32_t stream[8]; /* of a thread */
    uint32_t home[8];   /* thread of an encoder, where encoders are not shared */
    uint32_t queue[8];  /* of an encoder */
} mpsv_config;

typedef struct {
    uint8_t thread, encoder, kind, step, pc, block, skipped, unused;
} mpsv_event;

/* The whole state, MPSV_NONE for none. */
typedef struct {
    uint8_t impl[8], alive[8];
    uint8_t owner[16], ready[16];
    uint8_t pc[8], kind[8], encoder[8], block[8];
} mpsv_state;

/* A step between states (numbers in mpsv_graph's order); or, with event.step MPSV_NONE, a thread
 * whose next step crashes: event.block is the fault. */
typedef struct {
    uint32_t source, target;
    mpsv_event event;
} mpsv_edge;

typedef struct {
    uint64_t schedules, steps, deadlocks, skipped, unexplained, failures, parallel;
    uint64_t faults[8];
    uint8_t complete;
    double seconds;
    char first[8][512];
    char deadlock[512];
    char failure[128];
} mpsv_outcome;

MPSV_API uint32_t mpsv_abi(void);

/* The shipped strategies, from the generated table. */
MPSV_API uint32_t mpsv_strategy_count(void);
MPSV_API const char* mpsv_strategy_name(uint32_t index);
MPSV_API void mpsv_strategy_scheme(uint32_t index, mpsv_scheme* scheme);

/* Names of the numbers in events and states; null past the end. */
MPSV_API const char* mpsv_step_name(uint32_t step);
MPSV_API const char* mpsv_pc_name(uint32_t pc);
MPSV_API const char* mpsv_fault_name(uint32_t fault);
MPSV_API const char* mpsv_kind_name(uint32_t kind);

/* A session; null if the configuration is out of range. */
typedef struct mpsv_session mpsv_session;
MPSV_API mpsv_session* mpsv_session_new(const mpsv_config* config, const mpsv_scheme* scheme);
MPSV_API void mpsv_session_free(mpsv_session* session);
MPSV_API void mpsv_session_reset(mpsv_session* session);

/* Results: 0 stepped, 1 waits for a lock, 2 waits for a block, 3 crashes, 4 not possible. */
MPSV_API int mpsv_dispatch(mpsv_session* session, uint32_t thread, uint32_t kind,
                           uint32_t encoder);
MPSV_API int mpsv_step(mpsv_session* session, uint32_t thread, uint32_t block);
MPSV_API int mpsv_drop(mpsv_session* session, uint32_t encoder);
/* Whether they can be done now; for a step the number of free blocks it picks among. */
MPSV_API int mpsv_can_dispatch(mpsv_session* session, uint32_t thread, uint32_t kind,
                               uint32_t encoder);
MPSV_API int mpsv_can_drop(mpsv_session* session, uint32_t encoder);
MPSV_API uint32_t mpsv_choices(mpsv_session* session, uint32_t thread, uint8_t blocks[16]);

MPSV_API void mpsv_get_state(mpsv_session* session, mpsv_state* state);
/* The fault of a thread whose last try crashed, or MPSV_NONE. */
MPSV_API uint32_t mpsv_thread_fault(mpsv_session* session, uint32_t thread);
MPSV_API const mpsv_event* mpsv_trace(mpsv_session* session, uint64_t* count);
/* Bit set of faults seen, the guard's failure or null, and skipped calls since the reset. */
MPSV_API uint32_t mpsv_faults(mpsv_session* session);
MPSV_API const char* mpsv_failure(mpsv_session* session);
MPSV_API uint64_t mpsv_skipped(mpsv_session* session, uint64_t* unexplained);

/* Runs a schedule from the initial state.  Null, or what is wrong with it. */
MPSV_API const char* mpsv_run(mpsv_session* session, const char* schedule);
/* Every schedule of a program with at most so many preemptions.  Null, or what is wrong. */
MPSV_API const char* mpsv_explore(mpsv_session* session, const char* program,
                                  uint32_t preemptions, uint64_t schedules, double seconds,
                                  mpsv_outcome* outcome);
/* Every state that any client and schedule can reach, and every step: the arrays are the handle's
 * until it is freed or this is called again.  0 if there are more than max_states. */
MPSV_API int mpsv_graph(mpsv_session* session, uint64_t max_states, const mpsv_state** states,
                        uint64_t* state_count, const mpsv_edge** edges, uint64_t* edge_count);
/* Random schedules of a program. */
MPSV_API const char* mpsv_walk(mpsv_session* session, const char* program, uint64_t seed,
                               uint64_t schedules, double seconds, mpsv_outcome* outcome);

#ifdef __cplusplus
}
#endif
#endif
