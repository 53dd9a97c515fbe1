// SPDX-License-Identifier: Apache-2.0
#include "plugin/registry.h"

#include <algorithm>

namespace sluice::plugin {

Registry::Registry(std::span<const PluginType* const> all, const std::vector<std::string>& enabled,
                   const std::vector<std::string>& stream_enabled)
    : count_(all.size()) {
  std::uint16_t number = 0;
  for (const PluginType* type : all) {
    *type->index = number++;
    for (const Subsystem subsystem : {Subsystem::http, Subsystem::stream}) {
      const auto& named = subsystem == Subsystem::http ? enabled : stream_enabled;
      if (!type->serves(subsystem)) continue;
      if (!named.empty() && std::ranges::find(named, type->name) == named.end()) continue;
      types_[static_cast<std::size_t>(subsystem)].push_back(type);
      by_name_[static_cast<std::size_t>(subsystem)].emplace(type->name, type);
    }
  }
}

const PluginType* Registry::find(std::string_view name, Subsystem subsystem) const {
  const auto& by_name = by_name_[static_cast<std::size_t>(subsystem)];
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

std::vector<ApiEndpoint> Registry::public_apis(
    const std::vector<std::pair<std::string, std::string>>& moved) const {
  std::vector<ApiEndpoint> all;
  for (const PluginType* type : types()) {
    const auto own = std::ranges::find(moved, type->name, &std::pair<std::string, std::string>::first);
    for (const PublicApi& api : type->apis)
      all.push_back({api.method, own == moved.end() ? std::string(api.path) : own->second, api.answer});
  }
  return all;
}

}  // namespace sluice::plugin
