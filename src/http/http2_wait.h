// SPDX-License-Identifier: Apache-2.0
// What the coroutines of HTTP/2 streams wait for: that their connection tells them that something came, or
// was taken, or that their patience ends. Told inside nghttp2, they go on outside of it. One timer a
// connection serves all deadlines: a request costs none of its own. Belongs to a connection; one loop.
#pragma once
#include <sys/types.h>

#include <cerrno>
#include <coroutine>
#include <vector>

#include "async/loop.h"

namespace sluice::http {

class Http2Wait;

class Http2Waits {
 public:
  explicit Http2Waits(async::Loop& loop) : loop_(loop), timer_(loop, &Http2Waits::look, this) {}
  Http2Waits(const Http2Waits&) = delete;

  // Resumes what has been told.
  void resume_told();

 private:
  friend class Http2Wait;
  static void look(void* self);
  void look_at(Instant when);

  async::Loop& loop_;
  std::vector<Http2Wait*> told_;
  Http2Wait* first_ = nullptr;  // of those that wait
  Instant next_look_ = never;
  async::Timer timer_;
};

// One waiter at a time.
class Http2Wait {
 public:
  explicit Http2Wait(Http2Waits& all) : all_(all) {}
  Http2Wait(const Http2Wait&) = delete;
  ~Http2Wait() { leave(); }

  class Until;
  // 0 when it was told, -ETIMEDOUT at the deadline.
  Until until(Instant deadline);
  // What waits, if anything, goes on when the connection is out of nghttp2.
  void tell() {
    if (!waiter_ || told_) return;
    told_ = true;
    all_.told_.push_back(this);
  }

 private:
  friend class Http2Waits;
  void enter(std::coroutine_handle<> waiter, Instant deadline);
  void leave();
  void resume(ssize_t result);

  Http2Waits& all_;
  Http2Wait *before_ = nullptr, *behind_ = nullptr;
  std::coroutine_handle<> waiter_;
  Instant deadline_ = never;
  ssize_t result_ = 0;
  bool told_ = false;
};

class Http2Wait::Until {
 public:
  Until(Http2Wait& wait, Instant deadline) : wait_(wait), deadline_(deadline) {}
  Until(const Until&) = delete;
  ~Until() { wait_.leave(); }
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { wait_.enter(waiter, deadline_); }
  ssize_t await_resume() const { return wait_.result_; }

 private:
  Http2Wait& wait_;
  Instant deadline_;
};

inline Http2Wait::Until Http2Wait::until(Instant deadline) { return {*this, deadline}; }

}  // namespace sluice::http
