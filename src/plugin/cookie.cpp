// SPDX-License-Identifier: Apache-2.0
#include "plugin/cookie.h"

#include "base/text.h"

namespace sluice::plugin {

void remove_cookie(Exchange& x, std::string_view name) {
  auto& headers = x.request.headers;
  if (!headers.has(http::HeaderId::cookie)) return;
  std::string kept;
  for (const auto& field : headers) {
    if (field.id != http::HeaderId::cookie) continue;
    for (const std::string_view piece : Split(field.value, ';')) {
      const std::string_view cookie = trim(piece);
      if (cookie.empty() || cookie.substr(0, cookie.find('=')) == name) continue;
      kept.append(kept.empty() ? "" : "; ").append(cookie);
    }
  }
  if (kept.empty()) headers.remove(http::HeaderId::cookie);
  else headers.set(http::HeaderId::cookie, "Cookie", kept);
}

}  // namespace sluice::plugin
