// SPDX-License-Identifier: Apache-2.0
#include "upstream/hash_ring.h"

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"

namespace sluice::upstream {

HashRing::HashRing(std::span<const Server> servers) {
  std::uint64_t total = 0;
  for (const Server& server : servers) total += server.weight * points_per_weight;
  const double scale =
      total > points_max ? static_cast<double>(points_max) / static_cast<double>(total) : 1.0;
  for (std::uint32_t index = 0; index < servers.size(); ++index) {
    const Server& server = servers[index];
    if (server.weight == 0) continue;
    std::string id = server.id;
    std::replace(id.begin(), id.end(), ':', '\0');
    const std::uint32_t base = crc32(id);
    const auto wanted = static_cast<std::uint64_t>(
        static_cast<double>(server.weight * points_per_weight) * scale);
    std::uint32_t previous = 0;
    for (std::uint64_t i = 0; i < std::max<std::uint64_t>(wanted, 1); ++i) {
      const char bytes[4] = {static_cast<char>(previous), static_cast<char>(previous >> 8),
                             static_cast<char>(previous >> 16), static_cast<char>(previous >> 24)};
      previous = crc32({bytes, 4}, base);
      points_.push_back({previous, index});
    }
  }
  std::stable_sort(points_.begin(), points_.end(),
                   [](const Point& a, const Point& b) { return a.hash < b.hash; });
  points_.shrink_to_fit();
}

std::shared_ptr<const HashRing> HashRing::shared(std::vector<Server> servers) {
  thread_local std::unordered_map<std::string, std::weak_ptr<const HashRing>, StringHash, std::equal_to<>>
      known;
  std::string key;
  for (const Server& server : servers) key += server.id + "=" + std::to_string(server.weight) + ",";
  if (const auto found = known.find(key); found != known.end()) {
    if (auto ring = found->second.lock()) return ring;
  }
  if (known.size() > 1024) std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
  auto ring = std::make_shared<const HashRing>(servers);
  known[key] = ring;
  return ring;
}

std::size_t HashRing::find(std::uint32_t hash) const {
  const auto found = std::lower_bound(points_.begin(), points_.end(), hash,
                                      [](const Point& point, std::uint32_t h) { return point.hash < h; });
  return found == points_.end() ? 0 : static_cast<std::size_t>(found - points_.begin());
}

}  // namespace sluice::upstream
