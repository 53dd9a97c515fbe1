// SPDX-License-Identifier: Apache-2.0
// The fields of a head or of trailers on their way into HTTP/2 (RFC 9113 §8.2): views, which are copied,
// their names in lower case, when they are submitted. Pseudo-header fields come first. Lives as long as the
// frame that fills it.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "http/headers.h"

namespace sluice::http {

// What does not stand in an HTTP/2 head as it is in a list of fields.
inline constexpr HeaderMask not_in_http2 = hop_by_hop | mask(HeaderId::content_length);
// What has no place in trailers (RFC 9110 §6.5.1).
inline constexpr HeaderMask not_in_trailers =
    not_in_http2 | mask(HeaderId::host, HeaderId::authorization, HeaderId::content_type);

class Http2Fields {
 public:
  // Laid out as nghttp2 has it.
  struct Field {
    const char* name;
    const char* value;
    std::size_t name_size, value_size;
    std::uint8_t flags;
  };

  // Room for `most` fields.
  Http2Fields(Arena& arena, std::size_t most) : list_(arena.array<Field>(most)), most_(most) {}

  Http2Fields& field(std::string_view name, std::string_view value) {
    SLUICE_CHECK(count_ < most_);
    list_[count_++] = {name.data(), value.data(), name.size(), value.size(), 0};
    return *this;
  }
  // Every field but those in `skip`.
  Http2Fields& fields(const Headers& headers, HeaderMask skip) {
    skip &= ~mask(HeaderId::other);
    for (const Header& one : headers) {
      if ((mask(one.id) & skip) == 0) field(one.name, one.value);
    }
    return *this;
  }
  const Field* data() const { return list_; }
  std::size_t size() const { return count_; }

 private:
  Field* list_;
  std::size_t most_, count_ = 0;
};

}  // namespace sluice::http
