// SPDX-License-Identifier: Apache-2.0
// Who the client is: the TCP peer, or, when that is a trusted proxy, whom its header names (nginx's
// real_ip_*), and whether its X-Forwarded-* fields are believed (apisix.trusted_addresses).
#pragma once
#include "gateway/settings.h"
#include "plugin/exchange.h"

namespace sluice::gateway {

void find_client_address(plugin::Exchange& x, const Settings& settings);

}  // namespace sluice::gateway
