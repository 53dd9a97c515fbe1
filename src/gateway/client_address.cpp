// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_address.h"

#include "plugin/forwarded.h"

namespace sluice::gateway {

void find_client_address(plugin::Exchange& x, const Settings& settings) {
  x.trusted_client = settings.has_trusted && settings.trusted.contains(x.client.address);
  x.forwarded_reset = settings.has_trusted && !x.trusted_client;
  if (settings.real_ip_from.contains(x.client.address)) {
    if (const auto list = x.request.headers.joined(settings.real_ip_header)) {
      const auto* passed_over = settings.real_ip_recursive ? &settings.real_ip_from : nullptr;
      if (const auto found = plugin::last_forwarded(*list, passed_over)) x.set_remote(*found);
    }
  }
}

}  // namespace sluice::gateway
