// SPDX-License-Identifier: Apache-2.0
#include "http/http2_server.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "http/http2_stream.h"

namespace sluice::http {
namespace {

constexpr std::int32_t stream_window = 256 * 1024;
constexpr std::int32_t connection_window = 1024 * 1024;
constexpr std::size_t out_max = 64 * 1024;  // frames made before the socket has to take them
// Of pings, settings, priorities, empty frames and resets together; a reset counts for several.
constexpr double patience_max = 1000, patience_a_second = 100;
constexpr unsigned cost_of_reset = 5;

const std::uint8_t* bytes_of(const char* text) { return reinterpret_cast<const std::uint8_t*>(text); }
std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

struct Http2Callbacks {
  static Http2Server& of(void* user) { return *static_cast<Http2Server*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const std::int32_t id = frame->hd.stream_id;
    of(user).streams_[id] = std::make_unique<Http2Stream>(of(user), id);
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                    void* user) {
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream != nullptr && !stream->head_whole_)
      stream->add_field(text_of(name, name_size), text_of(value, value_size));
    return 0;
  }

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

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (!stream->head_whole_) of(user).ready_.push_back(frame->hd.stream_id);
    stream->head_whole_ = true;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    stream->input_ended_ = true;
    stream->changed(Http2Stream::Wait::input);
    return 0;
  }

  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                  std::size_t size, void* user) {
    Http2Stream* stream = of(user).find(id);
    if (stream == nullptr) {  // nobody wants it any more
      nghttp2_session_consume(session, id, size);
      return 0;
    }
    stream->in_.append(text_of(bytes, size));
    stream->changed(Http2Stream::Wait::input);
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    if (Http2Stream* stream = of(user).find(id)) of(user).closed(*stream, error);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Http2Stream* stream = of(user).find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t count = std::min(size, stream->out_.size());
    if (count == 0 && !stream->out_last_) return NGHTTP2_ERR_DEFERRED;
    if (count > 0) std::memcpy(into, stream->out_.data(), count);
    stream->out_.remove_prefix(count);
    if (!stream->out_.empty()) return static_cast<ssize_t>(count);
    if (stream->out_last_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream->out_trailers_ != nullptr) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        stream->submit_trailers(*stream->out_trailers_);
      }
      stream->out_done_ = true;
    }
    stream->changed(Http2Stream::Wait::output);
    return static_cast<ssize_t>(count);
  }

  static const nghttp2_session_callbacks* all() {
    static const auto* made = [] {
      nghttp2_session_callbacks* list = nullptr;
      SLUICE_CHECK(nghttp2_session_callbacks_new(&list) == 0);
      nghttp2_session_callbacks_set_on_begin_headers_callback(list, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(list, header);
      nghttp2_session_callbacks_set_on_begin_frame_callback(list, begin_frame);
      nghttp2_session_callbacks_set_on_frame_recv_callback(list, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(list, data);
      nghttp2_session_callbacks_set_on_stream_close_callback(list, stream_closed);
      return list;
    }();
    return made;
  }

  static const nghttp2_option* options() {
    static const auto* made = [] {
      nghttp2_option* option = nullptr;
      SLUICE_CHECK(nghttp2_option_new(&option) == 0);
      nghttp2_option_set_no_auto_window_update(option, 1);
      nghttp2_option_set_no_closed_streams(option, 1);
      return option;
    }();
    return made;
  }
};

ssize_t read_http2_body(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                        std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  return Http2Callbacks::read_body(session, id, into, size, flags, source, user);
}

Http2Server::Http2Server(net::Accepted accepted, std::string_view input, const ServerOptions& options,
                         Handler& handler)
    : stream_(std::move(accepted.stream)),
      peer_(accepted.peer),
      local_(accepted.local),
      options_(options),
      handler_(handler),
      input_(input),
      patience_(patience_max),
      patience_at_(stream_->loop().now()),
      flush_timer_(stream_->loop(), &Http2Server::flush_due, this) {
  SLUICE_CHECK(nghttp2_session_server_new2(&session_, Http2Callbacks::all(), this,
                                           Http2Callbacks::options()) == 0);
}

Http2Server::~Http2Server() {
  writer_.reset();
  dead_.clear();
  streams_.clear();
  nghttp2_session_del(session_);
}

void Http2Server::begin() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options_.head.head_bytes_max}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  writer_.start(write_when_possible());
  flush_soon();
}

