// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_checker.h"

#include <gtest/gtest.h>

#include "net/loopback.h"

namespace sluice::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that notes what it is asked and answers as told.
class Server {
 public:
  Server(async::Loop& loop, net::Network& network, Endpoint at) : loop_(loop) {
    listener_ = std::move(*network.listen(loop, at, {}, [this](net::Accepted accepted) {
      ++connections;
      loop_.spawn(answer(*this, std::move(accepted.stream)));
    }));
  }
  std::string reply = "HTTP/1.1 200 OK\r\n\r\n";
  std::string request;
  int connections = 0;

 private:
  static async::Task<> answer(Server& self, std::unique_ptr<net::Stream> stream) {
    char bytes[4096];
    const ssize_t got = co_await stream->read(bytes, sizeof bytes, never);
    if (got <= 0) co_return;
    self.request.assign(bytes, static_cast<std::size_t>(got));
    if (self.reply.empty()) {  // it never answers
      co_await stream->read(bytes, sizeof bytes, never);
      co_return;
    }
    const std::string reply = self.reply;
    co_await stream->write(reply, seconds(1));
  }
  async::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
};

class HealthCheckerTest : public testing::Test {
 protected:
  HealthTarget target(std::uint16_t port) {
    Endpoint endpoint{IpAddress::v4(0x0A000001), port};
    const auto rules = std::make_shared<const HealthRules>(checks);
    return {endpoint, "", std::make_shared<PeerHealth>(table.state("u", endpoint, ""), rules)};
  }
  HealthSubject subject(std::initializer_list<std::uint16_t> ports) {
    HealthSubject result{"/apisix/upstreams/1", checks.active, {}};
    for (const std::uint16_t port : ports) result.targets.push_back(target(port));
    return result;
  }
  void settle() {
    while (loop.run_once()) {
    }
  }
  void pass(Duration time) {
    for (Duration left = time; left > Duration::zero(); left -= milliseconds(100)) {
      clock.advance(milliseconds(100));
      settle();
    }
  }
  HealthState::View view(std::uint16_t port) { return target(port).health->state().view(); }

  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network;
  HealthTable table;
  model::Checks checks;
  HealthChecker checker{loop, network};
};

TEST_F(HealthCheckerTest, asks_at_once_and_at_its_interval) {
  Server server(loop, network, {IpAddress::v4(0x0A000001), 80});
  checks.active.http_path = "/status";
  checks.active.host = "foo.com";
  checks.active.req_headers = {"User-Agent: curl"};
  checks.active.healthy.interval = 2;
  auto held = subject({80});
  ASSERT_TRUE(checker.set(held));
  settle();
  EXPECT_EQ(server.connections, 1);
  EXPECT_EQ(server.request,
            "GET /status HTTP/1.1\r\nConnection: close\r\nUser-Agent: curl\r\nHost: foo.com\r\n\r\n");
  pass(seconds(1));
  EXPECT_EQ(server.connections, 1);
  pass(seconds(1));
  EXPECT_EQ(server.connections, 2);
  checker.remove("/apisix/upstreams/1");
  pass(seconds(5));
  EXPECT_EQ(server.connections, 2);
  EXPECT_EQ(checker.size(), 0u);
}

TEST_F(HealthCheckerTest, follows_statuses_refusals_and_timeouts) {
  Server server(loop, network, {IpAddress::v4(0x0A000001), 80});
  network.black_hole({IpAddress::v4(0x0A000001), 82});
  checks.active.unhealthy.http_failures = 2;
  auto held = subject({80, 81, 82});
  ASSERT_TRUE(checker.set(held));
  settle();
  EXPECT_EQ(view(80).status, HealthStatus::healthy);
  EXPECT_EQ(view(81).tcp_failures, 1);
  server.reply = "HTTP/1.1 500 Oops\r\n\r\n";
  pass(seconds(6));
  EXPECT_EQ(view(80).status, HealthStatus::unhealthy);
  EXPECT_EQ(view(81).status, HealthStatus::unhealthy);
  EXPECT_EQ(view(82).status, HealthStatus::unhealthy);
  EXPECT_EQ(view(82).timeouts, 3);
  server.reply = "HTTP/1.0 302 Found\r\n\r\n";
  pass(seconds(3));
  EXPECT_EQ(view(80).status, HealthStatus::healthy);
  server.reply = "";
  pass(seconds(8));
  EXPECT_EQ(view(80).status, HealthStatus::unhealthy);
}

TEST_F(HealthCheckerTest, tcp_needs_only_a_connection_and_the_port_can_differ) {
  Server server(loop, network, {IpAddress::v4(0x0A000001), 9000});
  checks.active.type = model::CheckType::tcp;
  checks.active.port = 9000;
  checks.active.healthy.successes = 1;
  auto held = subject({80});
  held.targets[0].health->probed(HealthEvent::tcp_failure);
  held.targets[0].health->probed(HealthEvent::tcp_failure);
  EXPECT_EQ(view(80).status, HealthStatus::unhealthy);
  ASSERT_TRUE(checker.set(held));
  settle();
  EXPECT_EQ(server.connections, 1);
  EXPECT_EQ(view(80).status, HealthStatus::healthy);
}

TEST_F(HealthCheckerTest, concurrency_is_a_limit_and_an_edit_keeps_what_is_known) {
  network.black_hole({IpAddress::v4(0x0A000001), 80});
  network.black_hole({IpAddress::v4(0x0A000001), 81});
  checks.active.concurrency = 1;
  auto held = subject({80, 81});
  ASSERT_TRUE(checker.set(held));
  settle();
  ASSERT_TRUE(checker.set(held));
  pass(seconds(1));
  EXPECT_EQ(view(80).timeouts + view(81).timeouts, 1);
  pass(seconds(1));
  EXPECT_EQ(view(80).timeouts + view(81).timeouts, 2);
}

TEST_F(HealthCheckerTest, reports_for_the_control_api) {
  auto held = subject({80});
  ASSERT_TRUE(checker.set(held));
  settle();
  const json::Value report = checker.report("/apisix/upstreams/1");
  EXPECT_EQ(report.text("type"), "http");
  const json::Value& node = report.find("nodes")->as_array().at(0);
  EXPECT_EQ(node.text("ip"), "10.0.0.1");
  EXPECT_EQ(node.text("status"), "mostly_healthy");
  EXPECT_EQ(node.find("counter")->find("tcp_failure")->as_int(), 1);
  EXPECT_EQ(checker.report().as_array().size(), 1u);
  EXPECT_TRUE(checker.report("other").is_null());
}

}  // namespace
}  // namespace sluice::upstream
