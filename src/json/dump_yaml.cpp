// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "json/text.h"

namespace sluice::json {
namespace {

// What readers of YAML 1.1 take for a truth or for nothing, in any case of its letters.
constexpr std::array<std::string_view, 10> typed_words{"y",  "n",  "yes",  "no",   "on",
                                                       "off", "true", "false", "null", "nan"};
// A longer key is no simple key (YAML 1.2 §7.4.2).
constexpr std::size_t simple_key_max = 1000;

bool is_plain_inside(char c) {
  return is_word(c) || std::string_view("-./*+=()$~").find(c) != std::string_view::npos;
}

// Whether a text may stand without quotes and be read as the same text everywhere.
bool is_plain(std::string_view text) {
  if (text.empty() || !(is_letter(text[0]) || text[0] == '/' || text[0] == '_')) return false;
  if (text.back() == ' ' || text.find("  ") != text.npos) return false;
  if (std::ranges::any_of(typed_words, [&](auto word) { return equals_ignoring_case(text, word); }))
    return false;
  return std::ranges::all_of(text, [](char c) { return is_plain_inside(c) || c == ' '; });
}

bool names_variable(std::string_view text) { return text.find("${{") != text.npos; }

// Whether a text of several lines may stand as a literal block (YAML 1.2 §8.1.2): at most one line end behind
// it, nothing that a reader would fold, escape or take for indentation.
bool is_block(std::string_view text) {
  if (text.find('\n') == text.npos || names_variable(text)) return false;
  if (!std::ranges::all_of(text, [](char c) { return (c >= ' ' && c < 0x7f) || c == '\n'; })) return false;
  std::string_view lines = text;
  if (lines.ends_with('\n')) lines.remove_suffix(1);
  if (lines.empty() || lines.front() == ' ' || lines.front() == '\n' || lines.back() == '\n') return false;
  return lines.find(" \n") == lines.npos && lines.back() != ' ';
}

// Characters that YAML takes for line ends, or calls not printable, in UTF-8: their code, or 0.
unsigned awkward_character(std::string_view at) {
  const auto byte = [&](std::size_t i) { return i < at.size() ? static_cast<unsigned char>(at[i]) : 0u; };
  if (byte(0) == 0xc2 && byte(1) < 0xa0) return byte(1);
  if (byte(0) < 0xe0 || byte(0) > 0xef) return 0;
  const unsigned code = (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
  return code == 0x2028 || code == 0x2029 || code == 0xfeff || code >= 0xfffe ? code : 0;
}

// Double quotes with JSON's escapes, which are YAML's as well, and two more reasons to escape.
void append_escaped(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string quoted;
  append_quoted(quoted, text);
  std::string_view rest = quoted;
  while (!rest.empty()) {
    if (rest.starts_with("${{")) {
      out += "\\x24";
      rest.remove_prefix(1);
    } else if (const unsigned code = awkward_character(rest)) {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += hex[code >> shift & 15];
      rest.remove_prefix(code < 0x800 ? 2 : 3);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
}

void append_text(std::string& out, std::string_view text) {
  if (is_plain(text) && !names_variable(text)) out += text;
  else append_escaped(out, text);
}

class YamlWriter {
 public:
  explicit YamlWriter(std::string& out) : out_(out) {}

  // What stands behind `key:` or `-`: a scalar on the same line, or a block below, indented by `depth`.
  void write(const Value& value, std::size_t depth) {
    if (is_nested(value)) {
      value.is_array() ? write_items(value.as_array(), depth) : write_members(value.as_object(), depth);
    } else {
      write_scalar(value, depth);
      out_ += '\n';
    }
  }

 private:
  static bool is_nested(const Value& value) {
    return (value.is_array() && !value.as_array().empty()) ||
           (value.is_object() && !value.as_object().empty());
  }

  void indent(std::size_t depth) { out_.append(2 * depth, ' '); }

  void write_items(const Array& items, std::size_t depth) {
    for (const Value& item : items) {
      if (!at_item_) indent(depth);
      at_item_ = false;
      out_ += "- ";
      at_item_ = is_nested(item);
      write(item, depth + 1);
    }
  }

  void write_members(const Object& members, std::size_t depth) {
    for (const auto& [key, value] : members) {
      if (!std::exchange(at_item_, false)) indent(depth);
      write_key(key, depth);
      if (is_nested(value)) out_ += '\n';
      else out_ += ' ';
      write(value, depth + 1);
    }
  }

  void write_key(std::string_view key, std::size_t depth) {
    std::string written;
    append_text(written, key);
    if (written.size() > simple_key_max) {
      out_.append("? ").append(written).append("\n");
      indent(depth);
      out_ += ':';
    } else {
      out_.append(written).append(":");
    }
  }

  void write_scalar(const Value& value, std::size_t depth) {
    if (value.is_string() && is_block(value.as_string())) write_block(value.as_string(), depth);
    else if (value.is_string()) append_text(out_, value.as_string());
    else if (value.is_number()) write_number(value);
    else append(out_, value);
  }

  // Readers of YAML 1.1 want a point in what has an exponent.
  void write_number(const Value& value) {
    std::string text = dump(value);
    const auto exponent = text.find('e');
    if (exponent != text.npos && text.find('.') == text.npos) text.insert(exponent, ".0");
    out_ += text;
  }

  void write_block(std::string_view text, std::size_t depth) {
    const bool ends = text.ends_with('\n');
    out_ += ends ? "|" : "|-";
    if (ends) text.remove_suffix(1);
    for (std::string_view line : Split(text, '\n')) {
      out_ += '\n';
      if (line.empty()) continue;
      indent(std::max<std::size_t>(depth, 1));
      out_ += line;
    }
  }

  std::string& out_;
  bool at_item_ = false;  // behind the "- " of an item, whose first line is indented already
};

}  // namespace

std::string dump_yaml(const Value& value) {
  std::string out;
  YamlWriter(out).write(value, 0);
  return out;
}

}  // namespace sluice::json
