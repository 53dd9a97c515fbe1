// SPDX-License-Identifier: Apache-2.0
// The whole gateway in one thread: what a client sends, what a peer sees, what comes back, and in which order
// plugins run.
#include <gtest/gtest.h>

#include "gateway/memory_gateway.h"
#include "plugin/plugin.h"

namespace sluice::gateway {
namespace {

using plugin::Exchange;
using plugin::VerdictTask;

std::vector<std::string> notes;
int alive = 0;

// Writes down each of its phases; may answer, or wait.
class Note final : public plugin::Plugin {
 public:
  struct Config {
    std::string tag;
    std::int64_t answer = 0;
    bool waits = false;
    void describe(json::Fields& field) {
      field("tag", tag, "Written down.").required();
      field("answer", answer, "Status to answer with in access.");
      field("waits", waits, "Waits a second in access.");
    }
  };
  explicit Note(Config config) : config_(std::move(config)) { ++alive; }
  ~Note() override { --alive; }

  VerdictTask rewrite(Exchange&) const override { return noted("rewrite"); }
  VerdictTask access(Exchange& x) const override {
    noted("access");
    if (config_.waits) return wait(x);
    if (config_.answer != 0) return plugin::reply(static_cast<int>(config_.answer));
    return plugin::pass();
  }
  VerdictTask before_proxy(Exchange&) const override { return noted("before_proxy"); }
  void response(Exchange&) const override { noted("response"); }
  void log(Exchange&) const override { noted("log"); }

 private:
  plugin::Verdict noted(const char* phase) const {
    notes.push_back(std::string(phase) + ":" + config_.tag);
    return plugin::pass();
  }
  static VerdictTask wait(Exchange& x) {
    co_await x.worker.loop.sleep(1s);
    co_return plugin::pass();
  }
  Config config_;
};

// Believes whoever says who he is.
class Who final : public plugin::Plugin {
 public:
  struct Config {
    void describe(json::Fields&) {}
  };
  struct Consumer {
    std::string key;
    std::string credential() const { return key; }
    void describe(json::Fields& field) { field("key", key, "The name.").required(); }
  };
  explicit Who(Config) {}
  VerdictTask rewrite(Exchange& x) const override {
    const auto* consumer = x.find_consumer<Who>(x.request.headers.get("who"));
    if (consumer == nullptr) return plugin::reply(401);
    x.authenticate(*consumer);
    return plugin::pass();
  }
};

const plugin::PluginType who = plugin::plugin<Who>(
    {.name = "who", .summary = "Who.", .priority = 20, .example = "{}", .authenticates = true});
const plugin::PluginType note =
    plugin::plugin<Note>({.name = "note", .summary = "Notes.", .priority = 10, .example = R"({"tag": "a"})"});
const plugin::PluginType other =
    plugin::plugin<Note>({.name = "other", .summary = "Notes.", .priority = 5, .example = R"({"tag": "a"})"});
const plugin::PluginType* const types[] = {&who, &note, &other};

constexpr std::string_view hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class GatewayTest : public testing::Test {
 protected:
  void SetUp() override { notes.clear(); }
  Endpoint at(std::uint16_t port) { return {IpAddress::loopback(), port}; }
  std::string told() {
    std::string all;
    for (const auto& entry : std::exchange(notes, {})) all += (all.empty() ? "" : " ") + entry;
    return all;
  }
  static std::string status(const std::string& response) { return response.substr(0, 12); }

  MemoryGateway gateway{types};
};

constexpr std::string_view plain =
    R"({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1000": 1}}})";

TEST_F(GatewayTest, ProxiesAndReusesConnections) {
  MemoryGateway::Peer peer(gateway, at(1000), MemoryGateway::replying(std::string(hello)));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 404");
  ASSERT_TRUE(gateway.put("routes/1", plain));
  auto client = gateway.connect();
  for (int i = 0; i < 3; ++i) {
    const std::string got = client.say("GET /a?b HTTP/1.1\r\nHost: a.test\r\n\r\n");
    EXPECT_EQ(status(got), "HTTP/1.1 200");
    EXPECT_TRUE(got.ends_with("\r\n\r\nhello")) << got;
  }
  EXPECT_EQ(peer.connections, 1u);
  EXPECT_TRUE(peer.seen.starts_with("GET /a?b HTTP/1.1\r\nHost: a.test\r\n")) << peer.seen;
  EXPECT_EQ(gateway.worker->pool().idle(), 1u);
  gateway.pass(2min);
  EXPECT_EQ(gateway.worker->pool().idle(), 0u);
  EXPECT_EQ(gateway.worker->counters.active, 0u);
  EXPECT_EQ(gateway.worker->counters.requests, 4u);
}

