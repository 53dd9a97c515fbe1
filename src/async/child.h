// SPDX-License-Identifier: Apache-2.0
// A task that runs beside its owner and dies with it: an upload next to the wait for a response, a session in
// the list of its worker. The owner may look whether it has ended, or wait for that.
#pragma once
#include <coroutine>
#include <utility>

#include "async/task.h"

namespace sluice::async {

class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { reset(); }

  // Runs `task` up to where it first waits. One at a time.
  void start(Task<> task) {
    reset();
    task_ = std::move(task);
    if (task_.await_ready()) {
      ended_ = true;
      return;
    }
    frame_ = run(task_).frame;
    frame_.promise().child = this;
    frame_.resume();
  }
  // Destroys it, running or not. Never from inside the task.
  void reset() {
    if (frame_) frame_.destroy();
    frame_ = nullptr;
    task_ = Task<>();
    ended_ = false;
  }
  bool ended() const { return ended_; }

  // Waits for the end. One waiter.
  auto join() {
    struct Join {
      Child& child;
      explicit Join(Child& awaited) : child(awaited) {}
      ~Join() { child.waiter_ = nullptr; }
      bool await_ready() const { return child.ended_; }
      void await_suspend(std::coroutine_handle<> awaiter) { child.waiter_ = awaiter; }
      void await_resume() const {}
    };
    return Join(*this);
  }

 private:
  struct Root {
    struct promise_type : PooledFrame {
      Child* child = nullptr;
      Root get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() noexcept { return {}; }
      auto final_suspend() noexcept {
        struct End {
          bool await_ready() noexcept { return false; }
          std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
            Child& owner = *self.promise().child;
            owner.ended_ = true;
            return owner.waiter_ ? std::exchange(owner.waiter_, nullptr) : std::noop_coroutine();
          }
          void await_resume() noexcept {}
        };
        return End{};
      }
      void return_void() noexcept {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
  };
  static Root run(Task<>& task) { co_await task; }

  Task<> task_;
  std::coroutine_handle<Root::promise_type> frame_;
  std::coroutine_handle<> waiter_;
  bool ended_ = false;
};

// Never resumes: the rest of a branch that lost its meaning.
struct Forever {
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<>) const {}
  void await_resume() const {}
};

}  // namespace sluice::async
