#include "objc/interpose.hpp"

#include <objc/runtime.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <type_traits>

#include "objc/block.hpp"
#include "objc/encoding.hpp"

namespace mpsverify::objc {
namespace {

using Untyped = void (*)(void);

enum class Protocol {
    CommandEncoder,
    ComputeCommandEncoder,
    BlitCommandEncoder,
    ResourceStateCommandEncoder,
    CommandBuffer,
    Private,  // what is in no header
};

enum class Role { create, encode, destroy, teardown, dealloc, wait, handler, pass };

constexpr int kSlots = 12;  // classes that can have trampolines of their own

std::atomic<Guard*> active{nullptr};

// What a trampoline does for its role around the original.
template <Role role, class R, class Original, class... A>
R enter(Guard& guard, void* self, Original original, SEL command, A... arguments) {
    if constexpr (role == Role::wait) {
        return guard.unlocked([&] { return original(self, command, arguments...); });
    } else if constexpr (role == Role::handler) {
        static_assert(std::is_same_v<std::tuple<A...>, std::tuple<Pointer>>);
        if (!has_blocks() || ((arguments == nullptr) || ...)) {
            return original(self, command, arguments...);
        }
        HandlerBlock wrapped(arguments...);
        return original(self, command, &wrapped.block);
    } else if constexpr (role == Role::dealloc) {
        // First, so that an object made at the same address meanwhile has a lock of its own.
        guard.retire(self);
        return original(self, command, arguments...);
    } else {
        Kind kind = Kind::encode;
        if constexpr (role == Role::create) kind = Kind::create;
        if constexpr (role == Role::destroy || role == Role::teardown) {
            // Inside endEncoding the teardown is part of that call; alone it is the driver's own
            // completion handler, and in a client's handler everything is.
            const Thread& thread = Thread::current();
            const bool own = role == Role::destroy || thread.open != 0;
            kind = own && thread.handlers == 0 ? Kind::destroy : Kind::complete;
        }
        const Guard::Call call(guard, kind, self);
        if (!call) return R();
        return original(self, command, arguments...);
    }
}

// The trampolines of one selector, one per class slot.
template <int row, Role role, class R, class... A>
struct Trampolines {
    using Function = R (*)(void*, SEL, A...);

    static inline std::atomic<Untyped> originals[kSlots] = {};

    template <int slot>
    static R call(void* self, SEL command, A... arguments) {
        const auto original =
            reinterpret_cast<Function>(originals[slot].load(std::memory_order_acquire));
        return enter<role, R>(*active.load(std::memory_order_acquire), self, original, command,
                              arguments...);
    }

