// SPDX-License-Identifier: Apache-2.0
#include "plugin/window_counters.h"

#include <algorithm>
#include <utility>

namespace sluice::plugin {
namespace {

constexpr std::size_t table_least = 16;

std::int64_t count_of(Instant time) { return time.time_since_epoch().count(); }

}  // namespace

WindowCounters::WindowCounters(std::size_t keys_max)
    : shard_keys_max_(std::max(keys_max / shard_count, table_least / 2)) {}

WindowCounters& WindowCounters::shared() {
  static WindowCounters counters;
  return counters;
}

WindowCounters::Entry* WindowCounters::place(std::vector<Entry>& table, std::uint64_t key) {
  const std::size_t mask = table.size() - 1;
  std::size_t at = key & mask;
  while (table[at].key != 0 && table[at].key != key) at = (at + 1) & mask;
  return &table[at];
}

WindowCounters::Entry* WindowCounters::find(Shard& shard, std::uint64_t key, std::int64_t now) {
  if (shard.table.empty()) shard.table.resize(table_least);
  Entry* entry = place(shard.table, key);
  if (entry->key != 0) return entry;
  if ((shard.used + 1) * 4 > shard.table.size() * 3 || shard.used == shard_keys_max_) {
    if (!make_room(shard, now)) return nullptr;
    entry = place(shard.table, key);
  }
  ++shard.used;
  *entry = Entry{key};
  return entry;
}

// Drops what is over; the table grows when more than half of it stays. Looking for what is over costs a walk,
// so a full shard does it once a second at most.
bool WindowCounters::make_room(Shard& shard, std::int64_t now) {
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

WindowCounters::Taken WindowCounters::take_fixed(std::uint64_t key, std::uint64_t limit, Duration window,
                                                 Instant now) {
  if (key == 0) key = 1;
  const std::int64_t time = count_of(now);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = find(shard, key, time);
  if (entry == nullptr) return {};
  if (entry->forget_at <= time) {
    entry->count = 0;
    entry->forget_at = count_of(after(now, window));
  }
  const Duration reset(entry->forget_at - time);
  if (entry->count >= limit) return {Outcome::rejected, 0, reset};
  ++entry->count;
  return {Outcome::admitted, limit - entry->count, reset};
}

WindowCounters::Taken WindowCounters::take_sliding(std::uint64_t key, std::uint64_t limit, Duration window,
                                                   Instant now) {
  if (key == 0) key = 1;
  const std::int64_t length = std::min<std::int64_t>(window.count(), INT64_MAX / 8);
  std::int64_t time = count_of(now);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = find(shard, key, time);
  if (entry == nullptr) return {};
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

std::size_t WindowCounters::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.used;
  }
  return total;
}

}  // namespace sluice::plugin