TEST_F(GatewayTest, MergesPluginsByTheirPlaces) {
  MemoryGateway::Peer peer(gateway, at(1000), MemoryGateway::replying(std::string(hello)));
  const std::string nodes = R"("upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1000": 1}})";
  ASSERT_TRUE(gateway.put("services/1",
                          R"({"plugins": {"note": {"tag": "s"}, "other": {"tag": "s"}}, )" + nodes + "}"));
  ASSERT_TRUE(gateway.put("plugin_configs/1", R"({"plugins": {"note": {"tag": "c"}}})"));
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/s", "service_id": "1"})"));
  ASSERT_TRUE(gateway.put("routes/2", R"({"uri": "/c", "service_id": "1", "plugin_config_id": "1"})"));
  ASSERT_TRUE(gateway.put(
      "routes/3",
      R"({"uri": "/r", "service_id": "1", "plugin_config_id": "1", "plugins": {"note": {"tag": "r"}}})"));
  gateway.get("/s");
  EXPECT_EQ(told(),
            "rewrite:s rewrite:s access:s access:s before_proxy:s before_proxy:s response:s response:s log:s "
            "log:s");
  gateway.get("/c");
  EXPECT_EQ(told(),
            "rewrite:c rewrite:s access:c access:s before_proxy:c before_proxy:s response:c response:s log:c "
            "log:s");
  gateway.get("/r");
  EXPECT_EQ(told(),
            "rewrite:r rewrite:s access:r access:s before_proxy:r before_proxy:s response:r response:s log:r "
            "log:s");
  // A service's edit reaches the routes that name it.
  ASSERT_TRUE(
      gateway.put("services/1", R"({"plugins": {"other": {"tag": "t", "answer": 418}}, )" + nodes + "}"));
  EXPECT_EQ(status(gateway.get("/s")), "HTTP/1.1 418");
  EXPECT_EQ(told(), "rewrite:t access:t response:t log:t");
}

TEST_F(GatewayTest, RunsGlobalRulesFirstAndWithoutARoute) {
  ASSERT_TRUE(gateway.put("global_rules/1", R"({"plugins": {"other": {"tag": "g"}}})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 404");
  EXPECT_EQ(told(), "rewrite:g access:g response:g log:g");
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/a", "plugins": {"note": {"tag": "r", "answer": 418}}})"));
  gateway.get("/a");
  EXPECT_EQ(told(), "rewrite:g access:g rewrite:r access:r response:g response:r log:g log:r");
  ASSERT_TRUE(gateway.put("global_rules/1", std::nullopt));
  gateway.get("/b");
  EXPECT_EQ(told(), "");
}

TEST_F(GatewayTest, RewritesOnceMoreForWhatTheConsumerBrings) {
  ASSERT_TRUE(gateway.put("consumer_groups/1", R"({"plugins": {"other": {"tag": "group", "answer": 418}}})"));
  ASSERT_TRUE(gateway.put(
      "consumers/joe",
      R"({"username": "joe", "group_id": "1", "plugins": {"who": {"key": "joe"}, "note": {"tag": "joe"}}})"));
  ASSERT_TRUE(gateway.put("consumers/ann", R"({"username": "ann", "plugins": {"who": {"key": "ann"}}})"));
  ASSERT_TRUE(gateway.put(
      "routes/1", R"({"uri": "/a", "plugins": {"who": {}, "note": {"tag": "route", "answer": 403}}})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 401");
  EXPECT_EQ(told(), "response:route log:route");
  EXPECT_EQ(status(gateway.get("/a", "who: ann\r\n")), "HTTP/1.1 403");
  EXPECT_EQ(told(), "rewrite:route access:route response:route log:route");
  EXPECT_EQ(status(gateway.get("/a", "who: joe\r\n")), "HTTP/1.1 418");
  EXPECT_EQ(
      told(),
      "rewrite:route rewrite:joe rewrite:group access:joe access:group response:joe response:group log:joe "
      "log:group");
  ASSERT_TRUE(gateway.put("consumers/joe", std::nullopt));
  EXPECT_EQ(status(gateway.get("/a", "who: joe\r\n")), "HTTP/1.1 401");
}

TEST_F(GatewayTest, AnExchangeKeepsTheVersionItBeganWith) {
  MemoryGateway::Peer peer(gateway, at(1000), MemoryGateway::replying(std::string(hello)));
  const std::string rest = R"(, "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1000": 1}}})";
  ASSERT_TRUE(
      gateway.put("routes/1", R"({"uri": "/a", "plugins": {"note": {"tag": "old", "waits": true}})" + rest));
  EXPECT_EQ(alive, 1);
  auto client = gateway.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/a", "plugins": {"note": {"tag": "new"}})" + rest));
  EXPECT_EQ(alive, 2);
  gateway.get("/a");
  told();
  gateway.pass(1s);
  EXPECT_EQ(status(client.received()), "HTTP/1.1 200");
  EXPECT_EQ(told(), "before_proxy:old response:old log:old");
  EXPECT_EQ(alive, 1);
  // An edit that leaves a plugin's config alone keeps its object.
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/b", "plugins": {"note": {"tag": "new"}})" + rest));
  EXPECT_EQ(alive, 1);
  ASSERT_TRUE(gateway.put("routes/1", std::nullopt));
  EXPECT_EQ(alive, 0);
}

TEST_F(GatewayTest, LogsAlsoWhenTheClientHangsUp) {
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/a", "plugins": {"note": {"tag": "a", "waits": true}}})"));
  auto client = gateway.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(told(), "rewrite:a access:a");
  client.hang_up();
  EXPECT_EQ(told(), "log:a");
  EXPECT_EQ(gateway.worker->counters.active, 0u);
  gateway.pass(2s);
  EXPECT_EQ(told(), "");
}

