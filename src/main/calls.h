// SPDX-License-Identifier: Apache-2.0
// Counts the calls that use the store, so that whoever lets go of it can wait for the last. Control thread;
// lives as long as its loop turns.
#pragma once
#include <coroutine>
#include <cstddef>
#include <utility>

#include "async/loop.h"

namespace sluice::main {

class Calls {
 public:
  explicit Calls(async::Loop& loop) : loop_(loop) {}

  // While it lives a call is under way.
  class Guard {
   public:
    explicit Guard(Calls& calls) : calls_(calls) { ++calls_.count_; }
    Guard(const Guard&) = delete;
    ~Guard() {
      if (--calls_.count_ > 0 || !calls_.waiter_) return;
      calls_.loop_.post([&calls = calls_] {
        if (calls.waiter_) std::exchange(calls.waiter_, nullptr).resume();
      });
    }

   private:
    Calls& calls_;
  };

  // Awaited: goes on when no call is under way. One waiter.
  class None {
   public:
    explicit None(Calls& calls) : calls_(calls) {}
    None(const None&) = delete;
    ~None() { calls_.waiter_ = nullptr; }
    bool await_ready() const { return calls_.count_ == 0; }
    void await_suspend(std::coroutine_handle<> frame) { calls_.waiter_ = frame; }
    void await_resume() const {}

   private:
    Calls& calls_;
  };

  bool under_way() const { return count_ > 0; }

 private:
  async::Loop& loop_;
  std::size_t count_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace sluice::main
