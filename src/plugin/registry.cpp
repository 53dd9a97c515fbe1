// SPDX-License-Identifier: Apache-2.0
#include "plugin/registry.h"

#include <algorithm>

namespace sluice::plugin {

Registry::Registry(std::span<const PluginType* const> all, const std::vector<std::string>& enabled)
    : count_(all.size()) {
  std::uint16_t number = 0;
  for (const PluginType* type : all) {
    *type->index = number++;
    if (!enabled.empty() && std::ranges::find(enabled, type->name) == enabled.end()) continue;
    types_.push_back(type);
    by_name_.emplace(type->name, type);
  }
}

const PluginType* Registry::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<ApiEndpoint> Registry::public_apis(
    const std::vector<std::pair<std::string, std::string>>& moved) const {
  std::vector<ApiEndpoint> all;
  for (const PluginType* type : types_) {
    const auto own = std::ranges::find(moved, type->name, &std::pair<std::string, std::string>::first);
    for (const PublicApi& api : type->apis)
      all.push_back({api.method, own == moved.end() ? std::string(api.path) : own->second, api.answer});
  }
  return all;
}

}  // namespace sluice::plugin
