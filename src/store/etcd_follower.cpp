// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_follower.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "store/etcd_reading.h"

namespace sluice::store {
namespace {

constexpr Duration backoff_least = std::chrono::milliseconds(100);
constexpr Duration backoff_most = std::chrono::seconds(3);

}  // namespace

EtcdFollower::EtcdFollower(async::Loop& loop, EtcdClient& client, const EtcdOptions& options, Place place,
                           Replica& replica, Events events)
    : loop_(loop), client_(client), options_(options), keys_(etcd::below(place.outer)),
      place_(std::move(place)), replica_(replica), events_(std::move(events)) {
  standing_.provider = "etcd";
  standing_.reachable = standing_.loaded = false;
  standing_.what = "etcd has not answered yet";
  standing_.since = loop_.now();
}

std::string EtcdFollower::outer(std::string_view key) const {
  SLUICE_CHECK(key.starts_with(place_.inner));
  return place_.outer + std::string(key.substr(place_.inner.size()));
}

std::string EtcdFollower::inner(std::string_view key) const {
  // "/apisix/routes/" with the value "init_dir" is how APISIX marks a kind as there.
  if (!key.starts_with(place_.outer) || key.ends_with('/')) return {};
  return place_.inner + std::string(key.substr(place_.outer.size()));
}

async::Task<> EtcdFollower::run() {
  for (;;) {
    Result<> done;
    if (read_again_) {
      auto read = co_await read_all();
      done = std::move(read);
    }
    if (done) {
      auto followed = co_await follow();
      done = std::move(followed);
    }
    if (done) continue;
    lost(done.error());
    const Instant again = after(loop_.now(), backoff());
    co_await loop_.sleep_until(again);
  }
}

// A watch that is silent looks the same whether nothing happens or the member hangs. So a small question is
// asked now and then; when it fails, or another member had to answer it, the watch is begun anew there.
async::Task<> EtcdFollower::look_after() {
  for (;;) {
    co_await loop_.sleep(options_.rest);
    if (!standing_.reachable) continue;
    etcd::RangeQuestion small{.keys = {keys_.from, {}}};
    auto answer = co_await client_.range(std::move(small));
    if (!standing_.reachable || (answer && client_.current() == watched_)) continue;
    if (!answer) lost(answer.error());
    running_.start(run());
  }
}

Duration EtcdFollower::backoff() const {
  const Duration longest = std::min(backoff_most, backoff_least * (1 << std::min(failures_, 10)));
  return longest / 2 + Duration(thread_random().below(static_cast<std::uint64_t>(longest.count() / 2)));
}

void EtcdFollower::reached() {
  const bool was_away = std::exchange(failures_, 0) > 0;
  if (standing_.reachable) return;
  log::line(was_away ? log::Level::warn : log::Level::notice, "etcd {}: the {} is reached, at revision {}",
            client_.current(), place_.what, replica_.revision());
  standing_.reachable = standing_.loaded = true;
  standing_.what.clear();
  standing_.since = loop_.now();
  events_.told();
}

void EtcdFollower::lost(const Error& error) {
  ++failures_;
  client_.avoid_current();
  client_.forget_token();
  if (standing_.reachable || failures_ == 1) {
    log::error("etcd cannot be followed: {}; the {} stays as of revision {} until it can",
               error.what, place_.what, replica_.revision());
    standing_.since = loop_.now();
  }
  standing_.reachable = false;
  standing_.what = error.what;
  events_.told();
}

async::Task<Result<>> EtcdFollower::read_all() {
  std::vector<Entry> entries;
  EtcdReading reading(client_, keys_);
  while (!reading.ended()) {
    auto page = co_await reading.next();
    if (!page) co_return std::unexpected(page.error());
    for (Entry& entry : *page) {
      entry.key = inner(entry.key);
      if (!entry.key.empty()) entries.push_back(std::move(entry));
    }
  }
  read_again_ = false;
  cluster_ = reading.cluster();
  const Revision revision = reading.revision();
  if (revision < replica_.revision()) {
    log::warn("etcd is at revision {}, it was at {} before: it was restored or is another one", revision,
              replica_.revision());
  }
  const auto changes = replica_.replace(std::move(entries), revision, loop_.clock().now());
  log::notice("etcd: all of the {} was read at revision {}, {} changes", place_.what, revision,
              changes.size());
  events_.changed(changes);
  co_return Result<>();
}

// Until the watch ends: an error, or nothing when it is to be begun anew at once.
async::Task<Result<>> EtcdFollower::follow() {
  auto watching = co_await client_.watch(keys_, replica_.revision() + 1);
  if (!watching) co_return std::unexpected(watching.error());
  watched_ = client_.current();
  while (!read_again_) {
    auto answers = co_await (*watching)->next();
    if (!answers && answers.error().kind == ErrorKind::timeout) break;  // was silent: is it still there?
    if (!answers) co_return std::unexpected(answers.error());
    auto taken = take(std::move(*answers));
    if (!taken) co_return taken;
  }
  co_return Result<>();
}

Result<> EtcdFollower::take(std::vector<etcd::WatchAnswer> answers) {
  std::vector<Change> changes;
  Result<> outcome;
  const Instant now = loop_.clock().now();
  for (auto& answer : answers) {
    outcome = ended(answer);
    if (!outcome || read_again_) break;
    if (answer.created) reached();
    for (Change& change : answer.changes) {
      replica_.reach(change.revision);
      change.key = inner(change.key);
      change.stored = now;
      if (change.key.empty()) continue;
      replica_.apply(change);
      changes.push_back(std::move(change));
    }
  }
  events_.changed(std::move(changes));
  return outcome;
}

// Whether a line says that this watch is of no use any more.
Result<> EtcdFollower::ended(const etcd::WatchAnswer& answer) {
  if (answer.compacted > 0) {
    log::warn("etcd has compacted its history up to revision {}, this node had seen {}: all is read again",
              answer.compacted, replica_.revision());
    read_again_ = true;
    return {};
  }
  if (answer.canceled) {
    return fail(ErrorKind::closed, "the watch was canceled: " + answer.reason, Fault::peer);
  }
  if (answer.created)
    read_again_ = answer.revision < replica_.revision() || answer.cluster != cluster_;
  return {};
}

}  // namespace sluice::store
