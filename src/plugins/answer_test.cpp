// SPDX-License-Identifier: Apache-2.0
// redirect, echo, mocking, fault-injection and request-id over a fake exchange.
#include <gtest/gtest.h>

#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType echo, fault_injection, mocking, redirect, request_id;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::problem_of;

std::string field_of(const http::Reply& reply, std::string_view name) {
  for (const auto& [field, value] : reply.headers) {
    if (field == name) return value;
  }
  return "<absent>";
}

TEST(Redirect, says_where_to) {
  const struct {
    const char *config, *method, *target;
    int status;
    const char* location;
  } rows[] = {
      {R"x({"uri": "/b"})x", "GET", "/a", 302, "/b"},
      {R"x({"uri": "$uri/b${arg_x}c", "ret_code": 301})x", "GET", "/a?x=1", 301, "/a/b1c"},
      {R"x({"uri": "/$arg_none/b"})x", "GET", "/a", 302, "//b"},
      {R"x({"uri": "/b", "append_query_string": true})x", "GET", "/a?x=1", 302, "/b?x=1"},
      {R"x({"uri": "/b?c=d", "append_query_string": true})x", "GET", "/a?x=1", 302, "/b?c=d&x=1"},
      {R"x({"uri": "/b", "append_query_string": true})x", "GET", "/a", 302, "/b"},
      {R"x({"uri": "$uri?q=a b", "encode_uri": true})x", "GET", "/a%20b", 302, "/a%20b?q=a b"},
      {R"x({"regex_uri": ["^/a/(.*)/(.*)", "/$2/$1"]})x", "GET", "/a/1/2", 302, "/2/1"},
      {R"x({"regex_uri": ["^/a/(.*)/(.*)", "/$2/$1"]})x", "GET", "/b", 0, ""},
      {R"x({"http_to_https": true})x", "GET", "/a?b", 301, "https://test.com:9443/a?b"},
      {R"x({"http_to_https": true})x", "POST", "/a?b", 308, "https://test.com:9443/a?b"},
  };
  for (const auto& row : rows) {
    Bench bench;
    bench.worker.https_port = 9443;
    Call call(bench, row.target, row.method);
    const auto plugin = make(redirect, row.config);
    ASSERT_NE(plugin, nullptr) << row.config;
    const auto verdict = bench.wait(plugin->rewrite(call.x));
    ASSERT_EQ(verdict == nullptr ? 0 : verdict->status, row.status) << row.config;
    if (verdict != nullptr) EXPECT_EQ(field_of(*verdict, "Location"), row.location) << row.config;
  }
}

TEST(Redirect, knows_who_came_by_tls) {
  Bench bench;
  const auto plugin = make(redirect, R"x({"http_to_https": true})x");
  Call secure(bench);
  secure.x.request.secure = true;
  EXPECT_EQ(bench.wait(plugin->rewrite(secure.x)), nullptr);
  Call forged(bench);
  forged.header("X-Forwarded-Proto", "https");
  const auto verdict = bench.wait(plugin->rewrite(forged.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(field_of(*verdict, "Location"), "https://test.com/") << "no port is known";
  forged.x.trusted_client = true;
  EXPECT_EQ(bench.wait(plugin->rewrite(forged.x)), nullptr);
}

TEST(Redirect, problems) {
  EXPECT_EQ(problem_of(redirect, R"x({"regex_uri": ["(", "/"]})x").substr(0, 30),
            "invalid regex_uri ((, /), err:");
  EXPECT_EQ(problem_of(redirect, R"x({"http_to_https": true, "append_query_string": true})x"),
            "only one of `http_to_https` and `append_query_string` can be configured.");
  EXPECT_NE(problem_of(redirect, R"x({"uri": "/a", "http_to_https": true})x"), "");
  EXPECT_NE(problem_of(redirect, R"x({"uri": "/a", "ret_code": 100})x"), "");
}

TEST(Echo, frames_and_replaces_bodies) {
  const struct {
    const char *config, *body;
  } rows[] = {
      {R"x({"before_body": "<", "after_body": ">"})x", "<some body>"},
      {R"x({"before_body": "<"})x", "<some body"},
      {R"x({"after_body": ">"})x", "some body>"},
      {R"x({"body": "new", "before_body": "<", "after_body": ">"})x", "<new>"},
      {R"x({"body": ""})x", ""},
  };
  for (const auto& row : rows) {
    for (const bool streamed : {false, true}) {
      Bench bench;
      const auto plugin = make(echo, row.config);
      Call call(bench);
      call.respond(200, streamed ? "" : "some body");
      plugin::testing::PiecedBody body({"some ", "body"});
      if (streamed) call.x.response.body = &body;
      call.x.response.headers.add("Content-Length", "9");
      plugin->response(call.x);
      plugin->body(call.x);
      EXPECT_EQ(call.response("Content-Length"), "<absent>");
      const auto* left = call.x.response.body;
      EXPECT_EQ(left == nullptr ? call.x.response.content
                                : bench.wait(plugin::testing::read_all(*call.x.response.body)),
                row.body)
          << row.config;
    }
  }
  EXPECT_NE(problem_of(echo, R"x({"headers": {"a": "b"}})x"), "");
  EXPECT_EQ(problem_of(echo, R"x({"body": "b", "auth_value": "x"})x"), "") << "APISIX 2 had it";
}

TEST(Mocking, answers_an_example) {
  Bench bench;
  Call call(bench, "/?a=7");
  const auto plugin = make(mocking, R"x({"response_example": "a is $arg_a", "content_type": "text/plain",
      "response_status": 201, "response_headers": {"X-A": "${arg_a}b", "X-N": 5},
      "with_mock_header": false})x");
  const auto verdict = bench.wait(plugin->access(call.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 201);
  EXPECT_EQ(verdict->body, "a is 7");
  EXPECT_EQ(verdict->content_type, "text/plain");
  EXPECT_EQ(field_of(*verdict, "X-A"), "7b");
  EXPECT_EQ(field_of(*verdict, "X-N"), "5");
  EXPECT_EQ(field_of(*verdict, "x-mock-by"), "<absent>");
  EXPECT_EQ(problem_of(mocking, R"x({"response_example": "", "content_type": "image/png"})x"),
            "unsupported content type!");
  EXPECT_NE(problem_of(mocking, "{}"), "");
}

TEST(Mocking, makes_an_answer_up) {
  constexpr std::string_view schema = R"x("response_schema": {"properties": {
      "s": {"type": "string", "example": "t"}, "i": {"type": "integer", "example": 3.7}, "b": {"type":
      "boolean",
      "example": true}, "n": {"type": "number"}, "l": {"type": "array", "items": {"type": "string"}},
      "o": {"type": "object", "properties": {"x": {"type": "string", "example": "<&"}}}}})x";
  Bench bench;
  Call call(bench);
  auto verdict = bench.wait(make(mocking, "{" + std::string(schema) + "}")->access(call.x));
  const auto made = plugin::testing::parsed(verdict->body);
  EXPECT_EQ(made.text("s"), "t");
  EXPECT_EQ(made.find("i")->as_double(), 3);
  EXPECT_TRUE(made.find("b")->as_bool());
  EXPECT_TRUE(made.find("n")->is_number());
  EXPECT_FALSE(made.find("l")->as_array().empty());
  EXPECT_NE(field_of(*verdict, "x-mock-by"), "<absent>");
  verdict = bench.wait(
      make(mocking, R"x({"content_type": "text/xml", )x" + std::string(schema) + "}")->access(call.x));
  EXPECT_NE(verdict->body.find("<o><x>&lt;&amp;</x>\n</o>"), std::string::npos) << verdict->body;
}

