// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_store.h"

#include <fmt/core.h>

#include <algorithm>

#include "async/child.h"
#include "async/signal.h"
#include "base/log.h"
#include "model/resources.h"
#include "store/etcd_follower.h"
#include "store/etcd_historian.h"
#include "store/etcd_nodes.h"
#include "store/etcd_transaction.h"
#include "store/watch_hub.h"

namespace sluice::store {
namespace {

using Again = EtcdClient::Again;

constexpr Duration silence_max = std::chrono::seconds(5);
constexpr std::size_t references_at_once = 100;  // entries, less than a millisecond
constexpr Duration references_pause = std::chrono::milliseconds(1);

std::unexpected<Error> not_read(Error error) {
  error.what.insert(0, "etcd: ");
  return std::unexpected(std::move(error));
}

class EtcdStore final : public Store {
 public:
  EtcdStore(EtcdPlace place, async::Loop& loop, net::Network& network, http::Client::Resolve resolve)
      : options_(std::move(place.options)), loop_(loop),
        mirror_(std::move(place.references), [this](const Entry* before, const Change& change,
                                                    Mirror::Told told) { saw(before, change, told); }),
        hub_(loop), moved_(loop), client_(loop, network, options_, resolve),
        follower_(loop, client_, options_,
                  {options_.prefix + "/", std::string(model::key_prefix), "configuration"}, mirror_,
                  {[this](std::vector<Change> changes) { changed(std::move(changes)); },
                   [this] { moved_.notify(); }}),
        nodes_(loop, client_, follower_, options_.prefix) {
    if (!place.history) return;
    history_.emplace(loop, network, options_, std::move(resolve), moved_);
    historian_.emplace(*history_, *place.history, mirror_, follower_, moved_);
  }

  Result<> begin(const std::string& kept_at);

  async::Task<Result<std::optional<Entry>>> get(std::string key) override;
  async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) override;
  async::Task<Result<Committed>> transact(Transaction transaction) override;
  async::Task<Result<std::int64_t>> next_id() override;
  async::Task<Result<Revision>> revision() override;
  async::Task<Result<HistorySlice>> history(HistoryQuestion question) override;
  std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) override {
    return hub_.watch(from, std::move(on_changes));
  }
  void report(std::function<NodeReport()> how) override { nodes_.start(std::move(how)); }
  async::Task<Result<std::vector<NodeReport>>> nodes() override { return nodes_.read(); }
  async::Task<Result<>> backup(std::string) override {
    return Result<>(fail(ErrorKind::system,
                         "etcd is backed up with its own tool: etcdctl snapshot save FILE"));
  }
  Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) override {
    return mirror_.scan(prefix, sink);
  }
  Standing standing() const override {
    Standing standing = follower_.standing();
    standing.loaded = standing.loaded || kept_loaded_;
    return standing;
  }

 private:
  void changed(std::vector<Change> changes);
  async::Task<> look_for_references();
  void saw(const Entry* before, const Change& change, Mirror::Told told) {
    if (begun_ && historian_) historian_->saw(before, change, told);
  }
  async::Task<Result<Committed>> attempt(Transaction transaction, bool recorded);
  async::Task<Result<Committed>> attempt_recorded(Transaction transaction);
  bool settled() const;

  EtcdOptions options_;
  async::Loop& loop_;
  Mirror mirror_;
  WatchHub hub_;
  async::Signal moved_;  // the mirror, or the follower's standing
  std::unique_ptr<LastGood> kept_;
  bool kept_loaded_ = false;
  Revision written_ = 0;   // by this store, latest
  Revision followed_ = 0;  // the mirror's, when it changed last
  bool begun_ = false;     // what was kept on disk is in the mirror
  EtcdClient client_;
  EtcdFollower follower_;
  EtcdNodes nodes_;
  std::optional<EtcdHistory> history_;
  std::optional<EtcdHistorian> historian_;
  async::Child looking_;  // for references
};

Result<> EtcdStore::begin(const std::string& kept_at) {
  if (!kept_at.empty()) {
    std::string source = options_.prefix;
    for (const auto& member : options_.members) source.append(" ").append(member.authority);
    auto opened = LastGood::open(kept_at, std::move(source), loop_);
    if (!opened) return std::unexpected(opened.error());
    kept_ = std::move(*opened);
    auto read = kept_->read();
    if (!read) return std::unexpected(read.error());
    kept_loaded_ = read->revision > 0;
    if (kept_loaded_) mirror_.replace(std::move(read->entries), read->revision, loop_.clock().now());
  }
  begun_ = true;
  looking_.start(look_for_references());
  follower_.start();
  if (history_) history_->start();
  if (historian_) historian_->start();
  const Instant end = after(loop_.clock().now(), kept_loaded_ ? std::min(silence_max, options_.timeout)
                                                              : options_.timeout);
  while (!settled() && !loop_.stopping() && loop_.clock().now() < end)
    loop_.run_once(end - loop_.clock().now());
  hub_.begin_at(mirror_.revision());
  if (follower_.in_step()) return {};
  if (kept_loaded_) {
    log::error("etcd is out of reach at start ({}): the last good configuration, of revision {}, is served",
               follower_.standing().what, mirror_.revision());
  } else {
    log::error("etcd is out of reach at start ({}) and no configuration is kept on disk: nothing is served "
               "until etcd is there",
               follower_.standing().what);
  }
  return {};
}

