/* The environment's Booleans, each with its value in `default`: those of `Env` in
 * MPSVerify/Spec/Environment.lean, in its order.  This list is the only one in the native part. */
#ifndef MPSV_ENVIRONMENT_H
#define MPSV_ENVIRONMENT_H

#define MPSV_ENVIRONMENT(FLAG)      \
    FLAG(handlersIntercepted, true) \
    FLAG(handlersTearDown, true)    \
    FLAG(atomicFreelist, true)      \
    FLAG(callersRetain, true)       \
    FLAG(sharedEncoders, true)      \
    FLAG(createReturns, false)

#ifdef __cplusplus
namespace mpsverify {

struct Environment {
#define MPSV_FLAG(name, value) bool name = value;
    MPSV_ENVIRONMENT(MPSV_FLAG)
#undef MPSV_FLAG
};

}  // namespace mpsverify
#endif

#endif
