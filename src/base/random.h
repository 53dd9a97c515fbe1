// SPDX-License-Identifier: Apache-2.0
// Chance, of two qualities. Secrets (keys, tokens, hash seeds) come from the kernel. Everything that is only
// to be spread out (balancing, jitter, request ids) comes from a small generator each thread has for itself.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice {

// Fills with bytes from getrandom(2). The process ends when the kernel has none to give.
void fill_with_secret_bytes(void* into, std::size_t size);
// `bytes` secret bytes as lower-case hexadecimal (twice as many characters).
std::string secret_hex(std::size_t bytes);

// xoshiro256++: 2^256 period, fails no known statistical test, is not a source of secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  // 0 … bound-1, evenly; 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound);
  // 0 ≤ x < 1.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_[4];
};

// The generator of this thread, seeded by the kernel on first use.
Random& thread_random();

}  // namespace sluice
