// SPDX-License-Identifier: Apache-2.0
#include "http/http2_connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "base/result.h"
#include "http/http2_flow.h"

namespace sluice::http {
namespace {

constexpr std::size_t out_max = 64 * 1024;  // frames made before the socket has to take them
constexpr std::size_t out_at_once = 4096;   // memory taken for them at first
constexpr std::size_t frame_head_size = 9;
// Of pings, settings, priorities, empty frames and resets together; a reset counts for several.
constexpr double patience_max = 1000, patience_a_second = 100;
constexpr unsigned cost_of_reset = 5;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

Http2Flow* flow_of(nghttp2_session* session, std::int32_t id) {
  return static_cast<Http2Flow*>(nghttp2_session_get_stream_user_data(session, id));
}

}  // namespace

struct Http2CommonCallbacks {
  static Http2Connection& of(void* user) { return *static_cast<Http2Connection*>(user); }

  // Counts every frame, also those that nghttp2 reads over.
  static int begin_frame(nghttp2_session* session, const nghttp2_frame_hd* head, void* user) {
    unsigned cost = 0;
    switch (head->type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_WINDOW_UPDATE: break;
      case NGHTTP2_DATA:
        cost = head->length == 0 && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0 ? 1 : 0;
        break;
      case NGHTTP2_RST_STREAM: cost = cost_of_reset; break;
      default: cost = 1; break;
    }
    if (!of(user).tolerates(cost)) nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
  }

  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                  std::size_t size, void*) {
    Http2Flow* flow = flow_of(session, id);
    if (flow == nullptr) nghttp2_session_consume(session, id, size);  // nobody wants it any more
    else flow->came(text_of(bytes, size));
    return 0;
  }

  static ssize_t read_output(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source*, void*) {
    Http2Flow* flow = flow_of(session, id);
    if (flow == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t count = std::min(size, flow->out_.size());
    if (count == 0 && !flow->out_last_) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (flow->out_last_ && count == flow->out_.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (flow->out_trailers_ != nullptr) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        flow->submit_trailers();
      }
      if (count == 0) flow->went(0);  // a frame of nothing may be left out
    }
    return static_cast<ssize_t>(count);
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source*, void* user) {
    Http2Connection& connection = of(user);
    Http2Flow* flow = flow_of(connection.session_, frame->hd.stream_id);
    if (flow == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (connection.out_.size() >= out_max) return NGHTTP2_ERR_WOULDBLOCK;
    connection.out_.append(text_of(head, frame_head_size)).append(flow->out_.substr(0, size));
    flow->went(size);
    return 0;
  }
};

ssize_t read_http2_output(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                          std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  return Http2CommonCallbacks::read_output(session, id, into, size, flags, source, user);
}

nghttp2_session_callbacks* Http2Connection::common_callbacks() {
  nghttp2_session_callbacks* list = nullptr;
  SLUICE_CHECK(nghttp2_session_callbacks_new(&list) == 0);
  nghttp2_session_callbacks_set_on_begin_frame_callback(list, Http2CommonCallbacks::begin_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(list, Http2CommonCallbacks::data);
  nghttp2_session_callbacks_set_send_data_callback(list, Http2CommonCallbacks::send_data);
  return list;
}

Http2Connection::Http2Connection(std::unique_ptr<net::Stream> stream, Duration send_timeout)
    : stream_(std::move(stream)),
      send_timeout_(send_timeout),
      patience_(patience_max),
      patience_at_(stream_->loop().now()),
      waits_(stream_->loop()),
      flush_timer_(stream_->loop(), &Http2Connection::flush_due, this) {}

Http2Connection::~Http2Connection() { nghttp2_session_del(session_); }

bool Http2Connection::take(const char* bytes, std::size_t size, const char*& why) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(bytes);
  const ssize_t count = nghttp2_session_mem_recv(session_, octets, size);
  flush_soon();
  if (count == static_cast<ssize_t>(size)) return true;
  why = nghttp2_strerror(static_cast<int>(std::min<ssize_t>(count, 0)));
  return false;
}

bool Http2Connection::wants_nothing() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

bool Http2Connection::tolerates(unsigned cost) {
  if (cost == 0) return true;
  const Instant now = loop().now();
  const double seconds = std::chrono::duration<double>(now - patience_at_).count();
  patience_ = std::min(patience_max, patience_ + seconds * patience_a_second) - cost;
  patience_at_ = now;
  return patience_ >= 0;
}

void Http2Connection::flush_due(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  connection.before_flush();
  connection.flush();
}

// What a body is made of comes by `send_data`, everything else from here.
void Http2Connection::produce() {
  const std::uint8_t* bytes = nullptr;
  if (nghttp2_session_want_write(session_) != 0) out_.reserve(out_at_once);
  while (out_.size() < out_max) {
    const std::size_t before = out_.size();
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0 || (count == 0 && out_.size() == before)) break;
    out_.append(text_of(bytes, static_cast<std::size_t>(count)));
  }
}

void Http2Connection::flush() {
  if (flushing_ || full_ || broken_) return;
  flushing_ = true;
  for (;;) {
    if (out_from_ == out_.size()) {
      out_.clear();
      out_from_ = 0;
      produce();
      if (out_.empty()) break;
    }
    const iovec piece{out_.data() + out_from_, out_.size() - out_from_};
    const ssize_t written = stream_->try_write(&piece, 1);
    if (written == -EAGAIN) {
      full_ = true;
      break;
    }
    if (written < 0) {
      broken_ = true;
      break;
    }
    out_from_ += static_cast<std::size_t>(written);
  }
  flushing_ = false;
  if (full_ && writer_waits_) std::exchange(writer_waits_, nullptr).resume();
  waits_.resume_told();
  after_flush();
}

async::Task<> Http2Connection::write_when_possible() {
  for (;;) {
    co_await Full(*this);
    const ssize_t ready = co_await stream_->writable(after(loop().now(), send_timeout_));
    full_ = false;
    if (ready < 0) {
      broken_ = true;
      stream_->shutdown_write();
      after_flush();
      co_return;
    }
    flush();
  }
}

}  // namespace sluice::http
