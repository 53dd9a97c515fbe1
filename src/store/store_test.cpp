// SPDX-License-Identifier: Apache-2.0
// Both stores answer the same; then what only the one on disk can: durability, damage, versions, backups.
#include "store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "async/loop.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace sluice::store {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "sluice-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

template <class T>
async::Task<> keep(async::Task<T> task, std::optional<T>& into) {
  auto value = co_await task;
  into.emplace(std::move(value));
}

// Drives the loop until the task has ended.
template <class T>
T wait(async::Loop& loop, async::Task<T> task) {
  std::optional<T> result;
  loop.spawn(keep(std::move(task), result));
  while (!result) loop.run_once(std::chrono::seconds(10));
  return std::move(*result);
}

Transaction put(std::string key, std::string value, std::vector<std::string> references = {}) {
  Transaction transaction;
  transaction.writes.push_back({std::move(key), std::move(value), std::move(references)});
  transaction.who = "test";
  return transaction;
}

Transaction remove(std::string key, std::vector<Condition> conditions = {}) {
  Transaction transaction;
  transaction.conditions = std::move(conditions);
  transaction.writes.push_back({std::move(key), {}, {}});
  return transaction;
}

class StoreTest : public testing::TestWithParam<bool> {
 protected:
  StoreTest() {
    if (GetParam()) {
      auto opened = open_sqlite({folder_ / "store.db"}, loop_);
      SLUICE_CHECK(opened.has_value());
      store_ = std::move(*opened);
    } else {
      store_ = std::make_unique<MemoryStore>(loop_);
    }
  }
  Committed commit(Transaction transaction) { return *wait(loop_, store_->transact(std::move(transaction))); }
  std::optional<Entry> get(std::string key) { return *wait(loop_, store_->get(std::move(key))); }

