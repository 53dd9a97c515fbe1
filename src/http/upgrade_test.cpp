// SPDX-License-Identifier: Apache-2.0
// Heads in front of a tunnel, whose buffers are given away while they are still looked at.
#include <gtest/gtest.h>

#include <cstring>

#include "async/child.h"
#include "http/client_connection.h"
#include "http/server_connection.h"
#include "net/loopback.h"

namespace sluice::http {
namespace {

class UpgradeTest : public testing::Test {
 protected:
  void send(net::Stream& stream, std::string_view bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    ASSERT_EQ(stream.try_write(&piece, 1), static_cast<ssize_t>(bytes.size()));
  }
  template <class T>
  T wait(async::Task<T> task) {
    std::optional<T> result;
    loop.spawn(keep(std::move(task), result));
    while (loop.run_once()) {
    }
    return std::move(result.value());
  }
  template <class T>
  static async::Task<> keep(async::Task<T> task, std::optional<T>& into) {
    auto value = co_await task;
    into.emplace(std::move(value));
  }
  // What is behind the head; the `head` bytes in front of it are written over.
  static std::string spoiled(net::Buffer buffer, std::size_t head) {
    std::memset(buffer.data() - head, '#', head);
    return std::string(buffer.view());
  }

  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network;
  Arena arena;
};

TEST_F(UpgradeTest, OfARequestStandsInTheArena) {
  auto [near, far] = network.pair(loop);
  const ServerOptions options;
  ServerConnection connection({std::move(far), {}, {}}, options);
  send(*near,
       "GET /chat?room=1 HTTP/1.1\r\nHost: A.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Key: abc\r\n\r\nearly frame");
  Request request(arena);
  ASSERT_EQ(wait(connection.read_head(request)), ServerConnection::Head::ready);
  EXPECT_EQ(spoiled(connection.take_input(), request.head_size), "early frame");
  EXPECT_FALSE(connection.has_input());
  EXPECT_TRUE(request.upgrade);
  EXPECT_EQ(request.target, "/chat?room=1");
  EXPECT_EQ(request.path, "/chat");
  EXPECT_EQ(request.host, "a.test");
  EXPECT_EQ(request.headers.get("Sec-WebSocket-Key"), "abc");
  EXPECT_EQ(request.headers.size(), 4u);
}

TEST_F(UpgradeTest, OfAResponseStandsInTheArena) {
  constexpr std::string_view head =
      "HTTP/1.1 101 Go on\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: xyz\r\n\r\n";
  auto [near, far] = network.pair(loop);
  ClientConnection connection(std::move(near));
  Response response(arena);
  send(*far, std::string(head) + "frame");
  ASSERT_TRUE(wait(connection.read_head(response, {}, never)));
  EXPECT_EQ(spoiled(connection.take_input(), head.size()), "frame");
  EXPECT_EQ(response.status, 101);
  EXPECT_EQ(response.reason, "Go on");
  EXPECT_EQ(response.headers.get("Sec-WebSocket-Accept"), "xyz");
  EXPECT_EQ(response.headers.size(), 2u);
}

}  // namespace
}  // namespace sluice::http
