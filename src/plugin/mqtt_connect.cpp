// SPDX-License-Identifier: Apache-2.0
#include "plugin/mqtt_connect.h"

#include <algorithm>
#include <bitset>

namespace sluice::plugin {
namespace {

constexpr std::uint8_t packet_type = 0x10;  // CONNECT, and the flags that it has to have
constexpr std::uint8_t bridge_bit = 0x80;   // mosquitto's bridges, of 3.1 and 3.1.1

enum Flag : std::uint8_t {
  reserved = 1,
  clean_start = 2,
  will = 4,
  will_quality = 8 | 16,
  will_retain = 32,
  password = 64,
  user_name = 128
};

std::unexpected<Error> bad(std::string what) {
  return fail(ErrorKind::protocol, "MQTT CONNECT: " + std::move(what), Fault::client);
}

// RFC 3629, without the character 0 (mqtt-v5.0-os §1.5.4).
bool is_text(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<std::uint8_t>(bytes[i]);
    const std::size_t more = lead < 0x80       ? 0
                             : lead >> 5 == 6  ? 1
                             : lead >> 4 == 14 ? 2
                             : lead >> 3 == 30 ? 3
                                               : 4;
    if (lead == 0 || more == 4 || i + more >= bytes.size()) return false;
    std::uint32_t value = more == 0 ? lead : lead & (0x3Fu >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(bytes[i + k]);
      if (next >> 6 != 2) return false;
      value = value << 6 | (next & 0x3Fu);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (value < least[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    i += more + 1;
  }
  return true;
}

// Takes fields off the front; what reaches beyond the end fails it once and for all.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : left_(bytes) {}
  bool good() const { return good_; }
  bool empty() const { return left_.empty(); }

  std::string_view bytes(std::size_t count) {
    if (!good_ || count > left_.size()) return good_ = false, std::string_view();
    const auto taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  std::uint32_t number(std::size_t width) {
    std::uint32_t value = 0;
    for (const char c : bytes(width)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view binary() { return bytes(number(2)); }
  std::string_view text() {
    const auto taken = binary();
    if (!is_text(taken)) good_ = false;
    return taken;
  }
  // A variable byte integer of four bytes at most (mqtt-v5.0-os §1.5.5).
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 28; shift += 7) {
      const std::uint32_t byte = number(1);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }

 private:
  std::string_view left_;
  bool good_ = true;
};

enum class Kind : std::uint8_t { none, flag, byte, two, two_above_0, four, four_above_0, text, binary, pair };

Kind kind_of_connect(std::uint32_t id) {
  switch (id) {
    case 0x11: return Kind::four;          // session expiry interval
    case 0x15: return Kind::text;          // authentication method
    case 0x16: return Kind::binary;        // authentication data
    case 0x17: case 0x19: return Kind::flag;  // request problem, response information
    case 0x21: return Kind::two_above_0;   // receive maximum
    case 0x22: return Kind::two;           // topic alias maximum
    case 0x26: return Kind::pair;          // user property
    case 0x27: return Kind::four_above_0;  // maximum packet size
    default: return Kind::none;
  }
}

Kind kind_of_will(std::uint32_t id) {
  switch (id) {
    case 0x01: return Kind::flag;     // payload format indicator
    case 0x02: return Kind::four;     // message expiry interval
    case 0x03: case 0x08: return Kind::text;  // content type, response topic
    case 0x09: return Kind::binary;   // correlation data
    case 0x18: return Kind::four;     // will delay interval
    case 0x26: return Kind::pair;
    default: return Kind::none;
  }
}

bool take_value(Fields& fields, Kind kind) {
  switch (kind) {
    case Kind::none: return false;
    case Kind::flag: return fields.number(1) <= 1;
    case Kind::byte: fields.number(1); return true;
    case Kind::two: fields.number(2); return true;
    case Kind::two_above_0: return fields.number(2) > 0;
    case Kind::four: fields.number(4); return true;
    case Kind::four_above_0: return fields.number(4) > 0;
    case Kind::text: fields.text(); return true;
    case Kind::binary: fields.binary(); return true;
    case Kind::pair: fields.text(); fields.text(); return true;
  }
  return false;
}

// Each property once, but for those of the user.
bool take_properties(Fields& packet, Kind (*kind_of)(std::uint32_t)) {
  Fields fields(packet.bytes(packet.variable()));
  std::bitset<128> seen;
  while (packet.good() && fields.good() && !fields.empty()) {
    const std::uint32_t id = fields.variable();
    const Kind kind = id < seen.size() ? kind_of(id) : Kind::none;
    if (!take_value(fields, kind) || (seen[id] && kind != Kind::pair)) return false;
    seen.set(id);
  }
  const bool data_without_method = seen[0x16] && !seen[0x15] && kind_of == kind_of_connect;
  return packet.good() && fields.good() && !data_without_method;
}

// What the flags say has to fit together (mqtt-v3.1.1-os §3.1.2.3).
const char* flaw_of(std::uint8_t flags, std::uint8_t level) {
  if (level > 3 && (flags & reserved) != 0) return "a flag is set that has no meaning";
  if ((flags & will) == 0 && (flags & (will_quality | will_retain)) != 0)
    return "it speaks of a will that is not there";
  if ((flags & will_quality) == will_quality) return "the will has a quality of service of 3";
  if (level < 5 && (flags & password) != 0 && (flags & user_name) == 0)
    return "there is a password without a user name";
  return nullptr;
}

Result<std::optional<MqttConnect>> parse_body(std::string_view body, std::size_t size) {
  Fields fields(body);
  MqttConnect packet;
  packet.size = size;
  packet.protocol_name = fields.text();
  packet.protocol_level = static_cast<std::uint8_t>(fields.number(1));
  const auto flags = static_cast<std::uint8_t>(fields.number(1));
  packet.keep_alive_seconds = static_cast<std::uint16_t>(fields.number(2));
  if (!fields.good()) return bad("it ends within its variable header");
  packet.bridge = packet.protocol_level == (bridge_bit | 3) || packet.protocol_level == (bridge_bit | 4);
  if (packet.bridge) packet.protocol_level &= static_cast<std::uint8_t>(~bridge_bit);
  const std::uint8_t level = packet.protocol_level;
  if (level < 3 || level > 5)
    return bad("protocol level " + std::to_string(level) + " is none of 3 (3.1), 4 (3.1.1), 5 (5.0)");
  if (const char* flaw = flaw_of(flags, level)) return bad(flaw);
  packet.clean_start = (flags & clean_start) != 0;
  packet.has_will = (flags & will) != 0;
  if (level == 5 && !take_properties(fields, kind_of_connect)) return bad("its properties make no sense");
  packet.client_id = fields.text();
  if (packet.has_will) {
    if (level == 5 && !take_properties(fields, kind_of_will))
      return bad("the properties of its will make no sense");
    fields.text();    // topic
    fields.binary();  // payload
  }
  if ((flags & user_name) != 0) packet.user_name = fields.text();
  if ((flags & password) != 0) fields.binary();
  if (!fields.good()) return bad("a length in it reaches beyond its end, or a text is not UTF-8");
  if (!fields.empty()) return bad("it goes on behind its last field");
  if (level == 4 && packet.client_id.empty() && !packet.clean_start)
    return bad("a session is to be kept for a client without an id");
  return packet;
}

}  // namespace

Result<std::optional<MqttConnect>> parse_mqtt_connect(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  if (static_cast<std::uint8_t>(bytes[0]) != packet_type)
    return bad("the first byte is that of another packet");
  std::size_t length = 0, at = 1;
  for (int shift = 0;; shift += 7, ++at) {
    if (shift == 28) return bad("its length has more than four bytes");
    if (at == bytes.size()) return std::nullopt;
    const auto byte = static_cast<std::uint8_t>(bytes[at]);
    length |= static_cast<std::size_t>(byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  const std::size_t size = ++at + length;
  if (size > MqttConnect::bytes_max)
    return bad("it has " + std::to_string(size) + " bytes; 16384 are taken");
  if (bytes.size() < size) return std::nullopt;
  return parse_body(bytes.substr(at, length), size);
}

}  // namespace sluice::plugin
