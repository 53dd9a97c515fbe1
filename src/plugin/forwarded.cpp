// SPDX-License-Identifier: Apache-2.0
#include "plugin/forwarded.h"

#include "base/text.h"

namespace sluice::plugin {

std::optional<Endpoint> last_forwarded(std::string_view list, const CidrSet* passed_over) {
  std::optional<Endpoint> found;
  while (!list.empty()) {
    const auto comma = list.rfind(',');
    const std::string_view entry = comma == std::string_view::npos ? list : list.substr(comma + 1);
    const auto endpoint = Endpoint::parse_loosely(trim(entry));
    if (!endpoint) break;
    found = endpoint;
    if (passed_over == nullptr || !passed_over->contains(endpoint->address)) break;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  }
  return found;
}

}  // namespace sluice::plugin
