// SPDX-License-Identifier: Apache-2.0
// What an exchange may know of the published configuration: the route it matched, the consumer it belongs to,
// and the snapshot both come from. All of it is immutable and pinned while the exchange lives.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/value.h"
#include "model/upstream.h"

namespace sluice::plugin {

// Names for variables, metrics and logs.
struct RouteInfo {
  std::string id, name, service_id, service_name;
};

struct Consumer {
  std::string name;      // username
  std::string credential_id;  // of the credential it is known by; empty: by its own
  std::string group_id;
  std::string custom_id;
  std::vector<std::pair<std::string, std::string>> labels;
  std::uint64_t revision = 0;
  int refusal = 0;  // a status that answers its requests: its group does not exist
  // Compiled consumer configs of authenticating plugins, by type index.
  std::vector<std::pair<std::uint16_t, std::shared_ptr<const void>>> auth;

  template <class T>
  const T* config(std::uint16_t type) const {
    for (const auto& [index, value] : auth) {
      if (index == type) return static_cast<const T*>(value.get());
    }
    return nullptr;
  }
};

// An upstream that a plugin may send requests to: by id, or written in its config.
struct UpstreamUse {
  std::string id;
  std::optional<model::Upstream> written;
};

// The snapshot, seen from a plugin.
class ConfigView {
 public:
  virtual ~ConfigView() = default;
  virtual std::uint64_t revision() const = 0;
  virtual const void* metadata(std::uint16_t plugin_type) const = 0;
  virtual const Consumer* consumer_by_credential(std::uint16_t plugin_type,
                                                 std::string_view credential) const = 0;
  virtual const Consumer* consumer_by_name(std::string_view name) const = 0;
};

}  // namespace sluice::plugin
