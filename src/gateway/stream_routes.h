// SPDX-License-Identifier: Apache-2.0
// Which stream route takes a connection: by the name asked for in TLS (an exact name before a wildcard, a
// longer wildcard before a shorter one, then the routes that name none), and among those in question the
// first by id whose addresses and port fit. Immutable, part of a snapshot; workers ask.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/cidr.h"

namespace sluice::gateway {

class RouteTarget;

struct StreamRoute {
  std::optional<Cidr> remote, server;
  std::optional<std::uint16_t> server_port;
  std::string sni;  // in lower case; "*.test" takes any name below test
  std::shared_ptr<const RouteTarget> target;
};

struct StreamQuestion {
  Endpoint server;  // what the client connected to
  IpAddress client;
  std::string_view server_name;  // asked for in TLS; "" without
};

class StreamRoutes {
 public:
  // In order of id.
  explicit StreamRoutes(const std::vector<std::shared_ptr<const StreamRoute>>& routes);
  // Null when none fits.
  const StreamRoute* match(const StreamQuestion& question) const;
  std::size_t size() const { return routes_.size(); }

 private:
  // Routes of one name, found by port; numbers count in order of id.
  struct Group {
    std::vector<std::uint32_t> of_any_port;
    std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> of_port;
  };
  const StreamRoute* match(const Group& group, const StreamQuestion& question) const;

  std::vector<std::shared_ptr<const StreamRoute>> routes_;
  std::unordered_map<std::string, Group> exact_;
  std::unordered_map<std::string, Group> below_;  // "test" for "*.test"
  Group unnamed_;
};

}  // namespace sluice::gateway
