/* The one name that metal-cpp takes from IOSurface, for compiling without a macOS SDK. */
#pragma once
typedef struct __IOSurface* IOSurfaceRef;
