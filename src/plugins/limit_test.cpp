// SPDX-License-Identifier: Apache-2.0
// limit-req, limit-conn and api-breaker over a fake exchange.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/hash.h"
#include "plugin/concurrency_counters.h"
#include "plugin/leaky_buckets.h"
#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType api_breaker, limit_conn, limit_req;
namespace {

using plugin::Plugin;
using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

// A request that waits, perhaps.
struct Waiting {
  Waiting(Bench& bench, const Plugin& plugin, std::string_view target = "/") : call(bench, target) {
    bench.loop.spawn(ask(plugin, *this));
    bench.settle();
  }
  static async::Task<> ask(const Plugin& plugin, Waiting& self) {
    auto asking = plugin.access(self.call.x);
    const auto verdict = co_await asking;
    self.status = verdict == nullptr ? 200 : verdict->status;
  }
  Call call;
  int status = 0;  // 0: it waits
};

TEST(LimitReq, evens_requests_out) {
  Bench bench;
  const auto plugin = make(limit_req, R"x({"rate": 10, "burst": 2, "key": "arg_k", "rejected_code": 429})x");
  ASSERT_NE(plugin, nullptr);
  Waiting first(bench, *plugin), second(bench, *plugin), third(bench, *plugin), fourth(bench, *plugin);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(fourth.status, 429);
  Waiting other(bench, *plugin, "/?k=other");
  EXPECT_EQ(other.status, 200);
  bench.pass(100ms);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(third.status, 0);
  bench.pass(100ms);
  EXPECT_EQ(third.status, 200);
  bench.pass(1s);
  Waiting later(bench, *plugin);
  EXPECT_EQ(later.status, 200);
}

TEST(LimitReq, need_not_wait) {
  Bench bench;
  const auto plugin = make(limit_req, R"x({"rate": 1, "burst": 1, "key": "$remote_addr$uri", "nodelay": true,
                                           "key_type": "var_combination", "rejected_msg": "slow down"})x");
  Waiting first(bench, *plugin), second(bench, *plugin), third(bench, *plugin);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(third.status, 503);
  const auto same = make(limit_req, R"x({"rate": 1, "burst": 1, "key": "remote_addr", "nodelay": true})x");
  Waiting elsewhere(bench, *same);
  EXPECT_EQ(elsewhere.status, 200) << "another plugin object counts for itself";
  EXPECT_NE(problem_of(limit_req, R"x({"rate": 0, "burst": 1, "key": "a"})x"), "");
  EXPECT_NE(problem_of(limit_req, R"x({"rate": 1, "burst": -1, "key": "a"})x"), "");
  EXPECT_NE(problem_of(limit_req, R"x({"rate": 1, "burst": 1})x"), "");
}

TEST(LeakyBuckets, admit_exactly_under_threads) {
  plugin::LeakyBuckets buckets;
  constexpr int threads = 4, asked = 20'000;
  const Instant now{std::chrono::hours(1)};
  std::atomic<int> admitted{0};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      for (int n = 0; n < asked; ++n) {
        const auto taken = buckets.take(7, 1, 1000, now);
        if (taken.outcome == plugin::LeakyBuckets::Outcome::admitted) ++admitted;
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT_EQ(admitted, 1001);
}

TEST(LimitConn, bounds_what_is_under_way) {
  Bench bench;
  const auto plugin =
      make(limit_conn, R"x({"conn": 1, "burst": 1, "default_conn_delay": 0.5, "key": "remote_addr",
                                            "rejected_code": 429, "rejected_msg": "busy"})x");
  ASSERT_NE(plugin, nullptr);
  Waiting first(bench, *plugin), second(bench, *plugin), third(bench, *plugin);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 0) << "one more waits";
  EXPECT_EQ(third.status, 429);
  bench.pass(500ms);
  EXPECT_EQ(second.status, 200);
  plugin->log(third.call.x);  // who was refused leaves nothing
  Waiting fourth(bench, *plugin);
  EXPECT_EQ(fourth.status, 429);
  plugin->log(first.call.x);
  plugin->log(second.call.x);
  plugin->log(second.call.x);
  Waiting fifth(bench, *plugin);
  EXPECT_EQ(fifth.status, 200);
  Waiting sixth(bench, *plugin), seventh(bench, *plugin);
  EXPECT_EQ(seventh.status, 429);
}

TEST(LimitConn, needs_an_amount) {
  Bench bench;
  const auto plugin =
      make(limit_conn, R"x({"conn": "", "burst": 1, "default_conn_delay": 0.5, "key": "remote_addr"})x");
  ASSERT_NE(plugin, nullptr);
  Waiting one(bench, *plugin);
  EXPECT_EQ(one.status, 500) << "a text that is no number";
}

