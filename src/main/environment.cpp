// SPDX-License-Identifier: Apache-2.0
#include "main/environment.h"

#include <charconv>
#include <cstdlib>

#include "base/text.h"

namespace sluice::main {
namespace {

// What `inside` the braces asks for.
std::string looked_up(std::string_view inside, const std::string& path, json::Findings& findings) {
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

json::Value as_scalar(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  std::int64_t whole = 0;
  double number = 0;
  const char* end = text.data() + text.size();
  if (const auto got = std::from_chars(text.data(), end, whole); got.ec == std::errc() && got.ptr == end)
    return whole;
  if (const auto got = std::from_chars(text.data(), end, number); got.ec == std::errc() && got.ptr == end)
    return number;
  return text;
}

void resolve_text(json::Value& value, const std::string& path, json::Findings& findings) {
  const std::string& written = value.as_string();
  std::string out;
  std::size_t from = 0;
  for (std::size_t at; (at = written.find("${{", from)) != std::string::npos;) {
    const std::size_t end = written.find("}}", at);
    if (end == std::string::npos) break;
    out.append(written, from, at - from);
    out += looked_up(std::string_view(written).substr(at + 3, end - at - 3), path, findings);
    from = end + 2;
  }
  if (from == 0) return;
  out.append(written, from);
  value = as_scalar(out);
}

}  // namespace

void resolve_environment(json::Value& value, const std::string& path, json::Findings& findings) {
  if (value.is_string()) return resolve_text(value, path, findings);
  if (value.is_array()) {
    for (auto& item : value.as_array()) resolve_environment(item, path, findings);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.as_object()) resolve_environment(member, path + "/" + key, findings);
  }
}

}  // namespace sluice::main
