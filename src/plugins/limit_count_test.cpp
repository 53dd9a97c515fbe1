// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType limit_count;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

struct Told {
  int status = 0;  // of the refusal, 0 when it passed
  std::string limit, remaining, reset, body;
};

Told ask(Bench& bench, const plugin::Plugin& plugin, std::string_view target = "/",
         std::string_view prefix = "") {
  Call call(bench, target);
  const auto verdict = bench.wait(plugin.access(call.x));
  call.respond(200);
  plugin.response(call.x);
  const std::string start = "X-" + std::string(prefix) + "RateLimit-";
  return {verdict ? verdict->status : 0, call.response(start + "Limit"), call.response(start + "Remaining"),
          call.response(start + "Reset"), verdict ? verdict->body : ""};
}

TEST(LimitCount, counts_and_tells) {
  Bench bench;
  const auto plugin = make(limit_count, R"({"count": 2, "time_window": 60, "rejected_code": 429,
                                            "rejected_msg": "Too many"})");
  ASSERT_NE(plugin, nullptr);
  auto told = ask(bench, *plugin);
  EXPECT_EQ(told.status, 0);
  EXPECT_EQ(told.limit + " " + told.remaining + " " + told.reset, "2 1 60");
  bench.pass(500ms);
  told = ask(bench, *plugin);
  EXPECT_EQ(told.limit + " " + told.remaining + " " + told.reset, "2 0 59.5");
  told = ask(bench, *plugin);
  EXPECT_EQ(told.status, 429);
  EXPECT_EQ(told.remaining, "0");
  EXPECT_EQ(told.body, "{\"error_msg\":\"Too many\"}\n");
  bench.pass(60s);
  EXPECT_EQ(ask(bench, *plugin).status, 0);
}

TEST(LimitCount, does_not_look_at_the_wall_clock) {
  for (const char* type : {"fixed", "sliding"}) {
    Bench bench;
    const auto plugin =
        make(limit_count, std::string(R"({"count": 1, "time_window": 600, "window_type": ")") + type + "\"}");
    EXPECT_EQ(ask(bench, *plugin).status, 0);
    bench.jump(std::chrono::hours(24));
    EXPECT_EQ(ask(bench, *plugin).status, 503) << "a window ended early";
    bench.jump(std::chrono::hours(-48));
    bench.pass(std::chrono::seconds(1201));
    EXPECT_EQ(ask(bench, *plugin).status, 0) << "a window never ends";
  }
}

TEST(LimitCount, keys) {
  const struct {
    const char* config;
    int same, other;  // status of a second request with the same argument, and with another one
  } rows[] = {
      {R"({"count": 1, "time_window": 9, "key": "arg_k"})", 503, 0},
      {R"({"count": 1, "time_window": 9, "key": "$arg_k $remote_addr", "key_type": "var_combination"})", 503,
       0},
      {R"({"count": 1, "time_window": 9, "key": "$arg_none", "key_type": "var_combination"})", 503, 503},
      {R"({"count": 1, "time_window": 9, "key": "all", "key_type": "constant"})", 503, 503},
      {R"({"count": 1, "time_window": 9})", 503, 503},
      {R"({"count": "${arg_n ?? 1}", "time_window": "9", "key": "arg_k", "window_type": "sliding"})", 503, 0},
      {R"({"count": 1, "time_window": 9, "key": "arg_none"})", 503, 503},
  };
  for (const auto& row : rows) {
    Bench bench;
    const auto plugin = make(limit_count, row.config);
    ASSERT_NE(plugin, nullptr) << row.config;
    EXPECT_EQ(ask(bench, *plugin, "/?k=1").status, 0) << row.config;
    EXPECT_EQ(ask(bench, *plugin, "/?k=1").status, row.same) << row.config;
    EXPECT_EQ(ask(bench, *plugin, "/?k=2").status, row.other) << row.config;
  }
}

TEST(LimitCount, amounts_that_are_none_refuse_or_degrade) {
  Bench bench;
  const auto strict = make(limit_count, R"({"count": "$arg_n", "time_window": 9})");
  const auto lax = make(limit_count, R"({"count": "$arg_n", "time_window": 9, "allow_degradation": true})");
  for (const char* target : {"/", "/?n=0", "/?n=-1", "/?n=1.5", "/?n=x", "/?n=1e300"}) {
    EXPECT_EQ(ask(bench, *strict, target).status, 500) << target;
    EXPECT_EQ(ask(bench, *lax, target).status, 0) << target;
  }
  EXPECT_EQ(ask(bench, *strict, "/?n=3").remaining, "2");
}

TEST(LimitCount, rules) {
  Bench bench;
  const auto plugin = make(limit_count, R"({"rules": [
      {"count": 1, "time_window": 9, "key": "$arg_user"},
      {"count": 2, "time_window": 9, "key": "$remote_addr", "header_prefix": "Ip"}]})");
  ASSERT_NE(plugin, nullptr);
  EXPECT_EQ(ask(bench, *plugin, "/?user=a", "1-").remaining, "0");
  EXPECT_EQ(ask(bench, *plugin, "/", "Ip-").remaining, "0");
  EXPECT_EQ(ask(bench, *plugin, "/?user=b").status, 503);
  const auto one = make(limit_count, R"({"rules": [{"count": 1, "time_window": 9, "key": "$arg_user"}]})");
  EXPECT_EQ(ask(bench, *one, "/").status, 500);
}

TEST(LimitCount, groups_share_and_must_agree) {
  Bench bench;
  const char* config = R"({"count": 1, "time_window": 9, "group": "g"})";
  auto first = make(limit_count, config);
  const auto second = make(limit_count, config);
  EXPECT_EQ(ask(bench, *first).status, 0);
  EXPECT_EQ(ask(bench, *second).status, 503);
  EXPECT_EQ(problem_of(limit_count, R"({"count": 2, "time_window": 9, "group": "g"})"),
            "group conf mismatched");
}

TEST(LimitCount, metadata_names_headers) {
  Bench bench;
  bench.use_metadata(limit_count, R"({"limit_header": "X-Own-Limit"})");
  const auto plugin = make(limit_count, R"({"count": 1, "time_window": 9})");
  Call call(bench);
  bench.wait(plugin->access(call.x));
  plugin->response(call.x);
  EXPECT_EQ(call.response("X-Own-Limit"), "1");
  EXPECT_EQ(call.response("X-RateLimit-Remaining"), "0");
}

TEST(LimitCount, problems) {
  EXPECT_EQ(problem_of(limit_count, R"({"time_window": 1})"),
            "value should match only one schema, but matches none");
  EXPECT_EQ(problem_of(limit_count, R"({"count": 1, "time_window": 1, "rules": []})"),
            "count/time_window and rules cannot be specified at the same time");
  EXPECT_EQ(problem_of(limit_count, R"({"rules": [{"count": 1, "time_window": 1, "key": "$a"},
                                                  {"count": 1, "time_window": 1, "key": "$a"}]})"),
            "duplicate key '$a' in rules");
  for (const char* bad : {"{}", R"({"count": 0, "time_window": 1})", R"({"count": 1.5, "time_window": 1})",
                          R"({"count": 1, "time_window": 1, "policy": "redis"})",
                          R"({"count": 1, "time_window": 1, "rejected_code": 600})"})
    EXPECT_NE(problem_of(limit_count, bad), "") << bad;
}

}  // namespace
}  // namespace sluice::plugins
