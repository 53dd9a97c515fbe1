// SPDX-License-Identifier: Apache-2.0
// One request over an HTTP/2 connection to a server, and its response. The exchange that asks owns it; when
// it goes before the response has ended, the stream is given up and the connection lives on. The connection
// may end first: whoever waits learns that. One loop.
#pragma once
#include "http/http2_client.h"
#include "http/http2_fields.h"
#include "http/http2_flow.h"

namespace sluice::http {

class Http2Call final : public Http2Flow {
 public:
  // The response's fields are kept in its arena; both outlive the call.
  Http2Call(Http2Client& connection, Response& response, Arena& arena, Duration patience);
  Http2Call(const Http2Call&) = delete;
  ~Http2Call() override;

  enum class Content : std::uint8_t { none, whole, streamed };
  // Sends the head; of a `whole` body also `content`, which outlives the call. A streamed one follows by
  // `hand_out`.
  Result<> begin(const Http2Fields& fields, Content kind, std::string_view content);

  // Waits for what `has_head` or `failed` tell of: 0 or -ETIMEDOUT.
  Http2Wait::Until wait_for_head(Instant deadline) { return input_.until(deadline); }
  // A head is in the response: an interim one below 200, to be taken; or the final one.
  bool has_head() const { return head_ == Head::whole; }
  void take_interim() { head_ = Head::none; }
  bool failed() const { return input_failed_; }
  // What broke it; may_retry when the server has not looked at the request.
  Error failure() const;
  // The server has said nothing in time: if not on the whole connection either, nobody else shall wait for
  // it.
  void gave_up_waiting();

  // Nobody wants the response any more, or any more of it.
  void give_up();
  // The same, for a reason that is told to whoever waits for it.
  void abort(std::string why);

  // Gives the response its body, when it has one.
  void open_body(Method asked);
  // The server has ended the response: nothing of the request is wanted any more.
  bool response_ended() const { return input_ended_; }
  void set_deadline(Instant deadline) { input_deadline_ = deadline; }
  // HTTP/2's code for how the stream ended.
  std::uint32_t reset_code() const { return reset_code_; }

 private:
  friend class Http2Client;
  friend struct Http2ClientCallbacks;
  enum class Head : std::uint8_t { none, coming, whole };
  bool add_field(std::string_view name, std::string_view value);
  void head_begins();
  void closed(std::uint32_t code);
  void fail(std::string why, bool unprocessed);
  Error broken_input(ssize_t told) const override;
  Http2Client& client() { return static_cast<Http2Client&>(*connection_); }

  Response& response_;
  HeadLimits limits_;
  Head head_ = Head::none;
  bool final_ = false, too_large_ = false, unsent_ = false, unprocessed_ = false;
  std::uint32_t head_bytes_ = 0, fields_ = 0, reset_code_ = 0;
  std::string why_;
  std::size_t place_ = 0;  // in the connection's list
  Instant begun_;
};

}  // namespace sluice::http
