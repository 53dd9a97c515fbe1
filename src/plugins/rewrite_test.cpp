// SPDX-License-Identifier: Apache-2.0
// ip-restriction, cors, proxy-rewrite and response-rewrite over a fake exchange.
#include <gtest/gtest.h>

#include "base/compression.h"
#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType cors, ip_restriction, proxy_rewrite, response_rewrite;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

TEST(IpRestriction, admits_and_refuses) {
  const struct {
    const char *config, *client;
    int status;
  } rows[] = {
      {R"x({"whitelist": ["10.0.0.0/8", "::1"]})x", "10.1.2.3", 0},
      {R"x({"whitelist": ["10.0.0.0/8", "::1"]})x", "::1", 0},
      {R"x({"whitelist": ["10.0.0.0/8"]})x", "11.1.2.3", 403},
      {R"x({"blacklist": ["10.0.0.0/8"]})x", "10.1.2.3", 403},
      {R"x({"blacklist": ["10.0.0.0/8"], "response_code": 404})x", "10.1.2.3", 404},
      {R"x({"blacklist": ["10.0.0.0/8"]})x", "127.0.0.1", 0},
  };
  for (const auto& row : rows) {
    Bench bench;
    Call call(bench);
    call.x.remote.address = *IpAddress::parse(row.client);
    const auto plugin = make(ip_restriction, row.config);
    ASSERT_NE(plugin, nullptr) << row.config;
    const auto verdict = bench.wait(plugin->access(call.x));
    EXPECT_EQ(verdict ? verdict->status : 0, row.status) << row.config << " " << row.client;
    if (verdict) {
      EXPECT_EQ(verdict->body, "{\"message\":\"Your IP address is not allowed\"}\n");
    }
  }
}

TEST(IpRestriction, problems) {
  EXPECT_EQ(problem_of(ip_restriction, R"x({"whitelist": ["10.0.0.256"]})x"),
            "invalid ip address: 10.0.0.256");
  EXPECT_NE(problem_of(ip_restriction, "{}"), "");
  EXPECT_NE(problem_of(ip_restriction, R"x({"whitelist": ["::1"], "blacklist": ["::1"]})x"), "");
  EXPECT_NE(problem_of(ip_restriction, R"x({"whitelist": []})x"), "");
  EXPECT_NE(problem_of(ip_restriction, R"x({"whitelist": ["::1"], "response_code": 500})x"), "");
}