TEST(LimitConn, counts_by_rules) {
  Bench bench;
  const auto plugin = make(limit_conn, R"x({"default_conn_delay": 0.5, "rules": [
      {"conn": 1, "burst": 0, "key": "$arg_a"}, {"conn": "$arg_n", "burst": 0, "key": "$arg_b"}]})x");
  ASSERT_NE(plugin, nullptr);
  Waiting a(bench, *plugin, "/?a=1"), again(bench, *plugin, "/?a=1"), other(bench, *plugin, "/?a=2");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(again.status, 503);
  EXPECT_EQ(other.status, 200);
  Waiting b(bench, *plugin, "/?b=1&n=2"), c(bench, *plugin, "/?b=1&n=2"), d(bench, *plugin, "/?b=1&n=2");
  EXPECT_EQ(c.status, 200);
  EXPECT_EQ(d.status, 503);
  Waiting none(bench, *plugin, "/?b=1&n=x");
  EXPECT_EQ(none.status, 500) << "no rule applies";
  EXPECT_NE(problem_of(limit_conn, R"x({"conn": 1, "burst": 0, "default_conn_delay": 1})x"), "");
  EXPECT_NE(problem_of(limit_conn, R"x({"conn": 0, "burst": 0, "default_conn_delay": 1, "key": "a"})x"), "");
}

TEST(ConcurrencyCounters, never_admit_more_under_threads) {
  plugin::ConcurrencyCounters counters;
  constexpr std::uint64_t most = 3;
  const Instant now{std::chrono::hours(1)};
  std::atomic<std::int64_t> inside{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> all;
  for (int i = 0; i < 4; ++i) {
    all.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n) {
        if (counters.enter(7, most, now).outcome != plugin::ConcurrencyCounters::Outcome::admitted) continue;
        if (++inside > static_cast<std::int64_t>(most)) exceeded = true;
        --inside;
        counters.leave(7, 1us);
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(counters.enter(7, 1, now).outcome, plugin::ConcurrencyCounters::Outcome::admitted);
}

struct BreakerBench : Bench {
  // A request that the upstream answers so; the status the client sees.
  int ask(const Plugin& plugin, int upstream_status) {
    Call call(*this);
    const auto verdict = wait(plugin.access(call.x));
    if (verdict == nullptr) call.x.upstream.status = upstream_status;
    plugin.log(call.x);
    return verdict == nullptr ? upstream_status : verdict->status;
  }
};

TEST(ApiBreaker, opens_for_longer_and_closes) {
  BreakerBench bench;
  const auto plugin = make(api_breaker, R"x({"break_response_code": 599, "unhealthy": {"failures": 2},
                                             "healthy": {"successes": 2}, "max_breaker_sec": 5})x");
  ASSERT_NE(plugin, nullptr);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  EXPECT_EQ(bench.ask(*plugin, 200), 599) << "open for two seconds";
  bench.pass(1900ms);
  EXPECT_EQ(bench.ask(*plugin, 200), 599);
  bench.pass(200ms);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  bench.pass(3900ms);
  EXPECT_EQ(bench.ask(*plugin, 200), 599) << "four this time";
  bench.pass(200ms);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  bench.pass(5100ms);
  EXPECT_EQ(bench.ask(*plugin, 200), 200) << "five at the longest";
  EXPECT_EQ(bench.ask(*plugin, 404), 404) << "neither healthy nor not";
  EXPECT_EQ(bench.ask(*plugin, 200), 200);
  EXPECT_EQ(bench.ask(*plugin, 500), 500) << "all was forgotten";
  EXPECT_EQ(bench.ask(*plugin, 200), 200);
}

TEST(ApiBreaker, answers_as_it_is_told) {
  BreakerBench bench;
  const auto plugin = make(api_breaker, R"x({"break_response_code": 503, "break_response_body": "later",
      "break_response_headers": [{"key": "X-Host", "value": "$host"}], "unhealthy": {"failures": 1}})x");
  EXPECT_EQ(bench.ask(*plugin, 500), 500);
  Call call(bench);
  const auto verdict = bench.wait(plugin->access(call.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->body, "later");
  EXPECT_EQ(verdict->headers.at(0).second, "test.com");
  Call elsewhere(bench, "/b");
  EXPECT_EQ(bench.wait(plugin->access(elsewhere.x)), nullptr) << "another path has its own";
  EXPECT_NE(problem_of(api_breaker, "{}"), "");
  EXPECT_NE(problem_of(api_breaker, R"x({"break_response_code": 503, "max_breaker_sec": 2})x"), "");
}

}  // namespace
}  // namespace sluice::plugins
