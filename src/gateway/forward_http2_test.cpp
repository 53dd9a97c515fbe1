// SPDX-License-Identifier: Apache-2.0
// A whole gateway in memory, asked over HTTP/1.1, whose upstream speaks HTTP/2 by hand: well, badly and with
// malice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "http/server_side.h"

namespace sluice::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

enum Kind : unsigned char { data, headers, priority, reset, settings, push, ping, goaway, window };
constexpr unsigned char end_stream = 1, end_headers = 4;

std::string word(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string frame(Kind kind, unsigned char flags, std::uint32_t stream, std::string_view payload = "") {
  std::string text = word(static_cast<std::uint32_t>(payload.size())).substr(1);
  text += static_cast<char>(kind);
  text += static_cast<char>(flags);
  return text + word(stream) + std::string(payload);
}
// A literal field that is not indexed.
std::string field(std::string_view name, std::string_view value) {
  const auto sized = [](std::string_view text) {
    return std::string(1, static_cast<char>(text.size())) + std::string(text);
  };
  return std::string(1, '\0') + sized(name) + sized(value);
}
const std::string ok = "\x88";  // :status 200
std::string setting(std::uint16_t id, std::uint32_t value) {
  return std::string{static_cast<char>(id >> 8), static_cast<char>(id)} + word(value);
}

// What is answered to the head of each request, in the order in which they come.
class Http2Upstream : public testing::Test {
 protected:
  using Answer = std::function<std::string(std::uint32_t stream, int number)>;

  Http2Upstream() { log::set_level(log::Level::emerg); }

  void serve(Answer answer, std::string settings_of_it = "", std::string more = "") {
    answer_ = std::move(answer);
    peer_.emplace(gateway_, Endpoint{IpAddress::loopback(), 1000},
                  [this, greeting = frame(settings, 0, 0, settings_of_it)](std::string& read) {
                    return take(read, greeting);
                  });
    ASSERT_TRUE(gateway_.put("routes/1", R"({"uri": "/*", "upstream": {"type": "roundrobin", "retries": 0,
        "timeout": {"connect": 5, "send": 5, "read": 5}, "http_version": "2", )" + more +
                                             R"("nodes": {"127.0.0.1:1000": 1}}})"));
  }
  std::optional<std::string> take(std::string& read, const std::string& greeting) {
    std::string told;
    if (read.starts_with(http::http2_preface)) {
      read.erase(0, http::http2_preface.size());
      told = greeting;
    }
    while (read.size() >= 9) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(read[i]); };
      const std::size_t size = (byte(0) << 16u) + (byte(1) << 8u) + byte(2);
      if (read.size() < 9 + size) break;
      const std::uint32_t stream = (byte(5) << 24u) + (byte(6) << 16u) + (byte(7) << 8u) + byte(8);
      if (byte(3) == settings && (byte(4) & 1) == 0) told += frame(settings, 1, 0);
      if (byte(3) == reset) ++resets_;
      if (byte(3) == goaway) ++goaways_;
      if (byte(3) == headers) told += answer_(stream, asked_++);
      read.erase(0, 9 + size);
    }
    return told;
  }
  static std::string answered(std::uint32_t stream, std::string_view body = "abc") {
    return frame(headers, end_headers, stream, ok + field("x-a", "b")) +
           frame(data, end_stream, stream, body);
  }
  static std::string broken_off(std::uint32_t stream, std::uint32_t code) {
    return frame(reset, 0, stream, word(code));
  }
  std::string post() {
    auto client = gateway_.connect();
    return client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
  }
  std::size_t connections() const { return peer_->connections; }

  MemoryGateway gateway_;
  std::optional<MemoryGateway::Peer> peer_;
  Answer answer_;
  int asked_ = 0, resets_ = 0, goaways_ = 0;
};

TEST_F(Http2Upstream, many_requests_share_a_connection) {
  std::string held;
  serve([&](std::uint32_t stream, int number) {
    held += answered(stream);
    return number < 9 ? "" : held;
  });
  std::vector<MemoryGateway::Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(gateway_.connect());
    clients.back().send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  }
  for (auto& client : clients) {
    const auto told = client.received();
    EXPECT_THAT(told, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(told, HasSubstr("x-a: b\r\n"));
    EXPECT_THAT(told, HasSubstr("Content-Length: 3\r\n"));
    EXPECT_TRUE(told.ends_with("\r\n\r\nabc")) << told;
  }
  EXPECT_EQ(connections(), 1u);
}

TEST_F(Http2Upstream, what_the_server_did_not_look_at_is_asked_again) {
  serve([](std::uint32_t stream, int number) {
    if (number == 1) return broken_off(stream, 7);  // REFUSED_STREAM
    if (number == 3) return frame(goaway, 0, 0, word(stream - 2) + word(0));
    return answered(stream);
  });
  for (int i = 0; i < 3; ++i) EXPECT_THAT(post(), StartsWith("HTTP/1.1 200")) << i;
  EXPECT_EQ(asked_, 5);
  EXPECT_EQ(connections(), 2u);
}

TEST_F(Http2Upstream, what_it_may_have_acted_upon_is_not) {
  serve([](std::uint32_t stream, int number) {
    return number == 1 ? broken_off(stream, 2) : answered(stream);
  });
  EXPECT_THAT(post(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(asked_, 2);
  EXPECT_THAT(post(), StartsWith("HTTP/1.1 200")) << "the connection lives on";
  EXPECT_EQ(connections(), 1u);
}

TEST_F(Http2Upstream, refused_for_ever_is_a_502) {
  serve([](std::uint32_t stream, int) { return broken_off(stream, 7); });
  EXPECT_THAT(gateway_.get("/"), StartsWith("HTTP/1.1 502"));
  EXPECT_LE(asked_, 4);
}

TEST_F(Http2Upstream, no_more_at_once_than_the_server_admits) {
  std::vector<std::uint32_t> held;
  serve(
      [&](std::uint32_t stream, int number) {
        held.push_back(stream);
        return number == 0 ? answered(stream) : "";
      },
      setting(3, 1));
  gateway_.get("/");
  auto first = gateway_.connect(), second = gateway_.connect();
  first.send("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
  EXPECT_EQ(connections(), 1u);
  second.send("GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n");
  EXPECT_EQ(connections(), 2u) << "another one";
  EXPECT_EQ(asked_, 3);
}

TEST_F(Http2Upstream, trailers_and_interim_answers_pass) {
  serve([](std::uint32_t stream, int) {
    return frame(headers, end_headers, stream, field(":status", "103") + field("link", "</a>"));
  });
  auto client = gateway_.connect();
  EXPECT_THAT(client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), StartsWith("HTTP/1.1 103 "));
  client.hang_up();
  EXPECT_EQ(resets_, 1) << "nobody wants it any more";
  answer_ = [](std::uint32_t stream, int) {
    return frame(headers, end_headers, stream, ok) + frame(data, 0, stream, "abc") +
           frame(headers, end_headers | end_stream, stream, field("x-t", "v"));
  };
  const auto told = gateway_.get("/");
  EXPECT_THAT(told, HasSubstr("3\r\nabc\r\n0\r\nx-t: v\r\n\r\n"));
}

TEST_F(Http2Upstream, a_connection_that_has_gone_silent_is_not_asked_again) {
  serve([](std::uint32_t, int) { return ""; });
  auto client = gateway_.connect();
  EXPECT_EQ(client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), "");
  gateway_.pass(6s);
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 504"));
  answer_ = [](std::uint32_t stream, int) { return answered(stream); };
  EXPECT_THAT(gateway_.get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(connections(), 2u);
}

TEST_F(Http2Upstream, an_idle_connection_is_closed) {
  serve([](std::uint32_t stream, int) { return answered(stream); }, "",
        R"("keepalive_pool": {"size": 5, "idle_timeout": 10, "requests": 3},)");
  gateway_.get("/");
  gateway_.pass(9s);
  gateway_.get("/");
  EXPECT_EQ(connections(), 1u);
  gateway_.pass(11s);
  EXPECT_EQ(goaways_, 1);
  EXPECT_EQ(gateway_.worker->http2_pool().connections(), 0u);
  for (int i = 0; i < 4; ++i) gateway_.get("/");
  EXPECT_EQ(connections(), 3u) << "three requests a connection";
}

TEST_F(Http2Upstream, floods_end_the_connection) {
  std::string flood;
  for (int i = 0; i < 2000; ++i) flood += frame(ping, 0, 0, "12345678");
  std::string interim;
  for (int i = 0; i < 2000; ++i) interim += frame(headers, end_headers, 1, field(":status", "103"));
  for (const std::string& attack : {flood, interim}) {
    serve([&](std::uint32_t, int) { return attack; });
    EXPECT_THAT(gateway_.get("/"), HasSubstr("HTTP/1.1 502"));
    EXPECT_EQ(gateway_.worker->http2_pool().connections(), 0u);
    peer_.reset();
  }
}

TEST_F(Http2Upstream, heads_that_are_too_large_are_refused) {
  serve([](std::uint32_t stream, int number) {
    if (number > 0) return answered(stream);
    std::string head = ok;
    for (int i = 0; i < 400; ++i) head += field("x", "y");
    return frame(headers, end_headers | end_stream, stream, head);
  });
  EXPECT_THAT(gateway_.get("/"), StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(gateway_.get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(connections(), 1u);
}

TEST_F(Http2Upstream, a_server_that_does_not_speak_it) {
  peer_.emplace(gateway_, Endpoint{IpAddress::loopback(), 1000},
                [](std::string&) { return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"; });
  ASSERT_TRUE(gateway_.put("routes/1", R"({"uri": "/*", "upstream": {"type": "roundrobin", "retries": 0,
      "http_version": "2", "nodes": {"127.0.0.1:1000": 1}}})"));
  EXPECT_THAT(post(), StartsWith("HTTP/1.1 502"));
}

TEST_F(Http2Upstream, a_switch_of_protocols_is_asked_for_by_http1) {
  peer_.emplace(gateway_, Endpoint{IpAddress::loopback(), 1000},
                [](std::string& read) -> std::optional<std::string> {
                  if (read.starts_with("PRI ")) return std::nullopt;
                  if (!read.contains("\r\n\r\n")) return std::exchange(read, {});
                  read.clear();
                  return "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
                });
  ASSERT_TRUE(gateway_.put("routes/1", R"({"uri": "/*", "enable_websocket": true, "upstream": {
      "type": "roundrobin", "http_version": "2", "nodes": {"127.0.0.1:1000": 1}}})"));
  auto client = gateway_.connect();
  const auto told =
      client.say("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(client.say("echo"), "echo");
}

TEST_F(Http2Upstream, nobody_there) {
  ASSERT_TRUE(gateway_.put("routes/1", R"({"uri": "/*", "upstream": {"type": "roundrobin",
      "http_version": "2", "nodes": {"127.0.0.1:1": 1, "127.0.0.1:2": 1}}})"));
  EXPECT_THAT(post(), StartsWith("HTTP/1.1 502"));
}

TEST_F(Http2Upstream, bodies_are_pulled_as_they_are_taken) {
  std::string body(200'000, 'x');
  serve([&](std::uint32_t stream, int) {
    std::string told = frame(headers, end_headers, stream, ok);
    for (std::size_t at = 0; at < body.size(); at += 10'000)
      told += frame(data, at + 10'000 == body.size() ? end_stream : 0, stream, body.substr(at, 10'000));
    return told;
  });
  const auto told = gateway_.get("/");
  EXPECT_EQ(std::ranges::count(told, 'x'), 200'000);
}

}  // namespace
}  // namespace sluice::gateway
