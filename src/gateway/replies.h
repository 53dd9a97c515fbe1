// SPDX-License-Identifier: Apache-2.0
// Answers the gateway makes itself: what is said when no route matches or a route leads nowhere, and how a
// reply of a plugin becomes the response of an exchange. Worker threads.
#pragma once
#include "plugin/exchange.h"

namespace sluice::gateway {

// nginx's number for a client that left before its answer; never sent, but logged.
inline constexpr int status_client_gone = 499;

// The status for what the network did: 4xx for the client's fault, else 502 or 504.
int status_of(const Error& error);

// 404 in APISIX's words.
plugin::Verdict no_route();
// For a route that leads nowhere: its upstream was removed (502) or it never named one (503).
plugin::Verdict no_upstream(const class RouteTarget& target);
// Makes `reply` the exchange's response; its bytes move into the arena.
void use_reply(plugin::Exchange& x, const http::Reply& reply);

// X-APISIX-Upstream-Status: what every peer asked has answered, when the last said 5xx or `always`.
void tell_upstream_status(plugin::Exchange& x, bool always);

}  // namespace sluice::gateway
