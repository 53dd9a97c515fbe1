// SPDX-License-Identifier: Apache-2.0
// How many requests of a key are under way, exact across all workers and bounded in keys: limit-conn's local
// policy. Any thread.
#pragma once
#include <cstdint>

#include "plugin/shared_table.h"

namespace sluice::plugin {

class ConcurrencyCounters {
 public:
  explicit ConcurrencyCounters(std::size_t keys_max = std::size_t{1} << 20) : table_(keys_max) {}

  enum class Outcome : std::uint8_t { admitted, rejected, full };
  struct Entered {
    Outcome outcome = Outcome::full;
    std::uint64_t under_way = 0;  // this one included
    Duration usual{};             // how long requests of the key take, 0 before the first has ended
  };
  // `key` is a hash that others cannot choose (hash64). Whoever was admitted leaves, once.
  Entered enter(std::uint64_t key, std::uint64_t most, Instant now);
  void leave(std::uint64_t key, Duration took);

  // The process's own.
  static ConcurrencyCounters& shared();

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::int64_t forget_at = 0;  // never while requests are under way
    std::uint64_t under_way = 0;
    std::int64_t usual = 0;      // nanoseconds, a moving average
  };
  SharedTable<Entry> table_;
};

}  // namespace sluice::plugin
