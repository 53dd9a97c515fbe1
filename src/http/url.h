// SPDX-License-Identifier: Apache-2.0
// A URL taken apart, for requests of the gateway's own. Userinfo is refused: credentials belong into headers.
// Plain values, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

struct Url {
  bool secure = false;
  std::string host;       // without port and brackets
  std::uint16_t port = 80;
  std::string authority;  // as written
  std::string target;     // path and query, "/" at least
};

std::optional<Url> parse_url(std::string_view text);

}  // namespace sluice::http
