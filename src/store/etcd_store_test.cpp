// SPDX-License-Identifier: Apache-2.0
// What only etcd brings: APISIX's layout, others that write, and bad weather. Each test has an etcd of its
// own; without etcd-server they are skipped, loudly.
#include "store/etcd_store.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "store/testing.h"

namespace sluice::store {
namespace {

class EtcdStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!EtcdServer::installed()) GTEST_SKIP() << "NOT TESTED: etcd is not installed (etcd-server)";
    server_.emplace();
    outside_ = std::make_unique<EtcdClient>(loop_, net::Network::system(), place().options,
                                            http::Client::Resolve());
  }

  EtcdPlace place() const {
    EtcdPlace place;
    place.options.members.push_back(*parse_member(server_->url()));
    place.options.timeout = std::chrono::seconds(5);
    place.references = [](std::string_view, std::string_view) { return std::vector<std::string>(); };
    place.kept_at = folder_ / "etcd.db";
    return place;
  }
  std::unique_ptr<Store> open() {
    auto opened = open_etcd(place(), loop_, net::Network::system(), {});
    SLUICE_CHECK(opened.has_value());
    return std::move(*opened);
  }
  // As somebody else writes: whole keys.
  json::Value say(std::string path, json::Value question) {
    auto answer = wait(loop_, outside_->call(std::move(path), std::move(question), EtcdClient::Again::safe));
    SLUICE_CHECK(answer.has_value());
    return std::move(*answer);
  }
  Revision put_outside(const std::string& key, std::string_view value) {
    auto answer = say("/v3/kv/put", *etcd::put_operation(key, value).find("request_put"));
    return etcd::read_range(answer)->revision;
  }
  void compact(Revision revision) {
    say("/v3/kv/compaction",
        json::Value::object({{"revision", std::to_string(revision)}, {"physical", true}}));
  }
  // Watches and collects "key=value", "key-" for a removal.
  std::unique_ptr<Watch> listen(Store& store) {
    return store.watch(*store.scan("/", [](Entry&&) {}), [this](Result<std::vector<Change>> changes) {
      ASSERT_TRUE(changes);
      for (const auto& change : *changes)
        told_.push_back(change.value ? change.key + "=" + *change.value : change.key + "-");
    });
  }
  template <class Condition>
  void until(Condition condition) {
    const Instant end = after(loop_.clock().now(), std::chrono::seconds(30));
    while (!condition() && loop_.clock().now() < end) loop_.run_once(std::chrono::milliseconds(100));
    EXPECT_TRUE(condition());
  }
  static std::string all(Store& store) {
    std::string text;
    EXPECT_TRUE(store.scan("/", [&](Entry&& entry) { text += entry.key + "=" + entry.value + " "; }));
    return text;
  }

  Folder folder_;
  async::Loop loop_;
  std::optional<EtcdServer> server_;
  std::unique_ptr<EtcdClient> outside_;
  std::vector<std::string> told_;
};

TEST_F(EtcdStoreTest, ServesWhatApisixHasWritten) {
  put_outside("/apisix/routes/", "init_dir");
  put_outside("/apisix/upstreams/", "init_dir");
  put_outside("/apisix/routes/1", "{}");
  put_outside("/apisixes/routes/1", "of somebody else");
  auto store = open();
  EXPECT_EQ(all(*store), "/apisix/routes/1={} ");
  const auto listed = *wait(loop_, store->list("/apisix/routes/", "", 10));
  ASSERT_EQ(listed.entries.size(), 1u);
  auto watch = listen(*store);
  put_outside("/apisix/routes/2", "two");
  until([&] { return told_.size() == 1; });
  EXPECT_EQ(told_[0], "/apisix/routes/2=two");
  wait(loop_, store->transact(put("/apisix/routes/3", "three")));
  const auto range = say("/v3/kv/range", etcd::to_value(etcd::RangeQuestion{{"/apisix/routes/3", ""}}));
  EXPECT_EQ(etcd::read_range(range)->entries.at(0).value, "three");
}

