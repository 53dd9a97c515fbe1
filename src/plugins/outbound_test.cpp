// SPDX-License-Identifier: Apache-2.0
// Plugins that ask other services, over a worker whose questions the test answers: forward-auth, wolf-rbac,
// authz-keycloak, proxy-mirror, batch-requests.
#include <gtest/gtest.h>

#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType authz_keycloak, batch_requests, forward_auth, proxy_mirror, wolf_rbac;
namespace {

using plugin::Outbound;
using plugin::OutboundReply;
using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::parsed;
using plugin::testing::problem_of;

std::string field_of(const Outbound& request, std::string_view name) {
  for (const auto& [field, value] : request.headers) {
    if (field == name) return value;
  }
  return "<absent>";
}

TEST(ForwardAuth, passes_on_what_the_service_says) {
  Bench bench;
  bench.worker.answer = [](const Outbound&) {
    return Result<OutboundReply>(OutboundReply{200, {{"x-user", "jack"}}, ""});
  };
  Call call(bench, "/a?b=1", "POST");
  call.header("Authorization", "t").header("X-User", "forged").header("X-Other", "forged");
  const auto plugin = make(forward_auth, R"x({"uri": "http://auth/", "request_headers": ["Authorization"],
      "upstream_headers": ["X-User", "X-Other"], "extra_headers": {"X-Path": "$uri"}})x");
  EXPECT_EQ(bench.wait(plugin->access(call.x)), nullptr);
  EXPECT_EQ(call.request("X-User"), "jack");
  EXPECT_EQ(call.request("X-Other"), "<absent>");
  const auto& asked = bench.worker.asked.at(0);
  EXPECT_EQ(asked.method, "GET");
  EXPECT_EQ(field_of(asked, "X-Forwarded-Uri"), "/a?b=1");
  EXPECT_EQ(field_of(asked, "X-Forwarded-Method"), "POST");
  EXPECT_EQ(field_of(asked, "Authorization"), "t");
  EXPECT_EQ(field_of(asked, "X-Path"), "/a");
}

