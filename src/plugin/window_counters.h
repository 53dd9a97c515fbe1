// SPDX-License-Identifier: Apache-2.0
// How many requests a key had in a window of time, counted exactly across all workers: the one structure that
// limit-count's local policy shares between threads. Keys are spread over shards, each a table behind a lock
// that is held for one look-up. The number of keys is bounded: those whose window is over are dropped when
// room is needed, and when all are live a new key is told that the table is full. Any thread;
// window_counters_bench.cpp measures it under contention.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/time.h"

namespace sluice::plugin {

class WindowCounters {
 public:
  static constexpr std::size_t shard_count = 64;

  explicit WindowCounters(std::size_t keys_max = std::size_t{1} << 20);

  enum class Outcome : std::uint8_t { admitted, rejected, full };
  struct Taken {
    Outcome outcome = Outcome::full;
    std::uint64_t remaining = 0;  // requests left behind this one
    Duration reset{};             // until the window is over, or until one more may be admitted
  };
  // Windows begin with the first request of a key. `key` is a hash that others cannot choose (hash64).
  Taken take_fixed(std::uint64_t key, std::uint64_t limit, Duration window, Instant now);
  // Windows stand on the clock; the last one counts for the share of it that is not yet past.
  Taken take_sliding(std::uint64_t key, std::uint64_t limit, Duration window, Instant now);

  std::size_t size() const;  // keys held

  // The process's own.
  static WindowCounters& shared();

 private:
  struct Entry {
    std::uint64_t key = 0;        // 0: empty
    std::int64_t forget_at = 0;   // nanoseconds of the clock
    std::uint64_t count = 0;      // in the current window
    std::uint64_t previous = 0;   // in the one before (sliding)
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry> table;  // a power of two, probed in steps of one
    std::size_t used = 0;
    std::int64_t purged_at = INT64_MIN;
  };

  Shard& shard_of(std::uint64_t key) { return shards_[key >> 58]; }
  // The key's entry, a fresh one with forget_at 0 when it had none; null when the shard is full.
  Entry* find(Shard& shard, std::uint64_t key, std::int64_t now);
  bool make_room(Shard& shard, std::int64_t now);
  static Entry* place(std::vector<Entry>& table, std::uint64_t key);

  std::size_t shard_keys_max_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace sluice::plugin
