// SPDX-License-Identifier: Apache-2.0
#include "plugin/leaky_buckets.h"

#include <algorithm>

namespace sluice::plugin {

LeakyBuckets& LeakyBuckets::shared() {
  static LeakyBuckets buckets;
  return buckets;
}

LeakyBuckets::Taken LeakyBuckets::take(std::uint64_t key, double rate, double burst, Instant now) {
  constexpr double second = 1e9, longest = 1e18;  // nanoseconds
  return table_.with(key, now, [&](Entry* entry) -> Taken {
    if (entry == nullptr) return {};
    const std::int64_t time = now.time_since_epoch().count();
    double excess = 0;
    if (entry->forget_at > time) {
      const auto passed = static_cast<double>(std::max<std::int64_t>(time - entry->last, 0));
      excess = std::max(entry->excess - rate * passed / second + 1, 0.0);
    }
    if (excess > burst) return {Outcome::rejected, {}};
    entry->excess = excess;
    entry->last = std::max(entry->last, time);
    entry->forget_at = time + static_cast<std::int64_t>(std::min((excess + 1) / rate * second, longest)) + 1;
    return {Outcome::admitted,
            Duration(static_cast<std::int64_t>(std::min(excess / rate * second, longest)))};
  });
}

}  // namespace sluice::plugin
