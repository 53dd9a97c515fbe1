// SPDX-License-Identifier: Apache-2.0
// Concurrency inside one owner: `both` runs two tasks and waits for both, `first_of` waits for the one that
// ends first and destroys the other. The children live in the awaiting expression, so they die with whoever
// awaits.
//   auto [sent, received] = co_await both(upload(), download());
//   auto won = co_await first_of(answer(), loop.sleep(1s));      // won.index() tells which
#pragma once
#include <coroutine>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "async/task.h"

namespace sluice::async {
namespace detail {

struct Done {};  // the result of a Task<void>

template <class T>
using ResultOf = std::conditional_t<std::is_void_v<T>, Done, T>;

// What the branches of one join share.
struct Join {
  std::coroutine_handle<> awaiter;
  int waiting_for = 0;
  bool starting = false;

  std::coroutine_handle<> arrive() noexcept {
    if (waiting_for == 0 || --waiting_for > 0 || starting) return std::noop_coroutine();
    return awaiter;
  }
};

// A coroutine that runs one task of a join and then arrives.
class Branch {
 public:
  struct promise_type : PooledFrame {
    Join* join = nullptr;
    Branch get_return_object() noexcept {
      return Branch(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Arrive {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().join->arrive();
        }
        void await_resume() noexcept {}
      };
      return Arrive{};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  explicit Branch(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  Branch(Branch&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  ~Branch() {
    if (frame_) frame_.destroy();
  }
  void start(Join& join) {
    frame_.promise().join = &join;
    frame_.resume();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Branch run_branch(Task<T>& task, std::optional<ResultOf<T>>& result) {
  if constexpr (std::is_void_v<T>) {
    co_await task;
    result.emplace();
  } else {
    auto value = co_await task;
    result.emplace(std::move(value));
  }
}

template <class A, class B>
class JoinAwaiter {
 public:
  JoinAwaiter(Task<A> first, Task<B> second, int waiting_for)
      : first_(std::move(first)), second_(std::move(second)), waiting_for_(waiting_for) {}
  JoinAwaiter(const JoinAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    join_ = {awaiter, waiting_for_, true};
    first_branch_.emplace(run_branch(first_, first_result_));
    first_branch_->start(join_);
    if (join_.waiting_for > 0) {
      second_branch_.emplace(run_branch(second_, second_result_));
      second_branch_->start(join_);
    }
    join_.starting = false;
    return join_.waiting_for > 0;
  }

 protected:
  Task<A> first_;
  Task<B> second_;
  int waiting_for_;
  Join join_;
  std::optional<ResultOf<A>> first_result_;
  std::optional<ResultOf<B>> second_result_;
  std::optional<Branch> first_branch_, second_branch_;  // destroyed before the tasks they await
};

template <class A, class B>
struct Both : JoinAwaiter<A, B> {
  Both(Task<A> a, Task<B> b) : JoinAwaiter<A, B>(std::move(a), std::move(b), 2) {}
  std::tuple<ResultOf<A>, ResultOf<B>> await_resume() {
    return {std::move(*this->first_result_), std::move(*this->second_result_)};
  }
};

template <class A, class B>
struct FirstOf : JoinAwaiter<A, B> {
  FirstOf(Task<A> a, Task<B> b) : JoinAwaiter<A, B>(std::move(a), std::move(b), 1) {}
  std::variant<ResultOf<A>, ResultOf<B>> await_resume() {
    using Won = std::variant<ResultOf<A>, ResultOf<B>>;
    if (this->first_result_) return Won(std::in_place_index<0>, std::move(*this->first_result_));
    return Won(std::in_place_index<1>, std::move(*this->second_result_));
  }
};

}  // namespace detail

template <class A, class B>
detail::Both<A, B> both(Task<A> a, Task<B> b) {
  return {std::move(a), std::move(b)};
}

template <class A, class B>
detail::FirstOf<A, B> first_of(Task<A> a, Task<B> b) {
  return {std::move(a), std::move(b)};
}

}  // namespace sluice::async
