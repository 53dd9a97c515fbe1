// SPDX-License-Identifier: Apache-2.0
#include "http/http2_flow.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "http/http2_fields.h"
#include "http/parser.h"

namespace sluice::http {
namespace {

constexpr std::size_t trailer_bytes_max = 8 * 1024;
constexpr HeadLimits trailer_limits{.field_bytes_max = trailer_bytes_max,
                                    .head_bytes_max = trailer_bytes_max + 2};

}  // namespace

// ---- what comes ----

void Http2Flow::came(std::string_view bytes) {
  if (windows_ == Windows::stream)
    nghttp2_session_consume_connection(connection_->session(), bytes.size());
  in_.need(std::max(bytes.size(), net::Buffer::standard_size));
  if (in_.room() < bytes.size()) in_.grow(std::max(in_.capacity() * 2, in_.size() + bytes.size()));
  std::memcpy(in_.tail(), bytes.data(), bytes.size());
  in_.filled(bytes.size());
  input_.tell();
}

bool Http2Flow::add_trailer(std::string_view name, std::string_view value) {
  if (trailer_fields_.size() + name.size() + value.size() + 4 > trailer_bytes_max) return false;
  trailer_fields_.append(name).append(": ").append(value).append("\r\n");
  return true;
}

const Headers* Http2Flow::trailers() const {
  if (trailers_ != nullptr || trailer_fields_.empty() || arena_ == nullptr || !ended()) return trailers_;
  auto* list = arena_->make<Headers>(*arena_);
  const Parsed parsed = parse_trailers(arena_->join(trailer_fields_, "\r\n"), trailer_limits, *list);
  if (parsed.outcome != Parsed::whole) list->clear();  // nghttp2 has seen to it that they are good
  trailers_ = list;
  return trailers_;
}

std::optional<std::string_view> Http2Flow::whole() const {
  if (!input_ended_ || body_bytes_ > 0 || !trailer_fields_.empty()) return std::nullopt;
  return in_.view();
}

async::Task<Result<std::string_view>> Http2Flow::next() {
  if (!in_.empty()) return take_input();
  if (input_ended_) return Result<std::string_view>(std::string_view());
  return wait_next();
}

// The window opens again for what is taken.
Result<std::string_view> Http2Flow::take_input() {
  taken_ = std::move(in_);
  body_bytes_ += taken_.size();
  if (connection_ != nullptr && !input_ended_) {
    if (windows_ == Windows::both) nghttp2_session_consume(connection_->session(), id_, taken_.size());
    else nghttp2_session_consume_stream(connection_->session(), id_, taken_.size());
    connection_->flush_soon();
  } else if (connection_ != nullptr && windows_ == Windows::both) {
    nghttp2_session_consume_connection(connection_->session(), taken_.size());
    connection_->flush_soon();
  }
  if (auto admitted = admit(body_bytes_); !admitted) return std::unexpected(admitted.error());
  return taken_.view();
}

async::Task<Result<std::string_view>> Http2Flow::wait_next() {
  before_wait();
  while (in_.empty() && !input_ended_) {
    if (input_failed_ || connection_ == nullptr) co_return std::unexpected(broken_input(0));
    const Instant until = std::min(after(connection_->loop().now(), input_patience_), input_deadline_);
    const ssize_t told = co_await input_.until(until);
    if (told < 0) co_return std::unexpected(broken_input(told));
  }
  if (in_.empty()) co_return std::string_view();
  co_return take_input();
}

// ---- what goes ----

async::Task<ssize_t> Http2Flow::hand_out(std::string_view piece, bool last, const Headers* trailers,
                                         Duration patience) {
  set_output(piece, last, trailers);
  if (connection_ == nullptr) co_return -ECONNRESET;
  nghttp2_session_resume_data(connection_->session(), id_);
  connection_->flush_soon();
  while (!out_.empty() || (out_last_ && !out_done_)) {
    if (connection_ == nullptr) break;
    const ssize_t told = co_await output_.until(after(connection_->loop().now(), patience));
    if (told < 0 && !std::exchange(moved_, false)) {
      out_ = {};
      co_return told;
    }
  }
  const bool gone = !out_.empty() || (out_last_ && !out_done_);
  out_ = {};
  co_return gone ? -ECONNRESET : 0;
}

void Http2Flow::went(std::size_t size) {
  out_.remove_prefix(size);
  moved_ = true;
  if (!out_.empty()) return;
  out_done_ = out_last_;
  output_.tell();
}

void Http2Flow::submit_trailers() {
  Http2Fields fields(out_trailers_->arena(), out_trailers_->size());
  fields.fields(*out_trailers_, not_in_trailers);
  nghttp2_submit_trailer(connection_->session(), id_, reinterpret_cast<const nghttp2_nv*>(fields.data()),
                         fields.size());
}

}  // namespace sluice::http
