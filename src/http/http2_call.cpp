// SPDX-License-Identifier: Apache-2.0
#include "http/http2_call.h"

#include <nghttp2/nghttp2.h>

#include <charconv>

namespace sluice::http {

// http2_connection.cpp
ssize_t read_http2_output(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                          std::uint32_t* flags, nghttp2_data_source* source, void* user);

Http2Call::Http2Call(Http2Client& connection, Response& response, Arena& arena, Duration patience)
    : Http2Flow(connection, 0),
      response_(response),
      limits_(connection.options_.head),
      begun_(connection.loop().now()) {
  arena_ = &arena;
  windows_ = Windows::stream;
  input_patience_ = patience;
}

Http2Call::~Http2Call() { give_up(); }

void Http2Call::give_up() {
  if (connection_ == nullptr) return;
  Http2Client& from = client();
  if (id_ == 0) {
    connection_ = nullptr;
    return;
  }
  nghttp2_session_set_stream_user_data(from.session(), id_, nullptr);
  nghttp2_submit_rst_stream(from.session(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  from.flush_soon();
  from.forget(*this);
}

void Http2Call::abort(std::string why) {
  if (connection_ == nullptr) return;
  Http2Client& from = client();
  give_up();
  fail(std::move(why), false);
  from.flush_soon();
}

Result<> Http2Call::begin(const Http2Fields& fields, Content kind, std::string_view content) {
  nghttp2_data_provider body{};
  body.read_callback = read_http2_output;
  if (kind == Content::whole) set_output(content, true, nullptr);
  else if (kind == Content::none) out_done_ = true;
  const std::int32_t id = nghttp2_submit_request(
      connection_->session(), nullptr, reinterpret_cast<const nghttp2_nv*>(fields.data()), fields.size(),
      kind == Content::none ? nullptr : &body, static_cast<Http2Flow*>(this));
  if (id < 0) {  // the numbers of streams are used up, for one
    client().retire();
    connection_ = nullptr;
    return std::unexpected(Error{ErrorKind::refused, Fault::peer, nghttp2_strerror(id), true});
  }
  id_ = id;
  client().begin(*this);
  return {};
}

void Http2Call::head_begins() {
  if (final_) return;
  head_ = Head::coming;
  response_.headers.clear();
  response_.status = 0;
  response_.reason = {};
  response_.content_length = unknown_length;
  response_.minor_version = 1;
  head_bytes_ = fields_ = 0;
}

// Kept as a line of HTTP/1.1: lines that stand next to each other are copied in one piece.
bool Http2Call::add_field(std::string_view name, std::string_view value) {
  if (final_) return add_trailer(name, value);
  head_bytes_ += static_cast<std::uint32_t>(name.size() + value.size() + 4);
  if (head_bytes_ > limits_.head_bytes_max || ++fields_ > limits_.fields_max + 1) {
    too_large_ = true;
    return false;
  }
  if (name.front() == ':') {  // the only one that nghttp2 lets through
    for (char digit : value) response_.status = response_.status * 10 + (digit - '0');
    return value.size() == 3;
  }
  char* line = arena_->text(name.size() + value.size() + 4);
  char* at = std::copy(name.begin(), name.end(), line);
  *at++ = ':';
  *at++ = ' ';
  char* const its_value = at;
  at = std::copy(value.begin(), value.end(), at);
  *at++ = '\r';
  *at = '\n';
  const Header field{{line, name.size()}, {its_value, value.size()}, header_id({line, name.size()}), true};
  if (field.id == HeaderId::content_length)
    std::from_chars(its_value, its_value + value.size(), response_.content_length);
  response_.headers.append(field);
  return true;
}

void Http2Call::closed(std::uint32_t code) {
  reset_code_ = code;
  if (!input_ended_ || head_ != Head::whole || !final_) {
    const bool refused = code == NGHTTP2_REFUSED_STREAM || unsent_;
    if (too_large_) fail("the upstream's response has a head that is too large", false);
    else if (refused) fail("the server did not take the request", true);
    else fail(std::string("the server has reset the stream: ") + nghttp2_http2_strerror(code), false);
  }
  tell_all();
}

void Http2Call::fail(std::string why, bool unprocessed) {
  if (input_ended_ && head_ == Head::whole && final_) return tell_all();
  input_failed_ = true;
  if (why_.empty()) why_ = std::move(why);
  unprocessed_ = unprocessed || (unsent_ && head_ == Head::none);
  tell_all();
}

Error Http2Call::failure() const {
  if (too_large_) return {ErrorKind::protocol, Fault::peer, why_, false};
  return {unprocessed_ ? ErrorKind::refused : ErrorKind::reset, Fault::peer, why_,
          unprocessed_ || (head_ == Head::none && waiting_bytes() == 0)};
}

Error Http2Call::broken_input(ssize_t told) const {
  if (told == -ETIMEDOUT)
    return {ErrorKind::timeout, Fault::peer, "no byte of the body came in time", false};
  return {ErrorKind::reset, Fault::peer, why_, false};
}

void Http2Call::gave_up_waiting() {
  if (connection_ != nullptr && client().last_read_ <= begun_) client().retire();
}

void Http2Call::open_body(Method asked) {
  const int status = response_.status;
  const bool none = asked == Method::head || status == 204 || status == 304;
  if (none || (input_ended_ && waiting_bytes() == 0 && !has_trailers())) return;
  if (input_ended_ && !has_trailers() && response_.content_length == unknown_length)
    response_.content_length = static_cast<std::int64_t>(waiting_bytes());
  response_.body = this;
}

}  // namespace sluice::http
