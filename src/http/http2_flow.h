// SPDX-License-Identifier: Apache-2.0
// The bytes of one HTTP/2 stream, both ways, the same on either side: the body that comes, which is pulled,
// with the trailers behind it, and the body that goes, which is handed out piece by piece as the peer's
// windows let it. Flow control is back-pressure: a window opens again only for what has been pulled. One
// loop.
#pragma once
#include <string>
#include <string_view>

#include "http/http2_connection.h"
#include "http/message.h"
#include "net/buffer.h"

namespace sluice::http {

class Http2Flow : public Body {
 public:
  Http2Flow(Http2Connection& connection, std::int32_t id)
      : connection_(&connection), id_(id), input_(connection.waits()), output_(connection.waits()) {}

  // ---- Body: what comes ----
  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return input_ended_ && in_.empty(); }
  const Headers* trailers() const override;
  std::optional<std::string_view> whole() const override;

  // What goes: comes back when the peer's windows have let all of the piece out: 0; -ETIMEDOUT when it took
  // nothing for `patience`, -ECONNRESET when the stream is over. `last` says that nothing follows but
  // `trailers`, which may be null and outlive the stream.
  async::Task<ssize_t> hand_out(std::string_view piece, bool last, const Headers* trailers,
                                Duration patience);
  std::uint64_t body_bytes() const { return body_bytes_; }

 protected:
  enum class Windows : std::uint8_t { both, stream };  // which of them wait for a body to be pulled
  // Before a wait for input begins.
  virtual void before_wait() {}
  // When there is nothing to wait for: the stream broke. `told` is -ETIMEDOUT when patience ended.
  virtual Error broken_input(ssize_t told) const = 0;
  virtual Result<> admit(std::uint64_t) const { return {}; }  // so many bytes of a body

  // A trailer field; false when there are too many.
  bool add_trailer(std::string_view name, std::string_view value);
  bool has_trailers() const { return !trailer_fields_.empty(); }
  // The stream is over: whatever waits goes on.
  void tell_all() {
    input_.tell();
    output_.tell();
  }
  // What is given out at once with the head, or later by hand_out.
  void set_output(std::string_view piece, bool last, const Headers* trailers) {
    out_ = piece;
    out_last_ = last;
    out_trailers_ = trailers;
  }
  std::size_t waiting_bytes() const { return in_.size(); }
  std::string_view waiting() const { return in_.view(); }

  Http2Connection* connection_;  // null once the stream is over
  std::int32_t id_;
  Arena* arena_ = nullptr;       // of the exchange: trailers are given out there
  Windows windows_ = Windows::both;
  Duration input_patience_ = std::chrono::seconds(60);
  Instant input_deadline_ = never;
  bool input_ended_ = false, input_failed_ = false, out_done_ = false;
  Http2Wait input_, output_;

 private:
  friend struct Http2CommonCallbacks;
  void came(std::string_view bytes);
  void went(std::size_t size);
  void submit_trailers();
  async::Task<Result<std::string_view>> wait_next();
  Result<std::string_view> take_input();

  net::Buffer in_, taken_;  // what came, and the piece that was given last
  std::uint64_t body_bytes_ = 0;
  std::string trailer_fields_;  // "name: value\r\n" of each
  mutable const Headers* trailers_ = nullptr;
  std::string_view out_;    // the piece that is being handed out
  bool out_last_ = false, moved_ = false;
  const Headers* out_trailers_ = nullptr;
};

}  // namespace sluice::http
