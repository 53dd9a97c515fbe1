// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "base/result.h"
#include "base/text.h"

namespace sluice {

void fill_with_secret_bytes(void* into, std::size_t size) {
  auto* at = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t got = getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    SLUICE_CHECK(got > 0);
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

std::string secret_hex(std::size_t bytes) {
  std::string raw(bytes, '\0'), text;
  fill_with_secret_bytes(raw.data(), bytes);
  append_hex(raw, text);
  return text;
}

Random::Random(std::uint64_t seed) {
  for (auto& word : state_) {  // splitmix64, as the authors of xoshiro advise for seeding
    seed += 0x9E3779B97F4A7C15ull;
    std::uint64_t z = seed;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    word = z ^ z >> 31;
  }
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  // Lemire's multiplication; the bias is below bound / 2^64, nothing for the bounds used here.
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(next()) * bound >> 64);
}

Random& thread_random() {
  thread_local Random random([] {
    std::uint64_t seed;
    fill_with_secret_bytes(&seed, sizeof seed);
    return seed;
  }());
  return random;
}

}  // namespace sluice
