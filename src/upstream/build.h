// SPDX-License-Identifier: Apache-2.0
// Makes an upstream ready for requests out of what the operator wrote: addresses, pool keys, health states,
// the balancer. Control thread.
#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "upstream/health.h"
#include "upstream/upstream.h"

namespace sluice::upstream {

// The addresses a name has now; null when it is not known (yet).
using Lookup = std::function<const std::vector<IpAddress>*(std::string_view name)>;

struct BuildOptions {
  bool verify = true;  // certificates of https servers, where the upstream does not say
  std::shared_ptr<const net::TrustStore> roots;  // by whom; null: the system's
  std::string checker;            // names the health states: the resource's key
  HealthTable* health = nullptr;  // where the states of servers with checks are kept
};

// `id` names the upstream in logs, `local_key` its worker-local state. Nodes whose name has no address are
// left out.
Result<std::shared_ptr<const Upstream>> build(const model::Upstream& written, std::string id,
                                              std::uint64_t local_key, const Lookup& lookup,
                                              const BuildOptions& options);

// The servers to be probed, as `built` has them.
std::vector<struct HealthTarget> health_targets(const Upstream& built);

// The names that have to be resolved for it.
std::vector<std::string> names_of(const model::Upstream& written);

}  // namespace sluice::upstream
