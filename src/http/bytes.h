// SPDX-License-Identifier: Apache-2.0
// Classes of bytes in HTTP/1.1 messages (RFC 9110 §5.6, RFC 9112 §3), as tables, and the few ASCII helpers
// that the parser and the header list share. No locale, no allocation.
#pragma once
#include <array>
#include <string_view>

namespace sluice::http {

namespace detail {
struct ByteTables {
  std::array<bool, 256> token{}, field{}, target{};
  constexpr ByteTables() {
    for (int c = 0; c < 256; ++c) {
      const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      token[c] = alphanumeric;
      field[c] = (c >= 0x20 && c != 0x7f) || c == '\t';
      target[c] = c > 0x20 && c != 0x7f;
    }
    for (char c : std::string_view("!#$%&'*+-.^_`|~")) token[static_cast<unsigned char>(c)] = true;
  }
};
inline constexpr ByteTables tables;
}  // namespace detail

constexpr bool is_token(char c) { return detail::tables.token[static_cast<unsigned char>(c)]; }
constexpr bool is_field_byte(char c) { return detail::tables.field[static_cast<unsigned char>(c)]; }
constexpr bool is_target_byte(char c) { return detail::tables.target[static_cast<unsigned char>(c)]; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace sluice::http
