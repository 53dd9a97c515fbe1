// SPDX-License-Identifier: Apache-2.0
// One thread that serves requests: its loop, listeners, sessions, pools of upstream connections, and the
// snapshot it works by. Everything here is touched on its own thread only, except `loop.post`.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "gateway/access_log.h"
#include "gateway/datagrams.h"
#include "gateway/settings.h"
#include "gateway/snapshot.h"
#include "gateway/streams.h"
#include "net/network.h"
#include "net/tls_front.h"
#include "net/tls_sessions.h"
#include "plugin/worker.h"
#include "upstream/http2_pool.h"
#include "upstream/pool.h"

namespace sluice::gateway {

class Session;

// A snapshot on one worker: how many exchanges hold it, and the chains of consumers met so far.
struct Pinned {
  const Snapshot* snapshot = nullptr;
  std::uint32_t exchanges = 0;
  struct Pair {
    const RouteTarget* target;
    const plugin::Consumer* consumer;
    bool operator==(const Pair&) const = default;
  };
  struct PairHash {
    std::size_t operator()(const Pair& pair) const {
      return combine_hashes(reinterpret_cast<std::uintptr_t>(pair.target),
                            reinterpret_cast<std::uintptr_t>(pair.consumer));
    }
  };
  std::unordered_map<Pair, Chain, PairHash> consumer_chains;
};

// What a worker counts for itself; read on its thread.
struct WorkerCounters {
  std::uint64_t accepted = 0, handled = 0, requests = 0, active = 0, waiting = 0;
};

class Worker final : public plugin::Worker, public net::Certificates {
 public:
  // `retired` is called when no exchange of this worker holds a replaced snapshot any more.
  using OnRetired = std::function<void(const Snapshot*)>;
  Worker(async::Loop& loop, unsigned number, net::Network& network, const Settings& settings,
         OnRetired retired);
  ~Worker() override;

  // Takes connections from now on; with `tls`, by its handshakes.
  Result<> listen(const ListenAddress& at, net::ListenOptions options,
                  std::shared_ptr<const net::TlsFront> tls = nullptr);
  void stop_listening() {
    listeners_.clear();
    streams_.stop_listening();
  }
  Streams& streams() { return streams_; }
  Datagrams& datagrams() { return datagrams_; }
  // Takes no more connections; those there are end behind their next response, which says so. `drained` is
  // called when the last is gone.
  void drain(std::function<void()> drained);
  // Hangs up on the connections that no request is on.
  void close_idle();
  // Works by `snapshot` from the next exchange on.
  void adopt(const Snapshot* snapshot);

  async::Task<Result<plugin::OutboundReply>> ask(plugin::Outbound request) override;
  async::Task<Result<std::unique_ptr<net::Stream>>> connect(plugin::ConnectTo to) override;
  async::Task<Result<std::unique_ptr<net::DatagramSocket>>> connect_datagrams(
      plugin::ConnectTo to) override;
  // One address of a name. `resolver` is set by main/.
  using Resolver = std::function<async::Task<Result<IpAddress>>(std::string name, Instant deadline)>;
  void set_resolver(Resolver resolver) { resolver_ = std::move(resolver); }
  async::Task<Result<IpAddress>> resolve(const std::string& name, Instant deadline);

  // ---- net::Certificates ----
  std::shared_ptr<const net::TlsContext> find(std::string_view server_name) override;
  void ask_responder(std::shared_ptr<net::OcspStaple> staple) override;

  // ---- for sessions ----
  Pinned* pin();
  void unpin(Pinned* pinned);
  // The route's chain under what the consumer brings; kept for the next request as long as there is room.
  const Chain& chain_for(Pinned& pinned, const RouteTarget& target, const plugin::Consumer& consumer,
                         Arena& arena);
  void ended(Session& session);
  // A port for proxies was used by somebody who is none; said once a second at most.
  void tell_no_proxy_header(const Endpoint& client, std::string_view port, const Error& error);
  void stream_ended() { look_whether_drained(); }
  bool draining() const { return draining_; }
  bool has_snapshot() const { return current_ != nullptr; }

  net::Network& network() { return network_; }
  const Settings& settings() const { return settings_; }
  upstream::Pool& pool() { return pool_; }
  upstream::Http2Pool& http2_pool() { return http2_pool_; }
  std::unique_ptr<upstream::BalancerState>& balancer_state(std::uint64_t local_key) {
    const bool full = balancers_.size() >= balancers_max && !balancers_.contains(local_key);
    if (full) balancers_.clear();  // mostly of upstreams long gone
    return balancers_[local_key];
  }
  AccessLog& access_log() { return access_log_; }
  AccessLog& stream_log() { return stream_log_; }
  // Sessions with servers, to come back to.
  const std::shared_ptr<net::TlsSessions>& tls_sessions() const { return tls_sessions_; }
  // For requests of the gateway's own.
  std::shared_ptr<const net::TlsContext> outbound_tls(bool verify);
  WorkerCounters counters;

 private:
  static constexpr std::size_t balancers_max = 65'536;
  static constexpr std::size_t consumer_chains_max = 65'536;
  void take(net::Accepted accepted, bool proxy_protocol, const std::shared_ptr<const net::TlsFront>& tls);
  void refuse_connection(net::Accepted accepted);
  async::Task<Result<Endpoint>> endpoint_of(plugin::ConnectTo to);
  async::Task<> fetch_staple(std::shared_ptr<net::OcspStaple> staple);
  void look_whether_drained();

  net::Network& network_;
  const Settings& settings_;
  OnRetired retired_;
  Resolver resolver_;
  std::shared_ptr<net::TlsSessions> tls_sessions_ = std::make_shared<net::TlsSessions>();
  std::shared_ptr<const net::TlsContext> outbound_tls_[2];  // made on first use
  upstream::Pool pool_;
  upstream::Http2Pool http2_pool_;
  AccessLog access_log_, stream_log_;
  std::unordered_map<std::uint64_t, std::unique_ptr<upstream::BalancerState>> balancers_;
  std::unique_ptr<Pinned> current_;
  std::vector<std::unique_ptr<Pinned>> replaced_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<Session>> sessions_;
  Streams streams_{*this};
  Datagrams datagrams_{*this};
  bool draining_ = false;
  std::function<void()> drained_;
  Instant unknown_name_told_{};  // when the log last named a host that has no certificate
  Instant no_proxy_header_told_{};
  std::vector<std::unique_ptr<async::Child>> fetching_;  // answers of OCSP responders; last: destroyed first
};

}  // namespace sluice::gateway