TEST_F(EtcdStoreTest, AnyPrefixIsApisixInside) {
  auto other = place();
  other.options.prefix = "/gateways/eu";
  other.kept_at.clear();
  put_outside("/gateways/eu/routes/1", "one");
  auto store = std::move(*open_etcd(std::move(other), loop_, net::Network::system(), {}));
  EXPECT_EQ(all(*store), "/apisix/routes/1=one ");
  wait(loop_, store->transact(put("/apisix/routes/2", "two")));
  EXPECT_EQ((*wait(loop_, store->get("/apisix/routes/2")))->value, "two");
  const auto range = say("/v3/kv/range", etcd::to_value(etcd::RangeQuestion{{"/gateways/eu/routes/2", ""}}));
  EXPECT_EQ(etcd::read_range(range)->entries.size(), 1u);
}

TEST_F(EtcdStoreTest, GoesOnWhereItWasWhenEtcdComesBack) {
  auto store = open();
  auto watch = listen(*store);
  wait(loop_, store->transact(put("/apisix/a/1", "one")));
  until([&] { return told_.size() == 1; });
  server_->kill();
  until([&] { return !store->standing().reachable; });
  EXPECT_TRUE(store->standing().loaded);
  const auto refused = wait(loop_, store->transact(put("/apisix/a/2", "two")));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("nothing was stored"), std::string::npos) << refused.error().what;
  EXPECT_EQ(all(*store), "/apisix/a/1=one ");
  server_->start();
  put_outside("/apisix/a/1", "uno");
  until([&] { return store->standing().reachable && told_.size() == 2; });
  EXPECT_EQ(told_[1], "/apisix/a/1=uno");
  EXPECT_TRUE(wait(loop_, store->transact(put("/apisix/a/2", "two"))));
}

// Its connections stay open, and a watch may be silent anyway.
TEST_F(EtcdStoreTest, NoticesAnEtcdThatHangs) {
  auto hasty = place();
  hasty.options.timeout = std::chrono::seconds(1);
  hasty.options.rest = std::chrono::milliseconds(20);
  auto store = std::move(*open_etcd(std::move(hasty), loop_, net::Network::system(), {}));
  auto watch = listen(*store);
  const Instant later = after(loop_.clock().now(), std::chrono::milliseconds(200));
  until([&] { return loop_.clock().now() >= later && store->standing().reachable; });
  server_->pause();
  until([&] { return !store->standing().reachable; });
  server_->go_on();
  put_outside("/apisix/a/1", "one");
  until([&] { return store->standing().reachable && told_.size() == 1; });
}

TEST_F(EtcdStoreTest, ReadsEverythingAgainAfterACompaction) {
  auto store = open();
  auto watch = listen(*store);
  for (auto key : {"/apisix/a/1", "/apisix/a/2", "/apisix/a/3"})
    wait(loop_, store->transact(put(key, "one")));
  until([&] { return told_.size() == 3; });
  told_.clear();
  // The store's loop stands still while another one writes and compacts.
  server_->kill();
  until([&] { return !store->standing().reachable; });
  server_->start();
  {
    async::Loop other;
    EtcdClient writer(other, net::Network::system(), place().options, {});
    const auto say_there = [&](std::string path, json::Value question) {
      return *wait(other, writer.call(std::move(path), std::move(question), EtcdClient::Again::safe));
    };
    say_there("/v3/kv/deleterange", *etcd::remove_operation("/apisix/a/1").find("request_delete_range"));
    say_there("/v3/kv/put", *etcd::put_operation("/apisix/a/2", "two").find("request_put"));
    const auto last =
        say_there("/v3/kv/put", *etcd::put_operation("/apisix/a/4", "four").find("request_put"));
    say_there("/v3/kv/compaction",
              json::Value::object(
                  {{"revision", std::to_string(etcd::read_range(last)->revision)}, {"physical", true}}));
  }
  until([&] { return told_.size() == 3; });
  EXPECT_EQ(all(*store), "/apisix/a/2=two /apisix/a/3=one /apisix/a/4=four ");
  EXPECT_EQ(std::ranges::count(told_, "/apisix/a/1-"), 1);
  EXPECT_EQ(std::ranges::count(told_, "/apisix/a/2=two"), 1);
}

TEST_F(EtcdStoreTest, FollowsAnEtcdThatWentBackInTime) {
  auto store = open();
  auto watch = listen(*store);
  for (int i = 0; i < 5; ++i) wait(loop_, store->transact(put("/apisix/a/" + std::to_string(i), "one")));
  until([&] { return told_.size() == 5; });
  told_.clear();
  server_->kill();
  server_->wipe();
  server_->start();
  put_outside("/apisix/a/0", "older");
  until([&] { return store->standing().reachable && all(*store) == "/apisix/a/0=older "; });
  EXPECT_EQ(told_.size(), 5u);
  EXPECT_TRUE(wait(loop_, store->transact(put("/apisix/a/1", "new"))));
  until([&] { return all(*store) == "/apisix/a/0=older /apisix/a/1=new "; });
  const auto gone = remove("/apisix/a/1", {{Condition::Kind::unreferenced, "/apisix/a/1"}});
  EXPECT_TRUE(wait(loop_, store->transact(gone))->done);
}

