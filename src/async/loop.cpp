// SPDX-License-Identifier: Apache-2.0
#include "async/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/result.h"

namespace sluice::async {

// Owns a spawned task and takes itself off the loop's list when the task has ended.
class SpawnFrame {
 public:
  struct promise_type : PooledFrame {
    SpawnFrame* owner = nullptr;
    std::coroutine_handle<promise_type> get_return_object() noexcept {
      return std::coroutine_handle<promise_type>::from_promise(*this);
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct End {
        bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          self.promise().owner->ended();
        }
        void await_resume() noexcept {}
      };
      return End{};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  SpawnFrame(Loop& loop, Task<> task)
      : loop_(loop), task_(std::move(task)), frame_(run(task_)), place_(loop.spawned_.size()) {
    loop_.spawned_.push_back(this);
    frame_.promise().owner = this;
  }
  ~SpawnFrame() { frame_.destroy(); }
  void start() { frame_.resume(); }

 private:
  friend class Loop;
  using Frame = std::coroutine_handle<promise_type>;
  static Frame run(Task<>& task);

  void ended() {
    SpawnFrame* last = loop_.spawned_.back();
    loop_.spawned_[place_] = last;
    last->place_ = place_;
    loop_.spawned_.pop_back();
    loop_.dispose(std::unique_ptr<SpawnFrame>(this));
  }

  Loop& loop_;
  Task<> task_;
  Frame frame_;
  std::size_t place_;
};

}  // namespace sluice::async

template <>
struct std::coroutine_traits<std::coroutine_handle<sluice::async::SpawnFrame::promise_type>,
                             sluice::async::Task<>&> {
  using promise_type = sluice::async::SpawnFrame::promise_type;
};

namespace sluice::async {

SpawnFrame::Frame SpawnFrame::run(Task<>& task) { co_await task; }

Loop::Loop(const Clock& clock) : clock_(clock), now_(clock.now()) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  SLUICE_CHECK(epoll_ >= 0 && wake_ >= 0);
  slots_.emplace_back();  // slot 0 is the eventfd
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0}};
  SLUICE_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
}

Loop::~Loop() {
  while (!spawned_.empty()) {
    std::unique_ptr<SpawnFrame> last(spawned_.back());
    spawned_.pop_back();
  }
  destroy_disposed();
  messages_.clear();
  ::close(wake_);
  ::close(epoll_);
}

void Loop::run() {
  while (!stopping_) run_once(never - now_);
}

bool Loop::run_once(Duration wait) {
  const Instant next = timers_.next();
  wait = std::min(wait, std::max(Duration::zero(), next - now_));
  bool happened = poll(deferred_.empty() ? wait : Duration::zero());
  now_ = clock_.now();
  const bool due = timers_.next() <= now_;
  if (due) timers_.fire(now_);
  happened |= due;
  happened |= run_messages();
  happened |= run_deferred();
  destroy_disposed();
  return happened;
}

void Loop::read_wall() {
  wall_offset_ = clock_.wall() - clock_.now().time_since_epoch().count();
  wall_read_again_ = now_ + std::chrono::seconds(1);
}

bool Loop::poll(Duration wait) {
  std::array<epoll_event, 256> events;
  constexpr auto longest = std::chrono::duration_cast<Duration>(std::chrono::hours(1));
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::min(wait, longest)).count();
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), static_cast<int>(ms));
  now_ = clock_.now();
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint32_t>(events[i].data.u64);
    const auto generation = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
    if (index == 0) {
      std::uint64_t ignored;
      [[maybe_unused]] auto got = ::read(wake_, &ignored, sizeof ignored);
      continue;
    }
    Slot& slot = slots_[index];
    if (slot.generation == generation && slot.pollable != nullptr) slot.pollable->on_ready(events[i].events);
  }
  return count > 0;
}

bool Loop::run_messages() {
  if (!has_messages_.load(std::memory_order_acquire)) return false;
  {
    std::lock_guard lock(mutex_);
    has_messages_.store(false, std::memory_order_relaxed);
    messages_now_.swap(messages_);
  }
  for (auto& message : messages_now_) message();
  messages_now_.clear();
  return true;
}

bool Loop::run_deferred() {
  if (deferred_.empty()) return false;
  deferred_now_.swap(deferred_);
  for (auto frame : deferred_now_) frame.resume();
  deferred_now_.clear();
  return true;
}

void Loop::destroy_disposed() {
  while (!disposed_.empty()) {
    const Disposed last = disposed_.back();
    disposed_.pop_back();
    last.destroy(last.object);
  }
}

void Loop::post(Message message) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = messages_.empty();
    messages_.push_back(std::move(message));
    has_messages_.store(true, std::memory_order_release);
  }
  if (!first) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_, &one, sizeof one);
}

void Loop::spawn(Task<> task) {
  if (task.await_ready()) return;
  auto* frame = new SpawnFrame(*this, std::move(task));
  frame->start();
}

Task<> Loop::sleep(Duration wait) { co_await sleep_until(after(now_, wait)); }

Loop::Handle Loop::watch(int descriptor, Pollable& pollable) {
  std::uint32_t index;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  const Handle handle = std::uint64_t{slots_[index].generation} << 32 | index;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = handle}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    free_slots_.push_back(index);
    return no_handle;
  }
  slots_[index].pollable = &pollable;
  ++watched_;
  return handle;
}

void Loop::unwatch(Handle handle, int descriptor) {
  const auto index = static_cast<std::uint32_t>(handle);
  Slot& slot = slots_[index];
  SLUICE_CHECK(slot.generation == static_cast<std::uint32_t>(handle >> 32));
  slot.pollable = nullptr;
  if (++slot.generation == 0) slot.generation = 1;
  free_slots_.push_back(index);
  --watched_;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

}  // namespace sluice::async
