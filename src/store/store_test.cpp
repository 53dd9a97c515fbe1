// SPDX-License-Identifier: Apache-2.0
// Every store answers the same: one suite over the embedded one, the one in memory and an etcd. Revisions are
// counted from where the store begins.
#include "store/store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "json/text.h"
#include "model/resources.h"
#include "store/etcd_store.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"
#include "store/testing.h"

namespace sluice::store {
namespace {

enum class Engine : std::uint8_t { sqlite, memory, etcd };

// Keys of what a route names, as the model has it.
std::vector<std::string> references(std::string_view key, std::string_view value) {
  const auto parts = model::split_key(key);
  const auto body = json::parse(value);
  json::Findings findings;
  json::Reader reader(findings);
  if (parts.resource == nullptr || !body) return {};
  parts.resource->check(parts.id, *body, reader);
  std::vector<std::string> keys;
  for (const auto& reference : findings.references)
    keys.push_back(model::key_of(*model::find_resource(reference.resource), reference.id));
  return keys;
}

// One for the whole program; every test has a prefix of its own.
EtcdServer& etcd() {
  static EtcdServer server;
  return server;
}

class StoreTest : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    switch (GetParam()) {
      case Engine::sqlite:
        store_ = std::move(*open_sqlite({folder_ / "store.db"}, loop_));
        break;
      case Engine::memory:
        store_ = std::make_unique<MemoryStore>(loop_);
        break;
      case Engine::etcd:
        if (!EtcdServer::installed()) GTEST_SKIP() << "NOT TESTED: etcd is not installed (etcd-server)";
        open();
    }
    (void)wait(loop_, store_->history({}));  // in etcd it begins with a revision of its own
    begin_ = wait(loop_, store_->list("/apisix/", "", 1))->revision;
  }
  void open() {
    EtcdPlace place;
    place.options.members.push_back(*parse_member(etcd().url()));
    place.options.prefix = "/" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name());
    place.references = references;
    place.history.emplace();
    store_ = std::move(*open_etcd(std::move(place), loop_, net::Network::system(), {}));
  }
  Committed commit(Transaction transaction) {
    auto done = wait(loop_, store_->transact(std::move(transaction)));
    SLUICE_CHECK(done.has_value());
    return std::move(*done);
  }
  std::optional<Entry> get(std::string key) { return *wait(loop_, store_->get(std::move(key))); }
  Revision since_begin(Revision revision) const { return revision - begin_; }

  Folder folder_;
  async::Loop loop_;
  std::unique_ptr<Store> store_;
  Revision begin_ = 0;
};

INSTANTIATE_TEST_SUITE_P(All, StoreTest, testing::Values(Engine::sqlite, Engine::memory, Engine::etcd),
                         [](const auto& info) {
                           return info.param == Engine::sqlite   ? "Sqlite"
                                  : info.param == Engine::memory ? "Memory"
                                                                 : "Etcd";
                         });

