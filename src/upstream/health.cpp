// SPDX-License-Identifier: Apache-2.0
#include "upstream/health.h"

#include <algorithm>

namespace sluice::upstream {
namespace {

std::atomic<std::uint64_t> usability_changes{0};

constexpr unsigned shift_of(HealthEvent event) { return static_cast<unsigned>(event) * 8; }
constexpr std::uint64_t success_bits = 0xFF;
constexpr std::uint64_t failure_bits = 0xFFFFFF00;
constexpr std::uint64_t counter_bits = 0xFFFFFFFF;

std::uint8_t limit_of(HealthEvent event, const HealthThresholds& thresholds) {
  switch (event) {
    case HealthEvent::success:
      return thresholds.successes;
    case HealthEvent::http_failure:
      return thresholds.http_failures;
    case HealthEvent::tcp_failure:
      return thresholds.tcp_failures;
    case HealthEvent::timeout:
      return thresholds.timeouts;
  }
  return 0;
}

HealthRules::Statuses statuses_of(const std::vector<std::uint16_t>& list) {
  HealthRules::Statuses statuses;
  for (const std::uint16_t status : list) {
    if (status < statuses.size()) statuses.set(status);
  }
  return statuses;
}

void count_status(HealthState& state, int status, const HealthRules::Statuses& good,
                  const HealthRules::Statuses& bad, const HealthThresholds& thresholds) {
  if (status < 0 || static_cast<std::size_t>(status) >= good.size()) return;
  if (good.test(static_cast<std::size_t>(status))) {
    state.count(HealthEvent::success, thresholds);
  } else if (bad.test(static_cast<std::size_t>(status))) {
    state.count(HealthEvent::http_failure, thresholds);
  }
}

}  // namespace

std::string_view name_of(HealthStatus status) {
  static constexpr std::array<std::string_view, 4> names = {"healthy", "mostly_healthy", "mostly_unhealthy",
                                                            "unhealthy"};
  return names[static_cast<std::size_t>(status)];
}

HealthState::View HealthState::view() const {
  const std::uint64_t word = word_.load(std::memory_order_relaxed);
  const auto counter = [&](HealthEvent event) { return static_cast<std::uint8_t>(word >> shift_of(event)); };
  return {status_of(word), counter(HealthEvent::success), counter(HealthEvent::http_failure),
          counter(HealthEvent::tcp_failure), counter(HealthEvent::timeout)};
}

bool HealthState::count(HealthEvent event, const HealthThresholds& thresholds) {
  const std::uint8_t limit = limit_of(event, thresholds);
  if (limit == 0) return false;
  const bool success = event == HealthEvent::success;
  const HealthStatus goal = success ? HealthStatus::healthy : HealthStatus::unhealthy;
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  while (true) {
    const HealthStatus status = status_of(word);
    if (status == goal) return false;  // nothing to learn; the steady state writes nothing
    // A success forgets the failures, a failure the successes.
    std::uint64_t counters = word & counter_bits & (success ? success_bits : failure_bits);
    const std::uint64_t counted = std::min<std::uint64_t>((counters >> shift_of(event) & 0xFF) + 1, 0xFF);
    counters = (counters & ~(std::uint64_t{0xFF} << shift_of(event))) | counted << shift_of(event);
    HealthStatus next = status;
    if (counted >= limit) {
      next = goal;
    } else if (status == HealthStatus::healthy) {
      next = HealthStatus::mostly_healthy;
    } else if (status == HealthStatus::unhealthy) {
      next = HealthStatus::mostly_unhealthy;
    }
    const std::uint64_t changed = counters | static_cast<std::uint64_t>(next) << 32;
    if (!word_.compare_exchange_weak(word, changed, std::memory_order_relaxed)) continue;
    const bool flipped = (status <= HealthStatus::mostly_healthy) != (next <= HealthStatus::mostly_healthy);
    if (flipped) usability_changes.fetch_add(1, std::memory_order_relaxed);
    return flipped;
  }
}

std::uint64_t HealthState::changes() { return usability_changes.load(std::memory_order_relaxed); }

HealthRules::HealthRules(const model::Checks& checks)
    : active_healthy(statuses_of(checks.active.healthy.http_statuses)),
      active_unhealthy(statuses_of(checks.active.unhealthy.http_statuses)),
      active{checks.active.healthy.successes, checks.active.unhealthy.http_failures,
             checks.active.unhealthy.tcp_failures, checks.active.unhealthy.timeouts},
      has_passive(checks.passive.has_value()) {
  if (!has_passive) return;
  passive_healthy = statuses_of(checks.passive->healthy.http_statuses);
  passive_unhealthy = statuses_of(checks.passive->unhealthy.http_statuses);
  passive = {checks.passive->healthy.successes, checks.passive->unhealthy.http_failures,
             checks.passive->unhealthy.tcp_failures, checks.passive->unhealthy.timeouts};
  passive_http = checks.passive->type != model::CheckType::tcp;
}

void PeerHealth::report_status(int status) const {
  if (!rules_->has_passive || !rules_->passive_http) return;
  count_status(*state_, status, rules_->passive_healthy, rules_->passive_unhealthy, rules_->passive);
}

void PeerHealth::report(HealthEvent event) const {
  if (rules_->has_passive) state_->count(event, rules_->passive);
}

void PeerHealth::probed_status(int status) const {
  count_status(*state_, status, rules_->active_healthy, rules_->active_unhealthy, rules_->active);
}

std::shared_ptr<HealthState> HealthTable::state(std::string_view checker, const Endpoint& server,
                                                std::string_view host) {
  std::string key(checker);
  key.append("|").append(server.text()).append("|").append(host);
  auto& place = states_[key];
  auto state = place.lock();
  if (state) return state;
  state = std::make_shared<HealthState>();
  place = state;
  if (states_.size() >= sweep_at_) {
    std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, states_.size() * 2);
  }
  return state;
}

}  // namespace sluice::upstream
