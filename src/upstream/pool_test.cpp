// SPDX-License-Identifier: Apache-2.0
#include "upstream/pool.h"

#include <gtest/gtest.h>

#include "async/child.h"
#include "net/loopback.h"

namespace sluice::upstream {
namespace {

async::Task<> answer_one(http::ClientConnection& connection, Arena& arena) {
  http::Response response(arena);
  connection.count_request();
  auto read = co_await connection.read_head(response, {}, never);
  EXPECT_TRUE(read);
  connection.open_body(http::Method::get, response, arena, 1s);
}

class PoolTest : public testing::Test {
 protected:
  // A connection that has served one request, with its far end.
  struct Used {
    std::unique_ptr<http::ClientConnection> near;
    std::unique_ptr<net::Stream> far;
  };
  Used use(std::string_view response = "HTTP/1.1 204 No Content\r\n\r\n") {
    auto [near, far] = network.pair(loop);
    Used used{std::make_unique<http::ClientConnection>(std::move(near)), std::move(far)};
    write(*used.far, response);
    Arena arena;
    async::Child life;
    life.start(answer_one(*used.near, arena));
    settle();
    EXPECT_TRUE(life.ended());
    return used;
  }
  static void write(net::Stream& stream, std::string_view bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    stream.try_write(&piece, 1);
  }
  void settle() {
    while (loop.run_once()) {
    }
  }
  void TearDown() override { settle(); }

  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network;
  Pool pool{loop};
  KeepAlive limits{.size = 2, .idle_timeout = 10s, .requests = 100};
};

TEST_F(PoolTest, GivesTheWarmestConnectionOfTheSameServer) {
  Used first = use(), second = use(), other = use();
  auto *one = first.near.get(), *two = second.near.get();
  pool.give(1, limits, std::move(first.near));
  pool.give(1, limits, std::move(second.near));
  pool.give(2, limits, std::move(other.near));
  EXPECT_EQ(pool.idle(), 3u);
  auto taken = pool.take(1), next = pool.take(1);
  EXPECT_EQ(taken.get(), two);
  EXPECT_EQ(next.get(), one);
  EXPECT_EQ(pool.take(1), nullptr);
  EXPECT_EQ(pool.take(3), nullptr);
  EXPECT_EQ(pool.idle(), 1u);
}

TEST_F(PoolTest, DropsTheOldestBeyondItsSize) {
  Used used[] = {use(), use(), use()};
  auto* oldest = used[0].near.get();
  for (auto& one : used) pool.give(1, limits, std::move(one.near));
  EXPECT_EQ(pool.idle(), 2u);
  for (auto taken = pool.take(1); taken != nullptr; taken = pool.take(1)) EXPECT_NE(taken.get(), oldest);
}

TEST_F(PoolTest, DropsWhatIsOldClosedOrTalksOutOfTurn) {
  Used old = use();
  pool.give(1, limits, std::move(old.near));
  clock.advance(11s);
  settle();
  EXPECT_EQ(pool.idle(), 0u);

  Used closed = use(), talking = use();
  pool.give(1, limits, std::move(closed.near));
  pool.give(1, limits, std::move(talking.near));
  closed.far.reset();
  write(*talking.far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  settle();
  EXPECT_EQ(pool.idle(), 0u);

  // Also when the loop has not yet heard of it.
  Used sudden = use();
  pool.give(1, limits, std::move(sudden.near));
  write(*sudden.far, "x");
  EXPECT_EQ(pool.take(1), nullptr);
}

TEST_F(PoolTest, KeepsNoConnectionThatMayNotBeUsedAgain) {
  Used ends = use("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  pool.give(1, limits, std::move(ends.near));
  Used extra = use("HTTP/1.1 204 No Content\r\n\r\nmore");
  pool.give(1, limits, std::move(extra.near));
  limits.requests = 1;
  Used worn = use();
  pool.give(1, limits, std::move(worn.near));
  limits = {.size = 0};
  Used unwanted = use();
  pool.give(1, limits, std::move(unwanted.near));
  limits = {.idle_timeout = Duration::zero()};
  Used brief = use();
  pool.give(1, limits, std::move(brief.near));
  EXPECT_EQ(pool.idle(), 0u);
}

TEST_F(PoolTest, ForgetsAServer) {
  Used first = use(), second = use();
  pool.give(1, limits, std::move(first.near));
  pool.give(2, limits, std::move(second.near));
  pool.forget(1);
  pool.forget(9);
  EXPECT_EQ(pool.idle(), 1u);
  EXPECT_EQ(pool.take(1), nullptr);
}

}  // namespace
}  // namespace sluice::upstream
