// SPDX-License-Identifier: Apache-2.0
// Lines to a syslog server in memory: how they look, over which connections they go, what is dropped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "net/loopback.h"
#include "plugin/stream_side.h"
#include "plugin/testing.h"
#include "plugins/list.h"

namespace sluice::plugins {
extern const plugin::PluginType syslog;

namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

class SyslogTest : public testing::Test {
 protected:
  SyslogTest() {
    log::set_level(log::Level::emerg);
    bench.worker.connecting = [this](const plugin::ConnectTo& to) -> Result<std::unique_ptr<net::Stream>> {
      asked.push_back(to);
      if (refuses) return fail(ErrorKind::refused, "nobody listens");
      auto [near, far] = network.pair(bench.loop);
      servers.push_back(std::move(far));
      return std::move(near);
    };
  }
  ~SyslogTest() override {
    if (plugin == nullptr) return;
    if (auto local = bench.worker.take_local(*plugin)) bench.wait(closed(*local));
  }
  static async::Task<int> closed(plugin::Local& local) {
    co_await local.close();
    co_return 0;
  }
  void use(std::string config, std::string_view metadata = {}) {
    config.insert(1, R"("host": "logs.test", "port": 514, )");
    std::string problem;
    plugin = plugin::testing::make(syslog, config, &problem);
    EXPECT_EQ(problem, "");
    if (!metadata.empty()) bench.use_metadata(syslog, metadata);
  }
  void log_request() {
    Call call(bench, "/a");
    call.respond(200);
    plugin->log(call.x);
    bench.settle();
  }
  void log_connection(std::string_view id = {}) {
    plugin::StreamSide side(plugin::Transport::tcp, nullptr);
    side.received = 7;
    side.sent = 9;
    side.mqtt_client_id = id;
    Call call(bench);
    call.x.stream = &side;
    call.x.response.status = 200;
    plugin->stream_log(call.x);
    bench.settle();
  }
  // What the server has read so far of connection `number`.
  std::string got(std::size_t number = 0) {
    if (number >= servers.size()) return "<no connection>";
    char bytes[16384];
    const ssize_t count = servers[number]->try_read(bytes, sizeof bytes);
    return {bytes, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  Bench bench;
  net::Loopback network;
  std::vector<plugin::ConnectTo> asked;
  std::vector<std::unique_ptr<net::Stream>> servers;
  bool refuses = false;
  std::unique_ptr<const plugin::Plugin> plugin;
};

TEST_F(SyslogTest, a_line_is_as_rfc_5424_has_it) {
  use(R"({"batch_max_size": 1, "log_format": {"uri": "$uri"}})");
  log_request();
  EXPECT_THAT(got(), MatchesRegex("<46>1 [0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z test.com apisix "
                                  "[0-9]+ - - \\{\"uri\":\"/a\"\\}\n"));
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].host, "logs.test");
  EXPECT_EQ(asked[0].port, 514);
  EXPECT_FALSE(asked[0].tls);
}

TEST_F(SyslogTest, connections_below_http_have_entries_of_their_own) {
  use(R"({"batch_max_size": 1, "tls": true})");
  log_connection("meter 1");
  EXPECT_TRUE(asked.at(0).tls);
  EXPECT_FALSE(asked.at(0).verify);
  const std::string line = got();
  EXPECT_THAT(line, HasSubstr(" - apisix "));  // there is no host
  EXPECT_THAT(line, HasSubstr(R"({"client_ip":"127.0.0.1","protocol":"TCP","status":200,)"
                              R"("client":{"bytes_received":7,"bytes_sent":9},"mqtt_client_id":"meter 1",)"));
}

TEST_F(SyslogTest, the_metadata_has_the_format_of_those_that_say_none) {
  use(R"({"batch_max_size": 1})", R"({"log_format": {"p": "$protocol", "n": "$bytes_received"}})");
  log_connection();
  EXPECT_THAT(got(), HasSubstr(R"(- - {"p":"TCP","n":"7"})"));
}

TEST_F(SyslogTest, a_connection_is_kept_until_the_server_ends_it) {
  use(R"({"batch_max_size": 1, "log_format": {"uri": "$uri"}})");
  log_request();
  EXPECT_THAT(got(0), StartsWith("<46>"));
  log_request();
  EXPECT_THAT(got(0), StartsWith("<46>"));
  servers[0].reset();
  bench.settle();
  log_request();
  EXPECT_EQ(servers.size(), 2U);
  EXPECT_THAT(got(1), StartsWith("<46>"));
}

TEST_F(SyslogTest, a_server_that_is_away_is_tried_again) {
  use(R"({"batch_max_size": 1, "max_retry_count": 2, "retry_delay": 3, "log_format": {"uri": "$uri"}})");
  refuses = true;
  log_request();
  EXPECT_EQ(asked.size(), 1U);
  refuses = false;
  bench.pass(std::chrono::seconds(3));
  EXPECT_THAT(got(), HasSubstr(R"({"uri":"/a"})"));
}

TEST_F(SyslogTest, what_waits_is_bounded_in_bytes) {
  use(R"({"drop_limit": 250, "inactive_timeout": 2, "log_format": {"uri": "$uri"}})");
  for (int i = 0; i < 10; ++i) log_request();
  bench.pass(std::chrono::seconds(2));
  const std::string lines = got();
  EXPECT_LE(lines.size(), 250U);
  EXPECT_GE(std::ranges::count(lines, '\n'), 2);
  log_request();  // and there is room again
  bench.pass(std::chrono::seconds(2));
  EXPECT_THAT(got(), HasSubstr(R"({"uri":"/a"})"));
}

TEST_F(SyslogTest, its_config_is_checked) {
  const auto problem = [](std::string_view config) {
    std::string told;
    const auto made = plugin::testing::make(syslog, config, &told);
    return made == nullptr ? told : "";
  };
  EXPECT_EQ(problem(R"({"host": "a", "port": 514})"), "");
  EXPECT_EQ(problem(R"({"port": 514})"), "property \"host\" is required");
  EXPECT_EQ(problem(R"({"host": "a"})"), "property \"port\" is required");
  EXPECT_NE(problem(R"({"host": "a", "port": 0})"), "");
  EXPECT_NE(problem(R"({"host": "a", "port": 1, "sock_type": "unix"})"), "");
  EXPECT_NE(problem(R"({"host": "a", "port": 1, "sock_type": "udp", "tls": true})"), "");
}

}  // namespace
}  // namespace sluice::plugins
