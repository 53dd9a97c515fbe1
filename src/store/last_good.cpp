// SPDX-License-Identifier: Apache-2.0
#include "store/last_good.h"

#include "base/log.h"
#include "base/text.h"

namespace sluice::store {
namespace {

// Beside the entries, whose keys begin with '/'.
constexpr const char* revision_key = "revision";
constexpr const char* source_key = "source";
constexpr HistoryLimits one_revision{.revisions_max = 1};  // nobody asks for its history

}  // namespace

Result<std::unique_ptr<LastGood>> LastGood::open(const std::string& path, std::string source,
                                                 async::Loop& loop) {
  auto file = open_sqlite({.path = path, .history = one_revision}, loop);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<LastGood>(new LastGood(std::move(*file), std::move(source), loop));
}

Result<LastGood::Kept> LastGood::read() {
  Kept kept;
  std::string source;
  std::vector<std::string> keys;
  auto scanned = file_->scan("", [&](Entry&& entry) {
    if (entry.key == source_key) source = entry.value;
    else if (entry.key == revision_key) kept.revision = parse_integer(entry.value).value_or(0);
    else kept.entries.push_back(std::move(entry));
  });
  if (!scanned) return std::unexpected(scanned.error());
  if (source == source_ || source.empty()) return kept;
  log::warn("the configuration kept on disk is of {}, not of {}: it is not used", source, source_);
  Transaction forget;
  for (Entry& entry : kept.entries) forget.writes.push_back({std::move(entry.key), {}, {}});
  forget.writes.push_back({source_key, {}, {}});
  loop_.spawn(commit(*file_, std::move(forget)));
  return Kept();
}

void LastGood::write(const std::vector<Change>& changes, Revision revision) {
  Transaction transaction;
  for (const Change& change : changes) transaction.writes.push_back({change.key, change.value, {}});
  transaction.writes.push_back({revision_key, std::to_string(revision), {}});
  transaction.writes.push_back({source_key, source_, {}});
  loop_.spawn(commit(*file_, std::move(transaction)));
}

async::Task<> LastGood::commit(Store& file, Transaction transaction) {
  auto done = co_await file.transact(std::move(transaction));
  if (!done) log::error("the last good configuration is not kept on disk: {}", done.error().what);
}

}  // namespace sluice::store
