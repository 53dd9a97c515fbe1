// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "json/text.h"

namespace sluice::json {
namespace {

// Line breaks and tabs may stand in a text as they are, as in APISIX (cjson): operators paste scripts there.
bool may_stand_in_text(char c) {
  return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The length of the well-formed UTF-8 sequence at `at`, 0 when there is none (RFC 3629).
std::size_t sequence_length(const char* at, const char* end) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  auto tail = [&](std::size_t i, unsigned lo = 0x80, unsigned hi = 0xBF) {
    return at + i < end && byte(i) >= lo && byte(i) <= hi;
  };
  unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    unsigned lo = lead == 0xE0 ? 0xA0 : 0x80, hi = lead == 0xED ? 0x9F : 0xBF;
    return tail(1, lo, hi) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    unsigned lo = lead == 0xF0 ? 0x90 : 0x80, hi = lead == 0xF4 ? 0x8F : 0xBF;
    return tail(1, lo, hi) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void append_code_point(std::string& out, unsigned code) {
  auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  if (code < 0x10000)
    return put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)),
      put(0x80 | (code & 0x3F));
}

class Parser {
 public:
  Parser(std::string_view text, const Limits& limits)
      : begin_(text.data()), at_(text.data()), end_(at_ + text.size()), limits_(limits) {}

  Result<Value> document() {
    Value value;
    if (read_value(value, 0)) {
      skip_space();
      if (at_ != end_) complain("the end");
    }
    if (!error_.empty()) return fail(ErrorKind::protocol, std::move(error_), Fault::client);
    return value;
  }

 private:
  void skip_space() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }

  bool stop(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    return false;
  }

  bool complain(std::string_view expected) {
    auto place = at_ - begin_ + 1;
    return stop(fmt::format("Expected {} but found {} at character {}", expected, token(), place));
  }

  // What stands at the cursor, in cjson's words.
  std::string_view token() const {
    if (at_ == end_) return "T_END";
    auto starts = [&](std::string_view word) { return std::string_view(at_, end_ - at_).starts_with(word); };
    switch (*at_) {
      case '{':
        return "T_OBJ_BEGIN";
      case '}':
        return "T_OBJ_END";
      case '[':
        return "T_ARR_BEGIN";
      case ']':
        return "T_ARR_END";
      case ',':
        return "T_COMMA";
      case ':':
        return "T_COLON";
      case '"':
        return "T_STRING";
      case 't':
        return starts("true") ? "T_BOOLEAN" : "invalid token";
      case 'f':
        return starts("false") ? "T_BOOLEAN" : "invalid token";
      case 'n':
        return starts("null") ? "T_NULL" : "invalid token";
      default:
        return is_digit(*at_) ? "T_NUMBER" : "invalid token";
    }
  }

  bool word(std::string_view text) {
    if (!std::string_view(at_, end_ - at_).starts_with(text)) return complain("value");
    at_ += text.size();
    return true;
  }

  bool read_value(Value& out, std::uint32_t depth) {
    skip_space();
    if (++count_ > limits_.values) return stop(fmt::format("Found more than {} values", limits_.values));
    if (at_ == end_) return complain("value");
    switch (*at_) {
      case '{':
        return read_object(out, depth + 1);
      case '[':
        return read_array(out, depth + 1);
      case '"': {
        std::string text;
        if (!read_string(text)) return false;
        out = Value(std::move(text));
        return true;
      }
      case 't':
        return out = true, word("true");
      case 'f':
        return out = false, word("false");
      case 'n':
        return out = nullptr, word("null");
      default:
        return *at_ == '-' || is_digit(*at_) ? read_number(out) : complain("value");
    }
  }

  bool deeper(std::uint32_t depth) {
    ++at_;
    if (depth <= limits_.depth) return true;
    return stop(fmt::format("Found too many nested data structures ({})", depth));
  }

  bool read_object(Value& out, std::uint32_t depth) {
    if (!deeper(depth)) return false;
    Object object;
    skip_space();
    if (at_ != end_ && *at_ == '}') return ++at_, out = std::move(object), true;
    for (;;) {
      skip_space();
      if (at_ == end_ || *at_ != '"') return complain("object key string");
      std::string key;
      if (!read_string(key)) return false;
      skip_space();
      if (at_ == end_ || *at_ != ':') return complain("colon");
      ++at_;
      if (!read_value(object.append(std::move(key), {}), depth)) return false;
      skip_space();
      if (at_ == end_ || (*at_ != ',' && *at_ != '}')) return complain("comma or object end");
      if (*at_++ == '}') break;
    }
    object.remove_duplicates();
    out = std::move(object);
    return true;
  }

