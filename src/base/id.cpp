// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <algorithm>

#include "base/random.h"

namespace sluice {
namespace {

void append_uuid_of(std::uint64_t high, std::uint64_t low, std::uint64_t version, std::string& out) {
  static constexpr char digits[] = "0123456789abcdef";
  const std::uint64_t words[2] = {(high & ~0xF000ull) | version << 12,
                                  (low & ~0xC000000000000000ull) | 0x8000000000000000ull};  // RFC variant
  char text[36];
  int at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text[at++] = '-';
    text[at++] = digits[words[nibble / 16] >> (60 - nibble % 16 * 4) & 15];
  }
  out.append(text, sizeof text);
}

}  // namespace

void append_uuid(std::string& out) {
  Random& random = thread_random();
  const std::uint64_t high = random.next();
  append_uuid_of(high, random.next(), 4, out);
}

void append_uuid_v7(std::int64_t wall, std::string& out) {
  Random& random = thread_random();
  const auto milliseconds = static_cast<std::uint64_t>(wall / 1'000'000);
  const std::uint64_t high = milliseconds << 16 | (random.next() & 0xFFF);
  append_uuid_of(high, random.next(), 7, out);
}

void append_nanoid(std::string& out) {
  constexpr std::size_t length = 21;
  append_characters("-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", length, out);
}

void append_ksuid(std::int64_t wall, std::string& out) {
  constexpr std::int64_t epoch = 1'400'000'000;  // seconds since 1970
  constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  Random& random = thread_random();
  // A number of 160 bits, most significant word first.
  std::uint32_t words[5] = {static_cast<std::uint32_t>(wall / 1'000'000'000 - epoch)};
  for (std::size_t i = 1; i < std::size(words); ++i) words[i] = static_cast<std::uint32_t>(random.next());
  char text[27];
  for (std::size_t place = sizeof text; place-- > 0;) {
    std::uint64_t rest = 0;
    for (std::uint32_t& word : words) {
      const std::uint64_t value = rest << 32 | word;
      word = static_cast<std::uint32_t>(value / digits.size());
      rest = value % digits.size();
    }
    text[place] = digits[rest];
  }
  out.append(text, sizeof text);
}

void append_characters(std::string_view set, std::size_t length, std::string& out) {
  Random& random = thread_random();
  for (std::size_t i = 0; i < length; ++i) out.push_back(set[random.below(set.size())]);
}

}  // namespace sluice
