// SPDX-License-Identifier: Apache-2.0
// Latencies in nanoseconds, to within 1.6 %, in constant memory: 64 buckets for each power of two.
// Owned by the load generator's one thread.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

class Histogram {
 public:
  void add(std::uint64_t value) {
    buckets_[index(value)]++;
    count_++;
    if (value > max_) max_ = value;
  }
  // The value below which `share` (0 to 1) of what was added lies.
  std::uint64_t at(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); bucket++) {
      seen += buckets_[bucket];
      if (seen > wanted) return floor_of(bucket);
    }
    return max_;
  }
  std::uint64_t max() const { return max_; }
  std::uint64_t count() const { return count_; }

 private:
  static std::size_t index(std::uint64_t value) {
    if (value < 64) return value;
    const int shift = std::bit_width(value) - 7;
    return static_cast<std::size_t>(shift) * 64 + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t floor_of(std::size_t bucket) {
    if (bucket < 128) return bucket;
    const std::size_t shift = bucket / 64 - 1;
    return static_cast<std::uint64_t>(bucket - shift * 64) << shift;
  }
  std::array<std::uint64_t, 64 * 60> buckets_{};
  std::uint64_t count_ = 0, max_ = 0;
};
