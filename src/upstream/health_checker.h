// SPDX-License-Identifier: Apache-2.0
// The active side of health checks: asks each server of the upstreams that have checks, at their intervals,
// and counts the answers in the servers' health states. Runs on the control thread's loop, from the moment an
// upstream is published. An edit that leaves an upstream's servers and checks alone disturbs nothing; what is
// removed stops, and answers still under way are dropped.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "json/value.h"
#include "model/upstream.h"
#include "net/network.h"
#include "net/tls.h"
#include "upstream/health.h"

namespace sluice::upstream {

// A server to be asked.
struct HealthTarget {
  Endpoint endpoint;
  std::string host;  // as the operator wrote it
  std::shared_ptr<PeerHealth> health;
};

// One upstream whose servers are checked.
struct HealthSubject {
  std::string name;  // "/apisix/upstreams/1": also the key
  model::ActiveCheck check;
  std::vector<HealthTarget> targets;
  std::shared_ptr<const net::TrustStore> roots;  // of https checks; null: the system's
};

class HealthChecker {
 public:
  // `network` outlives the checker, and the checker its loop's last batch.
  HealthChecker(async::Loop& loop, net::Network& network) : loop_(loop), network_(network) {}
  HealthChecker(const HealthChecker&) = delete;
  ~HealthChecker();

  // Begins to check, or goes on with changed servers or rules; the first probes leave at once. An error when
  // the TLS context cannot be made.
  Result<> set(HealthSubject subject);
  void remove(std::string_view name);
  std::size_t size() const { return runs_.size(); }

  // What GET /v1/healthcheck answers: [{"name", "type", "nodes": [{"ip", "port", "hostname", "status",
  // "counter"}]}].
  json::Value report() const;
  // One entry of it; null when nothing of that name is checked.
  json::Value report(std::string_view name) const;

 private:
  class Run;
  async::Loop& loop_;
  net::Network& network_;
  std::map<std::string, std::shared_ptr<Run>, std::less<>> runs_;
};

}  // namespace sluice::upstream
