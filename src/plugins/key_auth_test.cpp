// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType key_auth;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

struct Row {
  const char *config, *target, *header;  // header: the value of apikey, "" for none
  const char *consumer, *refusal;        // whom it is, or why not
  const char *target_after, *header_after;
};
class KeyAuthCalls : public testing::TestWithParam<Row> {};
TEST_P(KeyAuthCalls, are_judged) {
  const auto& row = GetParam();
  Bench bench;
  bench.config.credentials["k1"].name = "jack";
  bench.config.credentials["nobody's"].name = "anonymous";
  const auto plugin = make(key_auth, row.config);
  ASSERT_NE(plugin, nullptr);
  Call call(bench, row.target);
  call.header("X-Consumer-Username", "forged");
  if (*row.header) call.header("apikey", row.header);
  const auto verdict = bench.wait(plugin->rewrite(call.x));
  EXPECT_EQ(call.x.consumer_name, row.consumer) << row.config << row.target;
  if (*row.consumer) EXPECT_EQ(call.request("X-Consumer-Username"), row.consumer);
  if (*row.refusal) {
    ASSERT_NE(verdict, nullptr);
    EXPECT_EQ(verdict->status, 401);
    EXPECT_EQ(verdict->body, std::string("{\"message\":\"") + row.refusal + "\"}\n");
    EXPECT_EQ(verdict->headers.at(0).second, "apikey realm=\"key\"");
  } else {
    EXPECT_EQ(verdict, nullptr) << row.config << row.target;
  }
  EXPECT_EQ(call.x.upstream.target.empty() ? call.x.request.target : call.x.upstream.target,
            row.target_after);
  EXPECT_EQ(call.request("apikey"), row.header_after);
}
constexpr const char* none = "<absent>";
constexpr const char* hiding = R"({"hide_credentials": true, "anonymous_consumer": "anonymous"})";
INSTANTIATE_TEST_SUITE_P(
    Rows, KeyAuthCalls,
    testing::Values(
        Row{"{}", "/", "k1", "jack", "", "/", "k1"},
        Row{"{}", "/?apikey=k1", "", "jack", "", "/?apikey=k1", none},
        Row{"{}", "/", "", "", "Missing API key in request", "/", none},
        Row{"{}", "/?apikey=k1", "wrong", "", "Invalid API key in request", "/?apikey=k1", "wrong"},
        Row{R"({"query": "q"})", "/?q=k%31", "", "jack", "", "/?q=k%31", none},
        Row{R"({"hide_credentials": true})", "/", "k1", "jack", "", "/", none},
        Row{R"({"hide_credentials": true})", "/?a=1&apikey=k1&b", "", "jack", "", "/?a=1&b", none},
        Row{hiding, "/?apikey=bad", "", "anonymous", "", "/", none},
        Row{hiding, "/?a=1&apikey=bad", "bad", "anonymous", "", "/?a=1", none},
        Row{hiding, "/", "", "anonymous", "", "/", none},
        Row{R"({"anonymous_consumer": "gone"})", "/", "", "", "Invalid user authorization", "/", none}));

TEST(KeyAuth, problems) {
  for (const char* bad : {R"({"realm": "a\"b"})", R"({"anonymous_consumer": ""})", R"({"header": 1})"})
    EXPECT_NE(problem_of(key_auth, bad), "") << bad;
}

}  // namespace
}  // namespace sluice::plugins