    template <int... slots>
    static Untyped at(int slot, std::integer_sequence<int, slots...>) {
        static const Untyped all[] = {reinterpret_cast<Untyped>(&call<slots>)...};
        return all[slot];
    }
    static Untyped trampoline(int slot) {
        return at(slot, std::make_integer_sequence<int, kSlots>());
    }
};

struct Row {
    Protocol protocol;
    const char* selector;
    Role role;
    std::string shape;
    Untyped (*trampoline)(int slot);  // null for Role::pass
    std::atomic<Untyped>* originals;
};

template <int row, Role role, class R, class... A>
Row make(Protocol protocol, const char* selector) {
    Row made{protocol, selector, role, shape_of<R, A...>(), nullptr, nullptr};
    if constexpr (role != Role::pass) {
        using Mine = Trampolines<row, role, R, A...>;
        made.trampoline = &Mine::trampoline;
        made.originals = Mine::originals;
    }
    return made;
}

const std::vector<Row>& rows() {
    static const std::vector<Row> all = [] {
        std::vector<Row> made;
#define MPSV_SELECTOR(protocol, selector, role, ...) \
    made.push_back(make<__LINE__, Role::role, __VA_ARGS__>(Protocol::protocol, selector));
#include "objc/selectors.inc"
#undef MPSV_SELECTOR
        // Rows above are told apart by their line in selectors.inc, these by numbers beyond it.
        made.push_back(make<100001, Role::teardown, void>(Protocol::Private, "destroyImpl"));
        made.push_back(make<100002, Role::dealloc, void>(Protocol::Private, "dealloc"));
        return made;
    }();
    return all;
}

// A class is a driver class of a protocol if it implements these itself.
struct Signs {
    Protocol protocol;
    const char* selectors[2];
};
constexpr Signs kSigns[] = {
    {Protocol::ComputeCommandEncoder,
     {"setComputePipelineState:", "dispatchThreadgroups:threadsPerThreadgroup:"}},
    {Protocol::BlitCommandEncoder,
     {"fillBuffer:range:value:",
      "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:"}},
    {Protocol::ResourceStateCommandEncoder,
     {"updateFence:", "updateTextureMapping:mode:region:mipLevel:slice:"}},
    {Protocol::CommandBuffer, {"commit", "computeCommandEncoder"}},
};

struct Methods {
    explicit Methods(Class cls) : list(class_copyMethodList(cls, &count)) {}
    ~Methods() { std::free(list); }
    Methods(const Methods&) = delete;
    Methods& operator=(const Methods&) = delete;
    Method find(const char* selector) const {
        for (unsigned i = 0; i < count; ++i) {
            if (std::strcmp(sel_getName(method_getName(list[i])), selector) == 0) return list[i];
        }
        return nullptr;
    }
    unsigned count = 0;
    Method* list;
};

struct Known {
    int slot;  // -1: there was none left
    std::vector<Protocol> protocols;
    std::ptrdiff_t impl = -1;  // offset of _impl, or -1
    std::map<std::string, std::string> why;  // selectors that it has but that are not intercepted
    std::map<std::string, bool> has;         // own selectors of the table: whether intercepted
};

struct State {
    std::mutex mutex;
    std::map<Class, Known> classes;
    std::vector<Class> found;  // those that a sign pointed to, without their super classes
    std::unique_ptr<Guard> guard;
    Options options;
    int slots = 0;
};

State& state() {
    static State* const made = new State;  // never destroyed: trampolines run until the end
    return *made;
}

// Read without a lock by `alive`: written before the class's first trampoline is in place.
constexpr int kImpls = 256;
struct ImplOffset {
    std::atomic<Class> cls{nullptr};
    std::ptrdiff_t offset = -1;
};
ImplOffset impl_offsets[kImpls];

void remember_impl(Class cls, std::ptrdiff_t offset) {
    for (int i = 0; i < kImpls; ++i) {
        if (impl_offsets[i].cls.load(std::memory_order_relaxed) != nullptr) continue;
        impl_offsets[i].offset = offset;
        impl_offsets[i].cls.store(cls, std::memory_order_release);
        return;
    }
}

// Whether the object's context is there: what its _impl says, or true where it has none.
bool alive(const void* object, void*) {
    auto* const self = static_cast<id>(const_cast<void*>(object));
    const Class cls = object_getClass(self);
    for (int i = 0; i < kImpls; ++i) {
        const Class known = impl_offsets[i].cls.load(std::memory_order_acquire);
        if (known == nullptr) return true;
        if (known == cls) {
            void* impl = nullptr;
            std::memcpy(&impl, static_cast<const char*>(object) + impl_offsets[i].offset,
                        sizeof impl);
            return impl != nullptr;
        }
    }
    return true;
}

bool implements(const Methods& methods, const Signs& signs) {
    for (const char* selector : signs.selectors) {
        if (methods.find(selector) == nullptr) return false;
    }
    return true;
}

bool wanted(const Row& row, const std::vector<Protocol>& protocols) {
    const bool buffer = protocols.size() == 1 && protocols[0] == Protocol::CommandBuffer;
    if (row.protocol == Protocol::Private) return !buffer || row.role == Role::dealloc;
    if (row.protocol == Protocol::CommandEncoder) return !buffer;
    for (const Protocol protocol : protocols) {
        if (row.protocol == protocol) return true;
    }
    return false;
}

// Intercepts what one class of a chain implements itself.
std::size_t intercept(State& s, Class cls, const std::vector<Protocol>& protocols) {
    const auto [place, fresh] = s.classes.try_emplace(cls);
    Known& known = place->second;
    if (fresh) {
        known.slot = s.slots < kSlots ? s.slots++ : -1;
        if (const Ivar impl = class_getInstanceVariable(cls, "_impl")) {
            known.impl = ivar_getOffset(impl);
            remember_impl(cls, known.impl);
        }
    }
    for (const Protocol protocol : protocols) {
        bool listed = false;
        for (const Protocol p : known.protocols) listed = listed || p == protocol;
        if (!listed) known.protocols.push_back(protocol);
    }
    std::size_t count = 0;
    const Methods methods(cls);
    for (const Row& row : rows()) {
        if (!wanted(row, known.protocols) || known.has.count(row.selector) != 0) continue;
        const Method method = methods.find(row.selector);
        if (method == nullptr) continue;
        const std::string shape = shape_of_encoding(method_getTypeEncoding(method));
        if (row.role == Role::pass) continue;
        known.has[row.selector] = false;
        if (known.slot < 0) {
            known.why[row.selector] = "more driver classes than trampolines";
        } else if (shape != row.shape) {
            known.why[row.selector] = "signature " + shape + ", not " + row.shape;
        } else {
            // The original is in place before the first call can come through the trampoline.
            row.originals[known.slot].store(
                reinterpret_cast<Untyped>(method_getImplementation(method)),
                std::memory_order_release);
            method_setImplementation(method, reinterpret_cast<IMP>(row.trampoline(known.slot)));
            known.has[row.selector] = true;
            ++count;
        }
    }
    return count;
}

// A class whose chain implements no dealloc of its own gets one, or its locks would be kept.
std::size_t add_dealloc(State& s, Class cls) {
    const SEL selector = sel_registerName("dealloc");
    for (Class c = cls; c != nullptr; c = class_getSuperclass(c)) {
        const auto known = s.classes.find(c);
        if (known != s.classes.end() && known->second.has.count("dealloc") != 0) return 0;
    }
    Known& known = s.classes[cls];
    const Method inherited = class_getInstanceMethod(cls, selector);
    if (known.slot < 0 || inherited == nullptr) return 0;
    for (const Row& row : rows()) {
        if (row.role != Role::dealloc) continue;
        row.originals[known.slot].store(
            reinterpret_cast<Untyped>(method_getImplementation(inherited)),
            std::memory_order_release);
        known.has["dealloc"] = class_addMethod(cls, selector,
                                               reinterpret_cast<IMP>(row.trampoline(known.slot)),
                                               method_getTypeEncoding(inherited));
        return 1;
    }
    return 0;
}

bool matches(const char* name, const char* const* patterns) {
    for (; patterns != nullptr && *patterns != nullptr; ++patterns) {
        if (std::strncmp(name, *patterns, std::strlen(*patterns)) == 0) return true;
    }
    return false;
}

}  // namespace

Guard* guard() { return active.load(std::memory_order_acquire); }

std::size_t install(const Scheme& scheme, const Options& options,
                    const char* const* class_patterns) {
    State& s = state();
    const std::lock_guard<std::mutex> held(s.mutex);
    if (s.guard == nullptr) {
        s.options = options;
        if (s.options.alive == nullptr) s.options.alive = alive;
        s.guard = std::make_unique<Guard>(scheme, s.options);
        active.store(s.guard.get(), std::memory_order_release);
    }
    std::size_t count = 0;
    const int classes = objc_getClassList(nullptr, 0);
    std::vector<Class> all(static_cast<std::size_t>(classes > 0 ? classes : 0));
    const int filled = objc_getClassList(all.data(), classes);
    for (int i = 0; i < filled && i < classes; ++i) {
        const Class cls = all[static_cast<std::size_t>(i)];
        std::vector<Protocol> protocols;
        {
            const Methods methods(cls);
            for (const Signs& signs : kSigns) {
                if (implements(methods, signs)) protocols.push_back(signs.protocol);
            }
            if (matches(class_getName(cls), class_patterns) && protocols.empty()) {
                protocols.push_back(Protocol::CommandEncoder);
            }
        }
        if (protocols.empty()) continue;
        bool listed = false;
        for (const Class known : s.found) listed = listed || known == cls;
        if (!listed) s.found.push_back(cls);
        // Up the chain, but not into the root class: everything inherits its dealloc.
        for (Class c = cls; c != nullptr && class_getSuperclass(c) != nullptr;
             c = class_getSuperclass(c)) {
            count += intercept(s, c, protocols);
        }
        count += add_dealloc(s, cls);
    }
    return count;
}

std::vector<Finding> audit() {
    State& s = state();
    const std::lock_guard<std::mutex> held(s.mutex);
    std::vector<Finding> findings;
    for (const Class cls : s.found) {
        const Known& top = s.classes[cls];
        for (const Row& row : rows()) {
            if (row.role == Role::pass || !wanted(row, top.protocols)) continue;
            Finding finding{Finding::What::not_found, class_getName(cls), row.selector, ""};
            for (Class c = cls; c != nullptr; c = class_getSuperclass(c)) {
                const auto known = s.classes.find(c);
                if (known == s.classes.end()) break;
                const auto own = known->second.has.find(row.selector);
                if (own == known->second.has.end()) continue;
                finding.what = own->second ? Finding::What::intercepted
                                           : Finding::What::not_intercepted;
                const auto why = known->second.why.find(row.selector);
                if (why != known->second.why.end()) finding.why = why->second;
                break;
            }
            findings.push_back(std::move(finding));
        }
        // Public methods that are in no table: nobody knows whether they touch the encoder.
        for (Class c = cls; c != nullptr && class_getSuperclass(c) != nullptr;
             c = class_getSuperclass(c)) {
            const Methods methods(c);
            for (unsigned i = 0; i < methods.count; ++i) {
                const std::string name = sel_getName(method_getName(methods.list[i]));
                bool listed = name[0] == '.' || name[0] == '_';  // .cxx_destruct and the like
                for (const Row& row : rows()) listed = listed || name == row.selector;
                if (!listed) {
                    findings.push_back({Finding::What::not_intercepted, class_getName(cls), name,
                                        "not in the table"});
                }
            }
        }
        if (top.impl < 0 && !(top.protocols.size() == 1 &&
                              top.protocols[0] == Protocol::CommandBuffer)) {
            findings.push_back({Finding::What::not_found, class_getName(cls), "_impl",
                                "no instance variable of this name: liveness cannot be checked"});
        }
    }
    return findings;
}

}  // namespace mpsverify::objc
