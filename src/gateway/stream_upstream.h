// SPDX-License-Identifier: Apache-2.0
// The upstream's side of one connection below HTTP: picks a peer, connects to it, over TLS where the upstream
// says so, and tries another while none of the client's bytes has been sent. Lives in the frame that serves
// the connection.
#pragma once
#include <memory>

#include "gateway/peer_choice.h"
#include "gateway/relay.h"
#include "net/proxy_protocol.h"

namespace sluice::gateway {

class StreamUpstream {
 public:
  StreamUpstream(plugin::Exchange& x, Worker& worker) : x_(x), worker_(worker), choice_(x, worker) {}

  // The stream to a peer, or the status of the failure, which has been logged.
  async::Task<std::expected<std::unique_ptr<net::Stream>, int>> connect(const Destination& destination);
  // A peer is told first whose connection it gets, by the PROXY protocol.
  void send_proxy_header(net::ProxyVersion version) { proxy_version_ = version; }
  RelayOptions relay_options() const;
  // The connection has ended.
  void finish() { choice_.finish(x_.upstream.connect_time); }

 private:
  std::string proxy_header(net::ProxyVersion version) const;
  async::Task<Result<std::unique_ptr<net::Stream>>> connect_to(const upstream::Peer& peer);
  std::string tls_name(const upstream::Peer& peer) const;
  Error explained(Error error) const;

  plugin::Exchange& x_;
  Worker& worker_;
  PeerChoice choice_;
  const upstream::Upstream* upstream_ = nullptr;
  std::optional<net::ProxyVersion> proxy_version_;
};

}  // namespace sluice::gateway
