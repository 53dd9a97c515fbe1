// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_historian.h"

#include <algorithm>

#include "base/log.h"
#include "model/resources.h"

namespace sluice::store {
namespace {

using json::Value;
using Again = EtcdClient::Again;

constexpr Duration grace = std::chrono::milliseconds(200);  // for a record to be told after its change
constexpr Duration pause = std::chrono::seconds(1);         // after a failure
constexpr Duration patience = std::chrono::seconds(5);
constexpr Duration long_time = std::chrono::minutes(1);
// Of one transaction. An operation costs etcd more than what is in it, and whoever writes meanwhile waits.
constexpr std::size_t runs_most = 10;
constexpr std::size_t revisions_most = 250;
constexpr std::size_t bytes_at_once = 200'000;
constexpr std::size_t bytes_seen_max = 64u << 20;
constexpr std::size_t forgotten_at_once = 50;

std::size_t size_of(const std::optional<std::string>& text) { return text ? text->size() : 0; }

}  // namespace

void EtcdHistorian::saw(const Entry* before, const Change& change, Mirror::Told told) {
  if (!etcd::is_recorded(change.key)) return;
  if (told == Mirror::Told::anew) {
    look_over_ = true;
    return;
  }
  Seen seen{.name = change.key.substr(model::key_prefix.size()),
            .before = before ? std::optional(before->value) : std::nullopt,
            .after = change.value,
            .leased = before && before->leased && !change.value,
            .compared = told == Mirror::Told::read,
            .known = mirror_.revision()};
  if (is_told(change.revision, seen)) return;
  bytes_ += size_of(seen.before) + size_of(seen.after);
  too_many_ = too_many_ || bytes_ > bytes_seen_max;
  if (too_many_) return;
  auto [at, fresh] = seen_.try_emplace(change.revision);
  if (fresh) at->second.at = moved_.loop().now();
  at->second.keys.push_back(std::move(seen));
}

bool EtcdHistorian::is_told(Revision revision, const Seen& seen) const {
  const HistoryIndex& index = history_.index();
  if (index.since() && revision <= *index.since()) return true;
  if (index.tells(revision, seen.name)) return true;
  if (!seen.compared || seen.after) return false;
  // When it was removed is not known: a record that says it is gone will do.
  const auto* latest = index.latest_of(seen.name, seen.known);
  if (latest == nullptr) return false;
  const auto& keys = latest->second.head.keys;
  return !std::ranges::find(keys, seen.name, &etcd::Head::Key::name)->exists;
}

void EtcdHistorian::drop_told() {
  bytes_ = 0;
  for (auto& [revision, group] : seen_) {
    std::erase_if(group.keys, [this, at = revision](const Seen& seen) { return is_told(at, seen); });
    for (const Seen& seen : group.keys) bytes_ += size_of(seen.before) + size_of(seen.after);
  }
  std::erase_if(seen_, [](const auto& group) { return group.second.keys.empty(); });
}

bool EtcdHistorian::has_work() const {
  if (!history_.in_step() || !configuration_.in_step()) return false;
  return !history_.index().since() || look_over_ || too_many_ || !seen_.empty() ||
         (may_forget_ && !beyond().ids.empty());
}

std::int64_t EtcdHistorian::now_ms() const { return moved_.loop().clock().wall() / 1'000'000; }

async::Task<> EtcdHistorian::run() {
  for (;;) {
    drop_told();
    if (!history_.is_allowed()) co_return;
    Instant again = after(moved_.loop().now(), long_time);
    const bool works = has_work();
    if (works) again = seen_.empty() ? moved_.loop().now() : after(seen_.begin()->second.at, grace);
    if (again > moved_.loop().now()) {
      const bool told = co_await moved_.wait(again);
      (void)told;
      continue;
    }
    auto done = co_await work();
    if (done) {
      failing_ = false;
      moved_.notify();
      continue;
    }
    if (EtcdHistory::is_refusal(done.error().what)) history_.refused();
    else if (!std::exchange(failing_, true))
      log::warn("the history in etcd: {}; it is tried again", done.error().what);
    co_await moved_.loop().sleep(pause);
  }
}

async::Task<bool> EtcdHistorian::settle() {
  const Instant deadline = after(moved_.loop().now(), patience);
  while (!is_settled()) {
    const bool told = co_await moved_.wait(deadline);
    if (!told) co_return false;
  }
  co_return true;
}

bool EtcdHistorian::is_settled() const {
  return history_.index().since() && !look_over_ && !too_many_ &&
         std::ranges::all_of(seen_, [this](const auto& group) {
           return std::ranges::all_of(group.second.keys, [this, &group](const Seen& seen) {
             return is_told(group.first, seen);
           });
         });
}

async::Task<Result<>> EtcdHistorian::work() {
  auto known = co_await history_.catch_up();
  if (!known) co_return std::unexpected(known.error());
  drop_told();
  look_over_ = look_over_ && !(history_.index().since() && is_whole());
  Result<> done;
  if (!history_.index().since()) {
    done = co_await begin_at(mirror_.revision(), "");
  } else if (too_many_) {
    done = co_await begin_at(mirror_.revision(), "others have written more than could be recorded");
  } else if (look_over_) {
    done = co_await begin_at(mirror_.revision(), "others have written while no gateway was there to see it");
  } else if (!seen_.empty()) {
    done = co_await record();
  } else if (may_forget_) {
    done = co_await forget();
  }
  co_return done;
}

// Whether every entry was written by a record's revision, or before the history.
bool EtcdHistorian::is_whole() const {
  const HistoryIndex& index = history_.index();
  bool whole = true;
  (void)mirror_.scan(model::key_prefix, [&](Entry&& entry) {
    whole = whole && (!etcd::is_recorded(entry.key) || entry.modified <= *index.since() ||
                      index.tells(entry.modified, entry.key.substr(model::key_prefix.size())));
  });
  return whole;
}

Value EtcdHistorian::question_for(Step step) {
  return Value::object({{"compare", Value::array({std::move(step.compare)})},
                        {"success", std::move(step.operations)}});
}

async::Task<Result<bool>> EtcdHistorian::put(Step step) {
  auto question = question_for(std::move(step));
  auto answer = co_await history_.client().call("/v3/kv/txn", std::move(question), Again::harmful);
  if (!answer) co_return std::unexpected(answer.error());
  auto read = etcd::read_transaction(*answer);
  if (!read) co_return std::unexpected(read.error());
  if (!read->succeeded) {  // another gateway has done something
    const bool told = co_await moved_.wait(after(moved_.loop().now(), pause));
    (void)told;
    co_return false;
  }
  const bool knows = co_await history_.wait_for(read->revision);
  (void)knows;
  co_return true;
}

EtcdHistorian::Step EtcdHistorian::beginning(Revision revision) const {
  const auto& since = history_.keys().since;
  return {etcd::compare_modified(since, history_.index().since_written()),
          Value::array({etcd::put_operation(since, std::to_string(revision))})};
}

async::Task<Result<>> EtcdHistorian::begin_at(Revision revision, std::string_view why) {
  auto step = beginning(revision);
  if (!why.empty()) log::warn("the history in etcd begins anew at revision {}: {}", revision, why);
  auto done = co_await put(std::move(step));
  if (!done) co_return std::unexpected(done.error());
  if (*done) look_over_ = too_many_ = false;
  co_return Result<>();
}

bool EtcdHistorian::is_record_between(Revision one, Revision other) const {
  const auto next = history_.index().records().upper_bound(one);
  return next != history_.index().records().end() && next->first < other;
}

std::vector<EtcdHistorian::Run> EtcdHistorian::next_runs() const {
  std::vector<Run> runs;
  std::size_t revisions = 0, bytes = 0;
  for (const auto& [revision, group] : seen_) {
    for (const Seen& seen : group.keys) bytes += size_of(seen.before) + size_of(seen.after);
    if (revisions > 0 && (revisions == revisions_most || bytes > bytes_at_once)) break;
    ++revisions;
    if (runs.empty() || is_record_between(runs.back().back(), revision)) {
      if (runs.size() == runs_most) break;
      runs.emplace_back();
    }
    runs.back().push_back(revision);
  }
  return runs;
}

// What was found by comparing may have been written several times: the latest record tells what stood there.
async::Task<Result<>> EtcdHistorian::resolve(Run run) {
  for (const Revision revision : run) {
    auto& keys = seen_.at(revision).keys;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Seen& seen = keys[i];
      const auto* latest = seen.compared ? history_.index().latest_of(seen.name, seen.known) : nullptr;
      if (latest == nullptr) continue;
      const HistoryIndex::Kept& record = latest->second;
      const auto key = std::ranges::find(record.head.keys, seen.name, &etcd::Head::Key::name);
      const auto place = record.first + static_cast<std::size_t>(key - record.head.keys.begin());
      auto values = co_await history_.values_of(record.id);
      if (!values) co_return std::unexpected(values.error());
      if (*values && place < (*values)->size()) keys[i].before = (**values)[place].after;
    }
  }
  co_return Result<>();
}

