// From a key (an encoder's address, a stream, a queue) to its lock.
//
// Looking up an existing entry takes no lock and allocates nothing: entries are never freed, only
// used again, so that a reader may follow a stale pointer safely.  A reader that was led astray
// by an entry moving to another chain either misses its key and goes on to the synchronised path,
// or takes the lock of an entry whose key changed and finds that out from `key` under the lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/lock.hpp"

namespace mpsverify {

// A cache line of its own: two encoders never share one.
struct alignas(kCacheLine) Entry {
    Lock lock;
    std::atomic<std::uintptr_t> key{0};  // 0: retired
    std::atomic<Entry*> next{nullptr};
};

class LockTable {
  public:
    LockTable();
    ~LockTable();
    LockTable(const LockTable&) = delete;
    LockTable& operator=(const LockTable&) = delete;

    // The entry of `key` (not 0); made if there is none, one for all threads that ask at once.
    Entry& get(std::uintptr_t key) {
        const std::size_t bucket = hash(key) % kBuckets;
        for (Entry* e = buckets_[bucket].load(std::memory_order_acquire); e != nullptr;
             e = e->next.load(std::memory_order_acquire)) {
            if (e->key.load(std::memory_order_acquire) == key) return *e;
        }
        return insert(key, bucket);
    }

    // The entry of `key`, or null.
    Entry* find(std::uintptr_t key) const;

    // Forgets `key`: its object was deallocated.  The entry serves another key later.
    void retire(std::uintptr_t key);

    std::size_t size() const { return size_.load(std::memory_order_relaxed); }
    std::size_t allocated() const { return allocated_.load(std::memory_order_relaxed); }

    static std::size_t hash(std::uintptr_t key) noexcept {
        // Addresses differ in their middle bits; one multiplication moves those to the top.
        return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ull) >> 40);
    }

  private:
    static constexpr std::size_t kBuckets = 4096;
    static constexpr std::size_t kShards = 64;

    struct alignas(kCacheLine) Shard {
        std::mutex mutex;
        Entry* retired = nullptr;  // linked through `next`
        Entry* owned = nullptr;    // slabs, linked through their first entry's `next`
        std::size_t used = 0;      // entries of the newest slab that are in use
    };

    Entry& insert(std::uintptr_t key, std::size_t bucket);
    Entry* fresh(Shard& shard);

    std::unique_ptr<std::atomic<Entry*>[]> buckets_;
    std::unique_ptr<Shard[]> shards_;
    std::atomic<std::size_t> size_{0};
    std::atomic<std::size_t> allocated_{0};
};

}  // namespace mpsverify
