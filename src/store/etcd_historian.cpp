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
// Of one transaction; few, for whoever writes meanwhile waits for it.
constexpr std::size_t groups_most = 10;
constexpr std::size_t bytes_at_once = 100'000;
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
         (may_forget_ && history_.index().over(limits_, now_ms()) > 0);
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

std::vector<Revision> EtcdHistorian::next_groups() const {
  std::vector<Revision> next;
  std::size_t bytes = 0;
  for (const auto& [revision, group] : seen_) {
    for (const Seen& seen : group.keys) bytes += size_of(seen.before) + size_of(seen.after);
    if (!next.empty() && (next.size() == groups_most || bytes > bytes_at_once)) break;
    next.push_back(revision);
  }
  return next;
}

// What was found by comparing may have been written several times: the latest record tells what stood there.
async::Task<Result<>> EtcdHistorian::resolve(std::vector<Revision> revisions) {
  for (const Revision revision : revisions) {
    auto& keys = seen_.at(revision).keys;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Seen& seen = keys[i];
      const auto* latest = seen.compared ? history_.index().latest_of(seen.name, seen.known) : nullptr;
      if (latest == nullptr) continue;
      const auto& told = latest->second.head.keys;
      const auto place =
          static_cast<std::size_t>(std::ranges::find(told, seen.name, &etcd::Head::Key::name) - told.begin());
      auto values = co_await history_.values_of(latest->second.id);
      if (!values) co_return std::unexpected(values.error());
      if (*values && place < (*values)->size()) keys[i].before = (**values)[place].after;
    }
  }
  co_return Result<>();
}

void EtcdHistorian::add_record(Revision revision, const Group& group, Value& operations) const {
  const auto& keys = history_.keys();
  const bool expired = std::ranges::all_of(group.keys, &Seen::leased);
  etcd::Head head{.at_ms = now_ms(),
                  .author = {expired ? "ttl" : "outside", ""},
                  .note = "",
                  .size = 0,
                  .keys = {}};
  std::vector<etcd::Values> values;
  for (const Seen& seen : group.keys) {
    head.keys.push_back({seen.name, seen.before.has_value(), seen.after.has_value()});
    head.size += static_cast<std::int64_t>(size_of(seen.before) + size_of(seen.after));
    values.push_back({seen.before, seen.after});
  }
  const std::string id = etcd::outside_id(revision);
  operations.push_back(etcd::put_operation(keys.head(id), to_text(head)));
  operations.push_back(etcd::put_operation(keys.values(id), to_text(values)));
}

EtcdHistorian::Step EtcdHistorian::recording(const std::vector<Revision>& revisions) const {
  const auto& outside = history_.keys().outside;
  Step step{etcd::compare_modified(outside, history_.index().outside()),
            Value::array({etcd::put_operation(outside, "")})};
  for (const Revision revision : revisions) add_record(revision, seen_.at(revision), step.operations);
  return step;
}

async::Task<Result<>> EtcdHistorian::record() {
  auto revisions = next_groups();
  auto resolved = co_await resolve(revisions);
  if (!resolved) co_return resolved;
  auto step = recording(revisions);
  auto done = co_await put(std::move(step));
  if (done) {
    may_forget_ = may_forget_ || *done;
    co_return Result<>();
  }
  if (done.error().kind != ErrorKind::limit) co_return std::unexpected(done.error());
  auto begun = co_await begin_at(revisions.back(), done.error().what);
  co_return begun;
}

EtcdHistorian::Step EtcdHistorian::forgetting(std::size_t count) const {
  const auto& index = history_.index();
  Step step;
  Revision last = *index.since();
  for (auto at = index.records().begin(); count > 0; ++at, --count) {
    last = std::max(last, at->first);
    step.operations.push_back(etcd::remove_operation(history_.keys().head(at->second.id)));
    step.operations.push_back(etcd::remove_operation(history_.keys().values(at->second.id)));
  }
  Step begin = beginning(last);
  step.compare = std::move(begin.compare);
  step.operations.push_back(std::move(begin.operations.as_array().front()));
  return step;
}

async::Task<Result<>> EtcdHistorian::forget() {
  const std::size_t count = std::min(history_.index().over(limits_, now_ms()), forgotten_at_once);
  if (count == 0) co_return Result<>();
  auto step = forgetting(count);
  auto done = co_await put(std::move(step));
  if (!done) co_return std::unexpected(done.error());
  co_return Result<>();
}

}  // namespace sluice::store
