// SPDX-License-Identifier: Apache-2.0
#include "plugin/concurrency_counters.h"

namespace sluice::plugin {

ConcurrencyCounters& ConcurrencyCounters::shared() {
  static ConcurrencyCounters counters;
  return counters;
}

ConcurrencyCounters::Entered ConcurrencyCounters::enter(std::uint64_t key, std::uint64_t most, Instant now) {
  return table_.with(key, now, [&](Entry* entry) -> Entered {
    if (entry == nullptr) return {};
    if (entry->under_way >= most) return {Outcome::rejected, entry->under_way, {}};
    ++entry->under_way;
    entry->forget_at = INT64_MAX;
    return {Outcome::admitted, entry->under_way, Duration(entry->usual)};
  });
}

void ConcurrencyCounters::leave(std::uint64_t key, Duration took) {
  table_.with_known(key, [&](Entry* entry) {
    if (entry == nullptr || entry->under_way == 0) return;
    entry->usual = entry->usual == 0 ? took.count() : (entry->usual + took.count()) / 2;
    if (--entry->under_way == 0) entry->forget_at = 0;
  });
}

}  // namespace sluice::plugin
