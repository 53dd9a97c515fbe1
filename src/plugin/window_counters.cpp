// SPDX-License-Identifier: Apache-2.0
#include "plugin/window_counters.h"

#include <algorithm>

namespace sluice::plugin {
namespace {

std::int64_t count_of(Instant time) { return time.time_since_epoch().count(); }

}  // namespace

WindowCounters& WindowCounters::shared() {
  static WindowCounters counters;
  return counters;
}

WindowCounters::Taken WindowCounters::take_fixed(std::uint64_t key, std::uint64_t limit, Duration window,
                                                 Instant now) {
  return table_.with(key, now, [&](Entry* entry) { return take_fixed(entry, limit, window, now); });
}

WindowCounters::Taken WindowCounters::take_sliding(std::uint64_t key, std::uint64_t limit, Duration window,
                                                   Instant now) {
  return table_.with(key, now, [&](Entry* entry) { return take_sliding(entry, limit, window, now); });
}

WindowCounters::Taken WindowCounters::take_fixed(Entry* entry, std::uint64_t limit, Duration window,
                                                 Instant now) {
  if (entry == nullptr) return {};
  const std::int64_t time = count_of(now);
  if (entry->forget_at <= time) {
    entry->count = 0;
    entry->forget_at = count_of(after(now, window));
  }
  const Duration reset(entry->forget_at - time);
  if (entry->count >= limit) return {Outcome::rejected, 0, reset};
  ++entry->count;
  return {Outcome::admitted, limit - entry->count, reset};
}

WindowCounters::Taken WindowCounters::take_sliding(Entry* entry, std::uint64_t limit, Duration window,
                                                   Instant now) {
  if (entry == nullptr) return {};
  const std::int64_t length = std::min<std::int64_t>(window.count(), INT64_MAX / 8);
  std::int64_t time = count_of(now);
  std::int64_t start = entry->forget_at - 2 * length;
  const std::int64_t start_now = time - time % length;
  if (entry->forget_at == 0 || start_now > start) {
    entry->previous = entry->forget_at != 0 && start_now == start + length ? entry->count : 0;
    entry->count = 0;
    start = start_now;
    entry->forget_at = start + 2 * length;
  }
  time = std::max(time, start);  // another worker's clock may be a little ahead
  const std::int64_t left = start + length - time;
  const std::uint64_t last = std::min(entry->previous, limit);
  const double carried = static_cast<double>(last) * static_cast<double>(left) / static_cast<double>(length);
  if (entry->count >= limit) return {Outcome::rejected, 0, Duration(left)};
  const auto free = static_cast<double>(limit - entry->count);
  if (carried >= free) {
    const double wait =
        static_cast<double>(left) - free * static_cast<double>(length) / static_cast<double>(last);
    return {Outcome::rejected, 0, Duration(static_cast<std::int64_t>(std::max(wait, 0.0)))};
  }
  ++entry->count;
  const double remaining = std::max(free - 1 - carried, 0.0);
  return {Outcome::admitted, static_cast<std::uint64_t>(remaining), Duration(left)};
}

}  // namespace sluice::plugin
