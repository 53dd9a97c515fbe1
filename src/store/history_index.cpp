// SPDX-License-Identifier: Apache-2.0
#include "store/history_index.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace sluice::store {
namespace {

constexpr std::string_view records_prefix = "records/";

const etcd::Head::Key* find_key(const etcd::Head& head, std::string_view key) {
  const auto found = std::ranges::find(head.keys, key, &etcd::Head::Key::name);
  return found == head.keys.end() ? nullptr : &*found;
}

}  // namespace

void HistoryIndex::apply(const Change& change) {
  if (change.value) put(change.key, *change.value, change.created, change.revision);
  else remove(change.key);
  reach(change.revision);
}

std::vector<Change> HistoryIndex::replace(std::vector<Entry> entries, Revision revision, Instant) {
  *this = HistoryIndex();
  for (const Entry& entry : entries) put(entry.key, entry.value, entry.created, entry.modified);
  revision_ = revision;
  return {};
}

void HistoryIndex::put(const std::string& key, const std::string& value, Revision created,
                       Revision modified) {
  if (key == "last") last_ = modified;
  if (key == "outside") outside_ = modified;
  if (key == "since") {
    since_ = parse_integer(value);
    since_written_ = modified;
  }
  if (!key.starts_with(records_prefix)) return;
  std::string id = key.substr(records_prefix.size());
  auto heads = etcd::read_heads(value);
  if (!heads) {
    log::error("{}: {}", key, heads.error().what);
    return;
  }
  std::size_t first = 0;
  for (etcd::Head& head : *heads) {
    const Revision at = head.revision > 0 ? head.revision : created;
    const std::int64_t size = head.size;
    const std::size_t values = head.keys.size();
    if (records_.try_emplace(at, Kept{id, first, std::move(head)}).second) {
      revisions_[id].push_back(at);
      bytes_ += size;
    }
    first += values;
  }
}

void HistoryIndex::remove(std::string_view key) {
  if (!key.starts_with(records_prefix)) return;
  const auto known = revisions_.find(std::string(key.substr(records_prefix.size())));
  if (known == revisions_.end()) return;
  for (const Revision revision : known->second) {
    const auto record = records_.find(revision);
    bytes_ -= record->second.head.size;
    records_.erase(record);
  }
  revisions_.erase(known);
}

bool HistoryIndex::tells(Revision revision, std::string_view key) const {
  const auto found = records_.find(revision);
  return found != records_.end() && find_key(found->second.head, key) != nullptr;
}

const HistoryIndex::Records::value_type* HistoryIndex::latest_of(std::string_view key, Revision after) const {
  for (auto at = records_.rbegin(); at != records_.rend() && at->first > after; ++at) {
    if (find_key(at->second.head, key) != nullptr) return &*at;
  }
  return nullptr;
}

HistoryIndex::Beyond HistoryIndex::beyond(const HistoryLimits& limits, std::int64_t now_ms,
                                          std::size_t most) const {
  const auto age_max = std::chrono::duration_cast<std::chrono::milliseconds>(limits.age_max).count();
  auto left = static_cast<std::int64_t>(records_.size());
  std::int64_t bytes = bytes_;
  Beyond found;
  std::size_t whole = 0;    // so many of the ids
  Revision open_until = 0;  // a record that has begun goes on up to here
  for (const auto& [revision, kept] : records_) {
    const bool within = left <= limits.revisions_max && kept.head.at_ms >= now_ms - age_max &&
                        bytes <= static_cast<std::int64_t>(limits.bytes_max);
    if (within || left <= 1) break;
    bytes -= kept.head.size;
    --left;
    const auto& revisions = revisions_.at(kept.id);
    if (revision == revisions.front()) {
      if (found.ids.size() == most) break;
      found.ids.push_back(kept.id);
    }
    open_until = std::max(open_until, revisions.back());
    if (revision < open_until) continue;
    whole = found.ids.size();
    found.until = revision;
  }
  found.ids.resize(whole);
  return found;
}

}  // namespace sluice::store
