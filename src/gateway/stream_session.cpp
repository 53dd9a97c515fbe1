// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_session.h"

#include <charconv>

#include "base/log.h"
#include "gateway/client_certificate.h"
#include "gateway/stream_routes.h"
#include "gateway/stream_upstream.h"
#include "gateway/streams.h"
#include "gateway/worker.h"
#include "net/tls_facts.h"
#include "plugin/stream_side.h"

namespace sluice::gateway {

using plugin::Exchange;
using plugin::Phase;
using plugin::Plugin;

// What one connection holds on to, in the order in which it is let go.
struct ServingStream {
  explicit ServingStream(StreamSession& session)
      : worker(session.worker_),
        pinned(worker.pin()),
        side(plugin::Transport::tcp, session.accepted_.stream.get()),
        x(worker, session.accepted_.peer, session.accepted_.local),
        upstream(x, worker) {
    x.stream = &side;
    x.config = pinned->snapshot;
    x.connection_number = session.number_;
    x.started_wall = worker.loop.wall();
    x.set_remote(x.client);
    x.client_text = x.remote_text;
    x.proxy_header = session.proxy_header_.get();
    if (x.proxy_header != nullptr && x.proxy_header->ends) x.set_remote(x.proxy_header->ends->source);
    upstream.send_proxy_header(session.port_->at.proxy_protocol_to_upstream);
    char port[5];
    x.server_port_text = x.arena.copy({port, std::to_chars(port, port + sizeof port, x.server.port).ptr});
    x.tls = session.accepted_.stream->tls();
    side.listen_address = session.port_->text;
  }
  ServingStream(const ServingStream&) = delete;
  // Also when the frame is destroyed on the way: what was begun is logged.
  ~ServingStream() {
    side.received = side.upstream_sent = relayed.up;
    side.sent = side.upstream_received = relayed.down;
    x.response_size = side.sent;
    x.request_size = side.received;
    if (chain != nullptr) gateway::run(*chain, Phase::stream_log, &Plugin::stream_log, x);
    upstream.finish();
    worker.unpin(pinned);
  }

  Worker& worker;
  Pinned* pinned;
  plugin::StreamSide side;
  Exchange x;
  StreamUpstream upstream;
  const Chain* chain = nullptr;
  Relayed relayed;
};

namespace {

const StreamRoute* match(ServingStream& s) {
  const auto* routes = s.pinned->snapshot->streams.get();
  if (routes == nullptr) return nullptr;
  const std::string_view name = s.x.tls == nullptr ? std::string_view() : s.x.tls->server_name();
  return routes->match({s.x.server, s.x.remote.address, name});
}

// What a plugin chose, else the route's upstream.
const Destination* destination_of(const ServingStream& s, const RouteTarget& target) {
  if (s.x.chosen.plugin == nullptr) return s.pinned->snapshot->destination(target);
  const Way* way = s.chain->way(s.x.chosen);
  return way == nullptr ? nullptr : s.pinned->snapshot->destination(*way);
}

// Whether a certificate is wanted of the client, and it has shown none that is good here.
bool is_unknown_client(ServingStream& s) {
  const CertificateNames& certificates = s.pinned->snapshot->certificates;
  if (s.x.tls == nullptr || !certificates.any_asks()) return false;
  const std::string& unnamed = s.worker.settings().fallback_server_name;
  s.x.request.host = s.x.tls->server_name().empty() ? std::string_view(unnamed) : s.x.tls->server_name();
  return !client_may_ask(s.x, certificates, unnamed);
}

void tell_end(const ServingStream& s, const StreamPort& port) {
  if (s.relayed.end == Relayed::End::closed) return;
  constexpr std::string_view why[] = {"", "the client broke the connection",
                                      "the upstream broke the connection",
                                      "neither side said anything for the upstream's timeout"};
  log::info("{} to {}: {}", s.x.client.text(), port.text, why[static_cast<std::size_t>(s.relayed.end)]);
}

}  // namespace

StreamSession::StreamSession(Streams& owner, Worker& worker, std::shared_ptr<const StreamPort> port,
                             net::Accepted accepted, std::uint64_t number)
    : owner_(owner),
      worker_(worker),
      port_(std::move(port)),
      accepted_(std::move(accepted)),
      number_(number) {}

async::Task<> StreamSession::run() {
  const Instant deadline = after(worker_.loop.now(), worker_.settings().server.header_timeout);
  bool ready = true;
  if (port_->at.proxy_protocol) ready = co_await take_proxy_header(deadline);
  if (ready && port_->tls != nullptr) ready = co_await accept_tls(deadline);
  if (ready) co_await serve();
  owner_.ended(*this);
}

async::Task<bool> StreamSession::take_proxy_header(Instant deadline) {
  auto taken = co_await net::take_proxy_header(*accepted_.stream, deadline);
  if (!taken) {
    log::info("{} to {}: {}; the port takes connections of proxies that speak the PROXY protocol",
              accepted_.peer.text(), port_->text, taken.error().what);
    co_return false;
  }
  proxy_header_ = std::make_unique<const net::ProxyHeader>(*taken);
  co_return true;
}

async::Task<bool> StreamSession::accept_tls(Instant deadline) {
  auto secured = co_await net::tls_accept(port_->tls, worker_, std::move(accepted_.stream), deadline);
  if (!secured) {
    log::info("{}: {}", accepted_.peer.text(), secured.error().what);
    co_return false;
  }
  accepted_.stream = std::move(*secured);
  co_return true;
}

// Every way a connection can end is a return in this function.
async::Task<> StreamSession::serve() {
  ServingStream s(*this);
  Exchange& x = s.x;
  x.response.status = 200;
  const auto ended_with = [&x](int status) { x.response.status = status; };
  if (is_unknown_client(s)) co_return ended_with(403);
  const StreamRoute* route = match(s);
  if (route == nullptr) {
    log::info("{} to {}: no stream route takes the connection; it is closed", x.client.text(), port_->text);
    co_return ended_with(404);
  }
  const RouteTarget& target = *route->target;
  x.route = &target.info;
  s.chain = &target.chain;
  if (target.refusal != 0) co_return ended_with(target.refusal);
  auto verdict = co_await gateway::run(*s.chain, Phase::preread, &Plugin::preread, x);
  if (verdict != nullptr) {
    log::info("{} to {}: refused with {} by a plugin of stream route {}", x.client.text(), port_->text,
              verdict->status, target.info.id);
    co_return ended_with(verdict->status);
  }
  const Destination* destination = destination_of(s, target);
  if (destination == nullptr) {
    log::error("{} to {}: stream route {} has no upstream", x.client.text(), port_->text, target.info.id);
    co_return ended_with(503);
  }
  auto connected = co_await s.upstream.connect(*destination);
  if (!connected) co_return ended_with(connected.error());
  const auto peer = std::move(*connected);
  co_await relay(*accepted_.stream, *peer, s.upstream.relay_options(), s.side.take_first(), {}, s.relayed);
  tell_end(s, *port_);
}

}  // namespace sluice::gateway
