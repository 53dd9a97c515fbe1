// SPDX-License-Identifier: Apache-2.0
// ua-restriction, referer-restriction, uri-blocker, consumer-restriction, client-control and real-ip over a
// fake exchange.
#include <gtest/gtest.h>

#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType client_control, consumer_restriction, real_ip, referer_restriction,
    ua_restriction, uri_blocker;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

struct Row {
  const char *config, *value;  // of the header; null: absent
  int status;
};

int status_of(const plugin::Verdict& verdict) { return verdict == nullptr ? 0 : verdict->status; }

void judge(const plugin::PluginType& type, const char* header, std::initializer_list<Row> rows) {
  for (const auto& row : rows) {
    Bench bench;
    Call call(bench);
    if (row.value != nullptr) call.header(header, row.value);
    const auto plugin = make(type, row.config);
    ASSERT_NE(plugin, nullptr) << row.config;
    EXPECT_EQ(status_of(bench.wait(plugin->access(call.x))), row.status)
        << row.config << " " << (row.value == nullptr ? "" : row.value);
  }
}

TEST(UaRestriction, admits_and_refuses) {
  judge(ua_restriction, "User-Agent",
        {{R"x({"allowlist": ["^good/\\d", "fine"]})x", "good/1", 0},
         {R"x({"allowlist": ["^good/\\d", "fine"]})x", "  fine  ", 0},
         {R"x({"allowlist": ["^good/\\d"]})x", "a good/1", 403},
         {R"x({"denylist": ["bot"]})x", "robot", 403},
         {R"x({"denylist": ["bot"]})x", "person", 0},
         {R"x({"denylist": ["(a+)+(?!b)\\1[cd]"]})x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          403},
         {R"x({"allowlist": ["(a+)+(?!b)\\1[cd]"]})x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          403},
         {R"x({"denylist": ["bot"]})x", nullptr, 403},
         {R"x({"denylist": ["bot"], "bypass_missing": true})x", nullptr, 0}});
  EXPECT_NE(problem_of(ua_restriction, R"x({"denylist": ["("]})x"), "");
  EXPECT_NE(problem_of(ua_restriction, R"x({"denylist": ["a"], "allowlist": ["b"]})x"), "");
}

TEST(RefererRestriction, admits_and_refuses) {
  constexpr const char* listed = R"x({"whitelist": ["a.com", "*.b.com", "[::1]"]})x";
  judge(referer_restriction, "Referer",
        {{listed, "http://a.com/x", 0},
         {listed, "https://A.com:8443", 0},
         {listed, "http://user:pw@a.com/", 0},
         {listed, "http://evil.com/?http://a.com/", 403},
         {listed, "http://a.com@evil.com/", 403},
         {listed, "http://x.b.com#y", 0},
         {listed, "http://b.com", 403},
         {listed, "http://[::1]:80/", 0},
         {listed, "a.com", 403},
         {listed, "ftp://a.com", 403},
         {listed, nullptr, 403},
         {R"x({"whitelist": ["a.com"], "bypass_missing": true})x", nullptr, 0},
         {R"x({"whitelist": ["a.com"], "bypass_missing": true})x", "nonsense", 0},
         {R"x({"blacklist": ["a.com"]})x", "http://a.com", 403},
         {R"x({"blacklist": ["a.com"]})x", "http://b.com", 0}});
  EXPECT_NE(problem_of(referer_restriction, R"x({"whitelist": ["a b"]})x"), "");
}

TEST(UriBlocker, refuses_what_matches) {
  const struct {
    const char *config, *target;
    int status;
  } rows[] = {
      {R"x({"block_rules": ["root\\.exe", "^/admin"]})x", "/a?f=root.exe", 403},
      {R"x({"block_rules": ["root\\.exe", "^/admin"]})x", "/admin/x", 403},
      {R"x({"block_rules": ["root\\.exe", "^/admin"]})x", "/ADMIN", 0},
      {R"x({"block_rules": ["^/admin"], "case_insensitive": true})x", "/ADMIN", 403},
      {R"x({"block_rules": ["a|b", "c"], "rejected_code": 404})x", "/c", 404},
      {R"x({"block_rules": ["(x)\\1"]})x", "/xx", 403},
      {R"x({"block_rules": []})x", "/xx", 0},
  };
  for (const auto& row : rows) {
    Bench bench;
    Call call(bench, row.target);
    const auto plugin = make(uri_blocker, row.config);
    ASSERT_NE(plugin, nullptr) << row.config;
    EXPECT_EQ(status_of(bench.wait(plugin->rewrite(call.x))), row.status) << row.config << row.target;
  }
  Bench bench;
  Call call(bench, "/a");
  const auto verdict =
      bench.wait(make(uri_blocker, R"x({"block_rules": ["a"], "rejected_msg": "no"})x")->rewrite(call.x));
  EXPECT_EQ(verdict->body, "{\"error_msg\":\"no\"}\n");
  EXPECT_NE(problem_of(uri_blocker, R"x({"block_rules": [".+("]})x"), "");
  EXPECT_NE(problem_of(uri_blocker, "{}"), "");
}

TEST(ConsumerRestriction, admits_and_refuses) {
  const struct {
    const char *config, *consumer, *method, *message;  // message: "" when admitted
    int status;
  } rows[] = {
      {R"x({"whitelist": ["jack"]})x", "jack", "GET", "", 0},
      {R"x({"whitelist": ["jack"]})x", "rose", "GET", "The consumer_name is forbidden.", 403},
      {R"x({"blacklist": ["jack"], "rejected_code": 401, "rejected_msg": "no"})x", "jack", "GET", "no", 401},
      {R"x({"blacklist": ["jack"]})x", "rose", "GET", "", 0},
      {R"x({"whitelist": ["jack"]})x", "", "GET",
       "The request is rejected, please check the consumer_name for this request", 401},
      {R"x({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]})x", "jack", "POST", "", 0},
      {R"x({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]})x", "jack", "GET",
       "The consumer_name is forbidden.", 403},
      {R"x({"allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]})x", "rose", "GET", "", 0},
      {R"x({"whitelist": ["jack"], "allowed_by_methods": [{"user": "jack", "methods": ["POST"]}]})x", "jack",
       "GET", "", 0},
      {R"x({"type": "consumer_group_id", "whitelist": ["g"]})x", "jack", "GET", "", 0},
      {R"x({"type": "route_id", "whitelist": ["1"]})x", "jack", "GET", "", 0},
      {R"x({"type": "service_id", "whitelist": ["1"]})x", "jack", "GET", "The service_id is forbidden.", 403},
  };
  const plugin::RouteInfo route{.id = "1", .name = {}, .service_id = "2", .service_name = {}};
  for (const auto& row : rows) {
    Bench bench;
    Call call(bench, "/", row.method);
    plugin::Consumer consumer;
    consumer.name = row.consumer;
    consumer.group_id = "g";
    if (*row.consumer) call.x.authenticate(consumer);
    call.x.route = &route;
    const auto verdict = bench.wait(make(consumer_restriction, row.config)->access(call.x));
    EXPECT_EQ(status_of(verdict), row.status) << row.config << row.consumer;
    if (verdict != nullptr) EXPECT_EQ(plugin::testing::parsed(verdict->body).text("message"), row.message);
  }
}

TEST(ClientControl, bounds_bodies) {
  Bench bench;
  const auto plugin = make(client_control, R"x({"max_body_size": 4})x");
  for (const std::int64_t length : {4, 5}) {
    Call call(bench);
    plugin::testing::PiecedBody body({"12345"});
    call.x.request.body = &body;
    call.x.request.content_length = length;
    EXPECT_EQ(status_of(bench.wait(plugin->rewrite(call.x))), length > 4 ? 413 : 0);
  }
  for (const char* last : {"4", "45"}) {
    Call call(bench);
    plugin::testing::PiecedBody body({"123", last});
    call.x.request.body = &body;
    call.x.request.content_length = http::unknown_length;
    EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
    const auto all = bench.wait(plugin::testing::read_all(*call.x.request.body));
    EXPECT_EQ(all.starts_with("error"), *(last + 1) != 0) << all;
  }
}

TEST(RealIp, is_taken_from_a_variable) {
  const struct {
    const char *config, *field, *address;
    int port;
  } rows[] = {
      {R"x({"source": "http_x_forwarded_for"})x", "1.1.1.1, 2.2.2.2", "2.2.2.2", 40000},
      {R"x({"source": "http_x_forwarded_for"})x", "2.2.2.2:90", "2.2.2.2", 90},
      {R"x({"source": "http_x_forwarded_for"})x", "[::2]:90", "::2", 90},
      {R"x({"source": "http_x_forwarded_for"})x", "nobody", "127.0.0.1", 40000},
      {R"x({"source": "http_x_forwarded_for"})x", "1.1.1.1:70000", "127.0.0.1", 40000},
      {R"x({"source": "http_x_forwarded_for", "trusted_addresses": ["10.0.0.0/8"]})x", "1.1.1.1", "127.0.0.1",
       40000},
      {R"x({"source": "http_x_forwarded_for", "recursive": true, "trusted_addresses": ["127.0.0.0/8",
             "2.2.2.2"]})x",
       "0.0.0.1, 1.1.1.1, 2.2.2.2", "1.1.1.1", 40000},
      {R"x({"source": "http_x_forwarded_for", "recursive": true, "trusted_addresses": ["0.0.0.0/0"]})x",
       "3.3.3.3, 2.2.2.2", "3.3.3.3", 40000},
      {R"x({"source": "arg_realip"})x", "", "9.9.9.9", 40000},
  };
  for (const auto& row : rows) {
    Bench bench;
    Call call(bench, "/?realip=9.9.9.9");
    call.header("X-Forwarded-For", row.field);
    EXPECT_EQ(bench.wait(make(real_ip, row.config)->rewrite(call.x)), nullptr);
    EXPECT_EQ(call.x.remote_text, row.address) << row.config << row.field;
    EXPECT_EQ(call.x.remote.port, row.port) << row.config << row.field;
    EXPECT_EQ(call.x.client_text.empty() ? "127.0.0.1" : call.x.client_text, "127.0.0.1");
  }
}

}  // namespace
}  // namespace sluice::plugins