TEST_F(EtcdStoreTest, BeginsWithTheLastGoodConfigurationWhenEtcdIsAway) {
  {
    auto store = open();
    auto watch = listen(*store);
    wait(loop_, store->transact(put("/apisix/a/1", "one")));
    wait(loop_, store->transact(put("/apisix/a/2", "two")));
    until([&] { return told_.size() == 2; });
  }
  server_->kill();
  auto store = open();
  EXPECT_FALSE(store->standing().reachable);
  EXPECT_TRUE(store->standing().loaded);
  EXPECT_EQ(all(*store), "/apisix/a/1=one /apisix/a/2=two ");
  EXPECT_FALSE(wait(loop_, store->get("/apisix/a/1")));
  told_.clear();
  auto watch = listen(*store);
  server_->start();
  until([&] { return store->standing().reachable; });
  EXPECT_TRUE(told_.empty());  // nothing had changed
  put_outside("/apisix/a/2", "deux");
  until([&] { return told_.size() == 1; });
  EXPECT_EQ(all(*store), "/apisix/a/1=one /apisix/a/2=deux ");
}

TEST_F(EtcdStoreTest, BeginsWithNothingWhenNothingWasKept) {
  server_->kill();
  auto store = open();
  EXPECT_FALSE(store->standing().loaded);
  EXPECT_EQ(all(*store), "");
  told_.clear();
  auto watch = listen(*store);
  server_->start();
  put_outside("/apisix/a/1", "one");
  until([&] { return told_.size() == 1 && store->standing().loaded; });
}

TEST_F(EtcdStoreTest, ReadsMoreThanOnePage) {
  auto writer = open();
  for (int i = 0; i < 2500; i += 100) {
    Transaction many;
    for (int k = i; k < i + 100; ++k) many.writes.push_back({fmt::format("/apisix/a/{:04}", k), "v", {}});
    ASSERT_TRUE(wait(loop_, writer->transact(std::move(many))));
  }
  auto second = place();
  second.kept_at.clear();
  auto store = std::move(*open_etcd(std::move(second), loop_, net::Network::system(), {}));
  int count = 0;
  ASSERT_TRUE(store->scan("/apisix/a/", [&](Entry&&) { ++count; }));
  EXPECT_EQ(count, 2500);
  count = 0;
  std::string after;
  for (bool more = true; more;) {
    auto page = *wait(loop_, store->list("/apisix/a/", after, 700));
    count += static_cast<int>(page.entries.size());
    more = page.more;
    after = page.entries.back().key;
  }
  EXPECT_EQ(count, 2500);
}

TEST_F(EtcdStoreTest, ATransactionBeyondTheServersLimitNamesTheFlag) {
  auto store = open();
  Transaction many;
  for (int i = 0; i < 129; ++i) many.writes.push_back({"/apisix/a/" + std::to_string(i), "v", {}});
  const auto refused = wait(loop_, store->transact(std::move(many)));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("--max-txn-ops"), std::string::npos) << refused.error().what;
  EXPECT_EQ(refused.error().kind, ErrorKind::limit);
}

TEST_F(EtcdStoreTest, TwoStoresOneKeyOneWins) {
  auto first = open();
  auto other = place();
  other.kept_at.clear();
  auto second = std::move(*open_etcd(std::move(other), loop_, net::Network::system(), {}));
  for (int i = 0; i < 20; ++i) {
    const std::string key = "/apisix/a/" + std::to_string(i);
    auto transaction = put(key, "v");
    transaction.conditions = {{Condition::Kind::absent, key}};
    std::optional<Result<Committed>> one, two;
    loop_.spawn(keep(first->transact(transaction), one));
    loop_.spawn(keep(second->transact(transaction), two));
    until([&] { return one && two; });
    EXPECT_EQ((*one)->done + (*two)->done, 1);
  }
}

// ---- the history ----

