// SPDX-License-Identifier: Apache-2.0
#include "store/mirror.h"

#include <algorithm>

namespace sluice::store {

void Mirror::apply(const Change& change, Told told) {
  if (observer_) observer_(find(change.key), change, told);
  changed_ = std::max(changed_, change.revision);
  if (change.value)
    write(change.key, {change.key, *change.value, change.created, change.revision, change.leased});
  else remove(change.key);
}

void Mirror::write(const std::string& key, Entry entry) {
  forget_references(key);
  auto targets = references_(key, entry.value);
  for (const auto& target : targets) referrers_[target].insert(key);
  if (!targets.empty()) targets_[key] = std::move(targets);
  entries_[key] = std::move(entry);
}

void Mirror::remove(std::string_view key) {
  forget_references(key);
  if (const auto found = entries_.find(key); found != entries_.end()) entries_.erase(found);
}

void Mirror::forget_references(std::string_view key) {
  const auto known = targets_.find(key);
  if (known == targets_.end()) return;
  for (const auto& target : known->second) {
    const auto found = referrers_.find(target);
    if (found == referrers_.end()) continue;
    found->second.erase(known->first);
    if (found->second.empty()) referrers_.erase(found);
  }
  targets_.erase(known);
}

std::vector<Change> Mirror::replace(std::vector<Entry> entries, Revision revision, Instant now) {
  std::vector<Change> changes;
  std::set<std::string_view> present;
  for (const Entry& entry : entries) present.insert(entry.key);
  for (const auto& [key, old] : entries_) {
    if (!present.contains(key)) changes.push_back({revision, key, std::nullopt, old.created, now});
  }
  for (Entry& entry : entries) {
    const auto found = entries_.find(entry.key);
    if (found != entries_.end() && found->second.value == entry.value) {
      changed_ = std::max(changed_, entry.modified);
      found->second = std::move(entry);  // its revisions may be others
      continue;
    }
    changes.push_back(
        {entry.modified, entry.key, std::move(entry.value), entry.created, now, entry.leased});
  }
  const bool anew = revision_ == 0 || revision < revision_;
  if (anew) changed_ = 0;
  for (const Change& change : changes) apply(change, anew ? Told::anew : Told::read);
  revision_ = revision;
  return changes;
}

const Entry* Mirror::find(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

Page Mirror::list(std::string_view prefix, std::string_view after, std::size_t limit) const {
  Page page;
  page.revision = revision_;
  auto at = after < prefix ? entries_.lower_bound(prefix) : entries_.upper_bound(after);
  for (; at != entries_.end() && at->first.starts_with(prefix); ++at) {
    page.more = page.entries.size() == limit;
    if (page.more) break;
    page.entries.push_back(at->second);
  }
  return page;
}

Revision Mirror::scan(std::string_view prefix, const std::function<void(Entry&&)>& sink) const {
  for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at) {
    auto copy = at->second;
    sink(std::move(copy));
  }
  return revision_;
}

const Entry* Mirror::referrer(const std::string& key,
                              const std::function<bool(const std::string&)>& leaves) const {
  const auto found = referrers_.find(key);
  if (found == referrers_.end()) return nullptr;
  for (const std::string& source : found->second) {
    if (!leaves(source)) return find(source);
  }
  return nullptr;
}

}  // namespace sluice::store
