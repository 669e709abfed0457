#version 450
// The workload of driver.hpp.  advance.spv.inc is this file compiled:
//   glslangValidator -V --target-env vulkan1.1 -x -o advance.spv.inc advance.comp
layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) buffer Words { uint words[]; };
layout(push_constant) uniform Arguments { uint elements, iterations, multiplier, increment; };

void main() {
    // Two dimensions of groups: a device need not allow more than 65,535 in one.
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint i = group * 256 + gl_LocalInvocationID.x;
    if (i >= elements) return;
    uint x = words[i];
    for (uint k = 0; k < iterations; ++k) x = x * multiplier + increment;
    words[i] = x;
}
