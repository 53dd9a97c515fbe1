// SPDX-License-Identifier: Apache-2.0
// Responses kept in memory, which all workers share: spread over shards, each behind a lock that is held for
// one look-up; bounded in bytes over all of them, what was not asked for longest goes first. Any thread.
#pragma once
#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "plugin/cached_response.h"

namespace sluice::plugin {

class CacheMemory {
 public:
  explicit CacheMemory(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  CacheMemory(const CacheMemory&) = delete;

  // Null when there is none. Fresh or not is for the caller to judge.
  CacheEntry find(std::string_view key, Instant now);
  // In the place of what had that key. One that is larger than everything is not kept.
  void put(CacheEntry entry);
  bool erase(std::string_view key);

  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::size_t bytes_max() const { return bytes_max_; }

 private:
  static constexpr std::size_t shard_count = 16;
  struct Key {
    std::uint64_t hash;
    std::string_view text;  // of the entry itself
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.hash; }
  };
  struct Node {
    CacheEntry entry;
    Node* newer = nullptr;
    Node* older = nullptr;
    Instant touched{};
    std::size_t cost = 0;
    std::uint64_t hash = 0;
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<Key, Node, KeyHash> nodes;
    Node* newest = nullptr;
    Node* oldest = nullptr;
  };

  Shard& shard_of(std::uint64_t hash) { return shards_[hash >> 60]; }
  static void link(Shard& shard, Node& node);
  static void unlink(Shard& shard, Node& node);
  CacheEntry drop(Shard& shard, Node& node);
  void make_room(std::size_t first);

  std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_{0};
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::plugin
