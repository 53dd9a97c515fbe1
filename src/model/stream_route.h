// SPDX-License-Identifier: Apache-2.0
// Which connections below HTTP go where, as the operator writes it: matched by addresses, port and the name
// asked for in TLS. Values of the Admin API's bodies; any thread.
#pragma once
#include <optional>

#include "model/upstream.h"

namespace sluice::model {

struct StreamRoute : Common {
  std::string remote_addr;  // address or network
  std::string server_addr;
  std::optional<std::uint16_t> server_port;
  std::string sni;
  std::optional<Upstream> upstream;
  Id upstream_id;
  Id service_id;
  PluginConfigs plugins;
  void describe(json::Fields& field);
};

}  // namespace sluice::model
