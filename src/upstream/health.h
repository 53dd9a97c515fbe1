// SPDX-License-Identifier: Apache-2.0
// Whether a server may be asked. One word of atomics a server holds its state and its four counters; workers
// report what they saw straight into it, the active checker on the control thread does the same, and a
// balancer reads it with one load. The word is found by checker and address and outlives edits of the
// upstream; the rules (thresholds, status lists) come with each version of the configuration.
#pragma once
#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "model/upstream.h"

namespace sluice::upstream {

enum class HealthStatus : std::uint8_t { healthy, mostly_healthy, mostly_unhealthy, unhealthy };
std::string_view name_of(HealthStatus status);

enum class HealthEvent : std::uint8_t { success, http_failure, tcp_failure, timeout };

// A threshold of 0 switches its counter off.
struct HealthThresholds {
  std::uint8_t successes = 0, http_failures = 0, tcp_failures = 0, timeouts = 0;
};

// The word: status and counters; all changes are one compare-and-swap.
class HealthState {
 public:
  struct View {
    HealthStatus status;
    std::uint8_t successes, http_failures, tcp_failures, timeouts;
  };
  View view() const;
  bool usable() const {
    return status_of(word_.load(std::memory_order_relaxed)) <= HealthStatus::mostly_healthy;
  }
  // Says whether the server became usable or stopped being so.
  bool count(HealthEvent event, const HealthThresholds& thresholds);
  // How often any server's usability changed in this process; tells that a list of peers is out of date.
  static std::uint64_t changes();

 private:
  static HealthStatus status_of(std::uint64_t word) { return static_cast<HealthStatus>(word >> 32 & 0xFF); }
  std::atomic<std::uint64_t> word_{0};  // healthy, all counters 0
};

// The rules of one upstream's checks, compiled. Immutable.
struct HealthRules {
  explicit HealthRules(const model::Checks& checks);
  using Statuses = std::bitset<600>;
  Statuses active_healthy, active_unhealthy, passive_healthy, passive_unhealthy;
  HealthThresholds active, passive;
  bool has_passive = false;
  bool passive_http = true;  // statuses count
};

// One server's health as a snapshot's peer sees it. Any thread.
class PeerHealth {
 public:
  PeerHealth(std::shared_ptr<HealthState> state, std::shared_ptr<const HealthRules> rules)
      : state_(std::move(state)), rules_(std::move(rules)) {}

  bool usable() const { return state_->usable(); }
  HealthState& state() const { return *state_; }
  const HealthRules& rules() const { return *rules_; }

  // What a worker saw while proxying: a response with that status, or none because of `event`.
  void report_status(int status) const;
  void report(HealthEvent event) const;
  // What the active checker saw.
  void probed_status(int status) const;
  void probed(HealthEvent event) const { state_->count(event, rules_->active); }

 private:
  std::shared_ptr<HealthState> state_;
  std::shared_ptr<const HealthRules> rules_;
};

// All health states, found by checker ("upstreams/1") and server. Control thread.
class HealthTable {
 public:
  // The state for that server, healthy when it is new. It is forgotten when nobody holds it any more.
  std::shared_ptr<HealthState> state(std::string_view checker, const Endpoint& server, std::string_view host);

 private:
  std::map<std::string, std::weak_ptr<HealthState>, std::less<>> states_;
  std::size_t sweep_at_ = 64;
};

}  // namespace sluice::upstream
