// SPDX-License-Identifier: Apache-2.0
#include "net/datagram.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace sluice::net {
namespace {

// A socket that keeps what it gets, and sends it back when told to.
struct Place {
  async::Loop& loop;
  std::unique_ptr<DatagramSocket> socket;
  std::vector<std::pair<std::string, DatagramSocket::Ends>> got;
  ssize_t error = 0;

  Place(async::Loop& its_loop, std::string_view at) : loop(its_loop) {
    const Endpoint endpoint{*IpAddress::parse(at), 0};
    socket = *DatagramSocket::bound(loop, *datagram_socket(endpoint, false), endpoint);
    socket->on_readable(&Place::ready, this);
  }
  static void ready(void* self) {
    auto& place = *static_cast<Place*>(self);
    std::array<char, DatagramSocket::bytes_max> bytes;
    DatagramSocket::Ends ends;
    for (;;) {
      const ssize_t count = place.socket->receive(bytes, ends);
      if (count < 0) {
        place.error = count;
        return;
      }
      place.got.emplace_back(std::string(bytes.data(), static_cast<std::size_t>(count)), ends);
    }
  }
};

void until(async::Loop& loop, const std::function<bool()>& holds) {
  for (int turns = 0; turns < 200 && !holds(); ++turns) loop.run_once(std::chrono::milliseconds(50));
  EXPECT_TRUE(holds());
}

struct Answers {
  DatagramSocket& socket;
  std::string got;
  ssize_t error = 0;
  explicit Answers(DatagramSocket& its_socket) : socket(its_socket) {
    socket.on_readable(
        [](void* self) {
          auto& answers = *static_cast<Answers*>(self);
          std::array<char, 2048> bytes;
          for (;;) {
            const ssize_t count = answers.socket.receive(bytes);
            if (count < 0) {
              if (count != -EAGAIN) answers.error = count;
              return;
            }
            answers.got.append(bytes.data(), static_cast<std::size_t>(count));
          }
        },
        this);
  }
};

TEST(Datagrams, AreAnsweredFromWhereTheyCameTo) {
  async::Loop loop;
  Place place(loop, "0.0.0.0");
  const std::uint16_t port = place.socket->endpoint().port;
  for (const char* local : {"127.0.0.1", "127.0.0.9"}) {
    auto client = *DatagramSocket::connected(loop, {*IpAddress::parse(local), port});
    Answers answers(*client);
    place.got.clear();
    EXPECT_EQ(client->send("hello"), 5);
    until(loop, [&] { return !place.got.empty(); });
    EXPECT_EQ(place.got[0].first, "hello");
    EXPECT_EQ(place.got[0].second.local.text(), local);
    // The client is connected: it takes what comes from that address and no other.
    EXPECT_EQ(place.socket->send("back", place.got[0].second), 4);
    until(loop, [&] { return answers.got == "back"; });
  }
}

TEST(Datagrams, OverIpv6) {
  async::Loop loop;
  Place place(loop, "::");
  auto client = *DatagramSocket::connected(loop, {*IpAddress::parse("::1"), place.socket->endpoint().port});
  Answers answers(*client);
  client->send("");
  until(loop, [&] { return !place.got.empty(); });
  EXPECT_EQ(place.got[0].first, "");
  EXPECT_EQ(place.got[0].second.local.text(), "::1");
  place.socket->send("back", place.got[0].second);
  until(loop, [&] { return answers.got == "back"; });
}

TEST(Datagrams, SayThatNobodyListens) {
  async::Loop loop;
  std::uint16_t port = 0;
  {
    Place gone(loop, "127.0.0.1");
    port = gone.socket->endpoint().port;
  }
  auto client = *DatagramSocket::connected(loop, {IpAddress::loopback(), port});
  Answers answers(*client);
  client->send("anybody?");
  until(loop, [&] { return answers.error == -ECONNREFUSED; });
}

TEST(Datagrams, AreLeftToOthersBehindTheStop) {
  async::Loop loop;
  Place place(loop, "127.0.0.1");
  auto client = *DatagramSocket::connected(loop, place.socket->endpoint());
  Answers answers(*client);
  client->send("one");
  until(loop, [&] { return place.got.size() == 1; });
  place.socket->stop_receiving();
  client->send("two");
  loop.run_once(std::chrono::milliseconds(50));
  EXPECT_EQ(place.got.size(), 1u);
  place.socket->send("back", place.got[0].second);
  until(loop, [&] { return answers.got == "back"; });
}

}  // namespace
}  // namespace sluice::net
