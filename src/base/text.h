// SPDX-License-Identifier: Apache-2.0
// Small work on text that every folder needs: ASCII case, trimming, splitting, numbers, and the encodings of
// the web (percent, base64, hex). Bytes are bytes: nothing here knows about locales. All functions are pure
// and may be called from any thread; those that produce text append to a string of the caller, so that it can
// be reused.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
// Space, tab, CR, LF: what may surround a value in configuration and headers.
constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
// True when `needle` occurs in `text` in any case.
bool contains_ignoring_case(std::string_view text, std::string_view needle);
void lower_in_place(std::string& text);
std::string lowered(std::string_view text);

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Iterates over the pieces between separators, empty ones too: for (std::string_view piece : Split("a,b",
// ',')).
class Split {
 public:
  constexpr Split(std::string_view text, char separator) : text_(text), separator_(separator) {}

  class Iterator {
   public:
    constexpr Iterator(std::string_view rest, char separator, bool done)
        : rest_(rest), separator_(separator), done_(done) {
      if (!done_) cut();
    }
    constexpr std::string_view operator*() const { return piece_; }
    constexpr Iterator& operator++() {
      if (last_) {
        done_ = true;
      } else {
        rest_.remove_prefix(piece_.size() + 1);
        cut();
      }
      return *this;
    }
    constexpr bool operator!=(const Iterator& other) const { return done_ != other.done_; }

   private:
    constexpr void cut() {
      const std::size_t at = rest_.find(separator_);
      last_ = at == std::string_view::npos;
      piece_ = rest_.substr(0, at);
    }
    std::string_view rest_, piece_;
    char separator_;
    bool done_, last_ = false;
  };

  constexpr Iterator begin() const { return Iterator(text_, separator_, false); }
  constexpr Iterator end() const { return Iterator({}, separator_, true); }

 private:
  std::string_view text_;
  char separator_;
};

// Whole text or nothing; no sign, blanks or leading '+' are accepted where they are not named.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);  // with an optional '-'
// What Lua's tonumber accepts: surrounding blanks, sign, decimals, exponent, 0x hexadecimal. Never inf or
// nan.
std::optional<double> parse_number(std::string_view text);
// Appends the shortest text that reads back as the same number; whole numbers have no point ("3", not "3.0").
void append_number(std::string& out, double number);

// %XX is decoded; a broken sequence stays as it is. With `plus_is_blank`, '+' becomes a space (query
// strings).
void percent_decode(std::string_view text, std::string& out, bool plus_is_blank = false);
// Everything but RFC 3986 unreserved characters and those of `keep` becomes %XX.
void percent_encode(std::string_view text, std::string& out, std::string_view keep = {});

void append_hex(std::string_view bytes, std::string& out);
bool decode_hex(std::string_view text,
                std::string& out);  // false (out unspecified) when it is not hexadecimal
int hex_digit(char c);              // 0–15, or -1

enum class Base64 : std::uint8_t { standard, url };  // url: '-' and '_' and no padding when encoding
void base64_encode(std::string_view bytes, std::string& out, Base64 alphabet = Base64::standard);
// Padding may be absent; anything else that is out of place gives false.
bool base64_decode(std::string_view text, std::string& out, Base64 alphabet = Base64::standard);

// Appends a text as it stands in XML and HTML, in attributes too.
void append_markup(std::string_view text, std::string& out);

// Compares secrets: the time depends on the lengths only.
bool equals_in_constant_time(std::string_view a, std::string_view b);

}  // namespace sluice