TEST_F(GatewayTest, FollowsUpstreamsByTheirId) {
  MemoryGateway::Peer one(gateway, at(1001),
                          MemoryGateway::replying("HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n"));
  MemoryGateway::Peer two(gateway, at(1002),
                          MemoryGateway::replying("HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"));
  ASSERT_TRUE(gateway.put("routes/1", R"({"uri": "/a", "upstream_id": "1"})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 502");
  ASSERT_TRUE(gateway.put("upstreams/1", R"({"type": "roundrobin", "nodes": {"127.0.0.1:1001": 1}})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 201");
  ASSERT_TRUE(gateway.put("upstreams/1", R"({"type": "roundrobin", "nodes": {"127.0.0.1:1002": 1}})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 202");
  ASSERT_TRUE(gateway.put("upstreams/1", std::nullopt));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 502");
}

TEST_F(GatewayTest, KeepsTheLastGoodVersionOfAResource) {
  MemoryGateway::Peer peer(gateway, at(1000), MemoryGateway::replying(std::string(hello)));
  ASSERT_TRUE(gateway.put("routes/1", plain));
  EXPECT_FALSE(gateway.put("routes/1", "{nonsense"));
  EXPECT_FALSE(gateway.put("routes/1", R"({"uri": 5})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 200");
}

TEST_F(GatewayTest, RetriesOnlyWhatIsSafe) {
  int asked = 0;
  const auto cut = [&asked](std::string& read) -> std::optional<std::string> {
    if (read.find("\r\n\r\n") == read.npos) return "";
    ++asked;
    return std::nullopt;
  };
  MemoryGateway::Peer one(gateway, at(1001), cut);
  MemoryGateway::Peer two(gateway, at(1002), cut);
  ASSERT_TRUE(gateway.put(
      "routes/1",
      R"({"uri": "/a", "upstream": {"type": "roundrobin",
          "nodes": {"127.0.0.1:1001": 1, "127.0.0.1:1002": 1}}})"));
  EXPECT_EQ(status(gateway.get("/a")), "HTTP/1.1 502");
  EXPECT_EQ(std::exchange(asked, 0), 2);
  auto client = gateway.connect();
  EXPECT_EQ(status(client.say("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")), "HTTP/1.1 502");
  EXPECT_EQ(asked, 1);
}

TEST_F(GatewayTest, GivesUpOnAPeerInTime) {
  MemoryGateway::Peer peer(gateway, at(1000), [](std::string&) { return std::string(); });
  gateway.network.black_hole(at(1001));
  ASSERT_TRUE(gateway.put(
      "routes/1",
      R"({"uri": "/read", "upstream": {"type": "roundrobin", "retries": 0,
          "timeout": {"connect": 1, "send": 1, "read": 2}, "nodes": {"127.0.0.1:1000": 1}}})"));
  ASSERT_TRUE(gateway.put(
      "routes/2",
      R"({"uri": "/connect", "upstream": {"type": "roundrobin", "retries": 0,
          "timeout": {"connect": 1, "send": 1, "read": 9}, "nodes": {"127.0.0.1:1001": 1}}})"));
  for (const std::string target : {"/read", "/connect"}) {
    auto client = gateway.connect();
    EXPECT_EQ(client.say("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"), "");
    gateway.pass(2001ms);
    EXPECT_EQ(status(client.received()), "HTTP/1.1 504") << target;
  }
}

TEST_F(GatewayTest, DrainsBehindTheResponsesUnderWay) {
  std::string reply;
  MemoryGateway::Peer peer(gateway, at(1000), [&reply](std::string&) { return reply; });
  ASSERT_TRUE(gateway.put("routes/1", plain));
  auto idle = gateway.connect(), late = gateway.connect(), busy = gateway.connect();
  busy.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  bool drained = false;
  gateway.worker->drain([&drained] { drained = true; });
  gateway.settle();
  EXPECT_FALSE(idle.closed());
  reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const std::string last = late.say("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status(last), "HTTP/1.1 200");
  EXPECT_NE(last.find("Connection: close"), last.npos) << last;
  late.hang_up();
  gateway.worker->close_idle();
  gateway.settle();
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(drained);
  gateway.pass(61s);
  const std::string got = busy.received();
  EXPECT_EQ(status(got), "HTTP/1.1 504");
  EXPECT_NE(got.find("Connection: close"), got.npos) << got;
  busy.hang_up();
  EXPECT_TRUE(drained);
}

TEST(GatewayLimits, RefusesConnectionsBeyondItsNumber) {
  Settings settings;
  settings.connections_max = 1;
  MemoryGateway gateway({}, settings);
  auto first = gateway.connect(), second = gateway.connect();
  EXPECT_EQ(second.received().substr(0, 12), "HTTP/1.1 503");
  first.hang_up();
  EXPECT_EQ(gateway.get("/").substr(0, 12), "HTTP/1.1 404");
}

}  // namespace
}  // namespace sluice::gateway
