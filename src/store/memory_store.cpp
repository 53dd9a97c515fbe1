// SPDX-License-Identifier: Apache-2.0
#include "store/memory_store.h"

#include <algorithm>
#include <ranges>

namespace sluice::store {

struct MemoryStore::Watcher {
  OnChanges on_changes;
  Revision seen;
  bool ended = false;
};

class MemoryStore::Watching final : public Watch {
 public:
  explicit Watching(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  ~Watching() override { watcher_->ended = true; }

 private:
  std::shared_ptr<Watcher> watcher_;
};

MemoryStore::~MemoryStore() { *alive_ = false; }

async::Task<Result<std::optional<Entry>>> MemoryStore::get(std::string key) {
  using Answer = Result<std::optional<Entry>>;
  if (!broken_.empty()) return Answer(fail(ErrorKind::system, broken_));
  auto found = entries_.find(key);
  return found == entries_.end() ? Answer(std::nullopt) : Answer(found->second);
}

async::Task<Result<Page>> MemoryStore::list(std::string prefix, std::string after, std::size_t limit) {
  if (!broken_.empty()) return Result<Page>(fail(ErrorKind::system, broken_));
  Page page;
  page.revision = revision_;
  for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at) {
    if (at->first <= after) continue;
    page.more = page.entries.size() == limit;
    if (page.more) break;
    page.entries.push_back(at->second);
  }
  return Result<Page>(std::move(page));
}

bool MemoryStore::holds(const Condition& condition, const Transaction& transaction, std::string& by) const {
  auto found = entries_.find(condition.key);
  bool there = found != entries_.end();
  switch (condition.kind) {
    case Condition::Kind::exists:
      return there;
    case Condition::Kind::absent:
      return !there;
    case Condition::Kind::unchanged:
      return (there ? found->second.modified : 0) == condition.revision;
    case Condition::Kind::store_unchanged:
      return revision_ <= condition.revision;
    case Condition::Kind::unreferenced:
      break;
  }
  for (const auto& [source, targets] : references_) {
    if (!targets.contains(condition.key)) continue;
    if (stops_referring(transaction.writes, source, condition.key)) continue;
    by = source;
    return false;
  }
  return true;
}

async::Task<Result<Committed>> MemoryStore::transact(Transaction transaction) {
  if (!broken_.empty()) return Result<Committed>(fail(ErrorKind::system, broken_));
  for (const auto& write : transaction.writes) {
    if (write.ttl > Duration::zero())
      return Result<Committed>(fail(ErrorKind::system, "a store in memory keeps everything for good"));
  }
  Committed result;
  for (const auto& condition : transaction.conditions) {
    if (!holds(condition, transaction, result.by)) {
      result.revision = revision_;
      return Result<Committed>(std::move(result));
    }
    ++result.failed;
  }
  if (transaction.try_only) transaction.writes.clear();
  auto before = changes_.size();
  ++revision_;
  for (const auto& one : transaction.writes) write(one, transaction, result);
  if (changes_.size() == before) --revision_;
  result.done = true;
  result.revision = revision_;
  announce();
  return Result<Committed>(std::move(result));
}

void MemoryStore::write(const Write& write, const Transaction& transaction, Committed& result) {
  auto found = entries_.find(write.key);
  bool existed = found != entries_.end();
  Revision created = existed ? found->second.created : revision_;
  result.written.push_back({created, existed});
  if (!existed && !write.value) return;
  references_.erase(write.key);
  Record record{revision_, static_cast<std::int64_t>(result.written.size()),
                loop_.clock().wall() / 1'000'000, transaction.author, transaction.note, write.key, {},
                write.value};
  if (existed) record.before = found->second.value;
  records_.push_back(std::move(record));
  if (write.value) {
    entries_[write.key] = {write.key, *write.value, created, revision_};
    references_[write.key] = {write.references.begin(), write.references.end()};
  } else {
    entries_.erase(found);
  }
  changes_.push_back({revision_, write.key, write.value, created});
}

void MemoryStore::announce() {
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    auto watchers = watchers_;
    for (auto& watcher : watchers) {
      if (watcher->ended) continue;
      std::vector<Change> fresh;
      for (const auto& change : changes_) {
        if (change.revision > watcher->seen) fresh.push_back(change);
      }
      watcher->seen = revision_;
      if (!fresh.empty()) watcher->on_changes(std::move(fresh));
    }
    std::erase_if(watchers_, [](const auto& watcher) { return watcher->ended; });
  });
}

async::Task<Result<Revision>> MemoryStore::revision() {
  if (!broken_.empty()) return Result<Revision>(fail(ErrorKind::system, broken_));
  return Result<Revision>(revision_);
}

async::Task<Result<std::int64_t>> MemoryStore::next_id() {
  if (!broken_.empty()) return Result<std::int64_t>(fail(ErrorKind::system, broken_));
  return Result<std::int64_t>(ids_++);
}

async::Task<Result<HistorySlice>> MemoryStore::history(HistoryQuestion question) {
  if (!broken_.empty()) return Result<HistorySlice>(fail(ErrorKind::system, broken_));
  HistorySlice slice;
  std::size_t looked_at = 0;
  for (const Record& record : std::views::reverse(records_)) {
    const std::pair place(record.revision, record.ordinal);
    if (place >= std::pair(question.before.revision, question.before.ordinal)) continue;
    if (record.revision <= question.since) break;
    slice.more = looked_at++ == question.limit;
    if (slice.more) break;
    slice.next = {record.revision, record.ordinal};
    if (!record.key.starts_with(question.prefix)) continue;
    Record& found = slice.records.emplace_back(record);
    if (question.values == HistoryQuestion::Values::included) continue;
    if (found.before) found.before->clear();
    if (found.after) found.after->clear();
  }
  return Result<HistorySlice>(std::move(slice));
}

std::unique_ptr<Watch> MemoryStore::watch(Revision from, OnChanges on_changes) {
  auto watcher = std::make_shared<Watcher>(Watcher{std::move(on_changes), from});
  watchers_.push_back(watcher);
  announce();
  return std::make_unique<Watching>(std::move(watcher));
}

async::Task<Result<>> MemoryStore::backup(std::string) {
  return Result<>(fail(ErrorKind::system, "a store in memory has no backup"));
}

Result<Revision> MemoryStore::scan(std::string prefix, const std::function<void(Entry&&)>& sink) {
  if (!broken_.empty()) return fail(ErrorKind::system, broken_);
  for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at) {
    auto copy = at->second;
    sink(std::move(copy));
  }
  return revision_;
}

}  // namespace sluice::store
