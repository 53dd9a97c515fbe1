// SPDX-License-Identifier: Apache-2.0
// The head of a request as the upstream gets it: the client's fields less the hop-by-hop ones, the Host that
// pass_host asks for, and who the client is (X-Real-IP, X-Forwarded-*).
#pragma once
#include <string_view>

#include "http/http2_fields.h"
#include "net/buffer.h"
#include "plugin/exchange.h"
#include "upstream/upstream.h"

namespace sluice::gateway {

// The Host field for `peer`.
std::string_view upstream_host(const plugin::Exchange& x, const upstream::Upstream& upstream,
                               const upstream::Peer& peer);
void write_proxy_head(plugin::Exchange& x, const upstream::Upstream& upstream, const upstream::Peer& peer,
                      bool websocket, net::Buffer& out);
// The same for HTTP/2. `fields` has room for what the request has and for `proxy_fields_max` more.
inline constexpr std::size_t proxy_fields_max = 12;
void add_proxy_fields(plugin::Exchange& x, const upstream::Upstream& upstream, const upstream::Peer& peer,
                      http::Http2Fields& fields);

}  // namespace sluice::gateway
