// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_serving.h"

#include <charconv>

#include "base/log.h"
#include "gateway/client_certificate.h"
#include "gateway/worker.h"
#include "net/tls_facts.h"

namespace sluice::gateway {
namespace {

using plugin::Exchange;
using plugin::Phase;
using plugin::Plugin;

const StreamRoute* match(const StreamServing& s) {
  const auto* routes = s.pinned->snapshot->streams.get();
  if (routes == nullptr) return nullptr;
  const std::string_view name = s.x.tls == nullptr ? std::string_view() : s.x.tls->server_name();
  return routes->match({s.x.server, s.x.remote.address, name});
}

// What a plugin chose, else the route's upstream.
const Destination* chosen(const StreamServing& s, const RouteTarget& target) {
  if (s.x.chosen.plugin == nullptr) return s.pinned->snapshot->destination(target);
  const Way* way = s.chain->way(s.x.chosen);
  return way == nullptr ? nullptr : s.pinned->snapshot->destination(*way);
}

// Whether a certificate is wanted of the client, and it has shown none that is good here.
bool is_unknown_client(StreamServing& s) {
  const CertificateNames& certificates = s.pinned->snapshot->certificates;
  if (s.x.tls == nullptr || !certificates.any_asks()) return false;
  const std::string& unnamed = s.worker.settings().fallback_server_name;
  s.x.request.host = s.x.tls->server_name().empty() ? std::string_view(unnamed) : s.x.tls->server_name();
  return !client_may_ask(s.x, certificates, unnamed);
}

}  // namespace

StreamServing::StreamServing(Worker& the_worker, const From& from)
    : worker(the_worker),
      pinned(the_worker.pin()),
      side(from.transport, from.stream),
      x(the_worker, from.client, from.server) {
  x.stream = &side;
  x.config = pinned->snapshot;
  x.connection_number = from.number;
  x.started = from.started;
  x.proxy_header = from.proxy_header;
  x.started_wall = worker.loop.wall();
  x.set_remote(x.client);
  x.client_text = x.remote_text;
  char port[5];
  const auto end = std::to_chars(port, port + sizeof port, x.server.port).ptr;
  x.server_port_text = x.arena.copy({port, static_cast<std::size_t>(end - port)});
  if (from.stream != nullptr) x.tls = from.stream->tls();
  x.response.status = 200;
  side.listen_address = from.port;
}

StreamServing::~StreamServing() {
  x.request_size = side.received;
  x.response_size = side.sent;
  x.upstream.bytes_received = side.upstream_received;
  x.upstream.bytes_sent = side.upstream_sent;
  if (chain != nullptr) gateway::run(*chain, Phase::stream_log, &Plugin::stream_log, x);
  worker.stream_log().write(x);
  worker.unpin(pinned);
}

async::Task<std::expected<const Destination*, int>> destination_of(StreamServing& s) {
  Exchange& x = s.x;
  if (is_unknown_client(s)) co_return std::unexpected(403);
  const StreamRoute* route = match(s);
  if (route == nullptr) {
    log::info("{} to {}: no stream route takes it", x.client.text(), s.side.listen_address);
    co_return std::unexpected(404);
  }
  const RouteTarget& target = *route->target;
  x.route = &target.info;
  s.chain = &target.chain;
  if (target.refusal != 0) co_return std::unexpected(target.refusal);
  auto verdict = co_await gateway::run(*s.chain, Phase::preread, &Plugin::preread, x);
  if (verdict != nullptr) {
    log::info("{} to {}: refused with {} by a plugin of stream route {}", x.client.text(),
              s.side.listen_address, verdict->status, target.info.id);
    co_return std::unexpected(verdict->status);
  }
  const Destination* destination = chosen(s, target);
  if (destination == nullptr) {
    log::error("{} to {}: stream route {} has no upstream", x.client.text(), s.side.listen_address,
               target.info.id);
    co_return std::unexpected(503);
  }
  co_return destination;
}

}  // namespace sluice::gateway
