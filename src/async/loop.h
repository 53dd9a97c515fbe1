// SPDX-License-Identifier: Apache-2.0
// The reactor: one thread, one epoll set, timers, and messages from other threads. Everything that belongs to
// a loop is touched on its thread only; `post` is the one door. Descriptors are registered once,
// edge-triggered, both ways. Events carry generation-checked handles, so what was removed earlier in a batch
// is never called. Coroutines are resumed from the loop's top level only, and what ends during a batch is
// destroyed behind it.
#pragma once
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "async/task.h"
#include "async/timer.h"
#include "base/time.h"

namespace sluice::async {

// Something with a file descriptor.
class Pollable {
 public:
  // `events` are epoll's EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR.
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

class Loop {
 public:
  using Message = std::move_only_function<void()>;

  explicit Loop(const Clock& clock = Clock::system());
  Loop(const Loop&) = delete;
  ~Loop();

  // Runs until `stop`. The loop's destructor destroys what was spawned and has not ended.
  void run();
  // Handles what is ready, waiting for `wait` at most; tests drive a loop with it. Says whether anything
  // happened.
  bool run_once(Duration wait = Duration::zero());
  void stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }

  // The time at the beginning of the batch.
  Instant now() const { return now_; }
  const Clock& clock() const { return clock_; }
  // Wall time at the beginning of the batch, in nanoseconds since 1970; the clock is read once a second for
  // it.
  std::int64_t wall() {
    if (now_ >= wall_read_again_) read_wall();
    return now_.time_since_epoch().count() + wall_offset_;
  }

  // Runs `message` on this loop's thread soon, in order. Any thread.
  void post(Message message);
  // Resumes `frame` in this batch, from the top level. This thread.
  void defer(std::coroutine_handle<> frame) { deferred_.push_back(frame); }
  // Destroys `object` behind the batch, when no frame of it can be running. This thread.
  template <class T>
  void dispose(std::unique_ptr<T> object) {
    disposed_.push_back({object.release(), [](void* p) { delete static_cast<T*>(p); }});
  }
  // Starts `task` now and owns it until it ends.
  void spawn(Task<> task);

  // Waits until `when`.
  class Sleep;
  Sleep sleep_until(Instant when);
  Task<> sleep(Duration wait);

  using Handle = std::uint64_t;
  static constexpr Handle no_handle = 0;
  // Registers `descriptor` for as long as the handle is not given back. 0 and errno when the kernel refuses.
  Handle watch(int descriptor, Pollable& pollable);
  void unwatch(Handle handle, int descriptor);

  // The number of descriptors watched.
  std::size_t watched() const { return watched_; }

 private:
  friend class Timer;
  friend class SpawnFrame;
  struct Slot {
    Pollable* pollable = nullptr;
    std::uint32_t generation = 1;
  };
  struct Disposed {
    void* object;
    void (*destroy)(void*);
  };
  void read_wall();
  bool poll(Duration wait);
  bool run_messages();
  bool run_deferred();
  void destroy_disposed();

  const Clock& clock_;
  Instant now_;
  Instant wall_read_again_{};
  std::int64_t wall_offset_ = 0;
  int epoll_ = -1;
  int wake_ = -1;  // an eventfd: messages are there
  bool stopping_ = false;
  std::size_t watched_ = 0;
  TimerQueue timers_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::coroutine_handle<>> deferred_, deferred_now_;
  std::vector<Disposed> disposed_;
  std::vector<class SpawnFrame*> spawned_;

  std::atomic<bool> has_messages_{false};
  std::mutex mutex_;  // guards messages_
  std::vector<Message> messages_;
  std::vector<Message> messages_now_;
};

class Loop::Sleep {
 public:
  Sleep(Loop& loop, Instant when) : loop_(loop), when_(when), timer_(loop, &Sleep::wake, this) {}
  Sleep(const Sleep&) = delete;
  bool await_ready() const { return when_ <= loop_.now(); }
  void await_suspend(std::coroutine_handle<> awaiter) {
    awaiter_ = awaiter;
    timer_.set(when_);
  }
  void await_resume() const {}

 private:
  static void wake(void* self) { static_cast<Sleep*>(self)->awaiter_.resume(); }
  Loop& loop_;
  Instant when_;
  std::coroutine_handle<> awaiter_;
  Timer timer_;
};

inline Loop::Sleep Loop::sleep_until(Instant when) { return {*this, when}; }

}  // namespace sluice::async
