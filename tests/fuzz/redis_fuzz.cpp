// SPDX-License-Identifier: Apache-2.0
// What a Redis server might send: read whole and byte by byte it gives the same replies, or none.
#include <string_view>
#include <vector>

#include "plugin/redis_protocol.h"

namespace {

using sluice::plugin::RedisParser;

// How many replies there are, -1 behind what can be none.
int replies_in(std::string_view bytes, std::size_t step) {
  RedisParser parser;
  int count = 0;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    parser.feed(bytes.substr(at, step));
    for (;;) {
      const auto next = parser.next();
      if (!next) return -1;
      if (!*next) break;
      ++count;
    }
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t short_enough = 4096;  // byte by byte takes the square of it
  const int whole = replies_in(bytes, bytes.size() + 1);
  if (size <= short_enough) SLUICE_CHECK(replies_in(bytes, 1) == whole);
  (void)sluice::plugin::redis_slot(bytes);
  return 0;
}
