// SPDX-License-Identifier: Apache-2.0
// Leaf types that carry a unit, so that no plugin parses one: `Seconds` (a JSON number, fractions allowed),
// `Milliseconds` (an integer), `ByteSize` (an integer or text as nginx writes it: "16k", "1m", "2g"). Any
// thread.
#pragma once
#include <chrono>

#include "json/fields.h"

namespace sluice::json {

// At most about 31 years, at least 0.
struct Seconds {
  std::chrono::nanoseconds value{};
  constexpr Seconds() = default;
  constexpr Seconds(double seconds) : value(static_cast<std::int64_t>(seconds * 1e9)) {}
  constexpr Seconds(std::chrono::nanoseconds time) : value(time) {}
  constexpr operator std::chrono::nanoseconds() const { return value; }
  friend constexpr bool operator==(Seconds, Seconds) = default;
};

struct Milliseconds {
  std::chrono::milliseconds value{};
  constexpr Milliseconds() = default;
  constexpr Milliseconds(std::int64_t milliseconds) : value(milliseconds) {}
  constexpr operator std::chrono::nanoseconds() const { return value; }
  friend constexpr bool operator==(Milliseconds, Milliseconds) = default;
};

struct ByteSize {
  std::uint64_t value = 0;
  constexpr ByteSize() = default;
  constexpr ByteSize(std::uint64_t bytes) : value(bytes) {}
  constexpr operator std::uint64_t() const { return value; }
};

// "16k" → 16384. False when the text is no size.
bool parse_size(std::string_view text, std::uint64_t& bytes);

template <>
struct Codec<Seconds> {
  static bool read(const Value& in, Seconds& out, Reader& reader);
  static Value write(Seconds value);
  static Value schema();
};
template <>
struct Codec<Milliseconds> {
  static bool read(const Value& in, Milliseconds& out, Reader& reader);
  static Value write(Milliseconds value);
  static Value schema();
};
template <>
struct Codec<ByteSize> {
  static bool read(const Value& in, ByteSize& out, Reader& reader);
  static Value write(ByteSize value);
  static Value schema();
};

}  // namespace sluice::json
