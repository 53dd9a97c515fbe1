// SPDX-License-Identifier: Apache-2.0
// Leaky buckets by key, exact across all workers: limit-req's local policy. A bucket leaks `rate` requests a
// second and holds `burst` beside the one that just leaks. Any thread.
#pragma once
#include <cstdint>

#include "plugin/shared_table.h"

namespace sluice::plugin {

class LeakyBuckets {
 public:
  explicit LeakyBuckets(std::size_t keys_max = std::size_t{1} << 20) : table_(keys_max) {}

  enum class Outcome : std::uint8_t { admitted, rejected, full };
  struct Taken {
    Outcome outcome = Outcome::full;
    Duration wait{};  // until the request's turn
  };
  // `key` is a hash that others cannot choose (hash64).
  Taken take(std::uint64_t key, double rate, double burst, Instant now);

  // The process's own.
  static LeakyBuckets& shared();

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::int64_t forget_at = 0;
    double excess = 0;         // requests in the bucket
    std::int64_t last = 0;     // when it was so
  };
  SharedTable<Entry> table_;
};

}  // namespace sluice::plugin