  Folder folder_;
  async::Loop loop_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Both, StoreTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Sqlite" : "Memory"; });

TEST_P(StoreTest, KeepsEntriesAndCountsRevisions) {
  auto first = commit(put("/a/1", "one"));
  EXPECT_TRUE(first.done);
  EXPECT_EQ(first.revision, 1);
  EXPECT_FALSE(first.written.at(0).existed);
  auto second = commit(put("/a/1", "uno"));
  EXPECT_TRUE(second.written.at(0).existed);
  EXPECT_EQ(second.written.at(0).created, 1);
  auto entry = get("/a/1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, "uno");
  EXPECT_EQ(entry->created, 1);
  EXPECT_EQ(entry->modified, 2);
  EXPECT_FALSE(get("/a/2"));
  EXPECT_TRUE(commit(remove("/a/1")).written.at(0).existed);
  EXPECT_FALSE(get("/a/1"));
  auto nothing = commit(remove("/a/1"));
  EXPECT_FALSE(nothing.written.at(0).existed);
  EXPECT_EQ(nothing.revision, 3);
  EXPECT_EQ(commit(put("/a/1", "again")).written.at(0).created, 4);
}

TEST_P(StoreTest, ListsByPrefixInPages) {
  for (auto key : {"/r/2", "/r/1", "/r/10", "/s/1", "/q/1"}) commit(put(key, key));
  auto page = *wait(loop_, store_->list("/r/", "", 2));
  ASSERT_EQ(page.entries.size(), 2u);
  EXPECT_EQ(page.entries[0].key + page.entries[1].key, "/r/1/r/10");
  EXPECT_TRUE(page.more);
  page = *wait(loop_, store_->list("/r/", "/r/10", 2));
  ASSERT_EQ(page.entries.size(), 1u);
  EXPECT_FALSE(page.more);
  std::string all;
  EXPECT_EQ(*store_->scan("/", [&](Entry&& entry) { all += entry.key; }), 5);
  EXPECT_EQ(all, "/q/1/r/1/r/10/r/2/s/1");
}

TEST_P(StoreTest, ConditionsHoldOrNothingIsWritten) {
  using Kind = Condition::Kind;
  commit(put("/up/1", "u"));
  auto transaction = put("/route/1", "r", {"/up/1"});
  transaction.conditions = {{Kind::exists, "/up/1"}, {Kind::absent, "/route/1"}};
  EXPECT_TRUE(commit(transaction).done);
  auto again = commit(transaction);
  EXPECT_FALSE(again.done);
  EXPECT_EQ(again.failed, 1u);
  auto refused = commit(remove("/up/1", {{Kind::unreferenced, "/up/1"}}));
  EXPECT_FALSE(refused.done);
  EXPECT_EQ(refused.by, "/route/1");
  auto modified = get("/route/1")->modified;
  auto update = put("/route/1", "r2");
  update.conditions = {{Kind::unchanged, "/route/1", modified}};
  EXPECT_TRUE(commit(update).done);
  EXPECT_FALSE(commit(update).done);
  EXPECT_TRUE(commit(remove("/up/1", {{Kind::unreferenced, "/up/1"}})).done);
}

TEST_P(StoreTest, RemovingBothEndsOfAReferenceAtOnce) {
  commit(put("/up/1", "u"));
  commit(put("/route/1", "r", {"/up/1"}));
  auto both = remove("/up/1", {{Condition::Kind::unreferenced, "/up/1"}});
  both.writes.push_back({"/route/1", {}, {}});
  EXPECT_TRUE(commit(both).done);
}

TEST_P(StoreTest, WatchTellsEveryChangeOnceAndInOrder) {
  for (int i = 0; i < 5; ++i) commit(put("/a/" + std::to_string(i), "v"));
  std::vector<Revision> seen;
  auto watch = store_->watch(2, [&](Result<std::vector<Change>> changes) {
    for (const auto& change : *changes) seen.push_back(change.revision);
  });
  for (int i = 0; i < 50; ++i) commit(put("/a/0", std::to_string(i)));
  commit(remove("/a/0"));
  while (seen.size() < 54) loop_.run_once(std::chrono::seconds(10));
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<Revision>(i) + 3);
  watch.reset();
  commit(put("/a/9", "v"));
  while (loop_.run_once()) {
  }
  EXPECT_EQ(seen.size(), 54u);
}

TEST_P(StoreTest, HistorySaysWhoAndWhat) {
  commit(put("/a/1", "one"));
  commit(put("/a/1", "two"));
  commit(remove("/a/1"));
  auto records = *wait(loop_, store_->history("/a/", 100, 10));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_FALSE(records[0].value);
  EXPECT_EQ(*records[1].value, "two");
  EXPECT_EQ(records[1].who, "test");
  EXPECT_GT(records[1].at_ms, 1'600'000'000'000);
  EXPECT_EQ(wait(loop_, store_->history("/a/", 2, 10))->size(), 1u);
}

TEST_P(StoreTest, IdsAreNeverGivenTwice) {
  std::int64_t last = 0;
  for (int i = 0; i < 2500; ++i) {
    auto id = *wait(loop_, store_->next_id());
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST_P(StoreTest, ATaskThatIsDroppedDoesNoHarm) {
  for (int i = 0; i < 100; ++i) {
    std::optional<Result<Committed>> result;
    auto task = keep(store_->transact(put("/a/1", std::to_string(i))), result);
  }
  EXPECT_EQ(get("/a/1")->value, "99");
}

TEST(SqliteStore, KeepsEverythingOverARestart) {
  Folder folder;
  std::int64_t id = 0;
  for (int round = 0; round < 3; ++round) {
    async::Loop loop;
    auto store = *open_sqlite({folder / "store.db"}, loop);
    for (int i = 0; i < 10; ++i) {
      auto key = "/a/" + std::to_string(round * 10 + i);
      EXPECT_TRUE(wait(loop, store->transact(put(key, "v", {"/b"})))->done);
    }
    auto next = *wait(loop, store->next_id());
    EXPECT_GT(next, id);
    id = next;
    EXPECT_EQ(*store->scan("/a/", [](Entry&&) {}), 10 * (round + 1));
  }
  struct stat about{};
  ASSERT_EQ(::stat((folder / "store.db").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

// Writes numbered keys and tells each acknowledged number through the pipe, until it is killed.
[[noreturn]] void write_until_killed(const std::string& path, int pipe, int first) {
  async::Loop loop;
  auto store = open_sqlite({path}, loop);
  if (!store) ::_exit(1);
  for (int i = first;; ++i) {
    auto done = wait(loop, (*store)->transact(put("/k/" + std::to_string(i), std::string(200, 'x'))));
    if (!done || !done->done) ::_exit(2);
    if (::write(pipe, &i, sizeof i) != sizeof i) ::_exit(3);
  }
}

TEST(SqliteStore, AnAcknowledgedWriteSurvivesAKill) {
  Folder folder;
  int last = -1;
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    auto child = ::fork();
    if (child == 0) write_until_killed(folder / "store.db", ends[1], last + 1);
    ::close(ends[1]);
    int wanted = last + 1 + round * 3;
    while (last < wanted) ASSERT_EQ(::read(ends[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
    ::kill(child, SIGKILL);
    while (::read(ends[0], &last, sizeof last) > 0) {
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    async::Loop loop;
    auto store = open_sqlite({folder / "store.db"}, loop);
    ASSERT_TRUE(store) << store.error().what;
    std::set<std::string> keys;
    ASSERT_TRUE((*store)->scan("/k/", [&](Entry&& entry) { keys.insert(entry.key); }));
    for (int i = 0; i <= last; ++i)
      ASSERT_TRUE(keys.contains("/k/" + std::to_string(i))) << i << " of " << last;
    last = static_cast<int>(keys.size()) - 1;  // one more may have been written without having been told
  }
}

std::string opening_error(const std::string& path) {
  async::Loop loop;
  auto store = open_sqlite({path}, loop);
  return store ? "" : store.error().what;
}

TEST(SqliteStore, RefusesWhatItCannotUseWithOneSentence) {
  Folder folder;
  EXPECT_NE(opening_error(folder / "nowhere/store.db").find("its folder must exist"), std::string::npos);
  std::ofstream(folder / "text.db") << std::string(5000, 'x');
  EXPECT_NE(opening_error(folder / "text.db").find("the file is damaged"), std::string::npos);
  {
    async::Loop loop;
    auto store = *open_sqlite({folder / "newer.db"}, loop);
  }
  auto database = *Database::open(folder / "newer.db", Database::Mode::read_write);
  ASSERT_TRUE(database.run("PRAGMA user_version=7"));
  EXPECT_NE(opening_error(folder / "newer.db").find("has format 7, this version reads up to 1"),
            std::string::npos);
  auto other = *Database::open(folder / "other.db", Database::Mode::read_write);
  ASSERT_TRUE(other.run("CREATE TABLE x (y)"));
  EXPECT_NE(opening_error(folder / "other.db").find("another program"), std::string::npos);
}

TEST(SqliteStore, HasOneWriter) {
  Folder folder;
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db"}, loop);
  EXPECT_NE(opening_error(folder / "store.db").find("another gateway uses the store"), std::string::npos);
  store.reset();
  EXPECT_EQ(opening_error(folder / "store.db"), "");
}

TEST(SqliteStore, FindsDamageInTheMiddle) {
  Folder folder;
  auto path = folder / "store.db";
  {
    async::Loop loop;
    auto store = *open_sqlite({path}, loop);
    for (int i = 0; i < 200; ++i)
      wait(loop, store->transact(put("/a/" + std::to_string(i), std::string(500, 'v'))));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 5; page < 20; ++page) {
      file.seekp(page * 4096);
      file << std::string(200, '\xee');
    }
  }
  EXPECT_NE(opening_error(path).find("damaged"), std::string::npos);
}

TEST(SqliteStore, ABackupIsAStore) {
  Folder folder;
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db"}, loop);
  wait(loop, store->transact(put("/a/1", "one")));
  ASSERT_TRUE(wait(loop, store->backup(folder / "copy.db")));
  wait(loop, store->transact(put("/a/2", "two")));
  ASSERT_TRUE(backup_sqlite(folder / "store.db", folder / "later.db"));
  auto count = [](const std::string& path) {
    async::Loop other;
    auto copy = open_sqlite({path}, other);
    EXPECT_TRUE(copy) << copy.error().what;
    int entries = 0;
    EXPECT_TRUE((*copy)->scan("/", [&](Entry&&) { ++entries; }));
    return entries;
  };
  EXPECT_EQ(count(folder / "copy.db"), 1);
  EXPECT_EQ(count(folder / "later.db"), 2);
  EXPECT_FALSE(backup_sqlite(folder / "absent.db", folder / "x.db"));
}

TEST(SqliteStore, AWatchTheHistoryDoesNotReachEndsWithAnError) {
  Folder folder;
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db", 10}, loop);
  for (int i = 0; i < 300; ++i) wait(loop, store->transact(put("/a/1", std::to_string(i))));
  std::optional<ErrorKind> error;
  auto watch = store->watch(1, [&](Result<std::vector<Change>> changes) { error = changes.error().kind; });
  while (!error) loop.run_once(std::chrono::seconds(10));
  EXPECT_EQ(*error, ErrorKind::not_found);
}

}  // namespace
}  // namespace sluice::store
