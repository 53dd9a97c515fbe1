// SPDX-License-Identifier: Apache-2.0
// What both sides of an HTTP/2 connection (RFC 9113) share: an nghttp2 session on a stream, frames that leave
// in one write a turn of the loop, what waits on its streams, and the patience with a peer that does much of
// what costs it nothing (resets, pings, settings, empty frames). One loop.
#pragma once
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>

#include "async/child.h"
#include "http/http2_wait.h"
#include "net/stream.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace sluice::http {

class Http2Flow;

class Http2Connection {
 public:
  Http2Connection(const Http2Connection&) = delete;

  net::Stream& stream() { return *stream_; }
  async::Loop& loop() { return stream_->loop(); }
  nghttp2_session* session() { return session_; }
  Http2Waits& waits() { return waits_; }
  // Frames of everything that happens in this batch leave in one write.
  void flush_soon() { flush_timer_.set(loop().now()); }

 protected:
  Http2Connection(std::unique_ptr<net::Stream> stream, Duration send_timeout);
  virtual ~Http2Connection();

  // Nothing of nghttp2 is running, nor of any stream.
  virtual void before_flush() {}
  // Everything is out, or the socket is full, or broken.
  virtual void after_flush() = 0;

  // To be called once there is a session.
  void start_writing() { writer_.start(write_when_possible()); }
  void stop_writing() { writer_.reset(); }
  // Gives bytes to nghttp2: false when it has enough of them, with `why`.
  bool take(const char* bytes, std::size_t size, const char*& why);
  void flush();
  bool wants_nothing() const;
  bool all_out() const { return out_.empty(); }
  // An idle connection holds no memory for frames.
  void release_output() {
    if (out_.empty()) out_.shrink_to_fit();
  }
  // False when the peer has done too much of what costs it nothing.
  bool tolerates(unsigned cost);
  // The callbacks that both sides have in common.
  static nghttp2_session_callbacks* common_callbacks();

  std::unique_ptr<net::Stream> stream_;
  nghttp2_session* session_ = nullptr;
  bool broken_ = false;

 private:
  friend struct Http2CommonCallbacks;
  // Waits until a write found the socket full.
  struct Full {
    Http2Connection& connection;
    bool await_ready() const { return connection.full_; }
    void await_suspend(std::coroutine_handle<> waiter) { connection.writer_waits_ = waiter; }
    void await_resume() const {}
  };
  void produce();
  async::Task<> write_when_possible();
  static void flush_due(void* self);

  Duration send_timeout_;
  std::string out_;  // frames that the socket has not taken
  std::size_t out_from_ = 0;
  double patience_;  // what is left of it
  Instant patience_at_;
  bool full_ = false, flushing_ = false;
  Http2Waits waits_;
  std::coroutine_handle<> writer_waits_;
  async::Timer flush_timer_;
  async::Child writer_;  // last: destroyed first
};

}  // namespace sluice::http
