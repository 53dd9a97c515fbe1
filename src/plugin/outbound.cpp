// SPDX-License-Identifier: Apache-2.0
#include "plugin/outbound.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {

void KeepAliveConfig::describe(json::Fields& field) {
  field("keepalive", keepalive, "Connections are kept; without effect, for they always are.");
  field("keepalive_pool", pool, "Connections kept; without effect, for a worker keeps sixteen a server.")
      .at_least(1);
  field("keepalive_timeout", timeout,
        "Milliseconds a connection is kept idle; without effect, for it is 30 s.")
      .at_least(1000);
}

void check_url(json::Fields& field, std::string_view member, const std::string& url) {
  if (!field.reading() || url.empty()) return;
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  field.check(known, member, "must begin with http:// or https://");
}

const std::string* find_field(const OutboundFields& fields, std::string_view name) {
  const auto found = std::ranges::find_if(
      fields, [name](const auto& field) { return equals_ignoring_case(field.first, name); });
  return found == fields.end() ? nullptr : &found->second;
}

bool describes_body(std::string_view name) {
  constexpr std::string_view names[]{"Content-Length", "Transfer-Encoding", "Content-Encoding",
                                     "Content-Type",   "Connection",        "Trailer"};
  return std::ranges::any_of(names, [name](std::string_view one) { return equals_ignoring_case(one, name); });
}

std::string form_of(const OutboundFields& arguments) {
  std::string text;
  for (const auto& [name, value] : arguments) {
    if (!text.empty()) text.push_back('&');
    percent_encode(name, text);
    text.push_back('=');
    percent_encode(value, text);
  }
  return text;
}

void add_argument(std::string& url, std::string_view name, std::string_view value) {
  url += url.contains('?') ? '&' : '?';
  percent_encode(name, url);
  url += '=';
  percent_encode(value, url);
}

}  // namespace sluice::plugin
