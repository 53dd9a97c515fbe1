// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sluice {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool contains_ignoring_case(std::string_view text, std::string_view needle) {
  if (needle.size() > text.size()) return false;
  for (std::size_t i = 0; i + needle.size() <= text.size(); ++i) {
    if (equals_ignoring_case(text.substr(i, needle.size()), needle)) return true;
  }
  return false;
}

void lower_in_place(std::string& text) {
  for (char& c : text) c = lower(c);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  lower_in_place(out);
  return out;
}

namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr bool is_unreserved(char c) { return is_word(c) || c == '-' || c == '.' || c == '~'; }

constexpr char hex_digits[] = "0123456789abcdef";
constexpr char hex_digits_upper[] = "0123456789ABCDEF";
constexpr char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reversed(const char* alphabet) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}
constexpr auto standard_values = reversed(base64_standard);
constexpr auto url_values = reversed(base64_url);

}  // namespace

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  return parse_whole<std::uint64_t>(text);
}
std::optional<std::int64_t> parse_integer(std::string_view text) { return parse_whole<std::int64_t>(text); }

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || !(is_digit(text.front()) || text.front() == '.')) return std::nullopt;
  double value = 0;
  auto format = std::chars_format::general;
  if (text.size() > 2 && text[0] == '0' && lower(text[1]) == 'x') {
    text.remove_prefix(2);
    if (hex_digit(text.front()) < 0) return std::nullopt;
    format = std::chars_format::hex;
  }
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return negative ? -value : value;
}

void append_number(std::string& out, double number) {
  char buffer[32];
  const bool whole = std::fabs(number) < 9007199254740992.0 && number == std::floor(number);
  const auto end = whole
                       ? std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::int64_t>(number)).ptr
                       : std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, end);
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

void percent_decode(std::string_view text, std::string& out, bool plus_is_blank) {
  out.reserve(out.size() + text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(c == '+' && plus_is_blank ? ' ' : c);
  }
}

void percent_encode(std::string_view text, std::string& out, std::string_view keep) {
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(hex_digits_upper[byte >> 4]);
      out.push_back(hex_digits_upper[byte & 15]);
    }
  }
}

void append_hex(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    out.push_back(hex_digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(hex_digits[static_cast<unsigned char>(c) & 15]);
  }
}

bool decode_hex(std::string_view text, std::string& out) {
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

void base64_encode(std::string_view bytes, std::string& out, Base64 alphabet) {
  const char* letters = alphabet == Base64::url ? base64_url : base64_standard;
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 2 < bytes.size(); i += 3) {
    const std::uint32_t three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(letters[three >> shift & 63]);
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return;
  const std::uint32_t rest = at(i) << 16 | (left == 2 ? at(i + 1) << 8 : 0);
  out.push_back(letters[rest >> 18 & 63]);
  out.push_back(letters[rest >> 12 & 63]);
  if (left == 2) out.push_back(letters[rest >> 6 & 63]);
  if (alphabet == Base64::standard) out.append(left == 2 ? "=" : "==");
}

bool base64_decode(std::string_view text, std::string& out, Base64 alphabet) {
  const auto& values = alphabet == Base64::url ? url_values : standard_values;
  for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  out.reserve(out.size() + text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 255));
    }
  }
  return true;
}

void append_markup(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    asm volatile("" : "+r"(difference));
  }
  return difference == 0;
}

}  // namespace sluice
