// SPDX-License-Identifier: Apache-2.0
// Two kinds of hashing. crc32 is the one every gateway of the nginx family uses for consistent hashing, so
// that a ring places keys where its predecessor did. hash64 is for tables inside this process: fast, and
// keyed with a secret drawn at start, so that an outsider cannot choose keys that collide. Its values mean
// nothing in another process.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

// CRC-32 (IEEE 802.3, reflected). Continue a checksum by passing the previous value.
std::uint32_t crc32(std::string_view bytes, std::uint32_t previous = 0);

std::uint64_t hash64(std::string_view bytes);
std::uint64_t hash64(std::uint64_t value);
inline std::uint64_t combine_hashes(std::uint64_t a, std::uint64_t b) {
  return hash64(a ^ (b * 0x9E3779B97F4A7C15ull));
}

// For unordered containers with std::string keys that are asked with string_views.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return hash64(text); }
};

}  // namespace sluice
