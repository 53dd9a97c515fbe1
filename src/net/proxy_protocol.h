// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt): a header in front of a connection
// by which a proxy says whose connection it passes on. The bytes are an outsider's; what is no header, or is
// longer than a limit, is refused, and nothing behind the header is touched. Pure functions, any thread; the
// reading is done on the stream's loop.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/address.h"
#include "base/result.h"
#include "net/stream.h"

namespace sluice::net {

struct ProxyHeader {
  static constexpr std::size_t text_bytes_max = 107;    // version 1, by the specification
  static constexpr std::size_t binary_bytes_max =
      4096;  // version 2 with its extensions, which are passed over

  // Absent when the proxy speaks for itself (LOCAL, UNKNOWN) or of something that is not IP: the connection's
  // own addresses count.
  struct Ends {
    Endpoint source, destination;
  };
  std::optional<Ends> ends;
};

// `size` bytes of `bytes` are the header; nothing while it may go on. The error says what is wrong.
struct ProxyHeaderRead {
  ProxyHeader header;
  std::size_t size = 0;
};
Result<std::optional<ProxyHeaderRead>> parse_proxy_header(std::string_view bytes);

// Takes the header off the front of a connection. Errors: timeout, closed, limit, protocol.
async::Task<Result<ProxyHeader>> take_proxy_header(Stream& stream, Instant deadline);

enum class ProxyVersion : std::uint8_t { text = 1, binary = 2 };

// Of a TCP connection.
std::string write_proxy_header(ProxyVersion version, const Endpoint& source, const Endpoint& destination);

}  // namespace sluice::net