TEST_P(StoreTest, KeepsEntriesAndCountsRevisions) {
  auto first = commit(put("/apisix/a/1", "one"));
  EXPECT_TRUE(first.done);
  EXPECT_EQ(since_begin(first.revision), 1);
  EXPECT_FALSE(first.written.at(0).existed);
  auto second = commit(put("/apisix/a/1", "uno"));
  EXPECT_TRUE(second.written.at(0).existed);
  EXPECT_EQ(since_begin(second.written.at(0).created), 1);
  auto entry = get("/apisix/a/1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->key, "/apisix/a/1");
  EXPECT_EQ(entry->value, "uno");
  EXPECT_EQ(since_begin(entry->created), 1);
  EXPECT_EQ(since_begin(entry->modified), 2);
  EXPECT_FALSE(get("/apisix/a/2"));
  EXPECT_TRUE(commit(remove("/apisix/a/1")).written.at(0).existed);
  EXPECT_FALSE(get("/apisix/a/1"));
  auto nothing = commit(remove("/apisix/a/1"));
  EXPECT_FALSE(nothing.written.at(0).existed);
  EXPECT_LE(since_begin(nothing.revision), 3);
  EXPECT_EQ(since_begin(commit(put("/apisix/a/1", "again")).written.at(0).created), 4);
}

TEST_P(StoreTest, ListsByPrefixInPages) {
  for (auto key : {"/apisix/r/2", "/apisix/r/1", "/apisix/r/10", "/apisix/s/1", "/apisix/q/1"})
    commit(put(key, key));
  auto page = *wait(loop_, store_->list("/apisix/r/", "", 2));
  ASSERT_EQ(page.entries.size(), 2u);
  EXPECT_EQ(page.entries[0].key, "/apisix/r/1");
  EXPECT_EQ(page.entries[1].key, "/apisix/r/10");
  EXPECT_TRUE(page.more);
  page = *wait(loop_, store_->list("/apisix/r/", "/apisix/r/10", 2));
  ASSERT_EQ(page.entries.size(), 1u);
  EXPECT_FALSE(page.more);
}

TEST_P(StoreTest, ScansWhatAWatchHasTold) {
  int told = 0;
  auto watch = store_->watch(begin_, [&](Result<std::vector<Change>> changes) { told += changes->size(); });
  for (auto key : {"/apisix/r/2", "/apisix/r/1", "/apisix/s/1"}) commit(put(key, key));
  while (told < 3) loop_.run_once(std::chrono::seconds(10));
  std::string all;
  EXPECT_EQ(since_begin(*store_->scan("/apisix/", [&](Entry&& entry) { all += entry.value; })), 3);
  EXPECT_EQ(all, "/apisix/r/1/apisix/r/2/apisix/s/1");
}

TEST_P(StoreTest, ConditionsHoldOrNothingIsWritten) {
  using Kind = Condition::Kind;
  const std::string up = "/apisix/upstreams/1", route = "/apisix/routes/1";
  commit(put(up, R"({"nodes":{"127.0.0.1:80":1},"type":"roundrobin"})"));
  auto transaction = put(route, R"({"uri":"/","upstream_id":"1"})", {up});
  transaction.conditions = {{Kind::exists, up}, {Kind::absent, route}};
  EXPECT_TRUE(commit(transaction).done);
  auto again = commit(transaction);
  EXPECT_FALSE(again.done);
  EXPECT_EQ(again.failed, 1u);
  auto refused = commit(remove(up, {{Kind::unreferenced, up}}));
  EXPECT_FALSE(refused.done);
  EXPECT_EQ(refused.by, route);
  auto modified = get(route)->modified;
  auto update = put(route, R"({"uri":"/"})");
  update.conditions = {{Kind::unchanged, route, modified}};
  EXPECT_TRUE(commit(update).done);
  EXPECT_FALSE(commit(update).done);
  EXPECT_TRUE(commit(remove(up, {{Kind::unreferenced, up}})).done);
  EXPECT_FALSE(get(up));
}

TEST_P(StoreTest, WhatReferredAndIsGoneDoesNotRefer) {
  using Kind = Condition::Kind;
  const std::string up = "/apisix/upstreams/1";
  for (int i = 0; i < 20; ++i) {
    commit(put(up, R"({"nodes":{"127.0.0.1:80":1},"type":"roundrobin"})"));
    commit(put("/apisix/routes/1", R"({"uri":"/","upstream_id":"1"})", {up}));
    EXPECT_FALSE(commit(remove(up, {{Kind::unreferenced, up}})).done);
    commit(remove("/apisix/routes/1"));
    EXPECT_TRUE(commit(remove(up, {{Kind::unreferenced, up}})).done);
  }
}

TEST_P(StoreTest, AReferenceThatIsGivenUpInTheSameTransaction) {
  const std::string up = "/apisix/upstreams/1", route = "/apisix/routes/1";
  commit(put(up, R"({"nodes":{"127.0.0.1:80":1},"type":"roundrobin"})"));
  commit(put(route, R"({"uri":"/","upstream_id":"1"})", {up}));
  auto both = remove(up, {{Condition::Kind::unreferenced, up}});
  both.writes.push_back({route, R"({"uri":"/b","upstream_id":"1"})", {up}});
  auto refused = commit(both);
  EXPECT_FALSE(refused.done);
  EXPECT_EQ(refused.by, route);
  both.writes.back() = {route, R"({"uri":"/b"})", {}};
  EXPECT_TRUE(commit(both).done);
  EXPECT_FALSE(get(up));
}

TEST_P(StoreTest, RemovingBothEndsOfAReferenceAtOnce) {
  const std::string up = "/apisix/upstreams/1";
  commit(put(up, R"({"nodes":{"127.0.0.1:80":1},"type":"roundrobin"})"));
  commit(put("/apisix/routes/1", R"({"uri":"/","upstream_id":"1"})", {up}));
  auto both = remove(up, {{Condition::Kind::unreferenced, up}});
  both.writes.push_back({"/apisix/routes/1", {}, {}});
  EXPECT_TRUE(commit(both).done);
  EXPECT_FALSE(get("/apisix/routes/1"));
}

TEST_P(StoreTest, WatchTellsEveryChangeOnceAndInOrder) {
  for (int i = 0; i < 5; ++i) commit(put("/apisix/a/" + std::to_string(i), "v"));
  std::vector<Revision> seen;
  bool removed = false;
  auto watch = store_->watch(begin_ + 2, [&](Result<std::vector<Change>> changes) {
    ASSERT_TRUE(changes);
    for (const auto& change : *changes) seen.push_back(since_begin(change.revision));
    removed = !changes->back().value;
  });
  for (int i = 0; i < 50; ++i) commit(put("/apisix/a/0", std::to_string(i)));
  commit(remove("/apisix/a/0"));
  while (seen.size() < 54) loop_.run_once(std::chrono::seconds(10));
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<Revision>(i) + 3);
  EXPECT_TRUE(removed);
  watch.reset();
  commit(put("/apisix/a/9", "v"));
  while (loop_.run_once()) {
  }
  EXPECT_EQ(seen.size(), 54u);
}

