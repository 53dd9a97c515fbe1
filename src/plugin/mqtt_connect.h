// SPDX-License-Identifier: Apache-2.0
// The packet that an MQTT client begins with, CONNECT, of versions 3.1, 3.1.1 (OASIS mqtt-v3.1.1-os §3.1) and
// 5.0 (mqtt-v5.0-os §3.1), read as a whole: what says something else than the lengths in it is refused, so
// that a broker behind never sees a packet that was understood differently here. A pure function, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace sluice::plugin {

struct MqttConnect {
  static constexpr std::size_t bytes_max = 16 * 1024;  // of the packet

  // Views into the bytes that were parsed.
  std::string_view protocol_name;  // "MQTT", of 3.1 "MQIsdp"
  std::uint8_t protocol_level =
      0;  // 3: 3.1, 4: 3.1.1, 5: 5.0; without the bit by which bridges tell themselves
  bool bridge = false;
  bool clean_start = false;
  std::uint16_t keep_alive_seconds = 0;
  std::string_view client_id;      // may be empty: the broker makes one
  bool has_will = false;
  std::optional<std::string_view> user_name;

  std::size_t size = 0;            // of the packet
};

// Nothing while the packet may go on. The error says what is wrong with it.
Result<std::optional<MqttConnect>> parse_mqtt_connect(std::string_view bytes);

}  // namespace sluice::plugin
