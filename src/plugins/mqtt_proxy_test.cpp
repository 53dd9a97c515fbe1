// SPDX-License-Identifier: Apache-2.0
// The plugin over the first bytes of a connection in memory.
#include <gtest/gtest.h>

#include "net/loopback.h"
#include "plugin/stream_side.h"
#include "plugin/testing.h"
#include "plugins/list.h"

namespace sluice::plugins {
extern const plugin::PluginType mqtt_proxy;

namespace {

using plugin::testing::Bench;
using plugin::testing::Call;

const std::string version_4("\x10\x0f\0\4MQTT\4\2\0\x3c\0\3one", 17);
const std::string version_5("\x10\x10\0\4MQTT\5\2\0\x3c\0\0\3one", 18);

// What becomes of a connection that says `pieces`, one after the other: its client's id, or "refused".
std::string told(std::string_view config, const std::vector<std::string>& pieces, bool ends = false) {
  Bench bench;
  net::Loopback network;
  auto [near, far] = network.pair(bench.loop);
  plugin::StreamSide side(plugin::Transport::tcp, near.get());
  Call call(bench);
  call.x.stream = &side;
  const auto made = plugin::testing::make(mqtt_proxy, config);
  if (made == nullptr) return "no config";
  std::string whole;
  for (const std::string& piece : pieces) {
    const iovec bytes{const_cast<char*>(piece.data()), piece.size()};
    far->try_write(&bytes, 1);
    whole += piece;
  }
  if (ends) far->shutdown_write();
  const auto verdict = bench.wait(made->preread(call.x));
  if (verdict != nullptr) return verdict->status == 503 ? "refused" : "refused otherwise";
  EXPECT_EQ(side.first_bytes(), whole);  // all of it goes on
  return std::string(side.mqtt_client_id);
}

TEST(MqttProxy, AdmitsTheVersionThatItIsFor) {
  EXPECT_EQ(told(R"({"protocol_level": 4})", {version_4}), "one");
  EXPECT_EQ(told(R"({"protocol_level": 5})", {version_5}), "one");
  EXPECT_EQ(told(R"({"protocol_level": 5})", {version_4}), "refused");
  EXPECT_EQ(told(R"({"protocol_level": 4, "protocol_name": "MQIsdp"})", {version_4}), "refused");
}

TEST(MqttProxy, WaitsForTheWholePacket) {
  std::vector<std::string> pieces;
  for (const char c : version_4) pieces.emplace_back(1, c);
  pieces.emplace_back("what follows");
  EXPECT_EQ(told(R"({"protocol_level": 4})", pieces), "one");
  EXPECT_EQ(told(R"({"protocol_level": 4})", {version_4.substr(0, 9)}), "refused");        // and no longer
  EXPECT_EQ(told(R"({"protocol_level": 4})", {version_4.substr(0, 9)}, true), "refused");  // the end
  EXPECT_EQ(told(R"({"protocol_level": 4})", {"GET / HTTP/1.1\r\n\r\n"}), "refused");
}

TEST(MqttProxy, WantsToKnowTheVersion) {
  EXPECT_EQ(told("{}", {}), "no config");
  EXPECT_EQ(told(R"({"protocol_level": 6})", {}), "no config");
}

}  // namespace
}  // namespace sluice::plugins
