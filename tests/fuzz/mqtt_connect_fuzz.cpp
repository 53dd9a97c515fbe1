// SPDX-License-Identifier: Apache-2.0
// What an MQTT client begins with: decided within the limit, never beyond its own length, and the same
// however the bytes are cut.
#include <string_view>

#include "plugin/mqtt_connect.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = plugin::parse_mqtt_connect(bytes);
  if (!read) return 0;
  if (!*read) {
    SLUICE_CHECK(size < plugin::MqttConnect::bytes_max);  // more is never waited for
    return 0;
  }
  const plugin::MqttConnect& packet = **read;
  SLUICE_CHECK(packet.size <= size && packet.size <= plugin::MqttConnect::bytes_max);
  SLUICE_CHECK(packet.protocol_level >= 3 && packet.protocol_level <= 5);
  const auto inside = [&](std::string_view text) {
    return text.empty() ||
           (text.data() >= bytes.data() && text.data() + text.size() <= bytes.data() + packet.size);
  };
  SLUICE_CHECK(inside(packet.protocol_name) && inside(packet.client_id));
  SLUICE_CHECK(inside(packet.user_name.value_or(std::string_view())));
  const auto again = plugin::parse_mqtt_connect(bytes.substr(0, packet.size));
  SLUICE_CHECK(again && *again && (*again)->client_id == packet.client_id);
  const auto part = plugin::parse_mqtt_connect(bytes.substr(0, packet.size - 1));
  SLUICE_CHECK(part && !*part);
  return 0;
}
