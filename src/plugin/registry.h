// SPDX-License-Identifier: Apache-2.0
// The plugins this process runs: the list of plugins/list.cpp as config.yaml enables it, by name and by
// number. Made once at start, constant from then on.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/plugin.h"

namespace sluice::plugin {

class Registry {
 public:
  // Numbers every type of `all`; `enabled` names those that run for requests, `stream_enabled` those for
  // connections below HTTP (empty: all); names that are none are passed over.
  Registry(std::span<const PluginType* const> all, const std::vector<std::string>& enabled,
           const std::vector<std::string>& stream_enabled = {});

  // Null when there is none of that name, or it is not enabled.
  const PluginType* find(std::string_view name, Subsystem subsystem = Subsystem::http) const;
  // Enabled ones, in the order they run.
  const std::vector<const PluginType*>& types(Subsystem subsystem = Subsystem::http) const {
    return types_[static_cast<std::size_t>(subsystem)];
  }
  // The endpoints of enabled plugins. `moved` has other paths for some, by plugin.
  std::vector<ApiEndpoint> public_apis(const std::vector<std::pair<std::string, std::string>>& moved) const;
  std::size_t size() const { return count_; }  // of numbers given

 private:
  // By subsystem.
  std::vector<const PluginType*> types_[2];
  std::unordered_map<std::string_view, const PluginType*> by_name_[2];
  std::size_t count_;
};

}  // namespace sluice::plugin
