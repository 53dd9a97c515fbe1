// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <array>
#include <cstring>

#include "base/random.h"

namespace sluice {
namespace {

constexpr auto make_crc_tables() {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
    tables[0][i] = value;
  }
  for (std::uint32_t i = 0; i < 256; ++i) {
    for (std::size_t t = 1; t < 4; ++t)
      tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 255];
  }
  return tables;
}
constexpr auto crc_tables = make_crc_tables();

struct Secret {
  std::uint64_t words[4];
  Secret() { fill_with_secret_bytes(words, sizeof words); }
};

const Secret& secret() {
  static const Secret drawn;
  return drawn;
}

// The 128-bit product folded to 64 bits: every input bit reaches every output bit.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, 8);
  return value;
}
inline std::uint64_t load32(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 4; left -= 4, at += 4) {
    crc ^= static_cast<std::uint32_t>(load32(at));
    crc = crc_tables[3][crc & 255] ^ crc_tables[2][crc >> 8 & 255] ^ crc_tables[1][crc >> 16 & 255] ^
          crc_tables[0][crc >> 24];
  }
  for (; left > 0; --left, ++at)
    crc = crc >> 8 ^ crc_tables[0][(crc ^ static_cast<unsigned char>(*at)) & 255];
  return ~crc;
}

std::uint64_t hash64(std::string_view bytes) {
  const auto& words = secret().words;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t state = words[0] ^ left;
  for (; left > 16; left -= 16, at += 16) state = fold(load64(at) ^ words[1], load64(at + 8) ^ state);
  std::uint64_t a = 0, b = 0;
  if (left >= 8) {
    a = load64(at);
    b = load64(at + left - 8);
  } else if (left >= 4) {
    a = load32(at);
    b = load32(at + left - 4);
  } else if (left > 0) {
    a = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
        static_cast<std::uint64_t>(static_cast<unsigned char>(at[left >> 1])) << 8 |
        static_cast<std::uint64_t>(static_cast<unsigned char>(at[left - 1]));
  }
  return fold(fold(a ^ words[2], b ^ state) ^ words[3], words[1]);
}

std::uint64_t hash64(std::uint64_t value) {
  const auto& words = secret().words;
  return fold(fold(value ^ words[0], words[1]) ^ words[2], words[3]);
}

}  // namespace sluice
