// SPDX-License-Identifier: Apache-2.0
// Content codings (RFC 9110 §8.4.1): gzip (RFC 1952) and brotli (RFC 7932), made as a stream, and decoded
// within a bound. A compressor belongs to whoever made it; one thread at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

class Compressor {
 public:
  virtual ~Compressor() = default;
  // What comes behind the bytes: more; more, but what there is can be read so far; nothing.
  enum class Then : std::uint8_t { more, pause, end };
  // Appends what the bytes make.
  virtual void add(std::string_view bytes, Then then, std::string& out) = 0;
};

// `level` is 1 (fast) to 9 (small). `size_hint` is how many bytes will come, if that is known: little memory
// is taken for little of it; -1 when it is not.
std::unique_ptr<Compressor> make_gzip_compressor(int level, std::int64_t size_hint);

struct BrotliOptions {
  int mode = 0;       // 0 generic, 1 text, 2 font
  int quality = 6;    // 0 to 11
  int window = 19;    // logarithm, 10 to 24; 0: the library's default
  int block = 0;      // logarithm, 16 to 24; 0: chosen by quality
};
std::unique_ptr<Compressor> make_brotli_compressor(const BrotliOptions& options);

enum class Coding : std::uint8_t { identity, gzip, deflate, brotli, unknown };
// "gzip", "x-gzip", "deflate", "br", "identity" and "", without case.
Coding coding_of(std::string_view name);
// The whole of a body decoded. An error is the peer's: broken bytes, or `limit` when more than `bytes_max`
// come out.
Result<std::string> decode(Coding coding, std::string_view bytes, std::size_t bytes_max);

}  // namespace sluice