etcd::Head EtcdHistorian::head_of(Revision revision, const Group& group) const {
  const bool expired = std::ranges::all_of(group.keys, &Seen::leased);
  etcd::Head head{.revision = revision,
                  .at_ms = now_ms(),
                  .author = {expired ? "ttl" : "outside", ""},
                  .note = "",
                  .size = 0,
                  .keys = {}};
  for (const Seen& seen : group.keys) {
    head.keys.push_back({seen.name, seen.before.has_value(), seen.after.has_value()});
    head.size += static_cast<std::int64_t>(size_of(seen.before) + size_of(seen.after));
  }
  return head;
}

void EtcdHistorian::add_record(const Run& run, Value& operations) const {
  std::vector<etcd::Head> heads;
  std::vector<etcd::Values> values;
  for (const Revision revision : run) {
    const Group& group = seen_.at(revision);
    heads.push_back(head_of(revision, group));
    for (const Seen& seen : group.keys) values.push_back({seen.before, seen.after});
  }
  const auto& keys = history_.keys();
  const std::string id = etcd::outside_id(run.front());
  operations.push_back(etcd::put_operation(keys.head(id), to_text(heads)));
  operations.push_back(etcd::put_operation(keys.values(id), to_text(values)));
}

EtcdHistorian::Step EtcdHistorian::recording(const std::vector<Run>& runs) const {
  const auto& outside = history_.keys().outside;
  Step step{etcd::compare_modified(outside, history_.index().outside()),
            Value::array({etcd::put_operation(outside, "")})};
  for (const Run& run : runs) add_record(run, step.operations);
  return step;
}

