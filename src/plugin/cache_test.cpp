// SPDX-License-Identifier: Apache-2.0
// What plugin proxy-cache is made of: directives and lifetimes, memory and files within their bounds, turns.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "plugin/cache_control.h"
#include "plugin/cache_zones.h"
#include "plugin/testing.h"

namespace sluice::plugin {
namespace {

namespace fs = std::filesystem;
using testing::Bench;

std::shared_ptr<CachedResponse> entry(std::string key, std::string body) {
  auto made = std::make_shared<CachedResponse>();
  made->key = std::move(key);
  made->head = "Content-Type: text/plain\r\nETag: \"1\"\r\n";
  made->body = std::make_shared<const std::string>(std::move(body));
  made->made_wall = 1'700'000'000'000'000'000;
  made->lifetime = 60s;
  EXPECT_TRUE(made->index());
  return made;
}

TEST(CacheControl, reads_directives) {
  const auto said = cache_directives(
      R"(No-Cache="a, max-age=1", max-age="60",s-maxage=99999999999, min-fresh=x, max-stale, , private)");
  EXPECT_TRUE(said.no_cache && said.is_private && said.any_stale);
  EXPECT_EQ(said.max_age, 60);
  EXPECT_EQ(said.shared_max_age, std::int64_t{1} << 31);
  EXPECT_EQ(said.min_fresh, 0);
  EXPECT_FALSE(said.no_store || said.is_public || said.max_stale);
  EXPECT_FALSE(may_be_kept(said));
}

TEST(CacheControl, tells_how_long_a_response_is_fresh) {
  struct Row {
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    std::int64_t seconds;  // -1: it does not say
  };
  const Row rows[]{
      {{}, -1},
      {{{"Cache-Control", "max-age=5"}, {"Expires", "Sun, 06 Nov 1994 08:49:37 GMT"}}, 5},
      {{{"Cache-Control", "max-age=5, s-maxage=7"}}, 7},
      {{{"X-Accel-Expires", "9"}, {"Cache-Control", "max-age=5"}}, 9},
      {{{"Expires", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"Date", "Sun, 06 Nov 1994 08:49:07 GMT"}}, 30},
      {{{"Expires", "Sun, 06 Nov 1994 08:49:37 GMT"}}, 0},
      {{{"Expires", "0"}}, 0},
      {{{"Cache-Control", "max-age=-1"}}, 0},
  };
  for (const Row& row : rows) {
    Arena arena;
    http::Headers headers(arena);
    for (const auto& [name, value] : row.fields) headers.add(name, value);
    const auto got = stated_lifetime(headers, cache_directives(headers), 1'700'000'000'000'000'000);
    EXPECT_EQ(got ? got->count() / 1'000'000'000 : -1, row.seconds);
  }
}

TEST(CacheControl, knows_what_varies_and_what_the_client_has) {
  Arena arena;
  http::Headers headers(arena);
  headers.add("Vary", "b, A");
  headers.add("Vary", "a");
  EXPECT_EQ(varying_fields(headers), (std::vector<std::string>{"a", "b"}));
  headers.add("Vary", "*");
  EXPECT_EQ(varying_fields(headers), std::nullopt);
  EXPECT_TRUE(client_has_it("\"2\", W/\"1\"", "", "\"1\"", ""));
  EXPECT_FALSE(
      client_has_it("\"2\"", "Sun, 06 Nov 1994 08:49:37 GMT", "\"1\"", "Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_TRUE(client_has_it("", "Sun, 06 Nov 1994 08:49:37 GMT", "", "Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_FALSE(client_has_it("", "", "\"1\"", ""));
}

TEST(CacheMemory, keeps_within_its_bytes_and_drops_the_oldest) {
  CacheMemory memory(100'000);
  const Instant start{};
  for (int i = 0; i < 1000; ++i) {
    memory.put(entry("k" + std::to_string(i), std::string(1000, 'x')));
    EXPECT_LE(memory.bytes(), 100'000U);
    static_cast<void>(memory.find("k0", start + std::chrono::seconds(2 * i + 2)));
  }
  EXPECT_NE(memory.find("k999", start), nullptr);
  EXPECT_EQ(memory.find("k500", start), nullptr);
  memory.put(entry("big", std::string(200'000, 'x')));
  EXPECT_EQ(memory.find("big", start), nullptr);
  EXPECT_TRUE(memory.erase("k999"));
  EXPECT_FALSE(memory.erase("k999"));
}

TEST(CacheMemory, is_shared_by_threads) {
  CacheMemory memory(200'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&memory, t] {
      for (int i = 0; i < 5000; ++i) {
        const std::string key = "k" + std::to_string((i * 7 + t) % 300);
        if (i % 5 == 0) memory.put(entry(key, std::string(900, 'x')));
        else if (i % 50 == 1) memory.erase(key);
        else if (const auto found = memory.find(key, Instant{} + std::chrono::seconds(i)))
          EXPECT_EQ(found->key, key);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(memory.bytes(), 200'000U);
}

// A directory that goes when the test does.
struct Directory {
  Directory() {
    std::string name = fs::temp_directory_path() / "cache_test.XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path); }
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& at : fs::recursive_directory_iterator(path))
      if (at.is_regular_file()) found.push_back(at.path());
    return found;
  }
  std::string path;
};

CacheEntry load(Bench& bench, CacheDisk& disk, const std::string& key) {
  std::optional<CacheEntry> got;
  const auto keep = [](CacheDisk* from, async::Loop* loop, std::string asked,
                       std::optional<CacheEntry>* into) -> async::Task<> {
    auto loading = from->load(*loop, std::move(asked), never);
    auto entry = co_await loading;
    into->emplace(std::move(entry));
  };
  bench.loop.spawn(keep(&disk, &bench.loop, key, &got));
  while (!got) bench.loop.run_once(std::chrono::milliseconds(100));
  return *got;
}

TEST(CacheDisk, keeps_files_over_restarts) {
  const Directory directory;
  Bench bench;
  {
    CacheDisk disk({directory.path});
    disk.write(entry("a", "hello"));
    disk.write(entry("b", std::string(300'000, 'x')));
    disk.settle();
    EXPECT_EQ(disk.files(), 2U);
  }
  CacheDisk disk({directory.path});
  const auto a = load(bench, disk, "a"), b = load(bench, disk, "b");
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(*a->body, "hello");
  EXPECT_EQ(a->etag, "\"1\"");
  EXPECT_EQ(a->fields.size(), 2U);
  EXPECT_EQ(b->body->size(), 300'000U);
  disk.settle();
  EXPECT_FALSE(disk.may_have("c"));
  EXPECT_EQ(load(bench, disk, "c"), nullptr);
  disk.erase("a");
  EXPECT_EQ(load(bench, disk, "a"), nullptr);
  EXPECT_EQ(directory.files().size(), 1U);
}

TEST(CacheDisk, takes_damaged_and_unfinished_files_away) {
  const Directory directory;
  Bench bench;
  {
    CacheDisk disk({directory.path});
    for (const char* key : {"cut", "flipped", "whole"}) disk.write(entry(key, "hello, hello"));
  }
  const auto files = directory.files();
  ASSERT_EQ(files.size(), 3U);
  std::ofstream(files[0].string() + ".1.new") << "half";
  fs::last_write_time(files[0].string() + ".1.new", fs::file_time_type::clock::now() - 5min);
  std::ofstream(fs::path(directory.path) / "not-ours") << "stays";
  fs::resize_file(files[0], fs::file_size(files[0]) - 3);
  std::fstream flipped(files[1], std::ios::in | std::ios::out);
  flipped.seekp(-2, std::ios::end);
  flipped << 'X';
  flipped.close();
  CacheDisk disk({directory.path});
  int there = 0;
  for (const char* key : {"cut", "flipped", "whole"}) there += load(bench, disk, key) != nullptr;
  EXPECT_EQ(there, 1);
  EXPECT_EQ(directory.files().size(), 2U);
  EXPECT_TRUE(fs::exists(fs::path(directory.path) / "not-ours"));
}

TEST(CacheDisk, stays_within_its_bytes) {
  const Directory directory;
  CacheDisk disk({.path = directory.path, .bytes_max = 50'000, .files_max = 30});
  for (int i = 0; i < 100; ++i) disk.write(entry("k" + std::to_string(i), std::string(1000, 'x')));
  disk.settle();
  EXPECT_EQ(disk.files(), 30U);
  for (int i = 0; i < 10; ++i) disk.write(entry("b" + std::to_string(i), std::string(9000, 'x')));
  disk.settle();
  EXPECT_LE(disk.bytes(), 50'000U);
  EXPECT_EQ(directory.files().size(), disk.files());
}

TEST(CacheDisk, does_without_a_directory_that_is_full_or_gone) {
  Directory directory;
  Bench bench;
  CacheDisk disk({directory.path});
  disk.write(entry("a", "hello"));
  disk.settle();
  fs::remove_all(directory.path);
  EXPECT_EQ(load(bench, disk, "a"), nullptr);
  disk.write(entry("a", "hello"));  // it is made again
  EXPECT_NE(load(bench, disk, "a"), nullptr);

  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 1000;  // the file cannot grow: as on a full disk, the write fails half-way
  ::setrlimit(RLIMIT_FSIZE, &small);
  disk.write(entry("b", std::string(5000, 'x')));
  disk.settle();
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(load(bench, disk, "b"), nullptr);
  EXPECT_EQ(directory.files().size(), 1U);
  disk.write(entry("b", std::string(5000, 'x')));
  EXPECT_NE(load(bench, disk, "b"), nullptr);
}

async::Task<> wait_turn(CacheTurns* turns, async::Loop* loop,
                        std::vector<std::optional<CacheTurns::Outcome>>* out) {
  auto waiting = turns->wait(*loop, "k", after(loop->now(), 5s));
  auto outcome = co_await waiting;
  out->push_back(outcome);
}

TEST(CacheTurns, let_one_fetch_and_tell_the_others) {
  Bench bench;
  CacheTurns turns;
  std::vector<std::optional<CacheTurns::Outcome>> told;
  {
    CacheTurns::Ticket ticket, second;
    EXPECT_TRUE(turns.take("k", ticket));
    EXPECT_FALSE(turns.take("k", second));
    for (int i = 0; i < 3; ++i) bench.loop.spawn(wait_turn(&turns, &bench.loop, &told));
    bench.settle();
    EXPECT_TRUE(told.empty());
    EXPECT_TRUE(ticket.settle(CacheTurns::Outcome::stored));
    EXPECT_FALSE(ticket.settle(CacheTurns::Outcome::unshared));
    bench.settle();
    EXPECT_EQ(told, (std::vector<std::optional<CacheTurns::Outcome>>(3, CacheTurns::Outcome::stored)));
    EXPECT_TRUE(turns.take("k", second));
    bench.loop.spawn(wait_turn(&turns, &bench.loop, &told));
    bench.settle();
  }
  bench.settle();  // a ticket that goes breaks its turn
  EXPECT_EQ(told.back(), CacheTurns::Outcome::broken);
  CacheTurns::Ticket ticket;
  EXPECT_TRUE(turns.take("k", ticket));
  bench.loop.spawn(wait_turn(&turns, &bench.loop, &told));
  bench.settle();
  bench.pass(6s);
  EXPECT_EQ(told.back(), std::nullopt);
}

}  // namespace
}  // namespace sluice::plugin
