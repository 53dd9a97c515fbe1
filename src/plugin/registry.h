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
  // Numbers every type of `all`; `enabled` names those that run (empty: all); names that are none are passed
  // over.
  Registry(std::span<const PluginType* const> all, const std::vector<std::string>& enabled);

  // Null when there is none of that name, or it is not enabled.
  const PluginType* find(std::string_view name) const;
  // Enabled ones, in the order they run.
  const std::vector<const PluginType*>& types() const { return types_; }
  // The endpoints of enabled plugins. `moved` has other paths for some, by plugin.
  std::vector<ApiEndpoint> public_apis(const std::vector<std::pair<std::string, std::string>>& moved) const;
  std::size_t size() const { return count_; }  // of numbers given

 private:
  std::vector<const PluginType*> types_;
  std::unordered_map<std::string_view, const PluginType*> by_name_;
  std::size_t count_;
};

}  // namespace sluice::plugin