TEST(FaultInjection, aborts_some) {
  Bench bench;
  const auto plugin = make(fault_injection, R"x({"abort": {"http_status": 418, "body": "no $arg_a",
      "headers": {"X-A": "$arg_a"}, "vars": [[["arg_a", "==", "1"]], [["arg_b", "==", "1"]]]}})x");
  Call hit(bench, "/?a=1");
  const auto verdict = bench.wait(plugin->rewrite(hit.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 418);
  EXPECT_EQ(verdict->body, "no 1");
  EXPECT_EQ(field_of(*verdict, "X-A"), "1");
  Call other(bench, "/?b=1");
  EXPECT_NE(bench.wait(plugin->rewrite(other.x)), nullptr);
  Call missed(bench, "/?a=2");
  EXPECT_EQ(bench.wait(plugin->rewrite(missed.x)), nullptr);
  int hits = 0;
  const auto half = make(fault_injection, R"x({"abort": {"http_status": 500, "percentage": 50}})x");
  for (int i = 0; i < 400; ++i) hits += bench.wait(half->rewrite(missed.x)) != nullptr ? 1 : 0;
  EXPECT_NEAR(hits, 200, 80);
  const auto never = make(fault_injection, R"x({"abort": {"http_status": 500, "percentage": 0}})x");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bench.wait(never->rewrite(missed.x)), nullptr);
  EXPECT_NE(problem_of(fault_injection, "{}"), "");
  EXPECT_NE(problem_of(fault_injection, R"x({"abort": {"http_status": 500, "vars": [[["a", "??", 1]]]}})x"),
            "");
}

TEST(FaultInjection, waits) {
  Bench bench;
  const auto plugin =
      make(fault_injection, R"x({"delay": {"duration": 1.5}, "abort": {"http_status": 503}})x");
  Call call(bench);
  plugin::Verdict verdict;
  bench.loop.spawn(
      [](const plugin::Plugin& asked, plugin::Exchange& x, plugin::Verdict& into) -> async::Task<> {
        auto asking = asked.rewrite(x);
        into = co_await asking;
      }(*plugin, call.x, verdict));
  bench.pass(1400ms);
  EXPECT_EQ(verdict, nullptr);
  bench.pass(200ms);
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 503);
}

TEST(RequestId, is_made_kept_and_told) {
  Bench bench;
  for (const auto& [algorithm, size] :
       {std::pair{"uuid", 36U}, {"uuidv7", 36U}, {"nanoid", 21U}, {"ksuid", 27U}, {"range_id", 9U}}) {
    const auto plugin = make(request_id, std::string(R"x({"header_name": "X-Id", "range_id": {"length": 9},
        "algorithm": ")x") + algorithm + "\"}");
    Call call(bench);
    EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
    call.respond(200);
    plugin->response(call.x);
    EXPECT_EQ(call.request("X-Id").size(), size) << algorithm;
    EXPECT_EQ(call.response("X-Id"), call.request("X-Id"));
    EXPECT_EQ(call.x.request_id, call.request("X-Id"));
  }
  Call own(bench);
  own.header("X-Request-Id", "mine");
  const auto quiet = make(request_id, R"x({"include_in_response": false})x");
  EXPECT_EQ(bench.wait(quiet->rewrite(own.x)), nullptr);
  own.respond(200);
  quiet->response(own.x);
  EXPECT_EQ(own.request("X-Request-Id"), "mine");
  EXPECT_EQ(own.response("X-Request-Id"), "<absent>");
  EXPECT_NE(problem_of(request_id, R"x({"header_name": "a b"})x"), "");
  EXPECT_NE(problem_of(request_id, R"x({"range_id": {"length": 5}})x"), "");
}

}  // namespace
}  // namespace sluice::plugins
