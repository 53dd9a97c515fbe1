// SPDX-License-Identifier: Apache-2.0
#include "plugin/cache_memory.h"

#include "base/hash.h"

namespace sluice::plugin {

CacheEntry CacheMemory::find(std::string_view key, Instant now) {
  constexpr Duration often_enough = std::chrono::seconds(1);  // for an entry to be moved to the front
  const std::uint64_t hash = hash64(key);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.nodes.find({hash, key});
  if (found == shard.nodes.end()) return nullptr;
  Node& node = found->second;
  if (now - node.touched > often_enough) {
    node.touched = now;
    unlink(shard, node);
    link(shard, node);
  }
  return node.entry;
}

void CacheMemory::put(CacheEntry entry) {
  const std::size_t cost = entry->cost();
  const std::uint64_t hash = hash64(entry->key);
  Shard& shard = shard_of(hash);
  CacheEntry replaced;  // goes behind the lock
  {
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.nodes.find({hash, entry->key}); found != shard.nodes.end())
      replaced = drop(shard, found->second);
    if (cost > bytes_max_) return;
    Node& node = shard.nodes[{hash, entry->key}];
    node.touched = entry->made;
    node.cost = cost;
    node.hash = hash;
    node.entry = std::move(entry);
    link(shard, node);
    bytes_.fetch_add(cost, std::memory_order_relaxed);
  }
  if (bytes() > bytes_max_) make_room(hash >> 60);
}

bool CacheMemory::erase(std::string_view key) {
  const std::uint64_t hash = hash64(key);
  Shard& shard = shard_of(hash);
  CacheEntry erased;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.nodes.find({hash, key});
  if (found == shard.nodes.end()) return false;
  erased = drop(shard, found->second);
  return true;
}

void CacheMemory::link(Shard& shard, Node& node) {
  node.newer = nullptr;
  node.older = shard.newest;
  if (shard.newest != nullptr) shard.newest->newer = &node;
  shard.newest = &node;
  if (shard.oldest == nullptr) shard.oldest = &node;
}

void CacheMemory::unlink(Shard& shard, Node& node) {
  (node.newer == nullptr ? shard.newest : node.newer->older) = node.older;
  (node.older == nullptr ? shard.oldest : node.older->newer) = node.newer;
}

CacheEntry CacheMemory::drop(Shard& shard, Node& node) {
  unlink(shard, node);
  bytes_.fetch_sub(node.cost, std::memory_order_relaxed);
  CacheEntry entry = std::move(node.entry);  // its key is looked up by
  shard.nodes.erase({node.hash, entry->key});
  return entry;
}

// One from each shard in turn, so that the newest entry of a shard does not go for the oldest of another.
void CacheMemory::make_room(std::size_t first) {
  for (std::size_t turn = 0, idle = 0; bytes() > bytes_max_ && idle < shard_count; ++turn) {
    Shard& shard = shards_[(first + 1 + turn) % shard_count];
    CacheEntry dropped;
    const std::lock_guard lock(shard.mutex);
    if (shard.oldest == nullptr) {
      ++idle;
      continue;
    }
    idle = 0;
    dropped = drop(shard, *shard.oldest);
  }
}

}  // namespace sluice::plugin
