// SPDX-License-Identifier: Apache-2.0
// A route as the operator writes it: which requests it takes, what is done with them and where they go; and
// the service, which holds what several routes share. Values of the Admin API's bodies, read once and
// compiled into a snapshot; nobody keeps 100,000 of them. Any thread.
#pragma once
#include <optional>

#include "model/upstream.h"

namespace sluice::model {

struct Route : Common {
  std::string uri;  // this or uris
  std::vector<std::string> uris;
  std::int32_t priority = 0;
  std::vector<std::string> methods;  // empty: all
  std::string host;                  // this or hosts
  std::vector<std::string> hosts;
  std::string remote_addr;  // this or remote_addrs
  std::vector<std::string> remote_addrs;
  json::Value vars;                // an expression; null: none
  std::optional<Timeout> timeout;  // above the upstream's
  PluginConfigs plugins;
  Id plugin_config_id;
  std::optional<Upstream> upstream;
  Id upstream_id;
  Id service_id;
  std::optional<bool> enable_websocket;
  std::int32_t status = 1;  // 0: not routed
  void describe(json::Fields& field);

 private:
  void describe_match(json::Fields& field);
  void describe_target(json::Fields& field);
  void check_together(json::Fields& field) const;
};

struct Service : Common {
  PluginConfigs plugins;
  std::optional<Upstream> upstream;
  Id upstream_id;
  std::optional<bool> enable_websocket;
  std::vector<std::string> hosts;
  void describe(json::Fields& field);
};

}  // namespace sluice::model
