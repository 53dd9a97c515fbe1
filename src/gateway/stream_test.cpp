// SPDX-License-Identifier: Apache-2.0
// Connections below HTTP through a whole gateway in memory: which route takes them, which peer they go to,
// and what goes through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "gateway/stream_routes.h"

namespace sluice::gateway {
namespace {

StreamRoute route(std::string sni, std::optional<std::uint16_t> port = {}, std::string_view remote = "",
                  std::string_view server = "") {
  StreamRoute made;
  made.sni = std::move(sni);
  made.server_port = port;
  if (!remote.empty()) made.remote = *Cidr::parse(remote);
  if (!server.empty()) made.server = *Cidr::parse(server);
  return made;
}

// The number of the route that matches, -1 when none does.
int matched(const std::vector<StreamRoute>& routes, std::string_view name, std::uint16_t port = 9100,
            std::string_view client = "127.0.0.1") {
  std::vector<std::shared_ptr<const StreamRoute>> all;
  for (const auto& one : routes) all.push_back(std::make_shared<StreamRoute>(one));
  const auto* found =
      StreamRoutes(all).match({{IpAddress::loopback(), port}, *IpAddress::parse(client), name});
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].get() == found) return static_cast<int>(i);
  }
  return -1;
}

TEST(StreamRoutes, MatchByPortAndAddresses) {
  const std::vector<StreamRoute> routes{route("", 9101), route("", {}, "10.0.0.0/8"), route("", 9100),
                                        route("", {}, "", "127.0.0.2"), route("", {}, "", "127.0.0.0/8")};
  EXPECT_EQ(matched(routes, "", 9101), 0);
  EXPECT_EQ(matched(routes, "", 9101, "10.1.1.1"), 0);
  EXPECT_EQ(matched(routes, "", 9100, "10.1.1.1"), 1);
  EXPECT_EQ(matched(routes, "", 9100), 2);
  EXPECT_EQ(matched(routes, "", 9102), 4);
  EXPECT_EQ(matched({route("", 9101)}, ""), -1);
  EXPECT_EQ(matched({}, ""), -1);
}

TEST(StreamRoutes, MatchByName) {
  const std::vector<StreamRoute> routes{route("*.test"), route("*.b.test"), route("a.b.test", 9100),
                                        route("")};
  EXPECT_EQ(matched(routes, "a.b.test"), 2);
  EXPECT_EQ(matched(routes, "a.b.test", 9101), 1);  // the exact name is of another port
  EXPECT_EQ(matched(routes, "c.b.test"), 1);
  EXPECT_EQ(matched(routes, "x.c.b.test"), 1);
  EXPECT_EQ(matched(routes, "b.test"), 0);
  EXPECT_EQ(matched(routes, "test"), 3);
  EXPECT_EQ(matched(routes, ""), 3);
  EXPECT_EQ(matched({route("*.test")}, "test"), -1);
  EXPECT_EQ(matched({route("*.test")}, ""), -1);
}

// Sends back what it reads, behind its name.
class StreamGateway : public testing::Test {
 protected:
  StreamGateway() {
    log::set_level(log::Level::emerg);
    EXPECT_TRUE(gateway_.worker->streams().listen({port_}, {}));
  }
  std::unique_ptr<MemoryGateway::Peer> peer(std::uint16_t port, std::string name) {
    return std::make_unique<MemoryGateway::Peer>(
        gateway_, Endpoint{IpAddress::loopback(), port},
        [name](std::string& read) -> std::optional<std::string> { return name + std::exchange(read, {}); });
  }
  bool put(std::string_view upstream, std::string_view more = "") {
    return gateway_.put(
        "stream_routes/1",
        R"({"upstream": {"type": "roundrobin", "timeout": {"connect": 5, "send": 5, "read": 5}, )" +
            std::string(upstream) + "}" + std::string(more) + "}");
  }
  // What comes back over a new connection; "closed" when the gateway hangs up instead.
  std::string ask(std::string_view bytes = "hello") {
    auto client = gateway_.connect(port_);
    client.send(bytes);
    const std::string got = client.received();
    return got.empty() && client.closed() ? "closed" : got;
  }

  MemoryGateway gateway_;
  const Endpoint port_{IpAddress::loopback(), 9100};
};

TEST_F(StreamGateway, PassesBytesBothWays) {
  auto a = peer(1000, "a:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  EXPECT_EQ(client.say("one"), "a:one");
  EXPECT_EQ(client.say("two"), "a:two");
  EXPECT_EQ(a->connections, 1u);
  EXPECT_EQ(gateway_.worker->streams().size(), 1u);
  client.hang_up();
  EXPECT_EQ(gateway_.worker->streams().size(), 0u);
}

TEST_F(StreamGateway, ClosesWhatNoRouteTakes) {
  EXPECT_EQ(ask(), "closed");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})", R"(, "server_port": 9101)"));
  EXPECT_EQ(ask(), "closed");
  ASSERT_TRUE(put(R"("nodes": {})"));
  EXPECT_EQ(ask(), "closed");
  EXPECT_EQ(gateway_.worker->streams().size(), 0u);
}

