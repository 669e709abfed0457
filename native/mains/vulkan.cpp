// The same guard on a real GPU API with a real rule: Vulkan's command buffers and pools must be
// externally synchronised, and the validation layer says when they are not.  Runs on a software
// device (lavapipe).  create begins a command buffer, encode records into it, destroy ends it.
//
// Prints one JSON object.  Exit code 5: there is no Vulkan here, with the reason on stderr.
#include <vulkan/vulkan.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "core/guard.hpp"
#include "mains/arguments.hpp"
#include "runs/random.hpp"
#include "strategies.hpp"  // generated from the spec

using namespace mpsverify;

namespace {

constexpr const char* kLayer = "VK_LAYER_KHRONOS_validation";

constexpr std::uint32_t kBarriers = 256;

std::atomic<std::uint64_t> threading{0}, other{0}, performed{0};
std::atomic<std::uint32_t> ready{0};

VKAPI_ATTR VkBool32 VKAPI_CALL message(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                       VkDebugUtilsMessageTypeFlagsEXT,
                                       const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
    const char* name = data->pMessageIdName == nullptr ? "" : data->pMessageIdName;
    const bool races = std::strstr(name, "Threading") != nullptr;
    // Said at once: without a guard the driver may crash before the counts are printed.
    if ((races ? threading : other).fetch_add(1) == 0)
        std::fprintf(stderr, "%s error reported\n", races ? "threading" : "other");
    return VK_FALSE;
}

[[noreturn]] void no_vulkan(const char* what, int code) {
    std::fprintf(stderr, "mpsv_vulkan: %s (%d)\n", what, code);
    std::exit(5);
}
void need(VkResult result, const char* what) {
    if (result != VK_SUCCESS) no_vulkan(what, result);
}

struct Encoder {
    VkCommandPool pool = VK_NULL_HANDLE;
    VkCommandBuffer buffer = VK_NULL_HANDLE;
    std::atomic<bool> live{false};
};

struct Run {
    std::uint32_t threads = 4;
    std::uint32_t encoders = 2;
    std::uint32_t pools = 0;  // 0: one for each encoder; 1: one for all, the shared registry
    std::uint64_t operations = 5000;  // of each thread, at least
    double seconds = 1;               // go on so long, or until the layer has said something
    std::uint64_t seed = 1;
    bool guarded = true;
};

struct Device {
    VkInstance instance = VK_NULL_HANDLE;
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    VkDevice device = VK_NULL_HANDLE;
    std::uint32_t family = 0;
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE] = "";
};

Device open_device() {
    Device d;
    std::uint32_t count = 0;
    vkEnumerateInstanceLayerProperties(&count, nullptr);
    std::vector<VkLayerProperties> layers(count);
    vkEnumerateInstanceLayerProperties(&count, layers.data());
    bool found = false;
    for (const VkLayerProperties& layer : layers) {
        found = found || std::strcmp(layer.layerName, kLayer) == 0;
    }
    if (!found) no_vulkan("the validation layer is not installed", 0);
    const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    VkApplicationInfo application{};
    application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
    application.apiVersion = VK_API_VERSION_1_1;
    VkInstanceCreateInfo instance{};
    instance.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    instance.pApplicationInfo = &application;
    instance.enabledLayerCount = 1;
    instance.ppEnabledLayerNames = &kLayer;
    instance.enabledExtensionCount = 1;
    instance.ppEnabledExtensionNames = extensions;
    need(vkCreateInstance(&instance, nullptr, &d.instance), "no Vulkan instance");
    VkDebugUtilsMessengerCreateInfoEXT messenger{};
    messenger.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
    messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                            VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT;
    messenger.pfnUserCallback = message;
    const auto create = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
        vkGetInstanceProcAddr(d.instance, "vkCreateDebugUtilsMessengerEXT"));
    if (create == nullptr) no_vulkan("no debug messenger", 0);
    need(create(d.instance, &messenger, nullptr, &d.messenger), "no debug messenger");

    count = 0;
    vkEnumeratePhysicalDevices(d.instance, &count, nullptr);
    if (count == 0) no_vulkan("no device", 0);
    std::vector<VkPhysicalDevice> devices(count);
    vkEnumeratePhysicalDevices(d.instance, &count, devices.data());
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(devices[0], &properties);
    std::memcpy(d.name, properties.deviceName, sizeof d.name);
    const float priority = 1.0f;
    VkDeviceQueueCreateInfo queue{};
    queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
    queue.queueCount = 1;
    queue.pQueuePriorities = &priority;
    VkDeviceCreateInfo device{};
    device.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
    device.queueCreateInfoCount = 1;
    device.pQueueCreateInfos = &queue;
    need(vkCreateDevice(devices[0], &device, nullptr, &d.device), "no logical device");
    return d;
}

