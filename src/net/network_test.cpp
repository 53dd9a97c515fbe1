// SPDX-License-Identifier: Apache-2.0
// What every network promises, tried on the one in memory and on the system's TCP over 127.0.0.1.
#include "net/network.h"

#include <gtest/gtest.h>

#include "async/child.h"
#include "net/loopback.h"

namespace sluice::net {
namespace {

using Outcome = std::optional<Result<std::unique_ptr<Stream>>>;

async::Task<> keep(async::Task<Result<std::unique_ptr<Stream>>> task, Outcome& into) {
  auto outcome = co_await task;
  into.emplace(std::move(outcome));
}

async::Task<> read_into(Stream& stream, std::string& all, ssize_t& last, Instant deadline) {
  char bytes[1000];
  for (;;) {
    last = co_await stream.read(bytes, sizeof bytes, deadline);
    if (last <= 0) co_return;
    all.append(bytes, static_cast<std::size_t>(last));
  }
}

async::Task<> write_all(Stream& stream, std::string text, std::optional<ssize_t>& result, Duration patience) {
  const std::size_t half = text.size() / 2;
  const std::array pieces{iovec{text.data(), half}, iovec{text.data() + half, text.size() - half}};
  const ssize_t written = co_await stream.write(pieces, patience);
  result = written;
}

class NetworkTest : public testing::TestWithParam<bool> {
 protected:
  NetworkTest() : network(GetParam() ? Network::system() : static_cast<Network&>(memory)) {}

  template <class Condition>
  bool until(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) loop.run_once(10ms);
    return condition();
  }
  void pair() {
    auto listening = network.listen(loop, {IpAddress::loopback(), 0}, {.reuse_port = false},
                                    [this](Accepted taken) { accepted = std::move(taken); });
    ASSERT_TRUE(listening) << listening.error().what;
    listener = std::move(*listening);
    Outcome connected;
    loop.spawn(keep(network.connect(loop, listener->endpoint(), loop.now() + 5s), connected));
    ASSERT_TRUE(until([&] { return connected && accepted.stream != nullptr; }));
    ASSERT_TRUE(*connected) << connected->error().what;
    near = std::move(**connected);
  }

  async::Loop loop;
  Loopback memory{10'000};
  Network& network;
  std::unique_ptr<Listener> listener;
  Accepted accepted;
  std::unique_ptr<Stream> near;
};

TEST_P(NetworkTest, CarriesMoreThanThePipeHolds) {
  pair();
  std::string sent(3'000'000, ' '), got;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 26);
  ssize_t last = 1;
  std::optional<ssize_t> written;
  async::Child reading, writing;
  writing.start(write_all(*near, sent, written, 5s));
  reading.start(read_into(*accepted.stream, got, last, never));
  ASSERT_TRUE(until([&] { return written.has_value(); }));
  EXPECT_EQ(*written, 0);
  near->shutdown_write();
  ASSERT_TRUE(until([&] { return last <= 0; }));
  EXPECT_EQ(last, 0);
  EXPECT_EQ(got, sent);
  // Only one direction has ended.
  std::string back;
  ssize_t back_last = 1;
  std::optional<ssize_t> answered;
  async::Child reading_back, answering;
  reading_back.start(read_into(*near, back, back_last, never));
  answering.start(write_all(*accepted.stream, "answer", answered, 5s));
  ASSERT_TRUE(until([&] { return back == "answer"; }));
}

TEST_P(NetworkTest, TellsTheEndsApart) {
  pair();
  EXPECT_EQ(accepted.local, listener->endpoint());
  EXPECT_EQ(accepted.peer.address, IpAddress::loopback());
  EXPECT_NE(accepted.peer.port, accepted.local.port);
}

TEST_P(NetworkTest, SaysThatNobodyListens) {
  auto listening = network.listen(loop, {IpAddress::loopback(), 0}, {.reuse_port = false}, [](Accepted) {});
  ASSERT_TRUE(listening);
  const Endpoint gone = (*listening)->endpoint();
  EXPECT_FALSE(network.listen(loop, gone, {.reuse_port = false}, [](Accepted) {}));
  listening->reset();
  Outcome connected;
  loop.spawn(keep(network.connect(loop, gone, loop.now() + 5s), connected));
  ASSERT_TRUE(until([&] { return connected.has_value(); }));
  ASSERT_FALSE(connected->has_value());
  EXPECT_EQ(connected->error().kind, ErrorKind::refused);
  EXPECT_EQ(connected->error().fault, Fault::peer);
  EXPECT_TRUE(connected->error().may_retry);
}

TEST_P(NetworkTest, WaitsNoLongerThanAsked) {
  pair();
  std::string got;
  ssize_t last = 1;
  std::optional<ssize_t> written;
  async::Child reading, writing;
  reading.start(read_into(*accepted.stream, got, last, loop.now() + 20ms));
  ASSERT_TRUE(until([&] { return last <= 0; }));
  EXPECT_EQ(last, -ETIMEDOUT);
  writing.start(write_all(*near, std::string(50'000'000, 'x'), written, 20ms));
  ASSERT_TRUE(until([&] { return written.has_value(); }));
  EXPECT_EQ(*written, -ETIMEDOUT);
}

TEST_P(NetworkTest, NoticesAPeerThatBrokeOff) {
  pair();
  std::optional<ssize_t> written;
  async::Child writing;
  writing.start(write_all(*near, std::string(50'000'000, 'x'), written, 5s));
  accepted.stream.reset();  // with bytes unread
  ASSERT_TRUE(until([&] { return written.has_value(); }));
  EXPECT_LT(*written, 0);
  EXPECT_NE(*written, -ETIMEDOUT);
  EXPECT_TRUE(until([&] { return near->broken(); }));
}

TEST_P(NetworkTest, AWaitThatIsDestroyedIsForgotten) {
  pair();
  std::string got;
  ssize_t last = 1;
  {
    async::Child reading;
    reading.start(read_into(*accepted.stream, got, last, loop.now() + 5s));
  }
  std::optional<ssize_t> written;
  async::Child writing, reading;
  writing.start(write_all(*near, "hello", written, 5s));
  reading.start(read_into(*accepted.stream, got, last, never));
  ASSERT_TRUE(until([&] { return got == "hello"; }));
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "tcp" : "memory"; });

}  // namespace
}  // namespace sluice::net
