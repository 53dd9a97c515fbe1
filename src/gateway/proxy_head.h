// SPDX-License-Identifier: Apache-2.0
// The head of a request as the upstream gets it: the client's fields less the hop-by-hop ones, the Host that
// pass_host asks for, and who the client is (X-Real-IP, X-Forwarded-*).
#pragma once
#include <string_view>

#include "net/buffer.h"
#include "plugin/exchange.h"
#include "upstream/upstream.h"

namespace sluice::gateway {

// The Host field for `peer`.
std::string_view upstream_host(const plugin::Exchange& x, const upstream::Upstream& upstream,
                               const upstream::Peer& peer);
void write_proxy_head(plugin::Exchange& x, const upstream::Upstream& upstream, const upstream::Peer& peer,
                      bool websocket, net::Buffer& out);

}  // namespace sluice::gateway
