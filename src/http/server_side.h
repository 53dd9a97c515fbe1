// SPDX-License-Identifier: Apache-2.0
// One request at a time from a client, and its response, whichever version of HTTP carries them: a whole
// HTTP/1.1 connection, or one stream of an HTTP/2 connection. Whoever serves it calls, for each request,
// `read_head`, then `send`, then `finish`. One loop.
#pragma once
#include <cstdint>

#include "base/address.h"
#include "http/message.h"
#include "http/parser.h"

namespace sluice::net {
class TlsFacts;
}

namespace sluice::http {

class ServerSide {
 public:
  virtual ~ServerSide() = default;

  enum class Head : std::uint8_t { ready, closed, refused };
  // Reads the next request's head. Closed: nothing came, or it broke off. Refused: `refusal` says with what.
  virtual async::Task<Head> read_head(Request& request) = 0;
  const Parsed& refusal() const { return refusal_; }

  // What `send` did, also when it fails.
  struct Sent {
    std::uint64_t bytes = 0, body_bytes = 0;
    bool head_sent = false;
  };
  virtual async::Task<Result<>> send(const Request& request, Response& response, Sent& sent) = 0;
  // An interim answer (RFC 9110 §15.2) of the upstream, passed on.
  virtual async::Task<Result<>> send_interim(const Response& response) = 0;

  // Behind a response: whether another request can follow. What was read of it is kept.
  virtual bool finish(const Request& request) = 0;
  // Says goodbye properly: no more is written, what still comes is read over for a while (RFC 9112 §9.6).
  virtual async::Task<> close() = 0;
  // No request can follow the one that is being served.
  virtual void stop_after_this() = 0;

  // Requests of the connection so far.
  virtual std::uint32_t requests() const = 0;
  virtual const Endpoint& peer() const = 0;
  virtual const Endpoint& local() const = 0;
  virtual const net::TlsFacts* tls() const = 0;  // null without TLS

 protected:
  Parsed refusal_;
};

// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
inline constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace sluice::http
