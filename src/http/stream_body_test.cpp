// SPDX-License-Identifier: Apache-2.0
#include "http/stream_body.h"

#include <gtest/gtest.h>

#include "net/loopback.h"

namespace sluice::http {
namespace {

struct Got {
  std::string bytes;
  std::string trailer;  // value of X-Sum
  std::optional<Error> error;
  std::string excess;
  bool done = false;
};

async::Task<> pull(net::Stream& stream, net::Buffer& rest, Arena& arena, BodyOptions options, Got& got) {
  StreamBody body(stream, rest, arena, options);
  while (!body.ended()) {
    auto piece = co_await body.next();
    if (!piece) {
      got.error = piece.error();
      break;
    }
    got.bytes += *piece;
  }
  if (const auto* trailers = body.trailers()) got.trailer = trailers->get("X-Sum");
  got.excess = std::string(rest.view()) + std::string(body.take_excess().view());
  got.done = true;
}

// One body, its first bytes in the head's buffer and the rest arriving in the pieces given.
class StreamBodyTest : public testing::Test {
 protected:
  Got read(std::string_view in_buffer, std::span<const std::string_view> pieces, BodyOptions options) {
    async::Loop loop(clock);
    net::Loopback network;
    auto [near, far] = network.pair(loop);
    net::Buffer rest;
    rest.need();
    in_buffer.copy(rest.tail(), in_buffer.size());
    rest.filled(in_buffer.size());
    Arena arena;
    Got got;
    loop.spawn(pull(*far, rest, arena, options, got));
    for (const std::string_view piece : pieces) {
      if (got.done) break;
      const iovec wire{const_cast<char*>(piece.data()), piece.size()};
      near->try_write(&wire, 1);
      settle(loop);
    }
    if (ends) near->shutdown_write();
    settle(loop);
    if (!got.done) {
      clock.advance(options.patience + 1s);
      settle(loop);
    }
    EXPECT_TRUE(got.done);
    return got;
  }
  Got read(std::string_view whole, BodyOptions options) {
    const std::string_view pieces[] = {whole};
    return read("", pieces, options);
  }
  static void settle(async::Loop& loop) {
    while (loop.run_once()) {
    }
  }
  ManualClock clock;
  bool ends = true;
};

constexpr BodyOptions chunked{.framing = BodyFraming::chunked};

TEST_F(StreamBodyTest, ReadsChunksHoweverTheyAreCut) {
  const std::string_view whole =
      "5\r\nhello\r\n006;name=\"v\"\r\n world\r\n1\r\n!\r\n0\r\nX-Sum: 42\r\n\r\nNEXT";
  for (std::size_t first = 0; first <= whole.size(); ++first) {
    for (std::size_t second = first; second <= whole.size(); second += 3) {
      const std::string_view pieces[] = {whole.substr(first, second - first), whole.substr(second)};
      const Got got = read(whole.substr(0, first), pieces, chunked);
      ASSERT_FALSE(got.error) << got.error->what << " at " << first << ", " << second;
      ASSERT_EQ(got.bytes, "hello world!") << first << ", " << second;
      ASSERT_EQ(got.trailer, "42");
      ASSERT_TRUE(std::string_view("NEXT").starts_with(got.excess)) << got.excess;
    }
  }
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < whole.size(); ++i) bytes.push_back(whole.substr(i, 1));
  EXPECT_EQ(read("", bytes, chunked).bytes, "hello world!");
}

TEST_F(StreamBodyTest, RefusesChunksThatAreNone) {
  const std::string_view cases[] = {
      "x\r\n",
      "\r\n",
      "-1\r\n",
      "+1\r\n",
      "0x1\r\n",
      "1 \nA\r\n0\r\n\r\n",
      "1\nA\r\n0\r\n\r\n",
      "1\r\nAB\r\n0\r\n\r\n",
      "1\r\nA\n0\r\n\r\n",
      "1\r\nA\r0\r\n\r\n",
      "ffffffffffffffff\r\n",
      "10000000000000000\r\n",
      "1;\x01=2\r\nA\r\n0\r\n\r\n",
      "0\r\nA : b\r\n\r\n",
      "0\r\n A: b\r\n\r\n",
      "0\r\nA: b\n\r\n",
  };
  for (const std::string_view bytes : cases) {
    const Got got = read(bytes, chunked);
    ASSERT_TRUE(got.error) << bytes << " was read as '" << got.bytes << "'";
    EXPECT_EQ(got.error->kind, ErrorKind::protocol) << bytes << ": " << got.error->what;
    EXPECT_EQ(got.error->fault, Fault::client);
  }
  const std::string extension = "1;" + std::string(1000, 'a') + "\r\nA\r\n0\r\n\r\n";
  EXPECT_TRUE(read(extension, chunked).error);
  const std::string trailer = "0\r\nA: " + std::string(20000, 'a') + "\r\n\r\n";
  EXPECT_TRUE(read(trailer, chunked).error);
}

TEST_F(StreamBodyTest, SaysWhenTheConnectionEndsInside) {
  for (const std::string_view bytes :
       {"5\r\nhel", "5", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n"}) {
    const Got got = read(bytes, chunked);
    ASSERT_TRUE(got.error) << bytes;
    EXPECT_EQ(got.error->kind, ErrorKind::closed) << bytes;
  }
  const Got short_one = read("hell", BodyOptions{.length = 5});
  ASSERT_TRUE(short_one.error);
  EXPECT_EQ(short_one.error->kind, ErrorKind::closed);
  EXPECT_EQ(short_one.bytes, "hell");
}

TEST_F(StreamBodyTest, EndsAtItsLengthAndLeavesTheRest) {
  const std::string_view pieces[] = {"llo", "NEXT"};
  const Got got = read("he", pieces, BodyOptions{.length = 5});
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.bytes, "hello");
  const Got buffered = read("helloNEXT", {}, BodyOptions{.length = 5});
  EXPECT_EQ(buffered.bytes, "hello");
  EXPECT_EQ(buffered.excess, "NEXT");
}

TEST_F(StreamBodyTest, ReadsToTheEndOfTheConnection) {
  const Got got = read("hello", BodyOptions{.framing = BodyFraming::until_close});
  EXPECT_FALSE(got.error);
  EXPECT_EQ(got.bytes, "hello");
}

TEST_F(StreamBodyTest, KeepsItsLimits) {
  BodyOptions limited = chunked;
  limited.size_max = 4;
  const Got got = read("5\r\nhello\r\n0\r\n\r\n", limited);
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->kind, ErrorKind::limit);
  limited.size_max = 5;
  EXPECT_FALSE(read("5\r\nhello\r\n0\r\n\r\n", limited).error);

  ends = false;
  const Got late = read("hel", BodyOptions{.length = 5, .fault = Fault::peer});
  ASSERT_TRUE(late.error);
  EXPECT_EQ(late.error->kind, ErrorKind::timeout);
  EXPECT_EQ(late.error->fault, Fault::peer);
}

TEST_F(StreamBodyTest, AsksToContinueOnceAndOnlyWhenItHasToWait) {
  async::Loop loop(clock);
  net::Loopback network;
  auto [near, far] = network.pair(loop);
  net::Buffer rest;
  Arena arena;
  Got got;
  loop.spawn(pull(*far, rest, arena, {.length = 5, .send_continue = true}, got));
  settle(loop);
  char told[100];
  const ssize_t size = near->try_read(told, sizeof told);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string_view(told, static_cast<std::size_t>(size)), "HTTP/1.1 100 Continue\r\n\r\n");
  for (const std::string_view piece : {"he", "llo"}) {
    const iovec wire{const_cast<char*>(piece.data()), piece.size()};
    near->try_write(&wire, 1);
    settle(loop);
  }
  EXPECT_EQ(got.bytes, "hello");
  EXPECT_EQ(near->try_read(told, sizeof told), -EAGAIN);
}

}  // namespace
}  // namespace sluice::http
