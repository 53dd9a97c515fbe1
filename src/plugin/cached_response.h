// SPDX-License-Identifier: Apache-2.0
// One response that is kept, and how it stands in a file. It never changes once it is shared: any worker may
// send it at the same time, and it goes with the last who holds it. Any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "http/headers.h"

namespace sluice::plugin {

struct CachedResponse {
  // variants: in the place of a response that varies; what varies is kept under keys of their own.
  // unshared: the last response could not be kept, so nobody need wait for another's.
  enum class Kind : std::uint8_t { response, variants, unshared };

  CachedResponse() = default;
  CachedResponse(const CachedResponse&) = delete;

  Kind kind = Kind::response;
  bool must_revalidate = false;  // never sent when it is stale
  int status = 200;
  std::string key;
  std::string head;  // "Name: value\r\n", one behind the other; variants: names, separated by commas
  std::shared_ptr<const std::string> body = std::make_shared<const std::string>();
  std::int64_t made_wall = 0;  // nanoseconds since 1970 when it was made, or last found to be true
  Instant made;                // the same, on this machine's steady clock
  Duration lifetime{};         // how long it is fresh from then on

  // Of `head` and `body`, made by `index`.
  std::vector<http::Header> fields;
  std::string_view etag, last_modified;
  std::vector<std::string> vary;      // variants: the fields that tell them apart
  std::vector<std::string> variants;  // variants: their keys, oldest first

  // Reads head and body into what is above; false when they do not hold.
  bool index();
  // Puts the names and keys of variants into head and body.
  void write_variants();
  // Bytes of memory.
  std::size_t cost() const;
  Duration age(Instant now) const { return now > made ? now - made : Duration::zero(); }
};

using CacheEntry = std::shared_ptr<const CachedResponse>;

// What stands in a file before the body: sizes, times, a checksum of everything, the key and the head.
inline constexpr std::size_t cache_file_head = 64;
std::string cache_file_prefix(const CachedResponse& entry);
// The size a file must have that begins with these bytes; 0 when they are no such beginning.
std::uint64_t cache_file_size(std::string_view beginning);
// A whole file, read; null when it is damaged or not about `key`. Times that lie ahead count as now.
std::shared_ptr<CachedResponse> read_cache_file(std::string_view bytes, std::string_view key, Instant now,
                                                std::int64_t wall);

}  // namespace sluice::plugin
