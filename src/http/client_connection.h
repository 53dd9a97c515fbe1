// SPDX-License-Identifier: Apache-2.0
// The client side of one HTTP/1.1 connection: one request at a time goes out (the caller writes it to the
// stream), heads and bodies of responses come in. Whoever asks owns it; between requests a pool does. One
// loop.
#pragma once
#include <cstdint>
#include <memory>

#include "http/message.h"
#include "http/parser.h"
#include "http/stream_body.h"
#include "net/buffer.h"
#include "net/stream.h"

namespace sluice::http {

class ClientConnection {
 public:
  explicit ClientConnection(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}

  net::Stream& stream() { return *stream_; }

  // Reads one head, interim ones included (status below 200: read on with another call). `deadline` bounds
  // the wait. An error may be retried when the connection ended before any byte came.
  async::Task<Result<>> read_head(Response& response, const HeadLimits& limits, Instant deadline);
  // The same in three steps, for whoever has a frame to wait in: takes the head when all of it is there …
  Result<bool> take_head(Response& response, const HeadLimits& limits);
  // … else reads more of it, and says with `took` what came.
  net::Stream::Read read_more(Instant deadline) { return stream_->read(in_.tail(), in_.room(), deadline); }
  Result<> took(ssize_t count);
  // Gives the response its body, according to RFC 9112 §6.3. `patience` is the time between two reads.
  void open_body(Method asked, Response& response, Arena& arena, Duration patience);

  // Whether another request may follow: the response has ended, cleanly, and nothing came behind it.
  bool reusable() const;
  // What was read behind the response's head, and the memory that the head stands in: views of it stay valid
  // as long as the taker keeps it. A head with status 101 stands in the arena, since what comes behind it may
  // last for days: the taker need not keep anything.
  net::Buffer take_input() { return std::move(in_); }
  // Nothing may be left of an earlier response.
  bool clean() const { return in_.empty() && !stream_->maybe_readable(); }

  StreamBody* body() { return body_; }
  std::uint32_t requests() const { return requests_; }
  void count_request() {
    ++requests_;
    body_ = nullptr;
    ended_ = false;
  }
  bool fresh() const { return requests_ <= 1; }

 private:
  std::unique_ptr<net::Stream> stream_;
  net::Buffer in_;
  StreamBody* body_ = nullptr;
  bool keep_alive_ = true;
  bool ended_ = false;  // a response without a body has been read
  std::uint32_t requests_ = 0;
};

}  // namespace sluice::http
