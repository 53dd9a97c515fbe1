// SPDX-License-Identifier: Apache-2.0
// Writes the head of a message into a buffer. Fields that stand next to each other in the read buffer,
// untouched, are copied in one piece. The buffer grows when a head needs it; callers bound heads through
// `HeadLimits`.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/headers.h"
#include "net/buffer.h"

namespace sluice::http {

class HeadWriter {
 public:
  // `expected` bytes are made room for at once. What is written is in the buffer behind `end`, or when the
  // writer is gone.
  explicit HeadWriter(net::Buffer& out, std::size_t expected = 0) : out_(out) {
    out_.need();
    at_ = out_.tail();
    end_ = at_ + out_.room();
    if (static_cast<std::size_t>(end_ - at_) < expected) grow(expected);
  }
  HeadWriter(const HeadWriter&) = delete;
  ~HeadWriter() { settle(); }

  HeadWriter& text(std::string_view bytes) {
    if (bytes.size() > static_cast<std::size_t>(end_ - at_)) [[unlikely]] grow(bytes.size());
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
    return *this;
  }
  HeadWriter& number(std::uint64_t value);
  HeadWriter& field(std::string_view name, std::string_view value) {
    return text(name).text(": ").text(value).text("\r\n");
  }
  // Every field but those in `skip`.
  HeadWriter& fields(const Headers& headers, HeaderMask skip);
  // The empty line; the buffer has everything from here on.
  void end() {
    text("\r\n");
    settle();
  }

 private:
  void settle() { out_.filled(static_cast<std::size_t>(at_ - out_.tail())); }
  void grow(std::size_t size);

  net::Buffer& out_;
  char* at_;
  char* end_;
};

// "1a\r\n", before a chunk's data (RFC 9112 §7.1).
std::string_view chunk_head(std::size_t size, std::array<char, 20>& into);
// What ends a chunked body: "0\r\n", the trailers (may be null) less those that belong to a head, "\r\n".
void write_last_chunk(const Headers* trailers, net::Buffer& out);

// The fields a Connection field nominates are hop-by-hop too (RFC 9110 §7.6.1): takes them off, but never
// those the message cannot do without.
void remove_nominated(Headers& headers);

}  // namespace sluice::http
