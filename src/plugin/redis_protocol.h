// SPDX-License-Identifier: Apache-2.0
// RESP, the protocol of Redis (version 2): commands out, replies in, whole or in pieces. Replies come from
// outside: their size, number of items and depth are bounded. Any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice::plugin {

struct RedisValue {
  enum class Kind : std::uint8_t { nil, status, error, integer, text, list };
  Kind kind = Kind::nil;
  std::string text;          // of status, error and text
  std::int64_t number = 0;   // of integer
  std::vector<RedisValue> items;

  bool is_error() const { return kind == Kind::error; }
  // A number, however it is written; 0 when it is none.
  double as_number() const;
};

using RedisCommand = std::vector<std::string>;
void append_command(std::string& out, const RedisCommand& command);

// What was read so far, a reply at a time.
class RedisParser {
 public:
  static constexpr std::size_t bytes_max = 1 << 20;
  static constexpr std::size_t items_max = 100'000;  // of a reply, all levels together
  static constexpr int depth_max = 8;

  void feed(std::string_view bytes) { bytes_.append(bytes); }
  // The next reply; nothing when it is not whole yet; an error when it can be none.
  Result<std::optional<RedisValue>> next();
  bool empty() const { return bytes_.empty(); }

 private:
  class Cursor;
  std::string bytes_;
};

// The slot of a cluster that a key belongs to: 0 to 16383.
std::uint16_t redis_slot(std::string_view key);

}  // namespace sluice::plugin