  bool read_array(Value& out, std::uint32_t depth) {
    if (!deeper(depth)) return false;
    Array items;
    skip_space();
    if (at_ != end_ && *at_ == ']') return ++at_, out = std::move(items), true;
    for (;;) {
      if (!read_value(items.emplace_back(), depth)) return false;
      skip_space();
      if (at_ == end_ || (*at_ != ',' && *at_ != ']')) return complain("comma or array end");
      if (*at_++ == ']') break;
    }
    out = std::move(items);
    return true;
  }

  bool bad_string(const char* start, std::string_view what) {
    return stop(fmt::format("Expected value but found {} at character {}", what, start - begin_ + 1));
  }

  bool read_string(std::string& out) {
    const char* start = at_++;
    for (;;) {
      const char* run = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && may_stand_in_text(*at_)) {
        auto length = sequence_length(at_, end_);
        if (length == 0) return bad_string(at_, "a byte that is not UTF-8");
        at_ += length;
      }
      out.append(run, at_);
      if (at_ == end_) return bad_string(start, "unexpected end of string");
      if (*at_ == '"') return ++at_, true;
      if (*at_ != '\\') return bad_string(at_, "invalid token");
      if (!read_escape(out)) return false;
    }
  }

  bool read_escape(std::string& out) {
    const char* start = at_++;
    if (at_ == end_) return bad_string(start, "unexpected end of string");
    switch (*at_++) {
      case '"':
        out.push_back('"');
        return true;
      case '\\':
        out.push_back('\\');
        return true;
      case '/':
        out.push_back('/');
        return true;
      case 'b':
        out.push_back('\b');
        return true;
      case 'f':
        out.push_back('\f');
        return true;
      case 'n':
        out.push_back('\n');
        return true;
      case 'r':
        out.push_back('\r');
        return true;
      case 't':
        out.push_back('\t');
        return true;
      case 'u':
        break;
      default:
        return bad_string(start, "invalid escape code");
    }
    unsigned code = 0, low = 0;
    if (!read_hex(code)) return bad_string(start, "invalid unicode escape code");
    if (code >= 0xD800 && code <= 0xDFFF) {
      bool pair = code < 0xDC00 && end_ - at_ > 1 && at_[0] == '\\' && at_[1] == 'u';
      if (pair) at_ += 2;
      if (!pair || !read_hex(low) || low < 0xDC00 || low > 0xDFFF) {
        return bad_string(start, "invalid unicode escape code");
      }
      code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
    }
    append_code_point(out, code);
    return true;
  }

  bool read_hex(unsigned& code) {
    if (end_ - at_ < 4) return false;
    auto [stopped, error] = std::from_chars(at_, at_ + 4, code, 16);
    if (error != std::errc() || stopped != at_ + 4) return false;
    at_ += 4;
    return true;
  }

  bool read_number(Value& out) {
    const char* start = at_;
    bool whole = true;
    auto digits = [&] {
      const char* first = at_;
      while (at_ != end_ && is_digit(*at_)) ++at_;
      return at_ != first;
    };
    auto is = [&](char a, char b) { return at_ != end_ && (*at_ == a || *at_ == b); };
    auto bad = [&] { return bad_string(start, "invalid number"); };
    if (is('-', '-')) ++at_;
    const char* leading = at_;
    if (!digits() || (*leading == '0' && at_ - leading > 1)) return bad();
    if (is('.', '.')) {
      whole = false, ++at_;
      if (!digits()) return bad();
    }
    if (is('e', 'E')) {
      whole = false, ++at_;
      if (is('+', '-')) ++at_;
      if (!digits()) return bad();
    }
    if (std::int64_t integer = 0; whole && std::from_chars(start, at_, integer).ec == std::errc()) {
      return out = integer, true;
    }
    double number = 0;
    auto result = std::from_chars(start, at_, number);
    if (result.ec == std::errc::result_out_of_range)
      number = std::strtod(std::string(start, at_).c_str(), nullptr);
    if (!std::isfinite(number)) return bad();
    return out = number, true;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  Limits limits_;
  std::size_t count_ = 0;
  std::string error_;
};

}  // namespace

Result<Value> parse(std::string_view text, Limits limits) {
  if (text.size() > limits.bytes) {
    return fail(ErrorKind::limit,
                fmt::format("{} bytes of JSON are more than the {} allowed", text.size(), limits.bytes),
                Fault::client);
  }
  return Parser(text, limits).document();
}

}  // namespace sluice::json
