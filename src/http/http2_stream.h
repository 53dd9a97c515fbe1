// SPDX-License-Identifier: Apache-2.0
// One stream of an HTTP/2 connection: a request and its response. The request's head is written down as
// HTTP/1.1 would have it and read by that parser, so that one set of rules holds for both. Belongs to its
// connection, which destroys it, and with it what serves it, when the client resets it. One loop.
#pragma once
#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/child.h"
#include "async/timer.h"
#include "http/http2_server.h"
#include "http/server_side.h"

namespace sluice::http {

class Http2Stream final : public ServerSide, public Body {
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
  const Endpoint& peer() const override { return connection_.peer(); }
  const Endpoint& local() const override { return connection_.local(); }
  const net::TlsFacts* tls() const override { return connection_.stream().tls(); }

  // ---- Body ----
  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return input_ended_ && in_.empty(); }
  const Headers* trailers() const override { return nullptr; }
  std::optional<std::string_view> whole() const override;

 private:
  friend class Http2Server;
  friend struct Http2Callbacks;
  enum class Wait : std::uint8_t { none, input, output };
  // Waits for the connection to say that something came, or was taken: 0, or -ETIMEDOUT.
  class Change {
   public:
    Change(Http2Stream& stream, Wait what, Duration patience);
    Change(const Change&) = delete;
    ~Change();
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    ssize_t await_resume() const { return stream_.result_; }

   private:
    Http2Stream& stream_;
    Wait what_;
    Duration patience_;
  };

  void add_field(std::string_view name, std::string_view value);
  void write_head(net::Buffer& out) const;
  async::Task<Result<std::string_view>> wait_next();
  Result<std::string_view> take_input();
  async::Task<Result<>> send_body(Response& response, Sent& sent);
  async::Task<Result<>> hand_out(std::string_view piece, Sent& sent);
  Result<> submit(const Request& request, const Response& response, bool with_body);
  void submit_trailers(const Headers& trailers);
  Error gone(Fault fault) const;
  void changed(Wait what);
  static void timed_out(void* self);

  Http2Server& connection_;
  std::int32_t id_;
  std::uint32_t number_;
  // The request.
  std::string method_, target_, authority_, cookies_;
  std::string fields_;       // "name: value\r\n" of each
  std::uint32_t fields_count_ = 0;
  bool too_large_ = false;
  net::Buffer head_;         // as HTTP/1.1 has it; the request's views stand here
  std::string in_, taken_;   // of the body: what came, and the piece that was given last
  std::uint64_t body_bytes_ = 0;
  bool head_whole_ = false, input_ended_ = false, length_known_ = false, wants_continue_ = false;
  // The response.
  std::string_view out_;     // the piece that is being handed out
  bool out_last_ = false, out_done_ = false, response_begun_ = false;
  const Headers* out_trailers_ = nullptr;
  // What waits.
  bool closed_ = false;
  Wait waits_for_ = Wait::none;
  std::coroutine_handle<> waiter_;
  ssize_t result_ = 0;
  async::Timer timer_;
  async::Child life_;        // last: destroyed first
};

}  // namespace sluice::http
