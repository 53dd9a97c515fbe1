// SPDX-License-Identifier: Apache-2.0
#include "http/client_connection.h"

namespace sluice::http {

async::Task<Result<>> ClientConnection::read_head(Response& response, const HeadLimits& limits,
                                                  Instant deadline) {
  for (;;) {
    auto whole = take_head(response, limits);
    if (!whole) co_return std::unexpected(std::move(whole.error()));
    if (*whole) co_return Result<>();
    const ssize_t count = co_await read_more(deadline);
    auto came = took(count);
    if (!came) co_return came;
  }
}

Result<bool> ClientConnection::take_head(Response& response, const HeadLimits& limits) {
  in_.need();
  if (in_.empty()) return false;
  const Parsed parsed = parse_response(in_.view(), limits, response);
  if (parsed.outcome == Parsed::refused)
    return fail(ErrorKind::protocol, std::string("the upstream's response has ") + parsed.why, Fault::peer);
  if (parsed.outcome == Parsed::whole) {
    if (response.status == 101) {  // it outlives the buffer, see take_input
      const std::string_view own = response.headers.arena().copy(in_.view().substr(0, parsed.size));
      SLUICE_CHECK(parse_response(own, limits, response).outcome == Parsed::whole);
    }
    in_.skip(parsed.size);
    return true;
  }
  if (in_.room() == 0) in_.grow(in_.capacity() * 2);
  return false;
}

Result<> ClientConnection::took(ssize_t count) {
  if (count > 0) {
    in_.filled(static_cast<std::size_t>(count));
    return {};
  }
  const bool nothing_came = in_.empty();
  if (count == -ETIMEDOUT)
    return std::unexpected(Error{ErrorKind::timeout, Fault::peer, "no response came in time", false});
  if (count == 0) {
    return std::unexpected(Error{ErrorKind::closed, Fault::peer,
                                 nothing_came ? "the connection was closed without a response"
                                              : "the connection was closed inside the response's head",
                                 nothing_came});
  }
  return std::unexpected(Error{ErrorKind::reset, Fault::peer,
                               system_message("read the response", static_cast<int>(-count)), nothing_came});
}

void ClientConnection::open_body(Method asked, Response& response, Arena& arena, Duration patience) {
  keep_alive_ = response.keep_alive;
  const bool none =
      asked == Method::head || response.status == 204 || response.status == 304 || response.status < 200;
  const bool chunked = response.headers.has(HeaderId::transfer_encoding);
  if (none || (!chunked && response.content_length == 0)) {
    ended_ = true;
    return;
  }
  BodyOptions body;
  body.fault = Fault::peer;
  body.patience = patience;
  body.length = std::max<std::int64_t>(response.content_length, 0);
  if (chunked) body.framing = BodyFraming::chunked;
  else if (response.content_length == unknown_length) body.framing = BodyFraming::until_close;
  if (body.framing == BodyFraming::until_close) keep_alive_ = false;
  body_ = arena.make<StreamBody>(*stream_, in_, arena, body);
  response.body = body_;
}

bool ClientConnection::reusable() const {
  const bool ended = body_ != nullptr ? body_->ended() && !body_->has_excess() : ended_;
  return keep_alive_ && ended && in_.empty() && !stream_->maybe_readable();
}

}  // namespace sluice::http
