// SPDX-License-Identifier: Apache-2.0
#include "plugin/redis_protocol.h"

#include "base/text.h"

namespace sluice::plugin {
namespace {

std::unexpected<Error> broken_reply() {
  return fail(ErrorKind::protocol, "Redis sent what is no reply, or one that is too large", Fault::peer);
}

}  // namespace

double RedisValue::as_number() const {
  if (kind == Kind::integer) return static_cast<double>(number);
  return parse_number(text).value_or(0);
}

void append_command(std::string& out, const RedisCommand& command) {
  out.append("*").append(std::to_string(command.size())).append("\r\n");
  for (const std::string& part : command)
    out.append("$").append(std::to_string(part.size())).append("\r\n").append(part).append("\r\n");
}

// Reads one reply off the bytes. `whole` is false when they end before it does.
class RedisParser::Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool read(RedisValue& into, int depth) {
    const auto line = take_line();
    if (!line) return false;
    if (line->empty() || depth > depth_max || ++items_ > items_max) return broken();
    const std::string_view rest = line->substr(1);
    switch (line->front()) {
      case '+': into = {RedisValue::Kind::status, std::string(rest), 0, {}}; return true;
      case '-': into = {RedisValue::Kind::error, std::string(rest), 0, {}}; return true;
      case ':': return read_number(rest, into);
      case '$': return read_text(rest, into);
      case '*': return read_list(rest, into, depth);
      default: return broken();
    }
  }
  std::size_t position() const { return at_; }
  bool is_broken() const { return broken_; }

 private:
  bool broken() {
    broken_ = true;
    return false;
  }
  std::optional<std::string_view> take_line() {
    const std::size_t end = bytes_.find("\r\n", at_);
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = bytes_.substr(at_, end - at_);
    at_ = end + 2;
    return line;
  }
  bool read_number(std::string_view text, RedisValue& into) {
    const auto number = parse_integer(text);
    if (!number) return broken();
    into = {RedisValue::Kind::integer, {}, *number, {}};
    return true;
  }
  // The length in front of a text or a list: -1 is nil.
  std::optional<std::size_t> read_length(std::string_view text, RedisValue& into, std::size_t most) {
    const auto length = parse_integer(text);
    into = RedisValue();
    if (!length || *length < -1 || *length > static_cast<std::int64_t>(most)) broken_ = true;
    if (broken_ || *length == -1) return std::nullopt;
    return static_cast<std::size_t>(*length);
  }
  bool read_text(std::string_view text, RedisValue& into) {
    const auto length = read_length(text, into, bytes_max);
    if (!length) return !broken_;
    if (bytes_.size() - at_ < *length + 2) return false;
    if (bytes_.substr(at_ + *length, 2) != "\r\n") return broken();
    into.kind = RedisValue::Kind::text;
    into.text = bytes_.substr(at_, *length);
    at_ += *length + 2;
    return true;
  }
  bool read_list(std::string_view text, RedisValue& into, int depth) {
    const auto length = read_length(text, into, items_max);
    if (!length) return !broken_;
    into.kind = RedisValue::Kind::list;
    for (std::size_t i = 0; i < *length; ++i) {
      if (!read(into.items.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0, items_ = 0;
  bool broken_ = false;
};

Result<std::optional<RedisValue>> RedisParser::next() {
  Cursor cursor(bytes_);
  RedisValue value;
  if (cursor.read(value, 0)) {
    bytes_.erase(0, cursor.position());
    return std::optional(std::move(value));
  }
  if (cursor.is_broken() || bytes_.size() > bytes_max) return broken_reply();
  return std::nullopt;
}

std::uint16_t redis_slot(std::string_view key) {
  constexpr unsigned slots = 16384, polynomial = 0x1021;
  if (const std::size_t open = key.find('{'); open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  unsigned crc = 0;  // CRC-16/XMODEM
  for (const char c : key) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ polynomial : crc << 1;
  }
  return static_cast<std::uint16_t>((crc & 0xFFFF) % slots);
}

}  // namespace sluice::plugin
