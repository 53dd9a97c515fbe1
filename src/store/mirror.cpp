// SPDX-License-Identifier: Apache-2.0
#include "store/mirror.h"

#include <algorithm>

namespace sluice::store {
namespace {

constexpr std::size_t looked_at_once = 1'000;  // changes

}  // namespace

void Mirror::apply(const Change& change, Told told) {
  if (observer_) observer_(find(change.key), change, told);
  changed_ = std::max(changed_, change.revision);
  forget_references(change.key);
  if (!change.value) {
    if (const auto found = entries_.find(change.key); found != entries_.end()) entries_.erase(found);
    return;
  }
  Entry entry{change.key, *change.value, change.created, change.revision, change.leased};
  // As a rule many come by key, so the end is a good hint.
  const auto at = entries_.insert_or_assign(entries_.end(), change.key, std::move(entry));
  if (!look_from_ || change.key < *look_from_) note_references(at->second);
}

void Mirror::note_references(const Entry& entry) {
  auto targets = references_(entry.key, entry.value);
  if (targets.empty()) return;
  for (const auto& target : targets) referrers_[target].insert(entry.key);
  targets_[entry.key] = std::move(targets);
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

bool Mirror::look_for_references(std::size_t entries_most) {
  if (!look_from_) return false;
  auto at = entries_.lower_bound(*look_from_);
  for (; at != entries_.end() && entries_most > 0; ++at, --entries_most) {
    forget_references(at->first);
    note_references(at->second);
  }
  look_from_ = at == entries_.end() ? std::nullopt : std::optional(at->first);
  return look_from_.has_value();
}

std::vector<std::string> Mirror::missing_in(const std::vector<Entry>& entries) const {
  std::vector<std::string_view> present;
  present.reserve(entries.size());
  for (const Entry& entry : entries) present.push_back(entry.key);
  if (!std::ranges::is_sorted(present)) std::ranges::sort(present);
  std::vector<std::string> missing;
  auto next = present.begin();
  for (const auto& [key, entry] : entries_) {
    while (next != present.end() && *next < key) ++next;
    if (next == present.end() || *next != key) missing.push_back(key);
  }
  return missing;
}

std::vector<Change> Mirror::replace(std::vector<Entry> entries, Revision revision, Instant now) {
  std::vector<Change> changes;
  for (auto& key : missing_in(entries)) {
    const Revision created = entries_.find(key)->second.created;
    changes.push_back({revision, std::move(key), std::nullopt, created, now});
  }
  auto old = entries_.begin();  // they come by key, as a rule: where one was found, the next one follows
  for (Entry& entry : entries) {
    if (old == entries_.end() || old->first != entry.key) old = entries_.lower_bound(entry.key);
    const bool known = old != entries_.end() && old->first == entry.key;
    if (known && old->second.value == entry.value) {
      changed_ = std::max(changed_, entry.modified);
      old->second = std::move(entry);  // its revisions may be others
    } else {
      changes.push_back(
          {entry.modified, entry.key, std::move(entry.value), entry.created, now, entry.leased});
    }
    if (known) ++old;
  }
  const bool anew = revision_ == 0 || revision < revision_;
  if (anew) changed_ = 0;
  if (changes.size() > looked_at_once) look_from_.emplace();
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
                              const std::function<bool(const std::string&)>& leaves) {
  look_for_references(entries_.size());
  const auto found = referrers_.find(key);
  if (found == referrers_.end()) return nullptr;
  for (const std::string& source : found->second) {
    if (!leaves(source)) return find(source);
  }
  return nullptr;
}

}  // namespace sluice::store
