// SPDX-License-Identifier: Apache-2.0
// An upstream, compiled: its peers, how one is picked, how they are asked. Immutable, made on the control
// thread, read by every worker while a snapshot that holds it is pinned. What changes while requests run (the
// balancer's position, connections, latencies) is worker-local state behind `local_key`, which survives
// edits; health is a shared table of atomics keyed by address.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "model/upstream.h"
#include "net/tls.h"
#include "upstream/pool.h"

namespace sluice::upstream {

struct Timeouts {
  Duration connect = std::chrono::seconds(60);
  Duration send = std::chrono::seconds(60);
  Duration read = std::chrono::seconds(60);
};

class PeerHealth;  // upstream/health.h

// One server.
struct Peer {
  Endpoint endpoint;
  std::string host;      // as the operator wrote it: for pass_host node, TLS names and logs
  std::string authority;  // host and, when it is not the scheme's, port: what pass_host node sends
  std::string text;      // "127.0.0.1:80"
  std::int64_t weight = 1;  // at most 10^12
  std::int32_t priority = 0;
  PoolKey pool_key = 0;
  std::shared_ptr<PeerHealth> health;  // null when the upstream has no checks
};

// Worker-local state of a balancer, made on first use.
class BalancerState {
 public:
  virtual ~BalancerState() = default;
};

struct PickContext {
  std::uint32_t hash = 0;                    // of the request's key, for chash
  std::span<const Peer* const> tried;        // by this request already
  std::unique_ptr<BalancerState>& state;     // of this balancer on this worker
  Instant now;
  std::uint64_t random;
};

class Balancer {
 public:
  virtual ~Balancer() = default;
  // A peer not tried yet; null when none is left. Unhealthy ones are used only while all are unhealthy.
  virtual const Peer* pick(PickContext& context) const = 0;
  // A request to `peer` begins and ends; `latency` is negative when it failed.
  virtual void started(const Peer&, BalancerState&) const {}
  virtual void finished(const Peer&, BalancerState&, Duration /*latency*/, Instant /*now*/) const {}
  // Whether started and finished are wanted.
  virtual bool observes() const { return false; }
};

struct Upstream {
  std::string id;          // "1", or the route's or service's key for a nested one
  std::string name;
  std::uint64_t local_key = 0;  // of worker-local state; stable across edits
  model::Balancer type = model::Balancer::roundrobin;
  model::HashOn hash_on = model::HashOn::vars;
  std::string hash_key;
  bool secure = false;          // https, grpcs
  bool http2 = false;           // grpc, grpcs, or asked for by http_version
  bool grpc = false;
  bool below_http = false;      // tcp, tls, udp: for stream routes, not for requests
  std::shared_ptr<const net::TlsContext> tls;  // when secure, for HTTP/1.1
  std::shared_ptr<const net::TlsContext> tls_http2;  // when both
  model::PassHost pass_host = model::PassHost::pass;
  std::string upstream_host;
  int retries = 0;              // asks after the first
  Duration retry_timeout{};     // zero: no limit
  Timeouts timeouts;
  bool has_timeouts = false;    // the operator wrote them
  KeepAlive keepalive;
  std::vector<Peer> peers;
  std::shared_ptr<const Balancer> balancer;  // refers to `peers`
};

// How `type` picks among `peers`, which outlive it. Control thread.
std::shared_ptr<const Balancer> make_balancer(model::Balancer type, const std::vector<Peer>& peers);

}  // namespace sluice::upstream