TEST_P(StoreTest, HistorySaysWhoAndWhat) {
  commit(put("/apisix/routes/1", "one"));
  commit(put("/apisix/routes/1", "two"));
  commit(remove("/apisix/routes/1"));
  commit(put("/apisix/services/1", "other"));
  auto slice = wait(loop_, store_->history({.prefix = "/apisix/routes/"}));
  ASSERT_TRUE(slice) << slice.error().what;
  EXPECT_FALSE(slice->more);
  EXPECT_LE(since_begin(slice->kept_since), 0);
  auto& records = slice->records;
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].before, "two");
  EXPECT_EQ(records[0].after, std::nullopt);
  EXPECT_EQ(records[1].before, "one");
  EXPECT_EQ(records[1].after, "two");
  EXPECT_EQ(records[1].author.name, "test");
  EXPECT_EQ(records[1].author.address, "127.0.0.1");
  EXPECT_GT(records[1].at_ms, 1'600'000'000'000);
  EXPECT_EQ(records[2].before, std::nullopt);
}

TEST_P(StoreTest, HistoryIsReadInSlicesThatMayEndInsideARevision) {
  Transaction many;
  for (int i = 1; i <= 7; ++i) many.writes.push_back({"/apisix/routes/" + std::to_string(i), "v", {}});
  many.note = "many at once";
  std::vector<Revision> made{commit(many).revision};
  for (int i = 1; i <= 3; ++i) made.push_back(commit(put("/apisix/routes/1", std::to_string(i))).revision);
  HistoryQuestion question{.values = HistoryQuestion::Values::left_out, .limit = 4};
  std::string told;
  for (bool more = true; more;) {
    auto slice = *wait(loop_, store_->history(question));
    EXPECT_LE(slice.records.size(), 4u);
    for (const Record& record : slice.records) {
      const bool first = record.revision == made.front();
      told += std::to_string(std::ranges::find(made, record.revision) - made.begin() + 1) + "." +
              std::to_string(record.ordinal) + " ";
      EXPECT_EQ(record.before.has_value(), !first);
      EXPECT_EQ(record.after, "");
      EXPECT_EQ(record.note, first ? "many at once" : "");
    }
    question.before = slice.next;
    more = slice.more;
  }
  EXPECT_EQ(told, "4.1 3.1 2.1 1.7 1.6 1.5 1.4 1.3 1.2 1.1 ");
  question.before = {made[3], 0};
  question.since = made[1];
  EXPECT_EQ(wait(loop_, store_->history(question))->records.size(), 1u);
}

