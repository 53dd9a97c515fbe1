// SPDX-License-Identifier: Apache-2.0
// How many requests a key had in a window of time, counted exactly across all workers: limit-count's local
// policy. Any thread; window_counters_bench.cpp measures it under contention.
#pragma once
#include <cstdint>

#include "plugin/shared_table.h"

namespace sluice::plugin {

class WindowCounters {
 public:
  explicit WindowCounters(std::size_t keys_max = std::size_t{1} << 20) : table_(keys_max) {}

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

  std::size_t size() const { return table_.size(); }  // keys held

  // The process's own.
  static WindowCounters& shared();

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::int64_t forget_at = 0;
    std::uint64_t count = 0;     // in the current window
    std::uint64_t previous = 0;  // in the one before (sliding)
  };
  static Taken take_fixed(Entry* entry, std::uint64_t limit, Duration window, Instant now);
  static Taken take_sliding(Entry* entry, std::uint64_t limit, Duration window, Instant now);

  SharedTable<Entry> table_;
};

}  // namespace sluice::plugin
