// SPDX-License-Identifier: Apache-2.0
#include "store/watch_hub.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::store {

class WatchHub::Watching final : public Watch {
 public:
  explicit Watching(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  ~Watching() override { watcher_->ended = true; }

 private:
  std::shared_ptr<Watcher> watcher_;
};

void WatchHub::begin_at(Revision revision) {
  remembered_from_ = revision;
  first_ += changes_.size();
  changes_.clear();
  bytes_ = 0;
}

void WatchHub::announce(std::vector<Change> changes) {
  if (changes.empty()) return;
  remember(changes);
  const auto alive = alive_;
  const auto watchers = watchers_;  // a callback may start or end a watch
  for (const auto& watcher : watchers) {
    if (*alive) catch_up(*watcher);
  }
  if (*alive) std::erase_if(watchers_, [](const auto& watcher) { return watcher->ended; });
}

void WatchHub::remember(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    bytes_ += size_of(change);
    changes_.push_back(change);
  }
  while (changes_.size() > changes.size() && (changes_.size() > changes_max || bytes_ > bytes_max)) {
    remembered_from_ = changes_.front().revision;
    bytes_ -= size_of(changes_.front());
    changes_.pop_front();
    ++first_;
  }
}

// What a watcher has missed is always remembered: it was told all that was announced before.
void WatchHub::catch_up(Watcher& watcher) {
  if (watcher.ended) return;
  const std::uint64_t from = std::max(watcher.next, first_) - first_;
  watcher.next = first_ + changes_.size();
  if (from >= changes_.size()) return;
  watcher.on_changes(
      std::vector<Change>(changes_.begin() + static_cast<std::ptrdiff_t>(from), changes_.end()));
}

std::unique_ptr<Watch> WatchHub::watch(Revision from, Store::OnChanges on_changes) {
  auto watcher = std::make_shared<Watcher>(Watcher{std::move(on_changes)});
  if (from < remembered_from_) {
    loop_.post([watcher, from, reaches = remembered_from_] {
      if (watcher->ended) return;
      watcher->ended = true;
      watcher->on_changes(
          fail(ErrorKind::not_found,
               fmt::format("changes are remembered from revision {} on, not from {}: read all again", reaches,
                           from)));
    });
    return std::make_unique<Watching>(std::move(watcher));
  }
  const auto missed = std::ranges::find_if(changes_, [&](const Change& c) { return c.revision > from; });
  watcher->next = first_ + static_cast<std::uint64_t>(missed - changes_.begin());
  watchers_.push_back(watcher);
  loop_.post([this, watcher, alive = alive_] {
    if (*alive) catch_up(*watcher);
  });
  return std::make_unique<Watching>(std::move(watcher));
}

}  // namespace sluice::store
