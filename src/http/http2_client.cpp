// SPDX-License-Identifier: Apache-2.0
#include "http/http2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "http/http2_call.h"
#include "http/http2_memory.h"

namespace sluice::http {
namespace {

constexpr std::uint32_t stream_window = 256 * 1024;
// A request that is not pulled must not hold up the others: the window of a stream is what bounds it.
constexpr std::int32_t connection_window = stream_window * Http2Client::streams_max;
constexpr std::size_t head_sent_max = 256 * 1024;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

struct Http2ClientCallbacks {
  static Http2Client& of(void* user) { return *static_cast<Http2Client*>(user); }
  static Http2Call* call_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Http2Call*>(
        static_cast<Http2Flow*>(nghttp2_session_get_stream_user_data(session, id)));
  }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (Http2Call* call = call_of(session, frame->hd.stream_id)) call->head_begins();
    return 0;
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                    void*) {
    Http2Call* call = call_of(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    const bool taken = call->add_field(text_of(name, name_size), text_of(value, value_size));
    return taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS: settings_came(session, of(user)); return 0;
      case NGHTTP2_GOAWAY: of(user).retire(); return 0;
      case NGHTTP2_DATA:
      case NGHTTP2_HEADERS: break;
      default: return 0;
    }
    Http2Call* call = call_of(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    if (call->head_ == Http2Call::Head::coming) {
      call->head_ = Http2Call::Head::whole;
      call->final_ = call->response_.status >= 200;
      // Interim answers cost the server little.
      if (!call->final_ && !of(user).tolerates(1))
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
      call->input_.tell();
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    call->input_ended_ = true;
    call->input_.tell();
    return 0;
  }

  static void settings_came(nghttp2_session* session, Http2Client& client) {
    const auto admitted =
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    client.streams_now_ = std::min(admitted, Http2Client::streams_max);
    if (client.takes()) client.owner_.has_room(client);
  }

  static int not_sent(nghttp2_session* session, const nghttp2_frame* frame, int, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (Http2Call* call = call_of(session, frame->hd.stream_id)) call->unsent_ = true;
    return 0;
  }

  static int stream_closed(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user) {
    Http2Call* call = call_of(session, id);
    if (call == nullptr) return 0;
    call->closed(code);
    of(user).forget(*call);
    return 0;
  }

  static const nghttp2_session_callbacks* all() {
    static const auto* made = [] {
      nghttp2_session_callbacks* list = Http2Client::common_callbacks();
      nghttp2_session_callbacks_set_on_begin_headers_callback(list, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(list, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(list, frame_received);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(list, not_sent);
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
      nghttp2_option_set_max_send_header_block_length(option, head_sent_max);
      return option;
    }();
    return made;
  }
};

Http2Client::Http2Client(std::unique_ptr<net::Stream> stream, const Http2ClientOptions& options, Owner& owner)
    : Http2Connection(std::move(stream), options.send_timeout),
      options_(options),
      owner_(owner),
      last_read_(loop().now()),
      idle_timer_(loop(), &Http2Client::idle_for_long, this) {
  SLUICE_CHECK(nghttp2_session_client_new3(&session_, Http2ClientCallbacks::all(), this,
                                           Http2ClientCallbacks::options(), http2_memory()) == 0);
}

Http2Client::~Http2Client() {
  ended_ = true;
  for (Http2Call* call : calls_) {
    call->fail("the gateway closes the connection", false);
    call->connection_ = nullptr;
  }
}

void Http2Client::start() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options_.head.head_bytes_max}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  start_writing();
  flush_soon();
  idle_timer_.set(after(loop().now(), options_.idle_timeout));
  life_.start(run());
}

async::Task<> Http2Client::run() {
  net::Buffer buffer;
  std::string why;
  while (why.empty()) {
    co_await stream_->readable(never);
    buffer.need();
    const ssize_t count = stream_->try_read(buffer.data(), buffer.capacity());
    if (count == -EAGAIN) continue;
    const char* told = nullptr;
    if (count == 0) why = "the server has closed the connection";
    else if (count < 0) why = system_message("read", static_cast<int>(-count));
    else if (!take(buffer.data(), static_cast<std::size_t>(count), told))
      why = std::string("HTTP/2: ") + told;
    last_read_ = loop().now();
    buffer.release();
    waits().resume_told();
    if (retired_ && calls_.empty()) break;
  }
  if (retired_ && calls_.empty() && why.empty())
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  flush();
  end(why.empty() ? "the connection has been used up" : std::move(why));
}

void Http2Client::after_flush() {
  if (broken_) return end("the server took nothing in time, or has gone");
  if (retired_ && calls_.empty()) return end("");
  if (wants_nothing()) end("the server does not speak HTTP/2, or has broken its rules");
}

void Http2Client::begin(Http2Call& call) {
  call.place_ = calls_.size();
  calls_.push_back(&call);
  if (++requests_ >= options_.requests_max) retired_ = true;
  idle_timer_.cancel();
  flush_soon();
}

void Http2Client::forget(Http2Call& call) {
  calls_.back()->place_ = call.place_;
  calls_[call.place_] = calls_.back();
  calls_.pop_back();
  call.connection_ = nullptr;
  if (ended_) return;
  if (calls_.empty()) {
    if (options_.idle_timeout <= Duration::zero()) retired_ = true;
    idle_timer_.set(after(loop().now(), options_.idle_timeout));
    if (retired_) flush_soon();
  }
  if (takes()) owner_.has_room(*this);
}

void Http2Client::retire() {
  retired_ = true;
  flush_soon();
}

void Http2Client::idle_for_long(void* self) {
  auto& client = *static_cast<Http2Client*>(self);
  if (!client.calls_.empty()) return;
  client.retired_ = true;
  nghttp2_session_terminate_session(client.session_, NGHTTP2_NO_ERROR);
  client.flush();
}

// Whoever waits is told first; the owner destroys it when nothing of it can be running.
void Http2Client::end(std::string why) {
  if (ended_) return;
  ended_ = retired_ = true;
  idle_timer_.cancel();
  for (Http2Call* call : calls_) {
    call->fail(why, false);
    call->connection_ = nullptr;
  }
  calls_.clear();
  waits().resume_told();
  owner_.ended(*this);
}

}  // namespace sluice::http
