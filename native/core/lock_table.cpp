#include "core/lock_table.hpp"

namespace mpsverify {
namespace {

constexpr std::size_t kSlab = 64;  // entries made at once; the first links the slabs

}  // namespace

LockTable::LockTable()
    : buckets_(new std::atomic<Entry*>[kBuckets]()), shards_(new Shard[kShards]) {}

LockTable::~LockTable() {
    for (std::size_t i = 0; i < kShards; ++i) {
        for (Entry* slab = shards_[i].owned; slab != nullptr;) {
            Entry* next = slab->next.load(std::memory_order_relaxed);
            delete[] slab;
            slab = next;
        }
    }
}

Entry* LockTable::find(std::uintptr_t key) const {
    for (Entry* e = buckets_[hash(key) % kBuckets].load(std::memory_order_acquire); e != nullptr;
         e = e->next.load(std::memory_order_acquire)) {
        if (e->key.load(std::memory_order_acquire) == key) return e;
    }
    return nullptr;
}

Entry* LockTable::fresh(Shard& shard) {
    if (shard.retired != nullptr) {
        Entry* e = shard.retired;
        shard.retired = e->next.load(std::memory_order_relaxed);
        return e;
    }
    if (shard.owned == nullptr || shard.used == kSlab) {
        auto* slab = new Entry[kSlab];
        slab[0].next.store(shard.owned, std::memory_order_relaxed);
        shard.owned = slab;
        shard.used = 1;
        allocated_.fetch_add(kSlab - 1, std::memory_order_relaxed);
    }
    return &shard.owned[shard.used++];
}

Entry& LockTable::insert(std::uintptr_t key, std::size_t bucket) {
    Shard& shard = shards_[bucket % kShards];
    const std::lock_guard<std::mutex> held(shard.mutex);
    // Again, now that nobody else can insert: two threads that missed must get one entry.
    for (Entry* e = buckets_[bucket].load(std::memory_order_relaxed); e != nullptr;
         e = e->next.load(std::memory_order_relaxed)) {
        if (e->key.load(std::memory_order_relaxed) == key) return *e;
    }
    Entry* e = fresh(shard);
    e->next.store(buckets_[bucket].load(std::memory_order_relaxed), std::memory_order_release);
    e->key.store(key, std::memory_order_release);
    buckets_[bucket].store(e, std::memory_order_release);
    size_.fetch_add(1, std::memory_order_relaxed);
    return *e;
}

void LockTable::retire(std::uintptr_t key) {
    const std::size_t bucket = hash(key) % kBuckets;
    Shard& shard = shards_[bucket % kShards];
    const std::lock_guard<std::mutex> held(shard.mutex);
    std::atomic<Entry*>* link = &buckets_[bucket];
    for (Entry* e = link->load(std::memory_order_relaxed); e != nullptr;
         link = &e->next, e = link->load(std::memory_order_relaxed)) {
        if (e->key.load(std::memory_order_relaxed) != key) continue;
        link->store(e->next.load(std::memory_order_relaxed), std::memory_order_release);
        e->key.store(0, std::memory_order_release);
        e->next.store(shard.retired, std::memory_order_release);
        shard.retired = e;
        size_.fetch_sub(1, std::memory_order_relaxed);
        return;
    }
}

}  // namespace mpsverify