TEST(ForwardAuth, refuses_as_the_service_does) {
  Bench bench;
  bench.worker.answer = [](const Outbound&) {
    return Result<OutboundReply>(OutboundReply{302, {{"Location", "/login"}, {"Content-Length", "2"}}, "no"});
  };
  Call call(bench);
  const auto plugin =
      make(forward_auth, R"x({"uri": "http://auth/", "client_headers": ["Location", "Content-Length"]})x");
  const auto verdict = bench.wait(plugin->access(call.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 302);
  EXPECT_EQ(verdict->body, "no");
  ASSERT_EQ(verdict->headers.size(), 1U);
  EXPECT_EQ(verdict->headers[0].second, "/login");
}

TEST(ForwardAuth, sends_the_body_and_keeps_it) {
  Bench bench;
  bench.worker.answer = [](const Outbound&) { return Result<OutboundReply>(OutboundReply{200, {}, ""}); };
  const auto plugin =
      make(forward_auth, R"x({"uri": "http://auth/", "request_method": "POST", "max_req_body_size": 4})x");
  for (const char* second : {"dy", "dy is too long"}) {
    Call call(bench, "/", "POST");
    plugin::testing::PiecedBody body({"bo", second});
    call.x.request.body = &body;
    call.x.request.content_length = http::unknown_length;
    const auto verdict = bench.wait(plugin->access(call.x));
    if (std::string_view(second) != "dy") {
      ASSERT_NE(verdict, nullptr);
      EXPECT_EQ(verdict->status, 413);
      continue;
    }
    EXPECT_EQ(verdict, nullptr);
    EXPECT_EQ(bench.worker.asked.back().body, "body");
    EXPECT_EQ(bench.wait(plugin::testing::read_all(*call.x.request.body)), "body");
  }
}

TEST(ForwardAuth, service_away) {
  Bench bench;
  Call call(bench);
  const auto verdict =
      bench.wait(make(forward_auth, R"x({"uri": "http://auth/", "status_on_error": 503})x")->access(call.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 503);
  EXPECT_EQ(
      bench.wait(
          make(forward_auth, R"x({"uri": "http://auth/", "allow_degradation": true})x")->access(call.x)),
      nullptr);
  EXPECT_NE(problem_of(forward_auth, R"x({"uri": "ftp://auth/"})x"), "");
  EXPECT_NE(problem_of(forward_auth, "{}"), "");
}

struct WolfBench : Bench {
  WolfBench() {
    static std::uint16_t index = 0;
    *wolf_rbac.index = index;
    json::Findings findings;
    json::Reader reader(findings);
    std::string credential;
    auto made =
        wolf_rbac.make_consumer(parsed(R"x({"server": "http://wolf", "appid": "app"})x"), reader, credential);
    auto& consumer = config.credentials[credential];
    consumer.name = "wolf";
    consumer.auth = {{*wolf_rbac.index, std::move(made)}};
  }
};

TEST(WolfRbac, lets_in_whom_wolf_lets_in) {
  WolfBench bench;
  bench.worker.answer = [](const Outbound&) {
    return Result<OutboundReply>(OutboundReply{
        200,
        {},
        R"x({"ok": true, "data": {"userInfo": {"id": 7, "username": "jack", "nickname": "J J"}}})x"});
  };
  const auto plugin = make(wolf_rbac, "{}");
  Call call(bench, "/a?rbac_token=V1%23app%23tok");
  call.header("X-UserId", "forged");
  EXPECT_EQ(bench.wait(plugin->rewrite(call.x)), nullptr);
  EXPECT_EQ(call.x.consumer_name, "wolf");
  EXPECT_EQ(call.request("X-UserId"), "7");
  EXPECT_EQ(call.request("X-Nickname"), "J%20J");
  EXPECT_EQ(field_of(bench.worker.asked.at(0), "x-rbac-token"), "tok");
  EXPECT_EQ(bench.worker.asked.at(0).url,
            "http://wolf/wolf/rbac/access_check?appID=app&resName=%2Fa&action=GET&clientIP=127.0.0.1");
  call.respond(200);
  plugin->response(call.x);
  EXPECT_EQ(call.response("X-Username"), "jack");
}

TEST(WolfRbac, refuses) {
  WolfBench bench;
  bench.worker.answer = [](const Outbound&) {
    return Result<OutboundReply>(OutboundReply{401, {}, R"x({"reason": "ERR_ACCESS_DENIED"})x"});
  };
  const auto plugin = make(wolf_rbac, "{}");
  const std::pair<const char*, const char*> rows[] = {{"", "Missing rbac token in request"},
                                                      {"V2#app#t", "invalid rbac token: parse failed"},
                                                      {"V1#app", "invalid rbac token: parse failed"},
                                                      {"V1#other#t", "Invalid appid in rbac token"},
                                                      {"V1#app#t", "ERR_ACCESS_DENIED"}};
  for (const auto& [token, message] : rows) {
    Call call(bench);
    if (*token) call.header("x-rbac-token", token);
    const auto verdict = bench.wait(plugin->rewrite(call.x));
    ASSERT_NE(verdict, nullptr) << token;
    EXPECT_EQ(verdict->status, 401);
    EXPECT_EQ(parsed(verdict->body).text("message"), message);
  }
}

constexpr const char* keycloak =
    R"x({"discovery": "http://kc/discovery", "client_id": "gw", "client_secret": "s",
                                      "lazy_load_paths": true, "http_method_as_scope": true})x";

Result<OutboundReply> keycloak_answer(const Outbound& request) {
  const auto ok = [](std::string body) {
    return Result<OutboundReply>(OutboundReply{200, {}, std::move(body)});
  };
  if (request.url == "http://kc/discovery")
    return ok(
        R"x({"token_endpoint": "http://kc/token", "resource_registration_endpoint": "http://kc/res"})x");
  if (request.url == "http://kc/res?uri=%2Fa&matchingUri=true") return ok(R"x(["r1", "r2"])x");
  if (request.body.starts_with("grant_type=client_credentials"))
    return ok(R"x({"access_token": "own", "expires_in": 60})x");
  if (request.body.find("permission=r1%23GET&permission=r2%23GET") == std::string::npos)
    return fail(ErrorKind::protocol, "asked wrongly: " + request.url + " " + request.body);
  const bool good = field_of(request, "Authorization") == "Bearer good";
  return Result<OutboundReply>(OutboundReply{good ? 200 : 403, {}, good ? "{}" : "denied"});
}

TEST(AuthzKeycloak, asks_the_provider) {
  Bench bench;
  bench.worker.answer = keycloak_answer;
  const auto plugin = make(authz_keycloak, keycloak);
  ASSERT_NE(plugin, nullptr) << problem_of(authz_keycloak, keycloak);
  Call good(bench, "/a");
  good.header("Authorization", "good");
  EXPECT_EQ(bench.wait(plugin->access(good.x)), nullptr);
  EXPECT_EQ(bench.worker.asked.size(), 4U);
  Call bad(bench, "/a");
  bad.header("Authorization", "Bearer bad");
  const auto verdict = bench.wait(plugin->access(bad.x));
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->status, 403);
  EXPECT_EQ(verdict->body, "denied");
  EXPECT_EQ(bench.worker.asked.size(), 6U) << "discovery and the client's token are kept";
  Call without(bench, "/a");
  EXPECT_EQ(bench.wait(plugin->access(without.x))->status, 401);
  bench.pass(std::chrono::seconds(120));
  EXPECT_EQ(bench.wait(plugin->access(good.x)), nullptr);
  EXPECT_EQ(bench.worker.asked.size(), 9U) << "the client's token had grown old";
}

TEST(AuthzKeycloak, enforces_or_redirects) {
  Bench bench;
  Call call(bench, "/a");
  call.header("Authorization", "t");
  auto plugin = make(authz_keycloak, R"x({"token_endpoint": "http://kc/token", "client_id": "gw"})x");
  EXPECT_EQ(bench.wait(plugin->access(call.x))->status, 403);
  plugin = make(authz_keycloak, R"x({"token_endpoint": "http://kc/token", "client_id": "gw",
                                     "access_denied_redirect_uri": "http://login/"})x");
  EXPECT_EQ(bench.wait(plugin->access(call.x))->status, 307);
  plugin = make(authz_keycloak,
                R"x({"token_endpoint": "http://kc/token", "client_id": "gw", "permissions": ["a"]})x");
  EXPECT_EQ(bench.wait(plugin->access(call.x))->status, 503) << "nobody answers";
  EXPECT_NE(problem_of(authz_keycloak, R"x({"client_id": "gw"})x"), "");
  EXPECT_NE(problem_of(authz_keycloak,
                       R"x({"client_id": "gw", "token_endpoint": "http://kc/", "lazy_load_paths": true})x"),
            "");
}

TEST(ProxyMirror, copies_requests_without_their_waiting) {
  Bench bench;
  bench.worker.answer = [](const Outbound&) { return Result<OutboundReply>(OutboundReply{500, {}, ""}); };
  const auto plugin =
      make(proxy_mirror, R"x({"host": "http://m:1", "path": "/x", "path_concat_mode": "prefix"})x");
  Call call(bench, "/a?b=1");
  call.header("Connection", "close").header("X-A", "1");
  EXPECT_EQ(bench.wait(plugin->before_proxy(call.x)), nullptr);
  ASSERT_EQ(bench.worker.asked.size(), 1U);
  EXPECT_EQ(bench.worker.asked[0].url, "http://m:1/x/a?b=1");
  EXPECT_EQ(bench.worker.asked[0].authority, "test.com");
  EXPECT_EQ(field_of(bench.worker.asked[0], "X-A"), "1");
  EXPECT_EQ(field_of(bench.worker.asked[0], "Connection"), "<absent>");
  Call streamed(bench, "/a", "POST");
  plugin::testing::PiecedBody body({"bo", "dy"});
  streamed.x.request.body = &body;
  streamed.x.request.content_length = http::unknown_length;
  EXPECT_EQ(bench.wait(plugin->before_proxy(streamed.x)), nullptr);
  EXPECT_EQ(bench.worker.asked.size(), 1U);
  EXPECT_EQ(bench.wait(plugin::testing::read_all(*streamed.x.request.body)), "body");
  plugin->log(streamed.x);
  ASSERT_EQ(bench.worker.asked.size(), 2U);
  EXPECT_EQ(bench.worker.asked[1].body, "body");
  EXPECT_NE(problem_of(proxy_mirror, R"x({"host": "grpc://m:1"})x"), "");
  EXPECT_NE(problem_of(proxy_mirror, R"x({"host": "http://m:1/path"})x"), "");
}

std::string answer_to(Bench& bench, std::string body, int status) {
  Call call(bench, "/batch", "POST");
  plugin::testing::PiecedBody given({std::move(body)});
  call.header("Content-Type", "application/json").header("X-Outer", "o");
  call.x.request.body = &given;
  call.x.request.content_length = http::unknown_length;
  const auto verdict = bench.wait(batch_requests.apis[0].answer(call.x));
  EXPECT_EQ(verdict->status, status) << verdict->body;
  return verdict->body;
}

TEST(BatchRequests, runs_requests_in_order) {
  Bench bench;
  bench.worker.answer = [](const Outbound& request) {
    if (request.url.find("/slow") != std::string::npos)
      return Result<OutboundReply>(fail(ErrorKind::timeout, "too slow"));
    return Result<OutboundReply>(OutboundReply{201, {{"X-A", "1"}}, "b"});
  };
  const auto answers =
      parsed(answer_to(bench, R"x({"headers": {"X-B": "b", "X-Outer": "mine"}, "query": {"q": 1},
      "pipeline": [{"path": "/a", "headers": {"Host": "a.com"}, "query": {"q": "own"}},
                   {"path": "/slow?x=y", "method": "POST", "body": "p"}]})x",
                       200));
  ASSERT_EQ(answers.as_array().size(), 2U);
  EXPECT_EQ(json::dump(answers.as_array()[0]),
            R"x({"status":201,"reason":"Created","headers":{"X-A":"1"},"body":"b"})x");
  EXPECT_EQ(json::dump(answers.as_array()[1]), R"x({"status":504,"reason":"upstream timeout"})x");
  const auto& first = bench.worker.asked.at(0);
  EXPECT_EQ(first.url, "http://127.0.0.1:9080/a?q=own");
  EXPECT_EQ(first.authority, "a.com");
  EXPECT_EQ(field_of(first, "x-outer"), "mine");
  EXPECT_EQ(field_of(first, "x-b"), "b");
  EXPECT_EQ(field_of(first, "content-type"), "<absent>");
  const auto& second = bench.worker.asked.at(1);
  EXPECT_EQ(second.url, "http://127.0.0.1:9080/slow?x=y&q=1");
  EXPECT_EQ(second.method, "POST");
  EXPECT_EQ(second.body, "p");
  EXPECT_EQ(second.authority, "test.com");
}

TEST(BatchRequests, refuses) {
  Bench bench;
  EXPECT_NE(answer_to(bench, "", 400).find("no request body"), std::string::npos);
  EXPECT_NE(answer_to(bench, "{", 400).find("invalid request body: {"), std::string::npos);
  EXPECT_NE(answer_to(bench, "{}", 400).find("bad request body: property \\\"pipeline\\\" is required"),
            std::string::npos);
  EXPECT_NE(answer_to(bench, R"x({"pipeline": [{"path": "/", "no": 1}]})x", 400)
                .find("additional properties forbidden"),
            std::string::npos);
  answer_to(bench, std::string(2'000'000, ' '), 413);
}

}  // namespace
}  // namespace sluice::plugins
