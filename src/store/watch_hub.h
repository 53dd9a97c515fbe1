// SPDX-License-Identifier: Apache-2.0
// Tells watchers the changes of a store that learns of them one after the other: each watcher gets every
// change once and in order, those it has missed out of a bounded memory of the latest. One loop, which
// outlives it.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "async/loop.h"
#include "store/store.h"

namespace sluice::store {

class WatchHub {
 public:
  explicit WatchHub(async::Loop& loop) : loop_(loop) {}
  WatchHub(const WatchHub&) = delete;
  ~WatchHub() { *alive_ = false; }

  // Nothing up to `revision` is remembered: a watch from before it has to read everything again.
  void begin_at(Revision revision);
  // From the loop's top level: watchers are called.
  void announce(std::vector<Change> changes);
  std::unique_ptr<Watch> watch(Revision from, Store::OnChanges on_changes);

 private:
  struct Watcher {
    Store::OnChanges on_changes;
    std::uint64_t next = 0;  // the number of the first change it has not been told
    bool ended = false;
  };
  class Watching;
  static constexpr std::size_t changes_max = 10'000;
  static constexpr std::size_t bytes_max = 32u << 20;
  void remember(const std::vector<Change>& changes);
  void catch_up(Watcher& watcher);
  static std::size_t size_of(const Change& change) {
    return change.key.size() + (change.value ? change.value->size() : 0);
  }

  async::Loop& loop_;
  std::deque<Change> changes_;  // the latest
  std::uint64_t first_ = 0;     // the number of the first of them
  std::size_t bytes_ = 0;
  Revision remembered_from_ = 0;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::store
