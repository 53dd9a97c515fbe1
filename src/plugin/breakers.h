// SPDX-License-Identifier: Apache-2.0
// Circuit breakers by key: what plugin api-breaker remembers of an upstream that fails. Shared by all workers
// and bounded; any thread.
#pragma once
#include <cstdint>

#include "plugin/shared_table.h"

namespace sluice::plugin {

class Breakers {
 public:
  explicit Breakers(std::size_t keys_max = std::size_t{1} << 18) : table_(keys_max) {}

  struct Limits {
    std::uint64_t failures = 3, successes = 3;
    Duration longest = std::chrono::seconds(300);  // a breaker stays open
  };
  // Whether requests of the key are to be held off now. `key` is a hash that others cannot choose (hash64).
  bool is_open(std::uint64_t key, Instant now);
  // Every `failures`th failure opens the breaker: for two seconds, then four, eight … `longest`.
  void failed(std::uint64_t key, const Limits& limits, Instant now);
  // `successes` of them in a row forget all failures.
  void succeeded(std::uint64_t key, const Limits& limits, Instant now);

  // The process's own.
  static Breakers& shared();

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::int64_t forget_at = 0;
    std::int64_t open_until = 0;
    std::uint64_t failures = 0, successes = 0;
  };
  SharedTable<Entry> table_;
};

}  // namespace sluice::plugin
