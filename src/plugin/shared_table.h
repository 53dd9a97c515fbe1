// SPDX-License-Identifier: Apache-2.0
// A table that all workers share: small entries by a hash, spread over shards, each behind a lock that is
// held for one look-up. The number of keys is bounded: entries that are over are dropped when room is needed,
// and when all are live a new key gets none. Any thread; window_counters_bench.cpp measures it under
// contention.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"

namespace sluice::plugin {

// `Entry` is made of its members' defaults and has
//   std::uint64_t key = 0;        0: empty
//   std::int64_t forget_at = 0;   nanoseconds of the clock from which on it is over
template <class Entry>
class SharedTable {
 public:
  static constexpr std::size_t shard_count = 64;

  explicit SharedTable(std::size_t keys_max)
      : shard_keys_max_(std::max(keys_max / shard_count, table_least / 2)) {}

  // Calls `use` with the key's entry, a fresh one when it had none, or null when there is no room; nobody
  // else has it meanwhile. `key` is a hash that others cannot choose (hash64).
  template <class Use>
  auto with(std::uint64_t key, Instant now, Use use) {
    if (key == 0) key = 1;
    Shard& shard = shards_[key >> 58];
    const std::lock_guard lock(shard.mutex);
    return use(find(shard, key, now.time_since_epoch().count()));
  }
  // The same for a key that may be there: null when it is not.
  template <class Use>
  auto with_known(std::uint64_t key, Use use) {
    if (key == 0) key = 1;
    Shard& shard = shards_[key >> 58];
    const std::lock_guard lock(shard.mutex);
    Entry* entry = shard.table.empty() ? nullptr : place(shard.table, key);
    return use(entry == nullptr || entry->key == 0 ? nullptr : entry);
  }

  std::size_t size() const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      total += shard.used;
    }
    return total;
  }

 private:
  static constexpr std::size_t table_least = 16;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry> table;  // a power of two, probed in steps of one
    std::size_t used = 0;
    std::int64_t purged_at = INT64_MIN;
  };

  static Entry* place(std::vector<Entry>& table, std::uint64_t key) {
    const std::size_t mask = table.size() - 1;
    std::size_t at = key & mask;
    while (table[at].key != 0 && table[at].key != key) at = (at + 1) & mask;
    return &table[at];
  }

  Entry* find(Shard& shard, std::uint64_t key, std::int64_t now) {
    if (shard.table.empty()) shard.table.resize(table_least);
    Entry* entry = place(shard.table, key);
    if (entry->key != 0) return entry;
    if ((shard.used + 1) * 4 > shard.table.size() * 3 || shard.used == shard_keys_max_) {
      if (!make_room(shard, now)) return nullptr;
      entry = place(shard.table, key);
    }
    ++shard.used;
    *entry = Entry{};
    entry->key = key;
    return entry;
  }

  // Drops what is over; the table grows when more than half of it stays. Looking for what is over costs a
  // walk, so a full shard does it once a second at most.
  bool make_room(Shard& shard, std::int64_t now) {
    constexpr std::int64_t pause = 1'000'000'000;
    if (shard.used == shard_keys_max_ && shard.purged_at != INT64_MIN && now - shard.purged_at < pause)
      return false;
    shard.purged_at = now;
    const auto live = static_cast<std::size_t>(std::ranges::count_if(
        shard.table, [now](const Entry& entry) { return entry.key != 0 && entry.forget_at > now; }));
    if (live >= shard_keys_max_) return false;
    std::size_t size = shard.table.size();
    while ((live + 1) * 2 > size) size *= 2;
    std::vector<Entry> table(size);
    for (const Entry& entry : shard.table) {
      if (entry.key != 0 && entry.forget_at > now) *place(table, entry.key) = entry;
    }
    shard.table = std::move(table);
    shard.used = live;
    return true;
  }

  std::size_t shard_keys_max_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::plugin
