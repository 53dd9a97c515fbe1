// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.h"
#include "http/message.h"
#include "plugin/testing.h"

namespace sluice::plugins {

extern const plugin::PluginType grpc_web;

namespace {

using namespace plugin::testing;
using plugin::Plugin;

// What the server answers: a message in pieces, and trailers.
class Answer final : public http::Body {
 public:
  Answer(Arena& arena, std::vector<std::string> pieces, std::string status, std::string message)
      : pieces_(std::move(pieces)), trailers_(arena) {
    if (!status.empty()) trailers_.add("grpc-status", status);
    if (!message.empty()) trailers_.add("grpc-message", message);
    trailers_.add("x-more", "m");
  }
  async::Task<Result<std::string_view>> next() override {
    if (ended()) return Result<std::string_view>("");
    return Result<std::string_view>(pieces_[at_++]);
  }
  bool ended() const override { return at_ == pieces_.size(); }
  const http::Headers* trailers() const override { return &trailers_; }

 private:
  std::vector<std::string> pieces_;
  std::size_t at_ = 0;
  http::Headers trailers_;
};

class GrpcWebTest : public testing::Test {
 protected:
  // The status of a refusal, 0 when the call goes on to the server.
  int ask(Call& call, std::string_view type, std::string body, std::string_view config = "{}") {
    plugin_ = make(grpc_web, config);
    body_.emplace(std::vector<std::string>{std::move(body)});
    call.header("Content-Type", type);
    call.x.request.body = &*body_;
    call.x.request.content_length = http::unknown_length;
    const auto verdict = bench_.wait(plugin_->access(call.x));
    return verdict == nullptr ? 0 : verdict->status;
  }
  void finish(Call& call) {
    plugin_->response(call.x);
    plugin_->body(call.x);
  }
  std::string all(http::Body* body) {
    std::string bytes;
    while (body != nullptr && !body->ended()) {
      auto piece = bench_.wait(body->next());
      if (!piece || piece->empty()) break;
      bytes += *piece;
    }
    return bytes;
  }

  Bench bench_;
  std::unique_ptr<const Plugin> plugin_;
  std::optional<PiecedBody> body_;
};

const std::string message("\0\0\0\0\2hi", 7);

TEST_F(GrpcWebTest, binary) {
  Call call(bench_, "/web/a.B/C?x=1", "POST");
  const plugin::Exchange::Parameter rest{":ext", "a.B/C"};
  call.x.parameters = &rest;
  call.x.parameter_count = 1;
  call.x.request.query = "x=1";
  ASSERT_EQ(ask(call, "application/grpc-web+proto", message), 0);
  EXPECT_EQ(call.request("Content-Type"), "application/grpc");
  EXPECT_EQ(call.x.upstream.target, "/a.B/C?x=1");
  EXPECT_EQ(all(call.x.request.body), message);
  call.respond(200);
  Answer answer(call.x.arena, {message.substr(0, 3), message.substr(3)}, "0", "");
  call.x.response.body = &answer;
  finish(call);
  EXPECT_EQ(call.response("Content-Type"), "application/grpc-web+proto");
  EXPECT_EQ(call.response("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(all(call.x.response.body), message + "\x80" + std::string("\0\0\0\x28", 4) +
                                           "grpc-status:0\r\ngrpc-message:\r\nx-more:m\r\n");
  EXPECT_EQ(call.x.response.body->trailers(), nullptr);
}

TEST_F(GrpcWebTest, text) {
  Call call(bench_, "/a.B/C", "POST");
  std::string first, second;
  base64_encode(message, first);
  base64_encode("x", second);
  ASSERT_EQ(ask(call, "application/grpc-web-text; charset=utf-8", first + second), 0);
  EXPECT_EQ(call.x.upstream.target, "");
  EXPECT_EQ(call.x.request.content_length, 8);
  EXPECT_EQ(all(call.x.request.body), message + "x");
  call.respond(200);
  Answer answer(call.x.arena, {message}, "", "");
  call.x.response.body = &answer;
  finish(call);
  const std::string told = all(call.x.response.body);
  EXPECT_TRUE(told.starts_with(first)) << told;
  std::string behind;
  ASSERT_TRUE(base64_decode(std::string_view(told).substr(first.size()), behind));
  EXPECT_EQ(behind.substr(5), "grpc-status:2\r\ngrpc-message:upstream grpc status not received\r\n");
}

TEST_F(GrpcWebTest, trailers_alone_stay_headers) {
  Call call(bench_, "/a.B/C", "POST");
  ASSERT_EQ(ask(call, "application/grpc-web", message), 0);
  call.respond(200);
  call.x.response.headers.add("grpc-status", "13");
  finish(call);
  EXPECT_EQ(call.response("grpc-status"), "13");
  EXPECT_EQ(call.x.response.body, nullptr);
}

TEST_F(GrpcWebTest, refusals) {
  struct Case {
    std::string_view method, type, body, config;
    int status;
  };
  for (const Case& each : {
           Case{"OPTIONS", "", "", "{}", 204},
           Case{"GET", "application/grpc-web", "", "{}", 405},
           Case{"POST", "application/json", "", "{}", 400},
           Case{"POST", "application/grpc-web-text", "!", "{}", 400},
           Case{"POST", "application/grpc-web", "four", R"({"max_req_body_size": 3})", 413},
       }) {
    Call call(bench_, "/a.B/C", each.method);
    EXPECT_EQ(ask(call, each.type, std::string(each.body), each.config), each.status) << each.method;
    finish(call);
    EXPECT_EQ(call.response("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(call.response("Access-Control-Expose-Headers"), "grpc-message,grpc-status");
    EXPECT_EQ(call.response("Access-Control-Allow-Methods"), each.method == "OPTIONS" ? "POST" : "<absent>");
  }
}

TEST_F(GrpcWebTest, an_origin_that_cors_allows_stays) {
  Call call(bench_, "/a.B/C", "POST");
  ASSERT_EQ(ask(call, "application/grpc-web", message), 0);
  call.respond(200);
  call.x.response.headers.set("Access-Control-Allow-Origin", "http://a.test");
  finish(call);
  EXPECT_EQ(call.response("Access-Control-Allow-Origin"), "http://a.test");
}

}  // namespace
}  // namespace sluice::plugins
