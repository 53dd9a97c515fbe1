// SPDX-License-Identifier: Apache-2.0
#include "main/cache_config.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::main {
namespace {

constexpr std::uint64_t memory_least = 64 << 10;

// "1:2": as nginx has it, up to three levels of one or two characters.
std::optional<std::vector<std::size_t>> parse_levels(std::string_view text) {
  std::vector<std::size_t> levels;
  for (const std::string_view part : Split(text, ':')) {
    if (part != "1" && part != "2") return std::nullopt;
    levels.push_back(part == "1" ? 1 : 2);
  }
  return levels.size() > 3 ? std::nullopt : std::optional(levels);
}

void read_zone(Section zone, const std::string& prefix, plugin::CacheOptions& into) {
  plugin::CacheZoneOptions options;
  zone.text("name", options.name);
  zone.size("memory_size", options.memory_size);
  zone.size("disk_size", options.disk_size);
  zone.text("disk_path", options.disk_path);
  std::string levels = "1:2";
  zone.text("cache_levels", levels);
  if (options.name.empty()) zone.problem("name", "is missing: plugin proxy-cache names zones by it");
  if (std::ranges::find(into.zones, options.name, &plugin::CacheZoneOptions::name) != into.zones.end())
    zone.problem("name", "'" + options.name + "' is the name of another zone, too");
  if (options.memory_size < memory_least) zone.problem("memory_size", "must be 64k or more");
  if (!options.disk_path.empty()) {
    if (!options.disk_path.starts_with('/')) options.disk_path.insert(0, prefix + "/");
    if (std::ranges::find(into.zones, options.disk_path, &plugin::CacheZoneOptions::disk_path) !=
        into.zones.end())
      zone.problem("disk_path", "'" + options.disk_path + "' is the path of another zone, too");
  }
  if (auto parsed = parse_levels(levels)) options.levels = std::move(*parsed);
  else zone.problem("cache_levels", "'" + levels + "' is not 1 to 3 numbers 1 or 2 with colons, as 1:2");
  into.zones.push_back(std::move(options));
}

}  // namespace

void read_cache(Section section, const std::string& prefix, plugin::CacheOptions& into) {
  section.duration("cache_ttl", into.disk_lifetime);
  const auto* zones = section.raw("zones");
  if (zones == nullptr) return;
  if (!zones->is_array()) return section.problem("zones", "must be a list of {name, memory_size, disk_path}");
  into.zones.clear();
  std::size_t index = 0;
  for (const auto& zone : zones->as_array()) {
    const std::string path = "/apisix/proxy_cache/zones/" + std::to_string(index++);
    read_zone(Section(&zone, path, section.findings()), prefix, into);
  }
}

}  // namespace sluice::main
