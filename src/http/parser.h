// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP/1.1 messages (RFC 9112), strictly: what two readers could understand differently is refused,
// because that is how requests are smuggled. The parser keeps no state: it reads a head that stands whole in
// a buffer, and what it gives out are views into that buffer.
#pragma once
#include <cstdint>
#include <string_view>

#include "http/message.h"

namespace sluice::http {

struct HeadLimits {
  std::uint32_t target_bytes_max = 8 * 1024;   // 414 beyond
  std::uint32_t field_bytes_max = 8 * 1024;    // one line: 431 beyond
  std::uint32_t head_bytes_max = 32 * 1024;    // the whole: 431 beyond
  std::uint32_t fields_max = 128;              // 431 beyond
};

struct Parsed {
  enum Outcome : std::uint8_t { incomplete, whole, refused };
  Outcome outcome = incomplete;
  std::uint32_t size = 0;       // of the head, when whole
  int status = 0;               // the answer, when refused: 400, 405, 414, 431, 501, 505
  const char* why = "";         // for the log
};

// Reads a request's head from the front of `bytes`. Empty lines before it are skipped (RFC 9112 §2.2).
Parsed parse_request(std::string_view bytes, const HeadLimits& limits, Request& request);
// Reads a response's head; `status` of a refusal is always 502.
Parsed parse_response(std::string_view bytes, const HeadLimits& limits, Response& response);
// Trailer fields, up to and with the empty line.
Parsed parse_trailers(std::string_view bytes, const HeadLimits& limits, Headers& trailers);

}  // namespace sluice::http
