// SPDX-License-Identifier: Apache-2.0
// Writes the head of a message into a buffer. Fields that stand next to each other in the read buffer, untouched,
// are copied in one piece. The buffer grows when a head needs it; callers bound heads through `HeadLimits`.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/headers.h"
#include "net/buffer.h"

namespace sluice::http {

class HeadWriter {
 public:
  // `expected` bytes are made room for at once.
  explicit HeadWriter(net::Buffer& out, std::size_t expected = 0) : out_(out) {
    out_.need();
    room(expected);
  }

  HeadWriter& text(std::string_view bytes) {
    room(bytes.size());
    std::memcpy(out_.tail(), bytes.data(), bytes.size());
    out_.filled(bytes.size());
    return *this;
  }
  HeadWriter& number(std::uint64_t value);
  HeadWriter& field(std::string_view name, std::string_view value) {
    return text(name).text(": ").text(value).text("\r\n");
  }
  // Every field but those in `skip`.
  HeadWriter& fields(const Headers& headers, HeaderMask skip);
  HeadWriter& end() { return text("\r\n"); }

 private:
  void room(std::size_t size) {
    if (out_.room() < size) out_.grow((out_.size() + size) * 2);
  }
  net::Buffer& out_;
};

// The fields a Connection field nominates are hop-by-hop too (RFC 9110 §7.6.1): takes them off, but never those the
// message cannot do without.
void remove_nominated(Headers& headers);

}  // namespace sluice::http