class EtcdHistoryTest : public EtcdStoreTest {
 protected:
  std::unique_ptr<Store> open_node(std::string kept_at = "") {
    auto here = place();
    here.kept_at = std::move(kept_at);
    here.history = limits_;
    auto store = std::move(*open_etcd(std::move(here), loop_, net::Network::system(), {}));
    const auto first = wait(loop_, store->history({}));
    EXPECT_TRUE(first) << first.error().what;
    return store;
  }
  // "author key before>after", the latest first.
  std::vector<std::string> told(Store& store) {
    auto slice = wait(loop_, store.history({}));
    SLUICE_CHECK(slice.has_value());
    since_ = slice->kept_since;
    std::vector<std::string> lines;
    for (const Record& record : slice->records)
      lines.push_back(fmt::format("{} {} {}>{}", record.author.name, record.key, record.before.value_or("-"),
                                  record.after.value_or("-")));
    return lines;
  }
  void remove_outside(const std::string& key) {
    say("/v3/kv/deleterange", *etcd::remove_operation(key).find("request_delete_range"));
  }
  using Lines = std::vector<std::string>;

  HistoryLimits limits_;
  Revision since_ = 0;
};

TEST_F(EtcdHistoryTest, WritesOfOthersAreRecordedOnce) {
  auto one = open_node(), two = open_node();
  wait(loop_, one->transact(put("/apisix/routes/1", "ours")));
  put_outside("/apisix/routes/1", "theirs");
  put_outside("/apisix/plugins", "no resource");
  remove_outside("/apisix/routes/1");
  const Lines expected{"outside /apisix/routes/1 theirs>-", "outside /apisix/routes/1 ours>theirs",
                       "test /apisix/routes/1 ->ours"};
  until([&] { return told(*one) == expected; });
  EXPECT_EQ(told(*two), expected);
  for (int i = 0; i < 200; ++i) put_outside("/apisix/routes/" + std::to_string(i), "many");
  until([&] { return told(*two).size() == 203; });
  EXPECT_EQ(told(*one).size(), 203u);
}

// What others wrote between two of ours is one record, and each write of it is told for itself.
TEST_F(EtcdHistoryTest, WritesOfOthersBetweenOursAreToldInOrder) {
  auto store = open_node();
  wait(loop_, store->transact(put("/apisix/routes/ours", "0")));
  Lines expected{"test /apisix/routes/ours ->0"};
  for (int i = 1; i <= 30; ++i) {
    const auto line = [i](std::string_view author, std::string_view key, std::string before) {
      return fmt::format("{} /apisix/routes/{} {}>{}", author, key, before, i);
    };
    if (i % 7 == 0) {
      wait(loop_, store->transact(put("/apisix/routes/ours", std::to_string(i))));
      expected.push_back(line("test", "ours", std::to_string(i - 7)));
    } else {
      put_outside("/apisix/routes/" + std::to_string(i % 7), std::to_string(i));
      expected.push_back(line("outside", std::to_string(i % 7), i < 7 ? "-" : std::to_string(i - 7)));
    }
  }
  std::ranges::reverse(expected);
  until([&] { return told(*store).size() == expected.size(); });
  EXPECT_EQ(told(*store), expected);
  etcd::RangeQuestion records{etcd::below("/sluice/apisix/values/")};
  EXPECT_LT(etcd::read_range(say("/v3/kv/range", etcd::to_value(records)))->entries.size(), 30u);
}

TEST_F(EtcdHistoryTest, WritesOfOthersWhileNobodyWasThereAreFoundByComparing) {
  const auto kept_at = folder_ / "kept.db";
  {
    auto store = open_node(kept_at);
    auto watch = listen(*store);
    for (auto key : {"/apisix/routes/1", "/apisix/routes/2", "/apisix/routes/3"})
      wait(loop_, store->transact(put(key, "ours")));
    until([&] { return told_.size() == 3; });
  }
  {
    auto store = open_node();  // it keeps nothing on disk
    wait(loop_, store->transact(put("/apisix/routes/2", "later")));
    wait(loop_, store->transact(remove("/apisix/routes/3")));
  }
  put_outside("/apisix/routes/2", "theirs");
  remove_outside("/apisix/routes/1");
  auto store = open_node(kept_at);
  const Lines lines = told(*store);
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(std::ranges::count(lines, "outside /apisix/routes/2 later>theirs"), 1);
  EXPECT_EQ(std::ranges::count(lines, "outside /apisix/routes/1 ours>-"), 1);
}

