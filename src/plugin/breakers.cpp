// SPDX-License-Identifier: Apache-2.0
#include "plugin/breakers.h"

#include <algorithm>

namespace sluice::plugin {
namespace {

// Failures are remembered for so long after the last one, beyond the time the breaker may be open.
constexpr Duration memory = std::chrono::hours(1);

std::int64_t count_of(Instant time) { return time.time_since_epoch().count(); }

}  // namespace

Breakers& Breakers::shared() {
  static Breakers breakers;
  return breakers;
}

bool Breakers::is_open(std::uint64_t key, Instant now) {
  return table_.with_known(
      key, [&](const Entry* entry) { return entry != nullptr && entry->open_until > count_of(now); });
}

void Breakers::failed(std::uint64_t key, const Limits& limits, Instant now) {
  table_.with(key, now, [&](Entry* entry) {
    if (entry == nullptr) return;
    const std::int64_t time = count_of(now);
    if (entry->forget_at <= time) entry->failures = 0;
    entry->successes = 0;
    ++entry->failures;
    entry->forget_at = time + (limits.longest + memory).count();
    if (entry->failures % limits.failures != 0) return;
    constexpr std::uint64_t doublings_max = 20;
    const Duration open =
        std::chrono::seconds(1) * (1 << std::min(entry->failures / limits.failures, doublings_max));
    entry->open_until = time + std::min(open, limits.longest).count();
  });
}

void Breakers::succeeded(std::uint64_t key, const Limits& limits, Instant now) {
  table_.with_known(key, [&](Entry* entry) {
    if (entry == nullptr || entry->failures == 0 || entry->forget_at <= count_of(now)) return;
    if (++entry->successes < limits.successes) return;
    entry->failures = entry->successes = 0;
    entry->open_until = entry->forget_at = 0;
  });
}

}  // namespace sluice::plugin
