// SPDX-License-Identifier: Apache-2.0
// A store without a disk, for tests: the same answers as the embedded one, given at once; changes arrive
// through the loop as they do there. Belongs to one loop and its thread.
#pragma once
#include <map>
#include <set>

#include "async/loop.h"
#include "store/store.h"

namespace sluice::store {

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(async::Loop& loop) : loop_(loop) {}
  ~MemoryStore() override;

  async::Task<Result<std::optional<Entry>>> get(std::string key) override;
  async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) override;
  async::Task<Result<Committed>> transact(Transaction transaction) override;
  async::Task<Result<Revision>> revision() override;
  async::Task<Result<std::int64_t>> next_id() override;
  async::Task<Result<HistorySlice>> history(HistoryQuestion question) override;
  std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) override;
  async::Task<Result<>> backup(std::string path) override;
  Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) override;

  // From now on every call fails with this sentence; "" ends that.
  void break_with(std::string what) { broken_ = std::move(what); }

 private:
  struct Watcher;
  class Watching;
  bool holds(const Condition& condition, const Transaction& transaction, std::string& by) const;
  void write(const Write& write, const Transaction& transaction, Committed& result);
  void announce();

  async::Loop& loop_;
  std::string broken_;
  Revision revision_ = 0;
  std::int64_t ids_ = 1;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::set<std::string>> references_;  // by source
  std::vector<Record> records_;
  std::vector<Change> changes_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::store
