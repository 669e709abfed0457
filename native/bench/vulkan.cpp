// Vulkan.  A queue is a logical device with one VkQueue: lavapipe and many others have one queue
// of a family, and vkQueueSubmit needs external synchronisation, so that threads with a queue each
// need a device each.  An encoder is a command buffer with its pool, fence and buffer.
#include <vulkan/vulkan.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "bench/driver.hpp"

namespace mpsverify::bench {
namespace {

constexpr std::uint32_t kShader[] = {
#include "bench/advance.spv.inc"
};

void need(VkResult result, const char* what) {
    if (result != VK_SUCCESS) {
        throw std::runtime_error(std::string(what) + ": VkResult " + std::to_string(result));
    }
}
void open(VkResult result, const char* what) {
    if (result != VK_SUCCESS) {
        throw Unavailable(std::string(what) + ": VkResult " + std::to_string(result));
    }
}

struct Arguments {
    std::uint32_t elements, iterations, multiplier, increment;
};

// A structure with its sType set and everything else zero.
template <class T>
T make(VkStructureType type) {
    T value{};
    value.sType = type;
    return value;
}

struct Physical {
    VkPhysicalDevice device = VK_NULL_HANDLE;
    std::uint32_t family = 0;
    double nanoseconds_per_tick = 0;  // 0: the queue has no clock
};

class DeviceQueue final : public Queue {
  public:
    explicit DeviceQueue(const Physical& on) : physical(on) {
        const float priority = 1.0f;
        auto wanted = make<VkDeviceQueueCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO);
        wanted.queueFamilyIndex = on.family;
        wanted.queueCount = 1;
        wanted.pQueuePriorities = &priority;
        auto info = make<VkDeviceCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO);
        info.queueCreateInfoCount = 1;
        info.pQueueCreateInfos = &wanted;
        need(vkCreateDevice(on.device, &info, nullptr, &device), "vkCreateDevice");
        vkGetDeviceQueue(device, on.family, 0, &queue_);
        make_pipeline();
    }
    ~DeviceQueue() override {
        vkDestroyPipeline(device, pipeline, nullptr);
        vkDestroyPipelineLayout(device, layout, nullptr);
        vkDestroyDescriptorSetLayout(device, bindings, nullptr);
        vkDestroyDevice(device, nullptr);
    }

    void submit(VkCommandBuffer buffer, VkFence fence) {
        auto info = make<VkSubmitInfo>(VK_STRUCTURE_TYPE_SUBMIT_INFO);
        info.commandBufferCount = 1;
        info.pCommandBuffers = &buffer;
        const std::lock_guard<std::mutex> lock(mutex_);  // Vulkan's rule, not a strategy
        need(vkQueueSubmit(queue_, 1, &info, fence), "vkQueueSubmit");
    }
    void drain() override {
        const std::lock_guard<std::mutex> lock(mutex_);
        need(vkQueueWaitIdle(queue_), "vkQueueWaitIdle");
    }

    const Physical physical;
    VkDevice device = VK_NULL_HANDLE;
    VkDescriptorSetLayout bindings = VK_NULL_HANDLE;
    VkPipelineLayout layout = VK_NULL_HANDLE;
    VkPipeline pipeline = VK_NULL_HANDLE;

  private:
    void make_pipeline() {
        VkDescriptorSetLayoutBinding binding{};
        binding.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        binding.descriptorCount = 1;
        binding.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
        auto set = make<VkDescriptorSetLayoutCreateInfo>(
            VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO);
        set.bindingCount = 1;
        set.pBindings = &binding;
        need(vkCreateDescriptorSetLayout(device, &set, nullptr, &bindings), "set layout");
        const VkPushConstantRange range{VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(Arguments)};
        auto both = make<VkPipelineLayoutCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO);
        both.setLayoutCount = 1;
        both.pSetLayouts = &bindings;
        both.pushConstantRangeCount = 1;
        both.pPushConstantRanges = &range;
        need(vkCreatePipelineLayout(device, &both, nullptr, &layout), "pipeline layout");
        auto code = make<VkShaderModuleCreateInfo>(VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
        code.codeSize = sizeof kShader;
        code.pCode = kShader;
        VkShaderModule module = VK_NULL_HANDLE;
        need(vkCreateShaderModule(device, &code, nullptr, &module), "shader");
        auto info = make<VkComputePipelineCreateInfo>(
            VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO);
        info.layout = layout;
        info.stage = make<VkPipelineShaderStageCreateInfo>(
            VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO);
        info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
        info.stage.module = module;
        info.stage.pName = "main";
        need(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, nullptr, &pipeline),
             "pipeline");
        vkDestroyShaderModule(device, module, nullptr);
    }

    VkQueue queue_ = VK_NULL_HANDLE;
    std::mutex mutex_;
};