TEST_F(StreamGateway, TriesAnotherPeer) {
  auto a = peer(1000, "a:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1, "127.0.0.1:1001": 1})"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask("x"), "a:x");
  ASSERT_TRUE(put(R"("retries": 0, "nodes": {"127.0.0.1:1000": 1, "127.0.0.1:1001": 1})"));
  int closed = 0;
  for (int i = 0; i < 4; ++i) closed += ask("x") == "closed" ? 1 : 0;
  EXPECT_EQ(closed, 2);
}

TEST_F(StreamGateway, FindsTheUpstreamByIdAndByService) {
  auto a = peer(1000, "a:");
  auto b = peer(1001, "b:");
  ASSERT_TRUE(gateway_.put("stream_routes/1", R"({"upstream_id": "u"})"));
  EXPECT_EQ(ask("x"), "closed");
  ASSERT_TRUE(gateway_.put("upstreams/u", R"({"nodes": {"127.0.0.1:1000": 1}})"));
  EXPECT_EQ(ask("x"), "a:x");
  ASSERT_TRUE(gateway_.put("stream_routes/1", R"({"service_id": "s"})"));
  EXPECT_EQ(ask("x"), "closed");
  ASSERT_TRUE(gateway_.put("services/s", R"({"upstream": {"nodes": {"127.0.0.1:1001": 1}}})"));
  EXPECT_EQ(ask("x"), "b:x");
  ASSERT_TRUE(gateway_.put("stream_routes/1", std::nullopt));
  EXPECT_EQ(ask("x"), "closed");
}

TEST_F(StreamGateway, TakesTheSamePeerForTheSameAddress) {
  auto a = peer(1000, "a:");
  auto b = peer(1001, "b:");
  ASSERT_TRUE(gateway_.put("stream_routes/1", R"({"upstream": {"type": "chash", "key": "remote_addr",
      "nodes": {"127.0.0.1:1000": 1, "127.0.0.1:1001": 1}}})"));
  const std::string first = ask("x");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("x"), first);
}

TEST_F(StreamGateway, AnEditCutsNobodyOff) {
  auto a = peer(1000, "a:");
  auto b = peer(1001, "b:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  EXPECT_EQ(client.say("x"), "a:x");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1001": 1})"));
  EXPECT_EQ(client.say("y"), "a:y");
  EXPECT_EQ(ask("z"), "b:z");
}

TEST_F(StreamGateway, TellsEachSideOfTheOthersEnd) {
  auto a = peer(1000, "a:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  EXPECT_EQ(client.say("x"), "a:x");
  client.half_close();  // the peer ends then
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(gateway_.worker->streams().size(), 0u);
}

TEST_F(StreamGateway, EndsWhatIsSilent) {
  auto a = peer(1000, "a:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.say("x"), "a:x");
    gateway_.pass(4s);
  }
  EXPECT_FALSE(client.closed());
  gateway_.pass(2s);
  EXPECT_TRUE(client.closed());
}

TEST_F(StreamGateway, GivesUpOnAPeerThatDoesNotAnswer) {
  gateway_.network.black_hole({IpAddress::loopback(), 1000});
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  gateway_.pass(4s);
  EXPECT_FALSE(client.closed());
  gateway_.pass(2s);
  EXPECT_TRUE(client.closed());
}

TEST_F(StreamGateway, TakesNoMoreThanItPassesOn) {
  // A peer that reads nothing.
  std::unique_ptr<net::Stream> held;
  auto listener = gateway_.network.listen(gateway_.loop, {IpAddress::loopback(), 1000}, {},
                                          [&](net::Accepted accepted) { held = std::move(accepted.stream); });
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  const std::string sent(16 << 20, 'x');
  client.send(sent);
  ASSERT_NE(held, nullptr);
  std::string got(sent.size(), '\0');
  std::size_t read = 0;
  for (ssize_t count; (count = held->try_read(got.data() + read, got.size() - read)) > 0; gateway_.settle())
    read += static_cast<std::size_t>(count);
  EXPECT_GT(read, 0u);
  EXPECT_LT(read, sent.size());
  EXPECT_EQ(got.substr(0, read), sent.substr(0, read));
  gateway_.pass(6s);  // all that was taken has arrived, and nothing more is said
  EXPECT_TRUE(client.closed() || gateway_.worker->streams().size() == 0);
}

TEST_F(StreamGateway, DrainsBehindTheLastConnection) {
  auto a = peer(1000, "a:");
  ASSERT_TRUE(put(R"("nodes": {"127.0.0.1:1000": 1})"));
  auto client = gateway_.connect(port_);
  EXPECT_EQ(client.say("x"), "a:x");
  bool drained = false;
  gateway_.worker->drain([&] { drained = true; });
  EXPECT_EQ(client.say("y"), "a:y");
  EXPECT_FALSE(drained);
  client.hang_up();
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace sluice::gateway
