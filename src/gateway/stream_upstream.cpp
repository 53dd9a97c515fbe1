// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_upstream.h"

#include "base/hash.h"
#include "base/log.h"
#include "gateway/worker.h"
#include "net/proxy_protocol.h"
#include "net/tls_facts.h"
#include "plugin/stream_side.h"

namespace sluice::gateway {
namespace {

// Databases and brokers are silent for longer than HTTP is.
constexpr Duration idle_usual = std::chrono::minutes(10);

}  // namespace

using Connected = std::expected<std::unique_ptr<net::Stream>, int>;

async::Task<Connected> StreamUpstream::connect(const Destination& destination) {
  upstream_ = destination.upstream.get();
  choice_.begin(destination);
  while (const upstream::Peer* peer = choice_.pick()) {
    const Instant attempt = worker_.loop.now();
    auto stream = co_await connect_to(*peer);
    choice_.connected(*peer, stream ? Result<>() : std::unexpected(stream.error()));
    if (stream) {
      x_.stream->upstream_begun = worker_.loop.now();
      x_.upstream.connect_time = x_.stream->upstream_begun - attempt;
      co_return Connected(std::move(*stream));
    }
    choice_.finish(Duration(-1));
    log::warn("{} to {}: upstream {}, {}: {}", x_.client.text(), x_.server.text(), upstream_->id, peer->text,
              stream.error().what);
  }
  if (choice_.tried() > 0) co_return std::unexpected(502);
  log::error("{} to {}: upstream {} has no peer to connect to", x_.client.text(), x_.server.text(),
             upstream_->id);
  co_return std::unexpected(503);
}

RelayOptions StreamUpstream::relay_options() const {
  if (!upstream_->has_timeouts) return {idle_usual, idle_usual};
  return {upstream_->timeouts.read, upstream_->timeouts.send};
}

// The name that the client asked for is asked for again, unless pass_host says otherwise.
std::string StreamUpstream::tls_name(const upstream::Peer& peer) const {
  if (upstream_->pass_host == model::PassHost::rewrite) return upstream_->upstream_host;
  const bool passes = upstream_->pass_host == model::PassHost::pass;
  if (passes && x_.tls != nullptr && !x_.tls->server_name().empty())
    return std::string(x_.tls->server_name());
  return peer.host;
}

Error StreamUpstream::explained(Error error) const {
  if (error.kind != ErrorKind::tls || !upstream_->tls->verifies()) return error;
  error.what +=
      "; its certificate is verified: apisix.ssl.ssl_trusted_certificate names who may sign it, tls.verify "
      "false of the upstream takes any";
  return error;
}

// Where the client connected to is what the proxy in front has said, if there is one.
std::string StreamUpstream::proxy_header(net::ProxyVersion version) const {
  const bool told = x_.proxy_header != nullptr && x_.proxy_header->ends;
  return net::write_proxy_header(version, x_.remote, told ? x_.proxy_header->ends->destination : x_.server);
}

async::Task<Result<std::unique_ptr<net::Stream>>> StreamUpstream::connect_to(const upstream::Peer& peer) {
  const Instant deadline = after(worker_.loop.now(), upstream_->timeouts.connect);
  auto stream = co_await worker_.network().connect(worker_.loop, peer.endpoint, deadline);
  if (stream && proxy_version_) {
    const std::string header = proxy_header(*proxy_version_);
    const ssize_t written = co_await (*stream)->write(header, upstream_->timeouts.send);
    if (written < 0)
      co_return fail(ErrorKind::reset, system_message("sending the PROXY header", static_cast<int>(-written)),
                     Fault::peer);
  }
  if (!stream || !upstream_->secure) co_return stream;
  std::string name = tls_name(peer);
  const std::uint64_t key = combine_hashes(peer.pool_key, hash64(name));
  auto secured = net::tls_connect(upstream_->tls, std::move(*stream), std::move(name), deadline,
                                  {worker_.tls_sessions(), key});
  stream = co_await secured;
  if (!stream) co_return std::unexpected(explained(std::move(stream.error())));
  co_return stream;
}

}  // namespace sluice::gateway
