// SPDX-License-Identifier: Apache-2.0
// What only the store on disk can: durability, damage, versions, backups.
#include "store/sqlite_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "store/testing.h"

namespace sluice::store {
namespace {

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
  EXPECT_NE(opening_error(folder / "newer.db").find("has format 7, this version reads up to 3"),
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
  auto store = *open_sqlite({folder / "store.db", {.revisions_max = 10}}, loop);
  for (int i = 0; i < 300; ++i) wait(loop, store->transact(put("/a/1", std::to_string(i))));
  std::optional<ErrorKind> error;
  auto watch = store->watch(1, [&](Result<std::vector<Change>> changes) { error = changes.error().kind; });
  while (!error) loop.run_once(std::chrono::seconds(10));
  EXPECT_EQ(*error, ErrorKind::not_found);
}

std::size_t records_kept(async::Loop& loop, Store& store) {
  return wait(loop, store.history({.limit = 10'000}))->records.size();
}

TEST(SqliteStore, ForgetsWhatIsTooMuchTheOldestFirst) {
  Folder folder;
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db", {.revisions_max = 10}}, loop);
  for (int i = 0; i < 300; ++i) wait(loop, store->transact(put("/a/1", std::to_string(i))));
  auto slice = *wait(loop, store->history({}));
  EXPECT_EQ(slice.records.size(), 10u);
  EXPECT_EQ(slice.records.front().after, "299");
  EXPECT_EQ(slice.kept_since, 290);
  EXPECT_EQ(slice.records.back().before, "289");
}

TEST(SqliteStore, ForgetsByTheSizeOfTheValues) {
  Folder folder;
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db", {.bytes_max = 10'000}}, loop);
  for (int i = 0; i < 100; ++i) wait(loop, store->transact(put("/a/1", std::string(1000, 'x'))));
  EXPECT_EQ(records_kept(loop, *store), 5u);  // before and after
  wait(loop, store->transact(put("/a/2", std::string(50'000, 'x'))));
  EXPECT_EQ(records_kept(loop, *store), 1u);
}

TEST(SqliteStore, ForgetsByAgeAndOverTheYearsInSteps) {
  Folder folder;
  {
    async::Loop loop;
    auto store = *open_sqlite({folder / "store.db"}, loop);
    for (int i = 0; i < 300; ++i) wait(loop, store->transact(put("/a/1", "v")));
  }
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db", {.age_max = Duration(1)}}, loop);
  wait(loop, store->transact(put("/a/1", "v")));
  EXPECT_GT(records_kept(loop, *store), 200u);  // not all at once
  for (int i = 0; i < 10; ++i) wait(loop, store->transact(put("/a/1", "v")));
  EXPECT_LT(records_kept(loop, *store), 10u);
}

TEST(SqliteStore, AFileOfFormat1KeepsItsEntries) {
  Folder folder;
  {
    auto database = *Database::open(folder / "store.db", Database::Mode::read_write);
    ASSERT_TRUE(database.run(R"(
      CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL,
                          created INTEGER NOT NULL, modified INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE reference (source TEXT NOT NULL, target TEXT NOT NULL,
                              PRIMARY KEY (source, target)) WITHOUT ROWID;
      CREATE INDEX reference_target ON reference (target);
      CREATE TABLE history (revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, key TEXT NOT NULL,
                            value TEXT, created INTEGER NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL,
                            PRIMARY KEY (revision, ordinal)) WITHOUT ROWID;
      CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT INTO meta VALUES ('revision', 4), ('ids', 1), ('history_from', 0), ('opened', 0);
      INSERT INTO entry VALUES ('/a/1', 'v', 2, 4);
      INSERT INTO history VALUES (4, 1, '/a/1', 'v', 2, 0, 'x');
      PRAGMA user_version=1;)"));
  }
  async::Loop loop;
  auto store = *open_sqlite({folder / "store.db"}, loop);
  EXPECT_EQ((*wait(loop, store->get("/a/1")))->modified, 4);
  EXPECT_EQ(records_kept(loop, *store), 0u);
  EXPECT_EQ(wait(loop, store->transact(put("/a/1", "w")))->revision, 5);
  auto slice = *wait(loop, store->history({}));
  EXPECT_EQ(slice.kept_since, 4);
  EXPECT_EQ(slice.records.front().before, "v");
}

Transaction leased(std::string key, Duration ttl) {
  auto transaction = put(std::move(key), "{}");
  transaction.writes.front().ttl = ttl;
  return transaction;
}

std::string keys_of(const std::vector<Change>& changes) {
  std::string keys;
  for (const auto& change : changes) keys.append(keys.empty() ? "" : " ").append(change.key);
  return keys;
}

// What has been kept for its time goes, in the name of "ttl", also when the gateway was away at that moment.
TEST(Tables, LeasesEnd) {
  Folder folder;
  const std::string path = folder / "store.db";
  std::vector<Change> changes;
  {
    auto tables = *Tables::open({.path = path});
    ASSERT_TRUE(tables->begin());
    EXPECT_EQ(tables->next_due_ms(), LeaseTable::never);
    tables->apply(leased("/apisix/routes/1", 2s), 1'000, changes);
    tables->apply(leased("/apisix/routes/2", 1s), 1'000, changes);
    tables->apply(leased("/apisix/routes/3", 1s), 1'000, changes);
    tables->apply(put("/apisix/routes/3", "{}"), 1'000, changes);  // for good now
    tables->apply(leased("/apisix/consumers/a", 3s), 1'000, changes);
    tables->apply(put("/apisix/consumers/a/credentials/1", "{}"), 1'000, changes);
    ASSERT_TRUE(tables->commit());
    ASSERT_TRUE(tables->begin());
    tables->apply(leased("/apisix/routes/4", 1ms), 1'000, changes);
    tables->rollback();
    EXPECT_EQ(tables->next_due_ms(), 2'000);
  }
  auto tables = *Tables::open({.path = path});
  EXPECT_EQ(tables->next_due_ms(), 2'000);
  const auto removed_at = [&](std::int64_t now_ms) {
    changes.clear();
    EXPECT_TRUE(tables->begin());
    EXPECT_TRUE(tables->remove_due(now_ms, changes));
    EXPECT_TRUE(tables->commit());
    return keys_of(changes);
  };
  EXPECT_EQ(removed_at(1'999), "");
  EXPECT_EQ(removed_at(2'000), "/apisix/routes/2");
  EXPECT_EQ(removed_at(9'000), "/apisix/routes/1 /apisix/consumers/a/credentials/1 /apisix/consumers/a");
  EXPECT_EQ(tables->next_due_ms(), LeaseTable::never);
  EXPECT_TRUE(tables->get("/apisix/routes/3")->has_value());
  auto history = tables->history({.prefix = "/apisix/routes/2"});
  ASSERT_TRUE(history && !history->records.empty());
  EXPECT_EQ(history->records.front().author.name, "ttl");
}

}  // namespace
}  // namespace sluice::store
