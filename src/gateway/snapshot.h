// SPDX-License-Identifier: Apache-2.0
// One published version of the configuration: what every request of a worker is decided by. Immutable;
// versions share all that did not change. Made and destroyed on the control thread, pinned by workers
// (publisher.h).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/persistent_map.h"
#include "base/persistent_vector.h"
#include "base/slab.h"
#include "gateway/certificates.h"
#include "gateway/chain.h"
#include "gateway/router.h"
#include "gateway/stream_routes.h"
#include "plugin/resources.h"
#include "plugin/template.h"
#include "plugin/variable.h"
#include "upstream/upstream.h"

namespace sluice::gateway {

// An upstream with what picking for a request needs beyond upstream/: where the hash key comes from.
struct Destination {
  std::shared_ptr<const upstream::Upstream> upstream;
  plugin::Variable hash_variable;   // chash on vars, header, cookie
  plugin::Template hash_template;   // chash on vars_combinations
};

// What a route leads to.
class alignas(Slab::line) RouteTarget {
 public:
  static constexpr std::uint32_t no_slot = UINT32_MAX;
  // What every request reads stands in the first cache line.
  std::shared_ptr<const Destination> own;  // of an upstream written into the route or its service
  std::uint32_t slot = no_slot;            // else of an upstream by id: where the snapshot keeps it
  int refusal = 0;  // a status answered at once: what the route refers to does not exist
  bool has_timeouts = false;
  bool websocket = false;
  Chain chain;
  upstream::Timeouts timeouts;  // above the upstream's
  plugin::RouteInfo info;
};

// A consumer and what its plugins bring.
struct ConsumerEntry {
  plugin::Consumer consumer;
  Chain chain;  // the consumer's over its group's
};

class Snapshot final : public plugin::ConfigView {
 public:
  explicit Snapshot(RouterMode mode) : router(mode) {}

  std::uint64_t number = 0;  // of the store's revision
  PersistentVector<std::shared_ptr<const Destination>> destinations;  // upstreams by id, in slots
  Router router;
  std::shared_ptr<const StreamRoutes> streams;  // null: there are none
  CertificateNames certificates;
  Chain global;              // what runs for every request
  int refusal = 0;           // a status that answers every request: a global rule's secrets are not known
  std::vector<std::shared_ptr<const void>> metadata_of;  // by plugin type
  PersistentMap<std::shared_ptr<const ConsumerEntry>> consumers;    // by name
  PersistentMap<std::shared_ptr<const ConsumerEntry>> credentials;  // by plugin type and credential

  std::uint64_t revision() const override { return number; }
  const void* metadata(std::uint16_t plugin_type) const override {
    return plugin_type < metadata_of.size() ? metadata_of[plugin_type].get() : nullptr;
  }
  const plugin::Consumer* consumer_by_credential(std::uint16_t plugin_type,
                                                 std::string_view credential) const override;
  const plugin::Consumer* consumer_by_name(std::string_view name) const override;

  // Where requests of `target` go; null when its upstream does not exist.
  const Destination* destination(const RouteTarget& target) const {
    if (target.own != nullptr) return target.own.get();
    const auto* found = destinations.find(target.slot);
    return found == nullptr ? nullptr : found->get();
  }

  const Destination* destination(const Way& way) const {
    if (way.own != nullptr) return way.own.get();
    const auto* found = destinations.find(way.slot);
    return found == nullptr ? nullptr : found->get();
  }

  static std::string credential_key(std::uint16_t plugin_type, std::string_view credential);
};

}  // namespace sluice::gateway
