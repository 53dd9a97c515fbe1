// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>

#include "base/log.h"
#include "model/resources.h"

namespace sluice::store {
namespace {

using json::Value;
using Again = EtcdClient::Again;

constexpr Duration patience = std::chrono::seconds(5);  // for the watch to tell what is known to be
constexpr std::size_t slice_bytes_max = std::size_t{4} << 20;
constexpr std::size_t reads_at_once = 64;

Record record_of(Revision revision, const etcd::Head& head, std::size_t place) {
  Record record;
  record.revision = revision;
  record.ordinal = static_cast<std::int64_t>(place) + 1;
  record.at_ms = head.at_ms;
  record.author = head.author;
  record.note = head.note;
  record.key = std::string(model::key_prefix) + head.keys[place].name;
  if (head.keys[place].existed) record.before.emplace();
  if (head.keys[place].exists) record.after.emplace();
  return record;
}

}  // namespace

EtcdHistory::EtcdHistory(async::Loop& loop, net::Network& network, const EtcdOptions& options,
                         http::Client::Resolve resolve, async::Signal& moved)
    : keys_(options.prefix), moved_(moved), client_(loop, network, options, std::move(resolve)),
      follower_(loop, client_, options, {keys_.all, "", "history"}, index_,
                {[this](std::vector<Change>) { moved_.notify(); }, [this] { moved_.notify(); }}) {}

bool EtcdHistory::is_refusal(std::string_view what) {
  return what.find("permission denied") != what.npos;
}

bool EtcdHistory::is_allowed() {
  if (!refused_ && !in_step() && is_refusal(follower_.standing().what)) refused();
  return !refused_;
}

void EtcdHistory::refused() {
  if (std::exchange(refused_, true)) return;
  log::error("etcd does not let this user read and write below {}: writes are not recorded, and there is no "
             "history",
             keys_.folder);
}

async::Task<bool> EtcdHistory::wait_for(Revision revision) {
  const Instant deadline = after(moved_.loop().now(), patience);
  while (index_.revision() < revision || !in_step()) {
    const bool told = co_await moved_.wait(deadline);
    if (!told) co_return false;
  }
  co_return true;
}

async::Task<Result<Revision>> EtcdHistory::catch_up() {
  if (!is_allowed()) {
    co_return fail(ErrorKind::system,
                   fmt::format("there is no history: etcd does not let this user read and write the keys "
                               "below {}",
                               keys_.folder));
  }
  etcd::RangeQuestion question;
  question.keys.from = keys_.last;
  auto range = co_await client_.range(std::move(question));
  if (!range) {
    Error error = range.error();
    error.what.insert(0, "etcd: ");
    co_return std::unexpected(std::move(error));
  }
  const Revision last = range->entries.empty() ? 0 : range->entries.front().modified;
  const bool knows = co_await wait_for(last);
  if (!knows) {
    co_return fail(ErrorKind::timeout, "the history in etcd is not all read yet; try again", Fault::peer);
  }
  co_return last;
}

// ---- slices ----

HistorySlice EtcdHistory::slice(const HistoryQuestion& question, std::vector<Wanted>& wanted) const {
  HistorySlice slice;
  slice.kept_since = index_.since().value_or(index_.revision());
  const std::size_t limit = std::clamp<std::size_t>(question.limit, 1, 10'000);
  std::size_t looked_at = 0, bytes = 0;
  const auto end = index_.records().upper_bound(question.before.revision);
  for (const auto& [revision, kept] : std::ranges::subrange(index_.records().begin(), end) |
                                          std::views::reverse) {
    if (revision <= question.since) break;
    // Revisions of one record follow one another: its values are read once.
    if (wanted.empty() || wanted.back().id != kept.id) wanted.push_back({kept.id, revision, {}});
    for (std::size_t place = kept.head.keys.size(); place-- > 0;) {
      const auto ordinal = static_cast<std::int64_t>(place) + 1;
      if (revision == question.before.revision && ordinal >= question.before.ordinal) continue;
      slice.more = looked_at == limit || bytes > slice_bytes_max;
      if (slice.more) break;
      ++looked_at;
      slice.next = {revision, ordinal};
      auto record = record_of(revision, kept.head, place);
      if (!record.key.starts_with(question.prefix)) continue;
      wanted.back().places.push_back({slice.records.size(), kept.first + place});
      slice.records.push_back(std::move(record));
    }
    if (wanted.back().places.empty()) wanted.pop_back();
    else bytes += static_cast<std::size_t>(kept.head.size);
    if (slice.more) break;
  }
  return slice;
}

async::Task<Result<HistorySlice>> EtcdHistory::read(HistoryQuestion question) {
  std::vector<Wanted> wanted;
  HistorySlice found = slice(question, wanted);
  if (question.values == HistoryQuestion::Values::left_out) co_return found;
  auto filled = co_await fill(&found, std::move(wanted));
  if (!filled) co_return std::unexpected(filled.error());
  co_return found;
}

async::Task<Result<>> EtcdHistory::fill(HistorySlice* into, std::vector<Wanted> wanted) {
  for (std::size_t done = 0; done < wanted.size(); done += reads_at_once) {
    const auto from = wanted.begin() + static_cast<std::ptrdiff_t>(done);
    const auto to =
        wanted.begin() + static_cast<std::ptrdiff_t>(std::min(done + reads_at_once, wanted.size()));
    auto filled = co_await fill_some(into, std::vector<Wanted>(from, to));
    if (!filled) co_return filled;
  }
  co_return Result<>();
}

Value EtcdHistory::question_for(const std::vector<Wanted>& wanted) const {
  Value operations = Value::array();
  for (const Wanted& one : wanted)
    operations.push_back(etcd::range_operation({.keys = {keys_.values(one.id), ""}}));
  return Value::object({{"success", std::move(operations)}});
}

// Values that are gone were forgotten meanwhile: the history then begins behind them.
async::Task<Result<>> EtcdHistory::fill_some(HistorySlice* into, std::vector<Wanted> wanted) {
  auto question = question_for(wanted);
  auto answer = co_await client_.call("/v3/kv/txn", std::move(question), Again::safe);
  if (!answer) co_return std::unexpected(answer.error());
  auto read = etcd::read_transaction(*answer);
  if (!read) co_return std::unexpected(read.error());
  if (read->found.size() != wanted.size())
    co_return fail(ErrorKind::protocol, "the answer to a transaction has a wrong number of responses");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (read->found[i].empty()) {
      into->kept_since = std::max(into->kept_since, wanted[i].revision);
      continue;
    }
    auto values = etcd::read_values(read->found[i].front().value);
    if (!values) co_return std::unexpected(values.error());
    for (const auto& place : wanted[i].places) {
      if (place.value >= values->size())
        co_return fail(ErrorKind::protocol, "a record of the history in etcd has too few values");
      Record& record = into->records[place.record];
      auto& own = (*values)[place.value];
      record.before = std::move(own.before);
      record.after = std::move(own.after);
    }
  }
  co_return Result<>();
}

async::Task<Result<std::optional<std::vector<etcd::Values>>>> EtcdHistory::values_of(std::string id) {
  using Found = std::optional<std::vector<etcd::Values>>;
  etcd::RangeQuestion question;
  question.keys.from = keys_.values(id);
  auto range = co_await client_.range(std::move(question));
  if (!range) co_return std::unexpected(range.error());
  if (range->entries.empty()) co_return Found();
  auto values = etcd::read_values(range->entries.front().value);
  if (!values) co_return std::unexpected(values.error());
  co_return Found(std::move(*values));
}

}  // namespace sluice::store
