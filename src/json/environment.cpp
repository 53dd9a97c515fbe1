// SPDX-License-Identifier: Apache-2.0
#include "json/environment.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace sluice::json {
namespace {

// What `inside` the braces asks for.
std::string looked_up(std::string_view inside, const std::string& path, Findings& findings) {
  const std::size_t equals = inside.find(":=");
  const std::string name(trim(inside.substr(0, equals)));
  if (const char* found = std::getenv(name.c_str())) return found;
  if (equals != std::string_view::npos) return std::string(trim(inside.substr(equals + 2)));
  findings.problems.push_back({path,
                               "names the environment variable " + name +
                                   ", which is not set; set it, or write ${{" + name + ":=otherwise}}",
                               {}});
  return {};
}

Value as_scalar(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  std::int64_t whole = 0;
  double number = 0;
  const char* end = text.data() + text.size();
  if (const auto got = std::from_chars(text.data(), end, whole); got.ec == std::errc() && got.ptr == end)
    return whole;
  const auto got = std::from_chars(text.data(), end, number);
  if (got.ec == std::errc() && got.ptr == end && std::isfinite(number)) return number;
  return text;
}

// True when there was something to replace; `out` then has the text.
bool replace(std::string_view written, const std::string& path, Findings& findings, std::string& out) {
  std::size_t from = 0;
  for (std::size_t at; (at = written.find("${{", from)) != std::string_view::npos;) {
    const std::size_t end = written.find("}}", at);
    if (end == std::string_view::npos) break;
    out.append(written.substr(from, at - from));
    out += looked_up(written.substr(at + 3, end - at - 3), path, findings);
    from = end + 2;
  }
  if (from == 0) return false;
  out.append(written.substr(from));
  return true;
}

}  // namespace

void resolve_environment(Value& value, const std::string& path, Findings& findings) {
  if (value.is_string()) {
    std::string out;
    if (replace(value.as_string(), path, findings, out)) value = as_scalar(out);
    return;
  }
  if (value.is_array()) {
    for (auto& item : value.as_array()) resolve_environment(item, path, findings);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.as_object()) {
      const std::string at = path + "/" + key;
      resolve_environment(member, at, findings);
      if (std::string renamed; replace(key, at, findings, renamed)) key = std::move(renamed);
    }
    value.as_object().remove_duplicates();
  }
}

std::string resolve_environment_in(std::string_view text, Findings& findings) {
  std::string out;
  return replace(text, "", findings, out) ? out : std::string(text);
}

}  // namespace sluice::json