async::Task<Result<>> EtcdHistorian::record() {
  auto runs = next_runs();
  for (const Run& run : runs) {
    auto resolved = co_await resolve(run);
    if (!resolved) co_return resolved;
  }
  auto step = recording(runs);
  auto done = co_await put(std::move(step));
  if (done) {
    may_forget_ = may_forget_ || *done;
    co_return Result<>();
  }
  if (done.error().kind != ErrorKind::limit) co_return std::unexpected(done.error());
  auto begun = co_await begin_at(runs.back().back(), done.error().what);
  co_return begun;
}

HistoryIndex::Beyond EtcdHistorian::beyond() const {
  return history_.index().beyond(limits_, now_ms(), forgotten_at_once);
}

EtcdHistorian::Step EtcdHistorian::forgetting(const HistoryIndex::Beyond& beyond) const {
  Step step = beginning(std::max(beyond.until, *history_.index().since()));
  for (const std::string& id : beyond.ids) {
    step.operations.push_back(etcd::remove_operation(history_.keys().head(id)));
    step.operations.push_back(etcd::remove_operation(history_.keys().values(id)));
  }
  return step;
}

async::Task<Result<>> EtcdHistorian::forget() {
  const auto oldest = beyond();
  if (oldest.ids.empty()) co_return Result<>();
  auto step = forgetting(oldest);
  auto done = co_await put(std::move(step));
  if (!done) co_return std::unexpected(done.error());
  co_return Result<>();
}

}  // namespace sluice::store
