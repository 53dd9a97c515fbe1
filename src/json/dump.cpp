// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>

#include "json/text.h"

namespace sluice::json {
namespace {

void append_number(std::string& out, const Value& value) {
  char buffer[32];
  std::to_chars_result end{};
  if (value.is_integer()) {
    end = std::to_chars(buffer, buffer + sizeof buffer, value.as_int());
  } else {
    SLUICE_CHECK(std::isfinite(value.as_double()));
    end = std::to_chars(buffer, buffer + sizeof buffer, value.as_double());
  }
  out.append(buffer, end.ptr);
}

class Writer {
 public:
  Writer(std::string& out, Style style) : out_(out), pretty_(style == Style::pretty) {}

  void write(const Value& value) {
    switch (value.kind()) {
      case Kind::null:
        out_ += "null";
        break;
      case Kind::boolean:
        out_ += value.as_bool() ? "true" : "false";
        break;
      case Kind::integer:
      case Kind::number:
        append_number(out_, value);
        break;
      case Kind::string:
        append_quoted(out_, value.as_string());
        break;
      case Kind::array:
        write_array(value.as_array());
        break;
      case Kind::object:
        write_object(value.as_object());
        break;
    }
  }

 private:
  void line() {
    if (pretty_) out_.append("\n").append(2 * depth_, ' ');
  }

  void write_array(const Array& items) {
    out_ += '[', ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) out_ += ',';
      line(), write(item);
    }
    --depth_;
    if (!items.empty()) line();
    out_ += ']';
  }

  void write_object(const Object& members) {
    out_ += '{', ++depth_;
    bool first = true;
    for (const auto& [key, value] : members) {
      if (!std::exchange(first, false)) out_ += ',';
      line(), append_quoted(out_, key);
      out_ += pretty_ ? ": " : ":";
      write(value);
    }
    --depth_;
    if (!members.empty()) line();
    out_ += '}';
  }

  std::string& out_;
  bool pretty_;
  std::size_t depth_ = 0;
};

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t start = 0, i = 0;; ++i) {
    bool plain = i < text.size() && static_cast<unsigned char>(text[i]) >= 0x20 && text[i] != '"' &&
                 text[i] != '\\' && text[i] != 0x7f;
    if (plain) continue;
    out.append(text.substr(start, i - start));
    if (i == text.size()) break;
    start = i + 1;
    switch (text[i]) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out.append("\\u00").append(1, hex[text[i] >> 4 & 7]).append(1, hex[text[i] & 15]);
    }
  }
  out += '"';
}

void append(std::string& out, const Value& value) { Writer(out, Style::compact).write(value); }

std::string dump(const Value& value, Style style) {
  std::string out;
  Writer(out, style).write(value);
  return out;
}

}  // namespace sluice::json
