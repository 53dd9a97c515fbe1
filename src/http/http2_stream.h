// SPDX-License-Identifier: Apache-2.0
// One stream of an HTTP/2 connection: a request and its response. The request's head is written down as
// HTTP/1.1 would have it and read by that parser, so that one set of rules holds for both. Belongs to its
// connection, which destroys it, and with it what serves it, when the client resets it. One loop.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "async/child.h"
#include "http/http2_flow.h"
#include "http/http2_server.h"
#include "http/server_side.h"

namespace sluice::http {

class Http2Stream final : public ServerSide, public Http2Flow {
 public:
  Http2Stream(Http2Server& connection, std::int32_t id);

  // ---- ServerSide ----
  async::Task<Head> read_head(Request& request) override;
  async::Task<Result<>> send(const Request& request, Response& response, Sent& sent) override;
  async::Task<Result<>> send_interim(const Response& response) override;
  bool finish(const Request&) override { return false; }
  async::Task<> close() override { return {}; }
  void stop_after_this() override {}
  std::uint32_t requests() const override { return number_; }
  const Endpoint& peer() const override { return server_.peer(); }
  const Endpoint& local() const override { return server_.local(); }
  const net::TlsFacts* tls() const override { return server_.stream().tls(); }

  // A tunnel (RFC 8441), once the response with status 101 has been sent: what comes is the body, what goes
  // is handed out; a read that waits for longer than that ends with an error of kind `timeout`.
  void set_patience(Duration patience) { input_patience_ = patience; }

  // Only a body whose length has been told can be sent as one.
  std::optional<std::string_view> whole() const override;

 private:
  friend class Http2Server;
  friend struct Http2Callbacks;
  void add_field(std::string_view name, std::string_view value);
  void write_head(net::Buffer& out) const;
  bool refuse_pseudo_fields();
  void before_wait() override;
  Error broken_input(ssize_t told) const override;
  Result<> admit(std::uint64_t bytes) const override;
  async::Task<Result<>> send_body(Response& response, Sent& sent);
  async::Task<Result<>> send_piece(std::string_view piece, bool last, const Headers* trailers, Sent& sent);
  Result<> submit(const Request& request, const Response& response, bool with_body);
  Error gone() const;

  Http2Server& server_;
  std::uint32_t number_ = 0;
  // The request.
  std::string method_, target_, authority_, cookies_, protocol_;
  std::string fields_;       // "name: value\r\n" of each
  std::uint32_t fields_count_ = 0;
  bool too_large_ = false;
  net::Buffer head_;         // as HTTP/1.1 has it; the request's views stand here
  bool head_whole_ = false, length_known_ = false, wants_continue_ = false;
  bool response_begun_ = false, closed_ = false;
  async::Child life_;        // last: destroyed first
};

}  // namespace sluice::http