TEST_P(StoreTest, WritesAtOnceToOneKeyAreAllInTheHistory) {
  std::vector<std::optional<Result<Committed>>> results(20);
  for (std::size_t i = 0; i < results.size(); ++i)
    loop_.spawn(keep(store_->transact(put("/apisix/routes/1", std::to_string(i))), results[i]));
  const auto ended = [&] {
    return std::ranges::all_of(results, [](const auto& r) { return r.has_value(); });
  };
  while (!ended()) loop_.run_once(std::chrono::seconds(10));
  for (const auto& result : results) EXPECT_TRUE(*result && (*result)->done);
  auto slice = *wait(loop_, store_->history({}));
  ASSERT_EQ(slice.records.size(), results.size());
  std::optional<std::string> stands = get("/apisix/routes/1")->value;
  for (const Record& record : slice.records) {
    EXPECT_EQ(record.after, stands);
    EXPECT_EQ(record.author.name, "test");
    stands = record.before;
  }
  EXPECT_FALSE(stands);
}

TEST_P(StoreTest, ATrialWritesNothing) {
  auto trial = put("/apisix/a/1", "v");
  trial.try_only = true;
  EXPECT_TRUE(commit(trial).done);
  EXPECT_FALSE(get("/apisix/a/1"));
  trial.conditions.push_back({Condition::Kind::exists, "/apisix/a/2"});
  EXPECT_FALSE(commit(trial).done);
}

TEST_P(StoreTest, AStoreThatMustNotHaveChanged) {
  const Revision zeroth = commit(put("/apisix/routes/1", "v")).revision;
  const Revision first = commit(remove("/apisix/routes/1")).revision;
  auto after_removal = put("/apisix/routes/2", "v");
  after_removal.conditions = {{Condition::Kind::store_unchanged, {}, zeroth}};
  EXPECT_FALSE(commit(after_removal).done);
  EXPECT_EQ(*wait(loop_, store_->revision()), first);
  const Revision second = commit(put("/apisix/routes/2", "v")).revision;
  EXPECT_EQ(*wait(loop_, store_->revision()), second);
  auto third = put("/apisix/routes/1", "w");
  third.conditions = {{Condition::Kind::store_unchanged, {}, first}};
  EXPECT_FALSE(commit(third).done);
  third.conditions.front().revision = second;
  EXPECT_TRUE(commit(third).done);
  EXPECT_FALSE(commit(third).done);
}

TEST_P(StoreTest, IdsAreNeverGivenTwice) {
  std::int64_t last = 0;
  for (int i = 0; i < (GetParam() == Engine::etcd ? 50 : 2500); ++i) {
    auto id = *wait(loop_, store_->next_id());
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST_P(StoreTest, ATaskThatIsDroppedDoesNoHarm) {
  for (int i = 0; i < 100; ++i) {
    std::optional<Result<Committed>> result;
    auto task = keep(store_->transact(put("/apisix/a/1", std::to_string(i))), result);
  }
  commit(put("/apisix/a/1", "last"));
  EXPECT_EQ(get("/apisix/a/1")->value, "last");
}

}  // namespace
}  // namespace sluice::store