bool EtcdStore::settled() const {
  return follower_.in_step() || follower_.failures() >= options_.startup_tries;
}

void EtcdStore::changed(std::vector<Change> changes) {
  if (mirror_.revision() < followed_) written_ = 0;  // a backup was restored: what was written may be gone
  followed_ = mirror_.revision();
  moved_.notify();
  hub_.announce(changes);  // first, so that it is live before the disk is asked for anything
  if (kept_) kept_->write(changes, mirror_.revision());
}

// In the pauses of everything else.
async::Task<> EtcdStore::look_for_references() {
  for (;;) {
    if (mirror_.look_for_references(references_at_once)) {
      co_await loop_.sleep(references_pause);
    } else {
      const bool told = co_await moved_.wait(never);
      (void)told;
    }
  }
}

// ---- reading ----

async::Task<Result<std::optional<Entry>>> EtcdStore::get(std::string key) {
  etcd::RangeQuestion question{{follower_.outer(key), ""}};
  auto range = co_await client_.range(std::move(question));
  if (!range) co_return not_read(range.error());
  if (range->entries.empty()) co_return std::nullopt;
  Entry entry = std::move(range->entries.front());
  entry.key = std::move(key);
  co_return std::optional<Entry>(std::move(entry));
}

async::Task<Result<Page>> EtcdStore::list(std::string prefix, std::string after, std::size_t limit) {
  etcd::RangeQuestion question{etcd::below(follower_.outer(prefix))};
  question.limit = static_cast<std::int64_t>(std::clamp<std::size_t>(limit, 1, 10'000));
  if (after >= prefix) question.keys.from = follower_.outer(after) + '\0';
  Page page;
  do {
    auto range = co_await client_.range(question);
    if (!range && range.error().kind == ErrorKind::limit && question.limit > 1) {
      question.limit = std::max<std::int64_t>(question.limit / 8, 1);
      continue;
    }
    if (!range) co_return not_read(range.error());
    page.revision = range->revision;
    page.more = range->more && !range->entries.empty();
    if (page.more) question.keys.from = range->entries.back().key + '\0';
    for (Entry& entry : range->entries) {
      entry.key = follower_.inner(entry.key);
      if (!entry.key.empty()) page.entries.push_back(std::move(entry));
    }
  } while (page.entries.empty() && page.more);
  co_return page;
}

// The latest write by a gateway is known to etcd, one by somebody else to the mirror.
async::Task<Result<Revision>> EtcdStore::revision() {
  const bool recorded = history_ && history_->is_allowed();
  etcd::RangeQuestion question;
  question.keys.from = recorded ? history_->keys().last : follower_.keys().from;
  auto range = co_await client_.range(std::move(question));
  if (!range) co_return not_read(range.error());
  if (!recorded) co_return range->revision;
  const Revision last = range->entries.empty() ? 0 : range->entries.front().modified;
  co_return std::max({last, mirror_.changed(), history_->index().since().value_or(0)});
}

// As APISIX makes them: the revision of a write to one key.
async::Task<Result<std::int64_t>> EtcdStore::next_id() {
  Transaction transaction;
  transaction.writes.push_back({std::string(model::key_prefix) + "gen_id", "1", {}});
  auto done = co_await transact(std::move(transaction));
  if (!done) co_return std::unexpected(done.error());
  co_return done->revision;
}

// ---- writing ----

async::Task<Result<Committed>> EtcdStore::transact(Transaction transaction) {
  const bool recorded = history_ && history_->is_allowed();
  if (!recorded) return attempt(std::move(transaction), false);
  return attempt_recorded(std::move(transaction));
}

// A user who may not write the history still may write the configuration.
async::Task<Result<Committed>> EtcdStore::attempt_recorded(Transaction transaction) {
  auto committed = co_await attempt(transaction, true);
  if (committed || !EtcdHistory::is_refusal(committed.error().what)) co_return committed;
  history_->refused();
  auto again = co_await attempt(std::move(transaction), false);
  co_return again;
}

async::Task<Result<Committed>> EtcdStore::attempt(Transaction transaction, bool recorded) {
  EtcdTransaction running(client_, follower_, mirror_, moved_, recorded ? &history_->keys() : nullptr,
                          std::move(transaction));
  auto committed = co_await running.run(written_);
  if (committed && committed->done && running.wrote()) written_ = std::max(written_, committed->revision);
  if (recorded) historian_->wrote();
  co_return committed;
}

// ---- the history ----

async::Task<Result<HistorySlice>> EtcdStore::history(HistoryQuestion question) {
  if (!history_) co_return fail(ErrorKind::system, "this node keeps no history");
  auto known = co_await history_->catch_up();
  if (!known) co_return std::unexpected(known.error());
  const bool settled = co_await historian_->settle();
  if (!settled) {
    co_return fail(ErrorKind::timeout,
                   "what others have written to etcd is being recorded in the history; try again");
  }
  auto slice = co_await history_->read(std::move(question));
  co_return slice;
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd(EtcdPlace place, async::Loop& loop, net::Network& network,
                                         http::Client::Resolve resolve) {
  const std::string kept_at = place.kept_at;
  auto store = std::make_unique<EtcdStore>(std::move(place), loop, network, std::move(resolve));
  if (auto begun = store->begin(kept_at); !begun) return std::unexpected(begun.error());
  return store;
}

}  // namespace sluice::store
