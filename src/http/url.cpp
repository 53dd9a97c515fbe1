// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <algorithm>

#include "base/address.h"

namespace sluice::http {

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) url.secure = true, text.remove_prefix(8);
  else if (text.starts_with("http://")) text.remove_prefix(7);
  else return std::nullopt;
  const std::size_t slash = std::min(text.find_first_of("/?"), text.size());
  const auto parts = split_host_port(text.substr(0, slash));
  if (!parts || text.substr(0, slash).find('@') != std::string_view::npos) return std::nullopt;
  url.authority = text.substr(0, slash);
  url.host = parts->host;
  url.port = parts->port.value_or(url.secure ? 443 : 80);
  url.target = text.substr(slash);
  if (url.target.empty() || url.target.front() == '?') url.target.insert(0, "/");
  return url;
}

}  // namespace sluice::http
