// SPDX-License-Identifier: Apache-2.0
// Which peers of an upstream one exchange is sent to, one after the other: asks the balancer, remembers who
// was tried, and tells balancer and health checks how it went. Lives in the frame that serves the exchange.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "gateway/snapshot.h"
#include "plugin/exchange.h"

namespace sluice::gateway {

class Worker;

class PeerChoice {
 public:
  PeerChoice(plugin::Exchange& x, Worker& worker) : x_(x), worker_(worker) {}
  PeerChoice(const PeerChoice&) = delete;
  ~PeerChoice() { finish(Duration(-1)); }

  void begin(const Destination& destination);
  // A peer not tried yet; null when none is left, or there have been enough, or it is too late for another.
  const upstream::Peer* pick();
  // The connection to the picked peer was made, or not; passive checks are told.
  void connected(const upstream::Peer& peer, const Result<>& outcome);
  // What was begun with the last peer has ended; `latency` is negative when it failed.
  void finish(Duration latency);
  std::size_t tried() const { return tried_count_; }

 private:
  std::uint32_t hash_key() const;
  bool may_go_on() const;
  void note(const upstream::Peer& peer);

  plugin::Exchange& x_;
  Worker& worker_;
  const Destination* destination_ = nullptr;
  const upstream::Upstream* upstream_ = nullptr;
  const upstream::Peer* peer_ = nullptr;
  const upstream::Peer** tried_ = nullptr;  // in the arena
  std::size_t tried_count_ = 0;
  Instant begun_{};
  bool in_flight_ = false;  // the balancer was told that something began
};

}  // namespace sluice::gateway
