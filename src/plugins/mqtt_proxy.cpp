// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/mqtt_connect.h"
#include "plugin/stream_side.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

constexpr Duration connect_patience = 30s;  // for a whole CONNECT

}  // namespace

// Admits MQTT clients of one version to a stream route, and lets them be spread by their ids.
class MqttProxy final : public plugin::Plugin {
 public:
  struct Config {
    std::string protocol_name = "MQTT";
    std::int64_t protocol_level = 0;

    void describe(json::Fields& field) {
      field("protocol_name", protocol_name,
            "The protocol's name that a client has to say: MQTT, or MQIsdp with level 3.");
      field("protocol_level", protocol_level,
            "The version that a client has to speak: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0.")
          .required()
          .range(3, 5);
      field.open();
    }
  };

  explicit MqttProxy(Config config)
      : name_(std::move(config.protocol_name)), level_(static_cast<std::uint8_t>(config.protocol_level)) {}

  // Everything that was read goes on to the broker, which answers.
  plugin::VerdictTask preread(Exchange& x) const override {
    const Instant deadline = after(x.worker.loop.now(), connect_patience);
    for (;;) {
      const auto read = plugin::parse_mqtt_connect(x.stream->first_bytes());
      if (!read) co_return refused(x, read.error().what);
      if (*read) co_return judged(x, **read);
      auto reading = x.stream->read_more(deadline);
      const auto more = co_await reading;
      if (!more) co_return refused(x, more.error().what);
    }
  }

 private:
  plugin::Verdict judged(Exchange& x, const plugin::MqttConnect& packet) const {
    if (packet.protocol_name != name_)
      return refused(x, "the client says protocol name " + json::dump(std::string(packet.protocol_name)) +
                            ", and protocol_name is " + name_);
    if (packet.protocol_level != level_)
      return refused(x, "the client says protocol level " + std::to_string(packet.protocol_level) +
                            ", and protocol_level is " + std::to_string(level_));
    x.stream->mqtt_client_id = x.arena.copy(packet.client_id);
    return plugin::pass();
  }

  static plugin::Verdict refused(const Exchange& x, std::string_view why) {
    log::warn("mqtt-proxy: {}: {}", x.client.text(), why);
    return plugin::reply(503);
  }

  std::string name_;
  std::uint8_t level_;
};

extern constexpr plugin::PluginType mqtt_proxy = plugin::plugin<MqttProxy>({
    .name = "mqtt-proxy",
    .summary =
        "Admits MQTT clients of one version to a stream route; upstreams of type chash may spread them "
        "by mqtt_client_id.",
    .priority = 1000,
    .example = R"({"protocol_name": "MQTT", "protocol_level": 4})",
});

}  // namespace sluice::plugins