TEST_F(EtcdHistoryTest, AHistoryWithAHoleBeginsAnew) {
  Revision begun = 0;
  {
    auto store = open_node();
    wait(loop_, store->transact(put("/apisix/routes/1", "ours")));
    EXPECT_EQ(told(*store).size(), 1u);
    begun = since_;
  }
  { EXPECT_EQ((open_node(), told(*open_node()).size()), 1u); }
  EXPECT_EQ(since_, begun);
  const Revision hole = put_outside("/apisix/routes/1", "theirs");
  auto store = open_node();
  told(*store);
  EXPECT_GE(since_, hole);
}

TEST_F(EtcdHistoryTest, WhatIsOverALimitIsForgotten) {
  limits_.revisions_max = 3;
  auto one = open_node(), two = open_node();
  Revision fifth = 0;
  for (int i = 1; i <= 8; ++i) {
    auto& store = i % 2 ? *one : *two;
    const Revision made = wait(loop_, store.transact(put("/apisix/routes/1", std::to_string(i))))->revision;
    if (i == 5) fifth = made;
  }
  const Lines expected{"test /apisix/routes/1 7>8", "test /apisix/routes/1 6>7", "test /apisix/routes/1 5>6"};
  until([&] { return told(*one) == expected; });
  EXPECT_EQ(told(*two), expected);
  EXPECT_EQ(since_, fifth);
  etcd::RangeQuestion rest{etcd::below("/sluice/apisix/values/")};
  EXPECT_EQ(etcd::read_range(say("/v3/kv/range", etcd::to_value(rest)))->entries.size(), 3u);
}

TEST_F(EtcdHistoryTest, WhatOthersWroteIsForgottenToo) {
  limits_.revisions_max = 3;
  auto store = open_node();
  for (int i = 1; i <= 8; ++i) put_outside("/apisix/routes/1", std::to_string(i));
  until([&] { return !told(*store).empty() && told(*store).front() == "outside /apisix/routes/1 7>8"; });
  for (int i = 9; i <= 11; ++i)
    wait(loop_, store->transact(put("/apisix/routes/1", std::to_string(i))));
  const Lines expected{"test /apisix/routes/1 10>11", "test /apisix/routes/1 9>10",
                       "test /apisix/routes/1 8>9"};
  until([&] { return told(*store) == expected; });
  etcd::RangeQuestion rest{etcd::below("/sluice/apisix/values/")};
  EXPECT_EQ(etcd::read_range(say("/v3/kv/range", etcd::to_value(rest)))->entries.size(), 3u);
}

TEST_F(EtcdHistoryTest, WhatALeaseEndsIsRecordedAsSuch) {
  auto store = open_node();
  auto leased = put("/apisix/routes/1", "short");
  leased.writes.front().ttl = std::chrono::seconds(1);
  wait(loop_, store->transact(leased));
  until([&] { return told(*store).size() == 2; });
  EXPECT_EQ(told(*store).front(), "ttl /apisix/routes/1 short>-");
}

TEST_F(EtcdHistoryTest, AsManyWritesAsATransactionTakes) {
  auto store = open_node();
  const auto many = [](int count) {
    Transaction transaction;
    for (int i = 0; i < count; ++i)
      transaction.writes.push_back({"/apisix/routes/" + std::to_string(i), "v", {}});
    transaction.conditions.push_back({Condition::Kind::store_unchanged, {}, 1'000'000});
    return transaction;
  };
  EXPECT_TRUE(wait(loop_, store->transact(many(125))));
  EXPECT_EQ(told(*store).size(), 125u);
  const auto refused = wait(loop_, store->transact(many(126)));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("126 writes"), std::string::npos) << refused.error().what;
  EXPECT_NE(refused.error().what.find("--max-txn-ops"), std::string::npos) << refused.error().what;
}

TEST(EtcdMember, IsAUrlOfHttpOrHttps) {
  EXPECT_EQ(parse_member("http://10.0.0.1:2379")->port, 2379);
  EXPECT_EQ(parse_member("https://etcd-1.local")->host, "etcd-1.local");
  EXPECT_TRUE(parse_member("https://[::1]:2380/")->secure);
  for (auto bad : {"", "10.0.0.1:2379", "http://", "http://a:0", "http://a:70000", "ftp://a", "http://u@a",
                   "http://a/b"})
    EXPECT_FALSE(parse_member(bad)) << bad;
}

}  // namespace
}  // namespace sluice::store
