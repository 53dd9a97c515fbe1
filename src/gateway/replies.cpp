// SPDX-License-Identifier: Apache-2.0
#include "gateway/replies.h"

#include "base/log.h"
#include "gateway/snapshot.h"

namespace sluice::gateway {

int status_of(const Error& error) {
  if (error.fault == Fault::client) {
    switch (error.kind) {
      case ErrorKind::timeout: return 408;
      case ErrorKind::limit: return 413;
      case ErrorKind::protocol: return 400;
      default: return status_client_gone;
    }
  }
  return error.kind == ErrorKind::timeout ? 504 : 502;
}

plugin::Verdict no_route() {
  return plugin::reply_json(404, json::Value::object({{"error_msg", "404 Route Not Found"}}));
}

plugin::Verdict no_upstream(const RouteTarget& target) {
  const bool named = target.slot != RouteTarget::no_slot;
  log::error("route {}: {}", target.info.id,
             named ? "its upstream does not exist" : "neither it nor its service names an upstream");
  return plugin::reply(named ? 502 : 503);
}

void use_reply(plugin::Exchange& x, const http::Reply& reply) {
  x.source = plugin::ResponseSource::gateway;
  if (reply.status == plugin::status_made) return;
  http::Response& response = x.response;
  response.status = reply.status;
  response.reason = {};
  response.headers.clear();
  response.body = nullptr;
  response.content = x.arena.copy(reply.body);
  response.content_length = http::unknown_length;
  if (!reply.content_type.empty()) response.headers.add("Content-Type", reply.content_type);
  else if (!reply.body.empty()) response.headers.add("Content-Type", "text/plain; charset=utf-8");
  for (const auto& [name, value] : reply.headers) response.headers.add(name, value);
}

void tell_upstream_status(plugin::Exchange& x, bool always) {
  if (x.upstream.statuses.empty()) return;
  const bool bad = x.upstream.status >= 500 && x.upstream.status <= 599;
  if (bad || always) x.response.headers.set("X-APISIX-Upstream-Status", x.upstream.statuses);
}

}  // namespace sluice::gateway
