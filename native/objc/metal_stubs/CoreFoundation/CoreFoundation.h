/* The few names that metal-cpp takes from CoreFoundation, for compiling without a macOS SDK. */
#pragma once
typedef double CFTimeInterval;
typedef const struct __CFString* CFStringRef;
typedef const void* CFTypeRef;
