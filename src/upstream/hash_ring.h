// SPDX-License-Identifier: Apache-2.0
// The ring of consistent hashing: 160 points a unit of weight, placed by CRC-32 as nginx and resty.chash
// place them, so that a key finds the server it found there. Made on the control thread when an upstream is
// compiled, shared by every version whose servers and weights are the same; read by all workers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice::upstream {

class HashRing {
 public:
  static constexpr std::uint32_t points_per_weight = 160;
  // Above this many, weights are scaled down together.
  static constexpr std::uint64_t points_max = 1 << 20;

  struct Server {
    std::string id;  // "127.0.0.1:80"
    std::uint64_t weight;
    friend bool operator==(const Server&, const Server&) = default;
  };
  struct Point {
    std::uint32_t hash;
    std::uint32_t server;  // index of the servers it was made of
  };

  explicit HashRing(std::span<const Server> servers);
  // The same ring for equal servers, while somebody holds it. Control thread.
  static std::shared_ptr<const HashRing> shared(std::vector<Server> servers);

  // Where a key's search begins: the first point not below its hash.
  std::size_t find(std::uint32_t hash) const;
  const std::vector<Point>& points() const { return points_; }

 private:
  std::vector<Point> points_;
};

}  // namespace sluice::upstream
