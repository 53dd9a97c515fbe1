// SPDX-License-Identifier: Apache-2.0
// "Something changed, look again": coroutines wait, whoever changes something notifies. A waiter looks at
// what it waits for before and after:
//   while (revision_ < wanted) { const bool told = co_await changed_.wait(deadline); if (!told) … }
// Belongs to one loop; outlives its waiters.
#pragma once
#include <algorithm>
#include <coroutine>
#include <memory>
#include <vector>

#include "async/loop.h"

namespace sluice::async {

class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;
  ~Signal() { *alive_ = false; }

  Loop& loop() const { return loop_; }
  // Wakes all who wait now, soon, from the loop's top level.
  void notify() {
    const std::uint64_t until = ++turn_;
    loop_.post([this, until, alive = alive_] {
      while (*alive && wake_one(until)) {
      }
    });
  }

  // True when notified, false when `deadline` came first.
  class Wait {
   public:
    Wait(Signal& signal, Instant deadline)
        : signal_(signal), deadline_(deadline), timer_(signal.loop_, &Wait::timed_out, this) {}
    Wait(const Wait&) = delete;
    ~Wait() { leave(); }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiter) {
      awaiter_ = awaiter;
      turn_ = signal_.turn_;
      signal_.waiters_.push_back(this);
      timer_.set(deadline_);
    }
    bool await_resume() const { return notified_; }

   private:
    friend class Signal;
    static void timed_out(void* self) {
      auto& wait = *static_cast<Wait*>(self);
      wait.leave();
      wait.awaiter_.resume();
    }
    void leave() { std::erase(signal_.waiters_, this); }
    Signal& signal_;
    Instant deadline_;
    std::coroutine_handle<> awaiter_;
    std::uint64_t turn_ = 0;
    bool notified_ = false;
    Timer timer_;
  };
  Wait wait(Instant deadline) { return {*this, deadline}; }

 private:
  bool wake_one(std::uint64_t until) {
    const auto found = std::ranges::find_if(waiters_, [&](const Wait* wait) { return wait->turn_ < until; });
    if (found == waiters_.end()) return false;
    Wait& wait = **found;
    waiters_.erase(found);
    wait.notified_ = true;
    wait.timer_.cancel();
    wait.awaiter_.resume();
    return true;
  }

  Loop& loop_;
  std::uint64_t turn_ = 0;
  std::vector<Wait*> waiters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::async