async::Task<> Http2Server::run() {
  begin();
  bool good = input_.empty() || take(input_.data(), input_.size());
  input_ = {};
  net::Buffer buffer;
  while (good && !over()) {
    const Instant until = after(stream_->loop().now(), options_.keepalive_timeout);
    const ssize_t ready = co_await stream_->readable(until);
    if (ready == -ETIMEDOUT) {
      const auto is_served = [](const auto& one) { return one.second->head_whole_; };
      if (std::ranges::any_of(streams_, is_served)) continue;
      nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
      break;
    }
    buffer.need();
    const ssize_t count = stream_->try_read(buffer.data(), buffer.capacity());
    if (count == -EAGAIN) continue;
    if (count <= 0) {
      broken_ = true;
      break;
    }
    good = take(buffer.data(), static_cast<std::size_t>(count));
    buffer.release();
  }
  flush();
}

bool Http2Server::take(const char* bytes, std::size_t size) {
  const ssize_t count = nghttp2_session_mem_recv(session_, bytes_of(bytes), size);
  start_ready();
  wake_streams();
  flush_soon();
  if (count == static_cast<ssize_t>(size)) return true;
  log::info("{}: HTTP/2: {}", peer_.text(), nghttp2_strerror(static_cast<int>(std::min<ssize_t>(count, 0))));
  return false;
}

void Http2Server::start_ready() {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    Http2Stream* stream = find(ready_[i]);
    if (stream == nullptr) continue;
    stream->number_ = requests_++;
    if (requests_ >= options_.requests_max) drain();
    stream->life_.start(handler_.serve(*stream));
  }
  ready_.clear();
}

void Http2Server::wake_streams() {
  for (std::size_t i = 0; i < woken_.size(); ++i) {
    Http2Stream* stream = find(woken_[i]);
    if (stream == nullptr || !stream->waiter_) continue;
    stream->timer_.cancel();
    stream->result_ = 0;
    std::exchange(stream->waiter_, nullptr).resume();
  }
  woken_.clear();
}

Http2Stream* Http2Server::find(std::int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

// Of a stream whose response has gone out the rest of its life is short; any other is given up, with all that
// serves it. Not inside its own frame: the timer buries it.
void Http2Server::closed(Http2Stream& stream, std::uint32_t error) {
  stream.closed_ = true;
  if (stream.out_done_ && error == NGHTTP2_NO_ERROR) return;
  bury(stream);
}

void Http2Server::bury(Http2Stream& stream) {
  const auto found = streams_.find(stream.id_);
  if (found == streams_.end() || found->second.get() != &stream) return;  // on its way out already
  if (!stream.in_.empty()) nghttp2_session_consume_connection(session_, stream.in_.size());
  dead_.push_back(std::move(found->second));
  streams_.erase(found);
  flush_soon();
}

void Http2Server::ended(Http2Stream& stream) {
  if (find(stream.id_) != &stream) return;
  if (!stream.closed_ && (!stream.out_done_ || !stream.input_ended_)) {
    const auto why = stream.out_done_ ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, why);
  }
  bury(stream);
}

void Http2Server::drain() {
  if (draining_) return;
  draining_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  flush_soon();
}

bool Http2Server::over() const {
  const bool talks = nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
  return broken_ || !talks || (draining_ && streams_.empty());
}

bool Http2Server::tolerates(unsigned cost) {
  if (cost == 0) return true;
  const Instant now = stream_->loop().now();
  const double seconds = std::chrono::duration<double>(now - patience_at_).count();
  patience_ = std::min(patience_max, patience_ + seconds * patience_a_second) - cost;
  patience_at_ = now;
  return patience_ >= 0;
}

// Frames of everything that happens in this batch leave in one write.
void Http2Server::flush_soon() { flush_timer_.set(stream_->loop().now()); }

void Http2Server::flush_due(void* self) {
  auto& server = *static_cast<Http2Server*>(self);
  server.dead_.clear();
  server.flush();
}

void Http2Server::produce() {
  const std::uint8_t* bytes = nullptr;
  while (out_.size() < out_max) {
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count <= 0) break;
    out_.append(text_of(bytes, static_cast<std::size_t>(count)));
  }
}

void Http2Server::flush() {
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
  if (streams_.empty() && out_.empty()) out_.shrink_to_fit();  // an idle connection holds no memory
  if (full_ && writer_waits_) std::exchange(writer_waits_, nullptr).resume();
  wake_streams();
  if (!full_ && over()) stream_->shutdown_write();
}

async::Task<> Http2Server::write_when_possible() {
  for (;;) {
    co_await Full(*this);
    const ssize_t ready = co_await stream_->writable(after(stream_->loop().now(), options_.send_timeout));
    full_ = false;
    if (ready < 0) {
      broken_ = true;
      stream_->shutdown_write();
      co_return;
    }
    flush();
  }
}

}  // namespace sluice::http
