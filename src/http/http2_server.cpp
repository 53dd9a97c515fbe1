// SPDX-License-Identifier: Apache-2.0
#include "http/http2_server.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/log.h"
#include "http/http2_memory.h"
#include "http/http2_stream.h"

namespace sluice::http {
namespace {

constexpr std::int32_t stream_window = 256 * 1024;
constexpr std::int32_t connection_window = 1024 * 1024;
std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

struct Http2Callbacks {
  static Http2Server& of(void* user) { return *static_cast<Http2Server*>(user); }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const std::int32_t id = frame->hd.stream_id;
    auto& stream = of(user).streams_[id];
    stream = std::make_unique<Http2Stream>(of(user), id);
    nghttp2_session_set_stream_user_data(session, id, static_cast<Http2Flow*>(stream.get()));
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                    void* user) {
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const auto its_name = text_of(name, name_size), its_value = text_of(value, value_size);
    if (!stream->head_whole_) stream->add_field(its_name, its_value);
    else if (!stream->add_trailer(its_name, its_value)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
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
    stream->input_.tell();
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    if (Http2Stream* stream = of(user).find(id)) of(user).closed(*stream, error);
    return 0;
  }

  static const nghttp2_session_callbacks* all() {
    static const auto* made = [] {
      nghttp2_session_callbacks* list = Http2Server::common_callbacks();
      nghttp2_session_callbacks_set_on_begin_headers_callback(list, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(list, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(list, frame_received);
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

Http2Server::Http2Server(net::Accepted accepted, std::string_view input, const ServerOptions& options,
                         Handler& handler)
    : Http2Connection(std::move(accepted.stream), options.send_timeout),
      peer_(accepted.peer),
      local_(accepted.local),
      options_(options),
      handler_(handler),
      input_(input) {
  SLUICE_CHECK(nghttp2_session_server_new3(&session_, Http2Callbacks::all(), this,
                                           Http2Callbacks::options(), http2_memory()) == 0);
}

Http2Server::~Http2Server() {
  stop_writing();
  dead_.clear();
  streams_.clear();
}

void Http2Server::begin() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options_.head.head_bytes_max}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  start_writing();
  flush_soon();
}

async::Task<> Http2Server::run() {
  begin();
  bool good = input_.empty() || read(input_.data(), input_.size());
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
    good = read(buffer.data(), static_cast<std::size_t>(count));
    buffer.release();
  }
  flush();
}

bool Http2Server::read(const char* bytes, std::size_t size) {
  const char* why = nullptr;
  const bool good = take(bytes, size, why);
  start_ready();
  waits().resume_told();
  if (!good) log::info("{}: HTTP/2: {}", peer_.text(), why);
  return good;
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
  if (stream.waiting_bytes() > 0) nghttp2_session_consume_connection(session_, stream.waiting_bytes());
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
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

bool Http2Server::over() const { return broken_ || wants_nothing() || (draining_ && streams_.empty()); }

void Http2Server::before_flush() { dead_.clear(); }

void Http2Server::after_flush() {
  if (streams_.empty()) release_output();
  if (all_out() && over()) stream_->shutdown_write();
}

}  // namespace sluice::http
