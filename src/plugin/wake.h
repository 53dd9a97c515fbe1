// SPDX-License-Identifier: Apache-2.0
// A coroutine on one loop waits for something that happens on another thread. The waiter holds a `Waiting`,
// the other side its `Wake`; whichever goes first, the other does not notice: once the waiter is gone its
// loop is not touched any more.
#pragma once
#include <memory>
#include <mutex>

#include "async/signal.h"

namespace sluice::plugin {

class Wake {
 public:
  explicit Wake(async::Loop& loop) : loop_(&loop), signal_(loop) {}

  // Any thread, once.
  static void tell(const std::shared_ptr<Wake>& wake) {
    const std::lock_guard lock(wake->mutex_);
    if (wake->loop_ == nullptr) return;
    wake->loop_->post([wake] {
      wake->told_ = true;
      wake->signal_.notify();
    });
  }

 private:
  friend class Waiting;
  std::mutex mutex_;
  async::Loop* loop_;  // null when nobody waits any more
  async::Signal signal_;
  bool told_ = false;  // on the loop's thread
};

class Waiting {
 public:
  explicit Waiting(async::Loop& loop) : wake_(std::make_shared<Wake>(loop)) {}
  Waiting(const Waiting&) = delete;
  ~Waiting() {
    const std::lock_guard lock(wake_->mutex_);
    wake_->loop_ = nullptr;
  }
  const std::shared_ptr<Wake>& wake() const { return wake_; }

  // True when told, false when `deadline` came first. The object outlives the task.
  async::Task<bool> until(Instant deadline) {
    while (!wake_->told_) {
      const bool notified = co_await wake_->signal_.wait(deadline);
      if (!notified) co_return wake_->told_;
    }
    co_return true;
  }

 private:
  std::shared_ptr<Wake> wake_;
};

}  // namespace sluice::plugin
