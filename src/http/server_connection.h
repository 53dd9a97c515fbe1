// SPDX-License-Identifier: Apache-2.0
// The server side of one HTTP/1.1 connection: reads heads, gives bodies, sends responses, and knows whether
// the connection can go on. Whoever serves it (the gateway's pipeline, the Admin API) owns it and calls, for
// each request, `read_head`, then `send`, then `finish`. One loop.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "http/server_side.h"
#include "http/stream_body.h"
#include "net/network.h"

namespace sluice::http {

struct ServerOptions {
  HeadLimits head;
  Duration header_timeout = std::chrono::seconds(60);     // for the whole head; 408 beyond
  Duration body_timeout = std::chrono::seconds(60);       // between two reads of a body; 408 beyond
  Duration keepalive_timeout = std::chrono::seconds(60);  // idle between requests
  Duration send_timeout = std::chrono::seconds(10);       // the client takes nothing for so long
  std::int64_t body_bytes_max = 0;                        // 413 beyond; 0: no limit
  std::uint32_t requests_max = 1000;                      // on one connection
  std::uint32_t streams_max = 128;                        // of HTTP/2, at once on one connection
  std::string server_header;                              // value of the Server field; "" leaves it out
};

class ServerConnection final : public ServerSide {
 public:
  ServerConnection(net::Accepted accepted, const ServerOptions& options);

  async::Task<Head> read_head(Request& request) override;

  // What the client begins with; `nothing`: it has gone, or said nothing in time. What was read is kept.
  enum class Begin : std::uint8_t { http1, http2, nothing };
  async::Task<Begin> begin();
  // The connection, for whoever speaks HTTP/2 with it; `input` is what was read.
  net::Accepted release() { return {std::move(stream_), peer_, local_}; }

  // Waits, without holding a buffer, until something of the next request is there: 0, or an error that says
  // that it is time to close.
  net::Stream::Readable wait_idle() {
    in_.release();
    const Duration patience = requests_ == 0 ? options_.header_timeout : options_.keepalive_timeout;
    return stream_->readable(after(stream_->loop().now(), patience));
  }
  bool has_input() const { return !in_.empty(); }

  async::Task<Result<>> send(const Request& request, Response& response, Sent& sent) override;
  async::Task<Result<>> send_interim(const Response& response) override;
  bool finish(const Request& request) override;
  async::Task<> close() override;

  // The next response says Connection: close.
  void stop_after_this() override { close_after_ = true; }
  bool closes() const { return close_after_; }
  std::uint32_t requests() const override { return requests_; }
  const net::TlsFacts* tls() const override { return stream_->tls(); }
  net::Stream& stream() { return *stream_; }
  // Bytes read behind the last head.
  std::string_view input() const { return in_.view(); }
  // The same with their memory, for a tunnel: the head of a request for an upgrade stands in the arena.
  net::Buffer take_input() { return std::move(in_); }
  const Endpoint& peer() const override { return peer_; }
  const Endpoint& local() const override { return local_; }
  const ServerOptions& options() const { return options_; }
  StreamBody* body() { return body_; }

 private:
  Parsed try_parse(Request& request);
  std::optional<Head> take_head(Request& request);
  async::Task<Head> wait_head(Request& request);
  void make_body(Request& request);
  void write_head(const Request& request, const Response& response, net::Buffer& out) const;
  bool may_have_body(const Request& request, const Response& response) const;
  async::Task<Result<>> send_rest(net::Buffer head, std::string_view content, ssize_t written, Sent& sent);
  async::Task<Result<>> stream_body(Response& response, net::Buffer head, bool chunked, Sent& sent);
  // Ready when the stream takes everything at once. `pieces` outlive the task.
  async::Task<Result<>> write(std::span<const iovec> pieces, Sent& sent);
  async::Task<Result<>> write_rest(std::span<const iovec> pieces, ssize_t written, std::size_t size,
                                   Sent& sent);

  std::unique_ptr<net::Stream> stream_;
  Endpoint peer_, local_;
  const ServerOptions& options_;
  net::Buffer in_;
  StreamBody* body_ = nullptr;  // of the current request, in its arena
  std::size_t parsed_size_ = 0;  // how much an incomplete parse had seen
  std::uint32_t requests_ = 0;
  bool close_after_ = false;
};

// The value of the Date field now, made once a second and thread.
std::string_view http_date(async::Loop& loop);
// Any wall time, in the same form (IMF-fixdate, RFC 9110 §5.6.7).
std::string format_http_date(std::int64_t unix_seconds);

}  // namespace sluice::http