void perform(Kind kind, Encoder& encoder) {
    switch (kind) {
        case Kind::create: {
            if (encoder.live.load(std::memory_order_relaxed)) return;  // somebody was quicker
            VkCommandBufferBeginInfo begin{};
            begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
            vkBeginCommandBuffer(encoder.buffer, &begin);
            encoder.live.store(true, std::memory_order_relaxed);
            return;
        }
        case Kind::encode: {
            // Many barriers in one call: the longer it takes, the sooner two of them overlap.
            static const std::vector<VkMemoryBarrier> barriers(
                kBarriers, {VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, 0, 0});
            vkCmdPipelineBarrier(encoder.buffer, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                 VK_PIPELINE_STAGE_TRANSFER_BIT, 0, kBarriers, barriers.data(), 0,
                                 nullptr, 0, nullptr);
            return;
        }
        default:
            if (!encoder.live.load(std::memory_order_relaxed)) return;
            encoder.live.store(false, std::memory_order_relaxed);
            vkEndCommandBuffer(encoder.buffer);
    }
}

void client(const Run& run, Guard& guard, Encoder* encoders, std::uint32_t number) {
    Thread::current().stream = number;
    Random random(run.seed * 1000 + number);
    ready.fetch_add(1);
    while (ready.load() < run.threads) std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0;; ++i) {
        if (i >= run.operations) {
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
            if (took.count() >= run.seconds || threading.load() != 0) {
                performed.fetch_add(i);
                return;
            }
        }
        Encoder& encoder = encoders[random.draw(run.encoders)];
        Kind kind = Kind::encode;
        if (!encoder.live.load(std::memory_order_relaxed)) kind = Kind::create;
        else if (random.draw(4) == 0) kind = Kind::destroy;
        if (!run.guarded) {
            perform(kind, encoder);
        } else {
            const Guard::Call call(guard, kind, &encoder);
            if (call) perform(kind, encoder);
        }
        if (random.draw(64) == 0) std::this_thread::yield();
    }
}

}  // namespace

int main(int argc, char** argv) {
    Run run;
    const Strategy* strategy = &kStrategies[0];
    Arguments arguments("mpsv_vulkan", argc, argv);
    arguments.row("strategy", kStrategies, strategy);
    arguments.number("threads", run.threads, 1, 64);
    arguments.number("encoders", run.encoders, 1, 64);
    arguments.number("pools", run.pools, 0, 1);
    arguments.number("operations", run.operations, 0, 1e12);
    arguments.number("seconds", run.seconds, 0, 1e6);
    arguments.number("seed", run.seed, 0, 1e15);
    arguments.flag("guarded", run.guarded);
    if (!arguments.finish()) return 3;
    const Device device = open_device();
    const auto encoders = std::make_unique<Encoder[]>(run.encoders);
    for (std::uint32_t e = 0; e < run.encoders; ++e) {
        if (run.pools == 1 && e > 0) {
            encoders[e].pool = encoders[0].pool;
        } else {
            VkCommandPoolCreateInfo pool{};
            pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
            pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
            pool.queueFamilyIndex = device.family;
            need(vkCreateCommandPool(device.device, &pool, nullptr, &encoders[e].pool), "no pool");
        }
        VkCommandBufferAllocateInfo allocate{};
        allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
        allocate.commandPool = encoders[e].pool;
        allocate.commandBufferCount = 1;
        need(vkAllocateCommandBuffers(device.device, &allocate, &encoders[e].buffer), "no buffer");
    }
    Options options;
    options.alive = [](const void* object, void*) {
        return static_cast<const Encoder*>(object)->live.load(std::memory_order_relaxed);
    };
    Guard guard(strategy->scheme, options);
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < run.threads; ++t) {
        threads.emplace_back(client, std::cref(run), std::ref(guard), encoders.get(), t);
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const Statistics s = guard.statistics();
    std::printf("{\"device\": \"%s\", \"operations\": %llu, \"threading\": %llu, \"other\": %llu, "
                "\"skipped\": %llu, \"contentions\": %llu, \"seconds\": %.3f}\n",
                device.name, static_cast<unsigned long long>(performed.load()),
                static_cast<unsigned long long>(threading.load()),
                static_cast<unsigned long long>(other.load()),
                static_cast<unsigned long long>(s.skipped),
                static_cast<unsigned long long>(s.contentions), took.count());
    std::fflush(stdout);
    std::_Exit(0);  // a broken command buffer may break the tear-down as well
}