class CommandBuffer final : public Encoder {
  public:
    CommandBuffer(DeviceQueue& queue, std::uint32_t elements) : queue_(queue), elements_(elements) {
        make_words();
        make_set();
        auto pool = make<VkCommandPoolCreateInfo>(VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
        pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
        pool.queueFamilyIndex = queue.physical.family;
        need(vkCreateCommandPool(device(), &pool, nullptr, &pool_), "command pool");
        auto wanted = make<VkCommandBufferAllocateInfo>(
            VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
        wanted.commandPool = pool_;
        wanted.commandBufferCount = 1;
        need(vkAllocateCommandBuffers(device(), &wanted, &buffer_), "command buffer");
        const auto fence = make<VkFenceCreateInfo>(VK_STRUCTURE_TYPE_FENCE_CREATE_INFO);
        need(vkCreateFence(device(), &fence, nullptr, &fence_), "fence");
        auto queries = make<VkQueryPoolCreateInfo>(VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO);
        queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
        queries.queryCount = 2;
        need(vkCreateQueryPool(device(), &queries, nullptr, &queries_), "query pool");
    }
    ~CommandBuffer() override {
        vkDestroyQueryPool(device(), queries_, nullptr);
        vkDestroyFence(device(), fence_, nullptr);
        vkDestroyCommandPool(device(), pool_, nullptr);
        vkDestroyDescriptorPool(device(), sets_, nullptr);
        vkDestroyBuffer(device(), words_, nullptr);
        vkFreeMemory(device(), memory_, nullptr);
    }

    void create() override {
        auto begin = make<VkCommandBufferBeginInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
        begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
        need(vkBeginCommandBuffer(buffer_, &begin), "vkBeginCommandBuffer");
    }
    void encode(std::uint32_t iterations) override {
        const Arguments arguments{elements_, iterations, kMultiplier, kIncrement};
        vkCmdBindPipeline(buffer_, VK_PIPELINE_BIND_POINT_COMPUTE, queue_.pipeline);
        vkCmdBindDescriptorSets(buffer_, VK_PIPELINE_BIND_POINT_COMPUTE, queue_.layout, 0, 1, &set_,
                                0, nullptr);
        vkCmdPushConstants(buffer_, queue_.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof arguments,
                           &arguments);
        const std::uint32_t groups = (elements_ + kGroup - 1) / kGroup;
        const std::uint32_t rows = (groups + kMaxGroups - 1) / kMaxGroups;
        barrier(VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_HOST_WRITE_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);
        vkCmdDispatch(buffer_, (groups + rows - 1) / rows, rows, 1);
        barrier(VK_ACCESS_SHADER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT);
    }
    void destroy(Wait wait) override {
        need(vkEndCommandBuffer(buffer_), "vkEndCommandBuffer");
        queue_.submit(buffer_, wait == Wait::drain ? VK_NULL_HANDLE : fence_);
    }
    void wait(Wait wait) override {
        VkResult result = VK_NOT_READY;
        if (wait == Wait::spin) {
            while ((result = vkGetFenceStatus(device(), fence_)) == VK_NOT_READY) {
                std::this_thread::yield();
            }
        } else {
            result = vkWaitForFences(device(), 1, &fence_, VK_TRUE, ~0ull);
        }
        need(result, "wait for the fence");
        need(vkResetFences(device(), 1, &fence_), "vkResetFences");
    }

    void write(const std::uint32_t* words) override {
        std::copy(words, words + elements_, mapped_);
    }
    void read(std::uint32_t* words) override { std::copy(mapped_, mapped_ + elements_, words); }

    double execution_ns(std::uint32_t iterations) override {
        create();
        vkCmdResetQueryPool(buffer_, queries_, 0, 2);
        vkCmdWriteTimestamp(buffer_, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, queries_, 0);
        encode(iterations);
        vkCmdWriteTimestamp(buffer_, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, queries_, 1);
        destroy(Wait::block);
        wait(Wait::block);
        if (queue_.physical.nanoseconds_per_tick == 0) return -1;
        std::uint64_t ticks[2];
        need(vkGetQueryPoolResults(device(), queries_, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                   VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
             "timestamps");
        return static_cast<double>(ticks[1] - ticks[0]) * queue_.physical.nanoseconds_per_tick;
    }

  private:
    static constexpr std::uint32_t kMaxGroups = 65535;

    VkDevice device() const { return queue_.device; }

    void barrier(VkAccessFlags before, VkAccessFlags after, VkPipelineStageFlags from,
                 VkPipelineStageFlags to) {
        auto memory = make<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
        memory.srcAccessMask = before;
        memory.dstAccessMask = after;
        vkCmdPipelineBarrier(buffer_, from, to, 0, 1, &memory, 0, nullptr, 0, nullptr);
    }

    void make_words() {
        auto info = make<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
        info.size = VkDeviceSize{elements_} * sizeof(std::uint32_t);
        info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
        need(vkCreateBuffer(device(), &info, nullptr, &words_), "buffer");
        VkMemoryRequirements needs;
        vkGetBufferMemoryRequirements(device(), words_, &needs);
        VkPhysicalDeviceMemoryProperties has;
        vkGetPhysicalDeviceMemoryProperties(queue_.physical.device, &has);
        // Coherent, so that no flush hides in a measurement; near the device, if there is a choice.
        constexpr VkMemoryPropertyFlags kMapped =
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        std::uint32_t type = has.memoryTypeCount;
        for (const VkMemoryPropertyFlags wanted :
             {kMapped | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, kMapped}) {
            for (std::uint32_t i = 0; i < has.memoryTypeCount && type == has.memoryTypeCount; ++i) {
                const bool usable = (needs.memoryTypeBits >> i & 1) != 0;
                if (usable && (has.memoryTypes[i].propertyFlags & wanted) == wanted) type = i;
            }
        }
        if (type == has.memoryTypeCount) throw std::runtime_error("no memory the host can map");
        auto memory = make<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
        memory.allocationSize = needs.size;
        memory.memoryTypeIndex = type;
        need(vkAllocateMemory(device(), &memory, nullptr, &memory_), "vkAllocateMemory");
        need(vkBindBufferMemory(device(), words_, memory_, 0), "vkBindBufferMemory");
        void* mapped = nullptr;
        need(vkMapMemory(device(), memory_, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
        mapped_ = static_cast<std::uint32_t*>(mapped);
    }

    void make_set() {
        const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
        auto pool = make<VkDescriptorPoolCreateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO);
        pool.maxSets = 1;
        pool.poolSizeCount = 1;
        pool.pPoolSizes = &size;
        need(vkCreateDescriptorPool(device(), &pool, nullptr, &sets_), "descriptor pool");
        auto wanted = make<VkDescriptorSetAllocateInfo>(
            VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO);
        wanted.descriptorPool = sets_;
        wanted.descriptorSetCount = 1;
        wanted.pSetLayouts = &queue_.bindings;
        need(vkAllocateDescriptorSets(device(), &wanted, &set_), "descriptor set");
        const VkDescriptorBufferInfo whole{words_, 0, VK_WHOLE_SIZE};
        auto write = make<VkWriteDescriptorSet>(VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET);
        write.dstSet = set_;
        write.descriptorCount = 1;
        write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        write.pBufferInfo = &whole;
        vkUpdateDescriptorSets(device(), 1, &write, 0, nullptr);
    }

    DeviceQueue& queue_;
    std::uint32_t elements_;
    std::uint32_t* mapped_ = nullptr;
    VkBuffer words_ = VK_NULL_HANDLE;
    VkDeviceMemory memory_ = VK_NULL_HANDLE;
    VkDescriptorPool sets_ = VK_NULL_HANDLE;
    VkDescriptorSet set_ = VK_NULL_HANDLE;
    VkCommandPool pool_ = VK_NULL_HANDLE;
    VkCommandBuffer buffer_ = VK_NULL_HANDLE;
    VkFence fence_ = VK_NULL_HANDLE;
    VkQueryPool queries_ = VK_NULL_HANDLE;
};

class Vulkan final : public Driver {
  public:
    Vulkan() {
        auto application = make<VkApplicationInfo>(VK_STRUCTURE_TYPE_APPLICATION_INFO);
        application.apiVersion = VK_API_VERSION_1_1;
        auto info = make<VkInstanceCreateInfo>(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
        info.pApplicationInfo = &application;
        open(vkCreateInstance(&info, nullptr, &instance_), "no Vulkan instance");
        std::uint32_t count = 0;
        open(vkEnumeratePhysicalDevices(instance_, &count, nullptr), "no Vulkan device");
        std::vector<VkPhysicalDevice> devices(count);
        open(vkEnumeratePhysicalDevices(instance_, &count, devices.data()), "no Vulkan device");
        // The loader lists the system's preference first.
        for (const VkPhysicalDevice device : devices) {
            if (choose(device)) return;
        }
        throw Unavailable("no Vulkan device with a compute queue");
    }
    ~Vulkan() override { vkDestroyInstance(instance_, nullptr); }

    std::vector<std::pair<std::string, std::string>> describe() override {
        const std::uint32_t api = properties_.apiVersion;
        return {
            {"device", properties_.deviceName},
            {"details", properties_.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU
                            ? "a software device: it computes on this machine's processors"
                            : "a hardware device"},
            {"api", "Vulkan " + std::to_string(VK_VERSION_MAJOR(api)) + "." +
                        std::to_string(VK_VERSION_MINOR(api)) + "." +
                        std::to_string(VK_VERSION_PATCH(api)) + ", driver " +
                        std::to_string(properties_.driverVersion)},
            {"queue", "a logical device with its one VkQueue"},
            {"encoder", "a command buffer with its own pool, fence and storage buffer"},
            {"create", "vkBeginCommandBuffer"},
            {"encode", "bind, push constants, barriers, vkCmdDispatch"},
            {"destroy", "vkEndCommandBuffer and vkQueueSubmit"},
            {"wait", "spin: vkGetFenceStatus and yield; block: vkWaitForFences; drain: "
                     "vkQueueWaitIdle"},
            {"execution", "timestamps before and after the dispatch"},
            {"shared_queue", "one VkQueue; vkQueueSubmit is under a mutex, as Vulkan demands"},
            {"safety", "clients keep Vulkan's rules: no evidence about strategies"},
        };
    }
    std::unique_ptr<Queue> queue() override { return std::make_unique<DeviceQueue>(physical_); }
    std::unique_ptr<Encoder> encoder(Queue& queue, std::uint32_t elements) override {
        return std::make_unique<CommandBuffer>(static_cast<DeviceQueue&>(queue), elements);
    }

  private:
    bool choose(VkPhysicalDevice device) {
        std::uint32_t count = 0;
        vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
        std::vector<VkQueueFamilyProperties> families(count);
        vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
        for (std::uint32_t f = 0; f < count; ++f) {
            if ((families[f].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) continue;
            vkGetPhysicalDeviceProperties(device, &properties_);
            physical_.device = device;
            physical_.family = f;
            if (families[f].timestampValidBits == 64) {
                physical_.nanoseconds_per_tick = properties_.limits.timestampPeriod;
            }
            return true;
        }
        return false;
    }

    VkInstance instance_ = VK_NULL_HANDLE;
    VkPhysicalDeviceProperties properties_{};
    Physical physical_;
};

}  // namespace

std::unique_ptr<Driver> open_driver() { return std::make_unique<Vulkan>(); }

}  // namespace mpsverify::bench
