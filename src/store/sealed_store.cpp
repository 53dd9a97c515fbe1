// SPDX-License-Identifier: Apache-2.0
#include "store/sealed_store.h"

#include <utility>

#include "base/log.h"

namespace sluice::store {
namespace {

class SealedStore final : public Store {
 public:
  SealedStore(std::unique_ptr<Store> store, std::unique_ptr<Seal> seal)
      : seal_(std::move(seal)), store_(std::move(store)) {}

  async::Task<Result<std::optional<Entry>>> get(std::string key) override {
    auto found = co_await store_->get(std::move(key));
    if (found && *found) show((*found)->key, (*found)->value);
    co_return found;
  }

  async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) override {
    auto page = co_await store_->list(std::move(prefix), std::move(after), limit);
    if (page) {
      for (Entry& entry : page->entries) show(entry.key, entry.value);
    }
    co_return page;
  }

  async::Task<Result<Committed>> transact(Transaction transaction) override {
    for (Write& write : transaction.writes) {
      if (write.value) write.value = seal_->close(write.key, std::move(*write.value));
    }
    return store_->transact(std::move(transaction));
  }

  async::Task<Result<Revision>> revision() override { return store_->revision(); }
  async::Task<Result<std::int64_t>> next_id() override { return store_->next_id(); }

  async::Task<Result<HistorySlice>> history(HistoryQuestion question) override {
    auto slice = co_await store_->history(std::move(question));
    if (slice) {
      for (Record& record : slice->records) {
        if (record.before) show(record.key, *record.before);
        if (record.after) show(record.key, *record.after);
      }
    }
    co_return slice;
  }

  std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) override {
    auto opening = [this, on_changes = std::move(on_changes)](Result<std::vector<Change>> changes) {
      if (!changes) return on_changes(std::move(changes));
      for (Change& change : *changes) {
        if (change.value) change.unreadable = open(change.key, *change.value);
      }
      on_changes(std::move(changes));
    };
    return store_->watch(from, std::move(opening));
  }

  async::Task<Result<>> backup(std::string path) override { return store_->backup(std::move(path)); }
  Standing standing() const override { return store_->standing(); }
  void report(std::function<NodeReport()> how) override { store_->report(std::move(how)); }
  async::Task<Result<std::vector<NodeReport>>> nodes() override { return store_->nodes(); }

  Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) override {
    return store_->scan(std::move(prefix), [&](Entry&& entry) {
      entry.unreadable = open(entry.key, entry.value);
      sink(std::move(entry));
    });
  }

  async::Task<Result<>> rewrite(Resealer how) override { return store_->rewrite(std::move(how)); }

  async::Task<Result<>> change_key() override {
    auto done = seal_->take_new_key();
    if (!done) co_return done;
    auto resealer = seal_->resealer();
    auto rewritten = co_await store_->rewrite(std::move(resealer));
    if (!rewritten) co_return rewritten;  // the old key goes on opening what it has sealed
    co_return seal_->forget_old_keys();
  }

 private:
  // For a reader who may repair it.
  void show(const std::string& key, std::string& value) const {
    if (const auto why = open(key, value); !why.empty())
      log::error("{}: {}; it is shown without it", key, why);
  }
  // Why not all of it is readable; mostly empty.
  std::string open(const std::string& key, std::string& value) const {
    json::Problems problems;
    value = seal_->open(key, std::move(value), problems);
    return problems.empty() ? std::string() : problems.front().path + " " + problems.front().what;
  }

  std::unique_ptr<Seal> seal_;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Store> seal_store(std::unique_ptr<Store> store, std::unique_ptr<Seal> seal) {
  return std::make_unique<SealedStore>(std::move(store), std::move(seal));
}

}  // namespace sluice::store