struct CorsRow {
  const char *config, *origin, *allowed, *vary;
};
class CorsOrigins : public testing::TestWithParam<CorsRow> {};
TEST_P(CorsOrigins, are_allowed) {
  const auto& row = GetParam();
  Bench bench;
  bench.use_metadata(cors, R"x({"allow_origins": {"k": "http://m.com,http://n.com", "any": "*"}})x");
  const auto plugin = make(cors, row.config);
  ASSERT_NE(plugin, nullptr) << row.config;
  Call call(bench);
  if (*row.origin) call.header("Origin", row.origin);
  EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
  call.x.request.headers.remove("Origin");  // it counts as the client sent it
  call.respond(200);
  plugin->response(call.x);
  EXPECT_EQ(call.response("Access-Control-Allow-Origin"), row.allowed) << row.config << " " << row.origin;
  EXPECT_EQ(call.response("Vary"), row.vary) << row.config;
}
INSTANTIATE_TEST_SUITE_P(
    Rows, CorsOrigins,
    testing::Values(
        CorsRow{"{}", "http://a.com", "*", "<absent>"}, CorsRow{"{}", "", "*", "<absent>"},
        CorsRow{R"x({"allow_origins": "**"})x", "http://a.com", "http://a.com", "Origin"},
        CorsRow{R"x({"allow_origins": "**"})x", "", "*", "Origin"},
        CorsRow{R"x({"allow_origins": "http://a.com"})x", "http://a.com", "http://a.com", "Origin"},
        CorsRow{R"x({"allow_origins": "http://a.com"})x", "http://b.com", "<absent>", "Origin"},
        CorsRow{R"x({"allow_origins": "http://a.com,http://b.com"})x", "http://b.com", "http://b.com",
                "Origin"},
        CorsRow{R"x({"allow_origins": "http://a.com,http://b.com"})x", "http://c.com", "<absent>", "Origin"},
        CorsRow{R"x({"allow_origins": "http://a.com,http://b.com"})x", "", "<absent>", "Origin"},
        CorsRow{R"x({"allow_origins_by_regex": [".*\\.test\\.com$"]})x", "http://x.test.com",
                "http://x.test.com", "<absent>"},
        CorsRow{R"x({"allow_origins_by_regex": [".*\\.test\\.com$"]})x", "http://x.test.org", "<absent>",
                "<absent>"},
        CorsRow{R"x({"allow_origins_by_metadata": ["k"]})x", "http://n.com", "http://n.com", "<absent>"},
        CorsRow{R"x({"allow_origins_by_metadata": ["k"]})x", "http://z.com", "<absent>", "<absent>"},
        CorsRow{R"x({"allow_origins_by_metadata": ["none", "any"]})x", "http://z.com", "http://z.com",
                "<absent>"},
        CorsRow{R"x({"allow_origins": "http://a.com", "allow_origins_by_metadata": ["k"]})x", "http://a.com",
                "http://a.com", "Origin"}));

TEST(Cors, tells_everything) {
  Bench bench;
  const auto plugin =
      make(cors, R"x({"allow_origins": "http://a.com", "allow_methods": "**", "allow_headers": "**",
      "expose_headers": "X-A,X-B", "max_age": 60, "allow_credential": true, "timing_allow_origins": "**"})x");
  ASSERT_NE(plugin, nullptr);
  Call call(bench, "/", "OPTIONS");
  call.header("Origin", "http://a.com").header("Access-Control-Request-Headers", "X-Asked");
  const auto verdict = bench.wait(plugin->rewrite(call.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 200);
  plugin->response(call.x);
  EXPECT_EQ(call.response("Access-Control-Allow-Methods"),
            "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE");
  EXPECT_EQ(call.response("Access-Control-Allow-Headers"), "X-Asked");
  EXPECT_EQ(call.response("Access-Control-Expose-Headers"), "X-A,X-B");
  EXPECT_EQ(call.response("Access-Control-Max-Age"), "60");
  EXPECT_EQ(call.response("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(call.response("Timing-Allow-Origin"), "http://a.com");
}

TEST(Cors, problems) {
  EXPECT_EQ(problem_of(cors, R"x({"allow_credential": true})x"),
            "you can not set '*' for other option when 'allow_credential' is true");
  EXPECT_NE(problem_of(cors, R"x({"allow_origins": "a.com"})x"), "");
  EXPECT_NE(problem_of(cors, R"x({"allow_origins_by_regex": ["("]})x"), "");
}

struct TargetRow {
  const char *config, *asked, *target;
};
class ProxyTarget : public testing::TestWithParam<TargetRow> {};
TEST_P(ProxyTarget, is_rewritten) {
  const auto& row = GetParam();
  Bench bench;
  const auto plugin = make(proxy_rewrite, row.config);
  ASSERT_NE(plugin, nullptr) << row.config;
  Call call(bench, row.asked);
  EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
  EXPECT_EQ(call.x.upstream.target, row.target) << row.config << " " << row.asked;
}
INSTANTIATE_TEST_SUITE_P(
    Rows, ProxyTarget,
    testing::Values(
        TargetRow{R"x({"uri": "/new"})x", "/old", "/new"},
        TargetRow{R"x({"uri": "/new"})x", "/old?a=1", "/new?a=1"},
        TargetRow{R"x({"uri": "/new?q=1"})x", "/old?a=1", "/new?q=1&a=1"},
        TargetRow{R"x({"uri": "/$arg_to"})x", "/old?to=x%3fy", "/x%253Fy?to=x%3fy"},
        TargetRow{R"x({"uri": "/a b"})x", "/", "/a%20b"},
        TargetRow{R"x({"uri": "/n", "regex_uri": ["^/o", "/m"]})x", "/o", "/n"},
        TargetRow{R"x({"regex_uri": ["^/test/(.*)/(.*)", "/$1_$2"]})x", "/test/a/b?c=d", "/a_b?c=d"},
        TargetRow{R"x({"regex_uri": ["^/test/(.*)", "/${1}?x=y"]})x", "/test/a?c=d", "/a?x=y&c=d"},
        TargetRow{R"x({"regex_uri": ["^/none", "/n", "^/t/(.*)", "/second/$1"]})x", "/t/a", "/second/a"},
        TargetRow{R"x({"regex_uri": ["^/none", "/n"]})x", "/t/%61", "/t/a"},
        TargetRow{R"x({"host": "h.com"})x", "/a%3fb%0d%0ac?x=%20", "/a%3Fb%0D%0Ac?x=%20"},
        TargetRow{R"x({"host": "h.com"})x", "/plain?x=%20", ""},
        TargetRow{R"x({"use_real_request_uri_unsafe": true})x", "/%61//b", ""},
        TargetRow{R"x({"use_real_request_uri_unsafe": true, "uri": "/n?m=1"})x", "/%61?x=1", "/n?m=1&x=1"},
        TargetRow{R"x({"use_real_request_uri_unsafe": true, "regex_uri": ["/hello/(.*)", "/hello?u=$1"]})x",
                  "/hello/%ED%85", "/hello?u=%ED%85"}));

TEST(ProxyRewrite, edits_headers_host_and_method) {
  Bench bench;
  const auto plugin = make(proxy_rewrite, R"x({"regex_uri": ["^/(\\w+)/(x)?", "/$1"], "host": "h.com:8080",
      "method": "POST", "headers": {"add": {"X-Many": ["a", 2]}, "remove": ["X-Gone"],
      "set": {"X-Set": "$1_$2/$http_user_agent", "X-Empty": "$arg_none", "X-Bad": "$arg_crlf"}}})x");
  ASSERT_NE(plugin, nullptr);
  Call call(bench, "/first/?crlf=a%0d%0ab");
  call.header("X-Gone", "1").header("X-Many", "0").header("X-Empty", "1").header("User-Agent", "me");
  EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
  EXPECT_EQ(call.x.upstream.host, "h.com:8080");
  EXPECT_EQ(call.x.upstream.method, "POST");
  EXPECT_EQ(call.request("X-Gone"), "<absent>");
  EXPECT_EQ(call.request("X-Many"), "0, a, 2");
  EXPECT_EQ(call.request("X-Set"), "first_/me");
  EXPECT_EQ(call.request("X-Empty"), "<absent>");
  EXPECT_EQ(call.request("X-Bad"), "a%0D%0Ab");
}

TEST(ProxyRewrite, problems) {
  EXPECT_EQ(problem_of(proxy_rewrite, R"x({"regex_uri": ["a", "b", "c"]})x"),
            "The length of regex_uri should be an even number");
  EXPECT_TRUE(
      problem_of(proxy_rewrite, R"x({"regex_uri": ["[a", "b"]})x").starts_with("invalid regex_uri([a, b): "));
  EXPECT_EQ(problem_of(proxy_rewrite, R"x({"headers": {"a": "b\r\n"}})x"),
            "invalid value character in header");
  EXPECT_EQ(problem_of(proxy_rewrite, R"x({"headers": {"a b": "b"}})x"), "invalid field character in header");
  EXPECT_EQ(problem_of(proxy_rewrite, R"x({"headers": {"a": {}}})x"), "invalid type as header value");
  for (const char* bad : {"{}", R"x({"uri": "home"})x", R"x({"method": "BREW"})x", R"x({"host": "a/b"})x",
                          R"x({"headers": {"set": {"a": "b"}, "put": {}}})x", R"x({"headers": {}})x",
                          R"x({"uri": "/", "scheme": "https"})x"})
    EXPECT_NE(problem_of(proxy_rewrite, bad), "") << bad;
}

std::string body_after(const char* config, std::vector<std::string> pieces, int status = 200) {
  Bench bench;
  const auto plugin = make(response_rewrite, config);
  Call call(bench);
  plugin::testing::PiecedBody body(std::move(pieces));
  call.respond(status);
  call.x.response.body = &body;
  call.x.response.content_length = 3;
  plugin->response(call.x);
  plugin->body(call.x);
  if (call.x.response.body == nullptr) return std::string(call.x.response.content);
  return bench.wait(plugin::testing::read_all(*call.x.response.body));
}

TEST(ResponseRewrite, changes_bodies) {
  EXPECT_EQ(body_after(R"x({"body": "new"})x", {"old"}), "new");
  EXPECT_EQ(body_after(R"x({"body": "", "status_code": 204})x", {"old"}), "");
  EXPECT_EQ(body_after(R"x({"body": "aGVsbG8=", "body_base64": true})x", {"old"}), "hello");
  EXPECT_EQ(body_after(R"x({"filters": [{"regex": "he(l+)o", "replace": "<$1>"}]})x", {"he", "llo hello"}),
            "<ll> hello");
  EXPECT_EQ(body_after(R"x({"filters": [{"regex": "HELLO", "options": "i", "replace": "x", "scope": "global"},
                                       {"regex": "x", "replace": "y"}]})x", {"hello", " hello"}), "y x");
  EXPECT_EQ(body_after(R"x({"vars": [["status", "==", 500]], "body": "new"})x", {"old"}, 200), "old");
  EXPECT_EQ(body_after(R"x({"vars": [["status", "==", 500]], "body": "new"})x", {"old"}, 500), "new");
  EXPECT_TRUE(
      body_after(R"x({"filters": [{"regex": "a", "replace": "b"}], "max_resp_body_size": 4})x", {"abc", "de"})
          .starts_with("error: "));
}

TEST(ResponseRewrite, changes_status_and_headers) {
  Bench bench;
  const auto plugin = make(response_rewrite, R"x({"status_code": 201, "headers": {"add": ["X-Add: a1"],
      "set": {"X-Set": "$status/$balancer_ip", "X-Number": 7, "X-Old": ""}, "remove": ["X-Gone"]},
      "filters": [{"regex": "a", "replace": "b"}]})x");
  ASSERT_NE(plugin, nullptr);
  Call call(bench);
  call.respond(200, "aa");
  call.x.upstream.balancer_ip = "127.0.0.9";
  for (const char* name : {"X-Add", "X-Old", "X-Gone", "ETag", "Last-Modified"})
    call.x.response.headers.add(name, "0");
  plugin->response(call.x);
  plugin->body(call.x);
  EXPECT_EQ(call.x.response.status, 201);
  EXPECT_EQ(call.x.response.content, "ba");
  EXPECT_EQ(call.response("X-Add"), "0, a1");
  EXPECT_EQ(call.response("X-Set"), "201/127.0.0.9");
  EXPECT_EQ(call.response("X-Number"), "7");
  for (const char* name : {"X-Old", "X-Gone", "ETag", "Last-Modified"})
    EXPECT_EQ(call.response(name), "<absent>");
}

TEST(ResponseRewrite, filters_what_is_compressed) {
  Bench bench;
  const auto plugin = make(response_rewrite, R"x({"filters": [{"regex": "a", "replace": "b"}]})x");
  std::string coded;
  make_gzip_compressor(1, -1)->add("aa", Compressor::Then::end, coded);
  const auto filtered = [&](std::string_view content, std::string_view coding, bool streamed) {
    Call call(bench);
    call.respond(200, content);
    plugin::testing::PiecedBody body({std::string(content)});
    if (streamed) call.x.response.body = &body;
    call.x.response.headers.add("Content-Encoding", coding);
    plugin->response(call.x);
    plugin->body(call.x);
    const std::string got = call.x.response.body != nullptr
                                ? bench.wait(plugin::testing::read_all(*call.x.response.body))
                                : std::string(call.x.response.content);
    return std::to_string(call.x.response.status) + " " + got + " " + call.response("Content-Encoding");
  };
  for (const bool streamed : {false, true}) {
    EXPECT_EQ(filtered(coded, "gzip", streamed), "200 ba <absent>");
    EXPECT_EQ(filtered("aa", "zstd", streamed), "200 aa zstd");
  }
  EXPECT_EQ(filtered("aa", "gzip", false), "502  <absent>");
  EXPECT_TRUE(filtered("aa", "gzip", true).starts_with("200 error: "));
}

TEST(ResponseRewrite, problems) {
  EXPECT_EQ(problem_of(response_rewrite, R"x({"body": "!", "body_base64": true})x"),
            "invalid base64 content");
  EXPECT_NE(problem_of(response_rewrite, R"x({"filters": [{"regex": "(", "replace": ""}]})x")
                .find("validation failed"),
            std::string::npos);
  EXPECT_TRUE(problem_of(response_rewrite, R"x({"vars": [["a"]]})x")
                  .starts_with("failed to validate the 'vars' expression"));
  for (const char* bad :
       {R"x({"body": "a", "filters": [{"regex": "a", "replace": "b"}]})x", R"x({"status_code": 599})x",
        R"x({"filters": []})x", R"x({"headers": {"add": ["novalue"]}})x"})
    EXPECT_NE(problem_of(response_rewrite, bad), "") << bad;
}

}  // namespace
}  // namespace sluice::plugins
